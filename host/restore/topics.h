/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topics.h - the topics of the target: what is there, whether it can be
 * restored into, and creating what isn't.  [main thread]
 *
 * A topic that is created has other configs while it is restored than at the
 * end: with its own, brokers would refuse, change or delete what comes.
 * The checkpoint says what is to be put back.
 */
#ifndef KB_RESTORE_TOPICS_H
#define KB_RESTORE_TOPICS_H

#include "restore/run.h"

struct kb_target_topic {
    const struct kb_plan_topic *plan;
    bool exists;
    struct kb_uuid id;
    int32_t partitions;
    int32_t replicas;                /* of the partition with the least */
    int32_t *leaders;                /* by partition; -1: none */
    int64_t *starts;                 /* of the log of each partition */
    int64_t *ends;                   /* where each begins to be written */
    bool has_records;                /* when it was looked at */
    struct kb_admin_config *configs; /* of an existing one */
    size_t config_count;
    struct kb_admin_configs *fetched; /* holds them */
    int64_t max_message_bytes;        /* that it will take */
};

/* A config which the target won't have. */
struct kb_left_out {
    const struct kb_target_topic *topic; /* NULL: whatever topic it is of */
    char *key;
    char *why;
};

struct kb_topics {
    struct kb_target_topic *items; /* as in the plan */
    size_t count;
    struct kb_left_out *left_out;
    size_t left_out_count;
};

/* See what is there. `*cluster_id` is NULL, to be free()d; may stay NULL. */
int kb_topics_look(struct kb_topics *topics, struct kb_restore_run *run,
                   char **cluster_id, struct kbp_error *err);
void kb_topics_release(struct kb_topics *topics);

/*
 * What keeps a restore from being done, and what a person should know before:
 * goes to the report's errors and warnings.  `resumed`: records that are there
 * are its own; once all are, only that the topics are the same is asked.
 */
void kb_topics_check(struct kb_topics *topics, struct kb_restore_run *run,
                     bool resumed);

/*
 * Ask the target to create what isn't there, or only whether it would.
 * Configs it doesn't know are left out and reported.  Failures go to the
 * report; `*failed` counts them.
 */
int kb_topics_create(struct kb_topics *topics, struct kb_restore_run *run,
                     bool validate_only, size_t *failed, struct kbp_error *err);

/* Wait until all partitions that are needed have a leader. */
int kb_topics_wait(struct kb_topics *topics, struct kb_restore_run *run,
                   struct kbp_error *err);

/* Say in the checkpoint what is to be put back at the end. */
int kb_topics_hold_back(struct kb_topics *topics, struct kb_restore_run *run,
                        struct kbp_error *err);

/* The value the topic is to have in the end; NULL: the target's default. */
const char *kb_topic_final_config(const struct kb_restore_run *run,
                                  const struct kb_plan_topic *topic,
                                  const char *key);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - what is to be restored, and to where: from the options and the
 * manifest alone, before any broker is asked.
 */
#ifndef KB_RESTORE_PLAN_H
#define KB_RESTORE_PLAN_H

#include "archive/manifest.h"
#include "config/config.h"
#include "restore/select.h"

/* A partition of the backup which goes to a partition of the target. */
struct kb_plan_source {
    const struct kb_generation *generation;
    const struct kb_partition_log *log;
    size_t topic;   /* number in kb_plan.topics, of the target's */
    int32_t target; /* partition there */
    int64_t start;  /* offsets of the archive */
    int64_t end;
    struct kb_sums sums; /* of its extents which can hold what is wanted */
    size_t segments;     /* of those */
    uint64_t bytes;      /* of their batches, by the segments' averages */
};

/* A topic of the target; several of the backup may go to it. */
struct kb_plan_topic {
    char *name;
    const struct kb_generation *generation; /* the first: for its configs */
    int32_t partitions;                     /* to create it with */
    int32_t needed;                         /* to hold what is restored */
    int16_t replication_factor;             /* -1: the broker's default */
    struct kb_sums sums;
};

struct kb_plan {
    struct kb_select_spec select;
    struct kb_plan_topic *topics;
    size_t topic_count;
    struct kb_plan_source *sources; /* by target topic, then partition */
    size_t source_count;
    char options_hash[17]; /* of all that decides which records go where */
};

/*
 * Choose topics, generations and partitions.  KBP_ERR_CONFIG if the options
 * contradict each other or name what isn't there.  The manifest outlives it.
 */
int kb_plan_make(struct kb_plan *plan, const struct kb_config *config,
                 const struct kb_manifest *manifest, struct kbp_error *err);
void kb_plan_release(struct kb_plan *plan);

/* Those which a broker keeps its own state in: never restored. */
bool kb_topic_is_brokers(const char *topic);

/*
 * Whether a topic of the backup is chosen: globs, and "~regex" (POSIX
 * extended, found anywhere).  An empty include list is all.
 */
int kb_plan_topic_chosen(const struct kb_strings *include,
                         const struct kb_strings *exclude, const char *topic,
                         bool *chosen, struct kbp_error *err);

/* The value of a pair, or NULL. */
const char *kb_pairs_get(const struct kb_pairs *pairs, const char *key);

#endif

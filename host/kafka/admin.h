/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.h - the control plane, over librdkafka: topics, configs, groups.
 *
 * A consumer handle without a group to join, so that asking for a topic never
 * creates it.  [one thread at a time]
 */
#ifndef KB_KAFKA_ADMIN_H
#define KB_KAFKA_ADMIN_H

#include "kafka/conn.h"

struct kb_admin;

/*
 * Make a client of the cluster at `servers` ("host:port").  Doesn't wait for a
 * connection.  `net` is copied but for what it points to, which outlives the
 * client, and so does its security; connections that need it go through
 * pumps (pump.h).
 */
int kb_admin_open(const struct kb_net_config *net, const char *const *servers,
                  size_t count, struct kb_admin **admin, struct kbp_error *err);

/* Ends its connections and threads, which it waits for. NULL is fine. */
void kb_admin_close(struct kb_admin *admin);

/*
 * All calls below wait for their answer, at most net->request_timeout_ms for
 * each try, and end with KBP_ERR_CANCELLED when net->stop is requested.  What
 * they give out is the caller's to free.  Errors have the broker's words, and
 * why connections failed where nobody answered.
 */

struct kb_admin_config {
    char *key;
    char *value;  /* NULL for a sensitive one */
    bool dynamic; /* set on the topic itself: DYNAMIC_TOPIC_CONFIG */
    bool read_only;
    bool sensitive;
};

struct kb_admin_configs {
    char *topic;
    int16_t error; /* Kafka's; then there are no items */
    struct kb_admin_config *items;
    size_t count;
};

/*
 * Configs of `count` topics; `*out` is an array of `count`, in the same order.
 * KBP_OK also when single topics failed: look at each.
 */
int kb_admin_topic_configs(struct kb_admin *admin, const char *const *topics,
                           size_t count, struct kb_admin_configs **out,
                           struct kbp_error *err);
void kb_admin_configs_free(struct kb_admin_configs *configs, size_t count);

struct kb_new_topic {
    const char *name;
    int32_t partitions;
    int32_t replication_factor; /* -1: the broker's default (2.4+) */
    const char *const *config_keys;
    const char *const *config_values;
    size_t config_count;
    int16_t error;     /* out */
    char message[256]; /* out */
};

/* KBP_OK also when single topics failed: look at each. */
int kb_admin_create_topics(struct kb_admin *admin, struct kb_new_topic *topics,
                           size_t count, bool validate_only,
                           struct kbp_error *err);

/* Raise the number of partitions to `total`. */
int kb_admin_create_partitions(struct kb_admin *admin, const char *topic,
                               int32_t total, struct kbp_error *err);

/* The first that can't be deleted is the error; the others are tried, too. */
int kb_admin_delete_topics(struct kb_admin *admin, const char *const *topics,
                           size_t count, struct kbp_error *err);

/*
 * Delete the records of partitions 0 to `count` - 1 that are before the given
 * offsets; one of 0 or less leaves its partition alone.  For `purge_topics`.
 */
int kb_admin_delete_records(struct kb_admin *admin, const char *topic,
                            const int64_t *before_offsets, int32_t count,
                            struct kbp_error *err);

struct kb_group_offset {
    char *topic;
    int32_t partition;
    int64_t offset; /* of the next record to read */
    char *metadata; /* or NULL */
    int16_t error;  /* Kafka's, of this partition */
};

/* What a group committed; free it by kb_group_offsets_free(). */
int kb_admin_group_offsets(struct kb_admin *admin, const char *group,
                           struct kb_group_offset **offsets, size_t *count,
                           struct kbp_error *err);
void kb_group_offsets_free(struct kb_group_offset *offsets, size_t count);

/* Commit; each has its own error afterwards, which must be looked at. */
int kb_admin_commit_group_offsets(struct kb_admin *admin, const char *group,
                                  struct kb_group_offset *offsets, size_t count,
                                  struct kbp_error *err);

#endif

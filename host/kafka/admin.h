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

int kb_admin_open(const struct kb_net_config *net, const char *const *servers,
                  size_t count, struct kb_admin **admin, struct kbp_error *err);
void kb_admin_close(struct kb_admin *admin);

struct kb_admin_config {
    char *key;
    char *value;  /* NULL for a sensitive one */
    bool dynamic; /* set on the topic itself: DYNAMIC_TOPIC_CONFIG */
    bool read_only;
    bool sensitive;
};

struct kb_admin_configs {
    char *topic;
    int16_t error;
    struct kb_admin_config *items;
    size_t count;
};

/* Configs of `count` topics; `*out` is an array of `count`. */
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

int kb_admin_create_partitions(struct kb_admin *admin, const char *topic,
                               int32_t total, struct kbp_error *err);
int kb_admin_delete_topics(struct kb_admin *admin, const char *const *topics,
                           size_t count, struct kbp_error *err);

/* Delete all records up to the current end: `purge_topics`. */
int kb_admin_delete_records(struct kb_admin *admin, const char *topic,
                            const int64_t *before_offsets, int32_t count,
                            struct kbp_error *err);

/* The ids of all groups; free each and the array. */
int kb_admin_list_groups(struct kb_admin *admin, char ***groups, size_t *count,
                         struct kbp_error *err);

/* Of those the ones that have members, as far as brokers say (2.6 and up). */
int kb_admin_list_live_groups(struct kb_admin *admin, char ***groups,
                              size_t *count, struct kbp_error *err);

struct kb_group_offset {
    char *topic;
    int32_t partition;
    int64_t offset;
    char *metadata; /* or NULL */
    int16_t error;
};

/* What a group committed. */
int kb_admin_group_offsets(struct kb_admin *admin, const char *group,
                           struct kb_group_offset **offsets, size_t *count,
                           struct kbp_error *err);
void kb_group_offsets_free(struct kb_group_offset *offsets, size_t count);

/* Commit; each has its own error afterwards, which must be looked at. */
int kb_admin_commit_group_offsets(struct kb_admin *admin, const char *group,
                                  struct kb_group_offset *offsets, size_t count,
                                  struct kbp_error *err);

#endif

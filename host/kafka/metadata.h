/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata.h - who leads what: the one view of the cluster which the data
 * plane acts on.  Ids, leaders and leader epochs come from one answer, so that
 * they belong together.
 */
#ifndef KB_KAFKA_METADATA_H
#define KB_KAFKA_METADATA_H

#include "kafka/conn.h"
#include "kafka/uuid.h"

struct kb_meta_broker {
    int32_t id;
    int32_t port;
    char *host;
    char *rack; /* or NULL */
};

struct kb_meta_partition {
    int16_t error;
    int32_t id;
    int32_t leader;       /* a broker's id; -1: none at the moment */
    int32_t leader_epoch; /* -1: the broker doesn't say (before 2.1) */
    int32_t replica_count;
};

struct kb_meta_topic {
    int16_t error;
    bool internal;
    char *name;
    struct kb_uuid id; /* none: the broker has none (before 2.8) */
    struct kb_meta_partition *partitions; /* in order of their ids */
    int32_t partition_count;
};

struct kb_metadata {
    char *cluster_id; /* or NULL */
    int32_t controller;
    struct kb_meta_broker *brokers;
    size_t broker_count;
    struct kb_meta_topic *topics; /* in order of their names */
    size_t topic_count;
};

/* NULL is fine. */
void kb_metadata_free(struct kb_metadata *metadata);

/* What it has of that broker, topic or partition, good with it; or NULL. */
const struct kb_meta_broker *
kb_metadata_broker(const struct kb_metadata *metadata, int32_t id);
const struct kb_meta_topic *
kb_metadata_topic(const struct kb_metadata *metadata, const char *name);
const struct kb_meta_partition *
kb_meta_topic_partition(const struct kb_meta_topic *topic, int32_t partition);

/*
 * Of `count` topics, or of all with `names` NULL. Never creates a topic. An
 * unknown topic is in the answer, with its error.  Waits for the configured
 * request timeout; `*metadata` is the caller's.  [the connection's thread]
 */
int kb_metadata_get(struct kb_conn *conn, const char *const *names,
                    size_t count, struct kb_metadata **metadata,
                    struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - a cluster as the data plane knows it: where it starts from, which
 * brokers it has, and calls that go to the right one of them.
 *
 * [any thread]; connections it hands out are the caller's.
 */
#ifndef KB_KAFKA_CLIENT_H
#define KB_KAFKA_CLIENT_H

#include "kafka/metadata.h"

struct kb_client;

/*
 * `servers` are "host:port" ("[::1]:9092" for IPv6), tried in order.  Doesn't
 * connect.  `net` is copied shallowly and outlives the client.
 */
int kb_client_new(const struct kb_net_config *net, const char *const *servers,
                  size_t count, struct kb_client **client,
                  struct kbp_error *err);

/* All that it handed out is closed or freed. NULL is fine. */
void kb_client_free(struct kb_client *client);

/* The copy. Constant. */
const struct kb_net_config *kb_client_net(const struct kb_client *client);

/*
 * Metadata from any broker that answers, those known already first; tried
 * again until the connect timeout is over.  Remembers the brokers.  Of `count`
 * topics, or of all with `names` NULL; kb_metadata_free() it.
 */
int kb_client_metadata(struct kb_client *client, const char *const *names,
                       size_t count, struct kb_metadata **metadata,
                       struct kbp_error *err);

/* A new connection to a broker by id, from the newest metadata. */
int kb_client_connect(struct kb_client *client, int32_t broker,
                      struct kb_conn **conn, struct kbp_error *err);

/* A new connection to any broker. */
int kb_client_connect_any(struct kb_client *client, struct kb_conn **conn,
                          struct kbp_error *err);

#define KB_OFFSET_LATEST (-1)
#define KB_OFFSET_EARLIEST (-2)

enum kb_isolation {
    KB_READ_UNCOMMITTED = 0, /* "latest" is the high watermark */
    KB_READ_COMMITTED = 1,   /* "latest" is the last stable offset */
    KB_READ_LOG_END = 2      /* "latest" is the end of the leader's log, which
                                consumers can't read yet; for ListOffsets */
};

/* What to ask of a partition, and what came back. */
struct kb_offset_query {
    const char *topic;
    int32_t partition;
    int64_t timestamp;    /* or KB_OFFSET_*; first offset at or after it */
    int64_t offset;       /* out; -1: none */
    int64_t at_timestamp; /* out; of the record found; -1 */
    int32_t leader_epoch; /* out; -1: not said */
    int16_t error;        /* out: what was left after all tries, or 0 */
};

/*
 * ListOffsets: asks all leaders at the same time, one request each, and again
 * where leadership moved or a broker was away, until `deadline_ms`.  KBP_OK
 * also when single queries have errors left.
 */
int kb_client_list_offsets(struct kb_client *client,
                           struct kb_offset_query *queries, size_t count,
                           enum kb_isolation isolation, int64_t deadline_ms,
                           struct kbp_error *err);

/*
 * InitProducerId without a transactional id (idempotent producer): a new
 * producer id with epoch 0.  Tried again like metadata.
 */
int kb_client_init_producer_id(struct kb_client *client, int64_t *producer_id,
                               int16_t *epoch, struct kbp_error *err);

/* A config key to set (or, with value NULL, to put back to its default). */
struct kb_config_change {
    const char *key;
    const char *value;
};

/*
 * Keys that aren't named stay as they are.  The name of the key which a broker
 * refused is in err->message, if it says.  Brokers in KRaft mode apply it a
 * moment later: read back with retries.
 */
int kb_client_alter_topic_configs(struct kb_client *client, const char *topic,
                                  const struct kb_config_change *changes,
                                  size_t count, struct kbp_error *err);

/*
 * Whether it is Kafka 2.8's preview of KRaft, known by what it can't do yet.
 * It gives out no producer ids, takes any config when a topic is created and
 * takes none back, and acts on none that changes later.
 */
int kb_client_is_early_kraft(struct kb_client *client, bool *early,
                             struct kbp_error *err);

struct kb_listed_group {
    char *name;
    bool live; /* has members, as far as brokers say (2.6 and up) */
};

struct kb_group_list {
    struct kb_listed_group *items; /* in order of their names */
    size_t count;
};

/*
 * All consumer groups that the principal may describe: of every broker that the
 * cluster has now, tried again for the request timeout while one can't be
 * asked or coordinators move.  A list with gaps is an error.
 * kb_groups_list_release() it.
 */
int kb_client_list_groups(struct kb_client *client, struct kb_group_list *list,
                          struct kbp_error *err);
void kb_groups_list_release(struct kb_group_list *list);

struct kb_producer_state {
    int64_t producer_id;
    int32_t epoch;
    int32_t last_sequence;
    int64_t last_timestamp;
    int64_t txn_start_offset; /* -1: no transaction open */
};

/*
 * DescribeProducers of one partition (brokers 2.8+, else
 * KBP_ERR_UNSUPPORTED). `*states` is free()d by the caller.
 */
int kb_client_describe_producers(struct kb_client *client, const char *topic,
                                 int32_t partition,
                                 struct kb_producer_state **states,
                                 size_t *count, struct kbp_error *err);

#endif

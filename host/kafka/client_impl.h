/* SPDX-License-Identifier: Apache-2.0 */
/* client_impl.h - the inside of a client, shared by the files it is made of. */
#ifndef KB_KAFKA_CLIENT_IMPL_H
#define KB_KAFKA_CLIENT_IMPL_H

#include <pthread.h>

#include "kafka/client.h"

struct kb_server {
    char *host;
    uint16_t port;
};

struct kb_idle {
    struct kb_conn *conn;
    int64_t since_ms;
};

#define KB_IDLE_MAX 64

struct kb_client {
    struct kb_net_config net;
    struct kb_server *servers;
    size_t server_count;
    char *server_list; /* for messages */

    pthread_mutex_t lock; /* of what follows */
    struct kb_meta_broker *brokers;
    size_t broker_count;
    struct kb_idle idle[KB_IDLE_MAX]; /* connections nobody uses now */
    size_t idle_count;
    size_t next; /* the server to begin with */
};

/*
 * A connection for a call or two, from those at rest or a new one: to a broker
 * by id, or to any with KB_ANY_BROKER.  Give it back with kb_client_give(),
 * `good` unless it failed.
 */
#define KB_ANY_BROKER (-1)
int kb_client_borrow(struct kb_client *client, int32_t broker,
                     struct kb_conn **conn, struct kbp_error *err);
void kb_client_give(struct kb_client *client, struct kb_conn *conn, bool good);

/* A request that isn't pipelined: its bytes, and what its answer says. */
struct kb_call {
    enum kb_api api;
    int16_t oldest;
    int16_t newest;
    const char *name;
    int (*encode)(const struct kb_call *call, int16_t version,
                  struct kb_buf *body, struct kbp_error *err);
    /* `*error` of the broker: retriable ones are tried again. */
    int (*decode)(const struct kb_call *call, const struct kb_answer *answer,
                  int32_t *throttle_ms, int16_t *error, char *message,
                  size_t size, struct kbp_error *err);
    const void *in;
    void *out;
};

#define KB_CALL_MESSAGE 300

/*
 * Once, on that connection.  KBP_OK also with an `*error` of the broker, and
 * its `message` of KB_CALL_MESSAGE bytes, "" without.
 */
int kb_call_on(struct kb_conn *conn, const struct kb_call *call, int16_t *error,
               char *message, struct kbp_error *err);

/*
 * Call the broker (or any) until it works, fails for good, or the time of some
 * requests is over.  `leader_of` names a topic and partition whose leader is
 * meant, NULL any broker.
 */
int kb_call_broker(struct kb_client *client, const char *leader_of,
                   int32_t partition, const struct kb_call *call,
                   struct kbp_error *err);

/* For decode(): "the answer to NAME version N can't be read". */
int kb_call_unreadable(const struct kb_call *call,
                       const struct kb_answer *answer, struct kbp_error *err);

/* Metadata of one topic's partition: its leader, or an error. */
int kb_client_leader(struct kb_client *client, const char *topic,
                     int32_t partition, int32_t *leader, struct kbp_error *err);

/*
 * Wait before another try: `*pause_ms` doubles from 50 to 1000.  KBP_OK,
 * KBP_ERR_CANCELLED, or KBP_ERR_TIMEOUT (without touching `err`) when the
 * deadline is nearer than that.
 */
int kb_client_pause(struct kb_client *client, int64_t *pause_ms,
                    int64_t deadline_ms, struct kbp_error *err);

/* "topic orders: the broker has no such topic (UNKNOWN_TOPIC...)[: more]". */
KB_PRINTF(4, 5)
int kb_fail_kafka(struct kbp_error *err, int16_t code, const char *more,
                  const char *fmt, ...);

#endif

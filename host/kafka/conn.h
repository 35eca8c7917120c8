/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.h - a connection to one broker: framing, versions, deadlines.
 *
 * Opening one dials, does TLS and SASL where configured, and negotiates the
 * versions of all requests (ApiVersions; per connection, since a cluster may
 * be in the middle of an upgrade).  Requests may be sent ahead; answers come
 * in the order of the requests.
 *
 * A connection belongs to one thread at a time.
 */
#ifndef KB_KAFKA_CONN_H
#define KB_KAFKA_CONN_H

#include <sys/uio.h>

#include "base/block.h"
#include "base/buf.h"
#include "base/stop.h"

struct kb_conn;
struct kb_security; /* TLS and SASL; see security.h */
struct kb_stream;

/* The requests we send ourselves; all others are librdkafka's. */
enum kb_api {
    KB_API_PRODUCE = 0,
    KB_API_FETCH = 1,
    KB_API_LIST_OFFSETS = 2,
    KB_API_METADATA = 3,
    KB_API_LIST_GROUPS = 16,
    KB_API_SASL_HANDSHAKE = 17,
    KB_API_API_VERSIONS = 18,
    KB_API_INIT_PRODUCER_ID = 22,
    KB_API_DESCRIBE_CONFIGS = 32,
    KB_API_ALTER_CONFIGS = 33,
    KB_API_SASL_AUTHENTICATE = 36,
    KB_API_INCREMENTAL_ALTER_CONFIGS = 44,
    KB_API_DESCRIBE_PRODUCERS = 61
};

struct kb_broker_override {
    const char *from_host; /* as advertised */
    uint16_t from_port;    /* 0: any */
    const char *to_host;   /* where it is reached */
    uint16_t to_port;      /* 0: the same */
};

/* How connections are made. Constant while any is open. */
struct kb_net_config {
    const char *client_id;      /* quotas bind to it */
    const char *client_rack;    /* "" for none */
    int64_t connect_timeout_ms; /* for name, TCP, TLS and SASL together */
    int64_t request_timeout_ms; /* for an answer, throttling aside */
    bool tcp_nodelay;
    bool tcp_keepalive;
    int keepalive_time_secs;
    int keepalive_interval_secs;
    const struct kb_broker_override *overrides;
    size_t override_count;
    struct kb_security *security; /* NULL: PLAINTEXT */
    struct kb_stop *stop;         /* ends every wait */
};

/* Sets the defaults; `stop` and what isn't NULL by default is the caller's. */
void kb_net_config_init(struct kb_net_config *net, struct kb_stop *stop);

/*
 * Errors name host, port, what was tried, and what to look at.
 * KBP_ERR_UNAVAILABLE: nobody there (may be tried again); KBP_ERR_PROTOCOL:
 * what answers is no Kafka broker; KBP_ERR_AUTH: TLS or SASL refused.
 */
int kb_conn_open(const struct kb_net_config *net, const char *host,
                 uint16_t port, struct kb_conn **conn, struct kbp_error *err);

/*
 * The same over a stream which is there already, and becomes the connection's
 * also on failure: for tests.
 */
int kb_conn_open_stream(const struct kb_net_config *net,
                        struct kb_stream *stream, const char *host,
                        uint16_t port, struct kb_conn **conn,
                        struct kbp_error *err);

/* NULL is fine. */
void kb_conn_close(struct kb_conn *conn);

/* Its id in the cluster, from the metadata that named it. */
void kb_conn_set_broker(struct kb_conn *conn, int32_t id);
int32_t kb_conn_broker(const struct kb_conn *conn); /* -1: not known */

const struct kb_net_config *kb_conn_net(const struct kb_conn *conn);

/* "broker 3 at kafka-3:9092" once its id is known, for messages. */
const char *kb_conn_name(const struct kb_conn *conn);

/*
 * The highest version of `api` that the broker and we ([min, max]) share; -1
 * if there is none.
 */
int16_t kb_conn_version(const struct kb_conn *conn, enum kb_api api,
                        int16_t min, int16_t max);

/*
 * Send a request whose body is `parts` (headers are put in front; flexible
 * versions get theirs).  The bytes are the caller's and sent when it returns.
 */
int kb_conn_send(struct kb_conn *conn, enum kb_api api, int16_t version,
                 const struct iovec *parts, int part_count,
                 struct kbp_error *err);

/* How many requests wait for their answer. */
unsigned kb_conn_in_flight(const struct kb_conn *conn);

/* An answer's body, behind its header. */
struct kb_answer {
    struct kb_block *block; /* holds it; kb_answer_release() lets go */
    const uint8_t *body;
    size_t body_len;
    enum kb_api api;
    int16_t version;
};

/*
 * The next answer, of the oldest request in flight.  `deadline_ms` is of
 * kb_now_ms(); the time for which the broker said it throttles us is added.
 * The memory: `charged` bytes taken from `budget` before (0 and NULL for small
 * answers).  What the answer is smaller is given back, what it is larger is
 * forced; after a failure `charged` is still the caller's.
 * After an error the connection is of no more use.
 */
int kb_conn_receive(struct kb_conn *conn, int64_t deadline_ms,
                    struct kb_budget *budget, size_t charged,
                    struct kb_answer *answer, struct kbp_error *err);

void kb_answer_release(struct kb_answer *answer);

/*
 * Send one request and wait for its answer, with the configured timeout: for
 * what isn't pipelined.
 */
int kb_conn_call(struct kb_conn *conn, enum kb_api api, int16_t version,
                 const struct kb_buf *body, struct kb_answer *answer,
                 struct kbp_error *err);

/*
 * An answer said that the broker leaves us waiting for so long now (KIP-219):
 * deadlines are moved by that, and a long time is warned of.  Whoever decodes
 * an answer calls it.
 */
void kb_conn_throttled(struct kb_conn *conn, int32_t throttle_ms);

/* The descriptor, to poll() for an answer or its end. */
int kb_conn_fd(const struct kb_conn *conn);

#endif

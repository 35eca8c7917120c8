/* SPDX-License-Identifier: Apache-2.0 */
/* conn_impl.h - the inside of a connection, shared by the files it is made of.
 */
#ifndef KB_KAFKA_CONN_IMPL_H
#define KB_KAFKA_CONN_IMPL_H

#include "kafka/conn.h"

struct kb_login;

/* A request whose answer hasn't come. */
struct kb_sent {
    enum kb_api api;
    int16_t version;
    int32_t correlation;
};

#define KB_APIS_KNOWN 96

struct kb_conn {
    const struct kb_net_config *net;
    struct kb_stream *stream;
    struct kb_login *login; /* NULL: no SASL */
    char *host;             /* as advertised */
    uint16_t port;
    int32_t broker;
    char name[340];

    /* What the broker offers, by api; max -1 for what it doesn't. */
    struct {
        int16_t min;
        int16_t max;
    } versions[KB_APIS_KNOWN];

    int32_t correlation;  /* of the next request */
    struct kb_sent *sent; /* a ring, oldest first */
    size_t sent_cap;
    size_t sent_first;
    size_t sent_count;

    struct kb_answer *aside; /* read already, while SASL was renewed */
    size_t aside_count;

    struct kb_buf head; /* of the request that is sent */
    int64_t throttled_until_ms;
    int64_t throttle_warned_ms; /* not again before then */
    uint64_t answers;           /* so far */
    uint64_t login_answers;     /* so far, and not among those */
    bool logging_in;
    bool ready;
    bool broken;
};

/*
 * Fail for the first bytes of a frame, whose length can't be right: what they
 * are instead. `max` is what the frame could have had.
 */
int kb_conn_no_frame(const struct kb_conn *conn, const uint8_t head[4],
                     size_t max, struct kbp_error *err);

/*
 * The peer has closed, or says nothing, after `got` bytes of a frame: add to
 * the error what that may mean at this point.
 */
void kb_conn_explain(const struct kb_conn *conn, size_t got,
                     struct kbp_error *err);

/* Fill in `versions`: ApiVersions, as new as the broker can. */
int kb_conn_negotiate(struct kb_conn *conn, int64_t deadline_ms,
                      struct kbp_error *err);

/* The block is charged as said, less what it doesn't need. */
void kb_conn_own_charge(struct kb_block *block, struct kb_budget *budget,
                        size_t charged);

/* Decode an ApiVersions answer; `*error` is the broker's. */
int kb_conn_decode_versions(struct kb_conn *conn,
                            const struct kb_answer *answer,
                            int32_t *throttle_ms, int16_t *error,
                            struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch.h - the Fetch request, versions 4 to 17: by name up to 12, by topic id
 * from 13.  Only bytes in and out; sending is conn.h's.
 */
#ifndef KB_KAFKA_FETCH_H
#define KB_KAFKA_FETCH_H

#include "kafka/client.h"
#include "kafka/partitions.h"

struct kb_fetch_partition {
    struct kb_partition_id id; /* first */
    int32_t leader_epoch;      /* -1: don't check */
    int64_t offset;            /* the first to be fetched */
    int32_t max_bytes; /* of this partition; the first batch may be larger */
    void *user;        /* the caller's; handed back with the answer */
};

struct kb_fetch_request {
    int32_t max_wait_ms; /* how long the broker may wait for min_bytes */
    int32_t min_bytes;
    int32_t max_bytes; /* of the answer; one batch may be larger */
    enum kb_isolation isolation;
    const char *client_rack; /* to read from a replica near by; or NULL */
    /* Partitions of one topic stand together. The broker fills them in this
       order, so the caller rotates it. */
    const struct kb_fetch_partition *partitions;
    size_t count;
};

/* The version to use on this connection, -1 for none in common.  By id only
   where all topics have one (`have_ids`). */
int16_t kb_fetch_version(const struct kb_conn *conn, bool have_ids);

/* Append the request's body to `body`. KBP_ERR_NOMEM. */
int kb_fetch_encode(struct kb_buf *body, int16_t version,
                    const struct kb_fetch_request *request,
                    struct kbp_error *err);

struct kb_aborted {
    int64_t producer_id;
    int64_t first_offset;
};

/* What came of one partition. Pointers go into the answer. */
struct kb_fetched {
    const struct kb_fetch_partition *partition; /* of the request */
    int16_t error;                              /* Kafka's; see error.h */
    int64_t high_watermark;
    int64_t last_stable_offset; /* -1: not said */
    int64_t log_start;          /* -1: not said */
    int32_t preferred_replica;  /* -1: the leader */
    const uint8_t *aborted;     /* raw; use kb_fetched_aborted() */
    size_t aborted_count;
    size_t aborted_len;
    const uint8_t *records; /* batches; the last may be cut off */
    size_t records_len;
    /* Which version's array this is: kb_fetched_aborted() needs to know. */
    int16_t version;
};

/*
 * The i-th aborted transaction, by first offset ascending.  In a fresh answer
 * the set of those active starts empty.
 */
struct kb_aborted kb_fetched_aborted(const struct kb_fetched *fetched,
                                     size_t i);

/*
 * Decode. Tells `fn` of each partition in the answer; partitions of the
 * request can be absent (a throttled answer has none at all).  A non-zero
 * result of `fn` ends it and is returned.  `*throttle_ms` and `*error` (of
 * the whole answer) are set before.  KBP_ERR_PROTOCOL for what can't be read or
 * wasn't asked for; what `fn` was told before holds.
 */
int kb_fetch_decode(const struct kb_answer *answer,
                    const struct kb_fetch_request *request,
                    int32_t *throttle_ms, int16_t *error,
                    int (*fn)(void *data, const struct kb_fetched *fetched,
                              struct kbp_error *err),
                    void *data, struct kbp_error *err);

#endif

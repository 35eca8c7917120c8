/* SPDX-License-Identifier: Apache-2.0 */
/*
 * produce.h - the Produce request, versions 3 to 13: by name up to 12, by
 * topic id from 13.  Record batches go out from where they lie.
 */
#ifndef KB_KAFKA_PRODUCE_H
#define KB_KAFKA_PRODUCE_H

#include "kafka/client.h"
#include "kafka/partitions.h"

/* One batch for one partition: a broker takes no more in a request. */
struct kb_produce_partition {
    struct kb_partition_id id; /* first */
    const uint8_t *batch;      /* magic 2, sealed */
    size_t batch_len;
    void *user; /* the caller's; handed back with the answer */
};

struct kb_produce_request {
    int16_t acks;       /* -1, 1; 0 has no answer and isn't supported */
    int32_t timeout_ms; /* how long the broker waits for its replicas */
    /* Partitions of one topic stand together; each partition once. */
    const struct kb_produce_partition *partitions;
    size_t count;
};

/* Like kb_fetch_version(). */
int16_t kb_produce_version(const struct kb_conn *conn, bool have_ids);

/*
 * Make the parts: `body` gets what isn't batches, `*parts` (free()d by the
 * caller) points into it and to the batches, for kb_conn_send(); both stay as
 * they are until that is done.  KBP_ERR_NOMEM.
 */
int kb_produce_encode(struct kb_buf *body, int16_t version,
                      const struct kb_produce_request *request,
                      struct iovec **parts, int *part_count,
                      struct kbp_error *err);

struct kb_produced {
    const struct kb_produce_partition *partition; /* of the request */
    int16_t error;                                /* Kafka's; see error.h */
    int64_t base_offset;     /* the first record's, where it landed; -1 */
    int64_t log_append_time; /* -1 unless the topic's type is that */
    int64_t log_start;       /* -1: not said */
    int32_t bad_record;      /* index within the batch; -1 */
    char message[256];       /* the broker's own, or "" */
};

/* Like kb_fetch_decode(), but all of it is read before `fn` is told. */
int kb_produce_decode(const struct kb_answer *answer,
                      const struct kb_produce_request *request,
                      int32_t *throttle_ms,
                      int (*fn)(void *data, const struct kb_produced *produced,
                                struct kbp_error *err),
                      void *data, struct kbp_error *err);

#endif

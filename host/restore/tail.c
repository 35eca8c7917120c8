/* SPDX-License-Identifier: Apache-2.0 */
/* tail.c - read a partition of the target back, raw. */
#include "restore/tail.h"

#include <inttypes.h>

#include "base/clock.h"
#include "kafka/acl.h"
#include "kafka/error.h"
#include "kafka/fetch.h"

#define FETCH_BYTES (4 << 20)
#define FETCH_WAIT_MS 250

struct reading {
    int64_t position;
    int64_t end;
    bool moved;
    int (*fn)(void *data, const struct kb_batch *batch, struct kbp_error *err);
    void *data;
};

static int take_batches(struct reading *reading,
                        const struct kb_fetched *fetched, struct kbp_error *err)
{
    const uint8_t *at = fetched->records;
    size_t left = fetched->records_len;

    while (left > 0 && reading->position < reading->end) {
        struct kb_batch batch;
        int status = kb_batch_parse(at, left, &batch, err);

        if (status == KB_BATCH_CUT)
            break;
        if (status == KB_BATCH_LEGACY)
            return kb_fail(err, KBP_ERR_CONFLICT,
                           "the target's log holds messages of an old format");
        if (status != KBP_OK)
            return status;
        status = kb_batch_check(&batch, err);
        if (status == KBP_OK &&
            kb_batch_next_offset(&batch) > reading->position)
            status = reading->fn(reading->data, &batch, err);
        if (status != KBP_OK)
            return status;
        if (kb_batch_next_offset(&batch) > reading->position) {
            reading->position = kb_batch_next_offset(&batch);
            reading->moved = true;
        }
        at += batch.len;
        left -= batch.len;
    }
    return KBP_OK;
}

static int on_fetched(void *data, const struct kb_fetched *fetched,
                      struct kbp_error *err)
{
    if (fetched->error == KB_KAFKA_OFFSET_OUT_OF_RANGE)
        return kb_fail(err, KBP_ERR_CONFLICT,
                       "its log no longer has offset %" PRId64
                       " (deleted, or truncated)",
                       fetched->partition->offset);
    if (fetched->error != KB_KAFKA_NONE) {
        (void)kb_fail(err, kb_kafka_error_status(fetched->error),
                      "reading it back: %s (%s)",
                      kb_kafka_error_name(fetched->error),
                      kb_kafka_error_text(fetched->error));
        kb_acl_hint(err, fetched->error, KB_ACL_TOPIC,
                    fetched->partition->id.topic, "Read");
        return err->status;
    }
    return take_batches(data, fetched, err);
}

static int fetch_once(struct kb_conn *conn, struct kb_fetch_partition *want,
                      struct kb_buf *body, int64_t deadline_ms,
                      struct reading *reading, struct kbp_error *err)
{
    const struct kb_fetch_request request = {
        .max_wait_ms = FETCH_WAIT_MS,
        .min_bytes = 1,
        .max_bytes = FETCH_BYTES,
        .isolation = KB_READ_UNCOMMITTED,
        .client_rack = "",
        .partitions = want,
        .count = 1,
    };
    const int16_t version =
        kb_fetch_version(conn, !kb_uuid_is_none(&want->id.topic_id));
    struct kb_answer answer;
    struct iovec part;
    int32_t throttle_ms = 0;
    int16_t error = 0;
    int status;

    if (version < 0)
        return kb_fail(err, KBP_ERR_UNSUPPORTED,
                       "%s speaks no version of Fetch that we do",
                       kb_conn_name(conn));
    kb_buf_reset(body);
    status = kb_fetch_encode(body, version, &request, err);
    if (status != KBP_OK)
        return status;
    part = (struct iovec){body->data, body->len};
    status = kb_conn_send(conn, KB_API_FETCH, version, &part, 1, err);
    if (status == KBP_OK)
        status = kb_conn_receive(conn, deadline_ms, NULL, 0, &answer, err);
    if (status != KBP_OK)
        return status;
    status = kb_fetch_decode(&answer, &request, &throttle_ms, &error,
                             on_fetched, reading, err);
    kb_conn_throttled(conn, throttle_ms);
    kb_answer_release(&answer);
    if (status == KBP_OK && error != KB_KAFKA_NONE)
        status = kb_fail(err, kb_kafka_error_status(error),
                         "reading it back: %s", kb_kafka_error_name(error));
    return status;
}

int kb_tail_read(struct kb_conn *conn, const char *topic,
                 const struct kb_uuid *topic_id, int32_t partition,
                 int64_t from, int64_t end, int64_t deadline_ms,
                 int (*fn)(void *data, const struct kb_batch *batch,
                           struct kbp_error *err),
                 void *data, struct kbp_error *err)
{
    struct reading reading = {
        .position = from, .end = end, .fn = fn, .data = data};
    struct kb_buf body = KB_BUF_INIT;
    int status = KBP_OK;

    while (status == KBP_OK && reading.position < end) {
        struct kb_fetch_partition want = {
            .id = {topic, *topic_id, partition},
            .leader_epoch = -1,
            .offset = reading.position,
            .max_bytes = FETCH_BYTES,
        };

        reading.moved = false;
        status = fetch_once(conn, &want, &body, deadline_ms, &reading, err);
        if (status == KBP_OK && !reading.moved && kb_left_ms(deadline_ms) == 0)
            status = kb_fail(err, KBP_ERR_TIMEOUT,
                             "nothing came of offset %" PRId64
                             " when it was read back",
                             reading.position);
    }
    kb_buf_release(&body);
    return status;
}

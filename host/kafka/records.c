/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.c - the records of a batch, one after the other.
 *
 * A record (Kafka's DefaultRecord.java); all lengths are zigzag varints, and
 * any length below zero means null:
 *
 *     length, attributes i8, timestampDelta, offsetDelta, keyLen, key,
 *     valueLen, value, headerCount, headers: nameLen, name, valueLen, value
 */
#include "kafka/batch.h"

#include <inttypes.h>

#include "kafka/unpack.h"

static int bad_record(const struct kb_records *it, const char *what,
                      struct kbp_error *err)
{
    return kb_fail(err, KBP_ERR_CORRUPT,
                   "record %" PRId32 " of the batch at offset %" PRId64
                   " is damaged: %s",
                   it->batch.count - it->left, it->batch.base_offset, what);
}

int kb_records_open(struct kb_records *it, const struct kb_batch *batch,
                    struct kb_codec_worker *codecs, size_t limit,
                    struct kbp_error *err)
{
    struct kb_records r = {.batch = *batch, .left = batch->count};
    int codec = batch->attributes & KB_BATCH_CODEC;
    int rc;

    r.last_offset = batch->base_offset - 1;
    r.at = kb_cursor_of(batch->bytes + KB_BATCH_HEADER,
                        batch->len - KB_BATCH_HEADER);
    /* What the log cleaner has emptied keeps its codec, without a byte. */
    if (codec != 0 && batch->count > 0) {
        rc = kb_unpack(codecs, codec, r.at.at, kb_cursor_left(&r.at), limit,
                       &r.plain, err);
        if (rc != KBP_OK) {
            kb_buf_release(&r.plain);
            return kb_err_wrap(err,
                               "the records of the batch at offset %" PRId64,
                               batch->base_offset);
        }
        r.at = kb_cursor_of(r.plain.data, r.plain.len);
        r.counted = limit ? NULL : codecs;
    }
    *it = r;
    return KBP_OK;
}

/* Most varints of a record are one byte. */
static inline int64_t get_varint(struct kb_cursor *c)
{
    if (c->at < c->end && *c->at < 0x80 && !c->bad) {
        uint8_t raw = *c->at++;

        return (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
    }
    return kb_get_varint(c);
}

/* A varint that is an int32; others spoil the cursor. */
static inline int32_t get_varint32(struct kb_cursor *c)
{
    int64_t value = get_varint(c);

    if (value != (int32_t)value) {
        c->bad = true;
        return 0;
    }
    return (int32_t)value;
}

/* Bytes behind their length; NULL and -1 for null. */
static inline const uint8_t *get_bytes(struct kb_cursor *c, int32_t *len)
{
    int32_t n = get_varint32(c);

    if (n < 0) {
        *len = -1;
        return NULL;
    }
    *len = n;
    return kb_take(c, (size_t)n);
}

static bool skip_headers(struct kb_cursor *c, int32_t count)
{
    int32_t len;
    int32_t i;

    for (i = 0; i < count && !c->bad; i++) {
        (void)get_bytes(c, &len);
        if (len < 0)
            return false;
        (void)get_bytes(c, &len);
    }
    return !c->bad;
}

/* The record's own bytes, all of them. */
static const char *read_record(struct kb_records *it, struct kb_cursor *c,
                               struct kb_record *record)
{
    struct kb_record r;
    int64_t timestamp_delta;
    int32_t offset_delta;

    (void)kb_get_u8(c);
    timestamp_delta = get_varint(c);
    offset_delta = get_varint32(c);
    r.key = get_bytes(c, &r.key_len);
    r.value = get_bytes(c, &r.value_len);
    r.header_count = get_varint32(c);
    if (c->bad)
        return "it ends in the middle";
    r.headers = c->at;
    if (r.header_count < 0 || !skip_headers(c, r.header_count))
        return "its headers are none";
    r.headers_len = (size_t)(c->at - r.headers);
    if (kb_cursor_left(c) > 0)
        return "it is longer than what is in it";
    if (offset_delta < 0 || offset_delta > it->batch.last_offset_delta)
        return "its offset is outside of the batch";
    r.offset = it->batch.base_offset + offset_delta;
    if (r.offset <= it->last_offset)
        return "its offset doesn't come after the last one";
    r.timestamp = it->batch.attributes & KB_BATCH_LOG_APPEND
                      ? it->batch.max_timestamp
                      : (int64_t)((uint64_t)it->batch.base_timestamp +
                                  (uint64_t)timestamp_delta);
    *record = r;
    return NULL;
}

int kb_records_next(struct kb_records *it, struct kb_record *record,
                    struct kbp_error *err)
{
    struct kb_cursor own;
    const uint8_t *bytes;
    const char *wrong;
    int32_t len;

    if (it->left == 0) {
        if (kb_cursor_left(&it->at) > 0)
            return kb_fail(err, KBP_ERR_CORRUPT,
                           "the batch at offset %" PRId64
                           " has %zu bytes behind its %" PRId32 " records",
                           it->batch.base_offset, kb_cursor_left(&it->at),
                           it->batch.count);
        return 0;
    }
    bytes = get_bytes(&it->at, &len);
    if (!bytes)
        return bad_record(it, "its length is none", err);
    own = kb_cursor_of(bytes, (size_t)len);
    wrong = read_record(it, &own, record);
    if (wrong)
        return bad_record(it, wrong, err);
    it->last_offset = record->offset;
    it->left--;
    return 1;
}

void kb_records_close(struct kb_records *it)
{
    const size_t size = it->plain.len;

    kb_buf_release(&it->plain);
    kb_unpacked_gone(it->counted, size);
    it->counted = NULL;
}

int kb_record_header(struct kb_cursor *headers, struct kb_header *header)
{
    if (headers->bad || kb_cursor_left(headers) == 0)
        return 0;
    header->name = get_bytes(headers, &header->name_len);
    header->value = get_bytes(headers, &header->value_len);
    return !headers->bad && header->name;
}

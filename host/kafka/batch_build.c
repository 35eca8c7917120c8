/* SPDX-License-Identifier: Apache-2.0 */
/* batch_build.c - a batch built record by record. */
#include "kafka/batch.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "kafka/unpack.h"

/* batchLength is an int32, and brokers hold batches in arrays of Java. */
#define RECORDS_MAX (INT32_MAX - 1024)

#define VARINT_MAX 10u

static size_t put_uvarint(uint8_t *to, uint64_t value)
{
    size_t len = 0;

    for (; value >= 0x80; value >>= 7)
        to[len++] = (uint8_t)(value | 0x80);
    to[len++] = (uint8_t)value;
    return len;
}

static size_t put_varint(uint8_t *to, int64_t value)
{
    return put_uvarint(to, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static size_t varint_size(int64_t value)
{
    uint64_t raw = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);

    return (size_t)(70 - __builtin_clzll(raw | 1)) / 7;
}

/* Bytes behind their length; -1 and none for null. */
static size_t put_bytes(uint8_t *to, const uint8_t *bytes, int32_t len)
{
    size_t used = put_varint(to, bytes ? len : -1);

    if (bytes && len > 0) {
        memcpy(to + used, bytes, (size_t)len);
        used += (size_t)len;
    }
    return used;
}

static size_t bytes_size(const uint8_t *bytes, int32_t len)
{
    return varint_size(bytes ? len : -1) + (bytes ? (size_t)len : 0);
}

void kb_batch_builder_reset(struct kb_batch_builder *builder)
{
    kb_buf_reset(&builder->records);
    builder->base_timestamp = -1;
    builder->max_timestamp = -1;
    builder->count = 0;
    builder->last_offset_delta = -1;
    builder->keep_offsets = false;
    builder->base_offset = 0;
    builder->attributes = 0;
}

void kb_batch_builder_release(struct kb_batch_builder *builder)
{
    kb_buf_release(&builder->records);
    kb_batch_builder_reset(builder);
}

/* Where the record stands in the batch; false if it can't. */
static bool place(const struct kb_batch_builder *builder,
                  const struct kb_record *record, int64_t *offset_delta,
                  int64_t *timestamp_delta)
{
    int64_t base = builder->count ? builder->base_timestamp : record->timestamp;

    if (__builtin_sub_overflow(record->timestamp, base, timestamp_delta))
        return false;
    *offset_delta = builder->last_offset_delta + (int64_t)1;
    if (builder->keep_offsets && builder->count == 0)
        *offset_delta = 0;
    else if (builder->keep_offsets &&
             __builtin_sub_overflow(record->offset, builder->base_offset,
                                    offset_delta))
        return false;
    return *offset_delta > builder->last_offset_delta &&
           *offset_delta < INT32_MAX;
}

int kb_batch_builder_add(struct kb_batch_builder *builder,
                         const struct kb_record *record,
                         const struct kb_header *extra, int extra_count,
                         struct kbp_error *err)
{
    int64_t header_count = (int64_t)record->header_count + extra_count;
    int64_t offset_delta;
    int64_t timestamp_delta;
    size_t body;
    size_t at;
    uint8_t *to;
    int i;

    if (!place(builder, record, &offset_delta, &timestamp_delta) ||
        header_count > INT32_MAX)
        return kb_fail(err, KBP_ERR_LIMIT,
                       "one batch can't hold this record: its time or offset "
                       "is too far from the first one's");
    body = 1 + varint_size(timestamp_delta) + varint_size(offset_delta) +
           bytes_size(record->key, record->key_len) +
           bytes_size(record->value, record->value_len) +
           varint_size(header_count) + record->headers_len;
    for (i = 0; i < extra_count; i++)
        body += bytes_size(extra[i].name, extra[i].name_len) +
                bytes_size(extra[i].value, extra[i].value_len);
    if (body > RECORDS_MAX ||
        builder->records.len + VARINT_MAX + body > RECORDS_MAX)
        return kb_fail(err, KBP_ERR_LIMIT,
                       "one batch can't hold more than 2 GiB of records");
    to = kb_buf_reserve(&builder->records, VARINT_MAX + body);
    if (!to)
        return kb_fail_nomem(err, "a record batch");
    at = put_varint(to, (int64_t)body);
    to[at++] = 0; /* attributes: none are in use */
    at += put_varint(to + at, timestamp_delta);
    at += put_varint(to + at, offset_delta);
    at += put_bytes(to + at, record->key, record->key_len);
    at += put_bytes(to + at, record->value, record->value_len);
    at += put_varint(to + at, header_count);
    if (record->headers_len > 0)
        memcpy(to + at, record->headers, record->headers_len);
    at += record->headers_len;
    for (i = 0; i < extra_count; i++) {
        at += put_bytes(to + at, extra[i].name, extra[i].name_len);
        at += put_bytes(to + at, extra[i].value, extra[i].value_len);
    }
    builder->records.len += at;
    if (builder->count == 0) {
        builder->base_timestamp = record->timestamp;
        builder->max_timestamp = record->timestamp;
        builder->base_offset = builder->keep_offsets ? record->offset : 0;
    }
    if (record->timestamp > builder->max_timestamp)
        builder->max_timestamp = record->timestamp;
    builder->last_offset_delta = (int32_t)offset_delta;
    builder->count++;
    return KBP_OK;
}

int kb_batch_builder_finish(const struct kb_batch_builder *builder, int codec,
                            struct kb_codec_worker *codecs, int64_t base_offset,
                            struct kb_buf *out, struct kbp_error *err)
{
    size_t start = out->len;
    size_t len;
    uint8_t *to = kb_buf_extend(out, KB_BATCH_HEADER);
    int rc;

    if (!to)
        return kb_fail_nomem(err, "a record batch");
    if (codec == 0) {
        kb_buf_add(out, builder->records.data, builder->records.len);
        rc = out->failed ? kb_fail_nomem(err, "a record batch") : KBP_OK;
    } else {
        rc = kb_pack(codecs, codec, builder->records.data, builder->records.len,
                     out, err);
    }
    len = out->len - start;
    if (rc == KBP_OK && len > INT32_MAX)
        rc = kb_fail(err, KBP_ERR_LIMIT, "a batch of %zu bytes", len);
    if (rc != KBP_OK) {
        out->len = start;
        return rc;
    }
    to = out->data + start;
    memset(to, 0, KB_BATCH_HEADER);
    kb_store_be64(to, (uint64_t)base_offset);
    kb_store_be32(to + 8, (uint32_t)(len - KB_BATCH_LENGTH_AT));
    kb_store_be32(to + 12, UINT32_MAX);
    to[16] = 2;
    kb_store_be16(to + 21, (uint16_t)((unsigned)codec | builder->attributes));
    kb_store_be32(to + 23, (uint32_t)builder->last_offset_delta);
    kb_store_be64(to + 27, (uint64_t)builder->base_timestamp);
    kb_store_be64(to + 35, (uint64_t)builder->max_timestamp);
    kb_store_be64(to + 43, UINT64_MAX);
    kb_store_be16(to + 51, UINT16_MAX);
    kb_store_be32(to + 53, UINT32_MAX);
    kb_store_be32(to + 57, (uint32_t)builder->count);
    kb_batch_seal(to, len);
    return KBP_OK;
}

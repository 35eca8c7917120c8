/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - a record batch's header: look at it, check it, rewrite it. */
#include "kafka/batch.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/crc32c.h"

/* Where the CRC stands, and where what it covers begins. */
#define MAGIC_AT 16u
#define CRC_AT 17u
#define CRC_FROM 21u

static int bad_header(const struct kb_batch *batch, const char *what,
                      struct kbp_error *err)
{
    return kb_fail(err, KBP_ERR_CORRUPT,
                   "the record batch at offset %" PRId64
                   " has an impossible header (%s; length %zu, magic 2, "
                   "%" PRId32 " records, last offset delta %" PRId32 ")",
                   batch->base_offset, what, batch->len, batch->count,
                   batch->last_offset_delta);
}

static const char *what_is_wrong(const struct kb_batch *batch)
{
    int64_t next;

    if (batch->base_offset < 0)
        return "offset below zero";
    if (batch->last_offset_delta < 0 || batch->count < 0)
        return "count below zero";
    if (batch->count > (int64_t)batch->last_offset_delta + 1)
        return "more records than offsets";
    if (__builtin_add_overflow(batch->base_offset,
                               (int64_t)batch->last_offset_delta + 1, &next))
        return "offsets beyond 2^63";
    return NULL;
}

int kb_batch_parse(const void *bytes, size_t len, struct kb_batch *batch,
                   struct kbp_error *err)
{
    const uint8_t *at = bytes;
    struct kb_batch b = {.bytes = at};
    const char *wrong;
    int32_t batch_len;
    int8_t magic;

    if (len < MAGIC_AT + 1)
        return KB_BATCH_CUT;
    b.base_offset = (int64_t)kb_load_be64(at);
    batch_len = (int32_t)kb_load_be32(at + 8);
    magic = (int8_t)at[MAGIC_AT];
    if (magic == 0 || magic == 1)
        return KB_BATCH_LEGACY;
    if (magic != 2)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "what stands at offset %" PRId64
                       " is no record batch: its magic is %d, not 0 to 2",
                       b.base_offset, magic);
    if (batch_len < (int32_t)(KB_BATCH_HEADER - KB_BATCH_LENGTH_AT))
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "the record batch at offset %" PRId64
                       " says that it has %" PRId32
                       " bytes, fewer than its header",
                       b.base_offset, batch_len);
    b.len = KB_BATCH_LENGTH_AT + (size_t)batch_len;
    if (len < b.len)
        return KB_BATCH_CUT;
    b.leader_epoch = (int32_t)kb_load_be32(at + 12);
    b.crc = kb_load_be32(at + CRC_AT);
    b.attributes = kb_load_be16(at + 21);
    b.last_offset_delta = (int32_t)kb_load_be32(at + 23);
    b.base_timestamp = (int64_t)kb_load_be64(at + 27);
    b.max_timestamp = (int64_t)kb_load_be64(at + 35);
    b.producer_id = (int64_t)kb_load_be64(at + 43);
    b.producer_epoch = (int16_t)kb_load_be16(at + 51);
    b.base_sequence = (int32_t)kb_load_be32(at + 53);
    b.count = (int32_t)kb_load_be32(at + 57);
    wrong = what_is_wrong(&b);
    if (wrong)
        return bad_header(&b, wrong, err);
    *batch = b;
    return KBP_OK;
}

int kb_batch_check(const struct kb_batch *batch, struct kbp_error *err)
{
    uint32_t crc = kb_crc32c(0, batch->bytes + CRC_FROM, batch->len - CRC_FROM);

    if (crc == batch->crc)
        return KBP_OK;
    return kb_fail(err, KBP_ERR_CORRUPT,
                   "the record batch at offset %" PRId64
                   " is damaged: its CRC-32C is %08" PRIx32
                   ", but its header says %08" PRIx32,
                   batch->base_offset, crc, batch->crc);
}

int kb_batch_control_type(const struct kb_batch *batch)
{
    struct kb_records it;
    struct kb_record record;
    struct kbp_error err = KB_ERR_INIT;
    int type = -1;

    if (!(batch->attributes & KB_BATCH_CONTROL) || batch->count < 1 ||
        kb_records_open(&it, batch, NULL, 0, &err) != KBP_OK)
        return -1;
    if (kb_records_next(&it, &record, &err) == 1 && record.key_len >= 4)
        type = kb_load_be16(record.key + 2);
    kb_records_close(&it);
    return type;
}

void kb_batch_seal(uint8_t *bytes, size_t len)
{
    kb_store_be32(bytes + CRC_AT,
                  kb_crc32c(0, bytes + CRC_FROM, len - CRC_FROM));
}

void kb_batch_stamp(uint8_t *bytes, size_t len,
                    const struct kb_batch_stamp *stamp)
{
    kb_store_be64(bytes, (uint64_t)stamp->base_offset);
    kb_store_be32(bytes + 12, UINT32_MAX); /* the leader epoch is theirs */
    kb_store_be16(bytes + 21, kb_load_be16(bytes + 21) & KB_BATCH_CODEC);
    kb_store_be64(bytes + 43, (uint64_t)stamp->producer_id);
    kb_store_be16(bytes + 51, (uint16_t)stamp->producer_epoch);
    kb_store_be32(bytes + 53, (uint32_t)stamp->base_sequence);
    kb_batch_seal(bytes, len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c - a frame's header, to bytes and back. */
#include "archive/frame.h"

#include <inttypes.h>
#include <string.h>

#include "archive/layout.h"
#include "base/bytes.h"
#include "base/crc32c.h"

#define FLAG_MIN_KNOWN 0x01u

int kb_frame_seal(struct kb_frame_desc *desc, const struct iovec *bytes,
                  int count, struct kbp_error *err)
{
    uint64_t len = 0;
    uint32_t crc = 0;
    int i;

    for (i = 0; i < count; i++) {
        len += bytes[i].iov_len;
        if (len >= KB_FRAME_MAX_BYTES)
            return kb_fail(err, KBP_ERR_LIMIT, "a frame of more than %u bytes",
                           KB_FRAME_MAX_BYTES - 1);
        crc = kb_crc32c(crc, bytes[i].iov_base, bytes[i].iov_len);
    }
    desc->stored_len = (uint32_t)len;
    desc->crc32c = crc;
    return KBP_OK;
}

void kb_frame_encode_fields(const struct kb_frame_desc *desc, uint8_t *out)
{
    const struct kb_sums *sums = &desc->sums;

    memset(out, 0, KB_FRAME_FIELDS);
    memcpy(out, KB_FRAME_MAGIC, 4);
    kb_store_le16(out + 4, KB_FRAME_HEADER);
    out[6] = desc->codec;
    out[7] = sums->min_known ? FLAG_MIN_KNOWN : 0;
    memcpy(out + 8, desc->generation.bytes, 16);
    kb_store_le32(out + 24, (uint32_t)desc->partition);
    kb_store_le32(out + 28, (uint32_t)sums->batches);
    kb_store_le64(out + 32, (uint64_t)desc->start);
    kb_store_le64(out + 40, (uint64_t)desc->end);
    kb_store_le64(out + 48, sums->records);
    kb_store_le64(out + 56, sums->missing);
    kb_store_le64(out + 64, (uint64_t)sums->max_timestamp);
    kb_store_le64(out + 72,
                  sums->min_known ? (uint64_t)sums->min_timestamp : 0);
    kb_store_le32(out + 80, sums->largest_batch);
    kb_store_le32(out + 84, desc->raw_len);
    kb_store_le32(out + 88, desc->stored_len);
    kb_store_le32(out + 92, desc->crc32c);
}

void kb_frame_encode(const struct kb_frame_desc *desc, uint8_t *out)
{
    memset(out, 0, KB_FRAME_HEADER);
    kb_frame_encode_fields(desc, out);
    kb_store_le32(out + KB_FRAME_CRC_AT, kb_crc32c(0, out, KB_FRAME_CRC_AT));
}

/* What can be wrong with fields that were written whole. */
static const char *implausible(const struct kb_frame_desc *d)
{
    uint64_t offsets;
    uint64_t told;

    if (d->partition < 0)
        return "a negative partition";
    if (d->start < 0 || d->end <= d->start)
        return "its offsets";
    offsets = (uint64_t)(d->end - d->start);
    if (__builtin_add_overflow(d->sums.records, d->sums.missing, &told) ||
        told > offsets)
        return "more records than offsets";
    if (d->raw_len >= KB_FRAME_MAX_BYTES || d->stored_len >= KB_FRAME_MAX_BYTES)
        return "its length";
    if (d->sums.batches == 0 ||
        d->sums.batches * KB_LAYOUT_MIN_BATCH > d->raw_len)
        return "the number of its batches";
    if (d->sums.largest_batch > d->raw_len)
        return "its largest batch";
    if (d->codec == 0 && d->raw_len != d->stored_len)
        return "two lengths without a codec";
    return NULL;
}

int kb_frame_decode_fields(const uint8_t *in, struct kb_frame_desc *desc,
                           struct kbp_error *err)
{
    struct kb_frame_desc d = {0};
    const char *bad;

    if (memcmp(in, KB_FRAME_MAGIC, 4) != 0)
        return kb_fail(err, KBP_ERR_CORRUPT, "no frame begins here");
    if (kb_load_le16(in + 4) != KB_FRAME_HEADER)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "a frame header of %u bytes, not %u",
                       (unsigned)kb_load_le16(in + 4), KB_FRAME_HEADER);
    d.codec = in[6];
    d.sums.min_known = (in[7] & FLAG_MIN_KNOWN) != 0;
    memcpy(d.generation.bytes, in + 8, 16);
    d.partition = (int32_t)kb_load_le32(in + 24);
    d.sums.batches = kb_load_le32(in + 28);
    d.start = (int64_t)kb_load_le64(in + 32);
    d.end = (int64_t)kb_load_le64(in + 40);
    d.sums.records = kb_load_le64(in + 48);
    d.sums.missing = kb_load_le64(in + 56);
    d.sums.max_timestamp = (int64_t)kb_load_le64(in + 64);
    d.sums.min_timestamp = (int64_t)kb_load_le64(in + 72);
    d.sums.largest_batch = kb_load_le32(in + 80);
    d.raw_len = kb_load_le32(in + 84);
    d.stored_len = kb_load_le32(in + 88);
    d.crc32c = kb_load_le32(in + 92);
    bad = implausible(&d);
    if (bad)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "the frame of offsets %" PRId64 " to %" PRId64
                       " can't be: %s",
                       d.start, d.end, bad);
    *desc = d;
    return KBP_OK;
}

int kb_frame_decode(const uint8_t *bytes, struct kb_frame_desc *desc,
                    struct kbp_error *err)
{
    uint32_t want = kb_load_le32(bytes + KB_FRAME_CRC_AT);
    uint32_t got = kb_crc32c(0, bytes, KB_FRAME_CRC_AT);

    if (memcmp(bytes, KB_FRAME_MAGIC, 4) != 0)
        return kb_fail(err, KBP_ERR_CORRUPT, "no frame begins here");
    if (want != got)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "the frame header's checksum is %08" PRIx32
                       ", its bytes give %08" PRIx32,
                       want, got);
    return kb_frame_decode_fields(bytes, desc, err);
}

int kb_frame_same(const struct kb_frame_desc *header,
                  const struct kb_frame_desc *index, struct kbp_error *err)
{
    uint8_t a[KB_FRAME_FIELDS];
    uint8_t b[KB_FRAME_FIELDS];

    kb_frame_encode_fields(header, a);
    kb_frame_encode_fields(index, b);
    if (memcmp(a, b, sizeof a) == 0)
        return KBP_OK;
    return kb_fail(err, KBP_ERR_CORRUPT,
                   "the frame's header (partition %" PRId32 ", offsets %" PRId64
                   " to %" PRId64 ", %" PRIu64
                   " records) isn't what the index says (partition %" PRId32
                   ", offsets %" PRId64 " to %" PRId64 ", %" PRIu64 " records)",
                   header->partition, header->start, header->end,
                   header->sums.records, index->partition, index->start,
                   index->end, index->sums.records);
}

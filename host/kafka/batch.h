/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.h - a record batch (magic 2) as it lies on the wire and on disk:
 * look at it, check it, walk its records, rewrite what a broker demands.
 *
 * Layout, big-endian (Kafka's DefaultRecordBatch.java):
 *
 *      0 baseOffset i64         8 batchLength i32      12 leaderEpoch i32
 *     16 magic i8              17 crc u32: CRC-32C of all from 21 on
 *     21 attributes i16        23 lastOffsetDelta i32
 *     27 baseTimestamp i64     35 maxTimestamp i64
 *     43 producerId i64        51 producerEpoch i16    53 baseSequence i32
 *     57 recordCount i32       61 records, compressed as a whole
 *
 * What stands before 21 may be rewritten freely; the rest needs a new CRC.
 */
#ifndef KB_KAFKA_BATCH_H
#define KB_KAFKA_BATCH_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/cursor.h"

#define KB_BATCH_HEADER 61u    /* bytes */
#define KB_BATCH_LENGTH_AT 12u /* batchLength counts from here */

/* Producer id, epoch and base sequence. */
#define KB_BATCH_PRODUCER_AT 43u
#define KB_BATCH_PRODUCER_BYTES 14u

#define KB_BATCH_CODEC 0x07u      /* 0 none 1 gzip 2 snappy 3 lz4 4 zstd */
#define KB_BATCH_LOG_APPEND 0x08u /* timestamps: all are max_timestamp */
#define KB_BATCH_TRANSACTIONAL 0x10u
#define KB_BATCH_CONTROL 0x20u
#define KB_BATCH_DELETE_HORIZON 0x40u /* base_timestamp is the horizon */

struct kb_batch {
    const uint8_t *bytes;
    size_t len; /* of the whole batch */
    int64_t base_offset;
    int32_t leader_epoch;
    uint32_t crc;
    uint16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp;
    int64_t max_timestamp;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t count; /* of records; less than delta + 1 in a compacted batch */
};

/* The offset behind its last: where the next batch begins, at the least. */
static inline int64_t kb_batch_next_offset(const struct kb_batch *batch)
{
    return batch->base_offset + batch->last_offset_delta + 1;
}

static inline bool kb_batch_is_dense(const struct kb_batch *batch)
{
    return batch->count == batch->last_offset_delta + 1;
}

#define KB_BATCH_CUT 1    /* the bytes end within it: ask for more */
#define KB_BATCH_LEGACY 2 /* magic 0 or 1: see msgset.h */

/*
 * Look at the batch at the start of the bytes.  KBP_OK, KB_BATCH_CUT,
 * KB_BATCH_LEGACY, or KBP_ERR_CORRUPT if its header is no header (lengths,
 * magic, counts, offsets that overflow).  Doesn't check the CRC.
 */
int kb_batch_parse(const void *bytes, size_t len, struct kb_batch *batch,
                   struct kbp_error *err);

/* KBP_ERR_CORRUPT, with both values, if the CRC differs. */
int kb_batch_check(const struct kb_batch *batch, struct kbp_error *err);

/* The kind of a control batch's (first) record: 0 abort, 1 commit; -1. */
int kb_batch_control_type(const struct kb_batch *batch);

/* A record. Pointers go into the records' bytes. */
struct kb_record {
    int64_t offset;
    int64_t timestamp;  /* as readers see it: of LogAppendTime batches, too */
    const uint8_t *key; /* NULL: null */
    const uint8_t *value;
    int32_t key_len; /* -1: null */
    int32_t value_len;
    int32_t header_count;
    const uint8_t *headers; /* raw; kb_record_header() walks them */
    size_t headers_len;
};

struct kb_header {
    const uint8_t *name;  /* not NUL-terminated */
    const uint8_t *value; /* NULL: null */
    int32_t name_len;
    int32_t value_len; /* -1: null */
};

/*
 * The records of a batch, one after the other.
 *
 *     kb_records_open(&it, &batch, codecs, &err);
 *     while ((rc = kb_records_next(&it, &record, &err)) == 1) ...
 *     kb_records_close(&it);
 */
struct kb_codec_worker; /* plugin/codec.h */
struct kb_records {
    struct kb_batch batch;
    struct kb_buf plain; /* the records, if they were compressed */
    struct kb_cursor at;
    int32_t left;
    int64_t last_offset;
    struct kb_codec_worker *counted; /* in its budget `plain` counts */
};

/*
 * `codecs` opens compressed batches; may be NULL for those that aren't.
 * `limit` bounds the records' plain bytes (0: the worker's, KBP_ERR_LIMIT where
 * they are more).  The batch's bytes and the worker must outlive it; a thread
 * has one open at a time.
 */
int kb_records_open(struct kb_records *it, const struct kb_batch *batch,
                    struct kb_codec_worker *codecs, size_t limit,
                    struct kbp_error *err);

/* 1 and a record, 0 at the end, KBP_ERR_CORRUPT if they don't add up. */
int kb_records_next(struct kb_records *it, struct kb_record *record,
                    struct kbp_error *err);
void kb_records_close(struct kb_records *it);

/* The next header; 1, or 0 at the end. The record was checked already. */
int kb_record_header(struct kb_cursor *headers, struct kb_header *header);

/* What a producer's batch needs, put over a copy of the batch. */
struct kb_batch_stamp {
    int64_t base_offset; /* 0 for Produce */
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
};

/*
 * Rewrite a batch's header in place for Produce, and seal it: base offset,
 * producer, attribute bits 3 to 15 cleared.  Only for a batch
 * that is dense and neither LogAppendTime nor with a delete horizon: others
 * are built anew.
 */
void kb_batch_stamp(uint8_t *bytes, size_t len,
                    const struct kb_batch_stamp *stamp);

/* Recompute the CRC. */
void kb_batch_seal(uint8_t *bytes, size_t len);

/*
 * Build a batch record by record.  Used for holed and LogAppendTime batches,
 * for single records put together, and for what is filtered.
 *
 * As reset, offsets are dense from 0, as Produce wants them.  With
 * `keep_offsets` they stay as the records have them, holes too, and the last
 * offset may be moved up before the batch is finished, where the log cleaner
 * has taken the last records out.
 */
struct kb_batch_builder {
    struct kb_buf records; /* plain */
    int64_t base_timestamp;
    int64_t max_timestamp;
    int32_t count;
    int32_t last_offset_delta;
    bool keep_offsets;   /* set it behind a reset */
    int64_t base_offset; /* with keep_offsets: the first record's */
    uint16_t attributes; /* to be set besides the codec's; mostly none */
};

/* Begin anew; the memory is kept. An all-zero builder wants it, too. */
void kb_batch_builder_reset(struct kb_batch_builder *builder);
void kb_batch_builder_release(struct kb_batch_builder *builder);

/*
 * Add a record as it is (its key, value and raw headers are copied); `extra`
 * headers are put behind its own. KBP_ERR_LIMIT when a batch can't hold it
 * (2^31 bytes, or a timestamp too far from the first): finish, begin anew.
 */
int kb_batch_builder_add(struct kb_batch_builder *builder,
                         const struct kb_record *record,
                         const struct kb_header *extra, int extra_count,
                         struct kbp_error *err);

/*
 * Append the sealed batch to `out`, with base offset `base_offset` and no
 * producer, timestamps CreateTime, records compressed by Kafka's codec id
 * `codec` (0: plain).  The builder stays as it is.
 */
int kb_batch_builder_finish(const struct kb_batch_builder *builder, int codec,
                            struct kb_codec_worker *codecs, int64_t base_offset,
                            struct kb_buf *out, struct kbp_error *err);

#endif

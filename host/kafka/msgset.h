/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgset.h - message sets of magic 0 and 1 (before Kafka 0.11; 2.x brokers
 * hand them out from old logs) turned into record batches of magic 2.
 *
 * Nothing is lost: offsets, keys, values and times stay; magic 0 has no time,
 * which is -1.  A wrapper (compressed set) has the offset of its LAST message.
 */
#ifndef KB_KAFKA_MSGSET_H
#define KB_KAFKA_MSGSET_H

#include "kafka/batch.h"

/* A plain message, or a wrapper, as it came. */
struct kb_msgset_entry {
    int64_t first_offset; /* of its messages; a plain one is its only one */
    int64_t last_offset;
    int64_t timestamp; /* a wrapper's is its messages' largest; magic 0: -1 */
    size_t len;
    uint32_t crc; /* CRC-32, of all of it */
    int32_t count;
    int8_t magic;
    uint8_t attributes;
};

/*
 * Look at the first entry of the bytes, which are of magic 0 or 1; a wrapper is
 * opened.  KBP_OK, KB_BATCH_CUT, or KBP_ERR_CORRUPT.
 */
int kb_msgset_look(const void *bytes, size_t len,
                   struct kb_codec_worker *codecs,
                   struct kb_msgset_entry *entry, struct kbp_error *err);

/*
 * Convert what stands at the start of the bytes: a wrapper, or a run of plain
 * messages with offsets one after the other (so that thousands of them don't
 * become thousands of batches).  Appends batches to `out`, leaves out records
 * below `from` (a fetch may begin in the middle of a wrapper), and sets
 * `*used` to the length of what was converted, `*next_offset`, and `*last` (may
 * be NULL) to the last entry of it; appends nothing if all were below.  KBP_OK,
 * KB_BATCH_CUT, or KBP_ERR_CORRUPT (its CRC-32 is checked). Records keep their
 * codec, and LogAppendTime stays what it is.
 */
int kb_msgset_convert(const void *bytes, size_t len, int64_t from,
                      struct kb_codec_worker *codecs, struct kb_buf *out,
                      size_t *used, int64_t *next_offset,
                      struct kb_msgset_entry *last, struct kbp_error *err);

#endif

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

/*
 * Convert what stands at the start of the bytes: a wrapper, or a run of plain
 * messages with offsets one after the other (so that thousands of them don't
 * become thousands of batches).  Appends batches to `out`, leaves out records
 * below `from` (a fetch may begin in the middle of a wrapper), and sets
 * `*used` to the length of what was converted and `*next_offset`; appends
 * nothing if all were below.  KBP_OK, KB_BATCH_CUT, or KBP_ERR_CORRUPT (its
 * CRC-32 is checked). Records keep their codec, and LogAppendTime stays what it
 * is.
 */
int kb_msgset_convert(const void *bytes, size_t len, int64_t from,
                      struct kb_codec_worker *codecs, struct kb_buf *out,
                      size_t *used, int64_t *next_offset,
                      struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.h - a frame: a run of whole record batches of one partition, in offset
 * order, verbatim or compressed by a segment codec.
 *
 * Its header says all that the index says of it, so that a segment whose index
 * is lost can be read from front to back.  docs/STORAGE-FORMAT.md has the
 * bytes.
 */
#ifndef KB_ARCHIVE_FRAME_H
#define KB_ARCHIVE_FRAME_H

#include <sys/uio.h>

#include "archive/range.h"
#include "base/uuid.h"

#define KB_FRAME_HEADER 128u          /* bytes */
#define KB_FRAME_MAX_BYTES (1u << 31) /* stored, and raw: less than this */

/*
 * What is known of a frame.  Between its batches there may be offsets which
 * the ranges account for: end - start >= records + missing.
 */
struct kb_frame_desc {
    struct kb_uuid generation; /* of the topic: see manifest.h */
    int32_t partition;
    uint8_t codec; /* a codec's segment_id; 0: the batches as they were */
    int64_t start; /* base offset of the first batch */
    int64_t end;   /* the offset behind the last batch */
    struct kb_sums sums;
    uint32_t raw_len;    /* bytes of the batches */
    uint32_t stored_len; /* bytes that follow the header */
    uint32_t crc32c;     /* of the stored bytes */
};

/* A frame and where it is: an entry of a segment's index. */
struct kb_frame {
    struct kb_frame_desc desc;
    uint64_t place; /* of its header, from the start of the object */
};

/*
 * Set stored_len and crc32c from the bytes that will be stored.  For the
 * threads that encode, so that the writer needs no pass over them.
 * KBP_ERR_LIMIT if they are too many for a frame.
 */
int kb_frame_seal(struct kb_frame_desc *desc, const struct iovec *bytes,
                  int count, struct kbp_error *err);

/* `out` has KB_FRAME_HEADER bytes. */
void kb_frame_encode(const struct kb_frame_desc *desc, uint8_t *out);

/*
 * Check and decode a header; KBP_ERR_CORRUPT says what is wrong with it.
 * `bytes` are at least KB_FRAME_HEADER.
 */
int kb_frame_decode(const uint8_t *bytes, struct kb_frame_desc *desc,
                    struct kbp_error *err);

/* KBP_ERR_CORRUPT if the two differ, naming what does. */
int kb_frame_same(const struct kb_frame_desc *header,
                  const struct kb_frame_desc *index, struct kbp_error *err);

#endif

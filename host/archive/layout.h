/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.h - the bytes of a segment; docs/STORAGE-FORMAT.md explains them.
 * For the archive's own files.
 */
#ifndef KB_ARCHIVE_LAYOUT_H
#define KB_ARCHIVE_LAYOUT_H

#include "archive/frame.h"

#define KB_SEGMENT_MAGIC "KBAK" /* the reference tool's, whose version is 1 */
#define KB_SEGMENT_VERSION 2u
#define KB_SEGMENT_HEADER 64u
#define KB_SEGMENT_HEADER_CRC_AT 60u

#define KB_FRAME_MAGIC "KBFR"
#define KB_FRAME_CRC_AT 124u
#define KB_FRAME_FIELDS 104u /* of the header, which the index repeats */

#define KB_INDEX_MAGIC "KBIX"
#define KB_INDEX_HEAD 40u
#define KB_INDEX_ENTRY (8u + KB_FRAME_FIELDS)

#define KB_TRAILER_MAGIC "KBAKEND2"
#define KB_TRAILER 64u
#define KB_TRAILER_CRC_AT 52u

#define KB_LAYOUT_MIN_BATCH 61u /* a batch's header */

/* The fields that header and index entry share; KB_FRAME_FIELDS bytes. */
void kb_frame_encode_fields(const struct kb_frame_desc *desc, uint8_t *out);
int kb_frame_decode_fields(const uint8_t *in, struct kb_frame_desc *desc,
                           struct kbp_error *err);

#endif

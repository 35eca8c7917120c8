/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.h - a frame's batches, each verified, handed to a selector.
 */
#ifndef KB_RESTORE_DECODE_H
#define KB_RESTORE_DECODE_H

#include "archive/frame.h"
#include "restore/select.h"

/*
 * Walk the batches of a frame: their CRC32C, their offsets, and that they add
 * up to what `desc` says; then select those records in [from, end).
 * KBP_ERR_CORRUPT names offsets.  `batches` are writable.
 */
int kb_decode_frame(const struct kb_frame_desc *desc,
                    const struct kb_slice *batches, int64_t from, int64_t end,
                    struct kb_select *select, struct kb_codec_worker *codecs,
                    struct kb_ready_list *out, struct kbp_error *err);

#endif

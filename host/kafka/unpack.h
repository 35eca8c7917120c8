/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.h - compressed records: Kafka's codec ids and the codec plugins. */
#ifndef KB_KAFKA_UNPACK_H
#define KB_KAFKA_UNPACK_H

#include "base/buf.h"

struct kb_codec_worker; /* plugin/codec.h */

/*
 * Append what is decompressed to `out`, at most `limit` bytes in all; 0: as
 * much as the worker's plain_limit allows.  KBP_ERR_CORRUPT, KBP_ERR_LIMIT, or
 * KBP_ERR_UNSUPPORTED where there is no such codec.
 */
int kb_unpack(struct kb_codec_worker *codecs, int codec, const void *in,
              size_t in_len, size_t limit, struct kb_buf *out,
              struct kbp_error *err);

/*
 * The same for a wrapper of magic 0, whose lz4 frames have a checksum of their
 * own making (KAFKA-3160).
 */
int kb_unpack_magic0(struct kb_codec_worker *codecs, int codec, const void *in,
                     size_t in_len, size_t limit, struct kb_buf *out,
                     struct kbp_error *err);

/*
 * What kb_unpack() with limit 0 made counts in the worker's budget, if it has
 * one: tell when it is gone, in the same thread.  It may have waited until
 * nobody else had a large one; so it is called by who has none open.
 */
void kb_unpacked_gone(struct kb_codec_worker *codecs, size_t size);

/* Append what is compressed to `out`. */
int kb_pack(struct kb_codec_worker *codecs, int codec, const void *in,
            size_t in_len, struct kb_buf *out, struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* metadata_wire.h - Metadata as bytes: for metadata.c, its tests and fuzzers.
 */
#ifndef KB_KAFKA_METADATA_WIRE_H
#define KB_KAFKA_METADATA_WIRE_H

#include "kafka/metadata.h"

/* All topics with `names` NULL. */
int kb_metadata_encode(struct kb_buf *body, int16_t version,
                       const char *const *names, size_t count,
                       struct kbp_error *err);

/*
 * `*metadata` is the caller's.  KBP_ERR_PROTOCOL or KBP_ERR_NOMEM, in which
 * case there is none.
 */
int kb_metadata_decode(const struct kb_answer *answer,
                       struct kb_metadata **metadata, int32_t *throttle_ms,
                       struct kbp_error *err);

#endif

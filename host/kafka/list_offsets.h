/* SPDX-License-Identifier: Apache-2.0 */
/* list_offsets.h - ListOffsets as bytes, versions 1 to 10. */
#ifndef KB_KAFKA_LIST_OFFSETS_H
#define KB_KAFKA_LIST_OFFSETS_H

#include "kafka/client.h"

#define KB_LIST_OFFSETS_OLDEST 1
#define KB_LIST_OFFSETS_NEWEST 10

/* A query on its way: `leader_epoch` is what the metadata said. */
struct kb_offset_ask {
    struct kb_offset_query *query; /* filled in by the answer */
    int32_t leader;                /* the broker that is asked */
    int32_t leader_epoch;
};

/* Asks of one topic stand together. */
int kb_list_offsets_encode(struct kb_buf *body, int16_t version,
                           const struct kb_offset_ask *asks, size_t count,
                           enum kb_isolation isolation, int32_t timeout_ms,
                           struct kbp_error *err);

/* Fills in the queries which the answer has; sets all others' errors to 13. */
int kb_list_offsets_decode(const struct kb_answer *answer,
                           const struct kb_offset_ask *asks, size_t count,
                           int32_t *throttle_ms, struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail.h - read a partition of the target back, raw.
 */
#ifndef KB_RESTORE_TAIL_H
#define KB_RESTORE_TAIL_H

#include "kafka/batch.h"
#include "kafka/client.h"

/*
 * Fetch [from, end) of a partition from its leader over `conn`, and tell `fn`
 * of each batch, in order; a non-zero result ends it and is returned.  The
 * batch's bytes are good during the call.  Waits until `deadline_ms` where the
 * broker has nothing to hand out.  An error of the broker is one of ours:
 * KBP_ERR_CONFLICT where the offsets aren't in the log (any more).
 */
int kb_tail_read(struct kb_conn *conn, const char *topic,
                 const struct kb_uuid *topic_id, int32_t partition,
                 int64_t from, int64_t end, int64_t deadline_ms,
                 int (*fn)(void *data, const struct kb_batch *batch,
                           struct kbp_error *err),
                 void *data, struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * producer.h - the producer id that a restore's batches carry.
 */
#ifndef KB_RESTORE_PRODUCER_H
#define KB_RESTORE_PRODUCER_H

#include "restore/run.h"

/*
 * A new id and its first epoch.  From the broker; or made up where it gives
 * out none.  `topic` is one that is written to, for the hint at a missing ACL.
 */
int kb_producer_begin(struct kb_restore_run *run, const char *topic,
                      int64_t *producer_id, int16_t *epoch,
                      struct kbp_error *err);

#endif

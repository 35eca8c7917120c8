/* SPDX-License-Identifier: Apache-2.0 */
/* verify.h - the target has what was sent: counts, offsets, head and tail. */
#ifndef KB_RESTORE_VERIFY_H
#define KB_RESTORE_VERIFY_H

#include "restore/run.h"

/*
 * Compare every partition with the checkpoint: its end is where it must be,
 * and the batches at both ends are ours.  What differs goes to the report's
 * errors; `*failed` counts partitions.  Marks the verified in the checkpoint.
 * [main thread; nobody produces any more]
 */
int kb_verify_target(struct kb_restore_run *run, size_t *failed,
                     struct kbp_error *err);

#endif

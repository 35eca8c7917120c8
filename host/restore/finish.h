/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finish.h - what comes behind the last batch: verify, put configs back,
 * commit group offsets; each noted in the checkpoint.  [main thread]
 */
#ifndef KB_RESTORE_FINISH_H
#define KB_RESTORE_FINISH_H

#include "restore/run.h"

/*
 * From the checkpoint's phase to its end.  Partitions that don't verify leave
 * it where it is, with errors in the report: KBP_OK, and state.phase isn't
 * KB_RESTORE_DONE.
 */
int kb_finish(struct kb_restore_run *run, struct kbp_error *err);

#endif

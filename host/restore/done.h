/* SPDX-License-Identifier: Apache-2.0 */
/*
 * done.h - whether a restore was done before, and nothing has changed since.
 */
#ifndef KB_RESTORE_DONE_H
#define KB_RESTORE_DONE_H

#include "restore/topics.h"

/*
 * The checkpoint is of this very restore, which is done, and all that it put
 * into the target is there and nothing else: a run that was killed when only
 * its report was left, or a second one.  `what` (of `size` bytes) says what was
 * done; or, if that was done and isn't proven any more, why; or is "".
 * [main thread]
 */
bool kb_restore_was_done(struct kb_restore_run *run,
                         const struct kb_topics *topics, const char *cluster_id,
                         char *what, size_t size);

#endif

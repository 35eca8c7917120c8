/* SPDX-License-Identifier: Apache-2.0 */
/* setup.h - from a plan to topics, a checkpoint and partitions. */
#ifndef KB_RESTORE_SETUP_H
#define KB_RESTORE_SETUP_H

#include "restore/topics.h"

/*
 * Create topics, and the checkpoint, before the first record is sent.  The
 * checkpoint says which topics are ours before they are made, so that a run
 * which goes on (`again`: it was found in KB_RESTORE_CREATE) doesn't take them
 * for somebody else's.  `cluster_id` may be NULL.
 */
int kb_setup_begin(struct kb_restore_run *run, struct kb_topics *topics,
                   const char *cluster_id, bool again, struct kbp_error *err);

/*
 * run->parts from the checkpoint.  `resumed`: it isn't known what landed since
 * it was saved.
 */
int kb_setup_parts(struct kb_restore_run *run, const struct kb_topics *topics,
                   bool resumed, struct kbp_error *err);

#endif

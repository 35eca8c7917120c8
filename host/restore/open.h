/* SPDX-License-Identifier: Apache-2.0 */
/* open.h - the store, the cluster and the checkpoint of a restore. */
#ifndef KB_RESTORE_OPEN_H
#define KB_RESTORE_OPEN_H

#include "restore/run.h"

/* Store and manifest. */
int kb_open_archive(struct kb_restore_run *run, struct kbp_error *err);

/* The data plane; doesn't need anything to answer yet. */
int kb_open_target(struct kb_restore_run *run, struct kbp_error *err);

/* The control plane, once the data plane got an answer. */
int kb_open_admin(struct kb_restore_run *run, struct kbp_error *err);

/*
 * The checkpoint: `*found` if there is one of this restore that isn't done.
 * KBP_ERR_CONFIG if it is of another one.  Takes its lease but in a dry run:
 * KBP_ERR_EXISTS if another process carries it out.  `cluster_id` may be NULL.
 */
int kb_open_checkpoint(struct kb_restore_run *run, const char *cluster_id,
                       bool *found, struct kbp_error *err);

/* What to do where the store doesn't let it be written. */
void kb_checkpoint_hint(struct kbp_error *err);

/* Closes all of them; takes zero values. */
void kb_open_release(struct kb_restore_run *run);

#endif

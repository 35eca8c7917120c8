/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect.h - gather a partition's batches into frames.
 *
 * Batches that are compressed already pass as they lie in the answer; those
 * that aren't are put together to about `frame_bytes`, for a codec to do well.
 * What is left of an answer at its end is copied if it is little: otherwise a
 * slow partition would keep 16 MiB for a few bytes.  [any thread; a partition
 * is locked meanwhile]
 */
#ifndef KB_BACKUP_COLLECT_H
#define KB_BACKUP_COLLECT_H

#include "backup/parcel.h"
#include "backup/walk.h"

struct kb_collector {
    struct kb_budget *budget;
    size_t frame_bytes; /* of batches that a codec will compress */
    size_t pass_bytes;  /* of those that pass as they are */
    /* Takes the parcel; parcels of a partition come in order. */
    void (*emit)(void *data, struct kb_parcel *parcel);
    void *data;
    bool uncommitted;      /* what is stored may yet be aborted */
    atomic_ullong pending; /* bytes that wait, of all partitions */
};

/*
 * Take an item of the walk. `block` holds its bytes.  On failure nothing of
 * it was taken.
 */
int kb_collect_add(struct kb_collector *collector, struct kb_part *part,
                   const struct kb_walk_item *item, struct kb_block *block,
                   struct kbp_error *err);

/* The answer has no more for this partition: let its block go. */
int kb_collect_settle(struct kb_collector *collector, struct kb_part *part,
                      struct kbp_error *err);

/* Emit all there is, ranges without batches too. */
int kb_collect_flush(struct kb_collector *collector, struct kb_part *part,
                     struct kbp_error *err);

#endif

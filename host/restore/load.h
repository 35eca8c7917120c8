/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h - frames of a partition, in order, by range gets.
 *
 * Open segments (their indexes) are shared by all workers and kept for a
 * while, as neighbouring partitions lie in the same ones.
 */
#ifndef KB_RESTORE_LOAD_H
#define KB_RESTORE_LOAD_H

#include "archive/manifest.h"
#include "archive/segment_reader.h"
#include "plugin/storage.h"
#include "restore/plan.h"

struct kb_loader;

/* `manifest` outlives it. */
int kb_loader_new(struct kb_loader **loader, const struct kb_manifest *manifest,
                  struct kbp_error *err);
void kb_loader_free(struct kb_loader *loader); /* NULL is fine */

/* A run of frames which was read; all-zero is none. */
struct kb_load {
    struct kb_loader *loader;
    void *held; /* the segment's place in the cache */
    struct kb_frame_run frames;
    size_t reserved; /* taken for frames that are yet to be decompressed */
    int64_t next;    /* source offset to go on from after these; after a
                        failure: to leave out what couldn't be read */
};

/*
 * Read the next frames of a partition which reach into [from, end) and can
 * hold records of the window, at most about `max_bytes` of them and at least
 * one.  The memory, decompressed frames included, is taken from `budget`
 * first.  KBP_OK with load->held NULL: there are no more.  [any thread, with
 * its own session]
 */
int kb_load_next(struct kb_loader *loader, struct kb_store_session *session,
                 const struct kb_generation *generation,
                 const struct kb_partition_log *log,
                 const struct kb_select_spec *spec, int64_t from, int64_t end,
                 uint64_t max_bytes, struct kb_budget *budget,
                 struct kb_load *load, struct kbp_error *err);

/* The description of frame `i` of the run. */
const struct kb_frame_desc *kb_load_frame(const struct kb_load *load, size_t i);

/*
 * The batches of frame `i`, each of them writable and nobody else's; their
 * memory was taken already.  kb_slice_release() them.
 */
int kb_load_batches(struct kb_load *load, size_t i,
                    struct kb_codec_worker *codecs, struct kb_budget *budget,
                    struct kb_slice *batches, struct kbp_error *err);

/* Let the segment and the stored bytes go, and memory that wasn't used. */
void kb_load_release(struct kb_load *load, struct kb_budget *budget);

#endif

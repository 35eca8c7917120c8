/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.h - add to a backup: one small object per commit, folded together
 * now and then.
 *
 * Order: segments durable, then the entry that names them.  The entry is the
 * only commit point; a crash before it leaves segments which nobody names
 * (orphans; the next run of the same name never exists, so they don't hinder),
 * a crash behind it leaves a backup that resumes there.
 *
 *     kb_entry_new(&entry, &err)
 *     kb_entry_segment(entry, &info, &segment)
 *     kb_entry_extent(entry, &generation, 3, &coverage, segment, &last)
 *     kb_commit(committer, entry, &err)
 *     kb_entry_reset(entry, &err)              and the next
 *
 * One thread owns the committer [session]; entries may be built by others.
 */
#ifndef KB_ARCHIVE_COMMIT_H
#define KB_ARCHIVE_COMMIT_H

#include "archive/lease.h"
#include "archive/manifest.h"

struct kb_entry; /* what a commit will say */

int kb_entry_new(struct kb_entry **entry, struct kbp_error *err);
void kb_entry_free(struct kb_entry *entry);
/* Forget all it says; a failed reset leaves it as it was. */
int kb_entry_reset(struct kb_entry *entry, struct kbp_error *err);
bool kb_entry_is_empty(const struct kb_entry *entry);

/* A durable segment; `*segment` is its number within this entry. */
int kb_entry_segment(struct kb_entry *entry, const struct kb_segment_info *info,
                     uint32_t *segment, struct kbp_error *err);

/*
 * Account for `coverage` of a partition.  It begins where the partition's
 * accounted offsets end (a new partition: anywhere); the commit refuses it
 * otherwise.  `segment` holds all its frames, KB_NO_SEGMENT if it has none.
 * `last` is the last batch stored, or NULL for none.  The coverage is copied.
 * A partition whose frames lie in two segments takes two extents.
 */
int kb_entry_extent(struct kb_entry *entry, const struct kb_uuid *generation,
                    int32_t partition, const struct kb_coverage *coverage,
                    uint32_t segment, const struct kb_last_batch *last,
                    struct kbp_error *err);

/*
 * Say that [resume position, end) of a partition was wanted and isn't there,
 * because of `kind` (KB_RANGE_OPEN_TXN, KB_RANGE_NOT_FETCHED).
 */
int kb_entry_pending(struct kb_entry *entry, const struct kb_uuid *generation,
                     int32_t partition, enum kb_range_kind kind, int64_t end,
                     struct kbp_error *err);

/*
 * A topic, new or changed: name, id and description (copied).  An id not seen
 * before begins the topic's next generation.  Comes before its extents.
 */
int kb_entry_topic(struct kb_entry *entry, const char *topic,
                   const struct kb_uuid *generation, bool id_is_kafkas,
                   const struct kb_topic_desc *desc, struct kbp_error *err);

/* A generation is gone from the source. */
int kb_entry_topic_deleted(struct kb_entry *entry,
                           const struct kb_uuid *generation, int64_t seen_ms,
                           struct kbp_error *err);

/* Group offsets were stored under kb_key_groups(name). */
int kb_entry_groups(struct kb_entry *entry, const struct kb_name *name,
                    int64_t captured_ms, struct kbp_error *err);

/* The source's cluster id, kept from the first one on. */
int kb_entry_cluster(struct kb_entry *entry, const char *cluster_id,
                     struct kbp_error *err);

/* The run's end, with a reason for each thing that is missing. */
int kb_entry_run_end(struct kb_entry *entry, enum kb_run_status status,
                     struct kbp_error *err);
int kb_entry_run_reason(struct kb_entry *entry, const char *topic,
                        int32_t partition, const char *text,
                        struct kbp_error *err);

struct kb_committer {
    struct kb_store_session *store;
    struct kb_manifest *manifest;
    struct kb_lease *lease; /* or NULL, in tests */
    struct kb_name next;    /* of the next entry */
    uint64_t folds;
    uint64_t bytes_written; /* entries and folds */
    bool broken; /* a commit came halfway: the model isn't true any more */
};

/*
 * Begin a run: picks the run's name, commits the entry which says that it
 * began, and that entries of earlier runs which aren't there yet never count
 * (a writer that lost its lease and doesn't know yet).  `manifest` was loaded
 * under the lease; it and the store are borrowed.  Then removes what earlier
 * runs left that can't be named any more (segments, halves of uploads); a
 * failure there is only logged.
 */
int kb_committer_begin(struct kb_committer *committer,
                       struct kb_store_session *store,
                       struct kb_manifest *manifest, struct kb_lease *lease,
                       uint32_t worker, struct kbp_error *err);

/*
 * This run's name, for the names of segments and group captures: the caller
 * counts those of each worker from 1.  [any thread]
 */
const char *kb_committer_run(const struct kb_committer *committer);

/*
 * Make the entry durable and the model with it; then fold, if the log has
 * grown enough (a fold that fails is logged, and tried again later).  Checks
 * the lease first: KBP_ERR_CONFLICT if it is lost.  On failure the model
 * is unchanged, and the same entry may be committed again after a retryable
 * one: it is the same object.
 */
int kb_commit(struct kb_committer *committer, struct kb_entry *entry,
              struct kbp_error *err);

/* Fold the log into manifest.json: at the end of a run. */
int kb_fold(struct kb_committer *committer, struct kbp_error *err);

#endif

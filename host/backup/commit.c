/* SPDX-License-Identifier: Apache-2.0 */
/* commit.c - name durable segments in the manifest, in the order they came. */
#include <stdlib.h>

#include "backup/pipe.h"
#include "base/clock.h"
#include "base/thread.h"
#include "metrics/metrics.h"

void kb_pipe_sealed_free(struct kb_pipe_sealed *sealed)
{
    size_t i;

    if (!sealed)
        return;
    for (i = 0; i < sealed->count; i++)
        kb_coverage_release(&sealed->extents[i].coverage);
    free(sealed->extents);
    free(sealed);
}

static int add_to_entry(struct kb_entry *entry,
                        const struct kb_pipe_sealed *sealed,
                        struct kbp_error *err)
{
    uint32_t segment = KB_NO_SEGMENT;
    size_t i;
    int rc = KBP_OK;

    if (sealed->has_segment)
        rc = kb_entry_segment(entry, &sealed->info, &segment, err);
    for (i = 0; i < sealed->count && rc == KBP_OK; i++) {
        const struct kb_pipe_extent *extent = &sealed->extents[i];

        rc = kb_entry_extent(entry, &extent->part->topic->generation,
                             extent->part->partition, &extent->coverage,
                             extent->stored ? segment : KB_NO_SEGMENT,
                             extent->stored ? &extent->last : NULL, err);
    }
    return rc;
}

/* The partition's offsets are safe now. */
static void note(struct kb_pipe *pipe, const struct kb_pipe_extent *extent)
{
    const struct kb_coverage *coverage = &extent->coverage;
    struct kb_part *part = extent->part;
    size_t i;

    kb_sums_add(&part->sums, &coverage->sums);
    part->bytes += extent->bytes;
    for (i = 0; i < coverage->ranges.count; i++) {
        const struct kb_range *range = &coverage->ranges.items[i];

        part->absent[range->kind] += (uint64_t)(range->end - range->start);
        if (range->kind == KB_RANGE_BEFORE_START)
            kb_metrics_gap((uint64_t)(range->end - range->start));
    }
    part->committed = coverage->end;
    atomic_store(&part->committed_seen, coverage->end);
    kb_metrics_committed(part->topic->name, part->partition,
                         coverage->sums.records, extent->bytes,
                         coverage->sums.batches ? coverage->sums.max_timestamp
                                                : -1);
    kb_progress_add(&pipe->set.progress->offsets_done,
                    (unsigned long long)(coverage->end - coverage->start));
    atomic_fetch_sub(&part->in_pipe, extent->parcels);
}

/* All that waits, as one entry: a commit costs what is new, and two syncs. */
static int commit(struct kb_pipe *pipe, struct kb_entry *entry,
                  const struct kb_pipe_sealed *list, struct kbp_error *err)
{
    const struct kb_pipe_sealed *sealed;
    size_t i;
    int rc = kb_entry_reset(entry, err);

    for (sealed = list; sealed && rc == KBP_OK; sealed = sealed->next)
        rc = add_to_entry(entry, sealed, err);
    if (rc == KBP_OK)
        rc = kb_pipe_commit(pipe, entry, err);
    if (rc != KBP_OK)
        return rc;
    for (sealed = list; sealed; sealed = sealed->next)
        for (i = 0; i < sealed->count; i++)
            note(pipe, &sealed->extents[i]);
    return KBP_OK;
}

static struct kb_pipe_sealed *take_all(struct kb_pipe *pipe)
{
    struct kb_pipe_sealed *list;

    (void)pthread_mutex_lock(&pipe->sealed_lock);
    while (!pipe->sealed_head && !pipe->sealed_closed)
        (void)pthread_cond_wait(&pipe->sealed_more, &pipe->sealed_lock);
    list = pipe->sealed_head;
    pipe->sealed_head = NULL;
    pipe->sealed_tail = &pipe->sealed_head;
    (void)pthread_mutex_unlock(&pipe->sealed_lock);
    return list;
}

static void *run(void *data)
{
    struct kb_pipe *pipe = data;
    struct kbp_error err = KB_ERR_INIT;
    struct kb_pipe_sealed *list;
    struct kb_entry *entry = NULL;

    if (kb_entry_new(&entry, &err) != KBP_OK)
        kb_pipe_fail(pipe, &err);
    while ((list = take_all(pipe)) != NULL) {
        if (!kb_pipe_failed(pipe) &&
            commit(pipe, entry, list, &err) != KBP_OK) {
            kb_pipe_fail(pipe, &err);
        }
        while (list) {
            struct kb_pipe_sealed *next = list->next;

            kb_pipe_sealed_free(list);
            list = next;
        }
    }
    kb_entry_free(entry);
    return NULL;
}

int kb_pipe_commit(struct kb_pipe *pipe, struct kb_entry *entry,
                   struct kbp_error *err)
{
    int rc;

    (void)pthread_mutex_lock(&pipe->commit_lock);
    rc = kb_commit(pipe->set.committer, entry, err);
    (void)pthread_mutex_unlock(&pipe->commit_lock);
    if (rc != KBP_OK)
        return rc;
    atomic_fetch_add(&pipe->commits, 1);
    atomic_store(&pipe->set.progress->store_ok, 1);
    kb_progress_committed(pipe->set.progress);
    return KBP_OK;
}

int kb_commit_start(struct kb_pipe *pipe, struct kbp_error *err)
{
    int rc = kb_thread_start(&pipe->commit_thread, "kb-commit", run, pipe, err);

    if (rc == KBP_OK)
        pipe->commit_started = true;
    return rc;
}

void kb_commit_push(struct kb_pipe *pipe, struct kb_pipe_sealed *sealed)
{
    (void)pthread_mutex_lock(&pipe->sealed_lock);
    sealed->next = NULL;
    *pipe->sealed_tail = sealed;
    pipe->sealed_tail = &sealed->next;
    (void)pthread_cond_signal(&pipe->sealed_more);
    (void)pthread_mutex_unlock(&pipe->sealed_lock);
}

void kb_commit_finish(struct kb_pipe *pipe)
{
    if (!pipe->commit_started)
        return;
    (void)pthread_mutex_lock(&pipe->sealed_lock);
    pipe->sealed_closed = true;
    (void)pthread_cond_signal(&pipe->sealed_more);
    (void)pthread_mutex_unlock(&pipe->sealed_lock);
    (void)pthread_join(pipe->commit_thread, NULL);
    pipe->commit_started = false;
}

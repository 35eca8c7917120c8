/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_merge.c - add a document to the model; check what came of it. */
#include "archive/manifest_model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int merge_partition(struct kb_partition_log *log,
                           const struct kb_partition_log *more,
                           uint32_t first_segment, struct kbp_error *err)
{
    size_t i;
    int rc;

    for (i = 0; i < more->extent_count; i++) {
        struct kb_extent extent = more->extents[i];

        if (extent.segment != KB_NO_SEGMENT)
            extent.segment += first_segment;
        rc = kb_partition_add_extent(log, &extent, err);
        if (rc != KBP_OK)
            return rc;
    }
    for (i = 0; i < more->ranges.count; i++) {
        rc = kb_partition_add_range(log, &more->ranges.items[i], err);
        if (rc != KBP_OK)
            return rc;
    }
    if (more->last.known)
        log->last = more->last;
    if (more->extent_count > 0 || more->pending.end > more->pending.start)
        log->pending = more->pending;
    rc = kb_txns_append(&log->aborted, &more->aborted, err);
    if (rc == KBP_OK && more->extent_count > 0)
        rc = kb_txns_copy(&log->open, &more->open, err);
    return rc;
}

static int merge_generation(struct kb_manifest *m,
                            const struct kb_generation *more,
                            uint32_t first_segment, struct kbp_error *err)
{
    struct kb_generation *g = kb_manifest_generation(m, &more->id);
    size_t i;
    int rc;

    if (!g) {
        rc = kb_manifest_add_generation(m, more->topic, more->number, &more->id,
                                        &g, err);
        if (rc != KBP_OK)
            return rc;
        g->id_is_kafkas = more->id_is_kafkas;
    }
    if (more->deleted_ms != 0)
        g->deleted_ms = more->deleted_ms;
    if (more->desc.partition_count >= 0) {
        struct kb_topic_desc desc;

        rc = kb_topic_desc_copy(&desc, &more->desc, err);
        if (rc != KBP_OK)
            return rc;
        kb_topic_desc_release(&g->desc);
        g->desc = desc;
    }
    for (i = 0; i < more->partition_count; i++) {
        struct kb_partition_log *log;

        rc = kb_generation_add_partition(g, more->partitions[i].partition, &log,
                                         err);
        if (rc == KBP_OK)
            rc = merge_partition(log, &more->partitions[i], first_segment, err);
        if (rc != KBP_OK)
            return rc;
    }
    return KBP_OK;
}

static int merge_run(struct kb_manifest *m, const struct kb_run *more,
                     struct kbp_error *err)
{
    struct kb_run *run;
    size_t i;
    int rc = kb_manifest_add_run(m, more->name, &run, err);

    if (rc == KBP_OK && more->host)
        rc = kb_set_text(&run->host, more->host, err);
    if (rc != KBP_OK)
        return rc;
    if (more->status != KB_RUN_RUNNING)
        run->status = more->status;
    if (more->began_ms != 0)
        run->began_ms = more->began_ms;
    if (more->ended_ms != 0)
        run->ended_ms = more->ended_ms;
    for (i = 0; i < more->reason_count && rc == KBP_OK; i++)
        rc = kb_run_add_reason(run, more->reasons[i].topic,
                               more->reasons[i].partition,
                               more->reasons[i].text, err);
    return rc;
}

int kb_manifest_merge(struct kb_manifest *m, const struct kb_manifest *more,
                      struct kbp_error *err)
{
    uint32_t first_segment = (uint32_t)m->segment_count;
    size_t i;
    int rc = KBP_OK;

    if (m->created_ms == 0)
        m->created_ms = more->created_ms;
    if (!m->cluster_id && more->cluster_id)
        rc = kb_set_text(&m->cluster_id, more->cluster_id, err);
    for (i = 0; i < more->segment_count && rc == KBP_OK; i++)
        rc = kb_manifest_add_segment(m, &more->segments[i], err);
    for (i = 0; i < more->generation_count && rc == KBP_OK; i++)
        rc = merge_generation(m, &more->generations[i], first_segment, err);
    for (i = 0; i < more->run_count && rc == KBP_OK; i++)
        rc = merge_run(m, &more->runs[i], err);
    for (i = 0; i < more->capture_count && rc == KBP_OK; i++)
        rc = kb_manifest_add_capture(m, &more->captures[i], err);
    return rc;
}

/*
 * How many offsets of the extent the ranges from `*at` on hold; `*at` moves
 * to the first that reaches behind it.  A joined range may lie over the border
 * of two extents.
 */
static uint64_t ranges_in(const struct kb_partition_log *log,
                          const struct kb_extent *extent, size_t *at)
{
    uint64_t total = 0;

    for (; *at < log->ranges.count; (*at)++) {
        const struct kb_range *range = &log->ranges.items[*at];
        int64_t start =
            range->start > extent->start ? range->start : extent->start;
        int64_t end = range->end < extent->end ? range->end : extent->end;

        if (end > start)
            total += (uint64_t)(end - start);
        if (range->end > extent->end)
            break;
    }
    return total;
}

/* The range that holds the offset, or NULL. */
static const struct kb_range *range_at(const struct kb_ranges *ranges,
                                       int64_t offset)
{
    size_t at = kb_ranges_behind(ranges, offset);

    return at < ranges->count && ranges->items[at].start <= offset
               ? &ranges->items[at]
               : NULL;
}

/* Transactions begin with what is stored, and end with a marker. */
static int check_txns(const struct kb_partition_log *log, struct kbp_error *err)
{
    size_t i;

    for (i = 0; i < log->aborted.count + log->open.count; i++) {
        const bool open = i >= log->aborted.count;
        const struct kb_txn *txn =
            open ? &log->open.items[i - log->aborted.count]
                 : &log->aborted.items[i];
        const struct kb_range *marker =
            open ? NULL : range_at(&log->ranges, txn->end - 1);

        if (txn->start < kb_partition_start(log) ||
            txn->start >= kb_partition_resume(log) ||
            range_at(&log->ranges, txn->start) ||
            (!open && (!marker || marker->kind != KB_RANGE_MARKER)))
            return kb_fail(err, KBP_ERR_CORRUPT,
                           "the transaction of producer %" PRId64
                           " from offset %" PRId64
                           " isn't what is accounted for there",
                           txn->producer_id, txn->start);
    }
    return KBP_OK;
}

static int check_partition(const struct kb_partition_log *log,
                           struct kbp_error *err)
{
    size_t at = 0;
    size_t i;
    int rc;

    for (i = 0; i < log->extent_count; i++) {
        const struct kb_extent *e = &log->extents[i];

        if (i > 0 && e->start != log->extents[i - 1].end)
            return kb_fail(
                err, KBP_ERR_CORRUPT,
                "offsets %" PRId64 " to %" PRId64 " are %s",
                e->start < log->extents[i - 1].end ? e->start
                                                   : log->extents[i - 1].end,
                e->start < log->extents[i - 1].end ? log->extents[i - 1].end
                                                   : e->start,
                e->start < log->extents[i - 1].end ? "accounted for twice"
                                                   : "not accounted for");
        rc = kb_account_check(e->start, e->end, &e->sums,
                              ranges_in(log, e, &at), err);
        if (rc != KBP_OK)
            return rc;
    }
    if (log->ranges.count > 0 &&
        (log->extent_count == 0 ||
         log->ranges.items[0].start < log->extents[0].start))
        at = 0;
    if (at < log->ranges.count)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "the range from offset %" PRId64
                       " lies outside of what is accounted for",
                       log->ranges.items[at].start);
    return check_txns(log, err);
}

int kb_manifest_check(const struct kb_manifest *m,
                      void (*fn)(void *data,
                                 const struct kb_generation *generation,
                                 int32_t partition, const char *text),
                      void *data, struct kbp_error *err)
{
    size_t i;
    size_t p;
    int result = KBP_OK;

    for (i = 0; i < m->generation_count; i++) {
        const struct kb_generation *g = &m->generations[i];

        for (p = 0; p < g->partition_count; p++) {
            const struct kb_partition_log *log = &g->partitions[p];
            struct kbp_error own = KB_ERR_INIT;

            if (check_partition(log, &own) == KBP_OK)
                continue;
            if (result == KBP_OK)
                result = kb_fail(
                    err, KBP_ERR_CORRUPT, "manifest of %s: %s/%" PRId32 ": %s",
                    m->backup_id, g->topic, log->partition, own.message);
            if (!fn)
                return result;
            fn(data, g, log->partition, own.message);
        }
    }
    return result;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* entry.c - put together what a commit will say. */
#include "archive/entry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* A run's name until the commit knows it: sorts first, is never written. */
#define THIS_RUN "0"

int kb_entry_new(struct kb_entry **entry, struct kbp_error *err)
{
    struct kb_entry *e = calloc(1, sizeof *e);
    int rc;

    if (!e)
        return kb_fail_nomem(err, "a commit");
    rc = kb_manifest_new(&e->delta, "", err);
    if (rc != KBP_OK) {
        free(e);
        return rc;
    }
    *entry = e;
    return KBP_OK;
}

void kb_entry_free(struct kb_entry *entry)
{
    if (!entry)
        return;
    kb_manifest_free(entry->delta);
    kb_doc_release(&entry->doc);
    free(entry);
}

int kb_entry_reset(struct kb_entry *entry, struct kbp_error *err)
{
    struct kb_manifest *delta;
    int rc = kb_manifest_new(&delta, "", err);

    if (rc != KBP_OK)
        return rc;
    kb_manifest_free(entry->delta);
    kb_doc_release(&entry->doc);
    *entry = (struct kb_entry){.delta = delta};
    return KBP_OK;
}

bool kb_entry_is_empty(const struct kb_entry *entry)
{
    const struct kb_manifest *m = entry->delta;

    return m->segment_count == 0 && m->generation_count == 0 &&
           m->run_count == 0 && m->capture_count == 0 && !m->cluster_id &&
           !entry->has_end && !entry->doc.begins;
}

int kb_entry_segment(struct kb_entry *entry, const struct kb_segment_info *info,
                     uint32_t *segment, struct kbp_error *err)
{
    int rc = kb_manifest_add_segment(entry->delta, info, err);

    if (rc == KBP_OK)
        *segment = (uint32_t)entry->delta->segment_count - 1;
    return rc;
}

/* The delta's generation of this id; one without a name, if it is new here. */
static int generation_of(struct kb_entry *entry, const struct kb_uuid *id,
                         struct kb_generation **generation,
                         struct kbp_error *err)
{
    struct kb_manifest *m = entry->delta;
    int rc;

    if (entry->hint < m->generation_count &&
        kb_uuid_equal(&m->generations[entry->hint].id, id)) {
        *generation = &m->generations[entry->hint];
        return KBP_OK;
    }
    *generation = kb_manifest_generation(m, id);
    if (!*generation) {
        rc = kb_manifest_add_generation(m, "", 0, id, generation, err);
        if (rc != KBP_OK)
            return rc;
    }
    entry->hint = (size_t)(*generation - m->generations);
    return KBP_OK;
}

static int log_of(struct kb_entry *entry, const struct kb_uuid *id,
                  int32_t partition, struct kb_partition_log **log,
                  struct kbp_error *err)
{
    struct kb_generation *g;
    int rc;

    if (partition < 0)
        return kb_fail(err, KBP_ERR_MISUSE, "partition %" PRId32, partition);
    rc = generation_of(entry, id, &g, err);
    return rc == KBP_OK ? kb_generation_add_partition(g, partition, log, err)
                        : rc;
}

int kb_entry_extent(struct kb_entry *entry, const struct kb_uuid *generation,
                    int32_t partition, const struct kb_coverage *coverage,
                    uint32_t segment, const struct kb_last_batch *last,
                    struct kbp_error *err)
{
    struct kb_extent extent = {coverage->start, coverage->end, coverage->sums,
                               segment};
    struct kb_partition_log *log;
    size_t i;
    int rc;

    if (coverage->end == coverage->start)
        return KBP_OK;
    rc = kb_account_check(coverage->start, coverage->end, &coverage->sums,
                          kb_ranges_total(&coverage->ranges), err);
    if (rc != KBP_OK)
        return rc;
    if ((segment == KB_NO_SEGMENT) != (coverage->sums.batches == 0) ||
        (segment != KB_NO_SEGMENT && segment >= entry->delta->segment_count))
        return kb_fail(err, KBP_ERR_MISUSE,
                       "offsets %" PRId64 " to %" PRId64
                       " and the segment they lie in don't agree",
                       coverage->start, coverage->end);
    rc = log_of(entry, generation, partition, &log, err);
    if (rc == KBP_OK && log->extent_count > 0 &&
        kb_partition_resume(log) != coverage->start)
        rc = kb_fail(err, KBP_ERR_MISUSE,
                     "offset %" PRId64 " doesn't follow on %" PRId64,
                     coverage->start, kb_partition_resume(log));
    if (rc == KBP_OK)
        rc = kb_partition_add_extent(log, &extent, err);
    for (i = 0; i < coverage->ranges.count && rc == KBP_OK; i++)
        rc = kb_partition_add_range(log, &coverage->ranges.items[i], err);
    if (rc == KBP_OK)
        rc = kb_txns_append(&log->aborted, &coverage->aborted, err);
    if (rc == KBP_OK)
        rc = kb_txns_copy(&log->open, &coverage->open, err);
    if (rc == KBP_OK && last && last->known)
        log->last = *last;
    return rc;
}

int kb_entry_pending(struct kb_entry *entry, const struct kb_uuid *generation,
                     int32_t partition, enum kb_range_kind kind, int64_t end,
                     struct kbp_error *err)
{
    struct kb_partition_log *log;
    int rc = log_of(entry, generation, partition, &log, err);

    if (rc == KBP_OK) /* its start is where the model ends: at the commit */
        log->pending = (struct kb_range){-1, end, kind};
    return rc;
}

int kb_entry_topic(struct kb_entry *entry, const char *topic,
                   const struct kb_uuid *generation, bool id_is_kafkas,
                   const struct kb_topic_desc *desc, struct kbp_error *err)
{
    struct kb_manifest *m = entry->delta;
    struct kb_generation *g = kb_manifest_generation(m, generation);
    struct kb_topic_desc copy;
    int rc;

    if (topic[0] == '\0')
        return kb_fail(err, KBP_ERR_MISUSE, "a topic without a name");
    rc = kb_topic_desc_copy(&copy, desc, err);
    if (rc != KBP_OK)
        return rc;
    if (!g) {
        rc = kb_manifest_add_generation(m, topic, 0, generation, &g, err);
        if (rc != KBP_OK) {
            kb_topic_desc_release(&copy);
            return rc;
        }
    } else if (g->topic[0] == '\0') {
        rc = kb_set_text(&g->topic, topic, err);
        if (rc != KBP_OK) {
            kb_topic_desc_release(&copy);
            return rc;
        }
    }
    kb_topic_desc_release(&g->desc);
    g->desc = copy;
    g->id_is_kafkas = id_is_kafkas;
    return KBP_OK;
}

int kb_entry_topic_deleted(struct kb_entry *entry,
                           const struct kb_uuid *generation, int64_t seen_ms,
                           struct kbp_error *err)
{
    struct kb_generation *g;
    int rc = generation_of(entry, generation, &g, err);

    if (rc == KBP_OK)
        g->deleted_ms = seen_ms;
    return rc;
}

int kb_entry_groups(struct kb_entry *entry, const struct kb_name *name,
                    int64_t captured_ms, struct kbp_error *err)
{
    struct kb_group_capture capture = {*name, captured_ms};

    return kb_manifest_add_capture(entry->delta, &capture, err);
}

int kb_entry_cluster(struct kb_entry *entry, const char *cluster_id,
                     struct kbp_error *err)
{
    return kb_set_text(&entry->delta->cluster_id, cluster_id, err);
}

int kb_entry_run_end(struct kb_entry *entry, enum kb_run_status status,
                     struct kbp_error *err)
{
    (void)err;
    entry->has_end = true;
    entry->end = status;
    return KBP_OK;
}

int kb_entry_run_reason(struct kb_entry *entry, const char *topic,
                        int32_t partition, const char *text,
                        struct kbp_error *err)
{
    struct kb_run *run;
    int rc = kb_manifest_add_run(entry->delta, THIS_RUN, &run, err);

    return rc == KBP_OK ? kb_run_add_reason(run, topic, partition, text, err)
                        : rc;
}

/* The number that a new generation of the topic gets. */
static uint32_t next_number(const struct kb_manifest *m, const char *topic)
{
    const struct kb_generation *newest = kb_manifest_topic(m, topic);

    return newest ? newest->number + 1 : 1;
}

static int resolve_partition(const struct kb_generation *known,
                             struct kb_partition_log *log,
                             struct kbp_error *err)
{
    const struct kb_partition_log *have =
        known ? kb_generation_partition(known, log->partition) : NULL;
    int64_t resume = have ? kb_partition_resume(have) : -1;

    if (log->extent_count > 0) {
        if (resume >= 0 && log->extents[0].start != resume)
            return kb_fail(err, KBP_ERR_MISUSE,
                           "offset %" PRId64 " doesn't follow on %" PRId64
                           ", where the archive ends",
                           log->extents[0].start, resume);
        resume = kb_partition_resume(log);
    }
    if (log->pending.end == 0)
        return KBP_OK;
    log->pending.start = resume;
    if (resume < 0)
        return kb_fail(err, KBP_ERR_MISUSE,
                       "nothing can be pending where nothing is accounted for");
    if (log->pending.end <= resume) /* it isn't, any more */
        log->pending = (struct kb_range){0};
    return KBP_OK;
}

static int compare_generations(const void *left, const void *right)
{
    const struct kb_generation *a = left;
    const struct kb_generation *b = right;
    int order = strcmp(a->topic, b->topic);

    if (order != 0)
        return order;
    return a->number == b->number ? 0 : a->number < b->number ? -1 : 1;
}

static int resolve_generation(struct kb_generation *g,
                              const struct kb_manifest *m,
                              struct kbp_error *err)
{
    const struct kb_generation *known = kb_manifest_generation(m, &g->id);
    size_t i;
    int rc = KBP_OK;

    if (!known && g->topic[0] == '\0')
        return kb_fail(err, KBP_ERR_MISUSE,
                       "offsets of a topic that wasn't named");
    if (known) {
        rc = kb_set_text(&g->topic, known->topic, err);
        if (rc != KBP_OK)
            return rc;
        g->number = known->number;
        g->id_is_kafkas = known->id_is_kafkas;
    } else if (g->number == 0) {
        g->number = next_number(m, g->topic);
    }
    for (i = 0; i < g->partition_count; i++) {
        rc = resolve_partition(known, &g->partitions[i], err);
        if (rc != KBP_OK)
            return kb_err_wrap(err, "%s/%" PRId32, g->topic,
                               g->partitions[i].partition);
    }
    return KBP_OK;
}

int kb_entry_resolve(struct kb_entry *entry, const struct kb_manifest *m,
                     const char *run, struct kbp_error *err)
{
    struct kb_manifest *delta = entry->delta;
    struct kb_run *own;
    size_t i;
    int rc = kb_set_text(&delta->backup_id, m->backup_id, err);

    for (i = 0; i < delta->generation_count && rc == KBP_OK; i++)
        rc = resolve_generation(&delta->generations[i], m, err);
    if (rc != KBP_OK)
        return rc;
    if (delta->generation_count > 1)
        qsort(delta->generations, delta->generation_count,
              sizeof *delta->generations, compare_generations);
    for (i = 1; i < delta->generation_count; i++)
        if (compare_generations(&delta->generations[i - 1],
                                &delta->generations[i]) == 0)
            return kb_fail(err, KBP_ERR_MISUSE,
                           "two new generations of %s in one commit",
                           delta->generations[i].topic);
    entry->hint = 0;
    if (delta->run_count > 0)
        memcpy(delta->runs[0].name, run, KB_RUN_TEXT);
    if (!entry->has_end)
        return KBP_OK;
    rc = kb_manifest_add_run(delta, run, &own, err);
    if (rc != KBP_OK)
        return rc;
    own->status = entry->end;
    if (own->ended_ms == 0)
        own->ended_ms = kb_wall_ms();
    return KBP_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* archive_view.c - a backup's manifest, to be looked at. */
#include "cli/archive_view.h"

#include <stdlib.h>
#include <string.h>

int kb_view_open_store(struct kb_archive_view *view, struct kb_program *program,
                       struct kbp_error *err)
{
    int status;

    memset(view, 0, sizeof *view);
    status = kb_program_store(program, &view->store, err);
    if (!status)
        status = kb_store_session_open(view->store, &program->stop,
                                       &view->session, err);
    if (status)
        kb_view_close(view);
    return status;
}

int kb_view_open(struct kb_archive_view *view, struct kb_program *program,
                 struct kbp_error *err)
{
    int status = kb_view_open_store(view, program, err);

    if (status)
        return status;
    view->backup_id = kb_program_backup_id(program, err);
    status = view->backup_id ? kb_manifest_load(&view->manifest, view->session,
                                                view->backup_id, err)
                             : err->status;
    if (status) {
        if (status == KBP_ERR_NOT_FOUND && view->backup_id)
            kb_err_hint(err, "`kafka-backup list` shows the backups of a "
                             "store");
        kb_view_close(view);
    }
    return status;
}

void kb_view_close(struct kb_archive_view *view)
{
    kb_manifest_free(view->manifest);
    kb_store_session_close(view->session);
    kb_store_close(view->store);
    memset(view, 0, sizeof *view);
}

static void add_times(struct kb_archive_totals *totals,
                      const struct kb_sums *sums)
{
    /* -1 is what a record without a time has. */
    int64_t first = sums->min_known ? sums->min_timestamp : sums->max_timestamp;

    if (!sums->batches || sums->max_timestamp < 0)
        return;
    if (!totals->has_times || first < totals->earliest)
        totals->earliest = first;
    if (!totals->has_times || sums->max_timestamp > totals->latest)
        totals->latest = sums->max_timestamp;
    totals->has_times = true;
}

void kb_archive_totals(const struct kb_manifest *manifest,
                       struct kb_archive_totals *totals)
{
    size_t g;
    size_t p;
    size_t i;

    memset(totals, 0, sizeof *totals);
    totals->topics = manifest->generation_count;
    totals->segments = manifest->segment_count;
    for (g = 0; g < manifest->generation_count; g++) {
        const struct kb_generation *generation = &manifest->generations[g];

        totals->partitions += generation->partition_count;
        for (p = 0; p < generation->partition_count; p++) {
            const struct kb_partition_log *log = &generation->partitions[p];
            struct kb_sums sums;

            kb_partition_sums(log, &sums);
            totals->records += sums.records;
            totals->missing += sums.missing;
            totals->aborted += log->aborted.count;
            totals->open += log->open.count;
            for (i = 0; i < log->ranges.count; i++)
                totals->ranges[log->ranges.items[i].kind] +=
                    (uint64_t)(log->ranges.items[i].end -
                               log->ranges.items[i].start);
            add_times(totals, &sums);
        }
    }
    for (i = 0; i < manifest->segment_count; i++) {
        totals->raw_bytes += manifest->segments[i].raw_bytes;
        totals->stored_bytes += manifest->segments[i].size;
    }
}

static json_t *number(int64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *ranges_json(const struct kb_ranges *ranges)
{
    json_t *out = json_array();
    size_t i;

    for (i = 0; i < ranges->count; i++) {
        const struct kb_range *range = &ranges->items[i];

        (void)json_array_append_new(
            out, json_pack("{s:I, s:I, s:s}", "start_offset",
                           (json_int_t)range->start, "end_offset",
                           (json_int_t)range->end, "reason",
                           kb_range_word(range->kind)));
    }
    return out;
}

static json_t *extents_json(const struct kb_manifest *manifest,
                            const struct kb_partition_log *log)
{
    json_t *out = json_array();
    size_t i;

    for (i = 0; i < log->extent_count; i++) {
        const struct kb_extent *extent = &log->extents[i];
        json_t *one = json_object();
        char *key = NULL;

        if (extent->segment < manifest->segment_count)
            key = kb_key_segment(manifest->backup_id,
                                 &manifest->segments[extent->segment].name);
        (void)json_object_set_new(one, "key", text_or_null(key));
        (void)json_object_set_new(one, "start_offset", number(extent->start));
        (void)json_object_set_new(one, "end_offset", number(extent->end));
        (void)json_object_set_new(one, "record_count",
                                  number((int64_t)extent->sums.records));
        (void)json_object_set_new(one, "max_timestamp",
                                  extent->sums.batches
                                      ? number(extent->sums.max_timestamp)
                                      : json_null());
        (void)json_array_append_new(out, one);
        free(key);
    }
    return out;
}

/* Of a backup with read_uncommitted; empty otherwise. */
static json_t *txns_json(const struct kb_txns *txns, bool open)
{
    json_t *out = json_array();
    size_t i;

    for (i = 0; i < txns->count; i++) {
        const struct kb_txn *txn = &txns->items[i];
        json_t *one =
            json_pack("{s:I, s:I}", "producer_id", (json_int_t)txn->producer_id,
                      "start_offset", (json_int_t)txn->start);

        if (!open)
            (void)json_object_set_new(one, "end_offset", number(txn->end));
        (void)json_array_append_new(out, one);
    }
    return out;
}

static json_t *partition_json(const struct kb_manifest *manifest,
                              const struct kb_partition_log *log)
{
    json_t *out = json_object();
    struct kb_sums sums;

    kb_partition_sums(log, &sums);
    (void)json_object_set_new(out, "partition_id", number(log->partition));
    (void)json_object_set_new(out, "start_offset",
                              number(kb_partition_start(log)));
    (void)json_object_set_new(out, "end_offset",
                              number(kb_partition_resume(log)));
    (void)json_object_set_new(out, "record_count",
                              number((int64_t)sums.records));
    (void)json_object_set_new(out, "missing_in_batches",
                              number((int64_t)sums.missing));
    (void)json_object_set_new(out, "largest_batch", number(sums.largest_batch));
    (void)json_object_set_new(out, "ranges", ranges_json(&log->ranges));
    if (log->pending.end > log->pending.start)
        (void)json_object_set_new(
            out, "pending",
            json_pack("{s:I, s:I, s:s}", "start_offset",
                      (json_int_t)log->pending.start, "end_offset",
                      (json_int_t)log->pending.end, "reason",
                      kb_range_word(log->pending.kind)));
    (void)json_object_set_new(out, "aborted_transactions",
                              txns_json(&log->aborted, false));
    (void)json_object_set_new(out, "open_transactions",
                              txns_json(&log->open, true));
    (void)json_object_set_new(out, "segments", extents_json(manifest, log));
    return out;
}

static json_t *configs_json(const struct kb_topic_desc *desc)
{
    json_t *out = json_object();
    size_t i;

    for (i = 0; i < desc->config_count; i++)
        if (desc->configs[i].source &&
            strcmp(desc->configs[i].source, "topic") == 0)
            (void)json_object_set_new(out, desc->configs[i].name,
                                      text_or_null(desc->configs[i].value));
    return out;
}

static json_t *topic_json(const struct kb_manifest *manifest,
                          const struct kb_generation *generation)
{
    const struct kb_topic_desc *desc = &generation->desc;
    json_t *out = json_object();
    json_t *partitions = json_array();
    char id[KB_UUID_TEXT];
    size_t i;

    (void)json_object_set_new(out, "name", json_string(generation->topic));
    (void)json_object_set_new(out, "generation", number(generation->number));
    (void)json_object_set_new(
        out, "topic_id",
        generation->id_is_kafkas
            ? json_string(kb_uuid_text(id, &generation->id))
            : json_null());
    (void)json_object_set_new(
        out, "deleted_at",
        generation->deleted_ms ? number(generation->deleted_ms) : json_null());
    if (desc->partition_count >= 0) {
        (void)json_object_set_new(out, "original_partition_count",
                                  number(desc->partition_count));
        (void)json_object_set_new(out, "source_replication_factor",
                                  number(desc->replication_factor));
        (void)json_object_set_new(out, "internal",
                                  json_boolean(desc->internal));
    }
    if (desc->configs_known)
        (void)json_object_set_new(out, "configurations", configs_json(desc));
    for (i = 0; i < generation->partition_count; i++)
        (void)json_array_append_new(
            partitions, partition_json(manifest, &generation->partitions[i]));
    (void)json_object_set_new(out, "partitions", partitions);
    return out;
}

static json_t *run_json(const struct kb_run *run)
{
    json_t *reasons = json_array();
    size_t i;

    for (i = 0; i < run->reason_count; i++) {
        const struct kb_run_reason *reason = &run->reasons[i];
        json_t *one = json_object();

        (void)json_object_set_new(one, "topic", text_or_null(reason->topic));
        (void)json_object_set_new(
            one, "partition",
            reason->partition < 0 ? json_null() : number(reason->partition));
        (void)json_object_set_new(one, "text", text_or_null(reason->text));
        (void)json_array_append_new(reasons, one);
    }
    return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "run", run->name,
                     "status", kb_run_status_word(run->status), "began_at",
                     (json_int_t)run->began_ms, "ended_at",
                     run->ended_ms ? number(run->ended_ms) : json_null(),
                     "host", text_or_null(run->host), "reasons", reasons);
}

static json_t *summary_json(const struct kb_manifest *manifest)
{
    struct kb_archive_totals totals;
    json_t *ranges = json_object();
    size_t i;

    kb_archive_totals(manifest, &totals);
    for (i = 0; i < KB_RANGE_KINDS; i++)
        if (totals.ranges[i])
            (void)json_object_set_new(ranges,
                                      kb_range_word((enum kb_range_kind)i),
                                      number((int64_t)totals.ranges[i]));
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:o, s:o}",
        "topics", (json_int_t)totals.topics, "partitions",
        (json_int_t)totals.partitions, "segments", (json_int_t)totals.segments,
        "records", (json_int_t)totals.records, "missing_in_batches",
        (json_int_t)totals.missing, "offsets_not_stored", ranges,
        "aborted_transactions", (json_int_t)totals.aborted, "open_transactions",
        (json_int_t)totals.open, "uncompressed_size",
        (json_int_t)totals.raw_bytes, "compressed_size",
        (json_int_t)totals.stored_bytes, "earliest_timestamp",
        totals.has_times ? number(totals.earliest) : json_null(),
        "latest_timestamp",
        totals.has_times ? number(totals.latest) : json_null());
}

json_t *kb_archive_json(const struct kb_manifest *manifest)
{
    json_t *out = json_object();
    json_t *topics = json_array();
    json_t *runs = json_array();
    json_t *groups = json_array();
    size_t i;

    for (i = 0; i < manifest->generation_count; i++)
        (void)json_array_append_new(
            topics, topic_json(manifest, &manifest->generations[i]));
    for (i = 0; i < manifest->run_count; i++)
        (void)json_array_append_new(runs, run_json(&manifest->runs[i]));
    for (i = 0; i < manifest->capture_count; i++) {
        char *key =
            kb_key_groups(manifest->backup_id, &manifest->captures[i].name);

        (void)json_array_append_new(
            groups, json_pack("{s:I, s:o}", "captured_at",
                              (json_int_t)manifest->captures[i].captured_ms,
                              "key", text_or_null(key)));
        free(key);
    }
    (void)json_object_set_new(out, "backup_id",
                              json_string(manifest->backup_id));
    (void)json_object_set_new(out, "format", number(2));
    (void)json_object_set_new(out, "created_at", number(manifest->created_ms));
    (void)json_object_set_new(out, "source_cluster_id",
                              text_or_null(manifest->cluster_id));
    (void)json_object_set_new(out, "summary", summary_json(manifest));
    (void)json_object_set_new(out, "topics", topics);
    (void)json_object_set_new(out, "consumer_group_captures", groups);
    (void)json_object_set_new(out, "runs", runs);
    return out;
}

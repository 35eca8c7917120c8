/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_write.c - a document of the manifest, as JSON. */
#include "archive/json_text.h"
#include "archive/manifest_model.h"
#include "base/crc32c.h"

static void write_names(struct kb_buf *out, const char *key,
                        const struct kb_names *names)
{
    char text[KB_NAME_TEXT];
    size_t i;

    kb_buf_printf(out, ",\n\"%s\":[", key);
    for (i = 0; i < names->count; i++)
        kb_buf_printf(out, "%s\"%s\"", i > 0 ? "," : "",
                      kb_name_text(text, &names->items[i]));
    kb_buf_add_str(out, "]");
}

static void write_segments(struct kb_buf *out, const struct kb_manifest *m)
{
    char name[KB_NAME_TEXT];
    char id[KB_UUID_TEXT];
    size_t i;

    kb_buf_add_str(out, ",\n\"segments\":[");
    for (i = 0; i < m->segment_count; i++) {
        const struct kb_segment_info *s = &m->segments[i];

        kb_buf_printf(out,
                      "%s\n\"%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",%" PRIu32
                      ",%" PRIu64 ",%" PRIu64 ",%" PRId64 ",%s\"",
                      i > 0 ? "," : "", kb_name_text(name, &s->name),
                      kb_uuid_text(id, &s->id), s->size, s->index_len,
                      s->index_crc32c, s->frames, s->records, s->raw_bytes,
                      s->created_ms, s->codec);
    }
    kb_buf_add_str(out, "]");
}

static void write_desc(struct kb_buf *out, const struct kb_topic_desc *desc)
{
    size_t i;

    kb_buf_printf(out,
                  ",\n \"description\":{\"described_at\":%" PRId64
                  ",\"partition_count\":%" PRId32 ",\"replication_factor\":%d"
                  ",\"internal\":%s,\"configs\":",
                  desc->described_ms, desc->partition_count,
                  desc->replication_factor, desc->internal ? "true" : "false");
    if (!desc->configs_known) {
        kb_buf_add_str(out, "null}");
        return;
    }
    kb_buf_add_str(out, "[");
    for (i = 0; i < desc->config_count; i++) {
        kb_buf_add_str(out, i > 0 ? ",[" : "[");
        kb_json_text(out, desc->configs[i].name);
        kb_buf_add_str(out, ",");
        kb_json_text(out, desc->configs[i].value);
        kb_buf_add_str(out, ",");
        kb_json_text(out, desc->configs[i].source);
        kb_buf_add_str(out, "]");
    }
    kb_buf_add_str(out, "]}");
}

static void write_extent(struct kb_buf *out, const struct kb_extent *e)
{
    const struct kb_sums *sums = &e->sums;

    if (e->segment == KB_NO_SEGMENT) {
        kb_buf_printf(out, "-,%" PRId64 ",%" PRId64 ",0,0,0,0,-,-", e->start,
                      e->end);
        return;
    }
    kb_buf_printf(out,
                  "%" PRIu32 ",%" PRId64 ",%" PRId64 ",%" PRIu64 ",%" PRIu64
                  ",%" PRIu64 ",%" PRIu32 ",%" PRId64 ",",
                  e->segment, e->start, e->end, sums->records, sums->missing,
                  sums->batches, sums->largest_batch, sums->max_timestamp);
    if (sums->min_known)
        kb_buf_printf(out, "%" PRId64, sums->min_timestamp);
    else
        kb_buf_add_str(out, "-");
}

static void write_last(struct kb_buf *out, const struct kb_last_batch *last)
{
    kb_buf_printf(out,
                  ",\"last_batch\":{\"base_offset\":%" PRId64
                  ",\"crc32c\":%" PRIu32 ",\"leader_epoch\":%" PRId32,
                  last->base_offset, last->crc32c, last->leader_epoch);
    if (last->detailed)
        kb_buf_printf(out,
                      ",\"kept\":\"%d,%" PRId64 ",%" PRId64 ",%" PRId64
                      ",%d,%" PRId32 ",%" PRId32 ",%u\"",
                      (int)last->magic, last->last_offset, last->max_timestamp,
                      last->producer_id, (int)last->producer_epoch,
                      last->base_sequence, last->count,
                      (unsigned)last->attributes);
    kb_buf_add_str(out, "}");
}

static void write_partition(struct kb_buf *out,
                            const struct kb_partition_log *log)
{
    size_t i;

    kb_buf_printf(out, "{\"partition\":%" PRId32 ",\"extents\":\"",
                  log->partition);
    for (i = 0; i < log->extent_count; i++) {
        if (i > 0)
            kb_buf_add_str(out, ";");
        write_extent(out, &log->extents[i]);
    }
    kb_buf_add_str(out, "\"");
    for (i = 0; i < log->ranges.count; i++)
        kb_buf_printf(out, "%s%c,%" PRId64 ",%" PRId64,
                      i > 0 ? ";" : ",\"ranges\":\"",
                      kb_range_letter(log->ranges.items[i].kind),
                      log->ranges.items[i].start, log->ranges.items[i].end);
    if (log->ranges.count > 0)
        kb_buf_add_str(out, "\"");
    if (log->last.known)
        write_last(out, &log->last);
    if (log->pending.end > log->pending.start)
        kb_buf_printf(out, ",\"pending\":\"%c,%" PRId64 ",%" PRId64 "\"",
                      kb_range_letter(log->pending.kind), log->pending.start,
                      log->pending.end);
    for (i = 0; i < log->aborted.count; i++)
        kb_buf_printf(out, "%s%" PRId64 ",%" PRId64 ",%" PRId64,
                      i > 0 ? ";" : ",\"aborted\":\"",
                      log->aborted.items[i].producer_id,
                      log->aborted.items[i].start, log->aborted.items[i].end);
    if (log->aborted.count > 0)
        kb_buf_add_str(out, "\"");
    for (i = 0; i < log->open.count; i++)
        kb_buf_printf(out, "%s%" PRId64 ",%" PRId64,
                      i > 0 ? ";" : ",\"open\":\"",
                      log->open.items[i].producer_id, log->open.items[i].start);
    if (log->open.count > 0)
        kb_buf_add_str(out, "\"");
    kb_buf_add_str(out, "}");
}

static void write_topics(struct kb_buf *out, const struct kb_manifest *m)
{
    char id[KB_UUID_TEXT];
    size_t i;
    size_t p;

    kb_buf_add_str(out, ",\n\"topics\":[");
    for (i = 0; i < m->generation_count; i++) {
        const struct kb_generation *g = &m->generations[i];

        kb_buf_add_str(out, i > 0 ? ",\n{\"name\":" : "\n{\"name\":");
        kb_json_text(out, g->topic);
        kb_buf_printf(out,
                      ",\"generation\":%" PRIu32 ",\"id\":\"%s\""
                      ",\"id_is_kafkas\":%s",
                      g->number, kb_uuid_text(id, &g->id),
                      g->id_is_kafkas ? "true" : "false");
        if (g->deleted_ms != 0)
            kb_buf_printf(out, ",\"deleted_at\":%" PRId64, g->deleted_ms);
        if (g->desc.partition_count >= 0)
            write_desc(out, &g->desc);
        kb_buf_add_str(out, ",\n \"partitions\":[");
        for (p = 0; p < g->partition_count; p++) {
            kb_buf_add_str(out, p > 0 ? ",\n  " : "\n  ");
            write_partition(out, &g->partitions[p]);
        }
        kb_buf_add_str(out, "]}");
    }
    kb_buf_add_str(out, "]");
}

static void write_runs(struct kb_buf *out, const struct kb_manifest *m)
{
    size_t i;
    size_t r;

    kb_buf_add_str(out, ",\n\"runs\":[");
    for (i = 0; i < m->run_count; i++) {
        const struct kb_run *run = &m->runs[i];

        kb_buf_printf(
            out,
            "%s\n{\"run\":\"%s\",\"status\":\"%s\""
            ",\"began_at\":%" PRId64 ",\"ended_at\":%" PRId64 ",\"host\":",
            i > 0 ? "," : "", run->name, kb_run_status_word(run->status),
            run->began_ms, run->ended_ms);
        kb_json_text(out, run->host);
        for (r = 0; r < run->reason_count; r++) {
            kb_buf_add_str(out, r > 0 ? ",{\"topic\":"
                                      : ",\"reasons\":[{\"topic\":");
            kb_json_text(out, run->reasons[r].topic);
            kb_buf_printf(out, ",\"partition\":%" PRId32 ",\"reason\":",
                          run->reasons[r].partition);
            kb_json_text(out, run->reasons[r].text);
            kb_buf_add_str(out, "}");
        }
        kb_buf_add_str(out, run->reason_count > 0 ? "]}" : "}");
    }
    kb_buf_add_str(out, "]");
}

static void write_captures(struct kb_buf *out, const struct kb_manifest *m)
{
    char name[KB_NAME_TEXT];
    size_t i;

    kb_buf_add_str(out, ",\n\"groups\":[");
    for (i = 0; i < m->capture_count; i++)
        kb_buf_printf(out, "%s\n{\"name\":\"%s\",\"captured_at\":%" PRId64 "}",
                      i > 0 ? "," : "",
                      kb_name_text(name, &m->captures[i].name),
                      m->captures[i].captured_ms);
    kb_buf_add_str(out, "]");
}

int kb_manifest_write(const struct kb_manifest *m, const struct kb_doc *doc,
                      struct kb_buf *out, struct kbp_error *err)
{
    char name[KB_NAME_TEXT];

    kb_buf_add_str(out, "{\"format_version\":2,\n\"backup_id\":");
    kb_json_text(out, m->backup_id);
    kb_buf_printf(out,
                  ",\n\"created_at\":%" PRId64 ",\n\"written_at\":%" PRId64,
                  m->created_ms, doc->written_ms);
    if (m->cluster_id) {
        kb_buf_add_str(out, ",\n\"cluster_id\":");
        kb_json_text(out, m->cluster_id);
    }
    if (doc->is_entry) {
        kb_buf_printf(out, ",\n\"entry\":\"%s\"",
                      kb_name_text(name, &doc->entry));
        if (doc->begins)
            write_names(out, "begins_after", &doc->closed);
    } else {
        write_names(out, "folded", &doc->folded);
    }
    if (m->segment_count > 0 || !doc->is_entry)
        write_segments(out, m);
    if (m->generation_count > 0 || !doc->is_entry)
        write_topics(out, m);
    if (m->run_count > 0 || !doc->is_entry)
        write_runs(out, m);
    if (m->capture_count > 0 || !doc->is_entry)
        write_captures(out, m);
    /* Of all bytes before; see kb_manifest_read(). */
    if (!out->failed)
        kb_buf_printf(out, KB_MANIFEST_CRC "%" PRIu32 "}\n",
                      kb_crc32c(0, out->data, out->len));
    return out->failed ? kb_fail_nomem(err, "the manifest") : KBP_OK;
}

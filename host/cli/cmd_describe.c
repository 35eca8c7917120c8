/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_describe.c - `describe`: all about a backup. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/archive_view.h"
#include "cli/commands.h"
#include "cli/output.h"

static void print_partition(const struct kb_partition_log *log)
{
    struct kb_sums sums;
    char one[32];
    size_t i;

    kb_partition_sums(log, &sums);
    kb_out("    %d: %s records, offsets %" PRId64 " to %" PRId64 ", %zu pieces",
           (int)log->partition, kb_count_text(one, sums.records),
           kb_partition_start(log), kb_partition_resume(log),
           log->extent_count);
    for (i = 0; i < log->ranges.count; i++) {
        const struct kb_range *range = &log->ranges.items[i];

        /* What is normal in a log would drown what isn't. */
        if (range->kind == KB_RANGE_MARKER || range->kind == KB_RANGE_ABORTED ||
            range->kind == KB_RANGE_CLEANED)
            continue;
        kb_out("       not stored: offsets %" PRId64 " to %" PRId64 ": %s",
               range->start, range->end, kb_range_text(range->kind));
    }
    if (log->pending.end > log->pending.start)
        kb_out("       still to come: offsets %" PRId64 " to %" PRId64 ": %s",
               log->pending.start, log->pending.end,
               kb_range_text(log->pending.kind));
}

static void print_topic(const struct kb_generation *generation)
{
    size_t i;

    if (generation->number > 1 || generation->deleted_ms)
        kb_out("  %s (generation %u%s)", generation->topic,
               (unsigned)generation->number,
               generation->deleted_ms ? ", deleted since" : "");
    else
        kb_out("  %s", generation->topic);
    for (i = 0; i < generation->partition_count; i++)
        print_partition(&generation->partitions[i]);
    if (!generation->partition_count)
        kb_out("    empty");
}

static void print_run(const struct kb_run *run)
{
    char began[KB_TIME_TEXT];
    size_t i;

    kb_out("  %s  %s on %s", kb_time_text(began, run->began_ms),
           kb_run_status_word(run->status), run->host ? run->host : "?");
    for (i = 0; i < run->reason_count; i++)
        kb_out("      %s%s%s",
               run->reasons[i].topic ? run->reasons[i].topic : "",
               run->reasons[i].topic ? ": " : "", run->reasons[i].text);
}

static void print(const struct kb_manifest *m)
{
    struct kb_archive_totals totals;
    char text[KB_TIME_TEXT];
    char one[32];
    size_t i;

    kb_archive_totals(m, &totals);
    kb_out("Backup ID:           %s", m->backup_id);
    kb_out("Created:             %s", kb_time_text(text, m->created_ms));
    if (m->cluster_id)
        kb_out("Source Cluster:      %s", m->cluster_id);
    kb_out("Total Topics:        %" PRIu64, totals.topics);
    kb_out("Total Partitions:    %" PRIu64, totals.partitions);
    kb_out("Total Segments:      %" PRIu64, totals.segments);
    kb_out("Total Records:       %s", kb_count_text(one, totals.records));
    kb_out("Compressed Size:     %s", kb_bytes_text(one, totals.stored_bytes));
    kb_out("Uncompressed Size:   %s", kb_bytes_text(one, totals.raw_bytes));
    if (totals.has_times) {
        kb_out("Earliest:            %s", kb_time_text(text, totals.earliest));
        kb_out("Latest:              %s", kb_time_text(text, totals.latest));
    }
    for (i = 0; i < KB_RANGE_KINDS; i++)
        if (totals.ranges[i])
            kb_out("Not stored:          %s offsets: %s",
                   kb_count_text(one, totals.ranges[i]),
                   kb_range_text((enum kb_range_kind)i));
    if (totals.aborted)
        kb_out("Aborted:             %" PRIu64
               " transactions, whose records are stored all the same",
               totals.aborted);
    if (totals.open)
        kb_out("Undecided:           %" PRIu64
               " transactions, which were open at the end of the backup",
               totals.open);
    kb_out("Consumer groups:     %zu captures", m->capture_count);
    kb_out("\nTopics:");
    for (i = 0; i < m->generation_count; i++)
        print_topic(&m->generations[i]);
    kb_out("\nRuns:");
    for (i = 0; i < m->run_count; i++)
        print_run(&m->runs[i]);
}

static int run(struct kb_program *program)
{
    enum kb_output format = kb_output_format(&program->args);
    struct kbp_error err = KB_ERR_INIT;
    struct kb_archive_view view;
    json_t *json;

    if (kb_view_open(&view, program, &err))
        return kb_program_fail("describe", &err);
    if (format == KB_OUTPUT_TEXT) {
        print(view.manifest);
    } else {
        json = kb_archive_json(view.manifest);
        kb_output_json(format, json);
        json_decref(json);
    }
    kb_view_close(&view);
    return KB_EXIT_OK;
}

static const struct kb_flag flags[] = {KB_FLAGS_STORE, KB_FLAG_BACKUP_ID(0),
                                       KB_FLAG_FORMAT("text|json|yaml")};

static const struct kb_example examples[] = {
    {"kafka-backup describe -p /backups -b nightly", "for people"},
    {"kafka-backup describe -c backup.yaml -f json | jq .summary",
     "for programs"},
};

const struct kb_command kb_cmd_describe = {
    .name = "describe",
    .summary = "what is in a backup",
    .details =
        "Shows topics, partitions, offsets, segments and runs of a backup, and "
        "which offsets aren't stored, for which reason. Offsets are given as "
        "start and end, where the end is the first one that isn't included.",
    KB_FLAGS(flags),
    .looks_at_store = true,
    .looks_at_backup = true,
    KB_EXAMPLES(examples),
    .run = run};

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_backup.c - `backup`: topics into a store. */
#include <inttypes.h>
#include <string.h>

#include "backup/backup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/output.h"
#include "cli/program.h"

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *partition_json(const struct kb_backup_partition *p)
{
    json_t *absent = json_object();
    size_t i;

    for (i = 0; i < KB_RANGE_KINDS; i++)
        if (p->absent[i])
            (void)json_object_set_new(absent,
                                      kb_range_word((enum kb_range_kind)i),
                                      json_integer((json_int_t)p->absent[i]));
    return json_pack(
        "{s:s, s:i, s:i, s:I, s:o, s:I, s:I, s:I, s:o, s:I, s:s, s:o}", "topic",
        p->topic, "partition", (int)p->partition, "generation",
        (int)p->generation, "start", (json_int_t)p->start, "end",
        p->end < 0 ? json_null() : json_integer((json_int_t)p->end), "position",
        (json_int_t)p->position, "records", (json_int_t)p->stored, "missing",
        (json_int_t)p->missing, "absent", absent, "bytes", (json_int_t)p->bytes,
        "outcome", kb_backup_outcome_text(p->outcome), "reason",
        text_or_null(p->reason));
}

static json_t *report_json(const char *backup_id,
                           const struct kb_backup_report *r)
{
    json_t *partitions = json_array();
    json_t *warnings = json_array();
    size_t i;

    for (i = 0; i < r->partition_count; i++)
        (void)json_array_append_new(partitions,
                                    partition_json(&r->partitions[i]));
    for (i = 0; i < r->warning_count; i++)
        (void)json_array_append_new(warnings, json_string(r->warnings[i]));
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
        "s:I, s:o, s:o}",
        "backup_id", backup_id, "outcome", kb_backup_outcome_text(r->outcome),
        "reason", text_or_null(r->reason), "run", text_or_null(r->run),
        "start_time", (json_int_t)r->started_ms, "end_time",
        (json_int_t)r->ended_ms, "records", (json_int_t)r->records, "bytes",
        (json_int_t)r->bytes, "stored_bytes", (json_int_t)r->stored_bytes,
        "segments", (json_int_t)r->segments, "commits", (json_int_t)r->commits,
        "consumer_groups", (json_int_t)r->groups, "topics",
        (json_int_t)r->topic_count, "peak_memory", (json_int_t)r->peak_memory,
        "partitions", partitions, "warnings", warnings);
}

static void print_text(const char *backup_id, const struct kb_backup_report *r)
{
    int64_t ms = r->ended_ms - r->started_ms;
    double seconds = ms > 0 ? (double)ms / 1000 : 0.001;
    char one[32];
    char two[32];

    kb_out("Backup %s: %s%s%s", backup_id, kb_backup_outcome_text(r->outcome),
           r->reason ? ": " : "", r->reason ? r->reason : "");
    kb_out("  %zu topics, %zu partitions, %" PRIu64 " consumer groups",
           r->topic_count, r->partition_count, r->groups);
    kb_out("  %s records, %s as they came, %s stored in %" PRIu64 " segments",
           kb_count_text(one, r->records), kb_bytes_text(two, r->bytes),
           kb_bytes_text((char[32]){0}, r->stored_bytes), r->segments);
    kb_out("  %s, %s/s, %s records/s", kb_duration_text(one, ms),
           kb_bytes_text((char[32]){0}, (uint64_t)((double)r->bytes / seconds)),
           kb_count_text(two, (uint64_t)((double)r->records / seconds)));
}

/* Those that didn't end well, in the log: they are the reason for the code. */
static void log_partitions(const struct kb_backup_report *r)
{
    size_t i;

    for (i = 0; i < r->partition_count; i++) {
        const struct kb_backup_partition *p = &r->partitions[i];

        if (p->outcome == KB_BACKUP_COMPLETE ||
            (p->outcome == KB_BACKUP_INTERRUPTED && !p->reason))
            continue;
        kb_log(p->outcome == KB_BACKUP_INTERRUPTED ? KBP_LOG_WARN
                                                   : KBP_LOG_ERROR,
               "%s/%d: %s at offset %" PRId64 "%s%s", p->topic,
               (int)p->partition, kb_backup_outcome_text(p->outcome),
               p->position, p->reason ? ": " : "", p->reason ? p->reason : "");
    }
}

static int exit_code(enum kb_backup_outcome outcome)
{
    switch (outcome) {
    case KB_BACKUP_COMPLETE:
        return KB_EXIT_OK;
    case KB_BACKUP_INTERRUPTED:
        return KB_EXIT_INTERRUPTED;
    case KB_BACKUP_INCOMPLETE:
        return KB_EXIT_INCOMPLETE;
    default:
        return KB_EXIT_FAILED;
    }
}

static int run(struct kb_program *program)
{
    enum kb_output format = kb_output_format(&program->args);
    struct kb_backup_report report = {0};
    struct kbp_error err = KB_ERR_INIT;
    struct kb_job_watch watch;
    json_t *json;
    int status = kb_program_config(program, &err);
    int code;

    if (!status && program->config.mode != KB_MODE_BACKUP)
        status =
            kb_fail(&err, KBP_ERR_CONFIG, "%s is for a restore (mode: restore)",
                    program->config.file);
    if (!status)
        status = kb_job_begin(&watch, program, KB_JOB_BACKUP, &err);
    if (status)
        return kb_program_fail("backup", &err);
    status = kb_backup_run(&program->config, &program->registry, watch.progress,
                           &program->stop, &report, &err);
    kb_job_end(&watch, program, status,
               !status && report.outcome == KB_BACKUP_COMPLETE);
    log_partitions(&report);
    code = status ? kb_program_fail("backup", &err) : exit_code(report.outcome);
    /* "Damaged" is what those say who were asked to look. */
    if (code == KB_EXIT_INVALID)
        code = KB_EXIT_FAILED;
    if (format == KB_OUTPUT_TEXT && !status) {
        print_text(program->config.backup_id, &report);
    } else if (format != KB_OUTPUT_TEXT) {
        json = report_json(program->config.backup_id, &report);
        if (status)
            (void)json_object_set_new(json, "error", json_string(err.message));
        kb_output_json(format, json);
        json_decref(json);
    }
    kb_backup_report_release(&report);
    return code;
}

static const struct kb_flag flags[] = {KB_FLAG_CONFIG(KB_FLAG_REQUIRED),
                                       KB_FLAG_FORMAT("text|json|yaml")};

static const struct kb_example examples[] = {
    {"kafka-backup backup -c backup.yaml",
     "all topics that the file names, up to their ends now"},
    {"kafka-backup backup -c backup.yaml --log-format json -f json > run.json",
     "for a scheduler: logs as JSON lines, the report in a file"},
};

const struct kb_command kb_cmd_backup = {
    .name = "backup",
    .summary = "copy topics into a store, or what is new in them",
    .details =
        "Copies the topics of the configuration into its store, record batches "
        "byte for byte. The first run of a backup_id takes everything, later "
        "ones what is new. With `continuous: true` it goes on until it is "
        "stopped.\n\n"
        "It may be stopped at any time: SIGINT and SIGTERM let it finish what "
        "is under way (exit code 5), and even after kill -9 what was committed "
        "can be restored, and the same command goes on from there.",
    KB_FLAGS(flags),
    KB_EXAMPLES(examples),
    .run = run};

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_restore.c - `restore`, and `validate-restore`, which only looks. */
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/output.h"
#include "cli/program.h"
#include "restore/restore.h"

static int exit_code(enum kb_restore_outcome outcome)
{
    switch (outcome) {
    case KB_RESTORE_COMPLETE:
        return KB_EXIT_OK;
    case KB_RESTORE_INCOMPLETE:
        return KB_EXIT_INCOMPLETE;
    case KB_RESTORE_INTERRUPTED:
        return KB_EXIT_INTERRUPTED;
    default:
        return KB_EXIT_INVALID;
    }
}

static const char *outcome_text(enum kb_restore_outcome outcome)
{
    switch (outcome) {
    case KB_RESTORE_COMPLETE:
        return "complete";
    case KB_RESTORE_INCOMPLETE:
        return "incomplete";
    case KB_RESTORE_INTERRUPTED:
        return "interrupted";
    default:
        return "would be refused";
    }
}

static void print_restore(const char *backup_id,
                          const struct kb_restore_report *r)
{
    double seconds = r->duration_ms > 0 ? (double)r->duration_ms / 1000 : .001;
    char one[32];
    char two[32];

    kb_out("Restore of %s: %s", backup_id, outcome_text(r->outcome));
    kb_out("  %s records, %s", kb_count_text(one, r->records),
           kb_bytes_text(two, r->bytes));
    kb_out("  %s, %s/s, %s records/s", kb_duration_text(one, r->duration_ms),
           kb_bytes_text((char[32]){0}, (uint64_t)((double)r->bytes / seconds)),
           kb_count_text(two, (uint64_t)((double)r->records / seconds)));
}

static json_int_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "-";
}

/* The reference's DryRunReport, for people. */
static void print_preflight(const char *backup_id,
                            const struct kb_restore_report *r)
{
    const json_t *topics = json_object_get(r->json, "topics_to_restore");
    const json_t *topic;
    char one[32];
    char two[32];
    size_t i;

    kb_out("Restore of %s: %s", backup_id,
           r->outcome == KB_RESTORE_COMPLETE ? "can be done"
                                             : "would be refused");
    kb_out(
        "  %s records in %lld segments, largest batch %s",
        kb_count_text(one, (uint64_t)number(r->json, "records_to_restore")),
        (long long)number(r->json, "segments_to_process"),
        kb_bytes_text(two, (uint64_t)number(r->json, "largest_batch_bytes")));
    json_array_foreach(topics, i, topic)
    {
        kb_out("  %s -> %s, %zu partitions", text(topic, "source_topic"),
               text(topic, "target_topic"),
               json_array_size(json_object_get(topic, "partitions")));
    }
    for (i = 0; i < r->error_count; i++)
        kb_out("  refused: %s", r->errors[i]);
    for (i = 0; i < r->warning_count; i++)
        kb_out("  note: %s", r->warnings[i]);
}

static int load(struct kb_program *program, struct kbp_error *err)
{
    int status = kb_program_config(program, err);

    if (!status && program->config.mode != KB_MODE_RESTORE)
        status =
            kb_fail(err, KBP_ERR_CONFIG, "%s is for a backup (mode: backup)",
                    program->config.file);
    return status;
}

static void print(struct kb_program *program, enum kb_output format,
                  struct kb_restore_report *report, const struct kbp_error *err,
                  int status)
{
    if (format != KB_OUTPUT_TEXT) {
        json_t *json = report->json ? json_incref(report->json) : json_object();

        if (status)
            (void)json_object_set_new(json, "error", json_string(err->message));
        kb_output_json(format, json);
        json_decref(json);
    } else if (status) {
        return;
    } else if (program->config.restore.dry_run) {
        print_preflight(program->config.backup_id, report);
    } else {
        print_restore(program->config.backup_id, report);
    }
}

static int run(struct kb_program *program)
{
    const char *name =
        program->config.restore.validate_only ? "validate-restore" : "restore";
    enum kb_output format = kb_output_format(&program->args);
    struct kb_restore_report report = {0};
    struct kbp_error err = KB_ERR_INIT;
    struct kb_job_watch watch;
    int status = load(program, &err);
    int code;

    if (!status)
        status = kb_job_begin(&watch, program, KB_JOB_RESTORE, &err);
    if (status)
        return kb_program_fail(name, &err);
    status = kb_restore_run(&program->config, &program->registry,
                            watch.progress, &program->stop, &report, &err);
    kb_job_end(&watch, program, status,
               !status && report.outcome == KB_RESTORE_COMPLETE);
    code = status ? kb_program_fail(name, &err) : exit_code(report.outcome);
    print(program, format, &report, &err, status);
    kb_restore_report_release(&report);
    return code;
}

static int run_validate(struct kb_program *program)
{
    struct kbp_error err = KB_ERR_INIT;

    if (load(program, &err))
        return kb_program_fail("validate-restore", &err);
    program->config.restore.dry_run = true;
    program->config.restore.validate_only = true;
    program->config.metrics.enabled = false;
    return run(program);
}

static const struct kb_flag flags[] = {KB_FLAG_CONFIG(KB_FLAG_REQUIRED),
                                       KB_FLAG_FORMAT("text|json|yaml")};

static const struct kb_example examples[] = {
    {"kafka-backup validate-restore -c restore.yaml",
     "first look whether it can be done"},
    {"kafka-backup restore -c restore.yaml", "then do it"},
};

const struct kb_command kb_cmd_restore = {
    .name = "restore",
    .summary = "copy topics of a backup to a cluster",
    .details =
        "Copies topics of a backup to the target cluster, byte for byte, under "
        "their own or other names; all of them, or a window of time. Every "
        "record is verified as it is read, and its position in the target when "
        "it is acknowledged.\n\n"
        "A restore that was interrupted, or killed, goes on where it was when "
        "the same command is given again; no record is lost or there twice.",
    KB_FLAGS(flags),
    KB_EXAMPLES(examples),
    .run = run};

static const struct kb_example validate_examples[] = {
    {"kafka-backup validate-restore -c restore.yaml -f json",
     "what would be restored, and what stands in its way, for a program"},
};

const struct kb_command kb_cmd_validate_restore = {
    .name = "validate-restore",
    .summary = "look whether a restore can be done, and change nothing",
    .details =
        "The preflight of a restore: reads the backup's manifest and the "
        "target's topics and configs, and says what would be restored and what "
        "would be refused or altered: unknown configs, replication factor, "
        "batches that are too large, timestamps beyond the target's limits, "
        "targets that aren't empty. Writes nothing anywhere. Exit code 4 if "
        "the restore would be refused.",
    KB_FLAGS(flags),
    KB_EXAMPLES(validate_examples),
    .run = run_validate};

/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - how a run went: proven, and put together for the caller. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "backup/engine.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

const char *kb_backup_outcome_text(enum kb_backup_outcome outcome)
{
    switch (outcome) {
    case KB_BACKUP_COMPLETE:
        return "complete";
    case KB_BACKUP_INTERRUPTED:
        return "interrupted";
    case KB_BACKUP_INCOMPLETE:
        return "incomplete";
    case KB_BACKUP_FAILED:
        break;
    }
    return "failed";
}

#define TEXT_MAX 1024

static void warn(struct kb_engine *engine, const char *text)
{
    struct kb_backup_report *report = engine->report;
    char **warnings;

    kb_warn("%s", text);
    /* A run that goes on for months keeps the newest in its log only. */
    if (report->warning_count >= 1000)
        return;
    warnings = realloc(report->warnings,
                       (report->warning_count + 1) * sizeof *warnings);
    if (!warnings)
        return;
    report->warnings = warnings;
    warnings[report->warning_count] = kb_strdup(text);
    if (warnings[report->warning_count])
        report->warning_count++;
}

void kb_engine_warn(struct kb_engine *engine, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    warn(engine, text);
}

void kb_engine_miss(struct kb_engine *engine, const char *fmt, ...)
{
    struct kb_backup_report *report = engine->report;
    char text[TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    warn(engine, text);
    if (engine->config->backup.continuous)
        return; /* there is a next time */
    if (report->outcome < KB_BACKUP_INCOMPLETE)
        report->outcome = KB_BACKUP_INCOMPLETE;
    /* The first; the others are among the warnings. */
    if (!report->reason)
        report->reason = kb_strdup(text);
}

/* The sum that must come out even, before anybody is told of success. */
static void prove(struct kb_part *part)
{
    struct kbp_error err = KB_ERR_INIT;
    uint64_t absent = 0;
    size_t i;

    for (i = 0; i < KB_RANGE_KINDS; i++)
        absent += part->absent[i];
    if (kb_account_check(part->begin, part->committed, &part->sums, absent,
                         &err) != KBP_OK) {
        kb_part_end(part, KB_BACKUP_FAILED, "%s", err.message);
        return;
    }
    /* The end that a replaced log was to be read to is that of its successor.
     */
    if (part->end == KB_NO_END || part->retired ||
        part->outcome != KB_BACKUP_COMPLETE)
        return;
    if (part->committed < part->end)
        kb_part_end(part, KB_BACKUP_INCOMPLETE,
                    "offsets %lld to %lld are not in the archive",
                    (long long)part->committed, (long long)part->end);
}

static int fill_partition(struct kb_backup_partition *to,
                          const struct kb_part *part, struct kbp_error *err)
{
    size_t i;

    *to = (struct kb_backup_partition){
        .topic = kb_strdup(part->topic->name),
        .topic_id = part->topic->id,
        .generation = part->topic->number,
        .partition = part->partition,
        .start = part->begin,
        .end = part->end == KB_NO_END ? -1 : part->end,
        .position = part->committed,
        .stored = part->sums.records,
        .missing = part->sums.missing,
        .bytes = part->bytes,
        .outcome = part->outcome,
        .reason = part->reason ? kb_strdup(part->reason) : NULL};
    for (i = 0; i < KB_RANGE_KINDS; i++)
        to->absent[i] = part->absent[i];
    return to->topic && (!part->reason || to->reason)
               ? KBP_OK
               : kb_fail_nomem(err, "the report");
}

static int by_name(const void *a, const void *b)
{
    const struct kb_backup_partition *x = a;
    const struct kb_backup_partition *y = b;
    int order = strcmp(x->topic, y->topic);

    if (order == 0)
        order =
            (x->generation > y->generation) - (x->generation < y->generation);
    if (order == 0)
        order = (x->partition > y->partition) - (x->partition < y->partition);
    return order;
}

int kb_engine_fill_report(struct kb_engine *engine, struct kbp_error *err)
{
    struct kb_backup_report *report = engine->report;
    const struct kb_source_topic *topic;
    size_t i;
    int rc = KBP_OK;

    for (topic = engine->topics; topic; topic = topic->next)
        report->topic_count += !topic->retired;
    report->segments = atomic_load(&engine->pipe.segments);
    report->stored_bytes = atomic_load(&engine->pipe.stored_bytes);
    report->commits = atomic_load(&engine->pipe.commits);
    report->peak_memory = engine->budget.peak;
    report->partitions = calloc(engine->part_count ? engine->part_count : 1,
                                sizeof *report->partitions);
    if (!report->partitions)
        return kb_fail_nomem(err, "the report");
    for (i = 0; i < engine->part_count && rc == KBP_OK; i++) {
        struct kb_part *part = engine->parts[i];

        prove(part);
        rc = fill_partition(&report->partitions[i], part, err);
        if (rc != KBP_OK && !report->partitions[i].topic)
            break;
        report->partition_count++;
        report->records += part->sums.records;
        report->bytes += part->bytes;
        /* What was replaced is history; its warning was given. */
        if (!part->retired || part->outcome != KB_BACKUP_COMPLETE)
            if (part->outcome > report->outcome)
                report->outcome = part->outcome;
    }
    qsort(report->partitions, report->partition_count,
          sizeof *report->partitions, by_name);
    return rc;
}

void kb_backup_report_release(struct kb_backup_report *report)
{
    size_t i;

    for (i = 0; i < report->partition_count; i++) {
        free(report->partitions[i].topic);
        free(report->partitions[i].reason);
    }
    free(report->partitions);
    for (i = 0; i < report->warning_count; i++)
        free(report->warnings[i]);
    free(report->warnings);
    free(report->run);
    free(report->reason);
    *report = (struct kb_backup_report){0};
}

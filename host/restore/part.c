/* SPDX-License-Identifier: Apache-2.0 */
/* part.c - a target partition's way through its phases; all under the lock. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "metrics/metrics.h"
#include "restore/run.h"

/* Append a copy of `text` to a list of the report. */
static void add_text(char ***list, size_t *count, const char *text)
{
    char **grown = realloc(*list, (*count + 1) * sizeof *grown);

    if (!grown)
        return; /* it was logged */
    *list = grown;
    grown[*count] = kb_strdup(text);
    if (grown[*count])
        (*count)++;
}

const char *kb_run_command(const struct kb_restore_run *run)
{
    return run->config->restore.validate_only ? "validate-restore" : "restore";
}

void kb_run_warn(struct kb_restore_run *run, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    kb_warn("%s: %s", kb_run_command(run), text);
    (void)pthread_mutex_lock(&run->report_lock);
    add_text(&run->report->warnings, &run->report->warning_count, text);
    (void)pthread_mutex_unlock(&run->report_lock);
}

void kb_run_error(struct kb_restore_run *run, const char *what,
                  const struct kbp_error *err)
{
    char text[2 * KBP_MESSAGE_MAX + 300];

    if (what)
        (void)snprintf(text, sizeof text, "%s: %s", what, err->message);
    else
        (void)snprintf(text, sizeof text, "%s", err->message);
    kb_log_err(KBP_LOG_ERROR, what, err);
    kb_progress_add(&run->progress->errors, 1);
    kb_metrics_error(kb_error_type_of(err->status, false));
    (void)pthread_mutex_lock(&run->report_lock);
    add_text(&run->report->errors, &run->report->error_count, text);
    (void)pthread_mutex_unlock(&run->report_lock);
}

void kb_run_wake(struct kb_restore_run *run)
{
    (void)pthread_cond_broadcast(&run->work);
    (void)pthread_cond_broadcast(&run->changed);
    kb_lanes_wake(run);
}

static void leave_active(struct kb_restore_run *run, struct kb_part *part)
{
    size_t i;

    for (i = 0; i < run->active_count; i++)
        if (run->active[i] == part) {
            run->active[i] = run->active[--run->active_count];
            part->is_active = false;
            break;
        }
    kb_run_activate(run);
}

void kb_part_fail(struct kb_restore_run *run, struct kb_part *part,
                  const struct kbp_error *err)
{
    char name[300];

    if (part->phase == KB_PART_FAILED)
        return;
    part->phase = KB_PART_FAILED;
    part->error = *err;
    kb_ready_clear(&part->ready);
    (void)snprintf(name, sizeof name, "%s/%d", part->topic, part->partition);
    kb_run_error(run, name, err);
    leave_active(run, part);
}

void kb_part_doubt(struct kb_part *part, const struct kbp_error *err)
{
    if (part->phase != KB_PART_RUNNING)
        return;
    if (!part->doubted)
        part->error = *err;
    part->doubted = true;
    if (part->in_flight == 0)
        part->phase = KB_PART_DOUBT;
}

static void acknowledged(struct kb_restore_run *run,
                         struct kb_part_source *source, int64_t up_to)
{
    if (up_to > source->acked)
        kb_progress_add(&run->progress->offsets_done,
                        (unsigned long long)(up_to - source->acked));
    source->acked = up_to;
}

void kb_part_complete(struct kb_restore_run *run, struct kb_part *part,
                      struct kb_ready *ready)
{
    struct kbp_error err = KB_ERR_INIT;
    size_t i;

    for (i = 0; i < ready->map.count; i++)
        if (kb_map_add(&part->map, &ready->map.runs[i], &err) != KBP_OK) {
            kb_part_fail(run, part, &err);
            break;
        }
    for (i = 0; i < part->source_count; i++)
        if (part->sources[i].number == ready->source)
            acknowledged(run, &part->sources[i], ready->source_next);
    part->records += (uint64_t)ready->count;
    if (ready->max_timestamp < part->oldest)
        part->oldest = ready->max_timestamp;
    if (ready->max_timestamp > part->newest)
        part->newest = ready->max_timestamp;
    if (!ready->landed) {
        part->next_offset += ready->count;
        part->next_sequence = ready->next_sequence;
    }
    part->part_bytes += ready->len;
    run->records += (uint64_t)ready->count;
    run->bytes += ready->len;
    kb_progress_moved(run->progress, (uint64_t)ready->count, ready->len);
}

void kb_part_check_done(struct kb_restore_run *run, struct kb_part *part)
{
    size_t i;

    if (part->phase != KB_PART_RUNNING || part->busy || !part->exhausted ||
        part->doubted || part->ready.head || part->sent.head)
        return;
    part->phase = KB_PART_DONE;
    for (i = 0; i < part->source_count; i++)
        acknowledged(run, &part->sources[i], part->sources[i].end);
    kb_select_release(&part->select);
    kb_progress_add(&run->progress->partitions_done, 1);
    leave_active(run, part);
    (void)pthread_cond_broadcast(&run->changed);
}

/* It may still come to its turn. */
static bool may_wait(const struct kb_part *part)
{
    return part->phase == KB_PART_WAITING ||
           (part->phase == KB_PART_DOUBT && !part->is_active);
}

static void activate(struct kb_restore_run *run, struct kb_part *part)
{
    struct kbp_error err = KB_ERR_INIT;

    run->active[run->active_count++] = part;
    part->is_active = true;
    part->phase = KB_PART_RUNNING;
    if (part->leader < 0)
        (void)kb_fail(&err, KBP_ERR_UNAVAILABLE, "it has no leader");
    else
        (void)kb_lane_start(run, part->leader, &err);
    if (err.status != KBP_OK)
        kb_part_doubt(part, &err);
}

void kb_run_activate(struct kb_restore_run *run)
{
    bool any = false;
    size_t i;

    while (run->next_part < run->part_count &&
           !may_wait(&run->parts[run->next_part]))
        run->next_part++;
    for (i = run->next_part;
         i < run->part_count && run->active_count < run->active_max &&
         !run->draining;
         i++) {
        if (run->parts[i].phase != KB_PART_WAITING)
            continue;
        activate(run, &run->parts[i]);
        any = true;
    }
    if (any)
        kb_run_wake(run);
}

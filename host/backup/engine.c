/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.c - a backup run: started, driven, finished.
 */
#include "backup/engine.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

/* How long the main thread sleeps when nothing is given back. */
#define TICK_MS 100

/* Continuous: the pause before the run is begun anew after a failure. */
#define AGAIN_FIRST_MS 2000
#define AGAIN_MAX_MS 60000

static int flush_all(struct kb_engine *engine, struct kbp_error *err)
{
    size_t i;

    for (i = 0; i < engine->part_count; i++) {
        int rc = kb_collect_flush(&engine->collector, engine->parts[i], err);

        if (rc != KBP_OK)
            return rc;
    }
    return KBP_OK;
}

static bool all_done(const struct kb_engine *engine)
{
    size_t i;

    for (i = 0; i < engine->part_count; i++)
        if (!engine->parts[i]->done)
            return false;
    return true;
}

/* Until something is given back, or a tick is over. */
static void wait_a_tick(struct kb_engine *engine)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&engine->back_lock);
    if (engine->back.count == 0)
        (void)pthread_cond_timedwait(&engine->back_more, &engine->back_lock,
                                     &until);
    (void)pthread_mutex_unlock(&engine->back_lock);
}

/* How long records may wait for a commit. */
static int64_t commit_ms(const struct kb_engine *engine)
{
    const struct kb_backup_settings *backup = &engine->config->backup;

    return backup->commit_interval_ms < backup->segment_max_interval_ms
               ? backup->commit_interval_ms
               : backup->segment_max_interval_ms;
}

/* What comes round in its time. */
static int periodic(struct kb_engine *engine, struct kbp_error *err)
{
    const struct kb_backup_settings *backup = &engine->config->backup;
    int rc = KBP_OK;

    if (kb_left_ms(engine->next_commit_ms) == 0) {
        engine->next_commit_ms = kb_deadline_ms(commit_ms(engine));
        rc = flush_all(engine, err);
        if (rc == KBP_OK)
            rc = kb_pipe_close_segments(&engine->pipe, err);
    }
    if (rc != KBP_OK || !backup->continuous)
        return rc;
    if (backup->consumer_group_snapshot &&
        kb_left_ms(engine->next_groups_ms) == 0) {
        engine->next_groups_ms =
            kb_deadline_ms(backup->consumer_group_interval_ms);
        rc = kb_capture_groups(engine, err);
    }
    if (rc == KBP_OK && kb_left_ms(engine->next_discovery_ms) == 0) {
        struct kbp_error why = KB_ERR_INIT;

        engine->next_discovery_ms =
            kb_deadline_ms(backup->discovery_interval_ms);
        rc = kb_plan(engine, false, &why);
        if (rc != KBP_OK && kb_may_retry(rc) &&
            !kb_pipe_failed(&engine->pipe)) {
            kb_warn("new topics can't be looked for: %s", why.message);
            rc = KBP_OK;
        } else if (rc != KBP_OK) {
            *err = why;
        }
    }
    return rc;
}

static int drive(struct kb_engine *engine, struct kbp_error *err)
{
    const struct kb_backup_settings *backup = &engine->config->backup;
    int rc = KBP_OK;

    /* Groups first, then the ends: what they committed is within them. */
    if (backup->consumer_group_snapshot)
        rc = kb_capture_groups(engine, err);
    engine->next_groups_ms = kb_deadline_ms(backup->consumer_group_interval_ms);
    engine->next_discovery_ms = kb_deadline_ms(backup->discovery_interval_ms);
    engine->next_commit_ms = kb_deadline_ms(commit_ms(engine));
    if (rc == KBP_OK)
        rc = kb_plan(engine, true, err);
    engine->planned = rc == KBP_OK;
    if (rc == KBP_OK)
        kb_info("backup %s: run %s fetches %zu partitions",
                engine->config->backup_id, kb_committer_run(&engine->committer),
                engine->part_count);
    atomic_store(&engine->progress->phase, KB_PHASE_RUNNING);
    atomic_store(&engine->progress->started_ms, kb_now_ms());
    while (rc == KBP_OK && !kb_stop_requested(&engine->stop) &&
           !kb_pipe_failed(&engine->pipe)) {
        rc = kb_resolve(engine, err);
        if (rc == KBP_OK)
            rc = kb_watch(engine, err);
        if (rc == KBP_OK)
            rc = periodic(engine, err);
        if (rc != KBP_OK || (!backup->continuous && all_done(engine)))
            break;
        wait_a_tick(engine);
    }
    if (rc == KBP_ERR_CANCELLED && kb_stop_requested(engine->user_stop)) {
        kb_err_clear(err);
        rc = KBP_OK;
    }
    return rc;
}

/* Whether the archive accounts for any offset of it, for more to be pending. */
static bool is_in_archive(const struct kb_engine *engine,
                          const struct kb_part *part)
{
    const struct kb_generation *generation =
        kb_manifest_generation(engine->manifest, &part->topic->generation);

    return generation && kb_generation_partition(generation, part->partition);
}

/* What the manifest is to say of the run's end. */
static int end_run(struct kb_engine *engine, struct kbp_error *err)
{
    static const enum kb_run_status status_of[] = {
        [KB_BACKUP_COMPLETE] = KB_RUN_COMPLETE,
        [KB_BACKUP_INTERRUPTED] = KB_RUN_INTERRUPTED,
        [KB_BACKUP_INCOMPLETE] = KB_RUN_INCOMPLETE,
        [KB_BACKUP_FAILED] = KB_RUN_INCOMPLETE};
    struct kb_entry *entry = NULL;
    size_t i;
    int rc = kb_entry_new(&entry, err);

    for (i = 0; i < engine->part_count && rc == KBP_OK; i++) {
        const struct kb_part *part = engine->parts[i];

        if (part->retired)
            continue;
        if (part->end != KB_NO_END && part->committed < part->end &&
            is_in_archive(engine, part))
            rc = kb_entry_pending(
                entry, &part->topic->generation, part->partition,
                part->open_txn ? KB_RANGE_OPEN_TXN : KB_RANGE_NOT_FETCHED,
                part->end, err);
        if (rc == KBP_OK && part->reason)
            rc = kb_entry_run_reason(entry, part->topic->name, part->partition,
                                     part->reason, err);
    }
    if (rc == KBP_OK)
        rc = kb_entry_run_end(entry, status_of[engine->report->outcome], err);
    if (rc == KBP_OK)
        rc = kb_commit(&engine->committer, entry, err);
    kb_entry_free(entry);
    if (rc == KBP_OK)
        rc = kb_fold(&engine->committer, err);
    return rc;
}

/* Partitions that the stop came before. */
static void note_interrupted(struct kb_engine *engine)
{
    size_t i;

    for (i = 0; i < engine->part_count; i++) {
        struct kb_part *part = engine->parts[i];

        if (part->done)
            continue;
        if (part->end == KB_NO_END)
            part->done = true;
        else
            kb_part_end(part, KB_BACKUP_INTERRUPTED,
                        "stopped at offset %lld of %lld",
                        (long long)part->committed, (long long)part->end);
    }
    if (engine->report->outcome < KB_BACKUP_INTERRUPTED)
        engine->report->outcome = KB_BACKUP_INTERRUPTED;
}

/* Fetching ends; what came is stored and committed. */
static int finish(struct kb_engine *engine, int status, struct kbp_error *err)
{
    struct kbp_error why = KB_ERR_INIT;
    /* Before it is planned, nothing is left only because nothing is known. */
    bool interrupted = kb_stop_requested(engine->user_stop) &&
                       (engine->config->backup.continuous || !engine->planned ||
                        !all_done(engine));
    size_t i;
    int rc = KBP_OK;

    atomic_store(&engine->progress->phase, KB_PHASE_FINISHING);
    kb_stop_request(&engine->stop);
    for (i = 0; i < engine->fetcher_count; i++)
        kb_fetcher_join(engine->fetchers[i]);
    engine->fetcher_count = 0;
    if (!engine->pipe_started)
        return status;
    if (!kb_pipe_failed(&engine->pipe))
        rc = flush_all(engine, &why);
    if (rc == KBP_OK)
        rc = kb_pipe_finish(&engine->pipe, &why);
    else
        (void)kb_pipe_finish(&engine->pipe, err);
    if (rc != KBP_OK && status == KBP_OK) {
        *err = why;
        status = rc;
    }
    if (interrupted)
        note_interrupted(engine);
    if (status != KBP_OK)
        engine->report->outcome = KB_BACKUP_FAILED;
    rc = kb_engine_fill_report(engine, &why);
    if (rc == KBP_OK && !kb_pipe_failed(&engine->pipe))
        rc = end_run(engine, &why);
    if (rc != KBP_OK && status == KBP_OK) {
        *err = why;
        status = rc;
        engine->report->outcome = KB_BACKUP_FAILED;
    }
    return status;
}

static int run_once(const struct kb_config *config,
                    struct kb_registry *registry, struct kb_progress *progress,
                    struct kb_stop *stop, struct kb_backup_report *report,
                    bool *began, struct kbp_error *err)
{
    struct kb_engine *engine = calloc(1, sizeof *engine);
    int rc;

    if (!engine)
        return kb_fail_nomem(err, "a backup run");
    engine->config = config;
    engine->registry = registry;
    engine->progress = progress;
    engine->user_stop = stop;
    engine->report = report;
    /* A run that is begun anew counts what is left, not all again. */
    atomic_store(&progress->offsets_total, 0);
    atomic_store(&progress->offsets_done, 0);
    atomic_store(&progress->partitions_total, 0);
    atomic_store(&progress->partitions_done, 0);
    rc = kb_engine_open(engine, err);
    *began |= engine->began;
    if (rc == KBP_OK)
        rc = drive(engine, err);
    rc = finish(engine, rc, err);
    if (rc == KBP_ERR_CANCELLED && kb_stop_requested(stop)) {
        /* Before it had begun. */
        kb_err_clear(err);
        rc = KBP_OK;
        report->outcome = KB_BACKUP_INTERRUPTED;
    }
    kb_engine_close(engine);
    free(engine);
    return rc;
}

/*
 * A continuous backup outlives its store's and brokers' bad days, and the time
 * between a changed password and the file that has the new one.
 */
static bool may_begin_anew(int status)
{
    return kb_may_retry(status) || status == KBP_ERR_FULL ||
           status == KBP_ERR_LOST || status == KBP_ERR_AUTH;
}

int kb_backup_run(const struct kb_config *config, struct kb_registry *registry,
                  struct kb_progress *progress, struct kb_stop *stop,
                  struct kb_backup_report *report, struct kbp_error *err)
{
    int64_t pause = AGAIN_FIRST_MS;
    bool began = false;
    int rc;

    *report = (struct kb_backup_report){.started_ms = kb_wall_ms()};
    if (!progress)
        progress = kb_progress_main();
    for (;;) {
        int64_t started = report->started_ms;

        rc = run_once(config, registry, progress, stop, report, &began, err);
        report->ended_ms = kb_wall_ms();
        if (rc == KBP_OK || !config->backup.continuous || !began ||
            !may_begin_anew(rc))
            break;
        kb_log_err(KBP_LOG_ERROR, "backup", err);
        kb_warn("the backup begins anew where it was in %lld s",
                (long long)pause / 1000);
        if (kb_stop_sleep(stop, pause))
            break;
        pause = pause * 2 > AGAIN_MAX_MS ? AGAIN_MAX_MS : pause * 2;
        kb_backup_report_release(report);
        report->started_ms = started;
        kb_err_clear(err);
    }
    if (rc != KBP_OK) {
        report->outcome = KB_BACKUP_FAILED;
        if (!report->reason)
            report->reason = kb_strdup(err->message);
    }
    atomic_store(&progress->phase, KB_PHASE_DONE);
    return rc;
}

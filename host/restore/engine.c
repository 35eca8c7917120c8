/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - STORE -> TOPIC: the stages put together. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "restore/done.h"
#include "restore/finish.h"
#include "restore/groups.h"
#include "restore/held.h"
#include "restore/load.h"
#include "restore/open.h"
#include "restore/report.h"
#include "restore/setup.h"

#define CHECKPOINT_MS 2000
#define TICK_MS 100
#define WATCH_MS 15000
/* After a request to stop, so long for what is in flight. */
#define DRAIN_MS 15000

static int init_run(struct kb_restore_run *run, const struct kb_config *config,
                    struct kb_registry *registry, struct kb_progress *progress,
                    struct kb_stop *stop, struct kb_restore_report *report,
                    struct kbp_error *err)
{
    pthread_condattr_t attr;
    int status;

    *run = (struct kb_restore_run){
        .config = config,
        .registry = registry,
        .progress = progress ? progress : kb_progress_main(),
        .user_stop = stop,
        .report = report,
        .began_ms = kb_wall_ms(),
    };
    run->prepare_stop.fd = -1;
    run->net_stop.fd = -1;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&run->report_lock, NULL);
    (void)pthread_mutex_init(&run->lock, NULL);
    (void)pthread_cond_init(&run->work, &attr);
    (void)pthread_cond_init(&run->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    kb_restore_state_init(&run->state);
    kb_codec_set_init(&run->codecs, registry, NULL);
    kb_budget_init(&run->budget, config->memory_limit, &run->prepare_stop);
    kb_rate_init(&run->rate_records,
                 config->restore.rate_limit_records_per_sec > 0
                     ? (uint64_t)config->restore.rate_limit_records_per_sec
                     : 0);
    kb_rate_init(&run->rate_bytes,
                 config->restore.rate_limit_bytes_per_sec > 0
                     ? (uint64_t)config->restore.rate_limit_bytes_per_sec
                     : 0);
    status = kb_stop_init(&run->prepare_stop, err);
    if (status == KBP_OK)
        status = kb_stop_init(&run->net_stop, err);
    return status;
}

static void release_parts(struct kb_restore_run *run)
{
    size_t i;
    size_t s;

    for (i = 0; i < run->part_count; i++) {
        kb_ready_clear(&run->parts[i].ready);
        kb_ready_clear(&run->parts[i].sent);
        kb_select_release(&run->parts[i].select);
        kb_map_release(&run->parts[i].map);
        for (s = 0; s < run->parts[i].source_count; s++)
            kb_txns_release(&run->parts[i].sources[s].aborted);
        free(run->parts[i].sources);
    }
    free(run->parts);
    free(run->active);
}

static void release_run(struct kb_restore_run *run)
{
    release_parts(run);
    kb_open_release(run);
    kb_restore_state_release(&run->state);
    json_decref(run->groups);
    kb_plan_release(&run->plan);
    kb_codec_set_release(&run->codecs);
    kb_rate_release(&run->rate_records);
    kb_rate_release(&run->rate_bytes);
    kb_budget_release(&run->budget);
    kb_stop_release(&run->prepare_stop);
    kb_stop_release(&run->net_stop);
    (void)pthread_cond_destroy(&run->work);
    (void)pthread_cond_destroy(&run->changed);
    (void)pthread_mutex_destroy(&run->lock);
    (void)pthread_mutex_destroy(&run->report_lock);
}

static void share_memory(struct kb_restore_run *run)
{
    const size_t limit = run->budget.limit;
    size_t active = (size_t)run->config->restore.max_concurrent_partitions;

    /* Each has a run of frames, and as much again that is ready. */
    if (active > limit / ((size_t)2 << 20))
        active = limit / ((size_t)2 << 20);
    if (active > run->part_count)
        active = run->part_count;
    if (active < 1)
        active = 1;
    run->active_max = active;
    run->part_ready_bytes = limit / 2 / active;
    run->run_bytes = limit / 32;
    if (run->run_bytes > (size_t)4 << 20)
        run->run_bytes = (size_t)4 << 20;
}

static bool all_over(const struct kb_restore_run *run)
{
    size_t i;

    for (i = 0; i < run->part_count; i++)
        if (run->parts[i].phase != KB_PART_DONE &&
            run->parts[i].phase != KB_PART_FAILED)
            return false;
    return true;
}

/* Wait for a change; true when nothing is left to do. */
static bool wait_for_change(struct kb_restore_run *run, int64_t ms)
{
    struct timespec until;
    bool over;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_mutex_lock(&run->lock);
    over = all_over(run);
    if (!over) {
        (void)pthread_cond_timedwait(&run->changed, &run->lock, &until);
        over = all_over(run);
    }
    (void)pthread_mutex_unlock(&run->lock);
    return over;
}

/* Nothing new is begun; what is in flight may come to its end. */
static void drain(struct kb_restore_run *run)
{
    const int64_t deadline = kb_deadline_ms(DRAIN_MS);

    (void)pthread_mutex_lock(&run->lock);
    run->draining = true;
    kb_run_wake(run);
    (void)pthread_mutex_unlock(&run->lock);
    kb_stop_request(&run->prepare_stop);
    while (kb_lanes_busy(run) && kb_left_ms(deadline) > 0)
        (void)kb_stop_sleep(&run->net_stop, 20);
    if (kb_lanes_busy(run))
        kb_stop_request(&run->net_stop);
    kb_pool_join(run);
    kb_lanes_join(run);
}

static void watch(struct kb_restore_run *run)
{
    const int64_t now = kb_now_ms();

    if (!run->watched_at_ms)
        run->watched_at_ms = now;
    if (now - run->watched_at_ms < WATCH_MS)
        return;
    run->watched_at_ms = now;
    kb_held_watch(run);
}

/* `resumed`: first find out what landed since the checkpoint was saved. */
static int produce_all(struct kb_restore_run *run, bool resumed,
                       struct kbp_error *err)
{
    int status = KBP_OK;

    share_memory(run);
    while (resumed && status == KBP_OK && kb_doubts_pending(run) &&
           !kb_stop_requested(run->user_stop)) {
        status = kb_doubts_step(run, err);
        if (kb_doubts_pending(run))
            (void)kb_stop_sleep(run->user_stop, TICK_MS);
    }
    if (status == KBP_OK && !kb_stop_requested(run->user_stop)) {
        (void)pthread_mutex_lock(&run->lock);
        kb_run_activate(run);
        (void)pthread_mutex_unlock(&run->lock);
        status = kb_pool_start(run, err);
    }
    while (status == KBP_OK && !kb_stop_requested(run->user_stop) &&
           !run->draining) {
        if (wait_for_change(run, TICK_MS))
            break;
        status = kb_doubts_step(run, err);
        if (status == KBP_OK && kb_now_ms() - run->saved_at_ms >= CHECKPOINT_MS)
            status = kb_checkpoint_save(run, err);
        watch(run);
    }
    drain(run);
    if (status == KBP_OK)
        status = kb_checkpoint_save(run, err);
    return status;
}

static void choose_outcome(struct kb_restore_run *run)
{
    struct kb_restore_report *report = run->report;

    if (run->state.phase == KB_RESTORE_DONE && !report->error_count)
        report->outcome = KB_RESTORE_COMPLETE;
    else if (!report->error_count && kb_stop_requested(run->user_stop))
        report->outcome = KB_RESTORE_INTERRUPTED;
    else
        report->outcome = KB_RESTORE_INCOMPLETE;
}

/* All reports there are; `err` has the first failure. */
static int make_reports(struct kb_restore_run *run, struct kbp_error *err)
{
    struct kb_source_maps maps = {0};
    size_t i;
    int status = kb_source_maps_load(&maps, run, err);

    run->report->records = run->records;
    run->report->bytes = run->bytes;
    run->report->aborted = 0;
    for (i = 0; i < run->part_count; i++)
        run->report->aborted += run->parts[i].select.aborted_records;
    run->report->duration_ms = kb_wall_ms() - run->began_ms;
    if (status == KBP_OK && run->config->restore.offset_report)
        status = kb_report_offsets(run, &maps, run->groups, err);
    if (status == KBP_OK)
        status = kb_report_restore(run, &maps, err);
    kb_source_maps_release(&maps);
    return status;
}

static int refused(struct kb_restore_run *run, struct kbp_error *err)
{
    return kb_fail(
        err, KBP_ERR_CONFIG, "the target can't be restored into: %s%s",
        run->report->errors[0],
        run->report->error_count > 1 ? " (and more, see above)" : "");
}

static int report_dry_run(struct kb_restore_run *run,
                          const struct kb_topics *topics, struct kbp_error *err)
{
    run->report->outcome =
        run->report->error_count ? KB_RESTORE_INVALID : KB_RESTORE_COMPLETE;
    run->report->duration_ms = kb_wall_ms() - run->began_ms;
    return kb_report_dry_run(run, topics, err);
}

static int dry_run(struct kb_restore_run *run, struct kb_topics *topics,
                   struct kbp_error *err)
{
    size_t failed = 0;
    int status = KBP_OK;

    if (run->config->restore.create_topics)
        status = kb_topics_create(topics, run, true, &failed, err);
    if (status == KBP_OK && kb_groups_wanted(&run->config->restore))
        status = kb_groups_preview(run, &run->groups, err);
    return status == KBP_OK ? report_dry_run(run, topics, err) : status;
}

/* What is to be done once it is known what is there. */
static int carry_out(struct kb_restore_run *run, struct kb_topics *topics,
                     const char *cluster_id, struct kbp_error *err)
{
    char what[1024] = "";
    bool done = false;
    bool found;
    bool failed = false;
    size_t i;
    int status = kb_open_checkpoint(run, cluster_id, &found, err);

    if (status != KBP_OK)
        return status;
    done = kb_restore_was_done(run, topics, cluster_id, what, sizeof what);
    if (*what)
        kb_run_warn(run, "%s", what);
    if (done && run->config->restore.dry_run)
        return report_dry_run(run, topics, err);
    if (done) {
        choose_outcome(run);
        return make_reports(run, err);
    }
    kb_debug("%s: checking the target", kb_run_command(run));
    kb_topics_check(topics, run, found);
    if (run->config->restore.dry_run)
        return dry_run(run, topics, err);
    if (run->report->error_count)
        return refused(run, err);
    if (found)
        kb_info("restore: going on with %s", run->state_prefix);
    if (!found || run->state.phase == KB_RESTORE_CREATE) {
        status = kb_setup_begin(run, topics, cluster_id, found, err);
        found = false;
    }
    if (status == KBP_OK)
        status = kb_setup_parts(
            run, topics, found && run->state.phase == KB_RESTORE_PRODUCE, err);
    if (status != KBP_OK)
        return status;
    kb_debug("restore: producing");
    atomic_store_explicit(&run->progress->phase, KB_PHASE_RUNNING,
                          memory_order_relaxed);
    atomic_store_explicit(&run->progress->started_ms, kb_now_ms(),
                          memory_order_relaxed);
    if (run->state.phase == KB_RESTORE_PRODUCE) {
        status = produce_all(run, found, err);
        for (i = 0; i < run->part_count; i++)
            failed = failed || run->parts[i].phase != KB_PART_DONE;
    }
    kb_debug("restore: verifying");
    atomic_store_explicit(&run->progress->phase, KB_PHASE_FINISHING,
                          memory_order_relaxed);
    if (status == KBP_OK && !failed)
        status = kb_finish(run, err);
    if (status == KBP_OK) {
        kb_debug("restore: reporting");
        choose_outcome(run);
        status = make_reports(run, err);
    }
    return status;
}

int kb_restore_run(const struct kb_config *config, struct kb_registry *registry,
                   struct kb_progress *progress, struct kb_stop *stop,
                   struct kb_restore_report *report, struct kbp_error *err)
{
    struct kb_topics topics = {0};
    struct kb_restore_run run;
    char *cluster_id = NULL;
    int status;

    *report = (struct kb_restore_report){.outcome = KB_RESTORE_INCOMPLETE};
    status = init_run(&run, config, registry, progress, stop, report, err);
    if (status == KBP_OK)
        status = kb_open_archive(&run, err);
    if (status == KBP_OK)
        status = kb_plan_make(&run.plan, config, run.manifest, err);
    if (status == KBP_OK)
        status = kb_open_target(&run, err);
    if (status == KBP_OK)
        status = kb_topics_look(&topics, &run, &cluster_id, err);
    if (status == KBP_OK)
        status = carry_out(&run, &topics, cluster_id, err);
    report->records = run.records;
    report->bytes = run.bytes;
    if (!report->duration_ms)
        report->duration_ms = kb_wall_ms() - run.began_ms;
    atomic_store_explicit(&run.progress->phase, KB_PHASE_DONE,
                          memory_order_relaxed);
    kb_topics_release(&topics);
    release_run(&run);
    free(cluster_id);
    return status;
}

void kb_restore_report_release(struct kb_restore_report *report)
{
    size_t i;

    for (i = 0; i < report->error_count; i++)
        free(report->errors[i]);
    for (i = 0; i < report->warning_count; i++)
        free(report->warnings[i]);
    free(report->errors);
    free(report->warnings);
    json_decref(report->json);
    *report = (struct kb_restore_report){0};
}

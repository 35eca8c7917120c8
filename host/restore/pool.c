/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - workers which turn frames into batches that are ready.
 *
 * Each takes the partition with the least that is ready; a partition is one
 * worker's at a time, so its order is kept.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/thread.h"
#include "restore/decode.h"
#include "restore/load.h"
#include "restore/run.h"

struct worker {
    struct kb_restore_run *run;
    struct kb_store_session *session;
    struct kb_codec_worker codecs;
};

/* The partition to work on; NULL: none at the moment. Under the lock. */
static struct kb_part *pick(struct kb_restore_run *run)
{
    struct kb_part *best = NULL;
    size_t i;

    for (i = 0; i < run->active_count; i++) {
        struct kb_part *part = run->active[i];

        if (part->busy || part->exhausted || part->phase == KB_PART_FAILED ||
            part->ready.bytes >= run->part_ready_bytes)
            continue;
        if (!best || part->ready.bytes < best->ready.bytes)
            best = part;
    }
    return best;
}

/* Whether to go on without what can't be read: `restore.skip_damaged`. */
static bool may_skip(const struct kb_restore_run *run, int status)
{
    return run->config->restore.skip_damaged &&
           (status == KBP_ERR_CORRUPT || status == KBP_ERR_NOT_FOUND);
}

/* It is named, and the run isn't complete any more. */
static void skip(struct kb_restore_run *run,
                 const struct kb_part_source *source, int64_t from, int64_t to,
                 struct kbp_error *err)
{
    char what[400];

    (void)snprintf(what, sizeof what,
                   "%s/%" PRId32 ": offsets [%" PRId64 ", %" PRId64
                   ") are left out",
                   source->generation->topic, source->log->partition, from, to);
    kb_run_error(run, what, err);
    kb_err_clear(err);
}

/* What was read of a source becomes batches that are ready. */
static int take_run(struct worker *worker, struct kb_part *part,
                    const struct kb_part_source *source, struct kb_load *load,
                    struct kb_ready_list *out, struct kbp_error *err)
{
    struct kb_restore_run *run = worker->run;
    int status = KBP_OK;
    size_t i;

    for (i = 0; i < load->frames.count && status == KBP_OK; i++) {
        const struct kb_frame_desc *desc = kb_load_frame(load, i);
        struct kb_slice batches;

        status = kb_load_batches(load, i, &worker->codecs, &run->budget,
                                 &batches, err);
        if (status == KBP_OK) {
            status =
                kb_decode_frame(desc, &batches, part->position, source->end,
                                &part->select, &worker->codecs, out, err);
            kb_slice_release(&batches);
        }
        if (status != KBP_OK)
            (void)kb_err_wrap(err, "segment %s: frame at byte %llu",
                              load->frames.segment->key,
                              (unsigned long long)load->frames.segment
                                  ->frames[load->frames.first + i]
                                  .place);
        if (may_skip(run, status)) {
            skip(run, source, desc->start, desc->end, err);
            status = KBP_OK;
        }
    }
    return status;
}

/* The store couldn't give what is next: frame by frame then, or without it. */
static void pass_damage(struct kb_restore_run *run, struct kb_part *part,
                        const struct kb_part_source *source, int64_t next,
                        struct kbp_error *err)
{
    if (part->careful) {
        skip(run, source, part->position, next, err);
        part->position = next;
    }
    kb_err_clear(err);
    part->careful = !part->careful;
}

/* The next frames of a partition. */
static int prepare(struct worker *worker, struct kb_part *part,
                   struct kb_ready_list *out, bool *exhausted,
                   struct kbp_error *err)
{
    struct kb_restore_run *run = worker->run;

    while (part->at_source < part->source_count) {
        const struct kb_part_source *source = &part->sources[part->at_source];
        struct kb_load load;
        int status;

        if (part->select.source != source->number) {
            status = kb_select_source(&part->select, source->number,
                                      source->log->partition, &source->aborted,
                                      &worker->codecs, out, err);
            if (status != KBP_OK)
                return status;
        }
        if (part->position < source->from)
            part->position = source->from;
        status = kb_load_next(run->loader, worker->session, source->generation,
                              source->log, part->select.spec, part->position,
                              source->end, part->careful ? 1 : run->run_bytes,
                              &run->budget, &load, err);
        if (may_skip(run, status)) {
            pass_damage(run, part, source, load.next, err);
            return KBP_OK;
        }
        if (status == KBP_OK && !load.held) {
            part->at_source++;
            part->position = INT64_MIN;
            continue;
        }
        if (status == KBP_OK) {
            kb_progress_add(&run->progress->stored_bytes,
                            load.frames.block->len);
            status = take_run(worker, part, source, &load, out, err);
            if (status == KBP_OK)
                part->position = load.next;
            part->careful = false;
            kb_load_release(&load, &run->budget);
        }
        return status;
    }
    *exhausted = true;
    return kb_select_flush(&part->select, &worker->codecs, out, err);
}

static void work_on(struct worker *worker, struct kb_part *part)
{
    struct kb_restore_run *run = worker->run;
    struct kbp_error err = KB_ERR_INIT;
    struct kb_ready_list out = {0};
    bool exhausted = false;
    int status = prepare(worker, part, &out, &exhausted, &err);

    (void)pthread_mutex_lock(&run->lock);
    part->busy = false;
    if (part->phase == KB_PART_FAILED) {
        kb_ready_clear(&out);
    } else if (status != KBP_OK && status != KBP_ERR_CANCELLED) {
        kb_ready_clear(&out);
        kb_part_fail(run, part, &err);
    } else if (status == KBP_OK) {
        kb_ready_append(&part->ready, &out);
        part->exhausted = exhausted;
        kb_part_check_done(run, part);
    }
    kb_lanes_wake(run);
    if (part->phase == KB_PART_FAILED)
        kb_run_wake(run);
    (void)pthread_mutex_unlock(&run->lock);
    kb_ready_clear(&out);
}

static void *worker_main(void *data)
{
    struct kb_restore_run *run = data;
    struct worker worker = {.run = run};
    struct kbp_error err = KB_ERR_INIT;
    int status;

    kb_codec_worker_init(&worker.codecs, &run->codecs);
    kb_codec_worker_bound(&worker.codecs, &run->budget);
    status = kb_store_session_open(run->store, &run->prepare_stop,
                                   &worker.session, &err);
    (void)pthread_mutex_lock(&run->lock);
    if (status != KBP_OK) {
        kb_run_error(run, "a session with the store", &err);
        run->draining = true;
        kb_run_wake(run);
    }
    while (!run->draining) {
        struct kb_part *part = pick(run);

        if (!part) {
            (void)pthread_cond_wait(&run->work, &run->lock);
            continue;
        }
        part->busy = true;
        (void)pthread_mutex_unlock(&run->lock);
        work_on(&worker, part);
        (void)pthread_mutex_lock(&run->lock);
    }
    (void)pthread_mutex_unlock(&run->lock);
    kb_store_session_close(worker.session);
    kb_codec_worker_release(&worker.codecs);
    return NULL;
}

int kb_pool_start(struct kb_restore_run *run, struct kbp_error *err)
{
    size_t want = run->config->restore.decoder_threads > 0
                      ? (size_t)run->config->restore.decoder_threads
                      : kb_cpu_count();

    run->workers = calloc(want, sizeof *run->workers);
    if (!run->workers)
        return kb_fail_nomem(err, "the workers");
    while (run->worker_count < want) {
        int status = kb_thread_start(&run->workers[run->worker_count],
                                     "kb-prepare", worker_main, run, err);

        if (status != KBP_OK)
            return status;
        run->worker_count++;
    }
    return KBP_OK;
}

void kb_pool_join(struct kb_restore_run *run)
{
    size_t i;

    for (i = 0; i < run->worker_count; i++)
        (void)pthread_join(run->workers[i], NULL);
    free(run->workers);
    run->workers = NULL;
    run->worker_count = 0;
}

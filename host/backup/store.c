/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - writers: each has one open segment, and puts its frames there. */
#include <stdlib.h>

#include "backup/pipe.h"
#include "base/thread.h"

static struct kb_pipe_sealed *sealed_of(struct kb_pipe_writer *writer)
{
    if (!writer->open)
        writer->open = calloc(1, sizeof *writer->open);
    return writer->open;
}

/* The partition's part of what is open. */
static struct kb_pipe_extent *extent_of(struct kb_pipe_writer *writer,
                                        struct kb_part *part, int64_t start)
{
    struct kb_pipe_sealed *sealed = sealed_of(writer);
    struct kb_pipe_extent *extent;

    if (!sealed)
        return NULL;
    if (part->slot)
        return &sealed->extents[part->slot - 1];
    if (sealed->count == sealed->cap) {
        size_t cap = sealed->cap ? sealed->cap * 2 : 16;
        struct kb_pipe_extent *extents =
            realloc(sealed->extents, cap * sizeof *extents);

        if (!extents)
            return NULL;
        sealed->extents = extents;
        sealed->cap = cap;
    }
    extent = &sealed->extents[sealed->count++];
    *extent = (struct kb_pipe_extent){.part = part};
    kb_coverage_init(&extent->coverage, start);
    part->slot = sealed->count;
    return extent;
}

/* Put what the parcel accounts for behind what the partition has so far. */
static int account(struct kb_pipe_writer *writer, struct kb_parcel *parcel,
                   struct kbp_error *err)
{
    struct kb_pipe_extent *extent =
        extent_of(writer, parcel->part, parcel->coverage.start);
    const struct kb_coverage *more = &parcel->coverage;
    size_t i;
    int rc;

    if (!extent)
        return kb_fail_nomem(err, "a segment's extents");
    if (extent->coverage.end != more->start)
        return kb_fail(err, KBP_ERR_INTERNAL,
                       "%s/%d: a frame begins at %lld where %lld was to come",
                       parcel->part->topic->name, (int)parcel->part->partition,
                       (long long)more->start, (long long)extent->coverage.end);
    for (i = 0; i < more->ranges.count; i++) {
        const struct kb_range *range = &more->ranges.items[i];

        rc = kb_ranges_add(&extent->coverage.ranges, range->kind, range->start,
                           range->end, err);
        if (rc != KBP_OK)
            return rc;
    }
    rc = kb_txns_append(&extent->coverage.aborted, &more->aborted, err);
    if (rc == KBP_OK)
        rc = kb_txns_copy(&extent->coverage.open, &more->open, err);
    if (rc != KBP_OK)
        return rc;
    kb_sums_add(&extent->coverage.sums, &more->sums);
    extent->coverage.end = more->end;
    extent->parcels++;
    if (parcel->kind == KB_PARCEL_FRAME) {
        extent->stored = true;
        extent->last = parcel->last;
        extent->bytes += parcel->desc.raw_len;
    }
    return KBP_OK;
}

static int begin_segment(struct kb_pipe_writer *writer, struct kbp_error *err)
{
    struct kb_pipe *pipe = writer->pipe;
    struct kb_codec *codec = pipe->set.codec;
    struct kb_name name = pipe->name;

    name.seq = 1 + atomic_fetch_add(&pipe->segment_seq, 1);
    writer->raw = 0;
    writer->records = 0;
    return kb_segment_begin(
        &writer->segment, writer->session, pipe->set.backup_id, &name,
        codec ? (uint8_t)kb_codec_type(codec)->segment_id : 0,
        codec ? kb_codec_type(codec)->name : NULL, err);
}

static int write_frame(struct kb_pipe_writer *writer, struct kb_parcel *parcel,
                       struct kbp_error *err)
{
    struct kb_part *part = parcel->part;
    struct iovec few[16];
    struct iovec *iov = few;
    size_t count = 1;
    int rc = KBP_OK;

    if (!writer->segment)
        rc = begin_segment(writer, err);
    if (rc == KBP_OK && part->slot == 0)
        rc = kb_segment_topic(writer->segment, &part->topic->generation,
                              part->topic->name, err);
    if (rc != KBP_OK)
        return rc;
    if (parcel->packed.len > 0) {
        few[0].iov_base = parcel->packed.data;
        few[0].iov_len = parcel->packed.len;
    } else {
        size_t i;

        count = parcel->slice_count;
        if (count > sizeof few / sizeof few[0]) {
            iov = calloc(count, sizeof *iov);
            if (!iov)
                return kb_fail_nomem(err, "a frame");
        }
        for (i = 0; i < count; i++)
            iov[i] = kb_slice_iov(&parcel->slices[i]);
    }
    rc = kb_segment_add(writer->segment, &parcel->desc, iov, (int)count, err);
    if (iov != few)
        free(iov);
    writer->raw += parcel->desc.raw_len;
    writer->records += parcel->desc.sums.records;
    return rc;
}

/* The segment is full, or its time is up: make it durable, hand it over. */
static int close_segment(struct kb_pipe_writer *writer, struct kbp_error *err)
{
    struct kb_pipe_sealed *sealed = writer->open;
    size_t i;

    if (!sealed)
        return KBP_OK;
    if (writer->segment) {
        int rc = kb_segment_finish(writer->segment, &sealed->info, err);

        kb_segment_close(writer->segment);
        writer->segment = NULL;
        if (rc != KBP_OK)
            return rc;
        sealed->has_segment = true;
        atomic_fetch_add(&writer->pipe->segments, 1);
        atomic_fetch_add(&writer->pipe->stored_bytes, sealed->info.size);
        kb_progress_add(&writer->pipe->set.progress->segments, 1);
        kb_progress_add(&writer->pipe->set.progress->stored_bytes,
                        sealed->info.size);
    }
    for (i = 0; i < sealed->count; i++)
        sealed->extents[i].part->slot = 0;
    writer->open = NULL;
    kb_commit_push(writer->pipe, sealed);
    return KBP_OK;
}

static int take(struct kb_pipe_writer *writer, struct kb_parcel *parcel,
                struct kbp_error *err)
{
    const struct kb_pipe_settings *set = &writer->pipe->set;
    int rc = KBP_OK;

    if (parcel->kind == KB_PARCEL_CLOSE)
        return close_segment(writer, err);
    if (parcel->kind == KB_PARCEL_FRAME)
        rc = write_frame(writer, parcel, err);
    if (rc == KBP_OK)
        rc = account(writer, parcel, err);
    if (rc == KBP_OK && writer->segment &&
        (writer->raw >= set->segment_max_bytes ||
         (set->segment_max_records &&
          writer->records >= set->segment_max_records)))
        rc = close_segment(writer, err);
    return rc;
}

/* NULL: there is nothing more, and nothing more will come. */
static struct kb_parcel *next_parcel(struct kb_pipe_writer *writer)
{
    struct kb_parcel *parcel;

    (void)pthread_mutex_lock(&writer->lock);
    while (writer->head ? !writer->head->ready : !writer->ending)
        (void)pthread_cond_wait(&writer->changed, &writer->lock);
    parcel = writer->head;
    if (parcel) {
        writer->head = parcel->next_store;
        if (!writer->head)
            writer->tail = &writer->head;
    }
    (void)pthread_mutex_unlock(&writer->lock);
    return parcel;
}

static void failed(struct kb_pipe *pipe, struct kbp_error *err)
{
    atomic_store(&pipe->set.progress->store_ok, 0);
    (void)kb_err_wrap(err, "store");
    kb_pipe_fail(pipe, err);
}

static void *run(void *data)
{
    struct kb_pipe_writer *writer = data;
    struct kb_pipe *pipe = writer->pipe;
    struct kbp_error err = KB_ERR_INIT;
    struct kb_parcel *parcel;

    while ((parcel = next_parcel(writer)) != NULL) {
        if (!kb_pipe_failed(pipe) && take(writer, parcel, &err) != KBP_OK)
            failed(pipe, &err);
        kb_parcel_free(parcel);
    }
    if (!kb_pipe_failed(pipe) && close_segment(writer, &err) != KBP_OK)
        failed(pipe, &err);
    kb_segment_close(writer->segment);
    writer->segment = NULL;
    kb_pipe_sealed_free(writer->open);
    writer->open = NULL;
    return NULL;
}

int kb_store_start(struct kb_pipe *pipe, struct kbp_error *err)
{
    unsigned i;

    for (i = 0; i < pipe->set.writers; i++) {
        struct kb_pipe_writer *writer = &pipe->writers[i];
        int rc;

        writer->pipe = pipe;
        (void)pthread_mutex_init(&writer->lock, NULL);
        (void)pthread_cond_init(&writer->changed, NULL);
        writer->tail = &writer->head;
        rc = kb_store_session_open(pipe->set.store, pipe->set.abort,
                                   &writer->session, err);
        if (rc == KBP_OK)
            rc = kb_thread_start(&writer->thread, "kb-store", run, writer, err);
        if (rc != KBP_OK) {
            kb_store_session_close(writer->session);
            writer->session = NULL;
            return rc;
        }
        writer->started = true;
    }
    return KBP_OK;
}

static void append(struct kb_pipe_writer *writer, struct kb_parcel *parcel,
                   bool ready)
{
    (void)pthread_mutex_lock(&writer->lock);
    parcel->next_store = NULL;
    parcel->ready = ready;
    *writer->tail = parcel;
    writer->tail = &parcel->next_store;
    (void)pthread_cond_signal(&writer->changed);
    (void)pthread_mutex_unlock(&writer->lock);
}

/*
 * A writer that was asked for less than this since it last closed a segment
 * gets the next partition, so that quiet ones share an object.
 */
#define LITTLE ((uint64_t)1 << 20)

static unsigned writer_for(struct kb_pipe *pipe, const struct kb_part *part)
{
    unsigned i;

    for (i = 0; i < pipe->set.writers; i++)
        if (atomic_load_explicit(&pipe->writers[i].asked,
                                 memory_order_relaxed) < LITTLE)
            return i;
    return part->home;
}

void kb_store_push(struct kb_pipe *pipe, struct kb_parcel *parcel)
{
    struct kb_part *part = parcel->part;

    if (atomic_load(&part->in_pipe) == 0)
        part->writer = writer_for(pipe, part);
    atomic_fetch_add(&part->in_pipe, 1);
    parcel->writer = part->writer;
    atomic_fetch_add_explicit(&pipe->writers[parcel->writer].asked,
                              parcel->desc.raw_len, memory_order_relaxed);
    append(&pipe->writers[parcel->writer], parcel,
           parcel->kind != KB_PARCEL_FRAME);
}

void kb_store_ready(struct kb_pipe *pipe, struct kb_parcel *parcel)
{
    struct kb_pipe_writer *writer = &pipe->writers[parcel->writer];

    (void)pthread_mutex_lock(&writer->lock);
    parcel->ready = true;
    if (writer->head == parcel)
        (void)pthread_cond_signal(&writer->changed);
    (void)pthread_mutex_unlock(&writer->lock);
}

int kb_pipe_close_segments(struct kb_pipe *pipe, struct kbp_error *err)
{
    unsigned i;

    for (i = 0; i < pipe->set.writers; i++) {
        struct kb_pipe_writer *writer = &pipe->writers[i];
        struct kb_parcel *parcel = kb_parcel_new(KB_PARCEL_CLOSE);

        if (!parcel)
            return kb_fail_nomem(err, "a segment's end");
        atomic_store_explicit(&writer->asked, 0, memory_order_relaxed);
        append(writer, parcel, true);
    }
    return KBP_OK;
}

void kb_store_finish(struct kb_pipe *pipe)
{
    unsigned i;

    for (i = 0; i < pipe->set.writers; i++) {
        struct kb_pipe_writer *writer = &pipe->writers[i];

        if (!writer->started)
            continue;
        (void)pthread_mutex_lock(&writer->lock);
        writer->ending = true;
        (void)pthread_cond_signal(&writer->changed);
        (void)pthread_mutex_unlock(&writer->lock);
    }
    for (i = 0; i < pipe->set.writers; i++) {
        struct kb_pipe_writer *writer = &pipe->writers[i];

        if (!writer->started)
            continue;
        (void)pthread_join(writer->thread, NULL);
        kb_store_session_close(writer->session);
        (void)pthread_mutex_destroy(&writer->lock);
        (void)pthread_cond_destroy(&writer->changed);
        writer->started = false;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - frames of a partition, in order, by range gets. */
#include "restore/load.h"

#include <pthread.h>
#include <stdlib.h>

/* Indexes are kept up to so many frames in all. */
#define KEEP_FRAMES 400000u
#define SLOTS 256u

struct slot {
    uint32_t number; /* of the manifest's segments */
    struct kb_segment *segment;
    unsigned users;
    uint64_t used_at;
};

struct kb_loader {
    const struct kb_manifest *manifest;
    pthread_mutex_t lock;
    struct slot *slots[SLOTS];
    size_t count;
    size_t frames;
    uint64_t clock;
};

int kb_loader_new(struct kb_loader **loader, const struct kb_manifest *manifest,
                  struct kbp_error *err)
{
    struct kb_loader *made = calloc(1, sizeof *made);

    if (!made)
        return kb_fail_nomem(err, "a cache of segments");
    made->manifest = manifest;
    (void)pthread_mutex_init(&made->lock, NULL);
    *loader = made;
    return KBP_OK;
}

static void slot_free(struct slot *slot)
{
    kb_segment_free(slot->segment);
    free(slot);
}

void kb_loader_free(struct kb_loader *loader)
{
    size_t i;

    if (!loader)
        return;
    for (i = 0; i < loader->count; i++)
        slot_free(loader->slots[i]);
    (void)pthread_mutex_destroy(&loader->lock);
    free(loader);
}

static struct slot *find_slot(struct kb_loader *loader, uint32_t number)
{
    size_t i;

    for (i = 0; i < loader->count; i++)
        if (loader->slots[i]->number == number)
            return loader->slots[i];
    return NULL;
}

/* Drop the one that nobody has used for longest; NULL: all are in use. */
static bool evict(struct kb_loader *loader)
{
    size_t oldest = SLOTS;
    size_t i;

    for (i = 0; i < loader->count; i++)
        if (!loader->slots[i]->users &&
            (oldest == SLOTS ||
             loader->slots[i]->used_at < loader->slots[oldest]->used_at))
            oldest = i;
    if (oldest == SLOTS)
        return false;
    loader->frames -= loader->slots[oldest]->segment->frame_count;
    slot_free(loader->slots[oldest]);
    loader->slots[oldest] = loader->slots[--loader->count];
    return true;
}

/* `slot` is in use by one; true if it is in the cache now. */
static bool add_slot(struct kb_loader *loader, struct slot *slot)
{
    while (loader->count == SLOTS ||
           (loader->count > 0 &&
            loader->frames + slot->segment->frame_count > KEEP_FRAMES))
        if (!evict(loader))
            break;
    if (loader->count == SLOTS)
        return false;
    loader->slots[loader->count++] = slot;
    loader->frames += slot->segment->frame_count;
    return true;
}

/* The lock is not held. */
static int get_segment(struct kb_loader *loader,
                       struct kb_store_session *session, uint32_t number,
                       struct slot **got, struct kbp_error *err)
{
    struct kb_segment *segment;
    struct slot *slot;
    struct slot *other;
    int status;

    (void)pthread_mutex_lock(&loader->lock);
    slot = find_slot(loader, number);
    if (slot) {
        slot->users++;
        slot->used_at = ++loader->clock;
    }
    (void)pthread_mutex_unlock(&loader->lock);
    if (slot) {
        *got = slot;
        return KBP_OK;
    }
    status = kb_segment_open(&segment, session, loader->manifest->backup_id,
                             &loader->manifest->segments[number], err);
    if (status != KBP_OK)
        return status;
    slot = calloc(1, sizeof *slot);
    if (!slot) {
        kb_segment_free(segment);
        return kb_fail_nomem(err, "an open segment");
    }
    slot->number = number;
    slot->segment = segment;
    slot->users = 1;
    (void)pthread_mutex_lock(&loader->lock);
    other = find_slot(loader, number);
    if (other)
        other->users++;
    else if (!add_slot(loader, slot))
        slot->number = KB_NO_SEGMENT; /* freed by its only user */
    if (other)
        other->used_at = ++loader->clock;
    else
        slot->used_at = ++loader->clock;
    (void)pthread_mutex_unlock(&loader->lock);
    if (other) {
        slot_free(slot);
        slot = other;
    }
    *got = slot;
    return KBP_OK;
}

static void put_segment(struct kb_loader *loader, struct slot *slot)
{
    bool last;

    (void)pthread_mutex_lock(&loader->lock);
    slot->users--;
    last = slot->number == KB_NO_SEGMENT;
    (void)pthread_mutex_unlock(&loader->lock);
    if (last)
        slot_free(slot);
}

static bool may_hold(const struct kb_select_spec *spec,
                     const struct kb_sums *sums)
{
    if (!sums->records)
        return false;
    return !spec->window ||
           (sums->max_timestamp >= spec->window_start &&
            !(sums->min_known && sums->min_timestamp > spec->window_end));
}

/*
 * What these frames need decompressed; `*count` is lowered so that it stays
 * within `max_bytes`, but not below one.
 */
static size_t plain_bytes(const struct kb_segment *segment, size_t first,
                          size_t *count, uint64_t max_bytes)
{
    size_t sum = 0;
    size_t i;

    for (i = 0; i < *count; i++) {
        const struct kb_frame_desc *desc = &segment->frames[first + i].desc;

        if (!desc->codec)
            continue;
        if (i > 0 && sum + desc->raw_len > max_bytes)
            break;
        sum += desc->raw_len;
    }
    *count = i;
    return sum;
}

/* Frames from `first` on that follow each other and are wanted. */
static size_t wanted_run(const struct kb_segment *segment,
                         const struct kb_select_spec *spec, size_t first,
                         size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (!may_hold(spec, &segment->frames[first + i].desc.sums))
            break;
    return i;
}

static int read_run(struct kb_loader *loader, struct kb_store_session *session,
                    struct slot *slot, size_t first, size_t count,
                    uint64_t max_bytes, struct kb_budget *budget,
                    struct kb_load *load, struct kbp_error *err)
{
    const struct kb_segment *segment = slot->segment;
    struct kb_block *block;
    uint64_t bytes;
    size_t plain;
    int status;

    plain = plain_bytes(segment, first, &count, max_bytes);
    count = kb_segment_run(segment, first, count, max_bytes, &bytes);
    plain = plain_bytes(segment, first, &count, UINT64_MAX);
    status = kb_budget_take(budget, (size_t)bytes + plain, err);
    if (status != KBP_OK)
        return status;
    block = kb_block_new(budget, (size_t)bytes, (size_t)bytes);
    if (!block) {
        kb_budget_give(budget, (size_t)bytes + plain);
        return kb_fail_nomem(err, "frames");
    }
    load->next = segment->frames[first + count - 1].desc.end;
    status = kb_segment_read(segment, session, first, count, block,
                             &load->frames, err);
    if (status != KBP_OK) {
        kb_block_unref(block);
        kb_budget_give(budget, plain);
        return status;
    }
    load->loader = loader;
    load->held = slot;
    load->reserved = plain;
    return KBP_OK;
}

int kb_load_next(struct kb_loader *loader, struct kb_store_session *session,
                 const struct kb_generation *generation,
                 const struct kb_partition_log *log,
                 const struct kb_select_spec *spec, int64_t from, int64_t end,
                 uint64_t max_bytes, struct kb_budget *budget,
                 struct kb_load *load, struct kbp_error *err)
{
    size_t first;
    size_t count = kb_partition_find(log, from, end, &first);
    size_t i;

    *load = (struct kb_load){0};
    for (i = first; i < first + count; i++) {
        const struct kb_extent *extent = &log->extents[i];
        int64_t until = extent->end < end ? extent->end : end;
        struct slot *slot = NULL;
        size_t frame;
        size_t frames;
        size_t run;
        int status;

        if (extent->segment == KB_NO_SEGMENT || !may_hold(spec, &extent->sums))
            continue;
        load->next = until;
        status = get_segment(loader, session, extent->segment, &slot, err);
        if (status != KBP_OK)
            return status;
        frames = kb_segment_find(slot->segment, &generation->id, log->partition,
                                 from > extent->start ? from : extent->start,
                                 until, &frame);
        for (run = 0; frames > 0; frame++, frames--) {
            run = wanted_run(slot->segment, spec, frame, frames);
            if (run > 0)
                break;
        }
        if (run == 0) {
            put_segment(loader, slot);
            continue;
        }
        status = read_run(loader, session, slot, frame, run, max_bytes, budget,
                          load, err);
        if (status != KBP_OK)
            put_segment(loader, slot);
        return status;
    }
    load->next = end;
    return KBP_OK;
}

const struct kb_frame_desc *kb_load_frame(const struct kb_load *load, size_t i)
{
    return &load->frames.segment->frames[load->frames.first + i].desc;
}

int kb_load_batches(struct kb_load *load, size_t i,
                    struct kb_codec_worker *codecs, struct kb_budget *budget,
                    struct kb_slice *batches, struct kbp_error *err)
{
    const struct kb_frame_desc *desc = kb_load_frame(load, i);
    int status =
        kb_frame_run_batches(&load->frames, i, codecs, NULL, batches, err);

    if (status != KBP_OK || batches->block == load->frames.block)
        return status;
    /* What was reserved for it goes over to its block. */
    batches->block->budget = budget;
    batches->block->charged = desc->raw_len;
    load->reserved -= desc->raw_len;
    return KBP_OK;
}

void kb_load_release(struct kb_load *load, struct kb_budget *budget)
{
    if (!load->held)
        return;
    kb_block_unref(load->frames.block);
    if (load->reserved)
        kb_budget_give(budget, load->reserved);
    put_segment(load->loader, load->held);
    *load = (struct kb_load){0};
}

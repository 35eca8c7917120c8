/* SPDX-License-Identifier: Apache-2.0 */
/* walk.c - what one Fetch answer has of a partition, offset by offset. */
#include "backup/walk.h"

#include <stdlib.h>
#include <string.h>

#include "kafka/msgset.h"

#define CONTROL_ABORT 0
#define CONTROL_COMMIT 1

void kb_walk_begin(struct kb_walk *walk, const struct kb_fetched *fetched)
{
    walk->fetched = fetched;
    walk->at = fetched->records;
    walk->left = fetched->records_len;
    walk->aborted_next = 0;
    walk->aborted_known = false;
    walk->active_count = 0;
    walk->have_held = false;
    walk->checked = false;
    walk->missed = false;
    walk->gone = false;
    walk->reached = false;
    walk->cut = false;
    walk->walked = 0;
    kb_buf_reset(&walk->made);
    walk->made_at = 0;
    walk->made_end = 0;
}

void kb_walk_release(struct kb_walk *walk)
{
    free(walk->aborted);
    walk->aborted = NULL;
    walk->aborted_cap = 0;
    free(walk->active);
    walk->active = NULL;
    walk->active_cap = 0;
    walk->active_count = 0;
    kb_buf_release(&walk->made);
    kb_batch_builder_release(&walk->builder);
}

static size_t find_active(const struct kb_walk *walk, int64_t producer)
{
    size_t i;

    for (i = 0; i < walk->active_count; i++)
        if (walk->active[i] == producer)
            break;
    return i;
}

static int by_first_offset(const void *a, const void *b)
{
    const struct kb_aborted *x = a;
    const struct kb_aborted *y = b;

    return (x->first_offset > y->first_offset) -
           (x->first_offset < y->first_offset);
}

/* Brokers list them in the order in which they ended. */
static int sort_aborted(struct kb_walk *walk, struct kbp_error *err)
{
    size_t count = walk->fetched->aborted_count;
    size_t i;

    if (walk->aborted_known)
        return KBP_OK;
    if (count > walk->aborted_cap) {
        struct kb_aborted *aborted =
            realloc(walk->aborted, count * sizeof *aborted);

        if (!aborted)
            return kb_fail_nomem(err, "aborted transactions");
        walk->aborted = aborted;
        walk->aborted_cap = count;
    }
    for (i = 0; i < count; i++)
        walk->aborted[i] = kb_fetched_aborted(walk->fetched, i);
    if (count > 1)
        qsort(walk->aborted, count, sizeof *walk->aborted, by_first_offset);
    walk->aborted_count = count;
    walk->aborted_known = true;
    return KBP_OK;
}

/* Transactions that begin up to `last` and are going to be aborted. */
static int activate(struct kb_walk *walk, int64_t last, struct kbp_error *err)
{
    int rc = sort_aborted(walk, err);

    if (rc != KBP_OK)
        return rc;
    while (walk->aborted_next < walk->aborted_count) {
        struct kb_aborted a = walk->aborted[walk->aborted_next];

        if (a.first_offset > last)
            break;
        walk->aborted_next++;
        if (find_active(walk, a.producer_id) < walk->active_count)
            continue;
        if (walk->active_count == walk->active_cap) {
            size_t cap = walk->active_cap ? walk->active_cap * 2 : 16;
            int64_t *active = realloc(walk->active, cap * sizeof *active);

            if (!active)
                return kb_fail_nomem(err, "aborted transactions");
            walk->active = active;
            walk->active_cap = cap;
        }
        walk->active[walk->active_count++] = a.producer_id;
    }
    return KBP_OK;
}

/*
 * Keep book on who is in an aborted transaction; whether this batch is of one.
 * By producer id alone: with transactions v2 a marker's epoch is one more than
 * the data's.
 */
static int track(struct kb_walk *walk, const struct kb_batch *batch,
                 bool *aborted, struct kbp_error *err)
{
    size_t at;
    int rc;

    *aborted = false;
    if (walk->fetched->aborted_count == 0 || batch->producer_id < 0)
        return KBP_OK;
    rc = activate(walk, kb_batch_next_offset(batch) - 1, err);
    if (rc != KBP_OK)
        return rc;
    at = find_active(walk, batch->producer_id);
    if (at == walk->active_count)
        return KBP_OK;
    if (batch->attributes & KB_BATCH_CONTROL) {
        if (batch->count > 0 && kb_batch_control_type(batch) == CONTROL_ABORT)
            walk->active[at] = walk->active[--walk->active_count];
    } else {
        *aborted = (batch->attributes & KB_BATCH_TRANSACTIONAL) != 0;
    }
    return KBP_OK;
}

static int say_other(const struct kb_last_batch *want,
                     const struct kb_last_batch *now, const char *why,
                     struct kbp_error *err)
{
    (void)kb_fail(err, KBP_ERR_CONFLICT,
                  "the batch at offset %lld is not the one that was stored: %s "
                  "(stored: offset %lld, CRC %08x, leader epoch %d; there now: "
                  "offset %lld, CRC %08x, leader epoch %d)",
                  (long long)want->base_offset, why,
                  (long long)want->base_offset, (unsigned)want->crc32c,
                  (int)want->leader_epoch, (long long)now->base_offset,
                  (unsigned)now->crc32c, (int)now->leader_epoch);
    return KB_WALK_DIVERGED;
}

static bool compares(const struct kb_walk *walk)
{
    return walk->check && (!walk->checked || walk->gone);
}

/*
 * Compare with the last batch that was stored, once it comes by.  Where it is
 * gone, what is left of the log must still have its joint where the archive
 * ends: batches are dropped whole, and are never merged.
 */
static int compare(struct kb_walk *walk, const struct kb_last_batch *now,
                   struct kbp_error *err)
{
    const struct kb_last_batch *want = walk->check;
    const char *why;

    if (!walk->gone) {
        switch (kb_last_compare(want, now, walk->compacted, &why)) {
        case KB_LAST_BEFORE:
            return KBP_OK;
        case KB_LAST_SAME:
            walk->checked = true;
            return KBP_OK;
        case KB_LAST_OTHER:
            walk->checked = true;
            return say_other(want, now, why, err);
        case KB_LAST_GONE:
            walk->checked = true;
            walk->gone = true;
            walk->missed = true;
            break;
        }
    }
    if (now->last_offset < walk->position)
        return KBP_OK;
    walk->gone = false;
    if (want->detailed && now->base_offset < walk->position)
        return say_other(want, now, "it reaches over where the archive ends",
                         err);
    return KBP_OK;
}

/* The same, of what stands here in the formats of old. */
static int compare_old(struct kb_walk *walk, struct kbp_error *err)
{
    const uint8_t *at = walk->at;
    size_t left = walk->left;
    struct kbp_error ignored = KB_ERR_INIT;
    struct kb_msgset_entry entry;
    struct kb_last_batch now;
    struct kb_batch batch;
    int rc = KBP_OK;

    while (rc == KBP_OK && compares(walk) && left > 0 &&
           kb_batch_parse(at, left, &batch, &ignored) == KB_BATCH_LEGACY) {
        rc = kb_msgset_look(at, left, walk->codecs, &entry, err);
        if (rc != KBP_OK)
            return rc;
        now = kb_last_of_entry(&entry);
        rc = compare(walk, &now, err);
        at += entry.len;
        left -= entry.len;
    }
    return rc;
}

/* Whose transaction it is of matters to who reads it. */
static void keep_producer(struct kb_walk *walk, const struct kb_batch *batch)
{
    memcpy(walk->made.data + KB_BATCH_PRODUCER_AT,
           batch->bytes + KB_BATCH_PRODUCER_AT, KB_BATCH_PRODUCER_BYTES);
    kb_batch_seal(walk->made.data, walk->made.len);
}

/*
 * The batch begins before the position: records in front of it were deleted,
 * or not asked for, and must not come back.  Make a batch of those from there
 * on, which keep their offsets.
 */
static int rewrite(struct kb_walk *walk, const struct kb_batch *batch,
                   struct kbp_error *err)
{
    struct kb_records it;
    struct kb_record record;
    int rc;

    kb_buf_reset(&walk->made);
    walk->made_at = 0;
    walk->made_end = kb_batch_next_offset(batch);
    walk->made_of = kb_last_of_batch(batch);
    rc = kb_records_open(&it, batch, walk->codecs, 0, err);
    if (rc != KBP_OK)
        return rc;
    kb_batch_builder_reset(&walk->builder);
    walk->builder.keep_offsets = true;
    walk->builder.attributes = batch->attributes & KB_BATCH_TRANSACTIONAL;
    while ((rc = kb_records_next(&it, &record, err)) == 1) {
        if (record.offset < walk->position)
            continue;
        rc = kb_batch_builder_add(&walk->builder, &record, NULL, 0, err);
        if (rc != KBP_OK)
            break;
    }
    kb_records_close(&it);
    if (rc == KBP_OK && walk->builder.count > 0) {
        walk->builder.last_offset_delta =
            (int32_t)(walk->made_end - 1 - walk->builder.base_offset);
        rc = kb_batch_builder_finish(
            &walk->builder, batch->attributes & KB_BATCH_CODEC, walk->codecs,
            walk->builder.base_offset, &walk->made, err);
        if (rc == KBP_OK && walk->builder.attributes)
            keep_producer(walk, batch);
    }
    if (rc != KBP_OK)
        return kb_err_wrap(err, "the batch at offset %lld can't be rewritten",
                           (long long)batch->base_offset);
    return KBP_OK;
}

static void skip_to(struct kb_walk *walk, struct kb_walk_item *item,
                    enum kb_range_kind reason, int64_t end)
{
    *item = (struct kb_walk_item){
        .kind = KB_WALK_SKIP, .reason = reason, .end = end};
    walk->position = end;
}

static void store(struct kb_walk *walk, struct kb_walk_item *item,
                  const struct kb_batch *batch, bool made)
{
    *item = (struct kb_walk_item){.kind = KB_WALK_BATCH,
                                  .batch = *batch,
                                  .made = made,
                                  .last = made ? walk->made_of
                                               : kb_last_of_batch(batch),
                                  .end = kb_batch_next_offset(batch)};
    walk->position = item->end;
}

static enum kb_range_kind hole(const struct kb_walk *walk)
{
    return walk->compacted ? KB_RANGE_CLEANED : KB_RANGE_ABSENT;
}

/* Hand out what rewrite() or a conversion made. 1: an item. */
static int next_made(struct kb_walk *walk, struct kb_walk_item *item,
                     struct kbp_error *err)
{
    struct kb_batch batch;
    int rc;

    if (walk->made_at < walk->made.len) {
        rc = kb_batch_parse(walk->made.data + walk->made_at,
                            walk->made.len - walk->made_at, &batch, err);
        if (rc != KBP_OK)
            return rc < 0 ? rc
                          : kb_fail(err, KBP_ERR_INTERNAL,
                                    "a rewritten batch is no batch");
        if (batch.base_offset > walk->position) {
            skip_to(walk, item, hole(walk), batch.base_offset);
            return 1;
        }
        walk->made_at += batch.len;
        store(walk, item, &batch, true);
        return 1;
    }
    if (walk->made_end > walk->position) {
        skip_to(walk, item, hole(walk), walk->made_end);
        return 1;
    }
    return 0;
}

/* The next batch of the answer into `held`; 1, or 0 at the end. */
static int read_batch(struct kb_walk *walk, struct kbp_error *err)
{
    struct kb_batch *batch = &walk->held;
    int rc;

    while (walk->left > 0) {
        rc = kb_batch_parse(walk->at, walk->left, batch, err);
        if (rc == KB_BATCH_CUT) {
            walk->cut = true;
            walk->left = 0;
            break;
        }
        if (rc == KB_BATCH_LEGACY) {
            struct kb_msgset_entry last;
            size_t used = 0;
            int64_t next = 0;

            rc = compare_old(walk, err);
            if (rc == KB_WALK_DIVERGED || rc < 0)
                return rc;
            kb_buf_reset(&walk->made);
            walk->made_at = 0;
            walk->made_end = 0;
            rc = kb_msgset_convert(walk->at, walk->left, walk->position,
                                   walk->codecs, &walk->made, &used, &next,
                                   &last, err);
            if (rc == KB_BATCH_CUT) {
                walk->cut = true;
                walk->left = 0;
                break;
            }
            if (rc != KBP_OK)
                return rc;
            walk->at += used;
            walk->left -= used;
            walk->walked++;
            walk->made_of = kb_last_of_entry(&last);
            if (next > walk->position) {
                walk->made_end = next;
                return 1; /* without a batch held */
            }
            continue;
        }
        if (rc != KBP_OK)
            return rc;
        if (compares(walk)) {
            struct kb_last_batch now = kb_last_of_batch(batch);

            rc = compare(walk, &now, err);
            if (rc != KBP_OK)
                return rc;
        }
        rc = track(walk, batch, &walk->aborted_on, err);
        if (rc != KBP_OK)
            return rc;
        walk->at += batch->len;
        walk->left -= batch->len;
        walk->walked++;
        if (kb_batch_next_offset(batch) <= walk->position)
            continue;
        rc = kb_batch_check(batch, err);
        if (rc != KBP_OK)
            return rc;
        walk->have_held = true;
        return 1;
    }
    return 0;
}

static enum kb_walk_marker marker_of(const struct kb_batch *batch)
{
    if (!(batch->attributes & KB_BATCH_CONTROL))
        return KB_MARKER_NONE;
    if (batch->count == 0)
        return KB_MARKER_EMPTY;
    switch (kb_batch_control_type(batch)) {
    case CONTROL_ABORT:
        return KB_MARKER_ABORT;
    case CONTROL_COMMIT:
        return KB_MARKER_COMMIT;
    default:
        return KB_MARKER_NONE;
    }
}

/* The batch that is held, whose turn it is. 1: an item; 0: none yet. */
static int take_held(struct kb_walk *walk, struct kb_walk_item *item,
                     struct kbp_error *err)
{
    const struct kb_batch *batch = &walk->held;
    int64_t next = kb_batch_next_offset(batch);
    int rc;

    if (batch->base_offset >= walk->end) {
        skip_to(walk, item, hole(walk), walk->end);
        return 1;
    }
    if (batch->base_offset > walk->position) {
        skip_to(walk, item, hole(walk), batch->base_offset);
        return 1;
    }
    walk->have_held = false;
    if (batch->count == 0 || batch->attributes & KB_BATCH_CONTROL) {
        skip_to(walk, item,
                batch->count == 0 ? KB_RANGE_CLEANED : KB_RANGE_MARKER, next);
        item->marker = marker_of(batch);
        item->producer_id = batch->producer_id;
    } else if (walk->aborted_on && !walk->keep_aborted) {
        skip_to(walk, item, KB_RANGE_ABORTED, next);
    } else if (batch->base_offset < walk->position) {
        rc = rewrite(walk, batch, err);
        return rc == KBP_OK ? 0 : rc;
    } else {
        store(walk, item, batch, false);
    }
    return 1;
}

static bool is_done(const struct kb_walk *walk)
{
    return walk->position >= walk->end && (!walk->check || walk->checked);
}

int kb_walk_next(struct kb_walk *walk, struct kb_walk_item *item,
                 struct kbp_error *err)
{
    int rc;

    for (;;) {
        if (is_done(walk)) {
            walk->reached = true;
            return 0;
        }
        rc = next_made(walk, item, err);
        if (rc != 0)
            return rc;
        if (!walk->have_held) {
            rc = read_batch(walk, err);
            if (rc == 0)
                walk->reached = is_done(walk);
            if (rc != 1)
                return rc;
            if (!walk->have_held)
                continue;
        }
        if (walk->position >= walk->end)
            continue;
        rc = take_held(walk, item, err);
        if (rc != 0)
            return rc;
    }
}

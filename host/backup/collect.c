/* SPDX-License-Identifier: Apache-2.0 */
/* collect.c - gather a partition's batches into frames. */
#include "backup/collect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * Less than this is copied at the end of an answer.  Below the size from which
 * block.c takes whole pages, so that 2,000 partitions hold what they use.
 */
#define SMALL ((size_t)96 << 10)

/* Compressed and plain batches share a frame as long as it is smaller. */
#define MIX ((size_t)64 << 10)

/* Ranges without a batch between them are worth a parcel at this number. */
#define MANY_RANGES 4096u

/* Make a parcel of what waits. The part is locked. */
static int emit(struct kb_collector *collector, struct kb_part *part,
                struct kbp_error *err)
{
    struct kb_parcel *parcel = kb_parcel_new(
        part->piece_count > 0 ? KB_PARCEL_FRAME : KB_PARCEL_COVER);

    if (!parcel)
        return kb_fail_nomem(err, "a frame");
    if (part->open.count > 0 &&
        kb_txns_copy(&part->coverage.open, &part->open, err) != KBP_OK) {
        kb_parcel_free(parcel);
        return KBP_ERR_NOMEM;
    }
    parcel->part = part;
    parcel->budget = collector->budget;
    parcel->coverage = part->coverage;
    kb_coverage_init(&part->coverage, parcel->coverage.end);
    if (parcel->kind == KB_PARCEL_FRAME) {
        parcel->desc.generation = part->topic->generation;
        parcel->desc.partition = part->partition;
        parcel->desc.start = part->frame_start;
        parcel->desc.end = part->frame_end;
        parcel->desc.sums = parcel->coverage.sums;
        parcel->desc.raw_len = (uint32_t)part->pending;
        parcel->slices = part->pieces;
        parcel->slice_count = part->piece_count;
        parcel->plain = part->pending_plain;
        parcel->last = part->last;
        atomic_fetch_sub_explicit(&collector->pending, part->pending,
                                  memory_order_relaxed);
        part->pieces = NULL;
        part->piece_count = 0;
        part->piece_cap = 0;
        part->pending = 0;
        part->pending_plain = false;
        part->settled = false;
        part->small = NULL;
    }
    collector->emit(collector->data, parcel);
    return KBP_OK;
}

static int more_pieces(struct kb_part *part, struct kbp_error *err)
{
    size_t cap = part->piece_cap ? part->piece_cap * 2 : 4;
    struct kb_slice *pieces;

    if (part->piece_count < part->piece_cap)
        return KBP_OK;
    pieces = realloc(part->pieces, cap * sizeof *pieces);
    if (!pieces)
        return kb_fail_nomem(err, "a frame");
    part->pieces = pieces;
    part->piece_cap = cap;
    return KBP_OK;
}

/* A copy in a block of its own. */
static struct kb_block *copy_of(struct kb_collector *collector,
                                const uint8_t *bytes, size_t len)
{
    struct kb_block *block;

    kb_budget_force(collector->budget, len);
    block = kb_block_new(collector->budget, len, len);
    if (!block) {
        kb_budget_give(collector->budget, len);
        return NULL;
    }
    memcpy(block->data, bytes, len);
    block->len = len;
    return block;
}

/* Put the batch's bytes behind those that wait. */
static int add_piece(struct kb_collector *collector, struct kb_part *part,
                     const struct kb_walk_item *item, struct kb_block *block,
                     struct kbp_error *err)
{
    const struct kb_batch *batch = &item->batch;
    struct kb_slice *last;
    int rc;

    if (item->made) {
        struct kb_block *copy = copy_of(collector, batch->bytes, batch->len);

        rc = copy ? more_pieces(part, err)
                  : kb_fail_nomem(err, "a batch that was rewritten");
        if (rc == KBP_OK)
            part->pieces[part->piece_count++] =
                kb_slice_of(copy, copy->data, copy->len);
        kb_block_unref(copy);
        return rc;
    }
    last = part->piece_count > 0 ? &part->pieces[part->piece_count - 1] : NULL;
    if (last && last->block == block &&
        last->data + last->len == batch->bytes) {
        last->len += batch->len;
        return KBP_OK;
    }
    rc = more_pieces(part, err);
    if (rc == KBP_OK)
        part->pieces[part->piece_count++] =
            kb_slice_of(block, batch->bytes, batch->len);
    return rc;
}

static int add_batch(struct kb_collector *collector, struct kb_part *part,
                     const struct kb_walk_item *item, struct kb_block *block,
                     struct kbp_error *err)
{
    const struct kb_batch *batch = &item->batch;
    bool plain = (batch->attributes & KB_BATCH_CODEC) == 0;
    struct kb_stored_batch stored = {
        .base_offset = batch->base_offset,
        .next_offset = item->end,
        .records = (uint32_t)batch->count,
        .bytes = (uint32_t)batch->len,
        .max_timestamp = batch->max_timestamp,
    };
    int rc;

    if ((part->piece_count > 0 && plain != part->pending_plain &&
         part->pending >= MIX) ||
        part->pending + batch->len >= KB_FRAME_MAX_BYTES) {
        rc = emit(collector, part, err);
        if (rc != KBP_OK)
            return rc;
    }
    rc = add_piece(collector, part, item, block, err);
    if (rc != KBP_OK)
        return rc;
    if (part->pending == 0)
        part->frame_start = batch->base_offset;
    part->frame_end = item->end;
    part->pending += batch->len;
    part->pending_plain |= plain;
    part->settled = false;
    atomic_fetch_add_explicit(&collector->pending, batch->len,
                              memory_order_relaxed);
    part->last = item->last;
    rc = kb_coverage_batch(&part->coverage, &stored, err);
    if (rc == KBP_OK && collector->uncommitted &&
        (batch->attributes & KB_BATCH_TRANSACTIONAL) && batch->producer_id >= 0)
        rc = kb_txns_open(&part->open, batch->producer_id, batch->base_offset,
                          err);
    if (rc == KBP_OK &&
        part->pending >= (part->pending_plain ? collector->frame_bytes
                                              : collector->pass_bytes))
        rc = emit(collector, part, err);
    return rc;
}

/* Offsets that aren't stored; a marker decides over some that are. */
static int add_skip(struct kb_part *part, const struct kb_walk_item *item,
                    struct kbp_error *err)
{
    struct kb_txn txn;
    int rc = kb_coverage_skip(&part->coverage, item->reason, item->end, err);

    if (rc != KBP_OK || item->marker == KB_MARKER_NONE ||
        !kb_txns_close(&part->open, item->producer_id, &txn) ||
        item->marker != KB_MARKER_ABORT)
        return rc;
    txn.end = item->end;
    return kb_txns_add(&part->coverage.aborted, &txn, err);
}

int kb_collect_add(struct kb_collector *collector, struct kb_part *part,
                   const struct kb_walk_item *item, struct kb_block *block,
                   struct kbp_error *err)
{
    int rc;

    (void)pthread_mutex_lock(&part->lock);
    if (item->kind == KB_WALK_BATCH)
        rc = add_batch(collector, part, item, block, err);
    else
        rc = add_skip(part, item, err);
    if (rc == KBP_OK && part->coverage.ranges.count >= MANY_RANGES)
        rc = emit(collector, part, err);
    (void)pthread_mutex_unlock(&part->lock);
    return rc;
}

/* One small block with all that waits. */
static int gather(struct kb_collector *collector, struct kb_part *part,
                  struct kbp_error *err)
{
    struct kb_block *first = part->pieces[0].block;
    size_t cap = 4096;
    struct kb_block *block;
    size_t from = 0;
    size_t i;

    /* The first piece is what was gathered before; there may be room in it. */
    if (first == part->small && first->cap >= part->pending) {
        block = first;
        from = 1;
    } else {
        while (cap < part->pending)
            cap *= 2;
        if (cap > SMALL)
            cap = part->pending > SMALL ? part->pending : SMALL;
        kb_budget_force(collector->budget, cap);
        block = kb_block_new(collector->budget, cap, cap);
        if (!block) {
            kb_budget_give(collector->budget, cap);
            return kb_fail_nomem(err, "records that wait");
        }
    }
    for (i = from; i < part->piece_count; i++) {
        memcpy(block->data + block->len, part->pieces[i].data,
               part->pieces[i].len);
        block->len += part->pieces[i].len;
        kb_slice_release(&part->pieces[i]);
    }
    assert(block->len == part->pending);
    part->pieces[0].block = block;
    part->pieces[0].data = block->data;
    part->pieces[0].len = block->len;
    part->piece_count = 1;
    part->small = block;
    part->settled = true;
    return KBP_OK;
}

int kb_collect_settle(struct kb_collector *collector, struct kb_part *part,
                      struct kbp_error *err)
{
    int rc = KBP_OK;

    (void)pthread_mutex_lock(&part->lock);
    if (part->piece_count > 0 && !part->settled)
        rc = part->pending >= SMALL ? emit(collector, part, err)
                                    : gather(collector, part, err);
    (void)pthread_mutex_unlock(&part->lock);
    return rc;
}

int kb_collect_flush(struct kb_collector *collector, struct kb_part *part,
                     struct kbp_error *err)
{
    int rc = KBP_OK;

    (void)pthread_mutex_lock(&part->lock);
    if (part->coverage.end > part->coverage.start)
        rc = emit(collector, part, err);
    (void)pthread_mutex_unlock(&part->lock);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_walk.c - what a backup makes of the batches of an answer: each offset
 * once and in order, whatever the broker sends.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "backup/walk.h"
#include "base/bytes.h"
#include "fuzz_codecs.h"

#define ABORTED_MAX 8
#define ABORTED_BYTES 16u

/* Compare with what was stored, whatever comes of it. */
static void check_again(const struct kb_fetched *fetched,
                        const struct kb_last_batch *last, int64_t position)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_walk walk = {.at = NULL};
    struct kb_walk_item item;

    kb_walk_begin(&walk, fetched);
    walk.position = position;
    walk.end = KB_NO_END;
    walk.codecs = fuzz_codecs();
    walk.check = last;
    while (kb_walk_next(&walk, &item, &err) == 1)
        ;
    kb_walk_release(&walk);
}

static void walk_from(const struct kb_fetched *fetched, int64_t position,
                      int64_t end, bool keep_aborted)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_walk walk = {.at = NULL};
    struct kb_last_batch last = {.known = false};
    struct kb_walk_item item;

    kb_walk_begin(&walk, fetched);
    walk.position = position;
    walk.end = end;
    walk.keep_aborted = keep_aborted;
    walk.codecs = fuzz_codecs();
    while (kb_walk_next(&walk, &item, &err) == 1) {
        if (item.end <= position || walk.position != item.end)
            abort();
        if (item.kind == KB_WALK_BATCH &&
            (item.batch.base_offset != position || item.batch.count < 1 ||
             item.batch.count > item.end - position ||
             kb_batch_next_offset(&item.batch) != item.end ||
             kb_batch_check(&item.batch, &err) != KBP_OK))
            abort();
        if (item.kind == KB_WALK_BATCH && !item.last.known)
            abort();
        if (item.kind == KB_WALK_BATCH)
            last = item.last;
        position = item.end;
    }
    if (last.known)
        check_again(fetched, &last, position);
    kb_walk_release(&walk);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t aborted[ABORTED_MAX * ABORTED_BYTES];
    struct kb_fetched fetched = {.version = 11};
    struct kbp_error err = KB_ERR_INIT;
    uint8_t *copy = malloc(len ? len : 1);
    struct kb_batch batch;
    int64_t first = 0;
    size_t at = 0;
    unsigned seen = 0;

    if (!copy)
        return 0;
    if (len > 0)
        memcpy(copy, bytes, len);
    /* Checksums that fit, so that it comes further than to them. */
    while (at < len &&
           kb_batch_parse(copy + at, len - at, &batch, &err) == KBP_OK) {
        kb_batch_seal(copy + at, batch.len);
        if (seen == 0)
            first = batch.base_offset;
        if (seen % 2 == 0 && fetched.aborted_count < ABORTED_MAX) {
            uint8_t *to = aborted + ABORTED_BYTES * fetched.aborted_count++;

            kb_store_be64(to, (uint64_t)batch.producer_id);
            kb_store_be64(to + 8, (uint64_t)batch.base_offset);
        }
        at += batch.len;
        seen++;
    }
    fetched.aborted = aborted;
    fetched.aborted_len = ABORTED_BYTES * fetched.aborted_count;
    fetched.records = copy;
    fetched.records_len = len;
    walk_from(&fetched, 0, KB_NO_END, false);
    walk_from(&fetched, first, KB_NO_END, true);
    if (first < INT64_MAX - 4) {
        walk_from(&fetched, first + 1, KB_NO_END, true);
        walk_from(&fetched, first, first + 3, false);
    }
    free(copy);
    return 0;
}

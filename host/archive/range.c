/* SPDX-License-Identifier: Apache-2.0 */
/* range.c - offsets that aren't stored, and the sums over those that are. */
#include "archive/range.h"

#include <inttypes.h>
#include <stdlib.h>

static const struct {
    char letter;
    const char *word;
    const char *text;
} kinds[KB_RANGE_KINDS] = {
#define XX(name, letter, word, text) {letter, word, text},
    KB_RANGE_MAP(XX)
#undef XX
};

const char *kb_range_word(enum kb_range_kind kind)
{
    return (unsigned)kind < KB_RANGE_KINDS ? kinds[kind].word : "unknown";
}

const char *kb_range_text(enum kb_range_kind kind)
{
    return (unsigned)kind < KB_RANGE_KINDS ? kinds[kind].text : "unknown";
}

char kb_range_letter(enum kb_range_kind kind)
{
    return (unsigned)kind < KB_RANGE_KINDS ? kinds[kind].letter : '?';
}

bool kb_range_of_letter(char letter, enum kb_range_kind *kind)
{
    int i;

    for (i = 0; i < KB_RANGE_KINDS; i++)
        if (kinds[i].letter == letter) {
            *kind = (enum kb_range_kind)i;
            return true;
        }
    return false;
}

void kb_ranges_release(struct kb_ranges *ranges)
{
    free(ranges->items);
    ranges->items = NULL;
    ranges->count = 0;
    ranges->cap = 0;
}

int kb_ranges_add(struct kb_ranges *ranges, enum kb_range_kind kind,
                  int64_t start, int64_t end, struct kbp_error *err)
{
    struct kb_range *last =
        ranges->count > 0 ? &ranges->items[ranges->count - 1] : NULL;

    if (start < 0 || end <= start || (last && start < last->end))
        return kb_fail(err, KBP_ERR_MISUSE,
                       "range %" PRId64 " to %" PRId64
                       " doesn't follow the one before",
                       start, end);
    if (last && last->end == start && last->kind == kind) {
        last->end = end;
        return KBP_OK;
    }
    if (ranges->count == ranges->cap) {
        size_t cap = ranges->cap > 0 ? ranges->cap * 2 : 4;
        struct kb_range *items =
            reallocarray(ranges->items, cap, sizeof *items);

        if (!items)
            return kb_fail_nomem(err, "ranges of offsets");
        ranges->items = items;
        ranges->cap = cap;
    }
    ranges->items[ranges->count].start = start;
    ranges->items[ranges->count].end = end;
    ranges->items[ranges->count].kind = kind;
    ranges->count++;
    return KBP_OK;
}

size_t kb_ranges_behind(const struct kb_ranges *ranges, int64_t offset)
{
    size_t low = 0;
    size_t high = ranges->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (ranges->items[mid].end <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

uint64_t kb_ranges_total(const struct kb_ranges *ranges)
{
    uint64_t total = 0;
    size_t i;

    for (i = 0; i < ranges->count; i++)
        total += (uint64_t)(ranges->items[i].end - ranges->items[i].start);
    return total;
}

void kb_sums_add(struct kb_sums *sums, const struct kb_sums *more)
{
    if (more->batches == 0)
        return;
    if (sums->batches == 0) {
        *sums = *more;
        return;
    }
    sums->records += more->records;
    sums->missing += more->missing;
    sums->batches += more->batches;
    if (more->max_timestamp > sums->max_timestamp)
        sums->max_timestamp = more->max_timestamp;
    if (more->largest_batch > sums->largest_batch)
        sums->largest_batch = more->largest_batch;
    sums->min_known = sums->min_known && more->min_known;
    if (!sums->min_known)
        sums->min_timestamp = 0;
    else if (more->min_timestamp < sums->min_timestamp)
        sums->min_timestamp = more->min_timestamp;
}

void kb_coverage_init(struct kb_coverage *coverage, int64_t start)
{
    *coverage = (struct kb_coverage){.start = start, .end = start};
}

void kb_coverage_release(struct kb_coverage *coverage)
{
    kb_ranges_release(&coverage->ranges);
    kb_txns_release(&coverage->aborted);
    kb_txns_release(&coverage->open);
}

void kb_coverage_reset(struct kb_coverage *coverage, int64_t start)
{
    coverage->start = start;
    coverage->end = start;
    coverage->sums = (struct kb_sums){0};
    coverage->ranges.count = 0;
    coverage->aborted.count = 0;
    coverage->open.count = 0;
}

int kb_coverage_batch(struct kb_coverage *coverage,
                      const struct kb_stored_batch *batch,
                      struct kbp_error *err)
{
    struct kb_sums one = {0};
    int64_t offsets;

    if (batch->base_offset != coverage->end)
        return kb_fail(err, KBP_ERR_MISUSE,
                       "batch at offset %" PRId64 " where %" PRId64
                       " was to be accounted for",
                       batch->base_offset, coverage->end);
    if (__builtin_sub_overflow(batch->next_offset, batch->base_offset,
                               &offsets) ||
        offsets <= 0 || batch->records > (uint64_t)offsets)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "batch at offset %" PRId64 " holds %" PRIu32
                       " records for the offsets up to %" PRId64,
                       batch->base_offset, batch->records, batch->next_offset);
    one.records = batch->records;
    one.missing = (uint64_t)offsets - batch->records;
    one.batches = 1;
    one.largest_batch = batch->bytes;
    one.max_timestamp = batch->max_timestamp;
    one.min_known = batch->min_known;
    one.min_timestamp = batch->min_known ? batch->min_timestamp : 0;
    kb_sums_add(&coverage->sums, &one);
    coverage->end = batch->next_offset;
    return KBP_OK;
}

int kb_coverage_skip(struct kb_coverage *coverage, enum kb_range_kind kind,
                     int64_t end, struct kbp_error *err)
{
    int rc;

    if (end == coverage->end)
        return KBP_OK;
    rc = kb_ranges_add(&coverage->ranges, kind, coverage->end, end, err);
    if (rc == KBP_OK)
        coverage->end = end;
    return rc;
}

int kb_account_check(int64_t start, int64_t end, const struct kb_sums *sums,
                     uint64_t in_ranges, struct kbp_error *err)
{
    uint64_t sum;
    int64_t offsets;

    if (start >= 0 && !__builtin_sub_overflow(end, start, &offsets) &&
        offsets >= 0 &&
        !__builtin_add_overflow(sums->records, sums->missing, &sum) &&
        !__builtin_add_overflow(sum, in_ranges, &sum) &&
        sum == (uint64_t)offsets)
        return KBP_OK;
    return kb_fail(err, KBP_ERR_CORRUPT,
                   "offsets %" PRId64 " to %" PRId64
                   " aren't accounted for: %" PRIu64 " records, %" PRIu64
                   " missing inside batches, %" PRIu64 " in ranges",
                   start, end, sums->records, sums->missing, in_ranges);
}

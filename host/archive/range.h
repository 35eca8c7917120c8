/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range.h - every offset is accounted for: what is stored, and why the rest
 * is not, in the words that Kafka's wire supports and no stronger.
 *
 * Offsets are half open everywhere: [start, end).
 */
#ifndef KB_ARCHIVE_RANGE_H
#define KB_ARCHIVE_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/txn.h"

/*
 * Why offsets are not stored.  XX(NAME, letter on disk, word in output, text).
 * What is stored has no kind: the frames say it.
 */
#define KB_RANGE_MAP(XX)                                                       \
    XX(MARKER, 'm', "marker", "transaction marker")                            \
    XX(ABORTED, 'a', "aborted", "aborted transaction")                         \
    XX(BEFORE_START, 'b', "before_log_start",                                  \
       "before log start (retention or DeleteRecords)")                        \
    XX(CLEANED, 'c', "removed_by_cleaner",                                     \
       "removed by the log cleaner (compaction, aborted data or old markers; " \
       "Kafka does not say which)")                                            \
    XX(ABSENT, 'x', "absent", "absent, cause unknown")                         \
    XX(OPEN_TXN, 'o', "open_transaction", "not fetched (open transaction)")    \
    XX(FILTERED, 'f', "filtered", "filtered")                                  \
    XX(NOT_FETCHED, 'n', "not_fetched", "not fetched (the run ended before)")

enum kb_range_kind {
#define XX(name, letter, word, text) KB_RANGE_##name,
    KB_RANGE_MAP(XX)
#undef XX
        KB_RANGE_KINDS
};

/* "removed_by_cleaner" for JSON; the sentence for people. Never NULL. */
const char *kb_range_word(enum kb_range_kind kind);
const char *kb_range_text(enum kb_range_kind kind);
char kb_range_letter(enum kb_range_kind kind);
/* False if it stands for none. */
bool kb_range_of_letter(char letter, enum kb_range_kind *kind);

struct kb_range {
    int64_t start;
    int64_t end; /* > start */
    enum kb_range_kind kind;
};

struct kb_ranges {
    struct kb_range *items; /* ascending, without overlap */
    size_t count;
    size_t cap;
};

void kb_ranges_release(struct kb_ranges *ranges);

/*
 * Append; `start` is at or behind the last end (else KBP_ERR_MISUSE).  One
 * that adjoins the last and is of its kind is joined with it.
 */
int kb_ranges_add(struct kb_ranges *ranges, enum kb_range_kind kind,
                  int64_t start, int64_t end, struct kbp_error *err);

/* The first that reaches behind `offset`; `count`: none does. */
size_t kb_ranges_behind(const struct kb_ranges *ranges, int64_t offset);

/* The sum of their lengths. */
uint64_t kb_ranges_total(const struct kb_ranges *ranges);

/*
 * Sums over stored batches.  All zero is none: `batches` tells.
 */
struct kb_sums {
    uint64_t records;
    uint64_t missing; /* offsets inside batches which have no record */
    uint64_t batches;
    int64_t max_timestamp;  /* of the batches' headers */
    int64_t min_timestamp;  /* only if min_known: of every record walked */
    uint32_t largest_batch; /* bytes */
    bool min_known;         /* records of ALL its batches were walked */
};

/* Add what `more` says to `sums`. */
void kb_sums_add(struct kb_sums *sums, const struct kb_sums *more);

/*
 * How one partition's offsets [start, end) are accounted for so far, built
 * from front to back.  Collecting stages keep one per partition and commit,
 * then make an extent of it (manifest.h).
 */
struct kb_coverage {
    int64_t start;
    int64_t end; /* what comes next begins here */
    struct kb_sums sums;
    struct kb_ranges ranges;
    struct kb_txns aborted; /* of stored records; their markers are in here */
    struct kb_txns open;    /* undecided at `end`, with records stored */
};

void kb_coverage_init(struct kb_coverage *coverage, int64_t start);
void kb_coverage_release(struct kb_coverage *coverage);

/* Forget all and go on at `start`, keeping memory. */
void kb_coverage_reset(struct kb_coverage *coverage, int64_t start);

/* What kb_coverage_batch() is told of a stored batch. */
struct kb_stored_batch {
    int64_t base_offset;
    int64_t next_offset;   /* base + last offset delta + 1 */
    uint32_t records;      /* the batch header's count */
    uint32_t bytes;        /* of the whole batch */
    int64_t max_timestamp; /* the batch header's */
    int64_t min_timestamp;
    bool min_known; /* its records were walked */
};

/*
 * A stored batch, which begins at `end` exactly: account for a hole in front
 * of it first.  KBP_ERR_MISUSE otherwise, KBP_ERR_CORRUPT if it holds more
 * records than offsets.
 */
int kb_coverage_batch(struct kb_coverage *coverage,
                      const struct kb_stored_batch *batch,
                      struct kbp_error *err);

/*
 * [coverage->end, end) is not stored, because of `kind`; nothing if it is
 * empty.
 */
int kb_coverage_skip(struct kb_coverage *coverage, enum kb_range_kind kind,
                     int64_t end, struct kbp_error *err);

/*
 * The invariant: records + missing + ranges = end - start.  KBP_ERR_CORRUPT
 * with the figures if it doesn't hold.
 */
int kb_account_check(int64_t start, int64_t end, const struct kb_sums *sums,
                     uint64_t in_ranges, struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * txn.h - transactions of a partition whose records are stored although they
 * were aborted, or weren't decided yet: a backup with read_uncommitted.
 *
 * Markers aren't stored, so the batches alone don't tell.  A stored batch is
 * of an aborted transaction if it is transactional and a row has its producer
 * and its base offset in [start, end).  Lists belong to one thread at a time.
 */
#ifndef KB_ARCHIVE_TXN_H
#define KB_ARCHIVE_TXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct kb_txn {
    int64_t producer_id;
    int64_t start; /* base offset of the first batch that is stored */
    int64_t end;   /* behind the marker; an open one's is 0 */
};

/* All-zero is empty. */
struct kb_txns {
    struct kb_txn *items;
    size_t count;
    size_t cap;
};

void kb_txns_release(struct kb_txns *txns);
int kb_txns_add(struct kb_txns *txns, const struct kb_txn *txn,
                struct kbp_error *err);
int kb_txns_append(struct kb_txns *txns, const struct kb_txns *more,
                   struct kbp_error *err);

/* Replace what `to` has; it stays as it is on failure. */
int kb_txns_copy(struct kb_txns *to, const struct kb_txns *from,
                 struct kbp_error *err);

/* The producer stored a batch: its transaction is open from there on. */
int kb_txns_open(struct kb_txns *open, int64_t producer_id, int64_t start,
                 struct kbp_error *err);

/* Its marker came: take it out. False if there was none of it. */
bool kb_txns_close(struct kb_txns *open, int64_t producer_id,
                   struct kb_txn *txn);

/* By producer, then start: for kb_txns_hold(). */
void kb_txns_sort(struct kb_txns *txns);

/* Whether a row has the producer, and the offset in [start, end). Sorted. */
bool kb_txns_hold(const struct kb_txns *txns, int64_t producer_id,
                  int64_t offset);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* txn.c - lists of transactions whose records are stored all the same. */
#include "archive/txn.h"

#include <stdlib.h>
#include <string.h>

void kb_txns_release(struct kb_txns *txns)
{
    free(txns->items);
    *txns = (struct kb_txns){0};
}

static int more(struct kb_txns *txns, size_t count, struct kbp_error *err)
{
    size_t cap = txns->cap > 0 ? txns->cap : 4;
    struct kb_txn *items;

    if (count <= txns->cap)
        return KBP_OK;
    while (cap < count)
        cap *= 2;
    items = reallocarray(txns->items, cap, sizeof *items);
    if (!items)
        return kb_fail_nomem(err, "a list of transactions");
    txns->items = items;
    txns->cap = cap;
    return KBP_OK;
}

int kb_txns_add(struct kb_txns *txns, const struct kb_txn *txn,
                struct kbp_error *err)
{
    int rc = more(txns, txns->count + 1, err);

    if (rc == KBP_OK)
        txns->items[txns->count++] = *txn;
    return rc;
}

int kb_txns_append(struct kb_txns *txns, const struct kb_txns *from,
                   struct kbp_error *err)
{
    int rc = more(txns, txns->count + from->count, err);

    if (rc == KBP_OK && from->count > 0) {
        memcpy(txns->items + txns->count, from->items,
               from->count * sizeof *from->items);
        txns->count += from->count;
    }
    return rc;
}

int kb_txns_copy(struct kb_txns *to, const struct kb_txns *from,
                 struct kbp_error *err)
{
    int rc = more(to, from->count, err);

    if (rc != KBP_OK)
        return rc;
    to->count = 0;
    return kb_txns_append(to, from, err);
}

static size_t find(const struct kb_txns *open, int64_t producer_id)
{
    size_t i;

    for (i = 0; i < open->count; i++)
        if (open->items[i].producer_id == producer_id)
            break;
    return i;
}

int kb_txns_open(struct kb_txns *open, int64_t producer_id, int64_t start,
                 struct kbp_error *err)
{
    const struct kb_txn txn = {producer_id, start, 0};

    return find(open, producer_id) < open->count ? KBP_OK
                                                 : kb_txns_add(open, &txn, err);
}

bool kb_txns_close(struct kb_txns *open, int64_t producer_id,
                   struct kb_txn *txn)
{
    size_t at = find(open, producer_id);

    if (at == open->count)
        return false;
    *txn = open->items[at];
    open->items[at] = open->items[--open->count];
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct kb_txn *a = left;
    const struct kb_txn *b = right;

    if (a->producer_id != b->producer_id)
        return a->producer_id < b->producer_id ? -1 : 1;
    return (a->start > b->start) - (a->start < b->start);
}

void kb_txns_sort(struct kb_txns *txns)
{
    if (txns->count > 1)
        qsort(txns->items, txns->count, sizeof *txns->items, compare);
}

bool kb_txns_hold(const struct kb_txns *txns, int64_t producer_id,
                  int64_t offset)
{
    const struct kb_txn key = {producer_id, offset, 0};
    size_t low = 0;
    size_t high = txns->count;

    /* The last that begins at or before it: those of a producer are apart. */
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (compare(&txns->items[mid], &key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 && txns->items[low - 1].producer_id == producer_id &&
           offset < txns->items[low - 1].end;
}

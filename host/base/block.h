/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block.h - reference-counted memory, and slices of it.
 *
 * A response is read into one block; the batches in it are slices which hold
 * it, so that bytes pass from the socket to the store without a copy.  A block
 * is counted whole against its budget until the last reference goes.  Memory
 * of the usual size is kept for the next block: page faults cost as much as
 * the copy which was saved.  [any thread]
 */
#ifndef KB_BASE_BLOCK_H
#define KB_BASE_BLOCK_H

#include <stdint.h>

#include "base/atomic.h"
#include "base/budget.h"

struct kb_block {
    unsigned refs;            /* by __atomic, which C++ tests can include */
    struct kb_budget *budget; /* or NULL */
    size_t charged;           /* bytes taken from the budget */
    size_t cap;
    size_t len; /* bytes in use, the owner's affair */
    uint8_t *data;
};

struct kb_slice {
    struct kb_block *block; /* NULL: the bytes live elsewhere */
    const uint8_t *data;
    size_t len;
};

/*
 * A block of at least `cap` bytes with one reference.  `charged` bytes were
 * taken from `budget` by the caller and are given back with the block; on
 * failure (NULL: out of memory) they stay the caller's.
 */
struct kb_block *kb_block_new(struct kb_budget *budget, size_t charged,
                              size_t cap);

struct kb_block *kb_block_ref(struct kb_block *block);

/* NULL is fine. */
void kb_block_unref(struct kb_block *block);

/* Give back what is charged beyond `charged`: the response was smaller. */
void kb_block_shrink_charge(struct kb_block *block, size_t charged);

/* A slice that holds its block. */
struct kb_slice kb_slice_of(struct kb_block *block, const uint8_t *data,
                            size_t len);
void kb_slice_release(struct kb_slice *slice);

/* Drop what is kept for reuse. */
void kb_block_trim(void);

#endif

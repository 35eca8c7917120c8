/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ready.h - a batch that is ready to be produced, and queues of them.
 *
 * Its bytes are stamped only when it is sent: producer, epoch and sequence are
 * the sender's affair.  Until it is acknowledged it stays in memory, so that a
 * retry is the same batch.
 */
#ifndef KB_RESTORE_READY_H
#define KB_RESTORE_READY_H

#include "archive/restore_state.h"
#include "base/block.h"

struct kb_ready {
    struct kb_ready *next;
    struct kb_block *block; /* holds the bytes; NULL: nothing to send */
    uint8_t *bytes;         /* a whole batch, writable */
    size_t len;
    int32_t count;         /* of records */
    int64_t target_offset; /* where its first record must land */
    int64_t max_timestamp;
    uint32_t source;     /* number in the state's sources */
    int64_t source_next; /* with it, all of the source before this is done */
    bool landed;         /* is in the target already, from an earlier run */
    /* What it is stamped with; sequence -1: not yet. */
    int64_t producer_id;
    int16_t epoch;
    int32_t sequence;
    int32_t next_sequence; /* of the batch behind it */
    struct kb_map map;     /* its records' places */
};

/* All-zero is an empty one. FIFO. [its owner's thread or lock] */
struct kb_ready_list {
    struct kb_ready *head;
    struct kb_ready *tail;
    size_t count;
    size_t bytes;
};

struct kb_ready *kb_ready_new(struct kbp_error *err);
void kb_ready_free(struct kb_ready *ready); /* NULL is fine */

void kb_ready_push(struct kb_ready_list *list, struct kb_ready *ready);
struct kb_ready *kb_ready_pop(struct kb_ready_list *list); /* NULL: empty */

/* Put all of `more` behind `list`; `more` is empty then. */
void kb_ready_append(struct kb_ready_list *list, struct kb_ready_list *more);

/* Put all of `front` before `list`; `front` is empty then. */
void kb_ready_prepend(struct kb_ready_list *list, struct kb_ready_list *front);

void kb_ready_clear(struct kb_ready_list *list);

#endif

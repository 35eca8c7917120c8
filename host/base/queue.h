/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.h - a bounded queue of pointers between threads; FIFO.
 *
 * Closing it wakes everybody: pushes fail at once, pops go on until it is
 * empty.  [any thread]
 */
#ifndef KB_BASE_QUEUE_H
#define KB_BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct kb_queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty;
    pthread_cond_t not_full;
    void **items;
    size_t cap;
    size_t head;
    size_t count;
    bool closed;
};

int kb_queue_init(struct kb_queue *queue, size_t cap, struct kbp_error *err);

/* Items still in it are the caller's to free first. */
void kb_queue_release(struct kb_queue *queue);

/* Wait for room. False if it is closed; the item stays the caller's. */
bool kb_queue_push(struct kb_queue *queue, void *item);

/* The next item; NULL once it is closed and empty. */
void *kb_queue_pop(struct kb_queue *queue);

/* The same, but NULL too when nothing came for `ms`. */
void *kb_queue_pop_for(struct kb_queue *queue, int64_t ms);

void kb_queue_close(struct kb_queue *queue);
size_t kb_queue_count(struct kb_queue *queue);

#endif

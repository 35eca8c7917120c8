/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c - a bounded queue of pointers between threads; FIFO. */
#include "base/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

int kb_queue_init(struct kb_queue *queue, size_t cap, struct kbp_error *err)
{
    pthread_condattr_t attr;
    void **items = calloc(cap, sizeof *items);

    if (!items)
        return kb_fail_nomem(err, "a queue");
    *queue = (struct kb_queue){.items = items, .cap = cap};
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&queue->lock, NULL);
    (void)pthread_cond_init(&queue->not_empty, &attr);
    (void)pthread_cond_init(&queue->not_full, &attr);
    (void)pthread_condattr_destroy(&attr);
    return KBP_OK;
}

void kb_queue_release(struct kb_queue *queue)
{
    if (!queue->items)
        return;
    free(queue->items);
    queue->items = NULL;
    (void)pthread_mutex_destroy(&queue->lock);
    (void)pthread_cond_destroy(&queue->not_empty);
    (void)pthread_cond_destroy(&queue->not_full);
}

bool kb_queue_push(struct kb_queue *queue, void *item)
{
    bool ok;

    (void)pthread_mutex_lock(&queue->lock);
    while (queue->count == queue->cap && !queue->closed)
        (void)pthread_cond_wait(&queue->not_full, &queue->lock);
    ok = !queue->closed;
    if (ok) {
        queue->items[(queue->head + queue->count++) % queue->cap] = item;
        (void)pthread_cond_signal(&queue->not_empty);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return ok;
}

static void *take_head(struct kb_queue *queue)
{
    void *item;

    if (queue->count == 0)
        return NULL;
    item = queue->items[queue->head];
    queue->head = (queue->head + 1) % queue->cap;
    queue->count--;
    (void)pthread_cond_signal(&queue->not_full);
    return item;
}

void *kb_queue_pop(struct kb_queue *queue)
{
    void *item;

    (void)pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed)
        (void)pthread_cond_wait(&queue->not_empty, &queue->lock);
    item = take_head(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    return item;
}

void *kb_queue_pop_for(struct kb_queue *queue, int64_t ms)
{
    struct timespec until;
    void *item;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed)
        if (pthread_cond_timedwait(&queue->not_empty, &queue->lock, &until) ==
            ETIMEDOUT)
            break;
    item = take_head(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    return item;
}

void kb_queue_close(struct kb_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    (void)pthread_cond_broadcast(&queue->not_empty);
    (void)pthread_cond_broadcast(&queue->not_full);
    (void)pthread_mutex_unlock(&queue->lock);
}

size_t kb_queue_count(struct kb_queue *queue)
{
    size_t count;

    (void)pthread_mutex_lock(&queue->lock);
    count = queue->count;
    (void)pthread_mutex_unlock(&queue->lock);
    return count;
}

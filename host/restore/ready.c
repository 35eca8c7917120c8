/* SPDX-License-Identifier: Apache-2.0 */
/* ready.c - a batch that is ready to be produced, and queues of them. */
#include "restore/ready.h"

#include <stdlib.h>

struct kb_ready *kb_ready_new(struct kbp_error *err)
{
    struct kb_ready *ready = calloc(1, sizeof *ready);

    if (!ready) {
        (void)kb_fail_nomem(err, "a batch to be produced");
        return NULL;
    }
    ready->sequence = -1;
    return ready;
}

void kb_ready_free(struct kb_ready *ready)
{
    if (!ready)
        return;
    kb_block_unref(ready->block);
    kb_map_release(&ready->map);
    free(ready);
}

void kb_ready_push(struct kb_ready_list *list, struct kb_ready *ready)
{
    ready->next = NULL;
    if (list->tail)
        list->tail->next = ready;
    else
        list->head = ready;
    list->tail = ready;
    list->count++;
    list->bytes += ready->len;
}

struct kb_ready *kb_ready_pop(struct kb_ready_list *list)
{
    struct kb_ready *ready = list->head;

    if (!ready)
        return NULL;
    list->head = ready->next;
    if (!list->head)
        list->tail = NULL;
    list->count--;
    list->bytes -= ready->len;
    ready->next = NULL;
    return ready;
}

void kb_ready_append(struct kb_ready_list *list, struct kb_ready_list *more)
{
    if (!more->head)
        return;
    if (list->tail)
        list->tail->next = more->head;
    else
        list->head = more->head;
    list->tail = more->tail;
    list->count += more->count;
    list->bytes += more->bytes;
    *more = (struct kb_ready_list){0};
}

void kb_ready_prepend(struct kb_ready_list *list, struct kb_ready_list *front)
{
    kb_ready_append(front, list);
    *list = *front;
    *front = (struct kb_ready_list){0};
}

void kb_ready_clear(struct kb_ready_list *list)
{
    struct kb_ready *ready;

    for (ready = kb_ready_pop(list); ready; ready = kb_ready_pop(list))
        kb_ready_free(ready);
}

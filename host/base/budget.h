/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.h - the one memory budget (`memory_limit`) for all that is buffered.
 *
 * Memory is taken before the bytes are asked for, so that a response which is
 * on its way has its place.  One taker at a time may have more than the whole
 * limit: a batch that is larger must still get through.  [any thread]
 */
#ifndef KB_BASE_BUDGET_H
#define KB_BASE_BUDGET_H

#include <pthread.h>
#include <stddef.h>

#include "base/stop.h"

struct kb_budget {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    size_t limit; /* bytes */
    size_t used;
    size_t peak;
    struct kb_stop *stop;
};

/* `stop` ends waits; it outlives the budget. */
void kb_budget_init(struct kb_budget *budget, size_t limit,
                    struct kb_stop *stop);
void kb_budget_release(struct kb_budget *budget);

/*
 * Wait until `len` bytes fit, and take them.  More than the limit fits when
 * nothing else is taken.  KBP_ERR_CANCELLED after a stop.
 */
int kb_budget_take(struct kb_budget *budget, size_t len, struct kbp_error *err);

/* Take them if they fit now. */
bool kb_budget_try(struct kb_budget *budget, size_t len);

/* Take them in any case: for what is there already and was not foreseen. */
void kb_budget_force(struct kb_budget *budget, size_t len);

void kb_budget_give(struct kb_budget *budget, size_t len);

/* How many bytes are free now (a hint: it may be less a moment later). */
size_t kb_budget_free(struct kb_budget *budget);

#endif

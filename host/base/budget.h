/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.h - the one memory budget (`memory_limit`) for all that is buffered.
 *
 * Memory is taken before the bytes are asked for, so that a response which is
 * on its way has its place.  One taker at a time may have more than the whole
 * limit: a batch that is larger must still get through.
 *
 * First come, first served: who wants much isn't passed by those who want
 * little.  So nobody may wait for memory while others need what it holds, and
 * a claim that isn't wanted any more is withdrawn.  [any thread]
 */
#ifndef KB_BASE_BUDGET_H
#define KB_BASE_BUDGET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/stop.h"

/* A place in the queue; all-zero is none. Its fields are the budget's. */
struct kb_budget_claim {
    struct kb_budget_claim *next;
    size_t len;
    bool waits;
    bool granted;
};

struct kb_budget {
    pthread_mutex_t lock;
    pthread_cond_t granted;
    struct kb_budget_claim *first; /* claims that wait */
    struct kb_budget_claim **last;
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

/*
 * Take them without waiting.  False: the claim stands in the queue; ask again
 * with it and the same `len`, as the memory is kept for it once there is
 * enough, or withdraw it.  One thread at a time for each claim.
 */
bool kb_budget_ask(struct kb_budget *budget, struct kb_budget_claim *claim,
                   size_t len);

/* Leave the queue; what was kept for it is free again. None is fine. */
void kb_budget_withdraw(struct kb_budget *budget,
                        struct kb_budget_claim *claim);

/* Take them if they fit now and nobody waits. */
bool kb_budget_try(struct kb_budget *budget, size_t len);

/* Take them in any case: for what is there already and was not foreseen. */
void kb_budget_force(struct kb_budget *budget, size_t len);

void kb_budget_give(struct kb_budget *budget, size_t len);

/* How many bytes are free now (a hint: it may be less a moment later). */
size_t kb_budget_free(struct kb_budget *budget);

#endif

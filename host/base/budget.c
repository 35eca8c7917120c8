/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c - the one memory budget for all that is buffered. */
#include "base/budget.h"

#include <assert.h>
#include <time.h>

/* How often a wait looks whether it is to stop. */
#define LOOK_NS 200000000L

void kb_budget_init(struct kb_budget *budget, size_t limit,
                    struct kb_stop *stop)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&budget->lock, NULL);
    (void)pthread_cond_init(&budget->granted, &attr);
    (void)pthread_condattr_destroy(&attr);
    budget->first = NULL;
    budget->last = &budget->first;
    budget->limit = limit;
    budget->used = 0;
    budget->peak = 0;
    budget->stop = stop;
}

void kb_budget_release(struct kb_budget *budget)
{
    (void)pthread_mutex_destroy(&budget->lock);
    (void)pthread_cond_destroy(&budget->granted);
}

static bool fits(const struct kb_budget *budget, size_t len)
{
    return budget->used == 0 || (budget->used <= budget->limit &&
                                 len <= budget->limit - budget->used);
}

static void take(struct kb_budget *budget, size_t len)
{
    budget->used += len;
    if (budget->used > budget->peak)
        budget->peak = budget->used;
}

/* Serve the queue as far as there is memory. Under the lock. */
static void grant(struct kb_budget *budget)
{
    bool any = false;

    while (budget->first && fits(budget, budget->first->len)) {
        struct kb_budget_claim *claim = budget->first;

        budget->first = claim->next;
        if (!budget->first)
            budget->last = &budget->first;
        take(budget, claim->len);
        claim->waits = false;
        claim->granted = true;
        any = true;
    }
    if (any)
        (void)pthread_cond_broadcast(&budget->granted);
}

/* Under the lock. */
static bool ask(struct kb_budget *budget, struct kb_budget_claim *claim,
                size_t len)
{
    if (!claim->waits && !claim->granted) {
        *claim = (struct kb_budget_claim){.len = len, .waits = true};
        *budget->last = claim;
        budget->last = &claim->next;
        grant(budget);
    }
    assert(claim->len == len);
    if (!claim->granted)
        return false;
    claim->granted = false;
    return true;
}

/* Under the lock. */
static void withdraw(struct kb_budget *budget, struct kb_budget_claim *claim)
{
    struct kb_budget_claim **at = &budget->first;

    if (claim->granted) {
        claim->granted = false;
        budget->used -= claim->len;
    } else if (claim->waits) {
        while (*at != claim)
            at = &(*at)->next;
        *at = claim->next;
        if (budget->last == &claim->next)
            budget->last = at;
        claim->waits = false;
    }
    grant(budget);
}

bool kb_budget_ask(struct kb_budget *budget, struct kb_budget_claim *claim,
                   size_t len)
{
    bool ok;

    (void)pthread_mutex_lock(&budget->lock);
    ok = ask(budget, claim, len);
    (void)pthread_mutex_unlock(&budget->lock);
    return ok;
}

void kb_budget_withdraw(struct kb_budget *budget, struct kb_budget_claim *claim)
{
    (void)pthread_mutex_lock(&budget->lock);
    withdraw(budget, claim);
    (void)pthread_mutex_unlock(&budget->lock);
}

int kb_budget_take(struct kb_budget *budget, size_t len, struct kbp_error *err)
{
    struct kb_budget_claim claim = {0};
    int status = KBP_OK;

    (void)pthread_mutex_lock(&budget->lock);
    while (!ask(budget, &claim, len)) {
        struct timespec until;

        if (kb_stop_requested(budget->stop)) {
            withdraw(budget, &claim);
            status = kb_fail_stopped(err);
            break;
        }
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_NS;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        (void)pthread_cond_timedwait(&budget->granted, &budget->lock, &until);
    }
    (void)pthread_mutex_unlock(&budget->lock);
    return status;
}

bool kb_budget_try(struct kb_budget *budget, size_t len)
{
    bool ok;

    (void)pthread_mutex_lock(&budget->lock);
    ok = !budget->first && fits(budget, len);
    if (ok)
        take(budget, len);
    (void)pthread_mutex_unlock(&budget->lock);
    return ok;
}

void kb_budget_force(struct kb_budget *budget, size_t len)
{
    (void)pthread_mutex_lock(&budget->lock);
    take(budget, len);
    (void)pthread_mutex_unlock(&budget->lock);
}

void kb_budget_give(struct kb_budget *budget, size_t len)
{
    (void)pthread_mutex_lock(&budget->lock);
    assert(budget->used >= len);
    budget->used -= len;
    grant(budget);
    (void)pthread_mutex_unlock(&budget->lock);
}

size_t kb_budget_free(struct kb_budget *budget)
{
    size_t left;

    (void)pthread_mutex_lock(&budget->lock);
    left = budget->used < budget->limit ? budget->limit - budget->used : 0;
    (void)pthread_mutex_unlock(&budget->lock);
    return left;
}

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
    (void)pthread_cond_init(&budget->freed, &attr);
    (void)pthread_condattr_destroy(&attr);
    budget->limit = limit;
    budget->used = 0;
    budget->peak = 0;
    budget->stop = stop;
}

void kb_budget_release(struct kb_budget *budget)
{
    (void)pthread_mutex_destroy(&budget->lock);
    (void)pthread_cond_destroy(&budget->freed);
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

int kb_budget_take(struct kb_budget *budget, size_t len, struct kbp_error *err)
{
    int status = KBP_OK;

    (void)pthread_mutex_lock(&budget->lock);
    while (!fits(budget, len)) {
        struct timespec until;

        if (kb_stop_requested(budget->stop)) {
            status = kb_fail_stopped(err);
            break;
        }
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_NS;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        (void)pthread_cond_timedwait(&budget->freed, &budget->lock, &until);
    }
    if (status == KBP_OK)
        take(budget, len);
    (void)pthread_mutex_unlock(&budget->lock);
    return status;
}

bool kb_budget_try(struct kb_budget *budget, size_t len)
{
    bool ok;

    (void)pthread_mutex_lock(&budget->lock);
    ok = fits(budget, len);
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
    (void)pthread_cond_broadcast(&budget->freed);
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

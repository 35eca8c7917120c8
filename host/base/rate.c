/* SPDX-License-Identifier: Apache-2.0 */
/* rate.c - a rate limit that holds for the whole run. */
#include "base/rate.h"

#include "base/clock.h"

#define BURST_NS 1000000000

void kb_rate_init(struct kb_rate *rate, uint64_t per_second)
{
    (void)pthread_mutex_init(&rate->lock, NULL);
    rate->per_second = per_second;
    rate->free_at_ns = 0;
}

void kb_rate_release(struct kb_rate *rate)
{
    (void)pthread_mutex_destroy(&rate->lock);
}

bool kb_rate_spend(struct kb_rate *rate, uint64_t amount, struct kb_stop *stop)
{
    int64_t now;
    int64_t wait_ns;
    double cost;

    if (!rate->per_second)
        return kb_stop_requested(stop);
    cost = (double)amount / (double)rate->per_second * 1e9;
    (void)pthread_mutex_lock(&rate->lock);
    now = kb_now_ns();
    if (rate->free_at_ns < now - BURST_NS)
        rate->free_at_ns = now - BURST_NS;
    rate->free_at_ns += cost < 1e17 ? (int64_t)cost : (int64_t)1e17;
    wait_ns = rate->free_at_ns - now;
    (void)pthread_mutex_unlock(&rate->lock);
    if (wait_ns <= 0)
        return kb_stop_requested(stop);
    return kb_stop_sleep(stop, wait_ns / 1000000 + 1);
}

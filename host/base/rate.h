/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate.h - a rate limit that holds for the whole run, shared by its threads.
 *
 * Whoever has sent something says so, and then waits as long as the run as a
 * whole is ahead of the limit.  A second's worth may pass at once, so that
 * large batches don't stutter.  [any thread]
 */
#ifndef KB_BASE_RATE_H
#define KB_BASE_RATE_H

#include <pthread.h>
#include <stdint.h>

#include "base/stop.h"

struct kb_rate {
    pthread_mutex_t lock;
    uint64_t per_second; /* 0: no limit */
    int64_t free_at_ns;  /* when all that was said is within the limit */
};

void kb_rate_init(struct kb_rate *rate, uint64_t per_second);
void kb_rate_release(struct kb_rate *rate);

/* Count `amount`, wait as long as needed. True if it is to stop. */
bool kb_rate_spend(struct kb_rate *rate, uint64_t amount, struct kb_stop *stop);

#endif

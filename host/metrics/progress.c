/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - how far a run is. */
#include "metrics/progress.h"

#include <string.h>

#include "base/clock.h"

static struct kb_progress main_progress = {.store_ok = 1, .brokers_ok = 1};

void kb_progress_init(struct kb_progress *progress)
{
    memset(progress, 0, sizeof *progress);
    atomic_init(&progress->store_ok, 1);
    atomic_init(&progress->brokers_ok, 1);
}

struct kb_progress *kb_progress_main(void)
{
    return &main_progress;
}

void kb_progress_moved(struct kb_progress *progress, uint64_t records,
                       uint64_t bytes)
{
    kb_progress_add(&progress->records, records);
    kb_progress_add(&progress->bytes, bytes);
    atomic_store_explicit(&progress->last_activity_ms, kb_now_ms(),
                          memory_order_relaxed);
}

void kb_progress_committed(struct kb_progress *progress)
{
    atomic_store_explicit(&progress->last_commit_ms, kb_wall_ms(),
                          memory_order_relaxed);
    atomic_store_explicit(&progress->last_activity_ms, kb_now_ms(),
                          memory_order_relaxed);
}

void kb_progress_throttled(struct kb_progress *progress, int64_t ms)
{
    int64_t until = kb_deadline_ms(ms);

    /* Of several brokers the last counts, as nearly as need be. */
    if (until > atomic_load(&progress->throttled_until_ms))
        atomic_store(&progress->throttled_until_ms, until);
}

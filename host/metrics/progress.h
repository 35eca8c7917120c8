/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h - how far a run is: the engines count here, and the line on the
 * terminal, /metrics, /health and the final report read it.
 *
 * Plain atomics, to be added to from any thread; a reader gets numbers that
 * fit together well enough for people.  Nothing here allocates or locks.
 */
#ifndef KB_METRICS_PROGRESS_H
#define KB_METRICS_PROGRESS_H

#include <stdint.h>

#include "base/atomic.h"

enum kb_phase {
    KB_PHASE_STARTING, /* plugins, connections, plan */
    KB_PHASE_RUNNING,
    KB_PHASE_TAILING,   /* continuous: caught up, waits for new records */
    KB_PHASE_FINISHING, /* draining, verifying, committing the last */
    KB_PHASE_DONE
};

struct kb_progress {
    atomic_int phase;           /* enum kb_phase */
    atomic_llong started_ms;    /* kb_now_ms() when the data began to flow */
    atomic_ullong records;      /* fetched, or produced and acknowledged */
    atomic_ullong bytes;        /* of their batches, as on the wire */
    atomic_ullong stored_bytes; /* written to the store, or read from it */
    /* Offsets: what a percentage is made of, holes and markers included. */
    atomic_ullong offsets_done; /* durable and committed, or acknowledged */
    atomic_ullong offsets_total;
    atomic_ullong partitions_done;
    atomic_ullong partitions_total;
    atomic_ullong segments;
    atomic_ullong lag_records;       /* continuous: behind the ends, in sum */
    atomic_llong last_commit_ms;     /* kb_wall_ms(); 0: none yet */
    atomic_llong last_activity_ms;   /* kb_now_ms() when anything moved last */
    atomic_llong throttled_until_ms; /* kb_now_ms(): a broker's quota */
    atomic_ullong retries;
    atomic_ullong errors;
    atomic_ullong partitions_failing; /* continuous: none of it comes */
    atomic_int store_ok;              /* 0 while the store fails; starts as 1 */
    atomic_int brokers_ok; /* 0 while no broker can be reached; starts as 1 */
};

/* All zero but the two that start as 1. */
void kb_progress_init(struct kb_progress *progress);

/* The one of this process: for engines that are handed none. */
struct kb_progress *kb_progress_main(void);

static inline void kb_progress_add(atomic_ullong *counter,
                                   unsigned long long amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

/* Records and the bytes of their batches; notes that something moved. */
void kb_progress_moved(struct kb_progress *progress, uint64_t records,
                       uint64_t bytes);

/* A commit became durable now. */
void kb_progress_committed(struct kb_progress *progress);

/* A broker said that it leaves us waiting for so long: no stall till then. */
void kb_progress_throttled(struct kb_progress *progress, int64_t ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop.h - "the work is to stop": a flag that can be asked and polled.
 *
 * Set once by whoever wants an end (a signal, a failure); what waits polls the
 * descriptor, what works asks between steps.  [any thread, and from signal
 * handlers]
 */
#ifndef KB_BASE_STOP_H
#define KB_BASE_STOP_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/err.h"

struct kb_stop {
    int requested; /* by __atomic, which C++ tests can include */
    int fd;        /* an eventfd, readable once it is requested; never read */
    int watch_fd;  /* a hang-up there is a stop as well; -1: none */
};

int kb_stop_init(struct kb_stop *stop, struct kbp_error *err);
void kb_stop_release(struct kb_stop *stop);
void kb_stop_request(struct kb_stop *stop);

/*
 * Let a hang-up of the peer of `fd` count as a request, too: for those who wait
 * on somebody's behalf.  It is seen by whoever polls (kb_stream_wait()) or
 * looks.  Before the stop is shared between threads.
 */
void kb_stop_watch(struct kb_stop *stop, int fd);

/* Whether it is requested, with a look at the watched descriptor. */
bool kb_stop_look(struct kb_stop *stop);

static inline bool kb_stop_requested(struct kb_stop *stop)
{
    return __atomic_load_n(&stop->requested, __ATOMIC_RELAXED) != 0;
}

/* Sleep, at most until the stop; true if it is requested. */
bool kb_stop_sleep(struct kb_stop *stop, int64_t ms);

/* Fills in KBP_ERR_CANCELLED. */
int kb_fail_stopped(struct kbp_error *err);

#endif

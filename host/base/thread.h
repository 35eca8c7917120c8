/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h - start threads that have a name and leave signals to main(). */
#ifndef KB_BASE_THREAD_H
#define KB_BASE_THREAD_H

#include <pthread.h>

#include "base/err.h"

/* `name` is cut to 15 bytes. Join it with pthread_join(). */
int kb_thread_start(pthread_t *thread, const char *name,
                    void *(*run)(void *data), void *data,
                    struct kbp_error *err);

/* How many processors this process may use; at least 1. */
unsigned kb_cpu_count(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c - start threads that have a name and leave signals to main(). */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>

int kb_thread_start(pthread_t *thread, const char *name,
                    void *(*run)(void *data), void *data, struct kbp_error *err)
{
    char short_name[16];
    sigset_t all;
    sigset_t old;
    pthread_t made;
    int rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&made, NULL, run, data);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return kb_fail_errno(err, rc, "can't start thread %s", name);
    (void)snprintf(short_name, sizeof short_name, "%s", name);
    (void)pthread_setname_np(made, short_name);
    *thread = made;
    return KBP_OK;
}

unsigned kb_cpu_count(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

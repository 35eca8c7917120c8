/* SPDX-License-Identifier: Apache-2.0 */
/* at_exit.c - no pump runs while the program's exit handlers do. */
#include "at_exit.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/clock.h"

/* One that asks a name server or fetches a token isn't waited for longer. */
#define WAIT_MS 2000

struct entry {
    struct entry *next;
    struct kb_pump_set *set;
    pid_t pid; /* in a forked child there are none of the parent's pumps */
};

static struct entry *entries;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void take_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

static void leave_lock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

static void end_pumps(void)
{
    int64_t deadline_ms = kb_deadline_ms(WAIT_MS);
    pid_t pid = getpid();
    struct entry *entry;
    unsigned running;

    take_lock();
    for (entry = entries; entry; entry = entry->next)
        if (entry->pid == pid)
            kb_pump_set_stop(entry->set);
    do {
        running = 0;
        for (entry = entries; entry; entry = entry->next)
            if (entry->pid == pid)
                running += kb_pump_set_running(entry->set);
        if (running > 0)
            (void)usleep(2000);
    } while (running > 0 && kb_now_ms() < deadline_ms);
    leave_lock();
}

static void begin(void)
{
    /* OpenSSL's handler first: the last to come is the first to run. */
    (void)OPENSSL_init_crypto(0, NULL);
    (void)atexit(end_pumps);
    (void)pthread_atfork(take_lock, leave_lock, leave_lock);
}

int kb_at_exit_end(struct kb_pump_set *set, struct kbp_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return kb_fail_nomem(err, "connections");
    (void)pthread_once(&once, begin);
    entry->set = set;
    entry->pid = getpid();
    take_lock();
    entry->next = entries;
    entries = entry;
    leave_lock();
    return KBP_OK;
}

void kb_at_exit_forget(struct kb_pump_set *set)
{
    struct entry **at;
    struct entry *found = NULL;

    take_lock();
    for (at = &entries; *at; at = &(*at)->next)
        if ((*at)->set == set) {
            found = *at;
            *at = found->next;
            break;
        }
    leave_lock();
    free(found);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_gate.c - one at a time fetches credentials; the others wait for it. */
#include "sasl_gate.h"

#include <string.h>
#include <time.h>

#include <kafka-backup/util.h>

#include "sasl_clock.h"

/* Between two attempts to renew what can still be used. */
#define PAUSE_MS 10000
/* A host is asked that often whether to go on, as plugin.h wants. */
#define POLL_NS 100000000L

int kb_gate_init(struct kb_gate *gate)
{
    pthread_condattr_t attr;
    int rc;

    memset(gate, 0, sizeof *gate);
    gate->why.struct_size = sizeof gate->why;
    rc = pthread_mutex_init(&gate->lock, NULL);
    if (rc != 0)
        return rc;
    rc = pthread_condattr_init(&attr);
    if (rc == 0) {
        (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        rc = pthread_cond_init(&gate->left, &attr);
        (void)pthread_condattr_destroy(&attr);
    }
    if (rc != 0)
        (void)pthread_mutex_destroy(&gate->lock);
    return rc;
}

void kb_gate_destroy(struct kb_gate *gate)
{
    (void)pthread_cond_destroy(&gate->left);
    (void)pthread_mutex_destroy(&gate->lock);
}

static void wait_a_little(struct kb_gate *gate)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&gate->left, &gate->lock, &until);
}

/* Copy an error into one that may be of another version. */
static int32_t pass_on(const struct kbp_error *from, struct kbp_error *to)
{
    to->retry_after_ms = from->retry_after_ms;
    if (from->hint[0])
        kbp_hint(to, "%s", from->hint);
    return kbp_fail(to, from->status, from->native, "%s", from->message);
}

int32_t kb_gate_enter(struct kb_gate *gate, const struct kbp_host *host,
                      struct kbp_error *err)
{
    int32_t status = KBP_OK;
    uint64_t awaited;
    int64_t pause;

    (void)pthread_mutex_lock(&gate->lock);
    while (gate->busy) {
        awaited = gate->turn;
        while (gate->busy && gate->turn == awaited && status == KBP_OK) {
            wait_a_little(gate);
            if (host->cancelled(host))
                status = kbp_fail(err, KBP_ERR_CANCELLED, 0,
                                  "cancelled while another connection "
                                  "fetches the credentials");
        }
        if (status == KBP_OK && gate->failed_turn == awaited)
            status = pass_on(&gate->why, err);
        if (status != KBP_OK) {
            (void)pthread_mutex_unlock(&gate->lock);
            return status;
        }
    }
    pause = gate->pause_end_ms ? gate->pause_end_ms - kb_mono_ms() : 0;
    if (pause > 0) {
        status = pass_on(&gate->why, err);
        err->retry_after_ms = (uint32_t)pause;
    } else {
        gate->busy = 1;
        gate->turn++;
    }
    (void)pthread_mutex_unlock(&gate->lock);
    return status;
}

void kb_gate_leave(struct kb_gate *gate, int32_t status,
                   const struct kbp_error *err)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->busy = 0;
    gate->pause_end_ms = 0;
    /* Its own end of time says nothing about that of the others. */
    if (status != KBP_OK && status != KBP_ERR_CANCELLED &&
        status != KBP_ERR_TIMEOUT) {
        gate->failed_turn = gate->turn;
        memcpy(&gate->why, err,
               err->struct_size < sizeof gate->why ? err->struct_size
                                                   : sizeof gate->why);
        gate->why.struct_size = sizeof gate->why;
        if (gate->why.retry_after_ms)
            gate->pause_end_ms = kb_mono_ms() + gate->why.retry_after_ms;
    }
    (void)pthread_cond_broadcast(&gate->left);
    (void)pthread_mutex_unlock(&gate->lock);
}

int64_t kb_gate_again_ms(const struct kbp_error *err, int64_t last_ms)
{
    int64_t pause =
        err->retry_after_ms > PAUSE_MS ? err->retry_after_ms : PAUSE_MS;
    int64_t again = kb_mono_ms() + pause;

    return again < last_ms ? again : last_ms;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* tries.c - when a storage call is made again. */
#include <poll.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "plugin/storage_internal.h"
#include "plugin/store_watch.h"

#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS 10000
#define QUIET_FAILURES                                    \
    2u /* before a user is told that something is retried \
        */

void kb_tries_begin(struct kb_tries *tries, struct kb_store_session *session)
{
    tries->session = session;
    kb_tries_progress(tries);
}

void kb_tries_progress(struct kb_tries *tries)
{
    tries->failed = 0;
    tries->give_up_ms = kb_deadline_ms(tries->session->store->limits.retry_ms);
}

void kb_tries_next(struct kb_tries *tries, struct kbp_error *err)
{
    const struct kb_store *store = tries->session->store;

    kb_err_clear(err);
    kb_host_deadline(&tries->session->host,
                     kb_deadline_ms(store->limits.call_ms));
}

/* Doubled each time, and spread, so that workers don't come back as one. */
static int64_t pause_ms(unsigned failed)
{
    static _Atomic uint32_t spread = 12345;
    uint32_t random = atomic_fetch_add(&spread, 0x9e3779b9u) >> 16;
    int64_t pause = FIRST_PAUSE_MS;

    while (--failed > 0 && pause < LAST_PAUSE_MS)
        pause *= 2;
    if (pause > LAST_PAUSE_MS)
        pause = LAST_PAUSE_MS;
    return pause / 2 + pause * (int64_t)random / (2 * 65536);
}

/* Wait before the next try; KBP_OK, or what stopped it. `named`: the message
   says already of which store it is. */
static int pause_before(struct kb_tries *tries, int64_t left, bool named,
                        struct kbp_error *err)
{
    struct kb_host *host = &tries->session->host;
    int64_t pause = pause_ms(++tries->failed);

    if (err->retry_after_ms > pause)
        pause = err->retry_after_ms;
    if (pause > left)
        pause = left;
    kb_log(tries->failed > QUIET_FAILURES ? KBP_LOG_WARN : KBP_LOG_DEBUG,
           "%s%s%s%s; trying again in %lld ms", named ? "" : "storage ",
           named ? "" : host->who, named ? "" : ": ", err->message,
           (long long)pause);
    if (!host->stop)
        (void)poll(NULL, 0, (int)pause);
    else if (kb_stop_sleep(host->stop, pause))
        return kb_fail_stopped(err);
    return KBP_OK;
}

int kb_tries_failed(struct kb_tries *tries, int status, struct kbp_error *err)
{
    struct kb_host *host = &tries->session->host;
    int64_t left = kb_left_ms(tries->give_up_ms);

    status = kb_host_result(host, status, err);
    kb_store_tell_failed(status, kb_may_retry(status) && left > 0);
    if (!kb_may_retry(status) || left == 0)
        return status;
    return pause_before(tries, left, false, err);
}

int kb_tries_lost(struct kb_tries *tries, int status, struct kbp_error *err)
{
    int64_t left = kb_left_ms(tries->give_up_ms);

    if (status != KBP_ERR_LOST || left == 0)
        return status;
    return pause_before(tries, left, true, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_bound.c - a host with less time, for what can be done without. */
#include "sasl_bound.h"

#include <string.h>

#include "sasl_clock.h"

static const struct kb_bound *of(const struct kbp_host *host)
{
    return host->data;
}

static void bound_log(const struct kbp_host *host, int32_t level,
                      const char *message)
{
    of(host)->real->log(of(host)->real, level, message);
}

/* Not when the time is over: that is a timeout, and nobody's wish to stop. */
static int32_t bound_cancelled(const struct kbp_host *host)
{
    return of(host)->real->cancelled(of(host)->real);
}

static int64_t bound_time_left_ms(const struct kbp_host *host)
{
    int64_t real = of(host)->real->time_left_ms(of(host)->real);
    int64_t left = of(host)->end_ms - kb_mono_ms();

    if (left < 0)
        left = 0;
    return real < left ? real : left;
}

static const void *bound_get_service(const struct kbp_host *host,
                                     const char *id)
{
    return of(host)->real->get_service(of(host)->real, id);
}

const struct kbp_host *kb_bound_host(struct kb_bound *bound,
                                     const struct kbp_host *real, int64_t ms)
{
    int64_t half = real->time_left_ms(real) / 2;

    memset(bound, 0, sizeof *bound);
    bound->real = real;
    bound->end_ms = kb_mono_ms() + (ms < half ? ms : half);
    bound->host.struct_size = sizeof bound->host;
    bound->host.abi_major = real->abi_major;
    bound->host.abi_minor = real->abi_minor;
    bound->host.data = bound;
    bound->host.name = real->name;
    bound->host.version = real->version;
    bound->host.log_level = real->log_level;
    bound->host.log = bound_log;
    bound->host.cancelled = bound_cancelled;
    bound->host.time_left_ms = bound_time_left_ms;
    bound->host.get_service = bound_get_service;
    return &bound->host;
}

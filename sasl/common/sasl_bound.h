/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_bound.h - a host with less time, for what can be done without. */
#ifndef KB_SASL_BOUND_H
#define KB_SASL_BOUND_H

#include <kafka-backup/plugin.h>

/*
 * What an attempt to renew credentials may take while the old ones still do:
 * every connection that begins waits for it.
 */
#if !defined(KB_HURRY_MS)
#define KB_HURRY_MS 5000
#endif

struct kb_bound {
    struct kbp_host host;
    const struct kbp_host *real;
    int64_t end_ms; /* monotonic */
};

/*
 * A host like `real`, for which the call in progress has at most `ms` left, and
 * half of what `real` has, so that something can be done when it has failed.
 * Good for as long as `bound` and `real` are.  [any]
 */
const struct kbp_host *kb_bound_host(struct kb_bound *bound,
                                     const struct kbp_host *real, int64_t ms);

#endif

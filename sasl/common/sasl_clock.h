/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_clock.h - the two clocks, in milliseconds. */
#ifndef KB_SASL_CLOCK_H
#define KB_SASL_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Goes on evenly; what lifetimes are kept in. */
static inline int64_t kb_mono_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Since 1970; what tokens and signatures say. */
static inline int64_t kb_wall_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif

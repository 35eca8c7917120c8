/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - the two clocks, deadlines, and times as text. */
#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

int64_t kb_now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t kb_now_ms(void)
{
    return kb_now_ns() / 1000000;
}

int64_t kb_wall_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t kb_left_ms(int64_t deadline_ms)
{
    int64_t now = kb_now_ms();

    if (deadline_ms == KB_NEVER)
        return KB_NEVER;
    return deadline_ms > now ? deadline_ms - now : 0;
}

int kb_poll_ms(int64_t deadline_ms)
{
    int64_t left = kb_left_ms(deadline_ms);

    if (left == KB_NEVER)
        return -1;
    return left > INT_MAX ? INT_MAX : (int)left;
}

int64_t kb_deadline_ms(int64_t ms)
{
    int64_t now = kb_now_ms();

    return ms < 0 || ms >= KB_NEVER - now ? KB_NEVER : now + ms;
}

char *kb_time_text(char *out, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    int ms = (int)(wall_ms % 1000);
    struct tm tm;

    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    if (!gmtime_r(&seconds, &tm) || tm.tm_year > 8099 || tm.tm_year < -1900) {
        (void)snprintf(out, KB_TIME_TEXT, "%lld ms", (long long)wall_ms);
        return out;
    }
    (void)snprintf(out, KB_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                   tm.tm_min, tm.tm_sec, ms);
    return out;
}

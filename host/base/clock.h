/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the two clocks, deadlines, and times as text. */
#ifndef KB_BASE_CLOCK_H
#define KB_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define KB_NEVER INT64_MAX /* a deadline which doesn't come */

/* Monotonic: for deadlines and rates. */
int64_t kb_now_ms(void);
int64_t kb_now_ns(void);

/* Milliseconds since the epoch: for records and logs. */
int64_t kb_wall_ms(void);

/* What is left until a deadline of kb_now_ms(); 0 when it is past. */
int64_t kb_left_ms(int64_t deadline_ms);

/* The same for poll(): at most INT_MAX, and -1 for KB_NEVER. */
int kb_poll_ms(int64_t deadline_ms);

/* now + ms, without overflow. */
int64_t kb_deadline_ms(int64_t ms);

#define KB_TIME_TEXT 96 /* what the compiler can prove to be enough */

/* "2026-11-24T07:05:20.939Z"; out has KB_TIME_TEXT bytes. Returns out. */
char *kb_time_text(char *out, int64_t wall_ms);

#endif

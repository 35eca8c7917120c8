/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - log lines on stderr, as text or as JSON.  [any thread]
 *
 * Results go to stdout and never through here.  No secret is passed in.
 */
#ifndef KB_BASE_LOG_H
#define KB_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum kb_log_format {
    KB_LOG_TEXT, /* 2026-11-24T07:05:20.939Z WARN  message */
    KB_LOG_JSON  /* {"time":"...","level":"warn","message":"..."} */
};

/* Before threads are started.  `level` is a KBP_LOG_*. */
void kb_log_init(enum kb_log_format format, int32_t level);

int32_t kb_log_level(void);
bool kb_log_on(int32_t level);

/* One line; control bytes are made spaces. */
KB_PRINTF(2, 3)
void kb_log(int32_t level, const char *fmt, ...);

/* An error at `level`, with its hint; `what` may be NULL. */
void kb_log_err(int32_t level, const char *what, const struct kbp_error *err);

/*
 * Called before and after each line is written, where a progress line stands
 * on the terminal; or NULL.
 */
void kb_log_around(void (*before)(void), void (*after)(void));

#define kb_error(...) kb_log(KBP_LOG_ERROR, __VA_ARGS__)
#define kb_warn(...) kb_log(KBP_LOG_WARN, __VA_ARGS__)
#define kb_info(...) kb_log(KBP_LOG_INFO, __VA_ARGS__)
#define kb_debug(...) kb_log(KBP_LOG_DEBUG, __VA_ARGS__)

#endif

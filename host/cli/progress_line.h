/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress_line.h - one live line on the terminal: how far, how fast, how long.
 */
#ifndef KB_CLI_PROGRESS_LINE_H
#define KB_CLI_PROGRESS_LINE_H

#include <stddef.h>

#include "base/err.h"
#include "metrics/progress.h"

/*
 * Draw it on stderr, twice a second, until kb_progress_line_stop().  Log lines
 * go above it.  One at a time.
 */
int kb_progress_line_start(const char *what, struct kb_progress *progress,
                           struct kbp_error *err);

/* Takes the line away; fine without a start. */
void kb_progress_line_stop(void);

/* What was done `ago_ms` before, to tell the present speed. */
struct kb_progress_look {
    int64_t ago_ms;
    unsigned long long records;
    unsigned long long bytes;
};

/* The text of the line, at most `size` - 1 bytes. Returns out. */
char *kb_progress_text(char *out, size_t size, const char *what,
                       struct kb_progress *progress,
                       const struct kb_progress_look *before);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h - does a plugin keep to the contract?
 *
 * Each check runs in a child process of its own, with a time limit, so that a
 * plugin which crashes, hangs or writes where it mustn't fails that check only.
 * To be used by a process without other threads.
 */
#ifndef KB_CHECK_CHECK_H
#define KB_CHECK_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "plugin/settings.h"

enum kb_check_outcome {
    KB_CHECK_PASS,
    KB_CHECK_FAIL,
    KB_CHECK_CRASH,   /* the child died */
    KB_CHECK_TIMEOUT, /* ... or had to be killed */
    KB_CHECK_SKIP,
    KB_CHECK_WARN
};

struct kb_check_result {
    const char *id;   /* "round-trip" */
    const char *what; /* what it shows, a sentence */
    const char *kind; /* "load", "life", "codec"... */
    const char *type; /* the type's name, or "" */
    enum kb_check_outcome outcome;
    const char *message; /* why; may be empty */
    int64_t ms;
};

struct kb_check_options {
    const char *only;        /* a pattern with * and ?; NULL: all */
    const struct kb_kv *kvs; /* settings for open() */
    size_t kv_count;
    uint64_t seed;   /* of what is random; the same gives the same */
    bool in_process; /* for a debugger: no child, no time limit */
};

/* Is told of each result, good for this call. */
typedef void (*kb_check_fn)(void *data, const struct kb_check_result *result);

/*
 * Run all checks that fit the file.  KBP_OK even if some failed: `*failed`
 * counts failures, crashes and timeouts.
 */
int kb_check_run(const char *path, const struct kb_check_options *options,
                 kb_check_fn fn, void *data, size_t *failed,
                 struct kbp_error *err);

/* Tell of all checks there are, without running any. */
void kb_check_list(kb_check_fn fn, void *data);

/* "pass", "fail", "crash", "timeout", "skip", "warn" */
const char *kb_check_word(enum kb_check_outcome outcome);

#endif

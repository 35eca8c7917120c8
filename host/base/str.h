/* SPDX-License-Identifier: Apache-2.0 */
/* str.h - text: numbers with units, patterns, "did you mean". */
#ifndef KB_BASE_STR_H
#define KB_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The whole of `text` as a decimal number; false if it is none or doesn't fit.
 */
bool kb_parse_i64(const char *text, int64_t *value);
bool kb_parse_u64(const char *text, uint64_t *value);
bool kb_parse_double(const char *text, double *value);

/* "134217728", "16MiB", "16MB", "1.5GiB", "512k": bytes; KB is 1000. */
bool kb_parse_bytes(const char *text, uint64_t *bytes);

/* "500" (ms), "500ms", "30s", "15m", "12h", "7d", "1d12h". */
bool kb_parse_ms(const char *text, int64_t *ms);

/* "12.3 MiB"; out has 32 bytes. Returns out. */
char *kb_bytes_text(char *out, uint64_t bytes);

/* "1d 2h", "3m 20s", "850 ms"; out has 32 bytes. Returns out. */
char *kb_duration_text(char *out, int64_t ms);

/* `*`: any run; `?`: one character (UTF-8); all else as it is. */
bool kb_glob_match(const char *pattern, const char *text);

/*
 * The one of `count` names nearest to `word`, if it is near enough to be what
 * was meant; else NULL.
 */
const char *kb_did_you_mean(const char *word, const char *const *names,
                            size_t count);

/* strdup() and asprintf() which return NULL when out of memory. */
char *kb_strdup(const char *text);
__attribute__((format(printf, 1, 2))) char *kb_asprintf(const char *fmt, ...);

/* Whether it is valid UTF-8. */
bool kb_utf8_ok(const void *bytes, size_t len);

#endif

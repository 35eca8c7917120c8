/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_text.h - text that may hold a secret, and text from a stranger. */
#ifndef KB_SASL_TEXT_H
#define KB_SASL_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <kafka-backup/plugin.h>
#include <kafka-backup/util.h>

/*
 * A growing text of at most `max` bytes.  What it held is wiped when it moves
 * and when it is released, so it may hold a secret.  The first failure sticks:
 * add as much as you like, then look at `status`.  All zero is an empty one
 * that takes nothing; use kb_text_init().
 */
struct kb_text {
    char *bytes; /* ends with a NUL that `len` doesn't count; NULL if empty */
    size_t len;
    size_t cap;
    size_t max;
    int32_t status; /* KBP_OK, KBP_ERR_NOMEM or KBP_ERR_LIMIT */
};

void kb_text_init(struct kb_text *text, size_t max);
void kb_text_add(struct kb_text *text, const void *bytes, size_t len);
void kb_text_puts(struct kb_text *text, const char *str);
/* Percent-encode all but [A-Za-z0-9-_.~], and `keep` where it isn't 0. */
void kb_text_urlencode(struct kb_text *text, const char *str, char keep);
/* The text, or "" when there is none.  Good until the next call. */
const char *kb_text_str(const struct kb_text *text);
/* Empty it, wiped, but keep its limit. */
void kb_text_clear(struct kb_text *text);
void kb_text_release(struct kb_text *text);
/* Give the string away, to be freed by kb_wipe_free(); NULL on failure. */
char *kb_text_detach(struct kb_text *text);

/* free() a string, wiped before; NULL is fine. */
void kb_wipe_free(char *str);

/* strdup() that takes NULL for NULL. */
char *kb_dup(const char *str);

/*
 * Copy bytes from outside so that they fit into an error or a log line: valid
 * UTF-8 without control bytes, anything else as '?'.  Cut at `size`.
 */
const char *kb_clean(char *to, size_t size, const void *from, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - bytes which are wiped when they are let go. */
#ifndef KB_BASE_SECRET_H
#define KB_BASE_SECRET_H

#include "base/err.h"

struct kb_secret {
    char *text; /* ends with NUL; NULL when there is none */
    size_t len;
};

/* Copy. */
int kb_secret_set(struct kb_secret *secret, const char *text, size_t len,
                  struct kbp_error *err);

/* Wipe and free; takes zero values. */
void kb_secret_release(struct kb_secret *secret);

/* Wipe and free a string of malloc(); NULL is fine. */
void kb_free_secret_text(char *text);

#endif

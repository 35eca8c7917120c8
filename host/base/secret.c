/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c - bytes which are wiped when they are let go. */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

int kb_secret_set(struct kb_secret *secret, const char *text, size_t len,
                  struct kbp_error *err)
{
    char *copy = malloc(len + 1);

    if (!copy)
        return kb_fail_nomem(err, "a secret");
    memcpy(copy, text, len);
    copy[len] = '\0';
    kb_secret_release(secret);
    secret->text = copy;
    secret->len = len;
    return KBP_OK;
}

void kb_secret_release(struct kb_secret *secret)
{
    if (secret->text) {
        explicit_bzero(secret->text, secret->len);
        free(secret->text);
    }
    secret->text = NULL;
    secret->len = 0;
}

void kb_free_secret_text(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

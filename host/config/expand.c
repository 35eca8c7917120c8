/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand.c - variables of the environment in values.
 *
 * Done after the file is parsed, so that a value with a colon or a quote in it
 * stays a value and can't become structure.
 */
#include <stdlib.h>
#include <string.h>

#include "config/reader.h"

static bool name_ok(const char *name, size_t len)
{
    size_t i;

    if (len == 0 || (name[0] >= '0' && name[0] <= '9'))
        return false;
    for (i = 0; i < len; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
                    "0123456789",
                    name[i]))
            return false;
    return true;
}

/* One "${...}" which begins at `at`; returns behind it, NULL on failure. */
static const char *expand_one(const char *at, struct kb_buf *out,
                              struct kbp_error *err)
{
    const char *body = at + 2;
    const char *end = strchr(body, '}');
    const char *fallback;
    const char *value;
    size_t name_len;
    char name[256];

    if (!end) {
        kb_fail(
            err, KBP_ERR_CONFIG,
            "a \"${\" without its \"}\" (write \"$${\" for the characters)");
        return NULL;
    }
    fallback = strstr(body, ":-");
    if (fallback && fallback > end)
        fallback = NULL;
    name_len = (size_t)((fallback ? fallback : end) - body);
    if (!name_ok(body, name_len) || name_len >= sizeof name) {
        kb_fail(err, KBP_ERR_CONFIG,
                "\"${%.*s}\" is no name of a variable (write \"$${\" for the "
                "characters)",
                (int)(end - body > 60 ? 60 : end - body), body);
        return NULL;
    }
    memcpy(name, body, name_len);
    name[name_len] = '\0';
    value = getenv(name);
    if (fallback && (!value || !*value)) {
        char *text = strndup(fallback + 2, (size_t)(end - fallback - 2));

        if (!text)
            out->failed = true;
        else
            kb_buf_add_str(out, text);
        free(text);
    } else if (!value) {
        kb_fail(err, KBP_ERR_CONFIG,
                "the environment variable %s is not set (write ${%s:-default} "
                "to do without)",
                name, name);
        return NULL;
    } else {
        kb_buf_add_str(out, value);
    }
    return end + 1;
}

char *kb_expand(const char *text, struct kbp_error *err)
{
    struct kb_buf out = KB_BUF_INIT;

    while (*text) {
        if (strncmp(text, "$${", 3) == 0) {
            kb_buf_add_str(&out, "${");
            text += 3;
        } else if (strncmp(text, "${", 2) == 0) {
            text = expand_one(text, &out, err);
            if (!text)
                goto fail;
        } else {
            kb_buf_add(&out, text++, 1);
        }
    }
    kb_buf_add(&out, "", 1);
    if (out.failed) {
        kb_fail_nomem(err, "a value");
        goto fail;
    }
    return (char *)kb_buf_detach(&out, NULL);
fail:
    if (out.data)
        explicit_bzero(out.data, out.cap);
    kb_buf_release(&out);
    return NULL;
}

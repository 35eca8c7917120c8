/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_text.c - text that may hold a secret, and text from a stranger. */
#include "sasl_text.h"

#include <stdlib.h>
#include <string.h>

void kb_text_init(struct kb_text *text, size_t max)
{
    memset(text, 0, sizeof *text);
    text->max = max;
}

/* Not realloc(): what it leaves behind would not be wiped. */
static int32_t grow(struct kb_text *text, size_t need)
{
    size_t cap = text->cap ? text->cap : 64;
    char *more;

    while (cap < need)
        cap *= 2;
    if (cap == text->cap)
        return KBP_OK;
    more = malloc(cap);
    if (!more)
        return KBP_ERR_NOMEM;
    if (text->bytes) {
        memcpy(more, text->bytes, text->len);
        explicit_bzero(text->bytes, text->cap);
        free(text->bytes);
    }
    text->bytes = more;
    text->cap = cap;
    return KBP_OK;
}

void kb_text_add(struct kb_text *text, const void *bytes, size_t len)
{
    if (text->status != KBP_OK)
        return;
    if (len > text->max || text->len > text->max - len) {
        text->status = KBP_ERR_LIMIT;
        return;
    }
    text->status = grow(text, text->len + len + 1);
    if (text->status != KBP_OK)
        return;
    if (len)
        memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

void kb_text_puts(struct kb_text *text, const char *str)
{
    kb_text_add(text, str, strlen(str));
}

void kb_text_urlencode(struct kb_text *text, const char *str, char keep)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *str; str++) {
        unsigned char c = (unsigned char)*str;
        char code[3];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
            c == '~' || (keep && *str == keep)) {
            kb_text_add(text, str, 1);
            continue;
        }
        code[0] = '%';
        code[1] = hex[c >> 4];
        code[2] = hex[c & 15];
        kb_text_add(text, code, sizeof code);
    }
}

const char *kb_text_str(const struct kb_text *text)
{
    return text->bytes ? text->bytes : "";
}

void kb_text_clear(struct kb_text *text)
{
    size_t max = text->max;

    kb_text_release(text);
    text->max = max;
}

void kb_text_release(struct kb_text *text)
{
    if (text->bytes)
        explicit_bzero(text->bytes, text->cap);
    free(text->bytes);
    memset(text, 0, sizeof *text);
}

char *kb_text_detach(struct kb_text *text)
{
    char *str;

    kb_text_add(text, "", 0);
    if (text->status != KBP_OK) {
        kb_text_release(text);
        return NULL;
    }
    str = text->bytes;
    memset(text, 0, sizeof *text);
    return str;
}

void kb_wipe_free(char *str)
{
    if (str)
        explicit_bzero(str, strlen(str));
    free(str);
}

char *kb_dup(const char *str)
{
    return str ? strdup(str) : NULL;
}

/* The length of the UTF-8 sequence at `p`, or 0 if there is no valid one. */
static size_t sequence(const unsigned char *p, size_t len)
{
    uint32_t code;
    size_t n, i;

    if (p[0] < 0x80)
        return 1;
    n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n > len)
        return 0;
    code = p[0] & (0x7fu >> n);
    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    if ((n == 3 && code < 0x800) || (n == 4 && code < 0x10000) ||
        (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff ||
        (code >= 0x80 && code < 0xa0))
        return 0;
    return n;
}

const char *kb_clean(char *to, size_t size, const void *from, size_t len)
{
    const unsigned char *p = from;
    size_t out = 0;

    if (size == 0)
        return "";
    while (len > 0) {
        size_t n = sequence(p, len);
        size_t take = n ? n : 1;

        if (out + take >= size)
            break;
        if (n == 0 || (n == 1 && (*p < 0x20 || *p == 0x7f)))
            to[out] = n == 0 ? '?' : ' ';
        else
            memcpy(to + out, p, n);
        out += take;
        p += take;
        len -= take;
    }
    to[out] = '\0';
    return to;
}

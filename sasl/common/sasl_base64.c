/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_base64.c - base64, strict: what isn't canonical is refused. */
#include "sasl_base64.h"

#include <string.h>

static const char std_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void kb_base64_encode(struct kb_text *text, enum kb_base64 kind,
                      const void *bytes, size_t len)
{
    const char *abc = kind == KB_BASE64_URL ? url_alphabet : std_alphabet;
    const unsigned char *p = bytes;

    while (len > 0) {
        size_t n = len < 3 ? len : 3;
        unsigned v = (unsigned)p[0] << 16;
        char four[4] = {'=', '=', '=', '='};

        if (n > 1)
            v |= (unsigned)p[1] << 8;
        if (n > 2)
            v |= p[2];
        four[0] = abc[v >> 18];
        four[1] = abc[v >> 12 & 63];
        if (n > 1)
            four[2] = abc[v >> 6 & 63];
        if (n > 2)
            four[3] = abc[v & 63];
        kb_text_add(text, four, kind == KB_BASE64_URL ? n + 1 : 4);
        p += n;
        len -= n;
    }
}

static int value_of(char c, enum kb_base64 kind)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (kind == KB_BASE64_URL ? '-' : '+'))
        return 62;
    if (c == (kind == KB_BASE64_URL ? '_' : '/'))
        return 63;
    return -1;
}

ssize_t kb_base64_decode(void *to, size_t size, enum kb_base64 kind,
                         const char *from, size_t len)
{
    unsigned char *out = to;
    size_t done = 0;

    if (kind == KB_BASE64_STD) {
        if (len % 4)
            return -1;
        if (len && from[len - 1] == '=')
            len -= from[len - 2] == '=' ? 2 : 1;
    }
    if (len % 4 == 1)
        return -1;
    while (len > 0) {
        size_t n = len < 4 ? len : 4;
        unsigned v = 0;
        size_t i;

        for (i = 0; i < 4; i++) {
            int d = i < n ? value_of(from[i], kind) : 0;

            if (d < 0)
                return -1;
            v = v << 6 | (unsigned)d;
        }
        /* The bits beyond the last byte are 0 in what an encoder makes. */
        if ((n == 2 && (v & 0xffff)) || (n == 3 && (v & 0xff)))
            return -1;
        if (done + n - 1 > size)
            return -1;
        for (i = 0; i + 1 < n; i++)
            out[done++] = (unsigned char)(v >> (16 - 8 * i));
        from += n;
        len -= n;
    }
    return (ssize_t)done;
}

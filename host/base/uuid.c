/* SPDX-License-Identifier: Apache-2.0 */
/* uuid.c - ids of 16 bytes. */
#include "base/uuid.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool kb_uuid_is_none(const struct kb_uuid *id)
{
    static const struct kb_uuid none;

    return memcmp(id->bytes, none.bytes, sizeof id->bytes) == 0;
}

bool kb_uuid_equal(const struct kb_uuid *a, const struct kb_uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

int kb_uuid_make(struct kb_uuid *id, struct kbp_error *err)
{
    struct kb_uuid made;

    /* 16 bytes come whole, and only a signal at boot can interrupt it. */
    while (getrandom(made.bytes, sizeof made.bytes, 0) !=
           (ssize_t)sizeof made.bytes)
        if (errno != EINTR)
            return kb_fail_errno(err, errno, "reading random bytes");
    made.bytes[6] = (uint8_t)((made.bytes[6] & 0x0f) | 0x40);
    made.bytes[8] = (uint8_t)((made.bytes[8] & 0x3f) | 0x80);
    *id = made;
    return KBP_OK;
}

char *kb_uuid_text(char *out, const struct kb_uuid *id)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t i;
    size_t at = 0;

    for (i = 0; i < sizeof id->bytes; i++) {
        bits = (bits << 8) | id->bytes[i];
        have += 8;
        while (have >= 6) {
            have -= 6;
            out[at++] = digits[(bits >> have) & 63];
        }
    }
    out[at++] = digits[(bits << (6 - have)) & 63];
    out[at] = '\0';
    return out;
}

bool kb_uuid_parse(const char *text, struct kb_uuid *id)
{
    struct kb_uuid read;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t at = 0;
    size_t i;

    if (strlen(text) != KB_UUID_TEXT - 1)
        return false;
    for (i = 0; i < KB_UUID_TEXT - 1; i++) {
        const char *digit = strchr(digits, text[i]);

        if (!digit)
            return false;
        bits = (bits << 6) | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            read.bytes[at++] = (uint8_t)(bits >> have);
        }
    }
    if (bits & ((1u << have) - 1)) /* one id, one text */
        return false;
    *id = read;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* uuid.c - Kafka's ids: 16 bytes, as text in base64url without padding. */
#include "kafka/uuid.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool kb_uuid_is_none(const struct kb_uuid *id)
{
    static const struct kb_uuid none;

    return kb_uuid_equal(id, &none);
}

bool kb_uuid_equal(const struct kb_uuid *a, const struct kb_uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

int kb_uuid_make(struct kb_uuid *id, struct kbp_error *err)
{
    struct kb_uuid made;
    ssize_t got;

    do
        got = getrandom(made.bytes, sizeof made.bytes, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof made.bytes)
        return kb_fail_errno(err, errno, "can't get random bytes for an id");
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
    char *to = out;

    for (i = 0; i < sizeof id->bytes; i++) {
        bits = bits << 8 | id->bytes[i];
        for (have += 8; have >= 6; have -= 6)
            *to++ = digits[bits >> (have - 6) & 0x3f];
    }
    *to++ = digits[bits << (6 - have) & 0x3f];
    *to = '\0';
    return out;
}

bool kb_uuid_parse(const char *text, struct kb_uuid *id)
{
    struct kb_uuid parsed;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t at = 0;
    size_t i;

    if (strlen(text) != KB_UUID_TEXT - 1)
        return false;
    for (i = 0; text[i]; i++) {
        const char *digit = strchr(digits, text[i]);

        if (!digit)
            return false;
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            parsed.bytes[at++] = (uint8_t)(bits >> have);
        }
    }
    /* 22 digits have 4 bits to spare; another text for the same id is none. */
    if (bits & 0x0f)
        return false;
    *id = parsed;
    return true;
}

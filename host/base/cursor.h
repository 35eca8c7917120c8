/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cursor.h - read foreign bytes without ever leaving them.
 *
 * A read past the end sets `bad`, returns zero, and so do all after it: parse
 * straight on and ask once, before the values are used to allocate or loop.
 */
#ifndef KB_BASE_CURSOR_H
#define KB_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct kb_cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

static inline struct kb_cursor kb_cursor_of(const void *bytes, size_t len)
{
    const uint8_t *at = (const uint8_t *)bytes;
    struct kb_cursor c = {at, at + len, false};

    return c;
}

static inline size_t kb_cursor_left(const struct kb_cursor *c)
{
    return (size_t)(c->end - c->at);
}

/* The next `len` bytes, or NULL. */
static inline const uint8_t *kb_take(struct kb_cursor *c, size_t len)
{
    const uint8_t *at = c->at;

    if (c->bad || len > kb_cursor_left(c)) {
        c->bad = true;
        return NULL;
    }
    c->at += len;
    return at;
}

#define KB_GETTER(name, type, load)                   \
    static inline type name(struct kb_cursor *c)      \
    {                                                 \
        const uint8_t *at = kb_take(c, sizeof(type)); \
                                                      \
        return at ? (type)load(at) : 0;               \
    }

KB_GETTER(kb_get_be16, uint16_t, kb_load_be16)
KB_GETTER(kb_get_be32, uint32_t, kb_load_be32)
KB_GETTER(kb_get_be64, uint64_t, kb_load_be64)
KB_GETTER(kb_get_le16, uint16_t, kb_load_le16)
KB_GETTER(kb_get_le32, uint32_t, kb_load_le32)
KB_GETTER(kb_get_le64, uint64_t, kb_load_le64)
#undef KB_GETTER

static inline uint8_t kb_get_u8(struct kb_cursor *c)
{
    const uint8_t *at = kb_take(c, 1);

    return at ? *at : 0;
}

/* An unsigned varint (LEB128) of at most 64 bits. */
static inline uint64_t kb_get_uvarint(struct kb_cursor *c)
{
    uint64_t value = 0;
    unsigned shift;

    for (shift = 0; shift < 64; shift += 7) {
        uint8_t byte = kb_get_u8(c);

        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return c->bad ? 0 : value;
    }
    c->bad = true;
    return 0;
}

/* A zigzag varint, as in records. */
static inline int64_t kb_get_varint(struct kb_cursor *c)
{
    uint64_t raw = kb_get_uvarint(c);

    return (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
}

#endif

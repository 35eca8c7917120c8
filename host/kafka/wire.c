/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - the types that Kafka's requests are made of. */
#include "kafka/wire.h"

#include <stdlib.h>
#include <string.h>

#include <kafka-backup/util.h>

#define STR_MAX 32767u

#define PUTTER(name, type, store)                      \
    void name(struct kb_buf *buf, type value)          \
    {                                                  \
        void *room = kb_buf_extend(buf, sizeof value); \
                                                       \
        if (room)                                      \
            store(room, value);                        \
    }

static void store_i8(void *at, int8_t value)
{
    memcpy(at, &value, sizeof value);
}

static void store_i16(void *at, int16_t value)
{
    kb_store_be16(at, (uint16_t)value);
}

static void store_i32(void *at, int32_t value)
{
    kb_store_be32(at, (uint32_t)value);
}

static void store_i64(void *at, int64_t value)
{
    kb_store_be64(at, (uint64_t)value);
}

PUTTER(kb_put_i8, int8_t, store_i8)
PUTTER(kb_put_i16, int16_t, store_i16)
PUTTER(kb_put_i32, int32_t, store_i32)
PUTTER(kb_put_i64, int64_t, store_i64)

void kb_put_uvarint(struct kb_buf *buf, uint64_t value)
{
    uint8_t bytes[10];
    size_t len = 0;

    for (; value >= 0x80; value >>= 7)
        bytes[len++] = (uint8_t)(value | 0x80);
    bytes[len++] = (uint8_t)value;
    kb_buf_add(buf, bytes, len);
}

void kb_put_uuid(struct kb_buf *buf, const struct kb_uuid *id)
{
    kb_buf_add(buf, id->bytes, sizeof id->bytes);
}

void kb_put_str(struct kb_buf *buf, bool flex, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    if (len > STR_MAX) {
        buf->failed = true;
        return;
    }
    if (flex)
        kb_put_uvarint(buf, text ? len + 1 : 0);
    else
        kb_put_i16(buf, text ? (int16_t)len : -1);
    kb_buf_add(buf, text, len);
}

void kb_put_count(struct kb_buf *buf, bool flex, size_t count)
{
    if (count > INT32_MAX)
        buf->failed = true;
    else if (flex)
        kb_put_uvarint(buf, count + 1);
    else
        kb_put_i32(buf, (int32_t)count);
}

void kb_put_bytes_len(struct kb_buf *buf, bool flex, size_t len)
{
    kb_put_count(buf, flex, len);
}

void kb_put_no_tags(struct kb_buf *buf, bool flex)
{
    if (flex)
        kb_put_i8(buf, 0);
}

int8_t kb_get_i8(struct kb_cursor *c)
{
    return (int8_t)kb_get_u8(c);
}

int16_t kb_get_i16(struct kb_cursor *c)
{
    return (int16_t)kb_get_be16(c);
}

int32_t kb_get_i32(struct kb_cursor *c)
{
    return (int32_t)kb_get_be32(c);
}

int64_t kb_get_i64(struct kb_cursor *c)
{
    return (int64_t)kb_get_be64(c);
}

struct kb_uuid kb_get_uuid(struct kb_cursor *c)
{
    struct kb_uuid id = {{0}};
    const uint8_t *at = kb_take(c, sizeof id.bytes);

    if (at)
        memcpy(id.bytes, at, sizeof id.bytes);
    return id;
}

/* A length: false for null, and after an error. */
static bool get_len(struct kb_cursor *c, bool flex, bool is_short, size_t *len)
{
    int64_t n;

    if (flex) {
        uint64_t raw = kb_get_uvarint(c);

        if (raw > (uint64_t)INT32_MAX + 1)
            c->bad = true;
        n = c->bad ? -1 : (int64_t)raw - 1;
    } else {
        n = is_short ? kb_get_i16(c) : kb_get_i32(c);
        if (n < -1)
            c->bad = true;
    }
    if (c->bad || n < 0)
        return false;
    *len = (size_t)n;
    return true;
}

struct kb_wire_str kb_get_str(struct kb_cursor *c, bool flex)
{
    struct kb_wire_str str = {NULL, 0};
    const uint8_t *at;
    size_t len;

    if (!get_len(c, flex, true, &len))
        return str;
    at = kb_take(c, len);
    if (at) {
        str.text = (const char *)at;
        str.len = len;
    }
    return str;
}

const uint8_t *kb_get_bytes(struct kb_cursor *c, bool flex, size_t *len)
{
    const uint8_t *at;
    size_t n;

    *len = 0;
    if (!get_len(c, flex, false, &n))
        return NULL;
    at = kb_take(c, n);
    if (at)
        *len = n;
    return at;
}

size_t kb_get_count(struct kb_cursor *c, bool flex, size_t min)
{
    size_t count;

    if (!get_len(c, flex, false, &count))
        return 0;
    if (count > kb_cursor_left(c) / min) {
        c->bad = true;
        return 0;
    }
    return count;
}

void kb_skip_tags(struct kb_cursor *c, bool flex)
{
    uint64_t left;

    if (!flex)
        return;
    for (left = kb_get_uvarint(c); left > 0 && !c->bad; left--) {
        uint64_t len;

        (void)kb_get_uvarint(c);
        len = kb_get_uvarint(c);
        if (len > kb_cursor_left(c))
            c->bad = true;
        else
            (void)kb_take(c, (size_t)len);
    }
}

bool kb_wire_str_is(struct kb_wire_str str, const char *text)
{
    return str.text && str.len == strlen(text) &&
           memcmp(str.text, text, str.len) == 0;
}

char *kb_wire_str_dup(struct kb_wire_str str)
{
    char *copy;

    if (!str.text)
        return NULL;
    copy = malloc(str.len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, str.text, str.len);
    copy[str.len] = '\0';
    return copy;
}

char *kb_wire_str_copy(struct kb_wire_str str, char *out, size_t size)
{
    size_t len = str.text && str.len < size ? str.len : 0;

    if (str.text && str.len >= size)
        len = size - 1;
    if (len > 0)
        memcpy(out, str.text, len);
    out[len] = '\0';
    kbp_one_line(out, size);
    return out;
}

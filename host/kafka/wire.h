/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h - the types that Kafka's requests are made of, in both encodings:
 * `flex` is the "flexible" one of newer versions (compact lengths, tagged
 * fields).
 *
 * Putting never fails one by one: ask `buf->failed` at the end.  Getting
 * works as cursor.h says: ask `c->bad`.
 */
#ifndef KB_KAFKA_WIRE_H
#define KB_KAFKA_WIRE_H

#include "base/buf.h"
#include "base/cursor.h"
#include "kafka/uuid.h"

void kb_put_i8(struct kb_buf *buf, int8_t value);
void kb_put_i16(struct kb_buf *buf, int16_t value);
void kb_put_i32(struct kb_buf *buf, int32_t value);
void kb_put_i64(struct kb_buf *buf, int64_t value);
void kb_put_uvarint(struct kb_buf *buf, uint64_t value);
void kb_put_uuid(struct kb_buf *buf, const struct kb_uuid *id);

/* NULL: null. A text longer than 32767 bytes sets `failed`. */
void kb_put_str(struct kb_buf *buf, bool flex, const char *text);

/* The number of an array's items; they follow. */
void kb_put_count(struct kb_buf *buf, bool flex, size_t count);

/* The length of bytes which follow. */
void kb_put_bytes_len(struct kb_buf *buf, bool flex, size_t len);

/* The end of a struct: no tagged fields. Nothing unless `flex`. */
void kb_put_no_tags(struct kb_buf *buf, bool flex);

struct kb_wire_str {
    const char *text; /* not NUL-terminated; NULL: null */
    size_t len;
};

int8_t kb_get_i8(struct kb_cursor *c);
int16_t kb_get_i16(struct kb_cursor *c);
int32_t kb_get_i32(struct kb_cursor *c);
int64_t kb_get_i64(struct kb_cursor *c);
struct kb_uuid kb_get_uuid(struct kb_cursor *c);
struct kb_wire_str kb_get_str(struct kb_cursor *c, bool flex);

/* Bytes; NULL and 0 for null. */
const uint8_t *kb_get_bytes(struct kb_cursor *c, bool flex, size_t *len);

/*
 * The number of an array's items, 0 for null.  Each takes at least `min` bytes
 * (>= 1): a number which the bytes that are left can't hold is bad, so that
 * nothing is allocated for it.
 */
size_t kb_get_count(struct kb_cursor *c, bool flex, size_t min);

/* Skip the tagged fields at the end of a struct. Nothing unless `flex`. */
void kb_skip_tags(struct kb_cursor *c, bool flex);

bool kb_wire_str_is(struct kb_wire_str str, const char *text);

/* A copy with NUL; NULL when out of memory, and for null. */
char *kb_wire_str_dup(struct kb_wire_str str);

/* Copy what fits, as a C string. Returns `out`. */
char *kb_wire_str_copy(struct kb_wire_str str, char *out, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h - a buffer that grows up to a limit.
 *
 * Adding never has to be checked one by one: after a failure (memory, limit)
 * `failed` stays set and further adds do nothing; ask once at the end.
 */
#ifndef KB_BASE_BUF_H
#define KB_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct kb_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t limit; /* bytes; 0: no limit */
    bool failed;
};

#define KB_BUF_INIT          \
    {                        \
        NULL, 0, 0, 0, false \
    }

/* Frees the bytes; the buffer is empty and usable again. Takes zero values. */
void kb_buf_release(struct kb_buf *buf);

/* Forget the bytes, keep the memory; clears `failed`. */
void kb_buf_reset(struct kb_buf *buf);

/* Room for `len` bytes behind data+len, or NULL. Doesn't change `len`. */
void *kb_buf_reserve(struct kb_buf *buf, size_t len);

/* Room for `len` bytes that count already; NULL after a failure. */
void *kb_buf_extend(struct kb_buf *buf, size_t len);

void kb_buf_add(struct kb_buf *buf, const void *bytes, size_t len);
void kb_buf_add_str(struct kb_buf *buf, const char *text);
KB_PRINTF(2, 3)
void kb_buf_printf(struct kb_buf *buf, const char *fmt, ...);

/* Give the bytes away (free() them); `*len` may be NULL. */
uint8_t *kb_buf_detach(struct kb_buf *buf, size_t *len);

/* A kbp_sink which appends to `buf`, at most `limit` bytes in all. */
struct kbp_sink kb_buf_sink(struct kb_buf *buf, uint64_t limit);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - a buffer that grows up to a limit. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kb_buf_release(struct kb_buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
    buf->failed = false;
}

void kb_buf_reset(struct kb_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

void *kb_buf_reserve(struct kb_buf *buf, size_t len)
{
    size_t need;
    size_t cap = buf->cap ? buf->cap : 64;
    uint8_t *data;

    if (buf->failed || __builtin_add_overflow(buf->len, len, &need) ||
        (buf->limit && need > buf->limit)) {
        buf->failed = true;
        return NULL;
    }
    if (need <= buf->cap && buf->data)
        return buf->data + buf->len;
    while (cap < need) {
        if (__builtin_mul_overflow(cap, 2, &cap))
            cap = need;
    }
    if (buf->limit && cap > buf->limit)
        cap = buf->limit;
    data = realloc(buf->data, cap);
    if (!data) {
        buf->failed = true;
        return NULL;
    }
    buf->data = data;
    buf->cap = cap;
    return buf->data + buf->len;
}

void *kb_buf_extend(struct kb_buf *buf, size_t len)
{
    void *room = kb_buf_reserve(buf, len);

    if (room)
        buf->len += len;
    return room;
}

void kb_buf_add(struct kb_buf *buf, const void *bytes, size_t len)
{
    void *room = kb_buf_extend(buf, len);

    if (room && len > 0)
        memcpy(room, bytes, len);
}

void kb_buf_add_str(struct kb_buf *buf, const char *text)
{
    kb_buf_add(buf, text, strlen(text));
}

void kb_buf_printf(struct kb_buf *buf, const char *fmt, ...)
{
    va_list ap;
    char *room;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0) {
        buf->failed = true;
        return;
    }
    room = kb_buf_reserve(buf, (size_t)len + 1);
    if (!room)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(room, (size_t)len + 1, fmt, ap);
    va_end(ap);
    buf->len += (size_t)len;
}

uint8_t *kb_buf_detach(struct kb_buf *buf, size_t *len)
{
    uint8_t *data = buf->data;

    if (len)
        *len = buf->len;
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
    return data;
}

static int32_t sink_reserve(struct kbp_sink *sink, size_t min, size_t wish,
                            void **room, size_t *room_len)
{
    struct kb_buf *buf = sink->data;
    uint64_t left = sink->limit;
    size_t want = wish > min ? wish : min;
    void *at;

    if (buf->limit && buf->limit - buf->len < left)
        left = buf->limit - buf->len;
    if (min > left)
        return KBP_ERR_LIMIT;
    if (want > left)
        want = (size_t)left;
    at = kb_buf_reserve(buf, want);
    if (!at)
        return KBP_ERR_NOMEM;
    *room = at;
    *room_len = buf->cap - buf->len;
    if (*room_len > left)
        *room_len = (size_t)left;
    return KBP_OK;
}

static void sink_commit(struct kbp_sink *sink, size_t used)
{
    struct kb_buf *buf = sink->data;

    assert(used <= buf->cap - buf->len && used <= sink->limit);
    buf->len += used;
    sink->limit -= used;
}

struct kbp_sink kb_buf_sink(struct kb_buf *buf, uint64_t limit)
{
    struct kbp_sink sink = {
        .struct_size = sizeof sink,
        .data = buf,
        .limit = limit,
        .reserve = sink_reserve,
        .commit = sink_commit,
    };

    return sink;
}

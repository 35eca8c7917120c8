/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_host.h - a host to a plugin, for fuzz targets: quiet and in a hurry. */
#ifndef KB_FUZZ_HOST_H
#define KB_FUZZ_HOST_H

#include <stdlib.h>
#include <string.h>

#include <kafka-backup/sasl.h>
#include <kafka-backup/util.h>

static inline void fuzz_log(const struct kbp_host *host, int32_t level,
                            const char *message)
{
    (void)host;
    (void)level;
    if (strlen(message) > 4096)
        abort();
}

static inline int32_t fuzz_cancelled(const struct kbp_host *host)
{
    (void)host;
    return 0;
}

static inline int64_t fuzz_time_left(const struct kbp_host *host)
{
    (void)host;
    return 1000;
}

static inline const void *fuzz_service(const struct kbp_host *host,
                                       const char *id)
{
    (void)host;
    (void)id;
    return NULL;
}

static const struct kbp_host fuzz_host = {
    .struct_size = sizeof fuzz_host,
    .abi_major = KBP_ABI_MAJOR,
    .abi_minor = KBP_ABI_MINOR,
    .name = "fuzz",
    .version = "0",
    .log_level = KBP_LOG_TRACE,
    .log = fuzz_log,
    .cancelled = fuzz_cancelled,
    .time_left_ms = fuzz_time_left,
    .get_service = fuzz_service,
};

/* A sink that keeps nothing, but lets a sanitizer see what is beyond. */
struct fuzz_sink {
    struct kbp_sink sink;
    void *room;
    size_t room_len;
    size_t total;
};

static inline int32_t fuzz_reserve(struct kbp_sink *sink, size_t min,
                                   size_t wish, void **room, size_t *room_len)
{
    struct fuzz_sink *s = (struct fuzz_sink *)sink->data;
    size_t n = wish > min ? wish : min;

    if (n > sink->limit - s->total)
        n = sink->limit - s->total;
    if (n < min)
        return KBP_ERR_LIMIT;
    free(s->room);
    s->room = malloc(n ? n : 1);
    if (!s->room)
        return KBP_ERR_NOMEM;
    s->room_len = n;
    *room = s->room;
    *room_len = n;
    return KBP_OK;
}

static inline void fuzz_commit(struct kbp_sink *sink, size_t used)
{
    struct fuzz_sink *s = (struct fuzz_sink *)sink->data;

    if (used > s->room_len)
        abort();
    s->total += used;
    s->room_len = 0;
}

static inline void fuzz_sink_init(struct fuzz_sink *s, uint64_t limit)
{
    memset(s, 0, sizeof *s);
    s->sink.struct_size = sizeof s->sink;
    s->sink.data = s;
    s->sink.limit = limit;
    s->sink.reserve = fuzz_reserve;
    s->sink.commit = fuzz_commit;
}

/* One line of text, or it isn't fit for a log. */
static inline void fuzz_check_error(const struct kbp_error *err)
{
    const char *p;

    for (p = err->message; *p; p++)
        if ((unsigned char)*p < 0x20)
            abort();
    if (p == err->message)
        abort();
}

/*
 * A handshake whose answers are the input, cut at `cut`.  Returns the last
 * state: whether it was taken for a success.
 */
static inline int32_t fuzz_handshake(const struct kbp_sasl_type *type,
                                     struct kbp_sasl *sasl, const uint8_t *data,
                                     size_t size, uint8_t cut)
{
    const struct kbp_sasl_peer peer = {
        .struct_size = sizeof peer, .host = "broker.test", .port = 9092};
    struct kbp_error err = {.struct_size = sizeof err};
    struct kbp_sasl_session *session;
    const uint8_t *in = NULL;
    size_t in_len = 0;
    int32_t state = 0;
    int rounds = 0;

    if (type->session_open(sasl, &fuzz_host, &peer, &session, &err) != KBP_OK)
        return 0;
    for (;;) {
        struct fuzz_sink sink;
        const uint8_t *end;
        int32_t status;

        fuzz_sink_init(&sink, KBP_SASL_MAX_BYTES);
        state = 0;
        status = type->step(session, in, in_len, &sink.sink, &state, &err);
        free(sink.room);
        if (status != KBP_OK) {
            fuzz_check_error(&err);
            break;
        }
        if (state == KBP_SASL_DONE || ++rounds > 64)
            break;
        end = size ? memchr(data, cut, size) : NULL;
        in = data ? data : (const uint8_t *)"";
        in_len = end ? (size_t)(end - data) : size;
        data += in_len + (end ? 1 : 0);
        size -= in_len + (end ? 1 : 0);
    }
    if (type->explain && state != KBP_SASL_DONE) {
        if (type->explain(session, 58, (const char *)in, in ? in_len : 0,
                          &err) == KBP_OK)
            abort();
        fuzz_check_error(&err);
    }
    type->session_close(session);
    return state;
}

#endif

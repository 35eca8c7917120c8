/* SPDX-License-Identifier: Apache-2.0 */
/* check_codec.c - codecs: round trips, and input that is cut or hostile. */
#include "check/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

#define SHAPES 9u
#define WORKERS 8u

struct codec {
    struct kb_check_ctx *ctx;
    const struct kbp_codec_type *type;
    struct kb_check_host host;
    struct kb_settings settings;
    struct kbp_codec *instance;
    struct kbp_codec_session *session;
    bool open;
};

static bool open_codec(struct kb_check_ctx *ctx, struct codec *codec)
{
    struct kbp_error err = KB_ERR_INIT;

    memset(codec, 0, sizeof *codec);
    codec->ctx = ctx;
    codec->type = &ctx->type->table.codec;
    kb_check_host_init(&codec->host);
    if (!kb_check_settings(ctx, NULL, &codec->settings))
        return false;
    if (codec->type->open(&codec->host.host, &codec->settings.config,
                          &codec->instance, &err) != KBP_OK) {
        kb_check_fail(ctx, "it doesn't open: %s", err.message);
    } else if (codec->type->session_open(codec->instance, &codec->host.host,
                                         &codec->session, &err) != KBP_OK) {
        kb_check_fail(ctx, "no session: %s", err.message);
        codec->type->close(codec->instance);
    } else {
        codec->open = true;
        return true;
    }
    kb_settings_release(&codec->settings);
    return false;
}

static void close_codec(struct codec *codec)
{
    if (!codec->open)
        return;
    codec->type->session_close(codec->session);
    codec->type->close(codec->instance);
    kb_settings_release(&codec->settings);
}

/* A codec that can write, or skip. */
static bool open_writer(struct kb_check_ctx *ctx, struct codec *codec)
{
    if (!ctx->type->table.codec.compress) {
        kb_check_skip(ctx, "it only reads");
        return false;
    }
    return open_codec(ctx, codec);
}

struct bytes {
    uint8_t *data;
    size_t len;
};

static struct bytes new_bytes(size_t len)
{
    struct bytes bytes = {malloc(len ? len : 1), len};

    if (!bytes.data)
        bytes.len = 0;
    return bytes;
}

/* Nothing, one byte, zeros, noise, text, and sizes about usual limits. */
static struct bytes shape(struct kb_check_ctx *ctx, unsigned number)
{
    static const size_t sizes[SHAPES] = {0,     1,     100,     65535,  65536,
                                         65537, 32769, 1 << 20, 3 << 20};
    static const char text[] = "{\"id\":,\"name\":\"user\"}";
    struct bytes bytes = new_bytes(sizes[number]);
    size_t i;

    for (i = 0; i < bytes.len; i++) {
        if (number == 7)
            bytes.data[i] = 0;
        else if (number == 4)
            bytes.data[i] = (uint8_t)kb_check_random(ctx);
        else
            bytes.data[i] = (uint8_t)((size_t)text[i % 20] + i / 777 % 7);
    }
    return bytes;
}

static int32_t compress(struct codec *codec, struct bytes in,
                        struct kb_check_sink *out, struct kbp_error *err)
{
    int32_t status;

    kb_err_clear(err);
    status =
        codec->type->compress(codec->session, in.data, in.len, &out->sink, err);
    kb_check_sink_verify(codec->ctx, out);
    return status;
}

/* `in` is copied to memory of its exact size, for sanitizers to see. */
static int32_t decompress(struct codec *codec, const uint8_t *in, size_t len,
                          struct kb_check_sink *out, struct kbp_error *err)
{
    struct bytes exact = new_bytes(len);
    int32_t status;

    if (!exact.data)
        return KBP_ERR_NOMEM;
    if (len > 0)
        memcpy(exact.data, in, len);
    kb_err_clear(err);
    status = codec->type->decompress(codec->session, exact.data, len,
                                     &out->sink, err);
    free(exact.data);
    kb_check_sink_verify(codec->ctx, out);
    return status;
}

static void check_round_trip(struct codec *codec, struct bytes in, size_t chunk)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_sink packed;
    struct kb_check_sink back;

    kb_check_sink_init(&packed, UINT64_MAX, chunk);
    kb_check_sink_init(&back, in.len, chunk);
    if (compress(codec, in, &packed, &err) != KBP_OK)
        kb_check_fail(codec->ctx, "%zu bytes aren't compressed: %s", in.len,
                      err.message);
    else if (decompress(codec, packed.data, packed.len, &back, &err) != KBP_OK)
        kb_check_fail(codec->ctx,
                      "%zu bytes aren't decompressed into a sink of that "
                      "limit: %s",
                      in.len, err.message);
    else if (back.len != in.len ||
             (in.len && memcmp(back.data, in.data, in.len) != 0))
        kb_check_fail(codec->ctx, "%zu bytes came back as %zu others", in.len,
                      back.len);
    kb_check_sink_release(&packed);
    kb_check_sink_release(&back);
}

static void round_trip(struct kb_check_ctx *ctx)
{
    static const size_t chunks[] = {0, 1, 1000, 65536};
    struct codec codec;
    unsigned i;
    unsigned c;

    if (!open_writer(ctx, &codec))
        return;
    for (i = 0; i < SHAPES && !kb_check_bad(ctx); i++) {
        struct bytes in = shape(ctx, i);

        for (c = 0; c < sizeof chunks / sizeof chunks[0]; c++)
            if (chunks[c] != 1 || in.len <= 65537)
                check_round_trip(&codec, in, chunks[c]);
        free(in.data);
    }
    close_codec(&codec);
}

static void same_in_same_out(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct codec codec;
    unsigned i;

    if (!open_writer(ctx, &codec))
        return;
    for (i = 0; i < SHAPES; i++) {
        struct bytes in = shape(ctx, i);
        struct kb_check_sink one;
        struct kb_check_sink two;

        kb_check_sink_init(&one, UINT64_MAX, 0);
        kb_check_sink_init(&two, UINT64_MAX, 4096);
        if (compress(&codec, in, &one, &err) != KBP_OK ||
            compress(&codec, in, &two, &err) != KBP_OK)
            kb_check_fail(ctx, "it doesn't compress: %s", err.message);
        else if (one.len != two.len ||
                 (one.len && memcmp(one.data, two.data, one.len) != 0))
            kb_check_fail(ctx, "%zu bytes compress to this and to that",
                          in.len);
        kb_check_sink_release(&one);
        kb_check_sink_release(&two);
        free(in.data);
    }
    close_codec(&codec);
}

/* What a codec may say of input that is no valid encoding. */
static bool is_refusal(int32_t status)
{
    return status == KBP_ERR_CORRUPT || status == KBP_ERR_LIMIT;
}

static void cut_anywhere(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_sink packed;
    struct bytes in;
    struct codec codec;
    size_t len;
    unsigned taken = 0;

    if (!open_writer(ctx, &codec))
        return;
    in = shape(ctx, 2);
    kb_check_sink_init(&packed, UINT64_MAX, 0);
    (void)compress(&codec, in, &packed, &err);
    for (len = 0; len < packed.len; len++) {
        struct kb_check_sink back;
        int32_t status;

        kb_check_sink_init(&back, 1 << 20, 0);
        status = decompress(&codec, packed.data, len, &back, &err);
        taken += status == KBP_OK;
        if (status != KBP_OK && !is_refusal(status))
            kb_check_fail(ctx, "cut after %zu bytes: status %d: %s", len,
                          (int)status, err.message);
        kb_check_sink_release(&back);
    }
    if (taken > 2)
        kb_check_warn(ctx, "cut at %u of %zu places it is taken for whole",
                      taken, packed.len);
    kb_check_sink_release(&packed);
    free(in.data);
    close_codec(&codec);
}

static void bit_flips(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_sink packed;
    struct bytes in;
    struct codec codec;
    size_t bit;

    if (!open_writer(ctx, &codec))
        return;
    in = shape(ctx, 2);
    kb_check_sink_init(&packed, UINT64_MAX, 0);
    (void)compress(&codec, in, &packed, &err);
    for (bit = 0; bit < packed.len * 8; bit++) {
        struct kb_check_sink back;
        int32_t status;

        packed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        kb_check_sink_init(&back, 1 << 16, 0);
        status = decompress(&codec, packed.data, packed.len, &back, &err);
        if (status != KBP_OK && !is_refusal(status))
            kb_check_fail(ctx, "with bit %zu flipped: status %d: %s", bit,
                          (int)status, err.message);
        kb_check_sink_release(&back);
        packed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    kb_check_sink_release(&packed);
    free(in.data);
    close_codec(&codec);
}

static void random_input(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct codec codec;
    unsigned round;

    if (!open_codec(ctx, &codec))
        return;
    for (round = 0; round < 3000; round++) {
        size_t len = kb_check_random(ctx) % 200;
        struct bytes in = new_bytes(len);
        struct kb_check_sink back;
        int32_t status;
        size_t i;

        for (i = 0; i < in.len; i++)
            in.data[i] = (uint8_t)(kb_check_random(ctx) >> 24);
        kb_check_sink_init(&back, 4096, 0);
        status = decompress(&codec, in.data, in.len, &back, &err);
        if (status != KBP_OK && !is_refusal(status))
            kb_check_fail(ctx, "random input: status %d: %s", (int)status,
                          err.message);
        kb_check_sink_release(&back);
        free(in.data);
    }
    close_codec(&codec);
}

static void trailing_garbage(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_sink packed;
    struct kb_check_sink back;
    struct bytes in;
    struct codec codec;

    if (!open_writer(ctx, &codec))
        return;
    in = shape(ctx, 2);
    kb_check_sink_init(&packed, UINT64_MAX, 0);
    kb_check_sink_init(&back, 1 << 20, 0);
    (void)compress(&codec, in, &packed, &err);
    if (packed.data && packed.len > 0) {
        struct bytes more = new_bytes(packed.len + 3);

        if (more.data) {
            memcpy(more.data, packed.data, packed.len);
            memcpy(more.data + packed.len, "\x01\xfe\x7f", 3);
            if (decompress(&codec, more.data, more.len, &back, &err) == KBP_OK)
                kb_check_warn(ctx, "bytes after the end are passed over");
        }
        free(more.data);
    }
    kb_check_sink_release(&packed);
    kb_check_sink_release(&back);
    free(in.data);
    close_codec(&codec);
}

static void sink_limit_obeyed(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_sink packed;
    struct bytes in;
    struct codec codec;
    uint64_t limit;

    if (!open_writer(ctx, &codec))
        return;
    in = shape(ctx, 7);
    kb_check_sink_init(&packed, UINT64_MAX, 0);
    (void)compress(&codec, in, &packed, &err);
    for (limit = 0; limit < in.len; limit = limit * 7 + 1) {
        struct kb_check_sink back;
        int32_t status;

        kb_check_sink_init(&back, limit, 0);
        status = decompress(&codec, packed.data, packed.len, &back, &err);
        if (status != KBP_ERR_LIMIT)
            kb_check_fail(ctx, "%zu bytes into a sink of %llu: status %d",
                          in.len, (unsigned long long)limit, (int)status);
        if (back.len > limit)
            kb_check_fail(ctx, "a sink of %llu bytes got %zu",
                          (unsigned long long)limit, back.len);
        kb_check_sink_release(&back);
        kb_check_sink_init(&back, limit / 4096, 0);
        status = compress(&codec, in, &back, &err);
        if (status != KBP_OK && status != KBP_ERR_LIMIT)
            kb_check_fail(ctx, "compress into a small sink: status %d",
                          (int)status);
        kb_check_sink_release(&back);
    }
    /* After all these errors the session is as good as new. */
    check_round_trip(&codec, in, 0);
    kb_check_sink_release(&packed);
    free(in.data);
    close_codec(&codec);
}

struct worker {
    struct codec *codec;
    struct kb_check_ctx ctx;
    pthread_t thread;
    bool ok;
};

static void *work(void *data)
{
    struct worker *worker = data;
    struct codec mine = *worker->codec;
    struct kbp_error err = KB_ERR_INIT;
    unsigned i;

    mine.ctx = &worker->ctx;
    if (mine.type->session_open(mine.instance, &mine.host.host, &mine.session,
                                &err) != KBP_OK)
        return NULL;
    for (i = 0; i < SHAPES; i++) {
        struct bytes in = shape(&worker->ctx, i);

        check_round_trip(&mine, in, 0);
        free(in.data);
    }
    mine.type->session_close(mine.session);
    worker->ok = !kb_check_bad(&worker->ctx);
    return NULL;
}

static void eight_sessions(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct worker workers[WORKERS];
    struct codec codec;
    unsigned started = 0;
    unsigned i;

    if (!open_writer(ctx, &codec))
        return;
    memset(workers, 0, sizeof workers);
    for (; started < WORKERS; started++) {
        workers[started].codec = &codec;
        workers[started].ctx.random = started * 7919 + 1;
        if (kb_thread_start(&workers[started].thread, "check", work,
                            &workers[started], &err) != KBP_OK)
            break;
    }
    for (i = 0; i < started; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        if (!workers[i].ok)
            kb_check_fail(ctx, "session %u of %u: %s", i, started,
                          workers[i].ctx.message);
    }
    close_codec(&codec);
}

static void ids_are_known(struct kb_check_ctx *ctx)
{
    static const char *const kafka[] = {"none", "gzip", "snappy", "lz4",
                                        "zstd"};
    static const char *const segment[] = {"none", "zstd", "lz4-block"};
    const struct kbp_codec_type *type = &ctx->type->table.codec;

    if (type->kafka_id >= 0 &&
        ((size_t)type->kafka_id >= sizeof kafka / sizeof kafka[0] ||
         strcmp(kafka[type->kafka_id], type->name) != 0))
        kb_check_fail(ctx, "Kafka's number %d isn't that of %s",
                      (int)type->kafka_id, type->name);
    if (type->segment_id >= 0 && type->segment_id < 3 &&
        strcmp(segment[type->segment_id], type->name) != 0)
        kb_check_fail(ctx, "the segment number %d isn't that of %s",
                      (int)type->segment_id, type->name);
    if (type->segment_id > 2 &&
        (type->segment_id < 128 || type->segment_id > 254))
        kb_check_fail(ctx, "a vendor's segment number is 128 to 254, not %d",
                      (int)type->segment_id);
}

static const struct kb_check checks[] = {
    {"round-trip", "What was compressed comes back, into any sink.",
     round_trip},
    {"same-in-same-out", "The same bytes compress to the same.",
     same_in_same_out},
    {"cut-anywhere", "Input that is cut is refused.", cut_anywhere},
    {"bit-flips", "Damaged input is refused or decompressed, and no more.",
     bit_flips},
    {"random-input", "Random input does no harm.", random_input},
    {"trailing-garbage", "Bytes after the end are refused.", trailing_garbage},
    {"sink-limit-obeyed", "No more comes out than the host allows.",
     sink_limit_obeyed},
    {"eight-sessions", "Sessions of one instance work side by side.",
     eight_sessions},
    {"ids-are-known", "Its numbers are Kafka's, or a vendor's.", ids_are_known},
};

KB_CHECK_GROUP(kb_check_codec, "codec", checks);

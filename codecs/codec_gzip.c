/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_gzip.c - gzip (RFC 1952), over zlib.
 *
 * Java's reader takes several members in a row, so ours does, too.
 */
#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

#include <kafka-backup/codec.h>
#include <kafka-backup/util.h>

#define GZIP_WINDOW (15 + 16) /* 16: a gzip header, not zlib's own */
#define MEMORY_LEVEL 8
#define OUT_BYTES ((size_t)64 * 1024)

struct kbp_codec {
    int level;
};

struct kbp_codec_session {
    const struct kbp_codec *codec;
    z_stream deflate;
    z_stream inflate;
    int can_deflate;
    int can_inflate;
};

static const struct kbp_option gzip_options[] = {
    {.name = "level",
     .default_value = "6",
     .help = "1 (fast) to 9 (small)",
     .type = KBP_OPTION_INT},
};

static int32_t gzip_open(const struct kbp_host *host,
                         const struct kbp_config *config,
                         struct kbp_codec **codec, struct kbp_error *err)
{
    const char *level = kbp_config_get(config, "level");
    struct kbp_codec *gzip = calloc(1, sizeof *gzip);

    (void)host;
    if (!gzip)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for the codec");
    gzip->level = level ? (int)strtol(level, NULL, 10) : 6;
    if (gzip->level < 1 || gzip->level > 9) {
        free(gzip);
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "level: %s is not in 1 to 9",
                        level);
    }
    *codec = gzip;
    return KBP_OK;
}

static void gzip_close(struct kbp_codec *codec)
{
    free(codec);
}

static int32_t gzip_session_open(struct kbp_codec *codec,
                                 const struct kbp_host *host,
                                 struct kbp_codec_session **session,
                                 struct kbp_error *err)
{
    struct kbp_codec_session *s = calloc(1, sizeof *s);

    (void)host;
    if (!s)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for a session");
    s->codec = codec;
    *session = s;
    return KBP_OK;
}

static void gzip_session_close(struct kbp_codec_session *session)
{
    if (!session)
        return;
    if (session->can_deflate)
        (void)deflateEnd(&session->deflate);
    if (session->can_inflate)
        (void)inflateEnd(&session->inflate);
    free(session);
}

/* zlib counts input in unsigned int: hand it over in pieces. */
static void give_input(z_stream *z, const unsigned char **from, size_t *left)
{
    size_t piece = *left < UINT_MAX ? *left : UINT_MAX;

    if (z->avail_in > 0)
        return;
    z->next_in = (z_const Bytef *)(uintptr_t)*from;
    z->avail_in = (uInt)piece;
    *from += piece;
    *left -= piece;
}

/* Room for output; `*given` says how much. */
static int32_t give_room(z_stream *z, struct kbp_sink *out, size_t min,
                         size_t wish, size_t *given)
{
    static unsigned char nowhere[1];
    size_t room_len;
    void *room;
    int32_t status = out->reserve(out, min, wish, &room, &room_len);

    if (status != KBP_OK)
        return status;
    if (room_len > UINT_MAX)
        room_len = UINT_MAX;
    z->next_out = room ? room : nowhere; /* zlib wants a pointer anyway */
    z->avail_out = (uInt)room_len;
    *given = room_len;
    return KBP_OK;
}

static int32_t gzip_compress(struct kbp_codec_session *session, const void *in,
                             size_t in_len, struct kbp_sink *out,
                             struct kbp_error *err)
{
    const unsigned char *from = in;
    z_stream *z = &session->deflate;
    size_t left = in_len;
    size_t given;
    int result;

    if (session->can_deflate)
        result = deflateReset(z);
    else
        result = deflateInit2(z, session->codec->level, Z_DEFLATED, GZIP_WINDOW,
                              MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    if (result != Z_OK)
        return kbp_fail(err, KBP_ERR_NOMEM, result, "no memory to compress");
    session->can_deflate = 1;
    z->avail_in = 0;
    do {
        size_t wish = z->avail_in + left ? deflateBound(z, left) : OUT_BYTES;
        int32_t status;

        give_input(z, &from, &left);
        status = give_room(z, out, 1, wish, &given);
        if (status != KBP_OK)
            return status;
        result = deflate(z, left ? Z_NO_FLUSH : Z_FINISH);
        out->commit(out, given - z->avail_out);
    } while (result == Z_OK || (result == Z_BUF_ERROR && z->avail_out == 0));
    if (result != Z_STREAM_END)
        return kbp_fail(err, KBP_ERR_INTERNAL, result, "deflate: %s",
                        z->msg ? z->msg : "no reason given");
    return KBP_OK;
}

static int32_t gzip_fail(struct kbp_error *err, const z_stream *z, int result)
{
    if (result == Z_MEM_ERROR)
        return kbp_fail(err, KBP_ERR_NOMEM, result, "no memory to decompress");
    if (result == Z_BUF_ERROR)
        return kbp_fail(err, KBP_ERR_CORRUPT, result, "it is cut short");
    return kbp_fail(err, KBP_ERR_CORRUPT, result, "%s",
                    z->msg ? z->msg : "it is damaged");
}

/* One member; what follows it stays in z->avail_in and `*left`. */
static int32_t read_member(z_stream *z, const unsigned char **from,
                           size_t *left, struct kbp_sink *out,
                           struct kbp_error *err)
{
    size_t min = 0;
    int result;

    do {
        size_t given;
        size_t in_before;
        int32_t status = give_room(z, out, min, OUT_BYTES, &given);

        if (status != KBP_OK)
            return status;
        give_input(z, from, left);
        in_before = z->avail_in;
        result = inflate(z, Z_NO_FLUSH);
        out->commit(out, given - z->avail_out);
        if (result != Z_OK && result != Z_BUF_ERROR)
            break;
        if (z->avail_in == in_before && z->avail_out == given) {
            if (min > 0 || (z->avail_in == 0 && *left == 0 && given > 0))
                return gzip_fail(err, z, Z_BUF_ERROR);
            min = 1; /* it wants room, or input that isn't there */
        } else {
            min = 0;
        }
    } while (1);
    return result == Z_STREAM_END ? KBP_OK : gzip_fail(err, z, result);
}

static int32_t gzip_decompress(struct kbp_codec_session *session,
                               const void *in, size_t in_len,
                               struct kbp_sink *out, struct kbp_error *err)
{
    const unsigned char *from = in;
    z_stream *z = &session->inflate;
    size_t left = in_len;
    int32_t status = KBP_OK;
    int result;

    if (session->can_inflate)
        result = inflateReset(z);
    else
        result = inflateInit2(z, GZIP_WINDOW);
    if (result != Z_OK)
        return kbp_fail(err, KBP_ERR_NOMEM, result, "no memory to decompress");
    session->can_inflate = 1;
    z->avail_in = 0;
    do {
        status = read_member(z, &from, &left, out, err);
        if (status == KBP_OK && (z->avail_in > 0 || left > 0) &&
            inflateReset(z) != Z_OK)
            status = kbp_fail(err, KBP_ERR_INTERNAL, 0, "can't begin again");
    } while (status == KBP_OK && (z->avail_in > 0 || left > 0));
    return status;
}

static const struct kbp_codec_type gzip_type = {
    .struct_size = sizeof gzip_type,
    .name = "gzip",
    .summary = "gzip, RFC 1952",
    .options = KBP_OPTIONS(gzip_options),
    .suffix = ".gz",
    .kafka_id = 1,
    .segment_id = -1,
    .open = gzip_open,
    .close = gzip_close,
    .session_open = gzip_session_open,
    .session_close = gzip_session_close,
    .compress = gzip_compress,
    .decompress = gzip_decompress,
};

static const struct kbp_codec_type *const gzip_types[] = {&gzip_type, NULL};

const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "codec_gzip",
    .version = "1.0.0",
    .vendor = "kafka-backup",
    .license = "Apache-2.0",
    .codec = gzip_types,
};

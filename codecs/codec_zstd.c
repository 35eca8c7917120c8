/* SPDX-License-Identifier: Apache-2.0 */
/* codec_zstd.c - Zstandard (RFC 8878), straight into the host's memory. */
#include <stdlib.h>

#include <zstd.h>
#include <zstd_errors.h>

#include <kafka-backup/codec.h>
#include <kafka-backup/util.h>

struct kbp_codec {
    int level;
};

struct kbp_codec_session {
    struct kbp_codec *codec;
    ZSTD_CCtx *cctx;
    ZSTD_DCtx *dctx;
};

static const struct kbp_option zstd_options[] = {
    {.name = "level",
     .default_value = "3",
     .help = "1 (fast) to 22 (small)",
     .type = KBP_OPTION_INT},
};

static int32_t zstd_fail(struct kbp_error *err, size_t code)
{
    int32_t status = ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation
                         ? KBP_ERR_NOMEM
                         : KBP_ERR_CORRUPT;

    return kbp_fail(err, status, (int32_t)ZSTD_getErrorCode(code), "%s",
                    ZSTD_getErrorName(code));
}

static int32_t zstd_open(const struct kbp_host *host,
                         const struct kbp_config *config,
                         struct kbp_codec **codec, struct kbp_error *err)
{
    const char *level = kbp_config_get(config, "level");
    struct kbp_codec *zstd = calloc(1, sizeof *zstd);

    (void)host;
    if (!zstd)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for the codec");
    zstd->level = level ? (int)strtol(level, NULL, 10) : 3;
    if (zstd->level < 1 || zstd->level > ZSTD_maxCLevel()) {
        free(zstd);
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "level: %s is not in 1 to %d",
                        level, ZSTD_maxCLevel());
    }
    *codec = zstd;
    return KBP_OK;
}

static void zstd_close(struct kbp_codec *codec)
{
    free(codec);
}

static void zstd_session_close(struct kbp_codec_session *session)
{
    if (!session)
        return;
    ZSTD_freeCCtx(session->cctx);
    ZSTD_freeDCtx(session->dctx);
    free(session);
}

static int32_t zstd_session_open(struct kbp_codec *codec,
                                 const struct kbp_host *host,
                                 struct kbp_codec_session **session,
                                 struct kbp_error *err)
{
    struct kbp_codec_session *s = calloc(1, sizeof *s);

    (void)host;
    if (s) {
        s->codec = codec;
        s->cctx = ZSTD_createCCtx();
        s->dctx = ZSTD_createDCtx();
    }
    if (!s || !s->cctx || !s->dctx) {
        zstd_session_close(s);
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for a session");
    }
    *session = s;
    return KBP_OK;
}

static int32_t zstd_compress(struct kbp_codec_session *session, const void *in,
                             size_t in_len, struct kbp_sink *out,
                             struct kbp_error *err)
{
    size_t bound = ZSTD_compressBound(in_len);
    size_t room_len;
    size_t n;
    void *room;
    int32_t status = out->reserve(out, bound, bound, &room, &room_len);

    if (status != KBP_OK)
        return status;
    n = ZSTD_compressCCtx(session->cctx, room, room_len, in, in_len,
                          session->codec->level);
    if (ZSTD_isError(n))
        return zstd_fail(err, n);
    out->commit(out, n);
    return KBP_OK;
}

/*
 * With room for the whole of it, libzstd writes to its place at once instead of
 * through a window of its own.  The size is the input's word, so it is believed
 * only as far as real data compresses.
 */
static size_t first_wish(const void *in, size_t in_len)
{
    unsigned long long size = ZSTD_getFrameContentSize(in, in_len);
    size_t usual = ZSTD_DStreamOutSize();

    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
        size < usual || size / 64 > in_len)
        return usual;
    return (size_t)size;
}

/* One frame, skippable ones too. */
static int32_t read_frame(struct kbp_codec_session *session,
                          ZSTD_inBuffer *from, struct kbp_sink *out,
                          struct kbp_error *err)
{
    size_t wish =
        first_wish((const char *)from->src + from->pos, from->size - from->pos);
    size_t min = 0;
    size_t left;

    (void)ZSTD_DCtx_reset(session->dctx, ZSTD_reset_session_only);
    do {
        ZSTD_outBuffer to = {NULL, 0, 0};
        size_t before = from->pos;
        int32_t status = out->reserve(out, min, wish, &to.dst, &to.size);

        if (status != KBP_OK)
            return status;
        left = ZSTD_decompressStream(session->dctx, &to, from);
        if (ZSTD_isError(left))
            return zstd_fail(err, left);
        out->commit(out, to.pos);
        wish = ZSTD_DStreamOutSize();
        if (left && !to.pos && from->pos == before) {
            if (min)
                return kbp_fail(err, KBP_ERR_CORRUPT, 0, "it is cut short");
            min = 1; /* it wants room, or input that isn't there */
        } else {
            min = 0;
        }
    } while (left);
    return KBP_OK;
}

/* Frames may follow each other: Java's reader takes them all, too. */
static int32_t zstd_decompress(struct kbp_codec_session *session,
                               const void *in, size_t in_len,
                               struct kbp_sink *out, struct kbp_error *err)
{
    ZSTD_inBuffer from = {in, in_len, 0};
    int32_t status;

    do {
        status = read_frame(session, &from, out, err);
    } while (status == KBP_OK && from.pos < in_len);
    return status;
}

static const struct kbp_codec_type zstd_type = {
    .struct_size = sizeof zstd_type,
    .name = "zstd",
    .summary = "Zstandard, RFC 8878",
    .options = KBP_OPTIONS(zstd_options),
    .suffix = ".zst",
    .kafka_id = 4,
    .segment_id = 1,
    .open = zstd_open,
    .close = zstd_close,
    .session_open = zstd_session_open,
    .session_close = zstd_session_close,
    .compress = zstd_compress,
    .decompress = zstd_decompress,
};

static const struct kbp_codec_type *const zstd_types[] = {&zstd_type, NULL};

const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "codec_zstd",
    .version = "1.0.0",
    .vendor = "kafka-backup",
    .license = "Apache-2.0",
    .codec = zstd_types,
};

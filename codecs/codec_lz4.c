/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_lz4.c - LZ4, in three byte formats.
 *
 *   lz4         The frame format, as Kafka's record batches have it.  Java's
 *               reader wants blocks that don't depend on each other.
 *   lz4-magic0  The same with the header checksum of Kafka's first message
 *               format, which was computed over too many bytes (KAFKA-3160).
 *               Either checksum is taken; only for reading.
 *   lz4-block   One block behind its size in 4 bytes, little-endian: what
 *               segments of archive format 1 have.
 */
#include <stdlib.h>

#include <lz4.h>
#include <lz4frame.h>
#include <lz4hc.h>

#include <kafka-backup/codec.h>
#include <kafka-backup/util.h>

#define FRAME_MAGIC 0x184d2204u
#define FLG_CONTENT_SIZE 0x08u
#define FLG_DICT_ID 0x01u
#define OUT_BYTES ((size_t)64 * 1024)
#define SIZE_BYTES 4u
#define RATIO_MAX 255u /* more than this a block can't hold */

struct kbp_codec {
    int level;
    LZ4F_blockSizeID_t block_size;
};

struct kbp_codec_session {
    const struct kbp_codec *codec;
    LZ4F_cctx *cctx; /* NULL until it is needed, as is dctx */
    LZ4F_dctx *dctx;
};

static const struct kbp_option frame_options[] = {
    {.name = "level",
     .default_value = "0",
     .help = "0 (fast), 3 to 12 (small, slower)",
     .type = KBP_OPTION_INT},
    {.name = "block_size",
     .default_value = "64KB",
     .help = "the most that a block holds; larger ones compress better",
     .type = KBP_OPTION_CHOICE,
     .flags = KBP_OPTION_ADVANCED,
     .choices = "64KB|256KB|1MB|4MB"},
};

static const struct kbp_option block_options[] = {
    {.name = "level",
     .default_value = "0",
     .help = "0 (fast), 3 to 12 (small, slower)",
     .type = KBP_OPTION_INT},
};

static LZ4F_blockSizeID_t block_size_of(const char *text)
{
    if (text && strcmp(text, "256KB") == 0)
        return LZ4F_max256KB;
    if (text && strcmp(text, "1MB") == 0)
        return LZ4F_max1MB;
    if (text && strcmp(text, "4MB") == 0)
        return LZ4F_max4MB;
    return LZ4F_max64KB;
}

static int32_t lz4_open(const struct kbp_host *host,
                        const struct kbp_config *config,
                        struct kbp_codec **codec, struct kbp_error *err)
{
    const char *level = kbp_config_get(config, "level");
    struct kbp_codec *lz4 = calloc(1, sizeof *lz4);

    (void)host;
    if (!lz4)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for the codec");
    lz4->level = level ? (int)strtol(level, NULL, 10) : 0;
    lz4->block_size = block_size_of(kbp_config_get(config, "block_size"));
    if (lz4->level < 0 || lz4->level > LZ4HC_CLEVEL_MAX) {
        free(lz4);
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "level: %s is not in 0 to %d",
                        level, LZ4HC_CLEVEL_MAX);
    }
    *codec = lz4;
    return KBP_OK;
}

static void lz4_close(struct kbp_codec *codec)
{
    free(codec);
}

static int32_t lz4_session_open(struct kbp_codec *codec,
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

static void lz4_session_close(struct kbp_codec_session *session)
{
    if (!session)
        return;
    (void)LZ4F_freeCompressionContext(session->cctx);
    (void)LZ4F_freeDecompressionContext(session->dctx);
    free(session);
}

/* `otherwise` is what an error means that isn't about memory. */
static int32_t frame_fail(struct kbp_error *err, size_t code, int32_t otherwise)
{
    const char *why = LZ4F_getErrorName(code);

    return kbp_fail(err,
                    strcmp(why, "ERROR_allocation_failed") == 0 ? KBP_ERR_NOMEM
                                                                : otherwise,
                    0, "%s", why);
}

static int32_t frame_compress(struct kbp_codec_session *session, const void *in,
                              size_t in_len, struct kbp_sink *out,
                              struct kbp_error *err)
{
    LZ4F_preferences_t prefs = {
        .frameInfo = {.blockSizeID = session->codec->block_size,
                      .blockMode = LZ4F_blockIndependent},
        .compressionLevel = session->codec->level,
        .autoFlush = 1,
    };
    /* A frame's begin, its blocks, its end. */
    size_t bound = LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(in_len, &prefs);
    size_t room_len;
    size_t n;
    size_t len = 0;
    char *room;
    void *reserved;
    int32_t status;

    if (!session->cctx) {
        n = LZ4F_createCompressionContext(&session->cctx, LZ4F_VERSION);
        if (LZ4F_isError(n)) {
            session->cctx = NULL;
            return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory to compress");
        }
    }
    status = out->reserve(out, bound, bound, &reserved, &room_len);
    if (status != KBP_OK)
        return status;
    room = reserved;
    n = LZ4F_compressBegin(session->cctx, room, room_len, &prefs);
    if (!LZ4F_isError(n)) {
        len += n;
        n = LZ4F_compressUpdate(session->cctx, room + len, room_len - len, in,
                                in_len, NULL);
    }
    if (!LZ4F_isError(n)) {
        len += n;
        n = LZ4F_compressEnd(session->cctx, room + len, room_len - len, NULL);
    }
    if (LZ4F_isError(n)) {
        /* Its state is undefined now. */
        (void)LZ4F_freeCompressionContext(session->cctx);
        session->cctx = NULL;
        return frame_fail(err, n, KBP_ERR_INTERNAL);
    }
    out->commit(out, len + n);
    return KBP_OK;
}

static int32_t ready_to_read(struct kbp_codec_session *session,
                             struct kbp_error *err)
{
    if (session->dctx) {
        LZ4F_resetDecompressionContext(session->dctx);
        return KBP_OK;
    }
    if (LZ4F_isError(
            LZ4F_createDecompressionContext(&session->dctx, LZ4F_VERSION))) {
        session->dctx = NULL;
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory to decompress");
    }
    return KBP_OK;
}

/* Feed `from`; `*hint` is 0 when the frame has ended. */
static int32_t feed(struct kbp_codec_session *session, const char *from,
                    size_t len, size_t *used, size_t *hint,
                    struct kbp_sink *out, struct kbp_error *err)
{
    size_t at = 0;
    size_t min = 0;

    for (;;) {
        size_t taken = len - at;
        size_t room_len;
        size_t n;
        void *room;
        int32_t status = out->reserve(out, min, OUT_BYTES, &room, &room_len);

        if (status != KBP_OK)
            return status;
        n = LZ4F_decompress(session->dctx, room, &room_len, from + at, &taken,
                            NULL);
        if (LZ4F_isError(n))
            return frame_fail(err, n, KBP_ERR_CORRUPT);
        out->commit(out, room_len);
        at += taken;
        *hint = n;
        if (n == 0)
            break;
        if (taken == 0 && room_len == 0) {
            if (min || at == len)
                break;
            min = 1; /* it wants room, or input that isn't there */
            continue;
        }
        min = 0;
    }
    *used = at;
    return KBP_OK;
}

static int32_t frame_decompress(struct kbp_codec_session *session,
                                const void *in, size_t in_len,
                                struct kbp_sink *out, struct kbp_error *err)
{
    size_t used;
    size_t hint;
    int32_t status = ready_to_read(session, err);

    if (status == KBP_OK)
        status = feed(session, in, in_len, &used, &hint, out, err);
    if (status != KBP_OK)
        return status;
    if (hint != 0)
        return kbp_fail(err, KBP_ERR_CORRUPT, 0, "it is cut short");
    if (used != in_len)
        return kbp_fail(err, KBP_ERR_CORRUPT, 0,
                        "there are bytes after the end");
    return KBP_OK;
}

static uint32_t load_le32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

/* xxHash32 with seed 0 of fewer than 16 bytes. */
static uint32_t xxh32_short(const unsigned char *at, size_t len)
{
    uint32_t hash = 374761393u + (uint32_t)len;

    for (; len >= 4; len -= 4, at += 4)
        hash = rotate(hash + load_le32(at) * 3266489917u, 17) * 668265263u;
    for (; len > 0; len--, at++)
        hash = rotate(hash + *at * 374761393u, 11) * 2654435761u;
    hash = (hash ^ hash >> 15) * 2246822519u;
    hash = (hash ^ hash >> 13) * 3266489917u;
    return hash ^ hash >> 16;
}

/*
 * liblz4 insists on the right checksum; so it gets a header with that one, then
 * the rest as it is.
 */
static int32_t magic0_decompress(struct kbp_codec_session *session,
                                 const void *in, size_t in_len,
                                 struct kbp_sink *out, struct kbp_error *err)
{
    const unsigned char *from = in;
    unsigned char header[LZ4F_HEADER_SIZE_MAX];
    size_t len = 7;
    size_t used = 0;
    size_t hint = 1;
    int32_t status;

    if (in_len >= len && load_le32(from) == FRAME_MAGIC) {
        len += from[4] & FLG_CONTENT_SIZE ? 8 : 0;
        len += from[4] & FLG_DICT_ID ? 4 : 0;
    }
    if (in_len < len || load_le32(from) != FRAME_MAGIC)
        return frame_decompress(session, in, in_len, out, err);
    memcpy(header, from, len);
    header[len - 1] = (unsigned char)(xxh32_short(header + 4, len - 5) >> 8);
    status = ready_to_read(session, err);
    if (status == KBP_OK)
        status =
            feed(session, (const char *)header, len, &used, &hint, out, err);
    if (status == KBP_OK && (used != len || hint == 0))
        status = kbp_fail(err, KBP_ERR_CORRUPT, 0, "its header is damaged");
    if (status == KBP_OK)
        status = feed(session, (const char *)from + len, in_len - len, &used,
                      &hint, out, err);
    if (status != KBP_OK)
        return status;
    if (hint != 0)
        return kbp_fail(err, KBP_ERR_CORRUPT, 0, "it is cut short");
    if (used != in_len - len)
        return kbp_fail(err, KBP_ERR_CORRUPT, 0,
                        "there are bytes after the end");
    return KBP_OK;
}

static int32_t block_compress(struct kbp_codec_session *session, const void *in,
                              size_t in_len, struct kbp_sink *out,
                              struct kbp_error *err)
{
    int bound;
    int n;
    size_t room_len;
    size_t want;
    unsigned char *room;
    void *reserved;
    int32_t status;

    if (in_len > LZ4_MAX_INPUT_SIZE)
        return kbp_fail(err, KBP_ERR_UNSUPPORTED, 0,
                        "a block can't hold %zu bytes", in_len);
    bound = LZ4_compressBound((int)in_len);
    want = (size_t)bound + SIZE_BYTES;
    status = out->reserve(out, want, want, &reserved, &room_len);
    if (status != KBP_OK)
        return status;
    room = reserved;
    if (session->codec->level > 0)
        n = LZ4_compress_HC(in, (char *)room + SIZE_BYTES, (int)in_len, bound,
                            session->codec->level);
    else
        n = LZ4_compress_default(in, (char *)room + SIZE_BYTES, (int)in_len,
                                 bound);
    if (n <= 0)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "can't compress the block");
    room[0] = (unsigned char)in_len;
    room[1] = (unsigned char)(in_len >> 8);
    room[2] = (unsigned char)(in_len >> 16);
    room[3] = (unsigned char)(in_len >> 24);
    out->commit(out, (size_t)n + SIZE_BYTES);
    return KBP_OK;
}

static int32_t block_decompress(struct kbp_codec_session *session,
                                const void *in, size_t in_len,
                                struct kbp_sink *out, struct kbp_error *err)
{
    static char none[1];
    uint32_t size;
    size_t room_len;
    void *room;
    int32_t status;
    int n;

    (void)session;
    if (in_len <= SIZE_BYTES || in_len > LZ4_MAX_INPUT_SIZE)
        return kbp_fail(err, KBP_ERR_CORRUPT, 0, "%zu bytes are no block",
                        in_len);
    size = load_le32(in);
    if (size > LZ4_MAX_INPUT_SIZE || size / RATIO_MAX > in_len)
        return kbp_fail(err, KBP_ERR_CORRUPT, 0,
                        "%zu bytes can't be a block of %u", in_len,
                        (unsigned)size);
    status = out->reserve(out, size, size, &room, &room_len);
    if (status != KBP_OK)
        return status;
    n = LZ4_decompress_safe((const char *)in + SIZE_BYTES, size ? room : none,
                            (int)(in_len - SIZE_BYTES), (int)size);
    if (n < 0 || (uint32_t)n != size)
        return kbp_fail(err, KBP_ERR_CORRUPT, n, "the block is damaged");
    out->commit(out, size);
    return KBP_OK;
}

static const struct kbp_codec_type frame_type = {
    .struct_size = sizeof frame_type,
    .name = "lz4",
    .summary = "LZ4, frame format",
    .options = KBP_OPTIONS(frame_options),
    .suffix = ".lz4",
    .kafka_id = 3,
    .segment_id = -1,
    .open = lz4_open,
    .close = lz4_close,
    .session_open = lz4_session_open,
    .session_close = lz4_session_close,
    .compress = frame_compress,
    .decompress = frame_decompress,
};

static const struct kbp_codec_type magic0_type = {
    .struct_size = sizeof magic0_type,
    .name = "lz4-magic0",
    .summary = "LZ4 frames of Kafka's message format 0, for reading",
    .options = KBP_NO_OPTIONS,
    .suffix = NULL,
    .kafka_id = -1,
    .segment_id = -1,
    .open = lz4_open,
    .close = lz4_close,
    .session_open = lz4_session_open,
    .session_close = lz4_session_close,
    .decompress = magic0_decompress,
};

static const struct kbp_codec_type block_type = {
    .struct_size = sizeof block_type,
    .name = "lz4-block",
    .summary = "an LZ4 block behind its size, as in archives of format 1",
    .options = KBP_OPTIONS(block_options),
    .suffix = ".lz4",
    .kafka_id = -1,
    .segment_id = 2,
    .open = lz4_open,
    .close = lz4_close,
    .session_open = lz4_session_open,
    .session_close = lz4_session_close,
    .compress = block_compress,
    .decompress = block_decompress,
};

static const struct kbp_codec_type *const lz4_types[] = {
    &frame_type, &block_type, &magic0_type, NULL};

const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "codec_lz4",
    .version = "1.0.0",
    .vendor = "kafka-backup",
    .license = "Apache-2.0",
    .codec = lz4_types,
};

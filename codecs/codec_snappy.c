/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_snappy.c - Snappy, in both forms that Kafka's clients write.
 *
 *   raw      one Snappy block: librdkafka
 *   xerial   snappy-java's stream: a header of 16 bytes, then blocks of 32 KiB,
 *            each behind its length in 4 bytes, big-endian: Java
 *
 * As in Java's reader, what doesn't begin with the header is a raw block, and
 * streams may follow each other.
 */
#include <stdlib.h>

#include <kafka-backup/codec.h>
#include <kafka-backup/util.h>

#include "snappy_guard.h"

#define HEADER_BYTES 16u
#define MAGIC_BYTES 8u
#define BLOCK_BYTES ((size_t)32 * 1024)
#define LENGTH_BYTES 4u
#define RATIO_MAX 32u /* a block of n bytes holds fewer than that times n */

static const unsigned char header[HEADER_BYTES] = {
    0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};

struct kbp_codec {
    int raw; /* write raw */
};

struct kbp_codec_session {
    const struct kbp_codec *codec;
};

static const struct kbp_option snappy_options[] = {
    {.name = "framing",
     .default_value = "xerial",
     .help = "how to write: as Java's clients do, or one raw block",
     .type = KBP_OPTION_CHOICE,
     .flags = KBP_OPTION_ADVANCED,
     .choices = "xerial|raw"},
};

static int32_t sn_open(const struct kbp_host *host,
                       const struct kbp_config *config,
                       struct kbp_codec **codec, struct kbp_error *err)
{
    const char *framing = kbp_config_get(config, "framing");
    struct kbp_codec *sn = calloc(1, sizeof *sn);

    (void)host;
    if (!sn)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for the codec");
    sn->raw = framing && strcmp(framing, "raw") == 0;
    *codec = sn;
    return KBP_OK;
}

static void sn_close(struct kbp_codec *codec)
{
    free(codec);
}

static int32_t sn_session_open(struct kbp_codec *codec,
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

static void sn_session_close(struct kbp_codec_session *session)
{
    free(session);
}

static uint32_t load_be32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | (uint32_t)at[3];
}

static void store_be32(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)(value >> 24);
    at[1] = (unsigned char)(value >> 16);
    at[2] = (unsigned char)(value >> 8);
    at[3] = (unsigned char)value;
}

/* One block, with its length in front if `framed`. */
static int32_t write_block(const char *from, size_t len, int framed,
                           struct kbp_sink *out, struct kbp_error *err)
{
    size_t front = framed ? LENGTH_BYTES : 0;
    size_t n = snappy_max_compressed_length(len);
    snappy_status result;
    size_t room_len;
    void *room;
    int32_t status = out->reserve(out, n + front, n + front, &room, &room_len);

    if (status != KBP_OK)
        return status;
    n = room_len - front;
    if (!snappy_guard_compress(from, len, (char *)room + front, &n, &result))
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory to compress");
    if (result != SNAPPY_OK)
        return kbp_fail(err, KBP_ERR_INTERNAL, 0, "can't compress");
    if (framed)
        store_be32(room, (uint32_t)n);
    out->commit(out, n + front);
    return KBP_OK;
}

static int32_t sn_compress(struct kbp_codec_session *session, const void *in,
                           size_t in_len, struct kbp_sink *out,
                           struct kbp_error *err)
{
    const char *from = in;
    int32_t status;

    if (session->codec->raw) {
        if (in_len > UINT32_MAX)
            return kbp_fail(err, KBP_ERR_UNSUPPORTED, 0,
                            "a block can't hold %zu bytes", in_len);
        return write_block(from, in_len, 0, out, err);
    }
    status = kbp_sink_write(out, header, HEADER_BYTES);
    while (status == KBP_OK && in_len > 0) {
        size_t len = in_len < BLOCK_BYTES ? in_len : BLOCK_BYTES;

        status = write_block(from, len, 1, out, err);
        from += len;
        in_len -= len;
    }
    return status;
}

static int32_t read_block(const char *from, size_t len, struct kbp_sink *out,
                          struct kbp_error *err)
{
    static char none[1];
    size_t size;
    size_t room_len;
    void *room;
    int32_t status;

    if (snappy_uncompressed_length(from, len, &size) != SNAPPY_OK)
        return kbp_fail(err, KBP_ERR_CORRUPT, 0, "a block is damaged");
    if (size / RATIO_MAX > len)
        return kbp_fail(err, KBP_ERR_CORRUPT, 0,
                        "%zu bytes can't be a block of %zu", len, size);
    status = out->reserve(out, size, size, &room, &room_len);
    if (status != KBP_OK)
        return status;
    if (snappy_uncompress(from, len, size ? room : none, &size) != SNAPPY_OK)
        return kbp_fail(err, KBP_ERR_CORRUPT, 0, "a block is damaged");
    out->commit(out, size);
    return KBP_OK;
}

static int32_t sn_decompress(struct kbp_codec_session *session, const void *in,
                             size_t in_len, struct kbp_sink *out,
                             struct kbp_error *err)
{
    const unsigned char *at = in;
    const unsigned char *end = at + in_len;

    (void)session;
    if (in_len < HEADER_BYTES || memcmp(at, header, MAGIC_BYTES) != 0)
        return read_block(in, in_len, out, err);
    while (at < end) {
        size_t left = (size_t)(end - at);
        uint32_t len;
        int32_t status;

        if (left >= HEADER_BYTES && memcmp(at, header, MAGIC_BYTES) == 0) {
            /* Version, and the oldest that can read it: only 1 was ever. */
            if (load_be32(at + MAGIC_BYTES + LENGTH_BYTES) > 1)
                return kbp_fail(err, KBP_ERR_CORRUPT, 0,
                                "it is of a version to come");
            at += HEADER_BYTES;
            continue;
        }
        if (left < LENGTH_BYTES)
            return kbp_fail(err, KBP_ERR_CORRUPT, 0, "it is cut short");
        len = load_be32(at);
        if (len > left - LENGTH_BYTES)
            return kbp_fail(err, KBP_ERR_CORRUPT, 0, "it is cut short");
        status = read_block((const char *)at + LENGTH_BYTES, len, out, err);
        if (status != KBP_OK)
            return status;
        at += LENGTH_BYTES + len;
    }
    return KBP_OK;
}

static const struct kbp_codec_type sn_type = {
    .struct_size = sizeof sn_type,
    .name = "snappy",
    .summary = "Snappy, raw or as snappy-java frames it",
    .options = KBP_OPTIONS(snappy_options),
    .suffix = ".snappy",
    .kafka_id = 2,
    .segment_id = -1,
    .open = sn_open,
    .close = sn_close,
    .session_open = sn_session_open,
    .session_close = sn_session_close,
    .compress = sn_compress,
    .decompress = sn_decompress,
};

static const struct kbp_codec_type *const sn_types[] = {&sn_type, NULL};

const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "codec_snappy",
    .version = "1.0.0",
    .vendor = "kafka-backup",
    .license = "Apache-2.0",
    .codec = sn_types,
};

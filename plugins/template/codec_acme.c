/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_acme.c - a first plugin: a codec that exchanges bytes by a key.
 *
 * It is no use but as a start: everything that a plugin must do is here once.
 * <kafka-backup/plugin.h> says what holds for all kinds of plugins,
 * <kafka-backup/codec.h> what codecs owe; storage.h and sasl.h are built alike.
 */
#include <stdlib.h>

#include <kafka-backup/codec.h>
#include <kafka-backup/util.h>

/* The instance: a type with its settings.  Shared by threads, so constant. */
struct kbp_codec {
    unsigned char key;
};

/* A session: one worker's state.  Never used by two threads at a time. */
struct kbp_codec_session {
    const struct kbp_codec *codec;
    const struct kbp_host *host;
};

/* What users can set; the host checks values before open() sees them. */
static const struct kbp_option acme_options[] = {
    {.name = "key",
     .default_value = "42",
     .help = "what each byte is exchanged by, 1 to 255",
     .type = KBP_OPTION_INT},
};

static int32_t acme_open(const struct kbp_host *host,
                         const struct kbp_config *config,
                         struct kbp_codec **codec, struct kbp_error *err)
{
    const char *text = kbp_config_get(config, "key");
    long key = strtol(text ? text : "42", NULL, 10);
    struct kbp_codec *acme;

    if (key < 1 || key > 255)
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "key: %s is not in 1 to 255",
                        text);
    acme = calloc(1, sizeof *acme);
    if (!acme)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for the codec");
    acme->key = (unsigned char)key;
    kbp_log(host, KBP_LOG_DEBUG, "opened");
    *codec = acme;
    return KBP_OK;
}

static void acme_close(struct kbp_codec *codec)
{
    free(codec);
}

static int32_t acme_session_open(struct kbp_codec *codec,
                                 const struct kbp_host *host,
                                 struct kbp_codec_session **session,
                                 struct kbp_error *err)
{
    struct kbp_codec_session *opened = calloc(1, sizeof *opened);

    if (!opened)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for a session");
    opened->codec = codec;
    opened->host = host;
    *session = opened;
    return KBP_OK;
}

static void acme_session_close(struct kbp_codec_session *session)
{
    free(session);
}

/* Both ways: write what comes into the host's memory, as much as it gives. */
static int32_t exchange(struct kbp_codec_session *session,
                        const unsigned char *in, size_t in_len,
                        struct kbp_sink *out)
{
    while (in_len > 0) {
        size_t room_len;
        size_t i;
        void *room;
        int32_t status = out->reserve(out, 1, in_len, &room, &room_len);

        if (status != KBP_OK)
            return status;
        if (room_len > in_len)
            room_len = in_len;
        for (i = 0; i < room_len; i++)
            ((unsigned char *)room)[i] =
                (unsigned char)(in[i] ^ session->codec->key);
        out->commit(out, room_len);
        in += room_len;
        in_len -= room_len;
    }
    return KBP_OK;
}

static int32_t acme_compress(struct kbp_codec_session *session, const void *in,
                             size_t in_len, struct kbp_sink *out,
                             struct kbp_error *err)
{
    static const char magic[] = "ACME";
    int32_t status = kbp_sink_write(out, magic, 4);

    (void)err;
    return status == KBP_OK ? exchange(session, in, in_len, out) : status;
}

/* The input may be hostile: check it before it is believed. */
static int32_t acme_decompress(struct kbp_codec_session *session,
                               const void *in, size_t in_len,
                               struct kbp_sink *out, struct kbp_error *err)
{
    if (in_len < 4 || memcmp(in, "ACME", 4) != 0)
        return kbp_fail(err, KBP_ERR_CORRUPT, 0,
                        "it doesn't begin with \"ACME\"");
    return exchange(session, (const unsigned char *)in + 4, in_len - 4, out);
}

static const struct kbp_codec_type acme_type = {
    .struct_size = sizeof acme_type,
    .name = "acme",
    .summary = "exchanges bytes by a key: a template",
    .options = KBP_OPTIONS(acme_options),
    .suffix = ".acme",
    .kafka_id = -1,
    .segment_id = -1,
    .open = acme_open,
    .close = acme_close,
    .session_open = acme_session_open,
    .session_close = acme_session_close,
    .compress = acme_compress,
    .decompress = acme_decompress,
};

static const struct kbp_codec_type *const acme_types[] = {&acme_type, NULL};

/* The one symbol; `name` is that of the file, less ".so". */
const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "codec_acme",
    .version = "0.1.0",
    .vendor = "Acme",
    .license = "Apache-2.0",
    .codec = acme_types,
};

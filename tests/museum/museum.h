/* SPDX-License-Identifier: Apache-2.0 */
/*
 * museum.h - a codec that is well, for exhibits which are not.
 *
 * Each exhibit is a plugin with one fault; MUSEUM_NAME is its file's name,
 * MUSEUM_TYPE the name which the host asks for.
 */
#ifndef KB_MUSEUM_H
#define KB_MUSEUM_H

#include <kafka-backup/codec.h>
#include <kafka-backup/util.h>

struct kbp_codec {
    char unused;
};
struct kbp_codec_session {
    char unused;
};

static struct kbp_codec the_codec;
static struct kbp_codec_session the_session;

static int32_t good_open(const struct kbp_host *host,
                         const struct kbp_config *config,
                         struct kbp_codec **codec, struct kbp_error *err)
{
    (void)host;
    (void)config;
    (void)err;
    *codec = &the_codec;
    return KBP_OK;
}

static void good_close(struct kbp_codec *codec)
{
    (void)codec;
}

static int32_t good_session_open(struct kbp_codec *codec,
                                 const struct kbp_host *host,
                                 struct kbp_codec_session **session,
                                 struct kbp_error *err)
{
    (void)codec;
    (void)host;
    (void)err;
    *session = &the_session;
    return KBP_OK;
}

static void good_session_close(struct kbp_codec_session *session)
{
    (void)session;
}

static int32_t good_copy(struct kbp_codec_session *session, const void *in,
                         size_t in_len, struct kbp_sink *out,
                         struct kbp_error *err)
{
    (void)session;
    (void)err;
    return kbp_sink_write(out, in, in_len);
}

/* The members of a good type; what follows in the initializer wins. */
#define GOOD_TYPE                                                              \
    .struct_size = sizeof(struct kbp_codec_type), .name = MUSEUM_TYPE,         \
    .summary = "an exhibit", .suffix = "", .kafka_id = -1, .segment_id = -1,   \
    .open = good_open, .close = good_close, .session_open = good_session_open, \
    .session_close = good_session_close, .compress = good_copy,                \
    .decompress = good_copy

#define GOOD_MODULE                                                  \
    .abi = KBP_ABI_INIT(struct kbp_module), .name = MUSEUM_NAME,     \
    .version = "1.0.0", .vendor = "museum", .license = "Apache-2.0", \
    .codec = types

/* To be overridden is what the initializers above are for. */
#pragma GCC diagnostic ignored "-Woverride-init"

#endif

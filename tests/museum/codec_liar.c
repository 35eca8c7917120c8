/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_liar.c - loads well, and then does what a plugin must not: writes to
 * stderr, changes the environment, leaks, tells secrets, writes past its room,
 * and crashes on input that is cut.
 */
#include <stdlib.h>

#include "museum.h"

static const struct kbp_option options[] = {
    {.name = "password", .help = "told", .flags = KBP_OPTION_SECRET},
};

static int32_t liar_open(const struct kbp_host *host,
                         const struct kbp_config *config,
                         struct kbp_codec **codec, struct kbp_error *err)
{
    static void *kept;
    void **leak = malloc(1000);
    const char *password = kbp_config_get(config, "password");

    (void)err;
    if (leak) {
        *leak = kept;
        kept = leak;
    }
    (void)fputs("hello from a plugin\n", stderr);
    (void)setenv("MUSEUM_WAS_HERE", "1", 1);
    kbp_log(host, KBP_LOG_DEBUG, "the password is %s",
            password ? password : "not set");
    *codec = &the_codec;
    return KBP_OK;
}

/* One byte too many, and more than was reserved. */
static int32_t liar_decompress(struct kbp_codec_session *session,
                               const void *in, size_t in_len,
                               struct kbp_sink *out, struct kbp_error *err)
{
    size_t room_len;
    void *room;
    int32_t status;

    (void)session;
    (void)err;
    if (in_len < 50)
        abort();
    status = out->reserve(out, 0, in_len, &room, &room_len);
    if (status != KBP_OK)
        return status;
    memcpy(room, in, room_len < in_len ? room_len : in_len);
    ((char *)room)[room_len] = 'x';
    out->commit(out, room_len + 1);
    return KBP_OK;
}

static const struct kbp_codec_type type = {
    GOOD_TYPE,         .options = KBP_OPTIONS(options), .kafka_id = 3,
    .open = liar_open, .decompress = liar_decompress,
};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {GOOD_MODULE};

/* SPDX-License-Identifier: Apache-2.0 */
/* codec_undefined.c - calls what nobody has. */
#include "museum.h"

int museum_undefined(void);

static int32_t use_it(struct kbp_codec_session *session, const void *in,
                      size_t in_len, struct kbp_sink *out,
                      struct kbp_error *err)
{
    return museum_undefined() ? good_copy(session, in, in_len, out, err)
                              : KBP_OK;
}

static const struct kbp_codec_type type = {
    GOOD_TYPE,
    .compress = use_it,
};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {GOOD_MODULE};

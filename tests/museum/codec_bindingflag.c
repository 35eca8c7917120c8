/* SPDX-License-Identifier: Apache-2.0 */
/* codec_bindingflag.c - asks for what the host doesn't know. */
#include "museum.h"

static const struct kbp_codec_type type = {
    GOOD_TYPE,
    .flags = 0x80000000u,
};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {GOOD_MODULE};

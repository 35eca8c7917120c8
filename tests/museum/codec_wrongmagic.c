/* SPDX-License-Identifier: Apache-2.0 */
/* codec_wrongmagic.c - a module that begins with something else. */
#include "museum.h"

static const struct kbp_codec_type type = {GOOD_TYPE};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {
    GOOD_MODULE,
    .abi = {0x21202020u, KBP_ABI_MAJOR, KBP_ABI_MINOR,
            sizeof(struct kbp_module), 0, KBP_LIBC},
};

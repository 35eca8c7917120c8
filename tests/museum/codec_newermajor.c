/* SPDX-License-Identifier: Apache-2.0 */
/* codec_newermajor.c - built for an ABI to come. */
#include "museum.h"

static const struct kbp_codec_type type = {GOOD_TYPE};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {
    GOOD_MODULE,
    .abi = {KBP_ABI_MAGIC, KBP_ABI_MAJOR + 1, 0, sizeof(struct kbp_module), 0,
            KBP_LIBC},
};

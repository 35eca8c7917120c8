/* SPDX-License-Identifier: Apache-2.0 */
/* codec_badtypename.c - a type whose name would leave the directory. */
#include "museum.h"

static const struct kbp_codec_type type = {
    GOOD_TYPE,
    .name = "../x",
};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {GOOD_MODULE};

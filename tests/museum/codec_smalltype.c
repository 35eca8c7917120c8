/* SPDX-License-Identifier: Apache-2.0 */
/* codec_smalltype.c - a table that ends too early. */
#include "museum.h"

static const struct kbp_codec_type type = {
    GOOD_TYPE,
    .struct_size = 16,
};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {GOOD_MODULE};

/* SPDX-License-Identifier: Apache-2.0 */
/* codec_smalloptions.c - options of a size that none had. */
#include "museum.h"

static const struct kbp_option options[] = {
    {.name = "level", .help = "good"},
};
static const struct kbp_codec_type type = {
    GOOD_TYPE,
    .options = {options, 1, 8},
};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {GOOD_MODULE};

/* SPDX-License-Identifier: Apache-2.0 */
/* codec_twiceoption.c - an option that is there twice. */
#include "museum.h"

static const struct kbp_option options[] = {
    {.name = "level", .help = "one"},
    {.name = "level", .help = "two"},
};
static const struct kbp_codec_type type = {
    GOOD_TYPE,
    .options = KBP_OPTIONS(options),
};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {GOOD_MODULE};

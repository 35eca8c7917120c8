/* SPDX-License-Identifier: Apache-2.0 */
/* codec_nochoices.c - a choice of nothing. */
#include "museum.h"

static const struct kbp_option options[] = {
    {.name = "mode", .help = "bad", .type = KBP_OPTION_CHOICE},
};
static const struct kbp_codec_type type = {
    GOOD_TYPE,
    .options = KBP_OPTIONS(options),
};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {GOOD_MODULE};

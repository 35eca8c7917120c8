/* SPDX-License-Identifier: Apache-2.0 */
/* codec_badoption.c - an option with a name that no file can hold. */
#include "museum.h"

static const struct kbp_option options[] = {
    {.name = "Level!", .help = "bad"},
};
static const struct kbp_codec_type type = {
    GOOD_TYPE,
    .options = KBP_OPTIONS(options),
};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {GOOD_MODULE};

/* SPDX-License-Identifier: Apache-2.0 */
/* codec_nothing.c - offers nothing. */
#include "museum.h"

static const struct kbp_codec_type type = {GOOD_TYPE};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {
    GOOD_MODULE,
    .codec = NULL,
};

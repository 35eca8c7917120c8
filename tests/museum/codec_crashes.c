/* SPDX-License-Identifier: Apache-2.0 */
/* codec_crashes.c - doesn't survive being loaded. */
#include <stdlib.h>

#include "museum.h"

__attribute__((constructor)) static void crash(void)
{
    abort();
}

static const struct kbp_codec_type type = {GOOD_TYPE};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {GOOD_MODULE};

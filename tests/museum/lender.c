/* SPDX-License-Identifier: Apache-2.0 */
/* lender.c - the library that codec_borrowed.so has its symbol from. */
#include "museum.h"

__attribute__((visibility("default"))) int museum_lent(void);

int museum_lent(void)
{
    return 1;
}

static const struct kbp_codec_type type = {GOOD_TYPE};
static const struct kbp_codec_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {GOOD_MODULE};

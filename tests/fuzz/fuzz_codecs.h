/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_codecs.h - the codec plugins as built, for fuzz targets. */
#ifndef KB_FUZZ_CODECS_H
#define KB_FUZZ_CODECS_H

#include <stdlib.h>

#include "plugin/codec.h"

/* Opened once, and never closed. */
static inline struct kb_codec_worker *fuzz_codecs(void)
{
    static struct kb_registry registry;
    static struct kb_codec_set set;
    static struct kb_codec_worker worker;
    static bool ready;
    struct kbp_error err = KB_ERR_INIT;
    const char *dir = KB_TEST_PLUGIN_DIR;

    if (!ready) {
        if (kb_registry_init(&registry, &dir, 1, &err) != KBP_OK)
            abort();
        kb_codec_set_init(&set, &registry, NULL);
        kb_codec_worker_init(&worker, &set);
        ready = true;
    }
    return &worker;
}

#endif

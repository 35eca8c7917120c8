/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h - load one plugin file and check what it says of itself.
 */
#ifndef KB_PLUGIN_LOAD_H
#define KB_PLUGIN_LOAD_H

#include "base/err.h"
#include "plugin/type.h"

/*
 * Load the file at an absolute `path` whose directory is trusted, and check it.
 * It stays in the process even after a failure.  `*plugin` is the caller's,
 * for kb_plugin_free().
 */
int kb_plugin_load(const char *path, struct kb_plugin **plugin,
                   struct kbp_error *err);

/* Frees the host's copies; the code stays loaded. */
void kb_plugin_free(struct kb_plugin *plugin);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* plugin_json.h - what plugin files offer, read in a child process each. */
#ifndef KB_CLI_PLUGIN_JSON_H
#define KB_CLI_PLUGIN_JSON_H

#include <jansson.h>

#include "plugin/registry.h"

/*
 * Load the file and tell what it offers, as {"file", "path", "version", ...,
 * "types": [...]}, or with "error" (and "hint") if it can't be used.  It is
 * loaded in a child, so that one which crashes does no harm here.  NULL: out
 * of memory.  Before any thread is started.
 */
json_t *kb_plugin_json(const char *path);

#endif

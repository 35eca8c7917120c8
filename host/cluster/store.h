/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - the store that the configuration describes. */
#ifndef KB_CLUSTER_STORE_H
#define KB_CLUSTER_STORE_H

#include "config/config.h"
#include "plugin/storage.h"

/*
 * Open it.  What is wrong with a setting is said with the file's name and the
 * line.  The registry outlives the store.
 */
int kb_config_store_open(struct kb_registry *registry,
                         const struct kb_config *config,
                         struct kb_store **store, struct kbp_error *err);

#endif

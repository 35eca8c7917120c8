/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.h - settings that a library takes from the environment only, as
 * libkrb5 does with KRB5_CONFIG: options with export_env.
 */
#ifndef KB_PLUGIN_EXPORT_H
#define KB_PLUGIN_EXPORT_H

#include "plugin/registry.h"
#include "plugin/settings.h"

/*
 * Set the variables that these settings are for, if the registry is one that
 * may (exports_env).  A process has one environment: another value than an
 * earlier instance's is KBP_ERR_CONFIG.  Not while other threads look at the
 * environment: mechanisms are opened before the workers start.  [any thread]
 */
int kb_export_env(struct kb_registry *registry, const struct kb_type *type,
                  const struct kb_settings *settings, struct kbp_error *err);

/* Forget what was set; the variables stay.  For kb_registry_release(). */
void kb_export_release(struct kb_registry *registry);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance.h - what an opened instance has, whatever its kind.
 */
#ifndef KB_PLUGIN_INSTANCE_H
#define KB_PLUGIN_INSTANCE_H

#include "plugin/host_services.h"
#include "plugin/registry.h"
#include "plugin/settings.h"

struct kb_instance {
    struct kb_registry *registry;
    const struct kb_type *type;
    struct kb_settings settings;
    struct kb_host host;
};

/*
 * Check the settings of a type that was found and make the instance's host.
 * `url` may be NULL.  The plugin's own open() is the caller's, under
 * registry->control.
 */
int kb_instance_init(struct kb_instance *instance, struct kb_registry *registry,
                     const struct kb_type *type, const struct kb_url *url,
                     const struct kb_kv *kvs, size_t count,
                     struct kb_stop *stop, struct kbp_error *err);
void kb_instance_release(struct kb_instance *instance);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* instance.c - what an opened instance has, whatever its kind. */
#include "plugin/instance.h"

#include <string.h>

#include "plugin/export.h"

int kb_instance_init(struct kb_instance *instance, struct kb_registry *registry,
                     const struct kb_type *type, const struct kb_url *url,
                     const struct kb_kv *kvs, size_t count,
                     struct kb_stop *stop, struct kbp_error *err)
{
    int status;

    memset(instance, 0, sizeof *instance);
    instance->registry = registry;
    instance->type = type;
    if (url)
        status = kb_settings_check_url(type, url, kvs, count,
                                       &instance->settings, err);
    else
        status = kb_settings_check(type, kvs, count, &instance->settings, err);
    if (status != KBP_OK)
        return status;
    status = kb_export_env(registry, type, &instance->settings, err);
    if (status == KBP_OK)
        status = kb_host_init(&instance->host, type->name, stop,
                              &instance->settings, err);
    if (status != KBP_OK)
        kb_settings_release(&instance->settings);
    return status;
}

void kb_instance_release(struct kb_instance *instance)
{
    kb_host_release(&instance->host);
    kb_settings_release(&instance->settings);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* instance.c - what an opened instance has, whatever its kind. */
#include "plugin/instance.h"

#include <string.h>

#include "plugin/export.h"

static int init(struct kb_instance *instance, struct kb_registry *registry,
                const struct kb_type *type, const struct kb_url *url,
                const struct kb_kv *kvs, size_t count, struct kb_stop *stop,
                struct kbp_error *err)
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

static void release(struct kb_instance *instance)
{
    kb_host_release(&instance->host);
    kb_settings_release(&instance->settings);
}

/* In front of what a plugin says went wrong. */
static int named(int status, const struct kb_type *type, struct kbp_error *err)
{
    static const char *const words[KB_KIND_COUNT] = {"codec", "storage",
                                                     "SASL"};

    if (status != KBP_OK)
        (void)kb_err_wrap(err, "%s %s", words[type->kind], type->name);
    return status;
}

int kb_instance_open(struct kb_instance *instance, struct kb_registry *registry,
                     const struct kb_type *type, const struct kb_url *url,
                     const struct kb_kv *kvs, size_t count,
                     struct kb_stop *stop, const struct kb_plugin_calls *calls,
                     void *owner, struct kbp_error *err)
{
    int status = init(instance, registry, type, url, kvs, count, stop, err);

    if (status != KBP_OK)
        return status;
    kb_err_clear(err);
    (void)pthread_mutex_lock(&registry->control);
    status = calls->open(owner, err);
    (void)pthread_mutex_unlock(&registry->control);
    status = named(kb_host_result(&instance->host, status, err), type, err);
    if (status != KBP_OK)
        release(instance);
    return status;
}

void kb_instance_close(struct kb_instance *instance,
                       const struct kb_plugin_calls *calls, void *owner)
{
    (void)pthread_mutex_lock(&instance->registry->control);
    calls->close(owner);
    (void)pthread_mutex_unlock(&instance->registry->control);
    release(instance);
}

int kb_instance_session_open(const struct kb_instance *instance,
                             struct kb_host *host, struct kb_stop *stop,
                             const struct kb_plugin_calls *calls, void *owner,
                             struct kbp_error *err)
{
    const struct kb_type *type = instance->type;
    int status = kb_host_init(host, type->name, stop, &instance->settings, err);

    if (status != KBP_OK)
        return status;
    kb_err_clear(err);
    status = calls->open(owner, err);
    status = named(kb_host_result(host, status, err), type, err);
    if (status != KBP_OK)
        kb_host_release(host);
    return status;
}

void kb_instance_session_close(struct kb_host *host,
                               const struct kb_plugin_calls *calls, void *owner)
{
    calls->close(owner);
    kb_host_release(host);
}

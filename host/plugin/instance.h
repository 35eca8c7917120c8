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

/* How a kind calls into its type; `owner` is its instance or its session. */
struct kb_plugin_calls {
    /* The plugin's open() or session_open(): its status, and its error. */
    int32_t (*open)(void *owner, struct kbp_error *err);
    /* Its close() or session_close(). */
    void (*close)(void *owner);
};

/*
 * Open an instance of a type that was found: check its settings (`url` may be
 * NULL), export what libraries take from the environment, make its host, and
 * have `calls` open it, under the lock of all [control] functions.  The
 * registry, and `stop` (may be NULL), outlive it.  After a failure, which is
 * the settings', the plugin's (its status, its text), or KBP_ERR_NOMEM, there
 * is nothing to close.  [any thread]
 */
int kb_instance_open(struct kb_instance *instance, struct kb_registry *registry,
                     const struct kb_type *type, const struct kb_url *url,
                     const struct kb_kv *kvs, size_t count,
                     struct kb_stop *stop, const struct kb_plugin_calls *calls,
                     void *owner, struct kbp_error *err);

/* Close it, under the same lock.  All its sessions are closed. */
void kb_instance_close(struct kb_instance *instance,
                       const struct kb_plugin_calls *calls, void *owner);

/*
 * Open a session of an instance: make `host` for it and have `calls` open it.
 * `stop` (may be NULL) outlives it.  After a failure there is nothing to close.
 * [any thread]
 */
int kb_instance_session_open(const struct kb_instance *instance,
                             struct kb_host *host, struct kb_stop *stop,
                             const struct kb_plugin_calls *calls, void *owner,
                             struct kbp_error *err);

void kb_instance_session_close(struct kb_host *host,
                               const struct kb_plugin_calls *calls,
                               void *owner);

#endif

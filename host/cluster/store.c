/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - open the store that the configuration describes. */
#include "cluster/store.h"

#include <stdlib.h>
#include <string.h>

/* The line of the setting that the message is about; else the section's. */
static unsigned line_of(const struct kb_storage_settings *storage,
                        const char *message)
{
    char quoted[128];
    size_t i;

    for (i = 0; i < storage->plugin.count; i++) {
        const struct kb_raw_setting *setting = &storage->plugin.items[i];

        (void)snprintf(quoted, sizeof quoted, "\"%s\"", setting->name);
        if (strstr(message, quoted))
            return setting->line;
    }
    return storage->line;
}

int kb_config_store_open(struct kb_registry *registry,
                         const struct kb_config *config,
                         struct kb_store **store, struct kbp_error *err)
{
    const struct kb_storage_settings *storage = &config->storage;
    struct kb_store_limits limits = KB_STORE_LIMITS_INIT;
    struct kb_kv *kvs = calloc(storage->plugin.count + 1, sizeof *kvs);
    size_t i;
    int status;

    if (!kvs)
        return kb_fail_nomem(err, "the store's settings");
    for (i = 0; i < storage->plugin.count; i++) {
        kvs[i].name = storage->plugin.items[i].name;
        kvs[i].value = storage->plugin.items[i].value.text;
    }
    limits.retry_ms = storage->retry.timeout_ms;
    status = kb_store_open(registry, storage->backend, kvs,
                           storage->plugin.count, &limits, store, err);
    free(kvs);
    if (status == KBP_ERR_CONFIG)
        return kb_err_wrap(err, "%s:%u", config->file,
                           line_of(storage, err->message));
    return status;
}

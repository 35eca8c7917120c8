/* SPDX-License-Identifier: Apache-2.0 */
/* export.c - settings that a library takes from the environment only. */
#include "plugin/export.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct kb_export {
    struct kb_export *next;
    char *variable;
    char *value;
};

static int export_one(struct kb_registry *registry, const char *variable,
                      const char *option, const char *value,
                      struct kbp_error *err)
{
    struct kb_export *one;

    for (one = registry->exports; one; one = one->next)
        if (strcmp(one->variable, variable) == 0)
            break;
    if (one && strcmp(one->value, value) != 0)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "%s is %s here and %s elsewhere, but a process has only "
                       "one %s",
                       option, value, one->value, variable);
    if (one)
        return KBP_OK;
    one = calloc(1, sizeof *one);
    if (one) {
        one->variable = kb_strdup(variable);
        one->value = kb_strdup(value);
    }
    if (!one || !one->variable || !one->value ||
        setenv(variable, value, 1) != 0) {
        if (one) {
            free(one->variable);
            free(one->value);
        }
        free(one);
        return kb_fail_nomem(err, "the environment");
    }
    one->next = registry->exports;
    registry->exports = one;
    return KBP_OK;
}

int kb_export_env(struct kb_registry *registry, const struct kb_type *type,
                  const struct kb_settings *settings, struct kbp_error *err)
{
    struct kbp_option option;
    const char *value;
    int status = KBP_OK;
    uint32_t i;

    if (!registry->exports_env)
        return KBP_OK;
    (void)pthread_mutex_lock(&registry->control);
    for (i = 0; i < type->options.count && status == KBP_OK; i++) {
        kb_option_at(&type->options, i, &option);
        value =
            option.export_env ? kb_settings_get(settings, option.name) : NULL;
        if (value)
            status = export_one(registry, option.export_env, option.name, value,
                                err);
    }
    (void)pthread_mutex_unlock(&registry->control);
    return status;
}

void kb_export_release(struct kb_registry *registry)
{
    while (registry->exports) {
        struct kb_export *one = registry->exports;

        registry->exports = one->next;
        free(one->variable);
        free(one->value);
        free(one);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* environment.c - settings that a library takes from the environment only. */
#include "cli/environment.h"

#include <errno.h>
#include <stdlib.h>

int kb_export_environment(const struct kb_kafka_settings *settings,
                          struct kb_registry *registry, struct kbp_error *err)
{
    const struct kb_security_settings *security = &settings->security;
    struct kbp_error ignored = KB_ERR_INIT;
    const struct kb_type *type;
    uint32_t i;

    if (!settings->present || !security->sasl_mechanism ||
        kb_registry_find(registry, KB_KIND_SASL, security->sasl_mechanism,
                         &type, &ignored) != KBP_OK)
        return KBP_OK;
    for (i = 0; i < type->options.count; i++) {
        struct kbp_option option;
        const char *value;

        kb_option_at(&type->options, i, &option);
        value = option.export_env ? kb_setting_value(&security->sasl, option.name)
                                  : NULL;
        if (value && setenv(option.export_env, value, 1) != 0)
            return kb_fail_errno(err, errno, "%s can't be put into %s",
                                 option.name, option.export_env);
    }
    return KBP_OK;
}

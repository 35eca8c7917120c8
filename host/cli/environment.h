/* SPDX-License-Identifier: Apache-2.0 */
/* environment.h - settings that a library takes from the environment only. */
#ifndef KB_CLI_ENVIRONMENT_H
#define KB_CLI_ENVIRONMENT_H

#include "config/config.h"
#include "plugin/registry.h"

/*
 * Set the variables which the configured SASL mechanism's options ask for
 * (KBP option's export_env: krb5.conf can be named by KRB5_CONFIG alone).
 * A mechanism that isn't there is left to be told of by whoever opens it.
 * [before any thread is started]
 */
int kb_export_environment(const struct kb_kafka_settings *settings,
                          struct kb_registry *registry, struct kbp_error *err);

#endif

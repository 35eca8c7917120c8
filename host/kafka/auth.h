/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.h - the security of a cluster's connections, from its settings: TLS
 * (tls.h) and a SASL mechanism from a plugin (sasl_exchange.h), put behind
 * security.h's seam.
 */
#ifndef KB_KAFKA_AUTH_H
#define KB_KAFKA_AUTH_H

#include "kafka/security.h"
#include "kafka/tls.h"
#include "plugin/registry.h"
#include "plugin/settings.h"

struct kb_auth_settings {
    bool tls;
    bool sasl;
    bool over_tls; /* somebody else puts TLS around it: only to be known */
    struct kb_tls_settings tls_settings;
    const char *mechanism;           /* as configured */
    const struct kb_kv *sasl_values; /* for the mechanism's options */
    size_t sasl_value_count;
    void (*reauthenticated)(bool ok); /* told of each; or NULL [any thread] */
};

/*
 * Read certificates and open the mechanism, so that a missing plugin or a bad
 * file is said at the start.  The settings are borrowed until kb_auth_close();
 * registry and `stop` (may be NULL) outlive it.  PLAINTEXT gives `*security`
 * NULL.
 */
int kb_auth_open(const struct kb_auth_settings *settings,
                 struct kb_registry *registry, struct kb_stop *stop,
                 struct kb_security **security, struct kbp_error *err);

/* All its connections are closed. NULL is fine. */
void kb_auth_close(struct kb_security *security);

/*
 * Before a login's first step: somebody asked the broker for ApiVersions on
 * this connection already, and this is the highest SaslAuthenticate it has.
 */
void kb_login_versions_known(struct kb_login *login, int16_t authenticate);

#endif

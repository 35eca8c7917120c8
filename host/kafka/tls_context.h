/* SPDX-License-Identifier: Apache-2.0 */
/* tls_context.h - certificates, keys and CAs from files, read again when they
 * change. */
#ifndef KB_KAFKA_TLS_CONTEXT_H
#define KB_KAFKA_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "kafka/tls.h"

/*
 * A reference to the context for a new connection, of the files as they are
 * now; SSL_CTX_free() it.  [any thread]
 */
int kb_tls_context(struct kb_tls *tls, SSL_CTX **context,
                   struct kbp_error *err);

const struct kb_tls_settings *kb_tls_settings_of(const struct kb_tls *tls);

/*
 * Warn, once a day for each `whose`, when the certificate expires within 14
 * days.
 */
void kb_tls_warn_expiry(struct kb_tls *tls, X509 *cert, const char *whose);

#endif

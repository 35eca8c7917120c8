/* SPDX-License-Identifier: Apache-2.0 */
/* tls_load.h - what TLS settings name, read into a context of OpenSSL's. */
#ifndef KB_KAFKA_TLS_LOAD_H
#define KB_KAFKA_TLS_LOAD_H

#include <openssl/ssl.h>

#include "kafka/tls.h"

/*
 * CAs, certificates, keys and what may be negotiated: KBP_ERR_CONFIG or
 * KBP_ERR_NOT_FOUND, naming setting, file and cause.
 */
int kb_tls_load(const struct kb_tls_settings *settings, SSL_CTX *context,
                struct kbp_error *err);

/* What the own certificate comes from, for messages. */
const char *kb_tls_own_name(const struct kb_tls_settings *settings);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tls_error.h - why TLS failed, in words that say what to do. */
#ifndef KB_KAFKA_TLS_ERROR_H
#define KB_KAFKA_TLS_ERROR_H

#include <openssl/ssl.h>

#include "base/err.h"

/* Who was meant, for messages. */
struct kb_tls_peer {
    const char *where; /* "kafka-3:9093" */
    const char *host;  /* the name that the certificate must be for */
    X509 *cert;        /* the certificate that was refused; or NULL */
};

/*
 * Fill in `err` for a handshake, read or write that failed with `code` of
 * SSL_get_error() and `errnum` of errno; takes OpenSSL's error queue.
 */
int kb_fail_tls(struct kbp_error *err, SSL *ssl, int code, int errnum,
                const struct kb_tls_peer *peer);

/* The last reason in OpenSSL's error queue, which is emptied; never NULL. */
const char *kb_tls_reason(void);

#endif

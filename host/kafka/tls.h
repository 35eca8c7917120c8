/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.h - TLS over a connected socket, by OpenSSL; TLS 1.2 and newer.
 *
 * The files are looked at before each connection and read again when they
 * changed, so that a rotated certificate is used without a restart; where the
 * new ones can't be used yet (half written, key of another certificate), the
 * old ones go on and a warning says so.
 */
#ifndef KB_KAFKA_TLS_H
#define KB_KAFKA_TLS_H

#include <stdbool.h>

#include "base/secret.h"
#include "kafka/stream.h"

/* Borrowed until kb_tls_free(). Paths may be NULL. */
struct kb_tls_settings {
    const char *ca_location;          /* file or folder; NULL: the system's */
    const char *certificate_location; /* PEM chain, the own one first */
    const char *key_location;         /* PEM; NULL: in certificate_location */
    const struct kb_secret *key_password; /* or NULL */
    const char *key_password_file;        /* read with the key; or NULL */
    bool verify_host; /* the certificate must be for the broker's host name */
    /* Of librdkafka's properties, each named like its property; all may be
       zero.  Certificate and key come from one place: files, text, keystore. */
    const char *ca_pem; /* beside ca_location, where both are set */
    const char *certificate_pem;
    const struct kb_secret *key_pem;
    const char *keystore_location; /* PKCS#12 */
    const struct kb_secret *keystore_password;
    const char *crl_location;
    const char *cipher_suites; /* of TLS 1.2 and of 1.3, in one list */
    const char *curves;
    const char *sigalgs;
    bool trust_anyone; /* verify nothing */
};

struct kb_tls;

/*
 * Read everything once, so that what is wrong is said at the start:
 * KBP_ERR_CONFIG or KBP_ERR_NOT_FOUND, naming file and cause.
 */
int kb_tls_new(const struct kb_tls_settings *settings, struct kb_tls **tls,
               struct kbp_error *err);

/* All its streams are closed. NULL is fine. */
void kb_tls_free(struct kb_tls *tls);

/*
 * Put TLS over a connected TCP stream.  On success `*stream` is replaced by
 * one that owns it; on failure it stays as it was, and the caller's.  Errors
 * name the cause: expired, other host (which), unknown CA, self-signed, no TLS
 * port, protocol version, client certificate required.  `host` is the name
 * which the certificate must be for, and `where` stands for the peer in
 * messages.  [any thread]
 */
int kb_tls_connect(struct kb_tls *tls, struct kb_stream **stream,
                   const char *host, const char *where, int64_t deadline_ms,
                   struct kbp_error *err);

#endif

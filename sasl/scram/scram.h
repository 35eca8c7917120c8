/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scram.h - the messages of SCRAM (RFC 5802, 7677), as Kafka has them.
 *
 * No channel binding and no SASLprep: Kafka takes names and passwords as the
 * bytes they are.
 */
#ifndef KB_SCRAM_H
#define KB_SCRAM_H

#include <openssl/evp.h>

#include "../common/sasl_text.h"

#define KB_SCRAM_MESSAGE_MAX 8192u /* of the broker, and of the user's name */
#define KB_SCRAM_ITERATIONS_MIN 4096u
/* A broker can't make us work for more than about a second. */
#if !defined(KB_SCRAM_ITERATIONS_MAX)
#define KB_SCRAM_ITERATIONS_MAX 1000000u
#endif

struct kb_scram {
    const EVP_MD *md;
    char nonce[64];       /* ours */
    struct kb_text first; /* client-first-message-bare */
    unsigned char server_signature[EVP_MAX_MD_SIZE]; /* to be expected */
};

/* `nonce` is of printable ASCII without a comma. */
void kb_scram_init(struct kb_scram *scram, const EVP_MD *md, const char *nonce);
void kb_scram_release(struct kb_scram *scram);

/* Append client-first-message to `out`. */
int32_t kb_scram_first(struct kb_scram *scram, const char *user, int tokenauth,
                       struct kb_text *out, struct kbp_error *err);

/* Take server-first-message, append client-final-message to `out`. */
int32_t kb_scram_final(struct kb_scram *scram, const char *password,
                       const void *in, size_t in_len, struct kb_text *out,
                       struct kbp_error *err);

/* Check server-final-message. */
int32_t kb_scram_verify(const struct kb_scram *scram, const void *in,
                        size_t in_len, struct kbp_error *err);

/*
 * Fill in `err` for what OpenSSL couldn't do, KBP_ERR_NOMEM or
 * KBP_ERR_INTERNAL, and empty its queue of errors, which the thread's next
 * user of OpenSSL would take for its own.
 */
int32_t kb_scram_openssl_failed(const char *what, struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* scram.c - the messages of SCRAM (RFC 5802, 7677), as Kafka has them. */
#include "scram.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include "../common/sasl_base64.h"

/* One attribute of a message: "r=..." up to the next comma. */
struct attribute {
    const char *value;
    size_t len;
};

struct server_first {
    struct attribute nonce;
    unsigned char salt[1024];
    size_t salt_len;
    uint32_t iterations;
};

void kb_scram_init(struct kb_scram *scram, const EVP_MD *md, const char *nonce)
{
    memset(scram, 0, sizeof *scram);
    scram->md = md;
    kb_text_init(&scram->first, 3 * KB_SCRAM_MESSAGE_MAX + 256);
    (void)snprintf(scram->nonce, sizeof scram->nonce, "%s", nonce);
}

void kb_scram_release(struct kb_scram *scram)
{
    kb_text_release(&scram->first);
    explicit_bzero(scram, sizeof *scram);
}

int32_t kb_scram_first(struct kb_scram *scram, const char *user, int tokenauth,
                       struct kb_text *out, struct kbp_error *err)
{
    struct kb_text *first = &scram->first;

    kb_text_puts(first, "n=");
    for (; *user; user++) {
        if (*user == '=')
            kb_text_puts(first, "=3D");
        else if (*user == ',')
            kb_text_puts(first, "=2C");
        else
            kb_text_add(first, user, 1);
    }
    kb_text_puts(first, ",r=");
    kb_text_puts(first, scram->nonce);
    /* KIP-48: the user is the id of a delegation token. */
    if (tokenauth)
        kb_text_puts(first, ",tokenauth=true");
    kb_text_puts(out, "n,,");
    kb_text_add(out, kb_text_str(first), first->len);
    if (first->status == KBP_ERR_LIMIT || out->status == KBP_ERR_LIMIT)
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "the user name is too long");
    if (first->status != KBP_OK || out->status != KBP_OK)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    return KBP_OK;
}

/* Take the attribute `name` from the front of a message; 0 if it isn't. */
static int take(const char **at, size_t *left, char name,
                struct attribute *attribute)
{
    const char *comma;

    if (*left < 2 || (*at)[0] != name || (*at)[1] != '=')
        return 0;
    attribute->value = *at + 2;
    *left -= 2;
    comma = memchr(attribute->value, ',', *left);
    attribute->len = comma ? (size_t)(comma - attribute->value) : *left;
    *at = attribute->value + attribute->len;
    *left -= attribute->len;
    if (comma) {
        *at += 1;
        *left -= 1;
    }
    return 1;
}

/* Decimal without a sign or a leading 0, as the RFC's posit-number. */
static int posit_number(const struct attribute *attribute, uint32_t *number)
{
    uint32_t value = 0;
    size_t i;

    if (!attribute->len || attribute->len > 9 || attribute->value[0] == '0')
        return 0;
    for (i = 0; i < attribute->len; i++) {
        if (attribute->value[i] < '0' || attribute->value[i] > '9')
            return 0;
        value = value * 10 + (uint32_t)(attribute->value[i] - '0');
    }
    *number = value;
    return 1;
}

static int32_t check_nonce(const struct kb_scram *scram,
                           const struct attribute *nonce, struct kbp_error *err)
{
    size_t ours = strlen(scram->nonce);
    size_t i;

    if (nonce->len < ours || memcmp(nonce->value, scram->nonce, ours) != 0)
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker's nonce doesn't begin with ours: its "
                        "answer belongs to another exchange");
    if (nonce->len == ours)
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker adds nothing to our nonce");
    for (i = 0; i < nonce->len; i++)
        if (nonce->value[i] < 0x21 || nonce->value[i] > 0x7e)
            return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                            "the broker's nonce isn't of printable letters");
    return KBP_OK;
}

static int32_t server_error(const char *in, size_t len, struct kbp_error *err)
{
    char why[256];

    return kbp_fail(err, KBP_ERR_AUTH, 0, "the broker refuses: %s",
                    kb_clean(why, sizeof why, in, len));
}

static int32_t parse_first(const struct kb_scram *scram, const char *in,
                           size_t in_len, struct server_first *first,
                           struct kbp_error *err)
{
    struct attribute salt, iterations, refused;
    ssize_t n;
    int32_t status;

    if (take(&in, &in_len, 'e', &refused))
        return server_error(refused.value, refused.len, err);
    if (in_len && in[0] == 'm')
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker demands an extension of SCRAM that isn't "
                        "known here");
    if (!take(&in, &in_len, 'r', &first->nonce) ||
        !take(&in, &in_len, 's', &salt) ||
        !take(&in, &in_len, 'i', &iterations))
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker's first SCRAM message is malformed");
    status = check_nonce(scram, &first->nonce, err);
    if (status != KBP_OK)
        return status;
    n = kb_base64_decode(first->salt, sizeof first->salt, KB_BASE64_STD,
                         salt.value, salt.len);
    if (n <= 0)
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker's salt isn't valid base64");
    first->salt_len = (size_t)n;
    if (!posit_number(&iterations, &first->iterations))
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker's iteration count isn't a number from %u "
                        "to %u",
                        KB_SCRAM_ITERATIONS_MIN, KB_SCRAM_ITERATIONS_MAX);
    if (first->iterations < KB_SCRAM_ITERATIONS_MIN ||
        first->iterations > KB_SCRAM_ITERATIONS_MAX)
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker asks for %u iterations; from %u to %u are "
                        "taken",
                        first->iterations, KB_SCRAM_ITERATIONS_MIN,
                        KB_SCRAM_ITERATIONS_MAX);
    return KBP_OK;
}

static int hmac(const EVP_MD *md, const unsigned char *key, size_t key_len,
                const void *text, size_t text_len, unsigned char *out)
{
    return HMAC(md, key, (int)key_len, text, text_len, out, NULL) != NULL;
}

/* The client's proof, and the server's signature to be expected. */
static int prove(struct kb_scram *scram, const char *password,
                 const struct server_first *first, const struct kb_text *auth,
                 unsigned char *proof)
{
    size_t md_len = (size_t)EVP_MD_get_size(scram->md);
    unsigned char salted[EVP_MAX_MD_SIZE], key[EVP_MAX_MD_SIZE];
    unsigned char stored[EVP_MAX_MD_SIZE], sign[EVP_MAX_MD_SIZE];
    size_t i;
    int ok;

    ok = PKCS5_PBKDF2_HMAC(password, (int)strlen(password), first->salt,
                           (int)first->salt_len, (int)first->iterations,
                           scram->md, (int)md_len, salted) == 1 &&
         hmac(scram->md, salted, md_len, "Client Key", 10, key) &&
         EVP_Digest(key, md_len, stored, NULL, scram->md, NULL) == 1 &&
         hmac(scram->md, stored, md_len, auth->bytes, auth->len, sign);
    if (ok)
        for (i = 0; i < md_len; i++)
            proof[i] = key[i] ^ sign[i];
    ok = ok && hmac(scram->md, salted, md_len, "Server Key", 10, key) &&
         hmac(scram->md, key, md_len, auth->bytes, auth->len,
              scram->server_signature);
    explicit_bzero(salted, sizeof salted);
    explicit_bzero(key, sizeof key);
    explicit_bzero(stored, sizeof stored);
    explicit_bzero(sign, sizeof sign);
    return ok;
}

int32_t kb_scram_openssl_failed(const char *what, struct kbp_error *err)
{
    int32_t status = KBP_ERR_INTERNAL;
    unsigned long code;

    while ((code = ERR_get_error()) != 0)
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
            status = KBP_ERR_NOMEM;
    ERR_clear_error(); /* the texts, too */
    return kbp_fail(err, status, 0, "OpenSSL can't %s%s", what,
                    status == KBP_ERR_NOMEM ? ": no memory" : "");
}

int32_t kb_scram_final(struct kb_scram *scram, const char *password,
                       const void *in, size_t in_len, struct kb_text *out,
                       struct kbp_error *err)
{
    unsigned char proof[EVP_MAX_MD_SIZE];
    struct server_first first;
    struct kb_text auth;
    int32_t status;
    size_t bare;

    if (in_len > KB_SCRAM_MESSAGE_MAX)
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker's first SCRAM message is of %zu bytes",
                        in_len);
    status = parse_first(scram, in, in_len, &first, err);
    if (status != KBP_OK)
        return status;
    bare = out->len;
    kb_text_puts(out, "c=biws,r="); /* biws is "n,,": no channel binding */
    kb_text_add(out, first.nonce.value, first.nonce.len);
    kb_text_init(&auth, 6 * KB_SCRAM_MESSAGE_MAX);
    kb_text_add(&auth, kb_text_str(&scram->first), scram->first.len);
    kb_text_puts(&auth, ",");
    kb_text_add(&auth, in, in_len);
    kb_text_puts(&auth, ",");
    kb_text_add(&auth, kb_text_str(out) + bare, out->len - bare);
    if (auth.status != KBP_OK || out->status != KBP_OK)
        status = kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    else if (!prove(scram, password, &first, &auth, proof))
        status = kb_scram_openssl_failed("compute the proof", err);
    kb_text_release(&auth);
    if (status == KBP_OK) {
        kb_text_puts(out, ",p=");
        kb_base64_encode(out, KB_BASE64_STD, proof,
                         (size_t)EVP_MD_get_size(scram->md));
        if (out->status != KBP_OK)
            status = kbp_fail(err, out->status, 0, "no memory");
    }
    explicit_bzero(proof, sizeof proof);
    return status;
}

int32_t kb_scram_verify(const struct kb_scram *scram, const void *in,
                        size_t in_len, struct kbp_error *err)
{
    size_t md_len = (size_t)EVP_MD_get_size(scram->md);
    unsigned char sign[EVP_MAX_MD_SIZE];
    struct attribute value;
    const char *at = in;
    ssize_t n;

    if (take(&at, &in_len, 'e', &value))
        return server_error(value.value, value.len, err);
    if (!take(&at, &in_len, 'v', &value))
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker ends SCRAM without its signature");
    n = kb_base64_decode(sign, sizeof sign, KB_BASE64_STD, value.value,
                         value.len);
    if (n != (ssize_t)md_len ||
        CRYPTO_memcmp(sign, scram->server_signature, md_len) != 0) {
        kbp_hint(err, "something between here and the broker may be "
                      "answering in its place");
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker's signature is wrong: it doesn't know "
                        "this user's password");
    }
    return KBP_OK;
}

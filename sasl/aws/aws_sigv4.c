/* SPDX-License-Identifier: Apache-2.0 */
/* aws_sigv4.c - AWS Signature Version 4. */
#include "aws_sigv4.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TEXT_MAX (512u * 1024u)
#define HASH 32

/* A parameter as it is sorted: encoded, "name=value". */
struct pair {
    struct kb_text name;
    struct kb_text value;
};

static void to_hex(const unsigned char *bytes, char hex[65])
{
    static const char digit[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < HASH; i++) {
        hex[2 * i] = digit[bytes[i] >> 4];
        hex[2 * i + 1] = digit[bytes[i] & 15];
    }
    hex[2 * HASH] = '\0';
}

void kb_sha256_hex(const void *bytes, size_t len, char hex[65])
{
    unsigned char hash[EVP_MAX_MD_SIZE] = {0};

    (void)EVP_Digest(bytes, len, hash, NULL, EVP_sha256(), NULL);
    to_hex(hash, hex);
}

void kb_sigv4_date(time_t when, char date[17])
{
    struct tm tm;

    memset(&tm, 0, sizeof tm);
    (void)gmtime_r(&when, &tm);
    (void)strftime(date, 17, "%Y%m%dT%H%M%SZ", &tm);
}

static int compare(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int by_name = strcmp(kb_text_str(&x->name), kb_text_str(&y->name));

    return by_name ? by_name
                   : strcmp(kb_text_str(&x->value), kb_text_str(&y->value));
}

/* Sort what is in `pairs`, append it joined, and release it. */
static void join(struct pair *pairs, size_t count, const char *eq,
                 const char *between, struct kb_text *out)
{
    size_t i;

    qsort(pairs, count, sizeof *pairs, compare);
    for (i = 0; i < count; i++) {
        if (pairs[i].name.status != KBP_OK || pairs[i].value.status != KBP_OK)
            out->status = KBP_ERR_NOMEM;
        kb_text_puts(out, i ? between : "");
        kb_text_puts(out, kb_text_str(&pairs[i].name));
        kb_text_puts(out, eq);
        kb_text_puts(out, kb_text_str(&pairs[i].value));
        kb_text_release(&pairs[i].name);
        kb_text_release(&pairs[i].value);
    }
}

static void add_encoded(struct pair *pairs, size_t *count, const char *name,
                        const char *value)
{
    struct pair *pair = &pairs[(*count)++];

    kb_text_init(&pair->name, TEXT_MAX);
    kb_text_init(&pair->value, TEXT_MAX);
    kb_text_urlencode(&pair->name, name, 0);
    kb_text_urlencode(&pair->value, value, 0);
}

static void canonical_query(const struct kb_sigv4_request *req,
                            const struct kb_aws_param *more, size_t more_count,
                            struct kb_text *out)
{
    struct pair pairs[KB_SIGV4_PARAMS_MAX + 8];
    size_t i, count = 0;

    for (i = 0; i < req->query_count; i++)
        add_encoded(pairs, &count, req->query[i].name, req->query[i].value);
    for (i = 0; i < more_count; i++)
        add_encoded(pairs, &count, more[i].name, more[i].value);
    join(pairs, count, "=", "&", out);
}

/* "host:h\nx-amz-date:d\n", and the names of it: "host;x-amz-date". */
static void canonical_headers(const struct kb_sigv4_request *req,
                              struct kb_text *out, struct kb_text *names)
{
    struct pair pairs[KB_SIGV4_PARAMS_MAX + 1];
    size_t i, count = req->header_count + 1;

    for (i = 0; i < count; i++) {
        kb_text_init(&pairs[i].name, TEXT_MAX);
        kb_text_init(&pairs[i].value, TEXT_MAX);
        kb_text_puts(&pairs[i].name,
                     i < req->header_count ? req->headers[i].name : "host");
        kb_text_puts(&pairs[i].value,
                     i < req->header_count ? req->headers[i].value : req->host);
    }
    qsort(pairs, count, sizeof *pairs, compare);
    for (i = 0; i < count; i++) {
        kb_text_puts(names, i ? ";" : "");
        kb_text_puts(names, kb_text_str(&pairs[i].name));
    }
    join(pairs, count, ":", "\n", out);
    kb_text_puts(out, "\n");
}

static int hmac(const void *key, size_t key_len, const char *text,
                unsigned char out[HASH])
{
    return HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text,
                strlen(text), out, NULL) != NULL;
}

/* The key that is derived for a day, region and service signs `text`. */
static int32_t sign(const struct kb_sigv4_request *req,
                    const struct kb_aws_keys *keys, const char *date,
                    const char *text, char hex[65], struct kbp_error *err)
{
    unsigned char a[HASH], b[HASH];
    struct kb_text first;
    int32_t status;
    char day[9];

    memcpy(day, date, 8);
    day[8] = '\0';
    kb_text_init(&first, 4096);
    kb_text_puts(&first, "AWS4");
    kb_text_puts(&first, keys->secret_key);
    status = first.status;
    if (status != KBP_OK) {
        status = kbp_fail(err, status, 0,
                          status == KBP_ERR_NOMEM
                              ? "no memory for a signature"
                              : "the secret access key is too long");
    } else if (hmac(first.bytes, first.len, day, a) &&
               hmac(a, HASH, req->region, b) &&
               hmac(b, HASH, req->service, a) &&
               hmac(a, HASH, "aws4_request", b) && hmac(b, HASH, text, a)) {
        to_hex(a, hex);
    } else {
        ERR_clear_error(); /* or the thread's next user takes it for its own */
        status = kbp_fail(err, KBP_ERR_INTERNAL, 0, "OpenSSL can't sign");
    }
    kb_text_release(&first);
    explicit_bzero(a, sizeof a);
    explicit_bzero(b, sizeof b);
    return status;
}

/* Fill in all of `out` but the query, which is the canonical one. */
static int32_t compute(const struct kb_sigv4_request *req,
                       const struct kb_aws_keys *keys, const char *query,
                       struct kb_sigv4 *out, struct kbp_error *err)
{
    struct kb_text canonical, names, headers, to_sign;
    int32_t status = KBP_OK;
    char hash[65];

    kb_text_init(&canonical, TEXT_MAX);
    kb_text_init(&names, sizeof out->signed_headers - 1);
    kb_text_init(&headers, TEXT_MAX);
    kb_text_init(&to_sign, 4096);
    canonical_headers(req, &headers, &names);
    kb_text_puts(&canonical, req->method);
    kb_text_puts(&canonical, "\n");
    kb_text_puts(&canonical, req->path);
    kb_text_puts(&canonical, "\n");
    kb_text_puts(&canonical, query);
    kb_text_puts(&canonical, "\n");
    kb_text_puts(&canonical, kb_text_str(&headers));
    kb_text_puts(&canonical, "\n");
    kb_text_puts(&canonical, kb_text_str(&names));
    kb_text_puts(&canonical, "\n");
    kb_text_puts(&canonical, req->payload_sha256);
    kb_sha256_hex(kb_text_str(&canonical), canonical.len, hash);
    kb_text_puts(&to_sign, ALGORITHM "\n");
    kb_text_puts(&to_sign, out->date);
    kb_text_puts(&to_sign, "\n");
    kb_text_puts(&to_sign, strchr(out->credential, '/') + 1);
    kb_text_puts(&to_sign, "\n");
    kb_text_puts(&to_sign, hash);
    (void)snprintf(out->signed_headers, sizeof out->signed_headers, "%s",
                   kb_text_str(&names));
    if (canonical.status != KBP_OK || names.status != KBP_OK ||
        headers.status != KBP_OK || to_sign.status != KBP_OK)
        status = kbp_fail(err, KBP_ERR_NOMEM, 0,
                          "no memory for a signature, or too much to sign");
    else
        status = sign(req, keys, out->date, kb_text_str(&to_sign),
                      out->signature, err);
    kb_text_release(&canonical);
    kb_text_release(&names);
    kb_text_release(&headers);
    kb_text_release(&to_sign);
    return status;
}

static int32_t begin(const struct kb_sigv4_request *req,
                     const struct kb_aws_keys *keys, struct kb_sigv4 *out,
                     struct kbp_error *err)
{
    int n;

    memset(out, 0, sizeof *out);
    kb_text_init(&out->query, TEXT_MAX);
    kb_sigv4_date(req->when, out->date);
    n = snprintf(out->credential, sizeof out->credential,
                 "%s/%.8s/%s/%s/aws4_request", keys->access_key, out->date,
                 req->region, req->service);
    if (n < 0 || (size_t)n >= sizeof out->credential)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "the AWS access key or region is too long");
    if (req->query_count > KB_SIGV4_PARAMS_MAX ||
        req->header_count > KB_SIGV4_PARAMS_MAX)
        return kbp_fail(err, KBP_ERR_MISUSE, 0, "too much to sign");
    return KBP_OK;
}

int32_t kb_sigv4_presign(const struct kb_sigv4_request *req,
                         const struct kb_aws_keys *keys, unsigned expires_s,
                         struct kb_sigv4 *out, struct kbp_error *err)
{
    struct kb_aws_param more[6];
    struct kb_text ignored, names;
    char expires[16];
    size_t count = 0;
    int32_t status = begin(req, keys, out, err);

    if (status != KBP_OK)
        return status;
    kb_text_init(&ignored, TEXT_MAX);
    kb_text_init(&names, sizeof out->signed_headers - 1);
    canonical_headers(req, &ignored, &names);
    (void)snprintf(expires, sizeof expires, "%u", expires_s);
    more[count++] = (struct kb_aws_param){"X-Amz-Algorithm", ALGORITHM};
    more[count++] = (struct kb_aws_param){"X-Amz-Credential", out->credential};
    more[count++] = (struct kb_aws_param){"X-Amz-Date", out->date};
    more[count++] = (struct kb_aws_param){"X-Amz-Expires", expires};
    if (keys->session_token)
        more[count++] =
            (struct kb_aws_param){"X-Amz-Security-Token", keys->session_token};
    more[count++] =
        (struct kb_aws_param){"X-Amz-SignedHeaders", kb_text_str(&names)};
    canonical_query(req, more, count, &out->query);
    kb_text_release(&ignored);
    kb_text_release(&names);
    if (out->query.status == KBP_OK)
        status = compute(req, keys, kb_text_str(&out->query), out, err);
    kb_text_puts(&out->query, "&X-Amz-Signature=");
    kb_text_puts(&out->query, out->signature);
    if (status == KBP_OK && out->query.status != KBP_OK)
        status = kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for a signature");
    if (status != KBP_OK)
        kb_text_release(&out->query);
    return status;
}

int32_t kb_sigv4_authorize(const struct kb_sigv4_request *req,
                           const struct kb_aws_keys *keys, struct kb_text *out,
                           struct kbp_error *err)
{
    struct kb_sigv4 sig;
    struct kb_text query;
    int32_t status = begin(req, keys, &sig, err);

    if (status != KBP_OK)
        return status;
    kb_text_init(&query, TEXT_MAX);
    canonical_query(req, NULL, 0, &query);
    if (query.status != KBP_OK)
        status = kbp_fail(err, query.status, 0, "no memory for a signature");
    else
        status = compute(req, keys, kb_text_str(&query), &sig, err);
    kb_text_release(&query);
    if (status != KBP_OK)
        return status;
    kb_text_puts(out, ALGORITHM " Credential=");
    kb_text_puts(out, sig.credential);
    kb_text_puts(out, ", SignedHeaders=");
    kb_text_puts(out, sig.signed_headers);
    kb_text_puts(out, ", Signature=");
    kb_text_puts(out, sig.signature);
    if (out->status != KBP_OK)
        return kbp_fail(err, out->status, 0, "no memory for a signature");
    return KBP_OK;
}

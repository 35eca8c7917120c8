/* SPDX-License-Identifier: Apache-2.0 */
/* aws_keys.h - one set of AWS credentials. */
#ifndef KB_AWS_KEYS_H
#define KB_AWS_KEYS_H

#include <stdint.h>

#include "../common/sasl_text.h"

struct kb_aws_keys {
    char *access_key;
    char *secret_key;
    char *session_token; /* or NULL: they are for good */
    int64_t end_ms;      /* monotonic; INT64_MAX for never */
    uint64_t serial;     /* tells one fetch from the next; 0 before it */
    char from[96];       /* "profile backup", for messages */
};

/* Copy them; `keys` is all zero before.  KBP_ERR_NOMEM. */
int32_t kb_aws_keys_set(struct kb_aws_keys *keys, const char *access_key,
                        const char *secret_key, const char *session_token,
                        struct kbp_error *err);
int32_t kb_aws_keys_copy(struct kb_aws_keys *to, const struct kb_aws_keys *from,
                         struct kbp_error *err);
void kb_aws_keys_release(struct kb_aws_keys *keys);

/*
 * What IMDS, containers and credential_process answer: JSON with AccessKeyId,
 * SecretAccessKey, Token or SessionToken, and Expiration.
 */
int32_t kb_aws_keys_json(struct kb_aws_keys *keys, const void *in, size_t len,
                         struct kbp_error *err);

/* What STS answers: XML with <AccessKeyId> and so on. */
int32_t kb_aws_keys_xml(struct kb_aws_keys *keys, const char *in, size_t len,
                        struct kbp_error *err);

/* Append what is in <tag> of XML, unescaped; 0 if there is none. */
int kb_xml_find(const char *in, size_t len, const char *tag,
                struct kb_text *out);

/* "2030-01-02T03:04:05Z" in ms since 1970, or -1. */
int64_t kb_aws_time(const char *text);

#endif

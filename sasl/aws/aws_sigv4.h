/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aws_sigv4.h - AWS Signature Version 4: a signed header, or a presigned URL.
 *
 * For S3 as well as for MSK and STS: the path is signed as it is given, so the
 * caller encodes it once (S3) or twice (all others), as its service wants.
 */
#ifndef KB_AWS_SIGV4_H
#define KB_AWS_SIGV4_H

#include <time.h>

#include "aws_keys.h"

#define KB_SIGV4_PARAMS_MAX 48u
/* SHA-256 of nothing. */
#define KB_SHA256_EMPTY \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct kb_aws_param {
    const char *name;
    const char *value;
};

struct kb_sigv4_request {
    const char *method;
    const char *host;
    const char *path;                 /* encoded, "/" at least */
    const struct kb_aws_param *query; /* not encoded, in any order */
    size_t query_count;
    /* Beside host: lower-case names, values trimmed, in any order. */
    const struct kb_aws_param *headers;
    size_t header_count;
    const char *payload_sha256; /* in hex, or "UNSIGNED-PAYLOAD" */
    const char *region;
    const char *service;
    time_t when;
};

struct kb_sigv4 {
    char date[17];        /* 20240101T000000Z */
    char credential[320]; /* AKID/20240101/us-east-1/sts/aws4_request */
    char signed_headers[512];
    char signature[65];
    struct kb_text query; /* presigned: the whole, encoded; to be released */
};

/* Into `out->query`, a URL's query that is good for `expires_s`. */
int32_t kb_sigv4_presign(const struct kb_sigv4_request *req,
                         const struct kb_aws_keys *keys, unsigned expires_s,
                         struct kb_sigv4 *out, struct kbp_error *err);

/*
 * Append the value of an Authorization header.  x-amz-date and, with session
 * credentials, x-amz-security-token are headers that the caller has put among
 * req->headers; kb_sigv4_date() gives the date.
 */
int32_t kb_sigv4_authorize(const struct kb_sigv4_request *req,
                           const struct kb_aws_keys *keys, struct kb_text *out,
                           struct kbp_error *err);

void kb_sigv4_date(time_t when, char date[17]);
void kb_sha256_hex(const void *bytes, size_t len, char hex[65]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_http.h - one request to a source of credentials, over libcurl. */
#ifndef KB_SASL_HTTP_H
#define KB_SASL_HTTP_H

#include "sasl_text.h"

struct kb_http_request {
    const char *method; /* "GET", "PUT", "POST" */
    const char *url;
    const char *const *headers; /* "Name: value", to a NULL; or NULL */
    const char *body;           /* or NULL */
    size_t body_len;
    const char *ca_location; /* a file or a folder; NULL for the system's */
    int no_proxy;            /* never by a proxy of the environment */
    int64_t connect_ms;      /* to connect in; 0 for the host's time */
    int64_t total_ms;        /* for all of it; 0 for the host's time */
    size_t limit;            /* of the answer's body */
};

struct kb_http_answer {
    long status;
    uint32_t retry_after_ms;
    struct kb_text body; /* may hold a secret */
};

/*
 * Send it and take the answer, whatever its status; release the answer if it
 * came.  No redirect is followed: it could carry a secret elsewhere.  Errors
 * name the URL without its query.  Waits within the host's time.  [any]
 */
int32_t kb_http(const struct kbp_host *host, const struct kb_http_request *req,
                struct kb_http_answer *answer, struct kbp_error *err);
void kb_http_release(struct kb_http_answer *answer);

/* The status for an HTTP status that isn't a success. */
int32_t kb_http_judge(long status);

/* "https://host/path" of a URL, without user, password and query. */
const char *kb_url_clean(char *to, size_t size, const char *url);

#endif

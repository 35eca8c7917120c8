/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_http.c - one request to a source of credentials, over libcurl. */
#include "sasl_http.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

#include "sasl_clock.h"

#define WAIT_MS 100       /* between two looks at host->cancelled() */
#define UNBOUND_MS 60000L /* where neither host nor request sets a time */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global;

static void init_global(void)
{
    global = curl_global_init(CURL_GLOBAL_DEFAULT);
}

const char *kb_url_clean(char *to, size_t size, const char *url)
{
    const char *rest = strstr(url, "://");
    size_t scheme = rest ? (size_t)(rest - url) + 3 : 0;
    const char *from = url + scheme;
    size_t host = strcspn(from, "/?#");
    const char *at = memrchr(from, '@', host);
    char text[512];

    if (at)
        from = at + 1;
    (void)snprintf(text, sizeof text, "%.*s%.*s",
                   (int)(scheme < 16 ? scheme : 0), url,
                   (int)strcspn(from, "?#"), from);
    return kb_clean(to, size, text, strlen(text));
}

int32_t kb_http_judge(long status)
{
    if (status == 429)
        return KBP_ERR_THROTTLED;
    if (status == 408 || status >= 500)
        return KBP_ERR_UNAVAILABLE;
    if (status >= 400)
        return KBP_ERR_AUTH;
    return KBP_ERR_PROTOCOL;
}

void kb_http_release(struct kb_http_answer *answer)
{
    kb_text_release(&answer->body);
}

/* What libcurl calls with our text as its data. */
static size_t take_body(char *bytes, size_t size, size_t n, void *data)
{
    struct kb_text *body = data;

    kb_text_add(body, bytes, size * n);
    return body->status == KBP_OK ? size * n : 0;
}

/* A socket that a program we run doesn't inherit. */
static curl_socket_t open_socket(void *data, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    (void)data;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static int32_t failed(const struct kb_http_request *req, CURLcode code,
                      const char *text, struct kbp_error *err)
{
    char url[200], why[200];

    (void)kb_url_clean(url, sizeof url, req->url);
    (void)kb_clean(why, sizeof why, text, strlen(text));
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return kbp_fail(err, KBP_ERR_CONFIG, (int32_t)code,
                        "%s is no usable URL: %s", url, why);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        kbp_hint(err, "name the CA that issued its certificate in the "
                      "..._ca_location setting; check its host name and dates");
        return kbp_fail(err, KBP_ERR_CONFIG, (int32_t)code,
                        "%s can't be trusted: %s", url, why);
    case CURLE_OPERATION_TIMEDOUT:
        return kbp_fail(err, KBP_ERR_TIMEOUT, (int32_t)code,
                        "no answer from %s: %s", url, why);
    case CURLE_OUT_OF_MEMORY:
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    default:
        return kbp_fail(err, KBP_ERR_IO, (int32_t)code,
                        "can't get an answer from %s: %s", url, why);
    }
}

static long bounded(int64_t ms, int64_t left)
{
    if (ms <= 0 || ms > left)
        ms = left;
    if (ms > UNBOUND_MS)
        ms = UNBOUND_MS;
    return ms < 1 ? 1 : (long)ms;
}

static int set_options(CURL *easy, const struct kbp_host *host,
                       const struct kb_http_request *req,
                       struct curl_slist *headers, char *text)
{
    int64_t left = host->time_left_ms(host);
    struct stat st;
    int bad = 0;

#define SET(option, value) bad |= curl_easy_setopt(easy, option, value) != 0
    SET(CURLOPT_URL, req->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_CUSTOMREQUEST, req->method);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_ERRORBUFFER, text);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_TIMEOUT_MS, bounded(req->total_ms, left));
    SET(CURLOPT_CONNECTTIMEOUT_MS, bounded(req->connect_ms, left));
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_HTTPHEADER, headers);
    if (req->body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
        SET(CURLOPT_POSTFIELDS, req->body);
    }
    if (req->no_proxy)
        SET(CURLOPT_NOPROXY, "*");
    if (req->ca_location && stat(req->ca_location, &st) == 0 &&
        S_ISDIR(st.st_mode)) {
        SET(CURLOPT_CAPATH, req->ca_location);
    } else if (req->ca_location) {
        SET(CURLOPT_CAINFO, req->ca_location);
        SET(CURLOPT_CAPATH, NULL);
    }
#undef SET
    return bad ? -1 : 0;
}

/* Drive the transfer, with a look at the host in between. */
static CURLcode drive(CURLM *multi, const struct kbp_host *host, int *cancelled)
{
    CURLMsg *msg;
    int running = 1, left;

    while (running) {
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            return CURLE_FAILED_INIT;
        if (running && host->cancelled(host)) {
            *cancelled = 1;
            return CURLE_ABORTED_BY_CALLBACK;
        }
        if (running &&
            curl_multi_poll(multi, NULL, 0, WAIT_MS, NULL) != CURLM_OK)
            return CURLE_FAILED_INIT;
    }
    msg = curl_multi_info_read(multi, &left);
    return msg && msg->msg == CURLMSG_DONE ? msg->data.result
                                           : CURLE_FAILED_INIT;
}

/*
 * libcurl starts a thread to look names up, which inherits the signal mask; and
 * a write of its TLS library may raise SIGPIPE.  The host shall see neither.
 */
static CURLcode drive_quietly(CURLM *multi, const struct kbp_host *host,
                              int *cancelled)
{
    static const struct timespec now = {0, 0};
    sigset_t all, before, pipe_only, pending;
    int was_pending;
    CURLcode code;

    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)sigpending(&pending);
    was_pending = sigismember(&pending, SIGPIPE);
    code = drive(multi, host, cancelled);
    (void)sigpending(&pending);
    if (!was_pending && sigismember(&pending, SIGPIPE))
        (void)sigtimedwait(&pipe_only, NULL, &now);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

static void free_headers(struct curl_slist *headers)
{
    struct curl_slist *at;

    for (at = headers; at; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
    curl_slist_free_all(headers);
}

static struct curl_slist *copy_headers(const struct kb_http_request *req)
{
    /* Not to wait for "100 Continue" before a body. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    size_t i;

    for (i = 0; list && req->headers && req->headers[i]; i++) {
        struct curl_slist *more = curl_slist_append(list, req->headers[i]);

        if (!more) {
            free_headers(list);
            return NULL;
        }
        list = more;
    }
    return list;
}

static int32_t perform(CURL *easy, CURLM *multi, const struct kbp_host *host,
                       const struct kb_http_request *req,
                       struct kb_http_answer *answer, const char *text,
                       struct kbp_error *err)
{
    curl_off_t after = 0;
    int cancelled = 0;
    char url[200];
    CURLcode code;

    if (curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer->body) != CURLE_OK ||
        curl_multi_add_handle(multi, easy) != CURLM_OK)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    code = drive_quietly(multi, host, &cancelled);
    (void)curl_multi_remove_handle(multi, easy);
    if (cancelled)
        return kbp_fail(err, KBP_ERR_CANCELLED, 0,
                        "cancelled while waiting for %s",
                        kb_url_clean(url, sizeof url, req->url));
    if (answer->body.status == KBP_ERR_LIMIT)
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "%s answers with more than %zu bytes",
                        kb_url_clean(url, sizeof url, req->url), req->limit);
    if (code != CURLE_OK)
        return failed(req, code, *text ? text : curl_easy_strerror(code), err);
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    (void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &after);
    if (after > 0)
        answer->retry_after_ms =
            after > 3600 ? 3600000u : (uint32_t)after * 1000u;
    return KBP_OK;
}

int32_t kb_http(const struct kbp_host *host, const struct kb_http_request *req,
                struct kb_http_answer *answer, struct kbp_error *err)
{
    char text[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers;
    CURL *easy = NULL;
    CURLM *multi = NULL;
    int32_t status;

    (void)pthread_once(&once, init_global);
    memset(answer, 0, sizeof *answer);
    kb_text_init(&answer->body, req->limit);
    headers = copy_headers(req);
    if (global == CURLE_OK && headers) {
        easy = curl_easy_init();
        multi = curl_multi_init();
    }
    if (!easy || !multi)
        status = kbp_fail(err, KBP_ERR_NOMEM, 0, "libcurl can't be started");
    else if (set_options(easy, host, req, headers, text) != 0)
        status = kbp_fail(err, KBP_ERR_INTERNAL, 0,
                          "libcurl doesn't take the options");
    else
        status = perform(easy, multi, host, req, answer, text, err);
    curl_easy_cleanup(easy);
    (void)curl_multi_cleanup(multi);
    free_headers(headers);
    if (status != KBP_OK)
        kb_http_release(answer);
    return status;
}

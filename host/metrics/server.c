/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the HTTP endpoint, over libmicrohttpd. */
#include "metrics/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "metrics/metrics.h"

struct kb_metrics_server {
    struct MHD_Daemon *daemon;
    char *path;
    int64_t window_ms;
    uint16_t port;
};

static enum MHD_Result answer(struct MHD_Connection *connection,
                              unsigned status, const char *type,
                              struct kb_buf *body)
{
    struct MHD_Response *response;
    enum MHD_Result result;

    if (body->failed) {
        kb_buf_release(body);
        return MHD_NO;
    }
    response = MHD_create_response_from_buffer(body->len, body->data,
                                               MHD_RESPMEM_MUST_COPY);
    kb_buf_release(body);
    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                      "GET, HEAD");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_len, void **state)
{
    static const char text[] = "text/plain; charset=utf-8";
    const struct kb_metrics_server *server = data;
    struct kb_buf body = KB_BUF_INIT;
    unsigned status = MHD_HTTP_OK;

    (void)version;
    (void)upload;
    if (!*state) {
        *state = data; /* the first call comes before the body */
        return MHD_YES;
    }
    if (*upload_len) {
        *upload_len = 0;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        kb_buf_add_str(&body, "only GET and HEAD\n");
        return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, text, &body);
    }
    if (strcmp(url, "/metrics") == 0 || strcmp(url, server->path) == 0) {
        kb_metrics_write(&body, server->window_ms);
        return answer(
            connection, MHD_HTTP_OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            &body);
    }
    if (strcmp(url, "/health") == 0 || strcmp(url, "/healthz") == 0) {
        if (!kb_metrics_health(&body))
            status = MHD_HTTP_SERVICE_UNAVAILABLE;
        return answer(connection, status, "application/json", &body);
    }
    if (strcmp(url, "/livez") == 0) {
        kb_buf_add_str(&body, "alive\n");
    } else if (strcmp(url, "/") == 0) {
        kb_buf_add_str(&body, "kafka-backup\n/metrics\n/health\n/livez\n");
    } else {
        kb_buf_add_str(&body, "not found\n");
        status = MHD_HTTP_NOT_FOUND;
    }
    return answer(connection, status, text, &body);
}

/* It has nothing to say that isn't in our own error. */
static void on_log(void *data, const char *fmt, va_list args)
{
    (void)data;
    (void)fmt;
    (void)args;
}

static int start(struct kb_metrics_server *server, const struct addrinfo *at)
{
    const union MHD_DaemonInfo *info;
    unsigned flags =
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_USE_ERROR_LOG;
    sigset_t all;
    sigset_t before;

    if (at->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    /* Its thread inherits the mask: signals are the main thread's. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = 0;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER,
        on_log, NULL, MHD_OPTION_SOCK_ADDR, at->ai_addr,
        MHD_OPTION_CONNECTION_LIMIT, 32u, MHD_OPTION_CONNECTION_TIMEOUT, 10u,
        MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!server->daemon)
        return errno ? errno : EADDRINUSE;
    info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    server->port = info ? info->port : 0;
    return 0;
}

int kb_metrics_server_start(struct kb_metrics_server **out, const char *address,
                            uint16_t port, const char *path, int64_t window_ms,
                            struct kbp_error *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct kb_metrics_server *server = calloc(1, sizeof *server);
    struct addrinfo *at = NULL;
    char service[8];
    int code;
    int status = KBP_OK;

    if (server)
        server->path = kb_strdup(path);
    if (!server || !server->path) {
        free(server);
        return kb_fail_nomem(err, "the metrics server");
    }
    server->window_ms = window_ms;
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    code = getaddrinfo(address, service, &hints, &at);
    if (code) {
        status = kb_fail(err, KBP_ERR_CONFIG, "metrics.bind_address %s: %s",
                         address, gai_strerror(code));
    } else {
        code = start(server, at);
        freeaddrinfo(at);
        if (code) {
            status = kb_fail_errno(err, code, "metrics: can't listen on %s:%u",
                                   address, (unsigned)port);
            kb_err_hint(err, "choose another metrics.port (0: any free one)");
        }
    }
    if (status) {
        kb_metrics_server_stop(server);
        return status;
    }
    *out = server;
    return KBP_OK;
}

uint16_t kb_metrics_server_port(const struct kb_metrics_server *server)
{
    return server->port;
}

void kb_metrics_server_stop(struct kb_metrics_server *server)
{
    if (!server)
        return;
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    free(server->path);
    free(server);
}

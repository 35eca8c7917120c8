/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.c - the control plane's connection: a librdkafka handle, its errors
 * and log lines, and waiting for answers.
 */
#include "kafka/admin.h"

#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/admin_impl.h"
#include "kafka/error.h"
#include "kafka/pump_set.h"
#include "kafka/tcp.h"

#define ERRSTR_MAX 512

/* librdkafka waits for itself; beyond this it has forgotten us. */
#define GRACE_MS 5000

/* Coordinators load, and new partitions find their leaders, for a second. */
#define AGAIN_PAUSE_MS 200

static int own_status(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
        return KBP_ERR_TIMEOUT;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
        return KBP_ERR_UNAVAILABLE;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
        return KBP_ERR_AUTH;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
        return KBP_ERR_UNSUPPORTED;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__UNKNOWN_GROUP:
        return KBP_ERR_NOT_FOUND;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return KBP_ERR_CONFIG;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
        return KBP_ERR_PROTOCOL;
    default:
        return KBP_ERR_INTERNAL;
    }
}

int kb_fail_rdkafka(struct kb_admin *admin, struct kbp_error *err,
                    rd_kafka_resp_err_t code, const char *more, const char *fmt,
                    ...)
{
    char what[300];
    char last[sizeof admin->last_error] = "";
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (code >= RD_KAFKA_RESP_ERR_UNKNOWN) {
        (void)kb_fail(err, kb_kafka_error_status((int16_t)code),
                      "%s: %s (%s)%s%s", what,
                      kb_kafka_error_text((int16_t)code),
                      kb_kafka_error_name((int16_t)code),
                      more && *more ? ": " : "", more ? more : "");
        err->native = code;
        return err->status;
    }
    /* What connections met says more than "timed out". */
    if (own_status(code) == KBP_ERR_TIMEOUT ||
        own_status(code) == KBP_ERR_UNAVAILABLE) {
        (void)pthread_mutex_lock(&admin->lock);
        memcpy(last, admin->last_error, sizeof last);
        (void)pthread_mutex_unlock(&admin->lock);
    }
    (void)kb_fail(err, own_status(code), "%s: %s%s%s%s", what,
                  more && *more ? more : rd_kafka_err2str(code),
                  *last ? " (" : "", last, *last ? ")" : "");
    err->native = code;
    return err->status;
}

/* [librdkafka's threads] */
static void on_log(const rd_kafka_t *rk, int level, const char *fac,
                   const char *buf)
{
    (void)rk;
    (void)level;
    kb_debug("librdkafka: %s: %s", fac, buf);
}

void kb_admin_note_error(struct kb_admin *admin, const char *text)
{
    (void)pthread_mutex_lock(&admin->lock);
    (void)snprintf(admin->last_error, sizeof admin->last_error, "%s", text);
    (void)pthread_mutex_unlock(&admin->lock);
}

/* [whoever polls: the caller] */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kb_admin *admin = opaque;

    (void)rk;
    kb_debug("librdkafka: %s: %s", rd_kafka_err2name((rd_kafka_resp_err_t)code),
             reason);
    /* That all are down is said after why; and a pump says it better. */
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !admin->pumps)
        kb_admin_note_error(admin, reason);
}

/* Brokers are where the overrides say. [librdkafka's threads] */
static int on_resolve(const char *node, const char *service,
                      const struct addrinfo *hints, struct addrinfo **res,
                      void *opaque)
{
    const struct kb_admin *admin = opaque;
    char port_text[16];
    const char *host;
    uint64_t number;
    uint16_t port;

    if (!node) {
        freeaddrinfo(*res);
        return 0;
    }
    if (!kb_parse_u64(service, &number) || number > UINT16_MAX)
        return getaddrinfo(node, service, hints, res);
    kb_tcp_override(&admin->net, node, (uint16_t)number, &host, &port);
    (void)snprintf(port_text, sizeof port_text, "%u", (unsigned)port);
    return getaddrinfo(host, port_text, hints, res);
}

static int set(rd_kafka_conf_t *conf, const char *key, const char *value,
               struct kbp_error *err)
{
    char text[ERRSTR_MAX];

    if (rd_kafka_conf_set(conf, key, value, text, sizeof text) ==
        RD_KAFKA_CONF_OK)
        return KBP_OK;
    return kb_fail(err, KBP_ERR_CONFIG, "librdkafka: %s: %s", key, text);
}

static int set_number(rd_kafka_conf_t *conf, const char *key, int64_t value,
                      struct kbp_error *err)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    return set(conf, key, text, err);
}

static int64_t between(int64_t value, int64_t min, int64_t max)
{
    return value < min ? min : value > max ? max : value;
}

/* PLAINTEXT librdkafka dials by itself; what is more goes over the bridge. */
static int make_conf(struct kb_admin *admin, const char *servers,
                     rd_kafka_conf_t **made, struct kbp_error *err)
{
    const struct kb_net_config *net = &admin->net;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int rc;

    rd_kafka_conf_set_opaque(conf, admin);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_resolve_cb(conf, on_resolve);
    rc = set(conf, "bootstrap.servers", servers, err);
    if (rc == KBP_OK)
        rc = set(conf, "client.id", net->client_id, err);
    if (rc == KBP_OK && net->client_rack && *net->client_rack)
        rc = set(conf, "client.rack", net->client_rack, err);
    if (rc == KBP_OK)
        rc = set(conf, "allow.auto.create.topics", "false", err);
    if (rc == KBP_OK)
        rc = set(conf, "isolation.level", "read_uncommitted", err);
    if (rc == KBP_OK)
        rc = set(conf, "socket.keepalive.enable",
                 net->tcp_keepalive ? "true" : "false", err);
    if (rc == KBP_OK)
        rc = set(conf, "socket.nagle.disable",
                 net->tcp_nodelay ? "true" : "false", err);
    if (rc == KBP_OK)
        rc = set_number(conf, "socket.timeout.ms",
                        between(net->request_timeout_ms, 10, 300000), err);
    if (rc == KBP_OK)
        rc = set_number(conf, "socket.connection.setup.timeout.ms",
                        between(net->connect_timeout_ms, 1000, 300000), err);
    if (rc == KBP_OK)
        rc = set_number(conf, "reconnect.backoff.max.ms", 1000, err);
    if (rc == KBP_OK && net->security)
        rc = kb_admin_bridge(admin, conf, err);
    if (rc != KBP_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    *made = conf;
    return KBP_OK;
}

static char *join(const char *const *servers, size_t count)
{
    struct kb_buf list = KB_BUF_INIT;
    size_t i;

    for (i = 0; i < count; i++)
        kb_buf_printf(&list, "%s%s", i ? "," : "", servers[i]);
    kb_buf_add(&list, "", 1);
    if (list.failed) {
        kb_buf_release(&list);
        return NULL;
    }
    return (char *)kb_buf_detach(&list, NULL);
}

int kb_admin_open(const struct kb_net_config *net, const char *const *servers,
                  size_t count, struct kb_admin **admin, struct kbp_error *err)
{
    struct kb_admin *opened = calloc(1, sizeof *opened);
    char *list = join(servers, count);
    char text[ERRSTR_MAX];
    rd_kafka_conf_t *conf = NULL;
    int rc;

    if (!opened || !list) {
        free(opened);
        free(list);
        return kb_fail_nomem(err, "the control plane");
    }
    opened->net = *net;
    (void)pthread_mutex_init(&opened->lock, NULL);
    rc = make_conf(opened, list, &conf, err);
    free(list);
    if (rc == KBP_OK) {
        /* A producer would create the topics which it asks for. */
        opened->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
        if (!opened->rk) {
            rd_kafka_conf_destroy(conf);
            rc = kb_fail(err, KBP_ERR_CONFIG, "librdkafka: %s", text);
        }
    }
    if (rc != KBP_OK) {
        kb_admin_close(opened);
        return rc;
    }
    *admin = opened;
    return KBP_OK;
}

void kb_admin_close(struct kb_admin *admin)
{
    if (!admin)
        return;
    if (admin->rk)
        rd_kafka_destroy(admin->rk);
    kb_pump_set_free(admin->pumps);
    (void)pthread_mutex_destroy(&admin->lock);
    free(admin);
}

int kb_admin_call_init(struct kb_admin *admin, rd_kafka_admin_op_t op,
                       struct kb_admin_call *call, struct kbp_error *err)
{
    int timeout_ms = (int)between(admin->net.request_timeout_ms, 10, 300000);
    char text[ERRSTR_MAX];

    call->options = rd_kafka_AdminOptions_new(admin->rk, op);
    call->queue = rd_kafka_queue_new(admin->rk);
    if (!call->options || !call->queue) {
        kb_admin_call_release(call);
        return kb_fail_nomem(err, "a call");
    }
    (void)rd_kafka_AdminOptions_set_request_timeout(call->options, timeout_ms,
                                                    text, sizeof text);
    return KBP_OK;
}

void kb_admin_call_limit(struct kb_admin *admin, struct kb_admin_call *call,
                         int64_t ms)
{
    char text[ERRSTR_MAX];

    if (call->options && ms < admin->net.request_timeout_ms)
        (void)rd_kafka_AdminOptions_set_request_timeout(call->options, (int)ms,
                                                        text, sizeof text);
}

void kb_admin_call_release(struct kb_admin_call *call)
{
    if (call->options)
        rd_kafka_AdminOptions_destroy(call->options);
    if (call->queue)
        rd_kafka_queue_destroy(call->queue);
    call->options = NULL;
    call->queue = NULL;
}

int kb_admin_wait(struct kb_admin *admin, struct kb_admin_call *call,
                  const char *what, rd_kafka_event_t **event,
                  struct kbp_error *err)
{
    int64_t deadline_ms =
        kb_deadline_ms(admin->net.request_timeout_ms + GRACE_MS);
    rd_kafka_resp_err_t code;
    rd_kafka_event_t *got;

    for (;;) {
        got = rd_kafka_queue_poll(call->queue, 50);
        (void)rd_kafka_poll(admin->rk, 0); /* for on_error() */
        if (got)
            break;
        if (admin->net.stop && kb_stop_requested(admin->net.stop))
            return kb_fail_stopped(err);
        if (kb_left_ms(deadline_ms) == 0)
            return kb_fail_rdkafka(admin, err, RD_KAFKA_RESP_ERR__TIMED_OUT,
                                   NULL, "%s", what);
    }
    code = rd_kafka_event_error(got);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        *event = got;
        return KBP_OK;
    }
    (void)kb_fail_rdkafka(admin, err, code, rd_kafka_event_error_string(got),
                          "%s", what);
    rd_kafka_event_destroy(got);
    return err->status;
}

bool kb_admin_again(struct kb_admin *admin, int status, int64_t deadline_ms,
                    struct kbp_error *err)
{
    if (!kb_may_retry(status) || kb_left_ms(deadline_ms) <= AGAIN_PAUSE_MS)
        return false;
    kb_log_err(KBP_LOG_DEBUG, NULL, err);
    if (admin->net.stop && kb_stop_sleep(admin->net.stop, AGAIN_PAUSE_MS)) {
        (void)kb_fail_stopped(err);
        return false;
    }
    return true;
}

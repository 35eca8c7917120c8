/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pump_greet.c - be the broker that librdkafka shakes hands with.
 *
 * librdkafka asks ApiVersions, then SaslHandshake for PLAIN, then
 * SaslAuthenticate.  The first is the real broker's to answer; if it couldn't
 * be reached a canned answer brings librdkafka to the last one, the only one
 * whose text reaches the application.
 */
#include "kafka/pump_internal.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "kafka/auth.h"
#include "kafka/error.h"
#include "kafka/sasl_exchange.h"

#define FRAME_MAX ((size_t)1 << 20)
#define TEXT_MAX 500 /* librdkafka has room for 511 */

/* librdkafka's own codes, which it takes from an answer as they are. */
#define RDKAFKA_TRANSPORT (-195)
#define RDKAFKA_TIMED_OUT (-185)
#define RDKAFKA_SSL (-181)

/* A request of librdkafka's: its header, and the frame that holds it. */
struct request {
    uint16_t api;
    uint16_t version;
    uint32_t correlation;
    struct kb_cursor body;
    struct kb_buf frame; /* without its length */
};

static int read_request(struct kb_pump *pump, struct request *request,
                        int64_t deadline_ms, struct kbp_error *err)
{
    struct kb_cursor c;
    int16_t id_len;
    int status = kb_pump_read_frame(pump->app, &request->frame, FRAME_MAX,
                                    deadline_ms, err);

    /* Whoever hung up doesn't want to hear why. */
    if (status != KBP_OK)
        return kb_fail(err, KBP_ERR_CANCELLED, "the client hung up");
    c = kb_cursor_of(request->frame.data, request->frame.len);
    request->api = kb_get_be16(&c);
    request->version = kb_get_be16(&c);
    request->correlation = kb_get_be32(&c);
    id_len = (int16_t)kb_get_be16(&c);
    if (id_len > 0)
        (void)kb_take(&c, (size_t)id_len);
    if (c.bad)
        return kb_fail(err, KBP_ERR_PROTOCOL, "not a request of librdkafka's");
    request->body = c;
    return KBP_OK;
}

static void put16(struct kb_buf *out, int value)
{
    uint8_t *room = kb_buf_extend(out, 2);

    if (room)
        kb_store_be16(room, (uint16_t)value);
}

static void put32(struct kb_buf *out, uint32_t value)
{
    uint8_t *room = kb_buf_extend(out, 4);

    if (room)
        kb_store_be32(room, value);
}

static void begin_answer(struct kb_buf *out, const struct request *request)
{
    kb_buf_reset(out);
    put32(out, 0); /* its length */
    put32(out, request->correlation);
}

static int send_answer(struct kb_pump *pump, struct kb_buf *out,
                       int64_t deadline_ms, struct kbp_error *err)
{
    if (out->failed)
        return kb_fail_nomem(err, "an answer");
    kb_store_be32(out->data, (uint32_t)(out->len - 4));
    return kb_pump_write(pump->app, out, deadline_ms, err);
}

/* What a broker of any age has and librdkafka asks for: enough to go on. */
static void canned_versions(struct kb_buf *out, const struct request *request)
{
    static const struct {
        uint16_t api;
        uint16_t min;
        uint16_t max;
    } apis[] = {{0, 3, 7},  {1, 4, 11}, {2, 1, 2},  {3, 1, 4},
                {10, 0, 2}, {17, 0, 1}, {18, 0, 3}, {36, 0, 1}};
    const size_t count = sizeof apis / sizeof apis[0];
    bool flexible = request->version >= 3;
    size_t i;

    put16(out, KB_KAFKA_NONE);
    if (flexible)
        kb_buf_add(out, &(uint8_t){(uint8_t)(count + 1)}, 1);
    else
        put32(out, (uint32_t)count);
    for (i = 0; i < count; i++) {
        put16(out, apis[i].api);
        put16(out, apis[i].min);
        put16(out, apis[i].max);
        if (flexible)
            kb_buf_add(out, "", 1);
    }
    if (request->version >= 1)
        put32(out, 0); /* throttle */
    if (flexible)
        kb_buf_add(out, "", 1);
}

/* The broker's highest SaslAuthenticate, from its answer to ApiVersions. */
static int16_t find_authenticate(const struct request *request,
                                 const struct kb_buf *answer)
{
    struct kb_cursor c = kb_cursor_of(answer->data, answer->len);
    bool flexible;
    uint64_t count;
    uint64_t i;
    int16_t error;

    (void)kb_get_be32(&c); /* correlation */
    error = (int16_t)kb_get_be16(&c);
    /* A version it doesn't know is answered in version 0, with its own. */
    flexible = request->version >= 3 && error != KB_KAFKA_UNSUPPORTED_VERSION;
    count = flexible ? kb_get_uvarint(&c) - 1 : kb_get_be32(&c);
    for (i = 0; i < count && !c.bad; i++) {
        uint16_t api = kb_get_be16(&c);
        int16_t max;

        (void)kb_get_be16(&c);
        max = (int16_t)kb_get_be16(&c);
        if (flexible && kb_get_uvarint(&c) != 0)
            return -1; /* tagged fields: of the future */
        if (!c.bad && api == KB_API_SASL_AUTHENTICATE)
            return max;
    }
    return -1;
}

/* Hand the question to the broker, and its answer back. */
static int relay(struct kb_pump *pump, struct request *request,
                 struct kb_buf *answer, int64_t deadline_ms,
                 struct kbp_error *err)
{
    uint8_t head[4];
    struct iovec parts[2] = {{head, 4},
                             {request->frame.data, request->frame.len}};
    int status;

    kb_store_be32(head, (uint32_t)request->frame.len);
    status = kb_stream_write_all(pump->broker, parts, 2, deadline_ms, err);
    if (status == KBP_OK)
        status = kb_pump_read_frame(pump->broker, answer, FRAME_MAX,
                                    deadline_ms, err);
    if (status != KBP_OK)
        return kb_err_wrap(err, "%s: ApiVersions", pump->where);
    pump->authenticate = find_authenticate(request, answer);
    return KBP_OK;
}

/* user and password of a PLAIN message: [authzid] NUL user NUL password */
static int take_credentials(struct kb_pump *pump, struct request *request,
                            struct kbp_error *err)
{
    struct kb_secret secret = {NULL, 0};
    const char *user = "";
    const char *password = "";
    int32_t len = (int32_t)kb_get_be32(&request->body);
    const uint8_t *token =
        len > 0 ? kb_take(&request->body, (size_t)len) : NULL;
    int status;

    if (!pump->options->credentials)
        return KBP_OK;
    if (token) {
        const char *end;

        status = kb_secret_set(&secret, (const char *)token, (size_t)len, err);
        if (status != KBP_OK)
            return status;
        end = secret.text + secret.len;
        user = secret.text + strlen(secret.text);
        user = user < end ? user + 1 : end;
        password = user + strlen(user);
        password = password < end ? password + 1 : end;
    }
    status = pump->options->credentials(pump->options->data, user, password,
                                        &pump->security, err);
    kb_secret_release(&secret);
    return status;
}

static int log_in(struct kb_pump *pump, int64_t deadline_ms,
                  struct kbp_error *err)
{
    struct kb_peer peer = kb_pump_peer(pump);
    const struct kb_security_ops *ops;
    struct kb_buf out = KB_BUF_INIT;
    struct kb_buf in = KB_BUF_INIT;
    int status;

    if (!pump->security || !pump->security->ops->login_open)
        return KBP_OK;
    ops = pump->security->ops;
    status =
        ops->login_open(pump->security, &peer, deadline_ms, &pump->login, err);
    if (status != KBP_OK)
        return status;
    kb_login_versions_known(pump->login, pump->authenticate);
    status = ops->login_step(pump->login, NULL, 0, &out, err);
    while (status == KBP_OK && out.len > 0) {
        status = kb_pump_write(pump->broker, &out, deadline_ms, err);
        if (status == KBP_OK)
            status = kb_pump_read_frame(pump->broker, &in, KB_SASL_FRAME_MAX,
                                        deadline_ms, err);
        if (status != KBP_OK) {
            (void)kb_err_wrap(err, "%s during authentication", pump->where);
            break;
        }
        kb_buf_reset(&out);
        status = ops->login_step(pump->login, in.data, in.len, &out, err);
    }
    kb_buf_release(&out);
    kb_buf_release(&in);
    return status;
}

static int rdkafka_code(const struct kb_pump *pump, const struct kbp_error *err)
{
    if (err->status == KBP_ERR_TIMEOUT)
        return RDKAFKA_TIMED_OUT;
    if (pump->tls_failed)
        return RDKAFKA_SSL;
    switch (err->status) {
    case KBP_ERR_AUTH:
    case KBP_ERR_CONFIG:
        return KB_KAFKA_SASL_AUTHENTICATION_FAILED;
    default:
        return RDKAFKA_TRANSPORT;
    }
}

static void verdict(const struct kb_pump *pump, struct kb_buf *out,
                    const struct request *request, int result,
                    const struct kbp_error *err)
{
    char text[TEXT_MAX];
    int len = 0;

    if (result != KBP_OK)
        len = snprintf(text, sizeof text, "%s%s%s", err->message,
                       *err->hint ? "; " : "", err->hint);
    if (len >= (int)sizeof text)
        len = (int)sizeof text - 1;
    put16(out, result == KBP_OK ? KB_KAFKA_NONE : rdkafka_code(pump, err));
    put16(out, result == KBP_OK ? -1 : len);
    kb_buf_add(out, text, (size_t)len);
    put32(out, 0); /* no bytes */
    if (request->version >= 1) {
        /* 0: librdkafka doesn't authenticate again by itself; we do. */
        put32(out, 0);
        put32(out, 0);
    }
}

/* Whatever it asks for is enabled. */
static void echo_mechanism(struct kb_buf *out, struct request *request)
{
    uint16_t len = kb_get_be16(&request->body);
    const uint8_t *mechanism = kb_take(&request->body, len);

    put16(out, KB_KAFKA_NONE);
    put32(out, mechanism ? 1 : 0);
    if (mechanism) {
        put16(out, len);
        kb_buf_add(out, mechanism, len);
    }
}

static int reachable(struct kb_pump *pump, struct request *request,
                     struct kb_buf *answer, int64_t deadline_ms,
                     struct kbp_error *err)
{
    struct kb_buf from_broker = {.limit = FRAME_MAX + 64};
    int status = pump->broker
                     ? relay(pump, request, &from_broker, deadline_ms, err)
                     : err->status;

    begin_answer(answer, request);
    if (status == KBP_OK)
        kb_buf_add(answer, from_broker.data + 4, from_broker.len - 4);
    else
        canned_versions(answer, request);
    kb_buf_release(&from_broker);
    return status;
}

int kb_pump_greet(struct kb_pump *pump, int dialled, int64_t deadline_ms,
                  struct kbp_error *err)
{
    struct request request = {.frame = KB_BUF_INIT};
    struct kb_buf answer = KB_BUF_INIT;
    struct kbp_error app_err = KB_ERR_INIT;
    int result = dialled;
    int status = KBP_OK;
    bool over = result == KBP_OK && pump->options->relay;

    while (!over && status == KBP_OK) {
        /* librdkafka has its own idea of how long it waits for us. */
        status = read_request(pump, &request, KB_NEVER, &app_err);
        if (status != KBP_OK)
            break;
        begin_answer(&answer, &request);
        switch (request.api) {
        case KB_API_API_VERSIONS:
            result = reachable(pump, &request, &answer, deadline_ms, err);
            break;
        case KB_API_SASL_HANDSHAKE:
            echo_mechanism(&answer, &request);
            break;
        case KB_API_SASL_AUTHENTICATE:
            if (result == KBP_OK)
                result = take_credentials(pump, &request, err);
            if (result == KBP_OK)
                result = log_in(pump, deadline_ms, err);
            verdict(pump, &answer, &request, result, err);
            over = true;
            break;
        default:
            status = kb_fail(&app_err, KBP_ERR_PROTOCOL,
                             "librdkafka asked for api %u before it was "
                             "authenticated",
                             request.api);
            continue;
        }
        status = send_answer(pump, &answer, deadline_ms, &app_err);
    }
    if (request.frame.data)
        explicit_bzero(request.frame.data, request.frame.cap);
    kb_buf_release(&request.frame);
    kb_buf_release(&answer);
    if (status != KBP_OK && result == KBP_OK)
        *err = app_err;
    return status != KBP_OK ? err->status : result;
}

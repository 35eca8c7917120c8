/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.c - a connection to one broker: framing, deadlines, the order of
 * answers.
 *
 * When SASL is to be renewed, the answers on their way are read first and set
 * aside, as the broker takes nothing but SASL requests until it is done; the
 * users of a connection don't notice.
 */
#include "kafka/conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/conn_impl.h"
#include "kafka/security.h"
#include "kafka/tcp.h"
#include "kafka/wire.h"

/* Java keeps INT32_MAX-7 and up for SASL; so do we. */
#define CORRELATION_MAX (INT32_MAX - 8)

/* A quota that keeps us waiting for so long is worth a word. */
#define LONG_THROTTLE_MS 10000
#define THROTTLE_REMIND_MS 300000

/* Nothing that comes before a connection is ready is larger. */
#define HANDSHAKE_MAX ((size_t)1 << 20)

void kb_net_config_init(struct kb_net_config *net, struct kb_stop *stop)
{
    *net = (struct kb_net_config){
        .client_id = "kafka-backup",
        .client_rack = "",
        .connect_timeout_ms = 10000,
        .request_timeout_ms = 30000,
        .tcp_nodelay = true,
        .tcp_keepalive = true,
        .keepalive_time_secs = 60,
        .keepalive_interval_secs = 20,
        .stop = stop,
    };
}

/* The first version of each request that has the flexible encoding. */
static bool is_flexible(enum kb_api api, int16_t version)
{
    switch (api) {
    case KB_API_PRODUCE:
        return version >= 9;
    case KB_API_FETCH:
        return version >= 12;
    case KB_API_LIST_OFFSETS:
        return version >= 6;
    case KB_API_METADATA:
        return version >= 9;
    case KB_API_LIST_GROUPS:
    case KB_API_API_VERSIONS:
        return version >= 3;
    case KB_API_DESCRIBE_CONFIGS:
        return version >= 4;
    case KB_API_INIT_PRODUCER_ID:
    case KB_API_ALTER_CONFIGS:
    case KB_API_SASL_AUTHENTICATE:
        return version >= 2;
    case KB_API_INCREMENTAL_ALTER_CONFIGS:
        return version >= 1;
    case KB_API_DESCRIBE_PRODUCERS:
        return true;
    case KB_API_SASL_HANDSHAKE:
        break;
    }
    return false;
}

static void set_name(struct kb_conn *conn)
{
    char address[300];

    kb_tcp_join(conn->host, conn->port, address, sizeof address);
    if (conn->broker >= 0)
        (void)snprintf(conn->name, sizeof conn->name,
                       "broker %" PRId32 " at %s", conn->broker, address);
    else
        (void)snprintf(conn->name, sizeof conn->name, "broker at %s", address);
}

static int64_t with_throttle(const struct kb_conn *conn, int64_t deadline_ms)
{
    int64_t more = kb_left_ms(conn->throttled_until_ms);
    int64_t moved;

    return __builtin_add_overflow(deadline_ms, more, &moved) ? KB_NEVER : moved;
}

/* The connection is of no more use; the error says, once, whose it was. */
static int broken(struct kb_conn *conn, struct kbp_error *err)
{
    if (conn->broken)
        return err->status;
    conn->broken = true;
    return kb_err_wrap(err, "%s", conn->name);
}

static int check_usable(const struct kb_conn *conn, struct kbp_error *err)
{
    if (!conn->broken)
        return KBP_OK;
    return kb_fail(err, KBP_ERR_IO, "%s: the connection has failed before",
                   conn->name);
}

/*
 * Read a frame into a block of its own: all that is behind the length. More
 * than `charged` is forced upon the budget.
 */
static int read_frame(struct kb_conn *conn, int64_t deadline_ms,
                      struct kb_budget *budget, size_t charged, size_t max,
                      struct kb_block **out, struct kbp_error *err)
{
    struct kb_block *block;
    uint8_t head[4];
    size_t got = 0;
    size_t len;
    size_t extra;
    int rc = kb_stream_read_all(conn->stream, head, sizeof head, &got,
                                deadline_ms, err);

    if (rc != KBP_OK) {
        kb_conn_explain(conn, got, err);
        return err->status;
    }
    len = kb_load_be32(head);
    if (len < 4 || len > max)
        return kb_conn_no_frame(conn, head, max, err);
    extra = budget && len > charged ? len - charged : 0;
    block = kb_block_new(NULL, 0, len);
    if (!block)
        return kb_fail(err, KBP_ERR_NOMEM,
                       "out of memory for an answer of %zu bytes", len);
    if (extra)
        kb_budget_force(budget, extra);
    rc = kb_stream_read_all(conn->stream, block->data, len, &got, deadline_ms,
                            err);
    if (rc != KBP_OK) {
        if (extra)
            kb_budget_give(budget, extra);
        kb_block_unref(block);
        kb_conn_explain(conn, got + sizeof head, err);
        return err->status;
    }
    block->len = len;
    kb_conn_own_charge(block, budget, charged + extra);
    *out = block;
    return KBP_OK;
}

void kb_conn_own_charge(struct kb_block *block, struct kb_budget *budget,
                        size_t charged)
{
    block->budget = budget;
    block->charged = charged;
    kb_block_shrink_charge(block, block->len);
}

/* The answer to the oldest request in flight, from the wire. */
static int read_answer(struct kb_conn *conn, int64_t deadline_ms,
                       struct kb_budget *budget, size_t charged,
                       struct kb_answer *answer, struct kbp_error *err)
{
    const struct kb_sent *sent = &conn->sent[conn->sent_first];
    struct kb_block *block = NULL;
    struct kb_cursor c;
    int32_t correlation;
    int rc = read_frame(conn, deadline_ms, budget, charged,
                        conn->ready ? INT32_MAX : HANDSHAKE_MAX, &block, err);

    if (rc != KBP_OK)
        return rc;
    c = kb_cursor_of(block->data, block->len);
    correlation = kb_get_i32(&c);
    kb_skip_tags(&c, sent->api != KB_API_API_VERSIONS &&
                         is_flexible(sent->api, sent->version));
    if (c.bad || correlation != sent->correlation) {
        /* What was charged goes back to the caller. */
        if (block->budget && block->charged > charged)
            kb_budget_give(block->budget, block->charged - charged);
        else if (block->budget && block->charged < charged)
            kb_budget_force(block->budget, charged - block->charged);
        block->budget = NULL;
        kb_block_unref(block);
        if (c.bad)
            return kb_fail(err, KBP_ERR_PROTOCOL,
                           "an answer which ends within its header");
        return kb_fail(err, KBP_ERR_PROTOCOL,
                       "an answer to request %" PRId32 ", not to %" PRId32 "%s",
                       correlation, sent->correlation,
                       conn->answers ? "" : ": this is no Kafka broker");
    }
    *answer = (struct kb_answer){
        .block = block,
        .body = c.at,
        .body_len = kb_cursor_left(&c),
        .api = sent->api,
        .version = sent->version,
    };
    conn->sent_first = (conn->sent_first + 1) % conn->sent_cap;
    conn->sent_count--;
    conn->answers++;
    return KBP_OK;
}

/* Set aside the answers that are on their way. */
static int drain(struct kb_conn *conn, int64_t deadline_ms,
                 struct kbp_error *err)
{
    while (conn->sent_count > 0) {
        struct kb_answer answer;
        struct kb_answer *more =
            realloc(conn->aside, (conn->aside_count + 1) * sizeof *more);
        int rc;

        if (!more)
            return kb_fail_nomem(err, "answers");
        conn->aside = more;
        rc = read_answer(conn, deadline_ms, NULL, 0, &answer, err);
        if (rc != KBP_OK)
            return rc;
        more[conn->aside_count++] = answer;
    }
    return KBP_OK;
}

static bool take_aside(struct kb_conn *conn, struct kb_answer *answer)
{
    if (conn->aside_count == 0)
        return false;
    *answer = conn->aside[0];
    conn->aside_count--;
    memmove(conn->aside, conn->aside + 1,
            conn->aside_count * sizeof *conn->aside);
    return true;
}

/* Carry one SASL exchange to its end. */
static int run_login(struct kb_conn *conn, int64_t deadline_ms,
                     struct kbp_error *err)
{
    const struct kb_security_ops *ops = conn->net->security->ops;
    struct kb_buf out = KB_BUF_INIT;
    struct kb_block *in = NULL;
    int rc;

    conn->logging_in = true;
    for (;;) {
        struct iovec part;

        kb_buf_reset(&out);
        rc = ops->login_step(conn->login, in ? in->data : NULL,
                             in ? in->len : 0, &out, err);
        kb_block_unref(in);
        in = NULL;
        if (rc != KBP_OK || out.len == 0)
            break;
        part = (struct iovec){out.data, out.len};
        rc = kb_stream_write_all(conn->stream, &part, 1, deadline_ms, err);
        if (rc == KBP_OK)
            rc =
                read_frame(conn, deadline_ms, NULL, 0, HANDSHAKE_MAX, &in, err);
        if (rc != KBP_OK)
            break;
        conn->login_answers++;
    }
    conn->logging_in = false;
    kb_buf_release(&out);
    return rc;
}

static int renew_login(struct kb_conn *conn, struct kbp_error *err)
{
    int64_t deadline_ms = kb_deadline_ms(conn->net->request_timeout_ms);
    int rc;

    if (!conn->login ||
        conn->net->security->ops->login_renew_at_ms(conn->login) > kb_now_ms())
        return KBP_OK;
    kb_debug("%s: authenticating again", conn->name);
    deadline_ms = with_throttle(conn, deadline_ms);
    rc = drain(conn, deadline_ms, err);
    if (rc == KBP_OK)
        rc = run_login(conn, deadline_ms, err);
    return rc;
}

static int remember_sent(struct kb_conn *conn, struct kb_sent sent,
                         struct kbp_error *err)
{
    if (conn->sent_count == conn->sent_cap) {
        size_t cap = conn->sent_cap ? conn->sent_cap * 2 : 16;
        struct kb_sent *more = malloc(cap * sizeof *more);
        size_t i;

        if (!more)
            return kb_fail_nomem(err, "a request");
        for (i = 0; i < conn->sent_count; i++)
            more[i] = conn->sent[(conn->sent_first + i) % conn->sent_cap];
        free(conn->sent);
        conn->sent = more;
        conn->sent_cap = cap;
        conn->sent_first = 0;
    }
    conn->sent[(conn->sent_first + conn->sent_count) % conn->sent_cap] = sent;
    conn->sent_count++;
    return KBP_OK;
}

/* Head, then the parts, in one go. */
static int write_request(struct kb_conn *conn, const struct kb_sent *sent,
                         const struct iovec *parts, int part_count,
                         struct kbp_error *err)
{
    int64_t deadline_ms =
        with_throttle(conn, kb_deadline_ms(conn->net->request_timeout_ms));
    struct kb_buf *head = &conn->head;
    struct iovec *all = calloc((size_t)part_count + 1, sizeof *all);
    size_t len;
    int i;
    int rc = KBP_OK;

    if (!all)
        return kb_fail_nomem(err, "a request");
    kb_buf_reset(head);
    kb_put_i32(head, 0);
    kb_put_i16(head, (int16_t)sent->api);
    kb_put_i16(head, sent->version);
    kb_put_i32(head, sent->correlation);
    kb_put_str(head, false, conn->net->client_id);
    kb_put_no_tags(head, is_flexible(sent->api, sent->version));
    len = head->len - 4;
    for (i = 0; i < part_count; i++) {
        all[i + 1] = parts[i];
        if (__builtin_add_overflow(len, parts[i].iov_len, &len))
            len = SIZE_MAX;
    }
    if (head->failed)
        rc = kb_fail_nomem(err, "a request");
    else if (len > INT32_MAX)
        rc = kb_fail(err, KBP_ERR_LIMIT, "a request of %zu bytes", len);
    if (rc == KBP_OK) {
        kb_store_be32(head->data, (uint32_t)len);
        all[0] = (struct iovec){head->data, head->len};
        rc = kb_stream_write_all(conn->stream, all, part_count + 1, deadline_ms,
                                 err);
    }
    free(all);
    return rc;
}

int kb_conn_send(struct kb_conn *conn, enum kb_api api, int16_t version,
                 const struct iovec *parts, int part_count,
                 struct kbp_error *err)
{
    struct kb_sent sent = {api, version, conn->correlation};
    int rc = check_usable(conn, err);

    if (rc != KBP_OK)
        return rc;
    rc = renew_login(conn, err);
    if (rc == KBP_OK)
        rc = remember_sent(conn, sent, err);
    if (rc == KBP_OK)
        rc = write_request(conn, &sent, parts, part_count, err);
    if (rc != KBP_OK)
        return broken(conn, err);
    conn->correlation =
        conn->correlation == CORRELATION_MAX ? 0 : conn->correlation + 1;
    return KBP_OK;
}

unsigned kb_conn_in_flight(const struct kb_conn *conn)
{
    return (unsigned)(conn->sent_count + conn->aside_count);
}

int kb_conn_receive(struct kb_conn *conn, int64_t deadline_ms,
                    struct kb_budget *budget, size_t charged,
                    struct kb_answer *answer, struct kbp_error *err)
{
    int rc;

    if (take_aside(conn, answer)) {
        if (budget && answer->block->len > charged) {
            kb_budget_force(budget, answer->block->len - charged);
            charged = answer->block->len;
        }
        kb_conn_own_charge(answer->block, budget, charged);
        return KBP_OK;
    }
    rc = check_usable(conn, err);
    if (rc != KBP_OK)
        return rc;
    if (conn->sent_count == 0)
        return kb_fail(err, KBP_ERR_MISUSE, "%s: no request is in flight",
                       conn->name);
    rc = read_answer(conn, with_throttle(conn, deadline_ms), budget, charged,
                     answer, err);
    return rc == KBP_OK ? rc : broken(conn, err);
}

void kb_answer_release(struct kb_answer *answer)
{
    kb_block_unref(answer->block);
    answer->block = NULL;
    answer->body = NULL;
    answer->body_len = 0;
}

int kb_conn_call(struct kb_conn *conn, enum kb_api api, int16_t version,
                 const struct kb_buf *body, struct kb_answer *answer,
                 struct kbp_error *err)
{
    struct iovec part = {body->data, body->len};
    int rc;

    if (body->failed)
        return kb_fail_nomem(err, "a request");
    rc = kb_conn_send(conn, api, version, &part, 1, err);
    if (rc != KBP_OK)
        return rc;
    return kb_conn_receive(conn, kb_deadline_ms(conn->net->request_timeout_ms),
                           NULL, 0, answer, err);
}

void kb_conn_throttled(struct kb_conn *conn, int32_t throttle_ms)
{
    char text[32];

    if (throttle_ms <= 0)
        return;
    conn->throttled_until_ms = kb_deadline_ms(throttle_ms);
    if (throttle_ms >= LONG_THROTTLE_MS &&
        kb_left_ms(conn->throttle_warned_ms) == 0) {
        conn->throttle_warned_ms = kb_deadline_ms(THROTTLE_REMIND_MS);
        kb_warn("%s throttles client id \"%s\": it says nothing for the next "
                "%s, as a quota was exceeded (consumer_byte_rate, "
                "producer_byte_rate or request_percentage); raise it, or set "
                "connection.client_id to one that has its own",
                conn->name, conn->net->client_id,
                kb_duration_text(text, throttle_ms));
    } else {
        kb_debug("%s throttles client id \"%s\" for %" PRId32 " ms", conn->name,
                 conn->net->client_id, throttle_ms);
    }
}

int kb_conn_fd(const struct kb_conn *conn)
{
    return conn->stream->fd;
}

const char *kb_conn_name(const struct kb_conn *conn)
{
    return conn->name;
}

void kb_conn_set_broker(struct kb_conn *conn, int32_t id)
{
    conn->broker = id;
    set_name(conn);
}

int32_t kb_conn_broker(const struct kb_conn *conn)
{
    return conn->broker;
}

const struct kb_net_config *kb_conn_net(const struct kb_conn *conn)
{
    return conn->net;
}

void kb_conn_close(struct kb_conn *conn)
{
    size_t i;

    if (!conn)
        return;
    for (i = 0; i < conn->aside_count; i++)
        kb_answer_release(&conn->aside[i]);
    free(conn->aside);
    if (conn->login)
        conn->net->security->ops->login_close(conn->login);
    kb_stream_close(conn->stream);
    kb_buf_release(&conn->head);
    free(conn->sent);
    free(conn->host);
    free(conn);
}

static struct kb_conn *new_conn(const struct kb_net_config *net,
                                const char *host, uint16_t port)
{
    struct kb_conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        return NULL;
    conn->net = net;
    conn->broker = -1;
    conn->port = port;
    conn->host = kb_strdup(host);
    if (!conn->host) {
        free(conn);
        return NULL;
    }
    set_name(conn);
    return conn;
}

/* TLS, SASL, versions: over the stream that it has. */
static int set_up(struct kb_conn *conn, int64_t deadline_ms,
                  struct kbp_error *err)
{
    struct kb_security *security = conn->net->security;
    struct kb_peer peer = {conn->host, conn->port, conn->net->client_id, NULL,
                           conn->net->stop};
    int rc = KBP_OK;

    if (security && security->ops->wrap)
        rc = security->ops->wrap(security, &peer, &conn->stream, deadline_ms,
                                 err);
    if (rc == KBP_OK && security && security->ops->login_open)
        rc = security->ops->login_open(security, &peer, deadline_ms,
                                       &conn->login, err);
    if (rc == KBP_OK && conn->login)
        rc = run_login(conn, deadline_ms, err);
    if (rc == KBP_OK)
        rc = kb_conn_negotiate(conn, deadline_ms, err);
    if (rc != KBP_OK)
        return broken(conn, err);
    conn->ready = true;
    return KBP_OK;
}

int kb_conn_open_stream(const struct kb_net_config *net,
                        struct kb_stream *stream, const char *host,
                        uint16_t port, struct kb_conn **conn,
                        struct kbp_error *err)
{
    struct kb_conn *opened = new_conn(net, host, port);
    int rc;

    if (!opened) {
        kb_stream_close(stream);
        return kb_fail_nomem(err, "a connection");
    }
    opened->stream = stream;
    rc = set_up(opened, kb_deadline_ms(net->connect_timeout_ms), err);
    if (rc != KBP_OK) {
        kb_conn_close(opened);
        return rc;
    }
    *conn = opened;
    return KBP_OK;
}

int kb_conn_open(const struct kb_net_config *net, const char *host,
                 uint16_t port, struct kb_conn **conn, struct kbp_error *err)
{
    int64_t deadline_ms = kb_deadline_ms(net->connect_timeout_ms);
    struct kb_conn *opened = new_conn(net, host, port);
    int rc;

    if (!opened)
        return kb_fail_nomem(err, "a connection");
    rc = kb_tcp_dial(net, host, port, deadline_ms, &opened->stream, err);
    rc = rc == KBP_OK ? set_up(opened, deadline_ms, err) : broken(opened, err);
    if (rc != KBP_OK) {
        kb_conn_close(opened);
        return rc;
    }
    *conn = opened;
    return KBP_OK;
}

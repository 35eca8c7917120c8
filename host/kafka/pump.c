/* SPDX-License-Identifier: Apache-2.0 */
/* pump.c - carries one connection of a librdkafka over our transport. */
#include "kafka/pump_internal.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kafka/tcp.h"

int kb_pump_read_frame(struct kb_stream *stream, struct kb_buf *frame,
                       size_t limit, int64_t deadline_ms, struct kbp_error *err)
{
    uint8_t head[4];
    uint32_t len;
    size_t got;
    void *room;
    int status =
        kb_stream_read_all(stream, head, sizeof head, &got, deadline_ms, err);

    if (status != KBP_OK)
        return status;
    len = kb_load_be32(head);
    if (len < 4 || len > limit)
        return kb_fail(err, KBP_ERR_PROTOCOL,
                       "a frame of %u bytes: no Kafka there", len);
    kb_buf_reset(frame);
    room = kb_buf_extend(frame, len);
    if (!room)
        return kb_fail_nomem(err, "a frame");
    return kb_stream_read_all(stream, room, len, &got, deadline_ms, err);
}

int kb_pump_write(struct kb_stream *stream, const struct kb_buf *bytes,
                  int64_t deadline_ms, struct kbp_error *err)
{
    struct iovec part = {bytes->data, bytes->len};

    return kb_stream_write_all(stream, &part, 1, deadline_ms, err);
}

static int dial(struct kb_pump *pump, int64_t deadline_ms,
                struct kbp_error *err)
{
    const struct kb_pump_options *o = pump->options;
    struct kb_peer peer = kb_pump_peer(pump);
    struct kb_security *security = o->net->security;
    int status;

    if (o->refused) {
        *err = *o->refused;
        return err->status;
    }
    status =
        kb_tcp_dial(o->net, o->host, o->port, deadline_ms, &pump->broker, err);
    if (status == KBP_OK && security && security->ops->wrap) {
        status = security->ops->wrap(security, &peer, &pump->broker,
                                     deadline_ms, err);
        pump->tls_failed = status != KBP_OK;
    }
    if (status != KBP_OK) {
        kb_stream_close(pump->broker);
        pump->broker = NULL;
    }
    return status;
}

static void tell(const struct kb_pump *pump, const struct kbp_error *err)
{
    if (pump->options->failed && err->status != KBP_ERR_CANCELLED)
        pump->options->failed(pump->options->data, err);
}

void kb_pump_run(const struct kb_pump_options *options)
{
    struct kb_pump pump = {.options = options,
                           .security = options->net->security,
                           .authenticate = -1};
    struct kbp_error err = KB_ERR_INIT;
    int flags = fcntl(options->app_fd, F_GETFL);
    int64_t deadline_ms;
    int dialled;

    kb_tcp_join(options->host, options->port, pump.where, sizeof pump.where);
    (void)fcntl(options->app_fd, F_SETFL, flags | O_NONBLOCK);
    pump.app = kb_socket_stream(options->app_fd, options->net->stop);
    if (!pump.app) {
        (void)close(options->app_fd);
        return;
    }
    deadline_ms = kb_deadline_ms(options->net->connect_timeout_ms);
    dialled = dial(&pump, deadline_ms, &err);
    if (kb_pump_greet(&pump, dialled, deadline_ms, &err) != KBP_OK ||
        kb_pump_copy(&pump, &err) != KBP_OK)
        tell(&pump, &err);
    if (pump.login)
        pump.security->ops->login_close(pump.login);
    kb_stream_close(pump.broker);
    kb_stream_close(pump.app);
}

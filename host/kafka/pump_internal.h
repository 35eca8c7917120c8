/* SPDX-License-Identifier: Apache-2.0 */
/* pump_internal.h - a pump's state, shared by its greeting and its copying. */
#ifndef KB_KAFKA_PUMP_INTERNAL_H
#define KB_KAFKA_PUMP_INTERNAL_H

#include "base/buf.h"
#include "kafka/pump.h"
#include "kafka/security.h"

struct kb_pump {
    const struct kb_pump_options *options;
    struct kb_security *security; /* to log in with; or NULL */
    struct kb_stream *app;
    struct kb_stream *broker; /* or NULL */
    struct kb_login *login;   /* or NULL */
    int16_t authenticate;     /* the broker's highest SaslAuthenticate */
    bool tls_failed;
    char where[300];
};

/* The broker, as its security is to see it. */
static inline struct kb_peer kb_pump_peer(const struct kb_pump *pump)
{
    const struct kb_pump_options *o = pump->options;

    return (struct kb_peer){o->host, o->port, o->net->client_id, "librdkafka",
                            o->net->stop};
}

/*
 * Log in, and answer librdkafka's handshake with how that went, or with how
 * dialling did: `dialled` is its status, and `err` holds its error.  KBP_OK
 * when frames may be copied.  KBP_ERR_CANCELLED: librdkafka hung up; there is
 * nobody to tell.
 */
int kb_pump_greet(struct kb_pump *pump, int dialled, int64_t deadline_ms,
                  struct kbp_error *err);

/* Copy frames until an end; KBP_OK when either side just closed. */
int kb_pump_copy(struct kb_pump *pump, struct kbp_error *err);

/*
 * Read a frame, which is put behind its length of 4 to `limit` bytes, into
 * `frame`; that must be released also after a failure.
 */
int kb_pump_read_frame(struct kb_stream *stream, struct kb_buf *frame,
                       size_t limit, int64_t deadline_ms,
                       struct kbp_error *err);

/* Write all of `bytes`. */
int kb_pump_write(struct kb_stream *stream, const struct kb_buf *bytes,
                  int64_t deadline_ms, struct kbp_error *err);

#endif

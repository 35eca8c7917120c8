/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sasl_exchange.h - Kafka's SASL exchange without a socket: bytes in, bytes
 * out (KIP-43, KIP-152, KIP-368).
 *
 *     ApiVersions 0 -> SaslHandshake 1 -> SaslAuthenticate 0-2, as often as
 *     the mechanism's steps take
 *
 * The data plane's connections drive it, the bridge to librdkafka does, and so
 * do the tests.  One exchange is one authentication of one connection; doing
 * it again on the live connection is another exchange, told so.
 *
 * [session: one thread at a time]
 */
#ifndef KB_KAFKA_SASL_EXCHANGE_H
#define KB_KAFKA_SASL_EXCHANGE_H

#include <stdbool.h>

#include "base/buf.h"
#include "plugin/sasl.h"

/*
 * Correlation ids which Java's client reserves for re-authentication; answers
 * with one of these never belong to anybody else's request.
 */
#define KB_SASL_CORRELATION_FIRST (INT32_MAX - 7)
#define KB_SASL_CORRELATION_LAST INT32_MAX

/* No answer to the exchange is larger: the frame that holds one step. */
#define KB_SASL_FRAME_MAX (KBP_SASL_MAX_BYTES + 4096u)

struct kb_sasl_exchange;

/* What the exchange is for. All is borrowed until kb_sasl_exchange_free(). */
struct kb_sasl_exchange_options {
    struct kb_sasl *sasl;             /* the opened mechanism */
    const struct kbp_sasl_peer *peer; /* KBP_SASL_REAUTH in its flags: again */
    const char *client_id;
    const char *broker;   /* "kafka-3:9092", for messages */
    int64_t deadline_ms;  /* for what the mechanism's steps wait for */
    struct kb_stop *stop; /* ends that, too; or NULL */
    /*
     * ApiVersions was asked on this connection already (a broker takes it only
     * once before the handshake): the version to use, else -1.
     */
    int16_t authenticate_version;
};

/* Opens a session of the mechanism, whose errors these are. */
int kb_sasl_exchange_new(const struct kb_sasl_exchange_options *options,
                         struct kb_sasl_exchange **exchange,
                         struct kbp_error *err);

/* NULL is fine. */
void kb_sasl_exchange_free(struct kb_sasl_exchange *exchange);

/* Append the first request, its length in front, to `out`. */
int kb_sasl_exchange_start(struct kb_sasl_exchange *exchange,
                           struct kb_buf *out, struct kbp_error *err);

/*
 * Take the broker's answer to the request before (without its length) and
 * append the next request to `out`; nothing, and `*done`, at the end.  Errors
 * say what the broker refused and what it offers: KBP_ERR_AUTH (58, or the
 * mechanism isn't enabled), KBP_ERR_PROTOCOL, or whatever the mechanism had.
 */
int kb_sasl_exchange_answer(struct kb_sasl_exchange *exchange,
                            const void *frame, size_t len, struct kb_buf *out,
                            bool *done, struct kbp_error *err);

/* The version of SaslAuthenticate in use: for the next exchange. */
int16_t kb_sasl_exchange_version(const struct kb_sasl_exchange *exchange);

/*
 * When it is done: how long the broker's session and the credentials are good,
 * whichever ends first; -1: no end.
 */
int64_t kb_sasl_exchange_lifetime_ms(const struct kb_sasl_exchange *exchange);

/*
 * When to authenticate again: at 80 % of the lifetime +- 5 s of jitter, not
 * before 30 s; where the lifetime is too short for that, at 80 % without
 * jitter, and never within a second of the last time (brokers refuse that).
 * `random` is any number; the result is ms from the last authentication.
 */
int64_t kb_sasl_reauth_after_ms(int64_t lifetime_ms, uint32_t random);

#endif

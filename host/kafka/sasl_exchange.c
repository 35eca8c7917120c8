/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_exchange.c - Kafka's SASL exchange without a socket. */
#include "kafka/sasl_exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cursor.h"
#include "kafka/conn.h"
#include "kafka/error.h"

#define HANDSHAKE_VERSION 1
#define AUTHENTICATE_MAX 2
#define ROUNDS_MAX 32u

enum stage { STAGE_VERSIONS, STAGE_HANDSHAKE, STAGE_AUTHENTICATE, STAGE_DONE };

struct kb_sasl_exchange {
    struct kb_sasl_exchange_options options;
    struct kb_sasl_session *session;
    enum stage stage;
    int32_t correlation; /* of the request that waits for its answer */
    int16_t version;     /* of SaslAuthenticate */
    int64_t session_ms;  /* what the broker said last; 0: nothing */
    bool stepped_out;    /* the mechanism needs no more */
    unsigned rounds;
};

int kb_sasl_exchange_new(const struct kb_sasl_exchange_options *options,
                         struct kb_sasl_exchange **exchange,
                         struct kbp_error *err)
{
    struct kb_sasl_exchange *made = calloc(1, sizeof *made);
    bool known = options->authenticate_version >= 0;
    int status;

    if (!made)
        return kb_fail_nomem(err, "a SASL exchange");
    made->options = *options;
    made->stage = known ? STAGE_HANDSHAKE : STAGE_VERSIONS;
    made->version = options->authenticate_version;
    if (made->version > AUTHENTICATE_MAX)
        made->version = AUTHENTICATE_MAX;
    made->correlation = KB_SASL_CORRELATION_FIRST;
    status = kb_sasl_session_open(options->sasl, options->peer, options->stop,
                                  &made->session, err);
    if (status != KBP_OK) {
        free(made);
        return status;
    }
    *exchange = made;
    return KBP_OK;
}

void kb_sasl_exchange_free(struct kb_sasl_exchange *exchange)
{
    if (!exchange)
        return;
    kb_sasl_session_close(exchange->session);
    free(exchange);
}

/* Begin a request; returns where its length has to be put at the end. */
static size_t begin(struct kb_sasl_exchange *x, struct kb_buf *out,
                    enum kb_api api, int16_t version, bool flexible)
{
    size_t at = out->len;
    size_t id_len = strlen(x->options.client_id);
    uint8_t *head = kb_buf_extend(out, 14);

    if (head) {
        kb_store_be32(head, 0);
        kb_store_be16(head + 4, (uint16_t)api);
        kb_store_be16(head + 6, (uint16_t)version);
        kb_store_be32(head + 8, (uint32_t)x->correlation);
        kb_store_be16(head + 12, (uint16_t)id_len);
    }
    kb_buf_add(out, x->options.client_id, id_len);
    if (flexible)
        kb_buf_add(out, "", 1); /* no tagged fields */
    return at;
}

static int end(struct kb_buf *out, size_t at, struct kbp_error *err)
{
    if (out->failed)
        return kb_fail_nomem(err, "a SASL request");
    kb_store_be32(out->data + at, (uint32_t)(out->len - at - 4));
    return KBP_OK;
}

static int ask_versions(struct kb_sasl_exchange *x, struct kb_buf *out,
                        struct kbp_error *err)
{
    /* Version 0: what comes first must be something that old brokers know. */
    return end(out, begin(x, out, KB_API_API_VERSIONS, 0, false), err);
}

static int ask_handshake(struct kb_sasl_exchange *x, struct kb_buf *out,
                         struct kbp_error *err)
{
    const char *mechanism = kb_sasl_mechanism(x->options.sasl);
    size_t len = strlen(mechanism);
    size_t at = begin(x, out, KB_API_SASL_HANDSHAKE, HANDSHAKE_VERSION, false);
    uint8_t *room = kb_buf_extend(out, 2);

    if (room)
        kb_store_be16(room, (uint16_t)len);
    kb_buf_add(out, mechanism, len);
    return end(out, at, err);
}

static void put_uvarint(struct kb_buf *out, uint32_t value)
{
    uint8_t byte;

    for (; value >= 0x80; value >>= 7) {
        byte = (uint8_t)(value | 0x80);
        kb_buf_add(out, &byte, 1);
    }
    byte = (uint8_t)value;
    kb_buf_add(out, &byte, 1);
}

/* Let the mechanism take `in` (NULL the first time) and send what it says. */
static int ask_step(struct kb_sasl_exchange *x, const void *in, size_t in_len,
                    struct kb_buf *out, struct kbp_error *err)
{
    bool flexible = x->version >= 2;
    struct kb_buf token = {.limit = KBP_SASL_MAX_BYTES};
    size_t at;
    int status;

    if (++x->rounds > ROUNDS_MAX)
        return kb_fail(err, KBP_ERR_PROTOCOL,
                       "the broker goes on asking: %u challenges, and no end",
                       ROUNDS_MAX);
    status = kb_sasl_step(x->session, in, in_len, x->options.deadline_ms,
                          &token, &x->stepped_out, err);
    if (status != KBP_OK || (x->stepped_out && token.len == 0))
        goto out;
    at = begin(x, out, KB_API_SASL_AUTHENTICATE, x->version, flexible);
    if (flexible) {
        put_uvarint(out, (uint32_t)token.len + 1);
    } else {
        uint8_t *room = kb_buf_extend(out, 4);

        if (room)
            kb_store_be32(room, (uint32_t)token.len);
    }
    kb_buf_add(out, token.data, token.len);
    if (flexible)
        kb_buf_add(out, "", 1);
    status = end(out, at, err);
out:
    if (token.data)
        explicit_bzero(token.data, token.cap);
    kb_buf_release(&token);
    return status;
}

int kb_sasl_exchange_start(struct kb_sasl_exchange *x, struct kb_buf *out,
                           struct kbp_error *err)
{
    return x->stage == STAGE_VERSIONS ? ask_versions(x, out, err)
                                      : ask_handshake(x, out, err);
}

static int broken(const struct kb_sasl_exchange *x, const char *what,
                  struct kbp_error *err)
{
    return kb_fail(err, KBP_ERR_PROTOCOL,
                   "%s: its answer to %s can't be understood",
                   x->options.broker, what);
}

static int take_versions(struct kb_sasl_exchange *x, struct kb_cursor *c,
                         struct kbp_error *err)
{
    int16_t code = (int16_t)kb_get_be16(c);
    uint32_t count = kb_get_be32(c);
    bool handshake = false;
    int16_t most = -1;
    uint32_t i;

    if (code != KB_KAFKA_NONE)
        return kb_fail(err, KBP_ERR_PROTOCOL, "%s refused ApiVersions: %s",
                       x->options.broker, kb_kafka_error_name(code));
    for (i = 0; i < count && !c->bad; i++) {
        uint16_t api = kb_get_be16(c);
        int16_t min = (int16_t)kb_get_be16(c);
        int16_t max = (int16_t)kb_get_be16(c);

        if (api == KB_API_SASL_HANDSHAKE && min <= HANDSHAKE_VERSION &&
            max >= HANDSHAKE_VERSION)
            handshake = true;
        if (api == KB_API_SASL_AUTHENTICATE && min <= AUTHENTICATE_MAX)
            most = max < AUTHENTICATE_MAX ? max : AUTHENTICATE_MAX;
    }
    if (c->bad)
        return broken(x, "ApiVersions", err);
    if (!handshake || most < 0)
        return kb_fail(err, KBP_ERR_UNSUPPORTED,
                       "%s has no SaslHandshake 1 and SaslAuthenticate; it "
                       "is older than Kafka 1.0, or no Kafka broker",
                       x->options.broker);
    x->version = most;
    return KBP_OK;
}

static int not_enabled(struct kb_sasl_exchange *x, struct kb_cursor *c,
                       struct kbp_error *err)
{
    struct kb_buf offered = {.limit = 256};
    uint32_t count = kb_get_be32(c);
    uint32_t i;

    for (i = 0; i < count && !c->bad && !offered.failed; i++) {
        uint16_t len = kb_get_be16(c);
        const uint8_t *name = kb_take(c, len);

        if (name)
            kb_buf_printf(&offered, "%s%.*s", i ? ", " : "", (int)len,
                          (const char *)name);
    }
    (void)kb_fail(err, KBP_ERR_AUTH,
                  "%s has SASL mechanism %s not enabled; it offers %.*s",
                  x->options.broker, kb_sasl_mechanism(x->options.sasl),
                  offered.len ? (int)offered.len : 4,
                  offered.len ? (const char *)offered.data : "none");
    kb_err_hint(err, "set sasl_mechanism to one that the listener has, or add "
                     "it to sasl.enabled.mechanisms of the broker");
    kb_buf_release(&offered);
    return KBP_ERR_AUTH;
}

static int take_handshake(struct kb_sasl_exchange *x, struct kb_cursor *c,
                          struct kbp_error *err)
{
    int16_t code = (int16_t)kb_get_be16(c);

    if (c->bad)
        return broken(x, "SaslHandshake", err);
    if (code == KB_KAFKA_NONE)
        return KBP_OK;
    if (code == KB_KAFKA_UNSUPPORTED_SASL_MECHANISM)
        return not_enabled(x, c, err);
    (void)kb_fail(err, KBP_ERR_AUTH, "%s refused SaslHandshake: %s",
                  x->options.broker, kb_kafka_error_name(code));
    if (code == KB_KAFKA_ILLEGAL_SASL_STATE)
        kb_err_hint(err, "the listener is not a SASL one, or is authenticated "
                         "already: look at security_protocol");
    return KBP_ERR_AUTH;
}

/* An answer's bytes or string, whose length is -1 for null. */
static const uint8_t *take_sized(struct kb_cursor *c, bool flexible,
                                 bool is_string, size_t *len)
{
    int64_t size;

    if (flexible)
        size = (int64_t)(kb_get_uvarint(c) & UINT32_MAX) - 1;
    else if (is_string)
        size = (int16_t)kb_get_be16(c);
    else
        size = (int32_t)kb_get_be32(c);
    *len = size > 0 ? (size_t)size : 0;
    return kb_take(c, *len);
}

static int take_authenticate(struct kb_sasl_exchange *x, struct kb_cursor *c,
                             struct kb_buf *out, struct kbp_error *err)
{
    bool flexible = x->version >= 2;
    const uint8_t *text;
    const uint8_t *token;
    size_t text_len;
    size_t token_len;
    int16_t code;
    int status;

    if (flexible && kb_get_u8(c) != 0)
        return broken(x, "SaslAuthenticate (tagged header)", err);
    code = (int16_t)kb_get_be16(c);
    text = take_sized(c, flexible, true, &text_len);
    token = take_sized(c, flexible, false, &token_len);
    if (x->version >= 1)
        x->session_ms = (int64_t)kb_get_be64(c);
    if (c->bad || x->session_ms < 0)
        return broken(x, "SaslAuthenticate", err);
    if (code != KB_KAFKA_NONE) {
        (void)kb_sasl_explain(x->session, code, (const char *)text, text_len,
                              err);
        return kb_err_wrap(err, "%s", x->options.broker);
    }
    if (x->stepped_out)
        return KBP_OK; /* it was the answer to a last word */
    status = ask_step(x, token, token_len, out, err);
    return status == KBP_OK ? KBP_OK
                            : kb_err_wrap(err, "%s", x->options.broker);
}

int kb_sasl_exchange_answer(struct kb_sasl_exchange *x, const void *frame,
                            size_t len, struct kb_buf *out, bool *done,
                            struct kbp_error *err)
{
    struct kb_cursor c = kb_cursor_of(frame, len);
    int32_t correlation = (int32_t)kb_get_be32(&c);
    size_t before = out->len;
    int status;

    if (c.bad || correlation != x->correlation)
        return kb_fail(err, KBP_ERR_PROTOCOL,
                       "%s: an answer to another request in the SASL exchange",
                       x->options.broker);
    x->correlation = x->correlation == KB_SASL_CORRELATION_LAST
                         ? KB_SASL_CORRELATION_FIRST
                         : x->correlation + 1;
    switch (x->stage) {
    case STAGE_VERSIONS:
        status = take_versions(x, &c, err);
        if (status == KBP_OK) {
            x->stage = STAGE_HANDSHAKE;
            status = ask_handshake(x, out, err);
        }
        break;
    case STAGE_HANDSHAKE:
        status = take_handshake(x, &c, err);
        if (status == KBP_OK) {
            x->stage = STAGE_AUTHENTICATE;
            status = ask_step(x, NULL, 0, out, err);
            if (status != KBP_OK)
                (void)kb_err_wrap(err, "%s", x->options.broker);
        }
        break;
    case STAGE_AUTHENTICATE:
        status = take_authenticate(x, &c, out, err);
        break;
    default:
        status = kb_fail(err, KBP_ERR_MISUSE, "the SASL exchange is over");
        break;
    }
    if (status != KBP_OK)
        return status;
    if (out->len == before)
        x->stage = STAGE_DONE;
    *done = x->stage == STAGE_DONE;
    return KBP_OK;
}

int16_t kb_sasl_exchange_version(const struct kb_sasl_exchange *x)
{
    return x->version;
}

int64_t kb_sasl_exchange_lifetime_ms(const struct kb_sasl_exchange *x)
{
    int64_t own = kb_sasl_lifetime_ms(x->session);

    if (x->session_ms <= 0)
        return own > 0 ? own : -1;
    return own > 0 && own < x->session_ms ? own : x->session_ms;
}

int64_t kb_sasl_reauth_after_ms(int64_t lifetime_ms, uint32_t random)
{
    const int64_t floor_ms = 30000;
    const int64_t jitter_ms = 5000;
    int64_t after = lifetime_ms / 10 * 8;

    if (after >= floor_ms + jitter_ms) {
        after += (int64_t)(random % (2 * jitter_ms + 1)) - jitter_ms;
        if (after < floor_ms)
            after = floor_ms;
    }
    return after < 1100 ? 1100 : after;
}

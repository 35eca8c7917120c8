/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_sasl_exchange.c - a hostile broker through a whole SASL exchange, with
 * the plugins as built.
 *
 * The input: a byte for the mechanism (bits 0-1) and for what is known of
 * SaslAuthenticate (bits 2-4), then the answers, each behind two bytes of
 * length, whose highest bit says that it has a correlation id of its own.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kafka/sasl_exchange.h"

#define SECRET "canary-secret"
#define REQUESTS_MAX 40 /* versions, handshake, and no endless challenges */

static const struct kb_kv settings[] = {
    {"sasl_username", "alice"},
    {"sasl_password", SECRET},
    {"sasl_oauthbearer_token", SECRET},
};

static const struct {
    const char *name;
    size_t first;
    size_t count;
} mechanisms[] = {
    {"PLAIN", 0, 2},
    {"SCRAM-SHA-256", 0, 2},
    {"OAUTHBEARER", 2, 1},
};

#define MECHANISMS (sizeof mechanisms / sizeof mechanisms[0])

/* Opened once, and never closed. NULL: not built here. */
static struct kb_sasl *mechanism(size_t which)
{
    static struct kb_registry registry;
    static struct kb_sasl *opened[MECHANISMS];
    static bool ready;
    const char *dir = KB_TEST_PLUGIN_DIR;

    if (!ready) {
        struct kbp_error err = KB_ERR_INIT;
        size_t i;

        if (kb_registry_init(&registry, &dir, 1, &err) != KBP_OK)
            abort();
        for (i = 0; i < MECHANISMS; i++)
            if (kb_sasl_open(&registry, mechanisms[i].name,
                             settings + mechanisms[i].first,
                             mechanisms[i].count, &opened[i], &err) != KBP_OK &&
                i == 0)
                abort();
        ready = true;
    }
    return opened[which];
}

/* An error is one line, without a secret that wasn't the broker's own word. */
static void check_error(const struct kbp_error *err, const uint8_t *input,
                        size_t input_len)
{
    bool told = memmem(input, input_len, SECRET, strlen(SECRET)) != NULL;
    const char *p;

    for (p = err->message; *p; p++)
        if ((unsigned char)*p < 0x20)
            abort();
    if (p == err->message)
        abort();
    if (!told && (strstr(err->message, SECRET) || strstr(err->hint, SECRET)))
        abort();
}

/* A request is whole, and its correlation id a reserved one. */
static void check_request(const struct kb_buf *out)
{
    uint32_t correlation;

    if (out->len < 14 || kb_load_be32(out->data) != out->len - 4 ||
        out->len > KB_SASL_FRAME_MAX)
        abort();
    correlation = kb_load_be32(out->data + 8);
    if (correlation < (uint32_t)KB_SASL_CORRELATION_FIRST ||
        correlation > (uint32_t)KB_SASL_CORRELATION_LAST)
        abort();
}

/* The next answer, with the correlation id that is waited for. */
static bool next_answer(const uint8_t **bytes, size_t *len,
                        const struct kb_buf *asked, struct kb_buf *answer)
{
    size_t size;
    bool own;

    if (*len < 2)
        return false;
    size = kb_load_be16(*bytes);
    own = (size & 0x8000) != 0;
    size &= 0x7fff;
    *bytes += 2;
    *len -= 2;
    if (size > *len)
        size = *len;
    kb_buf_reset(answer);
    if (!own)
        kb_buf_add(answer, asked->data + 8, 4);
    kb_buf_add(answer, *bytes, size);
    *bytes += size;
    *len -= size;
    return !answer->failed;
}

static void converse(struct kb_sasl_exchange *exchange, const uint8_t *bytes,
                     size_t len)
{
    struct kb_buf asked = KB_BUF_INIT;
    struct kb_buf answer = KB_BUF_INIT;
    struct kbp_error err = KB_ERR_INIT;
    const uint8_t *input = bytes;
    size_t input_len = len;
    int status = kb_sasl_exchange_start(exchange, &asked, &err);
    bool done = false;
    int requests;

    if (status != KBP_OK)
        abort();
    for (requests = 1; !done; requests++) {
        struct kb_buf next = KB_BUF_INIT;
        uint8_t *copy;

        if (requests > REQUESTS_MAX)
            abort();
        check_request(&asked);
        if (!next_answer(&bytes, &len, &asked, &answer))
            break;
        /* Of its own size, so that a sanitizer sees every step beyond it. */
        copy = malloc(answer.len ? answer.len : 1);
        if (!copy)
            break;
        if (answer.len)
            memcpy(copy, answer.data, answer.len);
        status = kb_sasl_exchange_answer(exchange, copy, answer.len, &next,
                                         &done, &err);
        free(copy);
        kb_buf_release(&asked);
        asked = next;
        if (status != KBP_OK) {
            check_error(&err, input, input_len);
            break;
        }
        if (done != (asked.len == 0))
            abort();
    }
    if (done && (kb_sasl_exchange_lifetime_ms(exchange) < -1 ||
                 kb_sasl_exchange_version(exchange) < 0 ||
                 kb_sasl_exchange_version(exchange) > 2))
        abort();
    if (done && kb_sasl_exchange_lifetime_ms(exchange) > 0 &&
        kb_sasl_reauth_after_ms(kb_sasl_exchange_lifetime_ms(exchange),
                                (uint32_t)requests) < 1000)
        abort();
    kb_buf_release(&asked);
    kb_buf_release(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct kbp_sasl_peer peer = {.struct_size = sizeof peer,
                                 .flags = KBP_SASL_TLS,
                                 .host = "broker.test",
                                 .port = 9093};
    struct kb_sasl_exchange_options options = {
        .peer = &peer,
        .client_id = "kafka-backup",
        .broker = "broker.test:9093",
        .authenticate_version = -1,
    };
    struct kb_sasl_exchange *exchange;
    struct kbp_error err = KB_ERR_INIT;

    if (len < 1)
        return 0;
    options.sasl = mechanism((bytes[0] & 3) % MECHANISMS);
    if (!options.sasl)
        return 0;
    if (bytes[0] & 4) {
        options.authenticate_version = (int16_t)(bytes[0] >> 3 & 3);
        peer.flags |= KBP_SASL_REAUTH;
    }
    options.deadline_ms = kb_deadline_ms(1000);
    if (kb_sasl_exchange_new(&options, &exchange, &err) != KBP_OK) {
        check_error(&err, bytes, len);
        return 0;
    }
    converse(exchange, bytes + 1, len - 1);
    kb_sasl_exchange_free(exchange);
    return 0;
}

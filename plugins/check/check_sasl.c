/* SPDX-License-Identifier: Apache-2.0 */
/* check_sasl.c - SASL mechanisms against brokers that misbehave. */
#include "check/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 8

struct sasl {
    const struct kbp_sasl_type *type;
    struct kb_check_host host;
    struct kb_settings settings;
    struct kbp_sasl *instance;
    bool open;
};

static const struct kbp_sasl_peer peer = {
    .struct_size = sizeof peer,
    .flags = KBP_SASL_TLS,
    .host = "broker.example",
    .address = "192.0.2.1",
    .port = 9093,
};

static bool open_sasl(struct kb_check_ctx *ctx, struct sasl *sasl)
{
    struct kbp_error err = KB_ERR_INIT;

    memset(sasl, 0, sizeof *sasl);
    sasl->type = &ctx->type->table.sasl;
    kb_check_host_init(&sasl->host);
    if (!kb_check_settings(ctx, "secret", &sasl->settings))
        return false;
    if (sasl->type->open(&sasl->host.host, &sasl->settings.config,
                         &sasl->instance, &err) != KBP_OK) {
        kb_check_skip(ctx, "it doesn't open: %s (--set its settings)",
                      err.message);
        kb_settings_release(&sasl->settings);
        return false;
    }
    sasl->open = true;
    return true;
}

static void close_sasl(struct sasl *sasl)
{
    if (!sasl->open)
        return;
    sasl->type->close(sasl->instance);
    kb_settings_release(&sasl->settings);
}

/* A session after its first step; false, and skipped, where there is none. */
static bool begin(struct kb_check_ctx *ctx, struct sasl *sasl,
                  struct kbp_sasl_session **session, int32_t *state,
                  size_t *sent)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_sink out;
    int32_t status = sasl->type->session_open(sasl->instance, &sasl->host.host,
                                              &peer, session, &err);

    if (status != KBP_OK) {
        kb_check_skip(ctx, "no session: %s", err.message);
        return false;
    }
    kb_check_sink_init(&out, KBP_SASL_MAX_BYTES, 0);
    status = sasl->type->step(*session, NULL, 0, &out.sink, state, &err);
    kb_check_sink_verify(ctx, &out);
    *sent = out.len;
    kb_check_sink_release(&out);
    if (status == KBP_OK)
        return true;
    sasl->type->session_close(*session);
    kb_check_skip(ctx, "no first step without its source: %s", err.message);
    return false;
}

static void first_step_speaks(struct kb_check_ctx *ctx)
{
    struct kbp_sasl_session *session;
    struct sasl sasl;
    int32_t state = 0;
    size_t sent = 0;

    if (!open_sasl(ctx, &sasl))
        return;
    if (begin(ctx, &sasl, &session, &state, &sent)) {
        if (state == KBP_SASL_DONE)
            kb_check_fail(ctx, "the first step says that it is done");
        else if (state != KBP_SASL_CONTINUE)
            kb_check_fail(ctx, "the first step leaves the state %d",
                          (int)state);
        if (sent == 0)
            kb_check_note(ctx, "the broker is to speak first");
        sasl.type->session_close(session);
    }
    close_sasl(&sasl);
}

static void garbage_is_no_success(struct kb_check_ctx *ctx)
{
    struct sasl sasl;
    unsigned round;

    if (!open_sasl(ctx, &sasl))
        return;
    for (round = 0; round < 200 && !kb_check_bad(ctx); round++) {
        struct kbp_error err = KB_ERR_INIT;
        struct kbp_sasl_session *session;
        int32_t state = 0;
        size_t sent = 0;
        unsigned step;

        if (!begin(ctx, &sasl, &session, &state, &sent))
            break;
        for (step = 0; step < STEPS_MAX && state != KBP_SASL_DONE; step++) {
            struct kb_check_sink out;
            size_t len = 1 + kb_check_random(ctx) % 300;
            uint8_t *bytes = malloc(len);
            int32_t status;
            size_t i;

            for (i = 0; bytes && i < len; i++)
                bytes[i] = (uint8_t)(kb_check_random(ctx) >> 16);
            kb_check_sink_init(&out, KBP_SASL_MAX_BYTES, 0);
            status = sasl.type->step(session, bytes, bytes ? len : 0, &out.sink,
                                     &state, &err);
            kb_check_sink_verify(ctx, &out);
            kb_check_sink_release(&out);
            free(bytes);
            if (status != KBP_OK)
                break;
        }
        if (state == KBP_SASL_DONE && (sasl.type->flags & KBP_SASL_MUTUAL))
            kb_check_fail(ctx, "it proves the broker's identity, but is done "
                               "with a broker that sends noise");
        sasl.type->session_close(session);
    }
    close_sasl(&sasl);
}

static void early_success_is_no_success(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kbp_sasl_session *session;
    struct kb_check_sink out;
    struct sasl sasl;
    int32_t state = 0;
    size_t sent = 0;

    if (!open_sasl(ctx, &sasl))
        return;
    if (begin(ctx, &sasl, &session, &state, &sent)) {
        kb_check_sink_init(&out, KBP_SASL_MAX_BYTES, 0);
        if (sasl.type->step(session, "", 0, &out.sink, &state, &err) ==
                KBP_OK &&
            state == KBP_SASL_DONE && (sasl.type->flags & KBP_SASL_MUTUAL))
            kb_check_fail(ctx, "it proves the broker's identity, but is done "
                               "with one that says nothing");
        kb_check_sink_verify(ctx, &out);
        kb_check_sink_release(&out);
        sasl.type->session_close(session);
    }
    close_sasl(&sasl);
}

static void close_midway(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kbp_sasl_session *one;
    struct kbp_sasl_session *two;
    struct sasl sasl;
    int32_t state = 0;
    size_t sent = 0;

    if (!open_sasl(ctx, &sasl))
        return;
    /* Two handshakes side by side, both given up. */
    if (begin(ctx, &sasl, &one, &state, &sent)) {
        if (begin(ctx, &sasl, &two, &state, &sent))
            sasl.type->session_close(two);
        sasl.type->session_close(one);
    }
    /* One that never began. */
    if (sasl.type->session_open(sasl.instance, &sasl.host.host, &peer, &one,
                                &err) == KBP_OK)
        sasl.type->session_close(one);
    close_sasl(&sasl);
}

static void small_sink(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kbp_sasl_session *session;
    struct kb_check_sink out;
    struct sasl sasl;
    int32_t state = 0;
    size_t sent = 0;

    if (!open_sasl(ctx, &sasl))
        return;
    if (begin(ctx, &sasl, &session, &state, &sent)) {
        sasl.type->session_close(session);
        if (sent > 0 &&
            sasl.type->session_open(sasl.instance, &sasl.host.host, &peer,
                                    &session, &err) == KBP_OK) {
            int32_t status;

            kb_check_sink_init(&out, sent - 1, 0);
            status = sasl.type->step(session, NULL, 0, &out.sink, &state, &err);
            if (status == KBP_OK && out.len > sent - 1)
                kb_check_fail(ctx, "it left more than the sink's limit");
            kb_check_sink_verify(ctx, &out);
            kb_check_sink_release(&out);
            sasl.type->session_close(session);
        }
    }
    close_sasl(&sasl);
}

static void explains(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kbp_sasl_session *session;
    struct sasl sasl;
    int32_t state = 0;
    size_t sent = 0;

    if (!ctx->type->table.sasl.explain) {
        kb_check_note(ctx, "it leaves that to the host");
        return;
    }
    if (!open_sasl(ctx, &sasl))
        return;
    if (begin(ctx, &sasl, &session, &state, &sent)) {
        static const char text[] = "Authentication failed";

        if (sasl.type->explain(session, 58, text, sizeof text - 1, &err) ==
            KBP_OK)
            kb_check_fail(ctx, "it explains a refusal by status 0");
        else if (!*err.message)
            kb_check_fail(ctx, "it explains a refusal without a word");
        sasl.type->session_close(session);
    }
    close_sasl(&sasl);
}

static const struct kb_check checks[] = {
    {"first-step-speaks", "The first step says something, and isn't the last.",
     first_step_speaks},
    {"garbage-is-no-success", "A broker that sends noise isn't believed.",
     garbage_is_no_success},
    {"early-success-is-no-success", "Nor is one that says nothing.",
     early_success_is_no_success},
    {"close-midway", "Handshakes can be given up, and go side by side.",
     close_midway},
    {"small-sink", "No more comes out than the host allows.", small_sink},
    {"explains", "A refusal is put in words.", explains},
};

KB_CHECK_GROUP(kb_check_sasl, "sasl", checks);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_sasl_oauthbearer.c - a broker's refusal, an issuer's answer, a token.
 *
 * The first byte chooses the parser.
 */
#include "../../sasl/oauthbearer/oauth_message.h"
#include "fuzz_host.h"
#include "fuzz_target.h"

static void response(const uint8_t *data, size_t size)
{
    struct kbp_error err = {.struct_size = sizeof err};
    struct kb_text token;
    int64_t life = -1;
    char text[64];

    kb_text_init(&token, 4096);
    if (kb_oauth_response(data, size, &token, &life, &err) != KBP_OK)
        fuzz_check_error(&err);
    else if (!kb_oauth_token_valid(token.bytes, token.len) || life < -1)
        abort();
    kb_text_release(&token);
    if (strlen(kb_oauth_response_error(text, sizeof text, data, size)) >=
        sizeof text)
        abort();
}

static void extensions(const uint8_t *data, size_t size)
{
    struct kbp_error err = {.struct_size = sizeof err};
    struct kb_text text, out;

    kb_text_init(&text, 65536);
    kb_text_init(&out, KB_OAUTH_EXTENSIONS_MAX);
    kb_text_add(&text, data, size);
    if (kb_oauth_extensions(kb_text_str(&text), &out, &err) != KBP_OK)
        fuzz_check_error(&err);
    kb_text_release(&text);
    kb_text_release(&out);
}

static void handshake(const uint8_t *data, size_t size)
{
    static const struct kbp_setting settings[] = {
        {"sasl_oauthbearer_token", "e30.e30.", 8}};
    static const struct kbp_config config = {.struct_size = sizeof config,
                                             .count = 1,
                                             .items = settings,
                                             .item_size = sizeof settings[0]};
    const struct kbp_sasl_type *type = kafka_backup_plugin.sasl[0];
    struct kbp_error err = {.struct_size = sizeof err};
    struct kbp_sasl *sasl;

    if (type->open(&fuzz_host, &config, &sasl, &err) != KBP_OK)
        abort();
    /* Only an empty answer is a success. */
    if (fuzz_handshake(type, sasl, data, size, 0) == KBP_SASL_DONE && size &&
        data[0] != 0)
        abort();
    type->close(sasl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[64];

    if (!size)
        return 0;
    switch (data[0] % 5) {
    case 0:
        (void)kb_oauth_refusal(text, sizeof text, data + 1, size - 1);
        break;
    case 1:
        response(data + 1, size - 1);
        break;
    case 2:
        if (kb_jwt_expiry((const char *)data + 1, size - 1) < -1)
            abort();
        (void)kb_jwt_describe(text, sizeof text, (const char *)data + 1,
                              size - 1);
        break;
    case 3:
        extensions(data + 1, size - 1);
        break;
    default:
        handshake(data + 1, size - 1);
        break;
    }
    return 0;
}

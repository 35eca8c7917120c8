/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_scram.c - SCRAM-SHA-256 and SCRAM-SHA-512 as a plugin. */
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include <kafka-backup/sasl.h>
#include <kafka-backup/util.h>

#include "../common/sasl_base64.h"
#include "../common/sasl_login.h"
#include "scram.h"

struct kbp_sasl {
    const EVP_MD *md;
    struct kb_login login;
    int tokenauth;
};

enum scram_at { AT_FIRST, AT_CHALLENGE, AT_SIGNATURE, AT_END };

struct kbp_sasl_session {
    struct kbp_sasl *sasl;
    enum scram_at at;
    struct kb_scram scram;
};

static const struct kbp_option scram_options[] = {
    KB_LOGIN_OPTIONS,
    {.name = "sasl_tokenauth",
     .default_value = "false",
     .help = "user and password are the id and HMAC of a delegation token",
     .type = KBP_OPTION_BOOL,
     .flags = KBP_OPTION_ADVANCED},
};

static int32_t scram_open(const EVP_MD *md, const struct kbp_config *config,
                          struct kbp_sasl **sasl, struct kbp_error *err)
{
    const char *token = kbp_config_get(config, "sasl_tokenauth");
    struct kbp_sasl *s = calloc(1, sizeof *s);
    int32_t status;

    if (!s)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    s->md = md;
    s->tokenauth = token && strcmp(token, "true") == 0;
    status = kb_login_open(&s->login, config, err);
    if (status != KBP_OK) {
        free(s);
        return status;
    }
    *sasl = s;
    return KBP_OK;
}

static int32_t open_256(const struct kbp_host *host,
                        const struct kbp_config *config, struct kbp_sasl **sasl,
                        struct kbp_error *err)
{
    (void)host;
    return scram_open(EVP_sha256(), config, sasl, err);
}

static int32_t open_512(const struct kbp_host *host,
                        const struct kbp_config *config, struct kbp_sasl **sasl,
                        struct kbp_error *err)
{
    (void)host;
    return scram_open(EVP_sha512(), config, sasl, err);
}

static void scram_close(struct kbp_sasl *sasl)
{
    if (!sasl)
        return;
    kb_login_close(&sasl->login);
    free(sasl);
}

static int32_t scram_session_open(struct kbp_sasl *sasl,
                                  const struct kbp_host *host,
                                  const struct kbp_sasl_peer *peer,
                                  struct kbp_sasl_session **session,
                                  struct kbp_error *err)
{
    struct kbp_sasl_session *s = calloc(1, sizeof *s);
    unsigned char raw[30];
    struct kb_text nonce;

    (void)host;
    (void)peer;
    if (!s)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    if (RAND_bytes(raw, sizeof raw) != 1) {
        free(s);
        return kb_scram_openssl_failed("give random bytes", err);
    }
    kb_text_init(&nonce, 64);
    kb_base64_encode(&nonce, KB_BASE64_STD, raw, sizeof raw);
    kb_scram_init(&s->scram, sasl->md, kb_text_str(&nonce));
    kb_text_release(&nonce);
    s->sasl = sasl;
    *session = s;
    return KBP_OK;
}

static void scram_session_close(struct kbp_sasl_session *session)
{
    if (!session)
        return;
    kb_scram_release(&session->scram);
    free(session);
}

static int32_t answer(struct kbp_sasl_session *s, const void *in, size_t in_len,
                      struct kb_text *text, struct kbp_error *err)
{
    const struct kb_login *login = &s->sasl->login;
    struct kb_text password;
    int32_t status;

    if (s->at == AT_FIRST)
        return kb_scram_first(&s->scram, login->user, s->sasl->tokenauth, text,
                              err);
    kb_text_init(&password, KB_LOGIN_MAX);
    status = kb_login_password(login, &password, err);
    if (status == KBP_OK)
        status = kb_scram_final(&s->scram, kb_text_str(&password), in, in_len,
                                text, err);
    kb_text_release(&password);
    return status;
}

static int32_t scram_step(struct kbp_sasl_session *session, const void *in,
                          size_t in_len, struct kbp_sink *out, int32_t *state,
                          struct kbp_error *err)
{
    struct kb_text text;
    int32_t status;

    if ((session->at == AT_FIRST) != (in == NULL) || session->at == AT_END)
        return kbp_fail(err, KBP_ERR_MISUSE, 0,
                        "SCRAM: the first step takes no answer, and only that");
    if (session->at == AT_SIGNATURE) {
        status = kb_scram_verify(&session->scram, in, in_len, err);
        session->at = AT_END;
        if (status == KBP_OK)
            *state = KBP_SASL_DONE;
        return status;
    }
    kb_text_init(&text, 4 * KB_SCRAM_MESSAGE_MAX);
    status = answer(session, in, in_len, &text, err);
    if (status == KBP_OK)
        status = kbp_sink_write(out, text.bytes, text.len);
    kb_text_release(&text);
    if (status != KBP_OK) {
        session->at = AT_END;
        return status;
    }
    session->at++;
    *state = KBP_SASL_CONTINUE;
    return KBP_OK;
}

static int32_t scram_explain(struct kbp_sasl_session *session,
                             int32_t kafka_error, const char *text,
                             size_t text_len, struct kbp_error *err)
{
    const struct kbp_sasl *sasl = session->sasl;
    char who[160], hint[KBP_MESSAGE_MAX];

    (void)snprintf(who, sizeof who, "%s %.100s",
                   sasl->tokenauth ? "delegation token" : "user",
                   sasl->login.user);
    if (sasl->tokenauth)
        (void)snprintf(hint, sizeof hint,
                       "check the token's id and HMAC, and that it has not "
                       "expired: kafka-delegation-tokens.sh --describe");
    else
        (void)snprintf(hint, sizeof hint,
                       "check sasl_username and sasl_password, and that the "
                       "user has SCRAM-SHA-%d credentials: kafka-configs.sh "
                       "--describe --entity-type users --entity-name %.100s",
                       8 * EVP_MD_get_size(sasl->md), sasl->login.user);
    return kb_sasl_refused(kafka_error, who, hint, text, text_len, err);
}

#define SCRAM_TYPE(bits)                                                       \
    {                                                                          \
        .struct_size = sizeof(struct kbp_sasl_type), .flags = KBP_SASL_MUTUAL, \
        .name = "SCRAM-SHA-" #bits,                                            \
        .summary = "user and password, which is proven and not sent",          \
        .options = KBP_OPTIONS(scram_options), .aliases = aliases_##bits,      \
        .open = open_##bits, .close = scram_close,                             \
        .session_open = scram_session_open,                                    \
        .session_close = scram_session_close, .step = scram_step,              \
        .explain = scram_explain,                                              \
    }

static const char *const aliases_256[] = {"SCRAM-SHA256", NULL};
static const char *const aliases_512[] = {"SCRAM-SHA512", NULL};
static const struct kbp_sasl_type type_256 = SCRAM_TYPE(256);
static const struct kbp_sasl_type type_512 = SCRAM_TYPE(512);
static const struct kbp_sasl_type *const scram_types[] = {&type_256, &type_512,
                                                          NULL};

const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "sasl_scram",
    .version = KB_PLUGIN_VERSION,
    .vendor = "kafka-backup",
    .license = "Apache-2.0",
    .sasl = scram_types,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_oauthbearer.c - OAUTHBEARER (RFC 7628, KIP-255, KIP-768) as a plugin. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <kafka-backup/sasl.h>
#include <kafka-backup/util.h>

#include "../common/sasl_clock.h"
#include "../common/sasl_login.h"
#include "oauth_message.h"
#include "oauth_token.h"

struct kbp_sasl {
    struct kb_token_source source;
    char *authzid;
    char *extensions; /* as the message has them; or NULL */
    atomic_bool warned;
};

enum oauth_at { AT_TOKEN, AT_OUTCOME, AT_REFUSED, AT_END };

struct kbp_sasl_session {
    struct kbp_sasl *sasl;
    const struct kbp_host *host;
    enum oauth_at at;
    struct kb_text token;
    int64_t end_ms;
    char refusal[256]; /* the broker's, in words */
};

static const struct kbp_option oauth_options[] = {
    {.name = "sasl_oauthbearer_token",
     .help = "the token itself",
     .flags = KBP_OPTION_SECRET},
    {.name = "sasl_oauthbearer_token_file",
     .help = "a file with the token in it, read again for each handshake",
     .type = KBP_OPTION_PATH},
    {.name = "sasl_oauthbearer_token_command",
     .help = "a command for /bin/sh that prints the token, or the JSON of a "
             "token endpoint",
     .flags = KBP_OPTION_SECRET},
    {.name = "sasl_oauthbearer_token_endpoint_url",
     .help = "where to get a token by client_credentials: https://...; or "
             "file:///path",
     .kafka_name = "sasl.oauthbearer.token.endpoint.url"},
    {.name = "sasl_oauthbearer_client_id",
     .help = "the client that the token endpoint knows",
     .kafka_name = "sasl.oauthbearer.client.id"},
    {.name = "sasl_oauthbearer_client_secret",
     .help = "its secret",
     .flags = KBP_OPTION_SECRET,
     .kafka_name = "sasl.oauthbearer.client.secret"},
    {.name = "sasl_oauthbearer_client_secret_file",
     .help = "a file with its secret, read again for each token",
     .type = KBP_OPTION_PATH},
    {.name = "sasl_oauthbearer_scope",
     .help = "the scope to ask for",
     .kafka_name = "sasl.oauthbearer.scope"},
    {.name = "sasl_oauthbearer_audience",
     .help = "the audience to ask for, where the issuer wants that",
     .flags = KBP_OPTION_ADVANCED},
    {.name = "sasl_oauthbearer_client_auth",
     .default_value = "basic",
     .help = "id and secret in a header (basic) or in the body (post)",
     .type = KBP_OPTION_CHOICE,
     .flags = KBP_OPTION_ADVANCED,
     .choices = "basic|post"},
    {.name = "sasl_oauthbearer_header_urlencode",
     .default_value = "false",
     .help = "encode id and secret in the header, as RFC 6749 wants and few "
             "issuers do",
     .type = KBP_OPTION_BOOL,
     .flags = KBP_OPTION_ADVANCED,
     .kafka_name = "sasl.oauthbearer.header.urlencode"},
    {.name = "sasl_oauthbearer_ca_location",
     .help = "the CAs (a file or a folder) to trust at the token endpoint, "
             "instead of the system's",
     .type = KBP_OPTION_PATH,
     .kafka_name = "https.ca.location"},
    {.name = "sasl_oauthbearer_extensions",
     .help = "extensions for the broker: key=value,key=value",
     .kafka_name = "sasl.oauthbearer.extensions"},
    {.name = "sasl_oauthbearer_authzid",
     .help = "the principal to ask to be, if the broker wants it named",
     .flags = KBP_OPTION_ADVANCED},
    {.name = "sasl_oauthbearer_method",
     .help = "not needed: the settings above say it",
     .type = KBP_OPTION_CHOICE,
     .flags = KBP_OPTION_ADVANCED,
     .choices = "default|oidc",
     .kafka_name = "sasl.oauthbearer.method"},
};

static void oauth_close(struct kbp_sasl *sasl)
{
    if (!sasl)
        return;
    kb_token_source_close(&sasl->source);
    free(sasl->authzid);
    kb_wipe_free(sasl->extensions);
    free(sasl);
}

static int32_t read_message_settings(struct kbp_sasl *s,
                                     const struct kbp_config *config,
                                     struct kbp_error *err)
{
    const char *text = kbp_config_get(config, "sasl_oauthbearer_extensions");
    const char *authzid = kbp_config_get(config, "sasl_oauthbearer_authzid");
    struct kb_text extensions;
    int32_t status = KBP_OK;

    s->authzid = kb_dup(authzid);
    if (authzid && !s->authzid)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    kb_text_init(&extensions, KB_OAUTH_EXTENSIONS_MAX);
    if (text)
        status = kb_oauth_extensions(text, &extensions, err);
    if (status == KBP_OK && extensions.len) {
        s->extensions = kb_text_detach(&extensions);
        if (!s->extensions)
            status = kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    }
    kb_text_release(&extensions);
    return status;
}

static int32_t oauth_open(const struct kbp_host *host,
                          const struct kbp_config *config,
                          struct kbp_sasl **sasl, struct kbp_error *err)
{
    struct kbp_sasl *s = calloc(1, sizeof *s);
    int32_t status;

    if (!s)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    status = kb_token_source_open(&s->source, host, config, err);
    if (status != KBP_OK) {
        free(s);
        return status;
    }
    status = read_message_settings(s, config, err);
    if (status != KBP_OK) {
        oauth_close(s);
        return status;
    }
    *sasl = s;
    return KBP_OK;
}

static int32_t oauth_session_open(struct kbp_sasl *sasl,
                                  const struct kbp_host *host,
                                  const struct kbp_sasl_peer *peer,
                                  struct kbp_sasl_session **session,
                                  struct kbp_error *err)
{
    struct kbp_sasl_session *s = calloc(1, sizeof *s);

    if (!s)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    /* The host warns by KBP_SASL_CLEAR_SECRET; this says which broker. */
    if (!(peer->flags & KBP_SASL_TLS) && !atomic_exchange(&sasl->warned, true))
        kbp_log(host, KBP_LOG_INFO,
                "OAUTHBEARER without TLS: the token goes to %s:%u readable for "
                "everyone on the way; use SASL_SSL",
                peer->host, (unsigned)peer->port);
    s->sasl = sasl;
    s->host = host;
    s->end_ms = INT64_MAX;
    kb_text_init(&s->token, KB_OAUTH_TOKEN_MAX);
    *session = s;
    return KBP_OK;
}

static void oauth_session_close(struct kbp_sasl_session *session)
{
    if (!session)
        return;
    kb_text_release(&session->token);
    free(session);
}

static int32_t send_token(struct kbp_sasl_session *s, struct kbp_sink *out,
                          struct kbp_error *err)
{
    struct kb_text message;
    int32_t status;

    status =
        kb_token_get(&s->sasl->source, s->host, &s->token, &s->end_ms, err);
    if (status != KBP_OK)
        return status;
    kb_text_init(&message, KBP_SASL_MAX_BYTES);
    kb_oauth_message(&message, kb_text_str(&s->token), s->sasl->authzid,
                     s->sasl->extensions);
    if (message.status == KBP_OK)
        status = kbp_sink_write(out, message.bytes, message.len);
    else
        status = kbp_fail(err, message.status, 0, "no room for the message");
    kb_text_release(&message);
    return status;
}

static int32_t oauth_step(struct kbp_sasl_session *session, const void *in,
                          size_t in_len, struct kbp_sink *out, int32_t *state,
                          struct kbp_error *err)
{
    int32_t status;

    if ((session->at == AT_TOKEN) != (in == NULL) || session->at == AT_END)
        return kbp_fail(err, KBP_ERR_MISUSE, 0,
                        "OAUTHBEARER: the first step takes no answer, and only "
                        "that");
    switch (session->at) {
    case AT_TOKEN:
        status = send_token(session, out, err);
        session->at = status == KBP_OK ? AT_OUTCOME : AT_END;
        if (status == KBP_OK)
            *state = KBP_SASL_CONTINUE;
        return status;
    case AT_OUTCOME:
        if (!in_len) {
            session->at = AT_END;
            *state = KBP_SASL_DONE;
            return KBP_OK;
        }
        /* Its refusal.  RFC 7628 wants one byte before it may say so. */
        (void)kb_oauth_refusal(session->refusal, sizeof session->refusal, in,
                               in_len);
        kb_token_distrust(&session->sasl->source, session->host,
                          kb_text_str(&session->token));
        session->at = AT_REFUSED;
        *state = KBP_SASL_CONTINUE;
        return kbp_sink_write(out, "\x01", 1);
    default:
        session->at = AT_END;
        return kbp_fail(err, KBP_ERR_AUTH, 0,
                        "the broker refuses the token: %.255s",
                        session->refusal);
    }
}

static int32_t oauth_explain(struct kbp_sasl_session *session,
                             int32_t kafka_error, const char *text,
                             size_t text_len, struct kbp_error *err)
{
    char claims[200], who[256], ends[64], hint[KBP_MESSAGE_MAX];

    kb_token_distrust(&session->sasl->source, session->host,
                      kb_text_str(&session->token));
    (void)kb_jwt_describe(claims, sizeof claims, kb_text_str(&session->token),
                          session->token.len);
    (void)snprintf(who, sizeof who, "the token%s%s%s", *claims ? " (" : "",
                   claims, *claims ? ")" : "");
    if (session->end_ms == INT64_MAX)
        (void)snprintf(ends, sizeof ends, "it doesn't say when it ends");
    else
        (void)snprintf(ends, sizeof ends, "it ends in %lld s",
                       (long long)((session->end_ms - kb_mono_ms()) / 1000));
    (void)snprintf(hint, sizeof hint,
                   "compare its issuer and audience with "
                   "sasl.oauthbearer.expected.issuer and .audience of the "
                   "listener, and the clocks: as seen here %s",
                   ends);
    /* What the challenge said is more than what the error says. */
    if (session->refusal[0]) {
        text = session->refusal;
        text_len = strlen(session->refusal);
    }
    return kb_sasl_refused(kafka_error, who, hint, text, text_len, err);
}

static int64_t oauth_lifetime_ms(struct kbp_sasl_session *session)
{
    int64_t left;

    if (session->end_ms == INT64_MAX)
        return -1;
    left = session->end_ms - kb_mono_ms();
    return left > 0 ? left : 0;
}

static const struct kbp_sasl_type oauth_type = {
    .struct_size = sizeof oauth_type,
    .flags = KBP_SASL_CLEAR_SECRET,
    .name = "OAUTHBEARER",
    .summary = "a bearer token from settings, file, command or OIDC issuer",
    .options = KBP_OPTIONS(oauth_options),
    .open = oauth_open,
    .close = oauth_close,
    .session_open = oauth_session_open,
    .session_close = oauth_session_close,
    .step = oauth_step,
    .explain = oauth_explain,
    .lifetime_ms = oauth_lifetime_ms,
};

static const struct kbp_sasl_type *const oauth_types[] = {&oauth_type, NULL};

const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "sasl_oauthbearer",
    .version = KB_PLUGIN_VERSION,
    .vendor = "kafka-backup",
    .license = "Apache-2.0",
    .sasl = oauth_types,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* oauth_token.c - where the token comes from, and for how long it is kept. */
#include "oauth_token.h"

#include <stdlib.h>
#include <string.h>

#include "../common/sasl_bound.h"
#include "../common/sasl_clock.h"
#include "../common/sasl_file.h"
#include "../common/sasl_spawn.h"
#include "oauth_message.h"

/* A token that doesn't say when it ends is kept that long. */
#define UNKNOWN_LIFE_MS 60000
/* A kept token with less left than this is not used when renewal fails. */
#define LAST_USE_MS 5000
/* A program may take that long to start, and to ask in its turn. */
#define COMMAND_HURRY_MS (4 * KB_HURRY_MS)

/* ---- settings ------------------------------------------------------------ */

static int32_t copy(const struct kbp_config *config, const char *name,
                    char **to, struct kbp_error *err)
{
    const struct kbp_setting *setting = kbp_config_find(config, name);

    if (!setting || !setting->value_len)
        return KBP_OK;
    if (strlen(setting->value) != setting->value_len)
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "%s has a NUL byte in it",
                        name);
    *to = kb_dup(setting->value);
    return *to ? KBP_OK : kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
}

static int32_t copy_all(struct kb_token_source *s,
                        const struct kbp_config *config, struct kbp_error *err)
{
    const struct {
        const char *name;
        char **to;
    } list[] = {
        {"sasl_oauthbearer_token", &s->token},
        {"sasl_oauthbearer_token_file", &s->file},
        {"sasl_oauthbearer_token_command", &s->command},
        {"sasl_oauthbearer_token_endpoint_url", &s->oidc.url},
        {"sasl_oauthbearer_client_id", &s->oidc.client_id},
        {"sasl_oauthbearer_client_secret", &s->oidc.client_secret},
        {"sasl_oauthbearer_client_secret_file", &s->oidc.client_secret_file},
        {"sasl_oauthbearer_scope", &s->oidc.scope},
        {"sasl_oauthbearer_audience", &s->oidc.audience},
        {"sasl_oauthbearer_ca_location", &s->oidc.ca_location},
    };
    int32_t status = KBP_OK;
    size_t i;

    for (i = 0; i < sizeof list / sizeof list[0] && status == KBP_OK; i++)
        status = copy(config, list[i].name, list[i].to, err);
    return status;
}

/* KIP-768 lets the endpoint be a file: file:///var/run/secrets/token */
static int32_t url_to_file(struct kb_token_source *s, struct kbp_error *err)
{
    static const char prefix[] = "file://";
    char *path;

    if (!s->oidc.url || strncmp(s->oidc.url, prefix, sizeof prefix - 1) != 0)
        return KBP_OK;
    if (s->file || s->oidc.url[sizeof prefix - 1] != '/')
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_oauthbearer_token_endpoint_url %s is no "
                        "file:///absolute/path, or a file is named twice",
                        s->oidc.url);
    path = kb_dup(s->oidc.url + sizeof prefix - 1);
    if (!path)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    free(s->oidc.url);
    s->oidc.url = NULL;
    s->file = path;
    return KBP_OK;
}

static int32_t check_oidc(const struct kb_token_source *s,
                          const struct kbp_host *host, struct kbp_error *err)
{
    const struct kb_oidc *oidc = &s->oidc;

    if (strncmp(oidc->url, "http://", 7) != 0 &&
        strncmp(oidc->url, "https://", 8) != 0)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_oauthbearer_token_endpoint_url is neither "
                        "https:// nor file://");
    if (!oidc->client_id || (!oidc->client_secret && !oidc->client_secret_file))
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "a token endpoint wants sasl_oauthbearer_client_id and "
                        "sasl_oauthbearer_client_secret (or ..._secret_file)");
    if (oidc->client_secret && oidc->client_secret_file)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_oauthbearer_client_secret and its file are both "
                        "set");
    if (strncmp(oidc->url, "http://", 7) == 0)
        kbp_log(host, KBP_LOG_WARN,
                "sasl_oauthbearer_token_endpoint_url is http: the client's "
                "secret goes there readable for everyone on the way");
    return KBP_OK;
}

static int32_t check(struct kb_token_source *s, const struct kbp_host *host,
                     const struct kbp_config *config, struct kbp_error *err)
{
    const char *method = kbp_config_get(config, "sasl_oauthbearer_method");
    int sources = !!s->token + !!s->file + !!s->command + !!s->oidc.url;

    if (sources != 1) {
        kbp_hint(err, "set one of sasl_oauthbearer_token, ..._token_file, "
                      "..._token_command and ..._token_endpoint_url");
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        sources ? "OAUTHBEARER has more than one source of "
                                  "its token"
                                : "OAUTHBEARER has no source of a token");
    }
    if (method && strcmp(method, "oidc") == 0 && !s->oidc.url)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_oauthbearer_method is oidc, but there is no "
                        "sasl_oauthbearer_token_endpoint_url");
    if (s->token && !kb_oauth_token_valid(s->token, strlen(s->token)))
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_oauthbearer_token isn't one that Kafka takes: it "
                        "may have letters, digits and -_~+/. only");
    return s->oidc.url ? check_oidc(s, host, err) : KBP_OK;
}

int32_t kb_token_source_open(struct kb_token_source *source,
                             const struct kbp_host *host,
                             const struct kbp_config *config,
                             struct kbp_error *err)
{
    const char *auth = kbp_config_get(config, "sasl_oauthbearer_client_auth");
    const char *encode =
        kbp_config_get(config, "sasl_oauthbearer_header_urlencode");
    int32_t status;

    memset(source, 0, sizeof *source);
    kb_text_init(&source->kept, KB_OAUTH_TOKEN_MAX);
    if (kb_gate_init(&source->gate) != 0)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    source->oidc.post = auth && strcmp(auth, "post") == 0;
    source->oidc.urlencode = encode && strcmp(encode, "true") == 0;
    status = copy_all(source, config, err);
    if (status == KBP_OK)
        status = url_to_file(source, err);
    if (status == KBP_OK)
        status = check(source, host, config, err);
    if (status == KBP_OK && source->file) {
        struct kb_text probe;

        kb_text_init(&probe, KB_OAUTH_TOKEN_MAX);
        status = kb_file_read_value("sasl_oauthbearer_token_file", source->file,
                                    &probe, err);
        kb_text_release(&probe);
    }
    if (status != KBP_OK)
        kb_token_source_close(source);
    return status;
}

void kb_token_source_close(struct kb_token_source *source)
{
    struct kb_oidc *oidc = &source->oidc;

    kb_wipe_free(source->token);
    free(source->file);
    kb_wipe_free(source->command);
    kb_wipe_free(oidc->url); /* may have user and password in it */
    free(oidc->client_id);
    kb_wipe_free(oidc->client_secret);
    free(oidc->client_secret_file);
    free(oidc->scope);
    free(oidc->audience);
    free(oidc->ca_location);
    kb_text_release(&source->kept);
    kb_gate_destroy(&source->gate);
    memset(source, 0, sizeof *source);
}

/* ---- tokens -------------------------------------------------------------- */

/* When a token ends: as its issuer said, or else as it says itself. */
static int64_t end_of(const char *token, size_t len, int64_t life_s)
{
    int64_t exp;

    if (life_s >= 0)
        return kb_mono_ms() + life_s * 1000;
    exp = kb_jwt_expiry(token, len);
    if (exp < 0)
        return INT64_MAX;
    return kb_mono_ms() + exp * 1000 - kb_wall_ms();
}

static int32_t check_end(const char *from, int64_t end_ms, int32_t status,
                         struct kbp_error *err)
{
    int64_t over = kb_mono_ms() - end_ms;

    if (end_ms == INT64_MAX || over < 0)
        return KBP_OK;
    kbp_hint(err, "get a new one; if it is new, compare the clocks of this "
                  "machine and the issuer");
    return kbp_fail(err, status, 0, "the token of %s expired %lld s ago", from,
                    (long long)(over / 1000));
}

static int32_t read_file(const struct kb_token_source *s, struct kb_text *token,
                         struct kbp_error *err)
{
    size_t before = token->len;
    int32_t status =
        kb_file_read_value("sasl_oauthbearer_token_file", s->file, token, err);

    if (status == KBP_OK &&
        !kb_oauth_token_valid(token->bytes + before, token->len - before))
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "what is in sasl_oauthbearer_token_file %s isn't a "
                        "token that Kafka takes",
                        s->file);
    return status;
}

/* The command prints the token alone, or the JSON of a token endpoint. */
static int32_t run_command(const struct kb_token_source *s,
                           const struct kbp_host *host, struct kb_text *token,
                           int64_t *life_s, struct kbp_error *err)
{
    static const char what[] = "sasl_oauthbearer_token_command";
    struct kb_text out;
    int32_t status;
    const char *from;
    size_t len;

    kb_text_init(&out, 2 * KB_OAUTH_TOKEN_MAX);
    status = kb_spawn(host, what, s->command, &out, err);
    from = kb_text_str(&out);
    len = out.len;
    while (len && strchr(" \t\r\n", from[len - 1]) && from[len - 1])
        len--;
    while (len && strchr(" \t\r\n", *from) && *from) {
        from++;
        len--;
    }
    if (status == KBP_OK && len && *from == '{') {
        status = kb_oauth_response(from, len, token, life_s, err);
    } else if (status == KBP_OK && kb_oauth_token_valid(from, len)) {
        kb_text_add(token, from, len);
    } else if (status == KBP_OK) {
        status = kbp_fail(err, KBP_ERR_AUTH, 0, "%s prints %s", what,
                          len ? "something that isn't a token" : "nothing");
    }
    kb_text_release(&out);
    return status;
}

static int32_t fetch(struct kb_token_source *s, const struct kbp_host *host,
                     struct kbp_error *err)
{
    struct kb_text token;
    int64_t life_s = -1, end, now;
    int32_t status;

    kb_text_init(&token, KB_OAUTH_TOKEN_MAX);
    if (s->command)
        status = run_command(s, host, &token, &life_s, err);
    else
        status = kb_oidc_fetch(&s->oidc, host, &token, &life_s, err);
    if (status == KBP_OK && token.status != KBP_OK)
        status = kbp_fail(err, token.status, 0, "no room for the token");
    end = end_of(kb_text_str(&token), token.len, life_s);
    if (status == KBP_OK)
        status = check_end(s->command ? "sasl_oauthbearer_token_command"
                                      : "the token endpoint",
                           end, KBP_ERR_EXPIRED, err);
    if (status != KBP_OK) {
        kb_text_release(&token);
        return status;
    }
    now = kb_mono_ms();
    kb_text_release(&s->kept);
    s->kept = token;
    s->kept_end_ms = end;
    s->kept_renew_ms =
        end == INT64_MAX ? now + UNKNOWN_LIFE_MS : now + (end - now) / 2;
    return KBP_OK;
}

static int32_t get_kept(struct kb_token_source *s, const struct kbp_host *host,
                        struct kb_text *token, int64_t *end_ms,
                        struct kbp_error *err)
{
    int32_t status = kb_gate_enter(&s->gate, host, err);
    const struct kbp_host *hurried = host;
    struct kb_bound bound;
    int64_t hurry = s->command ? COMMAND_HURRY_MS : KB_HURRY_MS;
    int64_t now, spare; /* for how long the old one may still be used */

    if (status != KBP_OK)
        return status;
    now = kb_mono_ms();
    spare = s->kept.len ? s->kept_end_ms - LAST_USE_MS - now : 0;
    if (spare > 0)
        hurried = kb_bound_host(&bound, host, spare < hurry ? spare : hurry);
    if (!s->kept.len || now >= s->kept_renew_ms)
        status = fetch(s, hurried, err);
    if (status != KBP_OK && status != KBP_ERR_CANCELLED && spare > 0) {
        kbp_log(host, KBP_LOG_WARN,
                "the token can't be renewed yet, and is used up to its end: "
                "%s",
                err->message);
        s->kept_renew_ms = kb_gate_again_ms(err, s->kept_end_ms - LAST_USE_MS);
        status = KBP_OK;
    }
    if (status == KBP_OK) {
        kb_text_add(token, s->kept.bytes, s->kept.len);
        *end_ms = s->kept_end_ms;
    }
    kb_gate_leave(&s->gate, status, err);
    return status;
}

int32_t kb_token_get(struct kb_token_source *source,
                     const struct kbp_host *host, struct kb_text *token,
                     int64_t *end_ms, struct kbp_error *err)
{
    size_t before = token->len;
    int32_t status = KBP_OK;

    if (source->command || source->oidc.url)
        return get_kept(source, host, token, end_ms, err);
    if (source->file)
        status = read_file(source, token, err);
    else
        kb_text_puts(token, source->token);
    if (status == KBP_OK && token->status != KBP_OK)
        status = kbp_fail(err, token->status, 0, "no room for the token");
    if (status != KBP_OK)
        return status;
    *end_ms = end_of(token->bytes + before, token->len - before, -1);
    /* A file may be renewed any time; a setting is as it is. */
    return source->file ? check_end(source->file, *end_ms, KBP_ERR_EXPIRED, err)
                        : check_end("sasl_oauthbearer_token", *end_ms,
                                    KBP_ERR_AUTH, err);
}

void kb_token_distrust(struct kb_token_source *source,
                       const struct kbp_host *host, const char *token)
{
    struct kbp_error ignored = {.struct_size = sizeof ignored};

    if (kb_gate_enter(&source->gate, host, &ignored) != KBP_OK)
        return;
    if (source->kept.len && strcmp(source->kept.bytes, token) == 0)
        kb_text_clear(&source->kept);
    kb_gate_leave(&source->gate, KBP_OK, &ignored);
}

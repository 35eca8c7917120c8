/* SPDX-License-Identifier: Apache-2.0 */
/* oauth_oidc.c - a token by client_credentials (RFC 6749, 4.4). */
#include <stdio.h>
#include <string.h>

#include "../common/sasl_base64.h"
#include "../common/sasl_file.h"
#include "../common/sasl_http.h"
#include "oauth_message.h"
#include "oauth_token.h"

#define SECRET_MAX 16384u
#define ANSWER_MAX (256u * 1024u)

static void add_field(struct kb_text *body, const char *name, const char *value)
{
    if (!value)
        return;
    if (body->len)
        kb_text_puts(body, "&");
    kb_text_puts(body, name);
    kb_text_puts(body, "=");
    kb_text_urlencode(body, value, 0);
}

static void add_half(struct kb_text *pair, const char *text, int urlencode)
{
    if (urlencode)
        kb_text_urlencode(pair, text, 0);
    else
        kb_text_puts(pair, text);
}

/* Authorization: Basic base64(id:secret) */
static void basic_header(const struct kb_oidc *oidc, const char *secret,
                         struct kb_text *header)
{
    struct kb_text pair;

    kb_text_init(&pair, 8 * SECRET_MAX);
    add_half(&pair, oidc->client_id, oidc->urlencode);
    kb_text_puts(&pair, ":");
    add_half(&pair, secret, oidc->urlencode);
    kb_text_puts(header, "Authorization: Basic ");
    kb_base64_encode(header, KB_BASE64_STD, pair.bytes, pair.len);
    if (pair.status != KBP_OK)
        header->status = pair.status;
    kb_text_release(&pair);
}

static int32_t refused(const struct kb_oidc *oidc,
                       const struct kb_http_answer *answer,
                       struct kbp_error *err)
{
    char url[200], why[256];
    int32_t status = kb_http_judge(answer->status);

    (void)kb_url_clean(url, sizeof url, oidc->url);
    (void)kb_oauth_response_error(why, sizeof why, kb_text_str(&answer->body),
                                  answer->body.len);
    if (status == KBP_ERR_AUTH && answer->status == 404)
        kbp_hint(err, "check sasl_oauthbearer_token_endpoint_url: it is the "
                      "token_endpoint of the issuer's "
                      "/.well-known/openid-configuration");
    else if (status == KBP_ERR_AUTH)
        kbp_hint(err, "check sasl_oauthbearer_client_id, its secret and "
                      "sasl_oauthbearer_scope, and that the client may use "
                      "client_credentials");
    err->retry_after_ms = answer->retry_after_ms;
    return kbp_fail(err, status, (int32_t)answer->status,
                    "the token endpoint %s gives client %.100s no token: HTTP "
                    "%ld%s%s",
                    url, oidc->client_id, answer->status, *why ? ", " : "",
                    why);
}

static int32_t ask(const struct kb_oidc *oidc, const struct kbp_host *host,
                   const struct kb_text *body, const struct kb_text *basic,
                   struct kb_text *token, int64_t *life_s,
                   struct kbp_error *err)
{
    const char *headers[] = {"Content-Type: application/x-www-form-urlencoded",
                             "Accept: application/json",
                             basic->len ? kb_text_str(basic) : NULL, NULL};
    struct kb_http_request req = {
        .method = "POST",
        .url = oidc->url,
        .headers = headers,
        .body = kb_text_str(body),
        .body_len = body->len,
        .ca_location = oidc->ca_location,
        .limit = ANSWER_MAX,
    };
    struct kb_http_answer answer;
    char url[200], why[256];
    int32_t status = kb_http(host, &req, &answer, err);

    if (status != KBP_OK)
        return status;
    if (answer.status != 200) {
        status = refused(oidc, &answer, err);
    } else {
        status = kb_oauth_response(kb_text_str(&answer.body), answer.body.len,
                                   token, life_s, err);
        if (status != KBP_OK) {
            (void)snprintf(why, sizeof why, "%.255s", err->message);
            (void)kbp_fail(err, status, 0, "the token endpoint %s: %s",
                           kb_url_clean(url, sizeof url, oidc->url), why);
        }
    }
    kb_http_release(&answer);
    return status;
}

int32_t kb_oidc_fetch(const struct kb_oidc *oidc, const struct kbp_host *host,
                      struct kb_text *token, int64_t *life_s,
                      struct kbp_error *err)
{
    struct kb_text secret, body, basic;
    int32_t status = KBP_OK;

    kb_text_init(&secret, SECRET_MAX);
    kb_text_init(&body, 8 * SECRET_MAX);
    kb_text_init(&basic, 12 * SECRET_MAX);
    if (oidc->client_secret)
        kb_text_puts(&secret, oidc->client_secret);
    else
        status = kb_file_read_value("sasl_oauthbearer_client_secret_file",
                                    oidc->client_secret_file, &secret, err);
    add_field(&body, "grant_type", "client_credentials");
    add_field(&body, "scope", oidc->scope);
    add_field(&body, "audience", oidc->audience);
    if (oidc->post) {
        add_field(&body, "client_id", oidc->client_id);
        add_field(&body, "client_secret", kb_text_str(&secret));
    } else {
        basic_header(oidc, kb_text_str(&secret), &basic);
    }
    if (status == KBP_OK && (secret.status != KBP_OK || body.status != KBP_OK ||
                             basic.status != KBP_OK))
        status = kbp_fail(err, KBP_ERR_CONFIG, 0,
                          "the settings for the token endpoint are too long");
    if (status == KBP_OK)
        status = ask(oidc, host, &body, &basic, token, life_s, err);
    kb_text_release(&secret);
    kb_text_release(&body);
    kb_text_release(&basic);
    return status;
}

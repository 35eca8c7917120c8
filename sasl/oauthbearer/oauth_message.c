/* SPDX-License-Identifier: Apache-2.0 */
/* oauth_message.c - OAUTHBEARER's messages (RFC 7628), and what a token says.
 */
#include "oauth_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/sasl_base64.h"
#include "../common/sasl_json.h"

#define SEPARATOR "\x01"

static int is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int kb_oauth_token_valid(const char *token, size_t len)
{
    size_t i = 0;

    while (i < len &&
           (is_alpha(token[i]) || (token[i] >= '0' && token[i] <= '9') ||
            (token[i] && strchr("-_~+/.", token[i]))))
        i++;
    if (i == 0)
        return 0;
    while (i < len && token[i] == '=')
        i++;
    return i == len;
}

static int32_t add_extension(const char *at, size_t len, struct kb_text *out,
                             struct kbp_error *err)
{
    const char *eq = memchr(at, '=', len);
    size_t key = eq ? (size_t)(eq - at) : 0;
    char name[64];
    size_t i;

    (void)kb_clean(name, sizeof name, at, eq ? key : len);
    for (i = 0; i < key; i++)
        if (!is_alpha(at[i]))
            break;
    if (!key || i < key)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_oauthbearer_extensions: '%s' is no key=value "
                        "with a key of letters, which is all that Kafka takes",
                        name);
    if (key == 4 && memcmp(at, "auth", 4) == 0)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_oauthbearer_extensions: the key 'auth' is "
                        "OAUTHBEARER's own");
    /* Kafka's [\x21-\x7e \t\r\n]+, whether char has a sign here or not. */
    for (i = key + 1; i < len; i++) {
        unsigned char c = (unsigned char)at[i];

        if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c > 0x7e)
            break;
    }
    if (i < len || key + 1 == len)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_oauthbearer_extensions: the value of '%s' is "
                        "empty, or has letters in it that Kafka doesn't take",
                        name);
    kb_text_puts(out, SEPARATOR);
    kb_text_add(out, at, len);
    return KBP_OK;
}

int32_t kb_oauth_extensions(const char *text, struct kb_text *out,
                            struct kbp_error *err)
{
    int32_t status = KBP_OK;

    while (*text && status == KBP_OK) {
        size_t len;

        text += strspn(text, ", \t");
        len = strcspn(text, ",");
        if (len)
            status = add_extension(text, len, out, err);
        text += len;
    }
    if (status == KBP_OK && out->status == KBP_ERR_LIMIT)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_oauthbearer_extensions is longer than %u bytes",
                        KB_OAUTH_EXTENSIONS_MAX);
    if (status == KBP_OK && out->status != KBP_OK)
        return kbp_fail(err, out->status, 0, "no memory");
    return status;
}

void kb_oauth_message(struct kb_text *out, const char *token,
                      const char *authzid, const char *extensions)
{
    kb_text_puts(out, "n,");
    if (authzid && *authzid) {
        kb_text_puts(out, "a=");
        for (; *authzid; authzid++) {
            if (*authzid == '=')
                kb_text_puts(out, "=3D");
            else if (*authzid == ',')
                kb_text_puts(out, "=2C");
            else
                kb_text_add(out, authzid, 1);
        }
    }
    kb_text_puts(out, "," SEPARATOR "auth=Bearer ");
    kb_text_puts(out, token);
    if (extensions)
        kb_text_puts(out, extensions);
    kb_text_puts(out, SEPARATOR SEPARATOR);
}

/* ", scope x" if the member is there. */
static size_t add_member(char *to, size_t size, size_t at, const json_t *json,
                         const char *name, const char *label)
{
    const char *value = kb_json_string(json, name);
    char clean[160];

    if (!value || at + 1 >= size)
        return at;
    (void)kb_clean(clean, sizeof clean, value, strlen(value));
    at += (size_t)snprintf(to + at, size - at, "%s%s%s", at ? ", " : "", label,
                           clean);
    return at;
}

const char *kb_oauth_refusal(char *to, size_t size, const void *in, size_t len)
{
    json_t *json = kb_json_parse(in, len);
    size_t at;

    if (!json)
        return kb_clean(to, size, in, len);
    to[0] = '\0';
    at = add_member(to, size, 0, json, "status", "");
    at = add_member(to, size, at, json, "scope", "scope wanted: ");
    at = add_member(to, size, at, json, "openid-configuration", "see ");
    kb_json_free(json);
    if (at == 0)
        return kb_clean(to, size, in, len);
    return to;
}

/* The claims of a JWT, not verified: that is the broker's to do. */
static json_t *claims(const char *token, size_t len)
{
    const char *first = memchr(token, '.', len);
    const char *second, *end = token + len;
    unsigned char *raw;
    json_t *json = NULL;
    ssize_t n;

    if (!first)
        return NULL;
    first++;
    second = memchr(first, '.', (size_t)(end - first));
    if (!second || second == first)
        return NULL;
    raw = malloc((size_t)(second - first));
    if (!raw)
        return NULL;
    n = kb_base64_decode(raw, (size_t)(second - first), KB_BASE64_URL, first,
                         (size_t)(second - first));
    if (n > 0)
        json = kb_json_parse(raw, (size_t)n);
    explicit_bzero(raw, (size_t)(second - first));
    free(raw);
    return json;
}

int64_t kb_jwt_expiry(const char *token, size_t len)
{
    json_t *json = claims(token, len);
    int64_t exp = json ? kb_json_int(json, "exp", -1) : -1;

    kb_json_free(json);
    return exp;
}

const char *kb_jwt_describe(char *to, size_t size, const char *token,
                            size_t len)
{
    json_t *json = claims(token, len);
    const json_t *aud = json ? json_object_get(json, "aud") : NULL;
    size_t at = 0;

    to[0] = '\0';
    if (!json)
        return to;
    at = add_member(to, size, at, json, "iss", "iss ");
    if (json_is_array(aud)) {
        char clean[160];
        const char *one = json_string_value(json_array_get(aud, 0));

        if (one && at + 1 < size)
            at += (size_t)snprintf(
                to + at, size - at, "%saud %s%s", at ? ", " : "",
                kb_clean(clean, sizeof clean, one, strlen(one)),
                json_array_size(aud) > 1 ? " and more" : "");
    } else {
        at = add_member(to, size, at, json, "aud", "aud ");
    }
    (void)add_member(to, size, at, json, "sub", "sub ");
    kb_json_free(json);
    return to;
}

int32_t kb_oauth_response(const void *in, size_t len, struct kb_text *token,
                          int64_t *life_s, struct kbp_error *err)
{
    json_t *json = kb_json_parse(in, len);
    const char *access = json ? kb_json_string(json, "access_token") : NULL;
    int32_t status = KBP_OK;

    if (!json)
        status = kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                          "the answer with the token isn't a JSON object");
    else if (!access)
        status = kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                          "the answer has no access_token in it");
    else if (!kb_oauth_token_valid(access, strlen(access)))
        status = kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                          "the access_token isn't one that Kafka takes");
    if (status == KBP_OK) {
        kb_text_puts(token, access);
        if (token->status != KBP_OK)
            status = kbp_fail(err,
                              token->status == KBP_ERR_LIMIT ? KBP_ERR_PROTOCOL
                                                             : token->status,
                              0, "the access_token is longer than %zu bytes",
                              token->max);
        else
            *life_s = kb_json_int(json, "expires_in", -1);
    }
    kb_json_free(json);
    return status;
}

const char *kb_oauth_response_error(char *to, size_t size, const void *in,
                                    size_t len)
{
    json_t *json = kb_json_parse(in, len);
    size_t at;

    to[0] = '\0';
    if (!json)
        return to;
    at = add_member(to, size, 0, json, "error", "");
    (void)add_member(to, size, at, json, "error_description", "");
    kb_json_free(json);
    return to;
}

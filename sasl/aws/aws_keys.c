/* SPDX-License-Identifier: Apache-2.0 */
/* aws_keys.c - one set of AWS credentials. */
#include "aws_keys.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/sasl_clock.h"
#include "../common/sasl_json.h"

#define VALUE_MAX 65536u

void kb_aws_keys_release(struct kb_aws_keys *keys)
{
    kb_wipe_free(keys->access_key);
    kb_wipe_free(keys->secret_key);
    kb_wipe_free(keys->session_token);
    memset(keys, 0, sizeof *keys);
}

/* What ends up in a signed request and in a header has no business in these. */
static int plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f)
            return 0;
    return 1;
}

int32_t kb_aws_keys_set(struct kb_aws_keys *keys, const char *access_key,
                        const char *secret_key, const char *session_token,
                        struct kbp_error *err)
{
    if (session_token && !*session_token)
        session_token = NULL;
    if (!*access_key || !*secret_key || !plain(access_key) ||
        !plain(secret_key) || (session_token && !plain(session_token)))
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "the AWS access key, its secret or the session token "
                        "is empty, or has spaces or other strange letters in "
                        "it");
    keys->access_key = kb_dup(access_key);
    keys->secret_key = kb_dup(secret_key);
    keys->session_token = kb_dup(session_token);
    keys->end_ms = INT64_MAX;
    if (keys->access_key && keys->secret_key &&
        (keys->session_token || !session_token))
        return KBP_OK;
    kb_aws_keys_release(keys);
    return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
}

int32_t kb_aws_keys_copy(struct kb_aws_keys *to, const struct kb_aws_keys *from,
                         struct kbp_error *err)
{
    int32_t status = kb_aws_keys_set(to, from->access_key, from->secret_key,
                                     from->session_token, err);

    if (status == KBP_OK) {
        to->end_ms = from->end_ms;
        to->serial = from->serial;
        memcpy(to->from, from->from, sizeof to->from);
    }
    return status;
}

/* `n` digits at `*at`, or -1. */
static int digits(const char **at, int n)
{
    int value = 0;

    for (; n > 0; n--, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

int64_t kb_aws_time(const char *text)
{
    static const char between[] = "--T::";
    static const int width[] = {4, 2, 2, 2, 2, 2};
    static const int most[] = {9999, 12, 31, 23, 59, 60};
    int part[6];
    struct tm tm;
    time_t t;
    size_t i;

    for (i = 0; i < 6; i++) {
        if (i > 0 && *text++ != between[i - 1])
            return -1;
        part[i] = digits(&text, width[i]);
        if (part[i] < 0 || part[i] > most[i])
            return -1;
    }
    if (part[0] < 1970 || part[1] < 1 || part[2] < 1)
        return -1;
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++)
            ;
    if (strcmp(text, "Z") != 0 && strcmp(text, "+00:00") != 0)
        return -1;
    memset(&tm, 0, sizeof tm);
    tm.tm_year = part[0] - 1900;
    tm.tm_mon = part[1] - 1;
    tm.tm_mday = part[2];
    tm.tm_hour = part[3];
    tm.tm_min = part[4];
    tm.tm_sec = part[5];
    t = timegm(&tm);
    return t < 0 ? -1 : (int64_t)t * 1000;
}

/* Set when they end; they must be good for a while yet. */
static int32_t set_end(struct kb_aws_keys *keys, const char *expiration,
                       struct kbp_error *err)
{
    char clean[64];
    int64_t wall, left;

    if (!expiration)
        return KBP_OK;
    wall = kb_aws_time(expiration);
    if (wall < 0)
        return kbp_fail(
            err, KBP_ERR_PROTOCOL, 0,
            "the credentials expire at '%s', which is no time",
            kb_clean(clean, sizeof clean, expiration, strlen(expiration)));
    left = wall - kb_wall_ms();
    if (left <= 0) {
        kbp_hint(err, "is the clock of this machine right?");
        return kbp_fail(err, KBP_ERR_EXPIRED, 0,
                        "the credentials that were got expired %lld s ago",
                        (long long)(-left / 1000));
    }
    keys->end_ms = kb_mono_ms() + left;
    return KBP_OK;
}

int32_t kb_aws_keys_json(struct kb_aws_keys *keys, const void *in, size_t len,
                         struct kbp_error *err)
{
    json_t *json = kb_json_parse(in, len);
    const char *access, *secret, *token, *code;
    char clean[128];
    int32_t status;

    if (!json)
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the answer with the credentials isn't a JSON object");
    access = kb_json_string(json, "AccessKeyId");
    secret = kb_json_string(json, "SecretAccessKey");
    token = kb_json_string(json, "Token");
    if (!token)
        token = kb_json_string(json, "SessionToken");
    code = kb_json_string(json, "Code");
    if (code && strcmp(code, "Success") != 0)
        status = kbp_fail(err, KBP_ERR_AUTH, 0, "no credentials: %s",
                          kb_clean(clean, sizeof clean, code, strlen(code)));
    else if (!access || !secret)
        status = kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                          "the answer lacks AccessKeyId or SecretAccessKey");
    else
        status = kb_aws_keys_set(keys, access, secret, token, err);
    if (status == KBP_OK)
        status = set_end(keys, kb_json_string(json, "Expiration"), err);
    kb_json_free(json);
    if (status != KBP_OK)
        kb_aws_keys_release(keys);
    return status;
}

static void unescape(const char *at, size_t len, struct kb_text *out)
{
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;",
                                        "&apos;"};
    static const char letters[] = "&<>\"'";
    size_t i;

    while (len > 0) {
        size_t take = 1;
        const char *put = at;

        for (i = 0; *at == '&' && i < 5; i++)
            if (len >= strlen(names[i]) &&
                memcmp(at, names[i], strlen(names[i])) == 0) {
                take = strlen(names[i]);
                put = letters + i;
                break;
            }
        kb_text_add(out, put, 1);
        at += take;
        len -= take;
    }
}

int kb_xml_find(const char *in, size_t len, const char *tag,
                struct kb_text *out)
{
    char open[64], close[64];
    const char *from, *to;

    (void)snprintf(open, sizeof open, "<%s>", tag);
    (void)snprintf(close, sizeof close, "</%s>", tag);
    from = memmem(in, len, open, strlen(open));
    if (!from)
        return 0;
    from += strlen(open);
    to = memmem(from, len - (size_t)(from - in), close, strlen(close));
    if (!to)
        return 0;
    unescape(from, (size_t)(to - from), out);
    return out->status == KBP_OK &&
           (!out->bytes || !memchr(out->bytes, '\0', out->len));
}

int32_t kb_aws_keys_xml(struct kb_aws_keys *keys, const char *in, size_t len,
                        struct kbp_error *err)
{
    struct kb_text access, secret, token, end;
    int32_t status;

    kb_text_init(&access, 1024);
    kb_text_init(&secret, 1024);
    kb_text_init(&token, VALUE_MAX);
    kb_text_init(&end, 64);
    if (!kb_xml_find(in, len, "AccessKeyId", &access) ||
        !kb_xml_find(in, len, "SecretAccessKey", &secret) ||
        !kb_xml_find(in, len, "SessionToken", &token) ||
        !kb_xml_find(in, len, "Expiration", &end))
        status = kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                          "the answer has no complete credentials in it");
    else
        status =
            kb_aws_keys_set(keys, kb_text_str(&access), kb_text_str(&secret),
                            kb_text_str(&token), err);
    if (status == KBP_OK)
        status = set_end(keys, kb_text_str(&end), err);
    kb_text_release(&access);
    kb_text_release(&secret);
    kb_text_release(&token);
    kb_text_release(&end);
    if (status != KBP_OK)
        kb_aws_keys_release(keys);
    return status;
}

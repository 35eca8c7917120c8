/* SPDX-License-Identifier: Apache-2.0 */
/* aws_remote.c - credentials from a container's endpoint, and from IMDSv2. */
#include <string.h>

#include "../common/sasl_file.h"
#include "../common/sasl_http.h"
#include "aws_source.h"

#define ANSWER_MAX 65536u
#define TOKEN_MAX 32768u
/* Both are next door, or not there at all. */
#define CONNECT_MS 1000
#define TOTAL_MS 5000

static int32_t get(const struct kbp_host *host, const char *method,
                   const char *url, const char *header,
                   const struct kb_aws_source *source,
                   struct kb_http_answer *answer, struct kbp_error *err)
{
    const char *headers[] = {header, NULL};
    struct kb_http_request req = {
        .method = method,
        .url = url,
        .headers = headers,
        .ca_location = source->env.ca_bundle,
        .no_proxy = 1,
        .connect_ms = CONNECT_MS,
        .total_ms = TOTAL_MS,
        .limit = ANSWER_MAX,
    };

    return kb_http(host, &req, answer, err);
}

static int32_t not_ok(const char *url, const struct kb_http_answer *answer,
                      struct kbp_error *err)
{
    char where[160];

    err->retry_after_ms = answer->retry_after_ms;
    return kbp_fail(err, kb_http_judge(answer->status), (int32_t)answer->status,
                    "%s answers with HTTP %ld",
                    kb_url_clean(where, sizeof where, url), answer->status);
}

/* ---- ECS and EKS Pod Identity -------------------------------------------- */

/*
 * The token in the request is a secret: over plain HTTP it goes to this machine
 * and to the addresses that AWS has for this, and nowhere else.
 */
static int may_ask(const char *url)
{
    static const char *const hosts[] = {"localhost", "[::1]", "169.254.170.2",
                                        "169.254.170.23", "[fd00:ec2::23]"};
    const char *host = url + 7;
    size_t len, i;

    if (strncmp(url, "https://", 8) == 0)
        return 1;
    if (strncmp(url, "http://", 7) != 0)
        return 0;
    len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    if (memchr(host, '@', strcspn(host, "/?#")))
        return 0;
    for (i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (len == strlen(hosts[i]) && memcmp(host, hosts[i], len) == 0)
            return 1;
    /* 127.0.0.0/8, and not 127.example.com */
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len;
}

static int32_t authorization(const struct kb_aws_source *source,
                             struct kb_text *header, struct kbp_error *err)
{
    const struct kb_aws_env *env = &source->env;
    struct kb_text token;
    int32_t status = KBP_OK;

    kb_text_init(&token, TOKEN_MAX);
    if (env->container_token_file)
        status = kb_file_read_value("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                    env->container_token_file, &token, err);
    else if (env->container_token)
        kb_text_puts(&token, env->container_token);
    if (status == KBP_OK && strpbrk(kb_text_str(&token), "\r\n"))
        status = kbp_fail(err, KBP_ERR_CONFIG, 0,
                          "the container's authorization token has a line "
                          "break in it");
    if (status == KBP_OK && token.len) {
        kb_text_puts(header, "Authorization: ");
        kb_text_puts(header, kb_text_str(&token));
    }
    kb_text_release(&token);
    return status;
}

static int32_t ask_container(const struct kb_aws_source *source,
                             const struct kbp_host *host, const char *url,
                             struct kb_aws_keys *keys, struct kbp_error *err)
{
    struct kb_http_answer answer;
    struct kb_text header;
    int32_t status;

    kb_text_init(&header, TOKEN_MAX + 64);
    status = authorization(source, &header, err);
    if (status == KBP_OK)
        status = get(host, "GET", url, header.len ? header.bytes : NULL, source,
                     &answer, err);
    kb_text_release(&header);
    if (status != KBP_OK)
        return status;
    if (answer.status != 200)
        status = not_ok(url, &answer, err);
    else
        status = kb_aws_keys_json(keys, kb_text_str(&answer.body),
                                  answer.body.len, err);
    kb_http_release(&answer);
    return status;
}

int32_t kb_aws_container(const struct kb_aws_source *source,
                         const struct kbp_host *host, struct kb_aws_keys *keys,
                         struct kbp_error *err)
{
    const struct kb_aws_env *env = &source->env;
    struct kb_text url;
    int32_t status;

    kb_text_init(&url, 4096);
    if (env->container_relative) {
        kb_text_puts(&url, "http://169.254.170.2");
        kb_text_puts(&url, env->container_relative);
    } else if (env->container_full) {
        kb_text_puts(&url, env->container_full);
    }
    if (!url.len)
        status = kbp_fail(err, KBP_ERR_CONFIG, 0,
                          "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
                          "..._FULL_URI is set");
    else if (url.status != KBP_OK || !may_ask(kb_text_str(&url)))
        status = kbp_fail(err, KBP_ERR_CONFIG, 0,
                          "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither "
                          "https nor an address of this machine or of AWS's "
                          "for this");
    else
        status = ask_container(source, host, kb_text_str(&url), keys, err);
    kb_text_release(&url);
    if (status == KBP_OK)
        (void)snprintf(keys->from, sizeof keys->from,
                       "the container's endpoint");
    else
        kb_aws_wrap("the container's credentials endpoint", err);
    return status;
}

/* ---- IMDSv2 -------------------------------------------------------------- */

static const char *imds_base(const struct kb_aws_source *source)
{
    const struct kb_aws_env *env = &source->env;

    if (env->imds_endpoint)
        return env->imds_endpoint;
    if (env->imds_mode && strcasecmp(env->imds_mode, "IPv6") == 0)
        return "http://[fd00:ec2::254]";
    return "http://169.254.169.254";
}

static void imds_url(const struct kb_aws_source *source, const char *path,
                     struct kb_text *url)
{
    const char *base = imds_base(source);
    size_t len = strlen(base);

    while (len && base[len - 1] == '/')
        len--;
    kb_text_clear(url);
    kb_text_add(url, base, len);
    kb_text_puts(url, path);
}

/*
 * Nobody there.  If there never was, this is no instance, and nothing was
 * configured; else it will be there again.
 */
static int32_t imds_silent(const struct kb_aws_source *source,
                           struct kbp_error *err)
{
    if (source->imds_answered) {
        err->status = KBP_ERR_IO;
        return KBP_ERR_IO;
    }
    kbp_hint(err, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                  "AWS_PROFILE or sasl_aws_profile; on an instance, check "
                  "that its metadata is on, and in a container that the hop "
                  "limit is 2 or more");
    err->status = KBP_ERR_CONFIG;
    kb_aws_wrap("no AWS credentials are configured (settings, environment, "
                "profile, web identity, container), and no instance metadata",
                err);
    return KBP_ERR_CONFIG;
}

/* "X-aws-ec2-metadata-token: ..." of a new session. */
static int32_t imds_token(struct kb_aws_source *source,
                          const struct kbp_host *host, struct kb_text *url,
                          struct kb_text *header, struct kbp_error *err)
{
    struct kb_http_answer answer;
    int32_t status;

    imds_url(source, "/latest/api/token", url);
    status = get(host, "PUT", kb_text_str(url),
                 "X-aws-ec2-metadata-token-ttl-seconds: 21600", source, &answer,
                 err);
    if (status != KBP_OK)
        return status == KBP_ERR_IO || status == KBP_ERR_TIMEOUT
                   ? imds_silent(source, err)
                   : status;
    source->imds_answered = 1;
    if (answer.status != 200)
        status = not_ok(kb_text_str(url), &answer, err);
    else if (!answer.body.len || strpbrk(kb_text_str(&answer.body), "\r\n") ||
             strlen(answer.body.bytes) != answer.body.len)
        status = kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                          "the instance metadata's token is no token");
    if (status == KBP_OK) {
        kb_text_puts(header, "X-aws-ec2-metadata-token: ");
        kb_text_puts(header, kb_text_str(&answer.body));
    }
    kb_http_release(&answer);
    return status;
}

/* The role's name is the first line; it ends up in a path. */
static int32_t imds_role(const struct kb_aws_source *source,
                         const struct kbp_host *host, const char *header,
                         struct kb_text *url, struct kb_text *role,
                         struct kbp_error *err)
{
    struct kb_http_answer answer;
    int32_t status;
    size_t len;

    imds_url(source, "/latest/meta-data/iam/security-credentials/", url);
    status = get(host, "GET", kb_text_str(url), header, source, &answer, err);
    if (status != KBP_OK)
        return status;
    len = strcspn(kb_text_str(&answer.body), "\r\n");
    if (answer.status == 404) {
        kbp_hint(err, "attach an instance profile to it");
        status = kbp_fail(err, KBP_ERR_CONFIG, 404,
                          "this instance has no role attached");
    } else if (answer.status != 200) {
        status = not_ok(kb_text_str(url), &answer, err);
    } else if (!len || len > 128) {
        status = kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                          "the instance metadata names no role");
    } else {
        answer.body.bytes[len] = '\0';
        kb_text_urlencode(role, answer.body.bytes, 0);
    }
    kb_http_release(&answer);
    return status;
}

static int32_t imds_keys(const struct kb_aws_source *source,
                         const struct kbp_host *host, const char *header,
                         const char *role, struct kb_text *url,
                         struct kb_aws_keys *keys, struct kbp_error *err)
{
    struct kb_http_answer answer;
    int32_t status;

    imds_url(source, "/latest/meta-data/iam/security-credentials/", url);
    kb_text_puts(url, role);
    status = get(host, "GET", kb_text_str(url), header, source, &answer, err);
    if (status != KBP_OK)
        return status;
    if (answer.status != 200)
        status = not_ok(kb_text_str(url), &answer, err);
    else
        status = kb_aws_keys_json(keys, kb_text_str(&answer.body),
                                  answer.body.len, err);
    kb_http_release(&answer);
    return status;
}

int32_t kb_aws_imds(struct kb_aws_source *source, const struct kbp_host *host,
                    struct kb_aws_keys *keys, struct kbp_error *err)
{
    struct kb_text url, header, role;
    int32_t status;

    kb_text_init(&url, 4096);
    kb_text_init(&header, TOKEN_MAX);
    kb_text_init(&role, 512);
    status = imds_token(source, host, &url, &header, err);
    if (status == KBP_OK)
        status =
            imds_role(source, host, kb_text_str(&header), &url, &role, err);
    if (status == KBP_OK)
        status = imds_keys(source, host, kb_text_str(&header),
                           kb_text_str(&role), &url, keys, err);
    if (status == KBP_OK)
        (void)snprintf(keys->from, sizeof keys->from,
                       "the instance's role %.70s", kb_text_str(&role));
    else if (status != KBP_ERR_CONFIG)
        kb_aws_wrap("instance metadata", err);
    kb_text_release(&url);
    kb_text_release(&header);
    kb_text_release(&role);
    return status;
}

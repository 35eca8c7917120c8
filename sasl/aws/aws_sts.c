/* SPDX-License-Identifier: Apache-2.0 */
/* aws_sts.c - a role's credentials, from AWS STS. */
#include <string.h>

#include "../common/sasl_clock.h"
#include "../common/sasl_file.h"
#include "../common/sasl_http.h"
#include "aws_sigv4.h"
#include "aws_source.h"

#define BODY_MAX 131072u
#define ANSWER_MAX 262144u
#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define DEFAULT_SESSION "kafka-backup"

static void add_field(struct kb_text *body, const char *name, const char *value)
{
    if (!value)
        return;
    kb_text_puts(body, "&");
    kb_text_puts(body, name);
    kb_text_puts(body, "=");
    kb_text_urlencode(body, value, 0);
}

static void begin_body(struct kb_text *body, const char *action,
                       const struct kb_aws_role *role)
{
    kb_text_init(body, BODY_MAX);
    kb_text_puts(body, "Action=");
    kb_text_puts(body, action);
    kb_text_puts(body, "&Version=2011-06-15");
    add_field(body, "RoleArn", role->arn);
    add_field(body, "RoleSessionName",
              role->session_name ? role->session_name : DEFAULT_SESSION);
}

/* https://sts.eu-west-1.amazonaws.com/, or what is set instead. */
static void endpoint(const struct kb_aws_source *source, const char *region,
                     struct kb_text *url)
{
    const char *set = source->set.sts_endpoint   ? source->set.sts_endpoint
                      : source->env.sts_endpoint ? source->env.sts_endpoint
                                                 : source->env.endpoint;
    size_t len;

    kb_text_init(url, 2048);
    if (set) {
        len = strlen(set);
        while (len && set[len - 1] == '/')
            len--;
        kb_text_add(url, set, len);
        kb_text_puts(url, "/");
    } else if (region) {
        kb_text_puts(url, "https://sts.");
        kb_text_puts(url, region);
        kb_text_puts(url, strncmp(region, "cn-", 3) == 0 ? ".amazonaws.com.cn/"
                                                         : ".amazonaws.com/");
    } else {
        kb_text_puts(url, "https://sts.amazonaws.com/");
    }
}

static int32_t refused(const struct kb_http_answer *answer, const char *url,
                       const struct kb_aws_role *role, struct kbp_error *err)
{
    struct kb_text code, message;
    char what[64], why[200], where[160];
    int32_t status = kb_http_judge(answer->status);

    kb_text_init(&code, 256);
    kb_text_init(&message, 4096);
    (void)kb_xml_find(kb_text_str(&answer->body), answer->body.len, "Code",
                      &code);
    (void)kb_xml_find(kb_text_str(&answer->body), answer->body.len, "Message",
                      &message);
    (void)kb_clean(what, sizeof what, kb_text_str(&code), code.len);
    (void)kb_clean(why, sizeof why, kb_text_str(&message), message.len);
    if (strcmp(what, "Throttling") == 0 ||
        strcmp(what, "IDPCommunicationError") == 0)
        status = KBP_ERR_THROTTLED;
    else if (strncmp(what, "ExpiredToken", 12) == 0)
        status = KBP_ERR_EXPIRED;
    if (strcmp(what, "AccessDenied") == 0)
        kbp_hint(err, "the role's trust policy has to allow it to this "
                      "identity (sts:AssumeRole or "
                      "sts:AssumeRoleWithWebIdentity), with the external id if "
                      "it asks for one");
    else if (strcmp(what, "SignatureDoesNotMatch") == 0 ||
             strcmp(what, "RequestExpired") == 0)
        kbp_hint(err, "check the secret access key, and the clock of this "
                      "machine");
    err->retry_after_ms = answer->retry_after_ms;
    kb_text_release(&code);
    kb_text_release(&message);
    return kbp_fail(err, status, (int32_t)answer->status,
                    "%s gives no credentials for %.120s: HTTP %ld %s%s%s",
                    kb_url_clean(where, sizeof where, url), role->arn,
                    answer->status, what, *why ? ": " : "", why);
}

static int32_t ask(const struct kb_aws_source *source,
                   const struct kbp_host *host, const struct kb_aws_role *role,
                   const char *url, const char *const *headers,
                   const struct kb_text *body, struct kb_aws_keys *keys,
                   struct kbp_error *err)
{
    struct kb_http_request req = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .body = kb_text_str(body),
        .body_len = body->len,
        .ca_location = source->set.ca_location ? source->set.ca_location
                                               : source->env.ca_bundle,
        .limit = ANSWER_MAX,
    };
    struct kb_http_answer answer;
    int32_t status = kb_http(host, &req, &answer, err);

    if (status != KBP_OK)
        return status;
    if (answer.status != 200)
        status = refused(&answer, url, role, err);
    else
        status = kb_aws_keys_xml(keys, kb_text_str(&answer.body),
                                 answer.body.len, err);
    if (status == KBP_OK)
        (void)snprintf(keys->from, sizeof keys->from, "role %.88s", role->arn);
    kb_http_release(&answer);
    return status;
}

int32_t kb_aws_web_identity(const struct kb_aws_source *source,
                            const struct kbp_host *host,
                            const struct kb_aws_role *role,
                            const char *token_file, struct kb_aws_keys *keys,
                            struct kbp_error *err)
{
    static const char *const headers[] = {"Content-Type: " CONTENT_TYPE, NULL};
    struct kb_text token, body, url;
    int32_t status;

    kb_text_init(&token, BODY_MAX / 4);
    begin_body(&body, "AssumeRoleWithWebIdentity", role);
    endpoint(source, role->region, &url);
    status = kb_file_read_value("the web identity token file", token_file,
                                &token, err);
    add_field(&body, "WebIdentityToken", kb_text_str(&token));
    if (status == KBP_OK && (body.status != KBP_OK || url.status != KBP_OK))
        status =
            kbp_fail(err, KBP_ERR_CONFIG, 0, "the request to STS is too long");
    if (status == KBP_OK)
        status = ask(source, host, role, kb_text_str(&url), headers, &body,
                     keys, err);
    kb_text_release(&token);
    kb_text_release(&body);
    kb_text_release(&url);
    return status;
}

/* "127.0.0.1:4566" of a URL. */
static void host_of(const char *url, char *host, size_t size)
{
    const char *from = strstr(url, "://");

    from = from ? from + 3 : url;
    (void)snprintf(host, size, "%.*s", (int)strcspn(from, "/?#"), from);
}

static int32_t sign(const struct kb_aws_role *role,
                    const struct kb_aws_keys *with, const char *url,
                    const struct kb_text *body, char date[17],
                    struct kb_text *authorization, struct kbp_error *err)
{
    char hash[65], host[256];
    struct kb_aws_param headers[3] = {
        {"content-type", CONTENT_TYPE},
        {"x-amz-date", date},
        {"x-amz-security-token", with->session_token}};
    struct kb_sigv4_request req = {
        .method = "POST",
        .host = host,
        .path = "/",
        .headers = headers,
        .header_count = with->session_token ? 3 : 2,
        .payload_sha256 = hash,
        .region = role->region ? role->region : "us-east-1",
        .service = "sts",
        .when = (time_t)(kb_wall_ms() / 1000),
    };

    host_of(url, host, sizeof host);
    kb_sigv4_date(req.when, date);
    kb_sha256_hex(kb_text_str(body), body->len, hash);
    return kb_sigv4_authorize(&req, with, authorization, err);
}

int32_t kb_aws_assume(const struct kb_aws_source *source,
                      const struct kbp_host *host,
                      const struct kb_aws_role *role,
                      const struct kb_aws_keys *with, struct kb_aws_keys *keys,
                      struct kbp_error *err)
{
    struct kb_text body, url, authorization, token;
    const char *headers[5] = {"Content-Type: " CONTENT_TYPE};
    char date[17], date_header[40];
    int32_t status;

    begin_body(&body, "AssumeRole", role);
    add_field(&body, "ExternalId", role->external_id);
    endpoint(source, role->region, &url);
    kb_text_init(&authorization, 4096);
    kb_text_init(&token, BODY_MAX);
    kb_text_puts(&authorization, "Authorization: ");
    if (body.status != KBP_OK || url.status != KBP_OK)
        status =
            kbp_fail(err, KBP_ERR_CONFIG, 0, "the request to STS is too long");
    else
        status = sign(role, with, kb_text_str(&url), &body, date,
                      &authorization, err);
    if (status == KBP_OK) {
        (void)snprintf(date_header, sizeof date_header, "X-Amz-Date: %s", date);
        headers[1] = date_header;
        headers[2] = kb_text_str(&authorization);
        if (with->session_token) {
            kb_text_puts(&token, "X-Amz-Security-Token: ");
            kb_text_puts(&token, with->session_token);
            headers[3] = kb_text_str(&token);
        }
        status = ask(source, host, role, kb_text_str(&url), headers, &body,
                     keys, err);
    }
    kb_text_release(&body);
    kb_text_release(&url);
    kb_text_release(&authorization);
    kb_text_release(&token);
    if (status != KBP_OK)
        kb_aws_wrap("assume the role", err);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* msk_message.c - what AWS_MSK_IAM sends and takes. */
#include "msk_message.h"

#include <string.h>

#include "../aws/aws_sigv4.h"
#include "../common/sasl_base64.h"
#include "../common/sasl_json.h"

#define VERSION "2020_10_22"
#define ACTION "kafka-cluster:Connect"
#define SERVICE "kafka-cluster"
#define TEXT_MAX 131072u

/* us-east-1, us-gov-west-1, eusc-de-east-1: letters, words, a number. */
static int is_region(const char *label, size_t len)
{
    size_t i = 0, words = 0, letters = 0;

    while (i < len && label[i] >= 'a' && label[i] <= 'z')
        i++;
    if (i < 2 || i > 4)
        return 0;
    while (i < len && label[i] == '-') {
        i++;
        for (letters = 0; i < len && label[i] >= 'a' && label[i] <= 'z'; i++)
            letters++;
        if (!letters)
            break;
        words++;
    }
    /* What ended the loop is the number, after its dash. */
    if (words < 1 || words > 2 || letters || i == len || len - i > 2)
        return 0;
    for (; i < len; i++)
        if (label[i] < '0' || label[i] > '9')
            return 0;
    return 1;
}

/* Whether the `len` bytes at `name` end with `with`, and how long that is. */
static size_t ends_with(const char *name, size_t len, const char *with)
{
    size_t n = strlen(with);

    return len > n && memcmp(name + len - n, with, n) == 0 ? n : 0;
}

/* Where the label begins that ends at `len`. */
static size_t label_start(const char *name, size_t len)
{
    while (len && name[len - 1] != '.')
        len--;
    return len;
}

/*
 * From the right, as what stands on the left is the user's: a cluster may well
 * be called "demo-cluster-1", which looks like a region.
 */
int kb_msk_region(const char *host, struct kb_text *region)
{
    static const char *const suffixes[] = {
        ".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu"};
    static const char *const services[] = {".kafka", ".kafka-serverless"};
    char name[256];
    size_t len = strlen(host), from, i, cut = 0, of_msk = 0;

    if (len >= sizeof name)
        return 0;
    for (i = 0; i < len; i++)
        name[i] =
            (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] | 0x20 : host[i]);
    len -= len && name[len - 1] == '.';
    for (i = 0; i < sizeof suffixes / sizeof suffixes[0] && !cut; i++)
        cut = ends_with(name, len, suffixes[i]);
    if (!cut)
        return 0;
    len -= cut;
    from = label_start(name, len);
    if (!from || !is_region(name + from, len - from))
        return 0;
    for (i = 0; i < sizeof services / sizeof services[0]; i++)
        of_msk += ends_with(name, from - 1, services[i]);
    if (!of_msk)
        return 0;
    kb_text_add(region, name + from, len - from);
    return region->status == KBP_OK;
}

static const struct kb_aws_param connect_query[] = {{"Action", ACTION}};

static int32_t presign(const struct kb_aws_keys *keys, const char *host,
                       const char *region, time_t when, struct kb_sigv4 *sig,
                       struct kbp_error *err)
{
    struct kb_sigv4_request req = {
        .method = "GET",
        .host = host,
        .path = "/",
        .query = connect_query,
        .query_count = 1,
        .payload_sha256 = KB_SHA256_EMPTY,
        .region = region,
        .service = SERVICE,
        .when = when,
    };

    return kb_sigv4_presign(&req, keys, KB_MSK_EXPIRES_S, sig, err);
}

static void member(struct kb_text *out, const char *name, const char *value)
{
    kb_text_puts(out, out->len > 1 ? "," : "");
    kb_json_quote(out, name);
    kb_text_puts(out, ":");
    kb_json_quote(out, value);
}

int32_t kb_msk_payload(const struct kb_aws_keys *keys, const char *host,
                       const char *region, const char *agent, time_t when,
                       struct kb_text *out, struct kbp_error *err)
{
    struct kb_sigv4 sig;
    struct kb_text json;
    char expires[16];
    int32_t status = presign(keys, host, region, when, &sig, err);

    if (status != KBP_OK)
        return status;
    (void)snprintf(expires, sizeof expires, "%u", KB_MSK_EXPIRES_S);
    kb_text_init(&json, TEXT_MAX);
    kb_text_puts(&json, "{");
    member(&json, "version", VERSION);
    member(&json, "host", host);
    member(&json, "user-agent", agent);
    member(&json, "action", ACTION);
    member(&json, "x-amz-algorithm", "AWS4-HMAC-SHA256");
    member(&json, "x-amz-credential", sig.credential);
    member(&json, "x-amz-date", sig.date);
    if (keys->session_token)
        member(&json, "x-amz-security-token", keys->session_token);
    member(&json, "x-amz-signedheaders", sig.signed_headers);
    member(&json, "x-amz-expires", expires);
    member(&json, "x-amz-signature", sig.signature);
    kb_text_puts(&json, "}");
    kb_text_add(out, kb_text_str(&json), json.len);
    if (json.status != KBP_OK || out->status != KBP_OK)
        status = kbp_fail(err, KBP_ERR_NOMEM, 0, "no room for the message");
    kb_text_release(&json);
    kb_text_release(&sig.query);
    return status;
}

int32_t kb_msk_token(const struct kb_aws_keys *keys, const char *region,
                     const char *agent, time_t when, struct kb_text *out,
                     struct kbp_error *err)
{
    struct kb_sigv4 sig;
    struct kb_text url;
    char host[160];
    int32_t status;

    /* In China, too: AWS's own signers know no other, and so do brokers. */
    (void)snprintf(host, sizeof host, "kafka.%.64s.amazonaws.com", region);
    status = presign(keys, host, region, when, &sig, err);
    if (status != KBP_OK)
        return status;
    kb_text_init(&url, TEXT_MAX);
    kb_text_puts(&url, "https://");
    kb_text_puts(&url, host);
    kb_text_puts(&url, "/?");
    kb_text_puts(&url, kb_text_str(&sig.query));
    /* Not signed: added after the signature, as AWS's own signers do. */
    kb_text_puts(&url, "&User-Agent=");
    kb_text_urlencode(&url, agent, 0);
    kb_base64_encode(out, KB_BASE64_URL, kb_text_str(&url), url.len);
    if (url.status != KBP_OK || out->status != KBP_OK)
        status = kbp_fail(err, KBP_ERR_NOMEM, 0, "no room for the token");
    kb_text_release(&url);
    kb_text_release(&sig.query);
    return status;
}

int32_t kb_msk_answer(const void *in, size_t len, char *id, size_t id_size,
                      struct kbp_error *err)
{
    json_t *json = kb_json_parse(in, len);
    const char *version = json ? kb_json_string(json, "version") : NULL;
    const char *request = json ? kb_json_string(json, "request-id") : NULL;
    char clean[40];
    int32_t status = KBP_OK;

    if (!len)
        status = kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                          "the broker says nothing where AWS_MSK_IAM has an "
                          "answer: is it a broker of MSK?");
    else if (!version)
        status = kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                          "the broker's answer isn't the JSON of AWS_MSK_IAM");
    else if (strcmp(version, VERSION) != 0)
        status =
            kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                     "the broker answers in version '%s' of AWS_MSK_IAM, "
                     "not " VERSION,
                     kb_clean(clean, sizeof clean, version, strlen(version)));
    else
        (void)kb_clean(id, id_size, request ? request : "",
                       request ? strlen(request) : 0);
    kb_json_free(json);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sasl_aws_msk_iam.c - AWS IAM for Amazon MSK, as a plugin.
 *
 * Two mechanisms with the same settings: AWS_MSK_IAM, and the flavour of
 * OAUTHBEARER whose token is a presigned URL.  Each attempt is signed anew.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <kafka-backup/sasl.h>
#include <kafka-backup/util.h>

#include "../aws/aws_source.h"
#include "../common/sasl_clock.h"
#include "../common/sasl_login.h"
#include "../oauthbearer/oauth_message.h"
#include "msk_message.h"

#define AGENT "kafka-backup/" KB_PLUGIN_VERSION

struct kbp_sasl {
    struct kb_aws_source source;
    int bearer;
    atomic_bool warned;
    atomic_bool warned_of_region;
};

enum msk_at { AT_REQUEST, AT_ANSWER, AT_REFUSED, AT_END };

struct kbp_sasl_session {
    struct kbp_sasl *sasl;
    const struct kbp_host *host;
    enum msk_at at;
    char broker[256];
    char region[64];
    char key[160]; /* the access key id, which isn't secret */
    char who[96];  /* ... and where it is from */
    char refusal[256];
    int64_t end_ms;
    uint64_t serial; /* of the keys; 0 before they were got */
};

static const struct kbp_option msk_options[] = {
    {.name = "sasl_aws_region",
     .help = "the region, for brokers whose names aren't MSK's"},
    {.name = "sasl_aws_profile",
     .help = "the profile of ~/.aws/config to use, before the environment"},
    {.name = "sasl_aws_access_key_id",
     .help = "an access key; better in the environment or a profile"},
    {.name = "sasl_aws_secret_access_key",
     .help = "its secret",
     .flags = KBP_OPTION_SECRET},
    {.name = "sasl_aws_session_token",
     .help = "its session token, if it is of a session",
     .flags = KBP_OPTION_SECRET},
    {.name = "sasl_aws_role_arn",
     .help = "a role to assume with the credentials that are found"},
    {.name = "sasl_aws_role_session_name",
     .help = "what the session of that role is called (kafka-backup)",
     .flags = KBP_OPTION_ADVANCED},
    {.name = "sasl_aws_external_id",
     .help = "the external id that the role's trust policy asks for",
     .flags = KBP_OPTION_ADVANCED | KBP_OPTION_SECRET},
    {.name = "sasl_aws_sts_endpoint",
     .help = "the URL of STS, if another than the region's",
     .flags = KBP_OPTION_ADVANCED},
    {.name = "sasl_aws_ca_location",
     .help = "the CAs (a file or a folder) to trust at STS",
     .type = KBP_OPTION_PATH,
     .flags = KBP_OPTION_ADVANCED},
};

static int32_t read_settings(const struct kbp_config *config,
                             struct kb_aws_settings *set, struct kbp_error *err)
{
    const struct {
        const char *name;
        char **to;
    } list[] = {
        {"sasl_aws_region", &set->region},
        {"sasl_aws_profile", &set->profile},
        {"sasl_aws_access_key_id", &set->access_key},
        {"sasl_aws_secret_access_key", &set->secret_key},
        {"sasl_aws_session_token", &set->session_token},
        {"sasl_aws_role_arn", &set->role_arn},
        {"sasl_aws_role_session_name", &set->role_session_name},
        {"sasl_aws_external_id", &set->external_id},
        {"sasl_aws_sts_endpoint", &set->sts_endpoint},
        {"sasl_aws_ca_location", &set->ca_location},
    };
    size_t i;

    for (i = 0; i < sizeof list / sizeof list[0]; i++) {
        const char *value = kbp_config_get(config, list[i].name);

        if (!value || !*value)
            continue;
        *list[i].to = kb_dup(value);
        if (!*list[i].to)
            return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    }
    return KBP_OK;
}

static int32_t msk_open(const struct kbp_config *config, int bearer,
                        struct kbp_sasl **sasl, struct kbp_error *err)
{
    struct kbp_sasl *s = calloc(1, sizeof *s);
    struct kb_aws_settings set = {0};
    int32_t status, opened;

    if (!s)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    s->bearer = bearer;
    status = read_settings(config, &set, err);
    opened = kb_aws_source_open(&s->source, &set, err);
    if (status == KBP_OK)
        status = opened;
    else if (opened == KBP_OK)
        kb_aws_source_close(&s->source);
    if (status != KBP_OK) {
        free(s);
        return status;
    }
    *sasl = s;
    return KBP_OK;
}

static int32_t open_iam(const struct kbp_host *host,
                        const struct kbp_config *config, struct kbp_sasl **sasl,
                        struct kbp_error *err)
{
    (void)host;
    return msk_open(config, 0, sasl, err);
}

static int32_t open_bearer(const struct kbp_host *host,
                           const struct kbp_config *config,
                           struct kbp_sasl **sasl, struct kbp_error *err)
{
    (void)host;
    return msk_open(config, 1, sasl, err);
}

static void msk_close(struct kbp_sasl *sasl)
{
    if (!sasl)
        return;
    kb_aws_source_close(&sasl->source);
    free(sasl);
}

static int32_t msk_session_open(struct kbp_sasl *sasl,
                                const struct kbp_host *host,
                                const struct kbp_sasl_peer *peer,
                                struct kbp_sasl_session **session,
                                struct kbp_error *err)
{
    struct kbp_sasl_session *s = calloc(1, sizeof *s);

    if (!s)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    if ((size_t)snprintf(s->broker, sizeof s->broker, "%s", peer->host) >=
        sizeof s->broker) {
        free(s);
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "the broker's name is too long");
    }
    /* The host warns by KBP_SASL_CLEAR_SECRET; this says which broker. */
    if (!(peer->flags & KBP_SASL_TLS) && !atomic_exchange(&sasl->warned, true))
        kbp_log(host, KBP_LOG_INFO,
                "AWS IAM without TLS: who listens can use what is sent to "
                "%s:%u for %u s; use SASL_SSL",
                peer->host, (unsigned)peer->port, KB_MSK_EXPIRES_S);
    s->sasl = sasl;
    s->host = host;
    s->end_ms = INT64_MAX;
    *session = s;
    return KBP_OK;
}

static void msk_session_close(struct kbp_sasl_session *session)
{
    free(session);
}

/* A setting that a name of MSK's is stronger than; once is enough. */
static void tell_of_region(struct kbp_sasl_session *s, const char *region)
{
    const char *set = s->sasl->source.set.region;

    if (set && strcmp(set, region) != 0 &&
        !atomic_exchange(&s->sasl->warned_of_region, true))
        kbp_log(s->host, KBP_LOG_WARN,
                "sasl_aws_region is %.40s, but %.200s is in %s, for which it "
                "is signed",
                set, s->broker, region);
}

/* As the broker's name has it, else as it is configured. */
static int32_t find_region(struct kbp_sasl_session *s, struct kbp_error *err)
{
    struct kb_text region;
    int found;

    kb_text_init(&region, sizeof s->region - 1);
    found = kb_msk_region(s->broker, &region);
    if (found) {
        tell_of_region(s, kb_text_str(&region));
    } else {
        kb_text_clear(&region);
        found = kb_aws_region(&s->sasl->source, &region);
    }
    (void)snprintf(s->region, sizeof s->region, "%s", kb_text_str(&region));
    kb_text_release(&region);
    if (found && strspn(s->region, "abcdefghijklmnopqrstuvwxyz-0123456789") ==
                     strlen(s->region))
        return KBP_OK;
    kbp_hint(err, "set sasl_aws_region or AWS_REGION");
    return kbp_fail(err, KBP_ERR_CONFIG, 0,
                    "the AWS region isn't known: the broker's name %.150s "
                    "doesn't have it, and settings, environment and profile "
                    "don't name %s",
                    s->broker, found ? "a valid one" : "one");
}

static int32_t build(struct kbp_sasl_session *s, const struct kb_aws_keys *keys,
                     struct kb_text *message, struct kbp_error *err)
{
    time_t now = (time_t)(kb_wall_ms() / 1000);
    struct kb_text token;
    int32_t status;

    if (!s->sasl->bearer)
        return kb_msk_payload(keys, s->broker, s->region, AGENT, now, message,
                              err);
    kb_text_init(&token, KBP_SASL_MAX_BYTES);
    status = kb_msk_token(keys, s->region, AGENT, now, &token, err);
    if (status == KBP_OK)
        kb_oauth_message(message, kb_text_str(&token), NULL, NULL);
    kb_text_release(&token);
    return status;
}

static int32_t send_request(struct kbp_sasl_session *s, struct kbp_sink *out,
                            struct kbp_error *err)
{
    struct kb_aws_keys keys = {0};
    struct kb_text message;
    int32_t status;

    status = find_region(s, err);
    if (status == KBP_OK)
        status = kb_aws_get(&s->sasl->source, s->host, &keys, err);
    if (status != KBP_OK)
        return status;
    (void)snprintf(s->key, sizeof s->key, "%.128s", keys.access_key);
    (void)snprintf(s->who, sizeof s->who, "%s", keys.from);
    s->end_ms = keys.end_ms;
    s->serial = keys.serial;
    /* A token is good for that long; the other mechanism's session isn't. */
    if (s->sasl->bearer &&
        s->end_ms - kb_mono_ms() > (int64_t)KB_MSK_EXPIRES_S * 1000)
        s->end_ms = kb_mono_ms() + (int64_t)KB_MSK_EXPIRES_S * 1000;
    kb_text_init(&message, KBP_SASL_MAX_BYTES);
    status = build(s, &keys, &message, err);
    if (status == KBP_OK && message.status != KBP_OK)
        status = kbp_fail(err, message.status, 0, "no room for the message");
    if (status == KBP_OK)
        status = kbp_sink_write(out, message.bytes, message.len);
    kb_text_release(&message);
    kb_aws_keys_release(&keys);
    return status;
}

static int32_t take_answer(struct kbp_sasl_session *s, const void *in,
                           size_t in_len, struct kbp_sink *out, int32_t *state,
                           struct kbp_error *err)
{
    char id[80] = "";
    int32_t status = KBP_OK;

    s->at = AT_END;
    if (!s->sasl->bearer) {
        status = kb_msk_answer(in, in_len, id, sizeof id, err);
        if (status == KBP_OK) {
            kbp_log(s->host, KBP_LOG_DEBUG, "AWS_MSK_IAM request id %s", id);
            *state = KBP_SASL_DONE;
        }
        return status;
    }
    if (!in_len) {
        *state = KBP_SASL_DONE;
        return KBP_OK;
    }
    (void)kb_oauth_refusal(s->refusal, sizeof s->refusal, in, in_len);
    s->at = AT_REFUSED;
    *state = KBP_SASL_CONTINUE;
    return kbp_sink_write(out, "\x01", 1);
}

static int32_t msk_step(struct kbp_sasl_session *session, const void *in,
                        size_t in_len, struct kbp_sink *out, int32_t *state,
                        struct kbp_error *err)
{
    int32_t status;

    if ((session->at == AT_REQUEST) != (in == NULL) || session->at == AT_END)
        return kbp_fail(err, KBP_ERR_MISUSE, 0,
                        "AWS IAM: the first step takes no answer, and only "
                        "that");
    if (session->at == AT_ANSWER)
        return take_answer(session, in, in_len, out, state, err);
    if (session->at == AT_REFUSED) {
        session->at = AT_END;
        return kbp_fail(err, KBP_ERR_AUTH, 0,
                        "the broker refuses the token: %.255s",
                        session->refusal);
    }
    status = send_request(session, out, err);
    session->at = status == KBP_OK ? AT_ANSWER : AT_END;
    if (status == KBP_OK)
        *state = KBP_SASL_CONTINUE;
    return status;
}

static int32_t msk_explain(struct kbp_sasl_session *session,
                           int32_t kafka_error, const char *text,
                           size_t text_len, struct kbp_error *err)
{
    char who[400];

    kb_aws_distrust(&session->sasl->source, session->host, session->serial);
    (void)snprintf(who, sizeof who,
                   "the AWS access key %.128s (from %s, signed for %s)",
                   session->key, session->who, session->region);
    if (session->refusal[0]) {
        text = session->refusal;
        text_len = strlen(session->refusal);
    }
    return kb_sasl_refused(
        kafka_error, who,
        "its policy has to allow kafka-cluster:Connect on the cluster's ARN "
        "(aws sts get-caller-identity shows who it is); check the clock, and "
        "that the listener is the one for IAM (port 9098 or 9198)",
        text, text_len, err);
}

static int64_t msk_lifetime_ms(struct kbp_sasl_session *session)
{
    int64_t left;

    if (session->end_ms == INT64_MAX)
        return -1;
    left = session->end_ms - kb_mono_ms();
    return left > 0 ? left : 0;
}

static const struct kbp_sasl_type iam_type = {
    .struct_size = sizeof iam_type,
    .flags = KBP_SASL_CLEAR_SECRET,
    .name = "AWS_MSK_IAM",
    .summary = "AWS IAM for Amazon MSK",
    .options = KBP_OPTIONS(msk_options),
    .open = open_iam,
    .close = msk_close,
    .session_open = msk_session_open,
    .session_close = msk_session_close,
    .step = msk_step,
    .explain = msk_explain,
    .lifetime_ms = msk_lifetime_ms,
};

static const struct kbp_sasl_type bearer_type = {
    .struct_size = sizeof bearer_type,
    .flags = KBP_SASL_CLEAR_SECRET,
    .name = "AWS_MSK_IAM_OAUTHBEARER",
    .summary = "AWS IAM for Amazon MSK, as a token of OAUTHBEARER",
    .options = KBP_OPTIONS(msk_options),
    .mechanism = "OAUTHBEARER",
    .open = open_bearer,
    .close = msk_close,
    .session_open = msk_session_open,
    .session_close = msk_session_close,
    .step = msk_step,
    .explain = msk_explain,
    .lifetime_ms = msk_lifetime_ms,
};

static const struct kbp_sasl_type *const msk_types[] = {&iam_type, &bearer_type,
                                                        NULL};

const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "sasl_aws_msk_iam",
    .version = KB_PLUGIN_VERSION,
    .vendor = "kafka-backup",
    .license = "Apache-2.0",
    .sasl = msk_types,
};

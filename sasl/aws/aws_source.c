/* SPDX-License-Identifier: Apache-2.0 */
/* aws_source.c - AWS credentials, kept until they are to be renewed. */
#include "aws_source.h"

#include <stdlib.h>
#include <string.h>

#include "../common/sasl_bound.h"
#include "../common/sasl_clock.h"
#include "aws_profile.h"

/* AWS's own tools renew that long before the end. */
#define RENEW_BEFORE_MS 600000
/* With less left, old credentials are not used when renewal fails. */
#define LAST_USE_MS 30000

void kb_aws_wrap(const char *from, struct kbp_error *err)
{
    char text[KBP_MESSAGE_MAX];

    (void)snprintf(text, sizeof text, "%s", err->message);
    (void)snprintf(err->message, sizeof err->message, "%.150s: %.350s", from,
                   text);
    kbp_one_line(err->message, sizeof err->message);
}

static void free_settings(struct kb_aws_settings *set)
{
    free(set->region);
    free(set->profile);
    free(set->access_key);
    kb_wipe_free(set->secret_key);
    kb_wipe_free(set->session_token);
    free(set->role_arn);
    free(set->role_session_name);
    kb_wipe_free(set->external_id);
    kb_wipe_free(set->sts_endpoint); /* may have a password in it */
    free(set->ca_location);
    memset(set, 0, sizeof *set);
}

/* A variable's value; an empty one counts as not set, as with AWS's tools. */
static int32_t take_env(const char *variable, char **to, struct kbp_error *err)
{
    const char *value = getenv(variable);

    if (!value || !*value)
        return KBP_OK;
    *to = kb_dup(value);
    return *to ? KBP_OK : kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
}

static int32_t check_settings(const struct kb_aws_settings *set,
                              struct kbp_error *err)
{
    if (!set->access_key != !set->secret_key)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "the AWS access key id and its secret go together, and "
                        "one of them is not set");
    if (set->session_token && !set->access_key)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "an AWS session token without access key");
    if (set->access_key && set->profile)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "an AWS access key and an AWS profile are both set");
    return KBP_OK;
}

int32_t kb_aws_source_open(struct kb_aws_source *source,
                           struct kb_aws_settings *settings,
                           struct kbp_error *err)
{
    int32_t status;

    memset(source, 0, sizeof *source);
    source->set = *settings;
    memset(settings, 0, sizeof *settings);
    if (kb_gate_init(&source->gate) != 0) {
        free_settings(&source->set);
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    }
    status = check_settings(&source->set, err);
#define XX(member, variable) \
    if (status == KBP_OK)    \
        status = take_env(variable, &source->env.member, err);
    KB_AWS_ENV_MAP(XX)
#undef XX
    if (status != KBP_OK)
        kb_aws_source_close(source);
    return status;
}

void kb_aws_source_close(struct kb_aws_source *source)
{
#define XX(member, variable) kb_wipe_free(source->env.member);
    KB_AWS_ENV_MAP(XX)
#undef XX
    free_settings(&source->set);
    kb_aws_keys_release(&source->kept);
    kb_gate_destroy(&source->gate);
    memset(source, 0, sizeof *source);
}

static int32_t fetch(struct kb_aws_source *source, const struct kbp_host *host,
                     struct kbp_error *err)
{
    struct kb_aws_keys found = {0}, assumed = {0};
    struct kb_text region;
    int64_t now, half;
    int32_t status = kb_aws_chain(source, host, &found, err);

    if (status == KBP_OK && source->set.role_arn) {
        struct kb_aws_role role = {.arn = source->set.role_arn,
                                   .session_name =
                                       source->set.role_session_name,
                                   .external_id = source->set.external_id};

        kb_text_init(&region, 64);
        if (kb_aws_region(source, &region))
            role.region = kb_text_str(&region);
        status = kb_aws_assume(source, host, &role, &found, &assumed, err);
        kb_text_release(&region);
        kb_aws_keys_release(&found);
        found = assumed;
    }
    if (status != KBP_OK)
        return status;
    now = kb_mono_ms();
    found.serial = ++source->fetched;
    kb_aws_keys_release(&source->kept);
    source->kept = found;
    if (found.end_ms == INT64_MAX) {
        source->kept_renew_ms = INT64_MAX;
    } else {
        half = (found.end_ms - now) / 2;
        source->kept_renew_ms =
            found.end_ms - (half < RENEW_BEFORE_MS ? half : RENEW_BEFORE_MS);
    }
    kbp_log(host, KBP_LOG_DEBUG, "AWS credentials %s from %s", found.access_key,
            found.from);
    return KBP_OK;
}

int32_t kb_aws_get(struct kb_aws_source *source, const struct kbp_host *host,
                   struct kb_aws_keys *keys, struct kbp_error *err)
{
    int32_t status = kb_gate_enter(&source->gate, host, err);
    const struct kbp_host *hurried = host;
    struct kb_bound bound;
    int64_t now, spare; /* for how long the old ones may still be used */

    if (status != KBP_OK)
        return status;
    now = kb_mono_ms();
    spare =
        source->kept.access_key ? source->kept.end_ms - LAST_USE_MS - now : 0;
    if (spare > 0)
        hurried = kb_bound_host(&bound, host, KB_HURRY_MS);
    if (!source->kept.access_key || now >= source->kept_renew_ms)
        status = fetch(source, hurried, err);
    if (status != KBP_OK && status != KBP_ERR_CANCELLED && spare > 0) {
        kbp_log(host, KBP_LOG_WARN,
                "the AWS credentials can't be renewed yet, and are used up to "
                "their end: %s",
                err->message);
        source->kept_renew_ms =
            kb_gate_again_ms(err, source->kept.end_ms - LAST_USE_MS);
        status = KBP_OK;
    }
    if (status == KBP_OK)
        status = kb_aws_keys_copy(keys, &source->kept, err);
    kb_gate_leave(&source->gate, status, err);
    return status;
}

void kb_aws_distrust(struct kb_aws_source *source, const struct kbp_host *host,
                     uint64_t serial)
{
    struct kbp_error ignored = {.struct_size = sizeof ignored};

    if (kb_gate_enter(&source->gate, host, &ignored) != KBP_OK)
        return;
    if (source->kept.serial == serial)
        kb_aws_keys_release(&source->kept);
    kb_gate_leave(&source->gate, KBP_OK, &ignored);
}

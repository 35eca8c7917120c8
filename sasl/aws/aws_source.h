/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aws_source.h - where AWS credentials come from.
 *
 * In this order, and the first that is configured decides: keys or a profile in
 * the settings; keys in the environment; the profile that AWS_PROFILE names, or
 * the default one if it has credentials; web identity (IRSA); a container's
 * endpoint (ECS, EKS Pod Identity); the instance's (IMDSv2).  One that is
 * configured and fails is an error and not a reason to go on to the next: that
 * would be another identity than the one meant.  With a role in the settings,
 * what was found is used to assume that.
 */
#ifndef KB_AWS_SOURCE_H
#define KB_AWS_SOURCE_H

#include <kafka-backup/plugin.h>

#include "../common/sasl_gate.h"
#include "aws_keys.h"

/* XX(member, variable): what is read of the environment, at open. */
#define KB_AWS_ENV_MAP(XX)                                             \
    XX(access_key, "AWS_ACCESS_KEY_ID")                                \
    XX(secret_key, "AWS_SECRET_ACCESS_KEY")                            \
    XX(session_token, "AWS_SESSION_TOKEN")                             \
    XX(profile, "AWS_PROFILE")                                         \
    XX(config_file, "AWS_CONFIG_FILE")                                 \
    XX(credentials_file, "AWS_SHARED_CREDENTIALS_FILE")                \
    XX(home, "HOME")                                                   \
    XX(region, "AWS_REGION")                                           \
    XX(default_region, "AWS_DEFAULT_REGION")                           \
    XX(role_arn, "AWS_ROLE_ARN")                                       \
    XX(role_session_name, "AWS_ROLE_SESSION_NAME")                     \
    XX(web_identity_file, "AWS_WEB_IDENTITY_TOKEN_FILE")               \
    XX(container_relative, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")   \
    XX(container_full, "AWS_CONTAINER_CREDENTIALS_FULL_URI")           \
    XX(container_token, "AWS_CONTAINER_AUTHORIZATION_TOKEN")           \
    XX(container_token_file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") \
    XX(imds_disabled, "AWS_EC2_METADATA_DISABLED")                     \
    XX(imds_endpoint, "AWS_EC2_METADATA_SERVICE_ENDPOINT")             \
    XX(imds_mode, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")            \
    XX(sts_endpoint, "AWS_ENDPOINT_URL_STS")                           \
    XX(endpoint, "AWS_ENDPOINT_URL")                                   \
    XX(ca_bundle, "AWS_CA_BUNDLE")

struct kb_aws_env {
#define XX(member, variable) char *member;
    KB_AWS_ENV_MAP(XX)
#undef XX
};

/* What the user set; each may be NULL.  The strings are owned. */
struct kb_aws_settings {
    char *region;
    char *profile;
    char *access_key;
    char *secret_key;
    char *session_token;
    char *role_arn;
    char *role_session_name;
    char *external_id;
    char *sts_endpoint;
    char *ca_location;
};

struct kb_aws_source {
    struct kb_aws_settings set;
    struct kb_aws_env env;
    struct kb_gate gate;
    /* Within the gate only. */
    struct kb_aws_keys kept;
    int64_t kept_renew_ms;
    uint64_t fetched;  /* that often; the serial of the last ones */
    int imds_answered; /* so this is an instance */
};

/*
 * Takes the strings of `settings`, on failure too.  Looks at the environment,
 * but at no file and no network.  [control]
 */
int32_t kb_aws_source_open(struct kb_aws_source *source,
                           struct kb_aws_settings *settings,
                           struct kbp_error *err);
void kb_aws_source_close(struct kb_aws_source *source);

/* Credentials that are good for a while; to be released.  May wait.  [any] */
int32_t kb_aws_get(struct kb_aws_source *source, const struct kbp_host *host,
                   struct kb_aws_keys *keys, struct kbp_error *err);

/*
 * Those of this serial were refused: if they are still the ones that are kept,
 * get new ones the next time.  [any]
 */
void kb_aws_distrust(struct kb_aws_source *source, const struct kbp_host *host,
                     uint64_t serial);

/*
 * Append the region that settings, environment or profile name; 0 if none
 * does.  [any]
 */
int kb_aws_region(const struct kb_aws_source *source, struct kb_text *region);

/* ---- the parts, each in a file of its own ------------------------------- */

int32_t kb_aws_container(const struct kb_aws_source *source,
                         const struct kbp_host *host, struct kb_aws_keys *keys,
                         struct kbp_error *err);
int32_t kb_aws_imds(struct kb_aws_source *source, const struct kbp_host *host,
                    struct kb_aws_keys *keys, struct kbp_error *err);

struct kb_aws_role {
    const char *arn;
    const char *session_name; /* or NULL */
    const char *external_id;  /* or NULL */
    const char *region;       /* or NULL */
};

/* By AssumeRole, signed with `with`. */
int32_t kb_aws_assume(const struct kb_aws_source *source,
                      const struct kbp_host *host,
                      const struct kb_aws_role *role,
                      const struct kb_aws_keys *with, struct kb_aws_keys *keys,
                      struct kbp_error *err);
/* By AssumeRoleWithWebIdentity, with the token in a file. */
int32_t kb_aws_web_identity(const struct kb_aws_source *source,
                            const struct kbp_host *host,
                            const struct kb_aws_role *role,
                            const char *token_file, struct kb_aws_keys *keys,
                            struct kbp_error *err);

/* The first part of the chain that is configured.  Not kept. */
int32_t kb_aws_chain(struct kb_aws_source *source, const struct kbp_host *host,
                     struct kb_aws_keys *keys, struct kbp_error *err);

/* Put `from` before the error's message: "profile backup: ..." */
void kb_aws_wrap(const char *from, struct kbp_error *err);

#endif

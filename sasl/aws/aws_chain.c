/* SPDX-License-Identifier: Apache-2.0 */
/* aws_chain.c - which source of AWS credentials is configured, and is asked. */
#include <stdlib.h>
#include <string.h>

#include "../common/sasl_spawn.h"
#include "aws_profile.h"
#include "aws_source.h"

#define VALUE_MAX 8192u
#define PROCESS_MAX 131072u
#define DEPTH_MAX 5 /* of profiles that name each other */

/* A profile is asked with what one of its settings names. */
struct asking {
    struct kb_aws_source *source;
    const struct kbp_host *host;
    struct kb_aws_files files;
};

static int32_t named(struct kb_aws_keys *keys, const char *from,
                     const char *name, int32_t status, struct kbp_error *err)
{
    char text[96];

    (void)snprintf(text, sizeof text, "%s%.60s", from, name);
    if (status == KBP_OK)
        (void)snprintf(keys->from, sizeof keys->from, "%s", text);
    else
        kb_aws_wrap(text, err);
    return status;
}

/* Where a file is: as a variable says, or in the home. */
static struct kb_aws_path path_of(const struct kb_aws_source *source,
                                  const char *variable, const char *value,
                                  const char *rest, struct kb_text *text)
{
    struct kb_aws_path at = {.wanted =
                                 source->set.profile || source->env.profile};

    kb_text_init(text, 4096);
    if (value) {
        kb_text_puts(text, value);
        at.variable = variable;
    } else if (source->env.home) {
        kb_text_puts(text, source->env.home);
        kb_text_puts(text, rest);
    }
    at.path = text->len ? text->bytes : NULL;
    return at;
}

/* `host` is NULL if nobody is to be told of what can't be read. */
static int32_t read_files(const struct kb_aws_source *source,
                          struct kb_aws_files *files,
                          const struct kbp_host *host, struct kbp_error *err)
{
    const struct kb_aws_env *env = &source->env;
    struct kb_text config, credentials;
    struct kb_aws_path at = path_of(source, "AWS_CONFIG_FILE", env->config_file,
                                    "/.aws/config", &config);
    struct kb_aws_path keys_at =
        path_of(source, "AWS_SHARED_CREDENTIALS_FILE", env->credentials_file,
                "/.aws/credentials", &credentials);
    int32_t status;

    /* For a look at the region only, whatever is there will do. */
    if (!host) {
        at.variable = keys_at.variable = NULL;
        at.wanted = keys_at.wanted = 0;
    }
    status = kb_aws_files_read(files, &at, &keys_at, host, err);
    kb_text_release(&config);
    kb_text_release(&credentials);
    return status;
}

static int32_t from_env(const struct kb_aws_source *source,
                        struct kb_aws_keys *keys, struct kbp_error *err)
{
    const struct kb_aws_env *env = &source->env;

    if (!env->access_key || !env->secret_key)
        return kbp_fail(
            err, KBP_ERR_CONFIG, 0, "%s is set, but %s is not",
            env->access_key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
            env->access_key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    return named(keys, "the environment", "",
                 kb_aws_keys_set(keys, env->access_key, env->secret_key,
                                 env->session_token, err),
                 err);
}

static int32_t from_web_identity(const struct kb_aws_source *source,
                                 const struct kbp_host *host,
                                 struct kb_aws_keys *keys,
                                 struct kbp_error *err)
{
    struct kb_aws_role role = {.arn = source->env.role_arn,
                               .session_name = source->env.role_session_name};
    struct kb_text region;
    int32_t status;

    if (!role.arn)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN "
                        "is not");
    kb_text_init(&region, 64);
    if (kb_aws_region(source, &region))
        role.region = kb_text_str(&region);
    status = kb_aws_web_identity(source, host, &role,
                                 source->env.web_identity_file, keys, err);
    kb_text_release(&region);
    return named(keys, "web identity of ", role.arn, status, err);
}

/* ---- profiles ------------------------------------------------------------ */

static int32_t profile_process(const struct asking *ask, const char *command,
                               struct kb_aws_keys *keys, struct kbp_error *err)
{
    struct kb_text out;
    int32_t status;

    kb_text_init(&out, PROCESS_MAX);
    status = kb_spawn(ask->host, "credential_process", command, &out, err);
    if (status == KBP_OK)
        status = kb_aws_keys_json(keys, kb_text_str(&out), out.len, err);
    kb_text_release(&out);
    return status;
}

static int32_t profile_static(const struct asking *ask, const char *profile,
                              const char *access, struct kb_aws_keys *keys,
                              struct kbp_error *err)
{
    struct kb_text secret, token;
    int32_t status;

    kb_text_init(&secret, VALUE_MAX);
    kb_text_init(&token, VALUE_MAX);
    (void)kb_aws_profile_get(&ask->files, profile, "aws_session_token", &token);
    if (kb_aws_profile_get(&ask->files, profile, "aws_secret_access_key",
                           &secret))
        status = kb_aws_keys_set(keys, access, kb_text_str(&secret),
                                 kb_text_str(&token), err);
    else
        status = kbp_fail(err, KBP_ERR_CONFIG, 0,
                          "it has an aws_access_key_id, but no "
                          "aws_secret_access_key");
    kb_text_release(&secret);
    kb_text_release(&token);
    return status;
}

static int32_t from_profile(const struct asking *ask, const char *profile,
                            int depth, struct kb_aws_keys *keys,
                            struct kbp_error *err);

/* What credential_source names. */
static int32_t credential_source(const struct asking *ask, const char *name,
                                 struct kb_aws_keys *keys,
                                 struct kbp_error *err)
{
    if (strcmp(name, "Environment") == 0)
        return from_env(ask->source, keys, err);
    if (strcmp(name, "EcsContainer") == 0)
        return kb_aws_container(ask->source, ask->host, keys, err);
    if (strcmp(name, "Ec2InstanceMetadata") == 0)
        return kb_aws_imds(ask->source, ask->host, keys, err);
    return kbp_fail(err, KBP_ERR_CONFIG, 0,
                    "its credential_source '%.60s' is not known here", name);
}

/* The credentials that a profile's role is assumed with. */
static int32_t role_base(const struct asking *ask, const char *profile,
                         int depth, struct kb_aws_keys *keys,
                         struct kbp_error *err)
{
    struct kb_text value;
    int32_t status;

    kb_text_init(&value, VALUE_MAX);
    if (kb_aws_profile_get(&ask->files, profile, "source_profile", &value)) {
        /* One that names itself has the keys beside the role. */
        if (strcmp(kb_text_str(&value), profile) == 0)
            depth = DEPTH_MAX;
        status = from_profile(ask, kb_text_str(&value), depth + 1, keys, err);
    } else if (kb_aws_profile_get(&ask->files, profile, "credential_source",
                                  &value)) {
        status = credential_source(ask, kb_text_str(&value), keys, err);
    } else {
        status = kbp_fail(err, KBP_ERR_CONFIG, 0,
                          "it has a role_arn, but neither source_profile nor "
                          "credential_source nor web_identity_token_file");
    }
    kb_text_release(&value);
    return status;
}

static int32_t profile_role(const struct asking *ask, const char *profile,
                            const char *arn, int depth,
                            struct kb_aws_keys *keys, struct kbp_error *err)
{
    struct kb_text session, external, region, token_file;
    int has_region;
    struct kb_aws_role role = {.arn = arn};
    struct kb_aws_keys base = {0};
    int32_t status;

    kb_text_init(&session, VALUE_MAX);
    kb_text_init(&external, VALUE_MAX);
    kb_text_init(&region, 64);
    kb_text_init(&token_file, VALUE_MAX);
    if (kb_aws_profile_get(&ask->files, profile, "role_session_name", &session))
        role.session_name = kb_text_str(&session);
    if (kb_aws_profile_get(&ask->files, profile, "external_id", &external))
        role.external_id = kb_text_str(&external);
    has_region = kb_aws_profile_get(&ask->files, profile, "region", &region);
    if (!has_region) {
        kb_text_clear(&region);
        has_region = kb_aws_region(ask->source, &region);
    }
    if (has_region)
        role.region = kb_text_str(&region);
    if (kb_aws_profile_get(&ask->files, profile, "mfa_serial", &token_file)) {
        kbp_hint(err, "use credential_process, or a role that needs no MFA");
        status = kbp_fail(err, KBP_ERR_UNSUPPORTED, 0,
                          "its role wants MFA, and nobody is here to type a "
                          "code");
    } else if (kb_aws_profile_get(&ask->files, profile,
                                  "web_identity_token_file", &token_file)) {
        status = kb_aws_web_identity(ask->source, ask->host, &role,
                                     kb_text_str(&token_file), keys, err);
    } else {
        status = role_base(ask, profile, depth, &base, err);
        if (status == KBP_OK)
            status =
                kb_aws_assume(ask->source, ask->host, &role, &base, keys, err);
        kb_aws_keys_release(&base);
    }
    kb_text_release(&session);
    kb_text_release(&external);
    kb_text_release(&region);
    kb_text_release(&token_file);
    return status;
}

static int has(const struct asking *ask, const char *profile, const char *key)
{
    struct kb_text value;
    int there;

    kb_text_init(&value, VALUE_MAX);
    there = kb_aws_profile_get(&ask->files, profile, key, &value);
    kb_text_release(&value);
    return there;
}

static int has_sso(const struct asking *ask, const char *profile)
{
    return has(ask, profile, "sso_session") ||
           has(ask, profile, "sso_start_url");
}

/*
 * What is of credentials in a profile, be it empty: whoever wrote that meant
 * it, and who comes after it in the chain is somebody else.  NULL for nothing.
 */
static const char *credential_key(const struct asking *ask, const char *profile)
{
    static const char *const keys[] = {
        "aws_access_key_id", "aws_secret_access_key",   "aws_session_token",
        "role_arn",          "web_identity_token_file", "source_profile",
        "credential_source", "credential_process",      "sso_session",
        "sso_start_url"};
    size_t i;

    for (i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (kb_aws_profile_has(&ask->files, profile, keys[i]))
            return keys[i];
    return NULL;
}

/* A profile from which nothing can be made of what it has. */
static int32_t unusable(const struct asking *ask, const char *profile,
                        int depth, struct kbp_error *err)
{
    const char *key = credential_key(ask, profile);

    if (depth > DEPTH_MAX)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "its source_profile leads in a circle");
    if (!key)
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "it has no credentials in it");
    if (!has(ask, profile, key))
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "its %s is empty", key);
    kbp_hint(err, "complete the profile, or take %s out of it", key);
    return kbp_fail(err, KBP_ERR_CONFIG, 0, "it has %s, but no %s", key,
                    strncmp(key, "aws_", 4) == 0 ? "aws_access_key_id"
                                                 : "role_arn");
}

static int32_t ask_profile(const struct asking *ask, const char *profile,
                           int depth, struct kb_aws_keys *keys,
                           struct kbp_error *err)
{
    struct kb_text value;
    int32_t status;

    kb_text_init(&value, VALUE_MAX);
    if (!kb_aws_profile_exists(&ask->files, profile)) {
        kbp_hint(err, "see aws configure list-profiles; AWS_CONFIG_FILE and "
                      "AWS_SHARED_CREDENTIALS_FILE say where it is looked for");
        status = kbp_fail(err, KBP_ERR_CONFIG, 0,
                          "neither the config nor the credentials file has it");
    } else if (depth <= DEPTH_MAX &&
               kb_aws_profile_get(&ask->files, profile, "role_arn", &value)) {
        status =
            profile_role(ask, profile, kb_text_str(&value), depth, keys, err);
    } else if (depth <= DEPTH_MAX &&
               kb_aws_profile_has(&ask->files, profile, "role_arn")) {
        status = kbp_fail(err, KBP_ERR_CONFIG, 0, "its role_arn is empty");
    } else if (kb_aws_profile_get(&ask->files, profile, "aws_access_key_id",
                                  &value)) {
        status = profile_static(ask, profile, kb_text_str(&value), keys, err);
    } else if (kb_aws_profile_get(&ask->files, profile, "credential_process",
                                  &value)) {
        status = profile_process(ask, kb_text_str(&value), keys, err);
    } else if (has_sso(ask, profile)) {
        kbp_hint(err,
                 "set credential_process = aws configure "
                 "export-credentials --profile %.80s in another profile, "
                 "and name that",
                 profile);
        status = kbp_fail(err, KBP_ERR_UNSUPPORTED, 0,
                          "it is of IAM Identity Center (SSO), which isn't "
                          "supported here");
    } else {
        status = unusable(ask, profile, depth, err);
    }
    kb_text_release(&value);
    return status;
}

static int32_t from_profile(const struct asking *ask, const char *profile,
                            int depth, struct kb_aws_keys *keys,
                            struct kbp_error *err)
{
    return named(keys, "AWS profile ", profile,
                 ask_profile(ask, profile, depth, keys, err), err);
}

/* ---- the chain ----------------------------------------------------------- */

/* Profiles, if one is configured: 1 if so, with the result in `*status`. */
static int by_profile(struct kb_aws_source *source, const struct kbp_host *host,
                      struct kb_aws_keys *keys, int32_t *status,
                      struct kbp_error *err)
{
    const char *profile =
        source->set.profile ? source->set.profile : source->env.profile;
    struct asking ask = {.source = source, .host = host};
    int configured = 1;

    *status = read_files(source, &ask.files, host, err);
    if (*status != KBP_OK)
        return 1;
    if (profile)
        *status = from_profile(&ask, profile, 0, keys, err);
    else if (credential_key(&ask, "default"))
        *status = from_profile(&ask, "default", 0, keys, err);
    else
        configured = 0;
    kb_aws_files_release(&ask.files);
    return configured;
}

int32_t kb_aws_chain(struct kb_aws_source *source, const struct kbp_host *host,
                     struct kb_aws_keys *keys, struct kbp_error *err)
{
    const struct kb_aws_settings *set = &source->set;
    const struct kb_aws_env *env = &source->env;
    int32_t status;

    if (set->access_key)
        return named(keys, "the settings", "",
                     kb_aws_keys_set(keys, set->access_key, set->secret_key,
                                     set->session_token, err),
                     err);
    if (!set->profile && (env->access_key || env->secret_key))
        return from_env(source, keys, err);
    if (by_profile(source, host, keys, &status, err))
        return status;
    if (env->web_identity_file)
        return from_web_identity(source, host, keys, err);
    if (env->container_relative || env->container_full)
        return kb_aws_container(source, host, keys, err);
    if (!env->imds_disabled || strcasecmp(env->imds_disabled, "true") != 0)
        return kb_aws_imds(source, host, keys, err);
    kbp_hint(err,
             "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE "
             "or sasl_aws_profile, or run where a role is attached");
    return kbp_fail(err, KBP_ERR_CONFIG, 0,
                    "there are no AWS credentials: none in the settings and "
                    "the environment, no profile with any, no web identity, "
                    "no container's endpoint, and AWS_EC2_METADATA_DISABLED is "
                    "true");
}

int kb_aws_region(const struct kb_aws_source *source, struct kb_text *region)
{
    const struct kb_aws_env *env = &source->env;
    const char *profile = source->set.profile ? source->set.profile
                          : env->profile      ? env->profile
                                              : "default";
    struct kbp_error ignored = {.struct_size = sizeof ignored};
    struct kb_aws_files files;
    int there = 0;

    if (source->set.region || env->region || env->default_region) {
        kb_text_puts(region, source->set.region ? source->set.region
                             : env->region      ? env->region
                                                : env->default_region);
        return region->status == KBP_OK;
    }
    if (read_files(source, &files, NULL, &ignored) == KBP_OK) {
        there = kb_aws_profile_get(&files, profile, "region", region);
        kb_aws_files_release(&files);
    }
    return there;
}

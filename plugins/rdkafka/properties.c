/* SPDX-License-Identifier: Apache-2.0 */
/* properties.c - the properties of Kafka's clients that we take over. */
#include "properties.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

#define OWN_PREFIX "kafka_backup."

/* What can't be honoured is refused, never passed over. */
static const struct {
    const char *name;
    const char *instead;
} refused[] = {
    {"ssl.engine.location", "there is no support for engines"},
    {"ssl.engine.id", "there is no support for engines"},
    {"ssl.providers", "set them in openssl.cnf"},
    {"sasl.oauthbearer.assertion.algorithm", "it has client_credentials only"},
    {"sasl.oauthbearer.metadata.authentication.type",
     "use sasl.oauthbearer.method=oidc"},
};

/* What librdkafka calls them; kinit isn't needed, and so not run. */
static const char *const known[] = {
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.pem",
    "ssl.key.password",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.crl.location",
    "ssl.cipher.suites",
    "ssl.curves.list",
    "ssl.sigalgs.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.engine.location",
    "ssl.engine.id",
    "ssl.providers",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "sasl.kerberos.service.name",
    "sasl.kerberos.principal",
    "sasl.kerberos.keytab",
    "sasl.kerberos.kinit.cmd",
    "sasl.kerberos.min.time.before.relogin",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.grant.type",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.header.urlencode",
};
#define KNOWN_COUNT (sizeof known / sizeof known[0])

static bool is_known(const char *name)
{
    size_t i;

    for (i = 0; i < KNOWN_COUNT; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

enum kb_property_owner kb_property_owner(const char *name)
{
    /* rd_kafka_sasl_set_credentials() changes them behind our back, and our
       pump gets the current ones from librdkafka's PLAIN message. */
    if (strcmp(name, "sasl.username") == 0 ||
        strcmp(name, "sasl.password") == 0 || strcmp(name, "client.id") == 0)
        return KB_PROPERTY_BOTH;
    /* Of librdkafka's own OAUTHBEARER, which we may let through. */
    if (strcmp(name, "sasl.oauthbearer.config") == 0 ||
        strcmp(name, "enable.sasl.oauthbearer.unsecure.jwt") == 0)
        return KB_PROPERTY_BOTH;
    if (strcmp(name, "security.protocol") == 0 ||
        strncmp(name, "ssl.", 4) == 0 || strncmp(name, "sasl.", 5) == 0 ||
        strncmp(name, OWN_PREFIX, sizeof OWN_PREFIX - 1) == 0 ||
        strcmp(name, "https.ca.location") == 0 ||
        strcmp(name, "enable.ssl.certificate.verification") == 0)
        return KB_PROPERTY_OURS;
    return KB_PROPERTY_THEIRS;
}

/* As librdkafka reads a bool. */
static bool is_bool(const char *value, bool *is)
{
    *is = strcasecmp(value, "true") == 0 || strcasecmp(value, "t") == 0 ||
          strcmp(value, "1") == 0;
    return *is || strcasecmp(value, "false") == 0 ||
           strcasecmp(value, "f") == 0 || strcmp(value, "0") == 0;
}

static int check_own_name(const char *name, struct kbp_error *err)
{
    static const char *const own[] = {"kafka_backup.plugin.dir",
                                      "kafka_backup.sasl.options"};
    const char *near;

    if (strcmp(name, own[0]) == 0 || strcmp(name, own[1]) == 0)
        return KBP_OK;
    near = kb_did_you_mean(name, own, 2);
    return kb_fail(err, KBP_ERR_CONFIG, "%s: no such property%s%s", name,
                   near ? "; did you mean " : "", near ? near : "");
}

/*
 * A misspelt name is refused, as librdkafka refuses it.  One of sasl.* that is
 * like none of these may be that of a vendor's plugin: kb_properties_sasl().
 */
static int check_name(const char *name, struct kbp_error *err)
{
    bool is_ssl = strncmp(name, "ssl.", 4) == 0;
    const char *near;

    if ((!is_ssl && strncmp(name, "sasl.", 5) != 0) || is_known(name))
        return KBP_OK;
    near = kb_did_you_mean(name, known, KNOWN_COUNT);
    if (!near && !is_ssl)
        return KBP_OK;
    return kb_fail(err, KBP_ERR_CONFIG, "%s: no such property%s%s", name,
                   near ? "; did you mean " : "", near ? near : "");
}

int kb_property_check(const char *name, const char *value,
                      struct kbp_error *err)
{
    static const char *const protocols[] = {"plaintext", "ssl",
                                            "sasl_plaintext", "sasl_ssl"};
    size_t i;
    bool is;

    for (i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strcmp(name, refused[i].name) == 0 && *value)
            return kb_fail(err, KBP_ERR_CONFIG,
                           "kafka_backup_sasl has no %s: %s", name,
                           refused[i].instead);
    if (strncmp(name, OWN_PREFIX, sizeof OWN_PREFIX - 1) == 0)
        return check_own_name(name, err);
    if (check_name(name, err) != KBP_OK)
        return err->status;
    if (strcmp(name, "sasl.oauthbearer.grant.type") == 0 &&
        strcmp(value, "client_credentials") != 0)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "sasl.oauthbearer.grant.type: kafka_backup_sasl has "
                       "client_credentials only, not %s",
                       value);
    if (strcmp(name, "security.protocol") == 0) {
        for (i = 0; i < 4; i++)
            if (strcasecmp(value, protocols[i]) == 0)
                return KBP_OK;
        return kb_fail(err, KBP_ERR_CONFIG,
                       "security.protocol: \"%s\" is none of plaintext, ssl, "
                       "sasl_plaintext, sasl_ssl",
                       value);
    }
    if (strcmp(name, "ssl.endpoint.identification.algorithm") == 0 &&
        strcmp(value, "https") != 0 && strcmp(value, "none") != 0 && *value)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "ssl.endpoint.identification.algorithm: \"%s\" is "
                       "neither https nor none",
                       value);
    if (strcmp(name, "enable.ssl.certificate.verification") == 0 &&
        !is_bool(value, &is))
        return kb_fail(err, KBP_ERR_CONFIG,
                       "enable.ssl.certificate.verification: \"%s\" is "
                       "neither true nor false",
                       value);
    return KBP_OK;
}

static const char *canonical(const char *name)
{
    static const char *const also[][2] = {
        {"sasl.mechanisms", "sasl.mechanism"},
        {"sasl.oauthbearer.client.credentials.client.id",
         "sasl.oauthbearer.client.id"},
        {"sasl.oauthbearer.client.credentials.client.secret",
         "sasl.oauthbearer.client.secret"},
    };
    size_t i;

    for (i = 0; i < sizeof also / sizeof also[0]; i++)
        if (strcmp(name, also[i][0]) == 0)
            return also[i][1];
    return name;
}

int kb_properties_set(struct kb_properties *properties, const char *name,
                      const char *value, struct kbp_error *err)
{
    struct kb_property *more;
    size_t i;

    name = canonical(name);
    for (i = 0; i < properties->count; i++)
        if (strcmp(properties->items[i].name, name) == 0)
            return kb_secret_set(&properties->items[i].value, value,
                                 strlen(value), err);
    more = realloc(properties->items, (properties->count + 1) * sizeof *more);
    if (!more)
        return kb_fail_nomem(err, "a property");
    properties->items = more;
    more += properties->count;
    memset(more, 0, sizeof *more);
    more->name = kb_strdup(name);
    if (!more->name)
        return kb_fail_nomem(err, "a property");
    if (kb_secret_set(&more->value, value, strlen(value), err) != KBP_OK) {
        free(more->name);
        return err->status;
    }
    properties->count++;
    return KBP_OK;
}

const char *kb_properties_get(const struct kb_properties *properties,
                              const char *name)
{
    size_t i;

    name = canonical(name);
    for (i = 0; i < properties->count; i++)
        if (strcmp(properties->items[i].name, name) == 0)
            return properties->items[i].value.len
                       ? properties->items[i].value.text
                       : NULL;
    return NULL;
}

void kb_properties_release(struct kb_properties *properties)
{
    size_t i;

    for (i = 0; i < properties->count; i++) {
        free(properties->items[i].name);
        kb_secret_release(&properties->items[i].value);
    }
    free(properties->items);
    properties->items = NULL;
    properties->count = 0;
}

static char *trim(char *text)
{
    char *end = text + strlen(text);

    while (end > text && strchr(" \t\r\n", end[-1]))
        *--end = '\0';
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

int kb_properties_read(struct kb_properties *properties, const char *path,
                       struct kbp_error *err)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    unsigned number = 0;
    int status = KBP_OK;

    if (!file)
        return kb_fail_errno(err, errno, "KAFKA_BACKUP_SASL_CONF %s", path);
    while (status == KBP_OK && getline(&line, &size, file) >= 0) {
        char *name = trim(line);
        char *equals = strchr(name, '=');

        number++;
        if (*name == '\0' || *name == '#')
            continue;
        if (!equals) {
            status = kb_fail(err, KBP_ERR_CONFIG,
                             "%s:%u: neither name=value nor a comment", path,
                             number);
            break;
        }
        *equals = '\0';
        name = trim(name);
        status = kb_property_owner(name) == KB_PROPERTY_THEIRS
                     ? kb_fail(err, KBP_ERR_CONFIG,
                               "%s is librdkafka's own; only security.*, "
                               "sasl.*, ssl.* and kafka_backup.* stand here",
                               name)
                     : kb_property_check(name, trim(equals + 1), err);
        if (status == KBP_OK)
            status = kb_properties_set(properties, name, trim(equals + 1), err);
        if (status != KBP_OK)
            (void)kb_err_wrap(err, "%s:%u", path, number);
    }
    if (line)
        explicit_bzero(line, size);
    free(line);
    (void)fclose(file);
    return status;
}

struct kb_protocol
kb_properties_protocol(const struct kb_properties *properties)
{
    const char *text = kb_properties_get(properties, "security.protocol");
    const char *mechanism = kb_properties_get(properties, "sasl.mechanism");
    const char *method =
        kb_properties_get(properties, "sasl.oauthbearer.method");
    struct kb_protocol protocol = {false, false, false};

    if (!text)
        return protocol;
    protocol.tls =
        strcasecmp(text, "ssl") == 0 || strcasecmp(text, "sasl_ssl") == 0;
    protocol.sasl = strncasecmp(text, "sasl_", 5) == 0;
    protocol.relay =
        protocol.sasl && mechanism && strcmp(mechanism, "OAUTHBEARER") == 0 &&
        !(method && strcasecmp(method, "oidc") == 0) &&
        !kb_properties_get(properties, "kafka_backup.sasl.options");
    return protocol;
}

/* "a=b,c=d" taken apart in place; "\," is a comma in a value. */
static int take_options(struct kb_sasl_values *values, const char *text,
                        struct kbp_error *err)
{
    char *at;
    char *out;

    values->options = kb_strdup(text);
    if (!values->options)
        return kb_fail_nomem(err, "options");
    for (at = values->options; *at;) {
        struct kb_kv *more =
            realloc(values->items, (values->count + 1) * sizeof *more);
        char *equals = strchr(at, '=');

        if (!more)
            return kb_fail_nomem(err, "options");
        values->items = more;
        if (!equals)
            return kb_fail(err, KBP_ERR_CONFIG,
                           "kafka_backup.sasl.options: no name=value at the "
                           "end of the list");
        *equals = '\0';
        more[values->count].name = trim(at);
        more[values->count].value = out = equals + 1;
        values->count++;
        for (at = out; *at && *at != ','; at++) {
            if (*at == '\\' && at[1])
                at++;
            *out++ = *at;
        }
        if (*at)
            at++;
        *out = '\0';
    }
    return KBP_OK;
}

static int add(struct kb_sasl_values *values, const char *name,
               const char *value, struct kbp_error *err)
{
    struct kb_kv *more;
    size_t i;

    for (i = 0; i < values->count; i++)
        if (strcmp(values->items[i].name, name) == 0)
            return KBP_OK; /* kafka_backup.sasl.options wins */
    more = realloc(values->items, (values->count + 1) * sizeof *more);
    if (!more)
        return kb_fail_nomem(err, "options");
    values->items = more;
    more[values->count].name = name;
    more[values->count].value = value;
    values->count++;
    return KBP_OK;
}

static bool has_option(const struct kb_type *type, const char *kafka_name)
{
    struct kbp_option option;
    uint32_t i;

    for (i = 0; i < type->options.count; i++) {
        kb_option_at(&type->options, i, &option);
        if (option.kafka_name && strcmp(option.kafka_name, kafka_name) == 0)
            return true;
    }
    return false;
}

/* Those of no mechanism that is known here have to be this one's. */
static int check_strangers(const struct kb_properties *properties,
                           const struct kb_type *type, struct kbp_error *err)
{
    size_t i;

    for (i = 0; i < properties->count; i++) {
        const char *name = properties->items[i].name;

        if (strncmp(name, "sasl.", 5) == 0 && !is_known(name) &&
            !has_option(type, name))
            return kb_fail(err, KBP_ERR_CONFIG,
                           "%s: no such property, and the plugin of %s has no "
                           "option of that name",
                           name, type->name);
    }
    return KBP_OK;
}

/* What PLAIN was given for lack of anything is nothing. */
static const char *given(const char *value)
{
    return *value && strcmp(value, KB_NOTHING_GIVEN) != 0 ? value : NULL;
}

int kb_properties_sasl(const struct kb_properties *properties,
                       const struct kb_type *type, const char *user,
                       const char *password, struct kb_sasl_values *values,
                       struct kbp_error *err)
{
    const char *options =
        kb_properties_get(properties, "kafka_backup.sasl.options");
    int status = check_strangers(properties, type, err);
    uint32_t i;

    if (status == KBP_OK && options)
        status = take_options(values, options, err);
    for (i = 0; status == KBP_OK && i < type->options.count; i++) {
        struct kbp_option option;
        const char *value;

        kb_option_at(&type->options, i, &option);
        if (!option.kafka_name)
            continue;
        if (strcmp(option.kafka_name, "sasl.username") == 0)
            value = given(user);
        else if (strcmp(option.kafka_name, "sasl.password") == 0)
            value = given(password);
        else
            value = kb_properties_get(properties, option.kafka_name);
        if (value)
            status = add(values, option.name, value, err);
    }
    return status;
}

void kb_sasl_values_release(struct kb_sasl_values *values)
{
    free(values->items);
    kb_free_secret_text(values->options);
    values->items = NULL;
    values->options = NULL;
    values->count = 0;
}

static const struct kb_secret *
get_secret(const struct kb_properties *properties, const char *name)
{
    size_t i;

    for (i = 0; i < properties->count; i++)
        if (strcmp(properties->items[i].name, name) == 0 &&
            properties->items[i].value.len > 0)
            return &properties->items[i].value;
    return NULL;
}

void kb_properties_tls(const struct kb_properties *properties,
                       struct kb_tls_settings *tls)
{
    const struct {
        const char *name;
        const char **value;
    } texts[] = {
        {"ssl.ca.location", &tls->ca_location},
        {"ssl.ca.pem", &tls->ca_pem},
        {"ssl.certificate.location", &tls->certificate_location},
        {"ssl.certificate.pem", &tls->certificate_pem},
        {"ssl.key.location", &tls->key_location},
        {"ssl.keystore.location", &tls->keystore_location},
        {"ssl.crl.location", &tls->crl_location},
        {"ssl.cipher.suites", &tls->cipher_suites},
        {"ssl.curves.list", &tls->curves},
        {"ssl.sigalgs.list", &tls->sigalgs},
    };
    const char *host =
        kb_properties_get(properties, "ssl.endpoint.identification.algorithm");
    const char *verify =
        kb_properties_get(properties, "enable.ssl.certificate.verification");
    bool verified = true;
    size_t i;

    memset(tls, 0, sizeof *tls);
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i].value = kb_properties_get(properties, texts[i].name);
    /* librdkafka's word for "where systems have it". */
    if (tls->ca_location && strcmp(tls->ca_location, "probe") == 0)
        tls->ca_location = NULL;
    tls->key_pem = get_secret(properties, "ssl.key.pem");
    tls->key_password = get_secret(properties, "ssl.key.password");
    tls->keystore_password = get_secret(properties, "ssl.keystore.password");
    tls->verify_host = !host || strcmp(host, "none") != 0;
    tls->trust_anyone = verify && is_bool(verify, &verified) && !verified;
}

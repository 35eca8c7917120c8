/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_login.c - user and password, for the mechanisms that have these. */
#include "sasl_login.h"

#include <stdlib.h>
#include <string.h>

#include "sasl_file.h"

/* Kafka's error codes that a broker answers a SASL request with. */
enum {
    KAFKA_UNSUPPORTED_SASL_MECHANISM = 33,
    KAFKA_ILLEGAL_SASL_STATE = 34,
    KAFKA_SASL_AUTHENTICATION_FAILED = 58
};

int32_t kb_login_open(struct kb_login *login, const struct kbp_config *config,
                      struct kbp_error *err)
{
    const struct kbp_setting *user = kbp_config_find(config, "sasl_username");
    const struct kbp_setting *pass = kbp_config_find(config, "sasl_password");
    const char *file = kbp_config_get(config, "sasl_password_file");
    struct kb_text probe;
    int32_t status;

    memset(login, 0, sizeof *login);
    if (!user || !user->value_len)
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "sasl_username is not set");
    if (!pass && !file) {
        kbp_hint(err, "set one of sasl_password and sasl_password_file");
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "user %s has no password: neither sasl_password nor "
                        "sasl_password_file is set",
                        user->value);
    }
    if (pass && file)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_password and sasl_password_file are both set");
    if (pass && !pass->value_len) {
        kbp_hint(err, "is the variable that it comes from set?");
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "sasl_password is empty");
    }
    if (strlen(user->value) != user->value_len ||
        (pass && strlen(pass->value) != pass->value_len))
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_username or sasl_password has a NUL byte in it");
    if (user->value_len > KB_LOGIN_MAX ||
        (pass && pass->value_len > KB_LOGIN_MAX))
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_username or sasl_password is longer than %u "
                        "bytes",
                        KB_LOGIN_MAX);
    login->user = kb_dup(user->value);
    login->password = kb_dup(pass ? pass->value : NULL);
    login->password_file = kb_dup(file);
    if (!login->user || (pass && !login->password) ||
        (file && !login->password_file)) {
        kb_login_close(login);
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    }
    /* A wrong path is to be known at the start, not at the first broker. */
    kb_text_init(&probe, KB_LOGIN_MAX);
    status = kb_login_password(login, &probe, err);
    kb_text_release(&probe);
    if (status != KBP_OK)
        kb_login_close(login);
    return status;
}

void kb_login_close(struct kb_login *login)
{
    kb_wipe_free(login->password);
    kb_wipe_free(login->user);
    free(login->password_file);
    memset(login, 0, sizeof *login);
}

int32_t kb_login_password(const struct kb_login *login, struct kb_text *text,
                          struct kbp_error *err)
{
    struct kb_text file;
    int32_t status = KBP_OK;

    if (login->password) {
        kb_text_puts(text, login->password);
    } else {
        kb_text_init(&file, KB_LOGIN_MAX);
        status = kb_file_read_value("sasl_password_file", login->password_file,
                                    &file, err);
        if (status == KBP_OK)
            kb_text_add(text, file.bytes, file.len);
        kb_text_release(&file);
    }
    if (status == KBP_OK && text->status != KBP_OK)
        status = kbp_fail(err, text->status, 0, "no memory for the password");
    return status;
}

int32_t kb_sasl_refused(int32_t kafka_error, const char *who, const char *hint,
                        const char *text, size_t text_len,
                        struct kbp_error *err)
{
    char why[256];

    (void)kb_clean(why, sizeof why, text, text ? text_len : 0);
    switch (kafka_error) {
    case KAFKA_UNSUPPORTED_SASL_MECHANISM:
        kbp_hint(err, "set sasl_mechanism to one that this listener has "
                      "enabled (sasl.enabled.mechanisms of the broker)");
        return kbp_fail(err, KBP_ERR_UNSUPPORTED, kafka_error,
                        "the broker has this mechanism not enabled%s%s",
                        *why ? ": " : "", why);
    case KAFKA_ILLEGAL_SASL_STATE:
        return kbp_fail(err, KBP_ERR_PROTOCOL, kafka_error,
                        "the broker did not expect this SASL request%s%s",
                        *why ? ": " : "", why);
    case KAFKA_SASL_AUTHENTICATION_FAILED:
        kbp_hint(err, "%s", hint);
        return kbp_fail(err, KBP_ERR_AUTH, kafka_error,
                        "the broker refuses %s%s%s", who, *why ? ": " : "",
                        why);
    default:
        return kbp_fail(err, KBP_ERR_AUTH, kafka_error,
                        "the broker refuses %s with Kafka's error %d%s%s", who,
                        (int)kafka_error, *why ? ": " : "", why);
    }
}

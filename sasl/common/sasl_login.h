/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_login.h - user and password, for the mechanisms that have these. */
#ifndef KB_SASL_LOGIN_H
#define KB_SASL_LOGIN_H

#include <kafka-backup/sasl.h>

#include "sasl_text.h"

/* As long as a password may be. */
#define KB_LOGIN_MAX 16384u

struct kb_login {
    char *user;
    char *password;      /* or NULL: it is in the file */
    char *password_file; /* or NULL */
};

/* The three options, to stand first in a mechanism's table. */
#define KB_LOGIN_OPTIONS                                               \
    {.name = "sasl_username",                                          \
     .help = "the user",                                               \
     .flags = KBP_OPTION_REQUIRED,                                     \
     .kafka_name = "sasl.username"},                                   \
        {.name = "sasl_password",                                      \
         .help = "the user's password",                                \
         .flags = KBP_OPTION_SECRET,                                   \
         .kafka_name = "sasl.password"},                               \
    {                                                                  \
        .name = "sasl_password_file",                                  \
        .help = "a file with the password in it, read again for each " \
                "connection, so that it can be rotated",               \
        .type = KBP_OPTION_PATH                                        \
    }

int32_t kb_login_open(struct kb_login *login, const struct kbp_config *config,
                      struct kbp_error *err);
void kb_login_close(struct kb_login *login);

/* Append the password of now. */
int32_t kb_login_password(const struct kb_login *login, struct kb_text *text,
                          struct kbp_error *err);

/*
 * What a broker's refusal means: explain() of a mechanism whose credentials are
 * `who`, "user alice".  `hint` is for wrong credentials.
 */
int32_t kb_sasl_refused(int32_t kafka_error, const char *who, const char *hint,
                        const char *text, size_t text_len,
                        struct kbp_error *err);

#endif

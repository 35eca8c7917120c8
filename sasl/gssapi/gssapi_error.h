/* SPDX-License-Identifier: Apache-2.0 */
/* gssapi_error.h - what Kerberos says, in words with a remedy. */
#ifndef KB_GSSAPI_ERROR_H
#define KB_GSSAPI_ERROR_H

#include <gssapi/gssapi.h>
#include <krb5.h>

#include <kafka-backup/plugin.h>

/* What an error is about.  Each may be NULL. */
struct kb_gss_words {
    const char *spn;       /* "kafka/broker@REALM", or "kafka@broker" */
    const char *principal; /* ours */
    const char *keytab;
    const char *ccache;
    const char *krb5_config;
};

/* For a failed call of GSSAPI.  `did` is what: "get a ticket for". */
int32_t kb_gss_fail(const struct kb_gss_words *words, const char *did,
                    OM_uint32 major, OM_uint32 minor, struct kbp_error *err);

/* For a failed call of libkrb5; `context` may be NULL. */
int32_t kb_krb5_fail(const struct kb_gss_words *words, const char *did,
                     krb5_context context, krb5_error_code code,
                     struct kbp_error *err);

/* For a file that can't do, which is KBP_ERR_CONFIG: "can't did b (...): why"
 */
__attribute__((format(printf, 5, 6))) int32_t
kb_gss_refuse(const struct kb_gss_words *words, const char *did, int32_t native,
              struct kbp_error *err, const char *fmt, ...);

/* "kafka/b@R (principal p, keytab k, krb5.conf c)" into `text`. */
const char *kb_gss_about(const struct kb_gss_words *words, char *text,
                         size_t size);

#endif

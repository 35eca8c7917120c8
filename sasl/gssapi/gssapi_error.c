/* SPDX-License-Identifier: Apache-2.0 */
/* gssapi_error.c - what Kerberos says, in words with a remedy. */
#include "gssapi_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <kafka-backup/util.h>

#include "../common/sasl_text.h"

/* How long each name may be in a message of KBP_MESSAGE_MAX bytes. */
#define SHORT 90

static const char *or_unknown(const char *text)
{
    return text ? text : "(not known)";
}

const char *kb_gss_about(const struct kb_gss_words *w, char *text, size_t size)
{
    const char *from = w->keytab ? "keytab" : "ccache";
    const char *path = w->keytab ? w->keytab : w->ccache;

    (void)snprintf(text, size, "%.*s (principal %.*s, %s %.*s, krb5.conf %.*s)",
                   SHORT, w->spn ? w->spn : "Kerberos", SHORT,
                   or_unknown(w->principal), from, SHORT,
                   path ? path : "(the default)", SHORT,
                   or_unknown(w->krb5_config));
    return text;
}

/*
 * The status that a code of libkrb5 stands for, and in `err` its remedy.
 * libgssapi hands these codes through as the minor status.
 */
static int32_t judge(const struct kb_gss_words *w, krb5_error_code code,
                     struct kbp_error *err)
{
    const char *spn = w->spn ? w->spn : "the service";
    const char *me = w->principal ? w->principal : "the principal";
    const char *keytab = w->keytab ? w->keytab : "the keytab";

    switch (code) {
    case KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN:
        kbp_hint(err,
                 "reach the broker by exactly the host name in its principal "
                 "(not localhost, an alias or a load balancer), see "
                 "connection.broker_overrides; check: kvno %.*s; set "
                 "rdns = false and dns_canonicalize_hostname = false in "
                 "krb5.conf; is sasl_kerberos_service_name right?",
                 SHORT, spn);
        return KBP_ERR_AUTH;
    case KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN:
        kbp_hint(err,
                 "the KDC doesn't know %.*s: check sasl_kerberos_principal, "
                 "the realm, and klist -kte %.*s",
                 SHORT, me, SHORT, keytab);
        return KBP_ERR_AUTH;
    case KRB5KDC_ERR_PREAUTH_FAILED:
    case KRB5KRB_AP_ERR_BAD_INTEGRITY:
    case KRB5KRB_AP_ERR_BADKEYVER:
        kbp_hint(err,
                 "the key has been changed since the keytab was written: "
                 "compare the KVNO of klist -kte %.*s with kvno %.*s, and "
                 "export the keytab again (ktadd)",
                 SHORT, keytab, SHORT, me);
        return KBP_ERR_AUTH;
    case KRB5KDC_ERR_CLIENT_REVOKED:
    case KRB5KDC_ERR_KEY_EXP:
    case KRB5KDC_ERR_NAME_EXP:
        kbp_hint(err,
                 "%.*s is locked or has expired at the KDC: kadmin "
                 "getprinc shows it",
                 SHORT, me);
        return KBP_ERR_AUTH;
    case KRB5KRB_AP_ERR_SKEW:
    case KRB5_KDCREP_SKEW:
    case KRB5KRB_AP_ERR_TKT_NYV:
        kbp_hint(err, "the clocks of this machine, the KDC and the broker "
                      "differ by more than 5 minutes: set them (chronyc "
                      "tracking)");
        return KBP_ERR_AUTH;
    case KRB5KRB_AP_ERR_TKT_EXPIRED:
        kbp_hint(err, w->keytab ? "check the clocks and the ticket lifetime "
                                  "at the KDC"
                                : "run kinit, or set sasl_keytab_path so that "
                                  "tickets are renewed");
        return KBP_ERR_EXPIRED;
    case KRB5_KDC_UNREACH:
    case KRB5_REALM_CANT_RESOLVE:
    case ETIMEDOUT:
    case ECONNREFUSED:
        kbp_hint(err,
                 "no KDC answers: is it up, is port 88 open (TCP and UDP), is "
                 "kdc = right for the realm in %.*s?",
                 SHORT, or_unknown(w->krb5_config));
        return KBP_ERR_UNAVAILABLE;
    case KRB5_REALM_UNKNOWN:
    case KRB5_CONFIG_NODEFREALM:
        kbp_hint(err,
                 "name the realm and its KDC under [realms], the broker's "
                 "domain under [domain_realm] and default_realm in %.*s",
                 SHORT, or_unknown(w->krb5_config));
        return KBP_ERR_CONFIG;
    case KRB5_CONFIG_CANTOPEN:
    case KRB5_CONFIG_BADFORMAT:
        kbp_hint(err,
                 "%.*s is missing, unreadable or malformed; "
                 "sasl_krb5_config_path names another",
                 SHORT, or_unknown(w->krb5_config));
        return KBP_ERR_CONFIG;
    case KRB5_KT_NOTFOUND:
    case KRB5_KT_KVNONOTFOUND:
        kbp_hint(err,
                 "%.*s has no key for %.*s: see klist -kte; export it "
                 "with ktadd, or set sasl_kerberos_principal",
                 SHORT, keytab, SHORT, me);
        return KBP_ERR_CONFIG;
    case KRB5_KT_BADNAME:
    case KRB5_KEYTAB_BADVNO:
    case KRB5_KT_END:
    case KRB5_KT_IOERR:
        kbp_hint(err,
                 "%.*s is no keytab: see klist -kte; mounted binary "
                 "files must not be base64 text",
                 SHORT, keytab);
        return KBP_ERR_CONFIG;
    case KRB5_FCC_NOFILE:
    case KRB5_CC_NOTFOUND:
    case KRB5_CC_END:
    case KRB5_FCC_PERM:
    case KRB5_CC_BADNAME:
        kbp_hint(err, "there are no tickets: run kinit as the user of this "
                      "process, or set sasl_keytab_path");
        return KBP_ERR_CONFIG;
    case KRB5KDC_ERR_ETYPE_NOSUPP:
    case KRB5_PROG_ETYPE_NOSUPP:
        kbp_hint(err, "the keytab's encryption types aren't allowed here or "
                      "at the KDC: see klist -kte, and permitted_enctypes; "
                      "export it again with aes256-cts");
        return KBP_ERR_CONFIG;
    default:
        return 0;
    }
}

/* The status of a major code whose minor says nothing known. */
static int32_t judge_major(const struct kb_gss_words *w, OM_uint32 major,
                           struct kbp_error *err)
{
    /* An empty or shapeless token: it came from the broker. */
    if (GSS_CALLING_ERROR(major))
        return KBP_ERR_PROTOCOL;
    switch (GSS_ROUTINE_ERROR(major)) {
    case GSS_S_NO_CRED:
    case GSS_S_DEFECTIVE_CREDENTIAL:
        kbp_hint(err, w->keytab ? "see klist -kte of the keytab"
                                : "run kinit as the user of this process, or "
                                  "set sasl_keytab_path");
        return KBP_ERR_CONFIG;
    case GSS_S_CREDENTIALS_EXPIRED:
    case GSS_S_CONTEXT_EXPIRED:
        kbp_hint(err, w->keytab ? "check the clocks"
                                : "run kinit, or set sasl_keytab_path so that "
                                  "tickets are renewed");
        return KBP_ERR_EXPIRED;
    case GSS_S_DEFECTIVE_TOKEN:
    case GSS_S_BAD_MIC:
    case GSS_S_DUPLICATE_TOKEN:
    case GSS_S_OLD_TOKEN:
    case GSS_S_UNSEQ_TOKEN:
    case GSS_S_GAP_TOKEN:
        return KBP_ERR_PROTOCOL;
    default:
        return KBP_ERR_AUTH;
    }
}

/* All lines that GSSAPI has for a status, into `text`. */
static void display(OM_uint32 status, int type, char *text, size_t size)
{
    OM_uint32 more = 0, ignored;
    size_t at = strlen(text);

    do {
        gss_buffer_desc line = GSS_C_EMPTY_BUFFER;
        char part[200];

        if (gss_display_status(&ignored, status, type, GSS_C_NO_OID, &more,
                               &line) != GSS_S_COMPLETE)
            return;
        (void)kb_clean(part, sizeof part, line.value, line.length);
        (void)gss_release_buffer(&ignored, &line);
        if (at + 2 < size)
            at += (size_t)snprintf(text + at, size - at, "%s%s", at ? "; " : "",
                                   part);
    } while (more && at + 2 < size);
}

int32_t kb_gss_fail(const struct kb_gss_words *words, const char *did,
                    OM_uint32 major, OM_uint32 minor, struct kbp_error *err)
{
    char about[5 * SHORT], why[256] = "";
    int32_t status = judge(words, (krb5_error_code)minor, err);

    if (minor)
        display(minor, GSS_C_MECH_CODE, why, sizeof why);
    /* Some failures are the mechanism's own, with nothing in the minor. */
    if (!why[0] || strcmp(why, "Success") == 0) {
        why[0] = '\0';
        display(major, GSS_C_GSS_CODE, why, sizeof why);
    }
    if (status == 0)
        status = judge_major(words, major, err);
    return kbp_fail(err, status, (int32_t)minor, "can't %s %s: %s", did,
                    kb_gss_about(words, about, sizeof about), why);
}

int32_t kb_krb5_fail(const struct kb_gss_words *words, const char *did,
                     krb5_context context, krb5_error_code code,
                     struct kbp_error *err)
{
    char about[5 * SHORT], why[256];
    const char *text = krb5_get_error_message(context, code);
    int32_t status = judge(words, code, err);

    (void)kb_clean(why, sizeof why, text ? text : "", text ? strlen(text) : 0);
    krb5_free_error_message(context, text);
    return kbp_fail(err, status ? status : KBP_ERR_CONFIG, code,
                    "can't %s %s: %s", did,
                    kb_gss_about(words, about, sizeof about), why);
}

int32_t kb_gss_refuse(const struct kb_gss_words *words, const char *did,
                      int32_t native, struct kbp_error *err, const char *fmt,
                      ...)
{
    char about[5 * SHORT], why[KBP_MESSAGE_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return kbp_fail(err, KBP_ERR_CONFIG, native, "can't %s %s: %s", did,
                    kb_gss_about(words, about, sizeof about), why);
}

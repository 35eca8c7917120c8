/* SPDX-License-Identifier: Apache-2.0 */
/* gssapi_cred.c - Kerberos credentials, from a keytab or the user's ccache. */
#include "gssapi_cred.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include <kafka-backup/util.h>

#include "../common/sasl_clock.h"
#include "../common/sasl_text.h"

/* With less left, old credentials aren't used when there are no new ones. */
#define LAST_USE_MS 30000
/* libkrb5 takes its time with a KDC that is down, so it isn't asked often. */
#define PAUSE_MS 30000

void kb_gss_source_words(const struct kb_gss_source *source,
                         struct kb_gss_words *words)
{
    memset(words, 0, sizeof *words);
    words->spn = source->spn;
    words->principal = source->principal;
    words->keytab = source->keytab;
    words->ccache = source->ccache ? source->ccache : getenv("KRB5CCNAME");
    words->krb5_config = source->krb5_config;
}

/* ---- what can be known without a network -------------------------------- */

static int32_t check_file(const struct kb_gss_source *source, const char *did,
                          const char *option, const char *path,
                          struct kbp_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct kb_gss_words words;
    char why[128];
    int no = errno;

    if (fd >= 0) {
        (void)close(fd);
        return KBP_OK;
    }
    if (no == EACCES || no == EPERM)
        kbp_hint(err,
                 "make it readable for user id %u: chown it and chmod "
                 "0400",
                 (unsigned)geteuid());
    else
        kbp_hint(err, "check %s; in a container: is it mounted?", option);
    kb_gss_source_words(source, &words);
    return kb_gss_refuse(&words, did, no, err, "%s",
                         strerror_r(no, why, sizeof why));
}

/*
 * libgssapi takes krb5.conf from the environment only.  A host that sets what
 * an option exports has done so; another has to be told.
 */
static int32_t check_krb5_config(struct kb_gss_source *source,
                                 const char *wanted, struct kbp_error *err)
{
    const char *is = getenv("KRB5_CONFIG");

    source->krb5_config = kb_dup(wanted      ? wanted
                                 : is && *is ? is
                                             : "/etc/krb5.conf");
    if (!source->krb5_config)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    if (!wanted)
        return KBP_OK;
    if (!is || strcmp(is, wanted) != 0) {
        kbp_hint(err,
                 "start this program with KRB5_CONFIG=%s in its "
                 "environment",
                 wanted);
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_krb5_config_path is %s, but KRB5_CONFIG of this "
                        "process is %s, and a process has only one",
                        wanted, is ? is : "not set");
    }
    return check_file(source, "read krb5.conf for", "sasl_krb5_config_path",
                      wanted, err);
}

/* "a@R, b@R" for those in the keytab; sets *first, and *found for `wanted`. */
static krb5_error_code list_keytab(krb5_context context, krb5_keytab keytab,
                                   krb5_const_principal wanted, int *found,
                                   char **first, char *names, size_t size)
{
    krb5_kt_cursor cursor;
    krb5_keytab_entry entry;
    krb5_error_code code = krb5_kt_start_seq_get(context, keytab, &cursor);
    char last[256] = "";
    size_t at = 0;

    if (code)
        return code;
    for (;;) {
        char *name = NULL;

        code = krb5_kt_next_entry(context, keytab, &entry, &cursor);
        if (code)
            break;
        if (wanted && krb5_principal_compare(context, wanted, entry.principal))
            *found = 1;
        if (krb5_unparse_name(context, entry.principal, &name) == 0) {
            if (!*first)
                *first = kb_dup(name);
            /* A key of each encryption type follows: name it once. */
            if (strcmp(name, last) != 0 && at + 2 < size)
                at += (size_t)snprintf(names + at, size - at, "%s%s",
                                       at ? ", " : "", name);
            (void)snprintf(last, sizeof last, "%s", name);
            krb5_free_unparsed_name(context, name);
        }
        (void)krb5_free_keytab_entry_contents(context, &entry);
    }
    (void)krb5_kt_end_seq_get(context, keytab, &cursor);
    return code == KRB5_KT_END ? 0 : code;
}

static int32_t check_keytab(struct kb_gss_source *source, krb5_context context,
                            struct kbp_error *err)
{
    struct kb_gss_words words;
    krb5_principal wanted = NULL;
    krb5_keytab keytab = NULL;
    krb5_error_code code;
    char names[256] = "";
    char *first = NULL;
    int found = 0;
    int32_t status;

    kb_gss_source_words(source, &words);
    status = check_file(source, "read the keytab for", "sasl_keytab_path",
                        source->keytab, err);
    if (status != KBP_OK)
        return status;
    code = krb5_kt_resolve(context, source->keytab, &keytab);
    if (!code && source->principal)
        code = krb5_parse_name(context, source->principal, &wanted);
    if (!code)
        code = list_keytab(context, keytab, wanted, &found, &first, names,
                           sizeof names);
    if (code) {
        status =
            kb_krb5_fail(&words, "read the keytab for", context, code, err);
    } else if (!first) {
        kbp_hint(err,
                 "export the client's key into it: ktadd -k %s "
                 "PRINCIPAL",
                 source->keytab);
        status = kb_gss_refuse(&words, "use the keytab for", 0, err,
                               "it has no keys in it");
    } else if (wanted && !found) {
        kbp_hint(err,
                 "set sasl_kerberos_principal to one of these, or export "
                 "its key: ktadd -k %.100s %.100s",
                 source->keytab, source->principal);
        status = kb_gss_refuse(&words, "use the keytab for", 0, err,
                               "it has no key for %.90s; it has keys for %s",
                               source->principal, names);
    } else if (!source->principal) {
        source->principal = first;
        first = NULL;
    }
    free(first);
    krb5_free_principal(context, wanted);
    if (keytab)
        (void)krb5_kt_close(context, keytab);
    return status;
}

static int32_t read_settings(struct kb_gss_source *source,
                             const struct kbp_config *config,
                             struct kbp_error *err)
{
    const char *keytab = kbp_config_get(config, "sasl_keytab_path");
    const char *principal = kbp_config_get(config, "sasl_kerberos_principal");
    const char *ccache = kbp_config_get(config, "sasl_kerberos_ccache");

    if (keytab && ccache)
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_keytab_path and sasl_kerberos_ccache are both "
                        "set: tickets come from one of them");
    source->keytab = kb_dup(keytab);
    source->principal = kb_dup(principal && *principal ? principal : NULL);
    source->ccache = kb_dup(ccache);
    if ((keytab && !source->keytab) || (ccache && !source->ccache) ||
        (principal && *principal && !source->principal))
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    return check_krb5_config(
        source, kbp_config_get(config, "sasl_krb5_config_path"), err);
}

int32_t kb_gss_source_open(struct kb_gss_source *source, const char *service,
                           const struct kbp_config *config,
                           struct kbp_error *err)
{
    struct kb_gss_words words;
    krb5_context context = NULL;
    krb5_error_code code;
    int32_t status;

    memset(source, 0, sizeof *source);
    (void)snprintf(source->spn, sizeof source->spn, "%.80s/<broker>", service);
    if (kb_gate_init(&source->gate) != 0)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    if (pthread_mutex_init(&source->lock, NULL) != 0) {
        kb_gate_destroy(&source->gate);
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    }
    status = read_settings(source, config, err);
    if (status == KBP_OK) {
        code = krb5_init_context(&context);
        kb_gss_source_words(source, &words);
        if (code)
            status = kb_krb5_fail(&words, "start", NULL, code, err);
    }
    if (status == KBP_OK && source->keytab)
        status = check_keytab(source, context, err);
    if (context)
        krb5_free_context(context);
    if (status != KBP_OK)
        kb_gss_source_close(source);
    return status;
}

/* ---- credentials --------------------------------------------------------- */

static void destroy(struct kb_gss_cred *cred)
{
    krb5_context context;
    krb5_ccache ccache;
    OM_uint32 ignored;

    (void)gss_release_cred(&ignored, &cred->id);
    if (cred->ccache[0] && krb5_init_context(&context) == 0) {
        if (krb5_cc_resolve(context, cred->ccache, &ccache) == 0)
            (void)krb5_cc_destroy(context, ccache);
        krb5_free_context(context);
    }
    free(cred);
}

void kb_gss_source_close(struct kb_gss_source *source)
{
    if (source->now)
        destroy(source->now);
    free(source->keytab);
    free(source->principal);
    free(source->ccache);
    free(source->krb5_config);
    (void)pthread_mutex_destroy(&source->lock);
    kb_gate_destroy(&source->gate);
    memset(source, 0, sizeof *source);
}

static OM_uint32 import_principal(OM_uint32 *minor, const char *name,
                                  gss_name_t *out)
{
    gss_buffer_desc text;

    *out = GSS_C_NO_NAME;
    if (!name)
        return GSS_S_COMPLETE;
    text.value = (void *)(uintptr_t)name;
    text.length = strlen(name);
    return gss_import_name(minor, &text,
                           (gss_OID)(uintptr_t)GSS_KRB5_NT_PRINCIPAL_NAME, out);
}

static OM_uint32 acquire(struct kb_gss_source *source, struct kb_gss_cred *cred,
                         OM_uint32 *minor)
{
    gss_key_value_element_desc elements[2];
    gss_key_value_set_desc store = {0, elements};
    gss_OID_set_desc mechs = {1, (gss_OID)(uintptr_t)gss_mech_krb5};
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 major, ignored;

    if (source->keytab) {
        (void)snprintf(cred->ccache, sizeof cred->ccache,
                       "MEMORY:kafka-backup-%p-%u", (void *)source,
                       ++source->serial);
        elements[store.count].key = "client_keytab";
        elements[store.count++].value = source->keytab;
        elements[store.count].key = "ccache";
        elements[store.count++].value = cred->ccache;
    } else if (source->ccache) {
        elements[store.count].key = "ccache";
        elements[store.count++].value = source->ccache;
    }
    major = import_principal(minor, source->principal, &name);
    if (!GSS_ERROR(major))
        major = gss_acquire_cred_from(minor, name, 0, &mechs, GSS_C_INITIATE,
                                      store.count ? &store : NULL, &cred->id,
                                      NULL, NULL);
    (void)gss_release_name(&ignored, &name);
    return major;
}

/* Whose credentials they are.  Asking is what makes it talk to the KDC. */
static OM_uint32 inquire(struct kb_gss_cred *cred, OM_uint32 *minor,
                         OM_uint32 *left)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 major, ignored;

    major = gss_inquire_cred(minor, cred->id, &name, left, NULL, NULL);
    if (!GSS_ERROR(major) && name != GSS_C_NO_NAME &&
        !GSS_ERROR(gss_display_name(&ignored, name, &text, NULL)))
        (void)kb_clean(cred->principal, sizeof cred->principal, text.value,
                       text.length);
    (void)gss_release_buffer(&ignored, &text);
    (void)gss_release_name(&ignored, &name);
    return major;
}

/* New credentials, with a ticket in them. */
static int32_t get_new(struct kb_gss_source *source, const char *spn,
                       struct kb_gss_cred **out, struct kbp_error *err)
{
    struct kb_gss_cred *cred = calloc(1, sizeof *cred);
    OM_uint32 major, minor, left = 0;
    int64_t now;

    if (!cred)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    major = acquire(source, cred, &minor);
    if (!GSS_ERROR(major))
        major = inquire(cred, &minor, &left);
    if (!GSS_ERROR(major) && left == 0) {
        major = GSS_S_CREDENTIALS_EXPIRED;
        minor = 0;
    }
    if (GSS_ERROR(major)) {
        struct kb_gss_words words;
        int32_t status;

        kb_gss_source_words(source, &words);
        words.spn = spn;
        status = kb_gss_fail(&words, "get credentials for", major, minor, err);
        destroy(cred);
        return status;
    }
    now = kb_mono_ms();
    cred->end_ms =
        left == GSS_C_INDEFINITE ? INT64_MAX : now + (int64_t)left * 1000;
    cred->renew_ms =
        left == GSS_C_INDEFINITE ? INT64_MAX : now + (int64_t)left * 500;
    /* The user's ccache is the user's to renew: look again each time. */
    if (!source->keytab)
        cred->renew_ms = now;
    *out = cred;
    return KBP_OK;
}

/*
 * Whether they would do for a while yet.  What is in the user's ccache is not
 * ours to keep: it may have gone, or be of another user by now.
 */
static int lasts(const struct kb_gss_cred *cred, int64_t now)
{
    return cred->ccache[0] && cred->end_ms - LAST_USE_MS > now;
}

static struct kb_gss_cred *current(struct kb_gss_source *source)
{
    int64_t now = kb_mono_ms();
    struct kb_gss_cred *cred;

    (void)pthread_mutex_lock(&source->lock);
    cred = source->now;
    if (cred && now >= cred->renew_ms &&
        !(now < source->pause_end_ms && lasts(cred, now)))
        cred = NULL;
    if (cred)
        cred->users++;
    (void)pthread_mutex_unlock(&source->lock);
    return cred;
}

/* Make `cred` the one of now; what it replaces ends with its users. */
static void replace(struct kb_gss_source *source, struct kb_gss_cred *cred)
{
    struct kb_gss_cred *old;

    (void)pthread_mutex_lock(&source->lock);
    old = source->now;
    if (old && old->users)
        old = NULL;
    source->now = cred;
    source->pause_end_ms = 0;
    cred->users++;
    (void)pthread_mutex_unlock(&source->lock);
    if (old)
        destroy(old);
}

static void pause_until(struct kb_gss_source *source, int64_t end_ms)
{
    (void)pthread_mutex_lock(&source->lock);
    source->pause_end_ms = end_ms;
    (void)pthread_mutex_unlock(&source->lock);
}

/* Within the gate: new credentials, or else the old ones as long as they do. */
static int32_t renew(struct kb_gss_source *source, const struct kbp_host *host,
                     const char *spn, struct kb_gss_cred **cred,
                     struct kbp_error *err)
{
    int32_t status;

    /* The others go on with the old ones meanwhile, if these do. */
    pause_until(source, INT64_MAX);
    status = get_new(source, spn, cred, err);
    if (status == KBP_OK) {
        source->warned = 0;
        replace(source, *cred);
        return KBP_OK;
    }
    pause_until(source, kb_mono_ms() + PAUSE_MS);
    *cred = current(source);
    if (!*cred)
        return status;
    kbp_log(host, source->warned ? KBP_LOG_DEBUG : KBP_LOG_WARN,
            "the Kerberos ticket can't be renewed yet, and is used up to its "
            "end in %lld s: %s",
            (long long)(((*cred)->end_ms - kb_mono_ms()) / 1000), err->message);
    source->warned = 1;
    return KBP_OK;
}

int32_t kb_gss_take(struct kb_gss_source *source, const struct kbp_host *host,
                    const char *spn, struct kb_gss_cred **cred,
                    struct kbp_error *err)
{
    struct kb_gss_cred *got = current(source);
    int32_t status = KBP_OK;

    if (!got) {
        status = kb_gate_enter(&source->gate, host, err);
        if (status != KBP_OK)
            return status;
        got = current(source);
        if (!got)
            status = renew(source, host, spn, &got, err);
        kb_gate_leave(&source->gate, status, err);
    }
    if (status == KBP_OK)
        *cred = got;
    return status;
}

void kb_gss_give_back(struct kb_gss_source *source, struct kb_gss_cred *cred)
{
    int last;

    if (!cred)
        return;
    (void)pthread_mutex_lock(&source->lock);
    last = --cred->users == 0 && cred != source->now;
    (void)pthread_mutex_unlock(&source->lock);
    if (last)
        destroy(cred);
}

void kb_gss_distrust(struct kb_gss_source *source,
                     const struct kb_gss_cred *cred)
{
    (void)pthread_mutex_lock(&source->lock);
    /* Whoever gives them back last destroys them. */
    if (source->now == cred)
        source->now = NULL;
    (void)pthread_mutex_unlock(&source->lock);
}

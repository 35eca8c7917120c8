/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_gssapi.c - GSSAPI (RFC 4752) with MIT Kerberos, as a plugin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_krb5.h>

#include <kafka-backup/sasl.h>
#include <kafka-backup/util.h>

#include "../common/sasl_clock.h"
#include "../common/sasl_login.h"
#include "gssapi_cred.h"
#include "gssapi_layer.h"

/* Kerberos takes one round; a broker that goes on has something else in mind */
#define ROUNDS_MAX 8

struct kbp_sasl {
    struct kb_gss_source source;
    char *service;
};

enum gssapi_at { AT_CONTEXT, AT_LAYER, AT_OUTCOME, AT_END };

struct kbp_sasl_session {
    struct kbp_sasl *sasl;
    const struct kbp_host *host;
    enum gssapi_at at;
    unsigned rounds;
    struct kb_gss_cred *cred;
    gss_name_t target;
    gss_ctx_id_t context;
    int64_t end_ms; /* of the ticket; INT64_MAX if it has none */
    char spn[256];  /* "kafka@broker", and once known the whole principal */
};

static const struct kbp_option gssapi_options[] = {
    {.name = "sasl_kerberos_service_name",
     .default_value = "kafka",
     .help = "what the broker's principal begins with: kafka/host@REALM",
     .kafka_name = "sasl.kerberos.service.name"},
    {.name = "sasl_keytab_path",
     .help = "the keytab with the client's key; without it the tickets of "
             "kinit are used",
     .type = KBP_OPTION_PATH,
     .kafka_name = "sasl.kerberos.keytab"},
    {.name = "sasl_kerberos_principal",
     .help = "who to be; without it the first in the keytab, or whose tickets "
             "there are",
     .kafka_name = "sasl.kerberos.principal"},
    {.name = "sasl_krb5_config_path",
     .help = "krb5.conf, if another than the system's; one for the process",
     .type = KBP_OPTION_PATH,
     .export_env = "KRB5_CONFIG"},
    {.name = "sasl_kerberos_ccache",
     .help = "the credentials cache to take tickets from: FILE:/tmp/krb5cc_0",
     .flags = KBP_OPTION_ADVANCED},
};

static int32_t gssapi_open(const struct kbp_host *host,
                           const struct kbp_config *config,
                           struct kbp_sasl **sasl, struct kbp_error *err)
{
    const char *service = kbp_config_get(config, "sasl_kerberos_service_name");
    struct kbp_sasl *s;
    int32_t status;

    (void)host;
    if (!service || !*service || strpbrk(service, "/@ "))
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "sasl_kerberos_service_name is '%s', and not just the "
                        "first part of the broker's principal",
                        service ? service : "");
    s = calloc(1, sizeof *s);
    if (!s)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    s->service = kb_dup(service);
    status = s->service ? kb_gss_source_open(&s->source, service, config, err)
                        : kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    if (status != KBP_OK) {
        free(s->service);
        free(s);
        return status;
    }
    *sasl = s;
    return KBP_OK;
}

static void gssapi_close(struct kbp_sasl *sasl)
{
    if (!sasl)
        return;
    kb_gss_source_close(&sasl->source);
    free(sasl->service);
    free(sasl);
}

static int32_t gssapi_session_open(struct kbp_sasl *sasl,
                                   const struct kbp_host *host,
                                   const struct kbp_sasl_peer *peer,
                                   struct kbp_sasl_session **session,
                                   struct kbp_error *err)
{
    struct kbp_sasl_session *s = calloc(1, sizeof *s);
    int n;

    if (!s)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    n = snprintf(s->spn, sizeof s->spn, "%s@%s", sasl->service, peer->host);
    if (n < 0 || (size_t)n >= sizeof s->spn) {
        free(s);
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "service and host name are too long for a principal");
    }
    s->sasl = sasl;
    s->host = host;
    s->end_ms = INT64_MAX;
    *session = s;
    return KBP_OK;
}

static void gssapi_session_close(struct kbp_sasl_session *session)
{
    OM_uint32 ignored;

    if (!session)
        return;
    if (session->context != GSS_C_NO_CONTEXT)
        (void)gss_delete_sec_context(&ignored, &session->context,
                                     GSS_C_NO_BUFFER);
    (void)gss_release_name(&ignored, &session->target);
    kb_gss_give_back(&session->sasl->source, session->cred);
    free(session);
}

static void words_of(const struct kbp_sasl_session *s,
                     struct kb_gss_words *words)
{
    kb_gss_source_words(&s->sasl->source, words);
    words->spn = s->spn;
    if (s->cred && s->cred->principal[0])
        words->principal = s->cred->principal;
}

/* kafka@broker as Kerberos has it: kafka/broker.full.name@REALM. */
static void whole_principal(struct kbp_sasl_session *s)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    gss_name_t whole = GSS_C_NO_NAME;
    OM_uint32 ignored;

    if (!GSS_ERROR(gss_canonicalize_name(
            &ignored, s->target, (gss_OID)(uintptr_t)gss_mech_krb5, &whole)) &&
        !GSS_ERROR(gss_display_name(&ignored, whole, &text, NULL)) &&
        text.length > 0)
        (void)kb_clean(s->spn, sizeof s->spn, text.value, text.length);
    (void)gss_release_buffer(&ignored, &text);
    (void)gss_release_name(&ignored, &whole);
}

static int32_t begin(struct kbp_sasl_session *s, struct kbp_error *err)
{
    gss_buffer_desc text = {strlen(s->spn), s->spn};
    struct kb_gss_words words;
    OM_uint32 major, minor;
    int32_t status;

    status = kb_gss_take(&s->sasl->source, s->host, s->spn, &s->cred, err);
    if (status != KBP_OK)
        return status;
    major = gss_import_name(&minor, &text,
                            (gss_OID)(uintptr_t)GSS_C_NT_HOSTBASED_SERVICE,
                            &s->target);
    if (!GSS_ERROR(major))
        return KBP_OK;
    words_of(s, &words);
    return kb_gss_fail(&words, "make a principal of", major, minor, err);
}

static int32_t check_flags(const struct kbp_sasl_session *s, OM_uint32 flags,
                           struct kbp_error *err)
{
    if ((flags & GSS_C_MUTUAL_FLAG) && (flags & GSS_C_INTEG_FLAG))
        return KBP_OK;
    return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                    "the broker at %s has not proven who it is", s->spn);
}

/* The broker's token in, ours out, until both sides have a context. */
static int32_t step_context(struct kbp_sasl_session *s, const void *in,
                            size_t in_len, struct kbp_sink *out,
                            struct kbp_error *err)
{
    gss_buffer_desc token_in = {in_len, (void *)(uintptr_t)in};
    gss_buffer_desc token_out = GSS_C_EMPTY_BUFFER;
    OM_uint32 major, minor, ignored, flags = 0, left = 0;
    struct kb_gss_words words;
    int32_t status = KBP_OK;

    if (s->rounds++ == 0)
        status = begin(s, err);
    else if (s->rounds > ROUNDS_MAX)
        status = kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                          "the broker goes on with challenges after %d rounds",
                          ROUNDS_MAX);
    else if (in_len == 0)
        status = kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                          "the broker says nothing where it has to prove that "
                          "it is %s",
                          s->spn);
    if (status != KBP_OK)
        return status;
    major = gss_init_sec_context(
        &minor, s->cred->id, &s->context, s->target,
        (gss_OID)(uintptr_t)gss_mech_krb5,
        GSS_C_MUTUAL_FLAG | GSS_C_SEQUENCE_FLAG | GSS_C_INTEG_FLAG, 0,
        GSS_C_NO_CHANNEL_BINDINGS, in_len ? &token_in : GSS_C_NO_BUFFER, NULL,
        &token_out, &flags, &left);
    if (GSS_ERROR(major)) {
        whole_principal(s);
        words_of(s, &words);
        status = kb_gss_fail(&words,
                             in_len ? "take the answer of" : "get a ticket for",
                             major, minor, err);
        /* With tickets from the KDC of now it may go better the next time. */
        if (in_len || status == KBP_ERR_EXPIRED)
            kb_gss_distrust(&s->sasl->source, s->cred);
    } else if (major == GSS_S_COMPLETE) {
        status = check_flags(s, flags, err);
        s->at = AT_LAYER;
        if (left != GSS_C_INDEFINITE)
            s->end_ms = kb_mono_ms() + (int64_t)left * 1000;
    }
    /* An empty token is sent, too: the broker waits for one to go on. */
    if (status == KBP_OK)
        status = kbp_sink_write(out, token_out.value, token_out.length);
    (void)gss_release_buffer(&ignored, &token_out);
    return status;
}

/* Its security layers in, our choice out: none. */
static int32_t step_layer(struct kbp_sasl_session *s, const void *in,
                          size_t in_len, struct kbp_sink *out,
                          struct kbp_error *err)
{
    gss_buffer_desc wrapped = {in_len, (void *)(uintptr_t)in};
    gss_buffer_desc plain = GSS_C_EMPTY_BUFFER, reply = GSS_C_EMPTY_BUFFER;
    gss_buffer_desc choice = {KB_GSSAPI_LAYER_LEN,
                              (void *)(uintptr_t)kb_gssapi_layer_choice};
    struct kb_gss_words words;
    OM_uint32 major, minor, ignored;
    int32_t status;

    words_of(s, &words);
    major = gss_unwrap(&minor, s->context, &wrapped, &plain, NULL, NULL);
    if (major != GSS_S_COMPLETE)
        status = kb_gss_fail(&words, "trust the security layers of", major,
                             minor, err);
    else
        status = kb_gssapi_layer_check(plain.value, plain.length, err);
    if (status == KBP_OK) {
        major = gss_wrap(&minor, s->context, 0, GSS_C_QOP_DEFAULT, &choice,
                         NULL, &reply);
        status = GSS_ERROR(major)
                     ? kb_gss_fail(&words, "answer", major, minor, err)
                     : kbp_sink_write(out, reply.value, reply.length);
    }
    (void)gss_release_buffer(&ignored, &plain);
    (void)gss_release_buffer(&ignored, &reply);
    s->at = AT_OUTCOME;
    return status;
}

static int32_t gssapi_step(struct kbp_sasl_session *session, const void *in,
                           size_t in_len, struct kbp_sink *out, int32_t *state,
                           struct kbp_error *err)
{
    int32_t status;

    if ((session->rounds == 0) != (in == NULL))
        return kbp_fail(err, KBP_ERR_MISUSE, 0,
                        "GSSAPI: the first step takes no answer, and only "
                        "that");
    switch (session->at) {
    case AT_CONTEXT:
        status = step_context(session, in, in_len, out, err);
        break;
    case AT_LAYER:
        status = step_layer(session, in, in_len, out, err);
        break;
    case AT_OUTCOME:
        session->at = AT_END;
        if (in_len)
            return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                            "the broker goes on after the end of GSSAPI");
        *state = KBP_SASL_DONE;
        return KBP_OK;
    default:
        return kbp_fail(err, KBP_ERR_MISUSE, 0, "GSSAPI is at its end");
    }
    if (status != KBP_OK) {
        session->at = AT_END;
        return status;
    }
    *state = KBP_SASL_CONTINUE;
    return KBP_OK;
}

static int32_t gssapi_explain(struct kbp_sasl_session *session,
                              int32_t kafka_error, const char *text,
                              size_t text_len, struct kbp_error *err)
{
    char who[KBP_MESSAGE_MAX], hint[KBP_MESSAGE_MAX];
    struct kb_gss_words words;

    kb_gss_distrust(&session->sasl->source, session->cred);
    if (session->target != GSS_C_NO_NAME)
        whole_principal(session);
    words_of(session, &words);
    (void)snprintf(who, sizeof who, "the ticket for ");
    (void)kb_gss_about(&words, who + strlen(who), sizeof who - strlen(who));
    (void)snprintf(hint, sizeof hint,
                   "the broker can't use it: compare kvno %.120s with klist "
                   "-kte of the broker's keytab (its key may have been "
                   "changed); check the clocks, rdns = false in krb5.conf, "
                   "and the broker's sasl.kerberos.principal.to.local.rules",
                   session->spn);
    return kb_sasl_refused(kafka_error, who, hint, text, text_len, err);
}

static int64_t gssapi_lifetime_ms(struct kbp_sasl_session *session)
{
    int64_t left;

    if (session->end_ms == INT64_MAX)
        return -1;
    left = session->end_ms - kb_mono_ms();
    return left > 0 ? left : 0;
}

static const struct kbp_sasl_type gssapi_type = {
    .struct_size = sizeof gssapi_type,
    .flags = KBP_SASL_MUTUAL,
    .name = "GSSAPI",
    .summary = "Kerberos, from a keytab or the tickets of kinit",
    .options = KBP_OPTIONS(gssapi_options),
    .open = gssapi_open,
    .close = gssapi_close,
    .session_open = gssapi_session_open,
    .session_close = gssapi_session_close,
    .step = gssapi_step,
    .explain = gssapi_explain,
    .lifetime_ms = gssapi_lifetime_ms,
};

static const struct kbp_sasl_type *const gssapi_types[] = {&gssapi_type, NULL};

const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "sasl_gssapi",
    .version = KB_PLUGIN_VERSION,
    .vendor = "kafka-backup",
    .license = "Apache-2.0",
    .sasl = gssapi_types,
};

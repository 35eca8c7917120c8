/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_sasl_gssapi.c - a broker's side of GSSAPI, with a Kerberos that does as
 * the input says.
 *
 * libkrb5 is the real one and sees none of it; the calls of GSSAPI are here:
 * the first byte of each answer says how the call ends.
 */
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>

#include "fuzz_host.h"
#include "fuzz_target.h"

static OM_uint32 give(gss_buffer_t out, const void *bytes, size_t len)
{
    /* gss_release_buffer() frees nothing of an empty one. */
    out->value = NULL;
    out->length = len;
    if (!len)
        return GSS_S_COMPLETE;
    out->value = malloc(len);
    if (!out->value)
        abort();
    memcpy(out->value, bytes, len);
    return GSS_S_COMPLETE;
}

OM_uint32 gss_acquire_cred_from(OM_uint32 *minor, gss_name_t name,
                                OM_uint32 time, gss_OID_set mechs,
                                gss_cred_usage_t usage,
                                gss_const_key_value_set_t store,
                                gss_cred_id_t *cred, gss_OID_set *actual,
                                OM_uint32 *left)
{
    (void)name, (void)time, (void)mechs, (void)usage, (void)store;
    (void)actual, (void)left;
    *minor = 0;
    *cred = (gss_cred_id_t)malloc(1);
    return GSS_S_COMPLETE;
}

OM_uint32 gss_inquire_cred(OM_uint32 *minor, gss_cred_id_t cred,
                           gss_name_t *name, OM_uint32 *left,
                           gss_cred_usage_t *usage, gss_OID_set *mechs)
{
    (void)cred, (void)usage, (void)mechs;
    *minor = 0;
    *name = GSS_C_NO_NAME;
    *left = 3600;
    return GSS_S_COMPLETE;
}

OM_uint32 gss_release_cred(OM_uint32 *minor, gss_cred_id_t *cred)
{
    *minor = 0;
    free(*cred);
    *cred = GSS_C_NO_CREDENTIAL;
    return GSS_S_COMPLETE;
}

OM_uint32 gss_init_sec_context(OM_uint32 *minor, gss_cred_id_t cred,
                               gss_ctx_id_t *context, gss_name_t target,
                               gss_OID mech, OM_uint32 want, OM_uint32 time,
                               gss_channel_bindings_t bindings, gss_buffer_t in,
                               gss_OID *actual, gss_buffer_t out,
                               OM_uint32 *flags, OM_uint32 *left)
{
    uint8_t how = in && in->length ? *(uint8_t *)in->value : 'c';

    (void)cred, (void)target, (void)mech, (void)want, (void)time;
    (void)bindings, (void)actual;
    *minor = 0;
    *flags = how == 'f' ? 0 : GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG;
    *left = how == 'i' ? GSS_C_INDEFINITE : how;
    if (how == 'e')
        return GSS_S_DEFECTIVE_TOKEN;
    if (how == 'm') {
        *minor = in->length > 4 ? ((uint8_t *)in->value)[1] * 0x01000193u : 7;
        return GSS_S_FAILURE;
    }
    if (!*context)
        *context = (gss_ctx_id_t)malloc(1);
    (void)give(out, in ? in->value : "token", in ? in->length : 5);
    return how == 'c' ? GSS_S_CONTINUE_NEEDED : GSS_S_COMPLETE;
}

OM_uint32 gss_delete_sec_context(OM_uint32 *minor, gss_ctx_id_t *context,
                                 gss_buffer_t out)
{
    (void)out;
    *minor = 0;
    free(*context);
    *context = GSS_C_NO_CONTEXT;
    return GSS_S_COMPLETE;
}

OM_uint32 gss_unwrap(OM_uint32 *minor, gss_ctx_id_t context, gss_buffer_t in,
                     gss_buffer_t out, int *conf, gss_qop_t *qop)
{
    (void)context, (void)conf, (void)qop;
    *minor = 0;
    if (!in->length)
        return GSS_S_CALL_BAD_STRUCTURE;
    if (*(uint8_t *)in->value == 'e')
        return GSS_S_BAD_SIG;
    return give(out, (uint8_t *)in->value + 1, in->length - 1);
}

OM_uint32 gss_wrap(OM_uint32 *minor, gss_ctx_id_t context, int conf,
                   gss_qop_t qop, gss_buffer_t in, int *was, gss_buffer_t out)
{
    (void)context, (void)conf, (void)qop, (void)was;
    *minor = 0;
    return give(out, in->value, in->length);
}

/* Some codes have several lines, and lines with strange bytes. */
OM_uint32 gss_display_status(OM_uint32 *minor, OM_uint32 status, int type,
                             gss_OID mech, OM_uint32 *more, gss_buffer_t line)
{
    (void)type, (void)mech;
    *minor = 0;
    *more = *more < status % 7 ? *more + 1 : 0;
    return status % 11 ? give(line, "why\n\xff\0 not", status % 10)
                       : GSS_S_BAD_STATUS;
}

/* The real one asks DNS. */
OM_uint32 gss_canonicalize_name(OM_uint32 *minor, const gss_name_t name,
                                const gss_OID mech, gss_name_t *out)
{
    (void)name, (void)mech;
    *minor = 0;
    *out = GSS_C_NO_NAME;
    return GSS_S_BAD_NAME;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct kbp_setting settings[] = {
        {"sasl_kerberos_service_name", "kafka", 5}};
    static const struct kbp_config config = {.struct_size = sizeof config,
                                             .count = 1,
                                             .items = settings,
                                             .item_size = sizeof settings[0]};
    const struct kbp_sasl_type *type = kafka_backup_plugin.sasl[0];
    struct kbp_error err = {.struct_size = sizeof err};
    static struct kbp_sasl *sasl;

    if (!sasl && type->open(&fuzz_host, &config, &sasl, &err) != KBP_OK)
        abort();
    (void)fuzz_handshake(type, sasl, data, size, '\n');
    return 0;
}

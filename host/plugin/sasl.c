/* SPDX-License-Identifier: Apache-2.0 */
/* sasl.c - SASL handshakes through mechanism plugins: bytes in, bytes out. */
#include "plugin/sasl.h"

#include <stdlib.h>
#include <string.h>

#include "base/stop.h"
#include "plugin/instance.h"

struct kb_sasl {
    struct kb_instance instance;
    const struct kbp_sasl_type *type;
    struct kbp_sasl *handle;
};

struct kb_sasl_session {
    struct kb_sasl *sasl;
    struct kb_host host;
    struct kbp_sasl_session *handle;
    struct kbp_sasl_peer peer;
};

static int32_t call_open(void *owner, struct kbp_error *err)
{
    struct kb_sasl *sasl = owner;

    return sasl->type->open(&sasl->instance.host.host,
                            &sasl->instance.settings.config, &sasl->handle,
                            err);
}

static void call_close(void *owner)
{
    struct kb_sasl *sasl = owner;

    sasl->type->close(sasl->handle);
}

static const struct kb_plugin_calls instance_calls = {call_open, call_close};

int kb_sasl_open(struct kb_registry *registry, const char *name,
                 const struct kb_kv *kvs, size_t count, struct kb_sasl **sasl,
                 struct kbp_error *err)
{
    const struct kb_type *type;
    struct kb_sasl *opened;
    int status = kb_registry_find(registry, KB_KIND_SASL, name, &type, err);

    if (status != KBP_OK)
        return status;
    opened = calloc(1, sizeof *opened);
    if (!opened)
        return kb_fail_nomem(err, "a SASL mechanism");
    opened->type = &type->table.sasl;
    status = kb_instance_open(&opened->instance, registry, type, NULL, kvs,
                              count, NULL, &instance_calls, opened, err);
    if (status != KBP_OK) {
        free(opened);
        return status;
    }
    *sasl = opened;
    return KBP_OK;
}

void kb_sasl_close(struct kb_sasl *sasl)
{
    if (!sasl)
        return;
    kb_instance_close(&sasl->instance, &instance_calls, sasl);
    free(sasl);
}

const struct kbp_sasl_type *kb_sasl_type(const struct kb_sasl *sasl)
{
    return sasl->type;
}

const char *kb_sasl_mechanism(const struct kb_sasl *sasl)
{
    return sasl->type->mechanism ? sasl->type->mechanism : sasl->type->name;
}

static int32_t call_session_open(void *owner, struct kbp_error *err)
{
    struct kb_sasl_session *session = owner;
    struct kb_sasl *sasl = session->sasl;

    return sasl->type->session_open(sasl->handle, &session->host.host,
                                    &session->peer, &session->handle, err);
}

static void call_session_close(void *owner)
{
    struct kb_sasl_session *session = owner;

    session->sasl->type->session_close(session->handle);
}

static const struct kb_plugin_calls session_calls = {call_session_open,
                                                     call_session_close};

int kb_sasl_session_open(struct kb_sasl *sasl, const struct kbp_sasl_peer *peer,
                         struct kb_stop *stop, struct kb_sasl_session **session,
                         struct kbp_error *err)
{
    struct kb_sasl_session *opened = calloc(1, sizeof *opened);
    int status;

    if (!opened)
        return kb_fail_nomem(err, "a SASL session");
    opened->sasl = sasl;
    opened->peer = *peer;
    opened->peer.struct_size = sizeof opened->peer;
    status = kb_instance_session_open(&sasl->instance, &opened->host, stop,
                                      &session_calls, opened, err);
    if (status != KBP_OK) {
        free(opened);
        return status;
    }
    *session = opened;
    return KBP_OK;
}

void kb_sasl_session_close(struct kb_sasl_session *session)
{
    if (!session)
        return;
    kb_instance_session_close(&session->host, &session_calls, session);
    free(session);
}

int kb_sasl_step(struct kb_sasl_session *session, const void *in, size_t in_len,
                 int64_t deadline_ms, struct kb_buf *out, bool *done,
                 struct kbp_error *err)
{
    const struct kbp_sasl_type *type = session->sasl->type;
    struct kbp_sink sink = kb_buf_sink(out, KBP_SASL_MAX_BYTES);
    int32_t state = 0;
    int status;

    if (in_len > KBP_SASL_MAX_BYTES)
        return kb_fail(err, KBP_ERR_PROTOCOL,
                       "SASL %s: the broker sent %zu bytes at once", type->name,
                       in_len);
    kb_err_clear(err);
    kb_host_deadline(&session->host, deadline_ms);
    status = type->step(session->handle, in, in_len, &sink, &state, err);
    status = kb_host_result(&session->host, status, err);
    if (status != KBP_OK)
        return kb_err_wrap(err, "SASL %s", type->name);
    if (state != KBP_SASL_CONTINUE && state != KBP_SASL_DONE)
        return kb_fail(err, KBP_ERR_INTERNAL,
                       "SASL %s: the plugin left the unknown state %d",
                       type->name, (int)state);
    *done = state == KBP_SASL_DONE;
    return KBP_OK;
}

int kb_sasl_explain(struct kb_sasl_session *session, int32_t kafka_error,
                    const char *text, size_t text_len, struct kbp_error *err)
{
    const struct kbp_sasl_type *type = session->sasl->type;
    int status = KBP_OK;

    kb_err_clear(err);
    if (type->explain) {
        status =
            type->explain(session->handle, kafka_error, text, text_len, err);
        status = kb_host_result(&session->host, status, err);
    }
    if (status == KBP_OK)
        status = kb_fail(err, KBP_ERR_AUTH, "%.*s",
                         (int)(text_len > 400 ? 400 : text_len),
                         text_len ? text : "authentication failed");
    return kb_err_wrap(err, "SASL %s", type->name);
}

int64_t kb_sasl_lifetime_ms(struct kb_sasl_session *session)
{
    const struct kbp_sasl_type *type = session->sasl->type;

    return type->lifetime_ms ? type->lifetime_ms(session->handle) : -1;
}

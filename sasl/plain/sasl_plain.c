/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_plain.c - PLAIN, RFC 4616: user and password as they are. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <kafka-backup/sasl.h>
#include <kafka-backup/util.h>

#include "../common/sasl_login.h"

struct kbp_sasl {
    const struct kbp_host *host;
    struct kb_login login;
    atomic_bool warned; /* that it goes without TLS; once is enough */
};

struct kbp_sasl_session {
    struct kbp_sasl *sasl;
    int sent;
};

static const struct kbp_option plain_options[] = {
    KB_LOGIN_OPTIONS,
};

static int32_t plain_open(const struct kbp_host *host,
                          const struct kbp_config *config,
                          struct kbp_sasl **sasl, struct kbp_error *err)
{
    struct kbp_sasl *plain = calloc(1, sizeof *plain);
    int32_t status;

    if (!plain)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    plain->host = host;
    status = kb_login_open(&plain->login, config, err);
    if (status != KBP_OK) {
        free(plain);
        return status;
    }
    *sasl = plain;
    return KBP_OK;
}

static void plain_close(struct kbp_sasl *sasl)
{
    if (!sasl)
        return;
    kb_login_close(&sasl->login);
    free(sasl);
}

static int32_t plain_session_open(struct kbp_sasl *sasl,
                                  const struct kbp_host *host,
                                  const struct kbp_sasl_peer *peer,
                                  struct kbp_sasl_session **session,
                                  struct kbp_error *err)
{
    struct kbp_sasl_session *s = calloc(1, sizeof *s);

    if (!s)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    /* The host warns by KBP_SASL_CLEAR_SECRET; this says which broker. */
    if (!(peer->flags & KBP_SASL_TLS) && !atomic_exchange(&sasl->warned, true))
        kbp_log(host, KBP_LOG_INFO,
                "PLAIN without TLS: the password of %s goes to %s:%u readable "
                "for everyone on the way; use SASL_SSL or SCRAM",
                sasl->login.user, peer->host, (unsigned)peer->port);
    s->sasl = sasl;
    *session = s;
    return KBP_OK;
}

static void plain_session_close(struct kbp_sasl_session *session)
{
    free(session);
}

static int32_t send_credentials(const struct kbp_sasl *sasl,
                                struct kbp_sink *out, struct kbp_error *err)
{
    struct kb_text text;
    int32_t status;

    /* [authzid] NUL authcid NUL passwd; Kafka wants no authzid. */
    kb_text_init(&text, 2 * KB_LOGIN_MAX + 2);
    kb_text_add(&text, "", 1);
    kb_text_puts(&text, sasl->login.user);
    kb_text_add(&text, "", 1);
    status = kb_login_password(&sasl->login, &text, err);
    if (status == KBP_OK)
        status = kbp_sink_write(out, text.bytes, text.len);
    kb_text_release(&text);
    return status;
}

static int32_t plain_step(struct kbp_sasl_session *session, const void *in,
                          size_t in_len, struct kbp_sink *out, int32_t *state,
                          struct kbp_error *err)
{
    int32_t status;

    if (session->sent != (in != NULL))
        return kbp_fail(err, KBP_ERR_MISUSE, 0,
                        "PLAIN: the first step takes no answer, and only that");
    if (session->sent) {
        if (in_len)
            return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                            "the broker answers PLAIN with a challenge of %zu "
                            "bytes, which PLAIN doesn't have",
                            in_len);
        *state = KBP_SASL_DONE;
        return KBP_OK;
    }
    status = send_credentials(session->sasl, out, err);
    if (status != KBP_OK)
        return status;
    session->sent = 1;
    *state = KBP_SASL_CONTINUE;
    return KBP_OK;
}

static int32_t plain_explain(struct kbp_sasl_session *session,
                             int32_t kafka_error, const char *text,
                             size_t text_len, struct kbp_error *err)
{
    char who[160];

    (void)snprintf(who, sizeof who, "user %.100s", session->sasl->login.user);
    return kb_sasl_refused(kafka_error, who,
                           "check sasl_username and sasl_password, and that "
                           "this listener knows the user for PLAIN",
                           text, text_len, err);
}

static const struct kbp_sasl_type plain_type = {
    .struct_size = sizeof plain_type,
    .flags = KBP_SASL_CLEAR_SECRET,
    .name = "PLAIN",
    .summary = "user and password as they are; wants TLS",
    .options = KBP_OPTIONS(plain_options),
    .open = plain_open,
    .close = plain_close,
    .session_open = plain_session_open,
    .session_close = plain_session_close,
    .step = plain_step,
    .explain = plain_explain,
};

static const struct kbp_sasl_type *const plain_types[] = {&plain_type, NULL};

const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "sasl_plain",
    .version = KB_PLUGIN_VERSION,
    .vendor = "kafka-backup",
    .license = "Apache-2.0",
    .sasl = plain_types,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* codec_wrongkind.c - a SASL mechanism in a codec's file. */
#include <kafka-backup/sasl.h>

struct kbp_sasl {
    char unused;
};
struct kbp_sasl_session {
    char unused;
};

static int32_t refuse_open(const struct kbp_host *host,
                           const struct kbp_config *config,
                           struct kbp_sasl **sasl, struct kbp_error *err)
{
    (void)host;
    (void)config;
    (void)sasl;
    (void)err;
    return KBP_ERR_UNSUPPORTED;
}

static void close_it(struct kbp_sasl *sasl)
{
    (void)sasl;
}

static int32_t refuse_session(struct kbp_sasl *sasl,
                              const struct kbp_host *host,
                              const struct kbp_sasl_peer *peer,
                              struct kbp_sasl_session **session,
                              struct kbp_error *err)
{
    (void)sasl;
    (void)host;
    (void)peer;
    (void)session;
    (void)err;
    return KBP_ERR_UNSUPPORTED;
}

static void close_session(struct kbp_sasl_session *session)
{
    (void)session;
}

static int32_t refuse_step(struct kbp_sasl_session *session, const void *in,
                           size_t in_len, struct kbp_sink *out, int32_t *state,
                           struct kbp_error *err)
{
    (void)session;
    (void)in;
    (void)in_len;
    (void)out;
    (void)state;
    (void)err;
    return KBP_ERR_UNSUPPORTED;
}

static const struct kbp_sasl_type type = {
    .struct_size = sizeof type,
    .name = "wrongkind",
    .summary = "an exhibit",
    .open = refuse_open,
    .close = close_it,
    .session_open = refuse_session,
    .session_close = close_session,
    .step = refuse_step,
};
static const struct kbp_sasl_type *const types[] = {&type, NULL};

const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "codec_wrongkind",
    .version = "1.0.0",
    .vendor = "museum",
    .license = "Apache-2.0",
    .sasl = types,
};

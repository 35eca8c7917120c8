/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sasl.h - SASL handshakes through mechanism plugins: bytes in, bytes out.
 *
 * An instance (struct kb_sasl) is a mechanism with credentials and is shared;
 * a session is one handshake with one broker.
 */
#ifndef KB_PLUGIN_SASL_H
#define KB_PLUGIN_SASL_H

#include "base/buf.h"
#include "plugin/registry.h"
#include "plugin/settings.h"

struct kb_stop;
struct kb_sasl;
struct kb_sasl_session;

/*
 * Open a mechanism by its name or alias ("SCRAM-SHA-512").  The registry
 * outlives it.  [any thread]
 */
int kb_sasl_open(struct kb_registry *registry, const char *name,
                 const struct kb_kv *kvs, size_t count, struct kb_sasl **sasl,
                 struct kbp_error *err);

/* All its sessions are closed.  NULL is fine.  [any thread] */
void kb_sasl_close(struct kb_sasl *sasl);

/* Flags and options.  Constant.  [any thread] */
const struct kbp_sasl_type *kb_sasl_type(const struct kb_sasl *sasl);

/* What SaslHandshake asks for.  Constant.  [any thread] */
const char *kb_sasl_mechanism(const struct kb_sasl *sasl);

/*
 * Begin a handshake.  What `peer` points to, and `stop` (may be NULL), outlive
 * the session.  [any thread]
 */
int kb_sasl_session_open(struct kb_sasl *sasl, const struct kbp_sasl_peer *peer,
                         struct kb_stop *stop, struct kb_sasl_session **session,
                         struct kbp_error *err);
void kb_sasl_session_close(struct kb_sasl_session *session); /* or NULL */

/*
 * One step, to be done by `deadline_ms` (of kb_now_ms(), or KB_NEVER).  `in` is
 * NULL the first time only.  The answer is appended to `out`; `*done` is true
 * when the mechanism needs no more.  After a failure the session can only be
 * explained and closed.  [the session's]
 */
int kb_sasl_step(struct kb_sasl_session *session, const void *in, size_t in_len,
                 int64_t deadline_ms, struct kb_buf *out, bool *done,
                 struct kbp_error *err);

/*
 * The broker refused: fill in `err` with what the mechanism makes of Kafka's
 * error code and text, and return the status; never KBP_OK.
 */
int kb_sasl_explain(struct kb_sasl_session *session, int32_t kafka_error,
                    const char *text, size_t text_len, struct kbp_error *err);

/* After the last step: ms for which the credentials are good, -1: unknown. */
int64_t kb_sasl_lifetime_ms(struct kb_sasl_session *session);

#endif

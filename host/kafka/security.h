/* SPDX-License-Identifier: Apache-2.0 */
/*
 * security.h - the seam for TLS and SASL: what conn.c asks of them.
 *
 * conn.c knows no TLS and no mechanism: it hands over the stream it dialled,
 * and carries the frames of the SASL exchange, which does no I/O of its own.
 */
#ifndef KB_KAFKA_SECURITY_H
#define KB_KAFKA_SECURITY_H

#include "base/buf.h"
#include "kafka/stream.h"

/* Whom a connection goes to. */
struct kb_peer {
    const char *host; /* as advertised: certificates and tickets are for it */
    uint16_t port;
    const char *client_id;
    const char *user;     /* who sends requests over it, for the log; or NULL */
    struct kb_stop *stop; /* ends what the connection waits for; or NULL */
};

struct kb_security;
struct kb_login; /* one connection's SASL exchange, and its renewal */

struct kb_security_ops {
    /*
     * Put TLS around the stream: on success `*stream` is the new one, which
     * owns the old one; on failure the old one stays the caller's.  NULL:
     * no TLS.
     */
    int (*wrap)(struct kb_security *security, const struct kb_peer *peer,
                struct kb_stream **stream, int64_t deadline_ms,
                struct kbp_error *err);

    /*
     * Begin an exchange for a new connection, which has until `deadline_ms`;
     * the peer's stop outlives it.  NULL: no SASL.
     */
    int (*login_open)(struct kb_security *security, const struct kb_peer *peer,
                      int64_t deadline_ms, struct kb_login **login,
                      struct kbp_error *err);

    /*
     * One step: `in` is the frame that came, behind its length (NULL at the
     * start of an exchange); append the next frame to `out`, with its length
     * in front, or nothing when the exchange is over and well.  May wait for
     * a plugin.
     */
    int (*login_step)(struct kb_login *login, const uint8_t *in, size_t in_len,
                      struct kb_buf *out, struct kbp_error *err);

    /*
     * When to authenticate again (kb_now_ms(); KB_NEVER).  Then login_step()
     * with NULL begins the next exchange, at a boundary between requests.
     */
    int64_t (*login_renew_at_ms)(const struct kb_login *login);

    void (*login_close)(struct kb_login *login);
};

/* What every kb_security begins with. [any thread] */
struct kb_security {
    const struct kb_security_ops *ops;
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* conn_explain.c - what it may mean that a connection is of no use. */
#include "kafka/conn_impl.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"

/* The broker has shown already that it is one and does SASL. */
static bool amid_login(const struct kb_conn *conn)
{
    return conn->logging_in && conn->login_answers > 0;
}

int kb_conn_no_frame(const struct kb_conn *conn, const uint8_t head[4],
                     size_t max, struct kbp_error *err)
{
    bool first = conn->answers == 0;
    const char *hint = "check host and port: this may be no Kafka broker";

    if (amid_login(conn))
        return kb_fail(err, KBP_ERR_PROTOCOL,
                       "an answer of %" PRIu32 " bytes in the middle of SASL "
                       "authentication, where at most %zu are taken",
                       kb_load_be32(head), max);
    if (head[0] == 0x15 && head[1] == 0x03) {
        (void)kb_fail(err, KBP_ERR_PROTOCOL,
                      "the answer is a TLS alert: this listener wants TLS");
        hint = "set security_protocol to SSL or SASL_SSL, or use the port of "
               "a plaintext listener";
    } else if (memcmp(head, "HTTP", 4) == 0) {
        (void)kb_fail(err, KBP_ERR_PROTOCOL,
                      "the answer is HTTP: this is no Kafka broker");
    } else {
        (void)kb_fail(err, KBP_ERR_PROTOCOL,
                      "an answer of impossible length (first bytes %02x %02x "
                      "%02x %02x)%s",
                      head[0], head[1], head[2], head[3],
                      first ? ": this is no Kafka broker" : "");
    }
    if (first)
        kb_err_hint(err, "%s", hint);
    return KBP_ERR_PROTOCOL;
}

static void explain_login(const struct kb_conn *conn, struct kbp_error *err)
{
    if (err->status != KBP_ERR_TIMEOUT && err->status != KBP_ERR_IO)
        return;
    if (err->status == KBP_ERR_TIMEOUT)
        kb_err_hint(err, "the broker hangs, or what it asks about its users "
                         "does");
    else
        kb_err_hint(err, "the broker's log says why; it closes without a word "
                         "when it shuts down, or takes a Kerberos error for a "
                         "passing one");
    if (err->status == KBP_ERR_IO && !conn->ready)
        err->status = KBP_ERR_UNAVAILABLE;
    (void)kb_err_wrap(err, "in the middle of SASL authentication");
}

void kb_conn_explain(const struct kb_conn *conn, size_t got,
                     struct kbp_error *err)
{
    bool first = conn->answers == 0 && conn->login_answers == 0;

    if (amid_login(conn)) {
        explain_login(conn, err);
        return;
    }
    if (err->status == KBP_ERR_TIMEOUT && first)
        kb_err_hint(err, "it took the connection but doesn't answer: this may "
                         "be a TLS listener or no Kafka broker at all, or the "
                         "broker hangs");
    if (err->status != KBP_ERR_IO)
        return;
    if (got > 0) {
        (void)kb_err_wrap(err, "in the middle of an answer");
    } else if (conn->answers == 0) {
        (void)kb_err_wrap(err, "before the first answer");
        err->status = KBP_ERR_UNAVAILABLE;
        kb_err_hint(err, "%s",
                    first ? "this may be a TLS listener, no Kafka broker at "
                            "all, or a broker that takes no more connections "
                            "(max.connections) or is shutting down"
                          : "it took the authentication, so the broker may "
                            "be shutting down");
    } else if (conn->answers == 1 && !conn->login) {
        (void)kb_err_wrap(err, "at the first request");
        kb_err_hint(err, "this may be a listener that wants SASL: compare "
                         "security_protocol with the broker's listeners");
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pump.h - carries one connection of a librdkafka over our transport.
 *
 * librdkafka believes that the pump is a broker with SASL PLAIN on a plaintext
 * socket (one end of a socketpair).  The pump dials the real one, does TLS and
 * the real SASL, answers librdkafka's handshake with how that went - so that
 * our error text reaches the application - and then copies frames.  When the
 * session is about to end it puts a re-authentication between two requests
 * (KIP-368) and keeps its answers to itself.
 *
 *     librdkafka <- socketpair -> pump <- TLS, SASL -> broker
 *
 * Used by the program's own control plane (bridge.h) and, in other people's
 * programs, by plugins/rdkafka.
 */
#ifndef KB_KAFKA_PUMP_H
#define KB_KAFKA_PUMP_H

#include "kafka/conn.h"
#include "kafka/security.h"

struct kb_pump_options {
    const struct kb_net_config *net; /* outlives the pump; its `security` */
    const char *host;                /* as advertised */
    uint16_t port;
    int app_fd; /* our end of the socketpair; the pump's from now on */
    bool relay; /* librdkafka's own SASL passes as it is, over our TLS */
    const struct kbp_error *refused; /* told instead of dialling; or NULL */
    /*
     * Called once with the user and password that librdkafka was given, which
     * are good for the call: the security to log in with, NULL for that of
     * `net`; or an error.  May be NULL.
     */
    int (*credentials)(void *data, const char *user, const char *password,
                       struct kb_security **security, struct kbp_error *err);
    /* What went wrong, once, for a log; may be NULL. */
    void (*failed)(void *data, const struct kbp_error *err);
    void *data;
};

/*
 * Carry the connection until either side ends it or net->stop is requested.
 * Closes `app_fd`.  Runs on the caller's thread.
 */
void kb_pump_run(const struct kb_pump_options *options);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_bridge.c - give the control plane's librdkafka connections of our
 * transport: the same TLS, SASL plugins and re-authentication as the data
 * plane has.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/admin_impl.h"
#include "kafka/pump_set.h"

static int socket_cb(int domain, int type, int protocol, void *opaque)
{
    const struct kb_admin *admin = opaque;

    (void)domain;
    (void)type;
    (void)protocol;
    return kb_pump_set_socket(admin->pumps);
}

static int connect_cb(int fd, const struct sockaddr *addr, int addrlen,
                      const char *id, void *opaque)
{
    const struct kb_admin *admin = opaque;

    (void)addr;
    (void)addrlen;
    return kb_pump_set_connect(admin->pumps, fd, id);
}

static int closesocket_cb(int fd, void *opaque)
{
    const struct kb_admin *admin = opaque;

    return kb_pump_set_close(admin->pumps, fd);
}

/*
 * The pump finds the host by itself, overrides included; librdkafka only needs
 * an address to go on with.  Without a node: free what was returned.
 */
static int resolve_cb(const char *node, const char *service,
                      const struct addrinfo *hints, struct addrinfo **res,
                      void *opaque)
{
    struct {
        struct addrinfo info; /* first: free() of it frees both */
        struct sockaddr_in addr;
    } * one;

    (void)service;
    (void)hints;
    (void)opaque;
    if (!node) {
        free(*res);
        return 0;
    }
    one = calloc(1, sizeof *one);
    if (!one)
        return EAI_MEMORY;
    one->addr.sin_family = AF_INET;
    one->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    one->info.ai_family = AF_INET;
    one->info.ai_socktype = SOCK_STREAM;
    one->info.ai_addrlen = sizeof one->addr;
    one->info.ai_addr = (struct sockaddr *)&one->addr;
    *res = &one->info;
    return 0;
}

static void failed(void *data, const struct kbp_error *err)
{
    kb_admin_note_error(data, err->message);
}

int kb_admin_bridge(struct kb_admin *admin, rd_kafka_conf_t *conf,
                    struct kbp_error *err)
{
    /* PLAIN towards the pump, which answers with what became of the real
       thing; user and password are for show. */
    static const char *const properties[][2] = {
        {"security.protocol", "sasl_plaintext"},
        {"sasl.mechanisms", "PLAIN"},
        {"sasl.username", "kafka-backup"},
        {"sasl.password", "-"},
        {"api.version.request.timeout.ms", "60000"},
        {"socket.nagle.disable", "false"},    /* a socketpair has none */
        {"socket.keepalive.enable", "false"}, /* the pump's has it */
    };
    struct kb_pump_options options = {
        .net = &admin->net, .failed = failed, .data = admin};
    char text[256];
    size_t i;

    for (i = 0; i < sizeof properties / sizeof properties[0]; i++)
        if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], text,
                              sizeof text) != RD_KAFKA_CONF_OK)
            return kb_fail(err, KBP_ERR_INTERNAL, "librdkafka: %s: %s",
                           properties[i][0], text);
    rd_kafka_conf_set_socket_cb(conf, socket_cb);
    rd_kafka_conf_set_connect_cb(conf, connect_cb);
    rd_kafka_conf_set_closesocket_cb(conf, closesocket_cb);
    rd_kafka_conf_set_resolve_cb(conf, resolve_cb);
    return kb_pump_set_new(&options, &admin->pumps, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp.c - dial a broker: names, all addresses, overrides, socket options.
 *
 * An address which doesn't answer takes its share of the deadline and no
 * more, so that the next one still has its turn.
 */
#include "kafka/tcp.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

void kb_tcp_override(const struct kb_net_config *net, const char *host,
                     uint16_t port, const char **real_host, uint16_t *real_port)
{
    size_t i;

    *real_host = host;
    *real_port = port;
    for (i = 0; i < net->override_count; i++) {
        const struct kb_broker_override *o = &net->overrides[i];

        if (strcmp(o->from_host, host) != 0 ||
            (o->from_port && o->from_port != port))
            continue;
        *real_host = o->to_host;
        if (o->to_port)
            *real_port = o->to_port;
        return;
    }
}

static void set_options(const struct kb_net_config *net, int fd)
{
    int on = 1;

    if (net->tcp_nodelay)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!net->tcp_keepalive)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (net->keepalive_time_secs > 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE,
                         &net->keepalive_time_secs,
                         sizeof net->keepalive_time_secs);
    if (net->keepalive_interval_secs > 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL,
                         &net->keepalive_interval_secs,
                         sizeof net->keepalive_interval_secs);
}

/* Wait until the connect() is over: 0 or an errno; ECANCELED for a stop. */
static int connected(int fd, int64_t deadline_ms, struct kb_stop *stop)
{
    struct kb_stream stream = {.fd = fd, .stop = stop};
    struct kbp_error err = KB_ERR_INIT;
    int failed = 0;
    socklen_t len = sizeof failed;

    switch (kb_stream_wait(&stream, POLLOUT, deadline_ms, &err)) {
    case KBP_OK:
        break;
    case KBP_ERR_CANCELLED:
        return ECANCELED;
    case KBP_ERR_TIMEOUT:
        return ETIMEDOUT;
    default:
        return EIO;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0)
        return errno;
    return failed;
}

/* Connect to one address; 0 and `*out`, or an errno. */
static int try_address(const struct kb_net_config *net,
                       const struct addrinfo *to, int64_t deadline_ms, int *out)
{
    int fd =
        socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
               to->ai_protocol);
    int failed = 0;

    if (fd < 0)
        return errno;
    set_options(net, fd);
    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0)
        failed = errno == EINPROGRESS || errno == EINTR
                     ? connected(fd, deadline_ms, net->stop)
                     : errno;
    if (failed) {
        (void)close(fd);
        return failed;
    }
    *out = fd;
    return 0;
}

static void address_text(const struct addrinfo *to, char *out, size_t size)
{
    char host[NI_MAXHOST];

    if (getnameinfo(to->ai_addr, to->ai_addrlen, host, sizeof host, NULL, 0,
                    NI_NUMERICHOST) != 0)
        (void)snprintf(host, sizeof host, "?");
    (void)snprintf(out, size, "%s", host);
}

static int resolve(const char *host, uint16_t port, struct addrinfo **list,
                   struct kbp_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_ADDRCONFIG};
    char service[8];
    int rc;

    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    rc = getaddrinfo(host, service, &hints, list);
    /* Without any address but loopback, AI_ADDRCONFIG hides ::1 and names. */
    if (rc != 0) {
        hints.ai_flags = 0;
        rc = getaddrinfo(host, service, &hints, list);
    }
    if (rc == 0)
        return KBP_OK;
    (void)kb_fail(err, KBP_ERR_UNAVAILABLE, "can't find the host \"%s\": %s",
                  host, gai_strerror(rc));
    kb_err_hint(err, "check the spelling in bootstrap_servers (or, for an "
                     "advertised address, broker_overrides) and DNS");
    return KBP_ERR_UNAVAILABLE;
}

static int report(const struct addrinfo *last, unsigned tried, uint16_t port,
                  int failed, struct kbp_error *err)
{
    char address[NI_MAXHOST];

    if (failed == ECANCELED)
        return kb_fail_stopped(err);
    address_text(last, address, sizeof address);
    (void)kb_fail_errno(err, failed, "can't connect to address %s port %u%s",
                        address, (unsigned)port,
                        tried > 1 ? " (the last one tried)" : "");
    err->status = KBP_ERR_UNAVAILABLE;
    if (failed == ECONNREFUSED)
        kb_err_hint(err, "nothing listens there: check host and port, and "
                         "whether the broker is up");
    else if (failed == ETIMEDOUT)
        kb_err_hint(err, "no answer from there: check host and port, "
                         "firewalls, and whether the address is reachable "
                         "from here");
    return KBP_ERR_UNAVAILABLE;
}

int kb_tcp_dial(const struct kb_net_config *net, const char *host,
                uint16_t port, int64_t deadline_ms, struct kb_stream **stream,
                struct kbp_error *err)
{
    struct addrinfo *list = NULL;
    const struct addrinfo *at;
    const struct addrinfo *last = NULL;
    unsigned left = 0;
    unsigned tried = 0;
    int failed = ETIMEDOUT;
    int fd = -1;
    int rc;

    kb_tcp_override(net, host, port, &host, &port);
    rc = resolve(host, port, &list, err);
    if (rc != KBP_OK)
        return rc;
    for (at = list; at; at = at->ai_next)
        left++;
    for (at = list; at; at = at->ai_next, left--) {
        int64_t now = kb_now_ms();
        int64_t share = kb_left_ms(deadline_ms) / left;

        if (tried > 0 && share == 0)
            break;
        last = at;
        tried++;
        failed = try_address(net, at, now + share, &fd);
        if (failed == 0 || failed == ECANCELED)
            break;
        kb_debug("%s:%u: address %u of %u: %s", host, (unsigned)port, tried,
                 tried + left - 1, strerrordesc_np(failed));
    }
    rc = failed ? report(last, tried, port, failed, err) : KBP_OK;
    freeaddrinfo(list);
    if (rc != KBP_OK)
        return rc;
    *stream = kb_socket_stream(fd, net->stop);
    if (!*stream) {
        (void)close(fd);
        return kb_fail_nomem(err, "a connection");
    }
    return KBP_OK;
}

int kb_tcp_split(const char *text, char **host, uint16_t *port,
                 struct kbp_error *err)
{
    const char *colon = strrchr(text, ':');
    const char *from = text;
    const char *to = colon;
    uint64_t number = 0;
    char *copy;

    if (colon && *text == '[' && colon > text && colon[-1] == ']') {
        from++;
        to--;
    } else if (colon && memchr(text, ':', (size_t)(colon - text))) {
        to = NULL; /* an IPv6 address needs its brackets */
    }
    if (!to || to <= from || !kb_parse_u64(colon + 1, &number) || number == 0 ||
        number > UINT16_MAX) {
        (void)kb_fail(err, KBP_ERR_CONFIG,
                      "\"%s\" is not an address of the form host:port", text);
        kb_err_hint(err, "an IPv6 address stands in brackets: [::1]:9092");
        return KBP_ERR_CONFIG;
    }
    copy = strndup(from, (size_t)(to - from));
    if (!copy)
        return kb_fail_nomem(err, "an address");
    *host = copy;
    *port = (uint16_t)number;
    return KBP_OK;
}

void kb_tcp_join(const char *host, uint16_t port, char *out, size_t size)
{
    bool brackets = strchr(host, ':') != NULL;

    (void)snprintf(out, size, brackets ? "[%s]:%u" : "%s:%u", host,
                   (unsigned)port);
}

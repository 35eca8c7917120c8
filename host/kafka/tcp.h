/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.h - dial a broker: names, all addresses, overrides, socket options. */
#ifndef KB_KAFKA_TCP_H
#define KB_KAFKA_TCP_H

#include "kafka/conn.h"
#include "kafka/stream.h"

/*
 * Where host:port is really reached: the first override that fits, or the
 * same.  `*real_host` points into `net` or is `host`.
 */
void kb_tcp_override(const struct kb_net_config *net, const char *host,
                     uint16_t port, const char **real_host,
                     uint16_t *real_port);

/*
 * Dial `host`:`port`, or where the overrides say that is.  Try all addresses
 * one after the other until one takes the connection or the deadline is over.
 * KBP_ERR_UNAVAILABLE says why, with the address.
 */
int kb_tcp_dial(const struct kb_net_config *net, const char *host,
                uint16_t port, int64_t deadline_ms, struct kb_stream **stream,
                struct kbp_error *err);

/*
 * "host:port" or "[::1]:port" taken apart; the host is free()d by the caller.
 * KBP_ERR_CONFIG if it is neither.
 */
int kb_tcp_split(const char *text, char **host, uint16_t *port,
                 struct kbp_error *err);

/* "host:port", in brackets where it has to be; out has `size` bytes. */
void kb_tcp_join(const char *host, uint16_t port, char *out, size_t size);

#endif

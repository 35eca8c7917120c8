/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h - the HTTP endpoint: /metrics, /health, /livez.
 *
 * /health tells how the job is (503 when it isn't well), /livez only that the
 * process is there.
 */
#ifndef KB_METRICS_SERVER_H
#define KB_METRICS_SERVER_H

#include <stdint.h>

#include "base/err.h"

struct kb_metrics_server;

/*
 * Listen, in a thread of its own, until it is stopped.  `path` is a further
 * path for the metrics.  A busy port and an address that isn't ours are errors;
 * KBP_ERR_UNSUPPORTED in a build without libmicrohttpd.
 */
int kb_metrics_server_start(struct kb_metrics_server **server,
                            const char *address, uint16_t port,
                            const char *path, int64_t window_ms,
                            struct kbp_error *err);

/* The port it listens on: the one that was chosen for 0. */
uint16_t kb_metrics_server_port(const struct kb_metrics_server *server);

/* NULL is fine. */
void kb_metrics_server_stop(struct kb_metrics_server *server);

#endif

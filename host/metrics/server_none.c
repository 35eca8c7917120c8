/* SPDX-License-Identifier: Apache-2.0 */
/* server_none.c - instead of server.c where libmicrohttpd isn't there. */
#include "metrics/server.h"

int kb_metrics_server_start(struct kb_metrics_server **server,
                            const char *address, uint16_t port,
                            const char *path, int64_t window_ms,
                            struct kbp_error *err)
{
    (void)server;
    (void)address;
    (void)port;
    (void)path;
    (void)window_ms;
    return kb_fail(err, KBP_ERR_UNSUPPORTED,
                   "metrics: this kafka-backup was built without "
                   "libmicrohttpd and can't serve them");
}

uint16_t kb_metrics_server_port(const struct kb_metrics_server *server)
{
    (void)server;
    return 0;
}

void kb_metrics_server_stop(struct kb_metrics_server *server)
{
    (void)server;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pump_set.h - the pumps of one librdkafka client, from socket() to close().
 *
 * Its functions are what librdkafka's socket_cb, connect_cb and closesocket_cb
 * call; they never wait, as librdkafka holds locks there.  [any thread]
 */
#ifndef KB_KAFKA_PUMP_SET_H
#define KB_KAFKA_PUMP_SET_H

#include "kafka/pump.h"

struct kb_pump_set;

/*
 * `options` is copied but for what it points to, which outlives the set; host,
 * port, app_fd and net->stop are of no matter here.
 */
int kb_pump_set_new(const struct kb_pump_options *options,
                    struct kb_pump_set **set, struct kbp_error *err);

/*
 * End all pumps, wait for them, and free the set.  Nobody calls it any more.
 * NULL is fine.
 */
void kb_pump_set_free(struct kb_pump_set *set);

/* Ask all pumps to end, without waiting for it; no other begins. */
void kb_pump_set_stop(struct kb_pump_set *set);

/* A descriptor for librdkafka to take for a TCP socket; -1 and errno. */
int kb_pump_set_socket(struct kb_pump_set *set);

/* Begin to connect it to `node` ("host:port"); 0 or an errno. */
int kb_pump_set_connect(struct kb_pump_set *set, int fd, const char *node);

/* Close it: its pump ends by that. */
int kb_pump_set_close(struct kb_pump_set *set, int fd);

/* How many pumps are running. */
unsigned kb_pump_set_running(struct kb_pump_set *set);

#endif

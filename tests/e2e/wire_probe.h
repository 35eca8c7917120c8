/* SPDX-License-Identifier: Apache-2.0 */
/* wire_probe.h - what the parts of wire_probe share. */
#ifndef KB_TESTS_WIRE_PROBE_H
#define KB_TESTS_WIRE_PROBE_H

#include <stdio.h>

#include "kafka/client.h"
#include "kafka/conn_impl.h"

extern struct kb_net_config net;
extern struct kb_client *client;
extern const char *bootstrap;
extern struct kbp_error err; /* of the call that failed */
extern FILE *dump;           /* of `dump`: the records of partition 0 */

/* PROBE_<NAME> of the environment as a number. */
int64_t knob(const char *name, int64_t otherwise);

/* Print `err`; the exit code. */
int failed(const char *what);

/* Tests ask for a version by lowering what the broker is said to offer. */
void cap(struct kb_conn *conn, enum kb_api api, const char *name);

/* The number of partitions of a topic, its id, and who leads the first; -1. */
int32_t partitions_of(const char *topic, struct kb_uuid *id, int32_t *leader);

/* wire_probe_move.c: batches. */
int fetch(const char *topic, int64_t from, bool show);
int copy(const char *from, const char *to, bool show);
int idempotent(const char *topic);

/* wire_probe_admin.c: the rest. */
int alter(const char *topic, char **args, size_t count);
int producers(const char *topic, int32_t partition);
int run_admin(const char *what, char **args, size_t count);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * at_exit.h - no pump runs while the program's exit handlers do.
 *
 * A program may call exit() amid everything.  OpenSSL's handler then frees what
 * a handshake in another thread is using; so ours, which runs before it, ends
 * the pumps first.
 */
#ifndef KB_RDKAFKA_AT_EXIT_H
#define KB_RDKAFKA_AT_EXIT_H

#include "kafka/pump_set.h"

/* Until kb_at_exit_forget().  [any thread] */
int kb_at_exit_end(struct kb_pump_set *set, struct kbp_error *err);

/* Waits while the process is ending.  NULL is fine.  [any thread] */
void kb_at_exit_forget(struct kb_pump_set *set);

#endif

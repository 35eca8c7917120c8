/* SPDX-License-Identifier: Apache-2.0 */
/* admin_impl.h - the inside of the control plane, shared by its files. */
#ifndef KB_KAFKA_ADMIN_IMPL_H
#define KB_KAFKA_ADMIN_IMPL_H

#include <pthread.h>

#include <librdkafka/rdkafka.h>

#include "kafka/admin.h"

struct kb_admin {
    rd_kafka_t *rk;
    struct kb_net_config net;
    bool lists_all; /* "all offsets of a group" has given some already */
    pthread_mutex_t lock;
    char last_error[KBP_MESSAGE_MAX]; /* why a connection failed last */
    struct kb_pump_set *pumps; /* its connections; NULL: it dials by itself */
};

/* [any thread] */
void kb_admin_note_error(struct kb_admin *admin, const char *text);

/* Let it connect through our transport: admin_bridge.c. */
int kb_admin_bridge(struct kb_admin *admin, rd_kafka_conf_t *conf,
                    struct kbp_error *err);

/*
 * A call on its way: options and a queue of its own, so that an answer which
 * comes too late finds nobody and is dropped.
 */
struct kb_admin_call {
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
};

int kb_admin_call_init(struct kb_admin *admin, rd_kafka_admin_op_t op,
                       struct kb_admin_call *call, struct kbp_error *err);

/* Let it take no longer than that (and than the request timeout). */
void kb_admin_call_limit(struct kb_admin *admin, struct kb_admin_call *call,
                         int64_t ms);
void kb_admin_call_release(struct kb_admin_call *call);

/* Its result, destroyed by the caller; `what` was asked for, for messages. */
int kb_admin_wait(struct kb_admin *admin, struct kb_admin_call *call,
                  const char *what, rd_kafka_event_t **event,
                  struct kbp_error *err);

/*
 * Whether to try again after `status`: true after a short pause if it may help
 * and there is time. A stop makes it false and `*err` KBP_ERR_CANCELLED.
 */
bool kb_admin_again(struct kb_admin *admin, int status, int64_t deadline_ms,
                    struct kbp_error *err);

/* librdkafka's code, its own or a broker's, as an error of ours. */
KB_PRINTF(5, 6)
int kb_fail_rdkafka(struct kb_admin *admin, struct kbp_error *err,
                    rd_kafka_resp_err_t code, const char *more, const char *fmt,
                    ...);

#endif

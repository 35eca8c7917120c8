/* SPDX-License-Identifier: Apache-2.0 */
/* client_call.c - one request and its answer, for what isn't pipelined. */
#include "base/clock.h"
#include "base/log.h"
#include "kafka/client_impl.h"
#include "kafka/error.h"

/* A lost answer takes the time of a whole request; that is not the end. */
#define REQUESTS_WORTH 3

/* A topic that was made just now may not be known everywhere. */
#define UNKNOWN_FOR_MS 5000

int kb_call_on(struct kb_conn *conn, const struct kb_call *call, int16_t *error,
               char *message, struct kbp_error *err)
{
    int16_t version =
        kb_conn_version(conn, call->api, call->oldest, call->newest);
    struct kb_buf body = KB_BUF_INIT;
    struct kb_answer answer;
    int32_t throttle_ms = 0;
    int rc;

    if (version < 0)
        return kb_fail(
            err, KBP_ERR_UNSUPPORTED, "%s takes no version of %s from %d to %d",
            kb_conn_name(conn), call->name, call->oldest, call->newest);
    rc = call->encode(call, version, &body, err);
    if (rc == KBP_OK && body.failed)
        rc = kb_fail_nomem(err, "a request");
    if (rc == KBP_OK)
        rc = kb_conn_call(conn, call->api, version, &body, &answer, err);
    kb_buf_release(&body);
    if (rc != KBP_OK)
        return rc;
    rc = call->decode(call, &answer, &throttle_ms, error, message,
                      KB_CALL_MESSAGE, err);
    kb_answer_release(&answer);
    if (rc != KBP_OK)
        return kb_err_wrap(err, "%s", kb_conn_name(conn));
    kb_conn_throttled(conn, throttle_ms);
    return KBP_OK;
}

int kb_call_broker(struct kb_client *client, const char *leader_of,
                   int32_t partition, const struct kb_call *call,
                   struct kbp_error *err)
{
    int64_t deadline_ms =
        kb_deadline_ms(REQUESTS_WORTH * client->net.request_timeout_ms);
    int64_t unknown_ms = kb_deadline_ms(UNKNOWN_FOR_MS);
    int64_t pause_ms = 0;

    for (;;) {
        char message[KB_CALL_MESSAGE] = "";
        struct kb_conn *conn = NULL;
        int32_t broker = KB_ANY_BROKER;
        int16_t error = 0;
        bool again;
        int rc = KBP_OK;

        if (leader_of)
            rc = kb_client_leader(client, leader_of, partition, &broker, err);
        if (rc == KBP_OK)
            rc = kb_client_borrow(client, broker, &conn, err);
        if (rc == KBP_OK)
            rc = kb_call_on(conn, call, &error, message, err);
        if (conn)
            kb_client_give(client, conn,
                           rc == KBP_OK || rc == KBP_ERR_UNSUPPORTED);
        if (rc == KBP_OK && !error)
            return KBP_OK;
        again = rc == KBP_OK ? kb_kafka_error_is_retriable(error)
                             : kb_may_retry(rc);
        if (rc == KBP_OK)
            rc = kb_fail_kafka(err, error, message, "%s", call->name);
        if (err->native == KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
            again = kb_left_ms(unknown_ms) > 0;
        if (!again)
            return rc;
        kb_log_err(KBP_LOG_DEBUG, NULL, err);
        if (kb_client_pause(client, &pause_ms, deadline_ms, err) != KBP_OK)
            return err->status;
    }
}

int kb_call_unreadable(const struct kb_call *call,
                       const struct kb_answer *answer, struct kbp_error *err)
{
    return kb_fail(err, KBP_ERR_PROTOCOL,
                   "the answer to %s version %d can't be read", call->name,
                   answer->version);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * versions.c - which versions of each request a broker takes.
 *
 * Version 3 says which software asks; a broker which doesn't know it answers
 * UNSUPPORTED_VERSION in the encoding of version 0, and is asked again.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/conn_impl.h"
#include "kafka/error.h"
#include "kafka/wire.h"

#define NEWEST 3

int16_t kb_conn_version(const struct kb_conn *conn, enum kb_api api,
                        int16_t min, int16_t max)
{
    int16_t low = conn->versions[api].min;
    int16_t high = conn->versions[api].max;

    if (low < min)
        low = min;
    if (high > max)
        high = max;
    return high >= low ? high : -1;
}

int kb_conn_decode_versions(struct kb_conn *conn,
                            const struct kb_answer *answer,
                            int32_t *throttle_ms, int16_t *error,
                            struct kbp_error *err)
{
    struct kb_cursor c = kb_cursor_of(answer->body, answer->body_len);
    int16_t code = kb_get_i16(&c);
    /* An error about the version itself is said in the encoding of 0. */
    int16_t version =
        code == KB_KAFKA_UNSUPPORTED_VERSION ? 0 : answer->version;
    bool flex = version >= 3;
    size_t count = kb_get_count(&c, flex, 6);
    size_t i;

    for (i = 0; i < KB_APIS_KNOWN; i++) {
        conn->versions[i].min = 0;
        conn->versions[i].max = -1;
    }
    for (i = 0; i < count && !c.bad; i++) {
        int16_t api = kb_get_i16(&c);
        int16_t min = kb_get_i16(&c);
        int16_t max = kb_get_i16(&c);

        kb_skip_tags(&c, flex);
        if (c.bad || api < 0 || api >= KB_APIS_KNOWN || min < 0)
            continue;
        conn->versions[api].min = min;
        conn->versions[api].max = max;
    }
    *throttle_ms = version >= 1 ? kb_get_i32(&c) : 0;
    kb_skip_tags(&c, flex);
    if (c.bad)
        return kb_fail(err, KBP_ERR_PROTOCOL,
                       "the answer to ApiVersions version %" PRId16
                       " can't be read: this may be no Kafka broker",
                       answer->version);
    *error = code;
    return KBP_OK;
}

static int ask(struct kb_conn *conn, int16_t version, int64_t deadline_ms,
               int16_t *error, struct kbp_error *err)
{
    struct kb_buf body = KB_BUF_INIT;
    struct kb_answer answer;
    int32_t throttle_ms;
    struct iovec part;
    int rc;

    if (version >= 3) {
        kb_put_str(&body, true, "kafka-backup");
        kb_put_str(&body, true, KB_VERSION);
        kb_put_no_tags(&body, true);
    }
    part = (struct iovec){body.data, body.len};
    rc = body.failed
             ? kb_fail_nomem(err, "a request")
             : kb_conn_send(conn, KB_API_API_VERSIONS, version, &part, 1, err);
    kb_buf_release(&body);
    if (rc == KBP_OK)
        rc = kb_conn_receive(conn, deadline_ms, NULL, 0, &answer, err);
    if (rc != KBP_OK)
        return rc;
    rc = kb_conn_decode_versions(conn, &answer, &throttle_ms, error, err);
    kb_answer_release(&answer);
    if (rc == KBP_OK)
        kb_conn_throttled(conn, throttle_ms);
    return rc;
}

int kb_conn_negotiate(struct kb_conn *conn, int64_t deadline_ms,
                      struct kbp_error *err)
{
    int16_t error = 0;
    int rc = ask(conn, NEWEST, deadline_ms, &error, err);

    if (rc == KBP_OK && error == KB_KAFKA_UNSUPPORTED_VERSION)
        rc = ask(conn, 0, deadline_ms, &error, err);
    if (rc != KBP_OK)
        return rc;
    if (error == 0)
        return KBP_OK;
    (void)kb_fail(err, kb_kafka_error_status(error), "ApiVersions: %s (%s)",
                  kb_kafka_error_text(error), kb_kafka_error_name(error));
    if (error == KB_KAFKA_ILLEGAL_SASL_STATE)
        kb_err_hint(err, "this listener wants SASL: compare "
                         "security_protocol with the broker's listeners");
    return err->status;
}

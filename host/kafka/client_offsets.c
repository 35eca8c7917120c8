/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_offsets.c - ListOffsets of many partitions: all leaders at once, and
 * again where leadership moved.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/client_impl.h"
#include "kafka/error.h"
#include "kafka/list_offsets.h"

#define NO_ANSWER 13

/* A topic that was made just now may not be known everywhere. */
#define UNKNOWN_FOR_MS 5000

/* The asks of one leader, which stand together, and its connection. */
struct group {
    struct kb_conn *conn;
    struct kb_offset_ask *asks;
    size_t count;
};

static int by_leader(const void *a, const void *b)
{
    const struct kb_offset_ask *x = a;
    const struct kb_offset_ask *y = b;
    int order;

    if (x->leader != y->leader)
        return x->leader < y->leader ? -1 : 1;
    order = strcmp(x->query->topic, y->query->topic);
    if (order)
        return order;
    return (x->query->partition > y->query->partition) -
           (x->query->partition < y->query->partition);
}

static bool is_open(const struct kb_offset_query *query, bool unknown_is_final)
{
    if (query->error == KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
        return !unknown_is_final;
    return kb_kafka_error_is_retriable(query->error);
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;

    return strcmp(*x, *y);
}

/* Metadata of the topics of what is still open. */
static int ask_metadata(struct kb_client *client,
                        const struct kb_offset_query *queries, size_t count,
                        bool unknown_is_final, struct kb_metadata **metadata,
                        struct kbp_error *err)
{
    const char **names = calloc(count + 1, sizeof *names);
    size_t n = 0;
    size_t unique = 0;
    size_t i;
    int rc;

    if (!names)
        return kb_fail_nomem(err, "names of topics");
    for (i = 0; i < count; i++)
        if (is_open(&queries[i], unknown_is_final))
            names[n++] = queries[i].topic;
    qsort(names, n, sizeof *names, by_text);
    for (i = 0; i < n; i++)
        if (unique == 0 || strcmp(names[unique - 1], names[i]) != 0)
            names[unique++] = names[i];
    rc = kb_client_metadata(client, names, unique, metadata, err);
    free(names);
    return rc;
}

/* What to ask whom; queries without a leader get their error. */
static size_t find_leaders(const struct kb_metadata *metadata,
                           struct kb_offset_query *queries, size_t count,
                           bool unknown_is_final, struct kb_offset_ask *asks)
{
    size_t n = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        struct kb_offset_query *query = &queries[i];
        const struct kb_meta_topic *topic;
        const struct kb_meta_partition *partition = NULL;

        if (!is_open(query, unknown_is_final))
            continue;
        topic = kb_metadata_topic(metadata, query->topic);
        if (topic)
            partition = kb_meta_topic_partition(topic, query->partition);
        if (!topic || (!topic->error && !partition))
            query->error = KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        else if (topic->error)
            query->error = topic->error;
        else if (partition->leader < 0)
            query->error = KB_KAFKA_LEADER_NOT_AVAILABLE;
        else
            asks[n++] = (struct kb_offset_ask){query, partition->leader,
                                               partition->leader_epoch};
    }
    qsort(asks, n, sizeof *asks, by_leader);
    return n;
}

static void set_errors(const struct group *group, int16_t error)
{
    size_t i;

    for (i = 0; i < group->count; i++)
        group->asks[i].query->error = error;
}

static int send_group(struct kb_client *client, struct group *group,
                      enum kb_isolation isolation, struct kbp_error *err)
{
    struct kb_buf body = KB_BUF_INIT;
    struct iovec part;
    int16_t version;
    int rc = kb_client_borrow(client, group->asks[0].leader, &group->conn, err);

    if (rc != KBP_OK)
        return rc;
    version = kb_conn_version(
        group->conn, KB_API_LIST_OFFSETS,
        isolation == KB_READ_COMMITTED ? 2 : KB_LIST_OFFSETS_OLDEST,
        KB_LIST_OFFSETS_NEWEST);
    if (version < 0)
        rc = kb_fail(err, KBP_ERR_UNSUPPORTED,
                     "%s takes no version of ListOffsets from %d to %d",
                     kb_conn_name(group->conn), KB_LIST_OFFSETS_OLDEST,
                     KB_LIST_OFFSETS_NEWEST);
    else
        rc = kb_list_offsets_encode(
            &body, version, group->asks, group->count, isolation,
            (int32_t)client->net.request_timeout_ms, err);
    part = (struct iovec){body.data, body.len};
    if (rc == KBP_OK)
        rc = kb_conn_send(group->conn, KB_API_LIST_OFFSETS, version, &part, 1,
                          err);
    kb_buf_release(&body);
    if (rc != KBP_OK) {
        kb_client_give(client, group->conn, false);
        group->conn = NULL;
    }
    return rc;
}

static int receive_group(struct kb_client *client, struct group *group,
                         int64_t deadline_ms, struct kbp_error *err)
{
    struct kb_answer answer;
    int32_t throttle_ms = 0;
    int rc = kb_conn_receive(group->conn, deadline_ms, NULL, 0, &answer, err);

    if (rc == KBP_OK) {
        rc = kb_list_offsets_decode(&answer, group->asks, group->count,
                                    &throttle_ms, err);
        kb_answer_release(&answer);
    }
    if (rc == KBP_OK)
        kb_conn_throttled(group->conn, throttle_ms);
    kb_client_give(client, group->conn, rc == KBP_OK);
    group->conn = NULL;
    return rc;
}

/* A leader failed: its queries are asked again, unless that can't help. */
static int took_failure(const struct group *group, int rc,
                        const struct kbp_error *err)
{
    if (rc == KBP_OK)
        return KBP_OK;
    set_errors(group, NO_ANSWER);
    if (!kb_may_retry(rc))
        return rc;
    kb_log_err(KBP_LOG_DEBUG, "ListOffsets", err);
    return KBP_OK;
}

static int ask_groups(struct kb_client *client, struct group *groups,
                      size_t count, enum kb_isolation isolation,
                      struct kbp_error *err)
{
    int64_t deadline_ms;
    struct kbp_error other = KB_ERR_INIT;
    size_t i;
    int rc = KBP_OK;

    for (i = 0; i < count && rc == KBP_OK; i++)
        rc = took_failure(&groups[i],
                          send_group(client, &groups[i], isolation, err), err);
    deadline_ms = kb_deadline_ms(client->net.request_timeout_ms);
    for (i = 0; i < count; i++) {
        int failed;

        if (!groups[i].conn)
            continue;
        if (rc != KBP_OK) {
            kb_client_give(client, groups[i].conn, false);
            continue;
        }
        failed = receive_group(client, &groups[i], deadline_ms, &other);
        rc = took_failure(&groups[i], failed, &other);
        if (rc != KBP_OK)
            *err = other;
    }
    return rc;
}

static int ask_round(struct kb_client *client, struct kb_offset_query *queries,
                     size_t count, bool unknown_is_final,
                     enum kb_isolation isolation, struct kbp_error *err)
{
    struct kb_metadata *metadata;
    struct kb_offset_ask *asks = calloc(count + 1, sizeof *asks);
    struct group *groups = calloc(count + 1, sizeof *groups);
    size_t group_count = 0;
    size_t n;
    size_t i;
    int rc = asks && groups ? KBP_OK : kb_fail_nomem(err, "offsets");

    if (rc == KBP_OK)
        rc = ask_metadata(client, queries, count, unknown_is_final, &metadata,
                          err);
    if (rc == KBP_OK) {
        n = find_leaders(metadata, queries, count, unknown_is_final, asks);
        kb_metadata_free(metadata);
        for (i = 0; i < n; i++) {
            if (i == 0 || asks[i].leader != asks[i - 1].leader)
                groups[group_count++].asks = &asks[i];
            groups[group_count - 1].count++;
        }
        rc = ask_groups(client, groups, group_count, isolation, err);
    }
    free(groups);
    free(asks);
    return rc;
}

int kb_client_list_offsets(struct kb_client *client,
                           struct kb_offset_query *queries, size_t count,
                           enum kb_isolation isolation, int64_t deadline_ms,
                           struct kbp_error *err)
{
    int64_t start_ms = kb_now_ms();
    int64_t pause_ms = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        queries[i].offset = -1;
        queries[i].at_timestamp = -1;
        queries[i].leader_epoch = -1;
        queries[i].error = NO_ANSWER;
    }
    if (count == 0)
        return KBP_OK;
    for (;;) {
        bool unknown_is_final = kb_now_ms() - start_ms > UNKNOWN_FOR_MS;
        bool open = false;
        int rc =
            ask_round(client, queries, count, unknown_is_final, isolation, err);

        if (rc != KBP_OK)
            return rc;
        for (i = 0; i < count; i++)
            open = open || is_open(&queries[i], unknown_is_final);
        if (!open)
            return KBP_OK;
        rc = kb_client_pause(client, &pause_ms, deadline_ms, err);
        if (rc == KBP_ERR_CANCELLED)
            return rc;
        if (rc != KBP_OK)
            return KBP_OK;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - a cluster: its brokers, connections at rest, calls to any broker.
 */
#include "kafka/client.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/acl.h"
#include "kafka/client_impl.h"
#include "kafka/error.h"
#include "kafka/tcp.h"

#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 1000

/* Brokers close what rests longer than 10 minutes (connections.max.idle.ms). */
#define IDLE_MAX_MS (4 * 60 * 1000)

int kb_fail_kafka(struct kbp_error *err, int16_t code, const char *more,
                  const char *fmt, ...)
{
    char what[400];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    (void)kb_fail(err, kb_kafka_error_status(code), "%s: %s (%s)%s%s", what,
                  kb_kafka_error_text(code), kb_kafka_error_name(code),
                  more && *more ? ": " : "", more ? more : "");
    err->native = code;
    return err->status;
}

int kb_client_pause(struct kb_client *client, int64_t *pause_ms,
                    int64_t deadline_ms, struct kbp_error *err)
{
    int64_t pause = *pause_ms ? *pause_ms : PAUSE_MIN_MS;

    if (err->retry_after_ms > pause)
        pause = err->retry_after_ms;
    if (kb_left_ms(deadline_ms) <= pause)
        return KBP_ERR_TIMEOUT;
    *pause_ms = pause < PAUSE_MAX_MS / 2 ? pause * 2 : PAUSE_MAX_MS;
    if (kb_stop_sleep(client->net.stop, pause))
        return kb_fail_stopped(err);
    return KBP_OK;
}

static int add_server(struct kb_client *client, const char *text,
                      struct kbp_error *err)
{
    struct kb_server *server = &client->servers[client->server_count];
    char *list;
    int rc = kb_tcp_split(text, &server->host, &server->port, err);

    if (rc != KBP_OK)
        return rc;
    client->server_count++;
    list = client->server_list
               ? kb_asprintf("%s, %s", client->server_list, text)
               : kb_strdup(text);
    if (!list)
        return kb_fail_nomem(err, "a client");
    free(client->server_list);
    client->server_list = list;
    return KBP_OK;
}

int kb_client_new(const struct kb_net_config *net, const char *const *servers,
                  size_t count, struct kb_client **client,
                  struct kbp_error *err)
{
    struct kb_client *made;
    size_t i;
    int rc = KBP_OK;

    if (count == 0)
        return kb_fail(err, KBP_ERR_CONFIG, "no bootstrap server is given");
    made = calloc(1, sizeof *made);
    if (!made)
        return kb_fail_nomem(err, "a client");
    made->net = *net;
    (void)pthread_mutex_init(&made->lock, NULL);
    made->servers = calloc(count, sizeof *made->servers);
    if (!made->servers)
        rc = kb_fail_nomem(err, "a client");
    for (i = 0; i < count && rc == KBP_OK; i++)
        rc = add_server(made, servers[i], err);
    if (rc != KBP_OK) {
        kb_client_free(made);
        return rc;
    }
    *client = made;
    return KBP_OK;
}

static void free_brokers(struct kb_meta_broker *brokers, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        free(brokers[i].host);
        free(brokers[i].rack);
    }
    free(brokers);
}

void kb_client_free(struct kb_client *client)
{
    size_t i;

    if (!client)
        return;
    for (i = 0; i < client->idle_count; i++)
        kb_conn_close(client->idle[i].conn);
    for (i = 0; i < client->server_count; i++)
        free(client->servers[i].host);
    free_brokers(client->brokers, client->broker_count);
    free(client->servers);
    free(client->server_list);
    (void)pthread_mutex_destroy(&client->lock);
    free(client);
}

const struct kb_net_config *kb_client_net(const struct kb_client *client)
{
    return &client->net;
}

/* Keep the brokers of an answer for ourselves. */
static int remember_brokers(struct kb_client *client,
                            const struct kb_metadata *metadata,
                            struct kbp_error *err)
{
    size_t count = metadata->broker_count;
    struct kb_meta_broker *copy;
    struct kb_meta_broker *old;
    size_t old_count;
    size_t i;

    if (count == 0)
        return KBP_OK;
    copy = calloc(count, sizeof *copy);
    if (!copy)
        return kb_fail_nomem(err, "the brokers");
    for (i = 0; i < count; i++) {
        copy[i].id = metadata->brokers[i].id;
        copy[i].port = metadata->brokers[i].port;
        copy[i].host = kb_strdup(metadata->brokers[i].host);
        if (!copy[i].host) {
            free_brokers(copy, count);
            return kb_fail_nomem(err, "the brokers");
        }
    }
    (void)pthread_mutex_lock(&client->lock);
    old = client->brokers;
    old_count = client->broker_count;
    client->brokers = copy;
    client->broker_count = count;
    (void)pthread_mutex_unlock(&client->lock);
    free_brokers(old, old_count);
    return KBP_OK;
}

/* Where a broker is: a copy of its host. */
static int find_broker(struct kb_client *client, int32_t id, char **host,
                       uint16_t *port, struct kbp_error *err)
{
    char *found = NULL;
    bool known = false;
    size_t i;

    (void)pthread_mutex_lock(&client->lock);
    for (i = 0; i < client->broker_count; i++)
        if (client->brokers[i].id == id) {
            known = true;
            found = kb_strdup(client->brokers[i].host);
            *port = (uint16_t)client->brokers[i].port;
        }
    (void)pthread_mutex_unlock(&client->lock);
    if (!known)
        return kb_fail(err, KBP_ERR_UNAVAILABLE,
                       "the cluster has no broker %" PRId32 " at the moment",
                       id);
    if (!found)
        return kb_fail_nomem(err, "an address");
    *host = found;
    return KBP_OK;
}

int kb_client_connect(struct kb_client *client, int32_t broker,
                      struct kb_conn **conn, struct kbp_error *err)
{
    char *host = NULL;
    uint16_t port = 0;
    int rc = find_broker(client, broker, &host, &port, err);

    if (rc != KBP_OK)
        return rc;
    rc = kb_conn_open(&client->net, host, port, conn, err);
    free(host);
    if (rc != KBP_OK)
        return rc;
    kb_conn_set_broker(*conn, broker);
    return KBP_OK;
}

/* The ids of all known brokers; free() them. */
static int32_t *known_brokers(struct kb_client *client, size_t *count)
{
    int32_t *ids;
    size_t i;

    (void)pthread_mutex_lock(&client->lock);
    ids = calloc(client->broker_count + 1, sizeof *ids);
    *count = ids ? client->broker_count : 0;
    for (i = 0; i < *count; i++)
        ids[i] = client->brokers[(i + client->next) % *count].id;
    client->next++;
    (void)pthread_mutex_unlock(&client->lock);
    return ids;
}

/* One try of everything that is known. */
static int connect_any_once(struct kb_client *client, struct kb_conn **conn,
                            struct kbp_error *err)
{
    size_t count;
    int32_t *ids = known_brokers(client, &count);
    size_t i;
    int rc = KBP_ERR_UNAVAILABLE;

    for (i = 0; i < count; i++) {
        rc = kb_client_connect(client, ids[i], conn, err);
        if (rc == KBP_OK || rc == KBP_ERR_CANCELLED)
            break;
        kb_log_err(KBP_LOG_DEBUG, NULL, err);
    }
    free(ids);
    if (i < count)
        return rc;
    for (i = 0; i < client->server_count; i++) {
        struct kb_server *server = &client->servers[i];

        rc = kb_conn_open(&client->net, server->host, server->port, conn, err);
        if (rc == KBP_OK || rc == KBP_ERR_CANCELLED)
            return rc;
        if (client->server_count > 1)
            kb_log_err(KBP_LOG_DEBUG, NULL, err);
    }
    return rc;
}

int kb_client_connect_any(struct kb_client *client, struct kb_conn **conn,
                          struct kbp_error *err)
{
    int64_t deadline_ms = kb_deadline_ms(client->net.connect_timeout_ms);
    int64_t pause_ms = 0;

    for (;;) {
        int rc = connect_any_once(client, conn, err);

        if (rc == KBP_OK || rc == KBP_ERR_CANCELLED)
            return rc;
        if (kb_may_retry(rc))
            switch (kb_client_pause(client, &pause_ms, deadline_ms, err)) {
            case KBP_OK:
                continue;
            case KBP_ERR_CANCELLED:
                return KBP_ERR_CANCELLED;
            default:
                break;
            }
        return kb_err_wrap(err, "no broker of %s can be used",
                           client->server_list);
    }
}

/* Whether the peer has closed it meanwhile (or sent what it shouldn't). */
static bool is_stale(struct kb_conn *conn, int64_t since_ms)
{
    struct pollfd fd = {.fd = kb_conn_fd(conn), .events = POLLIN};

    return kb_now_ms() - since_ms > IDLE_MAX_MS || poll(&fd, 1, 0) != 0;
}

/* The connection at rest which was used last, of that broker. */
static struct kb_conn *take_idle(struct kb_client *client, int32_t broker)
{
    struct kb_conn *conn = NULL;
    size_t i;

    (void)pthread_mutex_lock(&client->lock);
    for (i = client->idle_count; i > 0 && !conn; i--) {
        struct kb_idle *idle = &client->idle[i - 1];

        if (broker != KB_ANY_BROKER && kb_conn_broker(idle->conn) != broker)
            continue;
        conn = idle->conn;
        if (is_stale(conn, idle->since_ms)) {
            kb_conn_close(conn);
            conn = NULL;
        }
        client->idle_count--;
        memmove(idle, idle + 1, (client->idle_count - (i - 1)) * sizeof *idle);
    }
    (void)pthread_mutex_unlock(&client->lock);
    return conn;
}

int kb_client_borrow(struct kb_client *client, int32_t broker,
                     struct kb_conn **conn, struct kbp_error *err)
{
    struct kb_conn *idle = take_idle(client, broker);

    if (idle) {
        *conn = idle;
        return KBP_OK;
    }
    if (broker == KB_ANY_BROKER)
        return kb_client_connect_any(client, conn, err);
    return kb_client_connect(client, broker, conn, err);
}

void kb_client_give(struct kb_client *client, struct kb_conn *conn, bool good)
{
    struct kb_conn *old = NULL;

    if (!conn)
        return;
    if (!good || kb_conn_in_flight(conn) > 0) {
        kb_conn_close(conn);
        return;
    }
    (void)pthread_mutex_lock(&client->lock);
    if (client->idle_count == KB_IDLE_MAX) {
        old = client->idle[0].conn;
        client->idle_count--;
        memmove(client->idle, client->idle + 1,
                client->idle_count * sizeof *client->idle);
    }
    client->idle[client->idle_count++] = (struct kb_idle){conn, kb_now_ms()};
    (void)pthread_mutex_unlock(&client->lock);
    kb_conn_close(old);
}

int kb_client_metadata(struct kb_client *client, const char *const *names,
                       size_t count, struct kb_metadata **metadata,
                       struct kbp_error *err)
{
    int64_t deadline_ms = kb_deadline_ms(client->net.connect_timeout_ms);
    int64_t pause_ms = 0;

    for (;;) {
        struct kb_metadata *got = NULL;
        struct kb_conn *conn;
        int rc = kb_client_borrow(client, KB_ANY_BROKER, &conn, err);

        if (rc != KBP_OK)
            return rc;
        rc = kb_metadata_get(conn, names, count, &got, err);
        kb_client_give(client, conn, rc == KBP_OK);
        if (rc == KBP_OK)
            rc = remember_brokers(client, got, err);
        if (rc == KBP_OK) {
            *metadata = got;
            return KBP_OK;
        }
        kb_metadata_free(got);
        if (!kb_may_retry(rc))
            return rc;
        if (kb_client_pause(client, &pause_ms, deadline_ms, err) != KBP_OK)
            return err->status;
    }
}

int kb_client_leader(struct kb_client *client, const char *topic,
                     int32_t partition, int32_t *leader, struct kbp_error *err)
{
    struct kb_metadata *metadata;
    const struct kb_meta_topic *t;
    const struct kb_meta_partition *p = NULL;
    int16_t error;
    int rc = kb_client_metadata(client, &topic, 1, &metadata, err);

    if (rc != KBP_OK)
        return rc;
    t = kb_metadata_topic(metadata, topic);
    error = t ? t->error : KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (t && !error) {
        p = kb_meta_topic_partition(t, partition);
        error = KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        if (p)
            error =
                p->leader >= 0 ? KB_KAFKA_NONE : KB_KAFKA_LEADER_NOT_AVAILABLE;
    }
    if (p && !error)
        *leader = p->leader;
    kb_metadata_free(metadata);
    if (!error)
        return KBP_OK;
    (void)kb_fail_kafka(err, error, NULL, "%s/%" PRId32, topic, partition);
    kb_acl_hint(err, error, KB_ACL_TOPIC, topic, "Describe");
    return err->status;
}

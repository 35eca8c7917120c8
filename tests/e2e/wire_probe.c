/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_probe.c - the data plane by hand, against a real broker: what the
 * tests in wire.sh call, and what is measured against the wire.
 *
 * Facts go to stdout, one a line; the exit code says whether it went well.
 */
#include "wire_probe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/error.h"

static struct kb_stop stop;
struct kb_net_config net;
struct kb_client *client;
const char *bootstrap;
struct kbp_error err = KB_ERR_INIT;
FILE *dump;

int64_t knob(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    int64_t value;

    return text && kb_parse_i64(text, &value) ? value : otherwise;
}

int failed(const char *what)
{
    printf("error %d %s: %s%s%s\n", err.status, what, err.message,
           *err.hint ? " | " : "", err.hint);
    return 1;
}

void cap(struct kb_conn *conn, enum kb_api api, const char *name)
{
    int64_t max = knob(name, INT16_MAX);

    if (conn->versions[api].max > max)
        conn->versions[api].max = (int16_t)max;
}

static int versions(void)
{
    struct kb_conn *conn;
    size_t i;

    if (kb_client_connect_any(client, &conn, &err) != KBP_OK)
        return failed("connect");
    for (i = 0; i < KB_APIS_KNOWN; i++)
        if (conn->versions[i].max >= 0)
            printf("api %zu %d %d\n", i, conn->versions[i].min,
                   conn->versions[i].max);
    kb_conn_close(conn);
    return 0;
}

static int metadata(const char *const *names, size_t count)
{
    struct kb_metadata *m;
    struct kb_conn *conn;
    char id[KB_UUID_TEXT];
    size_t i;
    int32_t j;

    if (kb_client_connect_any(client, &conn, &err) != KBP_OK)
        return failed("connect");
    cap(conn, KB_API_METADATA, "PROBE_METADATA");
    if (kb_metadata_get(conn, count ? names : NULL, count, &m, &err) != KBP_OK)
        return failed("metadata");
    kb_conn_close(conn);
    printf("cluster %s controller %" PRId32 "\n",
           m->cluster_id ? m->cluster_id : "-", m->controller);
    for (i = 0; i < m->broker_count; i++)
        printf("broker %" PRId32 " %s %" PRId32 " %s\n", m->brokers[i].id,
               m->brokers[i].host, m->brokers[i].port,
               m->brokers[i].rack ? m->brokers[i].rack : "-");
    for (i = 0; i < m->topic_count; i++) {
        const struct kb_meta_topic *t = &m->topics[i];

        printf("topic %s %s %s internal %d partitions %" PRId32 "\n", t->name,
               kb_kafka_error_name(t->error),
               kb_uuid_is_none(&t->id) ? "-" : kb_uuid_text(id, &t->id),
               t->internal, t->partition_count);
        for (j = 0; j < t->partition_count; j++)
            printf("partition %s %" PRId32 " %s leader %" PRId32
                   " epoch %" PRId32 " replicas %" PRId32 "\n",
                   t->name, t->partitions[j].id,
                   kb_kafka_error_name(t->partitions[j].error),
                   t->partitions[j].leader, t->partitions[j].leader_epoch,
                   t->partitions[j].replica_count);
    }
    kb_metadata_free(m);
    return 0;
}

int32_t partitions_of(const char *topic, struct kb_uuid *id, int32_t *leader)
{
    struct kb_metadata *m;
    const struct kb_meta_topic *t;
    int32_t count = -1;

    if (kb_client_metadata(client, &topic, 1, &m, &err) != KBP_OK)
        return -1;
    t = kb_metadata_topic(m, topic);
    if (t && !t->error && t->partition_count > 0) {
        count = t->partition_count;
        *id = t->id;
        *leader = t->partitions[0].leader;
    } else {
        (void)kb_fail(&err, KBP_ERR_NOT_FOUND, "%s: %s", topic,
                      kb_kafka_error_name(t ? t->error : 3));
    }
    kb_metadata_free(m);
    return count;
}

static int offsets(const char *topic, int64_t timestamp,
                   enum kb_isolation isolation)
{
    struct kb_uuid id;
    int32_t leader;
    int32_t count = partitions_of(topic, &id, &leader);
    struct kb_offset_query *queries;
    int64_t repeat;
    int32_t i;

    if (count < 0)
        return failed("metadata");
    queries = calloc((size_t)count, sizeof *queries);
    for (i = 0; i < count; i++) {
        queries[i].topic = topic;
        queries[i].partition = i;
        queries[i].timestamp = timestamp;
    }
    /* Again and again, where a test wants to see something happen. */
    for (repeat = knob("PROBE_REPEAT", 1); repeat > 0; repeat--) {
        if (kb_client_list_offsets(
                client, queries, (size_t)count, isolation,
                kb_deadline_ms(knob("PROBE_OFFSETS_MS", 20000)),
                &err) != KBP_OK)
            return failed("list offsets");
        for (i = 0; i < count; i++)
            printf("offset %s %" PRId32 " %s %" PRId64 " at %" PRId64
                   " epoch %" PRId32 "\n",
                   topic, i, kb_kafka_error_name(queries[i].error),
                   queries[i].offset, queries[i].at_timestamp,
                   queries[i].leader_epoch);
        if (repeat > 1)
            (void)kb_stop_sleep(&stop, 50);
    }
    free(queries);
    return 0;
}

static int init_producer(void)
{
    int64_t id;
    int16_t epoch;

    if (kb_client_init_producer_id(client, &id, &epoch, &err) != KBP_OK)
        return failed("init producer id");
    printf("producer %" PRId64 " epoch %d\n", id, epoch);
    return 0;
}

static int usage(void)
{
    fprintf(stderr,
            "wire_probe SERVERS versions | metadata [TOPIC...] |\n"
            "  offsets TOPIC TIMESTAMP ISOLATION | fetch TOPIC [FROM] |\n"
            "  show TOPIC [FROM] | dump TOPIC FILE | copy TOPIC TO | init |\n"
            "  idempotent TOPIC |\n"
            "  alter TOPIC KEY[=VALUE]... | producers TOPIC PARTITION |\n"
            "  admin configs TOPIC... | create TOPIC COUNT REPLICATION "
            "[KEY=VALUE...]\n"
            "  | delete TOPIC... | partitions TOPIC COUNT |\n"
            "  truncate TOPIC OFFSET | groups | "
            "commit GROUP TOPIC PARTITION OFFSET [TEXT]\n");
    return 2;
}

static int run(int argc, char **argv)
{
    const char *what = argv[2];
    int64_t number = 0;

    if (strcmp(what, "versions") == 0)
        return versions();
    if (strcmp(what, "metadata") == 0)
        return metadata((const char *const *)argv + 3, (size_t)argc - 3);
    if (strcmp(what, "admin") == 0 && argc > 3)
        return run_admin(argv[3], argv + 4, (size_t)argc - 4);
    if (strcmp(what, "init") == 0)
        return init_producer();
    if (strcmp(what, "idempotent") == 0 && argc == 4)
        return idempotent(argv[3]);
    if (strcmp(what, "alter") == 0 && argc > 4)
        return alter(argv[3], argv + 4, (size_t)argc - 4);
    if (argc > 4)
        (void)kb_parse_i64(argv[4], &number);
    if (strcmp(what, "offsets") == 0 && argc == 6)
        return offsets(argv[3], number,
                       strcmp(argv[5], "1") == 0 ? KB_READ_COMMITTED
                                                 : KB_READ_UNCOMMITTED);
    if (strcmp(what, "producers") == 0 && argc == 5)
        return producers(argv[3], (int32_t)number);
    if (strcmp(what, "fetch") == 0 && argc > 3)
        return fetch(argv[3], number, false);
    if (strcmp(what, "dump") == 0 && argc == 5) {
        int rc;

        dump = fopen(argv[4], "w");
        rc = dump ? fetch(argv[3], 0, false) : 1;
        return dump && fclose(dump) ? 1 : rc;
    }
    if (strcmp(what, "show") == 0 && argc > 3)
        return fetch(argv[3], number, true);
    if (strcmp(what, "copy") == 0 && argc == 5)
        return copy(argv[3], argv[4], knob("PROBE_SHOW", 0) != 0);
    return usage();
}

int main(int argc, char **argv)
{
    struct kb_broker_override override = {"127.0.0.1", 0, "127.0.0.1", 0};
    int rc;

    if (argc < 3)
        return usage();
    bootstrap = argv[1];
    kb_log_init(KB_LOG_TEXT,
                knob("PROBE_DEBUG", 0) ? KBP_LOG_DEBUG : KBP_LOG_WARN);
    if (kb_stop_init(&stop, &err) != KBP_OK)
        return failed("start");
    kb_net_config_init(&net, &stop);
    /* Through a proxy: all of 127.0.0.1 is reached by this port. */
    if (knob("PROBE_PROXY", 0)) {
        override.to_port = (uint16_t)knob("PROBE_PROXY", 0);
        net.overrides = &override;
        net.override_count = 1;
    }
    net.connect_timeout_ms = knob("PROBE_CONNECT_MS", 3000);
    net.request_timeout_ms = knob("PROBE_REQUEST_MS", 30000);
    if (kb_client_new(&net, &bootstrap, 1, &client, &err) != KBP_OK)
        return failed("start");
    rc = run(argc, argv);
    kb_client_free(client);
    kb_stop_release(&stop);
    return rc;
}

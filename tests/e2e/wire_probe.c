/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_probe.c - the data plane by hand, against a real broker: what the
 * tests in wire.sh call, and what is measured against the wire.
 *
 * Facts go to stdout, one a line; the exit code says whether it went well.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/admin.h"
#include "kafka/batch.h"
#include "kafka/client.h"
#include "kafka/conn_impl.h"
#include "kafka/error.h"
#include "kafka/fetch.h"
#include "kafka/produce.h"

static struct kb_stop stop;
static struct kb_net_config net;
static struct kb_client *client;
static const char *bootstrap;
static struct kbp_error err = KB_ERR_INIT;
static FILE *dump; /* of `dump`: the records of partition 0 */

/* PROBE_<NAME> of the environment as a number. */
static int64_t knob(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    int64_t value;

    return text && kb_parse_i64(text, &value) ? value : otherwise;
}

static int failed(const char *what)
{
    printf("error %d %s: %s%s%s\n", err.status, what, err.message,
           *err.hint ? " | " : "", err.hint);
    return 1;
}

/* Tests ask for a version by lowering what the broker is said to offer. */
static void cap(struct kb_conn *conn, enum kb_api api, const char *name)
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

/* The partitions of a topic; free() them. */
static int32_t partitions_of(const char *topic, struct kb_uuid *id,
                             int32_t *leader)
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

struct part {
    int64_t offset;
    int64_t end;
    uint64_t bytes;
    uint64_t batches;
    uint64_t records;
    struct kb_slice *slices; /* what is kept, for produce */
    size_t slice_count;
    size_t next;
};

struct fetching {
    FILE *dump; /* gets the records as they come, or NULL */
    struct part *parts;
    struct kb_block *block;
    bool keep;
    bool show;
};

static void show_batch(int32_t partition, const struct kb_batch *b)
{
    printf("batch %" PRId32 " %" PRId64 " %" PRId64 " attributes %02x count "
           "%" PRId32 " pid %" PRId64 " epoch %d seq %" PRId32 " times %" PRId64
           " %" PRId64 " bytes %zu control %d\n",
           partition, b->base_offset, kb_batch_next_offset(b), b->attributes,
           b->count, b->producer_id, b->producer_epoch, b->base_sequence,
           b->base_timestamp, b->max_timestamp, b->len,
           kb_batch_control_type(b));
}

static int take_batches(struct fetching *f, struct part *part,
                        const struct kb_fetched *fetched, struct kbp_error *why)
{
    const uint8_t *at = fetched->records;
    size_t left = fetched->records_len;

    while (left > 0) {
        struct kb_batch b;
        int rc = kb_batch_parse(at, left, &b, why);

        if (rc == KB_BATCH_CUT)
            break;
        if (rc == KB_BATCH_LEGACY && f->dump) {
            part->offset = part->end; /* one answer of these is enough */
            return KBP_OK;
        }
        if (rc == KB_BATCH_LEGACY)
            return kb_fail(why, KBP_ERR_UNSUPPORTED, "legacy");
        if (rc == KBP_OK)
            rc = kb_batch_check(&b, why);
        if (rc != KBP_OK)
            return rc;
        if (f->show)
            show_batch(fetched->partition->id.partition, &b);
        if (f->keep) {
            if ((part->slice_count & (part->slice_count + 1)) == 0)
                part->slices =
                    realloc(part->slices,
                            (part->slice_count + 1) * 2 * sizeof *part->slices);
            part->slices[part->slice_count++] =
                kb_slice_of(f->block, b.bytes, b.len);
        }
        part->bytes += b.len;
        part->batches++;
        part->records += (uint64_t)b.count;
        part->offset = kb_batch_next_offset(&b);
        at += b.len;
        left -= b.len;
    }
    return KBP_OK;
}

static int fetched_one(void *data, const struct kb_fetched *fetched,
                       struct kbp_error *why)
{
    struct fetching *f = data;
    struct part *part = fetched->partition->user;
    size_t i;

    if (fetched->error)
        return kb_fail(why, kb_kafka_error_status(fetched->error),
                       "partition %" PRId32 ": %s",
                       fetched->partition->id.partition,
                       kb_kafka_error_name(fetched->error));
    part->end = fetched->high_watermark;
    if (f->show)
        printf("fetched %" PRId32 " hw %" PRId64 " lso %" PRId64
               " start %" PRId64 " bytes %zu aborted %zu\n",
               fetched->partition->id.partition, fetched->high_watermark,
               fetched->last_stable_offset, fetched->log_start,
               fetched->records_len, fetched->aborted_count);
    for (i = 0; f->show && i < fetched->aborted_count; i++) {
        struct kb_aborted a = kb_fetched_aborted(fetched, i);

        printf("aborted %" PRId32 " pid %" PRId64 " first %" PRId64 "\n",
               fetched->partition->id.partition, a.producer_id, a.first_offset);
    }
    if (f->dump && fetched->partition->id.partition == 0)
        (void)fwrite(fetched->records, 1, fetched->records_len, f->dump);
    return take_batches(f, part, fetched, why);
}

/* Fetch a topic from offset `from` to its end into `parts`. */
static int fetch_all(struct kb_conn *conn, const char *topic,
                     const struct kb_uuid *id, struct part *parts,
                     int32_t count, bool keep, bool show)
{
    struct kb_fetch_partition *wanted = calloc((size_t)count, sizeof *wanted);
    int16_t version = kb_fetch_version(conn, !kb_uuid_is_none(id));
    int64_t stalls = 0;
    int rounds = 0;

    if (show)
        printf("version %d\n", version);
    for (;;) {
        struct kb_fetch_request request = {
            .max_wait_ms = (int32_t)knob("PROBE_WAIT", 100),
            .min_bytes = 1,
            .max_bytes = (int32_t)knob("PROBE_MAX_BYTES", 16 << 20),
            .isolation = (enum kb_isolation)knob("PROBE_ISOLATION", 0),
            .client_rack = "",
            .partitions = wanted,
        };
        struct fetching f = {dump, parts, NULL, keep, show};
        struct kb_buf body = KB_BUF_INIT;
        struct kb_answer answer;
        int32_t throttle_ms;
        int16_t error;
        uint64_t before = 0;
        uint64_t after = 0;
        int32_t i;
        int rc;

        for (i = 0; i < count; i++) {
            struct part *part = &parts[(i + rounds) % count];

            before += part->batches;
            if (part->offset >= part->end)
                continue;
            wanted[request.count++] = (struct kb_fetch_partition){
                .id = {topic, *id, (int32_t)(part - parts)},
                .leader_epoch = -1,
                .offset = part->offset,
                .max_bytes = (int32_t)knob("PROBE_PART_BYTES", 8 << 20),
                .user = part,
            };
        }
        rounds++;
        if (request.count == 0)
            break;
        rc = kb_fetch_encode(&body, version, &request, &err);
        if (rc == KBP_OK)
            rc =
                kb_conn_call(conn, KB_API_FETCH, version, &body, &answer, &err);
        kb_buf_release(&body);
        if (rc != KBP_OK)
            return failed("fetch");
        f.block = answer.block;
        rc = kb_fetch_decode(&answer, &request, &throttle_ms, &error,
                             fetched_one, &f, &err);
        kb_answer_release(&answer);
        if (rc != KBP_OK)
            return failed("fetch answer");
        if (error) {
            printf("fetch error %s\n", kb_kafka_error_name(error));
            return 1;
        }
        kb_conn_throttled(conn, throttle_ms);
        if (show || throttle_ms)
            printf("throttle %" PRId32 "\n", throttle_ms);
        for (i = 0; i < count; i++)
            after += parts[i].batches;
        if (after == before && throttle_ms == 0 && ++stalls > 20) {
            printf("stalled\n");
            return 1;
        }
    }
    free(wanted);
    return 0;
}

static double cpu_seconds(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void say_rate(const char *what, const struct part *parts, int32_t count,
                     int64_t start_ns, double cpu)
{
    double seconds = (double)(kb_now_ns() - start_ns) / 1e9;
    uint64_t bytes = 0;
    uint64_t batches = 0;
    uint64_t records = 0;
    int32_t i;

    for (i = 0; i < count; i++) {
        bytes += parts[i].bytes;
        batches += parts[i].batches;
        records += parts[i].records;
    }
    printf("%s %" PRIu64 " recs %" PRIu64 " batches %.1f MB in %.2fs = "
           "%.1f MB/s, cpu %.2f\n",
           what, records, batches, (double)bytes / 1e6, seconds,
           (double)bytes / 1e6 / seconds, cpu_seconds() - cpu);
}

static int fetch(const char *topic, int64_t from, bool show)
{
    struct kb_uuid id = {{0}};
    int32_t leader = -1;
    int32_t count = partitions_of(topic, &id, &leader);
    struct part *parts;
    struct kb_conn *conn;
    int64_t start_ns;
    double cpu = cpu_seconds();
    int32_t i;
    int rc;

    if (count < 0)
        return failed("metadata");
    parts = calloc((size_t)count, sizeof *parts);
    for (i = 0; i < count; i++) {
        parts[i].offset = from;
        parts[i].end = INT64_MAX;
    }
    if (kb_client_connect(client, leader, &conn, &err) != KBP_OK)
        return failed("connect");
    cap(conn, KB_API_FETCH, "PROBE_FETCH");
    start_ns = kb_now_ns();
    rc = fetch_all(conn, topic, &id, parts, count, false, show);
    say_rate("fetch", parts, count, start_ns, cpu);
    kb_conn_close(conn);
    free(parts);
    return rc;
}

static int produced_one(void *data, const struct kb_produced *produced,
                        struct kbp_error *why)
{
    bool *show = data;

    if (*show || produced->error)
        printf("produced %" PRId32 " %s base %" PRId64 " time %" PRId64
               " start %" PRId64 " record %" PRId32 " %s\n",
               produced->partition->id.partition,
               kb_kafka_error_name(produced->error), produced->base_offset,
               produced->log_append_time, produced->log_start,
               produced->bad_record, produced->message);
    if (produced->error)
        return kb_fail(why, kb_kafka_error_status(produced->error), "%s",
                       kb_kafka_error_name(produced->error));
    return KBP_OK;
}

/* A request in flight. */
struct flight {
    struct kb_produce_request request;
    struct kb_produce_partition *wanted;
};

static int send_one(struct kb_conn *conn, int16_t version, const char *topic,
                    const struct kb_uuid *id, struct part *parts, int32_t count,
                    struct flight *flight)
{
    static struct kb_buf body;
    struct kb_batch_stamp stamp = {0, -1, -1, -1};
    struct iovec *iov;
    int iov_count;
    size_t n = 0;
    int32_t i;
    int rc;

    flight->wanted = calloc((size_t)count, sizeof *flight->wanted);
    for (i = 0; i < count; i++) {
        struct part *part = &parts[i];
        struct kb_slice *slice = &part->slices[part->next];

        if (part->next == part->slice_count)
            continue;
        part->next++;
        kb_batch_stamp((uint8_t *)(uintptr_t)slice->data, slice->len, &stamp);
        flight->wanted[n++] = (struct kb_produce_partition){
            .id = {topic, *id, i},
            .batch = slice->data,
            .batch_len = slice->len,
        };
    }
    flight->request = (struct kb_produce_request){
        .acks = (int16_t)knob("PROBE_ACKS", -1),
        .timeout_ms = 30000,
        .partitions = flight->wanted,
        .count = n,
    };
    if (n == 0) {
        free(flight->wanted);
        return 0;
    }
    rc = kb_produce_encode(&body, version, &flight->request, &iov, &iov_count,
                           &err);
    if (rc != KBP_OK)
        return rc;
    rc = kb_conn_send(conn, KB_API_PRODUCE, version, iov, iov_count, &err);
    free(iov);
    kb_buf_release(&body);
    return rc == KBP_OK ? 1 : rc;
}

static int receive_one(struct kb_conn *conn, struct flight *flight, bool show)
{
    struct kb_answer answer;
    int32_t throttle_ms;
    int rc =
        kb_conn_receive(conn, kb_deadline_ms(30000), NULL, 0, &answer, &err);

    if (rc != KBP_OK)
        return rc;
    rc = kb_produce_decode(&answer, &flight->request, &throttle_ms,
                           produced_one, &show, &err);
    kb_answer_release(&answer);
    if (rc == KBP_OK)
        kb_conn_throttled(conn, throttle_ms);
    free(flight->wanted);
    return rc;
}

#define FLIGHTS 5

static int copy(const char *from, const char *to, bool show)
{
    struct kb_uuid id = {{0}};
    struct kb_uuid to_id = {{0}};
    int32_t leader = -1;
    int32_t count = partitions_of(from, &id, &leader);
    struct flight flights[FLIGHTS];
    struct part *parts;
    struct kb_conn *conn;
    int64_t start_ns;
    int16_t version;
    double cpu;
    size_t sent = 0;
    size_t done = 0;
    int32_t i;
    int rc;

    if (count < 0 || partitions_of(to, &to_id, &leader) < count)
        return failed("metadata");
    parts = calloc((size_t)count, sizeof *parts);
    for (i = 0; i < count; i++)
        parts[i].end = INT64_MAX;
    if (kb_client_connect(client, leader, &conn, &err) != KBP_OK)
        return failed("connect");
    if (fetch_all(conn, from, &id, parts, count, true, false))
        return 1;
    kb_conn_close(conn);
    if (kb_client_connect(client, leader, &conn, &err) != KBP_OK)
        return failed("connect");
    cap(conn, KB_API_PRODUCE, "PROBE_PRODUCE");
    version = kb_produce_version(conn, !kb_uuid_is_none(&to_id));
    printf("version %d\n", version);
    start_ns = kb_now_ns();
    cpu = cpu_seconds();
    for (;;) {
        rc = 0;
        while (sent - done < FLIGHTS) {
            rc = send_one(conn, version, to, &to_id, parts, count,
                          &flights[sent % FLIGHTS]);
            if (rc < 0)
                return failed("produce");
            if (rc == 0)
                break;
            sent++;
        }
        if (sent == done)
            break;
        if (receive_one(conn, &flights[done++ % FLIGHTS], show) != KBP_OK)
            return failed("produce answer");
    }
    say_rate("produce", parts, count, start_ns, cpu);
    kb_conn_close(conn);
    for (i = 0; i < count; i++) {
        for (done = 0; done < parts[i].slice_count; done++)
            kb_slice_release(&parts[i].slices[done]);
        free(parts[i].slices);
    }
    free(parts);
    return 0;
}

/* What an idempotent producer's batch meets. */
static int try_batch(struct kb_conn *conn, const char *topic,
                     const struct kb_uuid *id, const struct kb_buf *batch,
                     int64_t producer_id, int16_t epoch, int32_t sequence)
{
    const struct kb_batch_stamp stamp = {0, producer_id, epoch, sequence};
    struct kb_produce_partition wanted = {
        .id = {topic, *id, 0},
        .batch = batch->data,
        .batch_len = batch->len,
    };
    struct flight flight = {
        .request = {.acks = -1,
                    .timeout_ms = 30000,
                    .partitions = &wanted,
                    .count = 1},
    };
    int16_t version = kb_produce_version(conn, !kb_uuid_is_none(id));
    struct kb_buf body = KB_BUF_INIT;
    struct iovec *iov;
    int iov_count;
    int rc;

    kb_batch_stamp(batch->data, batch->len, &stamp);
    rc = kb_produce_encode(&body, version, &flight.request, &iov, &iov_count,
                           &err);
    if (rc == KBP_OK) {
        rc = kb_conn_send(conn, KB_API_PRODUCE, version, iov, iov_count, &err);
        free(iov);
    }
    kb_buf_release(&body);
    return rc == KBP_OK ? receive_one(conn, &flight, true) : rc;
}

/* Three records; each step prints what became of it. */
static int idempotent(const char *topic)
{
    const struct kb_record record = {
        .timestamp = knob("PROBE_TIME", kb_wall_ms()),
        .value = (const uint8_t *)"value",
        .key_len = -1,
        .value_len = 5,
    };
    struct kb_batch_builder builder = {.count = 0};
    struct kb_buf batch = KB_BUF_INIT;
    struct kb_uuid id = {{0}};
    struct kb_conn *conn;
    int32_t leader = -1;
    int64_t pid;
    int16_t epoch;
    int i;

    kb_batch_builder_reset(&builder);
    for (i = 0; i < 3; i++)
        if (kb_batch_builder_add(&builder, &record, NULL, 0, &err) != KBP_OK)
            return failed("build");
    if (kb_batch_builder_finish(&builder, 0, NULL, 0, &batch, &err) != KBP_OK ||
        kb_client_init_producer_id(client, &pid, &epoch, &err) != KBP_OK ||
        partitions_of(topic, &id, &leader) < 1 ||
        kb_client_connect(client, leader, &conn, &err) != KBP_OK)
        return failed("start");
    (void)try_batch(conn, topic, &id, &batch, pid, epoch, 0);
    (void)try_batch(conn, topic, &id, &batch, pid, epoch, 0); /* again */
    (void)try_batch(conn, topic, &id, &batch, pid, epoch, 3);
    (void)try_batch(conn, topic, &id, &batch, pid, epoch, 10); /* a gap */
    /* As after a crash: a new epoch, sequences from 0; the old is fenced. */
    (void)try_batch(conn, topic, &id, &batch, pid, (int16_t)(epoch + 1), 0);
    (void)try_batch(conn, topic, &id, &batch, pid, epoch, 6);
    kb_conn_close(conn);
    kb_batch_builder_release(&builder);
    kb_buf_release(&batch);
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

/* Arguments are KEY=VALUE, or KEY for its default. */
static int alter(const char *topic, char **args, size_t count)
{
    struct kb_config_change *changes = calloc(count, sizeof *changes);
    size_t i;
    int rc;

    for (i = 0; i < count; i++) {
        char *equals = strchr(args[i], '=');

        changes[i].key = args[i];
        changes[i].value = equals ? equals + 1 : NULL;
        if (equals)
            *equals = '\0';
    }
    rc = kb_client_alter_topic_configs(client, topic, changes, count, &err);
    free(changes);
    if (rc != KBP_OK)
        return failed("alter");
    printf("altered %s\n", topic);
    return 0;
}

static int producers(const char *topic, int32_t partition)
{
    struct kb_producer_state *states;
    size_t count;
    size_t i;

    if (kb_client_describe_producers(client, topic, partition, &states, &count,
                                     &err) != KBP_OK)
        return failed("producers");
    for (i = 0; i < count; i++)
        printf("producer %" PRId64 " epoch %" PRId32 " sequence %" PRId32
               " time %" PRId64 " txn %" PRId64 "\n",
               states[i].producer_id, states[i].epoch, states[i].last_sequence,
               states[i].last_timestamp, states[i].txn_start_offset);
    printf("producers %zu\n", count);
    free(states);
    return 0;
}

static int show_configs(struct kb_admin *admin, const char *const *topics,
                        size_t count)
{
    struct kb_admin_configs *configs;
    size_t i;
    size_t j;

    if (kb_admin_topic_configs(admin, topics, count, &configs, &err) != KBP_OK)
        return failed("configs");
    for (i = 0; i < count; i++) {
        printf("configs %s %s %zu\n", configs[i].topic,
               kb_kafka_error_name(configs[i].error), configs[i].count);
        for (j = 0; j < configs[i].count; j++)
            if (configs[i].items[j].dynamic)
                printf("config %s %s=%s\n", configs[i].topic,
                       configs[i].items[j].key, configs[i].items[j].value);
    }
    kb_admin_configs_free(configs, count);
    return 0;
}

/* create TOPIC PARTITIONS REPLICATION [KEY=VALUE...] */
static int create(struct kb_admin *admin, char **args, size_t count)
{
    const char *keys[16];
    const char *values[16];
    struct kb_new_topic topic = {
        .name = args[0], .config_keys = keys, .config_values = values};
    int64_t partitions = 1;
    int64_t replication = 1;
    size_t i;

    (void)kb_parse_i64(args[1], &partitions);
    (void)kb_parse_i64(args[2], &replication);
    topic.partitions = (int32_t)partitions;
    topic.replication_factor = (int32_t)replication;
    for (i = 3; i < count && i < 19; i++) {
        char *equals = strchr(args[i], '=');

        *equals = '\0';
        keys[i - 3] = args[i];
        values[i - 3] = equals + 1;
        topic.config_count++;
    }
    if (kb_admin_create_topics(admin, &topic, 1, knob("PROBE_VALIDATE", 0),
                               &err) != KBP_OK)
        return failed("create");
    printf("created %s %s %s\n", topic.name, kb_kafka_error_name(topic.error),
           topic.message);
    return topic.error != 0;
}

static int show_groups(struct kb_admin *admin)
{
    struct kb_group_list list;
    size_t i;
    size_t j;

    if (kb_client_list_groups(client, &list, &err) != KBP_OK)
        return failed("groups");
    for (i = 0; i < list.count; i++) {
        const char *name = list.items[i].name;
        struct kb_group_offset *offsets;
        size_t n;

        if (kb_admin_group_offsets(admin, name, &offsets, &n, &err) != KBP_OK)
            return failed("group offsets");
        printf("group %s %zu\n", name, n);
        for (j = 0; j < n; j++)
            printf("committed %s %s %" PRId32 " %" PRId64 " %s %s\n", name,
                   offsets[j].topic, offsets[j].partition, offsets[j].offset,
                   kb_kafka_error_name(offsets[j].error),
                   offsets[j].metadata ? offsets[j].metadata : "-");
        kb_group_offsets_free(offsets, n);
    }
    kb_groups_list_release(&list);
    return 0;
}

/* commit GROUP TOPIC PARTITION OFFSET [METADATA] */
static int commit(struct kb_admin *admin, char **args, size_t count)
{
    struct kb_group_offset offset = {.topic = args[1]};
    int64_t partition = 0;

    (void)kb_parse_i64(args[2], &partition);
    (void)kb_parse_i64(args[3], &offset.offset);
    offset.partition = (int32_t)partition;
    offset.metadata = count > 4 ? args[4] : NULL;
    if (kb_admin_commit_group_offsets(admin, args[0], &offset, 1, &err) !=
        KBP_OK)
        return failed("commit");
    printf("commit %s\n", kb_kafka_error_name(offset.error));
    return offset.error != 0;
}

static int run_admin(const char *what, char **args, size_t count)
{
    struct kb_admin *admin;
    int64_t number = 0;
    int rc = 2;

    if (kb_admin_open(&net, &bootstrap, 1, &admin, &err) != KBP_OK)
        return failed("admin");
    if (strcmp(what, "configs") == 0)
        rc = show_configs(admin, (const char *const *)args, count);
    else if (strcmp(what, "create") == 0 && count >= 3)
        rc = create(admin, args, count);
    else if (strcmp(what, "groups") == 0)
        rc = show_groups(admin);
    else if (strcmp(what, "commit") == 0 && count >= 4)
        rc = commit(admin, args, count);
    else if (strcmp(what, "delete") == 0)
        rc = kb_admin_delete_topics(admin, (const char *const *)args, count,
                                    &err);
    else if (strcmp(what, "partitions") == 0 && count == 2 &&
             kb_parse_i64(args[1], &number))
        rc = kb_admin_create_partitions(admin, args[0], (int32_t)number, &err);
    else if (strcmp(what, "truncate") == 0 && count == 2 &&
             kb_parse_i64(args[1], &number))
        rc = kb_admin_delete_records(admin, args[0], &number, 1, &err);
    if (rc < 0)
        rc = failed(what);
    kb_admin_close(admin);
    return rc;
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

/* SPDX-License-Identifier: Apache-2.0 */
/* wire_probe_move.c - batches by hand: fetched, shown, copied, produced. */
#include "wire_probe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "kafka/batch.h"
#include "kafka/error.h"
#include "kafka/fetch.h"
#include "kafka/produce.h"

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

int fetch(const char *topic, int64_t from, bool show)
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

int copy(const char *from, const char *to, bool show)
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
int idempotent(const char *topic)
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * produce.c - a sender per leader: one connection, several requests in flight,
 * each with at most one batch of a partition.
 *
 * A partition has one request in flight until the first of its batches (of
 * this epoch) is acknowledged, as only then the broker knows its sequence;
 * afterwards five, as many as a broker remembers.  Where each batch must land
 * is known before it is sent, and every answer is compared with that.
 *
 * A broker forgets a producer by the age of its last records.  Behind old ones
 * it takes any sequence, so that a batch could land though the one before it
 * was refused: those go one by one.
 */
#include "kafka/produce.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "kafka/acl.h"
#include "kafka/error.h"
#include "metrics/metrics.h"
#include "restore/run.h"

#define MAX_IN_FLIGHT 5u
/* Well within producer.id.expiration.ms, which is a day by default. */
#define REMEMBERED_MS ((int64_t)12 * 3600 * 1000)
/* A request is sent once it is this large... */
#define REQUEST_BYTES ((size_t)8 << 20)
/* ...and never larger than this, but for a single batch. Brokers close the
   connection above socket.request.max.bytes. */
#define REQUEST_MAX_BYTES ((size_t)32 << 20)

struct item {
    struct kb_part *part;
    struct kb_ready *ready;
};

struct request {
    struct item *items;
    struct kb_produce_partition *partitions;
    size_t count;
    size_t cap;
    size_t bytes;
    uint64_t records;
    struct kb_buf body;
};

struct kb_lane {
    struct kb_lane *next;
    struct kb_restore_run *run;
    int32_t broker;
    pthread_t thread;
    pthread_cond_t wake;
    bool gone; /* it ended; under the lock */
    /* The thread's own. */
    struct kb_conn *conn;
    struct request requests[MAX_IN_FLIGHT];
    unsigned first; /* of those in flight */
    unsigned in_flight;
    size_t turn; /* whose batch comes first */
};

/* Whether a broker that took it will know its producer for the time being. */
static bool is_remembered(const struct kb_ready *ready)
{
    return ready->max_timestamp > kb_wall_ms() - REMEMBERED_MS;
}

/* Under the lock. */
static unsigned most_in_flight(const struct kb_part *part)
{
    if (!part->proven || (part->sent.tail && !is_remembered(part->sent.tail)))
        return 1;
    return MAX_IN_FLIGHT;
}

static bool may_send(const struct kb_lane *lane, const struct kb_part *part)
{
    return part->phase == KB_PART_RUNNING && !part->doubted &&
           part->leader == lane->broker && part->ready.head &&
           !part->ready.head->landed && part->in_flight < most_in_flight(part);
}

/* What landed in an earlier run needs no sending. */
static void pass_landed(struct kb_lane *lane, struct kb_part *part)
{
    bool any = false;

    if (part->phase != KB_PART_RUNNING || part->leader != lane->broker ||
        part->sent.head)
        return;
    while (part->ready.head && part->ready.head->landed) {
        struct kb_ready *ready = kb_ready_pop(&part->ready);

        kb_part_complete(lane->run, part, ready);
        kb_ready_free(ready);
        any = true;
    }
    if (any)
        kb_part_check_done(lane->run, part);
}

static bool grow(struct request *request)
{
    size_t cap = request->cap ? request->cap * 2 : 16;
    struct item *items = realloc(request->items, cap * sizeof *items);
    struct kb_produce_partition *partitions;

    if (!items)
        return false;
    request->items = items;
    partitions = realloc(request->partitions, cap * sizeof *partitions);
    if (!partitions)
        return false;
    request->partitions = partitions;
    request->cap = cap;
    return true;
}

/* The partition's next batch goes into the request. Under the lock. */
static void put_batch(struct request *request, struct kb_part *part)
{
    struct kb_ready *ready = kb_ready_pop(&part->ready);

    ready->producer_id = part->producer_id;
    ready->epoch = part->epoch;
    ready->sequence = part->send_sequence;
    part->send_sequence =
        (int32_t)(((int64_t)part->send_sequence + ready->count) & INT32_MAX);
    ready->next_sequence = part->send_sequence;
    kb_ready_push(&part->sent, ready);
    part->in_flight++;
    request->items[request->count++] = (struct item){part, ready};
    request->bytes += ready->len;
    request->records += (uint64_t)ready->count;
}

/* A batch of each partition that has one. Under the lock. */
static void gather(struct kb_lane *lane, struct request *request)
{
    struct kb_restore_run *run = lane->run;
    size_t i;

    request->count = 0;
    request->bytes = 0;
    request->records = 0;
    /* Passing what landed can end partitions, which moves others. */
    for (i = run->active_count; i > 0; i--)
        if (i <= run->active_count)
            pass_landed(lane, run->active[i - 1]);
    for (i = 0; i < run->active_count; i++) {
        struct kb_part *part =
            run->active[(lane->turn + i) % run->active_count];

        if (!may_send(lane, part))
            continue;
        if (request->count > 0 &&
            request->bytes + part->ready.head->len > REQUEST_MAX_BYTES)
            break;
        if (request->count == request->cap && !grow(request))
            break;
        put_batch(request, part);
        if (request->bytes >= REQUEST_BYTES)
            break;
    }
    lane->turn += i;
    if (request->count > 0)
        (void)pthread_cond_broadcast(&run->work);
}

/* Partitions of one topic stand together. */
static int by_topic(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;
    int order = strcmp(a->part->topic, b->part->topic);

    if (order)
        return order;
    return a->part->partition < b->part->partition ? -1 : 1;
}

static int send_request(struct kb_lane *lane, struct request *request,
                        struct kbp_error *err)
{
    struct kb_restore_run *run = lane->run;
    struct kb_produce_request wire = {
        .acks = -1,
        .timeout_ms = (int32_t)run->config->restore.produce_timeout_ms,
        .partitions = request->partitions,
        .count = request->count,
    };
    struct iovec *parts = NULL;
    bool have_ids = true;
    int part_count = 0;
    int16_t version;
    size_t i;
    int status;

    qsort(request->items, request->count, sizeof *request->items, by_topic);
    for (i = 0; i < request->count; i++) {
        struct item *item = &request->items[i];
        const struct kb_batch_stamp stamp = {
            .base_offset = 0,
            .producer_id = item->ready->producer_id,
            .producer_epoch = item->ready->epoch,
            .base_sequence = item->ready->sequence,
        };

        kb_batch_stamp(item->ready->bytes, item->ready->len, &stamp);
        request->partitions[i] = (struct kb_produce_partition){
            .id = {item->part->topic, item->part->topic_id,
                   item->part->partition},
            .batch = item->ready->bytes,
            .batch_len = item->ready->len,
            .user = item,
        };
        if (kb_uuid_is_none(&item->part->topic_id))
            have_ids = false;
    }
    version = kb_produce_version(lane->conn, have_ids);
    if (version < 0)
        return kb_fail(err, KBP_ERR_UNSUPPORTED,
                       "%s speaks no version of Produce that we do",
                       kb_conn_name(lane->conn));
    kb_buf_reset(&request->body);
    status = kb_produce_encode(&request->body, version, &wire, &parts,
                               &part_count, err);
    if (status == KBP_OK)
        status = kb_conn_send(lane->conn, KB_API_PRODUCE, version, parts,
                              part_count, err);
    free(parts);
    return status;
}

/* Nobody knows what became of these. Under the lock. */
static void doubt_request(struct request *request, const struct kbp_error *err)
{
    size_t i;

    for (i = 0; i < request->count; i++) {
        struct kb_part *part = request->items[i].part;

        part->in_flight--;
        kb_part_doubt(part, err);
    }
    request->count = 0;
}

/*
 * The connection is lost, or couldn't be made: all that is in flight is in
 * doubt, and so is the leadership of all that go this way.
 */
static void lose(struct kb_lane *lane, struct request *unsent,
                 const struct kbp_error *err)
{
    struct kb_restore_run *run = lane->run;
    size_t i;

    kb_conn_close(lane->conn);
    lane->conn = NULL;
    kb_progress_add(&run->progress->retries, 1);
    kb_metrics_retry("produce");
    kb_metrics_error(kb_error_type_of(err->status, false));
    (void)pthread_mutex_lock(&run->lock);
    kb_info("restore: broker %" PRId32 ": %s", lane->broker, err->message);
    while (lane->in_flight > 0) {
        doubt_request(&lane->requests[lane->first], err);
        lane->first = (lane->first + 1) % MAX_IN_FLIGHT;
        lane->in_flight--;
    }
    if (unsent)
        doubt_request(unsent, err);
    for (i = 0; i < run->active_count; i++)
        if (run->active[i]->leader == lane->broker)
            kb_part_doubt(run->active[i], err);
    (void)pthread_cond_broadcast(&run->changed);
    (void)pthread_mutex_unlock(&run->lock);
}

/* Whether the broker's no may become a yes without our changing anything. */
static bool may_pass(int16_t error)
{
    switch (error) {
    case KB_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case KB_KAFKA_DUPLICATE_SEQUENCE_NUMBER:
    case KB_KAFKA_INVALID_PRODUCER_EPOCH:
    case KB_KAFKA_UNKNOWN_PRODUCER_ID:
    case KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION: /* also while it moves */
    case KB_KAFKA_UNKNOWN_TOPIC_ID:
    case KB_KAFKA_KAFKA_STORAGE_ERROR:
    case KB_KAFKA_UNKNOWN_SERVER_ERROR:
        return true;
    case KB_KAFKA_CORRUPT_MESSAGE: /* its CRC was checked: it means INVALID */
        return false;
    default:
        return kb_kafka_error_is_retriable(error);
    }
}

static void fail_produced(const struct kb_part *part,
                          const struct kb_produced *produced,
                          const struct kb_ready *ready, struct kbp_error *err)
{
    (void)kb_fail(err, kb_kafka_error_status(produced->error),
                  "a batch of %" PRId32
                  " records (%zu bytes) for offset %" PRId64
                  " was refused: %s (%s)%s%s",
                  ready->count, ready->len, ready->target_offset,
                  kb_kafka_error_name(produced->error),
                  kb_kafka_error_text(produced->error),
                  produced->message[0] ? ": " : "", produced->message);
    kb_acl_hint(err, produced->error, KB_ACL_TOPIC, part->topic, "Write");
    if (produced->error == KB_KAFKA_MESSAGE_TOO_LARGE)
        kb_err_hint(err, "raise the topic's max.message.bytes to %zu or more",
                    ready->len);
    else if (produced->error == KB_KAFKA_RECORD_LIST_TOO_LARGE)
        kb_err_hint(err, "raise the topic's segment.bytes to %zu or more",
                    ready->len);
    else if (produced->error == KB_KAFKA_INVALID_RECORD)
        kb_err_hint(err, "a compacted topic takes no records without a key; "
                         "restore with cleanup.policy=delete");
    else if (produced->error == KB_KAFKA_INVALID_TIMESTAMP)
        kb_err_hint(err, "set the topic's message.timestamp.before.max.ms and "
                         "message.timestamp.after.max.ms (before 3.6: "
                         "message.timestamp.difference.max.ms) to "
                         "9223372036854775807");
}

/* The outcome of one batch. Under the lock. */
static void settle(struct kb_lane *lane, struct kb_part *part,
                   struct kb_ready *ready, const struct kb_produced *produced)
{
    struct kb_restore_run *run = lane->run;
    struct kbp_error err = KB_ERR_INIT;

    part->in_flight--;
    if (produced->error == KB_KAFKA_NONE) {
        if (produced->base_offset != ready->target_offset) {
            (void)kb_fail(&err, KBP_ERR_CONFLICT,
                          "a batch landed at offset %" PRId64
                          ", expected was %" PRId64,
                          produced->base_offset, ready->target_offset);
            kb_err_hint(&err, "something else writes to the partition, or a "
                              "batch landed twice; restore into an empty "
                              "topic that nobody writes to");
            kb_part_fail(run, part, &err);
        } else if (part->sent.head == ready && !part->doubted &&
                   part->phase == KB_PART_RUNNING) {
            (void)kb_ready_pop(&part->sent);
            part->proven = is_remembered(ready);
            kb_part_complete(run, part, ready);
            kb_ready_free(ready);
        } /* else an earlier one is in doubt: the log will tell of this, too */
    } else {
        fail_produced(part, produced, ready, &err);
        if (may_pass(produced->error)) {
            kb_debug("restore: %s/%" PRId32 ": %s", part->topic,
                     part->partition, err.message);
            part->kafka_error = produced->error;
            kb_part_doubt(part, &err);
        } else if (!part->doubted) {
            kb_part_fail(run, part, &err);
        }
    }
    if (part->doubted)
        kb_part_doubt(part, &err);
    kb_part_check_done(run, part);
}

struct answered {
    struct kb_lane *lane;
    struct request *request;
};

/* For kb_produce_decode(), under the lock. */
static int on_produced(void *data, const struct kb_produced *produced,
                       struct kbp_error *err)
{
    const struct answered *answered = data;
    struct item *item = produced->partition->user;

    (void)err;
    if (!item->ready)
        return KBP_OK; /* named twice */
    settle(answered->lane, item->part, item->ready, produced);
    item->ready = NULL;
    return KBP_OK;
}

/* An answer to the oldest request. */
static int take_answer(struct kb_lane *lane, struct kbp_error *err)
{
    struct kb_restore_run *run = lane->run;
    struct request *request = &lane->requests[lane->first];
    struct answered answered = {lane, request};
    const struct kb_produce_request wire = {.partitions = request->partitions,
                                            .count = request->count};
    const int64_t timeout = run->config->restore.produce_timeout_ms +
                            run->cluster.net.request_timeout_ms;
    struct kb_answer answer;
    struct kbp_error absent = KB_ERR_INIT;
    int32_t throttle_ms = 0;
    size_t left = 0;
    size_t i;
    int status = kb_conn_receive(lane->conn, kb_deadline_ms(timeout), NULL, 0,
                                 &answer, err);

    if (status != KBP_OK)
        return status;
    atomic_store(&run->progress->brokers_ok, 1);
    (void)kb_fail(&absent, KBP_ERR_PROTOCOL, "%s didn't answer for it",
                  kb_conn_name(lane->conn));
    (void)pthread_mutex_lock(&run->lock);
    status = kb_produce_decode(&answer, &wire, &throttle_ms, on_produced,
                               &answered, err);
    for (i = 0; i < request->count; i++)
        if (request->items[i].ready)
            request->items[left++] = request->items[i];
    request->count = left;
    doubt_request(request, status == KBP_OK ? &absent : err);
    lane->first = (lane->first + 1) % MAX_IN_FLIGHT;
    lane->in_flight--;
    (void)pthread_cond_broadcast(&run->work);
    (void)pthread_cond_broadcast(&run->changed);
    (void)pthread_mutex_unlock(&run->lock);
    kb_conn_throttled(lane->conn, throttle_ms);
    if (throttle_ms > 0)
        kb_progress_throttled(run->progress, throttle_ms);
    kb_answer_release(&answer);
    return status;
}

static int make_connection(struct kb_lane *lane, struct kbp_error *err)
{
    if (lane->conn)
        return KBP_OK;
    return kb_client_connect(lane->run->client, lane->broker, &lane->conn, err);
}

static void send_next(struct kb_lane *lane, struct request *request)
{
    struct kb_restore_run *run = lane->run;
    struct kbp_error err = KB_ERR_INIT;
    int status = make_connection(lane, &err);

    if (status == KBP_OK)
        status = send_request(lane, request, &err);
    if (status != KBP_OK) {
        lose(lane, request, &err);
        return;
    }
    lane->in_flight++;
    (void)kb_rate_spend(&run->rate_records, request->records,
                        &run->prepare_stop);
    (void)kb_rate_spend(&run->rate_bytes, request->bytes, &run->prepare_stop);
}

static void *lane_main(void *data)
{
    struct kb_lane *lane = data;
    struct kb_restore_run *run = lane->run;

    for (;;) {
        struct request *request =
            &lane->requests[(lane->first + lane->in_flight) % MAX_IN_FLIGHT];
        struct kbp_error err = KB_ERR_INIT;
        bool send = false;

        (void)pthread_mutex_lock(&run->lock);
        for (;;) {
            if (lane->in_flight < MAX_IN_FLIGHT && !run->draining &&
                kb_run_may_send(run)) {
                gather(lane, request);
                send = request->count > 0;
            }
            if (send || lane->in_flight > 0 || run->draining)
                break;
            (void)pthread_cond_wait(&lane->wake, &run->lock);
        }
        (void)pthread_mutex_unlock(&run->lock);
        if (send)
            send_next(lane, request);
        else if (lane->in_flight == 0)
            break; /* draining, and drained */
        else if (take_answer(lane, &err) != KBP_OK)
            lose(lane, NULL, &err);
    }
    kb_conn_close(lane->conn);
    lane->conn = NULL;
    (void)pthread_mutex_lock(&run->lock);
    lane->gone = true;
    (void)pthread_mutex_unlock(&run->lock);
    return NULL;
}

int kb_lane_start(struct kb_restore_run *run, int32_t leader,
                  struct kbp_error *err)
{
    struct kb_lane *lane;
    int status;

    for (lane = run->lanes; lane; lane = lane->next)
        if (lane->broker == leader)
            return KBP_OK;
    lane = calloc(1, sizeof *lane);
    if (!lane)
        return kb_fail_nomem(err, "a sender");
    lane->run = run;
    lane->broker = leader;
    (void)pthread_cond_init(&lane->wake, NULL);
    status = kb_thread_start(&lane->thread, "kb-produce", lane_main, lane, err);
    if (status != KBP_OK) {
        (void)pthread_cond_destroy(&lane->wake);
        free(lane);
        return status;
    }
    lane->next = run->lanes;
    run->lanes = lane;
    return KBP_OK;
}

void kb_lanes_wake(struct kb_restore_run *run)
{
    struct kb_lane *lane;

    for (lane = run->lanes; lane; lane = lane->next)
        (void)pthread_cond_signal(&lane->wake);
}

bool kb_lanes_busy(struct kb_restore_run *run)
{
    struct kb_lane *lane;
    bool busy = false;

    (void)pthread_mutex_lock(&run->lock);
    for (lane = run->lanes; lane; lane = lane->next)
        busy = busy || !lane->gone;
    (void)pthread_mutex_unlock(&run->lock);
    return busy;
}

void kb_lanes_join(struct kb_restore_run *run)
{
    struct kb_lane *lane = run->lanes;

    while (lane) {
        struct kb_lane *next = lane->next;
        size_t i;

        (void)pthread_join(lane->thread, NULL);
        for (i = 0; i < MAX_IN_FLIGHT; i++) {
            free(lane->requests[i].items);
            free(lane->requests[i].partitions);
            kb_buf_release(&lane->requests[i].body);
        }
        (void)pthread_cond_destroy(&lane->wake);
        free(lane);
        lane = next;
    }
    run->lanes = NULL;
}

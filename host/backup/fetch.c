/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.c - fetchers: their threads, requests and connections. */
#include "backup/fetch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backup/fetch_internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "metrics/metrics.h"

/* Partitions in one request. */
#define CATCH_UP_PARTS 128u
#define TAIL_PARTS 1000u

/* The least that a partition is given of an answer. */
#define PART_BYTES_MIN (1 << 20)

#define BACKOFF_FIRST_MS 20
#define BACKOFF_MAX_MS 1000

/* How long to wait for others to give memory back before looking again. */
#define SHORT_MS 2

/* How long a fetcher without anything to do sleeps at most. */
#define IDLE_MS 200

/* Enough for a tail to answer at once; less waits for `tail_wait_ms`. */
#define TAIL_MIN_BYTES (256 << 10)

void kb_parts_push(struct kb_part_list *list, struct kb_part *part)
{
    part->next = NULL;
    if (list->tail)
        list->tail->next = part;
    else
        list->head = part;
    list->tail = part;
    list->count++;
}

void kb_parts_push_front(struct kb_part_list *list, struct kb_part *part)
{
    part->next = list->head;
    list->head = part;
    if (!list->tail)
        list->tail = part;
    list->count++;
}

struct kb_part *kb_parts_pop(struct kb_part_list *list)
{
    struct kb_part *part = list->head;

    if (!part)
        return NULL;
    list->head = part->next;
    if (!list->head)
        list->tail = NULL;
    part->next = NULL;
    list->count--;
    return part;
}

void kb_fetch_give_back(struct kb_fetcher *fetcher, struct kb_part *part,
                        enum kb_trouble trouble)
{
    part->trouble = trouble;
    fetcher->env->give_back(fetcher->env->data, part);
}

void kb_fetch_back_off(struct kb_part *part)
{
    part->backoff_ms =
        part->backoff_ms ? part->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (part->backoff_ms > BACKOFF_MAX_MS)
        part->backoff_ms = BACKOFF_MAX_MS;
    part->not_before_ms = kb_now_ms() + part->backoff_ms;
}

static void give_back_all(struct kb_fetcher *fetcher,
                          const struct kbp_error *why)
{
    struct kb_part *part;

    while ((part = kb_parts_pop(&fetcher->ready)) != NULL) {
        if (why) {
            kb_part_why(part, "%s", why->message);
            part->kafka_error = 0;
            part->failures++;
        }
        kb_fetch_give_back(fetcher, part, KB_TROUBLE_LEADER);
    }
}

/* The connection is gone: what was asked for on it is ready again. */
static void lose_connection(struct kb_fetcher *fetcher)
{
    struct kb_part *part;

    kb_budget_withdraw(fetcher->env->budget, &fetcher->claim);
    while (fetcher->in_flight > 0) {
        struct kb_fetch_sent *sent = &fetcher->sent[fetcher->first];
        size_t i;

        for (i = sent->count; i-- > 0;)
            kb_parts_push_front(&fetcher->ready, sent->partitions[i].user);
        sent->count = 0;
        kb_budget_give(fetcher->env->budget, sent->charged);
        fetcher->first = (fetcher->first + 1) % KB_FETCH_DEPTH;
        fetcher->in_flight--;
    }
    kb_conn_close(fetcher->conn);
    fetcher->conn = NULL;
    fetcher->lost++;
    /* It was the connection that the broker left alone for a while. */
    atomic_store(&fetcher->throttled_until_ms, 0);
    for (part = fetcher->ready.head; part; part = part->next)
        atomic_store(&part->throttle_ms, 0);
}

/* Partitions that may be asked for now go into `take`, at most `max`. */
static void choose(struct kb_fetcher *fetcher, size_t max,
                   struct kb_part_list *take)
{
    struct kb_part_list rest = {0};
    int64_t now = kb_now_ms();
    bool remote = false;
    struct kb_part *part;

    while ((part = kb_parts_pop(&fetcher->ready)) != NULL) {
        bool fits = take->count < max && part->not_before_ms <= now &&
                    !(part->alone && take->count > 0) &&
                    !(remote && atomic_load(&part->topic->remote));

        if (atomic_load(&part->wanted_back)) {
            kb_fetch_give_back(fetcher, part, KB_TROUBLE_LEFT);
            continue;
        }
        if (!fits) {
            kb_parts_push(&rest, part);
            continue;
        }
        if (part->alone)
            max = 1;
        remote |= atomic_load(&part->topic->remote) != 0;
        kb_parts_push(take, part);
    }
    fetcher->ready = rest;
}

/*
 * How many may be asked for now.  With a connection, they wait for their turn
 * or for memory, which is no fault of the broker's.
 */
static size_t count_due(const struct kb_fetcher *fetcher)
{
    struct kb_part *part;
    int64_t now = kb_now_ms();
    size_t due = 0;

    for (part = fetcher->ready.head; part; part = part->next) {
        if (part->not_before_ms <= now && fetcher->conn)
            atomic_store_explicit(&part->asked, 0, memory_order_relaxed);
        due +=
            part->not_before_ms <= now || atomic_load(&part->wanted_back) != 0;
    }
    return due;
}

/* The broker can't be reached: those it was to be asked for wait for it. */
static void note_unreachable(struct kb_fetcher *fetcher)
{
    struct kb_part *part;

    for (part = fetcher->ready.head; part; part = part->next)
        atomic_store(&part->asked, 1);
}

/* Put them into the request: those of a topic together, else in order. */
static void fill(struct kb_fetch_sent *sent, struct kb_part_list *take,
                 int32_t part_bytes)
{
    sent->count = 0;
    while (take->count > 0) {
        struct kb_part_list rest = {0};
        const struct kb_source_topic *topic = take->head->topic;
        struct kb_part *part;

        while ((part = kb_parts_pop(take)) != NULL) {
            if (part->topic != topic) {
                kb_parts_push(&rest, part);
                continue;
            }
            atomic_store(&part->asked, 1);
            sent->partitions[sent->count++] = (struct kb_fetch_partition){
                .id = {topic->name, topic->id, part->partition},
                .leader_epoch = part->read_from < 0 ? part->leader_epoch : -1,
                .offset = part->check.known ? part->check.base_offset
                                            : part->position,
                .max_bytes = part_bytes,
                .user = part};
        }
        *take = rest;
    }
}

static int grow(struct kb_fetch_sent *sent, size_t count, struct kbp_error *err)
{
    struct kb_fetch_partition *partitions;
    bool *answered;

    if (count <= sent->cap)
        return KBP_OK;
    partitions = realloc(sent->partitions, count * sizeof *partitions);
    if (!partitions)
        return kb_fail_nomem(err, "a Fetch request");
    sent->partitions = partitions;
    answered = realloc(sent->answered, count * sizeof *answered);
    if (!answered)
        return kb_fail_nomem(err, "a Fetch request");
    sent->answered = answered;
    sent->cap = count;
    return KBP_OK;
}

static int32_t part_share(const struct kb_fetcher *fetcher, size_t count,
                          int32_t max_bytes)
{
    size_t share = count < fetcher->env->filled ? count : fetcher->env->filled;
    int32_t bytes = max_bytes / (int32_t)(share ? share : 1);

    if (bytes < PART_BYTES_MIN)
        bytes = PART_BYTES_MIN;
    return bytes < max_bytes ? bytes : max_bytes;
}

static int encode_and_send(struct kb_fetcher *fetcher,
                           struct kb_fetch_sent *sent, struct kbp_error *err)
{
    const struct kb_fetch_env *env = fetcher->env;
    bool have_ids = true;
    bool no_rack = false;
    struct iovec part;
    int16_t version;
    size_t i;
    int rc;

    for (i = 0; i < sent->count; i++) {
        const struct kb_part *asked = sent->partitions[i].user;

        have_ids &= !kb_uuid_is_none(&sent->partitions[i].id.topic_id);
        no_rack |= asked->no_rack;
    }
    version = kb_fetch_version(fetcher->conn, have_ids);
    if (version < 0)
        return kb_fail(err, KBP_ERR_UNSUPPORTED,
                       "%s: speaks no version of Fetch that we do",
                       kb_conn_name(fetcher->conn));
    sent->wire = (struct kb_fetch_request){
        .max_wait_ms = fetcher->tail ? env->tail_wait_ms : 0,
        .min_bytes = fetcher->tail ? TAIL_MIN_BYTES : 1,
        .max_bytes = fetcher->tail ? env->tail_max_bytes : env->max_bytes,
        .isolation = env->isolation,
        .client_rack = no_rack ? "" : kb_client_net(env->client)->client_rack,
        .partitions = sent->partitions,
        .count = sent->count};
    kb_buf_reset(&fetcher->body);
    rc = kb_fetch_encode(&fetcher->body, version, &sent->wire, err);
    if (rc != KBP_OK)
        return rc;
    part.iov_base = fetcher->body.data;
    part.iov_len = fetcher->body.len;
    return kb_conn_send(fetcher->conn, KB_API_FETCH, version, &part, 1, err);
}

/* Send one more request, if there is something to ask for and memory for the
   answer. 1: sent; 0: nothing to send now. */
static int send_one(struct kb_fetcher *fetcher, struct kbp_error *err)
{
    const struct kb_fetch_env *env = fetcher->env;
    int32_t max_bytes = fetcher->tail ? env->tail_max_bytes : env->max_bytes;
    size_t max = fetcher->tail ? TAIL_PARTS : CATCH_UP_PARTS;
    size_t due = count_due(fetcher);
    struct kb_part_list take = {0};
    struct kb_fetch_sent *sent;
    int rc;

    if (due == 0 ||
        fetcher->in_flight == (fetcher->tail ? 1 : KB_FETCH_DEPTH)) {
        kb_budget_withdraw(env->budget, &fetcher->claim);
        return 0;
    }
    if (!kb_budget_ask(env->budget, &fetcher->claim, (size_t)max_bytes)) {
        env->relieve(env->data);
        if (!kb_budget_ask(env->budget, &fetcher->claim, (size_t)max_bytes))
            return 0;
    }
    /* Two requests on the way, so that the broker is never idle. */
    if (!fetcher->tail && fetcher->in_flight == 0 && due > 1)
        due = (due + 1) / 2;
    choose(fetcher, due < max ? due : max, &take);
    if (take.count == 0) {
        kb_budget_give(env->budget, (size_t)max_bytes);
        return 0;
    }
    sent =
        &fetcher->sent[(fetcher->first + fetcher->in_flight) % KB_FETCH_DEPTH];
    rc = grow(sent, take.count, err);
    if (rc != KBP_OK) {
        kb_budget_give(env->budget, (size_t)max_bytes);
        while (take.count > 0)
            kb_parts_push(&fetcher->ready, kb_parts_pop(&take));
        return rc;
    }
    sent->charged = (size_t)max_bytes;
    fill(sent, &take, part_share(fetcher, take.count, max_bytes));
    fetcher->in_flight++;
    rc = encode_and_send(fetcher, sent, err);
    return rc == KBP_OK ? 1 : rc;
}

static int receive_one(struct kb_fetcher *fetcher, struct kbp_error *err)
{
    const struct kb_fetch_env *env = fetcher->env;
    struct kb_fetch_sent *sent = &fetcher->sent[fetcher->first];
    int64_t wait =
        kb_client_net(env->client)->request_timeout_ms + sent->wire.max_wait_ms;
    int rc = kb_conn_receive(fetcher->conn, kb_deadline_ms(wait), env->budget,
                             sent->charged, &fetcher->answer, err);

    if (rc != KBP_OK)
        return rc;
    fetcher->first = (fetcher->first + 1) % KB_FETCH_DEPTH;
    fetcher->in_flight--;
    fetcher->lost = 0;
    atomic_store(&env->progress->brokers_ok, 1);
    atomic_store(&fetcher->busy, 1);
    rc = kb_fetch_take_answer(fetcher, sent, err);
    atomic_store(&fetcher->busy, 0);
    sent->count = 0;
    return rc;
}

static void take_inbox(struct kb_fetcher *fetcher)
{
    struct kb_part *part;

    (void)pthread_mutex_lock(&fetcher->lock);
    while ((part = kb_parts_pop(&fetcher->inbox)) != NULL)
        kb_parts_push(&fetcher->ready, part);
    (void)pthread_mutex_unlock(&fetcher->lock);
}

/* Until a partition comes, or the first backoff is over. */
static void sleep_idle(struct kb_fetcher *fetcher, int64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&fetcher->lock);
    if (!fetcher->inbox.head && !fetcher->ending)
        (void)pthread_cond_timedwait(&fetcher->wake, &fetcher->lock, &until);
    (void)pthread_mutex_unlock(&fetcher->lock);
}

static int64_t idle_ms(const struct kb_fetcher *fetcher)
{
    const struct kb_part *part;
    int64_t now = kb_now_ms();
    int64_t wait = IDLE_MS;

    for (part = fetcher->ready.head; part; part = part->next) {
        int64_t left = part->not_before_ms - now;

        if (left < wait)
            wait = left;
    }
    return wait < SHORT_MS ? SHORT_MS : wait;
}

/* One turn: send what can be sent, take one answer, or sleep. */
static int turn(struct kb_fetcher *fetcher, struct kbp_error *err)
{
    int rc;

    if (!fetcher->conn) {
        if (count_due(fetcher) == 0) {
            sleep_idle(fetcher, idle_ms(fetcher));
            return KBP_OK;
        }
        rc = kb_client_connect(fetcher->env->client, fetcher->broker,
                               &fetcher->conn, err);
        if (rc != KBP_OK) {
            note_unreachable(fetcher);
            fetcher->lost++;
            return rc;
        }
    }
    do
        rc = send_one(fetcher, err);
    while (rc == 1);
    if (rc != KBP_OK)
        return rc;
    if (fetcher->in_flight > 0)
        return receive_one(fetcher, err);
    sleep_idle(fetcher, idle_ms(fetcher));
    return KBP_OK;
}

static bool is_ending(struct kb_fetcher *fetcher)
{
    bool ending;

    (void)pthread_mutex_lock(&fetcher->lock);
    ending = fetcher->ending;
    (void)pthread_mutex_unlock(&fetcher->lock);
    return ending;
}

static void *run(void *data)
{
    struct kb_fetcher *fetcher = data;

    while (!kb_stop_requested(fetcher->env->stop) && !is_ending(fetcher)) {
        struct kbp_error err = KB_ERR_INIT;
        int rc;

        take_inbox(fetcher);
        rc = turn(fetcher, &err);
        if (rc == KBP_OK || rc == KBP_ERR_CANCELLED)
            continue;
        /* An idle connection may be closed by the broker: once is nothing. */
        kb_debug("broker %d: %s", (int)fetcher->broker, err.message);
        if (fetcher->conn)
            lose_connection(fetcher);
        if (fetcher->lost > 1) {
            kb_progress_add(&fetcher->env->progress->retries, 1);
            kb_metrics_retry("connect");
            kb_metrics_error(kb_error_type_of(rc, false));
            give_back_all(fetcher, &err);
        }
    }
    if (fetcher->conn)
        lose_connection(fetcher);
    return NULL;
}

int kb_fetcher_start(const struct kb_fetch_env *env, int32_t broker, bool tail,
                     struct kb_fetcher **fetcher, struct kbp_error *err)
{
    struct kb_fetcher *made = calloc(1, sizeof *made);
    pthread_condattr_t attr;
    int rc;

    if (!made)
        return kb_fail_nomem(err, "a fetcher");
    made->env = env;
    made->broker = broker;
    made->tail = tail;
    made->fed_ms = kb_now_ms();
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&made->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    kb_codec_worker_init(&made->codecs, env->codecs);
    kb_codec_worker_bound(&made->codecs, env->budget);
    rc = kb_thread_start(&made->thread, tail ? "kb-tail" : "kb-fetch", run,
                         made, err);
    if (rc != KBP_OK) {
        (void)pthread_mutex_destroy(&made->lock);
        (void)pthread_cond_destroy(&made->wake);
        free(made);
        return rc;
    }
    *fetcher = made;
    return KBP_OK;
}

void kb_fetcher_add(struct kb_fetcher *fetcher, struct kb_part *part)
{
    (void)pthread_mutex_lock(&fetcher->lock);
    kb_parts_push(&fetcher->inbox, part);
    (void)pthread_cond_signal(&fetcher->wake);
    (void)pthread_mutex_unlock(&fetcher->lock);
}

int32_t kb_fetcher_broker(const struct kb_fetcher *fetcher)
{
    return fetcher->broker;
}

bool kb_fetcher_is_busy(const struct kb_fetcher *fetcher)
{
    return atomic_load(&fetcher->busy) != 0;
}

bool kb_fetcher_is_throttled(const struct kb_fetcher *fetcher)
{
    return kb_left_ms(atomic_load(&fetcher->throttled_until_ms)) > 0;
}

bool kb_fetcher_is_tail(const struct kb_fetcher *fetcher)
{
    return fetcher->tail;
}

void kb_fetcher_join(struct kb_fetcher *fetcher)
{
    unsigned i;

    if (!fetcher)
        return;
    (void)pthread_mutex_lock(&fetcher->lock);
    fetcher->ending = true;
    (void)pthread_cond_signal(&fetcher->wake);
    (void)pthread_mutex_unlock(&fetcher->lock);
    (void)pthread_join(fetcher->thread, NULL);
    (void)pthread_mutex_destroy(&fetcher->lock);
    (void)pthread_cond_destroy(&fetcher->wake);
    for (i = 0; i < KB_FETCH_DEPTH; i++) {
        free(fetcher->sent[i].partitions);
        free(fetcher->sent[i].answered);
    }
    kb_buf_release(&fetcher->body);
    kb_walk_release(&fetcher->walk);
    kb_codec_worker_release(&fetcher->codecs);
    free(fetcher);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_answer.c - what one Fetch answer means for its partitions. */
#include "backup/fetch_internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "kafka/error.h"
#include "metrics/metrics.h"

/* A damaged batch may be the connection's fault, once or twice. */
#define CORRUPT_MAX 3u

/* Retriable errors in a row before somebody asks who leads it. */
#define RETRY_MAX 5u

/* Asked alone and with all of the limit so often, and still nothing. */
#define EMPTY_MAX 5u

struct taking {
    struct kb_fetcher *fetcher;
    struct kb_fetch_sent *sent;
    int32_t throttle_ms; /* known before the first partition */
};

/* The end of what can be read for now. */
static int64_t readable_end(const struct kb_fetcher *fetcher,
                            const struct kb_fetched *fetched)
{
    if (fetcher->env->isolation == KB_READ_COMMITTED &&
        fetched->last_stable_offset >= 0)
        return fetched->last_stable_offset;
    return fetched->high_watermark;
}

static void on_error(struct kb_fetcher *fetcher, struct kb_part *part,
                     int16_t error)
{
    part->kafka_error = error;
    kb_part_why(part, "%s (%s)", kb_kafka_error_text(error),
                kb_kafka_error_name(error));
    kb_progress_add(&fetcher->env->progress->retries, 1);
    kb_metrics_retry("fetch");
    part->failures++;
    if (error == KB_KAFKA_OFFSET_OUT_OF_RANGE && part->read_from < 0) {
        kb_fetch_give_back(fetcher, part, KB_TROUBLE_RANGE);
    } else if (part->read_from >= 0) {
        /* A follower's "no" proves nothing. */
        part->read_from = -1;
        part->no_rack = true;
        kb_fetch_give_back(fetcher, part, KB_TROUBLE_LEADER);
    } else if (kb_kafka_error_is_leadership(error) ||
               error == KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION ||
               error == KB_KAFKA_UNKNOWN_TOPIC_ID ||
               error == KB_KAFKA_INCONSISTENT_TOPIC_ID) {
        kb_fetch_give_back(fetcher, part, KB_TROUBLE_LEADER);
    } else if (!kb_kafka_error_is_retriable(error)) {
        kb_fetch_give_back(fetcher, part, KB_TROUBLE_BROKEN);
    } else if (part->failures % RETRY_MAX == 0) {
        kb_fetch_give_back(fetcher, part, KB_TROUBLE_LEADER);
    } else {
        kb_fetch_back_off(part);
        kb_parts_push(&fetcher->ready, part);
    }
}

/* Nothing came, and the position is where it was. */
static void on_nothing(struct kb_fetcher *fetcher, struct kb_part *part,
                       const struct kb_fetched *fetched, bool first)
{
    int64_t end = readable_end(fetcher, fetched);

    if (fetched->partition->offset >= end) {
        if (part->check.known) {
            /* What was stored isn't there any more. */
            kb_fetch_give_back(fetcher, part, KB_TROUBLE_RANGE);
            return;
        }
        part->empties = 0;
        part->failures = 0;
        if (part->end == KB_NO_END) {
            atomic_store(&part->moved_ms, kb_now_ms());
            if (!fetcher->tail) {
                part->tailing = true;
                kb_fetch_give_back(fetcher, part, KB_TROUBLE_NONE);
                return;
            }
        } else {
            kb_fetch_back_off(part); /* a transaction is open there */
        }
        kb_parts_push(&fetcher->ready, part);
    } else if (!first) {
        /* The answer had no room left: it comes first next time. */
        atomic_store(&part->moved_ms, kb_now_ms());
        kb_parts_push_front(&fetcher->ready, part);
    } else {
        part->alone = true;
        part->empties++;
        kb_part_why(part,
                    "the broker sends nothing from offset %lld on, though its "
                    "end is %lld",
                    (long long)fetched->partition->offset, (long long)end);
        kb_fetch_back_off(part);
        if (part->empties % EMPTY_MAX == 0)
            kb_fetch_give_back(fetcher, part, KB_TROUBLE_EMPTY);
        else
            kb_parts_push_front(&fetcher->ready, part);
    }
}

/* Batches came, and were taken as far as the walk came. */
static void on_batches(struct kb_fetcher *fetcher, struct kb_part *part,
                       const struct kb_fetched *fetched, bool moved)
{
    if (fetcher->walk.reached) {
        kb_fetch_give_back(fetcher, part, KB_TROUBLE_NONE);
        return;
    }
    part->alone = !moved;
    if (moved) {
        part->empties = 0;
        part->failures = 0;
        part->backoff_ms = 0;
        part->why[0] = '\0';
        atomic_store(&part->moved_ms, kb_now_ms());
    } else {
        part->empties++;
        kb_part_why(part, "the batch at offset %lld doesn't fit into an answer",
                    (long long)part->position);
        kb_fetch_back_off(part);
    }
    if (fetcher->tail &&
        fetched->records_len >= (size_t)fetched->partition->max_bytes / 2 &&
        part->position < readable_end(fetcher, fetched)) {
        part->tailing = false;
        kb_fetch_give_back(fetcher, part, KB_TROUBLE_NONE);
        return;
    }
    kb_parts_push(&fetcher->ready, part);
}

/* Walk the batches into the collector. */
static int walk_batches(struct kb_fetcher *fetcher, struct kb_part *part,
                        const struct kb_fetched *fetched, struct kbp_error *err)
{
    struct kb_collector *collector = fetcher->env->collector;
    struct kb_walk *walk = &fetcher->walk;
    struct kb_walk_item item;
    int settled;
    int rc;

    kb_walk_begin(walk, fetched);
    walk->position = part->position;
    walk->end = part->end;
    walk->compacted = atomic_load(&part->topic->compacted) != 0;
    walk->keep_aborted = fetcher->env->isolation == KB_READ_UNCOMMITTED;
    walk->codecs = &fetcher->codecs;
    walk->check = part->check.known ? &part->check : NULL;
    while ((rc = kb_walk_next(walk, &item, err)) == 1) {
        int added =
            kb_collect_add(collector, part, &item, fetcher->answer.block, err);

        if (added != KBP_OK)
            return added;
        part->position = item.end;
        if (item.kind == KB_WALK_BATCH) {
            fetcher->got_records += (uint64_t)item.batch.count;
            fetcher->got_bytes += item.batch.len;
        }
    }
    if (walk->checked)
        part->check.known = false;
    if (walk->missed && kb_uuid_is_none(&part->topic->id))
        kb_info("%s/%d: the batch at offset %lld, the last that was stored, is "
                "no longer in the log: whether it is still the same log can't "
                "be told for certain",
                part->topic->name, (int)part->partition,
                (long long)part->check.base_offset);
    atomic_store(&part->fetched, part->position);
    settled = kb_collect_settle(collector, part, err);
    return settled != KBP_OK ? settled : rc;
}

static int on_fetched(void *data, const struct kb_fetched *fetched,
                      struct kbp_error *err)
{
    struct taking *taking = data;
    struct kb_fetcher *fetcher = taking->fetcher;
    struct kb_part *part = fetched->partition->user;
    size_t index = (size_t)(fetched->partition - taking->sent->partitions);
    int64_t before = part->position;
    struct kbp_error why = KB_ERR_INIT;
    int rc;

    (void)err;
    if (taking->sent->answered[index])
        return KBP_OK; /* a broker that says it twice */
    taking->sent->answered[index] = true;
    atomic_store(&part->throttle_ms, 0);
    if (fetched->error != KB_KAFKA_NONE) {
        on_error(fetcher, part, fetched->error);
        return KBP_OK;
    }
    atomic_store(&part->high_watermark, fetched->high_watermark);
    atomic_store(&part->last_stable, readable_end(fetcher, fetched));
    atomic_store(&part->log_start, fetched->log_start);
    if (fetched->preferred_replica >= 0 && fetched->records_len == 0 &&
        fetched->preferred_replica != fetcher->broker) {
        part->read_from = fetched->preferred_replica;
        kb_fetch_give_back(fetcher, part, KB_TROUBLE_NONE);
        return KBP_OK;
    }
    if (fetched->records_len == 0 && taking->throttle_ms > 0 &&
        fetched->partition->offset < readable_end(fetcher, fetched)) {
        /* Kept back by a quota: it says nothing about the log. */
        taking->sent->answered[index] = false;
        return KBP_OK;
    }
    if (fetched->records_len == 0) {
        on_nothing(fetcher, part, fetched, index == 0);
        return KBP_OK;
    }
    rc = walk_batches(fetcher, part, fetched, &why);
    if (rc == KBP_OK) {
        on_batches(fetcher, part, fetched,
                   part->position > before || fetcher->walk.checked);
        return KBP_OK;
    }
    kb_part_why(part, "%s", why.message);
    part->failures++;
    kb_progress_add(&fetcher->env->progress->errors, 1);
    kb_metrics_error(KB_ERROR_DESERIALIZATION);
    if (rc == KB_WALK_DIVERGED) {
        kb_fetch_give_back(fetcher, part, KB_TROUBLE_DIVERGED);
    } else if (rc == KBP_ERR_CORRUPT && part->failures < CORRUPT_MAX) {
        kb_warn("%s/%d: %s; fetching it again", part->topic->name,
                (int)part->partition, why.message);
        kb_fetch_back_off(part);
        kb_parts_push(&fetcher->ready, part);
    } else {
        kb_fetch_give_back(fetcher, part, KB_TROUBLE_BROKEN);
    }
    return KBP_OK;
}

/*
 * A quota: the answer has nothing.  As long as others get something, it is
 * only not this one's turn.  The first makes place: its batch may be larger
 * than what the quota allows at all, and would keep the others away, too.
 */
static void on_throttled(struct kb_fetcher *fetcher, struct kb_part *part,
                         bool first)
{
    if (atomic_load(&part->moved_ms) < fetcher->fed_ms)
        atomic_store(&part->moved_ms, fetcher->fed_ms);
    if (first)
        kb_parts_push(&fetcher->ready, part);
    else
        kb_parts_push_front(&fetcher->ready, part);
}

/*
 * The broker reads nothing from this connection for so long: all that wait for
 * it may know why.  The time excuses its silence; but when it asks again for as
 * long as it had, and nothing has come, that is the silence.
 */
static void note_throttle(struct kb_fetcher *fetcher, int32_t throttle_ms)
{
    struct kb_part *part;
    unsigned n;
    size_t i;

    kb_conn_throttled(fetcher->conn, throttle_ms);
    for (part = fetcher->ready.head; part; part = part->next)
        atomic_store(&part->throttle_ms, throttle_ms);
    for (n = 0; n < fetcher->in_flight; n++) {
        struct kb_fetch_sent *sent =
            &fetcher->sent[(fetcher->first + n) % KB_FETCH_DEPTH];

        for (i = 0; i < sent->count; i++) {
            part = sent->partitions[i].user;
            atomic_store(&part->throttle_ms, throttle_ms);
        }
    }
    if (throttle_ms / 2 < fetcher->excused_ms)
        return;
    fetcher->excused_ms += throttle_ms;
    atomic_store(&fetcher->throttled_until_ms, kb_deadline_ms(throttle_ms));
    kb_progress_throttled(fetcher->env->progress, throttle_ms);
}

int kb_fetch_take_answer(struct kb_fetcher *fetcher, struct kb_fetch_sent *sent,
                         struct kbp_error *err)
{
    struct taking taking = {fetcher, sent, 0};
    int16_t error = 0;
    size_t i;
    int rc;

    for (i = 0; i < sent->count; i++)
        sent->answered[i] = false;
    fetcher->got_records = 0;
    fetcher->got_bytes = 0;
    rc = kb_fetch_decode(&fetcher->answer, &sent->wire, &taking.throttle_ms,
                         &error, on_fetched, &taking, err);
    if (fetcher->got_bytes > 0) {
        fetcher->fed_ms = kb_now_ms();
        fetcher->excused_ms = 0;
    }
    /* From the last to the first, so that they keep their order in front. */
    for (i = sent->count; i-- > 0;) {
        struct kb_part *part = sent->partitions[i].user;

        if (sent->answered[i])
            continue;
        if (error != KB_KAFKA_NONE)
            on_error(fetcher, part, error);
        else if (taking.throttle_ms > 0)
            on_throttled(fetcher, part, i == 0);
        else
            kb_parts_push_front(&fetcher->ready, part);
    }
    if (taking.throttle_ms > 0)
        note_throttle(fetcher, taking.throttle_ms);
    kb_answer_release(&fetcher->answer);
    if (fetcher->got_bytes > 0) {
        kb_progress_moved(fetcher->env->progress, fetcher->got_records,
                          fetcher->got_bytes);
        (void)kb_rate_spend(fetcher->env->records_rate, fetcher->got_records,
                            fetcher->env->stop);
        (void)kb_rate_spend(fetcher->env->bytes_rate, fetcher->got_bytes,
                            fetcher->env->stop);
    }
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c - look after partitions which don't move: a transaction that hangs,
 * a leader that doesn't come back; and what retention is about to delete.
 */
#include <stdlib.h>

#include "backup/engine.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "metrics/metrics.h"

#define WATCH_MS 1000

/* More than this between two looks: the machine slept, or we were stopped. */
#define GAP_MS 5000

/* Continuous: so often somebody is told of it. */
#define REMIND_MS 300000

/* The log's start comes nearer: warn when it will be there in this time. */
#define OVERTAKE_MS 1800000

/*
 * Brokers move it in steps, every five minutes by default: from one to the next
 * says how fast it is.  Only the first has nothing before it, but this.
 */
#define FIRST_STEP_MS 60000

/* Who has the transaction open; a clause for the reason, or "". */
static void name_culprit(struct kb_engine *engine, const struct kb_part *part,
                         int64_t stable, char *text, size_t len)
{
    struct kb_producer_state *states = NULL;
    struct kbp_error err = KB_ERR_INIT;
    size_t count = 0;
    size_t i;

    text[0] = '\0';
    if (kb_client_describe_producers(engine->client, part->topic->name,
                                     part->partition, &states, &count,
                                     &err) != KBP_OK) {
        kb_debug("%s/%d: who holds a transaction open isn't known: %s",
                 part->topic->name, (int)part->partition, err.message);
        return;
    }
    for (i = 0; i < count; i++) {
        char when[KB_TIME_TEXT];

        if (states[i].txn_start_offset < 0 ||
            states[i].txn_start_offset > stable)
            continue;
        (void)snprintf(text, len,
                       " by producer id %lld (epoch %d), which began it at "
                       "offset %lld and wrote last at %s",
                       (long long)states[i].producer_id, (int)states[i].epoch,
                       (long long)states[i].txn_start_offset,
                       kb_time_text(when, states[i].last_timestamp));
        break;
    }
    free(states);
}

static void open_transaction(struct kb_engine *engine, struct kb_part *part,
                             int64_t position, int64_t high)
{
    char who[256];

    name_culprit(engine, part, position, who, sizeof who);
    if (part->end == KB_NO_END) {
        kb_warn("%s/%d: stands at offset %lld of %lld: a transaction is open "
                "there%s",
                part->topic->name, (int)part->partition, (long long)position,
                (long long)high, who);
        return;
    }
    part->open_txn = true;
    kb_part_end(part, KB_BACKUP_INCOMPLETE,
                "offsets %lld to %lld were not fetched: a transaction is open "
                "there%s",
                (long long)position, (long long)part->end, who);
    kb_warn("%s/%d: %s", part->topic->name, (int)part->partition, part->reason);
    atomic_store(&part->wanted_back, 1);
}

const char *kb_stall_text(const struct kb_engine *engine,
                          const struct kb_part *part, bool let_go,
                          char text[KB_STALL_TEXT])
{
    const char *client = engine->config->source.connection.client_id;
    int throttle_ms =
        let_go ? part->stalled_throttle_ms : atomic_load(&part->throttle_ms);
    char wait[32];

    if (throttle_ms > 0)
        (void)snprintf(
            text, KB_STALL_TEXT,
            "the broker's quota (consumer_byte_rate of client id \"%s\") keeps "
            "every answer back, for %s as it said last: either the batch there "
            "is larger than the quota allows in its whole window, 10 s by "
            "default, or others use it up, or it was lowered by much; raise it "
            "(kafka-configs.sh --alter --entity-type clients "
            "--entity-name %s --add-config consumer_byte_rate=...) to a tenth "
            "of the topic's max.message.bytes at least, or set "
            "source.connection.client_id to one that has its own",
            client, kb_duration_text(wait, throttle_ms), client);
    else
        (void)snprintf(text, KB_STALL_TEXT, "%s",
                       let_go && part->why[0] ? part->why
                                              : "the broker is silent");
    return text;
}

/*
 * For how long a partition was asked for, and nothing came.  Its turn that is
 * to come, memory, rate limits, the store, and a machine that slept are waits
 * of ours: they don't count, and a quota's first wait doesn't, either.
 */
static int64_t count_quiet(struct kb_part *part, int64_t passed_ms)
{
    int64_t moved_ms = atomic_load(&part->moved_ms);

    if (moved_ms != part->moved_seen_ms) {
        part->moved_seen_ms = moved_ms;
        part->quiet_ms = 0;
        part->broken = false;
    } else if (atomic_load(&part->asked) &&
               !(part->fetcher && (kb_fetcher_is_busy(part->fetcher) ||
                                   kb_fetcher_is_throttled(part->fetcher)))) {
        part->quiet_ms += passed_ms;
    }
    return part->quiet_ms;
}

/* What has passed since the last look; a longer gap is nobody's silence. */
static int64_t passed_ms(struct kb_engine *engine, int64_t now)
{
    int64_t passed = now - engine->watched_ms;
    int64_t most = kb_watch_most_ms(engine);

    if (engine->watched_ms == 0)
        passed = 0;
    engine->watched_ms = now;
    return passed < most ? passed : most;
}

int64_t kb_watch_most_ms(const struct kb_engine *engine)
{
    int64_t half = engine->config->backup.stall_timeout_ms / 2;

    return half < GAP_MS ? half : GAP_MS;
}

static void look_after(struct kb_engine *engine, struct kb_part *part,
                       int64_t now, int64_t passed)
{
    int64_t still = count_quiet(part, passed);
    char why[KB_STALL_TEXT];
    int64_t position = atomic_load(&part->fetched);
    int64_t high = atomic_load(&part->high_watermark);
    int64_t stable = atomic_load(&part->last_stable);
    bool behind_txn = stable >= 0 && position >= stable && stable < high &&
                      (part->end == KB_NO_END || stable < part->end);

    if (behind_txn) {
        /* It was read up to there; that isn't a stall of ours. */
        if (!part->stuck_since_ms || part->stuck_at != position) {
            part->stuck_since_ms = now;
            part->stuck_at = position;
        }
        if (now - part->stuck_since_ms >=
                engine->config->backup.open_transaction_timeout_ms &&
            now - part->warned_ms >= REMIND_MS) {
            part->warned_ms = now;
            open_transaction(engine, part, position, high);
        }
        return;
    }
    part->stuck_since_ms = 0;
    if (still < engine->config->backup.stall_timeout_ms)
        return;
    if (part->end != KB_NO_END) {
        /* `why` is the fetcher's; it is read when that has let go. */
        if (!part->stalled)
            part->stalled_throttle_ms = atomic_load(&part->throttle_ms);
        part->stalled = true;
        atomic_store(&part->wanted_back, 1);
    } else if (now - part->warned_ms >= REMIND_MS) {
        part->warned_ms = now;
        kb_warn("%s/%d: nothing came for %lld s at offset %lld: %s",
                part->topic->name, (int)part->partition,
                (long long)still / 1000, (long long)position,
                kb_stall_text(engine, part, false, why));
    }
}

/* Warn while there is still time to do something. */
static void look_at_retention(struct kb_engine *engine, struct kb_part *part,
                              int64_t now)
{
    int64_t start = atomic_load(&part->log_start);
    int64_t position = atomic_load(&part->fetched);
    int64_t nearer;
    int64_t left_ms;
    char text[32];

    if (start < 0 || (part->seen_start >= 0 && start <= part->seen_start))
        return;
    /* By how much more than the backup itself has it moved since? */
    nearer = start - part->seen_start - (position - part->seen_position);
    if (part->seen_start >= 0 && nearer > 0 &&
        (part->seen_moving || now - part->seen_ms >= FIRST_STEP_MS) &&
        position < atomic_load(&part->high_watermark)) {
        left_ms = (int64_t)((double)(position - start) / (double)nearer *
                            (double)(now - part->seen_ms));
        if (left_ms < 0)
            left_ms = 0;
        if (left_ms < OVERTAKE_MS &&
            now - part->warned_of_retention_ms >= REMIND_MS) {
            part->warned_of_retention_ms = now;
            kb_engine_warn(engine,
                           "%s/%d: retention will overtake the backup in about "
                           "%s: it stands at offset %lld, and the log's start "
                           "is at %lld already",
                           part->topic->name, (int)part->partition,
                           kb_duration_text(text, left_ms), (long long)position,
                           (long long)start);
        }
    }
    part->seen_moving = part->seen_start >= 0;
    part->seen_start = start;
    part->seen_position = position;
    part->seen_ms = now;
}

int kb_watch(struct kb_engine *engine, struct kbp_error *err)
{
    int64_t now = kb_now_ms();
    unsigned long long lag = 0;
    unsigned long long failing = 0;
    int64_t passed;
    size_t i;

    (void)err;
    if (kb_left_ms(engine->next_watch_ms) > 0)
        return KBP_OK;
    engine->next_watch_ms = kb_deadline_ms(WATCH_MS);
    passed = passed_ms(engine, now);
    for (i = 0; i < engine->part_count; i++) {
        struct kb_part *part = engine->parts[i];
        int64_t high = atomic_load(&part->high_watermark);
        int64_t position = atomic_load(&part->fetched);

        if (part->retired)
            continue;
        if (high > position)
            lag += (unsigned long long)(high - position);
        kb_metrics_lag(part->topic->name, part->partition,
                       high > position ? (uint64_t)(high - position) : 0);
        if (part->done || !part->started)
            continue;
        look_after(engine, part, now, passed);
        failing += part->broken ||
                   part->quiet_ms >= engine->config->backup.stall_timeout_ms;
        look_at_retention(engine, part, now);
    }
    atomic_store(&engine->progress->lag_records, lag);
    /* A snapshot ends with them, and its end tells it. */
    if (engine->config->backup.continuous)
        atomic_store(&engine->progress->partitions_failing, failing);
    if (engine->config->backup.continuous)
        atomic_store(&engine->progress->phase,
                     lag ? KB_PHASE_RUNNING : KB_PHASE_TAILING);
    return KBP_OK;
}

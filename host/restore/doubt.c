/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doubt.c - find out what landed, wait by wait, for all partitions in doubt
 * at a time.  [main thread]
 *
 * A request that nobody answered may still be on its way: so a partition's end
 * must have stood still for a second before its tail is read.
 * Then the partition goes on with the next epoch, which is in the checkpoint
 * before anything is sent with it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/error.h"
#include "restore/producer.h"
#include "restore/reconcile.h"
#include "restore/run.h"
#include "restore/tail.h"

#define STILL_MS 1000
#define ASK_MS 5000
#define TAIL_MS 120000
/* So long a partition may stay in doubt: a broker may take that to restart. */
#define GIVE_UP_MS 300000

struct look {
    struct kb_part *part;
    int32_t leader;
    bool still; /* its end stood still */
    bool clear; /* it is known what landed */
    struct kb_reconcile rec;
};

struct doubts {
    struct kb_restore_run *run;
    struct look *looks;
    size_t count;
    struct kb_conn *conn; /* to the leader that was asked last */
};

bool kb_doubts_pending(struct kb_restore_run *run)
{
    bool any = false;
    size_t i;

    (void)pthread_mutex_lock(&run->lock);
    for (i = 0; i < run->part_count && !any; i++)
        any = run->parts[i].phase == KB_PART_DOUBT;
    (void)pthread_mutex_unlock(&run->lock);
    return any;
}

static int collect(struct doubts *doubts, struct kbp_error *err)
{
    struct kb_restore_run *run = doubts->run;
    const int64_t now = kb_now_ms();
    size_t i;

    doubts->looks = calloc(run->part_count + 1, sizeof *doubts->looks);
    if (!doubts->looks)
        return kb_fail_nomem(err, "partitions in doubt");
    (void)pthread_mutex_lock(&run->lock);
    for (i = 0; i < run->part_count; i++) {
        struct kb_part *part = &run->parts[i];

        if (part->phase != KB_PART_DOUBT)
            continue;
        if (!part->doubt_began_ms) {
            part->doubt_began_ms = now;
            part->seen_end = -1;
            kb_info("restore: %s/%" PRId32 ": to see what landed: %s",
                    part->topic, part->partition, part->error.message);
        }
        doubts->looks[doubts->count++] = (struct look){.part = part};
    }
    (void)pthread_mutex_unlock(&run->lock);
    return KBP_OK;
}

static void remember(struct kb_restore_run *run, struct kb_part *part,
                     const struct kbp_error *err)
{
    (void)pthread_mutex_lock(&run->lock);
    part->error = *err;
    (void)pthread_mutex_unlock(&run->lock);
}

static void fail_look(struct kb_restore_run *run, struct look *look,
                      const struct kbp_error *err)
{
    (void)pthread_mutex_lock(&run->lock);
    kb_part_fail(run, look->part, err);
    (void)pthread_mutex_unlock(&run->lock);
    look->part = NULL;
}

/* Who leads them now; and that they are still of the same topic. */
static int find_leaders(struct doubts *doubts, struct kbp_error *err)
{
    const char **names = calloc(doubts->count, sizeof *names);
    struct kb_metadata *metadata;
    size_t name_count = 0;
    size_t i;
    int status;

    if (!names)
        return kb_fail_nomem(err, "partitions in doubt");
    for (i = 0; i < doubts->count; i++)
        if (!i || strcmp(names[name_count - 1], doubts->looks[i].part->topic))
            names[name_count++] = doubts->looks[i].part->topic;
    status = kb_client_metadata(doubts->run->client, names, name_count,
                                &metadata, err);
    free(names);
    atomic_store(&doubts->run->progress->brokers_ok, status == KBP_OK);
    if (status != KBP_OK)
        return status;
    for (i = 0; i < doubts->count; i++) {
        struct look *look = &doubts->looks[i];
        const struct kb_meta_topic *topic =
            kb_metadata_topic(metadata, look->part->topic);
        const struct kb_meta_partition *partition =
            topic ? kb_meta_topic_partition(topic, look->part->partition)
                  : NULL;
        struct kbp_error lost = KB_ERR_INIT;

        look->leader = partition ? partition->leader : -1;
        if (look->leader < 0) {
            (void)kb_fail(&lost, KBP_ERR_UNAVAILABLE,
                          "the partition has no leader");
            remember(doubts->run, look->part, &lost);
        } else if (!kb_uuid_is_none(&topic->id) &&
                   !kb_uuid_equal(&topic->id, &look->part->topic_id)) {
            (void)kb_fail(&lost, KBP_ERR_CONFLICT,
                          "the topic was deleted and created again while it "
                          "was restored");
            fail_look(doubts->run, look, &lost);
        }
    }
    kb_metadata_free(metadata);
    return KBP_OK;
}

/* Ask for the ends of all that have a leader. */
static int ask_ends(struct doubts *doubts, struct kb_offset_query *queries,
                    enum kb_isolation kind, struct kbp_error *err)
{
    size_t count = 0;
    size_t i;

    for (i = 0; i < doubts->count; i++)
        if (doubts->looks[i].part && doubts->looks[i].leader >= 0)
            queries[count++] = (struct kb_offset_query){
                .topic = doubts->looks[i].part->topic,
                .partition = doubts->looks[i].part->partition,
                .timestamp = KB_OFFSET_LATEST,
            };
    if (!count)
        return KBP_OK;
    return kb_client_list_offsets(doubts->run->client, queries, count, kind,
                                  kb_deadline_ms(ASK_MS), err);
}

/* Whether one end stands still, and all replicas have what is before it. */
static void judge_end(struct doubts *doubts, struct look *look,
                      const struct kb_offset_query *end,
                      const struct kb_offset_query *replicated)
{
    struct kb_part *part = look->part;
    const int16_t error = end->error ? end->error : replicated->error;
    struct kbp_error lost = KB_ERR_INIT;

    if (!error && end->offset >= 0 && end->offset == replicated->offset) {
        if (part->seen_end != end->offset) {
            part->seen_end = end->offset;
            part->seen_at_ms = kb_now_ms();
        }
        look->still = kb_now_ms() - part->seen_at_ms >= STILL_MS;
        return;
    }
    part->seen_end = -1;
    if (error)
        (void)kb_fail(&lost, kb_kafka_error_status(error),
                      "asking for its end: %s", kb_kafka_error_name(error));
    else
        (void)kb_fail(&lost, KBP_ERR_UNAVAILABLE,
                      "its log ends at offset %" PRId64
                      ", but replicas have it up to %" PRId64 " only",
                      end->offset, replicated->offset);
    remember(doubts->run, part, &lost);
}

/* Which ends stood still since the last look. */
static int find_ends(struct doubts *doubts, struct kbp_error *err)
{
    struct kb_offset_query *ends = calloc(doubts->count, sizeof *ends);
    struct kb_offset_query *replicated =
        calloc(doubts->count, sizeof *replicated);
    size_t count = 0;
    size_t i;
    int status = KBP_OK;

    if (!ends || !replicated)
        status = kb_fail_nomem(err, "partitions in doubt");
    if (status == KBP_OK)
        status = ask_ends(doubts, ends, KB_READ_LOG_END, err);
    if (status == KBP_OK)
        status = ask_ends(doubts, replicated, KB_READ_UNCOMMITTED, err);
    for (i = 0; i < doubts->count && status == KBP_OK; i++) {
        struct look *look = &doubts->looks[i];

        if (!look->part || look->leader < 0)
            continue;
        judge_end(doubts, look, &ends[count], &replicated[count]);
        count++;
    }
    free(ends);
    free(replicated);
    return status;
}

static int on_batch(void *data, const struct kb_batch *batch,
                    struct kbp_error *err)
{
    return kb_reconcile_batch(data, batch, err);
}

static int to_leader(struct doubts *doubts, int32_t leader,
                     struct kbp_error *err)
{
    if (doubts->conn && kb_conn_broker(doubts->conn) == leader)
        return KBP_OK;
    kb_conn_close(doubts->conn);
    doubts->conn = NULL;
    return kb_client_connect(doubts->run->client, leader, &doubts->conn, err);
}

/* Read a partition's tail, and decide. */
static int read_tail(struct doubts *doubts, struct look *look,
                     struct kbp_error *err)
{
    struct kb_part *part = look->part;
    int status;

    look->rec = (struct kb_reconcile){
        .producer_id = part->producer_id,
        .epoch = part->epoch,
        .next_offset = part->next_offset,
        .next_sequence = part->next_sequence,
        .sent = part->sent.head,
        .resumed = part->resumed,
    };
    kb_reconcile_begin(&look->rec);
    if (part->seen_end > part->next_offset) {
        status = to_leader(doubts, look->leader, err);
        if (status == KBP_OK)
            status = kb_tail_read(doubts->conn, part->topic, &part->topic_id,
                                  part->partition, part->next_offset,
                                  part->seen_end, kb_deadline_ms(TAIL_MS),
                                  on_batch, &look->rec, err);
        if (status != KBP_OK)
            return status;
    }
    return kb_reconcile_end(&look->rec, part->seen_end, err);
}

static void look_at_tails(struct doubts *doubts)
{
    size_t i;

    for (i = 0; i < doubts->count; i++) {
        struct look *look = &doubts->looks[i];
        struct kbp_error err = KB_ERR_INIT;
        int status;

        if (!look->part || !look->still)
            continue;
        status = read_tail(doubts, look, &err);
        if (status == KBP_OK) {
            look->clear = true;
        } else if (status == KBP_ERR_CONFLICT) {
            fail_look(doubts->run, look, &err);
        } else {
            remember(doubts->run, look->part, &err);
            kb_conn_close(doubts->conn);
            doubts->conn = NULL;
        }
    }
}

/*
 * The epoch after this one; from a new producer id where there is none, or
 * where the broker refuses this one.
 */
static int next_epoch(struct kb_restore_run *run, struct kb_part *part,
                      struct kbp_error *err)
{
    int64_t producer_id;
    int16_t epoch;
    int status;

    if (part->epoch < INT16_MAX &&
        part->kafka_error != KB_KAFKA_INVALID_PRODUCER_EPOCH) {
        part->epoch++;
        return KBP_OK;
    }
    status = kb_producer_begin(run, part->topic, &producer_id, &epoch, err);
    if (status != KBP_OK)
        return status;
    part->producer_id = producer_id;
    part->epoch = epoch;
    return KBP_OK;
}

/* Take over what is known. Under the lock. */
static int settle_part(struct kb_restore_run *run, struct look *look,
                       struct kbp_error *err)
{
    struct kb_part *part = look->part;
    uint64_t left = look->rec.landed_records;
    int status = next_epoch(run, part, err);

    if (status != KBP_OK)
        return status;
    if (part->resumed) {
        part->select.skip += left;
        part->next_offset += (int64_t)left;
        part->resumed = false;
    } else {
        while (left > 0) {
            struct kb_ready *ready = kb_ready_pop(&part->sent);

            left -= (uint64_t)ready->count;
            kb_part_complete(run, part, ready);
            kb_ready_free(ready);
        }
        kb_ready_prepend(&part->ready, &part->sent);
    }
    part->send_sequence = 0;
    part->next_sequence = 0;
    part->proven = false;
    part->kafka_error = 0;
    part->leader = look->leader;
    return KBP_OK;
}

/* The checkpoint has their new epochs: they may go on. */
static void go_on(struct doubts *doubts)
{
    struct kb_restore_run *run = doubts->run;
    size_t i;

    (void)pthread_mutex_lock(&run->lock);
    for (i = 0; i < doubts->count; i++) {
        struct look *look = &doubts->looks[i];
        struct kbp_error err = KB_ERR_INIT;
        struct kb_part *part = look->part;

        if (!part || !look->clear)
            continue;
        kb_info("restore: %s/%" PRId32 ": %" PRIu64
                " records of those in doubt had landed",
                part->topic, part->partition, look->rec.landed_records);
        part->doubted = false;
        part->doubt_began_ms = 0;
        if (!part->is_active) {
            part->phase = KB_PART_WAITING;
            continue;
        }
        part->phase = KB_PART_RUNNING;
        if (kb_lane_start(run, part->leader, &err) != KBP_OK)
            kb_part_doubt(part, &err);
        kb_part_check_done(run, part);
    }
    kb_run_wake(run);
    (void)pthread_mutex_unlock(&run->lock);
}

static void give_up_old(struct doubts *doubts)
{
    const int64_t now = kb_now_ms();
    size_t i;

    for (i = 0; i < doubts->count; i++) {
        struct look *look = &doubts->looks[i];
        struct kbp_error err;

        if (!look->part || look->clear ||
            now - look->part->doubt_began_ms < GIVE_UP_MS)
            continue;
        err = look->part->error;
        (void)kb_err_wrap(&err, "gave up after %d s", GIVE_UP_MS / 1000);
        fail_look(doubts->run, look, &err);
    }
}

int kb_doubts_step(struct kb_restore_run *run, struct kbp_error *err)
{
    struct doubts doubts = {.run = run};
    struct kbp_error soft = KB_ERR_INIT;
    bool any = false;
    int status = collect(&doubts, err);
    size_t i;

    if (status != KBP_OK || !doubts.count) {
        free(doubts.looks);
        return status;
    }
    if (find_leaders(&doubts, &soft) != KBP_OK ||
        find_ends(&doubts, &soft) != KBP_OK) {
        for (i = 0; i < doubts.count; i++)
            if (doubts.looks[i].part)
                remember(run, doubts.looks[i].part, &soft);
    } else {
        look_at_tails(&doubts);
    }
    (void)pthread_mutex_lock(&run->lock);
    for (i = 0; i < doubts.count; i++) {
        struct look *look = &doubts.looks[i];

        if (!look->part || !look->clear)
            continue;
        kb_err_clear(&soft);
        if (settle_part(run, look, &soft) != KBP_OK) {
            look->part->error = soft;
            look->clear = false;
        } else {
            any = true;
        }
    }
    (void)pthread_mutex_unlock(&run->lock);
    if (any)
        status = kb_checkpoint_save(run, err);
    if (status == KBP_OK && any)
        go_on(&doubts);
    give_up_old(&doubts);
    kb_conn_close(doubts.conn);
    free(doubts.looks);
    return status;
}

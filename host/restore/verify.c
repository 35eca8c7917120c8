/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c - the target has what was sent: counts, offsets, head and tail. */
#include "restore/verify.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "kafka/acl.h"
#include "kafka/error.h"
#include "restore/tail.h"

#define ASK_MS 30000
#define READ_MS 30000

struct ours {
    const struct kb_restore_target *target;
    bool any;
};

static int on_batch(void *data, const struct kb_batch *batch,
                    struct kbp_error *err)
{
    struct ours *ours = data;

    ours->any = true;
    /* Earlier runs, and epochs that ran out, had other producer ids; those
       aren't kept.  But nothing of ours is without one. */
    if (batch->producer_id < 0 || (batch->attributes & KB_BATCH_CONTROL))
        return kb_fail(err, KBP_ERR_CONFLICT,
                       "the batch at offset %" PRId64 " isn't ours",
                       batch->base_offset);
    return KBP_OK;
}

/* The batch with this offset is there, sound, and ours. */
static int read_one(struct kb_conn *conn,
                    const struct kb_restore_target *target, int64_t offset,
                    struct kbp_error *err)
{
    struct ours ours = {.target = target};
    int status = kb_tail_read(conn, target->topic, &target->topic_id,
                              target->partition, offset, offset + 1,
                              kb_deadline_ms(READ_MS), on_batch, &ours, err);

    if (status == KBP_OK && !ours.any)
        status = kb_fail(err, KBP_ERR_CONFLICT,
                         "there is no batch with offset %" PRId64, offset);
    return status;
}

static int32_t leader_of(const struct kb_restore_run *run, size_t number)
{
    size_t i;

    for (i = 0; i < run->part_count; i++)
        if (run->parts[i].number == number)
            return run->parts[i].leader;
    return -1;
}

static int check_end(const struct kb_restore_target *target,
                     const struct kb_offset_query *query, struct kbp_error *err)
{
    const int64_t expected = target->start_offset + (int64_t)target->records;

    if (query->error) {
        (void)kb_fail(err, kb_kafka_error_status(query->error),
                      "asking for its end: %s (%s)",
                      kb_kafka_error_name(query->error),
                      kb_kafka_error_text(query->error));
        kb_acl_hint(err, query->error, KB_ACL_TOPIC, query->topic, "Describe");
        return err->status;
    }
    if (query->offset == expected && target->next_offset == expected)
        return KBP_OK;
    return kb_fail(err, KBP_ERR_CONFLICT,
                   "it ends at offset %" PRId64 ", expected was %" PRId64
                   " (%" PRIu64 " records from offset %" PRId64 " on)",
                   query->offset, expected, target->records,
                   target->start_offset);
}

struct connections {
    struct kb_conn *conn;
    int32_t broker;
};

static int read_ends(struct kb_restore_run *run,
                     struct connections *connections, size_t number,
                     struct kbp_error *err)
{
    const struct kb_restore_target *target = &run->state.targets[number];
    const int32_t leader = leader_of(run, number);
    int status = KBP_OK;

    if (!target->records || leader < 0)
        return KBP_OK;
    if (!connections->conn || connections->broker != leader) {
        kb_conn_close(connections->conn);
        connections->conn = NULL;
        status =
            kb_client_connect(run->client, leader, &connections->conn, err);
        if (status != KBP_OK)
            return status;
        connections->broker = leader;
    }
    status = read_one(connections->conn, target, target->start_offset, err);
    if (status == KBP_OK)
        status =
            read_one(connections->conn, target, target->next_offset - 1, err);
    if (status != KBP_OK && status != KBP_ERR_CONFLICT) {
        kb_conn_close(connections->conn);
        connections->conn = NULL;
    }
    return status;
}

int kb_verify_target(struct kb_restore_run *run, size_t *failed,
                     struct kbp_error *err)
{
    const size_t count = run->state.target_count;
    struct kb_offset_query *queries = calloc(count + 1, sizeof *queries);
    struct connections connections = {0};
    size_t i;
    int status;

    *failed = 0;
    if (!queries)
        return kb_fail_nomem(err, "the verification");
    for (i = 0; i < count; i++)
        queries[i] = (struct kb_offset_query){
            .topic = run->state.targets[i].topic,
            .partition = run->state.targets[i].partition,
            .timestamp = KB_OFFSET_LATEST,
        };
    status =
        kb_client_list_offsets(run->client, queries, count, KB_READ_UNCOMMITTED,
                               kb_deadline_ms(ASK_MS), err);
    for (i = 0; i < count && status == KBP_OK; i++) {
        struct kb_restore_target *target = &run->state.targets[i];
        struct kbp_error bad = KB_ERR_INIT;
        char name[300];

        if (target->verified)
            continue;
        if (check_end(target, &queries[i], &bad) == KBP_OK &&
            read_ends(run, &connections, i, &bad) == KBP_OK) {
            target->verified = true;
            continue;
        }
        (void)snprintf(name, sizeof name, "%s/%" PRId32 ": verification",
                       target->topic, target->partition);
        kb_run_error(run, name, &bad);
        (*failed)++;
    }
    kb_conn_close(connections.conn);
    free(queries);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c - the target has what was sent: counts, offsets, head and tail. */
#include "restore/verify.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/acl.h"
#include "kafka/error.h"
#include "restore/tail.h"

#define ASK_MS 30000
#define READ_MS 30000
#define RETRY_MS 250
/* A broker may take that long to restart, or a partition to get a leader. */
#define PATIENCE_MS 60000

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

/* How far it has come, and the connection that was used last. */
struct verifying {
    struct kb_restore_run *run;
    struct kb_conn *conn;
    int32_t broker;
    /* Errors that pass are waited out till then; later after each success, so
       that a cluster which is away costs this once. */
    int64_t deadline_ms;
};

/* Who leads it now: leaders may have moved since the last batch was sent. */
static int find_leader(struct verifying *v,
                       const struct kb_restore_target *target, int32_t *leader,
                       struct kbp_error *err)
{
    const char *name = target->topic;
    const struct kb_meta_partition *partition;
    const struct kb_meta_topic *topic;
    struct kb_metadata *metadata;
    int status = kb_client_metadata(v->run->client, &name, 1, &metadata, err);

    if (status != KBP_OK)
        return status;
    topic = kb_metadata_topic(metadata, name);
    partition =
        topic ? kb_meta_topic_partition(topic, target->partition) : NULL;
    *leader = partition ? partition->leader : -1;
    if (topic && !kb_uuid_is_none(&topic->id) &&
        !kb_uuid_equal(&topic->id, &target->topic_id))
        status = kb_fail(err, KBP_ERR_CONFLICT,
                         "the topic was deleted and created again");
    else if (*leader < 0)
        status =
            kb_fail(err, KBP_ERR_UNAVAILABLE, "the partition has no leader");
    kb_metadata_free(metadata);
    return status;
}

static int read_ends(struct verifying *v,
                     const struct kb_restore_target *target, int32_t leader,
                     struct kbp_error *err)
{
    int status = KBP_OK;

    if (!target->records)
        return KBP_OK;
    if (leader < 0)
        status = find_leader(v, target, &leader, err);
    if (status != KBP_OK)
        return status;
    if (!v->conn || v->broker != leader) {
        kb_conn_close(v->conn);
        v->conn = NULL;
        status = kb_client_connect(v->run->client, leader, &v->conn, err);
        if (status != KBP_OK)
            return status;
        v->broker = leader;
    }
    status = read_one(v->conn, target, target->start_offset, err);
    if (status == KBP_OK)
        status = read_one(v->conn, target, target->next_offset - 1, err);
    if (status != KBP_OK && status != KBP_ERR_CONFLICT) {
        kb_conn_close(v->conn);
        v->conn = NULL;
    }
    return status;
}

/*
 * A leader that is new may not know yet how far its followers are, and says
 * less than there is; it never says more.
 */
static bool may_pass(const struct kb_restore_target *target,
                     const struct kb_offset_query *query, int status)
{
    return kb_may_retry(status) ||
           (!query->error && query->offset < target->next_offset);
}

static int verify_one(struct verifying *v,
                      const struct kb_restore_target *target, int32_t leader,
                      struct kb_offset_query *query, struct kbp_error *err)
{
    for (;;) {
        struct kbp_error asking = KB_ERR_INIT;
        int status = check_end(target, query, err);

        if (status == KBP_OK)
            status = read_ends(v, target, leader, err);
        if (status == KBP_OK) {
            v->deadline_ms = kb_deadline_ms(PATIENCE_MS);
            return KBP_OK;
        }
        if (!may_pass(target, query, status) || kb_left_ms(v->deadline_ms) == 0)
            return status;
        kb_debug("restore: %s/%" PRId32 ": verification: %s; trying again",
                 target->topic, target->partition, err->message);
        if (kb_stop_sleep(v->run->user_stop, RETRY_MS))
            return kb_fail_stopped(err);
        leader = -1;
        if (kb_client_list_offsets(v->run->client, query, 1,
                                   KB_READ_UNCOMMITTED, kb_deadline_ms(ASK_MS),
                                   &asking) == KBP_OK)
            kb_err_clear(err);
        else if (!kb_may_retry(asking.status))
            return status;
    }
}

int kb_verify_target(struct kb_restore_run *run, size_t *failed,
                     struct kbp_error *err)
{
    const size_t count = run->state.target_count;
    struct kb_offset_query *queries = calloc(count + 1, sizeof *queries);
    struct verifying verifying = {.run = run};
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
    verifying.deadline_ms = kb_deadline_ms(PATIENCE_MS);
    for (i = 0; i < count && status == KBP_OK; i++) {
        struct kb_restore_target *target = &run->state.targets[i];
        struct kbp_error bad = KB_ERR_INIT;
        char name[300];

        if (target->verified)
            continue;
        if (verify_one(&verifying, target, leader_of(run, i), &queries[i],
                       &bad) == KBP_OK) {
            target->verified = true;
            continue;
        }
        (*failed)++;
        if (bad.status == KBP_ERR_CANCELLED) /* another run goes on */
            break;
        (void)snprintf(name, sizeof name, "%s/%" PRId32 ": verification",
                       target->topic, target->partition);
        kb_run_error(run, name, &bad);
    }
    kb_conn_close(verifying.conn);
    free(queries);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* done.c - whether a restore was done before, and nothing changed since. */
#include "restore/done.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "restore/tail.h"

#define READ_MS 30000

/* Where the plan wants to end is where that restore ended. */
static bool source_was_done(const struct kb_restore_state *state,
                            const struct kb_plan_source *from, char *why,
                            size_t size)
{
    size_t i;

    for (i = 0; i < state->source_count; i++) {
        const struct kb_restore_source *source = &state->sources[i];

        if (source->partition != from->log->partition ||
            !kb_uuid_equal(&source->generation, &from->generation->id))
            continue;
        if (source->end_offset == from->end)
            return true;
        (void)snprintf(why, size,
                       "the backup of %s/%" PRId32
                       " now ends at offset %" PRId64 ", and not at %" PRId64,
                       from->generation->topic, from->log->partition, from->end,
                       source->end_offset);
        return false;
    }
    if (from->end <= from->start)
        return true;
    (void)snprintf(why, size, "the backup has %s/%" PRId32 " since",
                   from->generation->topic, from->log->partition);
    return false;
}

static const struct kb_target_topic *topic_of(const struct kb_topics *topics,
                                              const char *name)
{
    size_t i;

    for (i = 0; i < topics->count; i++)
        if (!strcmp(topics->items[i].plan->name, name))
            return &topics->items[i];
    return NULL;
}

static int on_last(void *data, const struct kb_batch *batch,
                   struct kbp_error *err)
{
    const int64_t *producer_id = data;

    return batch->producer_id == *producer_id
               ? KBP_OK
               : kb_fail(err, KBP_ERR_CONFLICT,
                         "the batch at offset %" PRId64 " isn't ours",
                         batch->base_offset);
}

/*
 * Without topic ids, one that was created again and filled with as many records
 * could look the same: its last batch tells.
 */
static int look_at_last(struct kb_restore_run *run,
                        const struct kb_target_topic *topic,
                        const struct kb_restore_target *target,
                        struct kbp_error *err)
{
    int64_t producer_id = target->producer_id;
    struct kb_conn *conn = NULL;
    int status;

    if (!kb_uuid_is_none(&topic->id) || !target->records)
        return KBP_OK;
    status = kb_client_connect(run->client, topic->leaders[target->partition],
                               &conn, err);
    if (status == KBP_OK)
        status = kb_tail_read(conn, target->topic, &target->topic_id,
                              target->partition, target->next_offset - 1,
                              target->next_offset, kb_deadline_ms(READ_MS),
                              on_last, &producer_id, err);
    kb_conn_close(conn);
    return status;
}

static bool target_is_there(struct kb_restore_run *run,
                            const struct kb_restore_target *target,
                            const struct kb_topics *topics, char *why,
                            size_t size)
{
    const struct kb_target_topic *topic = topic_of(topics, target->topic);
    struct kbp_error err = KB_ERR_INIT;
    const int32_t p = target->partition;

    if (!topic || !topic->exists || p >= topic->partitions)
        (void)snprintf(why, size, "%s/%" PRId32 " isn't there any more",
                       target->topic, p);
    else if (!kb_uuid_equal(&topic->id, &target->topic_id))
        (void)snprintf(why, size, "%s was deleted and created again since",
                       target->topic);
    else if (topic->starts[p] > target->start_offset)
        (void)snprintf(why, size,
                       "%s/%" PRId32 " now begins at offset %" PRId64
                       " (retention, or somebody, deleted records), and not at "
                       "%" PRId64,
                       target->topic, p, topic->starts[p],
                       target->start_offset);
    else if (topic->ends[p] != target->next_offset)
        (void)snprintf(why, size,
                       "%s/%" PRId32 " now ends at offset %" PRId64
                       " (somebody writes to it), and not at %" PRId64,
                       target->topic, p, topic->ends[p], target->next_offset);
    else if (look_at_last(run, topic, target, &err) != KBP_OK)
        (void)snprintf(why, size, "%s/%" PRId32 ": %s", target->topic, p,
                       err.message);
    else
        return true;
    return false;
}

static bool is_of_this_restore(const struct kb_restore_run *run,
                               const char *cluster_id)
{
    const struct kb_restore_settings *restore = &run->config->restore;
    const struct kb_restore_state *state = &run->state;

    return state->backup_id && state->phase == KB_RESTORE_DONE &&
           !restore->purge_topics && !restore->allow_non_empty &&
           !strcmp(state->backup_id, run->config->backup_id) &&
           !strcmp(state->options_hash, run->plan.options_hash) &&
           state->cluster_id && cluster_id &&
           !strcmp(state->cluster_id, cluster_id);
}

static bool is_as_it_was(struct kb_restore_run *run,
                         const struct kb_topics *topics, char *why, size_t size)
{
    const struct kb_restore_state *state = &run->state;
    size_t i;

    for (i = 0; i < run->plan.source_count; i++)
        if (!source_was_done(state, &run->plan.sources[i], why, size))
            return false;
    for (i = 0; i < state->target_count; i++)
        if (!target_is_there(run, &state->targets[i], topics, why, size))
            return false;
    return true;
}

bool kb_restore_was_done(struct kb_restore_run *run,
                         const struct kb_topics *topics, const char *cluster_id,
                         char *what, size_t size)
{
    const struct kb_restore_state *state = &run->state;
    char at[KB_TIME_TEXT];
    uint64_t records = 0;
    char why[900] = "";
    size_t i;

    *what = '\0';
    for (i = 0; i < state->target_count; i++)
        records += state->targets[i].records;
    if (!is_of_this_restore(run, cluster_id) || !records)
        return false;
    (void)kb_time_text(at, state->saved_ms);
    if (!is_as_it_was(run, topics, why, sizeof why)) {
        (void)snprintf(what, size,
                       "%s was done on %s, and can't be called done any more: "
                       "%s",
                       run->state_prefix, at, why);
        return false;
    }
    (void)snprintf(what, size,
                   "%s was done on %s: %" PRIu64 " records in %zu partitions, "
                   "whose offsets are as it left them; there is nothing to do",
                   run->state_prefix, at, records, state->target_count);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* setup.c - from a plan to topics, a checkpoint and partitions. */
#include "restore/setup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "restore/producer.h"

/* The state's target for a partition; made if there is none. */
static int target_number(struct kb_restore_run *run,
                         const struct kb_target_topic *topic, int32_t partition,
                         uint32_t *number, struct kbp_error *err)
{
    struct kb_restore_state *state = &run->state;
    struct kb_restore_target *target;

    /* Sources come sorted by target. */
    if (state->target_count > 0) {
        target = &state->targets[state->target_count - 1];
        if (target->partition == partition &&
            !strcmp(target->topic, topic->plan->name)) {
            *number = (uint32_t)state->target_count - 1;
            return KBP_OK;
        }
    }
    target = kb_restore_add_target(state);
    if (!target)
        return kb_fail_nomem(err, "the checkpoint");
    target->topic = kb_strdup(topic->plan->name);
    target->topic_id = topic->id;
    target->partition = partition;
    target->producer_id = -1;
    target->start_offset = topic->ends[partition];
    target->next_offset = topic->ends[partition];
    *number = (uint32_t)state->target_count - 1;
    return target->topic ? KBP_OK : kb_fail_nomem(err, "the checkpoint");
}

/* What the checkpoint holds of the plan. */
static int fill_state(struct kb_restore_run *run,
                      const struct kb_topics *topics, struct kbp_error *err)
{
    int64_t producer_id;
    int16_t epoch;
    size_t i;
    int status = KBP_OK;

    for (i = 0; i < run->plan.source_count && status == KBP_OK; i++) {
        const struct kb_plan_source *from = &run->plan.sources[i];
        struct kb_restore_source *source;
        uint32_t number = 0;

        if (from->end <= from->start)
            continue;
        status = target_number(run, &topics->items[from->topic], from->target,
                               &number, err);
        if (status != KBP_OK)
            break;
        source = kb_restore_add_source(&run->state);
        if (!source)
            return kb_fail_nomem(err, "the checkpoint");
        source->topic = kb_strdup(from->generation->topic);
        source->generation = from->generation->id;
        source->partition = from->log->partition;
        source->target = number;
        source->next_offset = from->start;
        source->end_offset = from->end;
        if (!source->topic)
            return kb_fail_nomem(err, "the checkpoint");
    }
    if (status == KBP_OK && run->state.target_count)
        status = kb_producer_begin(run, run->state.targets[0].topic,
                                   &producer_id, &epoch, err);
    for (i = 0; i < run->state.target_count && status == KBP_OK; i++) {
        run->state.targets[i].producer_id = producer_id;
        run->state.targets[i].producer_epoch = epoch;
    }
    return status;
}

static int name_state(struct kb_restore_run *run, const char *cluster_id,
                      struct kbp_error *err)
{
    struct kb_restore_state *state = &run->state;

    state->backup_id = kb_strdup(run->config->backup_id);
    state->options_hash = kb_strdup(run->plan.options_hash);
    state->cluster_id = cluster_id ? kb_strdup(cluster_id) : NULL;
    state->phase = KB_RESTORE_CREATE;
    state->began_ms = run->began_ms;
    if (!state->backup_id || !state->options_hash ||
        (cluster_id && !state->cluster_id))
        return kb_fail_nomem(err, "the checkpoint");
    return KBP_OK;
}

static int purge(struct kb_restore_run *run, const struct kb_topics *topics,
                 struct kbp_error *err)
{
    size_t i;

    for (i = 0; i < topics->count; i++) {
        const struct kb_target_topic *topic = &topics->items[i];
        int status;

        if (!topic->exists || !topic->has_records)
            continue;
        kb_info("restore: %s: deleting its records", topic->plan->name);
        status = kb_admin_delete_records(run->admin, topic->plan->name,
                                         topic->ends, topic->partitions, err);
        if (status != KBP_OK)
            return kb_err_wrap(err, "%s: purge_topics", topic->plan->name);
    }
    return KBP_OK;
}

/* A checkpoint which says what is going to be created, before it is. */
static int new_state(struct kb_restore_run *run, struct kb_topics *topics,
                     const char *cluster_id, struct kbp_error *err)
{
    int status = KBP_OK;

    if (run->state.backup_id) {
        /* Of a restore that is done. */
        kb_restore_state_release(&run->state);
        kb_restore_state_init(&run->state);
        status =
            kb_restore_state_remove(run->state_session, run->state_prefix, err);
    }
    if (status == KBP_OK)
        status = name_state(run, cluster_id, err);
    if (status == KBP_OK)
        status = kb_topics_hold_back(topics, run, err);
    if (status == KBP_OK)
        status = kb_checkpoint_save(run, err);
    return status;
}

int kb_setup_begin(struct kb_restore_run *run, struct kb_topics *topics,
                   const char *cluster_id, bool again, struct kbp_error *err)
{
    size_t failed = 0;
    int status = again ? KBP_OK : new_state(run, topics, cluster_id, err);

    if (status == KBP_OK)
        status = kb_topics_create(topics, run, false, &failed, err);
    if (status == KBP_OK && failed)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "%zu topics can't be created in the target", failed);
    if (status == KBP_OK && run->config->restore.purge_topics)
        status = purge(run, topics, err);
    if (status == KBP_OK)
        status = kb_topics_wait(topics, run, err);
    if (status == KBP_OK)
        status = fill_state(run, topics, err);
    if (status == KBP_OK) {
        run->state.phase = KB_RESTORE_PRODUCE;
        status = kb_checkpoint_save(run, err);
    }
    return status;
}

/*
 * Of a backup with read_uncommitted: what was aborted, as far as it was known
 * where the source ends.  More would be known in a backup that has grown since
 * an earlier run of this restore, which counts on the same records.
 */
static int leave_out_aborted(struct kb_restore_run *run,
                             struct kb_part_source *source,
                             struct kbp_error *err)
{
    const struct kb_txns *aborted = &source->log->aborted;
    const struct kb_txns *open = &source->log->open;
    size_t undecided = 0;
    int status = KBP_OK;
    size_t i;

    if (run->config->restore.include_aborted)
        return KBP_OK;
    for (i = 0; i < aborted->count && status == KBP_OK; i++) {
        if (aborted->items[i].end <= source->end)
            status = kb_txns_add(&source->aborted, &aborted->items[i], err);
        else
            undecided += aborted->items[i].start < source->end;
    }
    kb_txns_sort(&source->aborted);
    for (i = 0; i < open->count; i++)
        undecided += open->items[i].start < source->end;
    if (status == KBP_OK && undecided > 0)
        kb_run_warn(run,
                    "%s/%" PRId32 ": the records of %zu transactions that "
                    "were still open when it was backed up "
                    "(isolation_level: read_uncommitted) are restored, too",
                    source->generation->topic, source->log->partition,
                    undecided);
    return status;
}

static int make_source(struct kb_restore_run *run, struct kb_part *part,
                       uint32_t number, struct kbp_error *err)
{
    const struct kb_restore_source *from = &run->state.sources[number];
    struct kb_part_source *grown =
        realloc(part->sources, (part->source_count + 1) * sizeof *grown);
    struct kb_part_source *source;

    if (!grown)
        return kb_fail_nomem(err, "the partitions");
    part->sources = grown;
    source = &grown[part->source_count++];
    *source = (struct kb_part_source){
        .number = number,
        .generation = kb_manifest_generation(run->manifest, &from->generation),
        .from = from->next_offset,
        .end = from->end_offset,
        .acked = from->next_offset,
    };
    if (source->generation)
        source->log =
            kb_generation_partition(source->generation, from->partition);
    if (!source->log)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "the checkpoint names %s/%" PRId32
                       ", which the backup no longer has",
                       from->topic, from->partition);
    kb_progress_add(&run->progress->offsets_total,
                    (unsigned long long)(source->end - source->from));
    return leave_out_aborted(run, source, err);
}

static int32_t leader_of(const struct kb_topics *topics,
                         const struct kb_restore_target *target)
{
    size_t i;

    for (i = 0; i < topics->count; i++)
        if (!strcmp(topics->items[i].plan->name, target->topic) &&
            topics->items[i].leaders &&
            target->partition < topics->items[i].partitions)
            return topics->items[i].leaders[target->partition];
    return -1;
}

int kb_setup_parts(struct kb_restore_run *run, const struct kb_topics *topics,
                   bool resumed, struct kbp_error *err)
{
    const size_t count = run->state.target_count;
    size_t i;
    int status = KBP_OK;

    run->parts = calloc(count + 1, sizeof *run->parts);
    run->active = calloc(count + 1, sizeof *run->active);
    if (!run->parts || !run->active)
        return kb_fail_nomem(err, "the partitions");
    run->part_count = count;
    for (i = 0; i < count; i++) {
        const struct kb_restore_target *target = &run->state.targets[i];
        struct kb_part *part = &run->parts[i];
        const int64_t counted = target->start_offset + (int64_t)target->records;

        part->number = (uint32_t)i;
        part->topic = target->topic;
        part->topic_id = target->topic_id;
        part->partition = target->partition;
        part->position = INT64_MIN;
        part->phase = resumed ? KB_PART_DOUBT : KB_PART_WAITING;
        part->resumed = resumed;
        if (resumed)
            (void)kb_fail(&part->error, KBP_ERR_UNSURE,
                          "an earlier run was interrupted");
        part->leader = leader_of(topics, target);
        part->producer_id = target->producer_id;
        part->epoch = target->producer_epoch;
        part->next_offset = target->next_offset;
        part->next_sequence = target->next_sequence;
        part->send_sequence = target->next_sequence;
        part->records = target->records;
        part->oldest = INT64_MAX;
        part->newest = INT64_MIN;
        part->seen_end = -1;
        kb_select_init(&part->select, &run->plan.select, &run->budget);
        part->select.source = UINT32_MAX;
        part->select.next_target = counted;
        if (target->next_offset > counted)
            part->select.skip = (uint64_t)(target->next_offset - counted);
    }
    for (i = 0; i < run->state.source_count && status == KBP_OK; i++)
        status = make_source(run, &run->parts[run->state.sources[i].target],
                             (uint32_t)i, err);
    kb_progress_add(&run->progress->partitions_total, count);
    return status;
}

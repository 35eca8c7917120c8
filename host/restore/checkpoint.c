/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.c - what a run that goes on needs to know.  [main thread] */
#include "archive/lease.h"
#include "base/clock.h"
#include "restore/open.h"

static void copy_part(struct kb_restore_state *state,
                      const struct kb_part *part)
{
    struct kb_restore_target *target = &state->targets[part->number];
    size_t i;

    target->producer_id = part->producer_id;
    target->producer_epoch = part->epoch;
    target->next_offset = part->next_offset;
    target->next_sequence = part->next_sequence;
    target->records = part->records;
    for (i = 0; i < part->source_count; i++)
        state->sources[part->sources[i].number].next_offset =
            part->sources[i].acked;
}

/* What was mapped since the last time, of all partitions. */
static int collect_map(struct kb_part *part, struct kb_map *all,
                       struct kbp_error *err)
{
    int status = KBP_OK;
    size_t i;

    for (i = 0; i < part->map.count && status == KBP_OK; i++)
        status = kb_map_add(all, &part->map.runs[i], err);
    part->map.count = 0;
    return status;
}

bool kb_run_may_send(struct kb_restore_run *run)
{
    struct kbp_error ignored = KB_ERR_INIT;

    if (!run->lease || kb_lease_check(run->lease, &ignored) == KBP_OK)
        return true;
    run->held_up = true;
    return false;
}

static int wait_for_lease(struct kb_restore_run *run, struct kbp_error *err)
{
    return run->lease
               ? kb_lease_wait(run->lease, run->user_stop,
                               run->config->storage.retry.timeout_ms, err)
               : KBP_OK;
}

int kb_checkpoint_save(struct kb_restore_run *run, struct kbp_error *err)
{
    struct kb_map map = {0};
    int status = wait_for_lease(run, err);
    size_t i;

    if (status != KBP_OK)
        return status;
    run->traceless = false;
    (void)pthread_mutex_lock(&run->lock);
    for (i = 0; i < run->part_count && status == KBP_OK; i++) {
        copy_part(&run->state, &run->parts[i]);
        status = collect_map(&run->parts[i], &map, err);
    }
    if (run->held_up)
        kb_run_wake(run);
    run->held_up = false;
    (void)pthread_mutex_unlock(&run->lock);
    run->state.saved_ms = kb_wall_ms();
    if (status == KBP_OK)
        status = kb_map_flush(&map, &run->state, run->state_session,
                              run->state_prefix, err);
    if (status != KBP_OK)
        (void)kb_err_wrap(err, "the checkpoint");
    kb_map_release(&map);
    if (status == KBP_OK)
        status = kb_restore_state_save(&run->state, run->state_session,
                                       run->state_prefix, err);
    run->saved_at_ms = kb_now_ms();
    if (status != KBP_OK) {
        if (status == KBP_ERR_DENIED)
            kb_checkpoint_hint(err);
        return status;
    }
    kb_progress_committed(run->progress);
    return KBP_OK;
}

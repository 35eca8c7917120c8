/* SPDX-License-Identifier: Apache-2.0 */
/* reconcile.c - which of our batches are in the target, told from its tail. */
#include "restore/reconcile.h"

#include <inttypes.h>

int32_t kb_sequence_add(int32_t sequence, int64_t count)
{
    return (int32_t)(((int64_t)sequence + count) & INT32_MAX);
}

void kb_reconcile_begin(struct kb_reconcile *rec)
{
    rec->at = rec->next_offset;
    rec->landed_records = 0;
    rec->landed_batches = 0;
    rec->any = false;
    rec->last_epoch = rec->epoch;
    rec->expected_sequence = rec->next_sequence;
}

static int not_ours(const struct kb_batch *batch, struct kbp_error *err)
{
    (void)kb_fail(err, KBP_ERR_CONFLICT,
                  "offset %" PRId64
                  " was written by another producer (id %" PRId64 ")",
                  batch->base_offset, batch->producer_id);
    kb_err_hint(err, "nothing else may write to a partition while it is "
                     "restored; stop the writer, and restore into an empty "
                     "topic");
    return err->status;
}

static int broken_order(const struct kb_batch *batch, const char *what,
                        int64_t expected, int64_t found, struct kbp_error *err)
{
    (void)kb_fail(err, KBP_ERR_CONFLICT,
                  "the batch at offset %" PRId64 " has %s %" PRId64
                  ", expected was %" PRId64
                  ": batches landed twice or out of order",
                  batch->base_offset, what, found, expected);
    kb_err_hint(err, "the partition's content can't be trusted; delete the "
                     "topic and restore it again");
    return err->status;
}

/* A batch of this run: it is known what was sent. */
static int match_sent(struct kb_reconcile *rec, const struct kb_batch *batch,
                      struct kbp_error *err)
{
    const struct kb_ready *sent = rec->sent;

    while (sent && sent->target_offset < rec->at)
        sent = sent->next;
    if (!sent)
        return broken_order(batch, "the sequence", -1, batch->base_sequence,
                            err);
    if (batch->producer_epoch != sent->epoch)
        return broken_order(batch, "the epoch", sent->epoch,
                            batch->producer_epoch, err);
    if (batch->base_sequence != sent->sequence)
        return broken_order(batch, "the sequence", sent->sequence,
                            batch->base_sequence, err);
    if (batch->count != sent->count)
        return broken_order(batch, "a record count of", sent->count,
                            batch->count, err);
    return KBP_OK;
}

/*
 * A batch of a run that is gone: an epoch of ours, and sequences which adjoin
 * within it.  A new epoch begins at 0.
 */
static int match_unknown(struct kb_reconcile *rec, const struct kb_batch *batch,
                         struct kbp_error *err)
{
    if (batch->producer_epoch > rec->epoch ||
        (rec->any && batch->producer_epoch < rec->last_epoch))
        return broken_order(batch, "the epoch", rec->last_epoch,
                            batch->producer_epoch, err);
    if (!rec->any) {
        /* Of an epoch before the checkpoint's it isn't known how far it got. */
        if (batch->producer_epoch < rec->epoch)
            rec->expected_sequence = batch->base_sequence;
    } else if (batch->producer_epoch > rec->last_epoch) {
        rec->expected_sequence = 0;
    }
    if (batch->base_sequence != rec->expected_sequence)
        return broken_order(batch, "the sequence", rec->expected_sequence,
                            batch->base_sequence, err);
    return KBP_OK;
}

int kb_reconcile_batch(struct kb_reconcile *rec, const struct kb_batch *batch,
                       struct kbp_error *err)
{
    int status;

    if (kb_batch_next_offset(batch) <= rec->next_offset)
        return KBP_OK;
    if (batch->producer_id != rec->producer_id ||
        (batch->attributes & KB_BATCH_CONTROL))
        return not_ours(batch, err);
    if (batch->base_offset != rec->at)
        return broken_order(batch, "a place after", rec->at, batch->base_offset,
                            err);
    if (!kb_batch_is_dense(batch) || batch->count < 1)
        return broken_order(batch, "a record count of",
                            batch->last_offset_delta + 1, batch->count, err);
    status = rec->resumed ? match_unknown(rec, batch, err)
                          : match_sent(rec, batch, err);
    if (status != KBP_OK)
        return status;
    rec->any = true;
    rec->last_epoch = batch->producer_epoch;
    rec->expected_sequence =
        kb_sequence_add(batch->base_sequence, batch->count);
    rec->at = kb_batch_next_offset(batch);
    rec->landed_records += (uint64_t)batch->count;
    rec->landed_batches++;
    return KBP_OK;
}

int kb_reconcile_end(const struct kb_reconcile *rec, int64_t log_end,
                     struct kbp_error *err)
{
    if (rec->at == log_end)
        return KBP_OK;
    if (rec->at > log_end)
        (void)kb_fail(err, KBP_ERR_CONFLICT,
                      "the log ends at offset %" PRId64 ", before %" PRId64
                      " up to where it was acknowledged",
                      log_end, rec->at);
    else
        (void)kb_fail(err, KBP_ERR_CONFLICT,
                      "the log goes on from offset %" PRId64 " to %" PRId64
                      " with what isn't ours",
                      rec->at, log_end);
    kb_err_hint(err, "the topic was truncated (unclean leader election), "
                     "replaced or written to by others; restore into an empty "
                     "topic");
    return err->status;
}

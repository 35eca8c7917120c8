/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reconcile.h - which of our batches are in the target, told from its tail.
 *
 * After an error, a lost answer or a crash nobody knows what landed, and
 * idempotence doesn't help with records older than a day.  But
 * the log itself says it: our batches have our producer id, an epoch of ours,
 * and adjoin from the offset where the next one had to land.  Anything else
 * there means that somebody else writes to the partition, or that the order is
 * broken: then nothing may be sent any more.
 *
 * No I/O here: the tail's batch headers go in, a decision comes out.
 */
#ifndef KB_RESTORE_RECONCILE_H
#define KB_RESTORE_RECONCILE_H

#include "kafka/batch.h"
#include "restore/ready.h"

struct kb_reconcile {
    /* What is known of the partition. */
    int64_t producer_id;
    int16_t epoch;         /* the newest that was ever used, at the least */
    int64_t next_offset;   /* all before it is acknowledged, or accounted for */
    int32_t next_sequence; /* of the batch at next_offset; in `epoch` */
    /* What was sent from there on, in order; NULL with `resumed`. */
    const struct kb_ready *sent;
    bool resumed; /* by a run that is gone: it isn't known */
    /* What was found so far. */
    int64_t at; /* where our next batch would be */
    uint64_t landed_records;
    size_t landed_batches;
    bool any;
    int16_t last_epoch;
    int32_t expected_sequence; /* within last_epoch */
};

/* Fill in what is known first; this readies the rest. */
void kb_reconcile_begin(struct kb_reconcile *rec);

/*
 * The next batch of the tail.  One that ends before `next_offset` is passed
 * over.  KBP_ERR_CONFLICT if it isn't ours or not what must stand there.
 */
int kb_reconcile_batch(struct kb_reconcile *rec, const struct kb_batch *batch,
                       struct kbp_error *err);

/* The tail is read up to the log's end. KBP_ERR_CONFLICT as above. */
int kb_reconcile_end(const struct kb_reconcile *rec, int64_t log_end,
                     struct kbp_error *err);

/* `sequence` + `count`, as Kafka counts: 2^31-1 is followed by 0. */
int32_t kb_sequence_add(int32_t sequence, int64_t count);

#endif

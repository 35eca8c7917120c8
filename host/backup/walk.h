/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.h - from what one Fetch answer has of a partition to what is stored,
 * and why the rest is not: each offset exactly once, in order.
 *
 * The words are no stronger than the wire supports:
 * a transaction's marker and aborted data are certain while the cleaner hasn't
 * been there; a hole afterwards is only "removed by the log cleaner".
 */
#ifndef KB_BACKUP_WALK_H
#define KB_BACKUP_WALK_H

#include "archive/manifest.h"
#include "backup/last.h"
#include "kafka/batch.h"
#include "kafka/fetch.h"

#define KB_NO_END INT64_MAX

/* The source's batch isn't the one that was stored: kb_walk_next(). */
#define KB_WALK_DIVERGED 100

struct kb_walk {
    /* Set by the caller, behind kb_walk_begin(). */
    int64_t position;                  /* the first offset wanted */
    int64_t end;                       /* the first one not wanted; KB_NO_END */
    bool compacted;                    /* cleanup.policy has "compact" */
    bool keep_aborted;                 /* read_uncommitted */
    struct kb_codec_worker *codecs;    /* this thread's */
    const struct kb_last_batch *check; /* compare it when it comes by; NULL */

    /* Out. */
    bool checked;    /* `check` was seen and is the same, or can't be seen */
    bool missed;     /* it can't be seen: the log hasn't got it any more */
    bool reached;    /* `end` was reached */
    bool cut;        /* the last batch was cut off */
    uint64_t walked; /* batches looked at, whatever became of them */

    /* Its own. */
    const struct kb_fetched *fetched;
    const uint8_t *at;
    size_t left;
    struct kb_aborted *aborted; /* the answer's, by first offset */
    size_t aborted_count;
    size_t aborted_cap;
    size_t aborted_next;
    bool aborted_known;
    int64_t *active; /* producers with an aborted transaction open here */
    size_t active_count;
    size_t active_cap;
    bool aborted_on;      /* the batch held is of an aborted transaction */
    struct kb_batch held; /* a batch whose turn comes behind a hole */
    bool have_held;
    bool gone; /* `check` is, and where the archive ends still to be passed */
    struct kb_buf
        made; /* rewritten batches, and how far they were handed out */
    size_t made_at;
    int64_t made_end;             /* the offset behind what they were made of */
    struct kb_last_batch made_of; /* the last they were made of */
    struct kb_batch_builder builder;
};

enum kb_walk_kind {
    KB_WALK_BATCH, /* to be stored */
    KB_WALK_SKIP   /* [position, end) isn't there, because of `reason` */
};

/* How a transaction ended, as far as its marker still says so. */
enum kb_walk_marker {
    KB_MARKER_NONE, /* no marker */
    KB_MARKER_ABORT,
    KB_MARKER_COMMIT,
    KB_MARKER_EMPTY /* the cleaner took it, behind the last of its records */
};

struct kb_walk_item {
    enum kb_walk_kind kind;
    struct kb_batch batch; /* begins at the position; of KB_WALK_BATCH */
    bool made;             /* its bytes are the walk's until the next call */
    struct kb_last_batch last; /* as it came from the source */
    enum kb_range_kind reason;
    enum kb_walk_marker marker; /* of KB_WALK_SKIP */
    int64_t producer_id;        /* whose transaction it ends */
    int64_t end;                /* the position behind it */
};

/* Begin with an answer; the set of aborted producers starts empty. */
void kb_walk_begin(struct kb_walk *walk, const struct kb_fetched *fetched);
void kb_walk_release(struct kb_walk *walk);

/*
 * The next item, and the position goes on behind it.  1: an item; 0: no more
 * in this answer; KB_WALK_DIVERGED: the batch to be compared is another one,
 * and `err` says how; KBP_ERR_CORRUPT: a batch is damaged, and where; other
 * errors when a batch must be opened and can't be.
 */
int kb_walk_next(struct kb_walk *walk, struct kb_walk_item *item,
                 struct kbp_error *err);

#endif

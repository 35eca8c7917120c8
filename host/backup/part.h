/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part.h - a partition on its way through a run, and the topic it is of.
 *
 * Each stage has its own fields.  Those of fetching belong to whoever holds
 * the partition: one fetcher, or the engine's thread, never both.
 */
#ifndef KB_BACKUP_PART_H
#define KB_BACKUP_PART_H

#include <pthread.h>

#include "archive/manifest.h"
#include "backup/backup.h"
#include "base/atomic.h"
#include "base/block.h"

#define KB_PART_WHY 384

/* Why a fetcher gave a partition back: what the engine has to find out. */
enum kb_trouble {
    KB_TROUBLE_NONE,
    KB_TROUBLE_LEADER,   /* who leads it now? */
    KB_TROUBLE_RANGE,    /* offset out of range: which of the two cases? */
    KB_TROUBLE_DIVERGED, /* the source's log isn't the one that was stored */
    KB_TROUBLE_EMPTY,    /* nothing there, though the end is further on */
    KB_TROUBLE_BROKEN,   /* damaged, not allowed, ...: `why` */
    KB_TROUBLE_LEFT      /* the engine asked for it back */
};

struct kb_source_topic;

struct kb_part {
    struct kb_source_topic *topic;
    int32_t partition;
    unsigned home; /* its writer in the store, when there is much */

    /* Fetching. */
    int64_t begin;    /* where this run began */
    int64_t position; /* the next to fetch */
    int64_t end;      /* KB_NO_END: continuous */
    int32_t leader;   /* -1: none known */
    int32_t leader_epoch;
    struct kb_last_batch check; /* known: to be compared first */
    int64_t not_before_ms;      /* backs off until then, kb_now_ms() */
    int64_t backoff_ms;
    unsigned empties;  /* answers without records though there are some */
    unsigned failures; /* in a row */
    bool alone;        /* ask for it first, and with the whole limit */
    bool tailing;      /* caught up: waits for new records */
    int32_t read_from; /* the replica that the leader sent us to; -1 */
    bool no_rack;      /* that went wrong: stay with the leader */
    enum kb_trouble trouble;
    int16_t kafka_error;
    char why[KB_PART_WHY]; /* the last thing that went wrong */
    struct kb_part *next;  /* in the list of whoever holds it */

    /* Anybody: as of the newest answer. */
    atomic_llong high_watermark; /* -1: not known yet */
    atomic_llong last_stable;
    atomic_llong log_start;
    atomic_llong fetched;   /* the position */
    atomic_llong moved_ms;  /* kb_now_ms() of the last progress */
    atomic_int asked;       /* brokers were asked, and have the next word */
    atomic_int throttle_ms; /* what its broker's quota announced last; 0: it
                               was answered for since then */
    atomic_int wanted_back; /* the engine asks its fetcher to let go */

    /* Collecting. */
    pthread_mutex_t lock;
    struct kb_coverage coverage; /* since the last parcel */
    struct kb_txns open;         /* with records stored, and undecided */
    struct kb_slice *pieces;     /* batches which wait to become a frame */
    size_t piece_count;
    size_t piece_cap;
    size_t pending;         /* bytes in the pieces */
    bool pending_plain;     /* some of it isn't compressed yet */
    bool settled;           /* all of it lies in `small` */
    struct kb_block *small; /* a block of its own, the first piece's; or NULL */
    int64_t frame_start;
    int64_t frame_end;
    struct kb_last_batch last;

    /* The store: under `lock`, but for what leaves it. */
    unsigned writer;     /* has what is in the pipe */
    atomic_uint in_pipe; /* parcels pushed and not committed yet */

    /* The writer's. */
    size_t slot; /* 1 + its place among what the open segment holds; 0 */

    /* Committing: the committer's, until it has ended. */
    int64_t committed;
    struct kb_sums sums;
    uint64_t bytes;
    uint64_t absent[KB_RANGE_KINDS];
    atomic_llong committed_seen; /* `committed`, for others */

    /* The engine's. */
    bool started; /* given to a fetcher, once */
    bool done;
    bool retired; /* replaced by one of a new generation */
    enum kb_backup_outcome outcome;
    char *reason;
    bool stalled;               /* nothing came for too long */
    int stalled_throttle_ms;    /* `throttle_ms` at that time */
    bool broken;                /* continuous: it is tried again now and then */
    struct kb_fetcher *fetcher; /* who has it; NULL: nobody */
    int64_t moved_seen_ms;      /* `moved_ms` at the last look */
    int64_t quiet_ms;           /* asked for since then, in all */
    bool open_txn;              /* a transaction kept its end away */
    int64_t stuck_since_ms;     /* at the last stable offset; 0: isn't */
    int64_t stuck_at;
    int64_t warned_ms; /* kb_now_ms() of the last warning; long ago */
    int64_t warned_of_retention_ms;
    int64_t seen_start; /* log start when it moved last, for the warning */
    int64_t seen_position;
    int64_t seen_ms;
    bool seen_moving; /* it has moved since the first look */
};

struct kb_source_topic {
    struct kb_source_topic *next;
    char *name;
    struct kb_uuid id;         /* the broker's; none before Kafka 2.8 */
    struct kb_uuid generation; /* its id in the archive */
    struct kb_uuid replaces;   /* the generation before, gone since; or none */
    uint32_t number;
    bool id_is_kafkas;
    bool known;           /* the archive had this generation before this run */
    bool ask_configs;     /* they are to be read, again */
    bool configs_read;    /* in this run */
    bool configs_failed;  /* they couldn't be, and that was said */
    atomic_int compacted; /* cleanup.policy has "compact"; may change */
    atomic_int remote;    /* remote.storage.enable */
    bool literal;         /* named without a pattern */
    bool retired;         /* gone, or replaced by a new generation */
    unsigned missed;      /* looks in a row at which it wasn't there */
    bool described;       /* the archive has its description as it is now */
    struct kb_topic_desc desc;
    struct kb_part **parts; /* by number; NULL: not begun */
    int32_t part_count;
};

/* A partition that begins at `position`; NULL: out of memory. */
struct kb_part *kb_part_new(struct kb_source_topic *topic, int32_t partition,
                            int64_t position, int64_t end);
void kb_part_free(struct kb_part *part);

/* Note what went wrong; the text is kept. */
KB_PRINTF(2, 3)
void kb_part_why(struct kb_part *part, const char *fmt, ...);

/* Set outcome and reason, unless there is a worse one already. */
KB_PRINTF(3, 4)
void kb_part_end(struct kb_part *part, enum kb_backup_outcome outcome,
                 const char *fmt, ...);

void kb_source_topic_free(struct kb_source_topic *topic);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - a restore that is running: what its stages share.
 *
 * Workers (pool.c) turn frames into batches that are ready, a sender per
 * leader (produce.c) has them appended, and the main thread (engine.c) saves
 * the checkpoint and finds out what landed where that is in doubt.  One lock
 * guards what passes between them; each field says whose it is.
 */
#ifndef KB_RESTORE_RUN_H
#define KB_RESTORE_RUN_H

#include <pthread.h>

#include "archive/manifest.h"
#include "base/budget.h"
#include "base/rate.h"
#include "cluster/cluster.h"
#include "config/config.h"
#include "metrics/progress.h"
#include "plugin/codec.h"
#include "plugin/storage.h"
#include "restore/plan.h"
#include "restore/restore.h"

struct kb_lane;
struct kb_lease; /* archive/lease.h */
struct kb_loader;

enum kb_part_phase {
    KB_PART_WAITING, /* its turn hasn't come */
    KB_PART_RUNNING,
    KB_PART_DOUBT, /* nothing is sent until it is known what landed */
    KB_PART_DONE,
    KB_PART_FAILED
};

/* A partition of the archive on its way. */
struct kb_part_source {
    uint32_t number; /* in the state's sources */
    const struct kb_generation *generation;
    const struct kb_partition_log *log;
    int64_t from;
    int64_t end;
    int64_t acked;          /* all before it is done; under the lock */
    struct kb_txns aborted; /* their records are left out; sorted */
};

/* A partition of the target. */
struct kb_part {
    uint32_t number; /* in the state's targets */
    const char *topic;
    struct kb_uuid topic_id;
    int32_t partition;
    struct kb_part_source *sources; /* one after the other */
    size_t source_count;

    /* Of the worker that has it (`busy`). */
    size_t at_source;
    int64_t position; /* source offset to go on from */
    bool careful;     /* frame by frame: one of the next is damaged */
    struct kb_select select;

    /* Under the lock. */
    bool busy;
    bool exhausted; /* all of it went through the workers */
    enum kb_part_phase phase;
    bool is_active;             /* has its place among the active ones */
    struct kb_ready_list ready; /* to be sent */
    struct kb_ready_list sent;  /* not acknowledged yet */
    unsigned in_flight;         /* requests whose outcome isn't known */
    bool proven;                /* a batch of this epoch was acknowledged */
    bool doubted;   /* goes to KB_PART_DOUBT once none is in flight */
    int32_t leader; /* broker id; -1: not known */
    int64_t producer_id;
    int16_t epoch;
    int32_t send_sequence;  /* of the next batch that is sent */
    int64_t next_offset;    /* where the next unacknowledged batch must land */
    int32_t next_sequence;  /* and its sequence */
    uint64_t records;       /* acknowledged */
    uint64_t part_bytes;    /* of batches acknowledged in this run */
    int64_t oldest;         /* max timestamp of the oldest batch; INT64_MAX */
    int64_t newest;         /* INT64_MIN: none */
    struct kb_map map;      /* of what was acknowledged since the checkpoint */
    int16_t kafka_error;    /* which led to the doubt; 0: none */
    struct kbp_error error; /* of the doubt or the failure */

    /* Of the main thread. */
    bool resumed;           /* the first doubt is about a run that is gone */
    int64_t doubt_began_ms; /* 0: it has not */
    int64_t seen_end;       /* -1: not looked yet */
    int64_t seen_at_ms;
};

struct kb_restore_run {
    const struct kb_config *config;
    struct kb_registry *registry;
    struct kb_progress *progress;
    struct kb_stop *user_stop;
    struct kb_restore_report *report;
    pthread_mutex_t report_lock; /* of its lists; innermost */
    int64_t began_ms;

    struct kb_stop prepare_stop; /* ends loading and waits for memory */
    struct kb_stop net_stop;     /* ends network waits: the last resort */
    struct kb_budget budget;
    struct kb_codec_set codecs;
    struct kb_rate rate_records;
    struct kb_rate rate_bytes;

    struct kb_store *store;
    struct kb_store_session *session; /* the main thread's */
    struct kb_manifest *manifest;
    struct kb_loader *loader;
    struct kb_plan plan;

    struct kb_cluster cluster;
    struct kb_client *client; /* the cluster's */
    struct kb_admin *admin;   /* the cluster's; the main thread's */

    /* The checkpoint. [main thread] */
    struct kb_restore_state state;
    struct kb_store *state_store; /* or the store above */
    struct kb_store_session *state_session;
    char *state_prefix;
    struct kb_lease *lease; /* of the checkpoint; NULL in a dry run */
    int64_t saved_at_ms;
    int64_t watched_at_ms; /* when configs were looked at */
    bool retention_warned;

    struct kb_part *parts;
    size_t part_count;

    pthread_mutex_t lock;
    pthread_cond_t work;     /* something for a worker, maybe */
    pthread_cond_t changed;  /* something for the main thread, maybe */
    struct kb_part **active; /* those with memory of their own */
    size_t active_count;
    size_t active_max;
    size_t next_part;        /* none before it waits */
    size_t part_ready_bytes; /* most that is ready of one */
    size_t run_bytes;        /* most that is read at once */
    bool draining;           /* nothing new is begun */
    bool held_up;            /* a sender waits for the lease */
    bool traceless;          /* no checkpoint is there, and none was saved */
    bool made_folder;        /* the one of restore.checkpoint_state */
    struct kb_lane *lanes;
    uint64_t records;
    uint64_t bytes;
    json_t *groups; /* what was committed; or NULL [main thread] */
    pthread_t *workers;
    size_t worker_count;
};

/* What the log calls it: "restore", or "validate-restore". */
const char *kb_run_command(const struct kb_restore_run *run);

/* Sentences for the report; logged as well. [any thread] */
KB_PRINTF(2, 3)
void kb_run_warn(struct kb_restore_run *run, const char *fmt, ...);
void kb_run_error(struct kb_restore_run *run, const char *what,
                  const struct kbp_error *err);

/*
 * Whether nobody else may carry out this restore now; if not, senders are woken
 * when the checkpoint is saved next, which waits for the lease.  Under the
 * lock.
 */
bool kb_run_may_send(struct kb_restore_run *run);

/* A partition can't go on. Under the lock. */
void kb_part_fail(struct kb_restore_run *run, struct kb_part *part,
                  const struct kbp_error *err);

/* Nothing is to be sent before it is known what landed. Under the lock. */
void kb_part_doubt(struct kb_part *part, const struct kbp_error *err);

/* The head of `sent`, or of `ready` if it landed, is done. Under the lock. */
void kb_part_complete(struct kb_restore_run *run, struct kb_part *part,
                      struct kb_ready *ready);

/* Whether it has come to its end now; makes room for others. Under the lock. */
void kb_part_check_done(struct kb_restore_run *run, struct kb_part *part);

/* Put partitions that wait in the places of those that ended. Under the lock.
 */
void kb_run_activate(struct kb_restore_run *run);

/* Wake everybody. Under the lock. */
void kb_run_wake(struct kb_restore_run *run);

/* pool.c: the workers. */
int kb_pool_start(struct kb_restore_run *run, struct kbp_error *err);
void kb_pool_join(struct kb_restore_run *run);

/* produce.c: a sender for each leader; made when first needed. */
int kb_lane_start(struct kb_restore_run *run, int32_t leader,
                  struct kbp_error *err);       /* under the lock */
void kb_lanes_wake(struct kb_restore_run *run); /* under the lock */
bool kb_lanes_busy(struct kb_restore_run *run); /* any is still running */
void kb_lanes_join(struct kb_restore_run *run);

/* doubt.c: find out what landed. [main thread] */
bool kb_doubts_pending(struct kb_restore_run *run);
int kb_doubts_step(struct kb_restore_run *run, struct kbp_error *err);

/* checkpoint.c [main thread] */
int kb_checkpoint_save(struct kb_restore_run *run, struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe.h - encode -> store -> commit: what becomes of parcels.
 *
 *     kb_pipe_push()   any thread; a partition's parcels in order
 *     encode.c         a pool compresses and seals frames, in any order
 *     store.c          a partition's parcels go to one writer as long as some
 *                      aren't committed; it takes them in the order they came,
 *                      and writes segments
 *     commit.c         one thread names durable segments in the manifest
 *
 * Queues have no bound of their own: what is in them was taken from the
 * memory budget, and nobody gets more than that.  After a failure parcels are
 * still taken, and thrown away, so that nobody waits for ever.
 */
#ifndef KB_BACKUP_PIPE_H
#define KB_BACKUP_PIPE_H

#include "archive/commit.h"
#include "backup/parcel.h"
#include "metrics/progress.h"
#include "plugin/codec.h"
#include "plugin/storage.h"

#define KB_PIPE_WRITERS 16u
#define KB_PIPE_ENCODERS 256u

struct kb_pipe_settings {
    struct kb_store *store;
    const char *backup_id;
    struct kb_codec *codec;       /* NULL: frames aren't compressed */
    uint64_t segment_max_bytes;   /* of batches */
    uint64_t segment_max_records; /* 0: no limit */
    unsigned encoders;
    unsigned writers;
    struct kb_budget *budget;
    struct kb_progress *progress;
    struct kb_committer *committer; /* has begun its run */
    struct kb_stop *abort;          /* ends the store's work in the middle */
};

/* What one partition has in a segment. */
struct kb_pipe_extent {
    struct kb_part *part;
    struct kb_coverage coverage;
    struct kb_last_batch last;
    uint64_t bytes;
    unsigned parcels; /* it was made of */
    bool stored;      /* there are frames */
};

/* A segment which is durable, or just offsets accounted for. */
struct kb_pipe_sealed {
    struct kb_pipe_sealed *next;
    bool has_segment;
    struct kb_segment_info info;
    struct kb_pipe_extent *extents;
    size_t count;
    size_t cap;
};

struct kb_pipe;

struct kb_pipe_writer {
    struct kb_pipe *pipe;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of the queue, and of `ready` in it */
    pthread_cond_t changed;
    struct kb_parcel *head;
    struct kb_parcel **tail;
    bool ending;         /* nothing more will come */
    atomic_ullong asked; /* bytes pushed since it was last told to close */
    struct kb_store_session *session;
    struct kb_segment_writer *segment; /* or NULL */
    uint64_t raw;                      /* bytes of batches in it */
    uint64_t records;
    struct kb_pipe_sealed *open; /* what the next commit will say */
};

struct kb_pipe {
    struct kb_pipe_settings set;
    struct kb_name name; /* of segments, but for the sequence */
    uint64_t reserved;   /* bytes of the budget for the store's own buffers */

    pthread_mutex_t lock; /* of `failed`, `error` */
    atomic_int failed;
    struct kbp_error error;

    pthread_mutex_t encode_lock;
    pthread_cond_t encode_more;
    struct kb_parcel *encode_head;
    struct kb_parcel **encode_tail;
    bool encode_closed;
    pthread_t encoders[KB_PIPE_ENCODERS];
    unsigned encoder_count;

    struct kb_pipe_writer writers[KB_PIPE_WRITERS];
    atomic_uint segment_seq;
    atomic_ullong segments;
    atomic_ullong stored_bytes;

    pthread_mutex_t commit_lock; /* of the committer and the manifest */
    pthread_mutex_t sealed_lock;
    pthread_cond_t sealed_more;
    struct kb_pipe_sealed *sealed_head;
    struct kb_pipe_sealed **sealed_tail;
    bool sealed_closed;
    bool committing; /* one was taken and isn't committed yet */
    pthread_t commit_thread;
    bool commit_started;
    atomic_ullong commits;
};

/* Start its threads. `*pipe` doesn't move. kb_pipe_finish() in any case. */
int kb_pipe_start(struct kb_pipe *pipe, const struct kb_pipe_settings *set,
                  struct kbp_error *err);

/* Takes the parcel. [any thread; the partition is locked] */
void kb_pipe_push(struct kb_pipe *pipe, struct kb_parcel *parcel);

/* Have each writer close its segment behind what it has. [any thread] */
int kb_pipe_close_segments(struct kb_pipe *pipe, struct kbp_error *err);

/* All that was pushed is committed, or it failed: the error. */
int kb_pipe_finish(struct kb_pipe *pipe, struct kbp_error *err);

/* Note the first failure; all later work is thrown away. [any thread] */
void kb_pipe_fail(struct kb_pipe *pipe, const struct kbp_error *err);
bool kb_pipe_failed(const struct kb_pipe *pipe);

/* Commit an entry of the engine's own, between those of segments. */
int kb_pipe_commit(struct kb_pipe *pipe, struct kb_entry *entry,
                   struct kbp_error *err);

/* The stages, one a file. */
int kb_encode_start(struct kb_pipe *pipe, struct kbp_error *err);
void kb_encode_push(struct kb_pipe *pipe, struct kb_parcel *parcel);
void kb_encode_finish(struct kb_pipe *pipe);
int kb_store_start(struct kb_pipe *pipe, struct kbp_error *err);
void kb_store_push(struct kb_pipe *pipe, struct kb_parcel *parcel);
void kb_store_ready(struct kb_pipe *pipe, struct kb_parcel *parcel);
void kb_store_finish(struct kb_pipe *pipe);
int kb_commit_start(struct kb_pipe *pipe, struct kbp_error *err);
void kb_commit_push(struct kb_pipe *pipe, struct kb_pipe_sealed *sealed);
void kb_commit_finish(struct kb_pipe *pipe);
void kb_pipe_sealed_free(struct kb_pipe_sealed *sealed);

#endif

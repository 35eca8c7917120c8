/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.h - what a backup holds: topics and their generations, for each
 * partition the accounted offsets, segments, runs, group captures.
 *
 * The manifest is a log, and it is the backup's only checkpoint: a partition
 * resumes where its accounted ranges end.  This is the model in memory, with
 * folded part and log read and merged; commit.h adds to it.
 *
 * A *generation* is one life of a topic: its topic id where the broker has
 * one, else an id made up.  A topic deleted and created again, or truncated
 * below what is stored, begins a new one.  Generations of a topic are numbered
 * from 1.
 *
 * Threads: reading is [any] while nobody commits; kb_manifest_* calls which
 * change it, and commits, come one at a time.  Pointers into it are good until
 * the next change.
 */
#ifndef KB_ARCHIVE_MANIFEST_H
#define KB_ARCHIVE_MANIFEST_H

#include "archive/segment_writer.h"

#define KB_NO_SEGMENT UINT32_MAX

/*
 * Accounted offsets [start, end) of a partition, of one commit.  Its ranges
 * are the partition's which lie in [start, end).
 */
struct kb_extent {
    int64_t start;
    int64_t end;
    struct kb_sums sums;
    uint32_t segment; /* of the manifest; KB_NO_SEGMENT: nothing is stored */
};

/*
 * The last batch that was stored, as it came from the source: fetched again
 * and compared at a resume.  Of message sets of magic 0 and 1 it is the last
 * wrapper, or plain message.
 */
struct kb_last_batch {
    bool known;
    bool detailed; /* else what follows on the epoch isn't known */
    int64_t base_offset;
    uint32_t crc32c;      /* as the header says; a CRC-32 in magic 0 and 1 */
    int32_t leader_epoch; /* as the header says; -1 in magic 0 and 1 */

    /* What the log cleaner keeps, or can only make less. */
    int64_t last_offset;
    int64_t max_timestamp;
    int64_t producer_id; /* -1: none */
    int32_t base_sequence;
    int32_t count;       /* of records */
    uint16_t attributes; /* Kafka's; in magic 0 and 1, too */
    int16_t producer_epoch;
    int8_t magic;
};

struct kb_partition_log {
    int32_t partition;
    struct kb_extent *extents; /* each begins where the one before ends */
    size_t extent_count;
    size_t extent_cap;
    struct kb_ranges ranges;
    struct kb_last_batch last;
    /*
     * What a run wanted beyond the last extent and didn't get, [end of the
     * extents, pending.end): an open transaction, an end before time.  A
     * later extent replaces it.  end <= start: nothing.
     */
    struct kb_range pending;
    struct kb_txns aborted; /* whose records are stored all the same */
    struct kb_txns open;    /* undecided where the extents end */
};

/* The first accounted offset, and the one to go on with. -1: none yet. */
int64_t kb_partition_start(const struct kb_partition_log *log);
int64_t kb_partition_resume(const struct kb_partition_log *log);

struct kb_topic_config {
    char *name;
    char *value;  /* NULL: null, or withheld because it is sensitive */
    char *source; /* "topic", "broker", "default": as Kafka says, lower case */
};

/* A topic as the broker described it. */
struct kb_topic_desc {
    int32_t partition_count;
    int16_t replication_factor;
    bool internal;
    struct kb_topic_config *configs; /* by name */
    size_t config_count;
    bool configs_known; /* captured; "none set" is not "not captured" */
    int64_t described_ms;
};

void kb_topic_desc_release(struct kb_topic_desc *desc);
int kb_topic_desc_copy(struct kb_topic_desc *to,
                       const struct kb_topic_desc *from, struct kbp_error *err);
/* Whether they say the same, but for described_ms. */
bool kb_topic_desc_equal(const struct kb_topic_desc *a,
                         const struct kb_topic_desc *b);

struct kb_generation {
    char *topic;
    uint32_t number;
    struct kb_uuid id;
    bool id_is_kafkas;                   /* else it was made up */
    struct kb_topic_desc desc;           /* partition_count -1: not described */
    int64_t deleted_ms;                  /* seen to be gone; 0: it was there */
    struct kb_partition_log *partitions; /* ascending by number */
    size_t partition_count;              /* those with an extent */
    size_t partition_cap;
};

enum kb_run_status {
    KB_RUN_RUNNING,    /* or it died: its lease tells */
    KB_RUN_COMPLETE,   /* everything asked for is stored */
    KB_RUN_INCOMPLETE, /* something is missing: see reasons */
    KB_RUN_INTERRUPTED /* asked to stop */
};
const char *kb_run_status_word(enum kb_run_status status);

/* Why a run is incomplete. */
struct kb_run_reason {
    char *topic;       /* or NULL: the run as a whole */
    int32_t partition; /* or -1 */
    char *text;
};

struct kb_run {
    char name[KB_RUN_TEXT];
    enum kb_run_status status;
    int64_t began_ms;
    int64_t ended_ms; /* 0: not, as far as is known */
    char *host;       /* where it ran */
    struct kb_run_reason *reasons;
    size_t reason_count;
};

/* Group offsets, captured at one moment; the object has them. */
struct kb_group_capture {
    struct kb_name name; /* kb_key_groups() */
    int64_t captured_ms;
};

struct kb_manifest {
    char *backup_id;
    int64_t created_ms;
    char *cluster_id; /* or NULL */
    struct kb_segment_info *segments;
    size_t segment_count;
    size_t segment_cap;
    struct kb_generation *generations; /* by topic, then number */
    size_t generation_count;
    size_t generation_cap;
    struct kb_run *runs; /* in the order they began */
    size_t run_count;
    struct kb_group_capture *captures; /* ascending by time */
    size_t capture_count;
    struct kb_manifest_log *log; /* commit.h's own: what is folded, sizes */
};

/* A manifest of nothing. */
int kb_manifest_new(struct kb_manifest **manifest, const char *backup_id,
                    struct kbp_error *err);

/*
 * Read a backup's manifest: the folded part, then the log.
 * KBP_ERR_NOT_FOUND: there is no such backup.  KBP_ERR_UNSUPPORTED: its format
 * is the reference tool's (version 1), or newer than this program.
 * KBP_ERR_CORRUPT names the object.
 */
int kb_manifest_load(struct kb_manifest **manifest,
                     struct kb_store_session *store, const char *backup_id,
                     struct kbp_error *err);

/*
 * Bring one that was read before up to date.  Where only the log grew, only
 * that is read: a list, and what is new.  On failure there is none any more:
 * `*manifest` is NULL.
 */
int kb_manifest_refresh(struct kb_manifest **manifest,
                        struct kb_store_session *store, const char *backup_id,
                        struct kbp_error *err);

void kb_manifest_free(struct kb_manifest *manifest);

/* The newest generation of a topic; NULL: none. */
struct kb_generation *kb_manifest_topic(const struct kb_manifest *manifest,
                                        const char *topic);
struct kb_generation *kb_manifest_generation(const struct kb_manifest *manifest,
                                             const struct kb_uuid *id);

/* A partition's log; NULL: nothing of it is accounted for. */
struct kb_partition_log *
kb_generation_partition(const struct kb_generation *generation,
                        int32_t partition);

/*
 * The extents which reach into [start, end): the index of the first, and how
 * many follow.
 */
size_t kb_partition_find(const struct kb_partition_log *log, int64_t start,
                         int64_t end, size_t *first);

/* Sums of all extents. */
void kb_partition_sums(const struct kb_partition_log *log,
                       struct kb_sums *sums);

/*
 * Every partition's extents adjoin, and stored + missing + ranges = end -
 * start in each of them.  KBP_ERR_CORRUPT names topic, partition, offsets of
 * the first that doesn't; `fn` (may be NULL) is told of each instead.
 */
int kb_manifest_check(const struct kb_manifest *manifest,
                      void (*fn)(void *data,
                                 const struct kb_generation *generation,
                                 int32_t partition, const char *text),
                      void *data, struct kbp_error *err);

/* Newest group capture at or before `wall_ms` (INT64_MAX: of all), or NULL. */
const struct kb_group_capture *
kb_manifest_capture(const struct kb_manifest *manifest, int64_t wall_ms);

#endif

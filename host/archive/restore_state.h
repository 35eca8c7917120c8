/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore_state.h - a restore's checkpoint, and its map of offsets.
 *
 * Position in the target is the authority: this object holds
 * what is needed to find one's own batches there again after a crash, and is
 * durable before the first produce.  It lies in a store under a prefix of the
 * caller's: PREFIX/state.json, PREFIX/map/00000001.json ...; for a local file
 * the store is a filesystem one.  [session]
 */
#ifndef KB_ARCHIVE_RESTORE_STATE_H
#define KB_ARCHIVE_RESTORE_STATE_H

#include "base/uuid.h"

struct kb_store_session;

/* In this order; each begins when the one before is done for all topics. */
enum kb_restore_phase {
    KB_RESTORE_CREATE,  /* topics are being created */
    KB_RESTORE_PRODUCE, /* records go to the target */
    KB_RESTORE_VERIFY,  /* the target is compared with what was sent */
    KB_RESTORE_CONFIGS, /* held-back configs are put back */
    KB_RESTORE_GROUPS,  /* group offsets are committed */
    KB_RESTORE_DONE
};

/* A partition of the target. */
struct kb_restore_target {
    char *topic;
    struct kb_uuid topic_id; /* none: the broker has none */
    int32_t partition;
    int64_t producer_id; /* -1: none yet */
    int16_t producer_epoch;
    int64_t start_offset;  /* S0: its end before the first produce; -1 */
    int64_t next_offset;   /* where the next batch must land */
    int32_t next_sequence; /* of the next batch */
    uint64_t records;      /* restored and acknowledged */
    bool verified;
};

/* A partition of the backup, and how far it got. */
struct kb_restore_source {
    char *topic;
    struct kb_uuid generation;
    int32_t partition;
    uint32_t target;     /* number of the target it goes to */
    int64_t next_offset; /* all before it is acknowledged */
    int64_t end_offset;  /* of this restore */
};

/* A config of a target topic that is held back until the end. */
struct kb_restore_config {
    char *topic;
    char *name;
    char *value;   /* to be set at the end; NULL: to be removed */
    bool put_back; /* done */
    bool left_off; /* deliberately: it would delete what was restored */
};

struct kb_restore_state {
    char *backup_id;
    char *options_hash; /* of what was asked for; another one is refused */
    char *cluster_id;   /* of the target, or NULL */
    enum kb_restore_phase phase;
    int64_t began_ms;
    int64_t saved_ms;
    struct kb_restore_target *targets;
    size_t target_count;
    struct kb_restore_source *sources;
    size_t source_count;
    struct kb_restore_config *configs;
    size_t config_count;
    uint32_t map_parts; /* map objects which belong to this state */
    /* The store's: what was loaded or saved last. */
    char *etag;
};

/* To be filled in by the caller; strings are malloc()ed and the state's. */
void kb_restore_state_init(struct kb_restore_state *state);
void kb_restore_state_release(struct kb_restore_state *state);

/* Append a zeroed item; NULL: out of memory. Moves the array. */
struct kb_restore_target *kb_restore_add_target(struct kb_restore_state *state);
struct kb_restore_source *kb_restore_add_source(struct kb_restore_state *state);
struct kb_restore_config *kb_restore_add_config(struct kb_restore_state *state);

/* KBP_ERR_NOT_FOUND: there is none; KBP_ERR_CORRUPT; KBP_ERR_UNSUPPORTED. */
int kb_restore_state_load(struct kb_restore_state *state,
                          struct kb_store_session *store, const char *prefix,
                          struct kbp_error *err);

/*
 * Make it durable, in one piece.  KBP_ERR_CONFLICT: somebody else saved in
 * between (another restore of the same checkpoint runs).
 */
int kb_restore_state_save(struct kb_restore_state *state,
                          struct kb_store_session *store, const char *prefix,
                          struct kbp_error *err);

/* Remove state and map. */
int kb_restore_state_remove(struct kb_store_session *store, const char *prefix,
                            struct kbp_error *err);

/* source_start + i became target_start + i, for 0 <= i < len. */
struct kb_map_run {
    uint32_t source; /* number in the state's sources */
    int64_t source_start;
    int64_t target_start;
    int64_t len;
    int64_t first_timestamp; /* of the run's first and last record; -1 */
    int64_t last_timestamp;
};

/*
 * Runs of the map that are not in a part yet.  Adjoining ones are joined.
 */
struct kb_map {
    struct kb_map_run *runs;
    size_t count;
    size_t cap;
};

void kb_map_release(struct kb_map *map);
int kb_map_add(struct kb_map *map, const struct kb_map_run *run,
               struct kbp_error *err);

/*
 * Write the runs as the next part, empty the map, count it in the state; save
 * the state after it.  A part which the saved state doesn't count is
 * overwritten by the resumed restore.  Nothing if there are none.
 */
int kb_map_flush(struct kb_map *map, struct kb_restore_state *state,
                 struct kb_store_session *store, const char *prefix,
                 struct kbp_error *err);

/* All runs of all parts, in the order they were written. */
int kb_map_each(const struct kb_restore_state *state,
                struct kb_store_session *store, const char *prefix,
                int (*fn)(void *data, const struct kb_map_run *run,
                          struct kbp_error *err),
                void *data, struct kbp_error *err);

#endif

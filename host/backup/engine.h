/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h - a backup run from inside: what plan, resolve, watch and the main
 * loop share.  All of it is the main thread's unless it says otherwise.
 */
#ifndef KB_BACKUP_ENGINE_H
#define KB_BACKUP_ENGINE_H

#include "archive/groups.h"
#include "backup/backup.h"
#include "backup/fetch.h"
#include "backup/fetch_internal.h"
#include "backup/pipe.h"
#include "cluster/cluster.h"
#include "config/config.h"

struct kb_engine {
    const struct kb_config *config;
    struct kb_registry *registry;
    struct kb_progress *progress;
    struct kb_stop *user_stop;
    struct kb_stop stop;  /* fetching ends; what came is stored */
    struct kb_stop abort; /* nothing can be stored any more */
    struct kb_backup_report *report;

    struct kb_budget budget;
    struct kb_rate records_rate;
    struct kb_rate bytes_rate;

    struct kb_cluster cluster;
    pthread_t forwarder; /* user_stop -> stop */
    bool forwards;
    bool locks;               /* those below were made */
    struct kb_client *client; /* the cluster's */
    struct kb_admin *admin;
    struct kb_metadata *metadata; /* the newest */

    struct kb_codec_set codecs;
    struct kb_codec *codec; /* of segments; NULL: none */
    struct kb_store *store;
    struct kb_store_session *lease_session;
    struct kb_store_session *session; /* of manifest and committer */
    struct kb_lease *lease;
    struct kb_manifest *manifest;
    struct kb_committer committer; /* under pipe.commit_lock, once it runs */
    bool began;                    /* the run stands in the manifest */
    bool planned;       /* what the run is to fetch is known, whole */
    bool cluster_known; /* its id was committed */
    bool looked_for_gone;
    uint32_t group_seq;
    uint64_t groups_hash; /* of what the last capture holds */

    struct kb_pipe pipe;
    bool pipe_started;
    struct kb_collector collector;
    struct kb_fetch_env env;
    struct kb_fetcher **fetchers;
    size_t fetcher_count;

    struct kb_source_topic *topics; /* retired ones too */
    struct kb_source_topic **last_topic;

    pthread_mutex_t parts_lock; /* of `parts`, to walk along it or add */
    struct kb_part **parts;     /* all, of all topics */
    size_t part_count;
    size_t part_cap;

    pthread_mutex_t back_lock; /* of `back` */
    pthread_cond_t back_more;
    struct kb_part_list back;     /* given back by fetchers */
    struct kb_part_list homeless; /* wait for somebody who leads them */

    int64_t next_metadata_ms;
    int64_t next_discovery_ms;
    int64_t next_configs_ms; /* to be read again then */
    int64_t next_commit_ms;
    int64_t next_groups_ms;
    int64_t next_watch_ms;
    int64_t watched_ms; /* when that was done last; 0: not yet */
};

/* setup.c: store, lease, manifest, codec, client. Names what was wrong. */
int kb_engine_open(struct kb_engine *engine, struct kbp_error *err);
void kb_engine_close(struct kb_engine *engine);

/* Tell the user, now and in the report. */
KB_PRINTF(2, 3)
void kb_engine_warn(struct kb_engine *engine, const char *fmt, ...);

/*
 * The same of something that was asked for and can't be had: a snapshot is
 * incomplete without it.
 */
KB_PRINTF(2, 3)
void kb_engine_miss(struct kb_engine *engine, const char *fmt, ...);

/* plan.c */

/* Whether the settings select a topic; internal: the broker says it is. */
bool kb_plan_selects(const struct kb_config *config, const char *topic,
                     bool internal);

/*
 * Topics that are asked for, and aren't there: an error, or a warning
 * (on_missing_topic).  A pattern that matches none, of the cluster's or of the
 * archive's, is one of them in a snapshot: it may well be a slip.
 */
int kb_plan_check(struct kb_engine *engine, struct kbp_error *err);

/*
 * Look at what topics there are, and take in those that are new: describe
 * them, find their generation, and begin their partitions.
 */
int kb_plan(struct kb_engine *engine, bool first, struct kbp_error *err);

/* begin.c: begin all partitions that aren't; give them to fetchers. */
int kb_plan_begin(struct kb_engine *engine, bool first, struct kbp_error *err);

/* The topic's log isn't what was stored: begin a new generation. */
int kb_plan_restart(struct kb_engine *engine, struct kb_source_topic *topic,
                    const char *why, struct kbp_error *err);

/* The topic is not there any more. */
int kb_plan_retire(struct kb_engine *engine, struct kb_source_topic *topic,
                   struct kbp_error *err);

/* Commit what the archive doesn't know of topics yet. */
int kb_plan_commit_topics(struct kb_engine *engine, struct kbp_error *err);

/* resolve.c */

/* Give the partition to the fetcher of who leads it, as far as known. */
int kb_engine_assign(struct kb_engine *engine, struct kb_part *part,
                     struct kbp_error *err);

/* What fetchers gave back: find out, decide, and go on. */
int kb_resolve(struct kb_engine *engine, struct kbp_error *err);

/* Record that [position, to) isn't there any more. */
int kb_engine_skip(struct kb_engine *engine, struct kb_part *part,
                   enum kb_range_kind reason, int64_t to,
                   struct kbp_error *err);

/* The newest metadata of the run's topics, or of all. */
int kb_engine_metadata(struct kb_engine *engine, bool all,
                       struct kbp_error *err);

/* watch.c: stalls, open transactions, lag, and what retention threatens. */
int kb_watch(struct kb_engine *engine, struct kbp_error *err);

/* The most that one wait can count as the cluster's silence. */
int64_t kb_watch_most_ms(const struct kb_engine *engine);

/*
 * Why nothing comes of a partition that its fetcher has let go of, or, if it
 * hasn't, as far as that can be told.  `text` is returned.
 */
#define KB_STALL_TEXT 1024
const char *kb_stall_text(const struct kb_engine *engine,
                          const struct kb_part *part, bool let_go,
                          char text[KB_STALL_TEXT]);

/* capture.c: groups' offsets into the archive. Failures of single groups are
   warnings. */
int kb_capture_groups(struct kb_engine *engine, struct kbp_error *err);

/* report.c */
int kb_engine_fill_report(struct kb_engine *engine, struct kbp_error *err);

#endif

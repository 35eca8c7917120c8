/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h - what /metrics shows.  One registry for the process, so that no
 * pointer has to be carried around.
 *
 * Every function may be called at any time from any thread.  They do nothing
 * until kb_metrics_start(), so engines call them whether or not they were
 * asked for.  Totals of records and bytes, progress and rates come from struct
 * kb_progress (progress.h) and need no call here.
 */
#ifndef KB_METRICS_METRICS_H
#define KB_METRICS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "metrics/progress.h"

enum kb_job { KB_JOB_BACKUP, KB_JOB_RESTORE };

/* For the labels of all. `backend` and `algorithm` are names of plugins. */
struct kb_metrics_labels {
    enum kb_job job;
    const char *backup_id;
    const char *restore_id; /* of KB_JOB_RESTORE; else NULL */
    const char *backend;
    const char *algorithm;
    int64_t max_partition_labels; /* topic/partition sets; 0: no limit */
    bool snapshot;                /* a backup that ends, or a restore */
};

/* Begin to count. The strings are copied; `progress` stays the caller's. */
int kb_metrics_start(const struct kb_metrics_labels *labels,
                     struct kb_progress *progress, struct kbp_error *err);
void kb_metrics_stop(void);

enum kb_error_type {
    KB_ERROR_BROKER_CONNECTION,
    KB_ERROR_CONSUMER_TIMEOUT,
    KB_ERROR_DESERIALIZATION,
    KB_ERROR_STORAGE_IO,
    KB_ERROR_CODEC,
    KB_ERROR_OFFSET_INVALID,
    KB_ERROR_AUTH,
    KB_ERROR_TIMEOUT,
    KB_ERROR_NOT_FOUND,
    KB_ERROR_QUOTA,
    KB_ERROR_UNKNOWN
};

/* The nearest type for a KBP_ERR_*; `storage`: it came from the store. */
enum kb_error_type kb_error_type_of(int status, bool storage);

/* An error that the run survived or died of. */
void kb_metrics_error(enum kb_error_type type);

/* Something is tried again: "fetch", "produce", "metadata", "storage"... */
void kb_metrics_retry(const char *operation);

/*
 * How far a partition is behind its end.  In bytes that is taken from the size
 * of its records so far, in seconds from the time of the newest of them.
 */
void kb_metrics_lag(const char *topic, int32_t partition, uint64_t records);

/* It isn't there any more, and has no lag. */
void kb_metrics_lag_gone(const char *topic, int32_t partition);

/*
 * Records of a partition, and their batches' bytes, became durable; the newest
 * has this timestamp (-1: unknown).
 */
void kb_metrics_committed(const char *topic, int32_t partition,
                          uint64_t records, uint64_t bytes, int64_t newest_ms);

/* Offsets that can't be had any more: one gap, and how many it holds. */
void kb_metrics_gap(uint64_t offsets);

/* A codec's work: bytes before and after. */
void kb_metrics_compressed(uint64_t before, uint64_t after);

enum kb_store_operation {
    KB_STORE_SEGMENT,
    KB_STORE_MANIFEST,
    KB_STORE_CHECKPOINT,
    KB_STORE_OTHER
};

/* An object was written, or read, in so long. */
void kb_metrics_store_write(enum kb_store_operation operation, uint64_t bytes,
                            int64_t ns);
void kb_metrics_store_read(enum kb_store_operation operation, uint64_t bytes,
                           int64_t ns);
void kb_metrics_store_error(enum kb_error_type type);

/* Leadership moved, so that partitions changed connections. */
void kb_metrics_rebalance(void);

/* A re-authentication (KIP-368) succeeded or not. */
void kb_metrics_reauthentication(bool ok);

/* The job ended after so long. */
void kb_metrics_finished(bool success, double seconds);

/*
 * Everything as OpenMetrics text, "# EOF" included.  Rates are over the time
 * since the call before, if that was `window_ms` ago or more.
 */
void kb_metrics_write(struct kb_buf *out, int64_t window_ms);

/*
 * How the job is, as JSON; false unless all is well.  It isn't while the store
 * fails or no broker can be reached, nor when nothing moved for two minutes
 * although there is something to do.
 */
bool kb_metrics_health(struct kb_buf *out);

#endif

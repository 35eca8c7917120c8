/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what is counted; for metrics.c and write.c. */
#ifndef KB_METRICS_INTERNAL_H
#define KB_METRICS_INTERNAL_H

#include <pthread.h>

#include "base/atomic.h"
#include "metrics/metrics.h"
#include "metrics/series.h"

#define KB_ERROR_TYPES (KB_ERROR_UNKNOWN + 1)
#define KB_STORE_OPERATIONS (KB_STORE_OTHER + 1)
#define KB_RETRY_OPERATIONS 16

struct kb_retry_count {
    char operation[24];
    uint64_t count;
};

/* What was at the last look, to make rates of. */
struct kb_rate_look {
    int64_t at_ms;
    uint64_t records;
    double records_per_sec;
};

struct kb_metrics_state {
    pthread_mutex_t lock;
    atomic_int on;
    enum kb_job job;
    bool snapshot;
    char *backup_id;
    char *restore_id;
    char *backend;
    char *algorithm;
    int64_t max_partition_labels;
    struct kb_progress *progress;
    struct kb_series_table partitions;
    struct kb_series_table topics;
    uint64_t errors[KB_ERROR_TYPES];
    uint64_t store_errors[KB_ERROR_TYPES];
    struct kb_retry_count retries[KB_RETRY_OPERATIONS];
    uint64_t gaps;
    uint64_t skipped;
    uint64_t uncompressed;
    uint64_t compressed;
    uint64_t rebalances;
    uint64_t reauthentications[2];
    uint64_t write_bytes;
    uint64_t read_bytes;
    struct kb_histogram writes[KB_STORE_OPERATIONS];
    struct kb_histogram reads[KB_STORE_OPERATIONS];
    struct kb_histogram durations[2];
    struct kb_rate_look look;
};

extern struct kb_metrics_state kb_metrics_all;

/* True, and locked, if there is anybody to count for. */
bool kb_metrics_lock(void);
void kb_metrics_unlock(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - count what a job does. */
#include "metrics/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "metrics/internal.h"

static const double duration_bounds[] = {1,   5,   15,  30,   60,
                                         120, 300, 600, 1800, 3600};
static const double latency_bounds[] = {.01, .05, .1, .25, .5, 1, 2.5, 5, 10};

struct kb_metrics_state kb_metrics_all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct kb_metrics_state *const all = &kb_metrics_all;

bool kb_metrics_lock(void)
{
    if (!atomic_load_explicit(&all->on, memory_order_relaxed))
        return false;
    (void)pthread_mutex_lock(&all->lock);
    return true;
}

void kb_metrics_unlock(void)
{
    (void)pthread_mutex_unlock(&all->lock);
}

static void histogram_init(struct kb_histogram *histogram, const double *bounds,
                           size_t count)
{
    memset(histogram, 0, sizeof *histogram);
    histogram->bounds = bounds;
    histogram->bound_count = count;
}

static void clear(void)
{
    size_t i;

    free(all->backup_id);
    free(all->restore_id);
    free(all->backend);
    free(all->algorithm);
    kb_series_release(&all->partitions);
    kb_series_release(&all->topics);
    all->backup_id = all->restore_id = all->backend = all->algorithm = NULL;
    all->progress = NULL;
    memset(all->errors, 0, sizeof all->errors);
    memset(all->store_errors, 0, sizeof all->store_errors);
    memset(all->retries, 0, sizeof all->retries);
    memset(&all->look, 0, sizeof all->look);
    all->gaps = all->skipped = all->uncompressed = all->compressed = 0;
    all->rebalances = all->write_bytes = all->read_bytes = 0;
    all->reauthentications[0] = all->reauthentications[1] = 0;
    for (i = 0; i < KB_STORE_OPERATIONS; i++) {
        histogram_init(&all->writes[i], latency_bounds, 9);
        histogram_init(&all->reads[i], latency_bounds, 9);
    }
    for (i = 0; i < 2; i++)
        histogram_init(&all->durations[i], duration_bounds, 10);
}

int kb_metrics_start(const struct kb_metrics_labels *labels,
                     struct kb_progress *progress, struct kbp_error *err)
{
    int status = KBP_OK;

    (void)pthread_mutex_lock(&all->lock);
    clear();
    all->job = labels->job;
    all->snapshot = labels->snapshot;
    all->max_partition_labels = labels->max_partition_labels;
    all->progress = progress;
    all->backup_id = kb_strdup(labels->backup_id);
    all->restore_id = kb_strdup(labels->restore_id ? labels->restore_id : "");
    all->backend = kb_strdup(labels->backend ? labels->backend : "");
    all->algorithm = kb_strdup(labels->algorithm ? labels->algorithm : "none");
    if (!all->backup_id || !all->restore_id || !all->backend ||
        !all->algorithm) {
        clear();
        status = kb_fail_nomem(err, "the metrics");
    } else {
        atomic_store(&all->on, 1);
    }
    kb_metrics_unlock();
    return status;
}

void kb_metrics_stop(void)
{
    (void)pthread_mutex_lock(&all->lock);
    atomic_store(&all->on, 0);
    clear();
    kb_metrics_unlock();
}

enum kb_error_type kb_error_type_of(int status, bool storage)
{
    switch (status) {
    case KBP_ERR_AUTH:
    case KBP_ERR_DENIED:
    case KBP_ERR_EXPIRED:
        return KB_ERROR_AUTH;
    case KBP_ERR_TIMEOUT:
        return KB_ERROR_TIMEOUT;
    case KBP_ERR_NOT_FOUND:
        return KB_ERROR_NOT_FOUND;
    case KBP_ERR_THROTTLED:
    case KBP_ERR_FULL:
        return KB_ERROR_QUOTA;
    case KBP_ERR_CORRUPT:
    case KBP_ERR_PROTOCOL:
        return storage ? KB_ERROR_STORAGE_IO : KB_ERROR_DESERIALIZATION;
    case KBP_ERR_IO:
    case KBP_ERR_UNAVAILABLE:
        return storage ? KB_ERROR_STORAGE_IO : KB_ERROR_BROKER_CONNECTION;
    default:
        return storage ? KB_ERROR_STORAGE_IO : KB_ERROR_UNKNOWN;
    }
}

void kb_metrics_error(enum kb_error_type type)
{
    if (!kb_metrics_lock())
        return;
    all->errors[type]++;
    kb_metrics_unlock();
}

void kb_metrics_retry(const char *operation)
{
    size_t i;

    if (!kb_metrics_lock())
        return;
    /* The last place counts for all that find none. */
    for (i = 0; i < KB_RETRY_OPERATIONS - 1; i++)
        if (!*all->retries[i].operation ||
            strcmp(all->retries[i].operation, operation) == 0)
            break;
    if (!*all->retries[i].operation)
        (void)snprintf(all->retries[i].operation,
                       sizeof all->retries[i].operation, "%s",
                       i == KB_RETRY_OPERATIONS - 1 ? "other" : operation);
    all->retries[i].count++;
    kb_metrics_unlock();
}

void kb_metrics_lag(const char *topic, int32_t partition, uint64_t records)
{
    struct kb_series *series;

    if (!kb_metrics_lock())
        return;
    series = kb_series_get(&all->partitions, topic, partition);
    if (series) {
        series->has_lag = true;
        series->lag_records = records;
    }
    kb_metrics_unlock();
}

void kb_metrics_lag_gone(const char *topic, int32_t partition)
{
    struct kb_series *series;

    if (!kb_metrics_lock())
        return;
    series = kb_series_get(&all->partitions, topic, partition);
    if (series) {
        series->has_lag = false;
        series->lag_records = 0;
    }
    kb_metrics_unlock();
}

void kb_metrics_committed(const char *topic, int32_t partition,
                          uint64_t records, uint64_t bytes, int64_t newest_ms)
{
    struct kb_series *series;

    if (!kb_metrics_lock())
        return;
    series = kb_series_get(&all->partitions, topic, partition);
    if (series) {
        series->committed_at = (double)kb_wall_ms() / 1000;
        series->records += records;
        series->bytes += bytes;
        if (records && newest_ms > series->newest_ms)
            series->newest_ms = newest_ms;
    }
    series = kb_series_get(&all->topics, topic, -1);
    if (series) {
        series->records += records;
        series->bytes += bytes;
    }
    kb_metrics_unlock();
}

void kb_metrics_gap(uint64_t offsets)
{
    if (!kb_metrics_lock())
        return;
    all->gaps++;
    all->skipped += offsets;
    kb_metrics_unlock();
}

void kb_metrics_compressed(uint64_t before, uint64_t after)
{
    if (!kb_metrics_lock())
        return;
    all->uncompressed += before;
    all->compressed += after;
    kb_metrics_unlock();
}

void kb_metrics_store_write(enum kb_store_operation operation, uint64_t bytes,
                            int64_t ns)
{
    if (!kb_metrics_lock())
        return;
    all->write_bytes += bytes;
    kb_histogram_add(&all->writes[operation], (double)ns / 1e9);
    kb_metrics_unlock();
}

void kb_metrics_store_read(enum kb_store_operation operation, uint64_t bytes,
                           int64_t ns)
{
    if (!kb_metrics_lock())
        return;
    all->read_bytes += bytes;
    kb_histogram_add(&all->reads[operation], (double)ns / 1e9);
    kb_metrics_unlock();
}

void kb_metrics_store_error(enum kb_error_type type)
{
    if (!kb_metrics_lock())
        return;
    all->store_errors[type]++;
    kb_metrics_unlock();
}

void kb_metrics_rebalance(void)
{
    if (!kb_metrics_lock())
        return;
    all->rebalances++;
    kb_metrics_unlock();
}

void kb_metrics_reauthentication(bool ok)
{
    if (!kb_metrics_lock())
        return;
    all->reauthentications[ok ? 1 : 0]++;
    kb_metrics_unlock();
}

void kb_metrics_finished(bool success, double seconds)
{
    if (!kb_metrics_lock())
        return;
    kb_histogram_add(&all->durations[success ? 0 : 1], seconds);
    kb_metrics_unlock();
}

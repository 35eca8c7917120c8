/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series.h - what the metrics are kept in: histograms, and a table of series
 * by topic and partition.  Not thread-safe; metrics.c locks.
 */
#ifndef KB_METRICS_SERIES_H
#define KB_METRICS_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define KB_BUCKETS_MAX 12

struct kb_histogram {
    const double *bounds; /* upper ones, ascending; then infinity */
    size_t bound_count;
    uint64_t counts[KB_BUCKETS_MAX];
    double sum;
};

void kb_histogram_add(struct kb_histogram *histogram, double value);

/* Lines of it; `labels` as in kb_series_line(). */
void kb_histogram_write(struct kb_buf *out, const char *name,
                        const char *labels,
                        const struct kb_histogram *histogram);

/* Of a topic (partition -1), or of a partition. */
struct kb_series {
    char *topic; /* NULL: a free place in the table */
    int32_t partition;
    bool has_lag;
    uint64_t lag_records;
    int64_t newest_ms;   /* of its records; -1: unknown */
    double committed_at; /* seconds since the epoch; 0: never */
    uint64_t records;
    uint64_t bytes;
    uint64_t records_before; /* at the last look, for rates */
    uint64_t bytes_before;
    double records_per_sec;
    double bytes_per_sec;
};

struct kb_series_table {
    struct kb_series *items;
    size_t cap; /* a power of two */
    size_t count;
};

/* Find or add; NULL when out of memory. */
struct kb_series *kb_series_get(struct kb_series_table *table,
                                const char *topic, int32_t partition);
void kb_series_release(struct kb_series_table *table);

/* A label's value, with what has to be escaped. */
void kb_label_add(struct kb_buf *out, const char *name, const char *value);

/* "name{labels} value": whole numbers are written as such. */
void kb_series_line(struct kb_buf *out, const char *name, const char *labels,
                    double value);

#endif

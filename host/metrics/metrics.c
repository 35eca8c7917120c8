/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - counters of a job, and how they are shown. */
#include "metrics/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/str.h"
#include "metrics/series.h"

#define ERROR_TYPES (KB_ERROR_UNKNOWN + 1)
#define STORE_OPERATIONS (KB_STORE_OTHER + 1)
#define RETRY_OPERATIONS 16
#define STALLED_MS 120000

static const double duration_bounds[] = {1,   5,   15,  30,   60,
                                         120, 300, 600, 1800, 3600};
static const double latency_bounds[] = {.01, .05, .1, .25, .5, 1, 2.5, 5, 10};

static const char *const error_words[ERROR_TYPES] = {"broker_connection",
                                                     "consumer_timeout",
                                                     "deserialization",
                                                     "storage_io",
                                                     "codec",
                                                     "offset_invalid",
                                                     "auth",
                                                     "timeout",
                                                     "not_found",
                                                     "quota",
                                                     "unknown"};
static const char *const operation_words[STORE_OPERATIONS] = {
    "segment", "manifest", "checkpoint", "other"};

struct retry {
    char operation[24];
    uint64_t count;
};

/* What was at the last look, to make rates of. */
struct look {
    int64_t at_ms;
    uint64_t records;
    double records_per_sec;
};

static struct {
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
    uint64_t errors[ERROR_TYPES];
    uint64_t store_errors[ERROR_TYPES];
    struct retry retries[RETRY_OPERATIONS];
    uint64_t gaps;
    uint64_t skipped;
    uint64_t uncompressed;
    uint64_t compressed;
    uint64_t rebalances;
    uint64_t reauthentications[2];
    uint64_t write_bytes;
    uint64_t read_bytes;
    struct kb_histogram writes[STORE_OPERATIONS];
    struct kb_histogram reads[STORE_OPERATIONS];
    struct kb_histogram durations[2];
    struct look look;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* True, and locked, if there is anybody to count for. */
static bool begin(void)
{
    if (!atomic_load_explicit(&all.on, memory_order_relaxed))
        return false;
    (void)pthread_mutex_lock(&all.lock);
    return true;
}

static void end(void)
{
    (void)pthread_mutex_unlock(&all.lock);
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

    free(all.backup_id);
    free(all.restore_id);
    free(all.backend);
    free(all.algorithm);
    kb_series_release(&all.partitions);
    kb_series_release(&all.topics);
    all.backup_id = all.restore_id = all.backend = all.algorithm = NULL;
    all.progress = NULL;
    memset(all.errors, 0, sizeof all.errors);
    memset(all.store_errors, 0, sizeof all.store_errors);
    memset(all.retries, 0, sizeof all.retries);
    memset(&all.look, 0, sizeof all.look);
    all.gaps = all.skipped = all.uncompressed = all.compressed = 0;
    all.rebalances = all.write_bytes = all.read_bytes = 0;
    all.reauthentications[0] = all.reauthentications[1] = 0;
    for (i = 0; i < STORE_OPERATIONS; i++) {
        histogram_init(&all.writes[i], latency_bounds, 9);
        histogram_init(&all.reads[i], latency_bounds, 9);
    }
    for (i = 0; i < 2; i++)
        histogram_init(&all.durations[i], duration_bounds, 10);
}

int kb_metrics_start(const struct kb_metrics_labels *labels,
                     struct kb_progress *progress, struct kbp_error *err)
{
    int status = KBP_OK;

    (void)pthread_mutex_lock(&all.lock);
    clear();
    all.job = labels->job;
    all.snapshot = labels->snapshot;
    all.max_partition_labels = labels->max_partition_labels;
    all.progress = progress;
    all.backup_id = kb_strdup(labels->backup_id);
    all.restore_id = kb_strdup(labels->restore_id ? labels->restore_id : "");
    all.backend = kb_strdup(labels->backend ? labels->backend : "");
    all.algorithm = kb_strdup(labels->algorithm ? labels->algorithm : "none");
    if (!all.backup_id || !all.restore_id || !all.backend || !all.algorithm) {
        clear();
        status = kb_fail_nomem(err, "the metrics");
    } else {
        atomic_store(&all.on, 1);
    }
    end();
    return status;
}

void kb_metrics_stop(void)
{
    (void)pthread_mutex_lock(&all.lock);
    atomic_store(&all.on, 0);
    clear();
    end();
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
    if (!begin())
        return;
    all.errors[type]++;
    end();
}

void kb_metrics_retry(const char *operation)
{
    size_t i;

    if (!begin())
        return;
    /* The last place counts for all that find none. */
    for (i = 0; i < RETRY_OPERATIONS - 1; i++)
        if (!*all.retries[i].operation ||
            strcmp(all.retries[i].operation, operation) == 0)
            break;
    if (!*all.retries[i].operation)
        (void)snprintf(all.retries[i].operation,
                       sizeof all.retries[i].operation, "%s",
                       i == RETRY_OPERATIONS - 1 ? "other" : operation);
    all.retries[i].count++;
    end();
}

void kb_metrics_lag(const char *topic, int32_t partition, uint64_t records)
{
    struct kb_series *series;

    if (!begin())
        return;
    series = kb_series_get(&all.partitions, topic, partition);
    if (series) {
        series->has_lag = true;
        series->lag_records = records;
    }
    end();
}

void kb_metrics_committed(const char *topic, int32_t partition,
                          uint64_t records, uint64_t bytes, int64_t newest_ms)
{
    struct kb_series *series;

    if (!begin())
        return;
    series = kb_series_get(&all.partitions, topic, partition);
    if (series) {
        series->committed_at = (double)kb_wall_ms() / 1000;
        series->records += records;
        series->bytes += bytes;
        if (records && newest_ms > series->newest_ms)
            series->newest_ms = newest_ms;
    }
    series = kb_series_get(&all.topics, topic, -1);
    if (series) {
        series->records += records;
        series->bytes += bytes;
    }
    end();
}

void kb_metrics_gap(uint64_t offsets)
{
    if (!begin())
        return;
    all.gaps++;
    all.skipped += offsets;
    end();
}

void kb_metrics_compressed(uint64_t before, uint64_t after)
{
    if (!begin())
        return;
    all.uncompressed += before;
    all.compressed += after;
    end();
}

void kb_metrics_store_write(enum kb_store_operation operation, uint64_t bytes,
                            int64_t ns)
{
    if (!begin())
        return;
    all.write_bytes += bytes;
    kb_histogram_add(&all.writes[operation], (double)ns / 1e9);
    end();
}

void kb_metrics_store_read(enum kb_store_operation operation, uint64_t bytes,
                           int64_t ns)
{
    if (!begin())
        return;
    all.read_bytes += bytes;
    kb_histogram_add(&all.reads[operation], (double)ns / 1e9);
    end();
}

void kb_metrics_store_error(enum kb_error_type type)
{
    if (!begin())
        return;
    all.store_errors[type]++;
    end();
}

void kb_metrics_rebalance(void)
{
    if (!begin())
        return;
    all.rebalances++;
    end();
}

void kb_metrics_reauthentication(bool ok)
{
    if (!begin())
        return;
    all.reauthentications[ok ? 1 : 0]++;
    end();
}

void kb_metrics_finished(bool success, double seconds)
{
    if (!begin())
        return;
    kb_histogram_add(&all.durations[success ? 0 : 1], seconds);
    end();
}

/* From here on: showing. */

static uint64_t progress_of(atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Labels of a line, in a buffer that is used again and again. */
static struct kb_buf labels_buf;

static void label_begin(void)
{
    labels_buf.len = 0;
}

static const char *label_end(void)
{
    kb_buf_add(&labels_buf, "", 1);
    return labels_buf.failed ? "" : (const char *)labels_buf.data;
}

static const char *label1(const char *name, const char *value)
{
    label_begin();
    kb_label_add(&labels_buf, name, value);
    return label_end();
}

static const char *label2(const char *a, const char *av, const char *b,
                          const char *bv)
{
    label_begin();
    kb_label_add(&labels_buf, a, av);
    kb_label_add(&labels_buf, b, bv);
    return label_end();
}

static const char *label_partition(const struct kb_series *series)
{
    char number[16];

    (void)snprintf(number, sizeof number, "%d", (int)series->partition);
    label_begin();
    kb_label_add(&labels_buf, "topic", series->topic);
    kb_label_add(&labels_buf, "partition", number);
    kb_label_add(&labels_buf, "backup_id", all.backup_id);
    return label_end();
}

static void head(struct kb_buf *out, const char *name, const char *type,
                 const char *help)
{
    kb_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct kb_buf *out, const char *name, const char *help,
                  const char *labels, double value)
{
    head(out, name, "gauge", help);
    kb_series_line(out, name, labels, value);
}

static void counter(struct kb_buf *out, const char *name, const char *help,
                    const char *labels, uint64_t value)
{
    char total[96];

    head(out, name, "counter", help);
    (void)snprintf(total, sizeof total, "%s_total", name);
    kb_series_line(out, total, labels, (double)value);
}

/* Rates since the last look; then this is the last look. */
static void take_look(int64_t window_ms)
{
    int64_t now = kb_now_ms();
    uint64_t records = progress_of(&all.progress->records);
    int64_t since = all.look.at_ms;
    double seconds;
    size_t i;

    if (!since)
        since = atomic_load(&all.progress->started_ms);
    if (!since || now - since < (window_ms > 0 ? window_ms : 1))
        return;
    seconds = (double)(now - since) / 1000;
    all.look.records_per_sec = (double)(records - all.look.records) / seconds;
    all.look.records = records;
    all.look.at_ms = now;
    for (i = 0; i < all.topics.cap; i++) {
        struct kb_series *s = &all.topics.items[i];

        s->records_per_sec = (double)(s->records - s->records_before) / seconds;
        s->bytes_per_sec = (double)(s->bytes - s->bytes_before) / seconds;
        s->records_before = s->records;
        s->bytes_before = s->bytes;
    }
}

enum lag_value { LAG_RECORDS, LAG_BYTES, LAG_SECONDS, LAST_COMMIT };

static double lag_bytes(const struct kb_series *series)
{
    if (!series->records)
        return 0;
    return (double)(uint64_t)((double)series->lag_records *
                              (double)series->bytes / (double)series->records);
}

static double lag_seconds(const struct kb_series *series)
{
    int64_t age = kb_wall_ms() - series->newest_ms;

    if (!series->lag_records || series->newest_ms <= 0 || age < 0)
        return 0;
    return (double)age / 1000;
}

static double value_of(const struct kb_series *series, enum lag_value which)
{
    switch (which) {
    case LAG_RECORDS:
        return (double)series->lag_records;
    case LAG_BYTES:
        return lag_bytes(series);
    case LAG_SECONDS:
        return lag_seconds(series);
    default:
        return series->committed_at;
    }
}

static void partition_gauges(struct kb_buf *out, const char *name,
                             const char *help, enum lag_value which)
{
    int64_t shown = 0;
    size_t i;

    head(out, name, "gauge", help);
    for (i = 0; i < all.partitions.cap; i++) {
        const struct kb_series *s = &all.partitions.items[i];
        if (!s->topic ||
            (which == LAST_COMMIT ? s->committed_at <= 0 : !s->has_lag))
            continue;
        if (all.max_partition_labels && shown++ >= all.max_partition_labels)
            break;
        kb_series_line(out, name, label_partition(s), value_of(s, which));
    }
}

static void write_lags(struct kb_buf *out)
{
    const char *id = all.backup_id;
    double sum = 0;
    double most = 0;
    size_t i;

    partition_gauges(out, "kafka_backup_lag_records",
                     "Records between what is stored and the end.",
                     LAG_RECORDS);
    partition_gauges(out, "kafka_backup_lag_bytes",
                     "The same in bytes, by the size of the records so far.",
                     LAG_BYTES);
    partition_gauges(out, "kafka_backup_lag_seconds",
                     "Age of the newest stored record while there are newer "
                     "ones.",
                     LAG_SECONDS);
    partition_gauges(out, "kafka_backup_last_successful_commit",
                     "When a partition's records became durable last, in "
                     "seconds since 1970.",
                     LAST_COMMIT);
    for (i = 0; i < all.partitions.cap; i++) {
        double lag = (double)all.partitions.items[i].lag_records;

        sum += lag;
        if (lag > most)
            most = lag;
    }
    gauge(out, "kafka_backup_lag_records_max", "The largest of them.",
          label1("backup_id", id), most);
    gauge(out, "kafka_backup_lag_records_sum", "Their sum.",
          label1("backup_id", id), sum);
}

static void write_topics(struct kb_buf *out)
{
    static const char records[] = "kafka_backup_throughput_records_per_sec";
    static const char bytes[] = "kafka_backup_throughput_bytes_per_sec";
    size_t i;

    head(out, records, "gauge", "Records of a topic a second.");
    for (i = 0; i < all.topics.cap; i++)
        if (all.topics.items[i].topic)
            kb_series_line(out, records,
                           label2("backup_id", all.backup_id, "topic",
                                  all.topics.items[i].topic),
                           all.topics.items[i].records_per_sec);
    head(out, bytes, "gauge", "Bytes of its batches a second.");
    for (i = 0; i < all.topics.cap; i++)
        if (all.topics.items[i].topic)
            kb_series_line(out, bytes,
                           label2("backup_id", all.backup_id, "topic",
                                  all.topics.items[i].topic),
                           all.topics.items[i].bytes_per_sec);
}

static void write_backup(struct kb_buf *out)
{
    struct kb_progress *p = all.progress;
    const char *id = all.backup_id;
    uint64_t target = progress_of(&p->offsets_total);
    uint64_t done = progress_of(&p->offsets_done);

    write_lags(out);
    if (all.snapshot) {
        gauge(out, "kafka_backup_snapshot_records_target",
              "Offsets that this run is to cover.", label1("backup_id", id),
              (double)target);
        gauge(out, "kafka_backup_snapshot_records_remaining",
              "Those of them that aren't durable yet.", label1("backup_id", id),
              (double)(target > done ? target - done : 0));
    }
    write_topics(out);
    counter(out, "kafka_backup_records", "Records backed up.",
            label1("backup_id", id), progress_of(&p->records));
    counter(out, "kafka_backup_bytes", "Bytes of their batches.",
            label1("backup_id", id), progress_of(&p->bytes));
    counter(out, "kafka_backup_offset_gaps",
            "Ranges that the source had deleted before they were read.",
            label1("backup_id", id), all.gaps);
    counter(out, "kafka_backup_offsets_skipped", "Offsets in them.",
            label1("backup_id", id), all.skipped);
    gauge(out, "kafka_backup_compression_ratio",
          "Uncompressed by compressed bytes of what the codec compressed.",
          label2("algorithm", all.algorithm, "backup_id", id),
          all.compressed ? (double)all.uncompressed / (double)all.compressed
                         : 0);
    counter(out, "kafka_backup_compressed_bytes",
            "Bytes that came out of the codec.",
            label2("algorithm", all.algorithm, "backup_id", id),
            all.compressed);
    counter(out, "kafka_backup_uncompressed_bytes", "Bytes that went in.",
            label2("algorithm", all.algorithm, "backup_id", id),
            all.uncompressed);
}

static void write_restore(struct kb_buf *out)
{
    struct kb_progress *p = all.progress;
    const char *id = all.restore_id;
    uint64_t target = progress_of(&p->offsets_total);
    uint64_t done = progress_of(&p->offsets_done);
    int64_t started = atomic_load(&p->started_ms);
    double eta = 0;

    if (started && done && target > done)
        eta = (double)(kb_now_ms() - started) / 1000 * (double)(target - done) /
              (double)done;
    gauge(out, "kafka_restore_progress_percent",
          "Offsets restored, of those to be restored.",
          label2("restore_id", id, "backup_id", all.backup_id),
          target ? 100.0 * (double)done / (double)target : 0);
    gauge(out, "kafka_restore_eta_seconds",
          "How long the rest takes at the speed so far.",
          label1("restore_id", id), eta);
    gauge(out, "kafka_restore_throughput_records_per_sec",
          "Records a second, lately.", label1("restore_id", id),
          all.look.records_per_sec);
    counter(out, "kafka_restore_records", "Records restored and acknowledged.",
            label1("restore_id", id), progress_of(&p->records));
    counter(out, "kafka_restore_bytes", "Bytes of their batches.",
            label1("restore_id", id), progress_of(&p->bytes));
}

static void write_store_histogram(struct kb_buf *out, const char *name,
                                  const char *help,
                                  const struct kb_histogram *histograms)
{
    size_t i;

    head(out, name, "histogram", help);
    for (i = 0; i < STORE_OPERATIONS; i++)
        kb_histogram_write(
            out, name,
            label2("backend", all.backend, "operation", operation_words[i]),
            &histograms[i]);
}

static void write_store(struct kb_buf *out)
{
    size_t i;

    write_store_histogram(out, "kafka_backup_storage_write_latency_seconds",
                          "How long writing an object took.", all.writes);
    write_store_histogram(out, "kafka_backup_storage_read_latency_seconds",
                          "How long reading one, or a part of one, took.",
                          all.reads);
    counter(out, "kafka_backup_storage_write_bytes",
            "Bytes written to the store.",
            label2("backend", all.backend, "backup_id", all.backup_id),
            all.write_bytes);
    counter(out, "kafka_backup_storage_read_bytes",
            "Bytes read from the store.",
            label2("backend", all.backend, "backup_id", all.backup_id),
            all.read_bytes);
    head(out, "kafka_backup_storage_errors", "counter", "Errors of the store.");
    for (i = 0; i < ERROR_TYPES; i++)
        kb_series_line(
            out, "kafka_backup_storage_errors_total",
            label2("backend", all.backend, "error_type", error_words[i]),
            (double)all.store_errors[i]);
}

static void write_common(struct kb_buf *out)
{
    const char *duration = all.job == KB_JOB_BACKUP
                               ? "kafka_backup_duration_seconds"
                               : "kafka_restore_duration_seconds";
    size_t i;

    head(out, duration, "histogram", "How long whole runs took.");
    for (i = 0; i < 2; i++)
        kb_histogram_write(out, duration,
                           label2("backup_id", all.backup_id, "status",
                                  i ? "failure" : "success"),
                           &all.durations[i]);
    head(out, "kafka_backup_errors", "counter",
         "Errors that were met, also those that were overcome.");
    for (i = 0; i < ERROR_TYPES; i++)
        kb_series_line(
            out, "kafka_backup_errors_total",
            label2("backup_id", all.backup_id, "error_type", error_words[i]),
            (double)all.errors[i]);
    head(out, "kafka_backup_retries", "counter", "What was tried again.");
    for (i = 0; i < RETRY_OPERATIONS; i++)
        if (*all.retries[i].operation)
            kb_series_line(out, "kafka_backup_retries_total",
                           label2("backup_id", all.backup_id, "operation",
                                  all.retries[i].operation),
                           (double)all.retries[i].count);
    counter(out, "kafka_backup_consumer_rebalance",
            "Partitions that moved to another broker.",
            label1("backup_id", all.backup_id), all.rebalances);
    head(out, "kafka_backup_reauthentications", "counter",
         "Connections authenticated again while open (KIP-368).");
    for (i = 0; i < 2; i++)
        kb_series_line(out, "kafka_backup_reauthentications_total",
                       label2("backup_id", all.backup_id, "status",
                              i ? "success" : "failure"),
                       (double)all.reauthentications[i]);
}

void kb_metrics_write(struct kb_buf *out, int64_t window_ms)
{
    if (begin()) {
        take_look(window_ms);
        if (all.job == KB_JOB_BACKUP)
            write_backup(out);
        else
            write_restore(out);
        write_store(out);
        write_common(out);
        kb_buf_release(&labels_buf);
        end();
    }
    kb_buf_add_str(out, "# EOF\n");
}

static void add_age(struct kb_buf *out, const char *name, int64_t age_ms)
{
    if (age_ms < 0)
        kb_buf_printf(out, ",\"%s\":null", name);
    else
        kb_buf_printf(out, ",\"%s\":%.3f", name, (double)age_ms / 1000);
}

bool kb_metrics_health(struct kb_buf *out)
{
    static const char *const phases[] = {"starting", "running", "tailing",
                                         "finishing", "done"};
    struct kb_progress *p;
    int64_t activity;
    int64_t commit;
    bool store_ok;
    bool brokers_ok;
    bool busy;
    bool stalled;
    int phase;

    if (!begin()) {
        kb_buf_add_str(out, "{\"status\":\"unhealthy\",\"phase\":\"none\"}\n");
        return false;
    }
    p = all.progress;
    phase = atomic_load(&p->phase);
    store_ok = atomic_load(&p->store_ok) != 0;
    brokers_ok = atomic_load(&p->brokers_ok) != 0;
    activity = atomic_load(&p->last_activity_ms);
    if (!activity)
        activity = atomic_load(&p->started_ms);
    commit = atomic_load(&p->last_commit_ms);
    /* Waiting for new records is no stall; waiting with some is. */
    busy = phase == KB_PHASE_RUNNING || phase == KB_PHASE_FINISHING ||
           (phase == KB_PHASE_TAILING && progress_of(&p->lag_records));
    stalled = busy && activity && kb_now_ms() - activity > STALLED_MS;
    kb_buf_printf(out,
                  "{\"status\":\"%s\",\"phase\":\"%s\",\"storage\":\"%s\","
                  "\"brokers\":\"%s\",\"stalled\":%s",
                  store_ok && brokers_ok && !stalled ? "healthy" : "unhealthy",
                  phase >= 0 && phase <= KB_PHASE_DONE ? phases[phase] : "?",
                  store_ok ? "ok" : "failing",
                  brokers_ok ? "ok" : "unreachable",
                  stalled ? "true" : "false");
    add_age(out, "last_commit_age_seconds",
            commit ? kb_wall_ms() - commit : -1);
    add_age(out, "last_activity_age_seconds",
            activity ? kb_now_ms() - activity : -1);
    kb_buf_printf(out, ",\"records\":%llu,\"lag_records\":%llu}\n",
                  (unsigned long long)progress_of(&p->records),
                  (unsigned long long)progress_of(&p->lag_records));
    end();
    return store_ok && brokers_ok && !stalled;
}

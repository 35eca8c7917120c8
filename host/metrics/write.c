/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - show what was counted: OpenMetrics text, and health. */
#include <string.h>

#include "base/clock.h"
#include "metrics/internal.h"

#define STALLED_MS 120000

static const char *const error_words[KB_ERROR_TYPES] = {"broker_connection",
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
static const char *const operation_words[KB_STORE_OPERATIONS] = {
    "segment", "manifest", "checkpoint", "other"};

static struct kb_metrics_state *const all = &kb_metrics_all;

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
    kb_label_add(&labels_buf, "backup_id", all->backup_id);
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
    uint64_t records = progress_of(&all->progress->records);
    int64_t since = all->look.at_ms;
    double seconds;
    size_t i;

    if (!since)
        since = atomic_load(&all->progress->started_ms);
    if (!since || now - since < (window_ms > 0 ? window_ms : 1))
        return;
    seconds = (double)(now - since) / 1000;
    all->look.records_per_sec = (double)(records - all->look.records) / seconds;
    all->look.records = records;
    all->look.at_ms = now;
    for (i = 0; i < all->topics.cap; i++) {
        struct kb_series *s = &all->topics.items[i];

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
    for (i = 0; i < all->partitions.cap; i++) {
        const struct kb_series *s = &all->partitions.items[i];
        if (!s->topic ||
            (which == LAST_COMMIT ? s->committed_at <= 0 : !s->has_lag))
            continue;
        if (all->max_partition_labels && shown++ >= all->max_partition_labels)
            break;
        kb_series_line(out, name, label_partition(s), value_of(s, which));
    }
}

static void write_lags(struct kb_buf *out)
{
    const char *id = all->backup_id;
    double sum = 0;
    double most = 0;
    size_t i;

    partition_gauges(out, "kafka_backup_lag_records",
                     "Records between what is stored and the end.",
                     LAG_RECORDS);
    partition_gauges(out, "kafka_backup_lag_bytes",
                     "The same in bytes: an estimate, by the mean size of the "
                     "records so far.",
                     LAG_BYTES);
    partition_gauges(out, "kafka_backup_lag_seconds",
                     "Age of the newest stored record while there are newer "
                     "ones.",
                     LAG_SECONDS);
    partition_gauges(out, "kafka_backup_last_successful_commit",
                     "When a partition's records became durable last, in "
                     "seconds since 1970.",
                     LAST_COMMIT);
    for (i = 0; i < all->partitions.cap; i++) {
        double lag = (double)all->partitions.items[i].lag_records;

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
    for (i = 0; i < all->topics.cap; i++)
        if (all->topics.items[i].topic)
            kb_series_line(out, records,
                           label2("backup_id", all->backup_id, "topic",
                                  all->topics.items[i].topic),
                           all->topics.items[i].records_per_sec);
    head(out, bytes, "gauge", "Bytes of its batches a second.");
    for (i = 0; i < all->topics.cap; i++)
        if (all->topics.items[i].topic)
            kb_series_line(out, bytes,
                           label2("backup_id", all->backup_id, "topic",
                                  all->topics.items[i].topic),
                           all->topics.items[i].bytes_per_sec);
}

static void write_backup(struct kb_buf *out)
{
    struct kb_progress *p = all->progress;
    const char *id = all->backup_id;
    uint64_t target = progress_of(&p->offsets_total);
    uint64_t done = progress_of(&p->offsets_done);

    write_lags(out);
    if (all->snapshot) {
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
            label1("backup_id", id), all->gaps);
    counter(out, "kafka_backup_offsets_skipped", "Offsets in them.",
            label1("backup_id", id), all->skipped);
    gauge(out, "kafka_backup_compression_ratio",
          "Uncompressed by compressed bytes of what the codec compressed.",
          label2("algorithm", all->algorithm, "backup_id", id),
          all->compressed ? (double)all->uncompressed / (double)all->compressed
                          : 0);
    counter(out, "kafka_backup_compressed_bytes",
            "Bytes that came out of the codec.",
            label2("algorithm", all->algorithm, "backup_id", id),
            all->compressed);
    counter(out, "kafka_backup_uncompressed_bytes", "Bytes that went in.",
            label2("algorithm", all->algorithm, "backup_id", id),
            all->uncompressed);
}

static void write_restore(struct kb_buf *out)
{
    struct kb_progress *p = all->progress;
    const char *id = all->restore_id;
    uint64_t target = progress_of(&p->offsets_total);
    uint64_t done = progress_of(&p->offsets_done);
    int64_t started = atomic_load(&p->started_ms);
    double eta = 0;

    if (started && done && target > done)
        eta = (double)(kb_now_ms() - started) / 1000 * (double)(target - done) /
              (double)done;
    gauge(out, "kafka_restore_progress_percent",
          "Offsets restored, of those to be restored.",
          label2("restore_id", id, "backup_id", all->backup_id),
          target ? 100.0 * (double)done / (double)target : 0);
    gauge(out, "kafka_restore_eta_seconds",
          "How long the rest takes at the speed so far.",
          label1("restore_id", id), eta);
    gauge(out, "kafka_restore_throughput_records_per_sec",
          "Records a second, lately.", label1("restore_id", id),
          all->look.records_per_sec);
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
    for (i = 0; i < KB_STORE_OPERATIONS; i++)
        kb_histogram_write(
            out, name,
            label2("backend", all->backend, "operation", operation_words[i]),
            &histograms[i]);
}

static void write_store(struct kb_buf *out)
{
    size_t i;

    write_store_histogram(out, "kafka_backup_storage_write_latency_seconds",
                          "How long writing an object took.", all->writes);
    write_store_histogram(out, "kafka_backup_storage_read_latency_seconds",
                          "How long reading one, or a part of one, took.",
                          all->reads);
    counter(out, "kafka_backup_storage_write_bytes",
            "Bytes written to the store.",
            label2("backend", all->backend, "backup_id", all->backup_id),
            all->write_bytes);
    counter(out, "kafka_backup_storage_read_bytes",
            "Bytes read from the store.",
            label2("backend", all->backend, "backup_id", all->backup_id),
            all->read_bytes);
    head(out, "kafka_backup_storage_errors", "counter", "Errors of the store.");
    for (i = 0; i < KB_ERROR_TYPES; i++)
        kb_series_line(
            out, "kafka_backup_storage_errors_total",
            label2("backend", all->backend, "error_type", error_words[i]),
            (double)all->store_errors[i]);
}

static void write_common(struct kb_buf *out)
{
    const char *duration = all->job == KB_JOB_BACKUP
                               ? "kafka_backup_duration_seconds"
                               : "kafka_restore_duration_seconds";
    size_t i;

    head(out, duration, "histogram", "How long whole runs took.");
    for (i = 0; i < 2; i++)
        kb_histogram_write(out, duration,
                           label2("backup_id", all->backup_id, "status",
                                  i ? "failure" : "success"),
                           &all->durations[i]);
    head(out, "kafka_backup_errors", "counter",
         "Errors that were met, also those that were overcome.");
    for (i = 0; i < KB_ERROR_TYPES; i++)
        kb_series_line(
            out, "kafka_backup_errors_total",
            label2("backup_id", all->backup_id, "error_type", error_words[i]),
            (double)all->errors[i]);
    head(out, "kafka_backup_retries", "counter", "What was tried again.");
    for (i = 0; i < KB_RETRY_OPERATIONS; i++)
        if (*all->retries[i].operation)
            kb_series_line(out, "kafka_backup_retries_total",
                           label2("backup_id", all->backup_id, "operation",
                                  all->retries[i].operation),
                           (double)all->retries[i].count);
    counter(out, "kafka_backup_consumer_rebalance",
            "Partitions that moved to another broker.",
            label1("backup_id", all->backup_id), all->rebalances);
    head(out, "kafka_backup_reauthentications", "counter",
         "Connections authenticated again while open (KIP-368).");
    for (i = 0; i < 2; i++)
        kb_series_line(out, "kafka_backup_reauthentications_total",
                       label2("backup_id", all->backup_id, "status",
                              i ? "success" : "failure"),
                       (double)all->reauthentications[i]);
}

void kb_metrics_write(struct kb_buf *out, int64_t window_ms)
{
    if (kb_metrics_lock()) {
        take_look(window_ms);
        if (all->job == KB_JOB_BACKUP)
            write_backup(out);
        else
            write_restore(out);
        write_store(out);
        write_common(out);
        kb_buf_release(&labels_buf);
        kb_metrics_unlock();
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
    bool healthy;
    bool busy;
    bool stalled;
    unsigned long long failing;
    int phase;

    if (!kb_metrics_lock()) {
        kb_buf_add_str(out, "{\"status\":\"unhealthy\",\"phase\":\"none\"}\n");
        return false;
    }
    p = all->progress;
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
    stalled = busy && activity && kb_now_ms() - activity > STALLED_MS &&
              kb_left_ms(atomic_load(&p->throttled_until_ms)) == 0;
    failing = progress_of(&p->partitions_failing);
    healthy = store_ok && brokers_ok && !stalled && !failing;
    kb_buf_printf(out,
                  "{\"status\":\"%s\",\"phase\":\"%s\",\"storage\":\"%s\","
                  "\"brokers\":\"%s\",\"stalled\":%s,"
                  "\"partitions_failing\":%llu",
                  healthy ? "healthy" : "unhealthy",
                  phase >= 0 && phase <= KB_PHASE_DONE ? phases[phase] : "?",
                  store_ok ? "ok" : "failing",
                  brokers_ok ? "ok" : "unreachable", stalled ? "true" : "false",
                  failing);
    add_age(out, "last_commit_age_seconds",
            commit ? kb_wall_ms() - commit : -1);
    add_age(out, "last_activity_age_seconds",
            activity ? kb_now_ms() - activity : -1);
    kb_buf_printf(out, ",\"records\":%llu,\"lag_records\":%llu}\n",
                  (unsigned long long)progress_of(&p->records),
                  (unsigned long long)progress_of(&p->lag_records));
    kb_metrics_unlock();
    return healthy;
}

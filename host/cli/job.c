/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - progress and metrics around a job. */
#include "cli/job.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/progress_line.h"
#include "metrics/server.h"
#include "plugin/store_watch.h"

static enum kb_store_operation operation_of(const char *key)
{
    if (strstr(key, "/segments/"))
        return KB_STORE_SEGMENT;
    if (strstr(key, "/manifest"))
        return KB_STORE_MANIFEST;
    return strstr(key, "/restores/") ? KB_STORE_CHECKPOINT : KB_STORE_OTHER;
}

static void on_wrote(const char *key, uint64_t bytes, int64_t ns)
{
    atomic_store(&kb_progress_main()->store_ok, 1);
    kb_metrics_store_write(operation_of(key), bytes, ns);
}

static void on_got(const char *key, uint64_t bytes, int64_t ns)
{
    atomic_store(&kb_progress_main()->store_ok, 1);
    kb_metrics_store_read(operation_of(key), bytes, ns);
}

static void on_failed(int status, bool again)
{
    atomic_store(&kb_progress_main()->store_ok, 0);
    kb_metrics_store_error(kb_error_type_of(status, true));
    if (again)
        kb_metrics_retry("storage");
}

static const struct kb_store_watch store_watch = {
    .wrote = on_wrote, .got = on_got, .failed = on_failed};

static int serve(struct kb_job_watch *watch, const struct kb_config *config,
                 enum kb_job job, struct kbp_error *err)
{
    const struct kb_metrics_settings *m = &config->metrics;
    bool is_backup = job == KB_JOB_BACKUP;
    struct kb_metrics_labels labels = {
        .job = job,
        .backup_id = config->backup_id,
        .restore_id = *config->restore.restore_id ? config->restore.restore_id
                                                  : config->backup_id,
        .backend = config->storage.backend,
        .algorithm = is_backup ? config->backup.compression : "",
        .max_partition_labels = m->max_partition_labels,
        .snapshot = is_backup && !config->backup.continuous};
    int status = kb_metrics_start(&labels, watch->progress, err);

    if (status)
        return status;
    status = kb_metrics_server_start(&watch->server, m->bind_address, m->port,
                                     m->path, m->update_interval_ms, err);
    if (status)
        return status;
    kb_info("metrics: http://%s%s%s:%u/metrics",
            strchr(m->bind_address, ':') ? "[" : "", m->bind_address,
            strchr(m->bind_address, ':') ? "]" : "",
            (unsigned)kb_metrics_server_port(watch->server));
    return KBP_OK;
}

int kb_job_begin(struct kb_job_watch *watch, struct kb_program *program,
                 enum kb_job job, struct kbp_error *err)
{
    const struct kb_args *args = &program->args;
    const char *log_format = kb_args_value(args, "log-format");
    int status = KBP_OK;

    memset(watch, 0, sizeof *watch);
    watch->progress = kb_progress_main();
    watch->began_ms = kb_now_ms();
    kb_store_watch(&store_watch);
    if (program->config.metrics.enabled)
        status = serve(watch, &program->config, job, err);
    if (!status && isatty(STDERR_FILENO) && !kb_args_times(args, "quiet") &&
        !kb_args_times(args, "no-progress") &&
        !(log_format && strcmp(log_format, "json") == 0))
        status = kb_progress_line_start(
            job == KB_JOB_BACKUP ? "backup" : "restore", watch->progress, err);
    if (status)
        kb_job_end(watch, program, KBP_OK, false);
    return status;
}

void kb_job_end(struct kb_job_watch *watch, struct kb_program *program,
                int status, bool success)
{
    int64_t keep_ms = program->config.metrics.keep_alive_ms;

    atomic_store(&watch->progress->phase, KB_PHASE_DONE);
    kb_progress_line_stop();
    if (status && status != KBP_ERR_CANCELLED)
        kb_metrics_error(kb_error_type_of(status, false));
    kb_metrics_finished(success,
                        (double)(kb_now_ms() - watch->began_ms) / 1000);
    if (watch->server && keep_ms > 0 && !kb_stop_requested(&program->stop)) {
        kb_info("serving metrics for another %lld s",
                (long long)(keep_ms / 1000));
        (void)kb_stop_sleep(&program->stop, keep_ms);
    }
    kb_metrics_server_stop(watch->server);
    watch->server = NULL;
    kb_metrics_stop();
}

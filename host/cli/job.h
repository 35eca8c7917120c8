/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - what stands around a backup or a restore: progress and metrics. */
#ifndef KB_CLI_JOB_H
#define KB_CLI_JOB_H

#include "cli/program.h"
#include "metrics/metrics.h"

struct kb_metrics_server;

struct kb_job_watch {
    struct kb_progress *progress;
    struct kb_metrics_server *server;
    int64_t began_ms;
};

/*
 * Serve metrics if the configuration asks for it, and draw progress if there
 * is somebody to see it.
 */
int kb_job_begin(struct kb_job_watch *watch, struct kb_program *program,
                 enum kb_job job, struct kbp_error *err);

/*
 * The job is over, with this status: stop drawing; serve on as long as
 * configured.
 */
void kb_job_end(struct kb_job_watch *watch, struct kb_program *program,
                int status, bool success);

#endif

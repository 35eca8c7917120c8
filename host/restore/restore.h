/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.h - STORE -> TOPIC: the whole way, as the program calls it.
 *
 * plan -> load -> decode -> select -> produce -> map; engine.c joins them.
 */
#ifndef KB_RESTORE_RESTORE_H
#define KB_RESTORE_RESTORE_H

#include <jansson.h>

#include "base/err.h"
#include "base/stop.h"

struct kb_config;   /* config/config.h */
struct kb_progress; /* metrics/progress.h */
struct kb_registry; /* plugin/registry.h */

enum kb_restore_outcome {
    KB_RESTORE_COMPLETE,    /* all that was asked for is there, and proven */
    KB_RESTORE_INCOMPLETE,  /* some partitions or groups couldn't be restored,
                               see errors; another run goes on */
    KB_RESTORE_INTERRUPTED, /* stopped cleanly; another run goes on */
    KB_RESTORE_INVALID      /* dry run: a restore would be refused */
};

struct kb_restore_report {
    enum kb_restore_outcome outcome;
    uint64_t records; /* by this run */
    uint64_t bytes;   /* of batches, by this run */
    uint64_t aborted; /* records of aborted transactions, left out by it */
    int64_t duration_ms;
    /* Sentences for people; in `json`, too. Those that end a line of work: */
    char **errors;
    size_t error_count;
    /* And those that a person should have read: */
    char **warnings;
    size_t warning_count;
    /* All facts: the reference's RestoreReport, or its DryRunReport for a dry
       run, and ours beside (docs/CLI.md). */
    json_t *json;
};

/*
 * Restore as the config says; with `restore.dry_run` only look whether it
 * could be done, and write nothing anywhere.  `progress` may be NULL; `stop`
 * ends it cleanly.  KBP_OK when there is a report, whatever its outcome; an
 * error when it couldn't begin or lost its store.  The report is filled in
 * as far as it goes even then; kb_restore_report_release() in any case.
 * [one thread]
 */
int kb_restore_run(const struct kb_config *config, struct kb_registry *registry,
                   struct kb_progress *progress, struct kb_stop *stop,
                   struct kb_restore_report *report, struct kbp_error *err);

void kb_restore_report_release(struct kb_restore_report *report);

#endif

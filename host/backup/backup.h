/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup.h - a backup run: topics of a cluster into a store.
 *
 *     plan -> fetch -> collect -> encode -> store -> commit
 *
 * each in a file of its own; engine.c puts them together.
 */
#ifndef KB_BACKUP_BACKUP_H
#define KB_BACKUP_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/range.h"
#include "base/stop.h"
#include "base/uuid.h"

struct kb_config;   /* config/config.h */
struct kb_progress; /* metrics/progress.h */
struct kb_registry; /* plugin/registry.h */

/* How a partition, and how the whole run ended. Worse ones have more. */
enum kb_backup_outcome {
    KB_BACKUP_COMPLETE,    /* all up to the end is stored or explained */
    KB_BACKUP_INTERRUPTED, /* stopped before; the next run goes on from there */
    KB_BACKUP_INCOMPLETE,  /* a part couldn't be had; `reason` says why */
    KB_BACKUP_FAILED       /* nothing more of it can be had; `reason` */
};

/* "complete", "interrupted", "incomplete", "failed". */
const char *kb_backup_outcome_text(enum kb_backup_outcome outcome);

struct kb_backup_partition {
    char *topic;
    struct kb_uuid topic_id;
    uint32_t generation; /* of the topic in the archive, from 1 */
    int32_t partition;
    int64_t start;    /* where this run began */
    int64_t end;      /* where it was to end; -1: continuous */
    int64_t position; /* all below is durable in the archive, or explained */
    uint64_t stored;  /* records */
    uint64_t missing; /* offsets inside stored batches without a record */
    uint64_t absent[KB_RANGE_KINDS]; /* offsets that aren't stored, by cause */
    uint64_t bytes;                  /* of stored batches */
    enum kb_backup_outcome outcome;
    char *reason; /* unless it is complete; or NULL */
};

struct kb_backup_report {
    enum kb_backup_outcome outcome; /* the worst of all partitions */
    char *run;                      /* this run's id in the archive, or NULL */
    char *reason;       /* of an outcome that is of no partition; or NULL */
    int64_t started_ms; /* since the epoch */
    int64_t ended_ms;
    uint64_t records;      /* stored */
    uint64_t bytes;        /* of batches, as they came */
    uint64_t stored_bytes; /* of segments, as they are in the store */
    uint64_t segments;
    uint64_t commits;
    uint64_t groups;      /* consumer groups captured */
    uint64_t peak_memory; /* the most that was taken of the budget, bytes */
    size_t topic_count;   /* selected */
    size_t partition_count;
    struct kb_backup_partition *partitions; /* by topic, then number */
    char **warnings; /* what else the user should know; one line each */
    size_t warning_count;
};

/*
 * Run the backup which the config asks for, to its end or, in continuous mode,
 * until `stop`.
 *
 * KBP_OK: the report tells how it went; only KB_BACKUP_COMPLETE is a success,
 * and it is proven: stored + missing + absent add up to end - start for each
 * partition.  Otherwise what kept it from running at all (config, connection,
 * store, lease), or what ended it, and the report tells how far it came.
 * `*report` is filled in always; kb_backup_report_release() it.  A request to
 * stop is no error: what was fetched is stored, then it returns.  `progress`
 * may be NULL.
 *
 * [main thread; starts its own]
 */
int kb_backup_run(const struct kb_config *config, struct kb_registry *registry,
                  struct kb_progress *progress, struct kb_stop *stop,
                  struct kb_backup_report *report, struct kbp_error *err);

/* Takes zero values. */
void kb_backup_report_release(struct kb_backup_report *report);

#endif

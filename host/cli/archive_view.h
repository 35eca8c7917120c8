/* SPDX-License-Identifier: Apache-2.0 */
/* archive_view.h - a backup's manifest, opened to be looked at, and as JSON. */
#ifndef KB_CLI_ARCHIVE_VIEW_H
#define KB_CLI_ARCHIVE_VIEW_H

#include <jansson.h>

#include "archive/manifest.h"
#include "cli/program.h"

struct kb_archive_view {
    struct kb_store *store;
    struct kb_store_session *session;
    const char *backup_id;
    struct kb_manifest *manifest; /* NULL: there is none (KBP_ERR_NOT_FOUND) */
};

/* The store that the arguments name, and a session. */
int kb_view_open_store(struct kb_archive_view *view, struct kb_program *program,
                       struct kbp_error *err);

/* The same with the manifest of the backup that they name. */
int kb_view_open(struct kb_archive_view *view, struct kb_program *program,
                 struct kbp_error *err);

/* Takes zero values. */
void kb_view_close(struct kb_archive_view *view);

struct kb_archive_totals {
    uint64_t topics; /* generations */
    uint64_t partitions;
    uint64_t segments;
    uint64_t records;
    uint64_t missing;
    uint64_t ranges[KB_RANGE_KINDS]; /* offsets */
    uint64_t aborted; /* transactions with records stored all the same */
    uint64_t open;    /* the same, undecided where the backup ends */
    uint64_t raw_bytes;
    uint64_t stored_bytes;
    bool has_times;
    int64_t earliest; /* timestamps; only if has_times */
    int64_t latest;
};

void kb_archive_totals(const struct kb_manifest *manifest,
                       struct kb_archive_totals *totals);

/* All that the manifest says; see docs/CLI.md. */
json_t *kb_archive_json(const struct kb_manifest *manifest);

#endif

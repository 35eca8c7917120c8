/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what a restore did, as JSON; and the file of its offsets. */
#ifndef KB_RESTORE_REPORT_H
#define KB_RESTORE_REPORT_H

#include "offsets/offset_map.h"
#include "restore/topics.h"

/* The map of each of the state's sources. */
struct kb_source_maps {
    struct kb_offset_map *items;
    size_t count;
};

/* Read the checkpoint's whole map. [main thread] */
int kb_source_maps_load(struct kb_source_maps *maps, struct kb_restore_run *run,
                        struct kbp_error *err);
void kb_source_maps_release(struct kb_source_maps *maps);

/* Fill in report->json with the reference's RestoreReport, and ours. */
int kb_report_restore(struct kb_restore_run *run,
                      const struct kb_source_maps *maps, struct kbp_error *err);

/* The same with its DryRunReport. */
int kb_report_dry_run(struct kb_restore_run *run,
                      const struct kb_topics *topics, struct kbp_error *err);

/*
 * Write `restore.offset_report`: the reference's OffsetMapping, format_version
 * 2 (runs instead of records).  `groups` (may be NULL) is its consumer_groups.
 * All or nothing.
 */
int kb_report_offsets(struct kb_restore_run *run,
                      const struct kb_source_maps *maps, const json_t *groups,
                      struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups.h - commit consumer groups' offsets, translated to the target.
 *
 * Committed c becomes the target offset of the first restored record whose
 * source offset is c or more, else the end of what was restored: a group goes
 * on with the record it would have read next.
 */
#ifndef KB_RESTORE_GROUPS_H
#define KB_RESTORE_GROUPS_H

#include "restore/report.h"

/* Whether the options ask for it. */
bool kb_groups_wanted(const struct kb_restore_settings *restore);

/*
 * Commit the chosen groups' offsets.  What doesn't work goes to the report's
 * errors, what was clamped to its warnings; `*json` is what was committed, as
 * in the reference's offset report (consumer_groups), to be json_decref()ed.
 * [main thread]
 */
int kb_groups_commit(struct kb_restore_run *run,
                     const struct kb_source_maps *maps, json_t **json,
                     struct kbp_error *err);

/*
 * The same before: what would be committed, as sentences, to be
 * json_decref()ed; and what would stand in the way.  [main thread]
 */
int kb_groups_preview(struct kb_restore_run *run, json_t **json,
                      struct kbp_error *err);

#endif

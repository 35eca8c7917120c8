/* SPDX-License-Identifier: Apache-2.0 */
/* entry.h - an entry of the manifest's log on its way; for commit.c. */
#ifndef KB_ARCHIVE_ENTRY_H
#define KB_ARCHIVE_ENTRY_H

#include "archive/commit.h"
#include "archive/manifest_model.h"

struct kb_entry {
    struct kb_manifest *delta;
    size_t hint; /* the generation that was asked for last */
    struct kb_doc doc;
    bool named;      /* doc.entry and doc.written_ms are set: it was tried */
    bool has_end;    /* the run ends with it */
    bool has_reason; /* why: kept in run 0 of the delta */
    enum kb_run_status end;
};

/*
 * Fill in what only the model knows (names of topics, numbers of generations,
 * the run), and refuse what doesn't go on where the model ends.
 */
int kb_entry_resolve(struct kb_entry *entry, const struct kb_manifest *m,
                     const char *run, struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h - is a backup what its manifest says?
 *
 * Without `deep`: the manifest can be read and adds up, every segment is there
 * with its size, every capture of groups can be read.  With it, all bytes are
 * read: every frame's checksum, every batch's CRC-32C, the index against the
 * frames, the manifest against the index, and every offset of every partition
 * is either in a batch or in a range that says why not.
 */
#ifndef KB_VERIFY_VERIFY_H
#define KB_VERIFY_VERIFY_H

#include <jansson.h>
#include <stdio.h>

#include "archive/manifest.h"
#include "base/stop.h"

struct kb_store;    /* plugin/storage.h */
struct kb_registry; /* plugin/registry.h */

/* XX(NAME, word in JSON, whether the backup is not valid) */
#define KB_FINDING_MAP(XX)                                                  \
    XX(MISSING, "missing", true)       /* an object */                      \
    XX(DAMAGED, "damaged", true)       /* an object, a frame, a batch */    \
    XX(MISMATCH, "mismatch", true)     /* two parts say different things */ \
    XX(ACCOUNTING, "accounting", true) /* offsets without a reason */       \
    XX(ORPHAN, "orphan", false)        /* nobody names it; costs space */

enum kb_finding_kind {
#define XX(name, word, bad) KB_FINDING_##name,
    KB_FINDING_MAP(XX)
#undef XX
        KB_FINDING_KINDS
};

const char *kb_finding_word(enum kb_finding_kind kind);
bool kb_finding_is_bad(enum kb_finding_kind kind);

struct kb_finding {
    enum kb_finding_kind kind;
    char *object;      /* its key; NULL: the manifest as a whole */
    int64_t place;     /* of the frame in it, bytes; -1: none */
    char *topic;       /* or NULL */
    uint32_t number;   /* of the topic's generation */
    int32_t partition; /* -1: none */
    int64_t start;     /* offsets concerned, [start, end); -1: none */
    int64_t end;
    char *text; /* what is wrong */
};

struct kb_verify_report {
    char *backup_id;
    bool deep;
    int64_t created_ms; /* the backup */
    uint64_t topics;    /* generations */
    uint64_t partitions;
    uint64_t segments; /* that the manifest names */
    uint64_t segments_valid;
    uint64_t segments_missing;
    uint64_t segments_damaged;
    uint64_t frames; /* read and right; deep only, as are the next three */
    uint64_t batches;
    uint64_t records_read;
    uint64_t bytes_read;
    uint64_t records;                   /* by the manifest */
    uint64_t missing;                   /* inside batches */
    uint64_t in_ranges[KB_RANGE_KINDS]; /* offsets not stored, by reason */
    uint64_t aborted;                   /* transactions with records stored */
    uint64_t open;                      /* the same, undecided at the end */
    uint64_t pending;                   /* offsets wanted and not there yet */
    uint64_t group_captures;
    uint64_t bad;                /* findings that make it invalid */
    struct kb_finding *findings; /* by object, then place */
    size_t finding_count;
    size_t finding_cap;
};

struct kb_verify_options {
    bool deep;
    unsigned workers;     /* threads; 0: as many as processors */
    struct kb_stop *stop; /* or NULL */
    /*
     * Told now and then how much was read of how much, from any thread, one
     * at a time; or NULL.
     */
    void (*progress)(void *data, uint64_t done_bytes, uint64_t all_bytes);
    void *data;
};

/*
 * Verify.  KBP_OK if it could be done, whatever was found: report->bad tells.
 * A manifest that can't be read is a finding, too; KBP_ERR_NOT_FOUND (no such
 * backup), KBP_ERR_UNSUPPORTED (another format), a missing codec plugin, a
 * stop, or a store that doesn't answer are errors.  Release the report in any
 * case.
 */
int kb_verify(struct kb_store *store, struct kb_registry *registry,
              const char *backup_id, const struct kb_verify_options *options,
              struct kb_verify_report *report, struct kbp_error *err);

/* Takes zero values. */
void kb_verify_report_release(struct kb_verify_report *report);

/* All of it; NULL: out of memory. */
json_t *kb_verify_report_json(const struct kb_verify_report *report);

/* For people, ending with "Result: VALID" or "Result: INVALID". */
void kb_verify_report_print(const struct kb_verify_report *report, FILE *out);

#endif

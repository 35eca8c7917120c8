/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest_model.h - how the model grows; for the archive's own files.
 *
 * A document of the manifest - the folded part, or an entry of the log - is a
 * small manifest of its own: one reader, one writer, one way to merge.
 */
#ifndef KB_ARCHIVE_MANIFEST_MODEL_H
#define KB_ARCHIVE_MANIFEST_MODEL_H

#include "archive/manifest.h"
#include "base/buf.h"

struct kb_names {
    struct kb_name *items;
    size_t count;
    size_t cap;
};

void kb_names_release(struct kb_names *names);
int kb_names_add(struct kb_names *names, const struct kb_name *name,
                 struct kbp_error *err);

/*
 * As marks: one name a run and worker, the last of its entries that counts.
 * kb_marks_seq() is 0 where there is none.
 */
uint32_t kb_marks_seq(const struct kb_names *marks, const struct kb_name *name);
int kb_marks_raise(struct kb_names *marks, const struct kb_name *name,
                   struct kbp_error *err);
/* The newest run, or "". */
const char *kb_marks_newest(const struct kb_names *marks);

/* How the model came about. */
struct kb_manifest_log {
    struct kb_names applied;   /* marks: what the model has of the log */
    struct kb_names removable; /* objects to remove after the next fold */
    struct kb_names thinned;   /* captures that the next fold doesn't name */
    char *etag;                /* of manifest.json; NULL: there is none */
    uint64_t folded_bytes;
    uint64_t log_bytes;
    size_t log_count;
};

/* What a document says beside what it merges. */
struct kb_doc {
    bool is_entry;
    struct kb_name entry;
    int64_t written_ms;
    bool begins;            /* the entry begins a run... */
    struct kb_names closed; /* ...and of runs before it only these count */
    struct kb_names folded; /* marks: what manifest.json holds of the log */
};

void kb_doc_release(struct kb_doc *doc);

/* Make room for one more; `*items` moves. */
int kb_grow(void *items_at, size_t count, size_t *cap, size_t item_size,
            struct kbp_error *err);

int kb_manifest_add_segment(struct kb_manifest *m,
                            const struct kb_segment_info *info,
                            struct kbp_error *err);
int kb_manifest_add_generation(struct kb_manifest *m, const char *topic,
                               uint32_t number, const struct kb_uuid *id,
                               struct kb_generation **generation,
                               struct kbp_error *err);
int kb_generation_add_partition(struct kb_generation *g, int32_t partition,
                                struct kb_partition_log **log,
                                struct kbp_error *err);
/* In its place, behind those with the same start. */
int kb_partition_add_extent(struct kb_partition_log *log,
                            const struct kb_extent *extent,
                            struct kbp_error *err);
int kb_partition_add_range(struct kb_partition_log *log,
                           const struct kb_range *range, struct kbp_error *err);
int kb_manifest_add_run(struct kb_manifest *m, const char *name,
                        struct kb_run **run, struct kbp_error *err);
void kb_run_release(struct kb_run *run);
int kb_run_add_reason(struct kb_run *run, const char *topic, int32_t partition,
                      const char *text, struct kbp_error *err);
int kb_manifest_add_capture(struct kb_manifest *m,
                            const struct kb_group_capture *capture,
                            struct kbp_error *err);
/*
 * Forget captures of groups that nobody needs so closely any more; their names
 * are added to `gone`.  Of the newest one's last day all stay, of the 30 days
 * before it the last of each hour, and of all time the last of each day.
 */
int kb_manifest_thin_captures(struct kb_manifest *m, struct kb_names *gone,
                              struct kbp_error *err);
/* Replace *text by a copy, or NULL. */
int kb_set_text(char **text, const char *value, struct kbp_error *err);

/* Add all that `more` has to `m`. */
int kb_manifest_merge(struct kb_manifest *m, const struct kb_manifest *more,
                      struct kbp_error *err);

/* What the document's own checksum follows; it is its last member. */
#define KB_MANIFEST_CRC ",\n\"crc32c\":"

/* As JSON; `out` is empty before. */
int kb_manifest_write(const struct kb_manifest *m, const struct kb_doc *doc,
                      struct kb_buf *out, struct kbp_error *err);

/*
 * From JSON. Everything in it was checked, but for whether extents adjoin.
 * `*doc` is released by the caller in any case.
 */
int kb_manifest_read(const void *bytes, size_t len, const char *backup_id,
                     struct kb_manifest **m, struct kb_doc *doc,
                     struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - the keys of a backup's objects.
 *
 *     ID/manifest.json                       what was folded
 *     ID/manifest/RUN-WORKER-SEQ.json        the manifest's log
 *     ID/segments/RUN-WORKER-SEQ.kbs         record batches
 *     ID/groups/RUN-WORKER-SEQ.json          consumer groups' offsets
 *     ID/lease.json                          who is writing
 *
 * RUN is the time a run began, in UTC ("20261124T204532123Z"); a later run's
 * is always greater, as text too.  WORKER has 3 digits, SEQ 8; each sequence
 * of a run's worker counts from 1 without a gap.
 */
#ifndef KB_ARCHIVE_NAMES_H
#define KB_ARCHIVE_NAMES_H

#include "base/err.h"

#define KB_RUN_TEXT 20  /* with the NUL */
#define KB_NAME_TEXT 40 /* RUN-WORKER-SEQ and the NUL */
#define KB_WORKER_MAX 999u
#define KB_SEQUENCE_MAX 99999999u

struct kb_name {
    char run[KB_RUN_TEXT];
    uint32_t worker;
    uint32_t seq;
};

/* A run's name for this time. Returns out (KB_RUN_TEXT bytes). */
char *kb_run_name(char *out, int64_t wall_ms);

/* A run's time; false if it is no run's name. */
bool kb_run_parse(const char *text, int64_t *wall_ms);

/* "RUN-WORKER-SEQ"; out has KB_NAME_TEXT bytes. Returns out. */
char *kb_name_text(char *out, const struct kb_name *name);
bool kb_name_parse(const char *text, size_t len, struct kb_name *name);
int kb_name_compare(const struct kb_name *a, const struct kb_name *b);

/*
 * Whether `backup_id` can be one: 1 to 200 bytes of UTF-8, no control bytes,
 * '/' or backslash, not "." or "..".  KBP_ERR_CONFIG says why not.
 */
int kb_backup_id_check(const char *backup_id, struct kbp_error *err);

/* Keys, to be free()d; NULL: out of memory. */
char *kb_key_manifest(const char *backup_id);
char *kb_key_log_prefix(const char *backup_id);
char *kb_key_log(const char *backup_id, const struct kb_name *name);
char *kb_key_segment_prefix(const char *backup_id);
char *kb_key_segment(const char *backup_id, const struct kb_name *name);
char *kb_key_groups_prefix(const char *backup_id);
char *kb_key_groups(const char *backup_id, const struct kb_name *name);
char *kb_key_lease(const char *backup_id);

/* The name in a key of this prefix and suffix; false if it is not of them. */
bool kb_key_name(const char *key, const char *prefix, const char *suffix,
                 struct kb_name *name);

#endif

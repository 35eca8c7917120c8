/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups.h - what consumer groups had committed, captured at one moment.
 *
 * An object of its own (kb_key_groups()), which a manifest entry names; see
 * kb_entry_groups().  Offsets are the source's.
 */
#ifndef KB_ARCHIVE_GROUPS_H
#define KB_ARCHIVE_GROUPS_H

#include "archive/names.h"

struct kb_store_session;

struct kb_captured_offset {
    char *topic;
    int32_t partition;
    int64_t offset; /* the next to read; >= 0 */
    char *metadata; /* or NULL */
};

struct kb_captured_group {
    char *name;
    struct kb_captured_offset *offsets; /* by topic, then partition */
    size_t count;
    size_t cap;
};

struct kb_groups {
    int64_t captured_ms;
    struct kb_captured_group *items; /* in the order they were added */
    size_t count;
    size_t cap;
};

/* Takes zero values. */
void kb_groups_release(struct kb_groups *groups);

/* Add a group without offsets; `*group` is good until the next. */
int kb_groups_add(struct kb_groups *groups, const char *name,
                  struct kb_captured_group **group, struct kbp_error *err);

/* The strings are copied; `metadata` may be NULL. */
int kb_captured_group_add(struct kb_captured_group *group, const char *topic,
                          int32_t partition, int64_t offset,
                          const char *metadata, struct kbp_error *err);

/* Store a capture; it isn't there already. */
int kb_groups_write(const struct kb_groups *groups,
                    struct kb_store_session *store, const char *backup_id,
                    const struct kb_name *name, struct kbp_error *err);

/* Read one; KBP_ERR_CORRUPT says what is wrong with it. */
int kb_groups_read(struct kb_groups *groups, struct kb_store_session *store,
                   const char *backup_id, const struct kb_name *name,
                   struct kbp_error *err);

#endif

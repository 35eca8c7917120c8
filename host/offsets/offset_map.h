/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offset_map.h - where a record of the source is in the target.
 *
 * A map of one partition is a list of runs: source offset s + i is at target
 * offset t + i for i < len.  What lies between runs wasn't restored.  Runs that
 * go on where the last one ended are one.
 */
#ifndef KB_OFFSETS_OFFSET_MAP_H
#define KB_OFFSETS_OFFSET_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct kb_offset_run {
    int64_t source;
    int64_t target;
    int64_t len;
    int64_t first_timestamp; /* of the first record; as readers see it */
    int64_t last_timestamp;
};

struct kb_offset_map {
    struct kb_offset_run *runs; /* in order of `source` */
    size_t count;
    size_t cap;
};

void kb_offset_map_release(struct kb_offset_map *map);

/*
 * Add a run behind all that are there.  KBP_ERR_MISUSE if it isn't behind
 * them; KBP_ERR_NOMEM.
 */
int kb_offset_map_add(struct kb_offset_map *map,
                      const struct kb_offset_run *run, struct kbp_error *err);

/*
 * The target offset of the first restored record whose source offset is
 * `source` or more: what to commit for a group that committed `source`.
 * False if there is none: then it is the end of what was restored.
 */
bool kb_offset_map_find(const struct kb_offset_map *map, int64_t source,
                        int64_t *target);

/* Behind the last restored record; `empty` if there is none. */
int64_t kb_offset_map_end(const struct kb_offset_map *map, int64_t empty);

#endif

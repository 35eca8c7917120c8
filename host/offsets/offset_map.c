/* SPDX-License-Identifier: Apache-2.0 */
/* offset_map.c - where a record of the source is in the target. */
#include "offsets/offset_map.h"

#include <inttypes.h>
#include <stdlib.h>

void kb_offset_map_release(struct kb_offset_map *map)
{
    free(map->runs);
    *map = (struct kb_offset_map){0};
}

static bool grow(struct kb_offset_map *map)
{
    size_t cap = map->cap ? map->cap * 2 : 16;
    struct kb_offset_run *runs;

    if (cap > SIZE_MAX / sizeof *runs)
        return false;
    runs = realloc(map->runs, cap * sizeof *runs);
    if (!runs)
        return false;
    map->runs = runs;
    map->cap = cap;
    return true;
}

int kb_offset_map_add(struct kb_offset_map *map,
                      const struct kb_offset_run *run, struct kbp_error *err)
{
    struct kb_offset_run *last = map->count ? &map->runs[map->count - 1] : NULL;

    if (run->len <= 0 || run->source > INT64_MAX - run->len ||
        run->target > INT64_MAX - run->len ||
        (last && run->source < last->source + last->len))
        return kb_fail(err, KBP_ERR_MISUSE,
                       "a run of offsets from %" PRId64
                       " isn't behind those before it",
                       run->source);
    if (last && run->source == last->source + last->len &&
        run->target == last->target + last->len) {
        last->len += run->len;
        last->last_timestamp = run->last_timestamp;
        return KBP_OK;
    }
    if (map->count == map->cap && !grow(map))
        return kb_fail_nomem(err, "a map of offsets");
    map->runs[map->count++] = *run;
    return KBP_OK;
}

bool kb_offset_map_find(const struct kb_offset_map *map, int64_t source,
                        int64_t *target)
{
    size_t low = 0;
    size_t high = map->count;

    /* The first run which ends behind `source`. */
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (map->runs[mid].source + map->runs[mid].len > source)
            high = mid;
        else
            low = mid + 1;
    }
    if (low == map->count)
        return false;
    *target = map->runs[low].target;
    if (source > map->runs[low].source)
        *target += source - map->runs[low].source;
    return true;
}

int64_t kb_offset_map_end(const struct kb_offset_map *map, int64_t empty)
{
    const struct kb_offset_run *last;

    if (!map->count)
        return empty;
    last = &map->runs[map->count - 1];
    return last->target + last->len;
}

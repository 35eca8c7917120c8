/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore_map.c - which source offset became which target offset.
 *
 * Parts are written before the state that counts them.  A crash in between
 * leaves a part which the state doesn't count; it is written anew.
 */
#include "archive/restore_state.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "plugin/storage.h"

#define MAX_PART ((uint64_t)1 << 30)

void kb_map_release(struct kb_map *map)
{
    free(map->runs);
    *map = (struct kb_map){0};
}

static bool joins(const struct kb_map_run *last, const struct kb_map_run *run)
{
    return last->source == run->source &&
           last->source_start + last->len == run->source_start &&
           last->target_start + last->len == run->target_start;
}

int kb_map_add(struct kb_map *map, const struct kb_map_run *run,
               struct kbp_error *err)
{
    struct kb_map_run *last;
    size_t i;

    if (run->len <= 0 || run->source_start < 0 || run->target_start < 0)
        return kb_fail(err, KBP_ERR_MISUSE, "a run of %" PRId64 " offsets",
                       run->len);
    /* Sources take turns: the one to join is among the last few. */
    for (i = 0; i < 16 && i < map->count; i++) {
        last = &map->runs[map->count - 1 - i];
        if (last->source != run->source)
            continue;
        if (!joins(last, run))
            break;
        last->len += run->len;
        last->last_timestamp = run->last_timestamp;
        return KBP_OK;
    }
    if (map->count == map->cap) {
        size_t cap = map->cap > 0 ? map->cap * 2 : 64;
        struct kb_map_run *runs = reallocarray(map->runs, cap, sizeof *runs);

        if (!runs)
            return kb_fail_nomem(err, "the map of offsets");
        map->runs = runs;
        map->cap = cap;
    }
    map->runs[map->count++] = *run;
    return KBP_OK;
}

static char *part_key(const char *prefix, uint32_t part)
{
    return kb_asprintf("%s/map/%08" PRIu32 ".json", prefix, part);
}

int kb_map_flush(struct kb_map *map, struct kb_restore_state *state,
                 struct kb_store_session *store, const char *prefix,
                 struct kbp_error *err)
{
    struct kb_buf out = KB_BUF_INIT;
    char *key;
    size_t i;
    int rc;

    if (map->count == 0)
        return KBP_OK;
    key = part_key(prefix, state->map_parts + 1);
    kb_buf_add_str(&out, "{\"format_version\":2,\n\"runs\":\"");
    for (i = 0; i < map->count; i++) {
        const struct kb_map_run *r = &map->runs[i];

        kb_buf_printf(&out,
                      "%s%" PRIu32 ",%" PRId64 ",%" PRId64 ",%" PRId64
                      ",%" PRId64 ",%" PRId64,
                      i > 0 ? ";" : "", r->source, r->source_start,
                      r->target_start, r->len, r->first_timestamp,
                      r->last_timestamp);
    }
    kb_buf_add_str(&out, "\"}\n");
    if (!key || out.failed)
        rc = kb_fail_nomem(err, "the map of offsets");
    else
        rc = kb_store_put(store, key, out.data, out.len, NULL, NULL, err);
    if (rc == KBP_OK) {
        state->map_parts++;
        map->count = 0;
    } else {
        rc = kb_err_wrap(err, "%s", key ? key : "the map of offsets");
    }
    kb_buf_release(&out);
    free(key);
    return rc;
}

/* The number at *at, and the separator behind it. */
static bool take_i64(const char **at, char separator, int64_t *value)
{
    char text[24];
    size_t len = strcspn(*at, ",;");

    if (len == 0 || len >= sizeof text)
        return false;
    memcpy(text, *at, len);
    text[len] = '\0';
    *at += len;
    if (**at == separator && separator != '\0')
        (*at)++;
    else if (separator == ',' || (**at != separator && **at != '\0'))
        return false;
    return kb_parse_i64(text, value);
}

static bool take_run(const char **at, size_t sources, struct kb_map_run *run)
{
    int64_t source;

    if (!take_i64(at, ',', &source) || source < 0 ||
        (uint64_t)source >= sources || !take_i64(at, ',', &run->source_start) ||
        !take_i64(at, ',', &run->target_start) ||
        !take_i64(at, ',', &run->len) ||
        !take_i64(at, ',', &run->first_timestamp) ||
        !take_i64(at, ';', &run->last_timestamp))
        return false;
    run->source = (uint32_t)source;
    return run->source_start >= 0 && run->target_start >= 0 && run->len > 0;
}

static int each_of_part(const struct kb_restore_state *state,
                        struct kb_store_session *store, const char *key,
                        int (*fn)(void *data, const struct kb_map_run *run,
                                  struct kbp_error *err),
                        void *data, struct kbp_error *err)
{
    struct kb_buf bytes = KB_BUF_INIT;
    const char *at;
    json_t *root;
    int rc = kb_store_get_all(store, key, MAX_PART, &bytes, NULL, err);

    if (rc != KBP_OK) {
        kb_buf_release(&bytes);
        return rc;
    }
    root = json_loadb((const char *)bytes.data, bytes.len, 0, NULL);
    kb_buf_release(&bytes);
    at = json_string_value(json_object_get(root, "runs"));
    if (!at)
        rc = kb_fail(err, KBP_ERR_CORRUPT, "it is no part of a map");
    while (rc == KBP_OK && *at != '\0') {
        struct kb_map_run run;

        rc = take_run(&at, state->source_count, &run)
                 ? fn(data, &run, err)
                 : kb_fail(err, KBP_ERR_CORRUPT, "it can't be read");
    }
    json_decref(root);
    return rc;
}

int kb_map_each(const struct kb_restore_state *state,
                struct kb_store_session *store, const char *prefix,
                int (*fn)(void *data, const struct kb_map_run *run,
                          struct kbp_error *err),
                void *data, struct kbp_error *err)
{
    uint32_t part;

    for (part = 1; part <= state->map_parts; part++) {
        char *key = part_key(prefix, part);
        int rc = key ? each_of_part(state, store, key, fn, data, err)
                     : kb_fail_nomem(err, "a key");

        if (rc != KBP_OK)
            rc = kb_err_wrap(err, "%s", key ? key : "the map of offsets");
        free(key);
        if (rc != KBP_OK)
            return rc;
    }
    return KBP_OK;
}

/* Keys are collected first: a listing allows no other call of its session. */
struct keys {
    char **items;
    size_t count;
    bool failed;
};

static int32_t on_key(void *data, const struct kbp_object *object)
{
    struct keys *keys = data;
    char **items =
        reallocarray(keys->items, keys->count + 1, sizeof *keys->items);

    if (items) {
        keys->items = items;
        items[keys->count] = kb_strdup(object->key);
    }
    if (!items || !items[keys->count]) {
        keys->failed = true;
        return 1;
    }
    keys->count++;
    return 0;
}

int kb_restore_state_remove(struct kb_store_session *store, const char *prefix,
                            struct kbp_error *err)
{
    struct keys keys = {0};
    char *state_key = kb_asprintf("%s/state.json", prefix);
    char *map_prefix = kb_asprintf("%s/map/", prefix);
    size_t i;
    int rc = KBP_OK;

    if (!state_key || !map_prefix)
        rc = kb_fail_nomem(err, "a key");
    /* The state first: without it, parts mean nothing. */
    if (rc == KBP_OK)
        rc = kb_store_remove(store, state_key, err);
    if (rc == KBP_OK)
        rc = kb_store_list(store, map_prefix, NULL, 0, on_key, &keys, err);
    if (rc == KBP_OK && keys.failed)
        rc = kb_fail_nomem(err, "a list of keys");
    for (i = 0; i < keys.count && rc == KBP_OK; i++)
        rc = kb_store_remove(store, keys.items[i], err);
    for (i = 0; i < keys.count; i++)
        free(keys.items[i]);
    free(keys.items);
    free(state_key);
    free(map_prefix);
    return rc;
}

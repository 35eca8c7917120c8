/* SPDX-License-Identifier: Apache-2.0 */
/* restore_state.c - a restore's checkpoint: to the store and back. */
#include "archive/restore_state.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "archive/json_text.h"
#include "base/clock.h"
#include "base/str.h"
#include "plugin/storage.h"

#define MAX_STATE ((uint64_t)256 << 20)

static const char *const phases[] = {"create",  "produce", "verify",
                                     "configs", "groups",  "done"};

void kb_restore_state_init(struct kb_restore_state *state)
{
    *state = (struct kb_restore_state){0};
}

void kb_restore_state_release(struct kb_restore_state *state)
{
    size_t i;

    for (i = 0; i < state->target_count; i++)
        free(state->targets[i].topic);
    for (i = 0; i < state->source_count; i++)
        free(state->sources[i].topic);
    for (i = 0; i < state->config_count; i++) {
        free(state->configs[i].topic);
        free(state->configs[i].name);
        free(state->configs[i].value);
    }
    free(state->targets);
    free(state->sources);
    free(state->configs);
    free(state->backup_id);
    free(state->options_hash);
    free(state->cluster_id);
    free(state->etag);
    kb_restore_state_init(state);
}

/* Room for one more, zeroed. Grows at powers of two. */
static void *add_item(void *items, size_t count, size_t size)
{
    char *moved = items;

    if (count == 0 || (count & (count - 1)) == 0) {
        moved = reallocarray(items, count > 0 ? count * 2 : 1, size);
        if (!moved)
            return NULL;
    }
    memset(moved + count * size, 0, size);
    return moved;
}

struct kb_restore_target *kb_restore_add_target(struct kb_restore_state *state)
{
    struct kb_restore_target *items =
        add_item(state->targets, state->target_count, sizeof *items);

    if (!items)
        return NULL;
    state->targets = items;
    items += state->target_count++;
    items->producer_id = -1;
    items->producer_epoch = -1;
    items->start_offset = -1;
    items->next_offset = -1;
    return items;
}

struct kb_restore_source *kb_restore_add_source(struct kb_restore_state *state)
{
    struct kb_restore_source *items =
        add_item(state->sources, state->source_count, sizeof *items);

    if (!items)
        return NULL;
    state->sources = items;
    return items + state->source_count++;
}

struct kb_restore_config *kb_restore_add_config(struct kb_restore_state *state)
{
    struct kb_restore_config *items =
        add_item(state->configs, state->config_count, sizeof *items);

    if (!items)
        return NULL;
    state->configs = items;
    return items + state->config_count++;
}

/* --- writing ------------------------------------------------------------- */

static void write_target(struct kb_buf *out, const struct kb_restore_target *t)
{
    char id[KB_UUID_TEXT];

    kb_buf_add_str(out, "{\"topic\":");
    kb_json_text(out, t->topic);
    kb_buf_printf(out,
                  ",\"topic_id\":\"%s\",\"partition\":%" PRId32
                  ",\"producer_id\":%" PRId64 ",\"producer_epoch\":%d"
                  ",\"start_offset\":%" PRId64 ",\"next_offset\":%" PRId64
                  ",\"next_sequence\":%" PRId32 ",\"records\":%" PRIu64
                  ",\"verified\":%s}",
                  kb_uuid_text(id, &t->topic_id), t->partition, t->producer_id,
                  t->producer_epoch, t->start_offset, t->next_offset,
                  t->next_sequence, t->records, t->verified ? "true" : "false");
}

static void write_source(struct kb_buf *out, const struct kb_restore_source *s)
{
    char id[KB_UUID_TEXT];

    kb_buf_add_str(out, "{\"topic\":");
    kb_json_text(out, s->topic);
    kb_buf_printf(out,
                  ",\"generation\":\"%s\",\"partition\":%" PRId32
                  ",\"target\":%" PRIu32 ",\"next_offset\":%" PRId64
                  ",\"end_offset\":%" PRId64 "}",
                  kb_uuid_text(id, &s->generation), s->partition, s->target,
                  s->next_offset, s->end_offset);
}

static void write_config(struct kb_buf *out, const struct kb_restore_config *c)
{
    kb_buf_add_str(out, "{\"topic\":");
    kb_json_text(out, c->topic);
    kb_buf_add_str(out, ",\"name\":");
    kb_json_text(out, c->name);
    kb_buf_add_str(out, ",\"value\":");
    kb_json_text(out, c->value);
    kb_buf_printf(out, ",\"put_back\":%s,\"left_off\":%s}",
                  c->put_back ? "true" : "false",
                  c->left_off ? "true" : "false");
}

static void write_state(struct kb_buf *out, const struct kb_restore_state *s)
{
    size_t i;

    kb_buf_add_str(out, "{\"format_version\":2,\n\"backup_id\":");
    kb_json_text(out, s->backup_id);
    kb_buf_add_str(out, ",\n\"options_hash\":");
    kb_json_text(out, s->options_hash);
    kb_buf_add_str(out, ",\n\"cluster_id\":");
    kb_json_text(out, s->cluster_id);
    kb_buf_printf(out,
                  ",\n\"phase\":\"%s\",\n\"began_at\":%" PRId64
                  ",\n\"saved_at\":%" PRId64 ",\n\"map_parts\":%" PRIu32
                  ",\n\"targets\":[",
                  phases[s->phase], s->began_ms, s->saved_ms, s->map_parts);
    for (i = 0; i < s->target_count; i++) {
        kb_buf_add_str(out, i > 0 ? ",\n" : "\n");
        write_target(out, &s->targets[i]);
    }
    kb_buf_add_str(out, "],\n\"sources\":[");
    for (i = 0; i < s->source_count; i++) {
        kb_buf_add_str(out, i > 0 ? ",\n" : "\n");
        write_source(out, &s->sources[i]);
    }
    kb_buf_add_str(out, "],\n\"configs\":[");
    for (i = 0; i < s->config_count; i++) {
        kb_buf_add_str(out, i > 0 ? ",\n" : "\n");
        write_config(out, &s->configs[i]);
    }
    kb_buf_add_str(out, "]}\n");
}

int kb_restore_state_save(struct kb_restore_state *state,
                          struct kb_store_session *store, const char *prefix,
                          struct kbp_error *err)
{
    struct kb_condition cond = {.create = !state->etag};
    struct kb_object_info object;
    struct kb_buf out = KB_BUF_INIT;
    char *key = kb_asprintf("%s/state.json", prefix);
    char *etag;
    int rc;

    state->saved_ms = kb_wall_ms();
    write_state(&out, state);
    if (!key || out.failed) {
        rc = kb_fail_nomem(err, "a restore's checkpoint");
        goto out;
    }
    if (state->etag && state->etag[0] != '\0')
        cond.if_etag = state->etag;
    rc = kb_store_put(store, key, out.data, out.len, &cond, &object, err);
    if (rc == KBP_ERR_UNSUPPORTED) {
        kb_err_clear(err);
        rc = kb_store_put(store, key, out.data, out.len, NULL, &object, err);
    }
    if (rc == KBP_ERR_EXISTS || rc == KBP_ERR_CONFLICT)
        rc = kb_fail(err, KBP_ERR_CONFLICT,
                     "another restore wrote it meanwhile");
    if (rc != KBP_OK) {
        rc = kb_err_wrap(err, "checkpoint %s", key);
        goto out;
    }
    etag = kb_strdup(object.etag);
    if (!etag) {
        rc = kb_fail_nomem(err, "a restore's checkpoint");
        goto out;
    }
    free(state->etag);
    state->etag = etag;
out:
    kb_buf_release(&out);
    free(key);
    return rc;
}

/* --- reading ------------------------------------------------------------- */

static bool get_int(const json_t *object, const char *key, int64_t min,
                    int64_t max, int64_t *value)
{
    const json_t *member = json_object_get(object, key);

    *value = json_integer_value(member);
    return json_is_integer(member) && *value >= min && *value <= max;
}

static bool get_bool(const json_t *object, const char *key, bool *value)
{
    const json_t *member = json_object_get(object, key);

    *value = json_is_true(member);
    return json_is_boolean(member);
}

static bool get_id(const json_t *object, const char *key, struct kb_uuid *id)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && kb_uuid_parse(text, id);
}

/* A copy; NULL stays NULL where that is allowed. */
static bool get_copy(const json_t *object, const char *key, bool maybe_null,
                     char **value)
{
    const json_t *member = json_object_get(object, key);

    if (maybe_null && (!member || json_is_null(member)))
        return true;
    if (!json_is_string(member))
        return false;
    *value = kb_strdup(json_string_value(member));
    return *value != NULL;
}

static bool read_target(const json_t *object, struct kb_restore_target *t)
{
    int64_t partition;
    int64_t epoch;
    int64_t sequence;
    int64_t records;

    if (!get_copy(object, "topic", false, &t->topic) ||
        !get_id(object, "topic_id", &t->topic_id) ||
        !get_int(object, "partition", 0, INT32_MAX, &partition) ||
        !get_int(object, "producer_id", -1, INT64_MAX, &t->producer_id) ||
        !get_int(object, "producer_epoch", -1, INT16_MAX, &epoch) ||
        !get_int(object, "start_offset", -1, INT64_MAX, &t->start_offset) ||
        !get_int(object, "next_offset", -1, INT64_MAX, &t->next_offset) ||
        !get_int(object, "next_sequence", 0, INT32_MAX, &sequence) ||
        !get_int(object, "records", 0, INT64_MAX, &records) ||
        !get_bool(object, "verified", &t->verified))
        return false;
    t->partition = (int32_t)partition;
    t->producer_epoch = (int16_t)epoch;
    t->next_sequence = (int32_t)sequence;
    t->records = (uint64_t)records;
    return true;
}

static bool read_source(const json_t *object, size_t targets,
                        struct kb_restore_source *s)
{
    int64_t partition;
    int64_t target;

    if (!get_copy(object, "topic", false, &s->topic) ||
        !get_id(object, "generation", &s->generation) ||
        !get_int(object, "partition", 0, INT32_MAX, &partition) ||
        !get_int(object, "target", 0, UINT32_MAX, &target) ||
        (uint64_t)target >= targets ||
        !get_int(object, "next_offset", 0, INT64_MAX, &s->next_offset) ||
        !get_int(object, "end_offset", 0, INT64_MAX, &s->end_offset))
        return false;
    s->partition = (int32_t)partition;
    s->target = (uint32_t)target;
    return true;
}

static bool read_config(const json_t *object, struct kb_restore_config *c)
{
    return get_copy(object, "topic", false, &c->topic) &&
           get_copy(object, "name", false, &c->name) &&
           get_copy(object, "value", true, &c->value) &&
           get_bool(object, "put_back", &c->put_back) &&
           get_bool(object, "left_off", &c->left_off);
}

static bool read_lists(const json_t *root, struct kb_restore_state *state)
{
    const json_t *targets = json_object_get(root, "targets");
    const json_t *sources = json_object_get(root, "sources");
    const json_t *configs = json_object_get(root, "configs");
    size_t i;

    if (!json_is_array(targets) || !json_is_array(sources) ||
        !json_is_array(configs))
        return false;
    for (i = 0; i < json_array_size(targets); i++) {
        struct kb_restore_target *t = kb_restore_add_target(state);

        if (!t || !read_target(json_array_get(targets, i), t))
            return false;
    }
    for (i = 0; i < json_array_size(sources); i++) {
        struct kb_restore_source *s = kb_restore_add_source(state);

        if (!s ||
            !read_source(json_array_get(sources, i), state->target_count, s))
            return false;
    }
    for (i = 0; i < json_array_size(configs); i++) {
        struct kb_restore_config *c = kb_restore_add_config(state);

        if (!c || !read_config(json_array_get(configs, i), c))
            return false;
    }
    return true;
}

static bool read_state(const json_t *root, struct kb_restore_state *state)
{
    const char *phase = json_string_value(json_object_get(root, "phase"));
    int64_t parts;
    size_t i;

    for (i = 0; phase && i < sizeof phases / sizeof phases[0]; i++)
        if (strcmp(phases[i], phase) == 0)
            break;
    if (!phase || i == sizeof phases / sizeof phases[0])
        return false;
    state->phase = (enum kb_restore_phase)i;
    if (!get_copy(root, "backup_id", false, &state->backup_id) ||
        !get_copy(root, "options_hash", true, &state->options_hash) ||
        !get_copy(root, "cluster_id", true, &state->cluster_id) ||
        !get_int(root, "began_at", 0, INT64_MAX, &state->began_ms) ||
        !get_int(root, "saved_at", 0, INT64_MAX, &state->saved_ms) ||
        !get_int(root, "map_parts", 0, UINT32_MAX, &parts))
        return false;
    state->map_parts = (uint32_t)parts;
    return read_lists(root, state);
}

static int load(struct kb_restore_state *state, struct kb_store_session *store,
                const char *key, struct kbp_error *err)
{
    struct kb_object_info object;
    struct kb_buf bytes = KB_BUF_INIT;
    struct kb_restore_state read;
    json_error_t where;
    json_int_t version;
    json_t *root;
    int rc = kb_store_get_all(store, key, MAX_STATE, &bytes, &object, err);

    if (rc != KBP_OK) {
        kb_buf_release(&bytes);
        return rc;
    }
    root = json_loadb(bytes.data ? (const char *)bytes.data : "", bytes.len,
                      JSON_REJECT_DUPLICATES, &where);
    kb_buf_release(&bytes);
    if (!root)
        return kb_fail(err, KBP_ERR_CORRUPT, "it is no JSON: line %d: %s",
                       where.line, where.text);
    version = json_integer_value(json_object_get(root, "format_version"));
    kb_restore_state_init(&read);
    if (version > 2)
        rc = kb_fail(err, KBP_ERR_UNSUPPORTED,
                     "it is of format %lld, this version knows 2",
                     (long long)version);
    else if (version != 2 || !read_state(root, &read))
        rc = kb_fail(err, KBP_ERR_CORRUPT, "it is no restore's checkpoint");
    json_decref(root);
    if (rc == KBP_OK) {
        read.etag = kb_strdup(object.etag);
        if (!read.etag)
            rc = kb_fail_nomem(err, "a restore's checkpoint");
    }
    if (rc == KBP_OK)
        *state = read;
    else
        kb_restore_state_release(&read);
    return rc;
}

int kb_restore_state_load(struct kb_restore_state *state,
                          struct kb_store_session *store, const char *prefix,
                          struct kbp_error *err)
{
    char *key = kb_asprintf("%s/state.json", prefix);
    int rc = key ? load(state, store, key, err) : kb_fail_nomem(err, "a key");

    if (rc != KBP_OK)
        rc = kb_err_wrap(err, "checkpoint %s", key ? key : prefix);
    free(key);
    return rc;
}

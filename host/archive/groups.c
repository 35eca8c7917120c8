/* SPDX-License-Identifier: Apache-2.0 */
/* groups.c - consumer groups' offsets as an object. */
#include "archive/groups.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "plugin/storage.h"

/* Some 10,000 groups of 10,000 partitions; more isn't believed. */
#define OBJECT_MAX ((uint64_t)1 << 30)

void kb_groups_release(struct kb_groups *groups)
{
    size_t i;
    size_t j;

    for (i = 0; i < groups->count; i++) {
        struct kb_captured_group *group = &groups->items[i];

        for (j = 0; j < group->count; j++) {
            free(group->offsets[j].topic);
            free(group->offsets[j].metadata);
        }
        free(group->offsets);
        free(group->name);
    }
    free(groups->items);
    *groups = (struct kb_groups){0};
}

int kb_groups_add(struct kb_groups *groups, const char *name,
                  struct kb_captured_group **group, struct kbp_error *err)
{
    struct kb_captured_group *added;

    if (groups->count == groups->cap) {
        size_t cap = groups->cap ? groups->cap * 2 : 16;
        struct kb_captured_group *items =
            realloc(groups->items, cap * sizeof *items);

        if (!items)
            return kb_fail_nomem(err, "consumer groups");
        groups->items = items;
        groups->cap = cap;
    }
    added = &groups->items[groups->count];
    *added = (struct kb_captured_group){.name = kb_strdup(name)};
    if (!added->name)
        return kb_fail_nomem(err, "consumer groups");
    groups->count++;
    *group = added;
    return KBP_OK;
}

static int compare(const void *a, const void *b)
{
    const struct kb_captured_offset *x = a;
    const struct kb_captured_offset *y = b;
    int order = strcmp(x->topic, y->topic);

    if (order != 0)
        return order;
    return (x->partition > y->partition) - (x->partition < y->partition);
}

int kb_captured_group_add(struct kb_captured_group *group, const char *topic,
                          int32_t partition, int64_t offset,
                          const char *metadata, struct kbp_error *err)
{
    struct kb_captured_offset *added;

    if (group->count == group->cap) {
        size_t cap = group->cap ? group->cap * 2 : 16;
        struct kb_captured_offset *offsets =
            realloc(group->offsets, cap * sizeof *offsets);

        if (!offsets)
            return kb_fail_nomem(err, "a consumer group's offsets");
        group->offsets = offsets;
        group->cap = cap;
    }
    added = &group->offsets[group->count];
    *added = (struct kb_captured_offset){
        .topic = kb_strdup(topic),
        .partition = partition,
        .offset = offset,
        .metadata = metadata ? kb_strdup(metadata) : NULL};
    if (!added->topic || (metadata && !added->metadata)) {
        free(added->topic);
        free(added->metadata);
        return kb_fail_nomem(err, "a consumer group's offsets");
    }
    group->count++;
    return KBP_OK;
}

static json_t *group_json(const struct kb_captured_group *group)
{
    json_t *offsets = json_array();
    json_t *metadata;
    size_t i;

    if (group->count > 1)
        qsort(group->offsets, group->count, sizeof *group->offsets, compare);
    for (i = 0; i < group->count; i++) {
        const struct kb_captured_offset *o = &group->offsets[i];

        /* Metadata may be any bytes; JSON takes text. */
        metadata = o->metadata ? json_string(o->metadata) : json_null();
        if (json_array_append_new(
                offsets, json_pack("{s:s, s:i, s:I, s:o}", "topic", o->topic,
                                   "partition", (int)o->partition, "offset",
                                   (json_int_t)o->offset, "metadata",
                                   metadata ? metadata : json_null())) != 0) {
            json_decref(offsets);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o}", "group", group->name, "offsets", offsets);
}

int kb_groups_write(const struct kb_groups *groups,
                    struct kb_store_session *store, const char *backup_id,
                    const struct kb_name *name, struct kbp_error *err)
{
    json_t *items = json_array();
    json_t *root = NULL;
    char *text = NULL;
    char *key = NULL;
    size_t i;
    int rc;

    rc = kb_fail_nomem(err, "consumer groups");
    for (i = 0; i < groups->count; i++)
        if (json_array_append_new(items, group_json(&groups->items[i])) != 0)
            goto out;
    root = json_pack("{s:I, s:O}", "captured_at",
                     (json_int_t)groups->captured_ms, "groups", items);
    if (!root)
        goto out;
    text = json_dumps(root, JSON_INDENT(1));
    key = kb_key_groups(backup_id, name);
    if (!text || !key)
        goto out;
    kb_err_clear(err);
    rc = kb_store_put(store, key, text, strlen(text), NULL, NULL, err);
out:
    free(text);
    free(key);
    json_decref(root);
    json_decref(items);
    return rc == KBP_OK ? KBP_OK : kb_err_wrap(err, "consumer groups");
}

static int read_group(struct kb_groups *groups, json_t *json,
                      struct kbp_error *err)
{
    struct kb_captured_group *group;
    const char *name = NULL;
    json_t *offsets = NULL;
    json_t *item;
    size_t i;
    int rc;

    if (json_unpack(json, "{s:s, s:o}", "group", &name, "offsets", &offsets) !=
            0 ||
        !json_is_array(offsets))
        return kb_fail(err, KBP_ERR_CORRUPT, "a group without name or offsets");
    rc = kb_groups_add(groups, name, &group, err);
    if (rc != KBP_OK)
        return rc;
    json_array_foreach(offsets, i, item)
    {
        const char *topic = NULL;
        const char *metadata = NULL;
        json_int_t partition = -1;
        json_int_t offset = -1;

        if (json_unpack(item, "{s:s, s:I, s:I, s?s}", "topic", &topic,
                        "partition", &partition, "offset", &offset, "metadata",
                        &metadata) != 0 &&
            json_unpack(item, "{s:s, s:I, s:I}", "topic", &topic, "partition",
                        &partition, "offset", &offset) != 0)
            topic = NULL;
        if (!topic || partition < 0 || partition > INT32_MAX || offset < 0)
            return kb_fail(err, KBP_ERR_CORRUPT,
                           "group %s: a wrong offset entry", name);
        rc = kb_captured_group_add(group, topic, (int32_t)partition, offset,
                                   metadata, err);
        if (rc != KBP_OK)
            return rc;
    }
    return KBP_OK;
}

static int parse(struct kb_groups *groups, const struct kb_buf *text,
                 struct kbp_error *err)
{
    json_error_t why;
    json_t *root = json_loadb((const char *)text->data, text->len, 0, &why);
    json_int_t captured = 0;
    json_t *items = NULL;
    json_t *item;
    size_t i;
    int rc = KBP_OK;

    if (!root)
        return kb_fail(err, KBP_ERR_CORRUPT, "line %d: %s", why.line, why.text);
    if (json_unpack(root, "{s:I, s:o}", "captured_at", &captured, "groups",
                    &items) != 0 ||
        !json_is_array(items)) {
        json_decref(root);
        return kb_fail(err, KBP_ERR_CORRUPT, "no groups, or no time");
    }
    groups->captured_ms = captured;
    json_array_foreach(items, i, item)
    {
        rc = read_group(groups, item, err);
        if (rc != KBP_OK)
            break;
    }
    json_decref(root);
    return rc;
}

int kb_groups_read(struct kb_groups *groups, struct kb_store_session *store,
                   const char *backup_id, const struct kb_name *name,
                   struct kbp_error *err)
{
    char *key = kb_key_groups(backup_id, name);
    struct kb_groups read = {0};
    struct kb_buf text = KB_BUF_INIT;
    int rc;

    if (!key)
        return kb_fail_nomem(err, "consumer groups");
    rc = kb_store_get_all(store, key, OBJECT_MAX, &text, NULL, err);
    if (rc == KBP_OK)
        rc = parse(&read, &text, err);
    if (rc == KBP_OK)
        *groups = read;
    else
        kb_groups_release(&read);
    if (rc != KBP_OK)
        rc = kb_err_wrap(err, "%s", key);
    kb_buf_release(&text);
    free(key);
    return rc;
}

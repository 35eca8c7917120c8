/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - walk a YAML document by the tables of keys. */
#include "config/reader.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "config/value.h"

bool kb_notes_grow(struct kb_notes *notes, void **items, size_t count,
                   size_t size)
{
    void *more;

    /* Doubled at powers of two, so that there is no capacity to keep. */
    if (count & (count - 1))
        return true;
    more = reallocarray(*items, count ? count * 2 : 1, size);
    if (!more) {
        kb_note(notes, true, 0, "out of memory");
        return false;
    }
    *items = more;
    return true;
}

void kb_note(struct kb_notes *notes, bool is_error, unsigned line,
             const char *fmt, ...)
{
    struct kb_note note = {is_error, line, NULL};
    struct kb_note *more;
    va_list args;

    if (is_error)
        notes->errors++;
    va_start(args, fmt);
    if (vasprintf(&note.text, fmt, args) < 0)
        note.text = NULL;
    va_end(args);
    more = reallocarray(notes->items, notes->count + 1, sizeof *more);
    if (!note.text || !more) {
        free(note.text);
        if (more)
            notes->items = more;
        return; /* out of memory: what counts is that `errors` did */
    }
    notes->items = more;
    notes->items[notes->count++] = note;
}

__attribute__((format(printf, 4, 0))) static void
note_at(struct kb_reader *reader, const yaml_node_t *node, bool is_error,
        const char *fmt, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, fmt, args) < 0)
        text = NULL;
    kb_note(reader->notes, is_error, kb_node_line(node), "%.*s%s%s",
            (int)reader->path.len, (const char *)reader->path.data,
            reader->path.len ? ": " : "", text ? text : "out of memory");
    free(text);
}

void kb_complain(struct kb_reader *reader, const yaml_node_t *node,
                 const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    note_at(reader, node, true, fmt, args);
    va_end(args);
}

void kb_remark(struct kb_reader *reader, const yaml_node_t *node,
               const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    note_at(reader, node, false, fmt, args);
    va_end(args);
}

unsigned kb_node_line(const yaml_node_t *node)
{
    return node ? (unsigned)node->start_mark.line + 1 : 0;
}

const char *kb_node_raw(const yaml_node_t *node)
{
    if (node->type == YAML_MAPPING_NODE)
        return "a mapping";
    if (node->type == YAML_SEQUENCE_NODE)
        return "a list";
    return (const char *)node->data.scalar.value;
}

bool kb_node_is_null(const yaml_node_t *node)
{
    const char *text;

    if (node->type != YAML_SCALAR_NODE ||
        node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    text = (const char *)node->data.scalar.value;
    return !*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
           strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}

char *kb_node_text(struct kb_reader *reader, const yaml_node_t *node)
{
    struct kbp_error err = KB_ERR_INIT;
    char *text;

    if (node->type != YAML_SCALAR_NODE) {
        kb_complain(reader, node, "expected a single value, found %s",
                    kb_node_raw(node));
        return NULL;
    }
    if (strlen(kb_node_raw(node)) != node->data.scalar.length) {
        kb_complain(reader, node, "a NUL byte in a value");
        return NULL;
    }
    text = kb_expand(kb_node_raw(node), &err);
    if (!text)
        kb_complain(reader, node, "%s", err.message);
    return text;
}

/* Put a key at the end of the path; returns where it was. */
static size_t path_push(struct kb_reader *reader, const char *name)
{
    size_t before = reader->path.len;

    if (before)
        kb_buf_add_str(&reader->path, ".");
    kb_buf_add_str(&reader->path, name);
    return before;
}

struct seen {
    const char *name;
    unsigned line;
};

static int by_name(const void *a, const void *b)
{
    const struct seen *left = a;
    const struct seen *right = b;
    int order = strcmp(left->name, right->name);

    if (order)
        return order;
    return left->line < right->line ? -1 : left->line > right->line;
}

/* Complain about keys that are there twice. */
static void check_twice(struct kb_reader *reader, const yaml_node_t *node)
{
    size_t count =
        (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    struct seen *seen = calloc(count ? count : 1, sizeof *seen);
    size_t used = 0;
    size_t i;

    if (!seen) {
        kb_note(reader->notes, true, 0, "out of memory");
        return;
    }
    for (i = 0; i < count; i++) {
        const yaml_node_t *key = yaml_document_get_node(
            reader->document, node->data.mapping.pairs.start[i].key);

        if (key && key->type == YAML_SCALAR_NODE) {
            seen[used].name = kb_node_raw(key);
            seen[used++].line = kb_node_line(key);
        }
    }
    qsort(seen, used, sizeof *seen, by_name);
    for (i = 1; i < used; i++)
        if (strcmp(seen[i].name, seen[i - 1].name) == 0) {
            size_t before = path_push(reader, seen[i].name);

            kb_note(reader->notes, true, seen[i].line,
                    "%.*s: the key is there twice; first in line %u",
                    (int)reader->path.len, (const char *)reader->path.data,
                    seen[i - 1].line);
            reader->path.len = before;
        }
    free(seen);
}

void kb_each_pair(struct kb_reader *reader, const yaml_node_t *node,
                  void (*each)(struct kb_reader *reader, const yaml_node_t *key,
                               const yaml_node_t *value, void *data),
                  void *data)
{
    yaml_node_pair_t *pair;

    if (node->type != YAML_MAPPING_NODE) {
        kb_complain(reader, node,
                    "expected a mapping (\"key: value\" lines), found %s%s%s",
                    node->type == YAML_SCALAR_NODE ? "\"" : "",
                    kb_node_raw(node),
                    node->type == YAML_SCALAR_NODE ? "\"" : "");
        return;
    }
    check_twice(reader, node);
    for (pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        yaml_node_t *value =
            yaml_document_get_node(reader->document, pair->value);
        size_t before;

        if (!key || !value)
            continue;
        if (key->type != YAML_SCALAR_NODE) {
            kb_complain(reader, key, "a key has to be plain text");
            continue;
        }
        before = path_push(reader, kb_node_raw(key));
        each(reader, key, value, data);
        reader->path.len = before;
    }
}

/* A key the table doesn't know. */
static void unknown_key(struct kb_reader *reader,
                        const struct kb_section *section,
                        const yaml_node_t *node)
{
    const char **names = calloc(section->count, sizeof *names);
    const char *meant = NULL;
    size_t i;

    if (names) {
        for (i = 0; i < section->count; i++)
            names[i] = section->keys[i].name;
        meant = kb_did_you_mean(kb_node_raw(node), names, section->count);
    }
    if (strcmp(kb_node_raw(node), "<<") == 0)
        kb_complain(reader, node,
                    "merge keys aren't supported; write the keys out");
    else if (meant)
        kb_complain(reader, node, "unknown key; did you mean \"%s\"?", meant);
    else
        kb_complain(reader, node, "unknown key");
    free(names);
}

/* Whether a raw setting is rather a typing error in one of our own keys. */
static bool is_near_miss(const struct kb_section *section, const char *name)
{
    size_t i;

    for (i = 0; i < section->count; i++) {
        const char *const known = section->keys[i].name;

        /* Long names that differ in a letter; short ones differ by chance. */
        if (strlen(known) > 5 && kb_did_you_mean(name, &known, 1) &&
            strlen(known) <= strlen(name) + 1 &&
            strlen(name) <= strlen(known) + 1)
            return true;
    }
    return false;
}

struct section_target {
    const struct kb_section *section;
    void *base;
};

static void read_key(struct kb_reader *reader, const yaml_node_t *name,
                     const yaml_node_t *value, void *data)
{
    const struct section_target *target = data;
    const struct kb_section *section = target->section;
    size_t i;

    for (i = 0; i < section->count; i++)
        if (strcmp(section->keys[i].name, kb_node_raw(name)) == 0) {
            kb_read_value(reader, &section->keys[i], name, value, target->base);
            return;
        }
    if (section->raw_prefix &&
        strncmp(kb_node_raw(name), section->raw_prefix,
                strlen(section->raw_prefix)) == 0 &&
        !is_near_miss(section, kb_node_raw(name))) {
        kb_read_setting(
            reader, kb_node_raw(name), value,
            (struct kb_raw_settings *)(void *)((char *)target->base +
                                               section->raw_at));
        return;
    }
    unknown_key(reader, section, name);
}

static bool has_key(struct kb_reader *reader, const yaml_node_t *node,
                    const char *name)
{
    yaml_node_pair_t *pair;

    if (node->type != YAML_MAPPING_NODE)
        return true; /* there is a complaint about that already */
    for (pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key =
            yaml_document_get_node(reader->document, pair->key);
        const yaml_node_t *value =
            yaml_document_get_node(reader->document, pair->value);

        if (key && value && key->type == YAML_SCALAR_NODE &&
            strcmp(kb_node_raw(key), name) == 0)
            return !kb_node_is_null(value);
    }
    return false;
}

void kb_read_section(struct kb_reader *reader, const struct kb_section *section,
                     const yaml_node_t *node, void *base)
{
    struct section_target target = {section, base};
    size_t i;

    kb_each_pair(reader, node, read_key, &target);
    for (i = 0; i < section->count; i++)
        if ((section->keys[i].flags & KB_KEY_REQUIRED) &&
            !has_key(reader, node, section->keys[i].name)) {
            size_t before = path_push(reader, section->keys[i].name);

            kb_complain(reader, node, "is required (%s)",
                        section->keys[i].help);
            reader->path.len = before;
        }
}

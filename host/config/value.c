/* SPDX-License-Identifier: Apache-2.0 */
/* value.c - values of the scalar types, lists and mappings of them. */
#include "config/value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define WHY_MAX 256

static bool is_true(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "True") == 0 ||
           strcmp(text, "TRUE") == 0;
}

static bool is_false(const char *text)
{
    return strcmp(text, "false") == 0 || strcmp(text, "False") == 0 ||
           strcmp(text, "FALSE") == 0;
}

/* Whether `value` is in the key's range; else says what that is. */
static bool in_range(const struct kb_key *key, int64_t value, char *why)
{
    if (key->min == 0 && key->max == 0)
        return true;
    if (value >= key->min && value <= key->max)
        return true;
    if (key->max == INT64_MAX)
        snprintf(why, WHY_MAX, "has to be at least %" PRId64, key->min);
    else
        snprintf(why, WHY_MAX, "has to be from %" PRId64 " to %" PRId64,
                 key->min, key->max);
    return false;
}

/* 2026-11-24T07:05:20Z, or with .939 or +01:00; epoch ms. */
static bool parse_time(const char *text, int64_t *ms)
{
    struct tm parts = {0};
    const char *rest;
    int64_t fraction = 0;
    int64_t zone = 0;
    int digits = 0;

    if (kb_parse_i64(text, ms))
        return true;
    rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest)
        return false;
    if (*rest == '.') {
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, digits++)
            if (digits < 3)
                fraction = fraction * 10 + (*rest - '0');
        if (digits == 0)
            return false;
        for (; digits < 3; digits++)
            fraction *= 10;
    }
    if (*rest == '+' || *rest == '-') {
        int i;

        for (i = 1; i < 6; i++)
            if (i == 3 ? rest[i] != ':' : rest[i] < '0' || rest[i] > '9')
                return false;
        if (rest[6])
            return false;
        zone = ((rest[1] - '0') * 10 + rest[2] - '0') * 60 +
               (rest[4] - '0') * 10 + rest[5] - '0';
        if (*rest == '-')
            zone = -zone;
    } else if (strcmp(rest, "Z") != 0) {
        return false;
    }
    *ms = (int64_t)timegm(&parts) * 1000 + fraction - zone * 60000;
    return true;
}

/* The index of `text` in "a|b|c", or -1. */
static int choice_of(const char *choices, const char *text)
{
    size_t len = strlen(text);
    int index = 0;

    for (;;) {
        size_t word = strcspn(choices, "|");

        if (word == len && memcmp(choices, text, len) == 0)
            return index;
        if (!choices[word])
            return -1;
        choices += word + 1;
        index++;
    }
}

static void why_not_choice(const char *choices, const char *text, char *why)
{
    char *copy = kb_strdup(choices);
    const char *names[16];
    const char *meant = NULL;
    size_t count = 0;
    char *at = copy;

    while (copy && at && count < sizeof names / sizeof names[0])
        names[count++] = strsep(&at, "|");
    if (copy)
        meant = kb_did_you_mean(text, names, count);
    if (meant)
        snprintf(why, WHY_MAX, "has to be one of %s; did you mean \"%s\"?",
                 choices, meant);
    else
        snprintf(why, WHY_MAX, "has to be one of %s", choices);
    free(copy);
}

static bool set_number(const struct kb_key *key, const char *text, void *at,
                       char *why)
{
    int64_t value;

    if (!kb_parse_i64(text, &value)) {
        snprintf(why, WHY_MAX, "has to be a whole number");
        return false;
    }
    if (!in_range(key, value, why))
        return false;
    *(int64_t *)at = value;
    return true;
}

static bool set_port(const char *text, void *at, char *why)
{
    int64_t value;

    if (!kb_parse_i64(text, &value) || value < 0 || value > 65535) {
        snprintf(why, WHY_MAX, "has to be a port, 0 to 65535");
        return false;
    }
    *(uint16_t *)at = (uint16_t)value;
    return true;
}

static bool set_amount(const struct kb_key *key, const char *text, void *at,
                       char *why)
{
    uint64_t value;

    if (key->type == KB_KEY_BYTES ? !kb_parse_bytes(text, &value)
                                  : !kb_parse_u64(text, &value)) {
        snprintf(why, WHY_MAX,
                 key->type == KB_KEY_BYTES
                     ? "has to be a number of bytes, \"1048576\" or \"1MiB\""
                     : "has to be a whole number, 0 or more");
        return false;
    }
    if (!in_range(key, value > INT64_MAX ? INT64_MAX : (int64_t)value, why))
        return false;
    *(uint64_t *)at = value;
    return true;
}

static bool set_time(const struct kb_key *key, const char *text, void *at,
                     char *why)
{
    bool in_secs = key->type == KB_KEY_SECS;
    int64_t value;

    /* A bare number is in the key's own unit. */
    if (kb_parse_i64(text, &value)) {
        if (in_secs && __builtin_mul_overflow(value, 1000, &value)) {
            snprintf(why, WHY_MAX, "is too large");
            return false;
        }
    } else if (!kb_parse_ms(text, &value)) {
        snprintf(why, WHY_MAX,
                 "has to be a time, %s (in %s) or \"90s\", \"15m\", \"12h\"",
                 in_secs ? "90" : "90000", in_secs ? "seconds" : "ms");
        return false;
    }
    if (!in_range(key, value, why)) {
        size_t len = strlen(why);

        snprintf(why + len, WHY_MAX - len, " ms");
        return false;
    }
    *(int64_t *)at = value;
    return true;
}

static bool set_text(const struct kb_key *key, const char *text, void *at,
                     char *why)
{
    char *copy;

    if (!*text && (key->flags & KB_KEY_NON_EMPTY)) {
        snprintf(why, WHY_MAX, "must not be empty");
        return false;
    }
    copy = kb_strdup(text);
    if (!copy) {
        snprintf(why, WHY_MAX, "out of memory");
        return false;
    }
    free(*(char **)at);
    *(char **)at = copy;
    return true;
}

static bool set_secret(const char *text, void *at, char *why)
{
    struct kbp_error err = KB_ERR_INIT;

    if (kb_secret_set(at, text, strlen(text), &err)) {
        snprintf(why, WHY_MAX, "out of memory");
        return false;
    }
    return true;
}

bool kb_value_set(const struct kb_key *key, const char *text, void *at,
                  char *why)
{
    int choice;

    switch (key->type) {
    case KB_KEY_STRING:
    case KB_KEY_PATH:
        return set_text(key, text, at, why);
    case KB_KEY_SECRET:
        return set_secret(text, at, why);
    case KB_KEY_BOOL:
        if (!is_true(text) && !is_false(text)) {
            snprintf(why, WHY_MAX, "has to be true or false");
            return false;
        }
        *(bool *)at = is_true(text);
        return true;
    case KB_KEY_INT:
        return set_number(key, text, at, why);
    case KB_KEY_PORT:
        return set_port(text, at, why);
    case KB_KEY_COUNT:
    case KB_KEY_BYTES:
        return set_amount(key, text, at, why);
    case KB_KEY_MS:
    case KB_KEY_SECS:
        return set_time(key, text, at, why);
    case KB_KEY_TIME:
        if (!parse_time(text, at)) {
            snprintf(why, WHY_MAX,
                     "has to be in ms since 1970, or \"2026-11-24T07:05:20Z\"");
            return false;
        }
        return true;
    case KB_KEY_CHOICE:
        choice = choice_of(key->choices, text);
        if (choice < 0) {
            why_not_choice(key->choices, text, why);
            return false;
        }
        *(int *)at = choice;
        return true;
    default:
        snprintf(why, WHY_MAX, "isn't a plain value");
        return false;
    }
}

/* "has to be a or b; did you mean a?" is what `why` may say. */
static void complain_about(struct kb_reader *reader, const struct kb_key *key,
                           const yaml_node_t *node, const char *why)
{
    int first = (int)strcspn(why, ";");

    /* What a variable holds may be a secret: only its name is shown. */
    if (key->type == KB_KEY_SECRET)
        kb_complain(reader, node, "%s", why);
    else if (strstr(kb_node_raw(node), "${"))
        kb_complain(reader, node, "%.*s, and what \"%s\" stands for isn't",
                    first, why, kb_node_raw(node));
    else
        kb_complain(reader, node, "%.*s, found \"%s\"%s", first, why,
                    kb_node_raw(node), why + first);
}

static void read_scalar(struct kb_reader *reader, const struct kb_key *key,
                        const yaml_node_t *node, void *at)
{
    char *text = kb_node_text(reader, node);
    char why[WHY_MAX];

    if (!text)
        return;
    if (!kb_value_set(key, text, at, why))
        complain_about(reader, key, node, why);
    kb_free_secret_text(text);
}

/* The items of a list; NULL after a complaint. */
static const yaml_node_t *list_of(struct kb_reader *reader,
                                  const yaml_node_t *node)
{
    if (node->type == YAML_SEQUENCE_NODE)
        return node;
    kb_complain(reader, node,
                "expected a list (\"- item\" lines, or [a, b]), found %s%s%s",
                node->type == YAML_SCALAR_NODE ? "\"" : "", kb_node_raw(node),
                node->type == YAML_SCALAR_NODE ? "\"" : "");
    return NULL;
}

static void read_strings(struct kb_reader *reader, const yaml_node_t *node,
                         struct kb_strings *strings)
{
    yaml_node_item_t *item;

    if (!list_of(reader, node))
        return;
    for (item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        const yaml_node_t *value =
            yaml_document_get_node(reader->document, *item);
        char *text;

        if (!value)
            continue;
        if (kb_node_is_null(value)) {
            kb_complain(reader, value, "an empty item in the list");
            continue;
        }
        text = kb_node_text(reader, value);
        if (!text)
            continue;
        if (!*text || !kb_notes_grow(reader->notes, (void **)&strings->items,
                                     strings->count, sizeof *strings->items)) {
            kb_complain(reader, value, "an empty item in the list");
            free(text);
            continue;
        }
        strings->items[strings->count++] = text;
    }
}

static void read_ints(struct kb_reader *reader, const struct kb_key *key,
                      const yaml_node_t *node, struct kb_integers *ints)
{
    struct kb_key one = *key;
    yaml_node_item_t *item;

    one.type = KB_KEY_INT;
    if (!list_of(reader, node))
        return;
    for (item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        const yaml_node_t *value =
            yaml_document_get_node(reader->document, *item);

        if (!value || !kb_notes_grow(reader->notes, (void **)&ints->items,
                                     ints->count, sizeof *ints->items))
            continue;
        ints->items[ints->count] = 0;
        read_scalar(reader, &one, value, &ints->items[ints->count]);
        ints->count++;
    }
}

static void read_pair(struct kb_reader *reader, const yaml_node_t *key,
                      const yaml_node_t *value, void *data)
{
    struct kb_pairs *pairs = data;
    struct kb_pair pair = {NULL, NULL, kb_node_line(key)};

    if (kb_node_is_null(value)) {
        kb_complain(reader, key, "needs a value");
        return;
    }
    pair.value = kb_node_text(reader, value);
    if (!pair.value)
        return;
    pair.key = kb_strdup(kb_node_raw(key));
    if (!pair.key || !kb_notes_grow(reader->notes, (void **)&pairs->items,
                                    pairs->count, sizeof *pairs->items)) {
        kb_complain(reader, key, "out of memory");
        free(pair.key);
        kb_free_secret_text(pair.value);
        return;
    }
    pairs->items[pairs->count++] = pair;
}

void kb_read_setting(struct kb_reader *reader, const char *name,
                     const yaml_node_t *node, struct kb_raw_settings *settings)
{
    struct kb_raw_setting setting = {NULL, {NULL, 0}, kb_node_line(node)};
    struct kbp_error err = KB_ERR_INIT;
    char *text;

    if (kb_node_is_null(node))
        return;
    text = kb_node_text(reader, node);
    if (!text)
        return;
    setting.name = kb_strdup(name);
    if (!setting.name ||
        kb_secret_set(&setting.value, text, strlen(text), &err) ||
        !kb_notes_grow(reader->notes, (void **)&settings->items,
                       settings->count, sizeof *settings->items)) {
        kb_complain(reader, node, "out of memory");
        free(setting.name);
        kb_secret_release(&setting.value);
    } else {
        settings->items[settings->count++] = setting;
    }
    kb_free_secret_text(text);
}

static void read_raw(struct kb_reader *reader, const yaml_node_t *key,
                     const yaml_node_t *value, void *data)
{
    kb_read_setting(reader, kb_node_raw(key), value, data);
}

/* A key of the reference which does nothing here: its type is checked still. */
static void read_unused(struct kb_reader *reader, const struct kb_key *key,
                        const yaml_node_t *name, const yaml_node_t *value)
{
    union {
        int64_t number;
        char *text;
        struct kb_secret secret;
    } scratch = {0};

    if (key->type < KB_KEY_STRINGS) {
        size_t errors = reader->notes->errors;

        read_scalar(reader, key, value, &scratch);
        if (key->type == KB_KEY_STRING || key->type == KB_KEY_PATH)
            free(scratch.text);
        else if (key->type == KB_KEY_SECRET)
            kb_secret_release(&scratch.secret);
        if (reader->notes->errors > errors)
            return;
        if (key->harmless && strcmp(kb_node_raw(value), key->harmless) == 0)
            return;
    }
    if (key->flags & KB_KEY_BINDING)
        kb_complain(reader, name, "isn't supported: %s", key->unused);
    else
        kb_remark(reader, name, "has no effect: %s", key->unused);
}

void kb_read_value(struct kb_reader *reader, const struct kb_key *key,
                   const yaml_node_t *name, const yaml_node_t *value,
                   void *base)
{
    void *at = (char *)base + key->at;

    if (kb_node_is_null(value))
        return;
    if (key->unused) {
        read_unused(reader, key, name, value);
        return;
    }
    switch (key->type) {
    case KB_KEY_STRINGS:
        read_strings(reader, value, at);
        break;
    case KB_KEY_INTS:
        read_ints(reader, key, value, at);
        break;
    case KB_KEY_PAIRS:
        kb_each_pair(reader, value, read_pair, at);
        break;
    case KB_KEY_SETTING:
        kb_read_setting(reader, key->name, value, at);
        break;
    case KB_KEY_RAW:
        kb_each_pair(reader, value, read_raw, at);
        break;
    case KB_KEY_SECTION:
        kb_read_section(reader, key->section, value, at);
        break;
    case KB_KEY_CUSTOM:
        key->read(reader, value, at);
        break;
    default:
        read_scalar(reader, key, value, at);
        break;
    }
}

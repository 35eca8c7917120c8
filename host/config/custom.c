/* SPDX-License-Identifier: Apache-2.0 */
/* custom.c - values with a form of their own: addresses, offsets, mappings. */
#include "config/custom.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "config/value.h"

/* "host", "host:port", "[::1]:port": `*host` is free()d by the caller. */
static bool split_address(const char *text, bool port_needed, char **host,
                          uint16_t *port)
{
    const char *end;
    const char *begin = text;
    int64_t number = 0;
    char *copy;

    if (*text == '[') {
        begin++;
        end = strchr(begin, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        text = end + 1;
    } else {
        end = strrchr(text, ':');
        if (end && memchr(text, ':', (size_t)(end - text)))
            return false; /* IPv6 without brackets */
        if (!end)
            end = text + strlen(text);
        text = end;
    }
    if (end == begin || strpbrk(begin, " \t/,"))
        return false;
    if (*text ? !kb_parse_i64(text + 1, &number) || number < 1 || number > 65535
              : port_needed)
        return false;
    copy = strndup(begin, (size_t)(end - begin));
    if (!copy)
        return false;
    *host = copy;
    *port = (uint16_t)number;
    return true;
}

static void add_server(struct kb_reader *reader, const yaml_node_t *node,
                       const char *text, struct kb_strings *servers)
{
    uint16_t port;
    char *host;
    char *copy;

    if (!split_address(text, true, &host, &port)) {
        kb_complain(reader, node,
                    "has to be \"host:port\" (\"[::1]:9092\" for IPv6), found "
                    "\"%s\"",
                    strstr(kb_node_raw(node), "${") ? kb_node_raw(node) : text);
        return;
    }
    free(host);
    copy = kb_strdup(text);
    if (!copy || !kb_notes_grow(reader->notes, (void **)&servers->items,
                                servers->count, sizeof *servers->items)) {
        kb_complain(reader, node, "out of memory");
        free(copy);
        return;
    }
    servers->items[servers->count++] = copy;
}

/* One scalar, in which several may stand with commas: it may be a variable. */
static void add_servers(struct kb_reader *reader, const yaml_node_t *node,
                        struct kb_strings *servers)
{
    char *text = kb_node_text(reader, node);
    char *at = text;

    while (at) {
        char *word = strsep(&at, ",");
        size_t len;

        word += strspn(word, " \t");
        len = strlen(word);
        while (len && strchr(" \t", word[len - 1]))
            word[--len] = '\0';
        add_server(reader, node, word, servers);
    }
    free(text);
}

void kb_read_servers(struct kb_reader *reader, const yaml_node_t *node,
                     void *at)
{
    yaml_node_item_t *item;

    if (node->type == YAML_SCALAR_NODE) {
        add_servers(reader, node, at);
        return;
    }
    if (node->type != YAML_SEQUENCE_NODE) {
        kb_complain(reader, node, "expected a list of \"host:port\"");
        return;
    }
    if (node->data.sequence.items.start == node->data.sequence.items.top)
        kb_complain(reader, node, "the list is empty");
    for (item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        const yaml_node_t *value =
            yaml_document_get_node(reader->document, *item);

        if (value)
            add_servers(reader, value, at);
    }
}

void kb_drop_servers(void *at)
{
    struct kb_strings *servers = at;
    size_t i;

    for (i = 0; i < servers->count; i++)
        free(servers->items[i]);
    free(servers->items);
}

void kb_read_mechanism(struct kb_reader *reader, const yaml_node_t *node,
                       void *at)
{
    char *text = kb_node_text(reader, node);
    char *name;

    if (!text)
        return;
    /* The reference writes SCRAM without the second dash. */
    if (strcasecmp(text, "SCRAM-SHA256") == 0)
        name = kb_strdup("SCRAM-SHA-256");
    else if (strcasecmp(text, "SCRAM-SHA512") == 0)
        name = kb_strdup("SCRAM-SHA-512");
    else
        name = kb_strdup(text);
    if (!name || !*name) {
        kb_complain(reader, node, name ? "must not be empty" : "out of memory");
        free(name);
    } else {
        free(*(char **)at);
        *(char **)at = name;
    }
    free(text);
}

void kb_drop_mechanism(void *at)
{
    free(*(char **)at);
}

void kb_read_verify_host(struct kb_reader *reader, const yaml_node_t *node,
                         void *at)
{
    char *text = kb_node_text(reader, node);

    if (!text)
        return;
    if (!*text || strcasecmp(text, "none") == 0) {
        *(bool *)at = false;
        kb_remark(reader, node,
                  "host names of brokers are not verified: whoever has any "
                  "certificate of the same CA can pose as a broker");
    } else if (strcasecmp(text, "https") == 0) {
        *(bool *)at = true;
    } else {
        kb_complain(reader, node, "has to be one of https|none");
    }
    free(text);
}

void kb_drop_verify_host(void *at)
{
    (void)at;
}

static void read_override(struct kb_reader *reader, const yaml_node_t *key,
                          const yaml_node_t *value, void *data)
{
    struct kb_override_settings *overrides = data;
    struct kb_override_setting one = {NULL, 0, NULL, 0};
    char *text = kb_node_text(reader, value);

    if (!text)
        return;
    if (!split_address(kb_node_raw(key), false, &one.from_host,
                       &one.from_port) ||
        !split_address(text, false, &one.to_host, &one.to_port)) {
        kb_complain(reader, value,
                    "has to be \"advertised-host[:port]: host[:port]\"");
        free(one.from_host);
    } else if (!kb_notes_grow(reader->notes, (void **)&overrides->items,
                              overrides->count, sizeof one)) {
        free(one.from_host);
        free(one.to_host);
    } else {
        overrides->items[overrides->count++] = one;
    }
    free(text);
}

void kb_read_overrides(struct kb_reader *reader, const yaml_node_t *node,
                       void *at)
{
    kb_each_pair(reader, node, read_override, at);
}

void kb_drop_overrides(void *at)
{
    struct kb_override_settings *overrides = at;
    size_t i;

    for (i = 0; i < overrides->count; i++) {
        free(overrides->items[i].from_host);
        free(overrides->items[i].to_host);
    }
    free(overrides->items);
}

struct start_of_topic {
    struct kb_start_setting *start;
    const char *topic;
};

static void read_start_partition(struct kb_reader *reader,
                                 const yaml_node_t *key,
                                 const yaml_node_t *value, void *data)
{
    const struct start_of_topic *of = data;
    struct kb_start_offset one;
    char *text = kb_node_text(reader, value);
    int64_t partition;

    if (!text)
        return;
    if (!kb_parse_i64(kb_node_raw(key), &partition) || partition < 0 ||
        partition > INT32_MAX) {
        kb_complain(reader, key, "has to be a partition's number");
    } else if (!kb_parse_i64(text, &one.offset) || one.offset < 0) {
        kb_complain(reader, value, "has to be an offset, 0 or more");
    } else {
        one.partition = (int32_t)partition;
        one.topic = kb_strdup(of->topic);
        if (!one.topic ||
            !kb_notes_grow(reader->notes, (void **)&of->start->items,
                           of->start->count, sizeof one))
            free(one.topic);
        else
            of->start->items[of->start->count++] = one;
    }
    free(text);
}

static void read_start_topic(struct kb_reader *reader, const yaml_node_t *key,
                             const yaml_node_t *value, void *data)
{
    struct start_of_topic of = {data, kb_node_raw(key)};

    kb_each_pair(reader, value, read_start_partition, &of);
}

/* `!specific {topic: {partition: offset}}`; without the tag it means that. */
void kb_read_start_offset(struct kb_reader *reader, const yaml_node_t *node,
                          void *at)
{
    struct kb_start_setting *start = at;
    char *text;

    if (node->type == YAML_MAPPING_NODE) {
        const char *tag = node->tag ? (const char *)node->tag : "";

        if (*tag == '!' && strcmp(tag, "!specific") != 0)
            kb_complain(reader, node, "the tag has to be !specific, found %s",
                        tag);
        start->kind = KB_START_SPECIFIC;
        kb_each_pair(reader, node, read_start_topic, start);
        return;
    }
    text = kb_node_text(reader, node);
    if (!text)
        return;
    if (strcmp(text, "earliest") == 0)
        start->kind = KB_START_EARLIEST;
    else if (strcmp(text, "latest") == 0)
        start->kind = KB_START_LATEST;
    else
        kb_complain(reader, node,
                    "has to be earliest, latest, or !specific {topic: "
                    "{partition: offset}}");
    free(text);
}

void kb_drop_start_offset(void *at)
{
    struct kb_start_setting *start = at;
    size_t i;

    for (i = 0; i < start->count; i++)
        free(start->items[i].topic);
    free(start->items);
}

static void read_partition_pair(struct kb_reader *reader,
                                const yaml_node_t *key,
                                const yaml_node_t *value, void *data)
{
    struct kb_pairs *pairs = data;
    struct kb_pair pair = {NULL, kb_node_text(reader, value),
                           kb_node_line(key)};
    int64_t from;
    int64_t to;

    if (!pair.value)
        return;
    pair.key = kb_strdup(kb_node_raw(key));
    if (!kb_parse_i64(kb_node_raw(key), &from) || from < 0 ||
        from > INT32_MAX || !kb_parse_i64(pair.value, &to) || to < 0 ||
        to > INT32_MAX) {
        kb_complain(reader, key, "has to be \"partition: partition\"");
    } else if (pair.key && kb_notes_grow(reader->notes, (void **)&pairs->items,
                                         pairs->count, sizeof pair)) {
        pairs->items[pairs->count++] = pair;
        return;
    }
    free(pair.key);
    free(pair.value);
}

void kb_read_partition_map(struct kb_reader *reader, const yaml_node_t *node,
                           void *at)
{
    kb_each_pair(reader, node, read_partition_pair, at);
}

void kb_drop_partition_map(void *at)
{
    struct kb_pairs *pairs = at;
    size_t i;

    for (i = 0; i < pairs->count; i++) {
        free(pairs->items[i].key);
        free(pairs->items[i].value);
    }
    free(pairs->items);
}

void kb_read_retention(struct kb_reader *reader, const yaml_node_t *node,
                       void *at)
{
    struct kb_retention_setting *retention = at;
    char *text = kb_node_text(reader, node);

    if (!text)
        return;
    if (strcmp(text, "safe") == 0)
        retention->kind = KB_RETENTION_SAFE;
    else if (strcmp(text, "captured") == 0)
        retention->kind = KB_RETENTION_CAPTURED;
    else if (strcmp(text, "keep-off") == 0)
        retention->kind = KB_RETENTION_KEEP_OFF;
    else if (kb_parse_ms(text, &retention->ms) && retention->ms > 0)
        retention->kind = KB_RETENTION_MS;
    else
        kb_complain(reader, node,
                    "has to be safe, captured, keep-off, or a time (\"7d\")");
    free(text);
}

void kb_drop_retention(void *at)
{
    (void)at;
}

struct repartition_parts {
    int strategy;
    int64_t partitions;
};

static const struct kb_key repartition_keys[] = {
    {.name = "strategy",
     .type = KB_KEY_CHOICE,
     .at = offsetof(struct repartition_parts, strategy),
     .default_text = "murmur2",
     .choices = "murmur2|automatic",
     .help = "how keys are spread"},
    {.name = "target_partitions",
     .type = KB_KEY_INT,
     .flags = KB_KEY_REQUIRED,
     .at = offsetof(struct repartition_parts, partitions),
     .min = 1,
     .max = INT32_MAX,
     .help = "how many partitions the target has"},
};

static const struct kb_section repartition_section = {
    KB_KEYS(repartition_keys)};

static void read_repartition(struct kb_reader *reader, const yaml_node_t *key,
                             const yaml_node_t *value, void *data)
{
    struct kb_repartition_settings *all = data;
    struct repartition_parts parts = {0, 0};
    struct kb_repartition_setting one;

    kb_read_section(reader, &repartition_section, value, &parts);
    one.topic = kb_strdup(kb_node_raw(key));
    one.strategy = (enum kb_repartition_strategy)parts.strategy;
    one.partitions = (int32_t)parts.partitions;
    if (!one.topic || !kb_notes_grow(reader->notes, (void **)&all->items,
                                     all->count, sizeof one))
        free(one.topic);
    else
        all->items[all->count++] = one;
}

void kb_read_repartitioning(struct kb_reader *reader, const yaml_node_t *node,
                            void *at)
{
    kb_each_pair(reader, node, read_repartition, at);
}

void kb_drop_repartitioning(void *at)
{
    struct kb_repartition_settings *all = at;
    size_t i;

    for (i = 0; i < all->count; i++)
        free(all->items[i].topic);
    free(all->items);
}

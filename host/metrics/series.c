/* SPDX-License-Identifier: Apache-2.0 */
/* series.c - histograms, tables of series, and lines of OpenMetrics text. */
#include "metrics/series.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

void kb_histogram_add(struct kb_histogram *histogram, double value)
{
    size_t i = 0;

    while (i < histogram->bound_count && value > histogram->bounds[i])
        i++;
    histogram->counts[i]++;
    histogram->sum += value;
}

void kb_histogram_write(struct kb_buf *out, const char *name,
                        const char *labels,
                        const struct kb_histogram *histogram)
{
    const char *comma = *labels ? "," : "";
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i <= histogram->bound_count; i++) {
        sum += histogram->counts[i];
        if (i < histogram->bound_count)
            kb_buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", name,
                          labels, comma, histogram->bounds[i], sum);
        else
            kb_buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name,
                          labels, comma, sum);
    }
    kb_buf_printf(out, "%s_sum{%s} %.9g\n", name, labels, histogram->sum);
    kb_buf_printf(out, "%s_count{%s} %" PRIu64 "\n", name, labels, sum);
}

static size_t hash_of(const char *topic, int32_t partition)
{
    uint64_t hash = kb_hash(KB_HASH_INIT, topic, strlen(topic));

    hash = kb_hash(hash, &partition, sizeof partition);
    return (size_t)(hash ^ (hash >> 32));
}

static struct kb_series *place_for(struct kb_series *items, size_t cap,
                                   const char *topic, int32_t partition)
{
    size_t at = hash_of(topic, partition) & (cap - 1);

    while (items[at].topic && (items[at].partition != partition ||
                               strcmp(items[at].topic, topic) != 0))
        at = (at + 1) & (cap - 1);
    return &items[at];
}

static bool grow(struct kb_series_table *table)
{
    size_t cap = table->cap ? table->cap * 2 : 64;
    struct kb_series *items = calloc(cap, sizeof *items);
    size_t i;

    if (!items)
        return false;
    for (i = 0; i < table->cap; i++)
        if (table->items[i].topic)
            *place_for(items, cap, table->items[i].topic,
                       table->items[i].partition) = table->items[i];
    free(table->items);
    table->items = items;
    table->cap = cap;
    return true;
}

struct kb_series *kb_series_get(struct kb_series_table *table,
                                const char *topic, int32_t partition)
{
    struct kb_series *place;

    if (table->count * 4 >= table->cap * 3 && !grow(table))
        return NULL;
    place = place_for(table->items, table->cap, topic, partition);
    if (place->topic)
        return place;
    place->topic = kb_strdup(topic);
    if (!place->topic)
        return NULL;
    place->partition = partition;
    table->count++;
    return place;
}

void kb_series_release(struct kb_series_table *table)
{
    size_t i;

    for (i = 0; i < table->cap; i++)
        free(table->items[i].topic);
    free(table->items);
    memset(table, 0, sizeof *table);
}

void kb_label_add(struct kb_buf *out, const char *name, const char *value)
{
    kb_buf_printf(out, "%s%s=\"", out->len ? "," : "", name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            kb_buf_add_str(out, "\\");
        if (*value == '\n')
            kb_buf_add_str(out, "\\n");
        else
            kb_buf_add(out, value, 1);
    }
    kb_buf_add_str(out, "\"");
}

void kb_series_line(struct kb_buf *out, const char *name, const char *labels,
                    double value)
{
    if (fabs(value) < 9e15 && value == floor(value))
        kb_buf_printf(out, "%s{%s} %.0f\n", name, labels, value);
    else
        kb_buf_printf(out, "%s{%s} %.13g\n", name, labels, value);
}

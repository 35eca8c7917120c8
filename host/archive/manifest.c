/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.c - the model of what a backup holds: life, growth, look-ups. */
#include "archive/manifest_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

int kb_grow(void *items_at, size_t count, size_t *cap, size_t item_size,
            struct kbp_error *err)
{
    void *items;
    size_t more;

    if (count < *cap)
        return KBP_OK;
    memcpy(&items, items_at, sizeof items);
    more = *cap > 0 ? *cap * 2 : 4;
    items = reallocarray(items, more, item_size);
    if (!items)
        return kb_fail_nomem(err, "the manifest");
    memcpy(items_at, &items, sizeof items);
    *cap = more;
    return KBP_OK;
}

int kb_set_text(char **text, const char *value, struct kbp_error *err)
{
    char *copy = NULL;

    if (value) {
        copy = kb_strdup(value);
        if (!copy)
            return kb_fail_nomem(err, "the manifest");
    }
    free(*text);
    *text = copy;
    return KBP_OK;
}

void kb_names_release(struct kb_names *names)
{
    free(names->items);
    *names = (struct kb_names){0};
}

int kb_names_add(struct kb_names *names, const struct kb_name *name,
                 struct kbp_error *err)
{
    int rc = kb_grow(&names->items, names->count, &names->cap,
                     sizeof *names->items, err);

    if (rc == KBP_OK)
        names->items[names->count++] = *name;
    return rc;
}

static struct kb_name *find_mark(const struct kb_names *marks,
                                 const struct kb_name *name)
{
    size_t i;

    for (i = marks->count; i > 0; i--) {
        struct kb_name *mark = &marks->items[i - 1];

        if (mark->worker == name->worker && strcmp(mark->run, name->run) == 0)
            return mark;
    }
    return NULL;
}

uint32_t kb_marks_seq(const struct kb_names *marks, const struct kb_name *name)
{
    const struct kb_name *mark = find_mark(marks, name);

    return mark ? mark->seq : 0;
}

int kb_marks_raise(struct kb_names *marks, const struct kb_name *name,
                   struct kbp_error *err)
{
    struct kb_name *mark = find_mark(marks, name);

    if (!mark)
        return kb_names_add(marks, name, err);
    if (name->seq > mark->seq)
        mark->seq = name->seq;
    return KBP_OK;
}

const char *kb_marks_newest(const struct kb_names *marks)
{
    const char *newest = "";
    size_t i;

    for (i = 0; i < marks->count; i++)
        if (strcmp(marks->items[i].run, newest) > 0)
            newest = marks->items[i].run;
    return newest;
}

void kb_doc_release(struct kb_doc *doc)
{
    kb_names_release(&doc->closed);
    kb_names_release(&doc->folded);
}

void kb_topic_desc_release(struct kb_topic_desc *desc)
{
    size_t i;

    for (i = 0; i < desc->config_count; i++) {
        free(desc->configs[i].name);
        free(desc->configs[i].value);
        free(desc->configs[i].source);
    }
    free(desc->configs);
    *desc = (struct kb_topic_desc){.partition_count = -1};
}

int kb_topic_desc_copy(struct kb_topic_desc *to,
                       const struct kb_topic_desc *from, struct kbp_error *err)
{
    struct kb_topic_desc copy = *from;
    size_t i;

    copy.configs = calloc(from->config_count > 0 ? from->config_count : 1,
                          sizeof *copy.configs);
    if (!copy.configs)
        return kb_fail_nomem(err, "a topic's description");
    for (i = 0; i < from->config_count; i++) {
        const struct kb_topic_config *c = &from->configs[i];

        if (kb_set_text(&copy.configs[i].name, c->name, err) != KBP_OK ||
            kb_set_text(&copy.configs[i].value, c->value, err) != KBP_OK ||
            kb_set_text(&copy.configs[i].source, c->source, err) != KBP_OK) {
            kb_topic_desc_release(&copy);
            return KBP_ERR_NOMEM;
        }
    }
    *to = copy;
    return KBP_OK;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool kb_topic_desc_equal(const struct kb_topic_desc *a,
                         const struct kb_topic_desc *b)
{
    size_t i;

    if (a->partition_count != b->partition_count ||
        a->replication_factor != b->replication_factor ||
        a->internal != b->internal || a->configs_known != b->configs_known ||
        a->config_count != b->config_count)
        return false;
    for (i = 0; i < a->config_count; i++)
        if (!same_text(a->configs[i].name, b->configs[i].name) ||
            !same_text(a->configs[i].value, b->configs[i].value) ||
            !same_text(a->configs[i].source, b->configs[i].source))
            return false;
    return true;
}

const char *kb_run_status_word(enum kb_run_status status)
{
    static const char *const words[] = {"running", "complete", "incomplete",
                                        "interrupted"};

    return (unsigned)status < sizeof words / sizeof words[0] ? words[status]
                                                             : "unknown";
}

int kb_manifest_new(struct kb_manifest **manifest, const char *backup_id,
                    struct kbp_error *err)
{
    struct kb_manifest *m = calloc(1, sizeof *m);

    if (m) {
        m->backup_id = kb_strdup(backup_id);
        m->log = calloc(1, sizeof *m->log);
    }
    if (!m || !m->backup_id || !m->log) {
        kb_manifest_free(m);
        return kb_fail_nomem(err, "the manifest");
    }
    *manifest = m;
    return KBP_OK;
}

void kb_run_release(struct kb_run *run)
{
    size_t i;

    for (i = 0; i < run->reason_count; i++) {
        free(run->reasons[i].topic);
        free(run->reasons[i].text);
    }
    free(run->reasons);
    free(run->host);
}

static void free_generation(struct kb_generation *g)
{
    size_t i;

    for (i = 0; i < g->partition_count; i++) {
        free(g->partitions[i].extents);
        kb_ranges_release(&g->partitions[i].ranges);
        kb_txns_release(&g->partitions[i].aborted);
        kb_txns_release(&g->partitions[i].open);
    }
    free(g->partitions);
    kb_topic_desc_release(&g->desc);
    free(g->topic);
}

void kb_manifest_free(struct kb_manifest *m)
{
    size_t i;

    if (!m)
        return;
    for (i = 0; i < m->generation_count; i++)
        free_generation(&m->generations[i]);
    for (i = 0; i < m->run_count; i++)
        kb_run_release(&m->runs[i]);
    if (m->log) {
        kb_names_release(&m->log->applied);
        kb_names_release(&m->log->removable);
        kb_names_release(&m->log->thinned);
        free(m->log->etag);
    }
    free(m->log);
    free(m->generations);
    free(m->runs);
    free(m->captures);
    free(m->segments);
    free(m->cluster_id);
    free(m->backup_id);
    free(m);
}

int kb_manifest_add_segment(struct kb_manifest *m,
                            const struct kb_segment_info *info,
                            struct kbp_error *err)
{
    int rc = kb_grow(&m->segments, m->segment_count, &m->segment_cap,
                     sizeof *m->segments, err);

    if (rc == KBP_OK && m->segment_count >= KB_NO_SEGMENT - 1)
        rc = kb_fail(err, KBP_ERR_LIMIT, "too many segments");
    if (rc == KBP_OK)
        m->segments[m->segment_count++] = *info;
    return rc;
}

/* The first generation that isn't before (topic, number). */
static size_t place_of(const struct kb_manifest *m, const char *topic,
                       uint32_t number)
{
    size_t low = 0;
    size_t high = m->generation_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct kb_generation *g = &m->generations[mid];
        int order = strcmp(g->topic, topic);

        if (order < 0 || (order == 0 && g->number < number))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int kb_manifest_add_generation(struct kb_manifest *m, const char *topic,
                               uint32_t number, const struct kb_uuid *id,
                               struct kb_generation **generation,
                               struct kbp_error *err)
{
    struct kb_generation g = {.number = number, .id = *id};
    size_t at = place_of(m, topic, number);
    int rc;

    if (number != 0 && at < m->generation_count &&
        m->generations[at].number == number &&
        strcmp(m->generations[at].topic, topic) == 0)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "generation %u of topic %s is there twice",
                       (unsigned)number, topic);
    g.desc.partition_count = -1;
    rc = kb_set_text(&g.topic, topic, err);
    if (rc != KBP_OK)
        return rc;
    rc = kb_grow(&m->generations, m->generation_count, &m->generation_cap,
                 sizeof *m->generations, err);
    if (rc != KBP_OK) {
        free(g.topic);
        return rc;
    }
    memmove(m->generations + at + 1, m->generations + at,
            (m->generation_count - at) * sizeof *m->generations);
    m->generations[at] = g;
    m->generation_count++;
    *generation = &m->generations[at];
    return KBP_OK;
}

struct kb_generation *kb_manifest_topic(const struct kb_manifest *m,
                                        const char *topic)
{
    size_t at = place_of(m, topic, UINT32_MAX);

    if (at < m->generation_count &&
        strcmp(m->generations[at].topic, topic) == 0)
        return &m->generations[at];
    if (at > 0 && strcmp(m->generations[at - 1].topic, topic) == 0)
        return &m->generations[at - 1];
    return NULL;
}

struct kb_generation *kb_manifest_generation(const struct kb_manifest *m,
                                             const struct kb_uuid *id)
{
    size_t i;

    for (i = 0; i < m->generation_count; i++)
        if (kb_uuid_equal(&m->generations[i].id, id))
            return &m->generations[i];
    return NULL;
}

static size_t partition_place(const struct kb_generation *g, int32_t partition)
{
    size_t low = 0;
    size_t high = g->partition_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (g->partitions[mid].partition < partition)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct kb_partition_log *kb_generation_partition(const struct kb_generation *g,
                                                 int32_t partition)
{
    size_t at = partition_place(g, partition);

    return at < g->partition_count && g->partitions[at].partition == partition
               ? &g->partitions[at]
               : NULL;
}

int kb_generation_add_partition(struct kb_generation *g, int32_t partition,
                                struct kb_partition_log **log,
                                struct kbp_error *err)
{
    size_t at = partition_place(g, partition);
    int rc;

    if (at == g->partition_count || g->partitions[at].partition != partition) {
        rc = kb_grow(&g->partitions, g->partition_count, &g->partition_cap,
                     sizeof *g->partitions, err);
        if (rc != KBP_OK)
            return rc;
        memmove(g->partitions + at + 1, g->partitions + at,
                (g->partition_count - at) * sizeof *g->partitions);
        g->partitions[at] = (struct kb_partition_log){.partition = partition};
        g->partition_count++;
    }
    *log = &g->partitions[at];
    return KBP_OK;
}

int64_t kb_partition_start(const struct kb_partition_log *log)
{
    return log->extent_count > 0 ? log->extents[0].start : -1;
}

int64_t kb_partition_resume(const struct kb_partition_log *log)
{
    return log->extent_count > 0 ? log->extents[log->extent_count - 1].end : -1;
}

int kb_partition_add_extent(struct kb_partition_log *log,
                            const struct kb_extent *extent,
                            struct kbp_error *err)
{
    size_t at = log->extent_count;
    int rc = kb_grow(&log->extents, log->extent_count, &log->extent_cap,
                     sizeof *log->extents, err);

    if (rc != KBP_OK)
        return rc;
    while (at > 0 && log->extents[at - 1].start > extent->start)
        at--;
    memmove(log->extents + at + 1, log->extents + at,
            (log->extent_count - at) * sizeof *log->extents);
    log->extents[at] = *extent;
    log->extent_count++;
    return KBP_OK;
}

int kb_partition_add_range(struct kb_partition_log *log,
                           const struct kb_range *range, struct kbp_error *err)
{
    struct kb_ranges *ranges = &log->ranges;
    size_t at = ranges->count;
    int rc;

    if (at == 0 || ranges->items[at - 1].end <= range->start)
        return kb_ranges_add(ranges, range->kind, range->start, range->end,
                             err);
    rc = kb_grow(&ranges->items, ranges->count, &ranges->cap,
                 sizeof *ranges->items, err);
    if (rc != KBP_OK)
        return rc;
    while (at > 0 && ranges->items[at - 1].start > range->start)
        at--;
    memmove(ranges->items + at + 1, ranges->items + at,
            (ranges->count - at) * sizeof *ranges->items);
    ranges->items[at] = *range;
    ranges->count++;
    return KBP_OK;
}

size_t kb_partition_find(const struct kb_partition_log *log, int64_t start,
                         int64_t end, size_t *first)
{
    size_t low = 0;
    size_t high = log->extent_count;
    size_t count = 0;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (log->extents[mid].end <= start)
            low = mid + 1;
        else
            high = mid;
    }
    while (low + count < log->extent_count &&
           log->extents[low + count].start < end)
        count++;
    *first = low;
    return count;
}

void kb_partition_sums(const struct kb_partition_log *log, struct kb_sums *sums)
{
    size_t i;

    *sums = (struct kb_sums){0};
    for (i = 0; i < log->extent_count; i++)
        kb_sums_add(sums, &log->extents[i].sums);
}

int kb_manifest_add_run(struct kb_manifest *m, const char *name,
                        struct kb_run **run, struct kbp_error *err)
{
    struct kb_run *runs;
    size_t at = m->run_count;

    while (at > 0 && strcmp(m->runs[at - 1].name, name) > 0)
        at--;
    if (at > 0 && strcmp(m->runs[at - 1].name, name) == 0) {
        *run = &m->runs[at - 1];
        return KBP_OK;
    }
    runs = reallocarray(m->runs, m->run_count + 1, sizeof *runs);
    if (!runs)
        return kb_fail_nomem(err, "the manifest's runs");
    m->runs = runs;
    memmove(runs + at + 1, runs + at, (m->run_count - at) * sizeof *runs);
    runs[at] = (struct kb_run){0};
    memcpy(runs[at].name, name, strnlen(name, KB_RUN_TEXT - 1));
    m->run_count++;
    *run = &runs[at];
    return KBP_OK;
}

int kb_run_add_reason(struct kb_run *run, const char *topic, int32_t partition,
                      const char *text, struct kbp_error *err)
{
    struct kb_run_reason reason = {.partition = partition};
    struct kb_run_reason *reasons;

    reasons =
        reallocarray(run->reasons, run->reason_count + 1, sizeof *reasons);
    if (!reasons)
        return kb_fail_nomem(err, "a run's reasons");
    run->reasons = reasons;
    if (kb_set_text(&reason.topic, topic, err) != KBP_OK ||
        kb_set_text(&reason.text, text, err) != KBP_OK) {
        free(reason.topic);
        return KBP_ERR_NOMEM;
    }
    reasons[run->reason_count++] = reason;
    return KBP_OK;
}

int kb_manifest_add_capture(struct kb_manifest *m,
                            const struct kb_group_capture *capture,
                            struct kbp_error *err)
{
    struct kb_group_capture *captures =
        reallocarray(m->captures, m->capture_count + 1, sizeof *captures);
    size_t at = m->capture_count;

    if (!captures)
        return kb_fail_nomem(err, "the manifest's group captures");
    m->captures = captures;
    while (at > 0 && captures[at - 1].captured_ms > capture->captured_ms)
        at--;
    memmove(captures + at + 1, captures + at,
            (m->capture_count - at) * sizeof *captures);
    captures[at] = *capture;
    m->capture_count++;
    return KBP_OK;
}

int kb_manifest_thin_captures(struct kb_manifest *m, struct kb_names *gone,
                              struct kbp_error *err)
{
    static const int64_t hour = 3600000;
    static const int64_t day = 24 * hour;
    size_t count = m->capture_count;
    size_t to = 0;
    size_t i;
    int rc = KBP_OK;

    for (i = 0; i < count; i++) {
        const struct kb_group_capture *c = &m->captures[i];
        int64_t age = m->captures[count - 1].captured_ms - c->captured_ms;
        int64_t step = age > 31 * day ? day : hour;

        if (rc == KBP_OK && age > day && c->captured_ms >= 0 &&
            c->captured_ms / step == m->captures[i + 1].captured_ms / step) {
            rc = kb_names_add(gone, &c->name, err);
            if (rc == KBP_OK)
                continue;
        }
        m->captures[to++] = *c;
    }
    m->capture_count = to;
    return rc;
}

const struct kb_group_capture *kb_manifest_capture(const struct kb_manifest *m,
                                                   int64_t wall_ms)
{
    size_t i = m->capture_count;

    while (i > 0 && m->captures[i - 1].captured_ms > wall_ms)
        i--;
    return i > 0 ? &m->captures[i - 1] : NULL;
}

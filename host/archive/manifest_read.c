/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest_read.c - a document of the manifest, from JSON.
 *
 * Long lists are tables inside strings, see docs/STORAGE-FORMAT.md: a tree of
 * a million small values would need a gigabyte.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "archive/manifest_model.h"
#include "archive/manifest_table.h"
#include "base/crc32c.h"

static int bad(struct kbp_error *err, const char *what)
{
    return kb_fail(err, KBP_ERR_CORRUPT, "%s", what);
}

/* --- members of objects -------------------------------------------------- */

/* An integer member, at least `min`; `none` where it is absent. */
static bool get_int(const json_t *object, const char *key, int64_t min,
                    int64_t max, int64_t none, int64_t *value)
{
    const json_t *member = json_object_get(object, key);

    if (!member) {
        *value = none;
        return none >= min;
    }
    *value = json_integer_value(member);
    return json_is_integer(member) && *value >= min && *value <= max;
}

/* A string member, or NULL where it is absent or null. */
static bool get_text(const json_t *object, const char *key, const char **value)
{
    const json_t *member = json_object_get(object, key);

    *value = NULL;
    if (!member || json_is_null(member))
        return true;
    *value = json_string_value(member);
    return *value != NULL;
}

/* The array, or NULL where it is absent. */
static bool get_array(const json_t *object, const char *key, const json_t **out)
{
    *out = json_object_get(object, key);
    return !*out || json_is_array(*out);
}

static int read_names(const json_t *array, struct kb_names *names,
                      struct kbp_error *err)
{
    size_t i;
    int rc = KBP_OK;

    for (i = 0; i < json_array_size(array) && rc == KBP_OK; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        struct kb_name name;

        if (!text || !kb_name_parse(text, strlen(text), &name))
            return bad(err, "a list of entries holds what is none");
        rc = kb_marks_raise(names, &name, err);
    }
    return rc;
}

static int read_segments(const json_t *array, struct kb_manifest *m,
                         struct kbp_error *err)
{
    size_t i;
    int rc = KBP_OK;

    for (i = 0; i < json_array_size(array) && rc == KBP_OK; i++) {
        const char *row = json_string_value(json_array_get(array, i));
        struct kb_segment_info info;

        if (!row || !kb_table_segment(row, &info))
            return kb_fail(err, KBP_ERR_CORRUPT, "segment %zu can't be read",
                           i);
        rc = kb_manifest_add_segment(m, &info, err);
    }
    return rc;
}

static int read_configs(const json_t *array, struct kb_topic_desc *desc,
                        struct kbp_error *err)
{
    size_t count = json_array_size(array);
    size_t i;
    int rc;

    desc->configs_known = true;
    desc->configs = calloc(count > 0 ? count : 1, sizeof *desc->configs);
    if (!desc->configs)
        return kb_fail_nomem(err, "a topic's configs");
    for (i = 0; i < count; i++) {
        const json_t *row = json_array_get(array, i);
        const char *name = json_string_value(json_array_get(row, 0));
        const json_t *value = json_array_get(row, 1);
        const char *source = json_string_value(json_array_get(row, 2));
        struct kb_topic_config *config = &desc->configs[i];

        if (!name || !source ||
            (!json_is_string(value) && !json_is_null(value)))
            return bad(err, "a topic's config can't be read");
        desc->config_count++;
        rc = kb_set_text(&config->name, name, err);
        if (rc == KBP_OK)
            rc = kb_set_text(&config->value, json_string_value(value), err);
        if (rc == KBP_OK)
            rc = kb_set_text(&config->source, source, err);
        if (rc != KBP_OK)
            return rc;
    }
    return KBP_OK;
}

static int read_desc(const json_t *object, struct kb_topic_desc *desc,
                     struct kbp_error *err)
{
    const json_t *configs = json_object_get(object, "configs");
    int64_t partitions;
    int64_t factor;

    if (!json_is_object(object) ||
        !get_int(object, "described_at", 0, INT64_MAX, -1,
                 &desc->described_ms) ||
        !get_int(object, "partition_count", 0, INT32_MAX, -1, &partitions) ||
        !get_int(object, "replication_factor", -1, INT16_MAX, -1, &factor) ||
        !json_is_boolean(json_object_get(object, "internal")))
        return bad(err, "a topic's description can't be read");
    desc->partition_count = (int32_t)partitions;
    desc->replication_factor = (int16_t)factor;
    desc->internal = json_is_true(json_object_get(object, "internal"));
    if (!configs || json_is_null(configs))
        return KBP_OK;
    if (!json_is_array(configs))
        return bad(err, "a topic's configs can't be read");
    return read_configs(configs, desc, err);
}

static int read_tables(const json_t *object, const struct kb_manifest *m,
                       struct kb_partition_log *log, struct kbp_error *err)
{
    const char *extents;
    const char *ranges;
    int rc;

    if (!get_text(object, "extents", &extents) ||
        !get_text(object, "ranges", &ranges))
        return bad(err, "its tables are none");
    while (extents && *extents != '\0') {
        struct kb_extent extent;

        if (!kb_table_extent(&extents, &extent) ||
            !kb_table_end_row(&extents) ||
            (extent.segment != KB_NO_SEGMENT &&
             extent.segment >= m->segment_count))
            return kb_fail(err, KBP_ERR_CORRUPT, "extent %zu can't be read",
                           log->extent_count);
        rc = kb_partition_add_extent(log, &extent, err);
        if (rc != KBP_OK)
            return rc;
    }
    while (ranges && *ranges != '\0') {
        struct kb_range range;

        if (!kb_table_range(&ranges, &range) || !kb_table_end_row(&ranges))
            return kb_fail(err, KBP_ERR_CORRUPT, "range %zu can't be read",
                           log->ranges.count);
        rc = kb_partition_add_range(log, &range, err);
        if (rc != KBP_OK)
            return rc;
    }
    return KBP_OK;
}

static int read_txns(const json_t *object, const char *key, bool open,
                     struct kb_txns *txns, struct kbp_error *err)
{
    const char *at;
    int rc = KBP_OK;

    if (!get_text(object, key, &at))
        return bad(err, "its transactions are no table");
    while (rc == KBP_OK && at && *at != '\0') {
        struct kb_txn txn;

        if (!kb_table_txn(&at, open, &txn) || !kb_table_end_row(&at))
            return kb_fail(err, KBP_ERR_CORRUPT,
                           "transaction %zu of \"%s\" can't be read",
                           txns->count, key);
        rc = kb_txns_add(txns, &txn, err);
    }
    return rc;
}

static int read_partition(const json_t *object, const struct kb_manifest *m,
                          struct kb_partition_log *log, struct kbp_error *err)
{
    const json_t *last = json_object_get(object, "last_batch");
    const char *pending;
    const char *kept;
    int64_t crc;
    int64_t epoch;
    int rc = read_tables(object, m, log, err);

    if (rc != KBP_OK)
        return rc;
    if (last) {
        if (!get_int(last, "base_offset", 0, INT64_MAX, -1,
                     &log->last.base_offset) ||
            !get_int(last, "crc32c", 0, UINT32_MAX, -1, &crc) ||
            !get_int(last, "leader_epoch", INT32_MIN, INT32_MAX, -1, &epoch))
            return bad(err, "its last batch can't be read");
        log->last.known = true;
        log->last.crc32c = (uint32_t)crc;
        log->last.leader_epoch = (int32_t)epoch;
        if (!get_text(last, "kept", &kept) ||
            (kept && !kb_table_kept(kept, &log->last)))
            return bad(err, "what its last batch keeps can't be read");
    }
    if (!get_text(object, "pending", &pending) ||
        (pending && (!kb_table_range(&pending, &log->pending) || *pending)))
        return bad(err, "what is pending can't be read");
    rc = read_txns(object, "aborted", false, &log->aborted, err);
    if (rc == KBP_OK)
        rc = read_txns(object, "open", true, &log->open, err);
    return rc;
}

static int read_topic(const json_t *object, struct kb_manifest *m,
                      struct kbp_error *err)
{
    const json_t *desc = json_object_get(object, "description");
    const json_t *partitions;
    struct kb_generation *g;
    const char *name;
    const char *id_text;
    struct kb_uuid id;
    int64_t number;
    int64_t deleted;
    size_t i;
    int rc;

    if (!get_text(object, "name", &name) || !name || name[0] == '\0' ||
        !get_text(object, "id", &id_text) || !id_text ||
        !kb_uuid_parse(id_text, &id) ||
        !get_int(object, "generation", 1, UINT32_MAX, -1, &number) ||
        !get_int(object, "deleted_at", 0, INT64_MAX, 0, &deleted) ||
        !get_array(object, "partitions", &partitions))
        return bad(err, "it can't be read");
    if (kb_manifest_generation(m, &id))
        return bad(err, "its id is there twice");
    rc = kb_manifest_add_generation(m, name, (uint32_t)number, &id, &g, err);
    if (rc != KBP_OK)
        return rc;
    g->id_is_kafkas = json_is_true(json_object_get(object, "id_is_kafkas"));
    g->deleted_ms = deleted;
    if (desc) {
        rc = read_desc(desc, &g->desc, err);
        if (rc != KBP_OK)
            return rc;
    }
    for (i = 0; i < json_array_size(partitions); i++) {
        const json_t *item = json_array_get(partitions, i);
        struct kb_partition_log *log;
        int64_t partition;

        if (!get_int(item, "partition", 0, INT32_MAX, -1, &partition) ||
            kb_generation_partition(g, (int32_t)partition))
            return kb_fail(err, KBP_ERR_CORRUPT, "%s: partition %zu is none",
                           name, i);
        rc = kb_generation_add_partition(g, (int32_t)partition, &log, err);
        if (rc == KBP_OK)
            rc = read_partition(item, m, log, err);
        if (rc != KBP_OK)
            return kb_err_wrap(err, "%s/%d", name, (int)partition);
    }
    return KBP_OK;
}

static int read_topics(const json_t *array, struct kb_manifest *m,
                       struct kbp_error *err)
{
    size_t i;
    int rc = KBP_OK;

    for (i = 0; i < json_array_size(array) && rc == KBP_OK; i++)
        rc = read_topic(json_array_get(array, i), m, err);
    return rc == KBP_OK ? rc : kb_err_wrap(err, "topic %zu", i - 1);
}

static bool status_of(const char *word, enum kb_run_status *status)
{
    int i;

    for (i = KB_RUN_RUNNING; i <= KB_RUN_INTERRUPTED; i++)
        if (strcmp(kb_run_status_word((enum kb_run_status)i), word) == 0) {
            *status = (enum kb_run_status)i;
            return true;
        }
    return false;
}

static int read_reasons(const json_t *object, struct kb_run *run,
                        struct kbp_error *err)
{
    const json_t *reasons;
    size_t i;
    int rc = KBP_OK;

    if (!get_array(object, "reasons", &reasons))
        return bad(err, "a run's reasons can't be read");
    for (i = 0; i < json_array_size(reasons) && rc == KBP_OK; i++) {
        const json_t *item = json_array_get(reasons, i);
        const char *topic;
        const char *text;
        int64_t partition;

        if (!get_text(item, "topic", &topic) ||
            !get_text(item, "reason", &text) || !text ||
            !get_int(item, "partition", -1, INT32_MAX, -1, &partition))
            return bad(err, "a run's reason can't be read");
        rc = kb_run_add_reason(run, topic, (int32_t)partition, text, err);
    }
    return rc;
}

static int read_runs(const json_t *array, struct kb_manifest *m,
                     struct kbp_error *err)
{
    size_t i;
    int rc = KBP_OK;

    for (i = 0; i < json_array_size(array) && rc == KBP_OK; i++) {
        const json_t *item = json_array_get(array, i);
        enum kb_run_status status;
        struct kb_run *run;
        const char *name;
        const char *word;
        const char *host;
        int64_t began;
        int64_t ended;

        if (!get_text(item, "run", &name) || !name ||
            strlen(name) != KB_RUN_TEXT - 1 || !kb_run_parse(name, &began) ||
            !get_text(item, "status", &word) || !word ||
            !status_of(word, &status) || !get_text(item, "host", &host) ||
            !get_int(item, "began_at", 0, INT64_MAX, 0, &began) ||
            !get_int(item, "ended_at", 0, INT64_MAX, 0, &ended))
            return kb_fail(err, KBP_ERR_CORRUPT, "run %zu can't be read", i);
        rc = kb_manifest_add_run(m, name, &run, err);
        if (rc != KBP_OK)
            return rc;
        run->status = status;
        run->began_ms = began;
        run->ended_ms = ended;
        rc = kb_set_text(&run->host, host, err);
        if (rc == KBP_OK)
            rc = read_reasons(item, run, err);
    }
    return rc;
}

static int read_captures(const json_t *array, struct kb_manifest *m,
                         struct kbp_error *err)
{
    size_t i;
    int rc = KBP_OK;

    for (i = 0; i < json_array_size(array) && rc == KBP_OK; i++) {
        const json_t *item = json_array_get(array, i);
        struct kb_group_capture capture;
        const char *name;

        if (!get_text(item, "name", &name) || !name ||
            !kb_name_parse(name, strlen(name), &capture.name) ||
            !get_int(item, "captured_at", 0, INT64_MAX, -1,
                     &capture.captured_ms))
            return bad(err, "a group capture can't be read");
        rc = kb_manifest_add_capture(m, &capture, err);
    }
    return rc;
}

/* --- the document -------------------------------------------------------- */

static int check_version(const json_t *root, struct kbp_error *err)
{
    const json_t *version = json_object_get(root, "format_version");
    json_int_t number = json_integer_value(version);

    if (!json_is_object(root))
        return bad(err, "it is no JSON object");
    if (!version && json_is_array(json_object_get(root, "topics")) &&
        json_object_get(root, "created_at")) {
        (void)kb_fail(err, KBP_ERR_UNSUPPORTED,
                      "the backup is of format 1, that of OSO kafka-backup, "
                      "which this version doesn't read");
        kb_err_hint(err, "restore it with OSO kafka-backup, or back the "
                         "topics up again under another backup_id");
        return KBP_ERR_UNSUPPORTED;
    }
    if (!json_is_integer(version) || number < 2)
        return bad(err, "it doesn't say its format_version");
    if (number > 2) {
        (void)kb_fail(err, KBP_ERR_UNSUPPORTED,
                      "the backup is of format %lld, this version knows 2",
                      (long long)number);
        kb_err_hint(err, "a newer kafka-backup wrote it: use that, or newer");
        return KBP_ERR_UNSUPPORTED;
    }
    return KBP_OK;
}

static int read_head(const json_t *root, struct kb_manifest *m,
                     struct kb_doc *doc, struct kbp_error *err)
{
    const json_t *begins;
    const json_t *folded;
    const char *entry;
    const char *cluster;
    int rc;

    if (!get_text(root, "entry", &entry) ||
        !get_array(root, "begins_after", &begins) ||
        !get_array(root, "folded", &folded) ||
        !get_text(root, "cluster_id", &cluster) ||
        !get_int(root, "created_at", 0, INT64_MAX, 0, &m->created_ms) ||
        !get_int(root, "written_at", 0, INT64_MAX, 0, &doc->written_ms))
        return bad(err, "its head can't be read");
    doc->is_entry = entry != NULL;
    if (entry && !kb_name_parse(entry, strlen(entry), &doc->entry))
        return bad(err, "it doesn't say which entry it is");
    doc->begins = begins != NULL;
    rc = read_names(begins, &doc->closed, err);
    if (rc == KBP_OK)
        rc = read_names(folded, &doc->folded, err);
    if (rc == KBP_OK)
        rc = kb_set_text(&m->cluster_id, cluster, err);
    return rc;
}

static int read_body(const json_t *root, struct kb_manifest *m,
                     struct kbp_error *err)
{
    const json_t *segments;
    const json_t *topics;
    const json_t *runs;
    const json_t *groups;
    int rc;

    if (!get_array(root, "segments", &segments) ||
        !get_array(root, "topics", &topics) ||
        !get_array(root, "runs", &runs) || !get_array(root, "groups", &groups))
        return bad(err, "its lists can't be read");
    rc = read_segments(segments, m, err);
    if (rc == KBP_OK)
        rc = read_topics(topics, m, err);
    if (rc == KBP_OK)
        rc = read_runs(runs, m, err);
    if (rc == KBP_OK)
        rc = read_captures(groups, m, err);
    return rc;
}

/*
 * A document without a checksum is accepted: somebody had to mend it by hand.
 */
static int check_crc(const json_t *root, const char *bytes, size_t len,
                     struct kbp_error *err)
{
    const char *at = NULL;
    int64_t want;
    uint32_t got;
    const char *next = bytes;

    if (!json_object_get(root, "crc32c"))
        return KBP_OK;
    for (;;) {
        next = memmem(next, len - (size_t)(next - bytes), KB_MANIFEST_CRC,
                      strlen(KB_MANIFEST_CRC));
        if (!next)
            break;
        at = next++;
    }
    if (!at || !get_int(root, "crc32c", 0, UINT32_MAX, -1, &want))
        return bad(err, "its checksum can't be read");
    got = kb_crc32c(0, bytes, (size_t)(at - bytes));
    if (got != want)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "its checksum is %lld, its bytes give %lu",
                       (long long)want, (unsigned long)got);
    return KBP_OK;
}

int kb_manifest_read(const void *bytes, size_t len, const char *backup_id,
                     struct kb_manifest **manifest, struct kb_doc *doc,
                     struct kbp_error *err)
{
    struct kb_manifest *m = NULL;
    json_error_t where;
    json_t *root =
        json_loadb(bytes ? bytes : "", len, JSON_REJECT_DUPLICATES, &where);
    int rc;

    if (!root)
        return kb_fail(err, KBP_ERR_CORRUPT, "it is no JSON: line %d: %s",
                       where.line, where.text);
    rc = check_version(root, err);
    if (rc == KBP_OK)
        rc = check_crc(root, bytes, len, err);
    if (rc == KBP_OK)
        rc = kb_manifest_new(&m, backup_id, err);
    if (rc == KBP_OK)
        rc = read_head(root, m, doc, err);
    if (rc == KBP_OK)
        rc = read_body(root, m, err);
    json_decref(root);
    if (rc == KBP_OK)
        *manifest = m;
    else
        kb_manifest_free(m);
    return rc;
}

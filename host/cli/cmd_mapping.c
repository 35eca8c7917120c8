/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_mapping.c - `show-offset-mapping`: where the source's offsets are in the
 * target.
 *
 * A restore keeps its map beside the backup, ID/restores/RESTORE/.  Without a
 * restore there is the source's side only.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "archive/restore_state.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/archive_view.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/restores.h"
#include "offsets/offset_map.h"

struct mapping {
    char *restore_id; /* NULL: no restore */
    char *prefix;
    struct kb_restore_state state;
    struct kb_offset_map *maps; /* one for each of the state's sources */
};

static void mapping_release(struct mapping *mapping)
{
    size_t i;

    for (i = 0; mapping->maps && i < mapping->state.source_count; i++)
        kb_offset_map_release(&mapping->maps[i]);
    free(mapping->maps);
    kb_restore_state_release(&mapping->state);
    free(mapping->restore_id);
    free(mapping->prefix);
}

/* Without a name, as many restores are looked at for the newest. */
#define LOOKED_AT 256

static int load_state(struct mapping *mapping,
                      const struct kb_archive_view *view, const char *id,
                      struct kbp_error *err)
{
    free(mapping->prefix);
    mapping->prefix = kb_restore_prefix(view->backup_id, id);
    if (!mapping->prefix)
        return kb_fail_nomem(err, "a key");
    kb_restore_state_release(&mapping->state);
    kb_restore_state_init(&mapping->state);
    return kb_restore_state_load(&mapping->state, view->session,
                                 mapping->prefix, err);
}

/* The restore that was saved last, if there is any. */
static int pick_newest(struct mapping *mapping,
                       const struct kb_archive_view *view,
                       struct kbp_error *err)
{
    struct kb_restore_ids ids = {0};
    int64_t newest = 0;
    size_t i;
    int status = kb_restore_ids_list(&ids, view->session, view->backup_id, err);

    for (i = 0; !status && i < ids.count && i < LOOKED_AT; i++) {
        status = load_state(mapping, view, ids.items[i], err);
        if (!status && mapping->state.saved_ms >= newest) {
            newest = mapping->state.saved_ms;
            free(mapping->restore_id);
            mapping->restore_id = kb_strdup(ids.items[i]);
        }
        if (status == KBP_ERR_NOT_FOUND)
            status = KBP_OK;
    }
    kb_restore_ids_release(&ids);
    return status;
}

static int on_run(void *data, const struct kb_map_run *run,
                  struct kbp_error *err)
{
    struct mapping *mapping = data;
    struct kb_offset_run one = {.source = run->source_start,
                                .target = run->target_start,
                                .len = run->len,
                                .first_timestamp = run->first_timestamp,
                                .last_timestamp = run->last_timestamp};

    if (run->source >= mapping->state.source_count)
        return kb_fail(err, KBP_ERR_CORRUPT, "%s: no such source",
                       mapping->prefix);
    return kb_offset_map_add(&mapping->maps[run->source], &one, err);
}

static int mapping_load(struct mapping *mapping,
                        const struct kb_archive_view *view,
                        const char *restore_id, struct kbp_error *err)
{
    int status = KBP_OK;

    memset(mapping, 0, sizeof *mapping);
    kb_restore_state_init(&mapping->state);
    if (restore_id)
        mapping->restore_id = kb_strdup(restore_id);
    else
        status = pick_newest(mapping, view, err);
    if (status || !mapping->restore_id)
        return status;
    status = load_state(mapping, view, mapping->restore_id, err);
    if (status == KBP_ERR_NOT_FOUND) {
        kb_err_clear(err);
        return kb_fail(err, KBP_ERR_NOT_FOUND,
                       "no restore \"%s\" is recorded beside backup %s",
                       mapping->restore_id, view->backup_id);
    }
    if (status)
        return status;
    mapping->maps =
        calloc(mapping->state.source_count + 1, sizeof *mapping->maps);
    if (!mapping->maps)
        return kb_fail_nomem(err, "the map of offsets");
    return kb_map_each(&mapping->state, view->session, mapping->prefix, on_run,
                       mapping, err);
}

/* One row: a run of the map, or an extent of the source. */
struct row {
    const char *topic;
    int32_t partition;
    int64_t first;
    int64_t last;
    const char *target_topic; /* NULL: not known */
    int32_t target_partition;
    int64_t target_first;
    int64_t first_timestamp; /* -1: not known */
    int64_t last_timestamp;
};

struct sink {
    enum kb_output format;
    json_t *rows;
    const char *topic; /* only these; or NULL */
    int64_t partition; /* or -1 */
    int64_t offset;    /* or -1: only the row that has it, or the next */
    int64_t found;     /* rows */
};

static json_t *optional(bool known, int64_t value)
{
    return known ? json_integer((json_int_t)value) : json_null();
}

static void csv_text(const char *text)
{
    if (!strpbrk(text, ",\"\n")) {
        (void)fputs(text, stdout);
        return;
    }
    (void)fputc('"', stdout);
    for (; *text; text++) {
        if (*text == '"')
            (void)fputc('"', stdout);
        (void)fputc(*text, stdout);
    }
    (void)fputc('"', stdout);
}

static void csv_row(const struct row *row)
{
    csv_text(row->topic);
    (void)printf(",%d,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",",
                 (int)row->partition, row->first, row->last,
                 row->first_timestamp, row->last_timestamp);
    if (row->target_topic) {
        csv_text(row->target_topic);
        (void)printf(",%d,%" PRId64 ",%" PRId64, (int)row->target_partition,
                     row->target_first,
                     row->target_first + row->last - row->first);
    } else {
        (void)fputs(",,,", stdout);
    }
    (void)fputc('\n', stdout);
}

static void text_row(const struct row *row)
{
    if (row->target_topic)
        kb_out("%s/%d  %" PRId64 "..%" PRId64 "  ->  %s/%d  %" PRId64
               "..%" PRId64,
               row->topic, (int)row->partition, row->first, row->last,
               row->target_topic, (int)row->target_partition, row->target_first,
               row->target_first + row->last - row->first);
    else
        kb_out("%s/%d  %" PRId64 "..%" PRId64, row->topic, (int)row->partition,
               row->first, row->last);
}

static void json_row(json_t *rows, const struct row *row)
{
    bool known = row->target_topic != NULL;

    (void)json_array_append_new(
        rows,
        json_pack("{s:s, s:i, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "topic",
                  row->topic, "partition", (int)row->partition,
                  "source_first_offset", (json_int_t)row->first,
                  "source_last_offset", (json_int_t)row->last, "target_topic",
                  known ? json_string(row->target_topic) : json_null(),
                  "target_partition", optional(known, row->target_partition),
                  "target_first_offset", optional(known, row->target_first),
                  "target_last_offset",
                  optional(known, row->target_first + row->last - row->first),
                  "first_timestamp",
                  optional(row->first_timestamp >= 0, row->first_timestamp),
                  "last_timestamp",
                  optional(row->last_timestamp >= 0, row->last_timestamp)));
}

/* By --topic and --partition; `partition` -1: any. */
static bool is_asked(const struct sink *sink, const char *topic,
                     int64_t partition)
{
    return (!sink->topic || strcmp(sink->topic, topic) == 0) &&
           (sink->partition < 0 || partition < 0 ||
            sink->partition == partition);
}

static void put(struct sink *sink, const struct row *row)
{
    if (!is_asked(sink, row->topic, row->partition))
        return;
    sink->found++;
    if (sink->format == KB_OUTPUT_TEXT)
        text_row(row);
    else if (sink->format == KB_OUTPUT_CSV)
        csv_row(row);
    else
        json_row(sink->rows, row);
}

static void put_map(struct sink *sink, const struct mapping *mapping)
{
    size_t s;
    size_t i;

    for (s = 0; s < mapping->state.source_count; s++) {
        const struct kb_restore_source *source = &mapping->state.sources[s];
        const struct kb_restore_target *target =
            &mapping->state.targets[source->target];

        for (i = 0; i < mapping->maps[s].count; i++) {
            const struct kb_offset_run *run = &mapping->maps[s].runs[i];
            struct row row = {.topic = source->topic,
                              .partition = source->partition,
                              .first = run->source,
                              .last = run->source + run->len - 1,
                              .target_topic = target->topic,
                              .target_partition = target->partition,
                              .target_first = run->target,
                              .first_timestamp = run->first_timestamp,
                              .last_timestamp = run->last_timestamp};

            put(sink, &row);
        }
    }
}

static void put_source(struct sink *sink, const struct kb_manifest *manifest)
{
    size_t g;
    size_t p;

    for (g = 0; g < manifest->generation_count; g++) {
        const struct kb_generation *generation = &manifest->generations[g];

        for (p = 0; p < generation->partition_count; p++) {
            const struct kb_partition_log *log = &generation->partitions[p];
            struct kb_sums sums;
            struct row row = {.topic = generation->topic,
                              .partition = log->partition,
                              .first = kb_partition_start(log),
                              .last = kb_partition_resume(log) - 1,
                              .first_timestamp = -1,
                              .last_timestamp = -1};

            kb_partition_sums(log, &sums);
            if (sums.min_known)
                row.first_timestamp = sums.min_timestamp;
            if (sums.batches)
                row.last_timestamp = sums.max_timestamp;
            put(sink, &row);
        }
    }
}

/* --offset: what one offset of the source has become. */
static int translate(const struct sink *sink, const struct mapping *mapping,
                     struct kbp_error *err)
{
    size_t s;

    for (s = 0; s < mapping->state.source_count; s++) {
        const struct kb_restore_source *source = &mapping->state.sources[s];
        const struct kb_restore_target *target =
            &mapping->state.targets[source->target];
        int64_t offset = 0;
        bool exact;

        if (strcmp(source->topic, sink->topic) != 0 ||
            source->partition != sink->partition)
            continue;
        exact = kb_offset_map_find(&mapping->maps[s], sink->offset, &offset);
        if (!exact)
            offset = kb_offset_map_end(&mapping->maps[s], target->start_offset);
        if (sink->format == KB_OUTPUT_TEXT || sink->format == KB_OUTPUT_CSV) {
            kb_out("%" PRId64, offset);
        } else {
            json_t *out = json_pack(
                "{s:s, s:i, s:I, s:s, s:i, s:I, s:b}", "topic", source->topic,
                "partition", (int)source->partition, "source_offset",
                (json_int_t)sink->offset, "target_topic", target->topic,
                "target_partition", (int)target->partition, "target_offset",
                (json_int_t)offset, "at_end", (int)!exact);

            kb_output_json(sink->format, out);
            json_decref(out);
        }
        return KBP_OK;
    }
    return kb_fail(err, KBP_ERR_NOT_FOUND,
                   "%s/%" PRId64 " was not restored by %s", sink->topic,
                   sink->partition,
                   mapping->restore_id ? mapping->restore_id : "any restore");
}

/* Nothing was found: because there is nothing, or no such thing? */
static int check_known(const struct sink *sink, const struct mapping *mapping,
                       const struct kb_manifest *manifest,
                       struct kbp_error *err)
{
    char partition[40] = "";
    size_t g;
    size_t i;

    if (!sink->topic && sink->partition < 0)
        return KBP_OK;
    for (g = 0; !mapping->restore_id && g < manifest->generation_count; g++) {
        const struct kb_generation *generation = &manifest->generations[g];

        /* All its partitions have rows, but it may have none. */
        if (is_asked(sink, generation->topic, -1) && sink->partition < 0)
            return KBP_OK;
    }
    for (i = 0; i < mapping->state.source_count; i++)
        if (is_asked(sink, mapping->state.sources[i].topic,
                     mapping->state.sources[i].partition))
            return KBP_OK;
    if (sink->partition >= 0)
        (void)snprintf(partition, sizeof partition, " partition %" PRId64,
                       sink->partition);
    return kb_fail(err, KBP_ERR_NOT_FOUND, "%s%s has no%s%s%s%s",
                   mapping->restore_id ? "restore " : "the backup",
                   mapping->restore_id ? mapping->restore_id : "",
                   sink->topic ? " topic " : "", sink->topic ? sink->topic : "",
                   sink->topic && *partition ? " with" : "", partition);
}

static int parse(const struct kb_args *args, struct sink *sink,
                 struct kbp_error *err)
{
    const char *partition = kb_args_value(args, "partition");
    const char *offset = kb_args_value(args, "offset");

    sink->format = kb_output_format(args);
    sink->topic = kb_args_value(args, "topic");
    sink->partition = -1;
    sink->offset = -1;
    if (partition)
        (void)kb_parse_i64(partition, &sink->partition);
    if (offset)
        (void)kb_parse_i64(offset, &sink->offset);
    if (offset && (!sink->topic || !partition))
        return kb_fail(err, KBP_ERR_CONFIG,
                       "--offset needs --topic and --partition");
    return KBP_OK;
}

static int run(struct kb_program *program)
{
    const struct kb_args *args = &program->args;
    struct kbp_error err = KB_ERR_INIT;
    struct kb_archive_view view = {0};
    struct mapping mapping = {0};
    struct sink sink = {0};
    int status;

    if (parse(args, &sink, &err))
        return kb_program_misused(args, &err);
    kb_restore_state_init(&mapping.state);
    status = kb_view_open(&view, program, &err);
    if (!status)
        status = mapping_load(&mapping, &view,
                              kb_args_value(args, "restore-id"), &err);
    if (!status && sink.offset >= 0) {
        status = translate(&sink, &mapping, &err);
    } else if (!status) {
        sink.rows = json_array();
        if (sink.format == KB_OUTPUT_CSV)
            kb_out("topic,partition,source_first_offset,source_last_offset,"
                   "first_timestamp,last_timestamp,target_topic,"
                   "target_partition,target_first_offset,target_last_offset");
        if (mapping.restore_id)
            put_map(&sink, &mapping);
        else
            put_source(&sink, view.manifest);
        if (!sink.found)
            status = check_known(&sink, &mapping, view.manifest, &err);
        if (!status &&
            (sink.format == KB_OUTPUT_JSON || sink.format == KB_OUTPUT_YAML))
            kb_output_json(sink.format, sink.rows);
        json_decref(sink.rows);
        if (!status && !mapping.restore_id)
            kb_info("no restore is recorded in the store: this is the "
                    "source's side only");
    }
    mapping_release(&mapping);
    kb_view_close(&view);
    return status ? kb_program_fail("show-offset-mapping", &err) : KB_EXIT_OK;
}

static const struct kb_flag flags[] = {
    KB_FLAGS_STORE,
    KB_FLAG_BACKUP_ID(0),
    {.name = "restore-id",
     .value = "ID",
     .help = "the map of this restore; absent: of the last one"},
    {.name = "topic", .value = "TOPIC", .help = "only this topic"},
    {.name = "partition",
     .value = "NUMBER",
     .flags = KB_FLAG_NUMBER,
     .help = "only this partition"},
    {.name = "offset",
     .value = "OFFSET",
     .flags = KB_FLAG_NUMBER,
     .help = "translate this one offset of the source: prints where the first "
             "restored record at or after it is, else the end"},
    KB_FLAG_FORMAT("text|json|yaml|csv")};

static const struct kb_example examples[] = {
    {"kafka-backup show-offset-mapping -p /backups -b nightly -f csv",
     "all ranges, source and target"},
    {"kafka-backup show-offset-mapping -p /backups -b nightly --topic orders "
     "--partition 3 --offset 120034",
     "where a consumer that had committed 120034 has to go on"},
};

const struct kb_command kb_cmd_show_offset_mapping = {
    .name = "show-offset-mapping",
    .summary = "where offsets of the source are in the target",
    .details =
        "A restore records where it put every record; this shows it as ranges, "
        "or translates one offset. Without a restore in the store only the "
        "source's side is shown. (With restore.checkpoint_state the map is in "
        "that folder, and in the file of restore.offset_report.)",
    KB_FLAGS(flags),
    .looks_at_store = true,
    .looks_at_backup = true,
    KB_EXAMPLES(examples),
    .run = run};

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_list.c - `list`: which backups there are, and which topics in one. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/archive_view.h"
#include "cli/commands.h"
#include "cli/output.h"

struct names {
    char **items;
    size_t count;
    bool failed;
};

/* Each folder at the top may be a backup. */
static int32_t on_object(void *data, const struct kbp_object *object)
{
    struct names *names = data;
    size_t len = strlen(object->key);
    char **more;

    if (!(object->flags & KBP_OBJECT_PREFIX) || len < 2)
        return 0;
    more = reallocarray(names->items, names->count + 1, sizeof *more);
    if (more) {
        names->items = more;
        more[names->count] = strndup(object->key, len - 1);
    }
    if (!more || !more[names->count]) {
        names->failed = true;
        return 1;
    }
    names->count++;
    return 0;
}

static json_t *backup_json(struct kb_archive_view *view, const char *id)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_archive_totals totals;
    struct kb_manifest *manifest;
    json_t *out;
    int status = kb_manifest_load(&manifest, view->session, id, &err);

    if (status == KBP_ERR_NOT_FOUND)
        return NULL; /* a folder of something else */
    out = json_object();
    (void)json_object_set_new(out, "backup_id", json_string(id));
    if (status) {
        (void)json_object_set_new(out, "error", json_string(err.message));
        return out;
    }
    kb_archive_totals(manifest, &totals);
    (void)json_object_set_new(out, "created_at",
                              json_integer(manifest->created_ms));
    (void)json_object_set_new(out, "topics",
                              json_integer((json_int_t)totals.topics));
    (void)json_object_set_new(out, "records",
                              json_integer((json_int_t)totals.records));
    (void)json_object_set_new(out, "stored_bytes",
                              json_integer((json_int_t)totals.stored_bytes));
    (void)json_object_set_new(
        out, "last_run",
        manifest->run_count
            ? json_string(kb_run_status_word(
                  manifest->runs[manifest->run_count - 1].status))
            : json_null());
    kb_manifest_free(manifest);
    return out;
}

static void print_backup(const json_t *backup)
{
    const json_t *error = json_object_get(backup, "error");
    const char *id = json_string_value(json_object_get(backup, "backup_id"));
    char created[KB_TIME_TEXT];
    char records[32];
    char bytes[32];

    if (error) {
        kb_out("  - %s  (can't be read: %s)", id, json_string_value(error));
        return;
    }
    kb_out("  - %s  %s, %lld topics, %s records, %s, last run %s", id,
           kb_time_text(created, json_integer_value(
                                     json_object_get(backup, "created_at"))),
           (long long)json_integer_value(json_object_get(backup, "topics")),
           kb_count_text(records, (uint64_t)json_integer_value(
                                      json_object_get(backup, "records"))),
           kb_bytes_text(bytes, (uint64_t)json_integer_value(
                                    json_object_get(backup, "stored_bytes"))),
           json_string_value(json_object_get(backup, "last_run")));
}

static int list_backups(struct kb_archive_view *view, enum kb_output format,
                        struct kbp_error *err)
{
    struct names names = {0};
    json_t *out = json_array();
    size_t i;
    int status = kb_store_list(view->session, "", NULL, KBP_LIST_SHALLOW,
                               on_object, &names, err);

    if (!status && names.failed)
        status = kb_fail_nomem(err, "the list");
    for (i = 0; i < names.count; i++) {
        json_t *one = status ? NULL : backup_json(view, names.items[i]);

        if (one)
            (void)json_array_append_new(out, one);
        free(names.items[i]);
    }
    free(names.items);
    if (!status && format != KB_OUTPUT_TEXT)
        kb_output_json(format, out);
    else if (!status && !json_array_size(out))
        kb_out("No backups found.");
    else if (!status)
        kb_out("Available backups:");
    for (i = 0; !status && format == KB_OUTPUT_TEXT && i < json_array_size(out);
         i++)
        print_backup(json_array_get(out, i));
    json_decref(out);
    return status;
}

static void list_topics(const struct kb_manifest *manifest)
{
    char text[KB_TIME_TEXT];
    size_t g;
    size_t p;

    kb_out("Backup ID: %s", manifest->backup_id);
    kb_out("Created: %s", kb_time_text(text, manifest->created_ms));
    kb_out("\nTopics:");
    for (g = 0; g < manifest->generation_count; g++) {
        const struct kb_generation *generation = &manifest->generations[g];
        uint64_t records = 0;
        size_t pieces = 0;

        for (p = 0; p < generation->partition_count; p++) {
            struct kb_sums sums;

            kb_partition_sums(&generation->partitions[p], &sums);
            records += sums.records;
            pieces += generation->partitions[p].extent_count;
        }
        kb_out("  - %s (%zu partitions, %zu segments, %" PRIu64 " records%s)",
               generation->topic, generation->partition_count, pieces, records,
               generation->deleted_ms ? ", deleted since" : "");
    }
}

static int run(struct kb_program *program)
{
    enum kb_output format = kb_output_format(&program->args);
    struct kbp_error err = KB_ERR_INIT;
    struct kb_archive_view view;
    json_t *json;
    int status;

    if (!kb_args_value(&program->args, "backup-id")) {
        status = kb_view_open_store(&view, program, &err);
        if (!status)
            status = list_backups(&view, format, &err);
    } else {
        status = kb_view_open(&view, program, &err);
        if (!status && format == KB_OUTPUT_TEXT) {
            list_topics(view.manifest);
        } else if (!status) {
            json = kb_archive_json(view.manifest);
            kb_output_json(format, json_object_get(json, "topics"));
            json_decref(json);
        }
    }
    kb_view_close(&view);
    return status ? kb_program_fail("list", &err) : KB_EXIT_OK;
}

static const struct kb_flag flags[] = {KB_FLAGS_STORE, KB_FLAG_BACKUP_ID(0),
                                       KB_FLAG_FORMAT("text|json|yaml")};

static const struct kb_example examples[] = {
    {"kafka-backup list -p /backups", "the backups in a folder"},
    {"kafka-backup list -p /backups -b nightly", "the topics of one"},
};

const struct kb_command kb_cmd_list = {
    .name = "list",
    .summary = "the backups in a store, or the topics of one",
    .details = "Without --backup-id lists the backups of a store, with it the "
               "topics of that backup.",
    KB_FLAGS(flags),
    .looks_at_store = true,
    KB_EXAMPLES(examples),
    .run = run};

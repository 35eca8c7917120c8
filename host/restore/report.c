/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - what a restore did, as JSON; and the file of its offsets. */
#include "restore/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

static int on_run(void *data, const struct kb_map_run *run,
                  struct kbp_error *err)
{
    struct kb_source_maps *maps = data;
    const struct kb_offset_run adding = {
        .source = run->source_start,
        .target = run->target_start,
        .len = run->len,
        .first_timestamp = run->first_timestamp,
        .last_timestamp = run->last_timestamp,
    };

    if (run->source >= maps->count)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "the map of offsets names source %" PRIu32 " of %zu",
                       run->source, maps->count);
    return kb_offset_map_add(&maps->items[run->source], &adding, err);
}

int kb_source_maps_load(struct kb_source_maps *maps, struct kb_restore_run *run,
                        struct kbp_error *err)
{
    maps->count = run->state.source_count;
    maps->items = calloc(maps->count + 1, sizeof *maps->items);
    if (!maps->items)
        return kb_fail_nomem(err, "the map of offsets");
    return kb_map_each(&run->state, run->state_session, run->state_prefix,
                       on_run, maps, err);
}

void kb_source_maps_release(struct kb_source_maps *maps)
{
    size_t i;

    for (i = 0; i < maps->count; i++)
        kb_offset_map_release(&maps->items[i]);
    free(maps->items);
    *maps = (struct kb_source_maps){0};
}

static int64_t map_records(const struct kb_offset_map *map)
{
    int64_t records = 0;
    size_t i;

    for (i = 0; i < map->count; i++)
        records += map->runs[i].len;
    return records;
}

static json_t *texts(char *const *list, size_t count)
{
    json_t *array = json_array();
    size_t i;

    for (i = 0; i < count; i++)
        (void)json_array_append_new(array, json_string(list[i]));
    return array;
}

static json_t *number_or_null(bool known, int64_t number)
{
    return known ? json_integer(number) : json_null();
}

static json_t *partition_json(const struct kb_restore_run *run,
                              const struct kb_restore_source *source,
                              const struct kb_offset_map *map)
{
    const struct kb_restore_target *target =
        &run->state.targets[source->target];
    const struct kb_offset_run *first = map->count ? &map->runs[0] : NULL;
    const struct kb_offset_run *last =
        map->count ? &map->runs[map->count - 1] : NULL;
    json_t *item = json_object();

    (void)json_object_set_new(item, "source_partition",
                              json_integer(source->partition));
    (void)json_object_set_new(item, "target_partition",
                              json_integer(target->partition));
    (void)json_object_set_new(item, "records", json_integer(map_records(map)));
    (void)json_object_set_new(item, "first_offset",
                              number_or_null(first, first ? first->source : 0));
    (void)json_object_set_new(
        item, "last_offset",
        number_or_null(last, last ? last->source + last->len - 1 : 0));
    (void)json_object_set_new(item, "target_first_offset",
                              number_or_null(first, first ? first->target : 0));
    (void)json_object_set_new(
        item, "target_last_offset",
        number_or_null(last, last ? last->target + last->len - 1 : 0));
    (void)json_object_set_new(
        item, "first_timestamp",
        number_or_null(first, first ? first->first_timestamp : 0));
    (void)json_object_set_new(
        item, "last_timestamp",
        number_or_null(last, last ? last->last_timestamp : 0));
    (void)json_object_set_new(
        item, "complete",
        json_boolean(source->next_offset >= source->end_offset));
    (void)json_object_set_new(item, "verified", json_boolean(target->verified));
    return item;
}

static json_t *topics_json(const struct kb_restore_run *run,
                           const struct kb_source_maps *maps)
{
    json_t *topics = json_array();
    size_t i = 0;

    while (i < run->state.source_count) {
        const struct kb_restore_source *first = &run->state.sources[i];
        const char *target = run->state.targets[first->target].topic;
        json_t *topic = json_object();
        json_t *partitions = json_array();
        int64_t records = 0;

        for (; i < run->state.source_count; i++) {
            const struct kb_restore_source *source = &run->state.sources[i];

            if (strcmp(source->topic, first->topic) != 0 ||
                strcmp(run->state.targets[source->target].topic, target) != 0)
                break;
            (void)json_array_append_new(
                partitions, partition_json(run, source, &maps->items[i]));
            records += map_records(&maps->items[i]);
        }
        (void)json_object_set_new(topic, "source_topic",
                                  json_string(first->topic));
        (void)json_object_set_new(topic, "target_topic", json_string(target));
        (void)json_object_set_new(topic, "partitions", partitions);
        (void)json_object_set_new(topic, "records", json_integer(records));
        (void)json_array_append_new(topics, topic);
    }
    return topics;
}

static json_t *configs_json(const struct kb_restore_run *run)
{
    json_t *configs = json_array();
    size_t i;

    for (i = 0; i < run->state.config_count; i++) {
        const struct kb_restore_config *config = &run->state.configs[i];
        json_t *item = json_object();

        (void)json_object_set_new(item, "topic", json_string(config->topic));
        (void)json_object_set_new(item, "name", json_string(config->name));
        (void)json_object_set_new(item, "value",
                                  config->value ? json_string(config->value)
                                                : json_null());
        (void)json_object_set_new(item, "state",
                                  json_string(config->left_off ? "left_off"
                                              : config->put_back
                                                  ? "put_back"
                                                  : "held_back"));
        (void)json_array_append_new(configs, item);
    }
    return configs;
}

static const char *outcome_word(enum kb_restore_outcome outcome)
{
    switch (outcome) {
    case KB_RESTORE_COMPLETE:
        return "complete";
    case KB_RESTORE_INCOMPLETE:
        return "incomplete";
    case KB_RESTORE_INTERRUPTED:
        return "interrupted";
    case KB_RESTORE_INVALID:
        return "invalid";
    }
    return "unknown";
}

static void set_common(struct kb_restore_run *run, json_t *json)
{
    const struct kb_restore_report *report = run->report;

    (void)json_object_set_new(json, "errors",
                              texts(report->errors, report->error_count));
    (void)json_object_set_new(json, "warnings",
                              texts(report->warnings, report->warning_count));
}

int kb_report_restore(struct kb_restore_run *run,
                      const struct kb_source_maps *maps, struct kbp_error *err)
{
    const double seconds = (double)run->report->duration_ms / 1000.0;
    json_t *json = json_object();

    if (!json)
        return kb_fail_nomem(err, "the report");
    (void)json_object_set_new(json, "backup_id",
                              json_string(run->config->backup_id));
    (void)json_object_set_new(json, "checkpoint",
                              run->state_prefix ? json_string(run->state_prefix)
                                                : json_null());
    (void)json_object_set_new(json, "outcome",
                              json_string(outcome_word(run->report->outcome)));
    (void)json_object_set_new(json, "dry_run", json_false());
    (void)json_object_set_new(json, "start_time", json_integer(run->began_ms));
    (void)json_object_set_new(
        json, "end_time",
        json_integer(run->began_ms + run->report->duration_ms));
    (void)json_object_set_new(json, "duration_ms",
                              json_integer(run->report->duration_ms));
    (void)json_object_set_new(json, "topics_restored", topics_json(run, maps));
    (void)json_object_set_new(json, "records_restored",
                              json_integer((json_int_t)run->report->records));
    (void)json_object_set_new(json, "bytes_restored",
                              json_integer((json_int_t)run->report->bytes));
    (void)json_object_set_new(json, "aborted_records_left_out",
                              json_integer((json_int_t)run->report->aborted));
    (void)json_object_set_new(
        json, "throughput_records_per_sec",
        json_real(seconds > 0 ? (double)run->report->records / seconds : 0));
    (void)json_object_set_new(
        json, "throughput_bytes_per_sec",
        json_real(seconds > 0 ? (double)run->report->bytes / seconds : 0));
    (void)json_object_set_new(json, "peak_memory_bytes",
                              json_integer((json_int_t)run->budget.peak));
    (void)json_object_set_new(json, "configs", configs_json(run));
    (void)json_object_set(json, "consumer_groups",
                          run->groups ? run->groups : json_null());
    set_common(run, json);
    run->report->json = json;
    return KBP_OK;
}

static json_t *pair_json(json_t *first, json_t *second)
{
    json_t *pair = json_array();

    (void)json_array_append_new(pair, first);
    (void)json_array_append_new(pair, second);
    return pair;
}

static json_t *dry_topics(const struct kb_restore_run *run,
                          const struct kb_topics *topics)
{
    const struct kb_plan *plan = &run->plan;
    json_t *array = json_array();
    size_t i = 0;

    while (i < plan->source_count) {
        const struct kb_plan_source *first = &plan->sources[i];
        json_t *topic = json_object();
        json_t *partitions = json_array();

        (void)json_object_set_new(topic, "source_topic",
                                  json_string(first->generation->topic));
        (void)json_object_set_new(topic, "target_topic",
                                  json_string(plan->topics[first->topic].name));
        (void)json_object_set_new(
            topic, "target_exists",
            json_boolean(topics->items[first->topic].exists));
        for (; i < plan->source_count; i++) {
            const struct kb_plan_source *source = &plan->sources[i];
            const bool any = source->sums.records > 0;
            json_t *item = json_object();

            if (source->generation != first->generation ||
                source->topic != first->topic)
                break;
            (void)json_object_set_new(item, "source_partition",
                                      json_integer(source->log->partition));
            (void)json_object_set_new(item, "target_partition",
                                      json_integer(source->target));
            (void)json_object_set_new(
                item, "segments", json_integer((json_int_t)source->segments));
            (void)json_object_set_new(
                item, "records",
                json_integer((json_int_t)source->sums.records));
            (void)json_object_set_new(
                item, "offset_range",
                pair_json(json_integer(source->start),
                          json_integer(source->end > source->start
                                           ? source->end - 1
                                           : source->end)));
            (void)json_object_set_new(
                item, "timestamp_range",
                pair_json(number_or_null(any && source->sums.min_known,
                                         source->sums.min_timestamp),
                          number_or_null(any, source->sums.max_timestamp)));
            (void)json_array_append_new(partitions, item);
        }
        (void)json_object_set_new(topic, "partitions", partitions);
        (void)json_array_append_new(array, topic);
    }
    return array;
}

int kb_report_dry_run(struct kb_restore_run *run,
                      const struct kb_topics *topics, struct kbp_error *err)
{
    json_t *json = json_object();
    struct kb_sums sums = {0};
    size_t segments = 0;
    uint64_t bytes = 0;
    size_t i;

    if (!json)
        return kb_fail_nomem(err, "the report");
    for (i = 0; i < run->plan.source_count; i++) {
        kb_sums_add(&sums, &run->plan.sources[i].sums);
        segments += run->plan.sources[i].segments;
        bytes += run->plan.sources[i].bytes;
    }
    run->report->records = sums.records;
    run->report->bytes = bytes;
    (void)json_object_set_new(json, "backup_id",
                              json_string(run->config->backup_id));
    (void)json_object_set_new(json, "valid",
                              json_boolean(!run->report->error_count));
    (void)json_object_set_new(json, "dry_run", json_true());
    set_common(run, json);
    (void)json_object_set_new(json, "segments_to_process",
                              json_integer((json_int_t)segments));
    (void)json_object_set_new(json, "records_to_restore",
                              json_integer((json_int_t)sums.records));
    (void)json_object_set_new(json, "bytes_to_restore",
                              json_integer((json_int_t)bytes));
    (void)json_object_set_new(json, "largest_batch_bytes",
                              json_integer(sums.largest_batch));
    (void)json_object_set_new(
        json, "time_range",
        sums.records
            ? pair_json(number_or_null(sums.min_known, sums.min_timestamp),
                        json_integer(sums.max_timestamp))
            : json_null());
    (void)json_object_set_new(json, "topics_to_restore",
                              dry_topics(run, topics));
    (void)json_object_set_new(json, "consumer_offset_actions",
                              run->groups ? json_incref(run->groups)
                                          : json_array());
    run->report->json = json;
    return KBP_OK;
}

/* Several sources may go to one partition: each run says of which it is. */
static void add_runs(json_t *array, const struct kb_restore_source *source,
                     const struct kb_offset_map *map)
{
    size_t i;

    for (i = 0; i < map->count; i++) {
        const struct kb_offset_run *run = &map->runs[i];
        json_t *item = json_object();

        (void)json_object_set_new(item, "source_start",
                                  json_integer(run->source));
        (void)json_object_set_new(item, "target_start",
                                  json_integer(run->target));
        (void)json_object_set_new(item, "len", json_integer(run->len));
        (void)json_object_set_new(item, "first_timestamp",
                                  json_integer(run->first_timestamp));
        (void)json_object_set_new(item, "last_timestamp",
                                  json_integer(run->last_timestamp));
        (void)json_object_set_new(item, "source_topic",
                                  json_string(source->topic));
        (void)json_object_set_new(item, "source_partition",
                                  json_integer(source->partition));
        (void)json_array_append_new(array, item);
    }
}

/* The members which an entry and each of its sources have. */
static void set_range(json_t *item, const struct kb_offset_map *map)
{
    const struct kb_offset_run *first = &map->runs[0];
    const struct kb_offset_run *last = &map->runs[map->count - 1];

    (void)json_object_set_new(item, "source_first_offset",
                              json_integer(first->source));
    (void)json_object_set_new(item, "source_last_offset",
                              json_integer(last->source + last->len - 1));
    (void)json_object_set_new(item, "target_first_offset",
                              json_integer(first->target));
    (void)json_object_set_new(item, "target_last_offset",
                              json_integer(last->target + last->len - 1));
    (void)json_object_set_new(item, "first_timestamp",
                              json_integer(first->first_timestamp));
    (void)json_object_set_new(item, "last_timestamp",
                              json_integer(last->last_timestamp));
}

static void widen(json_t *entry, const json_t *source, const char *key, int way)
{
    const json_int_t had = json_integer_value(json_object_get(entry, key));
    json_t *value = json_object_get(source, key);

    if ((json_integer_value(value) - had) * way > 0)
        (void)json_object_set(entry, key, value);
}

/* A range of the source, and to the entry of its target. */
static void add_source(json_t *entries, const char *name,
                       const struct kb_restore_target *target,
                       const struct kb_restore_source *source,
                       const struct kb_offset_map *map)
{
    json_t *entry = json_object_get(entries, name);
    json_t *item = json_object();

    (void)json_object_set_new(item, "topic", json_string(source->topic));
    (void)json_object_set_new(item, "partition",
                              json_integer(source->partition));
    set_range(item, map);
    if (!entry) {
        entry = json_object();
        (void)json_object_set_new(entry, "topic", json_string(target->topic));
        (void)json_object_set_new(entry, "partition",
                                  json_integer(target->partition));
        set_range(entry, map);
        (void)json_object_set_new(entry, "sources", json_array());
        (void)json_object_set_new(entries, name, entry);
    } else {
        widen(entry, item, "source_first_offset", -1);
        widen(entry, item, "source_last_offset", 1);
        widen(entry, item, "target_first_offset", -1);
        widen(entry, item, "target_last_offset", 1);
        widen(entry, item, "first_timestamp", -1);
        widen(entry, item, "last_timestamp", 1);
    }
    (void)json_array_append_new(json_object_get(entry, "sources"), item);
}

/* Written beside it, then renamed. */
static int write_file(const char *path, const json_t *json,
                      struct kbp_error *err)
{
    char *temporary = kb_asprintf("%s.tmp", path);
    FILE *file;
    int status = KBP_OK;

    if (!temporary)
        return kb_fail_nomem(err, "the offset report");
    file = fopen(temporary, "w");
    if (!file) {
        status = kb_fail_errno(err, errno, "writing %s", temporary);
        free(temporary);
        return status;
    }
    if (json_dumpf(json, file, JSON_INDENT(2)) != 0 || fflush(file) != 0 ||
        fsync(fileno(file)) != 0)
        status = kb_fail_errno(err, errno, "writing %s", temporary);
    if (fclose(file) != 0 && status == KBP_OK)
        status = kb_fail_errno(err, errno, "writing %s", temporary);
    if (status == KBP_OK && rename(temporary, path) != 0)
        status = kb_fail_errno(err, errno, "writing %s", path);
    if (status != KBP_OK)
        (void)unlink(temporary);
    free(temporary);
    return status;
}

int kb_report_offsets(struct kb_restore_run *run,
                      const struct kb_source_maps *maps, const json_t *groups,
                      struct kbp_error *err)
{
    json_t *json = json_object();
    json_t *entries = json_object();
    json_t *details = json_object();
    size_t i;
    int status;

    for (i = 0; i < maps->count; i++) {
        const struct kb_restore_source *source = &run->state.sources[i];
        const struct kb_restore_target *target =
            &run->state.targets[source->target];
        char name[300];

        if (!maps->items[i].count)
            continue;
        (void)snprintf(name, sizeof name, "%s/%" PRId32, target->topic,
                       target->partition);
        add_source(entries, name, target, source, &maps->items[i]);
        if (!json_object_get(details, name))
            (void)json_object_set_new(details, name, json_array());
        add_runs(json_object_get(details, name), source, &maps->items[i]);
    }
    (void)json_object_set_new(json, "format_version", json_integer(2));
    (void)json_object_set_new(json, "entries", entries);
    (void)json_object_set_new(json, "detailed_mappings", details);
    (void)json_object_set_new(json, "consumer_groups",
                              groups ? json_deep_copy(groups) : json_object());
    (void)json_object_set_new(json, "source_cluster_id",
                              run->manifest->cluster_id
                                  ? json_string(run->manifest->cluster_id)
                                  : json_null());
    (void)json_object_set_new(json, "target_cluster_id",
                              run->state.cluster_id
                                  ? json_string(run->state.cluster_id)
                                  : json_null());
    (void)json_object_set_new(json, "created_at", json_integer(kb_wall_ms()));
    status = write_file(run->config->restore.offset_report, json, err);
    json_decref(json);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* groups.c - commit consumer groups' offsets, translated to the target. */
#include "restore/groups.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "archive/groups.h"
#include "base/clock.h"
#include "base/str.h"
#include "kafka/acl.h"
#include "kafka/error.h"

/* A broker's code: the group is in use. */
#define UNKNOWN_MEMBER_ID 25
#define COORDINATOR_MS 30000

struct translated {
    struct kb_group_offset *items; /* for the target */
    json_t *json;                  /* {topic: {"partition": {...}}} */
    size_t count;
    size_t clamped;
    size_t merged;    /* whose partition had one already */
    size_t elsewhere; /* of topics that weren't restored */
};

bool kb_groups_wanted(const struct kb_restore_settings *restore)
{
    return restore->reset_consumer_offsets || restore->auto_consumer_groups;
}

static bool is_chosen(const struct kb_restore_settings *restore,
                      const char *group)
{
    size_t i;

    if (restore->auto_consumer_groups && !restore->consumer_groups.count)
        return true;
    for (i = 0; i < restore->consumer_groups.count; i++)
        if (kb_glob_match(restore->consumer_groups.items[i], group))
            return true;
    return false;
}

/* The number of the source that a captured offset is of; SIZE_MAX: none. */
static size_t source_of(const struct kb_restore_run *run,
                        const struct kb_captured_offset *offset)
{
    size_t i;

    for (i = 0; i < run->state.source_count; i++)
        if (run->state.sources[i].partition == offset->partition &&
            !strcmp(run->state.sources[i].topic, offset->topic))
            return i;
    return SIZE_MAX;
}

static int64_t translate(const struct kb_restore_run *run, size_t source,
                         const struct kb_offset_map *map, int64_t committed,
                         bool *clamped)
{
    const struct kb_restore_source *from = &run->state.sources[source];
    int64_t target;

    if (kb_offset_map_find(map, committed, &target))
        return target;
    /* At or behind the last record: the end, which is only a clamp if the
       group was beyond what the archive accounts for. */
    *clamped = committed > from->end_offset;
    return kb_offset_map_end(map,
                             run->state.targets[from->target].start_offset);
}

static void tell(struct translated *to, const struct kb_group_offset *offset,
                 int64_t source_offset, const char *metadata)
{
    json_t *topic = json_object_get(to->json, offset->topic);
    json_t *item = json_object();
    char name[16];

    if (!topic) {
        topic = json_object();
        (void)json_object_set_new(to->json, offset->topic, topic);
    }
    (void)snprintf(name, sizeof name, "%" PRId32, offset->partition);
    (void)json_object_set_new(item, "source_offset",
                              json_integer(source_offset));
    (void)json_object_set_new(item, "target_offset",
                              json_integer(offset->offset));
    (void)json_object_set_new(item, "timestamp", json_integer(-1));
    (void)json_object_set_new(item, "metadata",
                              metadata ? json_string(metadata) : json_null());
    (void)json_object_set_new(topic, name, item);
}

/* Of an earlier source that went to the same partition; NULL: none. */
static struct kb_group_offset *offset_of(const struct translated *to,
                                         const struct kb_restore_target *target)
{
    size_t i;

    for (i = 0; i < to->count; i++)
        if (to->items[i].partition == target->partition &&
            !strcmp(to->items[i].topic, target->topic))
            return &to->items[i];
    return NULL;
}

static int add_offset(struct translated *to, const struct kb_restore_run *run,
                      const struct kb_source_maps *maps,
                      const struct kb_captured_offset *captured,
                      struct kbp_error *err)
{
    const size_t source = source_of(run, captured);
    const struct kb_restore_target *target;
    struct kb_group_offset *offset;
    bool clamped = false;
    int64_t translated;

    if (source == SIZE_MAX) {
        to->elsewhere++;
        return KBP_OK;
    }
    target = &run->state.targets[run->state.sources[source].target];
    translated = translate(run, source, &maps->items[source], captured->offset,
                           &clamped);
    offset = offset_of(to, target);
    if (offset) {
        /* The group goes on where it had not read all: it may read twice. */
        to->merged++;
        to->clamped += clamped;
        if (translated < offset->offset) {
            offset->offset = translated;
            tell(to, offset, captured->offset, captured->metadata);
        }
        return KBP_OK;
    }
    offset = &to->items[to->count];
    *offset = (struct kb_group_offset){
        .topic = kb_strdup(target->topic),
        .partition = target->partition,
        .offset = translated,
        .metadata = captured->metadata ? kb_strdup(captured->metadata) : NULL,
    };
    to->count++;
    if (!offset->topic || (captured->metadata && !offset->metadata))
        return kb_fail_nomem(err, "group offsets");
    to->clamped += clamped;
    tell(to, offset, captured->offset, captured->metadata);
    return KBP_OK;
}

/*
 * The group's coordinator may be on its way (the first group of a cluster
 * makes Kafka create the topic for them): try again for a while.
 */
static int commit_offsets(struct kb_restore_run *run, const char *group,
                          struct translated *to, struct kbp_error *err)
{
    const int64_t deadline = kb_deadline_ms(COORDINATOR_MS);

    for (;;) {
        bool again = false;
        size_t i;
        int status;

        kb_err_clear(err);
        status = kb_admin_commit_group_offsets(run->admin, group, to->items,
                                               to->count, err);
        if (status != KBP_OK)
            again = kb_may_retry(status);
        for (i = 0; i < to->count && status == KBP_OK; i++)
            again = again || kb_kafka_error_is_retriable(to->items[i].error);
        if (!again || kb_left_ms(deadline) == 0)
            return status;
        if (kb_stop_sleep(run->user_stop, 250))
            return kb_fail_stopped(err);
    }
}

/* Each partition has its own answer. */
static void look_at_errors(struct kb_restore_run *run, const char *group,
                           const struct translated *to)
{
    size_t i;

    for (i = 0; i < to->count; i++) {
        struct kbp_error bad = KB_ERR_INIT;
        char name[512];

        if (to->items[i].error == KB_KAFKA_NONE)
            continue;
        (void)snprintf(name, sizeof name, "group %s: %s/%" PRId32, group,
                       to->items[i].topic, to->items[i].partition);
        (void)kb_fail(&bad, kb_kafka_error_status(to->items[i].error),
                      "its offset %" PRId64 " can't be committed: %s (%s)",
                      to->items[i].offset,
                      kb_kafka_error_name(to->items[i].error),
                      kb_kafka_error_text(to->items[i].error));
        if (to->items[i].error == KB_KAFKA_GROUP_AUTHORIZATION_FAILED)
            kb_acl_hint(&bad, to->items[i].error, KB_ACL_GROUP, group, "Read");
        else
            kb_acl_hint(&bad, to->items[i].error, KB_ACL_TOPIC,
                        to->items[i].topic, "Read");
        if (to->items[i].error == UNKNOWN_MEMBER_ID)
            kb_err_hint(&bad, "the group has members: stop them, and run the "
                              "restore again");
        kb_run_error(run, name, &bad);
    }
}

static int commit_group(struct kb_restore_run *run,
                        const struct kb_source_maps *maps,
                        const struct kb_captured_group *group, json_t *all,
                        struct kbp_error *err)
{
    const char *name =
        kb_pairs_get(&run->config->restore.group_mapping, group->name);
    struct translated to = {0};
    struct kbp_error bad = KB_ERR_INIT;
    json_t *json = json_object();
    size_t i;
    int status = KBP_OK;

    if (!name)
        name = group->name;
    to.json = json_object();
    to.items = calloc(group->count + 1, sizeof *to.items);
    if (!to.items || !to.json || !json)
        status = kb_fail_nomem(err, "group offsets");
    for (i = 0; i < group->count && status == KBP_OK; i++)
        status = add_offset(&to, run, maps, &group->offsets[i], err);
    if (status != KBP_OK || !to.count)
        goto out;
    if (to.clamped)
        kb_run_warn(run,
                    "group %s: %zu of its offsets were beyond the archive's "
                    "end, and are set to the end",
                    name, to.clamped);
    if (to.merged)
        kb_run_warn(run,
                    "group %s: partitions it had offsets of were merged; the "
                    "smallest of them is set, so it may read records twice",
                    name);
    if (commit_offsets(run, name, &to, &bad) != KBP_OK) {
        (void)kb_err_wrap(&bad, "group %s", name);
        kb_run_error(run, NULL, &bad);
    } else {
        look_at_errors(run, name, &to);
    }
    (void)json_object_set_new(json, "group_id", json_string(name));
    (void)json_object_set(json, "offsets", to.json);
    (void)json_object_set(all, name, json);
out:
    for (i = 0; i < to.count; i++) {
        free(to.items[i].topic);
        free(to.items[i].metadata);
    }
    free(to.items);
    json_decref(to.json);
    json_decref(json);
    return status;
}

static int read_capture(struct kb_restore_run *run, struct kb_groups *groups,
                        bool *found, struct kbp_error *err)
{
    const struct kb_select_spec *spec = &run->plan.select;
    const struct kb_group_capture *capture = kb_manifest_capture(
        run->manifest, spec->window ? spec->window_end : INT64_MAX);

    *found = capture != NULL;
    if (!capture)
        return KBP_OK;
    return kb_groups_read(groups, run->session, run->config->backup_id,
                          &capture->name, err);
}

static void refuse_none(struct kb_restore_run *run, bool captured)
{
    struct kbp_error bad = KB_ERR_INIT;

    (void)kb_fail(&bad, KBP_ERR_NOT_FOUND,
                  captured ? "no captured group is among those asked for"
                           : "the backup has no consumer group offsets that "
                             "were captured (backup.consumer_group_snapshot: "
                             "true does that)");
    kb_run_error(run, "consumer groups", &bad);
}

/* A name without wildcards that isn't in the backup is a slip, mostly. */
static void warn_of_absent(struct kb_restore_run *run,
                           const struct kb_groups *groups)
{
    const struct kb_strings *wanted = &run->config->restore.consumer_groups;
    size_t w;
    size_t i;

    for (w = 0; w < wanted->count; w++) {
        for (i = 0; i < groups->count; i++)
            if (kb_glob_match(wanted->items[w], groups->items[i].name))
                break;
        if (i == groups->count)
            kb_run_warn(run, "group %s: the backup has no offsets of it",
                        wanted->items[w]);
    }
}

static bool is_planned(const struct kb_plan *plan,
                       const struct kb_captured_offset *offset)
{
    size_t i;

    for (i = 0; i < plan->source_count; i++)
        if (plan->sources[i].end > plan->sources[i].start &&
            plan->sources[i].log->partition == offset->partition &&
            !strcmp(plan->sources[i].generation->topic, offset->topic))
            return true;
    return false;
}

/* What would be committed for one group. */
static void preview_group(struct kb_restore_run *run,
                          const struct kb_captured_group *group,
                          const struct kb_group_list *there, json_t *array)
{
    const char *name =
        kb_pairs_get(&run->config->restore.group_mapping, group->name);
    size_t planned = 0;
    size_t i;

    for (i = 0; i < group->count; i++)
        planned += is_planned(&run->plan, &group->offsets[i]);
    if (!planned) {
        kb_run_warn(run,
                    "group %s: none of its %zu offsets is of what is restored",
                    group->name, group->count);
        return;
    }
    (void)json_array_append_new(
        array,
        json_sprintf("group %s: commit %d offsets%s%s", group->name,
                     (int)planned, name ? " as " : "", name ? name : ""));
    if (!name)
        name = group->name;
    for (i = 0; i < there->count; i++)
        if (there->items[i].live && !strcmp(there->items[i].name, name))
            kb_run_warn(run,
                        "group %s has members in the target: as long as it "
                        "has, its offsets can't be committed; stop them first",
                        name);
}

int kb_groups_preview(struct kb_restore_run *run, json_t **json,
                      struct kbp_error *err)
{
    struct kbp_error bad = KB_ERR_INIT;
    struct kb_groups groups = {0};
    struct kb_group_list there = {NULL, 0};
    size_t chosen = 0;
    bool found;
    size_t i;
    int status = read_capture(run, &groups, &found, err);

    if (status != KBP_OK)
        return kb_err_wrap(err, "the captured group offsets");
    if (found && kb_client_list_groups(run->client, &there, &bad) != KBP_OK)
        kb_run_warn(run, "which groups have members: %s", bad.message);
    *json = json_array();
    for (i = 0; i < groups.count; i++) {
        if (!is_chosen(&run->config->restore, groups.items[i].name))
            continue;
        chosen++;
        preview_group(run, &groups.items[i], &there, *json);
    }
    if (chosen)
        warn_of_absent(run, &groups);
    else
        refuse_none(run, found);
    kb_groups_list_release(&there);
    kb_groups_release(&groups);
    return KBP_OK;
}

int kb_groups_commit(struct kb_restore_run *run,
                     const struct kb_source_maps *maps, json_t **json,
                     struct kbp_error *err)
{
    const struct kb_restore_settings *restore = &run->config->restore;
    struct kb_groups groups = {0};
    size_t chosen = 0;
    bool found;
    size_t i;
    int status = read_capture(run, &groups, &found, err);

    if (status != KBP_OK)
        return kb_err_wrap(err, "the captured group offsets");
    *json = json_object();
    for (i = 0; i < groups.count && status == KBP_OK; i++) {
        if (!is_chosen(restore, groups.items[i].name))
            continue;
        chosen++;
        status = commit_group(run, maps, &groups.items[i], *json, err);
    }
    if (status == KBP_OK && chosen)
        warn_of_absent(run, &groups);
    else if (status == KBP_OK)
        refuse_none(run, found);
    kb_groups_release(&groups);
    return status;
}

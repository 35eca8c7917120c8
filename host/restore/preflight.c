/* SPDX-License-Identifier: Apache-2.0 */
/* preflight.c - what keeps a target from being restored into, said before. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "restore/keyless.h"
#include "restore/topics.h"

#define HOUR_MS INT64_C(3600000)

static const char *config_of(const struct kb_target_topic *topic,
                             const char *key)
{
    size_t i;

    for (i = 0; i < topic->config_count; i++)
        if (!strcmp(topic->configs[i].key, key))
            return topic->configs[i].value;
    return NULL;
}

static bool config_number(const struct kb_target_topic *topic, const char *key,
                          int64_t *value)
{
    const char *text = config_of(topic, key);

    return text && kb_parse_i64(text, value);
}

KB_PRINTF(3, 4)
static void refuse(struct kb_restore_run *run,
                   const struct kb_target_topic *topic, const char *fmt, ...)
{
    struct kbp_error err = KB_ERR_INIT;
    char text[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)kb_fail(&err, KBP_ERR_CONFIG, "%s", text);
    kb_run_error(run, topic->plan->name, &err);
}

/* Refused, unless `allowed`: then it is a warning. */
KB_PRINTF(5, 6)
static void object(struct kb_restore_run *run,
                   const struct kb_target_topic *topic, bool allowed,
                   const char *key, const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (allowed)
        kb_run_warn(run, "%s: %s", topic->plan->name, text);
    else
        refuse(run, topic, "%s (%s: true does it all the same)", text, key);
}

static void check_sizes(struct kb_restore_run *run,
                        struct kb_target_topic *topic)
{
    const int64_t largest = topic->plan->sums.largest_batch;
    int64_t value;

    topic->max_message_bytes = 0;
    if (config_number(topic, "max.message.bytes", &value)) {
        topic->max_message_bytes = value;
        /* What we put together has to fit as well. */
        if ((int64_t)run->plan.select.rebuilt_bytes > value / 4 * 3)
            run->plan.select.rebuilt_bytes = (size_t)(value / 4 * 3);
        if (largest > value)
            refuse(run, topic,
                   "the largest batch has %" PRId64
                   " bytes, its max.message.bytes is %" PRId64,
                   largest, value);
    }
    if (config_number(topic, "segment.bytes", &value) && largest > value)
        refuse(run, topic,
               "the largest batch has %" PRId64
               " bytes, its segment.bytes is %" PRId64,
               largest, value);
}

/* The most that goes to one partition of it, by segments' averages. */
static uint64_t largest_partition(const struct kb_restore_run *run,
                                  size_t number)
{
    const struct kb_plan *plan = &run->plan;
    uint64_t most = 0;
    uint64_t sum = 0;
    size_t i;

    /* Sources come sorted by topic and partition. */
    for (i = 0; i < plan->source_count; i++) {
        const struct kb_plan_source *source = &plan->sources[i];

        if (source->topic != number)
            continue;
        if (i > 0 && (plan->sources[i - 1].topic != number ||
                      plan->sources[i - 1].target != source->target))
            sum = 0;
        sum += source->bytes;
        if (sum > most)
            most = sum;
    }
    return most;
}

/*
 * The times of its oldest and its newest record, as far as they are known: the
 * sums are those of whole extents, a window takes some of their records only.
 */
static int64_t oldest_of(const struct kb_restore_run *run,
                         const struct kb_target_topic *topic)
{
    const struct kb_select_spec *spec = &run->plan.select;
    const struct kb_sums *sums = &topic->plan->sums;
    const int64_t oldest =
        sums->min_known ? sums->min_timestamp : sums->max_timestamp;

    return spec->window && oldest < spec->window_start ? spec->window_start
                                                       : oldest;
}

static int64_t newest_of(const struct kb_restore_run *run,
                         const struct kb_target_topic *topic)
{
    const struct kb_select_spec *spec = &run->plan.select;
    const int64_t newest = topic->plan->sums.max_timestamp;

    return spec->window && newest > spec->window_end ? spec->window_end
                                                     : newest;
}

static void check_retention(struct kb_restore_run *run,
                            const struct kb_target_topic *topic, size_t number)
{
    const bool allowed = run->config->restore.allow_config_drift;
    const char *policy = config_of(topic, "cleanup.policy");
    const int64_t oldest = oldest_of(run, topic);
    const int64_t now = kb_wall_ms();
    int64_t value;

    if (policy && !strstr(policy, "delete"))
        return;
    if (config_number(topic, "retention.ms", &value) && value >= 0 &&
        oldest >= 0 && oldest < now - value)
        object(run, topic, allowed, "restore.allow_config_drift",
               "its retention.ms=%" PRId64
               " would delete records that are restored: some are %" PRId64
               " hours old",
               value, (now - oldest) / HOUR_MS);
    if (config_number(topic, "retention.bytes", &value) && value >= 0 &&
        largest_partition(run, number) > (uint64_t)value)
        object(run, topic, allowed, "restore.allow_config_drift",
               "its retention.bytes=%" PRId64
               " would delete records that are restored: about %" PRIu64
               " bytes go to one of its partitions",
               value, largest_partition(run, number));
}

/* Whether brokers would take, and keep, the times of what is restored. */
static void check_times(struct kb_restore_run *run,
                        const struct kb_target_topic *topic, size_t number)
{
    const struct kb_sums *sums = &topic->plan->sums;
    const bool allowed = run->config->restore.allow_config_drift;
    const char *type = config_of(topic, "message.timestamp.type");
    const int64_t now = kb_wall_ms();
    const int64_t oldest = oldest_of(run, topic);
    int64_t value;

    if (type && !strcmp(type, "LogAppendTime"))
        object(run, topic, allowed, "restore.allow_config_drift",
               "its message.timestamp.type is LogAppendTime: every record's "
               "time would be replaced by now");
    if (!sums->records)
        return;
    check_retention(run, topic, number);
    if (config_number(topic, "message.timestamp.after.max.ms", &value) &&
        value < INT64_MAX - now && newest_of(run, topic) > now + value)
        refuse(run, topic,
               "its message.timestamp.after.max.ms=%" PRId64
               " refuses records which are dated later than that",
               value);
    if ((config_number(topic, "message.timestamp.before.max.ms", &value) ||
         config_number(topic, "message.timestamp.difference.max.ms", &value)) &&
        value >= 0 && value < now && oldest >= 0 && oldest < now - value)
        refuse(run, topic,
               "its message.timestamp.before.max.ms (or difference) of %" PRId64
               " refuses records which are older than that",
               value);
}

/* As it was captured, also where restored topics don't get it. */
static bool was_compacted(const struct kb_target_topic *topic)
{
    const struct kb_topic_desc *desc = &topic->plan->generation->desc;
    size_t i;

    for (i = 0; i < desc->config_count; i++)
        if (!strcmp(desc->configs[i].name, "cleanup.policy"))
            return strstr(desc->configs[i].value, "compact") != NULL;
    return false;
}

/* A compacted topic takes no record without a key, and keeps none. */
static void check_keys(struct kb_restore_run *run,
                       const struct kb_target_topic *topic, size_t number)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_keyless keyless;

    if (kb_find_keyless(run, number, run->config->restore.dry_run, &keyless,
                        &err) != KBP_OK) {
        kb_run_warn(run, "%s: whether all of its records have keys: %s",
                    topic->plan->name, err.message);
        return;
    }
    if (!keyless.found)
        return;
    if (topic->exists)
        refuse(run, topic,
               "it is compacted, which takes no records without a key, as that "
               "of %s/%" PRId32 " at offset %" PRId64
               "; set its cleanup.policy to delete",
               keyless.topic, keyless.partition, keyless.offset);
    else
        kb_run_warn(run,
                    "%s: records have no key, as that of %s/%" PRId32
                    " at offset %" PRId64 ": the log cleaner will remove them "
                    "under the cleanup.policy that it gets in the end",
                    topic->plan->name, keyless.topic, keyless.partition,
                    keyless.offset);
}

/* It was compacted in the backup: then it may as well be in the target. */
static void check_compaction(struct kb_restore_run *run,
                             const struct kb_target_topic *topic, size_t number)
{
    const char *policy = config_of(topic, "cleanup.policy");

    if (!policy || !strstr(policy, "compact"))
        return;
    if (was_compacted(topic)) {
        kb_run_warn(run,
                    "%s: it is compacted, as it was in the backup: of records "
                    "with the same key the older ones don't stay",
                    topic->plan->name);
        return;
    }
    object(
        run, topic, run->config->restore.allow_config_drift,
        "restore.allow_config_drift",
        "its cleanup.policy is %s, which it wasn't in the backup: of records "
        "with the same key only the last would stay",
        policy);
    check_keys(run, topic, number);
}

/* Nobody could write to it, for ever. */
static void check_min_insync(struct kb_restore_run *run,
                             const struct kb_target_topic *topic)
{
    int64_t value;

    if (config_number(topic, "min.insync.replicas", &value) &&
        topic->replicas > 0 && value > topic->replicas)
        refuse(run, topic,
               "its min.insync.replicas=%" PRId64 " is more than its %" PRId32
               " replicas: brokers refuse all that is written to it",
               value, topic->replicas);
}

static void check_existing(struct kb_restore_run *run,
                           struct kb_target_topic *topic, size_t number,
                           bool resumed)
{
    const struct kb_restore_settings *restore = &run->config->restore;
    const char *value;

    if (topic->partitions < topic->plan->needed)
        refuse(run, topic,
               "it has %" PRId32 " partitions, needed are %" PRId32
               "; add some (kafka-topics.sh --alter), or use "
               "restore.partition_mapping",
               topic->partitions, topic->plan->needed);
    if (topic->has_records && !resumed && !restore->purge_topics)
        object(run, topic, restore->allow_non_empty, "restore.allow_non_empty",
               "it isn't empty");
    check_sizes(run, topic);
    check_times(run, topic, number);
    check_min_insync(run, topic);
    check_compaction(run, topic, number);
    value = config_of(topic, "compression.type");
    if (value && strcmp(value, "producer") != 0)
        kb_run_warn(run,
                    "%s: its compression.type is %s: brokers compress all "
                    "batches again, which takes their time",
                    topic->plan->name, value);
}

/* min.insync.replicas is put back at the end: then nobody could write. */
static void check_replicas(struct kb_restore_run *run,
                           const struct kb_target_topic *topic)
{
    const int64_t rf = run->config->restore.default_replication_factor;
    const int64_t replicas =
        rf == KB_UNSET ? topic->plan->replication_factor : rf;
    const char *text =
        kb_topic_final_config(run, topic->plan, "min.insync.replicas");
    int64_t value;

    if (text && kb_parse_i64(text, &value) && replicas > 0 && value > replicas)
        kb_run_warn(run,
                    "%s: its min.insync.replicas=%" PRId64
                    " is more than its %" PRId64
                    " replicas: nobody who waits for all can write to it",
                    topic->plan->name, value, replicas);
}

/* What retention will do when it is put back; see finish.c. */
static void check_final_retention(struct kb_restore_run *run,
                                  const struct kb_target_topic *topic)
{
    const struct kb_retention_setting *setting =
        &run->config->restore.retention;
    const char *policy =
        kb_topic_final_config(run, topic->plan, "cleanup.policy");
    const char *text = kb_topic_final_config(run, topic->plan, "retention.ms");
    const int64_t oldest = oldest_of(run, topic);
    const int64_t age = kb_wall_ms() - oldest;
    int64_t value = -1;

    if (setting->kind == KB_RETENTION_MS)
        value = setting->ms;
    else if (setting->kind == KB_RETENTION_KEEP_OFF || !text ||
             !kb_parse_i64(text, &value))
        return;
    if (!topic->plan->sums.records || value < 0 || oldest < 0 || age <= value ||
        (policy && !strstr(policy, "delete")))
        return;
    if (setting->kind != KB_RETENTION_SAFE)
        kb_run_warn(run,
                    "%s: retention.ms=%" PRId64 ", put back in the end, will "
                    "delete records that are restored: some are %" PRId64
                    " hours old",
                    topic->plan->name, value, age / HOUR_MS);
    else if (run->config->restore.dry_run)
        kb_run_warn(run,
                    "%s: retention.ms=%" PRId64 " will be left off, as it "
                    "would delete records that are restored: some are %" PRId64
                    " hours old (restore.retention has other ways)",
                    topic->plan->name, value, age / HOUR_MS);
}

/* One that is going to be created. */
static void check_new(struct kb_restore_run *run,
                      const struct kb_target_topic *topic, size_t number)
{
    const char *policy =
        kb_topic_final_config(run, topic->plan, "cleanup.policy");

    check_replicas(run, topic);
    check_final_retention(run, topic);
    if (policy && strstr(policy, "compact") && !was_compacted(topic))
        check_keys(run, topic, number);
}

/* What it wrote to is there still, and is no other topic of that name. */
static void check_resumed(const struct kb_topics *topics,
                          struct kb_restore_run *run)
{
    size_t i;
    size_t t;

    for (i = 0; i < topics->count; i++) {
        const struct kb_target_topic *topic = &topics->items[i];

        for (t = 0; t < run->state.target_count; t++)
            if (!strcmp(run->state.targets[t].topic, topic->plan->name))
                break;
        if (t == run->state.target_count ||
            (topic->exists &&
             kb_uuid_equal(&topic->id, &run->state.targets[t].topic_id)))
            continue;
        refuse(run, topic,
               "it was deleted%s since this restore wrote to it; to begin it "
               "anew, use another restore.restore_id (or checkpoint_state)",
               topic->exists ? " and created again" : "");
    }
}

void kb_topics_check(struct kb_topics *topics, struct kb_restore_run *run,
                     bool resumed)
{
    const struct kb_restore_settings *restore = &run->config->restore;
    size_t i;

    if (resumed && run->state.phase > KB_RESTORE_CREATE)
        check_resumed(topics, run);
    /*
     * All is written.  What its configs would do to records is no question
     * any more: they may be the final ones already, with captured sizes,
     * times and retention that were judged when they were put back.
     */
    if (resumed && run->state.phase >= KB_RESTORE_VERIFY)
        return;
    for (i = 0; i < topics->count; i++) {
        struct kb_target_topic *topic = &topics->items[i];

        if (topic->exists)
            check_existing(run, topic, i, resumed);
        else if (!restore->create_topics)
            refuse(run, topic,
                   "the target has no such topic; restore.create_topics: true "
                   "creates it");
        else
            check_new(run, topic, i);
    }
    if (restore->purge_topics)
        kb_run_warn(run, "purge_topics: records of existing targets are "
                         "deleted first");
}

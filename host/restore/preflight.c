/* SPDX-License-Identifier: Apache-2.0 */
/* preflight.c - what keeps a target from being restored into, said before. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
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

/* Whether brokers would take, and keep, the times of what is restored. */
static void check_times(struct kb_restore_run *run,
                        const struct kb_target_topic *topic)
{
    const struct kb_sums *sums = &topic->plan->sums;
    const bool allowed = run->config->restore.allow_config_drift;
    const char *type = config_of(topic, "message.timestamp.type");
    const int64_t now = kb_wall_ms();
    const int64_t oldest =
        sums->min_known ? sums->min_timestamp : sums->max_timestamp;
    int64_t value;

    if (type && !strcmp(type, "LogAppendTime"))
        object(run, topic, allowed, "restore.allow_config_drift",
               "its message.timestamp.type is LogAppendTime: every record's "
               "time would be replaced by now");
    if (!sums->records)
        return;
    if (config_number(topic, "retention.ms", &value) && value >= 0 &&
        oldest >= 0 && oldest < now - value) {
        const char *policy = config_of(topic, "cleanup.policy");

        if (!policy || strstr(policy, "delete"))
            object(run, topic, allowed, "restore.allow_config_drift",
                   "its retention.ms=%" PRId64
                   " would delete records that are restored: some are %" PRId64
                   " hours old",
                   value, (now - oldest) / HOUR_MS);
    }
    if (config_number(topic, "message.timestamp.after.max.ms", &value) &&
        value < INT64_MAX - now && sums->max_timestamp > now + value)
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

static void check_existing(struct kb_restore_run *run,
                           struct kb_target_topic *topic, bool resumed)
{
    const struct kb_restore_settings *restore = &run->config->restore;
    const char *value;

    if (topic->partitions < topic->plan->partitions)
        refuse(run, topic,
               "it has %" PRId32 " partitions, needed are %" PRId32
               "; add some (kafka-topics.sh --alter), or use "
               "restore.partition_mapping",
               topic->partitions, topic->plan->partitions);
    if (topic->has_records && !resumed && !restore->purge_topics)
        object(run, topic, restore->allow_non_empty, "restore.allow_non_empty",
               "it isn't empty");
    check_sizes(run, topic);
    check_times(run, topic);
    value = config_of(topic, "cleanup.policy");
    if (value && strstr(value, "compact"))
        kb_run_warn(run,
                    "%s: it is compacted: records without a key are refused, "
                    "and records with the same key don't stay",
                    topic->plan->name);
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

void kb_topics_check(struct kb_topics *topics, struct kb_restore_run *run,
                     bool resumed)
{
    const struct kb_restore_settings *restore = &run->config->restore;
    size_t i;

    for (i = 0; i < topics->count; i++) {
        struct kb_target_topic *topic = &topics->items[i];

        if (topic->exists)
            check_existing(run, topic, resumed);
        else if (!restore->create_topics)
            refuse(run, topic,
                   "the target has no such topic; restore.create_topics: true "
                   "creates it");
        else
            check_replicas(run, topic);
    }
    if (restore->purge_topics)
        kb_run_warn(run, "purge_topics: records of existing targets are "
                         "deleted first");
}

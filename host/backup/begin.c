/* SPDX-License-Identifier: Apache-2.0 */
/*
 * begin.c - begin partitions: configs of their topics, where their logs begin
 * and end, where the archive goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "backup/engine.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/acl.h"
#include "kafka/error.h"

/* Whoever didn't answer the first question has so long for the second. */
#define OFFSETS_MIN_MS 3000

static const char *config_value(const struct kb_topic_desc *desc,
                                const char *name)
{
    size_t i;

    for (i = 0; i < desc->config_count; i++)
        if (strcmp(desc->configs[i].name, name) == 0)
            return desc->configs[i].value;
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    const struct kb_topic_config *x = a;
    const struct kb_topic_config *y = b;

    return strcmp(x->name, y->name);
}

static int copy_configs(struct kb_topic_desc *desc,
                        const struct kb_admin_configs *from,
                        struct kbp_error *err)
{
    size_t i;

    desc->configs =
        calloc(from->count ? from->count : 1, sizeof *desc->configs);
    if (!desc->configs)
        return kb_fail_nomem(err, "a topic's configs");
    for (i = 0; i < from->count; i++) {
        struct kb_topic_config *to = &desc->configs[desc->config_count++];
        const struct kb_admin_config *item = &from->items[i];

        to->name = kb_strdup(item->key);
        to->value = item->value ? kb_strdup(item->value) : NULL;
        to->source = kb_strdup(item->dynamic ? "topic" : "default");
        if (!to->name || !to->source || (item->value && !to->value))
            return kb_fail_nomem(err, "a topic's configs");
    }
    qsort(desc->configs, desc->config_count, sizeof *desc->configs, by_name);
    desc->configs_known = true;
    return KBP_OK;
}

static void note_configs(struct kb_source_topic *topic)
{
    const char *policy = config_value(&topic->desc, "cleanup.policy");
    const char *remote = config_value(&topic->desc, "remote.storage.enable");

    atomic_store(&topic->compacted, policy && strstr(policy, "compact"));
    atomic_store(&topic->remote, remote && strcmp(remote, "true") == 0);
}

/* What the archive says of them: true until they are read. */
static int recall_configs(struct kb_engine *engine,
                          struct kb_source_topic *topic, struct kbp_error *err)
{
    const struct kb_generation *have;
    struct kb_topic_desc copy = {.partition_count = -1};
    int rc = KBP_OK;

    (void)pthread_mutex_lock(&engine->pipe.commit_lock);
    have = kb_manifest_generation(engine->manifest, &topic->generation);
    if (have && have->desc.configs_known)
        rc = kb_topic_desc_copy(&copy, &have->desc, err);
    (void)pthread_mutex_unlock(&engine->pipe.commit_lock);
    if (rc == KBP_OK && copy.configs_known) {
        topic->desc.configs = copy.configs;
        topic->desc.config_count = copy.config_count;
        topic->desc.configs_known = true;
        note_configs(topic);
    }
    return rc;
}

/* The topic has these configs now; `described` if they are no others. */
static int take_configs(struct kb_source_topic *topic,
                        const struct kb_admin_configs *from,
                        struct kbp_error *err)
{
    struct kb_topic_desc *desc = &topic->desc;
    struct kb_topic_desc fresh = *desc;
    int rc;

    fresh.configs = NULL;
    fresh.config_count = 0;
    rc = copy_configs(&fresh, from, err);
    if (rc != KBP_OK) {
        kb_topic_desc_release(&fresh);
        return rc;
    }
    topic->configs_read = true;
    topic->configs_failed = false;
    if (kb_topic_desc_equal(desc, &fresh)) {
        kb_topic_desc_release(&fresh);
        return KBP_OK;
    }
    if (desc->configs_known)
        kb_info("topic %s: its configs are others now", topic->name);
    fresh.described_ms = kb_wall_ms();
    kb_topic_desc_release(desc);
    *desc = fresh;
    topic->described = false;
    note_configs(topic);
    return KBP_OK;
}

/* They can't be read: said once, and tried again at the next discovery. */
static int miss_configs(struct kb_engine *engine, struct kb_source_topic *topic,
                        int16_t error, struct kbp_error *err)
{
    char acl[KB_ACL_TEXT];

    if (engine->config->backup.require_topic_configs && !topic->configs_read) {
        (void)kb_fail(err, kb_kafka_error_status(error),
                      "topic %s: its configs can't be read: %s", topic->name,
                      kb_kafka_error_text(error));
        kb_acl_hint(err, error, KB_ACL_TOPIC, topic->name, "DescribeConfigs");
        return err->status;
    }
    if (!topic->configs_failed)
        kb_engine_warn(
            engine, "topic %s: its configs can't be read and %s: %s%s",
            topic->name,
            topic->desc.configs_known ? "are in the backup as they were"
                                      : "are not in the backup",
            kb_kafka_error_text(error),
            kb_acl_advice(acl, error, KB_ACL_TOPIC, topic->name,
                          "DescribeConfigs"));
    topic->configs_failed = true;
    return KBP_OK;
}

/* The same of all that were asked for. */
static int miss_all_configs(struct kb_engine *engine,
                            struct kb_source_topic *const *asked, size_t count,
                            struct kbp_error *err)
{
    bool read = true;
    bool known = true;
    bool said = true;
    size_t i;

    for (i = 0; i < count; i++) {
        read &= asked[i]->configs_read;
        known &= asked[i]->desc.configs_known;
        said &= asked[i]->configs_failed;
    }
    if (err->status == KBP_ERR_NOMEM || err->status == KBP_ERR_CANCELLED ||
        (engine->config->backup.require_topic_configs && !read))
        return err->status;
    if (!said)
        kb_engine_warn(engine, "the topics' configs %s: %s",
                       known ? "are in the backup as they were"
                             : "are not in the backup",
                       err->message);
    for (i = 0; i < count; i++)
        asked[i]->configs_failed = true;
    kb_err_clear(err);
    return KBP_OK;
}

/* Ask for the configs of those topics whose turn it is. */
static int describe(struct kb_engine *engine, struct kbp_error *err)
{
    struct kb_admin_configs *configs = NULL;
    struct kb_source_topic **asked = NULL;
    const char **names = NULL;
    struct kb_source_topic *topic;
    size_t count = 0;
    size_t i;
    int rc = KBP_OK;

    for (topic = engine->topics; topic; topic = topic->next)
        count += !topic->retired && topic->ask_configs;
    if (count == 0)
        return KBP_OK;
    names = calloc(count, sizeof *names);
    asked = calloc(count, sizeof *asked);
    if (!names || !asked) {
        rc = kb_fail_nomem(err, "topics");
        goto out;
    }
    count = 0;
    for (topic = engine->topics; topic; topic = topic->next)
        if (!topic->retired && topic->ask_configs) {
            topic->ask_configs = false;
            if (rc == KBP_OK && !topic->desc.configs_known)
                rc = recall_configs(engine, topic, err);
            names[count] = topic->name;
            asked[count++] = topic;
        }
    if (rc != KBP_OK)
        goto out;
    rc = kb_admin_topic_configs(engine->admin, names, count, &configs, err);
    if (rc != KBP_OK)
        rc = miss_all_configs(engine, asked, count, err);
    for (i = 0; configs && rc == KBP_OK && i < count; i++)
        rc = configs[i].error == KB_KAFKA_NONE
                 ? take_configs(asked[i], &configs[i], err)
                 : miss_configs(engine, asked[i], configs[i].error, err);
out:
    kb_admin_configs_free(configs, count);
    free(names);
    free(asked);
    return rc;
}

static int add_part(struct kb_engine *engine, struct kb_part *part)
{
    int rc = KBP_OK;

    (void)pthread_mutex_lock(&engine->parts_lock);
    if (engine->part_count == engine->part_cap) {
        size_t cap = engine->part_cap ? engine->part_cap * 2 : 64;
        struct kb_part **parts = realloc(engine->parts, cap * sizeof *parts);

        if (parts) {
            engine->parts = parts;
            engine->part_cap = cap;
        } else {
            rc = KBP_ERR_NOMEM;
        }
    }
    if (rc == KBP_OK)
        engine->parts[engine->part_count++] = part;
    (void)pthread_mutex_unlock(&engine->parts_lock);
    return rc;
}

/* The same partition always has the same; a topic's are spread evenly. */
static unsigned home_of(const struct kb_engine *engine,
                        const struct kb_part *part)
{
    const char *topic = part->topic->name;
    uint64_t hash = kb_hash(KB_HASH_INIT, topic, strlen(topic));

    return (unsigned)((hash + (uint32_t)part->partition) %
                      engine->pipe.set.writers);
}

/* A partition's place in the log, as its leader said. */
struct found {
    struct kb_source_topic *topic;
    int32_t partition;
    int16_t error;
    int64_t earliest;
    int64_t latest;
};

/* Where a partition begins that the archive knows nothing of. */
static int64_t first_offset(struct kb_engine *engine, const struct found *found,
                            bool first)
{
    const struct kb_start_setting *start = &engine->config->backup.start_offset;
    const struct kb_source_topic *topic = found->topic;
    size_t i;

    /* A partition that was empty then, or wasn't there, is wanted whole. */
    if (start->kind == KB_START_LATEST)
        return first && topic->number == 1 && !topic->known ? found->latest
                                                            : found->earliest;
    if (start->kind != KB_START_SPECIFIC)
        return found->earliest;
    for (i = 0; i < start->count; i++) {
        const struct kb_start_offset *item = &start->items[i];

        if (item->partition != found->partition ||
            strcmp(item->topic, topic->name) != 0)
            continue;
        if (item->offset < found->earliest || item->offset > found->latest)
            kb_engine_warn(engine,
                           "%s/%d: start_offset %lld lies outside of the log "
                           "[%lld, %lld]",
                           topic->name, (int)found->partition,
                           (long long)item->offset, (long long)found->earliest,
                           (long long)found->latest);
        return item->offset > found->latest ? found->latest : item->offset;
    }
    return found->earliest;
}

/* Where the archive goes on, and with what. */
struct resume {
    int64_t position; /* -1: anywhere */
    struct kb_last_batch last;
    struct kb_txns open; /* transactions that have records stored */
};

static int resume_of(struct kb_engine *engine, const struct found *found,
                     struct resume *resume, struct kbp_error *err)
{
    const struct kb_generation *generation;
    const struct kb_partition_log *log = NULL;
    int rc = KBP_OK;

    (void)pthread_mutex_lock(&engine->pipe.commit_lock);
    generation =
        kb_manifest_generation(engine->manifest, &found->topic->generation);
    if (generation)
        log = kb_generation_partition(generation, found->partition);
    if (log) {
        resume->position = kb_partition_resume(log);
        resume->last = log->last;
        rc = kb_txns_copy(&resume->open, &log->open, err);
    }
    (void)pthread_mutex_unlock(&engine->pipe.commit_lock);
    return rc;
}

static int begin_part(struct kb_engine *engine, const struct found *found,
                      bool first, bool *diverged, struct kbp_error *err)
{
    struct kb_source_topic *topic = found->topic;
    struct resume resume = {.position = -1};
    int64_t position;
    bool resumes;
    const struct kb_meta_topic *meta;
    const struct kb_meta_partition *leads;
    struct kb_part *part;
    char acl[KB_ACL_TEXT];
    int rc = resume_of(engine, found, &resume, err);

    if (rc != KBP_OK)
        return rc;
    position = resume.position;
    resumes = position >= 0;
    if (found->error == KB_KAFKA_NONE && resumes && position > found->latest) {
        *diverged = true;
        kb_txns_release(&resume.open);
        return KBP_OK;
    }
    if (!resumes)
        position = found->error != KB_KAFKA_NONE ? 0 : found->earliest;
    part = kb_part_new(topic, found->partition, position,
                       engine->config->backup.continuous ? KB_NO_END
                                                         : found->latest);
    if (part)
        part->home = home_of(engine, part);
    if (part)
        part->open = resume.open; /* its own now */
    else
        kb_txns_release(&resume.open);
    if (!part || add_part(engine, part) != KBP_OK) {
        kb_part_free(part);
        return kb_fail_nomem(err, "a partition");
    }
    topic->parts[found->partition] = part;
    atomic_store(&part->high_watermark, found->latest);
    if (found->error != KB_KAFKA_NONE) {
        part->end = position;
        kb_part_end(part, KB_BACKUP_INCOMPLETE,
                    "its leader doesn't say where it ends: %s (%s)%s",
                    kb_kafka_error_text(found->error),
                    kb_kafka_error_name(found->error),
                    kb_acl_advice(acl, found->error, KB_ACL_TOPIC, topic->name,
                                  "Read"));
        return KBP_OK;
    }
    part->check = resume.last;
    if (position < found->earliest) {
        kb_engine_warn(engine,
                       "%s/%d: offsets %lld to %lld were gone before they "
                       "were backed up (retention or DeleteRecords)",
                       topic->name, (int)found->partition, (long long)position,
                       (long long)found->earliest);
        rc = kb_engine_skip(engine, part, KB_RANGE_BEFORE_START,
                            found->earliest, err);
        if (rc != KBP_OK)
            return rc;
    }
    /* What isn't wanted is accounted for, so that the next run goes on here. */
    if (!resumes) {
        rc = kb_engine_skip(engine, part, KB_RANGE_FILTERED,
                            first_offset(engine, found, first), err);
        if (rc != KBP_OK)
            return rc;
    }
    if (part->check.base_offset < found->earliest)
        part->check.known = false;
    kb_progress_add(&engine->progress->partitions_total, 1);
    if (part->end != KB_NO_END)
        kb_progress_add(&engine->progress->offsets_total,
                        (unsigned long long)(part->end - part->begin));
    meta = kb_metadata_topic(engine->metadata, topic->name);
    leads = meta ? kb_meta_topic_partition(meta, found->partition) : NULL;
    if (leads) {
        part->leader = leads->leader;
        part->leader_epoch = leads->leader_epoch;
    }
    return KBP_OK;
}

/* Whether the partition isn't begun yet. */
static bool is_new(const struct kb_source_topic *topic, int32_t partition)
{
    return !topic->retired && !topic->parts[partition];
}

/* Ask for both ends of every partition that isn't begun, in two rounds. */
static int find_offsets(struct kb_engine *engine, struct found **found,
                        size_t *count, struct kbp_error *err)
{
    static const int64_t which[2] = {KB_OFFSET_EARLIEST, KB_OFFSET_LATEST};
    const int64_t timeout = engine->config->backup.leader_timeout_ms;
    const int64_t least = timeout < OFFSETS_MIN_MS ? timeout : OFFSETS_MIN_MS;
    int64_t deadline = kb_deadline_ms(timeout);
    struct kb_offset_query *queries = NULL;
    struct kb_source_topic *topic;
    struct found *list = NULL;
    size_t n = 0;
    size_t i;
    int round;
    int32_t p;
    int rc = KBP_OK;

    for (topic = engine->topics; topic; topic = topic->next)
        for (p = 0; p < topic->part_count; p++)
            n += is_new(topic, p);
    *count = n;
    *found = NULL;
    if (n == 0)
        return KBP_OK;
    list = calloc(n, sizeof *list);
    queries = calloc(n, sizeof *queries);
    if (!list || !queries) {
        rc = kb_fail_nomem(err, "offsets");
        goto out;
    }
    n = 0;
    for (topic = engine->topics; topic; topic = topic->next)
        for (p = 0; p < topic->part_count; p++)
            if (is_new(topic, p)) {
                list[n].topic = topic;
                list[n++].partition = p;
            }
    for (round = 0; round < 2; round++) {
        if (kb_left_ms(deadline) < least)
            deadline = kb_deadline_ms(least);
        for (i = 0; i < n; i++)
            queries[i] =
                (struct kb_offset_query){.topic = list[i].topic->name,
                                         .partition = list[i].partition,
                                         .timestamp = which[round],
                                         .offset = -1};
        rc = kb_client_list_offsets(engine->client, queries, n,
                                    KB_READ_UNCOMMITTED, deadline, err);
        if (rc != KBP_OK)
            goto out;
        for (i = 0; i < n; i++) {
            if (queries[i].error != KB_KAFKA_NONE)
                list[i].error = queries[i].error;
            else if (round == 0)
                list[i].earliest = queries[i].offset;
            else
                list[i].latest = queries[i].offset;
        }
    }
    *found = list;
    list = NULL;
out:
    free(list);
    free(queries);
    return rc;
}

/* Begin all partitions that aren't; give them to fetchers. */
int kb_plan_begin(struct kb_engine *engine, bool first, struct kbp_error *err)
{
    struct kb_source_topic *again = NULL;
    struct found *found = NULL;
    size_t count = 0;
    size_t i;
    int rc = describe(engine, err);

    if (rc == KBP_OK)
        rc = find_offsets(engine, &found, &count, err);
    for (i = 0; rc == KBP_OK && i < count; i++) {
        bool diverged = false;

        if (found[i].topic->retired)
            continue;
        /* In continuous mode there is a next time. */
        if (found[i].error != KB_KAFKA_NONE &&
            engine->config->backup.continuous) {
            kb_warn("%s/%d: its leader doesn't say where it ends: %s",
                    found[i].topic->name, (int)found[i].partition,
                    kb_kafka_error_text(found[i].error));
            continue;
        }
        rc = begin_part(engine, &found[i], first, &diverged, err);
        if (rc == KBP_OK && diverged) {
            again = found[i].topic;
            rc = kb_plan_restart(engine, again,
                                 "it ends before what was stored of it", err);
        }
    }
    free(found);
    if (rc == KBP_OK)
        rc = kb_plan_commit_topics(engine, err);
    for (i = 0; rc == KBP_OK && i < engine->part_count; i++) {
        struct kb_part *part = engine->parts[i];

        if (part->started || part->retired)
            continue;
        part->started = true;
        if (part->done)
            continue;
        if (part->position >= part->end && !part->check.known) {
            part->done = true;
            kb_progress_add(&engine->progress->partitions_done, 1);
            continue;
        }
        rc = kb_engine_assign(engine, part, err);
    }
    /* A generation that was begun just now has its partitions still to come. */
    return rc == KBP_OK && again ? kb_plan_begin(engine, first, err) : rc;
}

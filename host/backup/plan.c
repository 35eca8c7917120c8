/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - which topics, which generation of them, from where to where.
 */
#include <stdlib.h>
#include <string.h>

#include "backup/engine.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/acl.h"
#include "kafka/error.h"
#include "metrics/metrics.h"

/* Topics which brokers keep for themselves, also where they don't say so. */
static const char *const broker_topics[] = {
    "__consumer_offsets",    "__transaction_state", "__share_group_state",
    "__remote_log_metadata", "__cluster_metadata",
};

/* Discoveries from one look at all configs to the next: they are large. */
#define CONFIGS_EVERY 10

static bool is_pattern(const char *text)
{
    return strpbrk(text, "*?") != NULL;
}

static bool matches(const struct kb_strings *patterns, const char *name)
{
    size_t i;

    for (i = 0; i < patterns->count; i++)
        if (kb_glob_match(patterns->items[i], name))
            return true;
    return false;
}

static bool is_named(const struct kb_strings *names, const char *name)
{
    size_t i;

    for (i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

bool kb_plan_selects(const struct kb_config *config, const char *topic,
                     bool internal)
{
    const struct kb_backup_settings *backup = &config->backup;
    size_t i;

    for (i = 0; i < sizeof broker_topics / sizeof broker_topics[0]; i++)
        internal |= strcmp(topic, broker_topics[i]) == 0;
    if (internal && (!backup->include_internal_topics ||
                     (backup->internal_topics.count > 0 &&
                      !is_named(&backup->internal_topics, topic))))
        return false;
    if (matches(&config->source.topics_exclude, topic))
        return false;
    return config->source.topics_include.count == 0 ||
           matches(&config->source.topics_include, topic);
}

/* Whether the pattern is of something: the cluster's, or the archive's. */
static bool pattern_is_known(struct kb_engine *engine, const char *pattern)
{
    const struct kb_metadata *metadata = engine->metadata;
    const struct kb_manifest *manifest = engine->manifest;
    size_t i;

    /* "All that there is" may well be nothing. */
    if (pattern[strspn(pattern, "*")] == '\0')
        return true;
    for (i = 0; i < metadata->topic_count; i++)
        if (kb_glob_match(pattern, metadata->topics[i].name))
            return true;
    for (i = 0; i < manifest->generation_count; i++)
        if (kb_glob_match(pattern, manifest->generations[i].topic))
            return true;
    return false;
}

static bool is_there(struct kb_engine *engine, const char *name)
{
    const struct kb_meta_topic *topic;

    if (is_pattern(name))
        return pattern_is_known(engine, name);
    topic = kb_metadata_topic(engine->metadata, name);
    return topic && topic->error != KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

int kb_plan_check(struct kb_engine *engine, struct kbp_error *err)
{
    const struct kb_strings *include = &engine->config->source.topics_include;
    struct kb_buf missing = KB_BUF_INIT;
    const char *first = NULL;
    char acl[KB_ACL_TEXT] = "";
    size_t i;
    int rc = KBP_OK;

    for (i = 0; i < include->count; i++) {
        const char *name = include->items[i];

        if (is_there(engine, name))
            continue;
        if (is_pattern(name) && engine->config->backup.continuous) {
            kb_engine_warn(engine, "no topic matches %s yet", name);
            continue;
        }
        kb_buf_printf(&missing, "%s%s", missing.len ? ", " : "", name);
        if (!first)
            first = name;
    }
    /* "All topics" are those that the user may describe. */
    if (first)
        kb_acl_text(acl, sizeof acl, KB_ACL_TOPIC,
                    is_pattern(first) ? "*" : first, "Read");
    kb_buf_add(&missing, "", 1);
    if (missing.failed) {
        rc = kb_fail_nomem(err, "topics");
    } else if (missing.len > 1 && engine->config->backup.on_missing_topic ==
                                      KB_MISSING_TOPIC_FAIL) {
        rc = kb_fail(err, KBP_ERR_NOT_FOUND,
                     "Topic not found: configured backup topic(s) not found "
                     "in Kafka cluster: %s",
                     (const char *)missing.data);
        kb_err_hint(err, "check topics.include; if it exists, %s", acl);
    } else if (missing.len > 1) {
        kb_engine_warn(engine,
                       "topics that are to be backed up don't exist: "
                       "%s; if they do, %s",
                       (const char *)missing.data, acl);
    }
    kb_buf_release(&missing);
    return rc;
}

static struct kb_source_topic *find_topic(const struct kb_engine *engine,
                                          const char *name)
{
    struct kb_source_topic *topic;

    for (topic = engine->topics; topic; topic = topic->next)
        if (!topic->retired && strcmp(topic->name, name) == 0)
            return topic;
    return NULL;
}

/* Which generation of the archive the topic goes on with, or a new one. */
static int find_generation(struct kb_engine *engine,
                           struct kb_source_topic *topic, bool fresh,
                           struct kbp_error *err)
{
    const struct kb_generation *newest =
        kb_manifest_topic(engine->manifest, topic->name);
    bool has_id = !kb_uuid_is_none(&topic->id);

    topic->number = newest ? newest->number + 1 : 1;
    topic->described = false;
    if (newest && !fresh &&
        (newest->id_is_kafkas && has_id ? kb_uuid_equal(&newest->id, &topic->id)
                                        : newest->deleted_ms == 0)) {
        topic->generation = newest->id;
        topic->id_is_kafkas = newest->id_is_kafkas;
        topic->number = newest->number;
        topic->known = true;
        return KBP_OK;
    }
    if (newest && !fresh && newest->deleted_ms == 0) {
        kb_engine_warn(engine,
                       "topic %s was deleted and created again since it was "
                       "backed up; generation %u of it stays in the backup as "
                       "it is, and generation %u begins",
                       topic->name, (unsigned)newest->number,
                       (unsigned)topic->number);
        topic->replaces = newest->id;
    }
    topic->id_is_kafkas =
        has_id && !kb_manifest_generation(engine->manifest, &topic->id);
    if (topic->id_is_kafkas) {
        topic->generation = topic->id;
        return KBP_OK;
    }
    return kb_uuid_make(&topic->generation, err);
}

static struct kb_source_topic *new_topic(struct kb_engine *engine,
                                         const char *name)
{
    struct kb_source_topic *topic = calloc(1, sizeof *topic);

    if (!topic)
        return NULL;
    topic->name = kb_strdup(name);
    if (!topic->name) {
        free(topic);
        return NULL;
    }
    topic->literal = is_named(&engine->config->source.topics_include, name);
    *engine->last_topic = topic;
    engine->last_topic = &topic->next;
    return topic;
}

/* As many places for partitions as the broker has. */
static int size_topic(struct kb_source_topic *topic,
                      const struct kb_meta_topic *meta, struct kbp_error *err)
{
    int32_t count = meta->partition_count;
    struct kb_part **parts;

    if (count > 0)
        topic->desc.replication_factor =
            (int16_t)meta->partitions[0].replica_count;
    topic->desc.internal = meta->internal;
    if (count <= topic->part_count)
        return KBP_OK;
    parts = realloc(topic->parts, (size_t)count * sizeof *parts);
    if (!parts)
        return kb_fail_nomem(err, "partitions");
    memset(parts + topic->part_count, 0,
           (size_t)(count - topic->part_count) * sizeof *parts);
    topic->parts = parts;
    topic->part_count = count;
    topic->desc.partition_count = count;
    topic->described = false;
    return KBP_OK;
}

static int take_topic(struct kb_engine *engine,
                      const struct kb_meta_topic *meta, bool fresh,
                      struct kbp_error *err)
{
    struct kb_source_topic *topic = new_topic(engine, meta->name);
    int rc;

    if (!topic)
        return kb_fail_nomem(err, "a topic");
    topic->id = meta->id;
    topic->desc.described_ms = kb_wall_ms();
    topic->ask_configs = true;
    rc = size_topic(topic, meta, err);
    if (rc != KBP_OK)
        return rc;
    (void)pthread_mutex_lock(&engine->pipe.commit_lock);
    rc = find_generation(engine, topic, fresh, err);
    (void)pthread_mutex_unlock(&engine->pipe.commit_lock);
    return rc;
}

/* Whether it is time to read again the configs that are known. */
static bool configs_are_due(struct kb_engine *engine, bool first)
{
    if (!first && kb_left_ms(engine->next_configs_ms) > 0)
        return false;
    engine->next_configs_ms = kb_deadline_ms(
        engine->config->backup.discovery_interval_ms * CONFIGS_EVERY);
    return !first;
}

int kb_plan(struct kb_engine *engine, bool first, struct kbp_error *err)
{
    const struct kb_metadata *metadata;
    char acl[KB_ACL_TEXT];
    size_t selected = 0;
    bool again;
    size_t i;
    int rc = kb_engine_metadata(engine, true, err);

    if (rc != KBP_OK)
        return rc;
    again = configs_are_due(engine, first);
    metadata = engine->metadata;
    for (i = 0; i < metadata->topic_count && rc == KBP_OK; i++) {
        const struct kb_meta_topic *meta = &metadata->topics[i];
        struct kb_source_topic *topic;

        if (!kb_plan_selects(engine->config, meta->name, meta->internal))
            continue;
        if (meta->error != KB_KAFKA_NONE &&
            meta->error != KB_KAFKA_LEADER_NOT_AVAILABLE) {
            if (first)
                kb_engine_miss(engine, "topic %s is left out: %s%s", meta->name,
                               kb_kafka_error_text(meta->error),
                               kb_acl_advice(acl, meta->error, KB_ACL_TOPIC,
                                             meta->name, "Read"));
            continue;
        }
        selected++;
        topic = find_topic(engine, meta->name);
        if (!topic)
            rc = take_topic(engine, meta, false, err);
        else if (kb_uuid_equal(&topic->id, &meta->id)) {
            /* Continuous: what was changed, or couldn't be read before. */
            topic->ask_configs = again || !topic->configs_read;
            rc = size_topic(topic, meta, err);
        } else
            rc = kb_plan_restart(engine, topic,
                                 "it was deleted and created again", err);
    }
    if (first && selected == 0)
        kb_engine_warn(engine, "no topic is selected");
    return rc == KBP_OK ? kb_plan_begin(engine, first, err) : rc;
}

/* Whether the archive has the topic's generation, described as it is. */
static bool archive_has(struct kb_engine *engine,
                        const struct kb_source_topic *topic, bool as_is)
{
    const struct kb_generation *have;
    bool has;

    (void)pthread_mutex_lock(&engine->pipe.commit_lock);
    have = kb_manifest_generation(engine->manifest, &topic->generation);
    has = have && (!as_is || kb_topic_desc_equal(&have->desc, &topic->desc));
    (void)pthread_mutex_unlock(&engine->pipe.commit_lock);
    return has;
}

int kb_plan_retire(struct kb_engine *engine, struct kb_source_topic *topic,
                   struct kbp_error *err)
{
    struct kb_entry *entry = NULL;
    int32_t p;
    int rc;

    topic->retired = true;
    for (p = 0; p < topic->part_count; p++) {
        struct kb_part *part = topic->parts[p];

        if (!part)
            continue;
        part->retired = true;
        kb_metrics_lag_gone(topic->name, part->partition);
        part->done = true;
        atomic_store(&part->wanted_back, 1);
        rc = kb_collect_flush(&engine->collector, part, err);
        if (rc != KBP_OK)
            return rc;
    }
    if (!archive_has(engine, topic, false))
        return KBP_OK;
    rc = kb_entry_new(&entry, err);
    if (rc == KBP_OK)
        rc = kb_entry_topic_deleted(entry, &topic->generation, kb_wall_ms(),
                                    err);
    if (rc == KBP_OK)
        rc = kb_pipe_commit(&engine->pipe, entry, err);
    kb_entry_free(entry);
    return rc;
}

int kb_plan_restart(struct kb_engine *engine, struct kb_source_topic *topic,
                    const char *why, struct kbp_error *err)
{
    const struct kb_meta_topic *meta =
        kb_metadata_topic(engine->metadata, topic->name);
    int rc;

    kb_engine_warn(engine,
                   "topic %s: %s; generation %u of it stays in the backup as "
                   "it is, and generation %u begins",
                   topic->name, why, (unsigned)topic->number,
                   (unsigned)topic->number + 1);
    rc = kb_plan_retire(engine, topic, err);
    if (rc != KBP_OK || !meta)
        return rc;
    return take_topic(engine, meta, true, err);
}

/* Topics of the archive that aren't in the cluster any more. */
static int note_gone(struct kb_engine *engine, struct kb_entry *entry,
                     struct kbp_error *err)
{
    size_t i;
    int rc = KBP_OK;

    (void)pthread_mutex_lock(&engine->pipe.commit_lock);
    for (i = 0; i < engine->manifest->generation_count && rc == KBP_OK; i++) {
        const struct kb_generation *g = &engine->manifest->generations[i];

        if (g->deleted_ms != 0 ||
            kb_manifest_topic(engine->manifest, g->topic) != g ||
            !kb_plan_selects(engine->config, g->topic, g->desc.internal) ||
            kb_metadata_topic(engine->metadata, g->topic))
            continue;
        kb_engine_warn(engine,
                       "topic %s isn't in the cluster any more; it stays in "
                       "the backup as it is",
                       g->topic);
        rc = kb_entry_topic_deleted(entry, &g->id, kb_wall_ms(), err);
    }
    (void)pthread_mutex_unlock(&engine->pipe.commit_lock);
    return rc;
}

int kb_plan_commit_topics(struct kb_engine *engine, struct kbp_error *err)
{
    struct kb_source_topic *topic;
    struct kb_entry *entry = NULL;
    int rc = kb_entry_new(&entry, err);

    if (rc == KBP_OK && !engine->looked_for_gone) {
        engine->looked_for_gone = true;
        rc = note_gone(engine, entry, err);
    }
    for (topic = engine->topics; topic && rc == KBP_OK; topic = topic->next) {
        if (topic->retired || topic->described)
            continue;
        topic->described = true;
        if (archive_has(engine, topic, true))
            continue;
        if (!kb_uuid_is_none(&topic->replaces))
            rc = kb_entry_topic_deleted(entry, &topic->replaces, kb_wall_ms(),
                                        err);
        topic->replaces = (struct kb_uuid){{0}};
        if (rc == KBP_OK)
            rc = kb_entry_topic(entry, topic->name, &topic->generation,
                                topic->id_is_kafkas, &topic->desc, err);
    }
    if (rc == KBP_OK && engine->metadata->cluster_id &&
        !engine->cluster_known) {
        engine->cluster_known = true;
        rc = kb_entry_cluster(entry, engine->metadata->cluster_id, err);
    }
    if (rc == KBP_OK && !kb_entry_is_empty(entry))
        rc = kb_pipe_commit(&engine->pipe, entry, err);
    kb_entry_free(entry);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* held.c - configs that a topic doesn't get until all is restored. */
#include "restore/held.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "restore/topics.h"

#define DEFAULT_MAX_MESSAGE 1048588
#define LONG_MAX_TEXT "9223372036854775807"

/*
 * A topic with one replica: under a cluster's default of two in sync nobody
 * could write to it, for ever.  Topics with more keep the cluster's.
 */
#define MIN_INSYNC "min.insync"

/*
 * Held back, and what the topic has meanwhile (NULL: nothing, "": computed).
 */
static const struct {
    const char *key;
    const char *meanwhile;
} held[] = {
    {"cleanup.policy", "delete"},
    {"retention.ms", "-1"},
    {"retention.bytes", "-1"},
    {"max.message.bytes", ""},
    {"compression.type", "producer"},
    {"message.timestamp.type", "CreateTime"},
    {"message.timestamp.before.max.ms", LONG_MAX_TEXT},
    {"message.timestamp.after.max.ms", LONG_MAX_TEXT},
    {"message.timestamp.difference.max.ms", LONG_MAX_TEXT},
    {"segment.bytes", NULL},
    {"min.insync.replicas", MIN_INSYNC},
    {"local.retention.ms", NULL},
    {"local.retention.bytes", NULL},
    {"remote.storage.enable", NULL},
};

#define HELD_COUNT (sizeof held / sizeof *held)

/*
 * The first two name brokers of the source.  The third would have a 2.x broker
 * refuse what is restored: old message sets are batches of magic 2 by then.
 */
static const char *const never[] = {"leader.replication.throttled.replicas",
                                    "follower.replication.throttled.replicas",
                                    "message.format.version"};

static bool is_never(const char *key)
{
    size_t i;

    for (i = 0; i < sizeof never / sizeof *never; i++)
        if (!strcmp(key, never[i]))
            return true;
    return false;
}

static bool is_held(const char *key)
{
    size_t i;

    for (i = 0; i < HELD_COUNT; i++)
        if (!strcmp(held[i].key, key))
            return true;
    return false;
}

bool kb_held_is_captured(const struct kb_restore_run *run,
                         const struct kb_plan_topic *topic, const char *key)
{
    return kb_topic_final_config(run, topic, key) != NULL;
}

static int add(struct kb_held_configs *configs, const char *key,
               const char *value, struct kbp_error *err)
{
    if (configs->count == configs->cap) {
        size_t cap = configs->cap ? configs->cap * 2 : 32;
        char **keys = realloc(configs->keys, cap * sizeof *keys);
        char **values;

        if (!keys)
            return kb_fail_nomem(err, "a topic's configs");
        configs->keys = keys;
        values = realloc(configs->values, cap * sizeof *values);
        if (!values)
            return kb_fail_nomem(err, "a topic's configs");
        configs->values = values;
        configs->cap = cap;
    }
    configs->keys[configs->count] = kb_strdup(key);
    configs->values[configs->count] = kb_strdup(value);
    configs->count++;
    if (!configs->keys[configs->count - 1] ||
        !configs->values[configs->count - 1])
        return kb_fail_nomem(err, "a topic's configs");
    return KBP_OK;
}

void kb_held_drop(struct kb_held_configs *configs, size_t i)
{
    free(configs->keys[i]);
    free(configs->values[i]);
    configs->count--;
    configs->keys[i] = configs->keys[configs->count];
    configs->values[i] = configs->values[configs->count];
}

void kb_held_release(struct kb_held_configs *configs)
{
    size_t i;

    for (i = 0; i < configs->count; i++) {
        free(configs->keys[i]);
        free(configs->values[i]);
    }
    free(configs->keys);
    free(configs->values);
    *configs = (struct kb_held_configs){0};
}

/*
 * Room for the largest batch, built anew by another compressor than its first
 * one perhaps; and for those that we put together.
 */
static int64_t max_message_bytes(const struct kb_restore_run *run,
                                 const struct kb_plan_topic *topic)
{
    int64_t most = topic->sums.largest_batch;

    if ((int64_t)run->plan.select.rebuilt_bytes > most)
        most = (int64_t)run->plan.select.rebuilt_bytes;
    most += most / 4 + 65536;
    return most > DEFAULT_MAX_MESSAGE ? most : DEFAULT_MAX_MESSAGE;
}

static int add_captured(struct kb_held_configs *configs,
                        const struct kb_restore_run *run,
                        const struct kb_plan_topic *topic,
                        struct kbp_error *err)
{
    const struct kb_topic_desc *desc = &topic->generation->desc;
    const struct kb_pairs *overrides =
        &run->config->restore.topic_config_overrides;
    int status = KBP_OK;
    size_t i;

    for (i = 0; i < overrides->count && status == KBP_OK; i++)
        if (!is_held(overrides->items[i].key))
            status = add(configs, overrides->items[i].key,
                         overrides->items[i].value, err);
    for (i = 0; i < desc->config_count && status == KBP_OK; i++) {
        const char *key = desc->configs[i].name;
        const char *value = kb_topic_final_config(run, topic, key);

        if (value && !is_held(key) && !is_never(key) &&
            !kb_pairs_get(overrides, key))
            status = add(configs, key, value, err);
    }
    return status;
}

static bool has_one_replica(const struct kb_restore_run *run,
                            const struct kb_plan_topic *topic)
{
    const int64_t rf = run->config->restore.default_replication_factor;

    return (rf == KB_UNSET ? topic->replication_factor : rf) == 1;
}

/* What a topic has instead of what is held back; NULL: nothing. */
static const char *meanwhile_of(const struct kb_restore_run *run,
                                const struct kb_plan_topic *topic, size_t i)
{
    if (held[i].meanwhile && !strcmp(held[i].meanwhile, MIN_INSYNC))
        return has_one_replica(run, topic) ? "1" : NULL;
    return held[i].meanwhile;
}

int kb_held_make(struct kb_held_configs *configs,
                 const struct kb_restore_run *run,
                 const struct kb_plan_topic *topic, struct kbp_error *err)
{
    char text[24];
    int status = add_captured(configs, run, topic, err);
    size_t i;

    configs->max_message_bytes = max_message_bytes(run, topic);
    for (i = 0; i < HELD_COUNT && status == KBP_OK; i++) {
        const char *meanwhile = meanwhile_of(run, topic, i);

        if (!meanwhile)
            continue;
        if (!*meanwhile) {
            (void)snprintf(text, sizeof text, "%" PRId64,
                           configs->max_message_bytes);
            meanwhile = text;
        }
        status = add(configs, held[i].key, meanwhile, err);
    }
    return status;
}

int kb_held_final(struct kb_held_configs *configs,
                  const struct kb_restore_run *run,
                  const struct kb_plan_topic *topic, struct kbp_error *err)
{
    int status = KBP_OK;
    size_t i;

    for (i = 0; i < HELD_COUNT && status == KBP_OK; i++) {
        const char *value = kb_topic_final_config(run, topic, held[i].key);

        if (value)
            status = add(configs, held[i].key, value, err);
    }
    return status;
}

static int record(struct kb_restore_run *run, const char *topic,
                  const char *key, const char *value, struct kbp_error *err)
{
    struct kb_restore_config *config = kb_restore_add_config(&run->state);

    if (!config)
        return kb_fail_nomem(err, "the checkpoint");
    config->topic = kb_strdup(topic);
    config->name = kb_strdup(key);
    config->value = value ? kb_strdup(value) : NULL;
    if (!config->topic || !config->name || (value && !config->value))
        return kb_fail_nomem(err, "the checkpoint");
    return KBP_OK;
}

int kb_held_record(struct kb_restore_run *run,
                   const struct kb_plan_topic *topic, struct kbp_error *err)
{
    int status = KBP_OK;
    size_t i;

    for (i = 0; i < HELD_COUNT && status == KBP_OK; i++) {
        const char *value = kb_topic_final_config(run, topic, held[i].key);

        if (value || meanwhile_of(run, topic, i))
            status = record(run, topic->name, held[i].key, value, err);
    }
    return status;
}

void kb_held_leave_off(struct kb_restore_run *run, const char *topic,
                       const char *key)
{
    size_t i;

    for (i = 0; i < run->state.config_count; i++)
        if (!strcmp(run->state.configs[i].topic, topic) &&
            !strcmp(run->state.configs[i].name, key))
            run->state.configs[i].left_off = true;
}

/* Whether a topic of the run has another retention than it was given. */
static bool lost_retention(const struct kb_admin_configs *configs)
{
    size_t i;

    for (i = 0; i < configs->count; i++)
        if (!strcmp(configs->items[i].key, "retention.ms"))
            return !configs->items[i].value ||
                   strcmp(configs->items[i].value, "-1") != 0;
    return false;
}

void kb_held_watch(struct kb_restore_run *run)
{
    const char **names = calloc(run->state.config_count + 1, sizeof *names);
    struct kbp_error err = KB_ERR_INIT;
    struct kb_admin_configs *configs;
    size_t count = 0;
    size_t i;

    for (i = 0; names && i < run->state.config_count; i++)
        if (!strcmp(run->state.configs[i].name, "retention.ms"))
            names[count++] = run->state.configs[i].topic;
    if (!count || run->retention_warned ||
        kb_admin_topic_configs(run->admin, names, count, &configs, &err) !=
            KBP_OK) {
        free(names);
        return;
    }
    for (i = 0; i < count; i++) {
        if (configs[i].error || !lost_retention(&configs[i]))
            continue;
        run->retention_warned = true;
        kb_run_warn(run,
                    "%s: somebody set its configs while it is restored, and "
                    "retention may delete what comes back; keep operators "
                    "(Strimzi, Terraform) away from it until the restore is "
                    "done",
                    configs[i].topic);
    }
    kb_admin_configs_free(configs, count);
    free(names);
}

/* The longest key of `changes` which the message names; `count`: none. */
static size_t named(const struct kb_config_change *changes, size_t count,
                    const char *message)
{
    size_t best = count;
    size_t i;

    for (i = 0; i < count; i++)
        if (strstr(message, changes[i].key) &&
            (best == count ||
             strlen(changes[i].key) > strlen(changes[best].key)))
            best = i;
    return best;
}

/* Put back those of one topic. */
static int put_back_topic(struct kb_restore_run *run, const char *topic,
                          struct kbp_error *err)
{
    struct kb_config_change changes[HELD_COUNT];
    struct kb_restore_config *items[HELD_COUNT];
    size_t count = 0;
    size_t i;
    int status = KBP_OK;

    for (i = 0; i < run->state.config_count && count < HELD_COUNT; i++) {
        struct kb_restore_config *item = &run->state.configs[i];

        if (item->put_back || item->left_off || strcmp(item->topic, topic) != 0)
            continue;
        items[count] = item;
        changes[count].key = item->name;
        changes[count++].value = item->value;
    }
    while (count > 0) {
        size_t bad;

        kb_err_clear(err);
        status = kb_client_alter_topic_configs(run->client, topic, changes,
                                               count, err);
        if (status == KBP_OK || kb_may_retry(status) ||
            status == KBP_ERR_CANCELLED)
            break;
        bad = named(changes, count, err->message);
        if (bad == count)
            break;
        /* One that can't be removed was never there, mostly. */
        if (changes[bad].value)
            kb_run_warn(run, "%s: config %s=%s is left off: %s", topic,
                        changes[bad].key, changes[bad].value, err->message);
        else if (status == KBP_ERR_UNSUPPORTED)
            kb_run_warn(run,
                        "%s: config %s stays as it was for the restore: %s",
                        topic, changes[bad].key, err->message);
        items[bad]->left_off = true;
        count--;
        items[bad] = items[count];
        changes[bad] = changes[count];
        status = KBP_OK;
    }
    for (i = 0; i < count && status == KBP_OK; i++)
        items[i]->put_back = true;
    return status;
}

/* What is put back there has no effect yet. */
static void warn_of_early_kraft(struct kb_restore_run *run)
{
    struct kbp_error ignored = KB_ERR_INIT;
    bool early = false;

    if (kb_client_is_early_kraft(run->client, &early, &ignored) == KBP_OK &&
        early)
        kb_run_warn(run,
                    "configs are put back, but Kafka 2.8 in KRaft mode acts on "
                    "none that changes: until its brokers are started again, "
                    "topics stay as they were restored, with retention and "
                    "compaction off");
}

int kb_held_put_back(struct kb_restore_run *run, struct kbp_error *err)
{
    bool any = false;
    size_t i;

    for (i = 0; i < run->state.config_count; i++) {
        const struct kb_restore_config *item = &run->state.configs[i];
        int status;

        if (item->put_back || item->left_off)
            continue;
        any = true;
        status = put_back_topic(run, item->topic, err);
        if (status != KBP_OK)
            return kb_err_wrap(err, "%s: putting its configs back",
                               item->topic);
    }
    if (any)
        warn_of_early_kraft(run);
    return KBP_OK;
}

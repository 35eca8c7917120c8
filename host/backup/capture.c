/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.c - consumer groups' offsets into the archive.
 *
 * A capture comes before the ends of the partitions are asked for: what a
 * group has committed then lies within what is stored.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "backup/engine.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/acl.h"
#include "kafka/error.h"

static bool matches(const struct kb_strings *patterns, const char *name)
{
    size_t i;

    for (i = 0; i < patterns->count; i++)
        if (kb_glob_match(patterns->items[i], name))
            return true;
    return false;
}

static bool selects(const struct kb_config *config, const char *group)
{
    const struct kb_backup_settings *backup = &config->backup;

    if (matches(&backup->consumer_groups_exclude, group))
        return false;
    return backup->consumer_groups_include.count == 0 ||
           matches(&backup->consumer_groups_include, group);
}

/* Whether groups were asked for in so many words: a run without is less. */
static bool asked_for(const struct kb_engine *engine)
{
    const struct kb_backup_settings *backup = &engine->config->backup;

    return backup->consumer_groups_asked ||
           backup->consumer_groups_include.count > 0;
}

/* Not captured: a warning, or the run isn't complete without it. */
KB_PRINTF(2, 3)
static void miss(struct kb_engine *engine, const char *fmt, ...)
{
    char text[768];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (asked_for(engine))
        kb_engine_miss(engine, "%s", text);
    else
        kb_engine_warn(engine, "%s", text);
}

/*
 * Brokers list the groups that the user may describe, and don't say that there
 * are more: those that are asked for by name are missed, once.
 */
static void miss_groups(struct kb_engine *engine,
                        const struct kb_group_list *list)
{
    const struct kb_strings *include =
        &engine->config->backup.consumer_groups_include;
    char acl[KB_ACL_TEXT];
    size_t i;
    size_t j;

    if (engine->group_seq > 0)
        return;
    if (list->count == 0 && include->count == 0) {
        kb_acl_text(acl, sizeof acl, KB_ACL_GROUP, "*", "Describe");
        kb_info("no consumer group is listed, none is captured; if there are "
                "any, %s",
                acl);
    }
    for (i = 0; i < include->count; i++) {
        const char *name = include->items[i];

        if (strpbrk(name, "*?"))
            continue;
        for (j = 0; j < list->count; j++)
            if (strcmp(list->items[j].name, name) == 0)
                break;
        if (j < list->count)
            continue;
        kb_acl_text(acl, sizeof acl, KB_ACL_GROUP, name, "Describe");
        miss(engine,
             "consumer group %s is not captured: it isn't listed; if it "
             "exists, %s",
             name, acl);
    }
}

static int add_group(struct kb_engine *engine, struct kb_groups *groups,
                     const char *name, struct kbp_error *err)
{
    struct kb_captured_group *group = NULL;
    struct kb_group_offset *offsets = NULL;
    struct kbp_error why = KB_ERR_INIT;
    char acl[KB_ACL_TEXT];
    size_t count = 0;
    size_t i;
    int rc =
        kb_admin_group_offsets(engine->admin, name, &offsets, &count, &why);

    if (rc != KBP_OK) {
        miss(engine, "consumer group %s is not captured: %s%s%s", name,
             why.message, *why.hint ? "; " : "", why.hint);
        return KBP_OK;
    }
    for (i = 0; rc == KBP_OK && i < count; i++) {
        const struct kb_group_offset *o = &offsets[i];

        if (!kb_plan_selects(engine->config, o->topic, false))
            continue;
        if (o->error != KB_KAFKA_NONE) {
            miss(engine, "consumer group %s, %s/%d: not captured: %s%s", name,
                 o->topic, (int)o->partition, kb_kafka_error_text(o->error),
                 kb_acl_advice(acl, o->error, KB_ACL_TOPIC, o->topic,
                               "Describe"));
            continue;
        }
        if (o->offset < 0)
            continue;
        if (!group)
            rc = kb_groups_add(groups, name, &group, err);
        if (rc == KBP_OK)
            rc = kb_captured_group_add(group, o->topic, o->partition, o->offset,
                                       o->metadata, err);
    }
    kb_group_offsets_free(offsets, count);
    return rc;
}

/* Of all there is to say of them, in whatever order brokers list them. */
static uint64_t hash_of(const struct kb_groups *groups)
{
    uint64_t sum = groups->count + 1;
    size_t g;
    size_t i;

    for (g = 0; g < groups->count; g++) {
        const struct kb_captured_group *group = &groups->items[g];
        uint64_t one =
            kb_hash(KB_HASH_INIT, group->name, strlen(group->name) + 1);

        for (i = 0; i < group->count; i++) {
            const struct kb_captured_offset *o = &group->offsets[i];
            const char *metadata = o->metadata ? o->metadata : "";

            one = kb_hash(one, o->topic, strlen(o->topic) + 1);
            one = kb_hash(one, &o->partition, sizeof o->partition);
            one = kb_hash(one, &o->offset, sizeof o->offset);
            one = kb_hash(one, metadata, strlen(metadata) + 1);
        }
        sum += one;
    }
    return sum;
}

static int store(struct kb_engine *engine, const struct kb_groups *groups,
                 struct kbp_error *err)
{
    struct kb_name name = engine->pipe.name;
    struct kb_entry *entry = NULL;
    int rc;

    name.seq = ++engine->group_seq;
    /* The session is the committer's, too. */
    (void)pthread_mutex_lock(&engine->pipe.commit_lock);
    rc = kb_groups_write(groups, engine->session, engine->config->backup_id,
                         &name, err);
    (void)pthread_mutex_unlock(&engine->pipe.commit_lock);
    if (rc == KBP_OK)
        rc = kb_entry_new(&entry, err);
    if (rc == KBP_OK)
        rc = kb_entry_groups(entry, &name, groups->captured_ms, err);
    if (rc == KBP_OK)
        rc = kb_pipe_commit(&engine->pipe, entry, err);
    kb_entry_free(entry);
    return rc;
}

int kb_capture_groups(struct kb_engine *engine, struct kbp_error *err)
{
    struct kb_groups groups = {.captured_ms = kb_wall_ms()};
    struct kbp_error why = KB_ERR_INIT;
    struct kb_group_list list;
    size_t i;
    int rc = kb_client_list_groups(engine->client, &list, &why);

    if (rc != KBP_OK) {
        miss(engine, "consumer groups are not captured: %s%s%s", why.message,
             *why.hint ? "; " : "", why.hint);
        return rc == KBP_ERR_NOMEM ? kb_fail_nomem(err, "groups") : KBP_OK;
    }
    miss_groups(engine, &list);
    for (i = 0; rc == KBP_OK && i < list.count; i++) {
        if (kb_stop_requested(engine->user_stop))
            break;
        if (selects(engine->config, list.items[i].name))
            rc = add_group(engine, &groups, list.items[i].name, err);
    }
    if (rc == KBP_OK && i == list.count) {
        uint64_t hash = hash_of(&groups);

        /* A run has one of its own in any case. */
        if (engine->group_seq == 0 || hash != engine->groups_hash)
            rc = store(engine, &groups, err);
        if (rc == KBP_OK)
            engine->groups_hash = hash;
        engine->report->groups = groups.count;
    }
    kb_groups_list_release(&list);
    kb_groups_release(&groups);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.c - partitions that fetchers gave back: who leads them now, what an
 * offset out of range means, whether it is the log that was stored.
 */
#include <stdlib.h>
#include <string.h>

#include "backup/engine.h"
#include "base/clock.h"
#include "base/log.h"
#include "kafka/acl.h"
#include "kafka/error.h"
#include "metrics/metrics.h"

/* Not more often than this, however much moves. */
#define METADATA_MS 250

/* A topic that isn't there so often in a row is gone, not just not seen. */
#define MISSED_MAX 8u

/* Where a damaged or forbidden partition is tried again: continuous mode. */
#define BROKEN_MS 30000

/* How long the leaders may take to say where a log begins and ends. */
#define OFFSETS_MS 30000

/* Asked alone so often, and nothing came: then the cleaner took the rest. */
#define EMPTY_ENOUGH 10u

int kb_engine_metadata(struct kb_engine *engine, bool all,
                       struct kbp_error *err)
{
    struct kb_metadata *metadata = NULL;
    struct kb_source_topic *topic;
    const char **names = NULL;
    size_t count = 0;
    int rc;

    if (!all) {
        for (topic = engine->topics; topic; topic = topic->next)
            count += !topic->retired;
        names = calloc(count ? count : 1, sizeof *names);
        if (!names)
            return kb_fail_nomem(err, "topics");
        count = 0;
        for (topic = engine->topics; topic; topic = topic->next)
            if (!topic->retired)
                names[count++] = topic->name;
    }
    rc = kb_client_metadata(engine->client, names, count, &metadata, err);
    free(names);
    engine->next_metadata_ms = kb_deadline_ms(METADATA_MS);
    if (rc != KBP_OK) {
        atomic_store(&engine->progress->brokers_ok, 0);
        kb_metrics_retry("metadata");
        kb_metrics_error(kb_error_type_of(rc, false));
        return rc;
    }
    atomic_store(&engine->progress->brokers_ok, 1);
    kb_metadata_free(engine->metadata);
    engine->metadata = metadata;
    return KBP_OK;
}

int kb_engine_assign(struct kb_engine *engine, struct kb_part *part,
                     struct kbp_error *err)
{
    int32_t broker = part->read_from >= 0 ? part->read_from : part->leader;
    struct kb_fetcher **fetchers;
    struct kb_fetcher *fetcher = NULL;
    size_t i;
    int rc;

    part->fetcher = NULL;
    if (broker < 0) {
        atomic_store(&part->asked, 1);
        if (part->why[0] == '\0')
            kb_part_why(part, "no broker leads it");
        kb_fetch_back_off(part);
        kb_parts_push(&engine->homeless, part);
        return KBP_OK;
    }
    for (i = 0; i < engine->fetcher_count && !fetcher; i++)
        if (kb_fetcher_broker(engine->fetchers[i]) == broker &&
            kb_fetcher_is_tail(engine->fetchers[i]) == part->tailing)
            fetcher = engine->fetchers[i];
    if (!fetcher) {
        fetchers = realloc(engine->fetchers,
                           (engine->fetcher_count + 1) * sizeof *fetchers);
        if (!fetchers)
            return kb_fail_nomem(err, "a fetcher");
        engine->fetchers = fetchers;
        rc = kb_fetcher_start(&engine->env, broker, part->tailing, &fetcher,
                              err);
        if (rc != KBP_OK)
            return rc;
        engine->fetchers[engine->fetcher_count++] = fetcher;
    }
    part->trouble = KB_TROUBLE_NONE;
    part->fetcher = fetcher;
    kb_fetcher_add(fetcher, part);
    return KBP_OK;
}

int kb_engine_skip(struct kb_engine *engine, struct kb_part *part,
                   enum kb_range_kind reason, int64_t to, struct kbp_error *err)
{
    struct kb_walk_item item = {.kind = KB_WALK_SKIP, .reason = reason};
    int rc;

    item.end = to < part->end ? to : part->end;
    if (item.end <= part->position)
        return KBP_OK;
    rc = kb_collect_add(&engine->collector, part, &item, NULL, err);
    if (rc != KBP_OK)
        return rc;
    part->position = item.end;
    atomic_store(&part->fetched, part->position);
    atomic_store(&part->moved_ms, kb_now_ms());
    return KBP_OK;
}

/* Fetched to its end, or not to be fetched any more. */
static void finish(struct kb_engine *engine, struct kb_part *part)
{
    if (!part->done)
        kb_progress_add(&engine->progress->partitions_done, 1);
    part->done = true;
}

/* Asked back because nothing came any more. */
static void on_left(struct kb_engine *engine, struct kb_part *part)
{
    char why[KB_STALL_TEXT];

    if (!part->stalled)
        return;
    finish(engine, part);
    kb_part_end(part, KB_BACKUP_INCOMPLETE, "nothing came at offset %lld: %s",
                (long long)part->position,
                kb_stall_text(engine, part, true, why));
}

static int go_on(struct kb_engine *engine, struct kb_part *part,
                 struct kbp_error *err)
{
    if (part->done)
        return KBP_OK;
    if (part->position >= part->end && !part->check.known) {
        finish(engine, part);
        return KBP_OK;
    }
    return kb_engine_assign(engine, part, err);
}

/* A snapshot can't have all of it any more; a continuous backup just goes on
   without it. */
static void end_topic(const struct kb_engine *engine,
                      struct kb_source_topic *topic, const char *why)
{
    int32_t p;

    for (p = 0; p < topic->part_count; p++)
        if (topic->parts[p] && !topic->parts[p]->done &&
            !engine->config->backup.continuous)
            kb_part_end(topic->parts[p], KB_BACKUP_INCOMPLETE, "%s", why);
}

/* The topic was not in the answer. */
static int on_missing(struct kb_engine *engine, struct kb_part *part,
                      struct kbp_error *err)
{
    struct kb_source_topic *topic = part->topic;

    if (topic->missed < MISSED_MAX) {
        kb_part_why(part, "the cluster doesn't know its topic");
        kb_fetch_back_off(part);
        kb_parts_push(&engine->homeless, part);
        return KBP_OK;
    }
    kb_engine_warn(engine, "topic %s was deleted while it was backed up",
                   topic->name);
    end_topic(engine, topic, "its topic was deleted");
    return kb_plan_retire(engine, topic, err);
}

/* Look for the leader in fresh metadata. */
static int rehome(struct kb_engine *engine, struct kb_part *part,
                  struct kbp_error *err)
{
    const struct kb_meta_topic *meta =
        kb_metadata_topic(engine->metadata, part->topic->name);
    const struct kb_meta_partition *leads;

    if (part->done || part->topic->retired)
        return KBP_OK;
    if (part->stalled) {
        on_left(engine, part);
        return KBP_OK;
    }
    if (!meta || meta->error == KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
        return on_missing(engine, part, err);
    if (!kb_uuid_equal(&meta->id, &part->topic->id)) {
        struct kb_source_topic *topic = part->topic;

        end_topic(engine, topic, "its topic was deleted and created again");
        if (!engine->config->backup.continuous)
            return kb_plan_retire(engine, topic, err);
        engine->next_discovery_ms = 0;
        return kb_plan_restart(engine, topic,
                               "it was deleted and created again", err);
    }
    leads = kb_meta_topic_partition(meta, part->partition);
    if (!leads || leads->leader < 0) {
        kb_part_why(part, "no broker leads it");
        kb_fetch_back_off(part);
        kb_parts_push(&engine->homeless, part);
        return KBP_OK;
    }
    if (part->failures > 0)
        kb_fetch_back_off(part);
    if (part->leader >= 0 && part->leader != leads->leader)
        kb_metrics_rebalance();
    part->leader = leads->leader;
    part->leader_epoch = leads->leader_epoch;
    return go_on(engine, part, err);
}

/* How often in a row each topic wasn't in the cluster. */
static void count_missing(struct kb_engine *engine)
{
    struct kb_source_topic *topic;

    for (topic = engine->topics; topic; topic = topic->next) {
        const struct kb_meta_topic *meta =
            kb_metadata_topic(engine->metadata, topic->name);

        if (!meta || meta->error == KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
            topic->missed++;
        else
            topic->missed = 0;
    }
}

static int rehome_all(struct kb_engine *engine, struct kbp_error *err)
{
    struct kb_part_list list = engine->homeless;
    struct kb_part *part;
    int64_t asked_ms;
    int rc;

    if (list.count == 0 || kb_left_ms(engine->next_metadata_ms) > 0)
        return KBP_OK;
    asked_ms = kb_now_ms();
    rc = kb_engine_metadata(engine, false, err);
    if (rc == KBP_ERR_CANCELLED || rc == KBP_ERR_NOMEM)
        return rc;
    if (rc != KBP_OK) {
        /* Nobody answers: watch.c says when that has lasted too long. */
        int64_t silent_ms = kb_now_ms() - asked_ms - kb_watch_most_ms(engine);
        int64_t most_ms = engine->config->backup.stall_timeout_ms / 2;

        if (silent_ms > most_ms)
            silent_ms = most_ms;
        engine->homeless = (struct kb_part_list){0};
        while ((part = kb_parts_pop(&list)) != NULL) {
            kb_part_why(part, "%s", err->message);
            if (silent_ms > 0)
                part->quiet_ms += silent_ms;
            if (part->stalled)
                on_left(engine, part);
            else
                kb_parts_push(&engine->homeless, part);
        }
        kb_err_clear(err);
        return KBP_OK;
    }
    count_missing(engine);
    engine->homeless = (struct kb_part_list){0};
    while ((part = kb_parts_pop(&list)) != NULL) {
        rc = rehome(engine, part, err);
        if (rc != KBP_OK)
            return rc;
    }
    return KBP_OK;
}

/* Below the log's start, or beyond its end? */
static int decide_range(struct kb_engine *engine, struct kb_part *part,
                        int64_t earliest, int64_t latest, struct kbp_error *err)
{
    int64_t asked =
        part->check.known ? part->check.base_offset : part->position;

    if (part->position > latest || asked > latest ||
        (part->check.known && asked == latest)) {
        char why[256];

        (void)snprintf(why, sizeof why,
                       "the source log was truncated or replaced: it ends at "
                       "%lld, and %s/%d is backed up to %lld",
                       (long long)latest, part->topic->name,
                       (int)part->partition, (long long)part->position);
        return kb_plan_restart(engine, part->topic, why, err);
    }
    if (asked < earliest)
        part->check.known = false;
    if (part->position < earliest) {
        int rc;

        kb_engine_warn(engine,
                       "%s/%d: offsets %lld to %lld were gone before they "
                       "were backed up (retention or DeleteRecords)",
                       part->topic->name, (int)part->partition,
                       (long long)part->position, (long long)earliest);
        rc = kb_engine_skip(engine, part, KB_RANGE_BEFORE_START, earliest, err);
        if (rc != KBP_OK)
            return rc;
    } else if (asked >= earliest) {
        /* It moved between the two answers, or the leader is a stale one. */
        kb_fetch_back_off(part);
    }
    return go_on(engine, part, err);
}

static int resolve_ranges(struct kb_engine *engine, struct kb_part_list *list,
                          struct kbp_error *err)
{
    size_t count = list->count;
    struct kb_offset_query *queries;
    struct kb_part *part;
    size_t i = 0;
    int rc;

    if (count == 0)
        return KBP_OK;
    queries = calloc(count * 2, sizeof *queries);
    if (!queries)
        return kb_fail_nomem(err, "offsets");
    for (part = list->head; part; part = part->next, i++) {
        queries[i] = (struct kb_offset_query){.topic = part->topic->name,
                                              .partition = part->partition,
                                              .timestamp = KB_OFFSET_EARLIEST};
        queries[count + i] = queries[i];
        queries[count + i].timestamp = KB_OFFSET_LATEST;
    }
    /* One request has a partition once. */
    rc = kb_client_list_offsets(engine->client, queries, count,
                                KB_READ_UNCOMMITTED, kb_deadline_ms(OFFSETS_MS),
                                err);
    if (rc == KBP_OK)
        rc = kb_client_list_offsets(engine->client, queries + count, count,
                                    KB_READ_UNCOMMITTED,
                                    kb_deadline_ms(OFFSETS_MS), err);
    for (i = 0; rc == KBP_OK && (part = kb_parts_pop(list)) != NULL; i++) {
        int16_t error =
            queries[i].error ? queries[i].error : queries[count + i].error;

        if (part->done || part->topic->retired)
            continue;
        if (error != KB_KAFKA_NONE) {
            kb_part_why(part, "%s (%s)", kb_kafka_error_text(error),
                        kb_kafka_error_name(error));
            kb_fetch_back_off(part);
            kb_parts_push(&engine->homeless, part);
            continue;
        }
        rc = decide_range(engine, part, queries[i].offset,
                          queries[count + i].offset, err);
    }
    free(queries);
    return rc;
}

/* The broker sends nothing, though there should be something. */
static int on_empty(struct kb_engine *engine, struct kb_part *part,
                    struct kbp_error *err)
{
    int64_t end = part->end;

    if (end == KB_NO_END)
        end = atomic_load(&part->last_stable);
    if (atomic_load(&part->topic->compacted) &&
        !atomic_load(&part->topic->remote) && !part->check.known &&
        part->empties >= EMPTY_ENOUGH &&
        atomic_load(&part->last_stable) >= end) {
        /* A cleaned segment can end before its last offsets. */
        int rc = kb_engine_skip(engine, part, KB_RANGE_CLEANED, end, err);

        if (rc != KBP_OK)
            return rc;
        part->empties = 0;
        part->alone = false;
    }
    return go_on(engine, part, err);
}

static int on_broken(struct kb_engine *engine, struct kb_part *part,
                     struct kbp_error *err)
{
    char acl[KB_ACL_TEXT];

    (void)kb_acl_advice(acl, part->kafka_error, KB_ACL_TOPIC, part->topic->name,
                        "Read");
    kb_progress_add(&engine->progress->errors, 1);
    kb_metrics_error(KB_ERROR_UNKNOWN);
    if (engine->config->backup.continuous) {
        kb_warn("%s/%d: %s; tried again in %d s%s", part->topic->name,
                (int)part->partition, part->why, BROKEN_MS / 1000, acl);
        part->not_before_ms = kb_deadline_ms(BROKEN_MS);
        /* What came until now doesn't mend it: only what comes from here on. */
        part->moved_seen_ms = atomic_load(&part->moved_ms);
        part->broken = true;
        return kb_engine_assign(engine, part, err);
    }
    kb_error("%s/%d: %s%s", part->topic->name, (int)part->partition, part->why,
             acl);
    finish(engine, part);
    kb_part_end(part, KB_BACKUP_FAILED, "at offset %lld: %s%s",
                (long long)part->position, part->why, acl);
    return KBP_OK;
}

static int resolve_one(struct kb_engine *engine, struct kb_part *part,
                       struct kb_part_list *ranges, struct kbp_error *err)
{
    part->fetcher = NULL;
    if (part->done || part->topic->retired)
        return KBP_OK;
    switch (part->trouble) {
    case KB_TROUBLE_NONE:
        return go_on(engine, part, err);
    case KB_TROUBLE_LEADER:
        kb_debug("%s/%d: %s", part->topic->name, (int)part->partition,
                 part->why);
        kb_parts_push(&engine->homeless, part);
        return KBP_OK;
    case KB_TROUBLE_RANGE:
        kb_parts_push(ranges, part);
        return KBP_OK;
    case KB_TROUBLE_DIVERGED:
        return kb_plan_restart(engine, part->topic, part->why, err);
    case KB_TROUBLE_EMPTY:
        return on_empty(engine, part, err);
    case KB_TROUBLE_BROKEN:
        return on_broken(engine, part, err);
    case KB_TROUBLE_LEFT:
        on_left(engine, part);
        break;
    }
    return KBP_OK;
}

int kb_resolve(struct kb_engine *engine, struct kbp_error *err)
{
    struct kb_part_list ranges = {0};
    struct kb_source_topic **last = engine->last_topic;
    struct kb_part_list back;
    struct kb_part *part;
    int rc = KBP_OK;

    (void)pthread_mutex_lock(&engine->back_lock);
    back = engine->back;
    engine->back = (struct kb_part_list){0};
    (void)pthread_mutex_unlock(&engine->back_lock);
    while (rc == KBP_OK && (part = kb_parts_pop(&back)) != NULL)
        rc = resolve_one(engine, part, &ranges, err);
    if (rc == KBP_OK)
        rc = resolve_ranges(engine, &ranges, err);
    if (rc == KBP_OK)
        rc = rehome_all(engine, err);
    /* Generations that were begun meanwhile. */
    if (rc == KBP_OK && engine->last_topic != last)
        rc = kb_plan_begin(engine, false, err);
    return rc;
}

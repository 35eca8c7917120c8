/* SPDX-License-Identifier: Apache-2.0 */
/* topics.c - the topics of the target: what is there, creating what isn't. */
#include "restore/topics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/acl.h"
#include "kafka/error.h"
#include "restore/held.h"
#include "restore/open.h"

#define OFFSETS_MS 30000
#define LEADERS_MS 60000
#define CREATE_AT_ONCE 100u
#define MAX_TRIES 64 /* one config may fall out at each */

/* Brokers' own codes which only creating topics has. */
#define INVALID_CONFIG 40
#define INVALID_REPLICATION_FACTOR 38
#define TOPIC_ALREADY_EXISTS 36

const char *kb_topic_final_config(const struct kb_restore_run *run,
                                  const struct kb_plan_topic *topic,
                                  const char *key)
{
    const struct kb_topic_desc *desc = &topic->generation->desc;
    const char *value =
        kb_pairs_get(&run->config->restore.topic_config_overrides, key);
    size_t i;

    if (value || !run->config->restore.topic_configs)
        return value;
    for (i = 0; i < desc->config_count; i++)
        if (!strcmp(desc->configs[i].name, key) && desc->configs[i].source &&
            !strcmp(desc->configs[i].source, "topic"))
            return desc->configs[i].value;
    return NULL;
}

static int look_at_metadata(struct kb_topics *topics,
                            struct kb_restore_run *run, char **cluster_id,
                            struct kbp_error *err)
{
    const char **names = calloc(topics->count, sizeof *names);
    struct kb_metadata *metadata;
    size_t i;
    int status;

    if (!names)
        return kb_fail_nomem(err, "the target's topics");
    for (i = 0; i < topics->count; i++)
        names[i] = topics->items[i].plan->name;
    status =
        kb_client_metadata(run->client, names, topics->count, &metadata, err);
    free(names);
    if (status != KBP_OK)
        return status;
    if (cluster_id && !*cluster_id && metadata->cluster_id)
        *cluster_id = kb_strdup(metadata->cluster_id);
    for (i = 0; i < topics->count && status == KBP_OK; i++) {
        struct kb_target_topic *topic = &topics->items[i];
        const struct kb_meta_topic *found =
            kb_metadata_topic(metadata, topic->plan->name);
        int32_t p;

        topic->exists = found && found->error == KB_KAFKA_NONE;
        /* It says nothing of whether the topic exists. */
        if (found && kb_acl_denied(found->error)) {
            status = kb_fail(err, kb_kafka_error_status(found->error),
                             "topic %s: %s (%s)", topic->plan->name,
                             kb_kafka_error_text(found->error),
                             kb_kafka_error_name(found->error));
            kb_acl_hint(err, found->error, KB_ACL_TOPIC, topic->plan->name,
                        "Write");
        }
        if (!topic->exists)
            continue;
        topic->id = found->id;
        topic->partitions = found->partition_count;
        topic->replicas = INT32_MAX;
        free(topic->leaders);
        topic->leaders =
            calloc((size_t)found->partition_count + 1, sizeof *topic->leaders);
        if (!topic->leaders) {
            status = kb_fail_nomem(err, "the target's topics");
            break;
        }
        for (p = 0; p < found->partition_count; p++) {
            const struct kb_meta_partition *partition =
                kb_meta_topic_partition(found, p);

            topic->leaders[p] = partition ? partition->leader : -1;
            if (partition && partition->replica_count < topic->replicas)
                topic->replicas = partition->replica_count;
        }
    }
    kb_metadata_free(metadata);
    return status;
}

/* Where each partition ends, and whether there is anything in it. */
static int look_at_offsets(struct kb_target_topic *topic,
                           struct kb_restore_run *run, struct kbp_error *err)
{
    const size_t count = (size_t)topic->partitions;
    struct kb_offset_query *queries = calloc(count * 2 + 1, sizeof *queries);
    size_t i;
    int status;

    free(topic->starts);
    free(topic->ends);
    topic->starts = calloc(count + 1, sizeof *topic->starts);
    topic->ends = calloc(count + 1, sizeof *topic->ends);
    if (!queries || !topic->starts || !topic->ends) {
        free(queries);
        return kb_fail_nomem(err, "the target's offsets");
    }
    for (i = 0; i < count * 2; i++) {
        queries[i].topic = topic->plan->name;
        queries[i].partition = (int32_t)(i % count);
        queries[i].timestamp =
            i < count ? KB_OFFSET_EARLIEST : KB_OFFSET_LATEST;
    }
    status =
        kb_client_list_offsets(run->client, queries, count, KB_READ_UNCOMMITTED,
                               kb_deadline_ms(OFFSETS_MS), err);
    if (status == KBP_OK)
        status = kb_client_list_offsets(run->client, queries + count, count,
                                        KB_READ_UNCOMMITTED,
                                        kb_deadline_ms(OFFSETS_MS), err);
    for (i = 0; i < count && status == KBP_OK; i++) {
        const struct kb_offset_query *end = &queries[count + i];
        const int16_t error = queries[i].error ? queries[i].error : end->error;

        if (error) {
            status = kb_fail(err, kb_kafka_error_status(error),
                             "%s/%zu: asking for its offsets: %s (%s)",
                             topic->plan->name, i, kb_kafka_error_name(error),
                             kb_kafka_error_text(error));
            kb_acl_hint(err, error, KB_ACL_TOPIC, topic->plan->name,
                        "Describe");
        }
        topic->starts[i] = queries[i].offset;
        topic->ends[i] = end->offset;
        if (end->offset > queries[i].offset)
            topic->has_records = true;
    }
    free(queries);
    return status;
}

static int look_at_configs(struct kb_target_topic *topic,
                           struct kb_restore_run *run, struct kbp_error *err)
{
    const char *name = topic->plan->name;
    char acl[KB_ACL_TEXT];
    int status =
        kb_admin_topic_configs(run->admin, &name, 1, &topic->fetched, err);

    if (status != KBP_OK)
        return status;
    if (topic->fetched->error) {
        kb_run_warn(run, "%s: its configs can't be read: %s%s", name,
                    kb_kafka_error_name(topic->fetched->error),
                    kb_acl_advice(acl, topic->fetched->error, KB_ACL_TOPIC,
                                  name, "DescribeConfigs"));
        return KBP_OK;
    }
    topic->configs = topic->fetched->items;
    topic->config_count = topic->fetched->count;
    return KBP_OK;
}

int kb_topics_look(struct kb_topics *topics, struct kb_restore_run *run,
                   char **cluster_id, struct kbp_error *err)
{
    size_t i;
    int status;

    topics->count = run->plan.topic_count;
    topics->items = calloc(topics->count + 1, sizeof *topics->items);
    if (!topics->items)
        return kb_fail_nomem(err, "the target's topics");
    for (i = 0; i < topics->count; i++)
        topics->items[i].plan = &run->plan.topics[i];
    status = look_at_metadata(topics, run, cluster_id, err);
    if (status == KBP_OK)
        status = kb_open_admin(run, err);
    for (i = 0; i < topics->count && status == KBP_OK; i++) {
        if (!topics->items[i].exists)
            continue;
        status = look_at_offsets(&topics->items[i], run, err);
        if (status == KBP_OK)
            status = look_at_configs(&topics->items[i], run, err);
    }
    return status;
}

void kb_topics_release(struct kb_topics *topics)
{
    size_t i;

    for (i = 0; i < topics->count; i++) {
        free(topics->items[i].leaders);
        free(topics->items[i].starts);
        free(topics->items[i].ends);
        if (topics->items[i].fetched)
            kb_admin_configs_free(topics->items[i].fetched, 1);
    }
    for (i = 0; i < topics->left_out_count; i++) {
        free(topics->left_out[i].key);
        free(topics->left_out[i].why);
    }
    free(topics->left_out);
    free(topics->items);
    *topics = (struct kb_topics){0};
}

static const struct kb_left_out *
left_out_of(const struct kb_topics *topics, const struct kb_target_topic *topic,
            const char *key)
{
    size_t i;

    for (i = 0; i < topics->left_out_count; i++)
        if ((!topics->left_out[i].topic ||
             topics->left_out[i].topic == topic) &&
            !strcmp(topics->left_out[i].key, key))
            return &topics->left_out[i];
    return NULL;
}

/* `topic` NULL: no topic is to have it. */
static bool leave_out(struct kb_topics *topics,
                      const struct kb_target_topic *topic, const char *key,
                      const char *why)
{
    struct kb_left_out *grown =
        realloc(topics->left_out, (topics->left_out_count + 1) * sizeof *grown);
    struct kb_left_out *added;

    if (!grown)
        return false;
    topics->left_out = grown;
    added = &grown[topics->left_out_count++];
    *added = (struct kb_left_out){topic, kb_strdup(key), kb_strdup(why)};
    if (added->key && added->why)
        return true;
    free(added->key);
    free(added->why);
    topics->left_out_count--;
    return false;
}

/* The longest of the keys which the broker's message names; NULL: none. */
static const char *named_key(const struct kb_new_topic *topic)
{
    const char *best = NULL;
    size_t i;

    for (i = 0; i < topic->config_count; i++)
        if (strstr(topic->message, topic->config_keys[i]) &&
            (!best || strlen(topic->config_keys[i]) > strlen(best)))
            best = topic->config_keys[i];
    return best;
}

static int make_new_topic(const struct kb_topics *topics,
                          struct kb_restore_run *run,
                          struct kb_target_topic *topic,
                          struct kb_held_configs *configs,
                          struct kb_new_topic *made, struct kbp_error *err)
{
    const int64_t rf = run->config->restore.default_replication_factor;
    size_t i;
    int status = kb_held_make(configs, run, topic->plan, err);

    if (status != KBP_OK)
        return status;
    topic->max_message_bytes = configs->max_message_bytes;
    for (i = configs->count; i > 0; i--)
        if (left_out_of(topics, topic, configs->keys[i - 1]))
            kb_held_drop(configs, i - 1);
    *made = (struct kb_new_topic){
        .name = topic->plan->name,
        .partitions = topic->plan->partitions,
        .replication_factor =
            rf == KB_UNSET ? topic->plan->replication_factor : (int32_t)rf,
        .config_keys = (const char *const *)configs->keys,
        .config_values = (const char *const *)configs->values,
        .config_count = configs->count,
    };
    return KBP_OK;
}

/* What a broker said to one topic; true: try again without what it named. */
static bool judge(struct kb_topics *topics, struct kb_restore_run *run,
                  struct kb_target_topic *topic,
                  const struct kb_new_topic *made, bool validate_only,
                  size_t *failed)
{
    struct kbp_error err = KB_ERR_INIT;
    const char *key;

    if (made->error == KB_KAFKA_NONE)
        return false;
    if (made->error == TOPIC_ALREADY_EXISTS && !validate_only)
        return false; /* our own request, asked twice; or it appeared: checked
                         again by whoever waits for it */
    key = made->error == INVALID_CONFIG ? named_key(made) : NULL;
    if (key) /* a value that is wrong isn't wrong for all topics */
        return leave_out(topics,
                         strstr(made->message, "Unknown") ? NULL : topic, key,
                         made->message);
    (void)kb_fail(&err, kb_kafka_error_status(made->error),
                  "can't be created with %" PRId32
                  " partitions and replication factor %" PRId32 ": %s: %s",
                  made->partitions, made->replication_factor,
                  kb_kafka_error_name(made->error), made->message);
    if (made->error == INVALID_REPLICATION_FACTOR)
        kb_err_hint(&err, "restore.default_replication_factor sets another");
    kb_acl_hint(&err, made->error, KB_ACL_TOPIC, topic->plan->name, "Create");
    kb_run_error(run, topic->plan->name, &err);
    (*failed)++;
    return false;
}

/* What a topic was to have, and won't, now or at the end. */
static void report_left_out(const struct kb_topics *topics,
                            struct kb_restore_run *run,
                            const struct kb_target_topic *topic)
{
    size_t i;

    for (i = 0; i < topics->left_out_count; i++) {
        const struct kb_left_out *out = &topics->left_out[i];
        const char *value;

        if (out->topic && out->topic != topic)
            continue;
        if (!out->topic)
            kb_held_leave_off(run, topic->plan->name, out->key);
        value = kb_topic_final_config(run, topic->plan, out->key);
        if (value)
            kb_run_warn(run,
                        "%s: config %s=%s is left out: the target refuses it "
                        "(%s)",
                        topic->plan->name, out->key, value, out->why);
    }
}

/*
 * Kafka 2.8 in KRaft mode takes at creation what it doesn't know, and couldn't
 * be rid of it again.
 */
static int leave_out_newer(struct kb_topics *topics, struct kb_restore_run *run,
                           bool *early, struct kbp_error *err)
{
    static const char *const newer[] = {"message.timestamp.before.max.ms",
                                        "message.timestamp.after.max.ms"};
    size_t i;
    int status = kb_client_is_early_kraft(run->client, early, err);

    for (i = 0; i < sizeof newer / sizeof *newer && *early && status == KBP_OK;
         i++)
        if (!leave_out(topics, NULL, newer[i],
                       "Unknown topic config name before Kafka 3.6"))
            status = kb_fail_nomem(err, "a topic's configs");
    return status;
}

/* Whether the target would take what is put back in the end. */
static int try_final(const struct kb_topics *topics, struct kb_restore_run *run,
                     const struct kb_target_topic *topic, struct kbp_error *err)
{
    struct kb_held_configs configs = {0};
    int status = kb_held_final(&configs, run, topic->plan, err);
    size_t i;

    for (i = configs.count; i > 0; i--)
        if (left_out_of(topics, topic, configs.keys[i - 1]))
            kb_held_drop(&configs, i - 1);
    while (status == KBP_OK && configs.count > 0) {
        struct kb_new_topic made = {
            .name = topic->plan->name,
            .partitions = 1,
            .replication_factor = 1,
            .config_keys = (const char *const *)configs.keys,
            .config_values = (const char *const *)configs.values,
            .config_count = configs.count,
        };
        const char *key;

        status = kb_admin_create_topics(run->admin, &made, 1, true, err);
        if (status != KBP_OK || made.error != INVALID_CONFIG)
            break;
        key = named_key(&made);
        for (i = 0; i < configs.count && configs.keys[i] != key; i++)
            continue;
        if (i == configs.count)
            break;
        kb_run_warn(run,
                    "%s: config %s=%s will be left off: the target refuses it "
                    "(%s)",
                    topic->plan->name, key, configs.values[i], made.message);
        kb_held_drop(&configs, i);
    }
    kb_held_release(&configs);
    return status;
}

int kb_topics_create(struct kb_topics *topics, struct kb_restore_run *run,
                     bool validate_only, size_t *failed, struct kbp_error *err)
{
    bool early = false;
    bool ask = true;
    int status = leave_out_newer(topics, run, &early, err);
    size_t i;

    *failed = 0;
    if (early && validate_only) {
        ask = false;
        kb_run_warn(run, "whether topics can be created isn't checked: Kafka "
                         "2.8 in KRaft mode would do it when it is asked");
    }
    for (i = 0; i < topics->count && status == KBP_OK; i++) {
        struct kb_target_topic *topic = &topics->items[i];
        bool again = ask && !topic->exists;
        int tries;

        for (tries = 0; again && tries < MAX_TRIES && status == KBP_OK;
             tries++) {
            struct kb_held_configs configs = {0};
            struct kb_new_topic made;

            status = make_new_topic(topics, run, topic, &configs, &made, err);
            if (status == KBP_OK)
                status = kb_admin_create_topics(run->admin, &made, 1,
                                                validate_only, err);
            if (status == KBP_OK)
                again = judge(topics, run, topic, &made, validate_only, failed);
            kb_held_release(&configs);
        }
        if (status == KBP_OK && !topic->exists)
            report_left_out(topics, run, topic);
        if (status == KBP_OK && !topic->exists && validate_only && ask)
            status = try_final(topics, run, topic, err);
    }
    return status;
}

static bool all_led(const struct kb_topics *topics, char *missing, size_t size)
{
    size_t i;
    int32_t p;

    for (i = 0; i < topics->count; i++) {
        const struct kb_target_topic *topic = &topics->items[i];

        if (!topic->exists || topic->partitions < topic->plan->needed) {
            (void)snprintf(missing, size, "%s isn't there", topic->plan->name);
            return false;
        }
        for (p = 0; p < topic->plan->needed; p++)
            if (topic->leaders[p] < 0) {
                (void)snprintf(missing, size, "%s/%" PRId32 " has no leader",
                               topic->plan->name, p);
                return false;
            }
    }
    return true;
}

int kb_topics_wait(struct kb_topics *topics, struct kb_restore_run *run,
                   struct kbp_error *err)
{
    const int64_t deadline = kb_deadline_ms(LEADERS_MS);
    char missing[320];
    int status;

    for (;;) {
        size_t i;

        status = look_at_metadata(topics, run, NULL, err);
        if (status != KBP_OK)
            return status;
        if (all_led(topics, missing, sizeof missing)) {
            for (i = 0; i < topics->count && status == KBP_OK; i++)
                if (!topics->items[i].ends)
                    status = look_at_offsets(&topics->items[i], run, err);
            return status;
        }
        if (kb_left_ms(deadline) == 0)
            return kb_fail(err, KBP_ERR_TIMEOUT,
                           "waited %d s for the target's topics: %s",
                           LEADERS_MS / 1000, missing);
        if (kb_stop_sleep(run->user_stop, 50))
            return kb_fail_stopped(err);
    }
}

int kb_topics_hold_back(struct kb_topics *topics, struct kb_restore_run *run,
                        struct kbp_error *err)
{
    int status = KBP_OK;
    size_t i;

    for (i = 0; i < topics->count && status == KBP_OK; i++)
        if (!topics->items[i].exists)
            status = kb_held_record(run, topics->items[i].plan, err);
    return status;
}

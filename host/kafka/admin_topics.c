/* SPDX-License-Identifier: Apache-2.0 */
/* admin_topics.c - topics, partitions, records and configs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/acl.h"
#include "kafka/admin_impl.h"
#include "kafka/error.h"

#define ERRSTR_MAX 512

/* Topics in one DescribeConfigs: an answer has some 40 configs for each. */
#define TOPICS_A_CALL 200

/* Configs */

static void release_configs(struct kb_admin_configs *configs)
{
    size_t i;

    for (i = 0; i < configs->count; i++) {
        free(configs->items[i].key);
        free(configs->items[i].value);
    }
    free(configs->items);
    free(configs->topic);
}

void kb_admin_configs_free(struct kb_admin_configs *configs, size_t count)
{
    size_t i;

    if (!configs)
        return;
    for (i = 0; i < count; i++)
        release_configs(&configs[i]);
    free(configs);
}

static bool copy_config(const rd_kafka_ConfigEntry_t *entry,
                        struct kb_admin_config *config)
{
    const char *value = rd_kafka_ConfigEntry_value(entry);

    config->key = kb_strdup(rd_kafka_ConfigEntry_name(entry));
    config->dynamic = rd_kafka_ConfigEntry_source(entry) ==
                      RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
    config->read_only = rd_kafka_ConfigEntry_is_read_only(entry) == 1;
    config->sensitive = rd_kafka_ConfigEntry_is_sensitive(entry) == 1;
    if (value && !config->sensitive)
        config->value = kb_strdup(value);
    return config->key && (!value || config->sensitive || config->value);
}

static bool copy_configs(const rd_kafka_ConfigResource_t *resource,
                         struct kb_admin_configs *configs)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resource, &count);
    size_t i;

    configs->error = (int16_t)rd_kafka_ConfigResource_error(resource);
    configs->items = calloc(count + 1, sizeof *configs->items);
    if (!configs->items)
        return false;
    for (i = 0; i < count; i++) {
        configs->count = i + 1;
        if (!copy_config(entries[i], &configs->items[i]))
            return false;
    }
    return true;
}

/* One call for up to TOPICS_A_CALL topics; `out` has their names. */
static int describe(struct kb_admin *admin, struct kb_admin_configs *out,
                    size_t count, struct kbp_error *err)
{
    rd_kafka_ConfigResource_t *asked[TOPICS_A_CALL];
    const rd_kafka_ConfigResource_t **got;
    struct kb_admin_call call = {NULL, NULL};
    rd_kafka_event_t *event = NULL;
    size_t n = 0;
    size_t i;
    size_t j;
    int rc = kb_admin_call_init(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, &call,
                                err);

    for (i = 0; i < count; i++)
        asked[i] =
            rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, out[i].topic);
    if (rc == KBP_OK) {
        rd_kafka_DescribeConfigs(admin->rk, asked, count, call.options,
                                 call.queue);
        rc = kb_admin_wait(admin, &call, "DescribeConfigs", &event, err);
    }
    rd_kafka_ConfigResource_destroy_array(asked, count);
    if (rc == KBP_OK) {
        got = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &n);
        for (i = 0; i < n && rc == KBP_OK; i++)
            for (j = 0; j < count; j++)
                if (!out[j].items &&
                    strcmp(out[j].topic,
                           rd_kafka_ConfigResource_name(got[i])) == 0 &&
                    !copy_configs(got[i], &out[j]))
                    rc = kb_fail_nomem(err, "configs");
        for (j = 0; j < count && rc == KBP_OK; j++)
            if (!out[j].items)
                out[j].error = KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    }
    if (event)
        rd_kafka_event_destroy(event);
    kb_admin_call_release(&call);
    return rc;
}

int kb_admin_topic_configs(struct kb_admin *admin, const char *const *topics,
                           size_t count, struct kb_admin_configs **out,
                           struct kbp_error *err)
{
    struct kb_admin_configs *all = calloc(count + 1, sizeof *all);
    size_t i;
    int rc = all ? KBP_OK : kb_fail_nomem(err, "configs");

    for (i = 0; i < count && rc == KBP_OK; i++) {
        all[i].topic = kb_strdup(topics[i]);
        if (!all[i].topic)
            rc = kb_fail_nomem(err, "configs");
    }
    for (i = 0; i < count && rc == KBP_OK; i += TOPICS_A_CALL)
        rc = describe(admin, all + i,
                      count - i < TOPICS_A_CALL ? count - i : TOPICS_A_CALL,
                      err);
    if (rc != KBP_OK) {
        kb_admin_configs_free(all, count);
        return rc;
    }
    *out = all;
    return KBP_OK;
}

/* What became of each topic of a call */

static const rd_kafka_topic_result_t *
result_of(const rd_kafka_topic_result_t **results, size_t count,
          const char *topic)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (strcmp(rd_kafka_topic_result_name(results[i]), topic) == 0)
            return results[i];
    return NULL;
}

/*
 * The first failure of a call which stands or falls as a whole; `operation` is
 * what it needs to be allowed.
 */
static int first_failure(struct kb_admin *admin,
                         const rd_kafka_topic_result_t **results, size_t count,
                         const char *what, const char *operation,
                         struct kbp_error *err)
{
    size_t i;

    for (i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        const char *topic = rd_kafka_topic_result_name(results[i]);

        if (!code)
            continue;
        (void)kb_fail_rdkafka(admin, err, code,
                              rd_kafka_topic_result_error_string(results[i]),
                              "%s topic %s", what, topic);
        kb_acl_hint(err, (int16_t)code, KB_ACL_TOPIC, topic, operation);
        return err->status;
    }
    return KBP_OK;
}

/* Creating */

static rd_kafka_NewTopic_t *new_topic(const struct kb_new_topic *topic,
                                      struct kbp_error *err)
{
    char text[ERRSTR_MAX];
    rd_kafka_NewTopic_t *made =
        rd_kafka_NewTopic_new(topic->name, topic->partitions,
                              topic->replication_factor, text, sizeof text);
    size_t i;

    if (!made) {
        (void)kb_fail(err, KBP_ERR_CONFIG, "topic %s: %s", topic->name, text);
        return NULL;
    }
    for (i = 0; i < topic->config_count; i++)
        if (rd_kafka_NewTopic_set_config(made, topic->config_keys[i],
                                         topic->config_values[i])) {
            (void)kb_fail(err, KBP_ERR_CONFIG,
                          "topic %s: config %s is not valid", topic->name,
                          topic->config_keys[i]);
            rd_kafka_NewTopic_destroy(made);
            return NULL;
        }
    return made;
}

static void take_result(struct kb_new_topic *topic,
                        const rd_kafka_topic_result_t *result)
{
    const char *text =
        result ? rd_kafka_topic_result_error_string(result) : NULL;

    topic->error = result ? (int16_t)rd_kafka_topic_result_error(result)
                          : KB_KAFKA_UNKNOWN_SERVER_ERROR;
    (void)snprintf(topic->message, sizeof topic->message, "%s",
                   text ? text : "");
}

int kb_admin_create_topics(struct kb_admin *admin, struct kb_new_topic *topics,
                           size_t count, bool validate_only,
                           struct kbp_error *err)
{
    rd_kafka_NewTopic_t **made = calloc(count + 1, sizeof *made);
    struct kb_admin_call call = {NULL, NULL};
    rd_kafka_event_t *event = NULL;
    char text[ERRSTR_MAX];
    size_t n = 0;
    size_t i;
    int rc = made ? KBP_OK : kb_fail_nomem(err, "topics");

    for (; rc == KBP_OK && n < count; n++) {
        made[n] = new_topic(&topics[n], err);
        if (!made[n]) {
            rc = err->status;
            break;
        }
    }
    if (rc == KBP_OK)
        rc = kb_admin_call_init(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS, &call,
                                err);
    if (rc == KBP_OK && count > 0) {
        (void)rd_kafka_AdminOptions_set_operation_timeout(
            call.options, (int)admin->net.request_timeout_ms, text,
            sizeof text);
        (void)rd_kafka_AdminOptions_set_validate_only(
            call.options, validate_only, text, sizeof text);
        rd_kafka_CreateTopics(admin->rk, made, count, call.options, call.queue);
        rc = kb_admin_wait(admin, &call, "CreateTopics", &event, err);
    }
    if (rc == KBP_OK && event) {
        size_t got = 0;
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(
                rd_kafka_event_CreateTopics_result(event), &got);

        for (i = 0; i < count; i++)
            take_result(&topics[i], result_of(results, got, topics[i].name));
    }
    if (event)
        rd_kafka_event_destroy(event);
    kb_admin_call_release(&call);
    if (made)
        rd_kafka_NewTopic_destroy_array(made, n);
    free(made);
    return rc;
}

int kb_admin_create_partitions(struct kb_admin *admin, const char *topic,
                               int32_t total, struct kbp_error *err)
{
    char text[ERRSTR_MAX] = "";
    struct kb_admin_call call = {NULL, NULL};
    rd_kafka_event_t *event = NULL;
    rd_kafka_NewPartitions_t *made = rd_kafka_NewPartitions_new(
        topic, (size_t)(total > 0 ? total : 0), text, sizeof text);
    int rc;

    if (!made)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "can't make %" PRId32 " partitions of topic %s: %s",
                       total, topic, text);
    rc = kb_admin_call_init(admin, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, &call,
                            err);
    if (rc == KBP_OK) {
        (void)rd_kafka_AdminOptions_set_operation_timeout(
            call.options, (int)admin->net.request_timeout_ms, text,
            sizeof text);
        rd_kafka_CreatePartitions(admin->rk, &made, 1, call.options,
                                  call.queue);
        rc = kb_admin_wait(admin, &call, "CreatePartitions", &event, err);
    }
    if (rc == KBP_OK) {
        size_t got = 0;
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreatePartitions_result_topics(
                rd_kafka_event_CreatePartitions_result(event), &got);

        rc = first_failure(admin, results, got, "adding partitions to", "Alter",
                           err);
    }
    if (event)
        rd_kafka_event_destroy(event);
    kb_admin_call_release(&call);
    rd_kafka_NewPartitions_destroy(made);
    return rc;
}

int kb_admin_delete_topics(struct kb_admin *admin, const char *const *topics,
                           size_t count, struct kbp_error *err)
{
    rd_kafka_DeleteTopic_t **made = calloc(count + 1, sizeof *made);
    struct kb_admin_call call = {NULL, NULL};
    rd_kafka_event_t *event = NULL;
    char text[ERRSTR_MAX];
    size_t i;
    int rc;

    if (!made)
        return kb_fail_nomem(err, "topics");
    for (i = 0; i < count; i++)
        made[i] = rd_kafka_DeleteTopic_new(topics[i]);
    rc = kb_admin_call_init(admin, RD_KAFKA_ADMIN_OP_DELETETOPICS, &call, err);
    if (rc == KBP_OK && count > 0) {
        (void)rd_kafka_AdminOptions_set_operation_timeout(
            call.options, (int)admin->net.request_timeout_ms, text,
            sizeof text);
        rd_kafka_DeleteTopics(admin->rk, made, count, call.options, call.queue);
        rc = kb_admin_wait(admin, &call, "DeleteTopics", &event, err);
    }
    if (rc == KBP_OK && event) {
        size_t got = 0;
        const rd_kafka_topic_result_t **results =
            rd_kafka_DeleteTopics_result_topics(
                rd_kafka_event_DeleteTopics_result(event), &got);

        rc = first_failure(admin, results, got, "deleting", "Delete", err);
    }
    if (event)
        rd_kafka_event_destroy(event);
    kb_admin_call_release(&call);
    rd_kafka_DeleteTopic_destroy_array(made, count);
    free(made);
    return rc;
}

/* Deleting records */

static int delete_records_once(struct kb_admin *admin,
                               rd_kafka_topic_partition_list_t *list,
                               struct kbp_error *err)
{
    struct kb_admin_call call = {NULL, NULL};
    rd_kafka_DeleteRecords_t *made = rd_kafka_DeleteRecords_new(list);
    rd_kafka_event_t *event = NULL;
    const rd_kafka_topic_partition_list_t *got;
    int i;
    int rc =
        kb_admin_call_init(admin, RD_KAFKA_ADMIN_OP_DELETERECORDS, &call, err);

    if (rc == KBP_OK) {
        rd_kafka_DeleteRecords(admin->rk, &made, 1, call.options, call.queue);
        rc = kb_admin_wait(admin, &call, "DeleteRecords", &event, err);
    }
    if (rc == KBP_OK) {
        got = rd_kafka_DeleteRecords_result_offsets(
            rd_kafka_event_DeleteRecords_result(event));
        for (i = 0; i < got->cnt && rc == KBP_OK; i++)
            if (got->elems[i].err) {
                rc = kb_fail_rdkafka(
                    admin, err, got->elems[i].err, NULL,
                    "deleting records of %s/%" PRId32 " before %" PRId64,
                    got->elems[i].topic, got->elems[i].partition,
                    list->elems[i].offset);
                kb_acl_hint(err, (int16_t)got->elems[i].err, KB_ACL_TOPIC,
                            got->elems[i].topic, "Delete");
            }
    }
    if (event)
        rd_kafka_event_destroy(event);
    kb_admin_call_release(&call);
    rd_kafka_DeleteRecords_destroy(made);
    return rc;
}

int kb_admin_delete_records(struct kb_admin *admin, const char *topic,
                            const int64_t *before_offsets, int32_t count,
                            struct kbp_error *err)
{
    int64_t deadline_ms = kb_deadline_ms(admin->net.request_timeout_ms);
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(count);
    int32_t i;
    int rc = KBP_OK;

    for (i = 0; i < count; i++)
        if (before_offsets[i] > 0)
            rd_kafka_topic_partition_list_add(list, topic, i)->offset =
                before_offsets[i];
    /* Deleting again what is gone does no harm. */
    if (list->cnt > 0)
        do
            rc = delete_records_once(admin, list, err);
        while (rc != KBP_OK && kb_admin_again(admin, rc, deadline_ms, err));
    rd_kafka_topic_partition_list_destroy(list);
    return rc == KBP_OK ? rc : err->status;
}

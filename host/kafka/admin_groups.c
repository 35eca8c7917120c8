/* SPDX-License-Identifier: Apache-2.0 */
/* admin_groups.c - what consumer groups committed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "kafka/acl.h"
#include "kafka/admin_impl.h"
#include "kafka/error.h"

/*
 * One try: librdkafka may miss that the coordinator has come up, and would
 * wait for all of the time.
 */
#define TRY_MS 8000

void kb_group_offsets_free(struct kb_group_offset *offsets, size_t count)
{
    size_t i;

    if (!offsets)
        return;
    for (i = 0; i < count; i++) {
        free(offsets[i].topic);
        free(offsets[i].metadata);
    }
    free(offsets);
}

static bool copy_offset(const rd_kafka_topic_partition_t *from,
                        struct kb_group_offset *to)
{
    to->topic = kb_strdup(from->topic);
    to->partition = from->partition;
    to->offset = from->offset;
    to->error = (int16_t)from->err;
    if (from->metadata_size > 0) {
        to->metadata = malloc(from->metadata_size + 1);
        if (!to->metadata)
            return false;
        memcpy(to->metadata, from->metadata, from->metadata_size);
        to->metadata[from->metadata_size] = '\0';
    }
    return to->topic != NULL;
}

static int take_offsets(const rd_kafka_topic_partition_list_t *list,
                        struct kb_group_offset **offsets, size_t *count,
                        struct kbp_error *err)
{
    struct kb_group_offset *all = calloc((size_t)list->cnt + 1, sizeof *all);
    size_t n = 0;
    int i;

    if (!all)
        return kb_fail_nomem(err, "a group's offsets");
    for (i = 0; i < list->cnt; i++) {
        /* A partition without a commit. */
        if (list->elems[i].offset < 0 && !list->elems[i].err)
            continue;
        n++;
        if (!copy_offset(&list->elems[i], &all[n - 1])) {
            kb_group_offsets_free(all, n);
            return kb_fail_nomem(err, "a group's offsets");
        }
    }
    *offsets = all;
    *count = n;
    return KBP_OK;
}

/* The one group of a result; NULL and an error if it failed. */
static const rd_kafka_topic_partition_list_t *
group_list(struct kb_admin *admin, const rd_kafka_group_result_t **results,
           size_t count, const char *what, const char *group,
           struct kbp_error *err)
{
    const rd_kafka_error_t *failed;
    const rd_kafka_topic_partition_list_t *list;

    if (count != 1) {
        (void)kb_fail(err, KBP_ERR_PROTOCOL, "%s group %s: no answer", what,
                      group);
        return NULL;
    }
    failed = rd_kafka_group_result_error(results[0]);
    if (failed) {
        (void)kb_fail_rdkafka(admin, err, rd_kafka_error_code(failed),
                              rd_kafka_error_string(failed), "%s group %s",
                              what, group);
        return NULL;
    }
    list = rd_kafka_group_result_partitions(results[0]);
    if (!list)
        (void)kb_fail(err, KBP_ERR_PROTOCOL, "%s group %s: no answer", what,
                      group);
    return list;
}

/* What a group committed of `wanted`, or of all there is with NULL. */
static int ask_offsets_once(struct kb_admin *admin, const char *group,
                            const rd_kafka_topic_partition_list_t *wanted,
                            struct kb_group_offset **offsets, size_t *count,
                            struct kbp_error *err)
{
    struct kb_admin_call call = {NULL, NULL};
    rd_kafka_ListConsumerGroupOffsets_t *asked =
        rd_kafka_ListConsumerGroupOffsets_new(group, wanted);
    rd_kafka_event_t *event = NULL;
    int rc = kb_admin_call_init(
        admin, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, &call, err);

    kb_admin_call_limit(admin, &call, TRY_MS);
    if (rc == KBP_OK) {
        rd_kafka_ListConsumerGroupOffsets(admin->rk, &asked, 1, call.options,
                                          call.queue);
        rc = kb_admin_wait(admin, &call, "OffsetFetch", &event, err);
    }
    if (rc == KBP_OK) {
        size_t n = 0;
        const rd_kafka_group_result_t **results =
            rd_kafka_ListConsumerGroupOffsets_result_groups(
                rd_kafka_event_ListConsumerGroupOffsets_result(event), &n);
        const rd_kafka_topic_partition_list_t *list =
            group_list(admin, results, n, "reading the offsets of", group, err);

        rc = list ? take_offsets(list, offsets, count, err) : err->status;
    }
    if (rc != KBP_OK)
        kb_acl_hint(err, (int16_t)err->native, KB_ACL_GROUP, group, "Describe");
    if (event)
        rd_kafka_event_destroy(event);
    kb_admin_call_release(&call);
    rd_kafka_ListConsumerGroupOffsets_destroy(asked);
    return rc;
}

static bool is_passing(int16_t error)
{
    return error == KB_KAFKA_REQUEST_TIMED_OUT ||
           error == KB_KAFKA_COORDINATOR_LOAD_IN_PROGRESS ||
           error == KB_KAFKA_COORDINATOR_NOT_AVAILABLE ||
           error == KB_KAFKA_NOT_COORDINATOR ||
           error == KB_KAFKA_UNSTABLE_OFFSET_COMMIT;
}

/* An error of a single partition which a moment later can be gone. */
static int16_t passing_error(const struct kb_group_offset *offsets,
                             size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (is_passing(offsets[i].error))
            return offsets[i].error;
    return KB_KAFKA_NONE;
}

static int ask_offsets(struct kb_admin *admin, const char *group,
                       const rd_kafka_topic_partition_list_t *wanted,
                       struct kb_group_offset **offsets, size_t *count,
                       struct kbp_error *err)
{
    int64_t deadline_ms = kb_deadline_ms(admin->net.request_timeout_ms);

    for (;;) {
        struct kb_group_offset *got = NULL;
        size_t n = 0;
        int16_t passing;
        int rc = ask_offsets_once(admin, group, wanted, &got, &n, err);

        passing = rc == KBP_OK ? passing_error(got, n) : KB_KAFKA_NONE;
        if (rc == KBP_OK && !passing) {
            *offsets = got;
            *count = n;
            return KBP_OK;
        }
        if (passing)
            rc = kb_fail_rdkafka(admin, err, (rd_kafka_resp_err_t)passing, NULL,
                                 "reading the offsets of group %s", group);
        if (!kb_admin_again(admin, rc, deadline_ms, err)) {
            /* Those which can't be read now have their errors. */
            if (passing && err->status != KBP_ERR_CANCELLED) {
                *offsets = got;
                *count = n;
                return KBP_OK;
            }
            kb_group_offsets_free(got, n);
            return err->status;
        }
        kb_group_offsets_free(got, n);
    }
}

/* Every partition of the cluster. */
static int all_partitions(struct kb_admin *admin,
                          rd_kafka_topic_partition_list_t **list,
                          struct kbp_error *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(
        admin->rk, 1, NULL, &metadata, (int)admin->net.request_timeout_ms);
    int i;
    int j;

    if (code)
        return kb_fail_rdkafka(admin, err, code, NULL, "Metadata");
    *list = rd_kafka_topic_partition_list_new(metadata->topic_cnt);
    for (i = 0; i < metadata->topic_cnt; i++)
        for (j = 0; j < metadata->topics[i].partition_cnt; j++)
            rd_kafka_topic_partition_list_add(
                *list, metadata->topics[i].topic,
                metadata->topics[i].partitions[j].id);
    rd_kafka_metadata_destroy(metadata);
    return KBP_OK;
}

/*
 * librdkafka 2.0 asks brokers of 2.1 to 2.3 for none instead of all, and they
 * answer with none: where that never gave any, each partition is named.
 */
int kb_admin_group_offsets(struct kb_admin *admin, const char *group,
                           struct kb_group_offset **offsets, size_t *count,
                           struct kbp_error *err)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    struct kb_group_offset *got = NULL;
    size_t n = 0;
    int rc = ask_offsets(admin, group, NULL, &got, &n, err);

    if (rc != KBP_OK)
        return rc;
    if (n > 0)
        admin->lists_all = true;
    if (!admin->lists_all) {
        kb_group_offsets_free(got, n);
        got = NULL;
        rc = all_partitions(admin, &list, err);
        if (rc == KBP_OK)
            rc = ask_offsets(admin, group, list, &got, &n, err);
        if (list)
            rd_kafka_topic_partition_list_destroy(list);
    }
    if (rc != KBP_OK)
        return rc;
    *offsets = got;
    *count = n;
    return KBP_OK;
}

static rd_kafka_topic_partition_list_t *
list_of(const struct kb_group_offset *offsets, size_t count)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)count);
    size_t i;

    for (i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *to = rd_kafka_topic_partition_list_add(
            list, offsets[i].topic, offsets[i].partition);

        to->offset = offsets[i].offset;
        if (offsets[i].metadata) {
            /* librdkafka's destroy() free()s it. */
            to->metadata = kb_strdup(offsets[i].metadata);
            to->metadata_size = to->metadata ? strlen(offsets[i].metadata) : 0;
        }
    }
    return list;
}

/* What became of each; those that the answer leaves out have failed. */
static void take_errors(const rd_kafka_topic_partition_list_t *list,
                        struct kb_group_offset *offsets, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *got =
            rd_kafka_topic_partition_list_find(
                (rd_kafka_topic_partition_list_t *)(uintptr_t)list,
                offsets[i].topic, offsets[i].partition);

        offsets[i].error = got ? (int16_t)got->err : -1;
    }
}

static int commit_once(struct kb_admin *admin, const char *group,
                       struct kb_group_offset *offsets, size_t count,
                       struct kbp_error *err)
{
    struct kb_admin_call call = {NULL, NULL};
    rd_kafka_topic_partition_list_t *wanted;
    rd_kafka_AlterConsumerGroupOffsets_t *asked;
    rd_kafka_event_t *event = NULL;
    int rc;

    wanted = list_of(offsets, count);
    asked = rd_kafka_AlterConsumerGroupOffsets_new(group, wanted);
    rd_kafka_topic_partition_list_destroy(wanted);
    rc = kb_admin_call_init(admin, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS,
                            &call, err);
    kb_admin_call_limit(admin, &call, TRY_MS);
    if (rc == KBP_OK) {
        rd_kafka_AlterConsumerGroupOffsets(admin->rk, &asked, 1, call.options,
                                           call.queue);
        rc = kb_admin_wait(admin, &call, "OffsetCommit", &event, err);
    }
    if (rc == KBP_OK) {
        size_t n = 0;
        const rd_kafka_group_result_t **results =
            rd_kafka_AlterConsumerGroupOffsets_result_groups(
                rd_kafka_event_AlterConsumerGroupOffsets_result(event), &n);
        const rd_kafka_topic_partition_list_t *list =
            group_list(admin, results, n, "committing for", group, err);

        if (list)
            take_errors(list, offsets, count);
        else
            rc = err->status;
    }
    if (rc != KBP_OK)
        kb_acl_hint(err, (int16_t)err->native, KB_ACL_GROUP, group, "Read");
    if (event)
        rd_kafka_event_destroy(event);
    kb_admin_call_release(&call);
    rd_kafka_AlterConsumerGroupOffsets_destroy(asked);
    return rc;
}

/* Committing again what was committed does no harm. */
int kb_admin_commit_group_offsets(struct kb_admin *admin, const char *group,
                                  struct kb_group_offset *offsets, size_t count,
                                  struct kbp_error *err)
{
    int64_t deadline_ms = kb_deadline_ms(admin->net.request_timeout_ms);

    for (;;) {
        int16_t passing;
        int rc = commit_once(admin, group, offsets, count, err);

        passing = rc == KBP_OK ? passing_error(offsets, count) : KB_KAFKA_NONE;
        if (rc == KBP_OK && !passing)
            return KBP_OK;
        if (passing)
            rc = kb_fail_rdkafka(admin, err, (rd_kafka_resp_err_t)passing, NULL,
                                 "committing for group %s", group);
        if (kb_admin_again(admin, rc, deadline_ms, err))
            continue;
        /* They have their errors, each its own. */
        return passing && err->status != KBP_ERR_CANCELLED ? KBP_OK
                                                           : err->status;
    }
}

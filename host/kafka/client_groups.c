/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_groups.c - the cluster's consumer groups, which each broker knows in
 * part: all of them are asked, and again while coordinators move.
 *
 * Not by librdkafka: it asks brokers that are gone, too, and fails for them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/acl.h"
#include "kafka/admin_wire.h"
#include "kafka/client_impl.h"
#include "kafka/error.h"
#include "kafka/wire.h"

#define LIST_GROUPS_NEWEST 4
#define LIST_GROUPS_FLEXIBLE 3
#define LIST_GROUPS_STATES 4

/* Where groups' commits are: a partition's leader coordinates its groups. */
static const char *const commits_topic = "__consumer_offsets";

void kb_groups_list_release(struct kb_group_list *list)
{
    size_t i;

    for (i = 0; i < list->count; i++)
        free(list->items[i].name);
    free(list->items);
    *list = (struct kb_group_list){NULL, 0};
}

static int append(struct kb_group_list *to, struct kb_group_list *more,
                  struct kbp_error *err)
{
    struct kb_listed_group *items;

    if (more->count == 0)
        return KBP_OK;
    items = realloc(to->items, (to->count + more->count) * sizeof *items);
    if (!items)
        return kb_fail_nomem(err, "groups");
    memcpy(items + to->count, more->items, more->count * sizeof *items);
    to->items = items;
    to->count += more->count;
    free(more->items);
    *more = (struct kb_group_list){NULL, 0};
    return KBP_OK;
}

static int put_list(const struct kb_call *call, int16_t version,
                    struct kb_buf *body, struct kbp_error *err)
{
    bool flex = version >= LIST_GROUPS_FLEXIBLE;

    (void)call;
    (void)err;
    if (version >= LIST_GROUPS_STATES)
        kb_put_count(body, flex, 0); /* in any state */
    kb_put_no_tags(body, flex);
    return KBP_OK;
}

static int get_list(const struct kb_call *call, const struct kb_answer *answer,
                    int32_t *throttle_ms, int16_t *error, char *message,
                    size_t size, struct kbp_error *err)
{
    int rc = kb_list_groups_decode(answer, throttle_ms, error, call->out);

    (void)message;
    (void)size;
    return rc == KBP_ERR_NOMEM ? kb_fail_nomem(err, "groups")
           : rc != KBP_OK      ? kb_call_unreadable(call, answer, err)
                               : KBP_OK;
}

static int list_on(struct kb_conn *conn, struct kb_group_list *list,
                   struct kbp_error *err)
{
    struct kb_group_list some = {NULL, 0};
    const struct kb_call call = {
        .api = KB_API_LIST_GROUPS,
        .oldest = 0,
        .newest = LIST_GROUPS_NEWEST,
        .name = "ListGroups",
        .encode = put_list,
        .decode = get_list,
        .out = &some,
    };
    char message[KB_CALL_MESSAGE] = "";
    int16_t error = 0;
    int rc = kb_call_on(conn, &call, &error, message, err);

    if (rc != KBP_OK)
        return rc;
    if (error) {
        rc = kb_fail_kafka(err, error, NULL, "%s", kb_conn_name(conn));
        kb_acl_hint(err, error, KB_ACL_CLUSTER, NULL, "Describe");
    } else {
        rc = append(list, &some, err);
    }
    kb_groups_list_release(&some);
    return rc;
}

/* Without a leader, a partition's groups are in nobody's list. */
static int need_coordinators(const struct kb_metadata *metadata,
                             struct kbp_error *err)
{
    const struct kb_meta_topic *topic =
        kb_metadata_topic(metadata, commits_topic);
    int32_t i;

    /* It isn't there before the first commit, or not for this principal. */
    if (!topic || topic->error)
        return KBP_OK;
    for (i = 0; i < topic->partition_count; i++)
        if (topic->partitions[i].leader < 0)
            return kb_fail(err, KBP_ERR_UNAVAILABLE,
                           "%s/%" PRId32 " has no leader: what groups it has "
                           "can't be known",
                           commits_topic, topic->partitions[i].id);
    return KBP_OK;
}

/* All brokers once; `list` has what they said, some groups twice. */
static int list_once(struct kb_client *client, struct kb_group_list *list,
                     struct kbp_error *err)
{
    struct kb_metadata *metadata;
    size_t i;
    int rc = kb_client_metadata(client, &commits_topic, 1, &metadata, err);

    if (rc != KBP_OK)
        return rc;
    rc = need_coordinators(metadata, err);
    for (i = 0; rc == KBP_OK && i < metadata->broker_count; i++) {
        struct kb_conn *conn;

        rc = kb_client_borrow(client, metadata->brokers[i].id, &conn, err);
        if (rc != KBP_OK)
            break;
        rc = list_on(conn, list, err);
        kb_client_give(client, conn, rc == KBP_OK);
    }
    kb_metadata_free(metadata);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const struct kb_listed_group *x = a;
    const struct kb_listed_group *y = b;

    return strcmp(x->name, y->name);
}

/* One that moved meanwhile is in two brokers' lists. */
static void drop_doubles(struct kb_group_list *list)
{
    size_t kept = 0;
    size_t i;

    if (list->count > 1)
        qsort(list->items, list->count, sizeof *list->items, by_name);
    for (i = 0; i < list->count; i++) {
        struct kb_listed_group *item = &list->items[i];

        if (kept > 0 && !by_name(&list->items[kept - 1], item)) {
            list->items[kept - 1].live |= item->live;
            free(item->name);
        } else {
            list->items[kept++] = *item;
        }
    }
    list->count = kept;
}

int kb_client_list_groups(struct kb_client *client, struct kb_group_list *list,
                          struct kbp_error *err)
{
    int64_t deadline_ms = kb_deadline_ms(client->net.request_timeout_ms);
    int64_t pause_ms = 0;

    *list = (struct kb_group_list){NULL, 0};
    for (;;) {
        int rc = list_once(client, list, err);

        if (rc == KBP_OK) {
            drop_doubles(list);
            return KBP_OK;
        }
        kb_groups_list_release(list);
        if (!kb_may_retry(rc))
            break;
        kb_log_err(KBP_LOG_DEBUG, "ListGroups", err);
        rc = kb_client_pause(client, &pause_ms, deadline_ms, err);
        if (rc == KBP_ERR_CANCELLED)
            return rc;
        if (rc != KBP_OK)
            break;
    }
    return kb_err_wrap(err, "listing consumer groups");
}

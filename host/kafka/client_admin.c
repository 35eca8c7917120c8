/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_admin.c - calls that librdkafka hasn't, or does in a way that harms:
 * InitProducerId, IncrementalAlterConfigs, DescribeProducers.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/acl.h"
#include "kafka/admin_wire.h"
#include "kafka/client_impl.h"
#include "kafka/error.h"
#include "kafka/wire.h"

/* InitProducerId */

struct producer_id {
    int64_t id;
    int16_t epoch;
};

static int put_init(const struct kb_call *call, int16_t version,
                    struct kb_buf *body, struct kbp_error *err)
{
    bool flex = version >= 2;

    (void)call;
    (void)err;
    kb_put_str(body, flex, NULL); /* no transactional id */
    kb_put_i32(body, INT32_MAX);  /* nor a timeout for it */
    if (version >= 3) {
        kb_put_i64(body, -1);
        kb_put_i16(body, -1);
    }
    kb_put_no_tags(body, flex);
    return KBP_OK;
}

static int get_init(const struct kb_call *call, const struct kb_answer *answer,
                    int32_t *throttle_ms, int16_t *error, char *message,
                    size_t size, struct kbp_error *err)
{
    struct producer_id got = {-1, -1};
    int rc = kb_init_producer_decode(answer, throttle_ms, error, &got.id,
                                     &got.epoch);

    (void)message;
    (void)size;
    if (rc != KBP_OK)
        return kb_call_unreadable(call, answer, err);
    if (!*error)
        *(struct producer_id *)call->out = got;
    return KBP_OK;
}

/*
 * Since Kafka 2.8 (which brought DescribeProducers) Write on any topic is
 * enough: the caller knows which.
 */
static void hint_init(struct kb_client *client, struct kbp_error *err)
{
    struct kbp_error ignored = KB_ERR_INIT;
    struct kb_conn *conn;

    if (!kb_acl_denied((int16_t)err->native) ||
        kb_client_borrow(client, KB_ANY_BROKER, &conn, &ignored) != KBP_OK)
        return;
    if (kb_conn_version(conn, KB_API_DESCRIBE_PRODUCERS, 0, 0) < 0)
        kb_acl_hint(err, (int16_t)err->native, KB_ACL_CLUSTER, NULL,
                    "IdempotentWrite");
    kb_client_give(client, conn, true);
}

int kb_client_init_producer_id(struct kb_client *client, int64_t *producer_id,
                               int16_t *epoch, struct kbp_error *err)
{
    struct producer_id got = {-1, -1};
    const struct kb_call call = {
        .api = KB_API_INIT_PRODUCER_ID,
        .oldest = 0,
        .newest = 4,
        .name = "InitProducerId",
        .encode = put_init,
        .decode = get_init,
        .out = &got,
    };
    int rc = kb_call_broker(client, NULL, 0, &call, err);

    if (rc != KBP_OK) {
        hint_init(client, err);
        return rc;
    }
    *producer_id = got.id;
    *epoch = got.epoch;
    return KBP_OK;
}

/* Configs of a topic */

struct alter {
    const char *topic;
    const struct kb_config_change *changes;
    size_t count;
};

static int put_incremental(const struct kb_call *call, int16_t version,
                           struct kb_buf *body, struct kbp_error *err)
{
    const struct alter *alter = call->in;
    bool flex = version >= 1;
    size_t i;

    (void)err;
    kb_put_count(body, flex, 1);
    kb_put_i8(body, KB_RESOURCE_TOPIC);
    kb_put_str(body, flex, alter->topic);
    kb_put_count(body, flex, alter->count);
    for (i = 0; i < alter->count; i++) {
        kb_put_str(body, flex, alter->changes[i].key);
        kb_put_i8(body, alter->changes[i].value ? 0 : 1); /* set, delete */
        kb_put_str(body, flex, alter->changes[i].value);
        kb_put_no_tags(body, flex);
    }
    kb_put_no_tags(body, flex);
    kb_put_i8(body, 0); /* not only validate */
    kb_put_no_tags(body, flex);
    return KBP_OK;
}

/* The legacy request has the whole set: what it leaves out is wiped. */
static int put_full(const struct kb_call *call, int16_t version,
                    struct kb_buf *body, struct kbp_error *err)
{
    const struct alter *alter = call->in;
    size_t i;

    (void)version;
    (void)err;
    kb_put_count(body, false, 1);
    kb_put_i8(body, KB_RESOURCE_TOPIC);
    kb_put_str(body, false, alter->topic);
    kb_put_count(body, false, alter->count);
    for (i = 0; i < alter->count; i++) {
        kb_put_str(body, false, alter->changes[i].key);
        kb_put_str(body, false, alter->changes[i].value);
    }
    kb_put_i8(body, 0);
    return KBP_OK;
}

static int get_altered(const struct kb_call *call,
                       const struct kb_answer *answer, int32_t *throttle_ms,
                       int16_t *error, char *message, size_t size,
                       struct kbp_error *err)
{
    if (kb_alter_configs_decode(answer, throttle_ms, error, message, size) !=
        KBP_OK)
        return kb_call_unreadable(call, answer, err);
    return KBP_OK;
}

static int put_describe(const struct kb_call *call, int16_t version,
                        struct kb_buf *body, struct kbp_error *err)
{
    (void)err;
    kb_put_count(body, false, 1);
    kb_put_i8(body, KB_RESOURCE_TOPIC);
    kb_put_str(body, false, call->in);
    kb_put_i32(body, -1); /* all of its keys */
    kb_put_i8(body, 1);   /* and what it inherits */
    if (version >= 3)
        kb_put_i8(body, 0); /* no documentation */
    return KBP_OK;
}

static int get_described(const struct kb_call *call,
                         const struct kb_answer *answer, int32_t *throttle_ms,
                         int16_t *error, char *message, size_t size,
                         struct kbp_error *err)
{
    int rc = kb_describe_configs_decode(answer, throttle_ms, error, message,
                                        size, call->out);

    return rc == KBP_ERR_NOMEM ? kb_fail_nomem(err, "configs")
           : rc != KBP_OK      ? kb_call_unreadable(call, answer, err)
                               : KBP_OK;
}

/* The set as it is to be, of the one that is; points into both. */
static size_t merge(const struct kb_own_configs *own,
                    const struct kb_config_change *changes, size_t count,
                    struct kb_config_change *all)
{
    size_t n = 0;
    size_t i;
    size_t j;

    for (i = 0; i < own->count; i++) {
        for (j = 0; j < count; j++)
            if (strcmp(own->items[i].key, changes[j].key) == 0)
                break;
        if (j == count)
            all[n++] = (struct kb_config_change){own->items[i].key,
                                                 own->items[i].value};
    }
    for (j = 0; j < count; j++)
        if (changes[j].value)
            all[n++] = changes[j];
    return n;
}

static int describe_own(struct kb_client *client, const char *topic,
                        struct kb_own_configs *own, struct kbp_error *err)
{
    const struct kb_call call = {
        .api = KB_API_DESCRIBE_CONFIGS,
        .oldest = 1,
        .newest = 3,
        .name = "DescribeConfigs",
        .encode = put_describe,
        .decode = get_described,
        .in = topic,
        .out = own,
    };

    int rc = kb_call_broker(client, NULL, 0, &call, err);

    if (rc != KBP_OK)
        kb_acl_hint(err, (int16_t)err->native, KB_ACL_TOPIC, topic,
                    "DescribeConfigs");
    return rc;
}

/* Brokers 2.1 and 2.2: read the set, change it, write it. */
static int alter_full_set(struct kb_client *client, const char *topic,
                          const struct kb_config_change *changes, size_t count,
                          struct kbp_error *err)
{
    struct kb_own_configs own = {NULL, 0};
    struct kb_config_change *all = NULL;
    struct alter alter = {topic, NULL, 0};
    const struct kb_call write = {
        .api = KB_API_ALTER_CONFIGS,
        .oldest = 0,
        .newest = 1,
        .name = "AlterConfigs",
        .encode = put_full,
        .decode = get_altered,
        .in = &alter,
    };
    int rc = describe_own(client, topic, &own, err);

    if (rc == KBP_OK) {
        all = calloc(own.count + count + 1, sizeof *all);
        if (!all)
            rc = kb_fail_nomem(err, "configs");
    }
    if (rc == KBP_OK) {
        alter.changes = all;
        alter.count = merge(&own, changes, count, all);
        rc = kb_call_broker(client, NULL, 0, &write, err);
    }
    free(all);
    kb_own_configs_release(&own);
    return rc;
}

static int alter_incremental(struct kb_client *client, const char *topic,
                             const struct kb_config_change *changes,
                             size_t count, struct kbp_error *err)
{
    const struct alter alter = {topic, changes, count};
    const struct kb_call call = {
        .api = KB_API_INCREMENTAL_ALTER_CONFIGS,
        .oldest = 0,
        .newest = 1,
        .name = "IncrementalAlterConfigs",
        .encode = put_incremental,
        .decode = get_altered,
        .in = &alter,
    };

    return kb_call_broker(client, NULL, 0, &call, err);
}

int kb_client_is_early_kraft(struct kb_client *client, bool *early,
                             struct kbp_error *err)
{
    struct kb_conn *conn;
    int rc = kb_client_borrow(client, KB_ANY_BROKER, &conn, err);

    if (rc != KBP_OK)
        return rc;
    *early = kb_conn_version(conn, KB_API_INIT_PRODUCER_ID, 0, 0) < 0 &&
             kb_conn_version(conn, KB_API_INCREMENTAL_ALTER_CONFIGS, 0, 0) == 0;
    kb_client_give(client, conn, true);
    return KBP_OK;
}

/* The value to set instead of taking a key back; NULL: none is needed. */
static int inherited_value(const struct kb_own_configs *own, const char *key,
                           const char **value, struct kbp_error *err)
{
    size_t i;

    *value = NULL;
    for (i = 0; i < own->count; i++)
        if (strcmp(own->items[i].key, key) == 0)
            break;
    if (i == own->count)
        return KBP_OK;
    *value = own->items[i].inherited;
    if (*value)
        return KBP_OK;
    return kb_fail(err, KBP_ERR_UNSUPPORTED,
                   "%s can't be taken back: the controller of Kafka 2.8 in "
                   "KRaft mode wouldn't survive it",
                   key);
}

/*
 * Taking a config back ends the controller of Kafka 2.8 in KRaft mode for good:
 * set what the topic would inherit, instead.
 */
static int alter_without_taking_back(struct kb_client *client,
                                     const char *topic,
                                     const struct kb_config_change *changes,
                                     size_t count, struct kbp_error *err)
{
    struct kb_own_configs own = {NULL, 0};
    struct kb_config_change *all = calloc(count + 1, sizeof *all);
    size_t n = 0;
    size_t i;
    int rc = all ? describe_own(client, topic, &own, err)
                 : kb_fail_nomem(err, "configs");

    for (i = 0; i < count && rc == KBP_OK; i++) {
        const char *value = changes[i].value;

        if (!value)
            rc = inherited_value(&own, changes[i].key, &value, err);
        if (rc == KBP_OK && value)
            all[n++] = (struct kb_config_change){changes[i].key, value};
    }
    if (rc == KBP_OK && n > 0)
        rc = alter_incremental(client, topic, all, n, err);
    free(all);
    kb_own_configs_release(&own);
    return rc;
}

int kb_client_alter_topic_configs(struct kb_client *client, const char *topic,
                                  const struct kb_config_change *changes,
                                  size_t count, struct kbp_error *err)
{
    bool takes_back = false;
    bool early = false;
    size_t i;
    int rc = KBP_OK;

    for (i = 0; i < count; i++)
        takes_back = takes_back || !changes[i].value;
    if (takes_back)
        rc = kb_client_is_early_kraft(client, &early, err);
    if (rc == KBP_OK && early)
        rc = alter_without_taking_back(client, topic, changes, count, err);
    else if (rc == KBP_OK)
        rc = alter_incremental(client, topic, changes, count, err);
    if (!early && rc == KBP_ERR_UNSUPPORTED && err->native == 0)
        rc = alter_full_set(client, topic, changes, count, err);
    if (rc == KBP_OK)
        return rc;
    if (!*err->hint)
        kb_acl_hint(err, (int16_t)err->native, KB_ACL_TOPIC, topic,
                    "AlterConfigs");
    return kb_err_wrap(err, "configs of topic %s", topic);
}

/* DescribeProducers */

struct producers {
    const char *topic;
    int32_t partition;
    struct kb_producer_state *states;
    size_t count;
};

static int put_producers(const struct kb_call *call, int16_t version,
                         struct kb_buf *body, struct kbp_error *err)
{
    const struct producers *producers = call->out;

    (void)version;
    (void)err;
    kb_put_count(body, true, 1);
    kb_put_str(body, true, producers->topic);
    kb_put_count(body, true, 1);
    kb_put_i32(body, producers->partition);
    kb_put_no_tags(body, true);
    kb_put_no_tags(body, true);
    return KBP_OK;
}

static int get_producers(const struct kb_call *call,
                         const struct kb_answer *answer, int32_t *throttle_ms,
                         int16_t *error, char *message, size_t size,
                         struct kbp_error *err)
{
    struct producers *producers = call->out;
    int rc;

    free(producers->states);
    producers->states = NULL;
    producers->count = 0;
    rc = kb_describe_producers_decode(answer, throttle_ms, error, message, size,
                                      &producers->states, &producers->count);
    return rc == KBP_ERR_NOMEM ? kb_fail_nomem(err, "producers")
           : rc != KBP_OK      ? kb_call_unreadable(call, answer, err)
                               : KBP_OK;
}

int kb_client_describe_producers(struct kb_client *client, const char *topic,
                                 int32_t partition,
                                 struct kb_producer_state **states,
                                 size_t *count, struct kbp_error *err)
{
    struct producers producers = {topic, partition, NULL, 0};
    const struct kb_call call = {
        .api = KB_API_DESCRIBE_PRODUCERS,
        .oldest = 0,
        .newest = 0,
        .name = "DescribeProducers",
        .encode = put_producers,
        .decode = get_producers,
        .out = &producers,
    };
    int rc = kb_call_broker(client, topic, partition, &call, err);

    if (rc != KBP_OK) {
        free(producers.states);
        kb_acl_hint(err, (int16_t)err->native, KB_ACL_TOPIC, topic, "Read");
        return kb_err_wrap(err, "producers of %s/%" PRId32, topic, partition);
    }
    *states = producers.states;
    *count = producers.count;
    return KBP_OK;
}

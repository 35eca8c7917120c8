/* SPDX-License-Identifier: Apache-2.0 */
/* metadata.c - who leads what: the Metadata request, versions 4 to 12. */
#include "kafka/metadata.h"

#include <stdlib.h>
#include <string.h>

#include "kafka/error.h"
#include "kafka/metadata_wire.h"
#include "kafka/wire.h"

/* Before 4, asking for a topic may create it. */
#define OLDEST 4
#define NEWEST 12

static void free_topic(struct kb_meta_topic *topic)
{
    free(topic->name);
    free(topic->partitions);
}

void kb_metadata_free(struct kb_metadata *metadata)
{
    size_t i;

    if (!metadata)
        return;
    for (i = 0; i < metadata->broker_count; i++) {
        free(metadata->brokers[i].host);
        free(metadata->brokers[i].rack);
    }
    for (i = 0; i < metadata->topic_count; i++)
        free_topic(&metadata->topics[i]);
    free(metadata->brokers);
    free(metadata->topics);
    free(metadata->cluster_id);
    free(metadata);
}

const struct kb_meta_broker *
kb_metadata_broker(const struct kb_metadata *metadata, int32_t id)
{
    size_t i;

    for (i = 0; i < metadata->broker_count; i++)
        if (metadata->brokers[i].id == id)
            return &metadata->brokers[i];
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    const struct kb_meta_topic *x = a;
    const struct kb_meta_topic *y = b;

    return strcmp(x->name, y->name);
}

static int by_id(const void *a, const void *b)
{
    const struct kb_meta_partition *x = a;
    const struct kb_meta_partition *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

const struct kb_meta_topic *
kb_metadata_topic(const struct kb_metadata *metadata, const char *name)
{
    size_t low = 0;
    size_t high = metadata->topic_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, metadata->topics[middle].name);

        if (order == 0)
            return &metadata->topics[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct kb_meta_partition *
kb_meta_topic_partition(const struct kb_meta_topic *topic, int32_t partition)
{
    const struct kb_meta_partition key = {.id = partition};

    if (topic->partition_count == 0)
        return NULL;
    return bsearch(&key, topic->partitions, (size_t)topic->partition_count,
                   sizeof key, by_id);
}

int kb_metadata_encode(struct kb_buf *body, int16_t version,
                       const char *const *names, size_t count,
                       struct kbp_error *err)
{
    static const struct kb_uuid none;
    bool flex = version >= 9;
    size_t i;

    if (names)
        kb_put_count(body, flex, count);
    else if (flex)
        kb_put_uvarint(body, 0);
    else
        kb_put_i32(body, -1);
    for (i = 0; names && i < count; i++) {
        if (version >= 10)
            kb_put_uuid(body, &none);
        kb_put_str(body, flex, names[i]);
        kb_put_no_tags(body, flex);
    }
    kb_put_i8(body, 0); /* don't create topics */
    if (version >= 8 && version <= 10)
        kb_put_i8(body, 0); /* what we may do with the cluster */
    if (version >= 8)
        kb_put_i8(body, 0); /* what we may do with the topics */
    kb_put_no_tags(body, flex);
    return body->failed ? kb_fail_nomem(err, "a request") : KBP_OK;
}

/* An allocation of an array that may be empty. */
static void *new_array(size_t count, size_t size)
{
    return calloc(count ? count : 1, size);
}

static bool read_brokers(struct kb_cursor *c, bool flex,
                         struct kb_metadata *metadata)
{
    size_t count = kb_get_count(c, flex, 9);
    size_t i;

    metadata->brokers = new_array(count, sizeof *metadata->brokers);
    if (!metadata->brokers)
        return false;
    for (i = 0; i < count && !c->bad; i++) {
        struct kb_meta_broker *broker = &metadata->brokers[i];
        struct kb_wire_str rack;

        metadata->broker_count = i + 1;
        broker->id = kb_get_i32(c);
        broker->host = kb_wire_str_dup(kb_get_str(c, flex));
        broker->port = kb_get_i32(c);
        rack = kb_get_str(c, flex);
        broker->rack = kb_wire_str_dup(rack);
        kb_skip_tags(c, flex);
        if (!c->bad && (!broker->host || (rack.text && !broker->rack)))
            return false;
    }
    return true;
}

static void skip_i32s(struct kb_cursor *c, bool flex)
{
    size_t count = kb_get_count(c, flex, 4);

    (void)kb_take(c, count * 4);
}

static bool read_partitions(struct kb_cursor *c, int16_t version,
                            struct kb_meta_topic *topic)
{
    bool flex = version >= 9;
    size_t count = kb_get_count(c, flex, 12);
    size_t i;

    topic->partitions = new_array(count, sizeof *topic->partitions);
    if (!topic->partitions)
        return false;
    for (i = 0; i < count && !c->bad; i++) {
        struct kb_meta_partition *partition = &topic->partitions[i];

        topic->partition_count = (int32_t)i + 1;
        partition->error = kb_get_i16(c);
        partition->id = kb_get_i32(c);
        partition->leader = kb_get_i32(c);
        partition->leader_epoch = version >= 7 ? kb_get_i32(c) : -1;
        partition->replica_count = (int32_t)kb_get_count(c, flex, 4);
        (void)kb_take(c, (size_t)partition->replica_count * 4);
        skip_i32s(c, flex); /* in sync */
        if (version >= 5)
            skip_i32s(c, flex); /* offline */
        kb_skip_tags(c, flex);
    }
    qsort(topic->partitions, (size_t)topic->partition_count,
          sizeof *topic->partitions, by_id);
    return true;
}

static bool read_topics(struct kb_cursor *c, int16_t version,
                        struct kb_metadata *metadata)
{
    bool flex = version >= 9;
    size_t count = kb_get_count(c, flex, 5);
    size_t i;

    metadata->topics = new_array(count, sizeof *metadata->topics);
    if (!metadata->topics)
        return false;
    for (i = 0; i < count && !c->bad; i++) {
        struct kb_meta_topic *topic = &metadata->topics[i];
        struct kb_wire_str name;

        metadata->topic_count = i + 1;
        topic->error = kb_get_i16(c);
        name = kb_get_str(c, flex);
        if (!name.text)
            c->bad = true;
        topic->name = kb_wire_str_dup(name);
        if (version >= 10)
            topic->id = kb_get_uuid(c);
        topic->internal = kb_get_i8(c) != 0;
        if (!read_partitions(c, version, topic))
            return false;
        if (version >= 8)
            (void)kb_get_i32(c);
        kb_skip_tags(c, flex);
        if (!c->bad && !topic->name)
            return false;
    }
    if (!c->bad)
        qsort(metadata->topics, metadata->topic_count, sizeof *metadata->topics,
              by_name);
    return true;
}

int kb_metadata_decode(const struct kb_answer *answer,
                       struct kb_metadata **metadata, int32_t *throttle_ms,
                       struct kbp_error *err)
{
    struct kb_cursor c = kb_cursor_of(answer->body, answer->body_len);
    int16_t version = answer->version;
    bool flex = version >= 9;
    struct kb_metadata *read = calloc(1, sizeof *read);
    struct kb_wire_str cluster;
    bool enough;

    if (!read)
        return kb_fail_nomem(err, "metadata");
    *throttle_ms = kb_get_i32(&c);
    enough = read_brokers(&c, flex, read);
    cluster = kb_get_str(&c, flex);
    read->cluster_id = kb_wire_str_dup(cluster);
    enough = enough && (!cluster.text || read->cluster_id);
    read->controller = kb_get_i32(&c);
    enough = enough && read_topics(&c, version, read);
    if (version >= 8 && version <= 10)
        (void)kb_get_i32(&c);
    kb_skip_tags(&c, flex);
    if (c.bad || !enough) {
        kb_metadata_free(read);
        return c.bad ? kb_fail(err, KBP_ERR_PROTOCOL,
                               "the answer to Metadata version %d can't be "
                               "read",
                               version)
                     : kb_fail_nomem(err, "metadata");
    }
    *metadata = read;
    return KBP_OK;
}

int kb_metadata_get(struct kb_conn *conn, const char *const *names,
                    size_t count, struct kb_metadata **metadata,
                    struct kbp_error *err)
{
    int16_t version = kb_conn_version(conn, KB_API_METADATA, OLDEST, NEWEST);
    struct kb_buf body = KB_BUF_INIT;
    struct kb_answer answer;
    int32_t throttle_ms = 0;
    int rc;

    if (version < 0)
        return kb_fail(err, KBP_ERR_UNSUPPORTED,
                       "%s takes no version of Metadata from %d to %d",
                       kb_conn_name(conn), OLDEST, NEWEST);
    rc = kb_metadata_encode(&body, version, names, count, err);
    if (rc == KBP_OK)
        rc = kb_conn_call(conn, KB_API_METADATA, version, &body, &answer, err);
    kb_buf_release(&body);
    if (rc != KBP_OK)
        return rc;
    rc = kb_metadata_decode(&answer, metadata, &throttle_ms, err);
    kb_answer_release(&answer);
    if (rc != KBP_OK)
        return kb_err_wrap(err, "%s", kb_conn_name(conn));
    kb_conn_throttled(conn, throttle_ms);
    return KBP_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* list_offsets.c - ListOffsets as bytes, versions 1 to 10. */
#include "kafka/list_offsets.h"

#include <string.h>

#include "kafka/error.h"
#include "kafka/wire.h"

/* NETWORK_EXCEPTION: what a client makes of no answer. */
#define NO_ANSWER 13

static bool is_flexible(int16_t version)
{
    return version >= 6;
}

static size_t topic_run(const struct kb_offset_ask *asks, size_t count,
                        size_t at)
{
    const char *topic = asks[at].query->topic;
    size_t end = at + 1;

    while (end < count && strcmp(topic, asks[end].query->topic) == 0)
        end++;
    return end - at;
}

/* Kafka's word for a client that wants to see what followers see. */
#define DEBUGGING_REPLICA (-2)

int kb_list_offsets_encode(struct kb_buf *body, int16_t version,
                           const struct kb_offset_ask *asks, size_t count,
                           enum kb_isolation isolation, int32_t timeout_ms,
                           struct kbp_error *err)
{
    bool flex = is_flexible(version);
    size_t topics = 0;
    size_t run;
    size_t i;
    size_t j;

    for (i = 0; i < count; i += topic_run(asks, count, i))
        topics++;
    kb_put_i32(body, isolation == KB_READ_LOG_END ? DEBUGGING_REPLICA : -1);
    if (version >= 2)
        kb_put_i8(body, isolation == KB_READ_COMMITTED);
    kb_put_count(body, flex, topics);
    for (i = 0; i < count; i += run) {
        run = topic_run(asks, count, i);
        kb_put_str(body, flex, asks[i].query->topic);
        kb_put_count(body, flex, run);
        for (j = i; j < i + run; j++) {
            kb_put_i32(body, asks[j].query->partition);
            if (version >= 4)
                kb_put_i32(body, asks[j].leader_epoch);
            kb_put_i64(body, asks[j].query->timestamp);
            kb_put_no_tags(body, flex);
        }
        kb_put_no_tags(body, flex);
    }
    if (version >= 10)
        kb_put_i32(body, timeout_ms);
    kb_put_no_tags(body, flex);
    return body->failed ? kb_fail_nomem(err, "a ListOffsets request") : KBP_OK;
}

static const struct kb_offset_ask *find(const struct kb_offset_ask *asks,
                                        size_t count, struct kb_wire_str topic,
                                        int32_t partition, size_t *hint)
{
    size_t i;

    for (i = 0; i < count; i++) {
        const struct kb_offset_ask *ask = &asks[(*hint + i) % count];

        if (ask->query->partition == partition &&
            kb_wire_str_is(topic, ask->query->topic)) {
            *hint = (*hint + i + 1) % count;
            return ask;
        }
    }
    return NULL;
}

static bool read_partition(struct kb_cursor *c, int16_t version,
                           struct kb_wire_str topic,
                           const struct kb_offset_ask *asks, size_t count,
                           size_t *hint)
{
    int32_t partition = kb_get_i32(c);
    int16_t error = kb_get_i16(c);
    int64_t timestamp = kb_get_i64(c);
    int64_t offset = kb_get_i64(c);
    int32_t leader_epoch = version >= 4 ? kb_get_i32(c) : -1;
    const struct kb_offset_ask *ask;

    kb_skip_tags(c, is_flexible(version));
    if (c->bad)
        return true;
    ask = find(asks, count, topic, partition, hint);
    if (!ask)
        return false;
    ask->query->error = error;
    if (error)
        return true;
    ask->query->offset = offset;
    ask->query->at_timestamp = timestamp;
    ask->query->leader_epoch = leader_epoch;
    return true;
}

int kb_list_offsets_decode(const struct kb_answer *answer,
                           const struct kb_offset_ask *asks, size_t count,
                           int32_t *throttle_ms, struct kbp_error *err)
{
    struct kb_cursor c = kb_cursor_of(answer->body, answer->body_len);
    int16_t version = answer->version;
    bool flex = is_flexible(version);
    bool asked = true;
    size_t hint = 0;
    size_t topics;
    size_t i;

    for (i = 0; i < count; i++)
        asks[i].query->error = NO_ANSWER;
    *throttle_ms = version >= 2 ? kb_get_i32(&c) : 0;
    for (topics = kb_get_count(&c, flex, 3); topics > 0 && !c.bad; topics--) {
        struct kb_wire_str topic = kb_get_str(&c, flex);
        size_t partitions = kb_get_count(&c, flex, 22);

        for (; partitions > 0 && !c.bad && asked; partitions--)
            asked = read_partition(&c, version, topic, asks, count, &hint);
        kb_skip_tags(&c, flex);
    }
    kb_skip_tags(&c, flex);
    if (asked && !c.bad)
        return KBP_OK;
    for (i = 0; i < count; i++)
        asks[i].query->error = NO_ANSWER;
    return kb_fail(
        err, KBP_ERR_PROTOCOL,
        "the answer to ListOffsets version %d can't be read: %s", version,
        asked ? "it ends in the middle" : "it has what wasn't asked for");
}

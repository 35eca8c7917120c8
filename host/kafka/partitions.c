/* SPDX-License-Identifier: Apache-2.0 */
/* partitions.c - the partitions that a Fetch or Produce request names. */
#include "kafka/partitions.h"

#include <string.h>

static const struct kb_partition_id *item(const struct kb_partitions *all,
                                          size_t i)
{
    const void *at = (const uint8_t *)all->items + i * all->size;

    return (const struct kb_partition_id *)at;
}

static bool same_topic(const struct kb_partition_id *a,
                       const struct kb_partition_id *b, bool by_id)
{
    if (by_id)
        return kb_uuid_equal(&a->topic_id, &b->topic_id);
    return a->topic == b->topic || strcmp(a->topic, b->topic) == 0;
}

size_t kb_partitions_run(const struct kb_partitions *all, size_t at)
{
    size_t end = at + 1;

    while (end < all->count &&
           same_topic(item(all, at), item(all, end), all->by_id))
        end++;
    return end - at;
}

size_t kb_partitions_topics(const struct kb_partitions *all)
{
    size_t topics = 0;
    size_t i;

    for (i = 0; i < all->count; i += kb_partitions_run(all, i))
        topics++;
    return topics;
}

void kb_put_topic(struct kb_buf *body, bool flex,
                  const struct kb_partitions *all, size_t at)
{
    if (all->by_id)
        kb_put_uuid(body, &item(all, at)->topic_id);
    else
        kb_put_str(body, flex, item(all, at)->topic);
}

struct kb_topic_seen kb_get_topic(struct kb_cursor *c, bool flex, bool by_id)
{
    struct kb_topic_seen topic = {{NULL, 0}, {{0}}};

    if (by_id)
        topic.id = kb_get_uuid(c);
    else
        topic.name = kb_get_str(c, flex);
    return topic;
}

const void *kb_partitions_find(const struct kb_partitions *all,
                               const struct kb_topic_seen *topic,
                               int32_t partition, size_t *hint)
{
    size_t i;

    for (i = 0; i < all->count; i++) {
        size_t at = (*hint + i) % all->count;
        const struct kb_partition_id *id = item(all, at);

        if (id->partition == partition &&
            (all->by_id ? kb_uuid_equal(&id->topic_id, &topic->id)
                        : kb_wire_str_is(topic->name, id->topic))) {
            *hint = at + 1;
            return id;
        }
    }
    return NULL;
}

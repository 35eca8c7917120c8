/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partitions.h - the partitions that a Fetch or Produce request names, topic by
 * topic: by name, or from version 13 of both on by topic id.
 */
#ifndef KB_KAFKA_PARTITIONS_H
#define KB_KAFKA_PARTITIONS_H

#include "kafka/wire.h"

/* Which partition: what an item of a request begins with. */
struct kb_partition_id {
    const char *topic;       /* borrowed */
    struct kb_uuid topic_id; /* needed by version 13 and newer */
    int32_t partition;
};

/* Whether a request of that version has ids in place of names. */
static inline bool kb_partitions_by_id(int16_t version)
{
    return version >= 13;
}

/*
 * The items of a request: `count` structs of `size` bytes, each of which begins
 * with a struct kb_partition_id; those of one topic stand together.
 */
struct kb_partitions {
    const void *items;
    size_t size;
    size_t count;
    bool by_id;
};

/* How many topics there are. */
size_t kb_partitions_topics(const struct kb_partitions *all);

/* How many items from `at` (below `count`) on are of the same topic. */
size_t kb_partitions_run(const struct kb_partitions *all, size_t at);

/* Put the topic of the item at `at`: its name or its id. */
void kb_put_topic(struct kb_buf *body, bool flex,
                  const struct kb_partitions *all, size_t at);

/* A topic as an answer names it. `name` points into the answer. */
struct kb_topic_seen {
    struct kb_wire_str name;
    struct kb_uuid id;
};

struct kb_topic_seen kb_get_topic(struct kb_cursor *c, bool flex, bool by_id);

/*
 * The item which an answer means; NULL: nobody asked for that.  Brokers answer
 * in the order of the request, so the search goes on at `*hint` (0 at first).
 */
const void *kb_partitions_find(const struct kb_partitions *all,
                               const struct kb_topic_seen *topic,
                               int32_t partition, size_t *hint);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* last.c - is it still the batch that was stored? */
#include "backup/last.h"

/* What of the attributes is kept when a batch is written anew. */
#define KEPT_BITS \
    (KB_BATCH_LOG_APPEND | KB_BATCH_TRANSACTIONAL | KB_BATCH_CONTROL)

struct kb_last_batch kb_last_of_batch(const struct kb_batch *batch)
{
    return (struct kb_last_batch){
        .known = true,
        .detailed = true,
        .base_offset = batch->base_offset,
        .crc32c = batch->crc,
        .leader_epoch = batch->leader_epoch,
        .last_offset = kb_batch_next_offset(batch) - 1,
        .max_timestamp = batch->max_timestamp,
        .producer_id = batch->producer_id,
        .base_sequence = batch->base_sequence,
        .count = batch->count,
        .attributes = batch->attributes,
        .producer_epoch = batch->producer_epoch,
        .magic = 2,
    };
}

struct kb_last_batch kb_last_of_entry(const struct kb_msgset_entry *entry)
{
    return (struct kb_last_batch){
        .known = true,
        .detailed = true,
        .base_offset = entry->first_offset,
        .crc32c = entry->crc,
        .leader_epoch = -1,
        .last_offset = entry->last_offset,
        .max_timestamp = entry->timestamp,
        .producer_id = -1,
        .base_sequence = -1,
        .count = entry->count,
        .attributes = entry->attributes,
        .producer_epoch = -1,
        .magic = entry->magic,
    };
}

static enum kb_last_verdict other(const char **why, const char *text)
{
    *why = text;
    return KB_LAST_OTHER;
}

static bool is_plain_message(const struct kb_last_batch *b)
{
    return b->magic < 2 && !(b->attributes & KB_BATCH_CODEC);
}

static bool has_horizon(const struct kb_last_batch *b)
{
    return b->magic == 2 && (b->attributes & KB_BATCH_DELETE_HORIZON);
}

/* The cleaner was there, whatever the policy is now. */
static bool was_cleaned(const struct kb_last_batch *now)
{
    return now->count < now->last_offset - now->base_offset + 1 ||
           has_horizon(now);
}

/* Their CRCs differ: can `now` be what the cleaner made of `want`? */
static enum kb_last_verdict compare_cleaned(const struct kb_last_batch *want,
                                            const struct kb_last_batch *now,
                                            const char **why)
{
    if (is_plain_message(want) || is_plain_message(now))
        return other(why, "the cleaner doesn't change a single message");
    if (now->magic == 2 && now->last_offset != want->last_offset)
        return other(why, "it ends elsewhere");
    if (now->producer_id != want->producer_id ||
        now->producer_epoch != want->producer_epoch ||
        now->base_sequence != want->base_sequence)
        return other(why, "its producer is another one");
    if ((now->attributes ^ want->attributes) & KEPT_BITS)
        return other(why, "it is of another kind");
    if (now->count > want->count)
        return other(why, "it has more records");
    if (now->max_timestamp > want->max_timestamp)
        return other(why, "it is younger");
    if (now->max_timestamp < want->max_timestamp &&
        now->attributes & KB_BATCH_LOG_APPEND)
        return other(why, "it is older");
    /* With all of its records, only a delete horizon can be new in it. */
    if (now->count == want->count &&
        (now->max_timestamp != want->max_timestamp || !has_horizon(now) ||
         has_horizon(want)))
        return other(why, "it has as many records, and they differ");
    return KB_LAST_SAME;
}

enum kb_last_verdict kb_last_compare(const struct kb_last_batch *want,
                                     const struct kb_last_batch *now,
                                     bool compacted, const char **why)
{
    int64_t last = want->detailed ? want->last_offset : want->base_offset;
    bool epochs = want->leader_epoch >= 0 && now->leader_epoch >= 0;

    *why = "";
    if (now->last_offset < want->base_offset)
        return KB_LAST_BEFORE;
    /* A program which doesn't know of `detailed` writes this of both. */
    if (!want->detailed && now->magic < 2)
        return KB_LAST_GONE;
    if (now->base_offset > last) {
        /* Leader epochs never go down along a log. */
        if (epochs && now->leader_epoch < want->leader_epoch)
            return other(why, "a later one is of an earlier leader epoch");
        return KB_LAST_GONE;
    }
    if (want->detailed && now->magic != want->magic)
        return other(why, "it is of another message format");
    if (epochs && now->leader_epoch != want->leader_epoch)
        return other(why, "it is of another leader epoch");
    if (now->magic == 2 ? now->base_offset != want->base_offset
                        : now->base_offset < want->base_offset ||
                              now->last_offset > want->last_offset)
        return other(why, "it begins or ends elsewhere");
    if (now->crc32c == want->crc32c)
        return KB_LAST_SAME;
    if (!compacted && !was_cleaned(now))
        return other(why, "its CRC differs");
    return want->detailed ? compare_cleaned(want, now, why) : KB_LAST_SAME;
}

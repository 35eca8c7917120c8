/* SPDX-License-Identifier: Apache-2.0 */
/* part.c - partitions and parcels: made and freed. */
#include "backup/part.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup/parcel.h"
#include "base/clock.h"
#include "base/str.h"

struct kb_part *kb_part_new(struct kb_source_topic *topic, int32_t partition,
                            int64_t position, int64_t end)
{
    struct kb_part *part = calloc(1, sizeof *part);

    if (!part)
        return NULL;
    part->topic = topic;
    part->partition = partition;
    part->begin = position;
    part->position = position;
    part->end = end;
    part->leader = -1;
    part->leader_epoch = -1;
    part->read_from = -1;
    atomic_init(&part->high_watermark, -1);
    atomic_init(&part->last_stable, -1);
    atomic_init(&part->log_start, -1);
    atomic_init(&part->fetched, position);
    part->committed = position;
    atomic_init(&part->committed_seen, position);
    atomic_init(&part->moved_ms, kb_now_ms());
    atomic_init(&part->asked, 0);
    atomic_init(&part->throttle_ms, 0);
    atomic_init(&part->wanted_back, 0);
    part->seen_start = -1;
    part->warned_ms = INT64_MIN / 2;
    part->warned_of_retention_ms = INT64_MIN / 2;
    kb_coverage_init(&part->coverage, position);
    (void)pthread_mutex_init(&part->lock, NULL);
    return part;
}

void kb_part_free(struct kb_part *part)
{
    size_t i;

    if (!part)
        return;
    for (i = 0; i < part->piece_count; i++)
        kb_slice_release(&part->pieces[i]);
    free(part->pieces);
    kb_coverage_release(&part->coverage);
    kb_txns_release(&part->open);
    (void)pthread_mutex_destroy(&part->lock);
    free(part->reason);
    free(part);
}

void kb_part_why(struct kb_part *part, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(part->why, sizeof part->why, fmt, args);
    va_end(args);
}

void kb_part_end(struct kb_part *part, enum kb_backup_outcome outcome,
                 const char *fmt, ...)
{
    char text[1024];
    va_list args;

    part->done = true;
    if (part->reason && outcome <= part->outcome)
        return;
    part->outcome = outcome;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    free(part->reason);
    part->reason = kb_strdup(text);
}

void kb_source_topic_free(struct kb_source_topic *topic)
{
    int32_t i;

    if (!topic)
        return;
    for (i = 0; i < topic->part_count; i++)
        kb_part_free(topic->parts[i]);
    free(topic->parts);
    kb_topic_desc_release(&topic->desc);
    free(topic->name);
    free(topic);
}

struct kb_parcel *kb_parcel_new(enum kb_parcel_kind kind)
{
    struct kb_parcel *parcel = calloc(1, sizeof *parcel);

    if (parcel)
        parcel->kind = kind;
    return parcel;
}

void kb_parcel_drop_slices(struct kb_parcel *parcel)
{
    size_t i;

    for (i = 0; i < parcel->slice_count; i++)
        kb_slice_release(&parcel->slices[i]);
    free(parcel->slices);
    parcel->slices = NULL;
    parcel->slice_count = 0;
}

void kb_parcel_free(struct kb_parcel *parcel)
{
    if (!parcel)
        return;
    kb_parcel_drop_slices(parcel);
    kb_buf_release(&parcel->packed);
    if (parcel->charged)
        kb_budget_give(parcel->budget, parcel->charged);
    kb_coverage_release(&parcel->coverage);
    free(parcel);
}

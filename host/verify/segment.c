/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment.c - verify one segment: its header, index, frames, batches, and
 * what the manifest says of it.
 *
 * Frames are read in the order in which they lie in the object, in windows of
 * a few megabytes; damage in one doesn't hide the others.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/batch.h"
#include "verify/internal.h"

#define WINDOW_BYTES ((uint64_t)8 << 20)

/* A hole between two batches of a frame. */
struct gap {
    int64_t start;
    int64_t end;
};

/* What was seen of a frame, by its number in the index. */
struct seen {
    bool right; /* checksums, batches, sums */
    bool claimed;
    size_t gap;
    size_t gap_count;
};

struct work {
    struct kb_verify *v;
    struct kb_store_session *session;
    struct kb_codec_worker *codecs;
    const struct kb_segment_info *info;
    const struct kb_claim *claims;
    size_t claim_count;
    char *key;
    struct kb_segment *segment;
    struct seen *seen;
    size_t *order; /* frames as they lie in the object */
    struct gap *gaps;
    size_t gap_count;
    size_t gap_cap;
    uint8_t *window;
    size_t window_cap;
    uint8_t *raw;
    size_t raw_cap;
    bool damaged;
    uint64_t frames;
    uint64_t batches;
    uint64_t records;
};

static struct kb_at at_object(const struct work *w)
{
    struct kb_at at = KB_AT_INIT;

    at.object = w->key;
    return at;
}

static struct kb_at at_frame(const struct work *w, const struct kb_frame *frame)
{
    struct kb_at at = at_object(w);

    at.place = (int64_t)frame->place;
    at.generation =
        kb_manifest_generation(w->v->manifest, &frame->desc.generation);
    at.partition = frame->desc.partition;
    at.start = frame->desc.start;
    at.end = frame->desc.end;
    return at;
}

static struct kb_at at_claim(const struct work *w, const struct kb_claim *claim)
{
    struct kb_at at = at_object(w);

    at.generation = claim->generation;
    at.partition = claim->log->partition;
    at.start = claim->extent->start;
    at.end = claim->extent->end;
    return at;
}

/* Damage is a finding; all else ends the work. */
static void failed(struct work *w, const struct kb_at *at,
                   const struct kbp_error *err)
{
    if (err->status == KBP_ERR_CORRUPT || err->status == KBP_ERR_NOT_FOUND) {
        w->damaged = true;
        (void)kb_found(w->v, KB_FINDING_DAMAGED, at, "%s", err->message);
    } else {
        kb_verify_fail(w->v, err);
    }
}

static bool nomem(struct work *w)
{
    struct kbp_error err = KB_ERR_INIT;

    (void)kb_fail_nomem(&err, "a verification");
    kb_verify_fail(w->v, &err);
    return false;
}

static bool room(struct work *w, uint8_t **bytes, size_t *cap, uint64_t len)
{
    uint8_t *more;

    if (len <= *cap)
        return true;
    more = len <= SIZE_MAX ? realloc(*bytes, (size_t)len) : NULL;
    if (!more)
        return nomem(w);
    *bytes = more;
    *cap = (size_t)len;
    return true;
}

static bool add_gap(struct work *w, int64_t start, int64_t end)
{
    if (w->gap_count == w->gap_cap) {
        size_t cap = w->gap_cap > 0 ? w->gap_cap * 2 : 64;
        struct gap *gaps = reallocarray(w->gaps, cap, sizeof *gaps);

        if (!gaps)
            return nomem(w);
        w->gaps = gaps;
        w->gap_cap = cap;
    }
    w->gaps[w->gap_count++] = (struct gap){start, end};
    return true;
}

/* The next batch at `bytes`; false if there is none that is right. */
static bool next_batch(struct work *w, const struct kb_frame *frame,
                       const uint8_t *bytes, size_t len, int64_t behind,
                       struct kb_batch *batch)
{
    struct kb_at at = at_frame(w, frame);
    struct kbp_error err = KB_ERR_INIT;
    int rc = kb_batch_parse(bytes, len, batch, &err);

    if (rc == KB_BATCH_CUT || rc == KB_BATCH_LEGACY)
        rc = kb_fail(&err, KBP_ERR_CORRUPT,
                     rc == KB_BATCH_CUT ? "the last batch is cut off"
                                        : "a batch of an old format");
    if (rc == KBP_OK) {
        at.start = batch->base_offset;
        at.end = kb_batch_next_offset(batch);
        rc = kb_batch_check(batch, &err);
    }
    if (rc == KBP_OK && batch->base_offset < behind)
        rc = kb_fail(&err, KBP_ERR_CORRUPT,
                     "the batch at offset %" PRId64
                     " comes behind one which ends at %" PRId64,
                     batch->base_offset, behind);
    if (rc != KBP_OK)
        failed(w, &at, &err);
    return rc == KBP_OK;
}

static bool same_sums(const struct kb_sums *a, const struct kb_sums *b)
{
    return a->records == b->records && a->missing == b->missing &&
           a->batches == b->batches && a->largest_batch == b->largest_batch &&
           (a->batches == 0 || a->max_timestamp == b->max_timestamp);
}

/* The batches of a frame are what its header says. */
static bool check_batches(struct work *w, size_t number, const uint8_t *bytes)
{
    const struct kb_frame *frame = &w->segment->frames[number];
    struct seen *seen = &w->seen[number];
    struct kb_at at = at_frame(w, frame);
    size_t len = frame->desc.raw_len;
    struct kb_sums sums = {0};
    int64_t behind = frame->desc.start;
    size_t pos = 0;

    seen->gap = w->gap_count;
    while (pos < len) {
        struct kb_sums one = {.batches = 1};
        struct kb_batch batch;

        if (!next_batch(w, frame, bytes + pos, len - pos, behind, &batch))
            return false;
        if (batch.base_offset > behind && pos > 0 &&
            !add_gap(w, behind, batch.base_offset))
            return false;
        if (pos == 0 && batch.base_offset != frame->desc.start)
            break;
        one.records = (uint64_t)batch.count;
        one.missing =
            (uint64_t)(batch.last_offset_delta + INT64_C(1) - batch.count);
        one.largest_batch = (uint32_t)batch.len;
        one.max_timestamp = batch.max_timestamp;
        kb_sums_add(&sums, &one);
        behind = kb_batch_next_offset(&batch);
        pos += batch.len;
    }
    seen->gap_count = w->gap_count - seen->gap;
    if (pos != len || behind != frame->desc.end ||
        !same_sums(&sums, &frame->desc.sums)) {
        w->damaged = true;
        (void)kb_found(w->v, KB_FINDING_MISMATCH, &at,
                       "its header says %" PRIu64 " records in %" PRIu64
                       " batches, there are %" PRIu64 " in %" PRIu64
                       " up to offset %" PRId64,
                       frame->desc.sums.records, frame->desc.sums.batches,
                       sums.records, sums.batches, behind);
        return false;
    }
    w->batches += sums.batches;
    w->records += sums.records;
    return true;
}

/* One frame, whose header lies at `header`. */
static void check_frame(struct work *w, size_t number, const uint8_t *header)
{
    const struct kb_frame *frame = &w->segment->frames[number];
    const uint8_t *bytes = header + KB_FRAME_HEADER;
    struct kb_at at = at_frame(w, frame);
    struct kbp_error err = KB_ERR_INIT;
    int rc = kb_frame_check(frame, header, &err);

    if (rc == KBP_OK && frame->desc.codec != 0) {
        if (!room(w, &w->raw, &w->raw_cap, frame->desc.raw_len))
            return;
        rc =
            kb_frame_unpack(w->segment, number, bytes, w->codecs, w->raw, &err);
        bytes = w->raw;
    }
    if (rc != KBP_OK) {
        failed(w, &at, &err);
        return;
    }
    w->seen[number].right = check_batches(w, number, bytes);
    w->frames += w->seen[number].right;
}

static const struct kb_frame *frame_at(const struct work *w, size_t i)
{
    return &w->segment->frames[w->order[i]];
}

static uint64_t end_of(const struct kb_frame *frame)
{
    return frame->place + KB_FRAME_HEADER + frame->desc.stored_len;
}

/* Read frames from number `first` of the order on; returns how many. */
static size_t check_window(struct work *w, size_t first)
{
    uint64_t from = frame_at(w, first)->place;
    uint64_t len = end_of(frame_at(w, first)) - from;
    struct kbp_error err = KB_ERR_INIT;
    size_t count = 1;
    size_t i;
    int rc;

    for (; first + count < w->segment->frame_count; count++) {
        uint64_t more = end_of(frame_at(w, first + count)) - from;

        if (more > WINDOW_BYTES)
            break;
        len = more;
    }
    if (!room(w, &w->window, &w->window_cap, len))
        return count;
    rc = kb_store_get_range(w->session, w->key, from, w->window, (size_t)len,
                            &err);
    if (rc != KBP_OK) {
        struct kb_at at = at_object(w);

        failed(w, &at, &err);
        return count;
    }
    for (i = 0; i < count; i++)
        check_frame(w, w->order[first + i],
                    w->window + (frame_at(w, first + i)->place - from));
    kb_verify_progress(w->v, len);
    return count;
}

static int compare_places(const void *left, const void *right, void *data)
{
    const struct kb_frame *frames = data;
    uint64_t a = frames[*(const size_t *)left].place;
    uint64_t b = frames[*(const size_t *)right].place;

    return a == b ? 0 : a < b ? -1 : 1;
}

static bool begin_frames(struct work *w)
{
    size_t count = w->segment->frame_count;
    size_t i;

    w->seen = calloc(count + 1, sizeof *w->seen);
    w->order = calloc(count + 1, sizeof *w->order);
    if (!w->seen || !w->order)
        return nomem(w);
    for (i = 0; i < count; i++)
        w->order[i] = i;
    qsort_r(w->order, count, sizeof *w->order, compare_places,
            w->segment->frames);
    return true;
}

/* --- the manifest against the index -------------------------------------- */

/*
 * Whether ranges from `*at` on fill [start, end) and stop there; at the
 * extent's end one may go on, into the next extent.
 */
static bool fills(const struct kb_ranges *ranges, size_t *at, int64_t start,
                  int64_t end, int64_t extent_end)
{
    while (start < end) {
        const struct kb_range *range;

        if (*at == ranges->count)
            return false;
        range = &ranges->items[*at];
        if (range->start > start || range->end <= start)
            return false;
        if (range->end > end)
            return end == extent_end;
        start = range->end;
        (*at)++;
    }
    return true;
}

/* Batches and ranges tile the extent exactly; false: not at `*where`. */
static bool is_tiled(const struct work *w, const struct kb_claim *claim,
                     size_t first, size_t count, int64_t *where)
{
    const struct kb_ranges *ranges = &claim->log->ranges;
    const struct kb_extent *extent = claim->extent;
    size_t at = kb_ranges_behind(ranges, extent->start);
    int64_t behind = extent->start;
    size_t i;
    size_t g;

    /* A range that was joined with one before the extent may reach in. */
    for (i = 0; i < count; i++) {
        const struct kb_frame_desc *desc = &w->segment->frames[first + i].desc;
        const struct seen *seen = &w->seen[first + i];

        *where = behind;
        if (!fills(ranges, &at, behind, desc->start, extent->end))
            return false;
        for (g = 0; g < seen->gap_count; g++) {
            const struct gap *gap = &w->gaps[seen->gap + g];

            *where = gap->start;
            if (!fills(ranges, &at, gap->start, gap->end, extent->end))
                return false;
        }
        behind = desc->end;
    }
    *where = behind;
    if (!fills(ranges, &at, behind, extent->end, extent->end))
        return false;
    if (at < ranges->count && ranges->items[at].start < extent->end &&
        ranges->items[at].end <= extent->end) {
        *where = ranges->items[at].start;
        return false;
    }
    return true;
}

static void check_claim(struct work *w, const struct kb_claim *claim)
{
    const struct kb_extent *extent = claim->extent;
    struct kb_at at = at_claim(w, claim);
    struct kb_sums sums = {0};
    bool right = true;
    int64_t where;
    size_t first;
    size_t count = kb_segment_find(w->segment, &claim->generation->id,
                                   claim->log->partition, extent->start,
                                   extent->end, &first);
    size_t i;

    for (i = 0; i < count; i++) {
        const struct kb_frame *frame = &w->segment->frames[first + i];

        w->seen[first + i].claimed = true;
        right = right && w->seen[first + i].right;
        if (frame->desc.start < extent->start ||
            frame->desc.end > extent->end) {
            w->damaged = true;
            at = at_frame(w, frame);
            (void)kb_found(w->v, KB_FINDING_MISMATCH, &at,
                           "the frame reaches out of what the manifest says, "
                           "offsets %" PRId64 " to %" PRId64,
                           extent->start, extent->end);
            return;
        }
        kb_sums_add(&sums, &frame->desc.sums);
    }
    if (!same_sums(&sums, &extent->sums) ||
        (extent->sums.min_known &&
         (!sums.min_known ||
          sums.min_timestamp != extent->sums.min_timestamp))) {
        w->damaged = true;
        (void)kb_found(w->v, KB_FINDING_MISMATCH, &at,
                       "the manifest says %" PRIu64 " records in %" PRIu64
                       " batches, the index %" PRIu64 " in %" PRIu64,
                       extent->sums.records, extent->sums.batches, sums.records,
                       sums.batches);
        return;
    }
    if (right && !is_tiled(w, claim, first, count, &where)) {
        w->damaged = true;
        (void)kb_found(w->v, KB_FINDING_ACCOUNTING, &at,
                       "at offset %" PRId64
                       " batches and the manifest's ranges don't meet",
                       where);
    }
}

static void check_claims(struct work *w)
{
    size_t i;

    for (i = 0; i < w->claim_count; i++)
        check_claim(w, &w->claims[i]);
    for (i = 0; i < w->segment->frame_count; i++) {
        struct kb_at at = at_frame(w, &w->segment->frames[i]);

        if (w->seen[i].claimed)
            continue;
        w->damaged = true;
        (void)kb_found(w->v, KB_FINDING_MISMATCH, &at,
                       "the manifest doesn't account for this frame");
    }
}

/* --- the segment as a whole ---------------------------------------------- */

/* What is lost with it, by partition. */
static void name_claims(struct work *w, enum kb_finding_kind kind)
{
    size_t i;

    for (i = 0; i < w->claim_count; i++) {
        struct kb_at at = at_claim(w, &w->claims[i]);

        (void)kb_found(w->v, kind, &at, "%" PRIu64 " records can't be restored",
                       w->claims[i].extent->sums.records);
    }
}

static bool open_segment(struct work *w)
{
    uint8_t header[KB_SEGMENT_HEADER_BYTES];
    struct kb_at at = at_object(w);
    struct kbp_error err = KB_ERR_INIT;
    struct kb_codec_session *session;
    struct kb_uuid id;
    int rc;

    rc = kb_segment_open(&w->segment, w->session, w->v->manifest->backup_id,
                         w->info, &err);
    if (rc != KBP_OK) {
        failed(w, &at, &err);
        if (w->damaged)
            name_claims(w, KB_FINDING_DAMAGED);
        return false;
    }
    rc = kb_store_get_range(w->session, w->key, 0, header, sizeof header, &err);
    if (rc == KBP_OK)
        rc = kb_segment_check_header(header, sizeof header, &id, &err);
    if (rc == KBP_OK && !kb_uuid_equal(&id, &w->info->id))
        rc = kb_fail(&err, KBP_ERR_CORRUPT,
                     "its header is that of another segment");
    if (rc != KBP_OK)
        failed(w, &at, &err); /* the frames may be right all the same */
    if (w->segment->codec_id != 0) {
        rc =
            kb_codec_worker_named(w->codecs, w->segment->codec, &session, &err);
        if (rc != KBP_OK) {
            kb_verify_fail(w->v, &err);
            return false;
        }
    }
    return true;
}

static void verify(struct work *w)
{
    size_t at = 0;

    if (!open_segment(w) || !begin_frames(w))
        return;
    while (at < w->segment->frame_count && !atomic_load(&w->v->failed))
        at += check_window(w, at);
    if (!atomic_load(&w->v->failed))
        check_claims(w);
}

void kb_verify_segment(struct kb_verify *v, struct kb_store_session *session,
                       struct kb_codec_worker *codecs, uint32_t segment)
{
    const struct kb_segment_info *info = &v->manifest->segments[segment];
    struct work w = {.v = v,
                     .session = session,
                     .codecs = codecs,
                     .info = info,
                     .claims = v->claims + v->first_claim[segment],
                     .claim_count =
                         v->first_claim[segment + 1] - v->first_claim[segment]};

    w.key = kb_key_segment(v->manifest->backup_id, &info->name);
    if (!w.key) {
        (void)nomem(&w);
        return;
    }
    if (v->absent[segment]) {
        struct kb_at at = at_object(&w);

        (void)kb_found(v, KB_FINDING_MISSING, &at,
                       "the store has no such object");
        name_claims(&w, KB_FINDING_MISSING);
    } else if (v->options->deep) {
        verify(&w);
    }
    (void)pthread_mutex_lock(&v->lock);
    v->report->segments_missing += v->absent[segment];
    v->report->segments_damaged += w.damaged;
    v->report->frames += w.frames;
    v->report->batches += w.batches;
    v->report->records_read += w.records;
    (void)pthread_mutex_unlock(&v->lock);
    kb_segment_free(w.segment);
    free(w.seen);
    free(w.order);
    free(w.gaps);
    free(w.window);
    free(w.raw);
    free(w.key);
}

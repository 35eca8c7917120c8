/* SPDX-License-Identifier: Apache-2.0 */
/* segment_reader.c - a segment's index and frames, from the store. */
#include "archive/segment_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "archive/layout.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/str.h"
#include "plugin/codec.h"
#include "plugin/storage.h"

/* What an index may have: a million frames and their topics. */
#define MAX_INDEX ((uint64_t)256 << 20)
#define GUESS ((uint64_t)64 << 10)

static int read_tail(struct kb_store_session *store, const char *key,
                     uint64_t size, uint64_t tail_len, uint8_t **tail,
                     struct kbp_error *err)
{
    int rc;

    if (tail_len > size || tail_len < KB_TRAILER || tail_len > MAX_INDEX)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "an index of %" PRIu64 " bytes can't be", tail_len);
    *tail = malloc((size_t)tail_len);
    if (!*tail)
        return kb_fail_nomem(err, "a segment's index");
    rc = kb_store_get_range(store, key, size - tail_len, *tail,
                            (size_t)tail_len, err);
    if (rc == KBP_OK)
        return KBP_OK;
    free(*tail);
    *tail = NULL;
    return rc;
}

static int open_named(struct kb_segment **segment,
                      struct kb_store_session *store, const char *key,
                      const struct kb_segment_info *info, struct kbp_error *err)
{
    struct kb_object_info object;
    struct kb_segment *s;
    uint8_t *tail;
    int rc;

    rc = read_tail(store, key, info->size, info->index_len, &tail, err);
    if (rc == KBP_ERR_CORRUPT &&
        kb_store_stat(store, key, &object, err) == KBP_OK)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "the object has %" PRIu64 " bytes, the manifest says "
                       "%" PRIu64,
                       object.size, info->size);
    if (rc != KBP_OK)
        return rc;
    rc = kb_segment_parse(&s, key, info->size, tail, (size_t)info->index_len,
                          err);
    if (rc == KBP_OK &&
        (!kb_uuid_equal(&s->id, &info->id) || s->frame_count != info->frames ||
         kb_crc32c(0, tail, (size_t)info->index_len) != info->index_crc32c)) {
        rc = kb_fail(err, KBP_ERR_CORRUPT,
                     "it is a segment, but not the one that the manifest "
                     "names: objects were swapped or replaced");
        kb_segment_free(s);
    }
    free(tail);
    if (rc == KBP_OK)
        *segment = s;
    return rc;
}

int kb_segment_open(struct kb_segment **segment, struct kb_store_session *store,
                    const char *backup_id, const struct kb_segment_info *info,
                    struct kbp_error *err)
{
    char *key = kb_key_segment(backup_id, &info->name);
    int rc;

    if (!key)
        return kb_fail_nomem(err, "a segment's key");
    rc = open_named(segment, store, key, info, err);
    if (rc != KBP_OK)
        rc = kb_err_wrap(err, "segment %s", key);
    free(key);
    return rc;
}

/* The object's last bytes; again with more if the index is longer. */
static int open_guessing(struct kb_segment **segment,
                         struct kb_store_session *store, const char *key,
                         struct kbp_error *err)
{
    struct kb_object_info object;
    uint64_t len;
    uint8_t *tail;
    int rc = kb_store_stat(store, key, &object, err);

    if (rc != KBP_OK)
        return rc;
    len = object.size < GUESS ? object.size : GUESS;
    rc = read_tail(store, key, object.size, len, &tail, err);
    if (rc == KBP_OK && len < object.size) {
        uint64_t index_len = kb_load_le64(tail + len - KB_TRAILER + 8);

        if (index_len <= object.size - KB_TRAILER &&
            index_len > len - KB_TRAILER && index_len <= MAX_INDEX) {
            len = index_len + KB_TRAILER;
            free(tail);
            rc = read_tail(store, key, object.size, len, &tail, err);
        }
    }
    if (rc != KBP_OK)
        return rc;
    rc = kb_segment_parse(segment, key, object.size, tail, (size_t)len, err);
    free(tail);
    return rc;
}

int kb_segment_open_key(struct kb_segment **segment,
                        struct kb_store_session *store, const char *key,
                        struct kbp_error *err)
{
    int rc = open_guessing(segment, store, key, err);

    return rc == KBP_OK ? rc : kb_err_wrap(err, "segment %s", key);
}

/* Frame `i` of a range that begins with frame `first`. */
static const uint8_t *header_of(const struct kb_segment *segment, size_t first,
                                size_t i, const struct kb_block *block)
{
    return block->data +
           (segment->frames[first + i].place - segment->frames[first].place);
}

int kb_frame_check(const struct kb_frame *frame, const uint8_t *header,
                   struct kbp_error *err)
{
    struct kb_frame_desc desc;
    uint32_t crc;
    int rc = kb_frame_decode(header, &desc, err);

    if (rc == KBP_OK)
        rc = kb_frame_same(&desc, &frame->desc, err);
    if (rc != KBP_OK)
        return rc;
    crc = kb_crc32c(0, header + KB_FRAME_HEADER, frame->desc.stored_len);
    if (crc != frame->desc.crc32c)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "its checksum is %08" PRIx32
                       ", the stored bytes give %08" PRIx32,
                       frame->desc.crc32c, crc);
    return KBP_OK;
}

int kb_frame_wrap(const struct kb_segment *segment, size_t frame,
                  struct kbp_error *err)
{
    const struct kb_frame *f = &segment->frames[frame];

    return kb_err_wrap(
        err,
        "segment %s: frame at byte %" PRIu64 " (partition %" PRId32
        ", offsets %" PRId64 " to %" PRId64 ")",
        segment->key, f->place, f->desc.partition, f->desc.start, f->desc.end);
}

int kb_segment_read(const struct kb_segment *segment,
                    struct kb_store_session *store, size_t first, size_t count,
                    struct kb_block *block, struct kb_frame_run *run,
                    struct kbp_error *err)
{
    const struct kb_frame *last;
    uint64_t from;
    uint64_t len;
    size_t i;
    int rc;

    if (count == 0 || first >= segment->frame_count ||
        count > segment->frame_count - first)
        return kb_fail(err, KBP_ERR_MISUSE, "a segment has no such frames");
    last = &segment->frames[first + count - 1];
    from = segment->frames[first].place;
    len = last->place + KB_FRAME_HEADER + last->desc.stored_len - from;
    if (last->place < from || len > block->cap)
        return kb_fail(err, KBP_ERR_MISUSE,
                       "the frames don't fit into the block");
    rc = kb_store_get_range(store, segment->key, from, block->data, (size_t)len,
                            err);
    if (rc != KBP_OK)
        return kb_err_wrap(err, "segment %s", segment->key);
    block->len = (size_t)len;
    for (i = 0; i < count; i++) {
        rc = kb_frame_check(&segment->frames[first + i],
                            header_of(segment, first, i, block), err);
        if (rc != KBP_OK)
            return kb_frame_wrap(segment, first + i, err);
    }
    run->segment = segment;
    run->first = first;
    run->count = count;
    run->block = block;
    return KBP_OK;
}

struct kb_slice kb_frame_run_stored(const struct kb_frame_run *run, size_t i)
{
    struct kb_slice slice = {0};

    slice.data =
        header_of(run->segment, run->first, i, run->block) + KB_FRAME_HEADER;
    slice.len = run->segment->frames[run->first + i].desc.stored_len;
    return slice;
}

/* A sink into memory of a known size. */
struct fixed {
    uint8_t *data;
    size_t len;
    size_t used;
};

static int32_t fixed_reserve(struct kbp_sink *sink, size_t min, size_t wish,
                             void **room, size_t *room_len)
{
    struct fixed *fixed = sink->data;

    (void)wish;
    if (min > fixed->len - fixed->used)
        return KBP_ERR_LIMIT;
    *room = fixed->data + fixed->used;
    *room_len = fixed->len - fixed->used;
    return KBP_OK;
}

static void fixed_commit(struct kbp_sink *sink, size_t used)
{
    struct fixed *fixed = sink->data;

    fixed->used += used;
}

int kb_frame_unpack(const struct kb_segment *segment, size_t frame,
                    const void *stored, struct kb_codec_worker *codecs,
                    uint8_t *out, struct kbp_error *err)
{
    const struct kb_frame_desc *desc = &segment->frames[frame].desc;
    struct fixed fixed = {out, desc->raw_len, 0};
    struct kbp_sink sink = {.struct_size = sizeof sink,
                            .data = &fixed,
                            .limit = desc->raw_len,
                            .reserve = fixed_reserve,
                            .commit = fixed_commit};
    struct kb_codec_session *session;
    int rc;

    if (desc->codec != segment->codec_id)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "its codec %u is none of the segment's", desc->codec);
    rc = kb_codec_worker_named(codecs, segment->codec, &session, err);
    if (rc != KBP_OK)
        return rc;
    rc = kb_codec_decompress(session, stored, desc->stored_len, &sink, err);
    if (rc == KBP_ERR_LIMIT || (rc == KBP_OK && fixed.used != desc->raw_len))
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "it isn't the %" PRIu32 " bytes long that it should "
                       "be when decompressed",
                       desc->raw_len);
    return rc;
}

int kb_frame_run_batches(const struct kb_frame_run *run, size_t i,
                         struct kb_codec_worker *codecs,
                         struct kb_budget *budget, struct kb_slice *batches,
                         struct kbp_error *err)
{
    const struct kb_frame_desc *desc =
        &run->segment->frames[run->first + i].desc;
    struct kb_slice stored = kb_frame_run_stored(run, i);
    struct kb_block *block;
    int rc;

    if (desc->codec == 0) {
        *batches = kb_slice_of(run->block, stored.data, stored.len);
        return KBP_OK;
    }
    if (budget) {
        rc = kb_budget_take(budget, desc->raw_len, err);
        if (rc != KBP_OK)
            return rc;
    }
    block = kb_block_new(budget, budget ? desc->raw_len : 0, desc->raw_len);
    if (!block) {
        if (budget)
            kb_budget_give(budget, desc->raw_len);
        return kb_fail_nomem(err, "a frame's batches");
    }
    rc = kb_frame_unpack(run->segment, run->first + i, stored.data, codecs,
                         block->data, err);
    if (rc != KBP_OK) {
        kb_block_unref(block);
        return kb_frame_wrap(run->segment, run->first + i, err);
    }
    block->len = desc->raw_len;
    *batches = kb_slice_of(block, block->data, block->len);
    kb_block_unref(block); /* the slice holds it */
    return KBP_OK;
}

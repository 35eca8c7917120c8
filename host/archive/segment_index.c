/* SPDX-License-Identifier: Apache-2.0 */
/* segment_index.c - a segment's index and trailer, from bytes; salvage. */
#include "archive/segment_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "archive/layout.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/str.h"

void kb_segment_free(struct kb_segment *segment)
{
    size_t i;

    if (!segment)
        return;
    for (i = 0; i < segment->topic_count; i++)
        free(segment->topics[i].topic);
    free(segment->topics);
    free(segment->frames);
    free(segment->key);
    free(segment);
}

int kb_segment_check_header(const void *bytes, size_t len, struct kb_uuid *id,
                            struct kbp_error *err)
{
    const uint8_t *at = bytes;

    if (len < KB_SEGMENT_HEADER || memcmp(at, KB_SEGMENT_MAGIC, 4) != 0)
        return kb_fail(err, KBP_ERR_CORRUPT, "no segment begins here");
    if (at[4] != KB_SEGMENT_VERSION)
        return kb_fail(err, KBP_ERR_CORRUPT, "it is a segment of version %u",
                       at[4]);
    if (kb_load_le32(at + KB_SEGMENT_HEADER_CRC_AT) !=
        kb_crc32c(0, at, KB_SEGMENT_HEADER_CRC_AT))
        return kb_fail(err, KBP_ERR_CORRUPT, "the header's checksum is wrong");
    memcpy(id->bytes, at + 8, sizeof id->bytes);
    return KBP_OK;
}

static int compare_partitions(const struct kb_frame_desc *a,
                              const struct kb_uuid *generation,
                              int32_t partition)
{
    int order = memcmp(a->generation.bytes, generation->bytes,
                       sizeof generation->bytes);

    if (order != 0)
        return order;
    return a->partition == partition ? 0 : a->partition < partition ? -1 : 1;
}

static int compare_frames(const void *left, const void *right)
{
    const struct kb_frame *a = left;
    const struct kb_frame *b = right;
    int order =
        compare_partitions(&a->desc, &b->desc.generation, b->desc.partition);

    if (order != 0)
        return order;
    return a->desc.start == b->desc.start  ? 0
           : a->desc.start < b->desc.start ? -1
                                           : 1;
}

static int damaged(struct kbp_error *err, const char *what)
{
    return kb_fail(err, KBP_ERR_CORRUPT, "%s", what);
}

/* The trailer says where the index is. */
static int read_trailer(struct kb_segment *segment, const uint8_t *trailer,
                        uint64_t *place, uint64_t *len, uint32_t *crc,
                        uint32_t *frames, struct kbp_error *err)
{
    uint64_t size;

    if (memcmp(trailer + 56, KB_TRAILER_MAGIC, 8) != 0)
        return damaged(err, "no segment ends here: it was cut off, or is "
                            "something else");
    if (kb_load_le32(trailer + KB_TRAILER_CRC_AT) !=
        kb_crc32c(0, trailer, KB_TRAILER_CRC_AT))
        return damaged(err, "the trailer's checksum is wrong");
    *place = kb_load_le64(trailer);
    *len = kb_load_le64(trailer + 8);
    *crc = kb_load_le32(trailer + 16);
    *frames = kb_load_le32(trailer + 20);
    memcpy(segment->id.bytes, trailer + 24, 16);
    size = kb_load_le64(trailer + 40);
    if (size != segment->size)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "the object has %" PRIu64 " bytes, its trailer says "
                       "%" PRIu64,
                       segment->size, size);
    if (*place < KB_SEGMENT_HEADER || *place > size || *len > size - *place ||
        *len + KB_TRAILER != size - *place)
        return damaged(err, "the trailer's place of the index can't be");
    return KBP_OK;
}

static int read_topics(struct kb_segment *segment, struct kb_cursor *at,
                       uint32_t count, struct kbp_error *err)
{
    uint32_t i;

    if (count > kb_cursor_left(at) / 18)
        return damaged(err, "the index names more topics than it holds");
    segment->topics = calloc(count > 0 ? count : 1, sizeof *segment->topics);
    if (!segment->topics)
        return kb_fail_nomem(err, "the names of topics");
    for (i = 0; i < count; i++) {
        const uint8_t *id = kb_take(at, 16);
        uint16_t len = kb_get_le16(at);
        const uint8_t *name = kb_take(at, len);
        char *copy;

        if (!name || len == 0 || memchr(name, '\0', len) ||
            !kb_utf8_ok(name, len))
            return damaged(err, "a topic's name in the index is none");
        copy = strndup((const char *)name, len);
        if (!copy)
            return kb_fail_nomem(err, "a topic's name");
        memcpy(segment->topics[i].generation.bytes, id, 16);
        segment->topics[i].topic = copy;
        segment->topic_count++;
    }
    return KBP_OK;
}

/* Entries stand in the order of the frames. */
static int read_frames(struct kb_segment *segment, struct kb_cursor *at,
                       uint32_t count, uint64_t index_place,
                       struct kbp_error *err)
{
    uint64_t behind = KB_SEGMENT_HEADER;
    uint32_t i;

    if (count != kb_cursor_left(at) / KB_INDEX_ENTRY ||
        count * (uint64_t)KB_INDEX_ENTRY != kb_cursor_left(at))
        return damaged(err, "the index isn't as long as its frames say");
    segment->frames = calloc(count > 0 ? count : 1, sizeof *segment->frames);
    if (!segment->frames)
        return kb_fail_nomem(err, "the index");
    for (i = 0; i < count; i++) {
        struct kb_frame *frame = &segment->frames[i];
        uint64_t end;
        int rc;

        frame->place = kb_get_le64(at);
        rc = kb_frame_decode_fields(kb_take(at, KB_FRAME_FIELDS), &frame->desc,
                                    err);
        if (rc != KBP_OK)
            return kb_err_wrap(err, "index entry %" PRIu32, i);
        if (frame->place != behind ||
            __builtin_add_overflow(
                frame->place,
                (uint64_t)KB_FRAME_HEADER + frame->desc.stored_len, &end) ||
            end > index_place)
            return kb_fail(err, KBP_ERR_CORRUPT,
                           "index entry %" PRIu32 ": a frame can't be at "
                           "%" PRIu64,
                           i, frame->place);
        behind = end;
    }
    segment->frame_count = count;
    if (behind != index_place)
        return damaged(err, "there are bytes between the frames and the index");
    qsort(segment->frames, count, sizeof *segment->frames, compare_frames);
    for (i = 1; i < count; i++) {
        const struct kb_frame_desc *a = &segment->frames[i - 1].desc;
        const struct kb_frame_desc *b = &segment->frames[i].desc;

        if (compare_partitions(a, &b->generation, b->partition) == 0 &&
            b->start < a->end)
            return kb_fail(err, KBP_ERR_CORRUPT,
                           "two frames of partition %" PRId32
                           " hold the offset %" PRId64,
                           b->partition, b->start);
    }
    return KBP_OK;
}

static int read_index(struct kb_segment *segment, const uint8_t *index,
                      size_t len, uint64_t place, uint32_t frames,
                      struct kbp_error *err)
{
    struct kb_cursor at = kb_cursor_of(index, len);
    const uint8_t *magic = kb_take(&at, 4);
    uint32_t topics = kb_get_le32(&at);
    uint32_t count = kb_get_le32(&at);
    const uint8_t *codec;
    int rc;

    segment->codec_id = kb_get_u8(&at);
    (void)kb_take(&at, 3);
    codec = kb_take(&at, KB_CODEC_NAME_MAX);
    if (at.bad || memcmp(magic, KB_INDEX_MAGIC, 4) != 0 || count != frames)
        return damaged(err, "no index is where the trailer says");
    if (codec[KB_CODEC_NAME_MAX - 1] != '\0' ||
        (segment->codec_id == 0) != (codec[0] == '\0'))
        return damaged(err, "the codec's name in the index is none");
    memcpy(segment->codec, codec, KB_CODEC_NAME_MAX);
    rc = read_topics(segment, &at, topics, err);
    if (rc != KBP_OK)
        return rc;
    return read_frames(segment, &at, count, place, err);
}

int kb_segment_parse(struct kb_segment **segment, const char *key,
                     uint64_t size, const void *tail, size_t tail_len,
                     struct kbp_error *err)
{
    const uint8_t *bytes = tail;
    struct kb_segment *s;
    uint64_t place = 0;
    uint64_t len = 0;
    uint32_t crc = 0;
    uint32_t frames = 0;
    int rc;

    if (tail_len > size || tail_len < KB_TRAILER ||
        size < KB_SEGMENT_HEADER + KB_INDEX_HEAD + KB_TRAILER)
        return damaged(err, "it is too short for a segment");
    s = calloc(1, sizeof *s);
    if (!s)
        return kb_fail_nomem(err, "a segment's index");
    s->size = size;
    s->key = kb_strdup(key);
    if (!s->key) {
        rc = kb_fail_nomem(err, "a segment's index");
        goto out;
    }
    rc = read_trailer(s, bytes + tail_len - KB_TRAILER, &place, &len, &crc,
                      &frames, err);
    if (rc != KBP_OK)
        goto out;
    if (len > tail_len - KB_TRAILER) {
        rc = damaged(err, "the index is longer than what was read");
        goto out;
    }
    bytes += tail_len - KB_TRAILER - len;
    if (kb_crc32c(0, bytes, (size_t)len) != crc) {
        rc = damaged(err, "the index's checksum is wrong");
        goto out;
    }
    rc = read_index(s, bytes, (size_t)len, place, frames, err);
    if (rc != KBP_OK)
        goto out;
    *segment = s;
    return KBP_OK;
out:
    kb_segment_free(s);
    return rc;
}

size_t kb_segment_find(const struct kb_segment *segment,
                       const struct kb_uuid *generation, int32_t partition,
                       int64_t start, int64_t end, size_t *first)
{
    size_t low = 0;
    size_t high = segment->frame_count;
    size_t count = 0;

    /* The first that isn't wholly before `start`. */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct kb_frame_desc *desc = &segment->frames[mid].desc;
        int order = compare_partitions(desc, generation, partition);

        if (order < 0 || (order == 0 && desc->end <= start))
            low = mid + 1;
        else
            high = mid;
    }
    for (; low + count < segment->frame_count; count++) {
        const struct kb_frame_desc *desc = &segment->frames[low + count].desc;

        if (compare_partitions(desc, generation, partition) != 0 ||
            desc->start >= end)
            break;
    }
    *first = low;
    return count;
}

size_t kb_segment_run(const struct kb_segment *segment, size_t first,
                      size_t count, uint64_t max_bytes, uint64_t *bytes)
{
    uint64_t from = segment->frames[first].place;
    uint64_t wanted = 0;
    size_t n;

    *bytes = 0;
    for (n = 0; n < count && first + n < segment->frame_count; n++) {
        const struct kb_frame *frame = &segment->frames[first + n];
        uint64_t own = KB_FRAME_HEADER + (uint64_t)frame->desc.stored_len;
        uint64_t len = frame->place + own - from;

        wanted += own;
        /* Bytes of others in between: up to as many as are wanted. */
        if (n > 0 && (frame->place < from || len > max_bytes ||
                      len - wanted > wanted + 65536))
            break;
        *bytes = len;
    }
    return n;
}

int kb_segment_scan(const void *bytes, size_t len,
                    int (*fn)(void *data, const struct kb_frame *frame),
                    void *data, uint64_t *skipped, struct kbp_error *err)
{
    const uint8_t *all = bytes;
    uint64_t lost = 0;
    size_t at = KB_SEGMENT_HEADER;

    while (at < len && len - at >= KB_FRAME_HEADER) {
        struct kb_frame frame = {.place = at};
        const uint8_t *next;
        int rc;

        if (kb_frame_decode(all + at, &frame.desc, err) == KBP_OK) {
            rc = fn(data, &frame);
            if (rc != 0)
                return rc;
            at += KB_FRAME_HEADER;
            if (frame.desc.stored_len > len - at)
                break;
            at += frame.desc.stored_len;
            continue;
        }
        kb_err_clear(err);
        if (memcmp(all + at, KB_INDEX_MAGIC, 4) == 0)
            break;
        next = memmem(all + at + 1, len - at - 1, KB_FRAME_MAGIC, 4);
        lost += next ? (uint64_t)(next - (all + at)) : len - at;
        at = next ? (size_t)(next - all) : len;
    }
    if (skipped)
        *skipped = lost;
    return KBP_OK;
}

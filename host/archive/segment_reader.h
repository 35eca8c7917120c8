/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_reader.h - read a segment by range: its index, then the frames that
 * are wanted, each verified.
 *
 * A reader is immutable once it is open, so that threads may share it, each
 * with a store and codec sessions of its own.
 */
#ifndef KB_ARCHIVE_SEGMENT_READER_H
#define KB_ARCHIVE_SEGMENT_READER_H

#include "archive/segment_writer.h"
#include "base/block.h"

struct kb_codec_worker; /* plugin/codec.h */

/* A generation as the index names it. */
struct kb_segment_topic_name {
    struct kb_uuid generation;
    char *topic;
};

struct kb_segment {
    char *key;
    struct kb_uuid id;
    uint64_t size;
    uint8_t codec_id; /* 0: no frame has a codec */
    char codec[KB_CODEC_NAME_MAX];
    struct kb_segment_topic_name *topics;
    size_t topic_count;
    /* Grouped by generation and partition, by offset in a group. */
    struct kb_frame *frames;
    size_t frame_count;
};

/*
 * Read index and trailer of a segment that the manifest names, by one range;
 * checks them against `info`.  KBP_ERR_NOT_FOUND, KBP_ERR_CORRUPT.
 */
int kb_segment_open(struct kb_segment **segment, struct kb_store_session *store,
                    const char *backup_id, const struct kb_segment_info *info,
                    struct kbp_error *err);

/* The same for an object of which only the key is known. */
int kb_segment_open_key(struct kb_segment **segment,
                        struct kb_store_session *store, const char *key,
                        struct kbp_error *err);

/*
 * The same from bytes in memory, for tests, salvage and fuzzing: `tail` are
 * the last `tail_len` bytes of an object of `size`.
 */
int kb_segment_parse(struct kb_segment **segment, const char *key,
                     uint64_t size, const void *tail, size_t tail_len,
                     struct kbp_error *err);

void kb_segment_free(struct kb_segment *segment);

/*
 * The frames of one partition which reach into [start, end): `*first` is the
 * index of the first, the result how many follow each other there.
 */
size_t kb_segment_find(const struct kb_segment *segment,
                       const struct kb_uuid *generation, int32_t partition,
                       int64_t start, int64_t end, size_t *first);

/*
 * How many frames from `first` on, at most `count`, one range should get:
 * those which lie close together (the bytes between two are read, too), up to
 * `max_bytes` in all, at least one.  `*bytes` is the range's length.
 */
size_t kb_segment_run(const struct kb_segment *segment, size_t first,
                      size_t count, uint64_t max_bytes, uint64_t *bytes);

/* Frames as they are stored, in one block. */
struct kb_frame_run {
    const struct kb_segment *segment;
    size_t first;
    size_t count;
    struct kb_block *block; /* holds the range; `*bytes` of the above */
};

/*
 * Get frames [first, first + count) by one range into a block that the caller
 * made (kb_block_new(), at least `*bytes` of kb_segment_run()); headers and
 * checksums of all are verified.  The block stays the caller's.
 */
int kb_segment_read(const struct kb_segment *segment,
                    struct kb_store_session *store, size_t first, size_t count,
                    struct kb_block *block, struct kb_frame_run *run,
                    struct kbp_error *err);

/* The stored bytes of frame `i` (0 to count - 1) of a run: no reference. */
struct kb_slice kb_frame_run_stored(const struct kb_frame_run *run, size_t i);

/*
 * The batches of frame `i`: a slice of the run's block when it is stored as it
 * is, else decompressed into a new block which counts `raw_len` bytes, taken
 * here from `budget` (may be NULL), and is exactly that long or
 * KBP_ERR_CORRUPT.  kb_slice_release() it.
 */
int kb_frame_run_batches(const struct kb_frame_run *run, size_t i,
                         struct kb_codec_worker *codecs,
                         struct kb_budget *budget, struct kb_slice *batches,
                         struct kbp_error *err);

/*
 * The pieces of which the above is made, for those who read otherwise: whether
 * the bytes of a frame, header first, are what the index says...
 */
int kb_frame_check(const struct kb_frame *frame, const uint8_t *header,
                   struct kbp_error *err);

/*
 * ...and decompress the stored bytes of a frame that has a codec into exactly
 * `raw_len` bytes at `out`.
 */
int kb_frame_unpack(const struct kb_segment *segment, size_t frame,
                    const void *stored, struct kb_codec_worker *codecs,
                    uint8_t *out, struct kbp_error *err);

/*
 * Check a segment's header, the object's first `len` bytes: `*id` is its id.
 */
#define KB_SEGMENT_HEADER_BYTES 64u
int kb_segment_check_header(const void *bytes, size_t len, struct kb_uuid *id,
                            struct kbp_error *err);

/* Wrap an error: "segment KEY: frame at byte N (partition, offsets)". */
int kb_frame_wrap(const struct kb_segment *segment, size_t frame,
                  struct kbp_error *err);

/*
 * Walk a segment from front to back without its index: salvage.  Calls `fn`
 * for each frame header that is sound, with its place; a non-zero result ends
 * it and is returned.  Skips to the next header where bytes are damaged;
 * `*skipped` (may be NULL) counts the bytes.
 */
int kb_segment_scan(const void *bytes, size_t len,
                    int (*fn)(void *data, const struct kb_frame *frame),
                    void *data, uint64_t *skipped, struct kbp_error *err);

#endif

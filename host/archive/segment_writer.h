/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_writer.h - write a segment as a stream: header, frames of any
 * partitions, index, trailer.
 *
 * Nobody sees the object before kb_segment_finish() returned KBP_OK; it counts
 * for the backup only once a commit names it (commit.h).  [session: one thread
 * at a time]
 */
#ifndef KB_ARCHIVE_SEGMENT_WRITER_H
#define KB_ARCHIVE_SEGMENT_WRITER_H

#include "archive/frame.h"
#include "archive/names.h"

struct kb_store_session; /* plugin/storage.h */
struct kb_segment_writer;

#define KB_CODEC_NAME_MAX 24 /* with the NUL */

/* What a commit and a reader need to know of a segment. */
struct kb_segment_info {
    struct kb_name name;
    char codec[KB_CODEC_NAME_MAX]; /* of frames that have one; "": none do */
    struct kb_uuid id;  /* random; in the header and the trailer as well */
    uint64_t size;      /* of the object, bytes */
    uint64_t index_len; /* index and trailer: the object's last bytes */
    uint32_t index_crc32c;
    uint32_t frames;
    uint64_t records;
    uint64_t raw_bytes; /* of all batches, before the segment codec */
    int64_t created_ms;
};

/*
 * Begin the segment `name` of a backup.  `codec_id` and `codec` are the
 * segment_id and the name of the one codec that its frames may use (0 and
 * NULL: none will).  The store is borrowed until the writer is closed.
 */
int kb_segment_begin(struct kb_segment_writer **writer,
                     struct kb_store_session *store, const char *backup_id,
                     const struct kb_name *name, uint8_t codec_id,
                     const char *codec, struct kbp_error *err);

/*
 * Say what a generation's topic is called, before its first frame; again is
 * fine.  The index carries it, for the day the manifest is lost.
 */
int kb_segment_topic(struct kb_segment_writer *writer,
                     const struct kb_uuid *generation, const char *topic,
                     struct kbp_error *err);

/*
 * Write a frame: a sealed description and the `stored_len` bytes it is of.
 * The bytes are free for other use once it returned.  Frames of one partition
 * come in offset order.  After a failure only abandon it: what was written
 * stays uncommitted, and the same frames can go to a new segment.
 */
int kb_segment_add(struct kb_segment_writer *writer,
                   const struct kb_frame_desc *desc, const struct iovec *bytes,
                   int count, struct kbp_error *err);

/* Bytes and frames so far: to decide when it is full. */
uint64_t kb_segment_size(const struct kb_segment_writer *writer);
uint32_t kb_segment_frames(const struct kb_segment_writer *writer);

/*
 * Write index and trailer and make it durable.  KBP_OK: `*info` is set.  In
 * either case kb_segment_close() comes next.
 */
int kb_segment_finish(struct kb_segment_writer *writer,
                      struct kb_segment_info *info, struct kbp_error *err);

/* Frees it; without a finish the upload is given up. NULL is fine. */
void kb_segment_close(struct kb_segment_writer *writer);

#endif

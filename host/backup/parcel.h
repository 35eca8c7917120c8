/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parcel.h - what passes from collecting to the store: a frame that is to be,
 * with all that a commit has to say of it.
 */
#ifndef KB_BACKUP_PARCEL_H
#define KB_BACKUP_PARCEL_H

#include "archive/frame.h"
#include "backup/part.h"
#include "base/buf.h"

enum kb_parcel_kind {
    KB_PARCEL_FRAME,
    KB_PARCEL_COVER, /* accounts for offsets, none of which is stored */
    KB_PARCEL_CLOSE  /* of no partition: close the segment */
};

struct kb_parcel {
    enum kb_parcel_kind kind;
    struct kb_part *part;
    struct kb_coverage coverage; /* [start, end) of the partition */
    struct kb_last_batch last;   /* of KB_PARCEL_FRAME */
    struct kb_frame_desc desc;
    struct kb_slice *slices; /* the batches, unless `packed` has them */
    size_t slice_count;
    bool plain; /* worth compressing */
    struct kb_buf packed;
    struct kb_budget *budget; /* `charged` bytes were taken for `packed` */
    size_t charged;
    unsigned writer;
    bool ready; /* encoded; under its writer's lock */
    struct kb_parcel *next_encode;
    struct kb_parcel *next_store;
};

struct kb_parcel *kb_parcel_new(enum kb_parcel_kind kind);

/* Lets the batches go. */
void kb_parcel_drop_slices(struct kb_parcel *parcel);

/* For writing; nobody writes to what it points to. */
static inline struct iovec kb_slice_iov(const struct kb_slice *slice)
{
    union {
        const uint8_t *in;
        void *out;
    } at = {slice->data};
    struct iovec iov = {at.out, slice->len};

    return iov;
}

/* NULL is fine. */
void kb_parcel_free(struct kb_parcel *parcel);

#endif

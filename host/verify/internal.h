/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - a verification at work; for verify/'s own files. */
#ifndef KB_VERIFY_INTERNAL_H
#define KB_VERIFY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "archive/segment_reader.h"
#include "plugin/codec.h"
#include "plugin/storage.h"
#include "verify/verify.h"

/* An extent that lies in a segment. */
struct kb_claim {
    uint32_t segment;
    const struct kb_generation *generation;
    const struct kb_partition_log *log;
    const struct kb_extent *extent;
};

struct kb_verify {
    struct kb_store *store;
    const struct kb_verify_options *options;
    const struct kb_manifest *manifest;
    struct kb_codec_set codecs;
    struct kb_claim *claims; /* by segment */
    size_t claim_count;
    size_t *first_claim; /* of each segment, and the end of the last */
    bool *absent;        /* segments that the listing doesn't have */
    uint64_t all_bytes;

    _Atomic size_t next_segment;
    atomic_bool failed; /* `err` says why the work can't go on */
    pthread_mutex_t lock;
    struct kb_verify_report *report; /* under the lock */
    struct kbp_error err;            /* under the lock */
    uint64_t done_bytes;             /* under the lock */
};

/* Where something was found; zero but for partition, place, offsets -1. */
#define KB_AT_INIT                                           \
    {                                                        \
        .place = -1, .partition = -1, .start = -1, .end = -1 \
    }
struct kb_at {
    const char *object;
    int64_t place;
    const struct kb_generation *generation;
    int32_t partition;
    int64_t start;
    int64_t end;
};

/* Add a finding.  [any thread]  False: out of memory; `failed` is set. */
KB_PRINTF(4, 5)
bool kb_found(struct kb_verify *v, enum kb_finding_kind kind,
              const struct kb_at *at, const char *fmt, ...);

/* The work can't go on. */
void kb_verify_fail(struct kb_verify *v, const struct kbp_error *err);

/* Tell what was read. */
void kb_verify_progress(struct kb_verify *v, uint64_t bytes);

/* All of one segment, by a thread's own session and codecs. */
void kb_verify_segment(struct kb_verify *v, struct kb_store_session *session,
                       struct kb_codec_worker *codecs, uint32_t segment);

#endif

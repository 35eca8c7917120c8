/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select.h - which records of a batch are restored, and as what bytes.
 *
 * A batch goes out as it is where that can be.  It is built anew where a
 * broker would not take it or would keep something wrong:
 * holes, LogAppendTime (readers saw one time for all), a delete horizon; where
 * only some of its records are wanted; where headers are added; and where it
 * is so small that the requests would cost more than the records.
 *
 * One selector makes the stream of one target partition.  Which records are in
 * the stream, and in what order, depends on the archive and the options alone;
 * how they are cut into batches doesn't matter to anybody.
 */
#ifndef KB_RESTORE_SELECT_H
#define KB_RESTORE_SELECT_H

#include "archive/txn.h"
#include "kafka/batch.h"
#include "restore/ready.h"

struct kb_select_spec {
    bool window;               /* only records within a window of time */
    int64_t window_start;      /* ms, inclusive */
    int64_t window_end;        /* ms, inclusive */
    bool add_original_headers; /* x-original-offset and its siblings */
    bool strip_headers;        /* those of the reference, found in records */
    size_t small_bytes;        /* batches below it are put together; 0: none */
    size_t small_plain_bytes;  /* the same for those that aren't compressed */
    size_t rebuilt_bytes;      /* of plain records, to end a batch that is
                                  built */
};

struct kb_select {
    const struct kb_select_spec *spec;
    struct kb_budget *budget; /* what is built counts there; or NULL */
    uint32_t source;          /* the source whose batches come */
    int32_t source_partition;
    const struct kb_txns *aborted; /* of that source; sorted; NULL: keep all */
    int64_t next_target;           /* where the next record will land */
    uint64_t skip; /* so many records landed in an earlier run */
    /* What is being built. */
    struct kb_batch_builder builder;
    int codec;
    struct kb_map map;
    int64_t built_next; /* source offset behind what is in the builder */
    /* Totals. */
    uint64_t rebuilt;         /* batches that didn't go out as they came */
    uint64_t dropped;         /* records outside window and range */
    uint64_t aborted_records; /* left out */
};

/* `spec` and `budget` outlive it. */
void kb_select_init(struct kb_select *sel, const struct kb_select_spec *spec,
                    struct kb_budget *budget);
void kb_select_release(struct kb_select *sel);

/*
 * Go on with another source: ends what is being built.  `aborted` (sorted, or
 * NULL) are transactions whose records are left out; it outlives it.
 */
int kb_select_source(struct kb_select *sel, uint32_t source, int32_t partition,
                     const struct kb_txns *aborted,
                     struct kb_codec_worker *codecs, struct kb_ready_list *out,
                     struct kbp_error *err);

/*
 * The next batch of the source, checked already; its bytes lie in `block`, are
 * written to when it is sent, and belong to nobody else.  Of its records those
 * in [from, end) are wanted.  `inside` says that all of its times are known to
 * be in the window.  Appends what is ready to `out`.
 */
int kb_select_batch(struct kb_select *sel, const struct kb_batch *batch,
                    struct kb_block *block, int64_t from, int64_t end,
                    bool inside, struct kb_codec_worker *codecs,
                    struct kb_ready_list *out, struct kbp_error *err);

/* End the batch that is being built, if there is one. */
int kb_select_flush(struct kb_select *sel, struct kb_codec_worker *codecs,
                    struct kb_ready_list *out, struct kbp_error *err);

#endif

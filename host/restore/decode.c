/* SPDX-License-Identifier: Apache-2.0 */
/* decode.c - a frame's batches, each verified, handed to a selector. */
#include "restore/decode.h"

#include <inttypes.h>

/* All of the frame's records are known to be in the window. */
static bool inside(const struct kb_select_spec *spec,
                   const struct kb_sums *sums)
{
    return sums->min_known && sums->min_timestamp >= spec->window_start &&
           sums->max_timestamp <= spec->window_end;
}

static int next_batch(const struct kb_frame_desc *desc, const uint8_t *at,
                      size_t left, int64_t position, struct kb_batch *batch,
                      struct kbp_error *err)
{
    int status = kb_batch_parse(at, left, batch, err);

    if (status == KB_BATCH_CUT || status == KB_BATCH_LEGACY)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "the frame's batch after offset %" PRId64
                       " is cut off or no batch",
                       position);
    if (status != KBP_OK)
        return status;
    if (batch->base_offset < position ||
        kb_batch_next_offset(batch) > desc->end)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "batch [%" PRId64 ", %" PRId64 ") isn't within [%" PRId64
                       ", %" PRId64 ") of its frame",
                       batch->base_offset, kb_batch_next_offset(batch),
                       position, desc->end);
    return kb_batch_check(batch, err);
}

int kb_decode_frame(const struct kb_frame_desc *desc,
                    const struct kb_slice *batches, int64_t from, int64_t end,
                    struct kb_select *select, struct kb_codec_worker *codecs,
                    struct kb_ready_list *out, struct kbp_error *err)
{
    const bool all = inside(select->spec, &desc->sums);
    const uint8_t *at = batches->data;
    size_t left = batches->len;
    int64_t position = desc->start;
    uint64_t records = 0;

    while (left > 0) {
        struct kb_batch batch;
        int status = next_batch(desc, at, left, position, &batch, err);

        if (status == KBP_OK)
            status = kb_select_batch(select, &batch, batches->block, from, end,
                                     all, codecs, out, err);
        if (status != KBP_OK)
            return status;
        position = kb_batch_next_offset(&batch);
        records += (uint64_t)batch.count;
        at += batch.len;
        left -= batch.len;
    }
    if (position != desc->end || records != desc->sums.records)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "the frame has %" PRIu64 " records up to offset %" PRId64
                       ", its header says %" PRIu64 " up to %" PRId64,
                       records, position, desc->sums.records, desc->end);
    return KBP_OK;
}

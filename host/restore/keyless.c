/* SPDX-License-Identifier: Apache-2.0 */
/* keyless.c - records without a key, which a compacted topic doesn't take. */
#include "restore/keyless.h"

#include "restore/load.h"

#define READ_BYTES ((uint64_t)1 << 20)

struct search {
    struct kb_restore_run *run;
    const struct kb_plan_source *source;
    struct kb_codec_worker codecs;
    struct kb_keyless *keyless;
};

static bool is_wanted(const struct search *search,
                      const struct kb_record *record)
{
    const struct kb_select_spec *spec = &search->run->plan.select;

    if (record->offset < search->source->start ||
        record->offset >= search->source->end)
        return false;
    return !spec->window || (record->timestamp >= spec->window_start &&
                             record->timestamp <= spec->window_end);
}

static int look_at_batch(struct search *search, const struct kb_batch *batch,
                         struct kbp_error *err)
{
    struct kb_record record;
    struct kb_records it;
    int status;

    if (batch->count == 0 || (batch->attributes & KB_BATCH_CONTROL))
        return KBP_OK;
    status = kb_records_open(&it, batch, &search->codecs, 0, err);
    if (status != KBP_OK)
        return status;
    while (!search->keyless->found) {
        status = kb_records_next(&it, &record, err);
        if (status != 1)
            break;
        if (record.key || !is_wanted(search, &record))
            continue;
        *search->keyless = (struct kb_keyless){
            .found = true,
            .topic = search->source->generation->topic,
            .partition = search->source->log->partition,
            .offset = record.offset,
        };
    }
    kb_records_close(&it);
    return status < 0 ? status : KBP_OK;
}

static int look_at_frame(struct search *search, const struct kb_slice *batches,
                         struct kbp_error *err)
{
    const uint8_t *at = batches->data;
    size_t left = batches->len;

    while (left > 0 && !search->keyless->found) {
        struct kb_batch batch;
        int status = kb_batch_parse(at, left, &batch, err);

        if (status == KB_BATCH_CUT || status == KB_BATCH_LEGACY)
            return kb_fail(err, KBP_ERR_CORRUPT, "a frame's batch is no batch");
        if (status == KBP_OK)
            status = kb_batch_check(&batch, err);
        if (status == KBP_OK)
            status = look_at_batch(search, &batch, err);
        if (status != KBP_OK)
            return status;
        at += batch.len;
        left -= batch.len;
    }
    return KBP_OK;
}

static int look_at_load(struct search *search, struct kb_load *load,
                        struct kbp_error *err)
{
    struct kb_budget *budget = &search->run->budget;
    int status = KBP_OK;
    size_t i;

    for (i = 0;
         i < load->frames.count && status == KBP_OK && !search->keyless->found;
         i++) {
        struct kb_slice batches;

        status =
            kb_load_batches(load, i, &search->codecs, budget, &batches, err);
        if (status != KBP_OK)
            break;
        status = look_at_frame(search, &batches, err);
        kb_slice_release(&batches);
    }
    return status;
}

static int look_at_source(struct search *search, bool thorough,
                          struct kbp_error *err)
{
    struct kb_restore_run *run = search->run;
    const struct kb_plan_source *source = search->source;
    int64_t position = source->start;
    int status = KBP_OK;

    do {
        struct kb_load load;

        if (kb_stop_requested(run->user_stop))
            return kb_fail_stopped(err);
        status =
            kb_load_next(run->loader, run->session, source->generation,
                         source->log, &run->plan.select, position, source->end,
                         thorough ? READ_BYTES : 1, &run->budget, &load, err);
        if (status != KBP_OK || !load.held)
            break;
        position = load.next;
        status = look_at_load(search, &load, err);
        kb_load_release(&load, &run->budget);
    } while (status == KBP_OK && thorough && !search->keyless->found);
    return status;
}

int kb_find_keyless(struct kb_restore_run *run, size_t topic, bool thorough,
                    struct kb_keyless *keyless, struct kbp_error *err)
{
    struct search search = {.run = run, .keyless = keyless};
    int status = KBP_OK;
    size_t i;

    *keyless = (struct kb_keyless){0};
    kb_codec_worker_init(&search.codecs, &run->codecs);
    kb_codec_worker_bound(&search.codecs, &run->budget);
    for (i = 0;
         i < run->plan.source_count && status == KBP_OK && !keyless->found;
         i++) {
        search.source = &run->plan.sources[i];
        if (search.source->topic == topic)
            status = look_at_source(&search, thorough, err);
    }
    kb_codec_worker_release(&search.codecs);
    return status;
}

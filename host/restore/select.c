/* SPDX-License-Identifier: Apache-2.0 */
/* select.c - which records of a batch are restored, and as what bytes. */
#include "restore/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Headers which the reference tool adds, at backup or at restore. */
static const char *const original_headers[] = {
    "x-original-offset", "x-original-timestamp", "x-source-partition",
    "x-source-cluster"};

#define ORIGINAL_HEADERS 4
#define ADDED_HEADERS 3
/* Lengths, deltas and added headers of a record, at the most. */
#define RECORD_OVERHEAD 160

void kb_select_init(struct kb_select *sel, const struct kb_select_spec *spec,
                    struct kb_budget *budget)
{
    *sel = (struct kb_select){.spec = spec, .budget = budget};
    kb_batch_builder_reset(&sel->builder);
}

void kb_select_release(struct kb_select *sel)
{
    kb_batch_builder_release(&sel->builder);
    kb_map_release(&sel->map);
}

/* Records that landed in an earlier run: only their places are told. */
static int emit_landed(struct kb_select *sel, const struct kb_map_run *run,
                       int64_t source_next, struct kb_ready_list *out,
                       struct kbp_error *err)
{
    struct kb_ready *ready = kb_ready_new(err);
    int status;

    if (!ready)
        return err->status;
    status = kb_map_add(&ready->map, run, err);
    if (status != KBP_OK) {
        kb_ready_free(ready);
        return status;
    }
    ready->landed = true;
    ready->count = (int32_t)run->len;
    ready->target_offset = run->target_start;
    ready->max_timestamp = run->last_timestamp;
    ready->source = sel->source;
    ready->source_next = source_next;
    kb_ready_push(out, ready);
    return KBP_OK;
}

static int emit_verbatim(struct kb_select *sel, const struct kb_batch *batch,
                         struct kb_block *block, struct kb_ready_list *out,
                         struct kbp_error *err)
{
    const struct kb_map_run run = {
        .source = sel->source,
        .source_start = batch->base_offset,
        .target_start = sel->next_target,
        .len = batch->count,
        .first_timestamp = batch->base_timestamp,
        .last_timestamp = batch->max_timestamp,
    };
    struct kb_ready *ready;
    int status;

    sel->next_target += batch->count;
    if (sel->skip > 0) {
        sel->skip -= (uint64_t)batch->count;
        return emit_landed(sel, &run, kb_batch_next_offset(batch), out, err);
    }
    ready = kb_ready_new(err);
    if (!ready)
        return err->status;
    status = kb_map_add(&ready->map, &run, err);
    if (status != KBP_OK) {
        kb_ready_free(ready);
        return status;
    }
    ready->block = kb_block_ref(block);
    ready->bytes = block->data + (batch->bytes - block->data);
    ready->len = batch->len;
    ready->count = batch->count;
    ready->target_offset = run.target_start;
    ready->max_timestamp = batch->max_timestamp;
    ready->source = sel->source;
    ready->source_next = kb_batch_next_offset(batch);
    kb_ready_push(out, ready);
    return KBP_OK;
}

int kb_select_flush(struct kb_select *sel, struct kb_codec_worker *codecs,
                    struct kb_ready_list *out, struct kbp_error *err)
{
    struct kb_buf bytes = KB_BUF_INIT;
    struct kb_ready *ready;
    int status;

    if (sel->builder.count == 0)
        return KBP_OK;
    ready = kb_ready_new(err);
    if (!ready)
        return err->status;
    ready->count = sel->builder.count;
    ready->max_timestamp = sel->builder.max_timestamp;
    status = kb_batch_builder_finish(&sel->builder, sel->codec, codecs, 0,
                                     &bytes, err);
    if (status != KBP_OK)
        goto out;
    if (sel->budget)
        kb_budget_force(sel->budget, bytes.len);
    ready->block =
        kb_block_new(sel->budget, sel->budget ? bytes.len : 0, bytes.len);
    if (!ready->block) {
        if (sel->budget)
            kb_budget_give(sel->budget, bytes.len);
        status = kb_fail_nomem(err, "a batch that is built anew");
        goto out;
    }
    memcpy(ready->block->data, bytes.data, bytes.len);
    ready->block->len = bytes.len;
    ready->bytes = ready->block->data;
    ready->len = bytes.len;
    ready->source = sel->source;
    ready->source_next = sel->built_next;
    ready->map = sel->map;
    ready->target_offset = sel->map.runs[0].target_start;
    sel->map = (struct kb_map){0};
    kb_batch_builder_reset(&sel->builder);
    kb_ready_push(out, ready);
    ready = NULL;
out:
    kb_buf_release(&bytes);
    kb_ready_free(ready);
    return status;
}

int kb_select_source(struct kb_select *sel, uint32_t source, int32_t partition,
                     const struct kb_txns *aborted,
                     struct kb_codec_worker *codecs, struct kb_ready_list *out,
                     struct kbp_error *err)
{
    int status = kb_select_flush(sel, codecs, out, err);

    if (status != KBP_OK)
        return status;
    sel->source = source;
    sel->source_partition = partition;
    sel->aborted = aborted;
    return KBP_OK;
}

static bool header_is_original(const struct kb_header *header)
{
    size_t i;

    for (i = 0; i < ORIGINAL_HEADERS; i++)
        if (header->name_len == (int32_t)strlen(original_headers[i]) &&
            memcmp(header->name, original_headers[i],
                   (size_t)header->name_len) == 0)
            return true;
    return false;
}

/*
 * Leave the reference's headers out: the raw headers which stay are copied to
 * `kept`, and `record` is made to point there.
 */
static int strip_headers(struct kb_record *record, struct kb_buf *kept,
                         struct kbp_error *err)
{
    struct kb_cursor at = kb_cursor_of(record->headers, record->headers_len);
    struct kb_header header;
    int32_t count = 0;

    kb_buf_reset(kept);
    for (;;) {
        const uint8_t *begin = at.at;

        if (!kb_record_header(&at, &header))
            break;
        if (header_is_original(&header))
            continue;
        kb_buf_add(kept, begin, (size_t)(at.at - begin));
        count++;
    }
    if (kept->failed)
        return kb_fail_nomem(err, "a record's headers");
    if (count == record->header_count)
        return KBP_OK;
    record->headers = kept->data;
    record->headers_len = kept->len;
    record->header_count = count;
    return KBP_OK;
}

struct added_headers {
    struct kb_header headers[ADDED_HEADERS];
    uint8_t offset[8];
    uint8_t timestamp[8];
    uint8_t partition[4];
};

static void add_header(struct added_headers *added, int i, const uint8_t *value,
                       int32_t len)
{
    added->headers[i].name = (const uint8_t *)original_headers[i];
    added->headers[i].name_len = (int32_t)strlen(original_headers[i]);
    added->headers[i].value = value;
    added->headers[i].value_len = len;
}

static void make_headers(struct added_headers *added, int32_t partition,
                         const struct kb_record *record)
{
    kb_store_le64(added->offset, (uint64_t)record->offset);
    kb_store_le64(added->timestamp, (uint64_t)record->timestamp);
    kb_store_le32(added->partition, (uint32_t)partition);
    add_header(added, 0, added->offset, 8);
    add_header(added, 1, added->timestamp, 8);
    add_header(added, 2, added->partition, 4);
}

/*
 * A batch may be too large for a broker before it is compressed only if a
 * single record is.
 */
static bool has_room(const struct kb_select *sel,
                     const struct kb_record *record)
{
    size_t more = RECORD_OVERHEAD + record->headers_len;

    if (record->key_len > 0)
        more += (size_t)record->key_len;
    if (record->value_len > 0)
        more += (size_t)record->value_len;
    return sel->builder.records.len + more <= sel->spec->rebuilt_bytes;
}

/* Put a record into the batch that is being built, or begin another. */
static int add_record(struct kb_select *sel, const struct kb_record *record,
                      int codec, struct kb_codec_worker *codecs,
                      struct kb_ready_list *out, struct kbp_error *err)
{
    const struct kb_map_run run = {
        .source = sel->source,
        .source_start = record->offset,
        .target_start = sel->next_target,
        .len = 1,
        .first_timestamp = record->timestamp,
        .last_timestamp = record->timestamp,
    };
    struct added_headers added;
    int extra = 0;
    int status;

    if (sel->builder.count > 0 &&
        (sel->codec != codec || !has_room(sel, record))) {
        status = kb_select_flush(sel, codecs, out, err);
        if (status != KBP_OK)
            return status;
    }
    if (sel->spec->add_original_headers) {
        make_headers(&added, sel->source_partition, record);
        extra = ADDED_HEADERS;
    }
    sel->codec = codec;
    status =
        kb_batch_builder_add(&sel->builder, record, added.headers, extra, err);
    if (status == KBP_ERR_LIMIT && sel->builder.count > 0) {
        kb_err_clear(err);
        status = kb_select_flush(sel, codecs, out, err);
        if (status == KBP_OK)
            status = kb_batch_builder_add(&sel->builder, record, added.headers,
                                          extra, err);
    }
    if (status == KBP_OK)
        status = kb_map_add(&sel->map, &run, err);
    if (status != KBP_OK)
        return status;
    sel->next_target++;
    sel->built_next = record->offset + 1;
    return KBP_OK;
}

static bool record_is_wanted(const struct kb_select *sel,
                             const struct kb_record *record, int64_t from,
                             int64_t end)
{
    const struct kb_select_spec *spec = sel->spec;

    if (record->offset < from || record->offset >= end)
        return false;
    return !spec->window || (record->timestamp >= spec->window_start &&
                             record->timestamp <= spec->window_end);
}

/* Record by record. */
static int walk(struct kb_select *sel, const struct kb_batch *batch,
                int64_t from, int64_t end, struct kb_codec_worker *codecs,
                struct kb_ready_list *out, struct kbp_error *err)
{
    const int codec = batch->attributes & KB_BATCH_CODEC;
    struct kb_buf headers = KB_BUF_INIT;
    struct kb_record record;
    struct kb_records it;
    int status = kb_records_open(&it, batch, codecs, 0, err);
    int more;

    if (status != KBP_OK)
        return status;
    for (;;) {
        more = kb_records_next(&it, &record, err);
        if (more != 1)
            break;
        if (!record_is_wanted(sel, &record, from, end)) {
            sel->dropped++;
            continue;
        }
        if (sel->skip > 0) {
            const struct kb_map_run run = {sel->source,      record.offset,
                                           sel->next_target, 1,
                                           record.timestamp, record.timestamp};

            sel->skip--;
            sel->next_target++;
            status = emit_landed(sel, &run, record.offset + 1, out, err);
        } else {
            if (sel->spec->strip_headers && record.header_count > 0)
                status = strip_headers(&record, &headers, err);
            if (status == KBP_OK)
                status = add_record(sel, &record, codec, codecs, out, err);
        }
        if (status != KBP_OK)
            break;
    }
    if (status == KBP_OK && more < 0)
        status = more;
    /* All of this batch's offsets are seen, also those without a record. */
    if (status == KBP_OK && sel->builder.count > 0 &&
        sel->built_next >= batch->base_offset)
        sel->built_next = kb_batch_next_offset(batch) < end
                              ? kb_batch_next_offset(batch)
                              : end;
    kb_records_close(&it);
    kb_buf_release(&headers);
    return status;
}

/* Whether a broker keeps it as readers saw it, without building it anew. */
static bool can_go_verbatim(const struct kb_select *sel,
                            const struct kb_batch *batch, int64_t from,
                            int64_t end, bool inside)
{
    const struct kb_select_spec *spec = sel->spec;

    if (!kb_batch_is_dense(batch) || batch->base_offset < from ||
        kb_batch_next_offset(batch) > end)
        return false;
    if (batch->attributes & (KB_BATCH_LOG_APPEND | KB_BATCH_DELETE_HORIZON))
        return false;
    if (spec->add_original_headers || spec->strip_headers)
        return false;
    if (spec->window && !inside)
        return false;
    return sel->skip == 0 || sel->skip >= (uint64_t)batch->count;
}

/*
 * What isn't compressed is joined for the price of a copy: a producer's usual
 * batches, too, which cost a broker more as they are.
 */
static size_t small_bytes(const struct kb_select_spec *spec,
                          const struct kb_batch *batch)
{
    return batch->attributes & KB_BATCH_CODEC ? spec->small_bytes
                                              : spec->small_plain_bytes;
}

int kb_select_batch(struct kb_select *sel, const struct kb_batch *batch,
                    struct kb_block *block, int64_t from, int64_t end,
                    bool inside, struct kb_codec_worker *codecs,
                    struct kb_ready_list *out, struct kbp_error *err)
{
    const bool small = batch->len < small_bytes(sel->spec, batch);
    int status;

    if (batch->count == 0 || (batch->attributes & KB_BATCH_CONTROL) ||
        batch->base_offset >= end || kb_batch_next_offset(batch) <= from)
        return KBP_OK;
    if (sel->aborted && (batch->attributes & KB_BATCH_TRANSACTIONAL) &&
        kb_txns_hold(sel->aborted, batch->producer_id, batch->base_offset)) {
        sel->aborted_records += (uint64_t)batch->count;
        return KBP_OK;
    }
    if (sel->spec->window && batch->max_timestamp < sel->spec->window_start) {
        sel->dropped += (uint64_t)batch->count;
        return KBP_OK;
    }
    if (can_go_verbatim(sel, batch, from, end, inside)) {
        if (sel->skip > 0)
            return emit_verbatim(sel, batch, block, out, err);
        if (!small) {
            status = kb_select_flush(sel, codecs, out, err);
            if (status != KBP_OK)
                return status;
            return emit_verbatim(sel, batch, block, out, err);
        }
    }
    sel->rebuilt++;
    status = walk(sel, batch, from, end, codecs, out, err);
    if (status != KBP_ERR_UNSUPPORTED && status != KBP_ERR_CONFIG)
        return status;
    /* Without its codec it can't be joined with others, but it can go out. */
    if (!can_go_verbatim(sel, batch, from, end, inside))
        return status;
    kb_err_clear(err);
    sel->rebuilt--;
    status = kb_select_flush(sel, codecs, out, err);
    if (status != KBP_OK)
        return status;
    return emit_verbatim(sel, batch, block, out, err);
}

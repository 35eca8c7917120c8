/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_writer.c - write a segment as a stream.
 *
 * Small frames are gathered before they go to the store: two thousand quiet
 * partitions must not become four thousand writes.
 */
#include "archive/segment_writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "archive/layout.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/str.h"
#include "plugin/storage.h"

#define GATHER_BYTES ((size_t)256 << 10)
#define GATHER_PIECE ((size_t)64 << 10) /* what is larger isn't copied */

struct kb_segment_writer {
    struct kb_upload *upload;
    char *key;
    struct kb_segment_info info;
    uint8_t codec_id;
    struct kb_buf gathered;
    struct kb_buf entries; /* the index's */
    struct kb_buf names;   /* of topics, as the index has them */
    uint32_t topic_count;
    /* Open addressing over the ids in `names`: offsets + 1, 0 is free. */
    uint32_t *slots;
    uint32_t slot_count;
    bool failed;
};

static int flush(struct kb_segment_writer *w, struct kbp_error *err)
{
    int rc;

    if (w->gathered.failed)
        return kb_fail_nomem(err, "a segment's buffer");
    if (w->gathered.len == 0)
        return KBP_OK;
    rc = kb_upload_write(w->upload, w->gathered.data, w->gathered.len, err);
    kb_buf_reset(&w->gathered);
    return rc;
}

static int put(struct kb_segment_writer *w, const void *bytes, size_t len,
               struct kbp_error *err)
{
    int rc;

    w->info.size += len;
    if (len < GATHER_PIECE) {
        kb_buf_add(&w->gathered, bytes, len);
        return w->gathered.len < GATHER_BYTES && !w->gathered.failed
                   ? KBP_OK
                   : flush(w, err);
    }
    rc = flush(w, err);
    return rc == KBP_OK ? kb_upload_write(w->upload, bytes, len, err) : rc;
}

static int put_header(struct kb_segment_writer *w, struct kbp_error *err)
{
    uint8_t header[KB_SEGMENT_HEADER] = {0};

    memcpy(header, KB_SEGMENT_MAGIC, 4);
    header[4] = KB_SEGMENT_VERSION;
    header[5] = w->codec_id;
    kb_store_le16(header + 6, KB_SEGMENT_HEADER);
    memcpy(header + 8, w->info.id.bytes, 16);
    kb_store_le64(header + 24, (uint64_t)w->info.created_ms);
    memcpy(header + 32, w->info.codec, KB_CODEC_NAME_MAX);
    kb_store_le32(header + KB_SEGMENT_HEADER_CRC_AT,
                  kb_crc32c(0, header, KB_SEGMENT_HEADER_CRC_AT));
    return put(w, header, sizeof header, err);
}

int kb_segment_begin(struct kb_segment_writer **writer,
                     struct kb_store_session *store, const char *backup_id,
                     const struct kb_name *name, uint8_t codec_id,
                     const char *codec, struct kbp_error *err)
{
    struct kb_condition cond = {.create = true};
    struct kb_segment_writer *w = calloc(1, sizeof *w);
    int rc;

    if (!w)
        return kb_fail_nomem(err, "a segment");
    w->info.name = *name;
    w->info.created_ms = kb_wall_ms();
    w->codec_id = codec_id;
    if (codec_id != 0) {
        if (!codec || codec[0] == '\0' ||
            strlen(codec) >= sizeof w->info.codec) {
            rc = kb_fail(err, KBP_ERR_MISUSE,
                         "segment codec %u has no name that fits", codec_id);
            goto out;
        }
        memcpy(w->info.codec, codec, strlen(codec));
    }
    w->key = kb_key_segment(backup_id, name);
    if (!w->key) {
        rc = kb_fail_nomem(err, "a segment's key");
        goto out;
    }
    rc = kb_uuid_make(&w->info.id, err);
    if (rc != KBP_OK)
        goto out;
    rc =
        kb_upload_open(store, w->key, KBP_SIZE_UNKNOWN, &cond, &w->upload, err);
    if (rc == KBP_ERR_UNSUPPORTED) {
        kb_err_clear(err);
        rc = kb_upload_open(store, w->key, KBP_SIZE_UNKNOWN, NULL, &w->upload,
                            err);
    }
    if (rc == KBP_OK)
        rc = put_header(w, err);
    if (rc != KBP_OK) {
        rc = kb_err_wrap(err, "segment %s", w->key);
        goto out;
    }
    *writer = w;
    return KBP_OK;
out:
    kb_segment_close(w);
    return rc;
}

/* Where the id is, or would be. */
static uint32_t *slot_of(const struct kb_segment_writer *w,
                         const struct kb_uuid *id)
{
    uint32_t at = kb_load_le32(id->bytes) ^ kb_load_le32(id->bytes + 12);

    for (;; at++) {
        uint32_t *slot = &w->slots[at & (w->slot_count - 1)];

        if (*slot == 0 || memcmp(w->names.data + *slot - 1, id->bytes, 16) == 0)
            return slot;
    }
}

static int grow_slots(struct kb_segment_writer *w, struct kbp_error *err)
{
    uint32_t *old = w->slots;
    uint32_t old_count = w->slot_count;
    uint32_t count = old_count > 0 ? old_count * 2 : 64;
    uint32_t *slots = calloc(count, sizeof *slots);
    uint32_t i;

    if (!slots)
        return kb_fail_nomem(err, "a segment's topics");
    w->slots = slots;
    w->slot_count = count;
    for (i = 0; i < old_count; i++)
        if (old[i] != 0) {
            struct kb_uuid id;

            memcpy(id.bytes, w->names.data + old[i] - 1, sizeof id.bytes);
            *slot_of(w, &id) = old[i];
        }
    free(old);
    return KBP_OK;
}

int kb_segment_topic(struct kb_segment_writer *w,
                     const struct kb_uuid *generation, const char *topic,
                     struct kbp_error *err)
{
    size_t len = strlen(topic);
    uint32_t *slot;
    uint8_t *out;

    if (len == 0 || len > UINT16_MAX || !kb_utf8_ok(topic, len))
        return kb_fail(err, KBP_ERR_MISUSE, "\"%s\" is no topic's name", topic);
    if (w->topic_count * 2 >= w->slot_count) {
        int rc = grow_slots(w, err);

        if (rc != KBP_OK)
            return rc;
    }
    slot = slot_of(w, generation);
    if (*slot != 0)
        return KBP_OK;
    out = kb_buf_reserve(&w->names, 18 + len);
    if (!out)
        return kb_fail_nomem(err, "a segment's topics");
    memcpy(out, generation->bytes, 16);
    kb_store_le16(out + 16, (uint16_t)len);
    memcpy(out + 18, topic, len);
    *slot = (uint32_t)w->names.len + 1;
    w->names.len += 18 + len;
    w->topic_count++;
    return KBP_OK;
}

/* What the caller promised, where it can be seen. */
static int check_frame(const struct kb_segment_writer *w,
                       const struct kb_frame_desc *desc,
                       const struct iovec *bytes, int count,
                       struct kbp_error *err)
{
    uint8_t fields[KB_FRAME_FIELDS];
    struct kb_frame_desc read;
    uint64_t len = 0;
    int i;

    for (i = 0; i < count; i++)
        len += bytes[i].iov_len;
    if (len != desc->stored_len)
        return kb_fail(err, KBP_ERR_MISUSE,
                       "a frame of %" PRIu64 " bytes was sealed with %" PRIu32,
                       len, desc->stored_len);
    if (desc->codec != 0 && desc->codec != w->codec_id)
        return kb_fail(err, KBP_ERR_MISUSE,
                       "a frame of codec %u in a segment of codec %u",
                       desc->codec, w->codec_id);
    if (w->slot_count == 0 || *slot_of(w, &desc->generation) == 0)
        return kb_fail(err, KBP_ERR_MISUSE,
                       "a frame of a topic whose name wasn't said");
    /* Nothing is written that a reader would refuse. */
    kb_frame_encode_fields(desc, fields);
    return kb_frame_decode_fields(fields, &read, err);
}

static int add(struct kb_segment_writer *w, const struct kb_frame_desc *desc,
               const struct iovec *bytes, int count, struct kbp_error *err)
{
    uint8_t header[KB_FRAME_HEADER];
    uint8_t *entry;
    int rc;
    int i;

    rc = check_frame(w, desc, bytes, count, err);
    if (rc != KBP_OK)
        return rc;
    entry = kb_buf_reserve(&w->entries, KB_INDEX_ENTRY);
    if (!entry)
        return kb_fail_nomem(err, "a segment's index");
    kb_store_le64(entry, w->info.size);
    kb_frame_encode_fields(desc, entry + 8);
    kb_frame_encode(desc, header);
    rc = put(w, header, sizeof header, err);
    for (i = 0; i < count && rc == KBP_OK; i++)
        if (bytes[i].iov_len > 0)
            rc = put(w, bytes[i].iov_base, bytes[i].iov_len, err);
    if (rc != KBP_OK)
        return rc;
    w->entries.len += KB_INDEX_ENTRY;
    w->info.frames++;
    w->info.records += desc->sums.records;
    w->info.raw_bytes += desc->raw_len;
    return KBP_OK;
}

int kb_segment_add(struct kb_segment_writer *w,
                   const struct kb_frame_desc *desc, const struct iovec *bytes,
                   int count, struct kbp_error *err)
{
    int rc;

    if (w->failed)
        return kb_fail(err, KBP_ERR_MISUSE, "segment %s failed before", w->key);
    rc = add(w, desc, bytes, count, err);
    if (rc == KBP_OK)
        return KBP_OK;
    w->failed = true;
    return kb_err_wrap(err, "segment %s", w->key);
}

uint64_t kb_segment_size(const struct kb_segment_writer *w)
{
    return w->info.size;
}

uint32_t kb_segment_frames(const struct kb_segment_writer *w)
{
    return w->info.frames;
}

static int finish(struct kb_segment_writer *w, struct kbp_error *err)
{
    struct kb_object_info object;
    uint8_t head[KB_INDEX_HEAD] = {0};
    uint8_t trailer[KB_TRAILER] = {0};
    uint64_t place = w->info.size;
    uint32_t crc;
    int rc;

    memcpy(head, KB_INDEX_MAGIC, 4);
    kb_store_le32(head + 4, w->topic_count);
    kb_store_le32(head + 8, w->info.frames);
    head[12] = w->codec_id;
    memcpy(head + 16, w->info.codec, KB_CODEC_NAME_MAX);
    crc = kb_crc32c(0, head, sizeof head);
    crc = kb_crc32c(crc, w->names.data, w->names.len);
    crc = kb_crc32c(crc, w->entries.data, w->entries.len);
    rc = put(w, head, sizeof head, err);
    if (rc == KBP_OK)
        rc = put(w, w->names.data, w->names.len, err);
    if (rc == KBP_OK)
        rc = put(w, w->entries.data, w->entries.len, err);
    if (rc != KBP_OK)
        return rc;

    kb_store_le64(trailer, place);
    kb_store_le64(trailer + 8, w->info.size - place);
    kb_store_le32(trailer + 16, crc);
    kb_store_le32(trailer + 20, w->info.frames);
    memcpy(trailer + 24, w->info.id.bytes, 16);
    kb_store_le64(trailer + 40, w->info.size + sizeof trailer);
    kb_store_le32(trailer + KB_TRAILER_CRC_AT,
                  kb_crc32c(0, trailer, KB_TRAILER_CRC_AT));
    memcpy(trailer + 56, KB_TRAILER_MAGIC, 8);
    rc = put(w, trailer, sizeof trailer, err);
    if (rc == KBP_OK)
        rc = flush(w, err);
    if (rc != KBP_OK)
        return rc;
    w->info.index_len = w->info.size - place;
    w->info.index_crc32c = kb_crc32c(crc, trailer, sizeof trailer);
    rc = kb_upload_commit(w->upload, &object, err);
    if (rc != KBP_OK)
        return rc;
    if (object.size != w->info.size)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "%" PRIu64 " bytes were written, the store has "
                       "%" PRIu64,
                       w->info.size, object.size);
    return KBP_OK;
}

int kb_segment_finish(struct kb_segment_writer *w, struct kb_segment_info *info,
                      struct kbp_error *err)
{
    int rc;

    if (w->failed)
        return kb_fail(err, KBP_ERR_MISUSE, "segment %s failed before", w->key);
    w->failed = true; /* nothing can follow */
    rc = finish(w, err);
    if (rc != KBP_OK)
        return kb_err_wrap(err, "segment %s", w->key);
    *info = w->info;
    return KBP_OK;
}

void kb_segment_close(struct kb_segment_writer *w)
{
    if (!w)
        return;
    kb_upload_close(w->upload);
    kb_buf_release(&w->gathered);
    kb_buf_release(&w->entries);
    kb_buf_release(&w->names);
    free(w->slots);
    free(w->key);
    free(w);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_segment.c - a segment's index, trailer and frames.
 *
 * Checksums are made right first: otherwise nothing behind them would ever be
 * reached.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "archive/layout.h"
#include "archive/segment_reader.h"
#include "base/bytes.h"
#include "base/crc32c.h"

/* As parsed: places are within the object then. */
static void walk(const struct kb_segment *s, uint8_t *bytes, size_t len)
{
    struct kbp_error err = KB_ERR_INIT;
    size_t i;

    for (i = 0; i < s->frame_count; i++) {
        const struct kb_frame *f = &s->frames[i];
        uint64_t run;
        size_t first;
        size_t count;

        if (f->place > len || len - f->place < KB_FRAME_HEADER ||
            len - f->place - KB_FRAME_HEADER < f->desc.stored_len)
            abort();
        kb_store_le32(bytes + f->place + KB_FRAME_CRC_AT,
                      kb_crc32c(0, bytes + f->place, KB_FRAME_CRC_AT));
        (void)kb_frame_check(f, bytes + f->place, &err);
        count = kb_segment_find(s, &f->desc.generation, f->desc.partition,
                                f->desc.start, f->desc.end, &first);
        if (count == 0 || first > i || first + count <= i)
            abort();
        if (kb_segment_run(s, i, s->frame_count - i, 4096, &run) == 0 ||
            run > len)
            abort();
    }
}

static int on_frame(void *data, const struct kb_frame *frame)
{
    size_t *len = data;

    if (frame->place > *len - KB_FRAME_HEADER)
        abort();
    return 0;
}

static void mend(uint8_t *bytes, size_t len)
{
    uint8_t *trailer = bytes + len - KB_TRAILER;
    uint64_t place = kb_load_le64(trailer);
    uint64_t index = kb_load_le64(trailer + 8);

    kb_store_le64(trailer + 40, len);
    if (place <= len && index <= len - place)
        kb_store_le32(trailer + 16, kb_crc32c(0, bytes + place, (size_t)index));
    kb_store_le32(trailer + KB_TRAILER_CRC_AT,
                  kb_crc32c(0, trailer, KB_TRAILER_CRC_AT));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_segment *s = NULL;
    struct kb_uuid id;
    uint64_t skipped;
    uint8_t *copy = malloc(len + 1);

    if (!copy)
        return 0;
    memcpy(copy, bytes, len);
    (void)kb_segment_check_header(copy, len, &id, &err);
    (void)kb_segment_scan(copy, len, on_frame, &len, &skipped, &err);
    if (len >= KB_TRAILER)
        mend(copy, len);
    if (kb_segment_parse(&s, "key", len, copy, len, &err) == KBP_OK) {
        walk(s, copy, len);
        kb_segment_free(s);
        (void)kb_segment_scan(copy, len, on_frame, &len, &skipped, &err);
    }
    free(copy);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_msgset.c - message sets of magic 0 and 1.
 *
 * The CRC of the first message is put right: else nothing behind it would
 * ever be reached.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz_codecs.h"
#include "kafka/msgset.h"

static uint32_t crc32_bitwise(const uint8_t *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX;
    size_t i;
    int bit;

    for (i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void put_crc(uint8_t *bytes, size_t len)
{
    uint32_t size;

    if (len < 17)
        return;
    size = kb_load_be32(bytes + 8);
    if (size >= 5 && size <= len - 12)
        kb_store_be32(bytes + 12, crc32_bitwise(bytes + 16, size - 4));
}

static void check_batches(const struct kb_buf *out)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_batch batch;
    size_t at = 0;

    while (at < out->len) {
        if (kb_batch_parse(out->data + at, out->len - at, &batch, &err) !=
                KBP_OK ||
            kb_batch_check(&batch, &err) != KBP_OK)
            abort();
        at += batch.len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_buf out = KB_BUF_INIT;
    uint8_t *copy = malloc(len ? len : 1);
    size_t at = 0;

    if (!copy)
        return 0;
    memcpy(copy, bytes, len);
    put_crc(copy, len);
    while (at < len) {
        struct kb_msgset_entry first = {.count = 0};
        struct kb_msgset_entry last = {.count = 0};
        size_t used = 0;
        int64_t next = 0;
        int rc =
            kb_msgset_look(copy + at, len - at, fuzz_codecs(), &first, &err);

        if (kb_msgset_convert(copy + at, len - at, 3, fuzz_codecs(), &out,
                              &used, &next, &last, &err) != KBP_OK)
            break;
        if (used == 0 || used > len - at)
            abort();
        if (rc != KBP_OK || first.len > used || first.count < 1 ||
            first.first_offset > first.last_offset ||
            last.last_offset != next - 1 || last.len > used)
            abort();
        at += used;
    }
    check_batches(&out);
    kb_buf_release(&out);
    free(copy);
    return 0;
}

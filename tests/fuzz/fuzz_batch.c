/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_batch.c - batches and their records, compressed ones too. */
#include "fuzz_target.h"

#include <stdlib.h>

#include "fuzz_codecs.h"
#include "kafka/batch.h"

static void walk(const struct kb_batch *batch)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_batch_builder builder = {.count = 0};
    struct kb_buf out = KB_BUF_INIT;
    struct kb_records it;
    struct kb_record record;
    struct kb_batch built;
    int32_t count = 0;
    int rc;

    kb_batch_builder_reset(&builder);
    if (kb_records_open(&it, batch, fuzz_codecs(), 1 << 20, &err) != KBP_OK)
        return;
    while ((rc = kb_records_next(&it, &record, &err)) == 1) {
        struct kb_cursor c = kb_cursor_of(record.headers, record.headers_len);
        struct kb_header header;
        int32_t headers = 0;

        while (kb_record_header(&c, &header))
            headers++;
        if (headers != record.header_count)
            abort();
        if (kb_batch_builder_add(&builder, &record, NULL, 0, &err) == KBP_OK)
            count++;
    }
    if (rc == 0 && it.left != 0)
        abort();
    kb_records_close(&it);
    if (count > 0) {
        if (kb_batch_builder_finish(&builder, 0, NULL, 0, &out, &err) !=
                KBP_OK ||
            kb_batch_parse(out.data, out.len, &built, &err) != KBP_OK ||
            kb_batch_check(&built, &err) != KBP_OK || built.count != count)
            abort();
    }
    kb_batch_builder_release(&builder);
    kb_buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_batch batch;

    while (len > 0 && kb_batch_parse(bytes, len, &batch, &err) == KBP_OK) {
        if (batch.len > len || batch.len < KB_BATCH_HEADER)
            abort();
        (void)kb_batch_check(&batch, &err);
        (void)kb_batch_control_type(&batch);
        walk(&batch);
        bytes += batch.len;
        len -= batch.len;
    }
    return 0;
}

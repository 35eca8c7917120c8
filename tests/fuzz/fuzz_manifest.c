/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_manifest.c - documents of the manifest.  What can be read is written,
 * read and written again: twice the same bytes.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "archive/manifest_model.h"

static void write_out(const struct kb_manifest *m, const struct kb_doc *doc,
                      struct kb_buf *out)
{
    struct kbp_error err = KB_ERR_INIT;

    if (kb_manifest_write(m, doc, out, &err) != KBP_OK)
        abort();
}

static void round_trip(const struct kb_manifest *m, const struct kb_doc *doc)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_manifest *again = NULL;
    struct kb_manifest *merged = NULL;
    struct kb_doc doc2 = {.written_ms = 0};
    struct kb_buf one = KB_BUF_INIT;
    struct kb_buf two = KB_BUF_INIT;

    write_out(m, doc, &one);
    if (kb_manifest_read(one.data, one.len, "b", &again, &doc2, &err) != KBP_OK)
        abort();
    write_out(again, &doc2, &two);
    if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0)
        abort();
    if (kb_manifest_new(&merged, "b", &err) == KBP_OK) {
        (void)kb_manifest_merge(merged, m, &err);
        (void)kb_manifest_merge(merged, again, &err);
        (void)kb_manifest_check(merged, NULL, NULL, &err);
    }
    kb_manifest_free(merged);
    kb_manifest_free(again);
    kb_doc_release(&doc2);
    kb_buf_release(&one);
    kb_buf_release(&two);
}

/* Without its checksum, which would keep all changes out. */
static void drop_crc(uint8_t *bytes, size_t len)
{
    uint8_t *at = memmem(bytes, len, KB_MANIFEST_CRC, strlen(KB_MANIFEST_CRC));

    if (at)
        at[3] = 'x';
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_manifest *m = NULL;
    struct kb_doc doc = {.written_ms = 0};
    uint8_t *copy = malloc(len + 1);

    if (!copy)
        return 0;
    memcpy(copy, bytes, len);
    drop_crc(copy, len);
    if (kb_manifest_read(copy, len, "b", &m, &doc, &err) == KBP_OK) {
        (void)kb_manifest_check(m, NULL, NULL, &err);
        round_trip(m, &doc);
    }
    kb_manifest_free(m);
    kb_doc_release(&doc);
    free(copy);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_codec.c - input of all codecs: the first byte says of which.
 *
 * What comes out stays within the limit; what could be decompressed comes back
 * from a round trip.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fuzz_codecs.h"

#define LIMIT 100000u

static const char *const names[] = {"none", "gzip",      "snappy",    "lz4",
                                    "zstd", "lz4-block", "lz4-magic0"};

static void round_trip(struct kb_codec_session *session,
                       const struct kb_buf *bytes)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_buf packed = KB_BUF_INIT;
    struct kb_buf back = KB_BUF_INIT;
    struct kbp_sink to = kb_buf_sink(&packed, UINT64_MAX);
    struct kbp_sink from = kb_buf_sink(&back, bytes->len);
    int status = kb_codec_compress(session, bytes->data, bytes->len, &to, &err);

    if (status != KBP_ERR_UNSUPPORTED &&
        (status != KBP_OK ||
         kb_codec_decompress(session, packed.data, packed.len, &from, &err) !=
             KBP_OK ||
         back.len != bytes->len ||
         (back.len && memcmp(back.data, bytes->data, back.len) != 0)))
        abort();
    kb_buf_release(&packed);
    kb_buf_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_codec_session *session;
    struct kb_buf out = KB_BUF_INIT;
    struct kbp_sink sink = kb_buf_sink(&out, LIMIT);
    int status;

    if (len == 0)
        return 0;
    if (kb_codec_worker_named(fuzz_codecs(),
                              names[bytes[0] % (sizeof names / sizeof *names)],
                              &session, &err) != KBP_OK)
        abort();
    status = kb_codec_decompress(session, bytes + 1, len - 1, &sink, &err);
    if (out.len > LIMIT || (status != KBP_OK && status != KBP_ERR_CORRUPT &&
                            status != KBP_ERR_LIMIT))
        abort();
    if (status == KBP_OK)
        round_trip(session, &out);
    kb_buf_release(&out);
    return 0;
}

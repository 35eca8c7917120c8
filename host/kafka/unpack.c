/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.c - compressed records: Kafka's codec ids and the codec plugins. */
#include "kafka/unpack.h"

#include "base/budget.h"
#include "plugin/codec.h"

#define LZ4 3

static int no_codecs(int codec, struct kbp_error *err)
{
    return kb_fail(err, KBP_ERR_UNSUPPORTED,
                   "compressed by codec %d, and no codecs are at hand", codec);
}

static uint64_t limit_of(const struct kb_codec_worker *codecs, size_t limit)
{
    if (!limit && codecs)
        limit = codecs->plain_limit;
    return limit ? limit : INT32_MAX;
}

static int unpack(struct kb_codec_worker *codecs,
                  struct kb_codec_session *session, const void *in,
                  size_t in_len, size_t limit, struct kb_buf *out,
                  struct kbp_error *err)
{
    struct kbp_sink sink = kb_buf_sink(out, limit_of(codecs, limit));
    const int rc = kb_codec_decompress(session, in, in_len, &sink, err);

    if (rc == KBP_ERR_LIMIT && !limit && codecs->plain_limit) {
        (void)kb_fail(err, KBP_ERR_LIMIT,
                      "its %zu bytes decompress to more than %zu", in_len,
                      codecs->plain_limit);
        kb_err_hint(err, "if it isn't damage, raise memory_limit: a batch may "
                         "become as large as that");
    }
    return rc;
}

int kb_unpack(struct kb_codec_worker *codecs, int codec, const void *in,
              size_t in_len, size_t limit, struct kb_buf *out,
              struct kbp_error *err)
{
    struct kb_codec_session *session = NULL;
    int rc;

    if (!codecs)
        return no_codecs(codec, err);
    rc = kb_codec_worker_kafka(codecs, codec, &session, err);
    if (rc != KBP_OK)
        return rc;
    return unpack(codecs, session, in, in_len, limit, out, err);
}

int kb_unpack_magic0(struct kb_codec_worker *codecs, int codec, const void *in,
                     size_t in_len, size_t limit, struct kb_buf *out,
                     struct kbp_error *err)
{
    struct kb_codec_session *session = NULL;
    int rc;

    if (codec != LZ4 || !codecs)
        return kb_unpack(codecs, codec, in, in_len, limit, out, err);
    rc = kb_codec_worker_named(codecs, "lz4-magic0", &session, err);
    if (rc != KBP_OK)
        return rc;
    return unpack(codecs, session, in, in_len, limit, out, err);
}

size_t kb_unpack_charge(struct kb_codec_worker *codecs, size_t size)
{
    if (!codecs || !codecs->budget)
        return 0;
    kb_budget_force(codecs->budget, size);
    return size;
}

void kb_unpack_discharge(struct kb_budget *budget, size_t charged)
{
    if (charged)
        kb_budget_give(budget, charged);
}

int kb_pack(struct kb_codec_worker *codecs, int codec, const void *in,
            size_t in_len, struct kb_buf *out, struct kbp_error *err)
{
    struct kbp_sink sink = kb_buf_sink(out, INT32_MAX);
    struct kb_codec_session *session = NULL;
    int rc;

    if (!codecs)
        return no_codecs(codec, err);
    rc = kb_codec_worker_kafka(codecs, codec, &session, err);
    if (rc != KBP_OK)
        return rc;
    return kb_codec_compress(session, in, in_len, &sink, err);
}

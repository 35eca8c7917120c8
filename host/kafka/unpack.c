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

/* Larger than this, one is open at a time; see kb_codec_worker_bound(). */
static size_t large_of(const struct kb_codec_worker *codecs)
{
    return codecs->plain_limit / 8;
}

static int too_large(const struct kb_codec_worker *codecs, size_t in_len,
                     struct kbp_error *err)
{
    (void)kb_fail(err, KBP_ERR_LIMIT,
                  "its %zu bytes decompress to more than %zu", in_len,
                  codecs->plain_limit);
    kb_err_hint(err, "if it isn't damage, raise memory_limit: a batch may "
                     "become as large as that");
    return KBP_ERR_LIMIT;
}

/* Within the budget: nobody knows beforehand how much it will be. */
static int unpack_counted(struct kb_codec_worker *codecs,
                          struct kb_codec_session *session, const void *in,
                          size_t in_len, struct kb_buf *out,
                          struct kbp_error *err)
{
    struct kbp_sink sink = kb_buf_sink(out, large_of(codecs));
    const size_t before = out->len;
    int rc = kb_codec_decompress(session, in, in_len, &sink, err);

    if (rc == KBP_ERR_LIMIT) {
        kb_err_clear(err);
        out->len = before;
        (void)pthread_mutex_lock(&codecs->set->large);
        sink = kb_buf_sink(out, codecs->plain_limit);
        rc = kb_codec_decompress(session, in, in_len, &sink, err);
        codecs->has_large = rc == KBP_OK;
        if (rc != KBP_OK)
            (void)pthread_mutex_unlock(&codecs->set->large);
        if (rc == KBP_ERR_LIMIT)
            return too_large(codecs, in_len, err);
    }
    if (rc == KBP_OK)
        kb_budget_force(codecs->budget, out->len - before);
    return rc;
}

void kb_unpacked_gone(struct kb_codec_worker *codecs, size_t size)
{
    if (!codecs || !codecs->budget)
        return;
    kb_budget_give(codecs->budget, size);
    if (codecs->has_large)
        (void)pthread_mutex_unlock(&codecs->set->large);
    codecs->has_large = false;
}

static int unpack(struct kb_codec_worker *codecs,
                  struct kb_codec_session *session, const void *in,
                  size_t in_len, size_t limit, struct kb_buf *out,
                  struct kbp_error *err)
{
    struct kbp_sink sink = kb_buf_sink(out, limit ? limit : INT32_MAX);

    if (!limit && codecs->budget)
        return unpack_counted(codecs, session, in, in_len, out, err);
    return kb_codec_decompress(session, in, in_len, &sink, err);
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

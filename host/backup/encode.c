/* SPDX-License-Identifier: Apache-2.0 */
/* encode.c - compress and seal frames, on all processors. */
#include <stdlib.h>
#include <string.h>

#include "backup/pipe.h"
#include "base/thread.h"
#include "metrics/metrics.h"

/* One thread's tools. */
struct encoder {
    struct kb_pipe *pipe;
    struct kb_codec_session *session; /* NULL: no codec */
    struct kb_buf joined;             /* batches from several answers */
    struct kb_buf scratch;            /* where the codec writes */
};

/* The frame's batches in one piece, for the codec. */
static const uint8_t *in_one_piece(struct encoder *encoder,
                                   const struct kb_parcel *parcel)
{
    size_t i;

    if (parcel->slice_count == 1)
        return parcel->slices[0].data;
    kb_buf_reset(&encoder->joined);
    for (i = 0; i < parcel->slice_count; i++)
        kb_buf_add(&encoder->joined, parcel->slices[i].data,
                   parcel->slices[i].len);
    return encoder->joined.failed ? NULL : encoder->joined.data;
}

/*
 * Compress into parcel->packed; left empty if that makes it no smaller.  The
 * codec gets room that is always the same memory, and the result one of its
 * size: fresh pages for the worst case would cost as much as compressing.
 */
static int compress(struct encoder *encoder, struct kb_parcel *parcel,
                    struct kbp_error *err)
{
    const uint8_t *in = in_one_piece(encoder, parcel);
    struct kb_buf *scratch = &encoder->scratch;
    struct kbp_sink sink = kb_buf_sink(scratch, UINT64_MAX);
    int rc;

    if (!in)
        return kb_fail_nomem(err, "a frame to compress");
    kb_buf_reset(scratch);
    rc = kb_codec_compress(encoder->session, in, parcel->desc.raw_len, &sink,
                           err);
    if (rc != KBP_OK || scratch->len >= parcel->desc.raw_len)
        return rc;
    kb_metrics_compressed(parcel->desc.raw_len, scratch->len);
    parcel->packed.data = malloc(scratch->len);
    if (!parcel->packed.data)
        return kb_fail_nomem(err, "a compressed frame");
    memcpy(parcel->packed.data, scratch->data, scratch->len);
    parcel->packed.len = scratch->len;
    parcel->packed.cap = scratch->len;
    parcel->desc.codec =
        (uint8_t)kb_codec_type(encoder->pipe->set.codec)->segment_id;
    kb_budget_force(parcel->budget, scratch->len);
    parcel->charged = scratch->len;
    kb_parcel_drop_slices(parcel);
    return KBP_OK;
}

static int seal(struct kb_parcel *parcel, struct kbp_error *err)
{
    struct iovec few[16];
    struct iovec *iov = few;
    size_t count = parcel->slice_count;
    size_t i;
    int rc;

    if (parcel->packed.len > 0) {
        few[0].iov_base = parcel->packed.data;
        few[0].iov_len = parcel->packed.len;
        return kb_frame_seal(&parcel->desc, few, 1, err);
    }
    if (count > sizeof few / sizeof few[0]) {
        iov = calloc(count, sizeof *iov);
        if (!iov)
            return kb_fail_nomem(err, "a frame");
    }
    for (i = 0; i < count; i++)
        iov[i] = kb_slice_iov(&parcel->slices[i]);
    rc = kb_frame_seal(&parcel->desc, iov, (int)count, err);
    if (iov != few)
        free(iov);
    return rc;
}

static struct kb_parcel *next_parcel(struct kb_pipe *pipe)
{
    struct kb_parcel *parcel;

    (void)pthread_mutex_lock(&pipe->encode_lock);
    while (!pipe->encode_head && !pipe->encode_closed)
        (void)pthread_cond_wait(&pipe->encode_more, &pipe->encode_lock);
    parcel = pipe->encode_head;
    if (parcel) {
        pipe->encode_head = parcel->next_encode;
        if (!pipe->encode_head)
            pipe->encode_tail = &pipe->encode_head;
    }
    (void)pthread_mutex_unlock(&pipe->encode_lock);
    return parcel;
}

static void *run(void *data)
{
    struct encoder encoder = {.pipe = data};
    struct kb_pipe *pipe = data;
    struct kbp_error err = KB_ERR_INIT;
    struct kb_parcel *parcel;

    if (pipe->set.codec &&
        kb_codec_session_open(pipe->set.codec, &encoder.session, &err) !=
            KBP_OK)
        kb_pipe_fail(pipe, &err);
    while ((parcel = next_parcel(pipe)) != NULL) {
        int rc = KBP_OK;

        if (!kb_pipe_failed(pipe)) {
            if (parcel->plain && encoder.session)
                rc = compress(&encoder, parcel, &err);
            if (rc == KBP_OK)
                rc = seal(parcel, &err);
            if (rc != KBP_OK) {
                (void)kb_err_wrap(&err, "encode");
                kb_pipe_fail(pipe, &err);
            }
        }
        kb_store_ready(pipe, parcel);
    }
    kb_codec_session_close(encoder.session);
    kb_buf_release(&encoder.joined);
    kb_buf_release(&encoder.scratch);
    return NULL;
}

int kb_encode_start(struct kb_pipe *pipe, struct kbp_error *err)
{
    unsigned i;

    for (i = 0; i < pipe->set.encoders; i++) {
        int rc =
            kb_thread_start(&pipe->encoders[i], "kb-encode", run, pipe, err);

        if (rc != KBP_OK)
            return rc;
        pipe->encoder_count++;
    }
    return KBP_OK;
}

void kb_encode_push(struct kb_pipe *pipe, struct kb_parcel *parcel)
{
    (void)pthread_mutex_lock(&pipe->encode_lock);
    parcel->next_encode = NULL;
    *pipe->encode_tail = parcel;
    pipe->encode_tail = &parcel->next_encode;
    (void)pthread_cond_signal(&pipe->encode_more);
    (void)pthread_mutex_unlock(&pipe->encode_lock);
}

void kb_encode_finish(struct kb_pipe *pipe)
{
    unsigned i;

    (void)pthread_mutex_lock(&pipe->encode_lock);
    pipe->encode_closed = true;
    (void)pthread_cond_broadcast(&pipe->encode_more);
    (void)pthread_mutex_unlock(&pipe->encode_lock);
    for (i = 0; i < pipe->encoder_count; i++)
        (void)pthread_join(pipe->encoders[i], NULL);
    pipe->encoder_count = 0;
}

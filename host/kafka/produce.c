/* SPDX-License-Identifier: Apache-2.0 */
/* produce.c - the Produce request, versions 3 to 13. */
#include "kafka/produce.h"

#include <stdlib.h>

#include "kafka/partitions.h"

#define OLDEST 3
#define NEWEST_BY_NAME 12
#define NEWEST 13

static bool is_flexible(int16_t version)
{
    return version >= 9;
}

static struct kb_partitions
partitions_of(const struct kb_produce_request *request, int16_t version)
{
    return (struct kb_partitions){request->partitions,
                                  sizeof *request->partitions, request->count,
                                  kb_partitions_by_id(version)};
}

int16_t kb_produce_version(const struct kb_conn *conn, bool have_ids)
{
    return kb_conn_version(conn, KB_API_PRODUCE, OLDEST,
                           have_ids ? NEWEST : NEWEST_BY_NAME);
}

/*
 * All that isn't batches goes to `body`; `ends[i]` is where the batch of
 * partition i belongs.
 */
static void put_request(struct kb_buf *body, int16_t version,
                        const struct kb_produce_request *request, size_t *ends)
{
    bool flex = is_flexible(version);
    struct kb_partitions all = partitions_of(request, version);
    size_t run;
    size_t i;
    size_t j;

    kb_put_str(body, flex, NULL); /* no transaction */
    kb_put_i16(body, request->acks);
    kb_put_i32(body, request->timeout_ms);
    kb_put_count(body, flex, kb_partitions_topics(&all));
    for (i = 0; i < request->count; i += run) {
        run = kb_partitions_run(&all, i);
        kb_put_topic(body, flex, &all, i);
        kb_put_count(body, flex, run);
        for (j = i; j < i + run; j++) {
            kb_put_i32(body, request->partitions[j].id.partition);
            kb_put_bytes_len(body, flex, request->partitions[j].batch_len);
            ends[j] = body->len;
            kb_put_no_tags(body, flex);
        }
        kb_put_no_tags(body, flex);
    }
    kb_put_no_tags(body, flex);
}

int kb_produce_encode(struct kb_buf *body, int16_t version,
                      const struct kb_produce_request *request,
                      struct iovec **parts, int *part_count,
                      struct kbp_error *err)
{
    size_t count = request->count;
    size_t *ends = calloc(count + 1, sizeof *ends);
    struct iovec *iov = calloc(count * 2 + 1, sizeof *iov);
    size_t from = 0;
    size_t n = 0;
    size_t i;

    kb_buf_reset(body);
    if (ends && iov)
        put_request(body, version, request, ends);
    if (!ends || !iov || body->failed || count > INT32_MAX / 4) {
        free(ends);
        free(iov);
        return kb_fail_nomem(err, "a Produce request");
    }
    for (i = 0; i < count; i++) {
        const struct kb_produce_partition *p = &request->partitions[i];

        iov[n++] = (struct iovec){body->data + from, ends[i] - from};
        iov[n++] = (struct iovec){(void *)(uintptr_t)p->batch, p->batch_len};
        from = ends[i];
    }
    if (from < body->len)
        iov[n++] = (struct iovec){body->data + from, body->len - from};
    free(ends);
    *parts = iov;
    *part_count = (int)n;
    return KBP_OK;
}

/* What the broker says about single records: the first of them is kept. */
static void get_record_errors(struct kb_cursor *c, bool flex,
                              struct kb_produced *produced)
{
    size_t count = kb_get_count(c, flex, 5);
    size_t i;

    for (i = 0; i < count && !c->bad; i++) {
        int32_t index = kb_get_i32(c);
        struct kb_wire_str message = kb_get_str(c, flex);

        kb_skip_tags(c, flex);
        if (i > 0)
            continue;
        produced->bad_record = index;
        (void)kb_wire_str_copy(message, produced->message,
                               sizeof produced->message);
    }
}

static void get_partition(struct kb_cursor *c, int16_t version, int32_t *id,
                          struct kb_produced *produced)
{
    bool flex = is_flexible(version);
    struct kb_wire_str message = {NULL, 0};

    *id = kb_get_i32(c);
    produced->error = kb_get_i16(c);
    produced->base_offset = kb_get_i64(c);
    produced->log_append_time = kb_get_i64(c);
    produced->log_start = version >= 5 ? kb_get_i64(c) : -1;
    produced->bad_record = -1;
    if (version >= 8) {
        get_record_errors(c, flex, produced);
        message = kb_get_str(c, flex);
    }
    if (!*produced->message)
        (void)kb_wire_str_copy(message, produced->message,
                               sizeof produced->message);
    kb_skip_tags(c, flex);
}

static int cant_read(const struct kb_answer *answer, const char *why,
                     struct kbp_error *err)
{
    return kb_fail(err, KBP_ERR_PROTOCOL,
                   "the answer to Produce version %d can't be read: %s",
                   answer->version, why);
}

/* Whom to tell of what was read; `fn` is NULL in the first pass. */
struct teller {
    const struct kb_answer *answer;
    const struct kb_produce_request *request;
    int (*fn)(void *data, const struct kb_produced *produced,
              struct kbp_error *err);
    void *data;
    size_t hint;
};

static int read_topic(struct kb_cursor *c, struct teller *teller,
                      struct kbp_error *err)
{
    int16_t version = teller->answer->version;
    bool flex = is_flexible(version);
    struct kb_partitions all = partitions_of(teller->request, version);
    struct kb_topic_seen topic = kb_get_topic(c, flex, all.by_id);
    size_t partitions = kb_get_count(c, flex, 22);

    for (; partitions > 0 && !c->bad; partitions--) {
        struct kb_produced produced = {0};
        int32_t partition;
        int rc;

        get_partition(c, version, &partition, &produced);
        if (c->bad || !teller->fn)
            continue;
        produced.partition =
            kb_partitions_find(&all, &topic, partition, &teller->hint);
        if (!produced.partition)
            return cant_read(teller->answer, "it has what wasn't asked for",
                             err);
        rc = teller->fn(teller->data, &produced, err);
        if (rc)
            return rc;
    }
    kb_skip_tags(c, flex);
    return KBP_OK;
}

static int read_topics(struct kb_cursor *c, struct teller *teller,
                       struct kbp_error *err)
{
    size_t topics = kb_get_count(c, is_flexible(teller->answer->version), 3);

    for (; topics > 0 && !c->bad; topics--) {
        int rc = read_topic(c, teller, err);

        if (rc)
            return rc;
    }
    return KBP_OK;
}

int kb_produce_decode(const struct kb_answer *answer,
                      const struct kb_produce_request *request,
                      int32_t *throttle_ms,
                      int (*fn)(void *data, const struct kb_produced *produced,
                                struct kbp_error *err),
                      void *data, struct kbp_error *err)
{
    struct kb_cursor c = kb_cursor_of(answer->body, answer->body_len);
    struct kb_cursor again = c;
    struct teller teller = {.answer = answer, .request = request};

    /* The throttle time stands at the end, and is to be known before. */
    (void)read_topics(&c, &teller, err);
    *throttle_ms = kb_get_i32(&c);
    kb_skip_tags(&c, is_flexible(answer->version));
    if (c.bad)
        return cant_read(answer, "it ends in the middle", err);
    teller.fn = fn;
    teller.data = data;
    return read_topics(&again, &teller, err);
}

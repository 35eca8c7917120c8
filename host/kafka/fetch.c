/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch.c - the Fetch request, versions 4 to 17.
 *
 * Without fetch sessions: each request lists what it wants.
 */
#include "kafka/fetch.h"

#include "kafka/partitions.h"

#define OLDEST 4
#define NEWEST_BY_NAME 12
#define NEWEST 17

/* An aborted transaction on the wire: two int64, and tags from 12 on. */
#define ABORTED_BYTES 16u

static bool is_flexible(int16_t version)
{
    return version >= 12;
}

static struct kb_partitions
partitions_of(const struct kb_fetch_request *request, int16_t version)
{
    return (struct kb_partitions){request->partitions,
                                  sizeof *request->partitions, request->count,
                                  kb_partitions_by_id(version)};
}

int16_t kb_fetch_version(const struct kb_conn *conn, bool have_ids)
{
    return kb_conn_version(conn, KB_API_FETCH, OLDEST,
                           have_ids ? NEWEST : NEWEST_BY_NAME);
}

static void put_partition(struct kb_buf *body, int16_t version,
                          const struct kb_fetch_partition *partition)
{
    bool flex = is_flexible(version);

    kb_put_i32(body, partition->id.partition);
    if (version >= 9)
        kb_put_i32(body, partition->leader_epoch);
    kb_put_i64(body, partition->offset);
    if (version >= 12)
        kb_put_i32(body, -1); /* the epoch of what was fetched last */
    if (version >= 5)
        kb_put_i64(body, -1); /* a follower's log start */
    kb_put_i32(body, partition->max_bytes);
    kb_put_no_tags(body, flex);
}

int kb_fetch_encode(struct kb_buf *body, int16_t version,
                    const struct kb_fetch_request *request,
                    struct kbp_error *err)
{
    bool flex = is_flexible(version);
    struct kb_partitions all = partitions_of(request, version);
    size_t run;
    size_t i;
    size_t j;

    if (version <= 14)
        kb_put_i32(body, -1); /* we are no replica */
    kb_put_i32(body, request->max_wait_ms);
    kb_put_i32(body, request->min_bytes);
    kb_put_i32(body, request->max_bytes);
    kb_put_i8(body, (int8_t)request->isolation);
    if (version >= 7) {
        kb_put_i32(body, 0);  /* no session */
        kb_put_i32(body, -1); /* and none to be made */
    }
    kb_put_count(body, flex, kb_partitions_topics(&all));
    for (i = 0; i < request->count; i += run) {
        run = kb_partitions_run(&all, i);
        kb_put_topic(body, flex, &all, i);
        kb_put_count(body, flex, run);
        for (j = 0; j < run; j++)
            put_partition(body, version, &request->partitions[i + j]);
        kb_put_no_tags(body, flex);
    }
    if (version >= 7)
        kb_put_count(body, flex, 0); /* nothing to forget */
    if (version >= 11)
        kb_put_str(body, flex,
                   request->client_rack ? request->client_rack : "");
    kb_put_no_tags(body, flex);
    return body->failed ? kb_fail_nomem(err, "a Fetch request") : KBP_OK;
}

struct kb_aborted kb_fetched_aborted(const struct kb_fetched *fetched, size_t i)
{
    bool flex = is_flexible(fetched->version);
    struct kb_cursor c = kb_cursor_of(fetched->aborted, fetched->aborted_len);
    struct kb_aborted aborted = {-1, -1};
    size_t each = ABORTED_BYTES + flex;

    if (i >= fetched->aborted_count)
        return aborted;
    if (fetched->aborted_len == each * fetched->aborted_count)
        (void)kb_take(&c, each * i);
    else /* some have tags: walk */
        for (; i > 0; i--) {
            (void)kb_take(&c, ABORTED_BYTES);
            kb_skip_tags(&c, flex);
        }
    aborted.producer_id = kb_get_i64(&c);
    aborted.first_offset = kb_get_i64(&c);
    return aborted;
}

static void get_aborted(struct kb_cursor *c, int16_t version,
                        struct kb_fetched *fetched)
{
    bool flex = is_flexible(version);
    size_t i;

    fetched->aborted_count = kb_get_count(c, flex, ABORTED_BYTES);
    fetched->aborted = c->at;
    for (i = 0; i < fetched->aborted_count && !c->bad; i++) {
        (void)kb_take(c, ABORTED_BYTES);
        kb_skip_tags(c, flex);
    }
    fetched->aborted_len = (size_t)(c->at - fetched->aborted);
}

static void get_partition(struct kb_cursor *c, int16_t version, int32_t *id,
                          struct kb_fetched *fetched)
{
    bool flex = is_flexible(version);

    *id = kb_get_i32(c);
    fetched->version = version;
    fetched->error = kb_get_i16(c);
    fetched->high_watermark = kb_get_i64(c);
    fetched->last_stable_offset = kb_get_i64(c);
    fetched->log_start = version >= 5 ? kb_get_i64(c) : -1;
    get_aborted(c, version, fetched);
    fetched->preferred_replica = version >= 11 ? kb_get_i32(c) : -1;
    fetched->records = kb_get_bytes(c, flex, &fetched->records_len);
    kb_skip_tags(c, flex);
}

static int cant_read(const struct kb_answer *answer, const char *why,
                     struct kbp_error *err)
{
    return kb_fail(err, KBP_ERR_PROTOCOL,
                   "the answer to Fetch version %d can't be read: %s",
                   answer->version, why);
}

int kb_fetch_decode(const struct kb_answer *answer,
                    const struct kb_fetch_request *request,
                    int32_t *throttle_ms, int16_t *error,
                    int (*fn)(void *data, const struct kb_fetched *fetched,
                              struct kbp_error *err),
                    void *data, struct kbp_error *err)
{
    struct kb_cursor c = kb_cursor_of(answer->body, answer->body_len);
    int16_t version = answer->version;
    struct kb_partitions all = partitions_of(request, version);
    bool flex = is_flexible(version);
    size_t hint = 0;
    size_t topics;

    *throttle_ms = kb_get_i32(&c);
    *error = version >= 7 ? kb_get_i16(&c) : 0;
    if (version >= 7)
        (void)kb_get_i32(&c);
    for (topics = kb_get_count(&c, flex, 3); topics > 0 && !c.bad; topics--) {
        struct kb_topic_seen topic = kb_get_topic(&c, flex, all.by_id);
        size_t partitions = kb_get_count(&c, flex, 26);

        for (; partitions > 0 && !c.bad; partitions--) {
            struct kb_fetched fetched = {0};
            int32_t partition;
            int rc;

            get_partition(&c, version, &partition, &fetched);
            if (c.bad)
                break;
            fetched.partition =
                kb_partitions_find(&all, &topic, partition, &hint);
            if (!fetched.partition)
                return cant_read(answer, "it has what wasn't asked for", err);
            rc = fn(data, &fetched, err);
            if (rc)
                return rc;
        }
        kb_skip_tags(&c, flex);
    }
    kb_skip_tags(&c, flex);
    return c.bad ? cant_read(answer, "it ends in the middle", err) : KBP_OK;
}

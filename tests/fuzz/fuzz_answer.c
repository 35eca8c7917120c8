/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_answer.c - every answer of a broker that we decode.
 *
 * The input is the request's api and version, a byte each, then the body.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "kafka/admin_wire.h"
#include "kafka/conn_impl.h"
#include "kafka/fetch.h"
#include "kafka/list_offsets.h"
#include "kafka/metadata_wire.h"
#include "kafka/produce.h"

/* The recorded answers are about this topic; by id about any. */
#define TOPIC "v2-txn-none"

static struct kb_uuid any_id;

static int fetched(void *data, const struct kb_fetched *f,
                   struct kbp_error *err)
{
    uint8_t *sum = data;
    size_t i;

    (void)err;
    for (i = 0; i < f->records_len; i++)
        *sum = (uint8_t)(*sum + f->records[i]);
    for (i = 0; i < f->aborted_count; i++)
        *sum = (uint8_t)(*sum + kb_fetched_aborted(f, i).producer_id);
    return KBP_OK;
}

static int produced(void *data, const struct kb_produced *p,
                    struct kbp_error *err)
{
    uint8_t *sum = data;

    (void)err;
    *sum = (uint8_t)(*sum + strlen(p->message));
    return KBP_OK;
}

static void try_fetch(const struct kb_answer *answer, struct kbp_error *err)
{
    const struct kb_fetch_partition partition = {.id = {TOPIC, any_id, 0}};
    const struct kb_fetch_request request = {.partitions = &partition,
                                             .count = 1};
    int32_t throttle_ms;
    int16_t error;
    uint8_t sum = 0;

    (void)kb_fetch_decode(answer, &request, &throttle_ms, &error, fetched, &sum,
                          err);
}

static void try_produce(const struct kb_answer *answer, struct kbp_error *err)
{
    const struct kb_produce_partition partition = {.id = {TOPIC, any_id, 0}};
    const struct kb_produce_request request = {.partitions = &partition,
                                               .count = 1};
    int32_t throttle_ms;
    uint8_t sum = 0;

    (void)kb_produce_decode(answer, &request, &throttle_ms, produced, &sum,
                            err);
}

static void try_offsets(const struct kb_answer *answer, struct kbp_error *err)
{
    struct kb_offset_query query = {.topic = TOPIC};
    const struct kb_offset_ask ask = {&query, 1, 0};
    int32_t throttle_ms;

    (void)kb_list_offsets_decode(answer, &ask, 1, &throttle_ms, err);
}

static void try_metadata(const struct kb_answer *answer, struct kbp_error *err)
{
    struct kb_metadata *metadata;
    int32_t throttle_ms;
    size_t i;

    if (kb_metadata_decode(answer, &metadata, &throttle_ms, err) != KBP_OK)
        return;
    for (i = 0; i < metadata->topic_count; i++)
        if (!kb_metadata_topic(metadata, metadata->topics[i].name))
            abort();
    kb_metadata_free(metadata);
}

static void try_versions(const struct kb_answer *answer, struct kbp_error *err)
{
    struct kb_conn *conn = calloc(1, sizeof *conn);
    int32_t throttle_ms;
    int16_t error;

    if (!conn)
        return;
    (void)kb_conn_decode_versions(conn, answer, &throttle_ms, &error, err);
    (void)kb_conn_version(conn, KB_API_FETCH, 4, 17);
    free(conn);
}

static void try_small(const struct kb_answer *answer)
{
    struct kb_own_configs own = {NULL, 0};
    struct kb_producer_state *states = NULL;
    struct kb_group_list list = {NULL, 0};
    char message[64] = "";
    int32_t throttle_ms;
    int16_t error;
    int64_t id;
    int16_t epoch;
    size_t count;

    switch (answer->api) {
    case KB_API_INIT_PRODUCER_ID:
        (void)kb_init_producer_decode(answer, &throttle_ms, &error, &id,
                                      &epoch);
        break;
    case KB_API_INCREMENTAL_ALTER_CONFIGS:
    case KB_API_ALTER_CONFIGS:
        (void)kb_alter_configs_decode(answer, &throttle_ms, &error, message,
                                      sizeof message);
        break;
    case KB_API_DESCRIBE_CONFIGS:
        (void)kb_describe_configs_decode(answer, &throttle_ms, &error, message,
                                         sizeof message, &own);
        kb_own_configs_release(&own);
        break;
    case KB_API_DESCRIBE_PRODUCERS:
        (void)kb_describe_producers_decode(answer, &throttle_ms, &error,
                                           message, sizeof message, &states,
                                           &count);
        free(states);
        break;
    case KB_API_LIST_GROUPS:
        (void)kb_list_groups_decode(answer, &throttle_ms, &error, &list);
        kb_groups_list_release(&list);
        break;
    default:
        break;
    }
}

/* By id, the answers are about the id that stands in them. */
static void find_id(const struct kb_answer *answer)
{
    size_t at = answer->api == KB_API_FETCH ? 11 : 1;

    memset(&any_id, 0, sizeof any_id);
    if (answer->body_len >= at + sizeof any_id.bytes)
        memcpy(any_id.bytes, answer->body + at, sizeof any_id.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_answer answer = {.block = NULL};

    if (len < 2)
        return 0;
    answer.api = (enum kb_api)bytes[0];
    answer.version = bytes[1] & 31;
    answer.body = bytes + 2;
    answer.body_len = len - 2;
    find_id(&answer);
    switch (answer.api) {
    case KB_API_FETCH:
        try_fetch(&answer, &err);
        break;
    case KB_API_PRODUCE:
        try_produce(&answer, &err);
        break;
    case KB_API_LIST_OFFSETS:
        try_offsets(&answer, &err);
        break;
    case KB_API_METADATA:
        try_metadata(&answer, &err);
        break;
    case KB_API_API_VERSIONS:
        try_versions(&answer, &err);
        break;
    default:
        try_small(&answer);
        break;
    }
    return 0;
}

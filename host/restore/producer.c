/* SPDX-License-Identifier: Apache-2.0 */
/*
 * producer.c - the producer id that a restore's batches carry.
 *
 * Kafka 2.8 in KRaft mode has no InitProducerId, but its logs know producers
 * all the same: ids, epochs and sequences are checked where a batch is
 * appended, wherever the id is from.  So one is made up.  With it, batches are
 * told from those of others, those that landed are found again after a crash,
 * and late ones of an epoch that was given up are refused, as everywhere else;
 * none of that would be so without an id.
 */
#include "restore/producer.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/log.h"
#include "kafka/acl.h"

/*
 * Brokers count theirs up from 0 and never come here; and any reader of JSON
 * gets it right.
 */
#define MADE_UP_FROM (INT64_C(1) << 52)

static int make_up(int64_t *producer_id, int16_t *epoch, struct kbp_error *err)
{
    struct kb_uuid uuid;
    int status = kb_uuid_make(&uuid, err);

    if (status != KBP_OK)
        return status;
    *producer_id = MADE_UP_FROM | (int64_t)(kb_load_be64(uuid.bytes) >> 12);
    *epoch = 0;
    kb_info("restore: the target gives out no producer ids (Kafka 2.8 in KRaft "
            "mode): %" PRId64 " is ours",
            *producer_id);
    return KBP_OK;
}

int kb_producer_begin(struct kb_restore_run *run, const char *topic,
                      int64_t *producer_id, int16_t *epoch,
                      struct kbp_error *err)
{
    int status =
        kb_client_init_producer_id(run->client, producer_id, epoch, err);

    if (status == KBP_ERR_UNSUPPORTED && err->native == 0) {
        kb_err_clear(err);
        status = make_up(producer_id, epoch, err);
    }
    if (status == KBP_ERR_DENIED && !*err->hint)
        kb_acl_hint(err, (int16_t)err->native, KB_ACL_TOPIC, topic, "Write");
    return status;
}

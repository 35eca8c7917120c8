/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_wire.h - the answers of client_admin.c's and client_groups.c's calls as
 * bytes; apart, so that tests and fuzzers reach them.
 *
 * All return KBP_OK, KBP_ERR_PROTOCOL or KBP_ERR_NOMEM, without a text.
 */
#ifndef KB_KAFKA_ADMIN_WIRE_H
#define KB_KAFKA_ADMIN_WIRE_H

#include "kafka/client.h"

#define KB_RESOURCE_TOPIC 2

int kb_init_producer_decode(const struct kb_answer *answer,
                            int32_t *throttle_ms, int16_t *error,
                            int64_t *producer_id, int16_t *epoch);

/* Of AlterConfigs 0-1 and IncrementalAlterConfigs 0-1, for one resource. */
int kb_alter_configs_decode(const struct kb_answer *answer,
                            int32_t *throttle_ms, int16_t *error, char *message,
                            size_t size);

/* What is set on a topic itself. */
struct kb_own_configs {
    struct {
        char *key;
        char *value;     /* or NULL */
        char *inherited; /* what it would be without; NULL: not said */
    } * items;
    size_t count;
};

void kb_own_configs_release(struct kb_own_configs *own);

/* Of DescribeConfigs 1-3, for one resource. */
int kb_describe_configs_decode(const struct kb_answer *answer,
                               int32_t *throttle_ms, int16_t *error,
                               char *message, size_t size,
                               struct kb_own_configs *own);

/* For one partition; `*states` is free()d by the caller. */
int kb_describe_producers_decode(const struct kb_answer *answer,
                                 int32_t *throttle_ms, int16_t *error,
                                 char *message, size_t size,
                                 struct kb_producer_state **states,
                                 size_t *count);

/* Of ListGroups 0-4. `list` is empty, and stays so with an error. */
int kb_list_groups_decode(const struct kb_answer *answer, int32_t *throttle_ms,
                          int16_t *error, struct kb_group_list *list);

#endif

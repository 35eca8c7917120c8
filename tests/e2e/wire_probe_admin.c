/* SPDX-License-Identifier: Apache-2.0 */
/* wire_probe_admin.c - configs, producers, topics and groups by hand. */
#include "wire_probe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kafka/admin.h"
#include "kafka/error.h"

/* Arguments are KEY=VALUE, or KEY for its default. */
int alter(const char *topic, char **args, size_t count)
{
    struct kb_config_change *changes = calloc(count, sizeof *changes);
    size_t i;
    int rc;

    for (i = 0; i < count; i++) {
        char *equals = strchr(args[i], '=');

        changes[i].key = args[i];
        changes[i].value = equals ? equals + 1 : NULL;
        if (equals)
            *equals = '\0';
    }
    rc = kb_client_alter_topic_configs(client, topic, changes, count, &err);
    free(changes);
    if (rc != KBP_OK)
        return failed("alter");
    printf("altered %s\n", topic);
    return 0;
}

int producers(const char *topic, int32_t partition)
{
    struct kb_producer_state *states;
    size_t count;
    size_t i;

    if (kb_client_describe_producers(client, topic, partition, &states, &count,
                                     &err) != KBP_OK)
        return failed("producers");
    for (i = 0; i < count; i++)
        printf("producer %" PRId64 " epoch %" PRId32 " sequence %" PRId32
               " time %" PRId64 " txn %" PRId64 "\n",
               states[i].producer_id, states[i].epoch, states[i].last_sequence,
               states[i].last_timestamp, states[i].txn_start_offset);
    printf("producers %zu\n", count);
    free(states);
    return 0;
}

static int show_configs(struct kb_admin *admin, const char *const *topics,
                        size_t count)
{
    struct kb_admin_configs *configs;
    size_t i;
    size_t j;

    if (kb_admin_topic_configs(admin, topics, count, &configs, &err) != KBP_OK)
        return failed("configs");
    for (i = 0; i < count; i++) {
        printf("configs %s %s %zu\n", configs[i].topic,
               kb_kafka_error_name(configs[i].error), configs[i].count);
        for (j = 0; j < configs[i].count; j++)
            if (configs[i].items[j].dynamic)
                printf("config %s %s=%s\n", configs[i].topic,
                       configs[i].items[j].key, configs[i].items[j].value);
    }
    kb_admin_configs_free(configs, count);
    return 0;
}

/* create TOPIC PARTITIONS REPLICATION [KEY=VALUE...] */
static int create(struct kb_admin *admin, char **args, size_t count)
{
    const char *keys[16];
    const char *values[16];
    struct kb_new_topic topic = {
        .name = args[0], .config_keys = keys, .config_values = values};
    int64_t partitions = 1;
    int64_t replication = 1;
    size_t i;

    (void)kb_parse_i64(args[1], &partitions);
    (void)kb_parse_i64(args[2], &replication);
    topic.partitions = (int32_t)partitions;
    topic.replication_factor = (int32_t)replication;
    for (i = 3; i < count && i < 19; i++) {
        char *equals = strchr(args[i], '=');

        *equals = '\0';
        keys[i - 3] = args[i];
        values[i - 3] = equals + 1;
        topic.config_count++;
    }
    if (kb_admin_create_topics(admin, &topic, 1, knob("PROBE_VALIDATE", 0),
                               &err) != KBP_OK)
        return failed("create");
    printf("created %s %s %s\n", topic.name, kb_kafka_error_name(topic.error),
           topic.message);
    return topic.error != 0;
}

static int show_groups(struct kb_admin *admin)
{
    struct kb_group_list list;
    size_t i;
    size_t j;

    if (kb_client_list_groups(client, &list, &err) != KBP_OK)
        return failed("groups");
    for (i = 0; i < list.count; i++) {
        const char *name = list.items[i].name;
        struct kb_group_offset *offsets;
        size_t n;

        if (kb_admin_group_offsets(admin, name, &offsets, &n, &err) != KBP_OK)
            return failed("group offsets");
        printf("group %s %zu\n", name, n);
        for (j = 0; j < n; j++)
            printf("committed %s %s %" PRId32 " %" PRId64 " %s %s\n", name,
                   offsets[j].topic, offsets[j].partition, offsets[j].offset,
                   kb_kafka_error_name(offsets[j].error),
                   offsets[j].metadata ? offsets[j].metadata : "-");
        kb_group_offsets_free(offsets, n);
    }
    kb_groups_list_release(&list);
    return 0;
}

/* commit GROUP TOPIC PARTITION OFFSET [METADATA] */
static int commit(struct kb_admin *admin, char **args, size_t count)
{
    struct kb_group_offset offset = {.topic = args[1]};
    int64_t partition = 0;

    (void)kb_parse_i64(args[2], &partition);
    (void)kb_parse_i64(args[3], &offset.offset);
    offset.partition = (int32_t)partition;
    offset.metadata = count > 4 ? args[4] : NULL;
    if (kb_admin_commit_group_offsets(admin, args[0], &offset, 1, &err) !=
        KBP_OK)
        return failed("commit");
    printf("commit %s\n", kb_kafka_error_name(offset.error));
    return offset.error != 0;
}

int run_admin(const char *what, char **args, size_t count)
{
    struct kb_admin *admin;
    int64_t number = 0;
    int rc = 2;

    if (kb_admin_open(&net, &bootstrap, 1, &admin, &err) != KBP_OK)
        return failed("admin");
    if (strcmp(what, "configs") == 0)
        rc = show_configs(admin, (const char *const *)args, count);
    else if (strcmp(what, "create") == 0 && count >= 3)
        rc = create(admin, args, count);
    else if (strcmp(what, "groups") == 0)
        rc = show_groups(admin);
    else if (strcmp(what, "commit") == 0 && count >= 4)
        rc = commit(admin, args, count);
    else if (strcmp(what, "delete") == 0)
        rc = kb_admin_delete_topics(admin, (const char *const *)args, count,
                                    &err);
    else if (strcmp(what, "partitions") == 0 && count == 2 &&
             kb_parse_i64(args[1], &number))
        rc = kb_admin_create_partitions(admin, args[0], (int32_t)number, &err);
    else if (strcmp(what, "truncate") == 0 && count == 2 &&
             kb_parse_i64(args[1], &number))
        rc = kb_admin_delete_records(admin, args[0], &number, 1, &err);
    if (rc < 0)
        rc = failed(what);
    kb_admin_close(admin);
    return rc;
}

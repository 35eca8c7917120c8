/* SPDX-License-Identifier: Apache-2.0 */
/* admin_wire.c - the answers of client_admin.c's calls as bytes. */
#include "kafka/admin_wire.h"

#include <stdlib.h>

#include "kafka/wire.h"

/* configs' sources: this one is set on the topic itself. */
#define SOURCE_DYNAMIC_TOPIC 1

int kb_init_producer_decode(const struct kb_answer *answer,
                            int32_t *throttle_ms, int16_t *error,
                            int64_t *producer_id, int16_t *epoch)
{
    struct kb_cursor c = kb_cursor_of(answer->body, answer->body_len);

    *throttle_ms = kb_get_i32(&c);
    *error = kb_get_i16(&c);
    *producer_id = kb_get_i64(&c);
    *epoch = kb_get_i16(&c);
    kb_skip_tags(&c, answer->version >= 2);
    return c.bad ? KBP_ERR_PROTOCOL : KBP_OK;
}

int kb_alter_configs_decode(const struct kb_answer *answer,
                            int32_t *throttle_ms, int16_t *error, char *message,
                            size_t size)
{
    struct kb_cursor c = kb_cursor_of(answer->body, answer->body_len);
    bool flex =
        answer->api == KB_API_INCREMENTAL_ALTER_CONFIGS && answer->version >= 1;
    size_t count;

    *throttle_ms = kb_get_i32(&c);
    count = kb_get_count(&c, flex, 5);
    *error = kb_get_i16(&c);
    (void)kb_wire_str_copy(kb_get_str(&c, flex), message, size);
    return c.bad || count != 1 ? KBP_ERR_PROTOCOL : KBP_OK;
}

void kb_own_configs_release(struct kb_own_configs *own)
{
    size_t i;

    for (i = 0; i < own->count; i++) {
        free(own->items[i].key);
        free(own->items[i].value);
        free(own->items[i].inherited);
    }
    free(own->items);
    own->items = NULL;
    own->count = 0;
}

/* A config's values by where they come from, the one in force first. */
static struct kb_wire_str get_inherited(struct kb_cursor *c)
{
    struct kb_wire_str inherited = {NULL, 0};
    size_t count = kb_get_count(c, false, 5);

    for (; count > 0 && !c->bad; count--) {
        struct kb_wire_str value;
        int8_t source;

        (void)kb_get_str(c, false);
        value = kb_get_str(c, false);
        source = kb_get_i8(c);
        if (source != SOURCE_DYNAMIC_TOPIC && !inherited.text)
            inherited = value;
    }
    return inherited;
}

/* One config: kept if it is the topic's own. False: out of memory. */
static bool get_config(struct kb_cursor *c, int16_t version,
                       struct kb_own_configs *own)
{
    struct kb_wire_str key = kb_get_str(c, false);
    struct kb_wire_str value = kb_get_str(c, false);
    bool read_only = kb_get_i8(c) != 0;
    int8_t source = kb_get_i8(c);
    struct kb_wire_str inherited;
    size_t at = own->count;

    (void)kb_get_i8(c); /* sensitive: topics have none */
    inherited = get_inherited(c);
    if (version >= 3) {
        (void)kb_get_i8(c);         /* type */
        (void)kb_get_str(c, false); /* documentation */
    }
    if (c->bad || read_only || source != SOURCE_DYNAMIC_TOPIC || !key.text)
        return true;
    own->count++;
    own->items[at].key = kb_wire_str_dup(key);
    own->items[at].value = kb_wire_str_dup(value);
    own->items[at].inherited = kb_wire_str_dup(inherited);
    return own->items[at].key && (!value.text || own->items[at].value) &&
           (!inherited.text || own->items[at].inherited);
}

int kb_describe_configs_decode(const struct kb_answer *answer,
                               int32_t *throttle_ms, int16_t *error,
                               char *message, size_t size,
                               struct kb_own_configs *own)
{
    struct kb_cursor c = kb_cursor_of(answer->body, answer->body_len);
    struct kb_own_configs got = {NULL, 0};
    bool enough = true;
    size_t results;
    size_t count;

    *throttle_ms = kb_get_i32(&c);
    results = kb_get_count(&c, false, 11);
    *error = kb_get_i16(&c);
    (void)kb_wire_str_copy(kb_get_str(&c, false), message, size);
    (void)kb_get_i8(&c);
    (void)kb_get_str(&c, false);
    count = kb_get_count(&c, false, 11);
    got.items = calloc(count + 1, sizeof *got.items);
    if (!got.items)
        return KBP_ERR_NOMEM;
    for (; count > 0 && !c.bad && enough; count--)
        enough = get_config(&c, answer->version, &got);
    if (!enough || c.bad || results != 1) {
        kb_own_configs_release(&got);
        return enough ? KBP_ERR_PROTOCOL : KBP_ERR_NOMEM;
    }
    kb_own_configs_release(own);
    *own = got;
    return KBP_OK;
}

static void get_producer(struct kb_cursor *c, struct kb_producer_state *state)
{
    state->producer_id = kb_get_i64(c);
    state->epoch = kb_get_i32(c);
    state->last_sequence = kb_get_i32(c);
    state->last_timestamp = kb_get_i64(c);
    (void)kb_get_i32(c); /* the coordinator's epoch */
    state->txn_start_offset = kb_get_i64(c);
    kb_skip_tags(c, true);
}

int kb_describe_producers_decode(const struct kb_answer *answer,
                                 int32_t *throttle_ms, int16_t *error,
                                 char *message, size_t size,
                                 struct kb_producer_state **states,
                                 size_t *count)
{
    struct kb_cursor c = kb_cursor_of(answer->body, answer->body_len);
    struct kb_producer_state *got;
    size_t topics;
    size_t partitions;
    size_t n;
    size_t i;

    *throttle_ms = kb_get_i32(&c);
    topics = kb_get_count(&c, true, 3);
    (void)kb_get_str(&c, true);
    partitions = kb_get_count(&c, true, 9);
    (void)kb_get_i32(&c);
    *error = kb_get_i16(&c);
    (void)kb_wire_str_copy(kb_get_str(&c, true), message, size);
    n = kb_get_count(&c, true, 37);
    got = calloc(n + 1, sizeof *got);
    if (!got)
        return KBP_ERR_NOMEM;
    for (i = 0; i < n && !c.bad; i++)
        get_producer(&c, &got[i]);
    if (c.bad || topics != 1 || partitions != 1) {
        free(got);
        return KBP_ERR_PROTOCOL;
    }
    *states = got;
    *count = n;
    return KBP_OK;
}

/* Before version 4 there is no state; without members it is Empty or Dead. */
static bool get_group(struct kb_cursor *c, int16_t version,
                      struct kb_listed_group *group)
{
    bool flex = version >= 3;
    struct kb_wire_str name = kb_get_str(c, flex);
    struct kb_wire_str state = {NULL, 0};

    group->name = kb_wire_str_dup(name);
    c->bad = c->bad || !name.text;
    (void)kb_get_str(c, flex); /* the protocol's type */
    if (version >= 4)
        state = kb_get_str(c, flex);
    group->live = state.len > 0 && !kb_wire_str_is(state, "Empty") &&
                  !kb_wire_str_is(state, "Dead") &&
                  !kb_wire_str_is(state, "Unknown");
    kb_skip_tags(c, flex);
    return group->name != NULL;
}

int kb_list_groups_decode(const struct kb_answer *answer, int32_t *throttle_ms,
                          int16_t *error, struct kb_group_list *list)
{
    struct kb_cursor c = kb_cursor_of(answer->body, answer->body_len);
    bool flex = answer->version >= 3;
    struct kb_group_list got = {NULL, 0};
    bool enough = true;
    size_t count;

    *throttle_ms = answer->version >= 1 ? kb_get_i32(&c) : 0;
    *error = kb_get_i16(&c);
    count = kb_get_count(&c, flex, flex ? 3 : 4);
    got.items = calloc(count + 1, sizeof *got.items);
    if (!got.items)
        return KBP_ERR_NOMEM;
    for (; count > 0 && !c.bad && enough; count--) {
        enough = get_group(&c, answer->version, &got.items[got.count]);
        got.count += enough;
    }
    kb_skip_tags(&c, flex);
    if (c.bad || !enough) {
        kb_groups_list_release(&got);
        return c.bad ? KBP_ERR_PROTOCOL : KBP_ERR_NOMEM;
    }
    *list = got;
    return KBP_OK;
}

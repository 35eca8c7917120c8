/* SPDX-License-Identifier: Apache-2.0 */
/* storage.c - objects in a store, through storage plugins. */
#include "plugin/storage.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "plugin/storage_internal.h"
#include "plugin/store_watch.h"

#define KEY_BYTES_MAX 1024u
#define PART_BYTES_MAX 255u

bool kb_key_ok(const char *key)
{
    size_t len = strlen(key);
    size_t part = 0;
    size_t i;

    if (len == 0 || len > KEY_BYTES_MAX || !kb_utf8_ok(key, len))
        return false;
    for (i = 0; i <= len; i++) {
        const char *from = key + i - part;

        if (key[i] != '/' && key[i] != '\0') {
            if ((unsigned char)key[i] < 0x20 || key[i] == 0x7f)
                return false;
            part++;
            continue;
        }
        if (part == 0 || part > PART_BYTES_MAX ||
            (part == 1 && from[0] == '.') ||
            (part == 2 && from[0] == '.' && from[1] == '.'))
            return false;
        part = 0;
    }
    return true;
}

int kb_store_check_key(const char *key, struct kbp_error *err)
{
    if (kb_key_ok(key))
        return KBP_OK;
    return kb_fail(err, KBP_ERR_MISUSE,
                   "\"%.200s\" can't be the key of an object", key);
}

static int32_t call_open(void *owner, struct kbp_error *err)
{
    struct kb_store *store = owner;

    return store->type->open(&store->instance.host.host,
                             &store->instance.settings.config, &store->handle,
                             err);
}

static void call_close(void *owner)
{
    struct kb_store *store = owner;

    store->type->close(store->handle);
}

static const struct kb_plugin_calls instance_calls = {call_open, call_close};

static int open_type(struct kb_registry *registry, const struct kb_type *type,
                     const struct kb_url *url, const struct kb_kv *kvs,
                     size_t count, const struct kb_store_limits *limits,
                     struct kb_store **store, struct kbp_error *err)
{
    static const struct kb_store_limits usual = KB_STORE_LIMITS_INIT;
    struct kb_store *opened = calloc(1, sizeof *opened);
    int status;

    if (!opened)
        return kb_fail_nomem(err, "a store");
    opened->type = &type->table.storage;
    opened->limits = limits ? *limits : usual;
    status = kb_instance_open(&opened->instance, registry, type, url, kvs,
                              count, NULL, &instance_calls, opened, err);
    if (status != KBP_OK) {
        free(opened);
        return status;
    }
    opened->info.struct_size = sizeof opened->info;
    status = opened->type->info(opened->handle, &opened->info, err);
    status = kb_host_result(&opened->instance.host, status, err);
    if (status != KBP_OK) {
        (void)kb_err_wrap(err, "storage %s", type->name);
        kb_store_close(opened);
        return status;
    }
    if (!limits && (opened->info.flags & KBP_STORAGE_LOCAL))
        opened->limits.retry_ms = KB_STORE_LOCAL_RETRY_MS;
    *store = opened;
    return KBP_OK;
}

int kb_store_open(struct kb_registry *registry, const char *name,
                  const struct kb_kv *kvs, size_t count,
                  const struct kb_store_limits *limits, struct kb_store **store,
                  struct kbp_error *err)
{
    const struct kb_type *type;
    int status = kb_registry_find(registry, KB_KIND_STORAGE, name, &type, err);

    if (status != KBP_OK)
        return status;
    return open_type(registry, type, NULL, kvs, count, limits, store, err);
}

int kb_store_open_url(struct kb_registry *registry, const char *url,
                      const struct kb_kv *kvs, size_t count,
                      const struct kb_store_limits *limits,
                      struct kb_store **store, struct kbp_error *err)
{
    const struct kb_type *type;
    struct kb_url parts;
    int status = kb_url_parse(url, &parts, err);

    if (status != KBP_OK)
        return status;
    status =
        kb_registry_find(registry, KB_KIND_STORAGE, parts.scheme, &type, err);
    if (status == KBP_OK)
        status =
            open_type(registry, type, &parts, kvs, count, limits, store, err);
    kb_url_release(&parts);
    return status;
}

void kb_store_close(struct kb_store *store)
{
    if (!store)
        return;
    kb_instance_close(&store->instance, &instance_calls, store);
    free(store);
}

const struct kbp_storage_info *kb_store_info(const struct kb_store *store)
{
    return &store->info;
}

const char *kb_store_name(const struct kb_store *store)
{
    return store->type->name;
}

static int32_t call_session_open(void *owner, struct kbp_error *err)
{
    struct kb_store_session *session = owner;
    struct kb_store *store = session->store;

    return store->type->session_open(store->handle, &session->host.host,
                                     &session->handle, err);
}

static void call_session_close(void *owner)
{
    struct kb_store_session *session = owner;

    session->store->type->session_close(session->handle);
}

static const struct kb_plugin_calls session_calls = {call_session_open,
                                                     call_session_close};

int kb_store_session_open(struct kb_store *store, struct kb_stop *stop,
                          struct kb_store_session **session,
                          struct kbp_error *err)
{
    struct kb_store_session *opened = calloc(1, sizeof *opened);
    int status;

    if (!opened)
        return kb_fail_nomem(err, "a storage session");
    opened->store = store;
    status = kb_instance_session_open(&store->instance, &opened->host, stop,
                                      &session_calls, opened, err);
    if (status != KBP_OK) {
        free(opened);
        return status;
    }
    *session = opened;
    return KBP_OK;
}

void kb_store_session_close(struct kb_store_session *session)
{
    if (!session)
        return;
    kb_instance_session_close(&session->host, &session_calls, session);
    free(session);
}

int32_t kb_object_note(void *data, const struct kbp_object *object)
{
    struct kb_object_info *info = data;

    info->size = object->size;
    info->modified_ms = object->modified_ms;
    info->etag[0] = '\0';
    if (object->etag && strlen(object->etag) < sizeof info->etag)
        memcpy(info->etag, object->etag, strlen(object->etag) + 1);
    return 0;
}

/* A sink in front of the caller's which counts, and puts the deadline off. */
struct counting {
    struct kbp_sink sink;
    struct kbp_sink *to;
    struct kb_store_session *session;
    uint64_t count;
    bool refused; /* the caller's sink failed: not the plugin's fault */
};

static int32_t counting_reserve(struct kbp_sink *sink, size_t min, size_t wish,
                                void **room, size_t *room_len)
{
    struct counting *self = sink->data;
    int32_t status = self->to->reserve(self->to, min, wish, room, room_len);

    if (status != KBP_OK)
        self->refused = true;
    return status;
}

static void counting_commit(struct kbp_sink *sink, size_t used)
{
    struct counting *self = sink->data;
    const struct kb_store *store = self->session->store;

    self->to->commit(self->to, used);
    self->count += used;
    sink->limit = self->to->limit;
    if (used > 0)
        kb_host_deadline(&self->session->host,
                         kb_deadline_ms(store->limits.call_ms));
}

int kb_store_get(struct kb_store_session *session, const char *key,
                 uint64_t offset, uint64_t len, const char *if_etag,
                 struct kbp_sink *sink, struct kb_object_info *info,
                 struct kbp_error *err)
{
    const struct kbp_storage_type *type = session->store->type;
    struct kb_object_info noted = {.modified_ms = -1};
    struct counting counting = {
        .sink = {.struct_size = sizeof counting.sink,
                 .data = &counting,
                 .limit = sink->limit,
                 .reserve = counting_reserve,
                 .commit = counting_commit},
        .to = sink,
        .session = session,
    };
    struct kbp_get_request request = {
        .struct_size = sizeof request,
        .key = key,
        .if_etag = if_etag,
        .offset = offset,
        .len = len,
    };
    struct kb_tries tries;
    char state[KB_ETAG_MAX]; /* of what came so far; `noted` is written to */
    int64_t began_ns = kb_now_ns();
    int status = kb_store_check_key(key, err);

    if (status != KBP_OK)
        return status;
    kb_tries_begin(&tries, session);
    for (;;) {
        uint64_t before = counting.count;

        kb_tries_next(&tries, err);
        status = type->get(session->handle, &request, kb_object_note, &noted,
                           &counting.sink, err);
        if (status == KBP_OK)
            break;
        if (counting.refused) {
            status = kb_host_result(&session->host, status, err);
            break;
        }
        if (counting.count > before)
            kb_tries_progress(&tries);
        status = kb_tries_failed(&tries, status, err);
        if (status != KBP_OK)
            break;
        /* What came is good; the rest must be of the same state. */
        request.offset = offset + counting.count;
        if (len != KBP_TO_END)
            request.len = len - counting.count;
        if (!request.if_etag && counting.count > 0 && *noted.etag) {
            memcpy(state, noted.etag, sizeof state);
            request.if_etag = state;
        }
    }
    if (status != KBP_OK)
        return kb_err_wrap(err, "storage %s: %s", type->name, key);
    kb_store_tell_got(key, counting.count, kb_now_ns() - began_ns);
    if (info)
        *info = noted;
    return KBP_OK;
}

/* A sink into memory of a fixed size. */
struct fixed {
    struct kbp_sink sink;
    uint8_t *at;
};

static int32_t fixed_reserve(struct kbp_sink *sink, size_t min, size_t wish,
                             void **room, size_t *room_len)
{
    struct fixed *self = sink->data;

    (void)wish;
    if (min > sink->limit)
        return KBP_ERR_LIMIT;
    *room = self->at;
    *room_len = (size_t)sink->limit;
    return KBP_OK;
}

static void fixed_commit(struct kbp_sink *sink, size_t used)
{
    struct fixed *self = sink->data;

    self->at += used;
    sink->limit -= used;
}

int kb_store_get_range(struct kb_store_session *session, const char *key,
                       uint64_t offset, void *to, size_t len,
                       struct kbp_error *err)
{
    struct fixed fixed = {
        .sink = {.struct_size = sizeof fixed.sink,
                 .data = &fixed,
                 .limit = len,
                 .reserve = fixed_reserve,
                 .commit = fixed_commit},
        .at = to,
    };
    int status =
        kb_store_get(session, key, offset, len, NULL, &fixed.sink, NULL, err);

    if (status != KBP_OK)
        return status;
    if (fixed.sink.limit > 0)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "storage %s: %s ends within bytes %llu to %llu",
                       session->store->type->name, key,
                       (unsigned long long)offset,
                       (unsigned long long)(offset + len));
    return KBP_OK;
}

int kb_store_get_all(struct kb_store_session *session, const char *key,
                     uint64_t limit, struct kb_buf *buf,
                     struct kb_object_info *info, struct kbp_error *err)
{
    struct kbp_sink sink = kb_buf_sink(buf, limit);
    int status =
        kb_store_get(session, key, 0, KBP_TO_END, NULL, &sink, info, err);

    if (status == KBP_ERR_LIMIT)
        return kb_fail(
            err, KBP_ERR_LIMIT, "storage %s: %s has more than %llu bytes",
            session->store->type->name, key, (unsigned long long)limit);
    return status;
}

int kb_store_stat(struct kb_store_session *session, const char *key,
                  struct kb_object_info *info, struct kbp_error *err)
{
    const struct kbp_storage_type *type = session->store->type;
    struct kb_object_info noted = {.modified_ms = -1};
    struct kb_tries tries;
    int status = kb_store_check_key(key, err);

    if (status != KBP_OK)
        return status;
    kb_tries_begin(&tries, session);
    do {
        kb_tries_next(&tries, err);
        status = type->stat(session->handle, key, kb_object_note, &noted, err);
        if (status == KBP_OK) {
            *info = noted;
            return KBP_OK;
        }
        status = kb_tries_failed(&tries, status, err);
    } while (status == KBP_OK);
    return kb_err_wrap(err, "storage %s: %s", type->name, key);
}

/* What a listing has told, to go on there after a failure. */
struct listing {
    struct kb_store_session *session;
    kbp_object_fn fn;
    void *data;
    char *last;
    bool ended;
    bool failed; /* out of memory */
    bool progress;
};

static int32_t listing_object(void *data, const struct kbp_object *object)
{
    struct listing *listing = data;
    const struct kb_store *store = listing->session->store;
    char *key;

    if (listing->last && strcmp(object->key, listing->last) <= 0)
        return 0; /* told before the failure */
    key = kb_strdup(object->key);
    if (!key) {
        listing->failed = true;
        return 1;
    }
    free(listing->last);
    listing->last = key;
    listing->progress = true;
    kb_host_deadline(&listing->session->host,
                     kb_deadline_ms(store->limits.call_ms));
    if (listing->fn(listing->data, object) != 0)
        listing->ended = true;
    return listing->ended;
}

int kb_store_list(struct kb_store_session *session, const char *prefix,
                  const char *after, uint32_t flags, kbp_object_fn fn,
                  void *data, struct kbp_error *err)
{
    const struct kbp_storage_type *type = session->store->type;
    struct listing listing = {.session = session, .fn = fn, .data = data};
    struct kbp_list_request request = {
        .struct_size = sizeof request,
        .flags = flags,
        .prefix = prefix,
        .after = after,
    };
    struct kb_tries tries;
    char *from = NULL;
    int status;

    kb_tries_begin(&tries, session);
    for (;;) {
        kb_tries_next(&tries, err);
        listing.progress = false;
        status = type->list(session->handle, &request, listing_object, &listing,
                            err);
        if (listing.failed)
            status = kb_fail_nomem(err, "a key");
        else if (listing.ended)
            status = KBP_OK;
        if (status == KBP_OK || listing.failed)
            break;
        if (listing.progress)
            kb_tries_progress(&tries);
        status = kb_tries_failed(&tries, status, err);
        if (status != KBP_OK)
            break;
        /* The plugin reads it while `last` moves on: a copy. */
        free(from);
        from = listing.last ? kb_strdup(listing.last) : NULL;
        if (from)
            request.after = from;
        else if (listing.last) {
            status = kb_fail_nomem(err, "a key");
            break;
        }
    }
    free(from);
    free(listing.last);
    if (status != KBP_OK)
        return kb_err_wrap(err, "storage %s: list \"%s\"", type->name, prefix);
    return KBP_OK;
}

int kb_store_remove(struct kb_store_session *session, const char *key,
                    struct kbp_error *err)
{
    const struct kbp_storage_type *type = session->store->type;
    struct kb_tries tries;
    int status = kb_store_check_key(key, err);

    if (status != KBP_OK)
        return status;
    kb_tries_begin(&tries, session);
    do {
        kb_tries_next(&tries, err);
        status = type->remove(session->handle, key, err);
        if (status == KBP_OK)
            return KBP_OK;
        status = kb_tries_failed(&tries, status, err);
    } while (status == KBP_OK);
    return kb_err_wrap(err, "storage %s: %s", type->name, key);
}

int kb_store_sweep(struct kb_store_session *session, const char *prefix,
                   uint64_t age_ms, uint64_t *removed, struct kbp_error *err)
{
    const struct kbp_storage_type *type = session->store->type;
    struct kb_tries tries;
    uint64_t total = 0;
    int status = KBP_OK;

    kb_tries_begin(&tries, session);
    while (type->sweep) {
        uint64_t count = 0;

        kb_tries_next(&tries, err);
        status = type->sweep(session->handle, prefix, age_ms, &count, err);
        if (status == KBP_OK) {
            total += count;
            break;
        }
        status = kb_tries_failed(&tries, status, err);
        if (status != KBP_OK)
            return kb_err_wrap(err, "storage %s: sweep \"%s\"", type->name,
                               prefix);
    }
    *removed = total;
    return KBP_OK;
}

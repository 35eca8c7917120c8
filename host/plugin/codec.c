/* SPDX-License-Identifier: Apache-2.0 */
/* codec.c - compress and decompress through codec plugins. */
#include "plugin/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "base/stop.h"
#include "plugin/instance.h"

struct kb_codec {
    struct kb_instance instance;
    const struct kbp_codec_type *type;
    struct kbp_codec *handle;
};

struct kb_codec_session {
    struct kb_codec *codec;
    struct kb_host host;
    struct kbp_codec_session *handle;
};

static int32_t call_open(void *owner, struct kbp_error *err)
{
    struct kb_codec *codec = owner;

    return codec->type->open(&codec->instance.host.host,
                             &codec->instance.settings.config, &codec->handle,
                             err);
}

static void call_close(void *owner)
{
    struct kb_codec *codec = owner;

    codec->type->close(codec->handle);
}

static const struct kb_plugin_calls instance_calls = {call_open, call_close};

static int open_type(struct kb_registry *registry, const struct kb_type *type,
                     const struct kb_kv *kvs, size_t count,
                     struct kb_stop *stop, struct kb_codec **codec,
                     struct kbp_error *err)
{
    struct kb_codec *opened = calloc(1, sizeof *opened);
    int status;

    if (!opened)
        return kb_fail_nomem(err, "a codec");
    opened->type = &type->table.codec;
    status = kb_instance_open(&opened->instance, registry, type, NULL, kvs,
                              count, stop, &instance_calls, opened, err);
    if (status != KBP_OK) {
        free(opened);
        return status;
    }
    *codec = opened;
    return KBP_OK;
}

int kb_codec_open(struct kb_registry *registry, const char *name,
                  const struct kb_kv *kvs, size_t count, struct kb_stop *stop,
                  struct kb_codec **codec, struct kbp_error *err)
{
    const struct kb_type *type;
    int status = kb_registry_find(registry, KB_KIND_CODEC, name, &type, err);

    if (status != KBP_OK)
        return status;
    return open_type(registry, type, kvs, count, stop, codec, err);
}

void kb_codec_close(struct kb_codec *codec)
{
    if (!codec)
        return;
    kb_instance_close(&codec->instance, &instance_calls, codec);
    free(codec);
}

const struct kbp_codec_type *kb_codec_type(const struct kb_codec *codec)
{
    return codec->type;
}

static int32_t call_session_open(void *owner, struct kbp_error *err)
{
    struct kb_codec_session *session = owner;
    struct kb_codec *codec = session->codec;

    return codec->type->session_open(codec->handle, &session->host.host,
                                     &session->handle, err);
}

static void call_session_close(void *owner)
{
    struct kb_codec_session *session = owner;

    session->codec->type->session_close(session->handle);
}

static const struct kb_plugin_calls session_calls = {call_session_open,
                                                     call_session_close};

int kb_codec_session_open(struct kb_codec *codec,
                          struct kb_codec_session **session,
                          struct kbp_error *err)
{
    struct kb_codec_session *opened = calloc(1, sizeof *opened);
    int status;

    if (!opened)
        return kb_fail_nomem(err, "a codec session");
    opened->codec = codec;
    status = kb_instance_session_open(&codec->instance, &opened->host,
                                      codec->instance.host.stop, &session_calls,
                                      opened, err);
    if (status != KBP_OK) {
        free(opened);
        return status;
    }
    *session = opened;
    return KBP_OK;
}

void kb_codec_session_close(struct kb_codec_session *session)
{
    if (!session)
        return;
    kb_instance_session_close(&session->host, &session_calls, session);
    free(session);
}

static int finish(struct kb_codec_session *session, int32_t status,
                  struct kbp_error *err)
{
    int result = kb_host_result(&session->host, status, err);

    if (result != KBP_OK)
        (void)kb_err_wrap(err, "codec %s", session->codec->type->name);
    return result;
}

int kb_codec_compress(struct kb_codec_session *session, const void *in,
                      size_t in_len, struct kbp_sink *out,
                      struct kbp_error *err)
{
    const struct kbp_codec_type *type = session->codec->type;

    kb_err_clear(err);
    if (!type->compress)
        return kb_fail(err, KBP_ERR_UNSUPPORTED, "codec %s can only decompress",
                       type->name);
    return finish(session,
                  type->compress(session->handle, in, in_len, out, err), err);
}

int kb_codec_decompress(struct kb_codec_session *session, const void *in,
                        size_t in_len, struct kbp_sink *out,
                        struct kbp_error *err)
{
    const struct kbp_codec_type *type = session->codec->type;
    uint64_t limit = out->limit;
    int32_t status;

    kb_err_clear(err);
    status = type->decompress(session->handle, in, in_len, out, err);
    if (status == KBP_ERR_LIMIT && !*err->message)
        (void)kb_fail(err, KBP_ERR_LIMIT,
                      "%zu bytes of input would decompress to more than the "
                      "%llu bytes allowed",
                      in_len, (unsigned long long)limit);
    return finish(session, status, err);
}

void kb_codec_set_init(struct kb_codec_set *set, struct kb_registry *registry,
                       struct kb_stop *stop)
{
    memset(set, 0, sizeof *set);
    set->registry = registry;
    set->stop = stop;
    (void)pthread_mutex_init(&set->lock, NULL);
    (void)pthread_mutex_init(&set->large, NULL);
}

void kb_codec_set_release(struct kb_codec_set *set)
{
    size_t i;

    if (!set->registry)
        return;
    for (i = 0; i < set->count; i++)
        kb_codec_close(set->codecs[i]);
    free(set->codecs);
    (void)pthread_mutex_destroy(&set->lock);
    (void)pthread_mutex_destroy(&set->large);
    memset(set, 0, sizeof *set);
}

/* With the lock held: the open codec of that type, or one opened now. */
static int set_codec(struct kb_codec_set *set, const struct kb_type *type,
                     struct kb_codec **codec, struct kbp_error *err)
{
    struct kb_codec **more;
    size_t i;
    int status;

    for (i = 0; i < set->count; i++)
        if (set->codecs[i]->instance.type == type) {
            *codec = set->codecs[i];
            return KBP_OK;
        }
    more = realloc(set->codecs, (set->count + 1) * sizeof *more);
    if (!more)
        return kb_fail_nomem(err, "codecs");
    set->codecs = more;
    status = open_type(set->registry, type, NULL, 0, set->stop,
                       &more[set->count], err);
    if (status == KBP_OK)
        *codec = more[set->count++];
    return status;
}

int kb_codec_set_kafka(struct kb_codec_set *set, int kafka_id,
                       struct kb_codec **codec, struct kbp_error *err)
{
    const size_t known = sizeof set->by_kafka_id / sizeof *set->by_kafka_id;
    const struct kb_type *type;
    struct kb_codec *found = NULL;
    int status = KBP_OK;

    (void)pthread_mutex_lock(&set->lock);
    if (kafka_id >= 0 && (size_t)kafka_id < known)
        found = set->by_kafka_id[kafka_id];
    if (!found) {
        status =
            kb_registry_find_kafka_codec(set->registry, kafka_id, &type, err);
        if (status == KBP_OK)
            status = set_codec(set, type, &found, err);
        if (status == KBP_OK)
            set->by_kafka_id[kafka_id] = found;
    }
    (void)pthread_mutex_unlock(&set->lock);
    if (status == KBP_OK)
        *codec = found;
    return status;
}

int kb_codec_set_named(struct kb_codec_set *set, const char *name,
                       struct kb_codec **codec, struct kbp_error *err)
{
    const struct kb_type *type;
    struct kb_codec *found;
    int status =
        kb_registry_find(set->registry, KB_KIND_CODEC, name, &type, err);

    if (status != KBP_OK)
        return status;
    (void)pthread_mutex_lock(&set->lock);
    status = set_codec(set, type, &found, err);
    (void)pthread_mutex_unlock(&set->lock);
    if (status == KBP_OK)
        *codec = found;
    return status;
}

void kb_codec_worker_init(struct kb_codec_worker *worker,
                          struct kb_codec_set *set)
{
    memset(worker, 0, sizeof *worker);
    worker->set = set;
}

void kb_codec_worker_bound(struct kb_codec_worker *worker,
                           struct kb_budget *budget)
{
    worker->budget = budget;
    worker->plain_limit =
        budget->limit > KB_PLAIN_AT_LEAST ? budget->limit : KB_PLAIN_AT_LEAST;
}

void kb_codec_worker_release(struct kb_codec_worker *worker)
{
    size_t i;

    for (i = 0; i < worker->count; i++)
        kb_codec_session_close(worker->sessions[i]);
    free(worker->sessions);
    worker->sessions = NULL;
    worker->count = 0;
}

static int worker_session(struct kb_codec_worker *worker,
                          struct kb_codec *codec,
                          struct kb_codec_session **session,
                          struct kbp_error *err)
{
    struct kb_codec_session **more;
    size_t i;
    int status;

    for (i = 0; i < worker->count; i++)
        if (worker->sessions[i]->codec == codec) {
            *session = worker->sessions[i];
            return KBP_OK;
        }
    more = realloc(worker->sessions, (worker->count + 1) * sizeof *more);
    if (!more)
        return kb_fail_nomem(err, "codec sessions");
    worker->sessions = more;
    status = kb_codec_session_open(codec, &more[worker->count], err);
    if (status == KBP_OK)
        *session = more[worker->count++];
    return status;
}

int kb_codec_worker_kafka(struct kb_codec_worker *worker, int kafka_id,
                          struct kb_codec_session **session,
                          struct kbp_error *err)
{
    struct kb_codec *codec;
    size_t i;
    int status;

    for (i = 0; i < worker->count; i++)
        if (worker->sessions[i]->codec->type->kafka_id == kafka_id) {
            *session = worker->sessions[i];
            return KBP_OK;
        }
    status = kb_codec_set_kafka(worker->set, kafka_id, &codec, err);
    if (status != KBP_OK)
        return status;
    return worker_session(worker, codec, session, err);
}

int kb_codec_worker_named(struct kb_codec_worker *worker, const char *name,
                          struct kb_codec_session **session,
                          struct kbp_error *err)
{
    struct kb_codec *codec;
    size_t i;
    int status;

    for (i = 0; i < worker->count; i++)
        if (strcmp(worker->sessions[i]->codec->type->name, name) == 0) {
            *session = worker->sessions[i];
            return KBP_OK;
        }
    status = kb_codec_set_named(worker->set, name, &codec, err);
    if (status != KBP_OK)
        return status;
    return worker_session(worker, codec, session, err);
}

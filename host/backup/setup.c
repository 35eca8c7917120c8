/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup.c - open what a run needs: codec, cluster, store, lease, manifest.
 *
 * In the order in which an error is cheapest: a missing plugin is said before
 * anything is dialled, a wrong address before the lease is taken.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "backup/engine.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/store.h"

/* An answer has at most this part of the budget: two are on their way for
   each leader, and what came is still to be stored. */
#define ANSWER_PART 12u
#define ANSWER_MIN ((uint64_t)1 << 20)
#define ANSWER_MAX ((uint64_t)16 << 20)
#define TAIL_MAX ((uint64_t)4 << 20)

/* Compressed batches pass in frames of up to this. */
#define PASS_BYTES ((size_t)4 << 20)

static struct kb_kv *plugin_values(const struct kb_raw_settings *settings,
                                   size_t room)
{
    struct kb_kv *kvs = calloc(settings->count + room + 1, sizeof *kvs);
    size_t i;

    for (i = 0; kvs && i < settings->count; i++) {
        kvs[i].name = settings->items[i].name;
        kvs[i].value = settings->items[i].value.text;
    }
    return kvs;
}

/*
 * The reference's `lz4` is one block behind its size; Kafka's frames of that
 * name are not for segments.  The reference gives its level to zstd only.
 */
static const char *segment_codec(const char *compression)
{
    return strcmp(compression, "lz4") == 0 ? "lz4-block" : compression;
}

static int open_codec(struct kb_engine *engine, struct kbp_error *err)
{
    const struct kb_backup_settings *backup = &engine->config->backup;
    const struct kb_raw_settings *options = &backup->compression_options;
    const char *name = segment_codec(backup->compression);
    bool leveled = name == backup->compression;
    size_t count = options->count;
    const struct kb_type *type;
    struct kb_kv *kvs;
    char level[32];
    uint32_t i;
    int rc;

    kb_codec_set_init(&engine->codecs, engine->registry, &engine->abort);
    if (strcmp(backup->compression, "none") == 0)
        return KBP_OK;
    rc = kb_registry_find(engine->registry, KB_KIND_CODEC, name, &type, err);
    if (rc != KBP_OK)
        return kb_err_wrap(err, "backup.compression");
    kvs = plugin_values(options, 1);
    if (!kvs)
        return kb_fail_nomem(err, "the codec's settings");
    (void)snprintf(level, sizeof level, "%lld",
                   (long long)backup->compression_level);
    for (i = 0; leveled && i < type->options.count; i++) {
        struct kbp_option option;

        kb_option_at(&type->options, i, &option);
        if (strcmp(option.name, "level") == 0 &&
            !kb_setting_value(options, "level"))
            kvs[count++] = (struct kb_kv){"level", level};
    }
    rc = kb_codec_open(engine->registry, name, kvs, count, &engine->abort,
                       &engine->codec, err);
    free(kvs);
    if (rc == KBP_OK && kb_codec_type(engine->codec)->segment_id < 0)
        rc = kb_fail(err, KBP_ERR_CONFIG,
                     "codec %s is not for segments; zstd, lz4 and none are",
                     name);
    return rc == KBP_OK ? KBP_OK : kb_err_wrap(err, "backup.compression");
}

static int open_store(struct kb_engine *engine, struct kbp_error *err)
{
    int rc = kb_config_store_open(engine->registry, engine->config,
                                  &engine->store, err);

    if (rc != KBP_OK)
        return rc;
    if (strcmp(kb_store_name(engine->store), "memory") == 0)
        kb_warn("storage.backend memory is for tests: all of this backup is "
                "gone when the program ends");
    return kb_store_session_open(engine->store, &engine->abort,
                                 &engine->session, err);
}

static int open_cluster(struct kb_engine *engine, struct kbp_error *err)
{
    int rc = kb_cluster_open(&engine->cluster, &engine->config->source,
                             engine->registry, &engine->stop, err);

    engine->client = engine->cluster.client;
    if (rc == KBP_OK)
        rc = kb_engine_metadata(engine, true, err);
    if (rc == KBP_OK)
        rc = kb_cluster_open_admin(&engine->cluster, err);
    engine->admin = engine->cluster.admin;
    return rc == KBP_OK ? KBP_OK : kb_err_wrap(err, "source");
}

static int open_archive(struct kb_engine *engine, struct kbp_error *err)
{
    const char *id = engine->config->backup_id;
    int rc = kb_lease_take(&engine->lease, engine->store, id,
                           engine->config->storage.lease_ttl_ms, err);

    if (rc != KBP_OK)
        return rc;
    rc = kb_manifest_load(&engine->manifest, engine->session, id, err);
    if (rc == KBP_ERR_NOT_FOUND) {
        kb_err_clear(err);
        rc = kb_manifest_new(&engine->manifest, id, err);
    }
    return rc == KBP_OK ? KBP_OK : kb_err_wrap(err, "backup %s", id);
}

/* From here on there is a backup. */
static int begin_run(struct kb_engine *engine, struct kbp_error *err)
{
    int rc = kb_committer_begin(&engine->committer, engine->session,
                                engine->manifest, engine->lease, 0, err);

    if (rc != KBP_OK)
        return kb_err_wrap(err, "backup %s", engine->config->backup_id);
    engine->began = true;
    engine->cluster_known = engine->manifest->cluster_id != NULL;
    engine->report->run = kb_strdup(kb_committer_run(&engine->committer));
    return KBP_OK;
}

static void emit(void *data, struct kb_parcel *parcel)
{
    struct kb_engine *engine = data;

    kb_pipe_push(&engine->pipe, parcel);
}

static void give_back(void *data, struct kb_part *part)
{
    struct kb_engine *engine = data;

    (void)pthread_mutex_lock(&engine->back_lock);
    kb_parts_push(&engine->back, part);
    (void)pthread_cond_signal(&engine->back_more);
    (void)pthread_mutex_unlock(&engine->back_lock);
}

/* Memory is short: what waits in small pieces goes to the store. */
static void relieve(void *data)
{
    struct kb_engine *engine = data;
    struct kbp_error err = KB_ERR_INIT;
    size_t i;

    if (atomic_load(&engine->collector.pending) < engine->budget.limit / 8)
        return;
    (void)pthread_mutex_lock(&engine->parts_lock);
    for (i = 0; i < engine->part_count; i++)
        if (kb_collect_flush(&engine->collector, engine->parts[i], &err) !=
            KBP_OK) {
            kb_pipe_fail(&engine->pipe, &err);
            break;
        }
    (void)pthread_mutex_unlock(&engine->parts_lock);
}

static int start_pipe(struct kb_engine *engine, struct kbp_error *err)
{
    const struct kb_backup_settings *backup = &engine->config->backup;
    struct kb_pipe_settings set = {
        .store = engine->store,
        .backup_id = engine->config->backup_id,
        .codec = engine->codec,
        .segment_max_bytes = backup->segment_max_bytes,
        .segment_max_records = backup->segment_max_records,
        .encoders = backup->encoder_threads > 0
                        ? (unsigned)backup->encoder_threads
                        : kb_cpu_count(),
        .writers =
            backup->store_threads > 0 ? (unsigned)backup->store_threads : 1,
        .budget = &engine->budget,
        .progress = engine->progress,
        .committer = &engine->committer,
        .abort = &engine->abort};
    uint64_t limit = engine->budget.limit / ANSWER_PART;

    if (limit > ANSWER_MAX)
        limit = ANSWER_MAX;
    if (backup->fetch_max_bytes && backup->fetch_max_bytes < limit)
        limit = backup->fetch_max_bytes;
    if (limit < ANSWER_MIN && !backup->fetch_max_bytes)
        limit = ANSWER_MIN;
    engine->collector = (struct kb_collector){
        .budget = &engine->budget,
        .frame_bytes = engine->codec ? backup->frame_bytes : PASS_BYTES,
        .uncommitted = backup->isolation_level == KB_ISOLATION_READ_UNCOMMITTED,
        .pass_bytes = PASS_BYTES,
        .emit = emit,
        .data = engine};
    engine->env = (struct kb_fetch_env){
        .client = engine->client,
        .budget = &engine->budget,
        .collector = &engine->collector,
        .codecs = &engine->codecs,
        .stop = &engine->stop,
        .records_rate = &engine->records_rate,
        .bytes_rate = &engine->bytes_rate,
        .progress = engine->progress,
        .isolation = backup->isolation_level == KB_ISOLATION_READ_UNCOMMITTED
                         ? KB_READ_UNCOMMITTED
                         : KB_READ_COMMITTED,
        .max_bytes = (int32_t)limit,
        .tail_max_bytes = (int32_t)(limit < TAIL_MAX ? limit : TAIL_MAX),
        .tail_wait_ms = (int32_t)backup->poll_interval_ms,
        .filled = (size_t)backup->max_concurrent_partitions,
        .give_back = give_back,
        .relieve = relieve,
        .data = engine};
    engine->pipe_started = true;
    return kb_pipe_start(&engine->pipe, &set, err);
}

/* Waits of the run end when the user asks for it, or the run itself does. */
static void *forward(void *data)
{
    struct kb_engine *engine = data;
    struct pollfd fds[2] = {{.fd = engine->user_stop->fd, .events = POLLIN},
                            {.fd = engine->stop.fd, .events = POLLIN}};

    while (!kb_stop_requested(engine->user_stop) &&
           !kb_stop_requested(&engine->stop))
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
    if (!kb_stop_requested(&engine->stop))
        kb_stop_request(&engine->stop);
    return NULL;
}

int kb_engine_open(struct kb_engine *engine, struct kbp_error *err)
{
    const struct kb_backup_settings *backup = &engine->config->backup;
    int rc;

    engine->stop.fd = -1;
    engine->abort.fd = -1;
    engine->last_topic = &engine->topics;
    (void)pthread_mutex_init(&engine->parts_lock, NULL);
    (void)pthread_mutex_init(&engine->back_lock, NULL);
    {
        pthread_condattr_t attr;

        (void)pthread_condattr_init(&attr);
        (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&engine->back_more, &attr);
        (void)pthread_condattr_destroy(&attr);
    }
    kb_budget_init(&engine->budget, engine->config->memory_limit,
                   &engine->stop);
    kb_rate_init(&engine->records_rate, backup->rate_limit_records_per_sec);
    kb_rate_init(&engine->bytes_rate, backup->rate_limit_bytes_per_sec);
    engine->locks = true;
    rc = kb_stop_init(&engine->stop, err);
    if (rc == KBP_OK)
        rc = kb_stop_init(&engine->abort, err);
    if (rc == KBP_OK)
        rc = kb_backup_id_check(engine->config->backup_id, err);
    if (rc == KBP_OK)
        rc = kb_thread_start(&engine->forwarder, "kb-stop", forward, engine,
                             err);
    if (rc != KBP_OK)
        return rc;
    engine->forwards = true;
    rc = open_codec(engine, err);
    if (rc == KBP_OK)
        rc = open_store(engine, err);
    if (rc == KBP_OK)
        rc = open_cluster(engine, err);
    if (rc == KBP_OK)
        rc = open_archive(engine, err);
    if (rc == KBP_OK)
        rc = kb_plan_check(engine, err);
    if (rc == KBP_OK)
        rc = begin_run(engine, err);
    if (rc == KBP_OK)
        rc = start_pipe(engine, err);
    return rc;
}

void kb_engine_close(struct kb_engine *engine)
{
    struct kb_source_topic *topic;
    size_t i;

    kb_stop_request(&engine->stop);
    if (engine->forwards)
        (void)pthread_join(engine->forwarder, NULL);
    for (i = 0; i < engine->fetcher_count; i++)
        kb_fetcher_join(engine->fetchers[i]);
    free(engine->fetchers);
    while ((topic = engine->topics) != NULL) {
        engine->topics = topic->next;
        kb_source_topic_free(topic);
    }
    free(engine->parts);
    kb_codec_close(engine->codec);
    if (engine->codecs.registry)
        kb_codec_set_release(&engine->codecs);
    kb_metadata_free(engine->metadata);
    kb_cluster_close(&engine->cluster);
    kb_lease_free(engine->lease);
    kb_manifest_free(engine->manifest);
    kb_store_session_close(engine->session);
    kb_store_close(engine->store);
    if (engine->locks) {
        (void)pthread_mutex_destroy(&engine->parts_lock);
        (void)pthread_mutex_destroy(&engine->back_lock);
        (void)pthread_cond_destroy(&engine->back_more);
        kb_rate_release(&engine->records_rate);
        kb_rate_release(&engine->bytes_rate);
        kb_budget_release(&engine->budget);
    }
    kb_stop_release(&engine->stop);
    kb_stop_release(&engine->abort);
    kb_block_trim();
}

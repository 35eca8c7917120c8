/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec.h - compress and decompress through codec plugins.
 *
 * An instance (struct kb_codec) is shared by threads; each thread that works
 * opens a session of its own.  A kb_codec_set opens instances when they are
 * first needed; a kb_codec_worker holds one thread's sessions of a set.
 */
#ifndef KB_PLUGIN_CODEC_H
#define KB_PLUGIN_CODEC_H

#include "plugin/registry.h"
#include "plugin/settings.h"

struct kb_budget; /* base/budget.h */
struct kb_stop;
struct kb_codec;
struct kb_codec_session;

/*
 * Open the codec `name` ("zstd") with settings like {"level", "3"}.  `stop`
 * (may be NULL) cancels its sessions; it and the registry outlive the codec.
 * [any thread]
 */
int kb_codec_open(struct kb_registry *registry, const char *name,
                  const struct kb_kv *kvs, size_t count, struct kb_stop *stop,
                  struct kb_codec **codec, struct kbp_error *err);

/* All its sessions are closed.  NULL is fine.  [any thread] */
void kb_codec_close(struct kb_codec *codec);

/* Name, ids, suffix (may be NULL).  Constant.  [any thread] */
const struct kbp_codec_type *kb_codec_type(const struct kb_codec *codec);

/* [any thread]; from then on a session is one thread's at a time. */
int kb_codec_session_open(struct kb_codec *codec,
                          struct kb_codec_session **session,
                          struct kbp_error *err);
void kb_codec_session_close(struct kb_codec_session *session); /* or NULL */

/*
 * Append the compressed form to `out`.  KBP_ERR_UNSUPPORTED if the codec only
 * reads.  What `out` got before a failure is worthless.  [the session's]
 */
int kb_codec_compress(struct kb_codec_session *session, const void *in,
                      size_t in_len, struct kbp_sink *out,
                      struct kbp_error *err);

/*
 * The reverse.  `in` may be hostile; out->limit bounds what comes, and more
 * is KBP_ERR_LIMIT; damage is KBP_ERR_CORRUPT.  [the session's]
 */
int kb_codec_decompress(struct kb_codec_session *session, const void *in,
                        size_t in_len, struct kbp_sink *out,
                        struct kbp_error *err);

/* Codecs that are opened, with default settings, when they are needed. */
struct kb_codec_set {
    struct kb_registry *registry;
    struct kb_stop *stop;
    pthread_mutex_t lock;
    struct kb_codec **codecs;
    size_t count;
    struct kb_codec *by_kafka_id[8]; /* of `codecs`, or NULL */
    pthread_mutex_t large;           /* who has a large batch open holds it */
};

/* `registry` and `stop` (may be NULL) outlive it. */
void kb_codec_set_init(struct kb_codec_set *set, struct kb_registry *registry,
                       struct kb_stop *stop);
void kb_codec_set_release(struct kb_codec_set *set);

/*
 * The codec of a record batch's attributes (0-4), or of a name.  It is the
 * set's, good until that is released.  [any thread]
 */
int kb_codec_set_kafka(struct kb_codec_set *set, int kafka_id,
                       struct kb_codec **codec, struct kbp_error *err);
int kb_codec_set_named(struct kb_codec_set *set, const char *name,
                       struct kb_codec **codec, struct kbp_error *err);

/* One thread's sessions of a set; zero but for `set` is a valid value. */
struct kb_codec_worker {
    struct kb_codec_set *set;
    struct kb_codec_session **sessions;
    size_t count;
    struct kb_budget *budget; /* plain records count there; NULL: nowhere */
    size_t plain_limit;       /* most that a batch may become; 0: INT32_MAX */
    bool has_large;           /* and so holds the set's `large` */
};

/* Batches that are smaller than this are opened under any memory_limit. */
#define KB_PLAIN_AT_LEAST ((size_t)64 << 20)

void kb_codec_worker_init(struct kb_codec_worker *worker,
                          struct kb_codec_set *set);
/*
 * A batch's records may be as large as the whole memory limit, if that is
 * KB_PLAIN_AT_LEAST or more: a small batch can claim to be gigabytes.  Of those
 * that take a good part of it, one at a time is open in all of a set's workers.
 */
void kb_codec_worker_bound(struct kb_codec_worker *worker,
                           struct kb_budget *budget);
void kb_codec_worker_release(struct kb_codec_worker *worker);

/* The worker's own session, opened when first asked for.  [one thread] */
int kb_codec_worker_kafka(struct kb_codec_worker *worker, int kafka_id,
                          struct kb_codec_session **session,
                          struct kbp_error *err);
int kb_codec_worker_named(struct kb_codec_worker *worker, const char *name,
                          struct kb_codec_session **session,
                          struct kbp_error *err);

#endif

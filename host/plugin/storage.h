/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storage.h - objects in a store, through storage plugins.
 *
 * An instance (struct kb_store) is shared; each thread that works opens a
 * session.  All calls of a session and its uploads come one at a time.
 *
 * A plugin tries once.  Here is what tries again: after a status that
 * kb_may_retry() a call is made again, with growing pauses, until `retry_ms`
 * have gone by without progress.  A get goes on where it was cut off, a listing
 * after the last key, an upload with the bytes that were not yet taken.  A
 * commit whose answer got lost is found out.  Everything ends early, with
 * KBP_ERR_CANCELLED, once the session's kb_stop is requested.
 */
#ifndef KB_PLUGIN_STORAGE_H
#define KB_PLUGIN_STORAGE_H

#include "base/buf.h"
#include "plugin/registry.h"
#include "plugin/settings.h"

struct kb_stop;
struct kb_store;
struct kb_store_session;
struct kb_upload;

struct kb_store_limits {
    int64_t call_ms;  /* the most one try may take without progress */
    int64_t retry_ms; /* how long to try again; 0: not at all */
};

#define KB_STORE_CALL_MS 120000
#define KB_STORE_RETRY_MS 300000
#define KB_STORE_LOCAL_RETRY_MS 10000 /* a disk doesn't get well again */
#define KB_STORE_LIMITS_INIT                \
    {                                       \
        KB_STORE_CALL_MS, KB_STORE_RETRY_MS \
    }

/*
 * Open the backend `name` ("filesystem", or a URL's scheme: "file") with
 * settings like {"path", "/backups"}.  `limits` NULL: the defaults.  The
 * registry outlives the store.  [any thread]
 */
int kb_store_open(struct kb_registry *registry, const char *name,
                  const struct kb_kv *kvs, size_t count,
                  const struct kb_store_limits *limits, struct kb_store **store,
                  struct kbp_error *err);

/* The same for "file:///backups" or "s3://bucket/prefix". */
int kb_store_open_url(struct kb_registry *registry, const char *url,
                      const struct kb_kv *kvs, size_t count,
                      const struct kb_store_limits *limits,
                      struct kb_store **store, struct kbp_error *err);

/* All its sessions are closed.  NULL is fine.  [any thread] */
void kb_store_close(struct kb_store *store);

/* What it can do (KBP_STORAGE_*).  Constant.  [any thread] */
const struct kbp_storage_info *kb_store_info(const struct kb_store *store);

/* The type's name: "filesystem".  Constant.  [any thread] */
const char *kb_store_name(const struct kb_store *store);

/* `stop` (may be NULL) outlives the session.  [any thread] */
int kb_store_session_open(struct kb_store *store, struct kb_stop *stop,
                          struct kb_store_session **session,
                          struct kbp_error *err);

/* All its uploads are closed.  NULL is fine.  [the session's] */
void kb_store_session_close(struct kb_store_session *session);

/* Whether `key` is one that a store takes (kafka-backup/storage.h). */
bool kb_key_ok(const char *key);

#define KB_ETAG_MAX 256

struct kb_object_info {
    uint64_t size;
    int64_t modified_ms;    /* -1: unknown */
    char etag[KB_ETAG_MAX]; /* "": unknown */
};

/*
 * A condition for what an upload replaces; zero for none.  KBP_ERR_UNSUPPORTED
 * where the store can't hold to it: ask kb_store_info()->flags.
 */
struct kb_condition {
    bool create;         /* KBP_ERR_EXISTS if there is one */
    const char *if_etag; /* KBP_ERR_CONFLICT unless it has this etag; or NULL */
};

/*
 * Stream an object into the store.  No reader sees it before the commit, and
 * all of it from then on.
 *
 *     open -> write ... -> commit -> close       close alone: give it up
 *
 * `size_hint` is KBP_SIZE_UNKNOWN where not even an estimate is known; `cond`
 * may be NULL.  [the session's]
 */
int kb_upload_open(struct kb_store_session *session, const char *key,
                   uint64_t size_hint, const struct kb_condition *cond,
                   struct kb_upload **upload, struct kbp_error *err);

/* After a failure it can only be closed. */
int kb_upload_write(struct kb_upload *upload, const void *bytes, size_t len,
                    struct kbp_error *err);

/* `info` may be NULL. */
int kb_upload_commit(struct kb_upload *upload, struct kb_object_info *info,
                     struct kbp_error *err);

/* NULL is fine. */
void kb_upload_close(struct kb_upload *upload);

/* Bytes written so far. */
uint64_t kb_upload_size(const struct kb_upload *upload);

/*
 * A small object in one call; `cond` and `info` may be NULL.  An upload whose
 * bytes got lost is begun anew, for as long as calls are made again.
 */
int kb_store_put(struct kb_store_session *session, const char *key,
                 const void *bytes, size_t len, const struct kb_condition *cond,
                 struct kb_object_info *info, struct kbp_error *err);

/*
 * Pass bytes from `offset` on, at most `len` (or KBP_TO_END), to `sink`; fewer
 * where the object ends before.  `if_etag` (or NULL): KBP_ERR_CONFLICT if it is
 * another state.  `info` may be NULL.
 */
int kb_store_get(struct kb_store_session *session, const char *key,
                 uint64_t offset, uint64_t len, const char *if_etag,
                 struct kbp_sink *sink, struct kb_object_info *info,
                 struct kbp_error *err);

/* Exactly `len` bytes to `to`; KBP_ERR_CORRUPT if the object ends before. */
int kb_store_get_range(struct kb_store_session *session, const char *key,
                       uint64_t offset, void *to, size_t len,
                       struct kbp_error *err);

/*
 * Append the whole object to `buf`; KBP_ERR_LIMIT if it has more than `limit`
 * bytes.  `info` may be NULL.
 */
int kb_store_get_all(struct kb_store_session *session, const char *key,
                     uint64_t limit, struct kb_buf *buf,
                     struct kb_object_info *info, struct kbp_error *err);

/* KBP_ERR_NOT_FOUND if there is none. */
int kb_store_stat(struct kb_store_session *session, const char *key,
                  struct kb_object_info *info, struct kbp_error *err);

/*
 * Tell `fn` of all objects whose keys begin with `prefix` and are greater than
 * `after` (or NULL), in byte order.  Non-zero from `fn` ends it, with KBP_OK.
 * `flags`: KBP_LIST_SHALLOW.  `fn` calls nothing of this session.
 */
int kb_store_list(struct kb_store_session *session, const char *prefix,
                  const char *after, uint32_t flags, kbp_object_fn fn,
                  void *data, struct kbp_error *err);

/* KBP_OK, too, if there is none. */
int kb_store_remove(struct kb_store_session *session, const char *key,
                    struct kbp_error *err);

/*
 * Copy within the store; through this process where the plugin can't.
 */
int kb_store_copy(struct kb_store_session *session, const char *from,
                  const char *to, struct kbp_error *err);

/*
 * Remove what crashed uploads left under `prefix` for longer than `age_ms`.
 * `*removed` is 0 where the plugin doesn't do that.
 */
int kb_store_sweep(struct kb_store_session *session, const char *prefix,
                   uint64_t age_ms, uint64_t *removed, struct kbp_error *err);

#endif

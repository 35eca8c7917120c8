/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.c - one writer per backup id, one process per restore.
 *
 * Clocks of two hosts may differ, so a lease that looks expired is watched for
 * a while before it is taken over: a holder that lives renews it meanwhile.
 * Only of a process on this very kernel and process namespace is it known at
 * once that it is gone.
 */
#include "archive/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "archive/json_text.h"
#include "archive/names.h"
#include "archive/process_id.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/str.h"
#include "base/thread.h"
#include "base/uuid.h"
#include "plugin/storage.h"

#define GIVE_BACK_MS 10000
#define MAX_LEASE 65536u /* bytes of the object */

/* How errors speak of what is leased. */
struct words {
    const char *what;
    const char *instead;
    const char *again;
};

static const struct words of_backup = {
    "backup id",
    "use another backup_id",
    "run the backup again: it goes on where the last commit ended",
};

static const struct words of_restore = {
    "the checkpoint",
    "use another restore.restore_id",
    "run the restore again: it finds out what landed, and goes on from there",
};

struct kb_lease {
    struct kb_store *store;
    struct kb_store_session *session; /* the thread's */
    struct kb_stop stop;
    bool have_stop;
    struct kb_stop hurry; /* while it is given back */
    pthread_t thread;
    bool have_thread;
    char *key;
    const struct words *words;
    char *name; /* the backup id, or the restore's prefix */
    int64_t ttl_ms;
    int64_t taken_ms;
    char token[KB_UUID_TEXT];
    struct kb_process_id self;
    char etag[KB_ETAG_MAX];
    _Atomic int64_t valid_until; /* of kb_now_ms() */
    atomic_bool lost;            /* somebody else has it */
    bool created;                /* there was none before */
    bool drop;                   /* remove it at the end */
};

/* What the object says. */
struct record {
    char token[KB_UUID_TEXT];
    struct kb_process_id who;
    int64_t taken_ms;
    int64_t renewed_ms;
    int64_t ttl_ms;
    bool released;
    char etag[KB_ETAG_MAX];
};

static int write_record(struct kb_lease *l, struct kb_store_session *session,
                        const struct kb_condition *cond, bool released,
                        struct kbp_error *err)
{
    struct kb_object_info object = {0};
    struct kb_buf out = KB_BUF_INIT;
    int64_t began = kb_now_ms();
    int rc;

    kb_buf_add_str(&out, "{\"format_version\":2,\n\"token\":");
    kb_json_text(&out, l->token);
    kb_buf_add_str(&out, ",\n\"host\":");
    kb_json_text(&out, l->self.host);
    kb_buf_printf(&out, ",\n\"pid\":%" PRId64 ",\n\"pid_started\":%" PRId64,
                  l->self.pid, l->self.started);
    kb_buf_add_str(&out, ",\n\"pid_namespace\":");
    kb_json_text(&out, l->self.space);
    kb_buf_add_str(&out, ",\n\"boot_id\":");
    kb_json_text(&out, l->self.boot);
    kb_buf_printf(&out,
                  ",\n\"taken_at\":%" PRId64 ",\n\"renewed_at\":%" PRId64
                  ",\n\"ttl_ms\":%" PRId64 ",\n\"released\":%s}\n",
                  l->taken_ms, kb_wall_ms(), l->ttl_ms,
                  released ? "true" : "false");
    if (out.failed)
        return kb_fail_nomem(err, "the lease");
    rc = kb_store_put(session, l->key, out.data, out.len, cond, &object, err);
    if (rc == KBP_ERR_UNSUPPORTED && cond) {
        kb_err_clear(err);
        rc = kb_store_put(session, l->key, out.data, out.len, NULL, &object,
                          err);
    }
    kb_buf_release(&out);
    if (rc != KBP_OK)
        return rc;
    memcpy(l->etag, object.etag, sizeof l->etag);
    /* Others may take it when ttl_ms are over: end well before. */
    atomic_store(&l->valid_until, began + l->ttl_ms - l->ttl_ms / 6);
    return KBP_OK;
}

static bool copy_text(const json_t *object, const char *key, char *out,
                      size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (!text || strlen(text) >= size)
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool parse_record(const json_t *root, struct record *r)
{
    r->who.pid = json_integer_value(json_object_get(root, "pid"));
    r->who.started = json_integer_value(json_object_get(root, "pid_started"));
    r->taken_ms = json_integer_value(json_object_get(root, "taken_at"));
    r->renewed_ms = json_integer_value(json_object_get(root, "renewed_at"));
    r->ttl_ms = json_integer_value(json_object_get(root, "ttl_ms"));
    r->released = json_is_true(json_object_get(root, "released"));
    return copy_text(root, "token", r->token, sizeof r->token) &&
           copy_text(root, "host", r->who.host, sizeof r->who.host) &&
           copy_text(root, "boot_id", r->who.boot, sizeof r->who.boot) &&
           copy_text(root, "pid_namespace", r->who.space,
                     sizeof r->who.space) &&
           r->ttl_ms > 0 && r->ttl_ms <= INT64_C(86400000) &&
           r->renewed_ms >= 0 && r->renewed_ms < INT64_MAX / 2;
}

static int read_record(struct kb_store_session *session, const char *key,
                       struct record *record, struct kbp_error *err)
{
    struct kb_object_info object;
    struct kb_buf bytes = KB_BUF_INIT;
    json_t *root;
    int rc;

    rc = kb_store_get_all(session, key, MAX_LEASE, &bytes, &object, err);
    if (rc != KBP_OK)
        return rc;
    *record = (struct record){0};
    root = json_loadb((const char *)bytes.data, bytes.len, 0, NULL);
    kb_buf_release(&bytes);
    if (!root || !parse_record(root, record)) {
        json_decref(root);
        (void)kb_fail(err, KBP_ERR_CORRUPT, "%s is no lease", key);
        kb_err_hint(err, "remove it if no other kafka-backup is at work on "
                         "this backup");
        return KBP_ERR_CORRUPT;
    }
    json_decref(root);
    memcpy(record->etag, object.etag, sizeof record->etag);
    return KBP_OK;
}

static bool is_expired(const struct record *r)
{
    return kb_wall_ms() - r->renewed_ms > r->ttl_ms;
}

static int in_use(const struct kb_lease *l, const struct record *r,
                  struct kbp_error *err)
{
    char since[KB_TIME_TEXT];
    char ago[32];
    int64_t left = r->renewed_ms + r->ttl_ms - kb_wall_ms();

    (void)kb_fail(err, KBP_ERR_EXISTS,
                  "%s %s is in use by process %" PRId64 " on host %s since %s",
                  l->words->what, l->name, r->who.pid, r->who.host,
                  kb_time_text(since, r->taken_ms));
    kb_err_hint(err,
                "wait for it to end, or %s; if that process is dead, its "
                "lease (%s) runs out in %s",
                l->words->instead, l->key,
                kb_duration_text(ago, left > 0 ? left : 0));
    return KBP_ERR_EXISTS;
}

/*
 * Whether the holder is gone: it gave the lease back, its process is no more,
 * or the time is up and nothing stirs.
 */
static int check_gone(struct kb_lease *l, const struct record *r,
                      struct kbp_error *err)
{
    struct record again;
    int64_t until;
    int rc;

    if (r->released)
        return KBP_OK;
    if (kb_process_is_gone(&r->who)) {
        kb_info("taking over the lease of process %" PRId64
                ", which is no more",
                r->who.pid);
        return KBP_OK;
    }
    if (!is_expired(r))
        return in_use(l, r, err);
    kb_info("the lease of process %" PRId64 " on host %s has run out; "
            "watching for %" PRId64 " ms whether it is renewed",
            r->who.pid, r->who.host, r->ttl_ms / 2);
    until = kb_deadline_ms(r->ttl_ms / 2);
    while (kb_left_ms(until) > 0) {
        int64_t step = r->ttl_ms / 8 + 1;

        if (step > kb_left_ms(until))
            step = kb_left_ms(until);
        if (kb_stop_sleep(&l->stop, step))
            return kb_fail_stopped(err);
        rc = read_record(l->session, l->key, &again, err);
        if (rc == KBP_ERR_NOT_FOUND)
            return KBP_OK;
        if (rc != KBP_OK)
            return rc;
        if (again.released)
            continue;
        if (strcmp(again.token, r->token) != 0 ||
            again.renewed_ms != r->renewed_ms)
            return in_use(l, &again, err);
    }
    return KBP_OK;
}

/* In a store without conditions: who wrote last has it. */
static int confirm(struct kb_lease *l, struct kbp_error *err)
{
    struct record record;
    uint32_t flags = kb_store_info(l->store)->flags;
    int rc;

    if ((flags & KBP_STORAGE_CREATE) && (flags & KBP_STORAGE_REPLACE))
        return KBP_OK;
    if (kb_stop_sleep(&l->stop, 1000))
        return kb_fail_stopped(err);
    rc = read_record(l->session, l->key, &record, err);
    if (rc != KBP_OK)
        return rc;
    return strcmp(record.token, l->token) == 0 ? KBP_OK
                                               : in_use(l, &record, err);
}

static int take(struct kb_lease *l, struct kbp_error *err)
{
    int tries;

    for (tries = 0; tries < 5; tries++) {
        struct kb_condition cond = {0};
        struct record held;
        int rc = read_record(l->session, l->key, &held, err);

        if (rc == KBP_ERR_NOT_FOUND) {
            kb_err_clear(err);
            cond.create = true;
        } else if (rc != KBP_OK) {
            return rc;
        } else {
            rc = check_gone(l, &held, err);
            if (rc != KBP_OK)
                return rc;
            cond.if_etag = held.etag[0] != '\0' ? held.etag : NULL;
        }
        l->taken_ms = kb_wall_ms();
        rc = write_record(l, l->session, &cond, false, err);
        if (rc == KBP_OK) {
            l->created = cond.create;
            return confirm(l, err);
        }
        if (rc != KBP_ERR_EXISTS && rc != KBP_ERR_CONFLICT)
            return rc;
        kb_err_clear(err); /* somebody was faster: look who */
    }
    return kb_fail(err, KBP_ERR_EXISTS,
                   "%s %s: several processes want it at once", l->words->what,
                   l->name);
}

/* One renewal. False: somebody else has it. */
static bool renew(struct kb_lease *l)
{
    struct kb_condition cond = {0};
    struct kbp_error err = KB_ERR_INIT;
    struct record held;
    int rc;

    if (l->etag[0] != '\0')
        cond.if_etag = l->etag;
    rc = cond.if_etag ? write_record(l, l->session, &cond, false, &err)
                      : KBP_ERR_CONFLICT;
    if (rc == KBP_OK || rc == KBP_ERR_CANCELLED)
        return true;
    if (rc != KBP_ERR_CONFLICT) {
        kb_log_err(KBP_LOG_WARN, "renewing the lease", &err);
        return true;
    }
    /* Somebody else's, or our own with an answer that got lost. */
    kb_err_clear(&err);
    rc = read_record(l->session, l->key, &held, &err);
    if (rc == KBP_ERR_NOT_FOUND ||
        (rc == KBP_OK && (strcmp(held.token, l->token) != 0 || held.released)))
        return false;
    if (rc == KBP_OK) {
        memcpy(l->etag, held.etag, sizeof l->etag);
        cond.if_etag = l->etag[0] != '\0' ? l->etag : NULL;
        rc = write_record(l, l->session, &cond, false, &err);
    }
    if (rc != KBP_OK && rc != KBP_ERR_CANCELLED)
        kb_log_err(KBP_LOG_WARN, "renewing the lease", &err);
    return true;
}

static void *run(void *data)
{
    struct kb_lease *l = data;
    int64_t pause = l->ttl_ms / 3;

    while (!kb_stop_sleep(&l->stop, pause)) {
        int64_t before = atomic_load(&l->valid_until);

        if (!renew(l)) {
            atomic_store(&l->lost, true);
            kb_error("somebody else took the lease %s: nothing more is "
                     "committed",
                     l->key);
            break;
        }
        /* After a failure sooner. */
        pause = atomic_load(&l->valid_until) != before ? l->ttl_ms / 3
                                                       : l->ttl_ms / 12;
    }
    return NULL;
}

static void free_lease(struct kb_lease *l)
{
    kb_store_session_close(l->session);
    if (l->have_stop)
        kb_stop_release(&l->stop);
    free(l->key);
    free(l->name);
    free(l);
}

/* `name` is the prefix of its key, too. */
static int take_lease(struct kb_lease **lease, struct kb_store *store,
                      const struct words *words, const char *name,
                      int64_t ttl_ms, struct kbp_error *err)
{
    struct kb_lease *l = calloc(1, sizeof *l);
    struct kb_uuid token;
    int rc;

    if (!l)
        return kb_fail_nomem(err, "the lease");
    l->words = words;
    l->store = store;
    l->ttl_ms = ttl_ms > 0 ? ttl_ms : KB_LEASE_TTL_MS;
    l->key = kb_key_lease(name);
    l->name = kb_strdup(name);
    rc = l->key && l->name ? kb_uuid_make(&token, err)
                           : kb_fail_nomem(err, "the lease");
    if (rc == KBP_OK) {
        kb_uuid_text(l->token, &token);
        kb_process_id_self(&l->self);
        rc = kb_stop_init(&l->stop, err);
        l->have_stop = rc == KBP_OK;
    }
    if (rc == KBP_OK)
        rc = kb_store_session_open(store, &l->stop, &l->session, err);
    if (rc == KBP_OK)
        rc = take(l, err);
    if (rc == KBP_OK) {
        rc = kb_thread_start(&l->thread, "lease", run, l, err);
        l->have_thread = rc == KBP_OK;
        if (rc != KBP_OK) {
            kb_lease_free(l);
            return rc;
        }
    }
    if (rc != KBP_OK) {
        free_lease(l);
        return rc;
    }
    *lease = l;
    return KBP_OK;
}

int kb_lease_take(struct kb_lease **lease, struct kb_store *store,
                  const char *backup_id, int64_t ttl_ms, struct kbp_error *err)
{
    const int rc = kb_backup_id_check(backup_id, err);

    return rc == KBP_OK
               ? take_lease(lease, store, &of_backup, backup_id, ttl_ms, err)
               : rc;
}

int kb_lease_take_restore(struct kb_lease **lease, struct kb_store *store,
                          const char *prefix, int64_t ttl_ms,
                          struct kbp_error *err)
{
    return take_lease(lease, store, &of_restore, prefix, ttl_ms, err);
}

int kb_lease_check(struct kb_lease *l, struct kbp_error *err)
{
    if (atomic_load(&l->lost))
        (void)kb_fail(err, KBP_ERR_CONFLICT,
                      "the lease %s was taken over by somebody else", l->key);
    else if (kb_left_ms(atomic_load(&l->valid_until)) == 0)
        (void)kb_fail(err, KBP_ERR_CONFLICT,
                      "the lease %s couldn't be renewed in time", l->key);
    else
        return KBP_OK;
    kb_err_hint(err, "%s", l->words->again);
    return KBP_ERR_CONFLICT;
}

int kb_lease_wait(struct kb_lease *l, struct kb_stop *stop, int64_t timeout_ms,
                  struct kbp_error *err)
{
    const int64_t deadline = kb_deadline_ms(timeout_ms);
    int rc = kb_lease_check(l, err);

    if (rc != KBP_OK && !atomic_load(&l->lost))
        kb_warn("the lease %s couldn't be renewed in time; waiting for the "
                "store",
                l->key);
    while (rc != KBP_OK && !atomic_load(&l->lost) && kb_left_ms(deadline) > 0 &&
           !kb_stop_sleep(stop, 100))
        rc = kb_lease_check(l, err);
    if (rc == KBP_OK)
        kb_err_clear(err);
    return rc;
}

/* Say in the store that nobody holds it any more. */
static void *give_back(void *data)
{
    struct kb_lease *l = data;
    struct kb_condition cond = {.if_etag = NULL};
    struct kb_store_session *session = NULL;
    struct kbp_error err = KB_ERR_INIT;
    struct record held;
    int rc = kb_store_session_open(l->store, &l->hurry, &session, &err);

    /* The renewal that was cut off may have been done. */
    if (rc == KBP_OK)
        rc = read_record(session, l->key, &held, &err);
    if (rc == KBP_OK && strcmp(held.token, l->token) == 0) {
        cond.if_etag = held.etag[0] != '\0' ? held.etag : NULL;
        /* It is ours for a while yet: nobody takes it over before it is gone.
         */
        if (l->drop && kb_lease_check(l, &err) == KBP_OK)
            rc = kb_store_remove(session, l->key, &err);
        else
            rc = write_record(l, session, &cond, true, &err);
    }
    if (rc != KBP_OK && rc != KBP_ERR_CONFLICT && rc != KBP_ERR_NOT_FOUND)
        kb_log_err(KBP_LOG_WARN, "giving the lease back", &err);
    kb_store_session_close(session);
    return NULL;
}

/*
 * The end of a program must not hang on a store that is away; and half of what
 * a lease lasts saves nobody much of a wait.
 */
static void give_back_soon(struct kb_lease *l)
{
    struct kbp_error ignored = KB_ERR_INIT;
    int64_t wait_ms =
        l->ttl_ms / 2 < GIVE_BACK_MS ? l->ttl_ms / 2 : GIVE_BACK_MS;
    struct timespec until;
    pthread_t thread;

    if (kb_stop_init(&l->hurry, &ignored) != KBP_OK)
        return;
    if (kb_thread_start(&thread, "lease-end", give_back, l, &ignored) ==
        KBP_OK) {
        /* By the wall's clock: ThreadSanitizer knows no other timed join. */
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += (time_t)(wait_ms / 1000);
        until.tv_nsec += (long)(wait_ms % 1000) * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        if (pthread_timedjoin_np(thread, NULL, &until) != 0) {
            kb_stop_request(&l->hurry);
            (void)pthread_join(thread, NULL);
        }
    }
    kb_stop_release(&l->hurry);
}

void kb_lease_free(struct kb_lease *l)
{
    struct kbp_error ignored = KB_ERR_INIT;

    if (!l)
        return;
    kb_stop_request(&l->stop);
    if (l->have_thread)
        (void)pthread_join(l->thread, NULL);
    if (kb_lease_check(l, &ignored) == KBP_OK)
        give_back_soon(l);
    free_lease(l);
}

void kb_lease_drop(struct kb_lease *l)
{
    if (l)
        l->drop = l->created;
    kb_lease_free(l);
}

int kb_lease_read(struct kb_store_session *store, const char *name,
                  struct kb_lease_holder *holder, struct kbp_error *err)
{
    char *key = kb_key_lease(name);
    struct record r;
    char *host;
    int rc =
        key ? read_record(store, key, &r, err) : kb_fail_nomem(err, "a key");

    free(key);
    if (rc == KBP_OK && r.released)
        rc = kb_fail(err, KBP_ERR_NOT_FOUND, "nobody holds the lease");
    if (rc != KBP_OK)
        return rc;
    host = kb_strdup(r.who.host);
    if (!host)
        return kb_fail_nomem(err, "the lease");
    *holder = (struct kb_lease_holder){.host = host,
                                       .pid = r.who.pid,
                                       .taken_ms = r.taken_ms,
                                       .renewed_ms = r.renewed_ms,
                                       .ttl_ms = r.ttl_ms,
                                       .expired = is_expired(&r) ||
                                                  kb_process_is_gone(&r.who)};
    return KBP_OK;
}

void kb_lease_holder_release(struct kb_lease_holder *holder)
{
    free(holder->host);
    *holder = (struct kb_lease_holder){0};
}

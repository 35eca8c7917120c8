/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.c - add entries to the manifest's log, and fold it.
 *
 * When to fold: what a fold costs is paid by the commits since the last one.
 * It happens when the log has as many bytes as a quarter of the folded part,
 * or an object for each 16 KiB of it, so that a commit's share doesn't depend
 * on how large the archive is.
 */
#include "archive/commit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/entry.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "plugin/storage.h"

#define FOLD_BYTES ((uint64_t)1 << 20) /* not for less */
#define FOLD_ENTRIES 256u
#define FOLD_BYTES_PER_ENTRY ((uint64_t)16 << 10)
#define SWEEP_AGE_MS UINT64_C(86400000)
#define KEEP_RUNS 1000u /* of those which completed, in the manifest */

static bool want_fold(const struct kb_manifest_log *log)
{
    if (log->log_bytes >= FOLD_BYTES && log->log_bytes >= log->folded_bytes / 4)
        return true;
    return log->log_count >= FOLD_ENTRIES &&
           log->log_count * FOLD_BYTES_PER_ENTRY >= log->folded_bytes;
}

/* Whether the object holds just these bytes: an earlier try of ours. */
static bool is_there(struct kb_store_session *store, const char *key,
                     const struct kb_buf *bytes)
{
    struct kbp_error ignored = KB_ERR_INIT;
    struct kb_buf have = KB_BUF_INIT;
    bool same = kb_store_get_all(store, key, bytes->len + 1, &have, NULL,
                                 &ignored) == KBP_OK &&
                have.len == bytes->len &&
                memcmp(have.data, bytes->data, have.len) == 0;

    kb_buf_release(&have);
    return same;
}

/* With the condition, if the store can hold to one. */
static int put_object(struct kb_store_session *store, const char *key,
                      const struct kb_buf *bytes,
                      const struct kb_condition *cond,
                      struct kb_object_info *object, struct kbp_error *err)
{
    int rc =
        kb_store_put(store, key, bytes->data, bytes->len, cond, object, err);

    if (rc != KBP_ERR_UNSUPPORTED || (!cond->create && !cond->if_etag))
        return rc;
    kb_err_clear(err);
    return kb_store_put(store, key, bytes->data, bytes->len, NULL, object, err);
}

static int put_entry(struct kb_committer *c, const struct kb_buf *bytes,
                     struct kbp_error *err)
{
    struct kb_condition create = {.create = true};
    char *key = kb_key_log(c->manifest->backup_id, &c->next);
    int rc;

    if (!key)
        return kb_fail_nomem(err, "a key");
    rc = put_object(c->store, key, bytes, &create, NULL, err);
    if (rc == KBP_ERR_EXISTS) {
        kb_err_clear(err);
        rc = is_there(c->store, key, bytes)
                 ? KBP_OK
                 : kb_fail(err, KBP_ERR_CONFLICT,
                           "somebody else wrote it: two writers have the "
                           "same run");
    }
    if (rc != KBP_OK)
        rc = kb_err_wrap(err, "%s", key);
    free(key);
    return rc;
}

/* Everything of a commit but the question whether to fold. */
static int commit(struct kb_committer *c, struct kb_entry *entry,
                  struct kbp_error *err)
{
    struct kb_manifest *m = c->manifest;
    struct kb_buf bytes = KB_BUF_INIT;
    int rc = KBP_OK;

    if (c->broken)
        return kb_fail(err, KBP_ERR_MISUSE, "an earlier commit failed");
    if (c->next.seq > KB_SEQUENCE_MAX)
        return kb_fail(err, KBP_ERR_LIMIT, "too many commits of one run");
    if (c->lease)
        rc = kb_lease_check(c->lease, err);
    if (rc == KBP_OK)
        rc = kb_entry_resolve(entry, m, c->next.run, err);
    if (rc != KBP_OK)
        return rc;
    if (!entry->named) {
        entry->named = true;
        entry->doc.is_entry = true;
        entry->doc.entry = c->next;
        entry->doc.written_ms = kb_wall_ms();
    } else if (kb_name_compare(&entry->doc.entry, &c->next) != 0) {
        return kb_fail(err, KBP_ERR_MISUSE, "an entry is committed twice");
    }
    rc = kb_manifest_write(entry->delta, &entry->doc, &bytes, err);
    if (rc == KBP_OK)
        rc = put_entry(c, &bytes, err);
    if (rc != KBP_OK) {
        kb_buf_release(&bytes);
        return rc;
    }
    /* It is durable; what fails now leaves a model which isn't true. */
    c->broken = true;
    rc = kb_manifest_merge(m, entry->delta, err);
    if (rc == KBP_OK)
        rc = kb_marks_raise(&m->log->applied, &c->next, err);
    if (rc == KBP_OK)
        rc = kb_names_add(&m->log->removable, &c->next, err);
    m->log->log_bytes += bytes.len;
    m->log->log_count++;
    c->bytes_written += bytes.len;
    c->next.seq++;
    c->broken = rc != KBP_OK;
    kb_buf_release(&bytes);
    return rc;
}

int kb_commit(struct kb_committer *c, struct kb_entry *entry,
              struct kbp_error *err)
{
    struct kbp_error fold_err = KB_ERR_INIT;
    int rc = commit(c, entry, err);

    if (rc != KBP_OK)
        return kb_err_wrap(err, "commit to backup %s", c->manifest->backup_id);
    if (!want_fold(c->manifest->log))
        return KBP_OK;
    rc = kb_fold(c, &fold_err);
    if (rc != KBP_OK)
        kb_log_err(KBP_LOG_WARN, "the manifest's log stays long for now",
                   &fold_err);
    return KBP_OK;
}

/* Segments and captures of earlier runs that nothing names. */
struct orphans {
    struct kb_committer *committer;
    const char *prefix;
    const char *suffix;
    struct kb_names names;
    size_t hint; /* in the manifest's segments */
    struct kbp_error err;
};

/*
 * Both lists go up, nearly: look around where the last one was.
 */
static bool is_named(struct orphans *o, const struct kb_name *name)
{
    const struct kb_manifest *m = o->committer->manifest;
    size_t count = m->segment_count;
    size_t far;

    for (far = 0; far <= count; far++) {
        if (o->hint + far < count &&
            kb_name_compare(&m->segments[o->hint + far].name, name) == 0) {
            o->hint += far;
            return true;
        }
        if (far <= o->hint && o->hint - far < count &&
            kb_name_compare(&m->segments[o->hint - far].name, name) == 0) {
            o->hint -= far;
            return true;
        }
    }
    return false;
}

static int32_t on_segment(void *data, const struct kbp_object *object)
{
    struct orphans *o = data;
    struct kb_committer *c = o->committer;
    struct kb_name name;

    if (!kb_key_name(object->key, o->prefix, o->suffix, &name) ||
        strcmp(name.run, c->next.run) >= 0 || is_named(o, &name))
        return 0;
    return kb_names_add(&o->names, &name, &o->err) != KBP_OK;
}

/* There are few: see kb_manifest_thin_captures(). */
static int32_t on_capture(void *data, const struct kbp_object *object)
{
    struct orphans *o = data;
    const struct kb_manifest *m = o->committer->manifest;
    struct kb_name name;
    size_t i;

    if (!kb_key_name(object->key, o->prefix, o->suffix, &name) ||
        strcmp(name.run, o->committer->next.run) >= 0)
        return 0;
    for (i = m->capture_count; i > 0; i--)
        if (kb_name_compare(&m->captures[i - 1].name, &name) == 0)
            return 0;
    return kb_names_add(&o->names, &name, &o->err) != KBP_OK;
}

/* Remove the objects of these names, in order; `*removed` of them are gone. */
static int remove_named(struct kb_committer *c, const struct kb_names *names,
                        char *(*key_of)(const char *backup_id,
                                        const struct kb_name *name),
                        size_t *removed, struct kbp_error *err)
{
    size_t i;

    for (i = 0; i < names->count; i++) {
        char *key = key_of(c->manifest->backup_id, &names->items[i]);
        int rc = key ? kb_store_remove(c->store, key, err)
                     : kb_fail_nomem(err, "a key");

        free(key);
        *removed = i;
        if (rc != KBP_OK)
            return rc;
    }
    *removed = names->count;
    return KBP_OK;
}

/* Remove what is listed from `after` on and `find` says nothing names. */
static int sweep_objects(struct orphans *o, const char *after,
                         kbp_object_fn find,
                         char *(*key_of)(const char *backup_id,
                                         const struct kb_name *name),
                         struct kbp_error *err)
{
    size_t removed;
    int rc =
        kb_store_list(o->committer->store, o->prefix, after, 0, find, o, err);

    if (rc == KBP_OK && o->err.status != KBP_OK)
        rc = kb_fail_nomem(err, "what an earlier run left");
    return rc == KBP_OK
               ? remove_named(o->committer, &o->names, key_of, &removed, err)
               : rc;
}

/*
 * Remove what the run before left: the entry that began this one made sure
 * that nothing can name it any more.  Runs before that one were swept by it,
 * so the cost is that of one run, not of the archive.
 */
static void sweep(struct kb_committer *c, const char *run_before)
{
    const char *id = c->manifest->backup_id;
    struct orphans o = {
        .committer = c, .suffix = ".kbs", .hint = c->manifest->segment_count};
    struct orphans g = {.committer = c, .suffix = ".json"};
    struct kbp_error err = KB_ERR_INIT;
    char *prefix = kb_key_segment_prefix(id);
    char *groups = kb_key_groups_prefix(id);
    char *after = kb_asprintf("%s%s", prefix ? prefix : "", run_before);
    char *all = kb_asprintf("%s/", id);
    uint64_t removed = 0;
    int rc = KBP_OK;

    kb_err_clear(&o.err);
    kb_err_clear(&g.err);
    o.prefix = prefix;
    g.prefix = groups;
    if (!prefix || !groups || !after || !all)
        rc = kb_fail_nomem(&err, "a key");
    if (rc == KBP_OK)
        rc = sweep_objects(&o, after, on_segment, kb_key_segment, &err);
    if (rc == KBP_OK)
        rc = sweep_objects(&g, NULL, on_capture, kb_key_groups, &err);
    if (rc == KBP_OK)
        rc = kb_store_sweep(c->store, all, SWEEP_AGE_MS, &removed, &err);
    if (rc != KBP_OK)
        kb_log_err(KBP_LOG_WARN, "removing what an earlier run left", &err);
    else if (o.names.count > 0)
        kb_info("removed %zu segments which an earlier run had written and "
                "not committed",
                o.names.count);
    kb_names_release(&o.names);
    kb_names_release(&g.names);
    free(prefix);
    free(groups);
    free(after);
    free(all);
}

int kb_committer_begin(struct kb_committer *c, struct kb_store_session *store,
                       struct kb_manifest *manifest, struct kb_lease *lease,
                       uint32_t worker, struct kbp_error *err)
{
    char newest[KB_RUN_TEXT] = "";
    struct kb_entry *entry = NULL;
    struct kb_run *run;
    char host[256] = "";
    int64_t now = kb_wall_ms();
    int64_t before;
    size_t i;
    int rc;

    *c = (struct kb_committer){
        .store = store, .manifest = manifest, .lease = lease};
    if (worker > KB_WORKER_MAX)
        return kb_fail(err, KBP_ERR_MISUSE, "worker %u", worker);
    (void)snprintf(newest, sizeof newest, "%s",
                   kb_marks_newest(&manifest->log->applied));
    /* A clock that was put back must not make this run an earlier one. */
    if (newest[0] != '\0' && kb_run_parse(newest, &before) && before >= now)
        now = before + 1;
    kb_run_name(c->next.run, now);
    c->next.worker = worker;
    c->next.seq = 1;

    rc = kb_entry_new(&entry, err);
    if (rc == KBP_OK)
        rc = kb_manifest_add_run(entry->delta, c->next.run, &run, err);
    if (rc != KBP_OK)
        goto out;
    (void)gethostname(host, sizeof host - 1);
    run->began_ms = now;
    rc = kb_set_text(&run->host, kb_utf8_ok(host, strlen(host)) ? host : "?",
                     err);
    entry->doc.begins = true;
    entry->delta->created_ms =
        manifest->created_ms != 0 ? manifest->created_ms : now;
    for (i = 0; i < manifest->log->applied.count && rc == KBP_OK; i++)
        rc = kb_marks_raise(&entry->doc.closed,
                            &manifest->log->applied.items[i], err);
    if (rc == KBP_OK)
        rc = kb_commit(c, entry, err);
    if (rc == KBP_OK)
        sweep(c, newest);
out:
    kb_entry_free(entry);
    return rc;
}

const char *kb_committer_run(const struct kb_committer *c)
{
    return c->next.run;
}

/* Old runs that ended well say nothing that anybody asks for. */
static void forget_runs(struct kb_manifest *m)
{
    size_t extra = m->run_count > KEEP_RUNS ? m->run_count - KEEP_RUNS : 0;
    size_t from;
    size_t to = 0;

    for (from = 0; from < m->run_count; from++) {
        struct kb_run *run = &m->runs[from];

        if (extra > 0 && run->status == KB_RUN_COMPLETE) {
            kb_run_release(run);
            extra--;
            continue;
        }
        m->runs[to++] = *run;
    }
    m->run_count = to;
}

/*
 * Whether manifest.json is this run's own: a fold whose answer never came.
 * Then its etag is the one to replace.
 */
static bool is_own_fold(struct kb_committer *c, const char *key)
{
    struct kb_manifest_log *log = c->manifest->log;
    struct kbp_error ignored = KB_ERR_INIT;
    struct kb_manifest *have = NULL;
    struct kb_buf bytes = KB_BUF_INIT;
    struct kb_object_info object;
    struct kb_doc doc = {0};
    bool own = kb_store_get_all(c->store, key, UINT32_MAX, &bytes, &object,
                                &ignored) == KBP_OK &&
               kb_manifest_read(bytes.data, bytes.len, c->manifest->backup_id,
                                &have, &doc, &ignored) == KBP_OK &&
               strcmp(kb_marks_newest(&doc.folded), c->next.run) == 0 &&
               kb_set_text(&log->etag, object.etag, &ignored) == KBP_OK;

    kb_manifest_free(have);
    kb_doc_release(&doc);
    kb_buf_release(&bytes);
    return own;
}

/* Replace the manifest that was read by one which has the log, too. */
static int put_folded(struct kb_committer *c, const struct kb_buf *bytes,
                      struct kbp_error *err)
{
    struct kb_manifest_log *log = c->manifest->log;
    struct kb_object_info object;
    char *key = kb_key_manifest(c->manifest->backup_id);
    int tries;
    int rc = KBP_ERR_CONFLICT;

    if (!key)
        return kb_fail_nomem(err, "a key");
    for (tries = 0; tries < 2; tries++) {
        struct kb_condition cond = {.create = !log->etag};

        if (log->etag && log->etag[0] != '\0')
            cond.if_etag = log->etag;
        rc = put_object(c->store, key, bytes, &cond, &object, err);
        if ((rc != KBP_ERR_CONFLICT && rc != KBP_ERR_EXISTS) ||
            !is_own_fold(c, key))
            break;
    }
    if (rc == KBP_OK)
        rc = kb_set_text(&log->etag, object.etag, err);
    else if (rc == KBP_ERR_CONFLICT || rc == KBP_ERR_EXISTS)
        rc = kb_fail(err, KBP_ERR_CONFLICT,
                     "somebody else wrote it since this run began");
    if (rc != KBP_OK)
        rc = kb_err_wrap(err, "%s", key);
    free(key);
    return rc;
}

static int remove_folded(struct kb_committer *c, struct kbp_error *err)
{
    struct kb_names *names = &c->manifest->log->removable;
    size_t removed;
    /* Oldest first: what is left after a crash is always the log's end. */
    int rc = remove_named(c, names, kb_key_log, &removed, err);

    if (removed > 0)
        memmove(names->items, names->items + removed,
                (names->count - removed) * sizeof *names->items);
    names->count -= removed;
    return rc;
}

/* What the fold doesn't name any more; what is left, the next run sweeps. */
static int remove_thinned(struct kb_committer *c, struct kbp_error *err)
{
    struct kb_names *names = &c->manifest->log->thinned;
    size_t removed;
    int rc = remove_named(c, names, kb_key_groups, &removed, err);

    names->count = 0;
    return rc;
}

int kb_fold(struct kb_committer *c, struct kbp_error *err)
{
    struct kb_manifest_log *log = c->manifest->log;
    struct kb_buf bytes = KB_BUF_INIT;
    struct kb_doc doc = {.written_ms = kb_wall_ms()};
    const char *newest = kb_marks_newest(&log->applied);
    size_t i;
    int rc = KBP_OK;

    if (c->broken)
        return kb_fail(err, KBP_ERR_MISUSE, "an earlier commit failed");
    if (c->lease)
        rc = kb_lease_check(c->lease, err);
    if (rc != KBP_OK)
        return rc;
    forget_runs(c->manifest);
    rc = kb_manifest_thin_captures(c->manifest, &log->thinned, err);
    /* Entries of runs before the newest are folded all, or void. */
    for (i = 0; i < log->applied.count && rc == KBP_OK; i++)
        if (strcmp(log->applied.items[i].run, newest) == 0)
            rc = kb_marks_raise(&doc.folded, &log->applied.items[i], err);
    if (rc == KBP_OK)
        rc = kb_manifest_write(c->manifest, &doc, &bytes, err);
    if (rc == KBP_OK)
        rc = put_folded(c, &bytes, err);
    if (rc == KBP_OK) {
        log->folded_bytes = bytes.len;
        log->log_bytes = 0;
        log->log_count = 0;
        c->folds++;
        c->bytes_written += bytes.len;
        rc = remove_folded(c, err);
        if (rc == KBP_OK)
            rc = remove_thinned(c, err);
    }
    kb_doc_release(&doc);
    kb_buf_release(&bytes);
    return rc == KBP_OK ? rc
                        : kb_err_wrap(err, "fold the manifest of backup %s",
                                      c->manifest->backup_id);
}

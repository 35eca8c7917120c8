/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest_load.c - read a backup's manifest from its store.
 *
 * The log is listed BEFORE manifest.json is read: what a fold removes from the
 * log is in manifest.json then.  An entry that was listed, isn't in what was
 * read of manifest.json, and is gone when it is wanted means that a fold came
 * in between: begin again.
 */
#include <stdlib.h>
#include <string.h>

#include "archive/manifest_model.h"
#include "base/str.h"
#include "plugin/storage.h"

#define MAX_MANIFEST ((uint64_t)2 << 30) /* bytes */
#define MAX_ENTRY ((uint64_t)256 << 20)
#define TRIES 8 /* folds in a row which came in between */

/* The entry that began a run, and which of the runs before count. */
struct begin {
    char run[KB_RUN_TEXT];
    struct kb_names closed;
};

struct loading {
    struct kb_store_session *store;
    const char *backup_id;
    char *prefix; /* of the log */
    struct kb_names listed;
    struct kb_manifest *m;
    struct kb_buf bytes;
    struct kbp_error list_err;
    struct begin *begins; /* by run, ascending */
    size_t begin_count;
};

static int32_t on_listed(void *data, const struct kbp_object *object)
{
    struct loading *l = data;
    struct kb_name name;

    if (!kb_key_name(object->key, l->prefix, ".json", &name))
        return 0; /* not ours */
    return kb_names_add(&l->listed, &name, &l->list_err) != KBP_OK;
}

static int begin_loading(struct loading *l, struct kbp_error *err)
{
    kb_err_clear(&l->list_err);
    l->list_err.struct_size = sizeof l->list_err;
    l->prefix = kb_key_log_prefix(l->backup_id);
    return l->prefix ? KBP_OK : kb_fail_nomem(err, "a key");
}

/* What one try read; another may follow. */
static void end_try(struct loading *l)
{
    size_t i;

    for (i = 0; i < l->begin_count; i++)
        kb_names_release(&l->begins[i].closed);
    free(l->begins);
    l->begins = NULL;
    l->begin_count = 0;
    l->listed.count = 0;
    kb_manifest_free(l->m);
    l->m = NULL;
}

static void end_loading(struct loading *l)
{
    end_try(l);
    kb_names_release(&l->listed);
    kb_buf_release(&l->bytes);
    free(l->prefix);
}

static int read_folded(struct loading *l, struct kbp_error *err)
{
    char *key = kb_key_manifest(l->backup_id);
    struct kb_manifest_log *log = l->m->log;
    struct kb_manifest *folded = NULL;
    struct kb_object_info object;
    struct kb_doc doc = {0};
    size_t i;
    int rc;

    if (!key)
        return kb_fail_nomem(err, "a key");
    kb_buf_reset(&l->bytes);
    rc = kb_store_get_all(l->store, key, MAX_MANIFEST, &l->bytes, &object, err);
    if (rc == KBP_ERR_NOT_FOUND) {
        kb_err_clear(err);
        free(key);
        return KBP_OK;
    }
    if (rc == KBP_OK)
        rc = kb_manifest_read(l->bytes.data, l->bytes.len, l->backup_id,
                              &folded, &doc, err);
    if (rc == KBP_OK && doc.is_entry)
        rc = kb_fail(err, KBP_ERR_CORRUPT, "it is an entry of the log");
    if (rc == KBP_OK)
        rc = kb_set_text(&log->etag, object.etag, err);
    if (rc == KBP_OK)
        rc = kb_manifest_merge(l->m, folded, err);
    for (i = 0; i < doc.folded.count && rc == KBP_OK; i++)
        rc = kb_marks_raise(&log->applied, &doc.folded.items[i], err);
    log->folded_bytes = l->bytes.len;
    if (rc != KBP_OK)
        rc = kb_err_wrap(err, "%s", key);
    kb_manifest_free(folded);
    kb_doc_release(&doc);
    free(key);
    return rc;
}

static int read_entry(struct loading *l, const struct kb_name *name,
                      struct kb_manifest **entry, struct kb_doc *doc,
                      struct kbp_error *err)
{
    char *key = kb_key_log(l->backup_id, name);
    int rc;

    if (!key)
        return kb_fail_nomem(err, "a key");
    kb_buf_reset(&l->bytes);
    rc = kb_store_get_all(l->store, key, MAX_ENTRY, &l->bytes, NULL, err);
    if (rc == KBP_OK)
        rc = kb_manifest_read(l->bytes.data, l->bytes.len, l->backup_id, entry,
                              doc, err);
    if (rc == KBP_OK &&
        (!doc->is_entry || kb_name_compare(&doc->entry, name) != 0)) {
        rc = kb_fail(err, KBP_ERR_CORRUPT,
                     "it is another entry: objects were renamed or swapped");
        kb_manifest_free(*entry);
        *entry = NULL;
    }
    if (rc != KBP_OK)
        rc = kb_err_wrap(err, "%s", key);
    free(key);
    return rc;
}

/* The entries which begin runs say what counts of the runs before. */
static int read_begins(struct loading *l, struct kbp_error *err)
{
    size_t i;

    for (i = 0; i < l->listed.count; i++) {
        const struct kb_name *name = &l->listed.items[i];
        struct kb_manifest *entry = NULL;
        struct kb_doc doc = {0};
        struct begin *begins;
        int rc;

        if (name->seq != 1)
            continue;
        rc = read_entry(l, name, &entry, &doc, err);
        kb_manifest_free(entry);
        begins =
            rc == KBP_OK && doc.begins
                ? reallocarray(l->begins, l->begin_count + 1, sizeof *begins)
                : l->begins;
        if (rc == KBP_OK && doc.begins && !begins)
            rc = kb_fail_nomem(err, "the manifest");
        if (rc != KBP_OK || !doc.begins) {
            kb_doc_release(&doc);
            if (rc != KBP_OK)
                return rc;
            continue;
        }
        l->begins = begins;
        memcpy(begins[l->begin_count].run, name->run, KB_RUN_TEXT);
        begins[l->begin_count].closed = doc.closed;
        l->begin_count++;
        kb_names_release(&doc.folded);
    }
    return KBP_OK;
}

/* Written after a later run had begun: its writer had lost the lease. */
static bool is_void(const struct loading *l, const struct kb_name *name)
{
    size_t i;

    for (i = 0; i < l->begin_count; i++)
        if (strcmp(l->begins[i].run, name->run) > 0 &&
            kb_marks_seq(&l->begins[i].closed, name) < name->seq)
            return true;
    return false;
}

static int apply(struct loading *l, const struct kb_name *name,
                 struct kbp_error *err)
{
    struct kb_manifest_log *log = l->m->log;
    struct kb_manifest *entry = NULL;
    struct kb_doc doc = {0};
    int rc;

    if (kb_marks_seq(&log->applied, name) + 1 != name->seq) {
        struct kb_name lost = *name;
        char *key;

        lost.seq = kb_marks_seq(&log->applied, name) + 1;
        key = kb_key_log(l->backup_id, &lost);
        if (!key)
            return kb_fail_nomem(err, "a key");
        (void)kb_fail(err, KBP_ERR_CORRUPT, "%s is missing", key);
        kb_err_hint(err, "an object of the backup was removed; put it back, "
                         "or what later entries say can't be trusted");
        free(key);
        return KBP_ERR_CORRUPT;
    }
    rc = read_entry(l, name, &entry, &doc, err);
    if (rc == KBP_OK)
        rc = kb_manifest_merge(l->m, entry, err);
    if (rc == KBP_OK)
        rc = kb_marks_raise(&log->applied, name, err);
    if (rc == KBP_OK)
        rc = kb_names_add(&log->removable, name, err);
    log->log_bytes += l->bytes.len;
    log->log_count++;
    kb_manifest_free(entry);
    kb_doc_release(&doc);
    return rc;
}

static int load(struct loading *l, struct kbp_error *err)
{
    struct kb_names log = {0}; /* of the listed, those that count */
    struct kb_manifest_log *state;
    const char *newest;
    size_t i;
    int rc;

    rc = kb_manifest_new(&l->m, l->backup_id, err);
    if (rc != KBP_OK)
        return rc;
    state = l->m->log;
    rc = kb_store_list(l->store, l->prefix, NULL, 0, on_listed, l, err);
    if (rc == KBP_OK && l->list_err.status != KBP_OK)
        rc = kb_fail(err, l->list_err.status, "%s", l->list_err.message);
    if (rc == KBP_OK)
        rc = read_folded(l, err);
    if (rc != KBP_OK)
        return rc;
    if (!state->etag && l->listed.count == 0)
        return kb_fail(err, KBP_ERR_NOT_FOUND, "there is no such backup");

    newest = kb_marks_newest(&state->applied);
    for (i = 0; i < l->listed.count && rc == KBP_OK; i++) {
        const struct kb_name *name = &l->listed.items[i];
        int order = strcmp(name->run, newest);

        if (order < 0 ||
            (order == 0 && name->seq <= kb_marks_seq(&state->applied, name)))
            rc = kb_names_add(&state->removable, name, err);
        else
            rc = kb_names_add(&log, name, err);
    }
    /* From here on only the log counts, in its order. */
    kb_names_release(&l->listed);
    l->listed = log;
    if (rc == KBP_OK)
        rc = read_begins(l, err);
    for (i = 0; i < l->listed.count && rc == KBP_OK; i++) {
        const struct kb_name *name = &l->listed.items[i];

        if (is_void(l, name))
            rc = kb_names_add(&state->removable, name, err);
        else
            rc = apply(l, name, err);
    }
    return rc;
}

int kb_manifest_load(struct kb_manifest **manifest,
                     struct kb_store_session *store, const char *backup_id,
                     struct kbp_error *err)
{
    struct loading l = {.store = store, .backup_id = backup_id};
    int tries = 0;
    int rc = kb_backup_id_check(backup_id, err);

    if (rc != KBP_OK)
        return rc;
    rc = begin_loading(&l, err);
    if (rc != KBP_OK)
        return rc;
    for (;;) {
        rc = load(&l, err);
        if (rc == KBP_OK) {
            *manifest = l.m;
            l.m = NULL;
            break;
        }
        /* A listed entry is gone: it was folded meanwhile. */
        if (rc != KBP_ERR_NOT_FOUND || l.listed.count == 0 || ++tries > TRIES)
            break;
        kb_err_clear(err);
        end_try(&l);
    }
    if (rc == KBP_ERR_NOT_FOUND && l.listed.count > 0)
        rc = kb_fail(err, KBP_ERR_UNAVAILABLE,
                     "its manifest changes faster than it can be read");
    end_loading(&l);
    return rc == KBP_OK ? rc : kb_err_wrap(err, "backup %s", backup_id);
}

/* Whether manifest.json is the one that was read; its answer decides alone. */
static bool is_same_folded(const struct loading *l)
{
    char *key = kb_key_manifest(l->backup_id);
    struct kbp_error ignored = KB_ERR_INIT;
    const char *etag = l->m->log->etag;
    struct kb_object_info object;
    bool same = false;
    int rc;

    if (!key)
        return false;
    rc = kb_store_stat(l->store, key, &object, &ignored);
    if (rc == KBP_ERR_NOT_FOUND)
        same = !etag;
    else if (rc == KBP_OK)
        same = etag && etag[0] != '\0' && strcmp(etag, object.etag) == 0;
    free(key);
    return same;
}

/*
 * Take up what the newest run added to the log.  False: there is more to it -
 * another run, a fold, an entry that doesn't count - so read all of it.
 */
static bool take_new(struct loading *l)
{
    const struct kb_names *applied = &l->m->log->applied;
    struct kbp_error ignored = KB_ERR_INIT;
    size_t i;

    if (kb_store_list(l->store, l->prefix, NULL, 0, on_listed, l, &ignored) !=
            KBP_OK ||
        l->list_err.status != KBP_OK || !is_same_folded(l))
        return false;
    if (!l->m->log->etag && l->listed.count == 0)
        return false;
    for (i = 0; i < l->listed.count; i++) {
        const struct kb_name *name = &l->listed.items[i];
        const int order = strcmp(name->run, kb_marks_newest(applied));
        const uint32_t seq = kb_marks_seq(applied, name);

        if (name->seq <= seq)
            continue;
        if (order != 0 || name->seq == 1 || name->seq != seq + 1 ||
            apply(l, name, &ignored) != KBP_OK)
            return false;
    }
    return true;
}

int kb_manifest_refresh(struct kb_manifest **manifest,
                        struct kb_store_session *store, const char *backup_id,
                        struct kbp_error *err)
{
    struct loading l = {.store = store, .backup_id = backup_id, .m = *manifest};
    struct kbp_error ignored = KB_ERR_INIT;
    bool done = false;

    *manifest = NULL;
    if (l.m && begin_loading(&l, &ignored) == KBP_OK)
        done = take_new(&l);
    if (done) {
        *manifest = l.m;
        l.m = NULL;
    }
    end_loading(&l);
    return done ? KBP_OK : kb_manifest_load(manifest, store, backup_id, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_storage.c - stores, through the same wrapper that the program uses.
 *
 * Objects are put under a prefix of their own, and removed at the end.
 */
#include "check/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/str.h"
#include "base/thread.h"
#include "plugin/storage.h"

#define LIST_COUNT 1100 /* the usual page has 1000 */
#define WORKERS 8u

struct store {
    struct kb_check_ctx *ctx;
    struct kb_registry registry;
    struct kb_settings settings;
    struct kb_store *store;
    struct kb_store_session *session;
    char prefix[64];
};

static bool open_store(struct kb_check_ctx *ctx, struct store *store)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_kv kvs[512];
    const char *dirs[1];
    char *dir = kb_strdup(ctx->path);
    size_t i;
    int status = KBP_ERR_NOMEM;

    memset(store, 0, sizeof *store);
    store->ctx = ctx;
    if (!dir)
        return false;
    *strrchr(dir, '/') = '\0';
    dirs[0] = *dir ? dir : "/";
    if (kb_check_settings(ctx, NULL, &store->settings)) {
        for (i = 0; i < store->settings.config.count && i < 512; i++)
            kvs[i] = (struct kb_kv){store->settings.items[i].name,
                                    store->settings.items[i].value};
        status = kb_registry_init(&store->registry, dirs, 1, &err);
        if (status == KBP_OK)
            status = kb_store_open(&store->registry, ctx->type->name, kvs, i,
                                   NULL, &store->store, &err);
        if (status == KBP_OK)
            status = kb_store_session_open(store->store, NULL, &store->session,
                                           &err);
        if (status != KBP_OK)
            kb_check_skip(ctx, "it doesn't open: %s (--set its settings)",
                          err.message);
    }
    (void)snprintf(store->prefix, sizeof store->prefix, "check-%ld-%lld",
                   (long)getpid(), (long long)kb_wall_ms());
    free(dir);
    return status == KBP_OK;
}

struct names {
    char **items;
    size_t count;
};

static int32_t collect(void *data, const struct kbp_object *object)
{
    struct names *names = data;
    char **more = realloc(names->items, (names->count + 1) * sizeof *more);

    if (!more)
        return 1;
    names->items = more;
    more[names->count] = kb_strdup(object->key);
    if (!more[names->count])
        return 1;
    names->count++;
    return 0;
}

static void free_names(struct names *names)
{
    size_t i;

    for (i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static void close_store(struct store *store)
{
    struct kbp_error err = KB_ERR_INIT;
    struct names names = {NULL, 0};
    size_t i;

    if (store->session && kb_store_list(store->session, store->prefix, NULL, 0,
                                        collect, &names, &err) == KBP_OK)
        for (i = 0; i < names.count; i++)
            (void)kb_store_remove(store->session, names.items[i], &err);
    free_names(&names);
    kb_store_session_close(store->session);
    kb_store_close(store->store);
    kb_registry_release(&store->registry);
    kb_settings_release(&store->settings);
}

#define KEY_BYTES 1200

static const char *key_of(const struct store *store, char key[KEY_BYTES],
                          const char *name)
{
    (void)snprintf(key, KEY_BYTES, "%s/%s", store->prefix, name);
    return key;
}

static int put(struct store *store, const char *name, const char *bytes,
               const struct kb_condition *cond, struct kb_object_info *info,
               struct kbp_error *err)
{
    char key[KEY_BYTES];

    return kb_store_put(store->session, key_of(store, key, name), bytes,
                        strlen(bytes), cond, info, err);
}

static void must_put(struct store *store, const char *name, const char *bytes)
{
    struct kbp_error err = KB_ERR_INIT;

    if (put(store, name, bytes, NULL, NULL, &err) != KBP_OK)
        kb_check_fail(store->ctx, "put: %s", err.message);
}

static void must_hold(struct store *store, const char *name, const char *bytes)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_buf buf = KB_BUF_INIT;
    char key[KEY_BYTES];

    if (kb_store_get_all(store->session, key_of(store, key, name), 1 << 20,
                         &buf, NULL, &err) != KBP_OK)
        kb_check_fail(store->ctx, "get: %s", err.message);
    else if (buf.len != strlen(bytes) ||
             (buf.len && memcmp(buf.data, bytes, buf.len) != 0))
        kb_check_fail(store->ctx, "%s holds other bytes than were put", key);
    kb_buf_release(&buf);
}

static void must_be(struct kb_check_ctx *ctx, int got, int wanted,
                    const char *what)
{
    if (got != wanted)
        kb_check_fail(ctx, "%s: status %d (%s) instead of %d (%s)", what, got,
                      kb_status_text(got), wanted, kb_status_text(wanted));
}

static void put_get(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_object_info put_info = {0};
    struct kb_object_info info = {0};
    char key[KEY_BYTES];
    struct store store;

    if (open_store(ctx, &store)) {
        must_be(ctx, put(&store, "a/b", "hello", NULL, &put_info, &err), KBP_OK,
                "put");
        must_hold(&store, "a/b", "hello");
        must_be(ctx,
                kb_store_stat(store.session, key_of(&store, key, "a/b"), &info,
                              &err),
                KBP_OK, "stat");
        if (info.size != 5)
            kb_check_fail(ctx, "stat says %llu bytes",
                          (unsigned long long)info.size);
        if (strcmp(info.etag, put_info.etag) != 0)
            kb_check_fail(ctx, "commit and stat give different etags");
        must_put(&store, "a/b", "other bytes");
        must_hold(&store, "a/b", "other bytes");
        must_put(&store, "empty", "");
        must_hold(&store, "empty", "");
    }
    close_store(&store);
}

static void not_found(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_object_info info;
    struct kb_buf buf = KB_BUF_INIT;
    char key[KEY_BYTES];
    struct store store;

    if (open_store(ctx, &store)) {
        (void)key_of(&store, key, "none");
        must_be(ctx, kb_store_stat(store.session, key, &info, &err),
                KBP_ERR_NOT_FOUND, "stat");
        must_be(ctx,
                kb_store_get_all(store.session, key, 100, &buf, NULL, &err),
                KBP_ERR_NOT_FOUND, "get");
        must_be(ctx, kb_store_remove(store.session, key, &err), KBP_OK,
                "remove");
        must_put(&store, "none", "x");
        must_be(ctx, kb_store_remove(store.session, key, &err), KBP_OK,
                "remove");
        must_be(ctx, kb_store_remove(store.session, key, &err), KBP_OK,
                "remove twice");
        must_be(ctx, kb_store_stat(store.session, key, &info, &err),
                KBP_ERR_NOT_FOUND, "stat after remove");
    }
    kb_buf_release(&buf);
    close_store(&store);
}

static void unseen_before_commit(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_object_info info;
    struct kb_upload *upload = NULL;
    char key[KEY_BYTES];
    struct store store;

    if (open_store(ctx, &store)) {
        (void)key_of(&store, key, "k");
        must_put(&store, "k", "old");
        must_be(ctx,
                kb_upload_open(store.session, key, KBP_SIZE_UNKNOWN, NULL,
                               &upload, &err),
                KBP_OK, "upload_open");
        if (upload) {
            must_be(ctx, kb_upload_write(upload, "new", 3, &err), KBP_OK,
                    "upload_write");
            must_hold(&store, "k", "old");
        }
        kb_upload_close(upload);
        must_hold(&store, "k", "old");
        upload = NULL;
        (void)key_of(&store, key, "k2");
        must_be(ctx,
                kb_upload_open(store.session, key, KBP_SIZE_UNKNOWN, NULL,
                               &upload, &err),
                KBP_OK, "upload_open");
        if (upload)
            must_be(ctx, kb_upload_write(upload, "new", 3, &err), KBP_OK,
                    "upload_write");
        kb_upload_close(upload);
        must_be(ctx, kb_store_stat(store.session, key, &info, &err),
                KBP_ERR_NOT_FOUND, "stat of what was given up");
    }
    close_store(&store);
}

static void conditions(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_condition create = {.create = true};
    struct kb_condition replace = {.if_etag = "no-such-etag"};
    struct kb_object_info info = {0};
    struct store store;

    if (open_store(ctx, &store)) {
        uint32_t flags = kb_store_info(store.store)->flags;

        if (flags & KBP_STORAGE_CREATE) {
            must_be(ctx, put(&store, "c", "one", &create, &info, &err), KBP_OK,
                    "create");
            must_be(ctx, put(&store, "c", "two", &create, NULL, &err),
                    KBP_ERR_EXISTS, "create again");
            must_hold(&store, "c", "one");
        } else {
            must_be(ctx, put(&store, "c", "one", NULL, &info, &err), KBP_OK,
                    "put");
        }
        if (flags & KBP_STORAGE_REPLACE) {
            must_be(ctx, put(&store, "c", "two", &replace, NULL, &err),
                    KBP_ERR_CONFLICT, "replace another state");
            must_hold(&store, "c", "one");
            replace.if_etag = info.etag;
            must_be(ctx, put(&store, "c", "two", &replace, NULL, &err), KBP_OK,
                    "replace by etag");
            must_be(ctx, put(&store, "c", "six", &replace, NULL, &err),
                    KBP_ERR_CONFLICT, "replace by an old etag");
            must_hold(&store, "c", "two");
            must_be(ctx, put(&store, "gone", "x", &replace, NULL, &err),
                    KBP_ERR_CONFLICT, "replace what isn't there");
        }
        if (!(flags & KBP_STORAGE_CREATE) && !kb_check_bad(ctx))
            kb_check_warn(ctx, "it has no create-only uploads, so two writers "
                               "can't be told apart");
    }
    close_store(&store);
}

static void ranges(struct kb_check_ctx *ctx)
{
    static const struct {
        uint64_t offset;
        uint64_t len;
        const char *bytes;
    } cases[] = {
        {0, 3, "012"},
        {7, 3, "789"},
        {8, 100, "89"},
        {10, 1, ""},
        {100, 5, ""},
        {3, 0, ""},
        {5, KBP_TO_END, "56789"},
        {UINT64_MAX, 10, ""},
    };
    struct kbp_error err = KB_ERR_INIT;
    char key[KEY_BYTES];
    struct store store;
    size_t i;

    if (open_store(ctx, &store)) {
        must_put(&store, "r", "0123456789");
        for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct kb_buf buf = KB_BUF_INIT;
            struct kbp_sink sink = kb_buf_sink(&buf, 100);
            int status = kb_store_get(store.session, key_of(&store, key, "r"),
                                      cases[i].offset, cases[i].len, NULL,
                                      &sink, NULL, &err);

            if (status != KBP_OK || buf.len != strlen(cases[i].bytes) ||
                memcmp(buf.data ? buf.data : (const uint8_t *)"",
                       cases[i].bytes, buf.len) != 0)
                kb_check_fail(ctx, "bytes %llu to +%llu are wrong: %s",
                              (unsigned long long)cases[i].offset,
                              (unsigned long long)cases[i].len, err.message);
            kb_buf_release(&buf);
        }
    }
    close_store(&store);
}

static void must_list(struct store *store, const char *prefix,
                      const char *after, uint32_t flags,
                      const char *const *wanted)
{
    struct kbp_error err = KB_ERR_INIT;
    struct names names = {NULL, 0};
    char from[KEY_BYTES];
    char below[KEY_BYTES];
    size_t skip = strlen(store->prefix) + 1;
    size_t i;

    if (kb_store_list(store->session, key_of(store, below, prefix),
                      after ? key_of(store, from, after) : NULL, flags, collect,
                      &names, &err) != KBP_OK)
        kb_check_fail(store->ctx, "list: %s", err.message);
    for (i = 0; i < names.count && wanted[i]; i++)
        if (strcmp(names.items[i] + skip, wanted[i]) != 0)
            kb_check_fail(store->ctx,
                          "list \"%s\": entry %zu is \"%s\" instead of \"%s\"",
                          prefix, i, names.items[i] + skip, wanted[i]);
    if (i < names.count)
        kb_check_fail(store->ctx, "list \"%s\": \"%s\" is too much", prefix,
                      names.items[i]);
    else if (wanted[i])
        kb_check_fail(store->ctx, "list \"%s\": \"%s\" is missing", prefix,
                      wanted[i]);
    free_names(&names);
}

static void list_order(struct kb_check_ctx *ctx)
{
    static const char *const all[] = {"a!b",  "a-b/x", "a/b1", "a/b2/x",
                                      "a/bc", "a0",    "b",    NULL};
    static const char *const below[] = {"a/b1", "a/b2/x", "a/bc", NULL};
    static const char *const after[] = {"a/b2/x", "a/bc", NULL};
    static const char *const shallow[] = {"a!b", "a-b/", "a/", "a0", "b", NULL};
    static const char *const none[] = {NULL};
    struct store store;
    size_t i;

    if (open_store(ctx, &store)) {
        for (i = 7; i-- > 0;)
            must_put(&store, all[i], "x");
        must_list(&store, "", NULL, 0, all);
        must_list(&store, "a/b", NULL, 0, below);
        must_list(&store, "a/b", "a/b1", 0, after);
        must_list(&store, "", NULL, KBP_LIST_SHALLOW, shallow);
        must_list(&store, "nothing", NULL, 0, none);
    }
    close_store(&store);
}

static void list_1100(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct names names = {NULL, 0};
    char name[32];
    struct store store;
    int i;

    if (open_store(ctx, &store)) {
        for (i = 0; i < LIST_COUNT && !kb_check_bad(ctx); i++) {
            (void)snprintf(name, sizeof name, "n/%05d", i);
            must_put(&store, name, "x");
        }
        must_be(ctx,
                kb_store_list(store.session, store.prefix, NULL, 0, collect,
                              &names, &err),
                KBP_OK, "list");
        if (names.count != LIST_COUNT)
            kb_check_fail(ctx, "of %d keys %zu are listed", LIST_COUNT,
                          names.count);
        for (i = 1; i < (int)names.count; i++)
            if (strcmp(names.items[i - 1], names.items[i]) >= 0)
                kb_check_fail(ctx, "%s comes after %s", names.items[i],
                              names.items[i - 1]);
    }
    free_names(&names);
    close_store(&store);
}

static void strange_keys(struct kb_check_ctx *ctx)
{
    static const char *const keys[] = {
        "sp ace",
        "pl+us",
        "per%41cent",
        "qu?ery",
        "ha#sh",
        "am&p=1",
        "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
        "...",
        "..a",
        "a..",
        "~",
        "'\"",
        "back\\slash",
        "co:lon,semi;",
        "*",
        "[x]{y}",
    };
    struct store store;
    char long_name[256];
    size_t i;

    if (open_store(ctx, &store)) {
        for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            must_put(&store, keys[i], keys[i]);
            must_hold(&store, keys[i], keys[i]);
        }
        memset(long_name, 'x', 255);
        long_name[255] = '\0';
        must_put(&store, long_name, "long");
        must_hold(&store, long_name, "long");
    }
    close_store(&store);
}

/* The wrapper refuses such keys; a plugin must, too. */
static void dot_dot_refused(struct kb_check_ctx *ctx)
{
    static const char *const keys[] = {
        "../kb-check-out", "a/../../x", "/tmp/x", "..", "a//b", ""};
    const struct kbp_storage_type *type = &ctx->type->table.storage;
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_host host;
    struct kb_settings settings;
    struct kbp_storage *storage;
    struct kbp_storage_session *session;
    size_t i;

    if (!kb_check_settings(ctx, NULL, &settings))
        return;
    kb_check_host_init(&host);
    if (type->open(&host.host, &settings.config, &storage, &err) != KBP_OK) {
        kb_check_skip(ctx, "it doesn't open: %s", err.message);
    } else {
        must_be(ctx, type->session_open(storage, &host.host, &session, &err),
                KBP_OK, "session_open");
        for (i = 0; i < sizeof keys / sizeof keys[0] && !kb_check_bad(ctx);
             i++) {
            struct kbp_upload_request request = {
                .struct_size = sizeof request,
                .key = keys[i],
                .size_hint = 0,
            };
            struct kbp_commit commit = {.struct_size = sizeof commit};
            struct kbp_upload *upload;
            int32_t status =
                type->upload_open(session, &request, &upload, &err);

            if (status != KBP_OK)
                continue;
            status = type->upload_commit(upload, &commit, NULL, NULL, &err);
            type->upload_close(upload);
            if (status == KBP_OK)
                kb_check_warn(ctx, "it takes the key \"%s\"", keys[i]);
        }
        type->session_close(session);
        type->close(storage);
    }
    kb_settings_release(&settings);
}

static void large_object(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    const size_t piece = 1000003;
    const unsigned pieces = 25;
    uint8_t *bytes = malloc(piece);
    uint8_t *back = malloc(piece);
    struct kb_upload *upload = NULL;
    char key[KEY_BYTES];
    struct store store;
    unsigned i;
    size_t k;

    if (open_store(ctx, &store) && bytes && back) {
        for (k = 0; k < piece; k++)
            bytes[k] = (uint8_t)kb_check_random(ctx);
        (void)key_of(&store, key, "large");
        must_be(ctx,
                kb_upload_open(store.session, key, KBP_SIZE_UNKNOWN, NULL,
                               &upload, &err),
                KBP_OK, "upload_open");
        for (i = 0; i < pieces && upload && !kb_check_bad(ctx); i++)
            must_be(ctx, kb_upload_write(upload, bytes, piece, &err), KBP_OK,
                    "upload_write");
        if (upload && !kb_check_bad(ctx))
            must_be(ctx, kb_upload_commit(upload, NULL, &err), KBP_OK,
                    "upload_commit");
        kb_upload_close(upload);
        for (i = 0; i < pieces && !kb_check_bad(ctx); i++) {
            must_be(ctx,
                    kb_store_get_range(store.session, key, i * piece, back,
                                       piece, &err),
                    KBP_OK, "get of a range");
            if (!kb_check_bad(ctx) && memcmp(bytes, back, piece) != 0)
                kb_check_fail(ctx, "part %u of a large object differs", i);
        }
    }
    free(bytes);
    free(back);
    close_store(&store);
}

struct worker {
    struct store *store;
    unsigned number;
    pthread_t thread;
    bool ok;
};

static void *work(void *data)
{
    struct worker *worker = data;
    struct kbp_error err = KB_ERR_INIT;
    struct store mine = *worker->store;
    struct kb_check_ctx ctx = {.outcome = KB_CHECK_PASS};
    char name[32];
    unsigned i;

    mine.ctx = &ctx;
    if (kb_store_session_open(mine.store, NULL, &mine.session, &err) != KBP_OK)
        return NULL;
    for (i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "w%u/%u", worker->number, i);
        must_put(&mine, name, name);
        must_hold(&mine, name, name);
        must_put(&mine, "shared", "shared");
    }
    kb_store_session_close(mine.session);
    worker->ok = !kb_check_bad(&ctx);
    return NULL;
}

static void eight_sessions(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct worker workers[WORKERS];
    struct store store;
    unsigned started = 0;
    unsigned i;

    memset(workers, 0, sizeof workers);
    if (open_store(ctx, &store)) {
        for (; started < WORKERS; started++) {
            workers[started].store = &store;
            workers[started].number = started;
            if (kb_thread_start(&workers[started].thread, "check", work,
                                &workers[started], &err) != KBP_OK)
                break;
        }
        for (i = 0; i < started; i++) {
            (void)pthread_join(workers[i].thread, NULL);
            if (!workers[i].ok)
                kb_check_fail(ctx, "session %u of %u failed", i, started);
        }
        must_hold(&store, "shared", "shared");
    }
    close_store(&store);
}

static void cancel(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_object_info info;
    struct kb_store_session *session = NULL;
    struct kb_stop stop;
    char key[KEY_BYTES];
    struct store store;

    if (open_store(ctx, &store) && kb_stop_init(&stop, &err) == KBP_OK) {
        int64_t begin;
        int status;

        must_be(ctx, kb_store_session_open(store.store, &stop, &session, &err),
                KBP_OK, "session_open");
        kb_stop_request(&stop);
        begin = kb_now_ms();
        status =
            kb_store_stat(session, key_of(&store, key, "none"), &info, &err);
        if (status != KBP_ERR_CANCELLED && status != KBP_ERR_NOT_FOUND)
            kb_check_fail(ctx, "a call that is cancelled: status %d", status);
        if (kb_now_ms() - begin > 1000)
            kb_check_fail(ctx, "a call that is cancelled took %lld ms",
                          (long long)(kb_now_ms() - begin));
        kb_store_session_close(session);
        kb_stop_release(&stop);
    }
    close_store(&store);
}

static const struct kb_check checks[] = {
    {"put-get", "What was put is got, replaced as a whole, empty or not.",
     put_get},
    {"not-found", "What isn't there isn't found, and can be removed.",
     not_found},
    {"unseen-before-commit", "No reader sees an upload before its commit.",
     unseen_before_commit},
    {"conditions", "Create-only and if-etag hold, where they are claimed.",
     conditions},
    {"ranges", "A range is cut where the object ends.", ranges},
    {"list-order", "Keys are listed in byte order; prefixes are strings.",
     list_order},
    {"list-1100", "More keys than a page holds are listed, each once.",
     list_1100},
    {"strange-keys", "Keys are bytes, not URLs or patterns.", strange_keys},
    {"dot-dot-refused", "No key leads out of the store.", dot_dot_refused},
    {"large-object", "25 MB in odd pieces come back.", large_object},
    {"eight-sessions", "Sessions of one instance work side by side.",
     eight_sessions},
    {"cancel", "A cancelled call ends within a second.", cancel},
};

KB_CHECK_GROUP(kb_check_storage, "storage", checks);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_storage.c - stores, through the same wrapper that the program uses.
 *
 * Objects are put under a prefix of their own, and removed at the end.
 */
#include "check/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/thread.h"

#define LIST_COUNT 1100 /* the usual page has 1000 */
#define WORKERS 8u

static void put_get(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_object_info put_info = {0};
    struct kb_object_info info = {0};
    char key[KB_CHECK_KEY_BYTES];
    struct kb_check_store store;

    if (kb_check_store_open(ctx, &store)) {
        kb_check_must_be(
            ctx, kb_check_put(&store, "a/b", "hello", NULL, &put_info, &err),
            KBP_OK, "put");
        kb_check_must_hold(&store, "a/b", "hello");
        kb_check_must_be(ctx,
                         kb_store_stat(store.session,
                                       kb_check_key(&store, key, "a/b"), &info,
                                       &err),
                         KBP_OK, "stat");
        if (info.size != 5)
            kb_check_fail(ctx, "stat says %llu bytes",
                          (unsigned long long)info.size);
        if (strcmp(info.etag, put_info.etag) != 0)
            kb_check_fail(ctx, "commit and stat give different etags");
        kb_check_must_put(&store, "a/b", "other bytes");
        kb_check_must_hold(&store, "a/b", "other bytes");
        kb_check_must_put(&store, "empty", "");
        kb_check_must_hold(&store, "empty", "");
    }
    kb_check_store_close(&store);
}

static void not_found(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_object_info info;
    struct kb_buf buf = KB_BUF_INIT;
    char key[KB_CHECK_KEY_BYTES];
    struct kb_check_store store;

    if (kb_check_store_open(ctx, &store)) {
        (void)kb_check_key(&store, key, "none");
        kb_check_must_be(ctx, kb_store_stat(store.session, key, &info, &err),
                         KBP_ERR_NOT_FOUND, "stat");
        kb_check_must_be(
            ctx, kb_store_get_all(store.session, key, 100, &buf, NULL, &err),
            KBP_ERR_NOT_FOUND, "get");
        kb_check_must_be(ctx, kb_store_remove(store.session, key, &err), KBP_OK,
                         "remove");
        kb_check_must_put(&store, "none", "x");
        kb_check_must_be(ctx, kb_store_remove(store.session, key, &err), KBP_OK,
                         "remove");
        kb_check_must_be(ctx, kb_store_remove(store.session, key, &err), KBP_OK,
                         "remove twice");
        kb_check_must_be(ctx, kb_store_stat(store.session, key, &info, &err),
                         KBP_ERR_NOT_FOUND, "stat after remove");
    }
    kb_buf_release(&buf);
    kb_check_store_close(&store);
}

static void unseen_before_commit(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_object_info info;
    struct kb_upload *upload = NULL;
    char key[KB_CHECK_KEY_BYTES];
    struct kb_check_store store;

    if (kb_check_store_open(ctx, &store)) {
        (void)kb_check_key(&store, key, "k");
        kb_check_must_put(&store, "k", "old");
        kb_check_must_be(ctx,
                         kb_upload_open(store.session, key, KBP_SIZE_UNKNOWN,
                                        NULL, &upload, &err),
                         KBP_OK, "upload_open");
        if (upload) {
            kb_check_must_be(ctx, kb_upload_write(upload, "new", 3, &err),
                             KBP_OK, "upload_write");
            kb_check_must_hold(&store, "k", "old");
        }
        kb_upload_close(upload);
        kb_check_must_hold(&store, "k", "old");
        upload = NULL;
        (void)kb_check_key(&store, key, "k2");
        kb_check_must_be(ctx,
                         kb_upload_open(store.session, key, KBP_SIZE_UNKNOWN,
                                        NULL, &upload, &err),
                         KBP_OK, "upload_open");
        if (upload)
            kb_check_must_be(ctx, kb_upload_write(upload, "new", 3, &err),
                             KBP_OK, "upload_write");
        kb_upload_close(upload);
        kb_check_must_be(ctx, kb_store_stat(store.session, key, &info, &err),
                         KBP_ERR_NOT_FOUND, "stat of what was given up");
    }
    kb_check_store_close(&store);
}

static void conditions(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_condition create = {.create = true};
    struct kb_condition replace = {.if_etag = "no-such-etag"};
    struct kb_object_info info = {0};
    struct kb_check_store store;

    if (kb_check_store_open(ctx, &store)) {
        uint32_t flags = kb_store_info(store.store)->flags;

        if (flags & KBP_STORAGE_CREATE) {
            kb_check_must_be(
                ctx, kb_check_put(&store, "c", "one", &create, &info, &err),
                KBP_OK, "create");
            kb_check_must_be(
                ctx, kb_check_put(&store, "c", "two", &create, NULL, &err),
                KBP_ERR_EXISTS, "create again");
            kb_check_must_hold(&store, "c", "one");
        } else {
            kb_check_must_be(
                ctx, kb_check_put(&store, "c", "one", NULL, &info, &err),
                KBP_OK, "put");
        }
        if (flags & KBP_STORAGE_REPLACE) {
            kb_check_must_be(
                ctx, kb_check_put(&store, "c", "two", &replace, NULL, &err),
                KBP_ERR_CONFLICT, "replace another state");
            kb_check_must_hold(&store, "c", "one");
            replace.if_etag = info.etag;
            kb_check_must_be(
                ctx, kb_check_put(&store, "c", "two", &replace, NULL, &err),
                KBP_OK, "replace by etag");
            kb_check_must_be(
                ctx, kb_check_put(&store, "c", "six", &replace, NULL, &err),
                KBP_ERR_CONFLICT, "replace by an old etag");
            kb_check_must_hold(&store, "c", "two");
            kb_check_must_be(
                ctx, kb_check_put(&store, "gone", "x", &replace, NULL, &err),
                KBP_ERR_CONFLICT, "replace what isn't there");
        }
        if (!(flags & KBP_STORAGE_CREATE) && !kb_check_bad(ctx))
            kb_check_warn(ctx, "it has no create-only uploads, so two writers "
                               "can't be told apart");
    }
    kb_check_store_close(&store);
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
    char key[KB_CHECK_KEY_BYTES];
    struct kb_check_store store;
    size_t i;

    if (kb_check_store_open(ctx, &store)) {
        kb_check_must_put(&store, "r", "0123456789");
        for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct kb_buf buf = KB_BUF_INIT;
            struct kbp_sink sink = kb_buf_sink(&buf, 100);
            int status = kb_store_get(
                store.session, kb_check_key(&store, key, "r"), cases[i].offset,
                cases[i].len, NULL, &sink, NULL, &err);

            if (status != KBP_OK || buf.len != strlen(cases[i].bytes) ||
                memcmp(buf.data ? buf.data : (const uint8_t *)"",
                       cases[i].bytes, buf.len) != 0)
                kb_check_fail(ctx, "bytes %llu to +%llu are wrong: %s",
                              (unsigned long long)cases[i].offset,
                              (unsigned long long)cases[i].len, err.message);
            kb_buf_release(&buf);
        }
    }
    kb_check_store_close(&store);
}

static void must_list(struct kb_check_store *store, const char *prefix,
                      const char *after, uint32_t flags,
                      const char *const *wanted)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_names names = {NULL, 0};
    char from[KB_CHECK_KEY_BYTES];
    char below[KB_CHECK_KEY_BYTES];
    size_t skip = strlen(store->prefix) + 1;
    size_t i;

    if (kb_store_list(store->session, kb_check_key(store, below, prefix),
                      after ? kb_check_key(store, from, after) : NULL, flags,
                      kb_check_collect, &names, &err) != KBP_OK)
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
    kb_check_names_free(&names);
}

static void list_order(struct kb_check_ctx *ctx)
{
    static const char *const all[] = {"a!b",  "a-b/x", "a/b1", "a/b2/x",
                                      "a/bc", "a0",    "b",    NULL};
    static const char *const below[] = {"a/b1", "a/b2/x", "a/bc", NULL};
    static const char *const after[] = {"a/b2/x", "a/bc", NULL};
    static const char *const shallow[] = {"a!b", "a-b/", "a/", "a0", "b", NULL};
    static const char *const none[] = {NULL};
    struct kb_check_store store;
    size_t i;

    if (kb_check_store_open(ctx, &store)) {
        for (i = 7; i-- > 0;)
            kb_check_must_put(&store, all[i], "x");
        must_list(&store, "", NULL, 0, all);
        must_list(&store, "a/b", NULL, 0, below);
        must_list(&store, "a/b", "a/b1", 0, after);
        must_list(&store, "", NULL, KBP_LIST_SHALLOW, shallow);
        must_list(&store, "nothing", NULL, 0, none);
    }
    kb_check_store_close(&store);
}

static void list_1100(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_names names = {NULL, 0};
    char name[32];
    struct kb_check_store store;
    int i;

    if (kb_check_store_open(ctx, &store)) {
        for (i = 0; i < LIST_COUNT && !kb_check_bad(ctx); i++) {
            (void)snprintf(name, sizeof name, "n/%05d", i);
            kb_check_must_put(&store, name, "x");
        }
        kb_check_must_be(ctx,
                         kb_store_list(store.session, store.prefix, NULL, 0,
                                       kb_check_collect, &names, &err),
                         KBP_OK, "list");
        if (names.count != LIST_COUNT)
            kb_check_fail(ctx, "of %d keys %zu are listed", LIST_COUNT,
                          names.count);
        for (i = 1; i < (int)names.count; i++)
            if (strcmp(names.items[i - 1], names.items[i]) >= 0)
                kb_check_fail(ctx, "%s comes after %s", names.items[i],
                              names.items[i - 1]);
    }
    kb_check_names_free(&names);
    kb_check_store_close(&store);
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
    struct kb_check_store store;
    char long_name[256];
    size_t i;

    if (kb_check_store_open(ctx, &store)) {
        for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            kb_check_must_put(&store, keys[i], keys[i]);
            kb_check_must_hold(&store, keys[i], keys[i]);
        }
        memset(long_name, 'x', 255);
        long_name[255] = '\0';
        kb_check_must_put(&store, long_name, "long");
        kb_check_must_hold(&store, long_name, "long");
    }
    kb_check_store_close(&store);
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
        kb_check_must_be(
            ctx, type->session_open(storage, &host.host, &session, &err),
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
    char key[KB_CHECK_KEY_BYTES];
    struct kb_check_store store;
    unsigned i;
    size_t k;

    if (kb_check_store_open(ctx, &store) && bytes && back) {
        for (k = 0; k < piece; k++)
            bytes[k] = (uint8_t)kb_check_random(ctx);
        (void)kb_check_key(&store, key, "large");
        kb_check_must_be(ctx,
                         kb_upload_open(store.session, key, KBP_SIZE_UNKNOWN,
                                        NULL, &upload, &err),
                         KBP_OK, "upload_open");
        for (i = 0; i < pieces && upload && !kb_check_bad(ctx); i++)
            kb_check_must_be(ctx, kb_upload_write(upload, bytes, piece, &err),
                             KBP_OK, "upload_write");
        if (upload && !kb_check_bad(ctx))
            kb_check_must_be(ctx, kb_upload_commit(upload, NULL, &err), KBP_OK,
                             "upload_commit");
        kb_upload_close(upload);
        for (i = 0; i < pieces && !kb_check_bad(ctx); i++) {
            kb_check_must_be(ctx,
                             kb_store_get_range(store.session, key, i * piece,
                                                back, piece, &err),
                             KBP_OK, "get of a range");
            if (!kb_check_bad(ctx) && memcmp(bytes, back, piece) != 0)
                kb_check_fail(ctx, "part %u of a large object differs", i);
        }
    }
    free(bytes);
    free(back);
    kb_check_store_close(&store);
}

struct worker {
    struct kb_check_store *store;
    unsigned number;
    pthread_t thread;
    bool ok;
};

static void *work(void *data)
{
    struct worker *worker = data;
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_store mine = *worker->store;
    struct kb_check_ctx ctx = {.outcome = KB_CHECK_PASS};
    char name[32];
    unsigned i;

    mine.ctx = &ctx;
    if (kb_store_session_open(mine.store, NULL, &mine.session, &err) != KBP_OK)
        return NULL;
    for (i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "w%u/%u", worker->number, i);
        kb_check_must_put(&mine, name, name);
        kb_check_must_hold(&mine, name, name);
        kb_check_must_put(&mine, "shared", "shared");
    }
    kb_store_session_close(mine.session);
    worker->ok = !kb_check_bad(&ctx);
    return NULL;
}

static void eight_sessions(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct worker workers[WORKERS];
    struct kb_check_store store;
    unsigned started = 0;
    unsigned i;

    memset(workers, 0, sizeof workers);
    if (kb_check_store_open(ctx, &store)) {
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
        kb_check_must_hold(&store, "shared", "shared");
    }
    kb_check_store_close(&store);
}

static void cancel(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_object_info info;
    struct kb_store_session *session = NULL;
    struct kb_stop stop;
    char key[KB_CHECK_KEY_BYTES];
    struct kb_check_store store;

    if (kb_check_store_open(ctx, &store) &&
        kb_stop_init(&stop, &err) == KBP_OK) {
        int64_t begin;
        int status;

        kb_check_must_be(
            ctx, kb_store_session_open(store.store, &stop, &session, &err),
            KBP_OK, "session_open");
        kb_stop_request(&stop);
        begin = kb_now_ms();
        status = kb_store_stat(session, kb_check_key(&store, key, "none"),
                               &info, &err);
        if (status != KBP_ERR_CANCELLED && status != KBP_ERR_NOT_FOUND)
            kb_check_fail(ctx, "a call that is cancelled: status %d", status);
        if (kb_now_ms() - begin > 1000)
            kb_check_fail(ctx, "a call that is cancelled took %lld ms",
                          (long long)(kb_now_ms() - begin));
        kb_store_session_close(session);
        kb_stop_release(&stop);
    }
    kb_check_store_close(&store);
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

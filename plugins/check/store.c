/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - a store under check, through the wrapper that the program uses. */
#include "check/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

bool kb_check_store_open(struct kb_check_ctx *ctx, struct kb_check_store *store)
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

int32_t kb_check_collect(void *data, const struct kbp_object *object)
{
    struct kb_check_names *names = data;
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

void kb_check_names_free(struct kb_check_names *names)
{
    size_t i;

    for (i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

void kb_check_store_close(struct kb_check_store *store)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_names names = {NULL, 0};
    size_t i;

    if (store->session &&
        kb_store_list(store->session, store->prefix, NULL, 0, kb_check_collect,
                      &names, &err) == KBP_OK)
        for (i = 0; i < names.count; i++)
            (void)kb_store_remove(store->session, names.items[i], &err);
    kb_check_names_free(&names);
    kb_store_session_close(store->session);
    kb_store_close(store->store);
    kb_registry_release(&store->registry);
    kb_settings_release(&store->settings);
}

const char *kb_check_key(const struct kb_check_store *store,
                         char key[KB_CHECK_KEY_BYTES], const char *name)
{
    (void)snprintf(key, KB_CHECK_KEY_BYTES, "%s/%s", store->prefix, name);
    return key;
}

int kb_check_put(struct kb_check_store *store, const char *name,
                 const char *bytes, const struct kb_condition *cond,
                 struct kb_object_info *info, struct kbp_error *err)
{
    char key[KB_CHECK_KEY_BYTES];

    return kb_store_put(store->session, kb_check_key(store, key, name), bytes,
                        strlen(bytes), cond, info, err);
}

void kb_check_must_put(struct kb_check_store *store, const char *name,
                       const char *bytes)
{
    struct kbp_error err = KB_ERR_INIT;

    if (kb_check_put(store, name, bytes, NULL, NULL, &err) != KBP_OK)
        kb_check_fail(store->ctx, "put: %s", err.message);
}

void kb_check_must_hold(struct kb_check_store *store, const char *name,
                        const char *bytes)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_buf buf = KB_BUF_INIT;
    char key[KB_CHECK_KEY_BYTES];

    if (kb_store_get_all(store->session, kb_check_key(store, key, name),
                         1 << 20, &buf, NULL, &err) != KBP_OK)
        kb_check_fail(store->ctx, "get: %s", err.message);
    else if (buf.len != strlen(bytes) ||
             (buf.len && memcmp(buf.data, bytes, buf.len) != 0))
        kb_check_fail(store->ctx, "%s holds other bytes than were put", key);
    kb_buf_release(&buf);
}

void kb_check_must_be(struct kb_check_ctx *ctx, int got, int wanted,
                      const char *what)
{
    if (got != wanted)
        kb_check_fail(ctx, "%s: status %d (%s) instead of %d (%s)", what, got,
                      kb_status_text(got), wanted, kb_status_text(wanted));
}

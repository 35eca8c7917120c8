/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - a store under check, through the wrapper that the program uses.
 */
#ifndef KB_CHECK_STORE_H
#define KB_CHECK_STORE_H

#include "check/checks.h"
#include "plugin/storage.h"

#define KB_CHECK_KEY_BYTES 1200

struct kb_check_store {
    struct kb_check_ctx *ctx;
    struct kb_registry registry;
    struct kb_settings settings;
    struct kb_store *store;
    struct kb_store_session *session;
    char prefix[64];
};

/*
 * Open the ctx's store; false, and skipped, if it can't be.  Close it in any
 * case: that removes what is under its prefix.
 */
bool kb_check_store_open(struct kb_check_ctx *ctx,
                         struct kb_check_store *store);
void kb_check_store_close(struct kb_check_store *store);

/* A name under the store's prefix. Returns key. */
const char *kb_check_key(const struct kb_check_store *store,
                         char key[KB_CHECK_KEY_BYTES], const char *name);

int kb_check_put(struct kb_check_store *store, const char *name,
                 const char *bytes, const struct kb_condition *cond,
                 struct kb_object_info *info, struct kbp_error *err);

/* Fail the check unless ... */
void kb_check_must_put(struct kb_check_store *store, const char *name,
                       const char *bytes);
void kb_check_must_hold(struct kb_check_store *store, const char *name,
                        const char *bytes);
void kb_check_must_be(struct kb_check_ctx *ctx, int got, int wanted,
                      const char *what);

/* The keys of a listing. */
struct kb_check_names {
    char **items;
    size_t count;
};

/* A kbp_object_fn for them. */
int32_t kb_check_collect(void *data, const struct kbp_object *object);
void kb_check_names_free(struct kb_check_names *names);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* storage_internal.h - what storage.c and upload.c share. */
#ifndef KB_PLUGIN_STORAGE_INTERNAL_H
#define KB_PLUGIN_STORAGE_INTERNAL_H

#include "base/stop.h"
#include "plugin/instance.h"
#include "plugin/storage.h"

struct kb_store {
    struct kb_instance instance;
    const struct kbp_storage_type *type;
    struct kbp_storage *handle;
    struct kbp_storage_info info;
    struct kb_store_limits limits;
};

struct kb_store_session {
    struct kb_store *store;
    struct kb_host host;
    struct kbp_storage_session *handle;
};

/* One call's tries. */
struct kb_tries {
    struct kb_store_session *session;
    int64_t give_up_ms; /* of kb_now_ms() */
    unsigned failed;    /* in a row */
};

void kb_tries_begin(struct kb_tries *tries, struct kb_store_session *session);

/* Before each try: its deadline is set, and `err` cleared. */
void kb_tries_next(struct kb_tries *tries, struct kbp_error *err);

/* Something got through: patience starts anew. */
void kb_tries_progress(struct kb_tries *tries);

/*
 * After each try: KBP_OK for "try again", after the pause; else the status to
 * return.  Not called with success.
 */
int kb_tries_failed(struct kb_tries *tries, int status, struct kbp_error *err);

/* The same for a whole upload, which is begun anew after KBP_ERR_LOST only. */
int kb_tries_lost(struct kb_tries *tries, int status, struct kbp_error *err);

/* A kbp_object_fn which fills in a struct kb_object_info. */
int32_t kb_object_note(void *data, const struct kbp_object *object);

int kb_store_check_key(const char *key, struct kbp_error *err);

#endif

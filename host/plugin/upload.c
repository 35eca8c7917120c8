/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upload.c - stream an object into a store.
 *
 * When the answer to a commit got lost and the plugin can't tell, what is in
 * the store is read back and compared by size and CRC32C.  Where no network is
 * in between, that doesn't happen, and the CRC isn't computed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/str.h"
#include "plugin/storage_internal.h"
#include "plugin/store_watch.h"

/* A call has a deadline: don't pass more at once than fits into it. */
#define WRITE_BYTES_MAX (8u << 20)
#define COPY_BYTES (1u << 20)

struct kb_upload {
    struct kb_store_session *session;
    struct kbp_upload *handle;
    char *key;
    uint64_t size;
    int64_t busy_ns; /* time in the plugin */
    uint32_t crc32c;
    bool has_crc;
    bool create;
    bool failed;
    bool committed;
};

int kb_upload_open(struct kb_store_session *session, const char *key,
                   uint64_t size_hint, const struct kb_condition *cond,
                   struct kb_upload **upload, struct kbp_error *err)
{
    const struct kb_store *store = session->store;
    struct kbp_upload_request request = {
        .struct_size = sizeof request,
        .key = key,
        .size_hint = size_hint,
        .if_etag = cond ? cond->if_etag : NULL,
        .flags = cond && cond->create ? KBP_UPLOAD_CREATE : 0,
    };
    struct kb_upload *opened;
    struct kb_tries tries;
    int status = kb_store_check_key(key, err);

    if (status != KBP_OK)
        return status;
    if ((request.flags && !(store->info.flags & KBP_STORAGE_CREATE)) ||
        (request.if_etag && !(store->info.flags & KBP_STORAGE_REPLACE)))
        return kb_fail(err, KBP_ERR_UNSUPPORTED,
                       "storage %s can't make the replacement of an object "
                       "depend on what is there",
                       store->type->name);
    opened = calloc(1, sizeof *opened);
    if (opened)
        opened->key = kb_strdup(key);
    if (!opened || !opened->key) {
        free(opened);
        return kb_fail_nomem(err, "an upload");
    }
    opened->session = session;
    opened->create = request.flags != 0;
    opened->has_crc = !(store->info.flags & KBP_STORAGE_LOCAL);
    kb_tries_begin(&tries, session);
    do {
        kb_tries_next(&tries, err);
        status = store->type->upload_open(session->handle, &request,
                                          &opened->handle, err);
        if (status == KBP_OK) {
            *upload = opened;
            return KBP_OK;
        }
        status = kb_tries_failed(&tries, status, err);
    } while (status == KBP_OK);
    (void)kb_err_wrap(err, "storage %s: %s", store->type->name, key);
    free(opened->key);
    free(opened);
    return err->status;
}

/* Pass on one piece, as often as it takes. */
static int write_piece(struct kb_upload *upload, const uint8_t *bytes,
                       size_t len, struct kbp_error *err)
{
    const struct kbp_storage_type *type = upload->session->store->type;
    struct kb_tries tries;
    int status;

    kb_tries_begin(&tries, upload->session);
    for (;;) {
        size_t taken = 0;

        kb_tries_next(&tries, err);
        status = type->upload_write(upload->handle, bytes, len, &taken, err);
        if (taken > len || (status == KBP_OK && taken != len))
            return kb_fail(err, KBP_ERR_INTERNAL,
                           "the plugin says that it took %zu of %zu bytes",
                           taken, len);
        if (status == KBP_OK)
            return KBP_OK;
        bytes += taken;
        len -= taken;
        if (taken > 0)
            kb_tries_progress(&tries);
        status = kb_tries_failed(&tries, status, err);
        if (status != KBP_OK)
            return status;
    }
}

int kb_upload_write(struct kb_upload *upload, const void *bytes, size_t len,
                    struct kbp_error *err)
{
    const struct kbp_storage_type *type = upload->session->store->type;
    const uint8_t *at = bytes;

    if (upload->failed || upload->committed)
        return kb_fail(err, KBP_ERR_MISUSE, "storage %s: %s: the upload %s",
                       type->name, upload->key,
                       upload->failed ? "failed before" : "is done");
    while (len > 0) {
        size_t piece = len < WRITE_BYTES_MAX ? len : WRITE_BYTES_MAX;
        int64_t began_ns = kb_now_ns();
        int status = write_piece(upload, at, piece, err);

        upload->busy_ns += kb_now_ns() - began_ns;
        if (status != KBP_OK) {
            upload->failed = true;
            return kb_err_wrap(err, "storage %s: %s", type->name, upload->key);
        }
        if (upload->has_crc)
            upload->crc32c = kb_crc32c(upload->crc32c, at, piece);
        upload->size += piece;
        at += piece;
        len -= piece;
    }
    return KBP_OK;
}

/* A sink that only computes the CRC of what comes. */
struct summing {
    struct kbp_sink sink;
    uint8_t *room;
    uint64_t size;
    uint32_t crc32c;
};

static int32_t summing_reserve(struct kbp_sink *sink, size_t min, size_t wish,
                               void **room, size_t *room_len)
{
    struct summing *self = sink->data;

    (void)wish;
    if (min > COPY_BYTES)
        return KBP_ERR_NOMEM;
    *room = self->room;
    *room_len = COPY_BYTES;
    return KBP_OK;
}

static void summing_commit(struct kbp_sink *sink, size_t used)
{
    struct summing *self = sink->data;

    self->crc32c = kb_crc32c(self->crc32c, self->room, used);
    self->size += used;
}

/* Whether what is in the store is what was uploaded. */
static bool is_ours(struct kb_upload *upload, struct kb_object_info *info)
{
    struct kbp_error ignored = KB_ERR_INIT;
    struct summing summing = {
        .sink = {.struct_size = sizeof summing.sink,
                 .data = &summing,
                 .limit = UINT64_MAX,
                 .reserve = summing_reserve,
                 .commit = summing_commit},
    };
    int status;

    if (!upload->has_crc ||
        kb_store_stat(upload->session, upload->key, info, &ignored) != KBP_OK ||
        info->size != upload->size)
        return false;
    summing.room = malloc(COPY_BYTES);
    if (!summing.room)
        return false;
    status = kb_store_get(upload->session, upload->key, 0, KBP_TO_END,
                          *info->etag ? info->etag : NULL, &summing.sink, info,
                          &ignored);
    free(summing.room);
    return status == KBP_OK && summing.size == upload->size &&
           summing.crc32c == upload->crc32c;
}

int kb_upload_commit(struct kb_upload *upload, struct kb_object_info *info,
                     struct kbp_error *err)
{
    const struct kbp_storage_type *type = upload->session->store->type;
    struct kb_object_info noted = {.modified_ms = -1};
    struct kbp_commit commit = {
        .struct_size = sizeof commit,
        .flags = upload->has_crc ? KBP_COMMIT_CRC32C : 0,
        .size = upload->size,
        .crc32c = upload->crc32c,
    };
    struct kb_tries tries;
    int64_t began_ns = kb_now_ns();
    bool unsure = false;
    int status;

    if (upload->failed || upload->committed)
        return kb_fail(err, KBP_ERR_MISUSE, "storage %s: %s: the upload %s",
                       type->name, upload->key,
                       upload->failed ? "failed before" : "is done");
    noted.size = upload->size;
    kb_tries_begin(&tries, upload->session);
    for (;;) {
        kb_tries_next(&tries, err);
        status = type->upload_commit(upload->handle, &commit, kb_object_note,
                                     &noted, err);
        if (status == KBP_OK)
            break;
        if (status == KBP_ERR_UNSURE)
            unsure = true;
        /* After a lost answer "it exists" may well mean our own. */
        if (unsure &&
            (status == KBP_ERR_UNSURE || status == KBP_ERR_EXISTS ||
             status == KBP_ERR_CONFLICT) &&
            is_ours(upload, &noted)) {
            status = KBP_OK;
            break;
        }
        status = kb_tries_failed(&tries, status, err);
        if (status != KBP_OK)
            break;
    }
    if (status != KBP_OK) {
        upload->failed = true;
        return kb_err_wrap(err, "storage %s: %s", type->name, upload->key);
    }
    upload->committed = true;
    kb_store_tell_wrote(upload->key, upload->size,
                        upload->busy_ns + kb_now_ns() - began_ns);
    if (info)
        *info = noted;
    return KBP_OK;
}

void kb_upload_close(struct kb_upload *upload)
{
    struct kbp_error ignored = KB_ERR_INIT;
    struct kb_tries tries;

    if (!upload)
        return;
    kb_tries_begin(&tries, upload->session);
    kb_tries_next(&tries, &ignored);
    upload->session->store->type->upload_close(upload->handle);
    free(upload->key);
    free(upload);
}

uint64_t kb_upload_size(const struct kb_upload *upload)
{
    return upload->size;
}

static int put_once(struct kb_store_session *session, const char *key,
                    const void *bytes, size_t len,
                    const struct kb_condition *cond,
                    struct kb_object_info *info, struct kbp_error *err)
{
    struct kb_upload *upload;
    int status = kb_upload_open(session, key, len, cond, &upload, err);

    if (status != KBP_OK)
        return status;
    status = kb_upload_write(upload, bytes, len, err);
    if (status == KBP_OK)
        status = kb_upload_commit(upload, info, err);
    kb_upload_close(upload);
    return status;
}

int kb_store_put(struct kb_store_session *session, const char *key,
                 const void *bytes, size_t len, const struct kb_condition *cond,
                 struct kb_object_info *info, struct kbp_error *err)
{
    struct kb_tries tries;
    int status;

    kb_tries_begin(&tries, session);
    do {
        kb_err_clear(err);
        status = put_once(session, key, bytes, len, cond, info, err);
        if (status == KBP_OK)
            return KBP_OK;
        status = kb_tries_lost(&tries, status, err);
    } while (status == KBP_OK);
    return status;
}

/* A sink into an upload. */
struct piping {
    struct kbp_sink sink;
    struct kb_upload *upload;
    struct kbp_error *err;
    uint8_t *room;
};

static int32_t piping_reserve(struct kbp_sink *sink, size_t min, size_t wish,
                              void **room, size_t *room_len)
{
    struct piping *self = sink->data;

    (void)wish;
    if (self->upload->failed)
        return KBP_ERR_CANCELLED;
    if (min > COPY_BYTES)
        return KBP_ERR_NOMEM;
    *room = self->room;
    *room_len = COPY_BYTES;
    return KBP_OK;
}

static void piping_commit(struct kbp_sink *sink, size_t used)
{
    struct piping *self = sink->data;

    if (!self->upload->failed)
        (void)kb_upload_write(self->upload, self->room, used, self->err);
}

/* Through this process.  The session serves one call at a time: use another. */
static int copy_through(struct kb_store_session *session, const char *from,
                        const char *to, struct kbp_error *err)
{
    struct kbp_error failed = KB_ERR_INIT;
    struct kb_store_session *other = NULL;
    struct piping piping = {
        .sink = {.struct_size = sizeof piping.sink,
                 .data = &piping,
                 .limit = UINT64_MAX,
                 .reserve = piping_reserve,
                 .commit = piping_commit},
        .err = &failed,
    };
    int status;

    piping.room = malloc(COPY_BYTES);
    if (!piping.room)
        return kb_fail_nomem(err, "a copy");
    status =
        kb_store_session_open(session->store, session->host.stop, &other, err);
    if (status == KBP_OK)
        status = kb_upload_open(other, to, KBP_SIZE_UNKNOWN, NULL,
                                &piping.upload, err);
    if (status == KBP_OK)
        status = kb_store_get(session, from, 0, KBP_TO_END, NULL, &piping.sink,
                              NULL, err);
    if (piping.upload && piping.upload->failed) {
        *err = failed;
        status = failed.status;
    }
    if (status == KBP_OK)
        status = kb_upload_commit(piping.upload, NULL, err);
    kb_upload_close(piping.upload);
    kb_store_session_close(other);
    free(piping.room);
    return status;
}

int kb_store_copy(struct kb_store_session *session, const char *from,
                  const char *to, struct kbp_error *err)
{
    const struct kbp_storage_type *type = session->store->type;
    struct kb_tries tries;
    int status = kb_store_check_key(from, err);

    if (status == KBP_OK)
        status = kb_store_check_key(to, err);
    if (status != KBP_OK)
        return status;
    if (!type->copy)
        return copy_through(session, from, to, err);
    kb_tries_begin(&tries, session);
    do {
        kb_tries_next(&tries, err);
        status = type->copy(session->handle, from, to, err);
        if (status == KBP_OK)
            return KBP_OK;
        status = kb_tries_failed(&tries, status, err);
    } while (status == KBP_OK);
    return kb_err_wrap(err, "storage %s: copy %s to %s", type->name, from, to);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* fs_read.c - get, stat and remove objects. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fs.h"

/* A descriptor of the object's file, or -1 with `err` filled in. */
static int open_object(struct kbp_storage_session *session, const char *key,
                       int flags, struct stat *st, struct kbp_error *err)
{
    struct kbp_storage *fs = session->fs;
    int fd;

    if (fs_check_key(fs, key, err) != KBP_OK)
        return -1;
    /* A pipe in an object's place must not hold us. */
    if (!(flags & O_PATH))
        flags |= O_NONBLOCK;
    fd = fs_open_below(fs_root(fs), key, flags);
    if (fd < 0) {
        /* A file where the key has a directory: then it isn't there. */
        (void)fs_fail(fs, err, errno == ENOTDIR ? ENOENT : errno, "can't read",
                      key);
        return -1;
    }
    if (fstat(fd, st))
        (void)fs_fail(fs, err, errno, "can't stat", key);
    else if (S_ISREG(st->st_mode))
        return fd;
    else
        (void)kbp_fail(err, KBP_ERR_NOT_FOUND, 0, "%s/%s is not a file",
                       fs->root, key);
    (void)close(fd);
    return -1;
}

static int32_t pass_on(struct kbp_storage_session *session, const char *key,
                       int fd, uint64_t at, uint64_t end, struct kbp_sink *sink,
                       struct kbp_error *err)
{
    const struct kbp_host *host = session->host;

    while (at < end) {
        size_t want = end - at < FS_PIECE ? (size_t)(end - at) : FS_PIECE;
        size_t room_len;
        void *room;
        ssize_t n;
        int32_t status;

        if (host->cancelled(host))
            return kbp_fail(err, KBP_ERR_CANCELLED, 0, "cancelled");
        status = sink->reserve(sink, 1, want, &room, &room_len);
        if (status != KBP_OK)
            return status;
        do {
            n = pread(fd, room, room_len < want ? room_len : want, (off_t)at);
        } while (n < 0 && errno == EINTR);
        if (n < 0)
            return fs_fail(session->fs, err, errno, "can't read", key);
        if (n == 0)
            return kbp_fail(err, KBP_ERR_CONFLICT, 0,
                            "%s/%s was cut while it was read",
                            session->fs->root, key);
        sink->commit(sink, (size_t)n);
        at += (uint64_t)n;
    }
    return KBP_OK;
}

int32_t fs_get(struct kbp_storage_session *session,
               const struct kbp_get_request *request, kbp_object_fn fn,
               void *data, struct kbp_sink *sink, struct kbp_error *err)
{
    char etag[FS_ETAG_MAX];
    struct stat st;
    uint64_t at = request->offset;
    uint64_t end;
    int32_t status;
    int fd;

    if (request->flags & KBP_FLAGS_BINDING)
        return kbp_fail(err, KBP_ERR_UNSUPPORTED, 0, "unknown flags 0x%x",
                        (unsigned)request->flags);
    fd = open_object(session, request->key, O_RDONLY, &st, err);
    if (fd < 0)
        return err->status;
    fs_etag(etag, &st);
    if (request->if_etag && strcmp(etag, request->if_etag) != 0) {
        (void)close(fd);
        return kbp_fail(err, KBP_ERR_CONFLICT, 0,
                        "%s/%s was changed by somebody else", session->fs->root,
                        request->key);
    }
    end = (uint64_t)st.st_size;
    if (at > end)
        at = end;
    if (request->len < end - at)
        end = at + request->len;
    (void)fs_tell(fn, data, request->key, &st);
    status = pass_on(session, request->key, fd, at, end, sink, err);
    (void)close(fd);
    return status;
}

int32_t fs_stat(struct kbp_storage_session *session, const char *key,
                kbp_object_fn fn, void *data, struct kbp_error *err)
{
    struct stat st;
    int fd = open_object(session, key, O_PATH, &st, err);

    if (fd < 0)
        return err->status;
    (void)close(fd);
    (void)fs_tell(fn, data, key, &st);
    return KBP_OK;
}

/* What is left of a key's directories, once they are empty. */
static void remove_empty_above(struct kbp_storage *fs, const char *key)
{
    char path[FS_KEY_MAX + 1];
    char *slash;
    int removed = 0;

    memcpy(path, key, strlen(key) + 1);
    while ((slash = strrchr(path, '/')) != NULL) {
        const char *name;
        int dir;
        int failed;

        *slash = '\0';
        dir = fs_open_parent(fs, path, 0, &name);
        if (dir < 0)
            break;
        failed = unlinkat(dir, name, AT_REMOVEDIR);
        (void)close(dir);
        if (failed)
            break;
        removed = 1;
    }
    /* They must be made and synced anew. */
    if (removed)
        fs_forget_durable(fs);
}

int32_t fs_remove(struct kbp_storage_session *session, const char *key,
                  struct kbp_error *err)
{
    struct kbp_storage *fs = session->fs;
    const char *name;
    int32_t status = fs_check_key(fs, key, err);
    int saved = 0;
    int dir;

    if (status != KBP_OK)
        return status;
    dir = fs_open_parent(fs, key, 0, &name);
    if (dir < 0)
        saved = errno;
    else if (unlinkat(dir, name, 0))
        saved = errno;
    if (dir >= 0)
        (void)close(dir);
    /* A directory or a file above in its place: no object of that key. */
    if (saved != 0 && saved != ENOENT && saved != ENOTDIR && saved != EISDIR)
        return fs_fail(fs, err, saved, "can't remove", key);
    if (saved == 0)
        remove_empty_above(fs, key);
    return KBP_OK;
}

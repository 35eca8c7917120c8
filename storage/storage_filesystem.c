/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storage_filesystem.c - a directory as a store.
 *
 * An upload is a file in <root>/.kafka-backup; the commit syncs it, links or
 * renames it to its place, and syncs the directory.  link() makes create-only
 * safe between processes; replacing an object by its etag takes a lock, which
 * only other users of this plugin heed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <kafka-backup/storage.h>
#include <kafka-backup/util.h>

#define OWN_DIR ".kafka-backup"
#define ETAG_MAX 80

struct kbp_storage {
    char *root;
    int fd;     /* of the root */
    int own_fd; /* of OWN_DIR */
};

struct kbp_storage_session {
    struct kbp_storage *fs;
    const struct kbp_host *host;
};

struct kbp_upload {
    struct kbp_storage_session *session;
    char *key;
    char *if_etag;
    uint32_t flags;
    int fd;
    int linked; /* the commit put it in its place */
    uint64_t size;
    char name[64];
};

static const struct kbp_option fs_options[] = {
    {.name = "path",
     .help = "the directory; it is made when absent",
     .type = KBP_OPTION_PATH,
     .flags = KBP_OPTION_REQUIRED | KBP_OPTION_URL_PATH},
};

static int32_t fs_fail(struct kbp_error *err, int native, const char *what,
                       const char *key)
{
    int32_t status = KBP_ERR_IO;

    switch (native) {
    case ENOENT:
        status = KBP_ERR_NOT_FOUND;
        break;
    case EEXIST:
        status = KBP_ERR_EXISTS;
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        status = KBP_ERR_DENIED;
        break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        status = KBP_ERR_FULL;
        break;
    case ENOMEM:
        status = KBP_ERR_NOMEM;
        break;
    case EISDIR:
    case ENOTDIR:
    case ENAMETOOLONG:
        status = KBP_ERR_MISUSE;
        break;
    default:
        break;
    }
    return kbp_fail(err, status, native, "%s %s: %s", what, key,
                    strerror(native));
}

static int key_ok(const char *key)
{
    return *key && *key != '/' && !strstr(key, "//") &&
           strncmp(key, OWN_DIR "/", sizeof OWN_DIR) != 0 &&
           strncmp(key, "../", 3) != 0 && !strstr(key, "/../") &&
           !strstr(key, "/./") && strlen(key) <= 1024;
}

static void fs_etag(char etag[ETAG_MAX], const struct stat *st)
{
    (void)snprintf(etag, ETAG_MAX, "%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%lx",
                   (uint64_t)st->st_ino, (uint64_t)st->st_size,
                   (uint64_t)st->st_mtim.tv_sec,
                   (unsigned long)st->st_mtim.tv_nsec);
}

static int32_t tell(kbp_object_fn fn, void *data, const char *key,
                    const struct stat *st)
{
    struct kbp_object object;
    char etag[ETAG_MAX];

    if (!fn)
        return 0;
    memset(&object, 0, sizeof object);
    fs_etag(etag, st);
    object.struct_size = sizeof object;
    object.key = key;
    object.size = (uint64_t)st->st_size;
    object.modified_ms = (int64_t)st->st_mtim.tv_sec * 1000 +
                         (int64_t)st->st_mtim.tv_nsec / 1000000;
    object.etag = etag;
    return fn(data, &object);
}

/* Make the directories above a key, durably. */
static int make_parents(int root, const char *key)
{
    char path[1100];
    size_t i;

    for (i = 0; key[i]; i++) {
        path[i] = key[i];
        if (key[i] != '/')
            continue;
        path[i] = '\0';
        if (mkdirat(root, path, 0777) && errno != EEXIST)
            return -1;
        path[i] = '/';
    }
    return 0;
}

/* Sync a directory of the key: its own, then each above that may be new. */
static int sync_parents(int root, const char *key)
{
    char path[1100];
    char *slash;

    (void)snprintf(path, sizeof path, "%s", key);
    do {
        int fd;

        slash = strrchr(path, '/');
        if (slash)
            *slash = '\0';
        fd = openat(root, slash ? path : ".",
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return -1;
        if (fsync(fd)) {
            (void)close(fd);
            return -1;
        }
        (void)close(fd);
    } while (slash);
    return 0;
}

static void fs_close(struct kbp_storage *storage)
{
    if (!storage)
        return;
    if (storage->fd >= 0)
        (void)close(storage->fd);
    if (storage->own_fd >= 0)
        (void)close(storage->own_fd);
    free(storage->root);
    free(storage);
}

static int32_t fs_open(const struct kbp_host *host,
                       const struct kbp_config *config,
                       struct kbp_storage **storage, struct kbp_error *err)
{
    struct kbp_storage *fs = calloc(1, sizeof *fs);
    int32_t status = KBP_OK;

    (void)host;
    if (!fs)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    fs->fd = fs->own_fd = -1;
    fs->root = strdup(kbp_config_get(config, "path"));
    if (!fs->root)
        status = kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    else if (mkdir(fs->root, 0777) && errno != EEXIST)
        status = fs_fail(err, errno, "can't make", fs->root);
    else if ((fs->fd = open(fs->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        status = fs_fail(err, errno, "can't open", fs->root);
    else if (mkdirat(fs->fd, OWN_DIR, 0777) && errno != EEXIST)
        status = fs_fail(err, errno, "can't write in", fs->root);
    else if ((fs->own_fd = openat(fs->fd, OWN_DIR,
                                  O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        status = fs_fail(err, errno, "can't open", OWN_DIR);
    if (status != KBP_OK) {
        fs_close(fs);
        return status == KBP_ERR_NOT_FOUND ? (err->status = KBP_ERR_CONFIG)
                                           : status;
    }
    *storage = fs;
    return KBP_OK;
}

static int32_t fs_info(struct kbp_storage *storage,
                       struct kbp_storage_info *info, struct kbp_error *err)
{
    (void)storage;
    (void)err;
    info->flags = KBP_STORAGE_CREATE | KBP_STORAGE_REPLACE | KBP_STORAGE_LOCAL;
    return KBP_OK;
}

static int32_t fs_session_open(struct kbp_storage *storage,
                               const struct kbp_host *host,
                               struct kbp_storage_session **session,
                               struct kbp_error *err)
{
    struct kbp_storage_session *s = calloc(1, sizeof *s);

    if (!s)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    s->fs = storage;
    s->host = host;
    *session = s;
    return KBP_OK;
}

static void fs_session_close(struct kbp_storage_session *session)
{
    free(session);
}

static void fs_upload_close(struct kbp_upload *upload)
{
    if (!upload)
        return;
    if (upload->fd >= 0)
        (void)close(upload->fd);
    if (upload->name[0])
        (void)unlinkat(upload->session->fs->own_fd, upload->name, 0);
    free(upload->key);
    free(upload->if_etag);
    free(upload);
}

static int32_t fs_upload_open(struct kbp_storage_session *session,
                              const struct kbp_upload_request *request,
                              struct kbp_upload **upload, struct kbp_error *err)
{
    static unsigned counter;
    struct kbp_upload *up;
    int32_t status = KBP_OK;

    if (request->flags & KBP_FLAGS_BINDING)
        return kbp_fail(err, KBP_ERR_UNSUPPORTED, 0, "unknown upload flags %x",
                        (unsigned)request->flags);
    if (!key_ok(request->key))
        return kbp_fail(err, KBP_ERR_MISUSE, 0, "not a key: %s", request->key);
    up = calloc(1, sizeof *up);
    if (!up)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    up->session = session;
    up->fd = -1;
    up->flags = request->flags;
    up->key = strdup(request->key);
    up->if_etag = request->if_etag ? strdup(request->if_etag) : NULL;
    if (!up->key || (request->if_etag && !up->if_etag)) {
        status = kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    } else {
        (void)snprintf(up->name, sizeof up->name, "up-%ld-%lx-%x",
                       (long)getpid(), (unsigned long)time(NULL),
                       __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED));
        up->fd = openat(session->fs->own_fd, up->name,
                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (up->fd < 0) {
            status = fs_fail(err, errno, "can't begin", up->key);
            up->name[0] = '\0';
        }
    }
    if (status != KBP_OK) {
        fs_upload_close(up);
        return status;
    }
    *upload = up;
    return KBP_OK;
}

static int32_t fs_upload_write(struct kbp_upload *upload, const void *bytes,
                               size_t len, size_t *taken, struct kbp_error *err)
{
    const char *from = bytes;

    *taken = 0;
    while (*taken < len) {
        size_t want = len - *taken;
        ssize_t n;

        if (want > 1 << 20)
            want = 1 << 20;
        if (upload->session->host->cancelled(upload->session->host))
            return kbp_fail(err, KBP_ERR_CANCELLED, 0, "cancelled");
        n = write(upload->fd, from + *taken, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fs_fail(err, errno, "can't write", upload->key);
        *taken += (size_t)n;
        upload->size += (uint64_t)n;
    }
    return KBP_OK;
}

/* With the lock held where it matters: put the file in its place. */
static int32_t place(struct kbp_upload *up, struct kbp_error *err)
{
    const struct kbp_storage *fs = up->session->fs;
    struct stat st;
    char etag[ETAG_MAX];

    if (up->if_etag) {
        if (fstatat(fs->fd, up->key, &st, 0)) {
            if (errno != ENOENT)
                return fs_fail(err, errno, "can't stat", up->key);
            return kbp_fail(err, KBP_ERR_CONFLICT, 0, "%s is gone", up->key);
        }
        fs_etag(etag, &st);
        if (strcmp(etag, up->if_etag) != 0)
            return kbp_fail(err, KBP_ERR_CONFLICT, 0, "%s was changed",
                            up->key);
    }
    if (up->flags & KBP_UPLOAD_CREATE) {
        if (linkat(fs->own_fd, up->name, fs->fd, up->key, 0))
            return fs_fail(err, errno, "can't create", up->key);
    } else {
        if (renameat(fs->own_fd, up->name, fs->fd, up->key))
            return fs_fail(err, errno, "can't replace", up->key);
        up->name[0] = '\0';
    }
    up->linked = 1;
    return KBP_OK;
}

static int32_t fs_upload_commit(struct kbp_upload *upload,
                                const struct kbp_commit *commit,
                                kbp_object_fn fn, void *data,
                                struct kbp_error *err)
{
    const struct kbp_storage *fs = upload->session->fs;
    struct stat st;
    int32_t status = KBP_OK;
    int lock = -1;

    if (commit->size != upload->size)
        return kbp_fail(err, KBP_ERR_MISUSE, 0,
                        "%s: a commit of %" PRIu64 " bytes, but %" PRIu64
                        " were written",
                        upload->key, commit->size, upload->size);
    if (!upload->linked) {
        if (fsync(upload->fd))
            return fs_fail(err, errno, "can't sync", upload->key);
        if (make_parents(fs->fd, upload->key))
            return fs_fail(err, errno, "no directory for", upload->key);
        if (upload->if_etag) {
            lock =
                openat(fs->own_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
            if (lock < 0 || flock(lock, LOCK_EX)) {
                status = fs_fail(err, errno, "can't lock", upload->key);
                if (lock >= 0)
                    (void)close(lock);
                return status;
            }
        }
        status = place(upload, err);
        if (lock >= 0)
            (void)close(lock);
        if (status != KBP_OK)
            return status;
    }
    /* From here on a retry finds it linked, and syncs again. */
    if (sync_parents(fs->fd, upload->key))
        return kbp_fail(err, KBP_ERR_UNSURE, errno, "can't sync above %s: %s",
                        upload->key, strerror(errno));
    if (fstat(upload->fd, &st))
        return fs_fail(err, errno, "can't stat", upload->key);
    (void)tell(fn, data, upload->key, &st);
    return KBP_OK;
}

static int32_t fs_get(struct kbp_storage_session *session,
                      const struct kbp_get_request *request, kbp_object_fn fn,
                      void *data, struct kbp_sink *sink, struct kbp_error *err)
{
    struct stat st;
    char etag[ETAG_MAX];
    uint64_t at = request->offset;
    uint64_t end;
    int32_t status = KBP_OK;
    int fd;

    if (!key_ok(request->key))
        return kbp_fail(err, KBP_ERR_MISUSE, 0, "not a key: %s", request->key);
    fd = openat(session->fs->fd, request->key, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fs_fail(err, errno, "can't read", request->key);
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return kbp_fail(err, KBP_ERR_NOT_FOUND, 0, "%s is not an object",
                        request->key);
    }
    fs_etag(etag, &st);
    if (request->if_etag && strcmp(etag, request->if_etag) != 0) {
        (void)close(fd);
        return kbp_fail(err, KBP_ERR_CONFLICT, 0, "%s was changed",
                        request->key);
    }
    end = (uint64_t)st.st_size;
    if (at > end)
        at = end;
    if (request->len < end - at)
        end = at + request->len;
    (void)tell(fn, data, request->key, &st);
    while (at < end && status == KBP_OK) {
        size_t want = end - at > 1 << 20 ? 1 << 20 : (size_t)(end - at);
        void *room;
        size_t room_len;
        ssize_t n;

        if (session->host->cancelled(session->host)) {
            status = kbp_fail(err, KBP_ERR_CANCELLED, 0, "cancelled");
            break;
        }
        status = sink->reserve(sink, 1, want, &room, &room_len);
        if (status != KBP_OK)
            break;
        n = pread(fd, room, room_len < want ? room_len : want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            status = n < 0 ? fs_fail(err, errno, "can't read", request->key)
                           : kbp_fail(err, KBP_ERR_CONFLICT, 0, "%s shrank",
                                      request->key);
            break;
        }
        sink->commit(sink, (size_t)n);
        at += (uint64_t)n;
    }
    (void)close(fd);
    return status;
}

static int32_t fs_stat(struct kbp_storage_session *session, const char *key,
                       kbp_object_fn fn, void *data, struct kbp_error *err)
{
    struct stat st;

    if (!key_ok(key))
        return kbp_fail(err, KBP_ERR_MISUSE, 0, "not a key: %s", key);
    if (fstatat(session->fs->fd, key, &st, 0))
        return fs_fail(err, errno, "can't stat", key);
    if (!S_ISREG(st.st_mode))
        return kbp_fail(err, KBP_ERR_NOT_FOUND, 0, "%s is not an object", key);
    (void)tell(fn, data, key, &st);
    return KBP_OK;
}

/* Names of a directory, directories with a '/' at the end: byte order. */
static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char **dir_names(int at, const char *dir, size_t *count)
{
    int fd = openat(at, *dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    char **names = NULL;
    const struct dirent *e;

    *count = 0;
    if (!d) {
        if (fd >= 0)
            (void)close(fd);
        return NULL;
    }
    while ((e = readdir(d)) != NULL) {
        char **more;
        struct stat st;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            (!*dir && strcmp(e->d_name, OWN_DIR) == 0) ||
            fstatat(dirfd(d), e->d_name, &st, 0))
            continue;
        more = realloc(names, (*count + 1) * sizeof *names);
        if (!more)
            break;
        names = more;
        if (asprintf(&names[*count], "%s%s", e->d_name,
                     S_ISDIR(st.st_mode) ? "/" : "") < 0)
            break;
        ++*count;
    }
    (void)closedir(d);
    if (names)
        qsort(names, *count, sizeof *names, by_bytes);
    return names;
}

struct walk {
    struct kbp_storage_session *session;
    const struct kbp_list_request *request;
    kbp_object_fn fn;
    void *data;
};

/* Non-zero to stop. */
static int walk_dir(const struct walk *w, const char *dir)
{
    size_t prefix_len = strlen(w->request->prefix);
    size_t count, i;
    char **names = dir_names(w->session->fs->fd, dir, &count);
    int stop = 0;

    for (i = 0; i < count; i++) {
        char path[2100];
        size_t n;
        struct stat st;

        n = (size_t)snprintf(path, sizeof path, "%s%s", dir, names[i]);
        free(names[i]);
        if (stop || w->session->host->cancelled(w->session->host)) {
            stop = 1;
            continue;
        }
        if (strncmp(path, w->request->prefix,
                    n < prefix_len ? n : prefix_len) != 0)
            continue;
        if (path[n - 1] == '/') {
            if (n < prefix_len || !(w->request->flags & KBP_LIST_SHALLOW) ||
                n == prefix_len) {
                stop = walk_dir(w, path);
            } else if (!w->request->after ||
                       strcmp(path, w->request->after) > 0) {
                struct kbp_object object;

                memset(&object, 0, sizeof object);
                object.struct_size = sizeof object;
                object.flags = KBP_OBJECT_PREFIX;
                object.key = path;
                object.modified_ms = -1;
                stop = w->fn(w->data, &object) != 0;
            }
        } else if (n >= prefix_len &&
                   (!w->request->after ||
                    strcmp(path, w->request->after) > 0) &&
                   fstatat(w->session->fs->fd, path, &st, 0) == 0) {
            stop = tell(w->fn, w->data, path, &st) != 0;
        }
    }
    free(names);
    return stop;
}

static int32_t fs_list(struct kbp_storage_session *session,
                       const struct kbp_list_request *request, kbp_object_fn fn,
                       void *data, struct kbp_error *err)
{
    struct walk w = {session, request, fn, data};

    (void)walk_dir(&w, "");
    if (session->host->cancelled(session->host))
        return kbp_fail(err, KBP_ERR_CANCELLED, 0, "cancelled");
    return KBP_OK;
}

static int32_t fs_remove(struct kbp_storage_session *session, const char *key,
                         struct kbp_error *err)
{
    if (!key_ok(key))
        return kbp_fail(err, KBP_ERR_MISUSE, 0, "not a key: %s", key);
    if (unlinkat(session->fs->fd, key, 0) && errno != ENOENT)
        return fs_fail(err, errno, "can't remove", key);
    return KBP_OK;
}

static int32_t fs_sweep(struct kbp_storage_session *session, const char *prefix,
                        uint64_t age_ms, uint64_t *removed,
                        struct kbp_error *err)
{
    size_t count, i;
    char **names = dir_names(session->fs->own_fd, ".", &count);
    uint64_t n = 0;

    (void)err;
    (void)prefix; /* the names don't tell whose they are: all of this store */
    for (i = 0; i < count; i++) {
        struct stat st;

        if (strncmp(names[i], "up-", 3) == 0 &&
            fstatat(session->fs->own_fd, names[i], &st, 0) == 0 &&
            (uint64_t)(time(NULL) - st.st_mtime) * 1000 >= age_ms &&
            unlinkat(session->fs->own_fd, names[i], 0) == 0)
            n++;
        free(names[i]);
    }
    free(names);
    *removed = n;
    return KBP_OK;
}

static const char *const fs_schemes[] = {"file", NULL};

static const struct kbp_storage_type fs_type = {
    .struct_size = sizeof fs_type,
    .name = "filesystem",
    .summary = "a directory",
    .options = KBP_OPTIONS(fs_options),
    .schemes = fs_schemes,
    .open = fs_open,
    .close = fs_close,
    .info = fs_info,
    .session_open = fs_session_open,
    .session_close = fs_session_close,
    .upload_open = fs_upload_open,
    .upload_write = fs_upload_write,
    .upload_commit = fs_upload_commit,
    .upload_close = fs_upload_close,
    .get = fs_get,
    .stat = fs_stat,
    .list = fs_list,
    .remove = fs_remove,
    .sweep = fs_sweep,
};

static const struct kbp_storage_type *const fs_types[] = {&fs_type, NULL};

const struct kbp_module kafka_backup_plugin = {
    .abi = KBP_ABI_INIT(struct kbp_module),
    .name = "storage_filesystem",
    .version = "1.0.0",
    .vendor = "kafka-backup",
    .license = "Apache-2.0",
    .storage = fs_types,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_path.c - from keys to descriptors, without leaving the root.
 *
 * Symbolic links below the root aren't followed: who can make one there could
 * otherwise have a backup read or overwrite any file.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#define HAVE_OPENAT2 1
#endif
#endif

#include "fs.h"

#define DURABLE_MAX 100000u

int32_t fs_fail(const struct kbp_storage *fs, struct kbp_error *err,
                int32_t native, const char *what, const char *key)
{
    int32_t status = KBP_ERR_IO;
    const char *why = strerror(native);

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
    case ELOOP:
    case EXDEV:
        status = KBP_ERR_DENIED;
        why = native == ELOOP ? "a symbolic link is in the way"
                              : "it is on another file system";
        break;
    case EISDIR:
    case ENOTDIR:
    case ENOTEMPTY:
        status = KBP_ERR_MISUSE;
        break;
    case ENAMETOOLONG:
        status = KBP_ERR_UNSUPPORTED;
        break;
    default:
        break;
    }
    if (native == ENOENT && __atomic_load_n(&fs->fd, __ATOMIC_RELAXED) < 0)
        (void)kbp_fail(err, status, native,
                       "%s %s/%s: there is no directory %s", what, fs->root,
                       key ? key : "", fs->root);
    else
        (void)kbp_fail(err, status, native, "%s %s%s%s: %s", what, fs->root,
                       key ? "/" : "", key ? key : "", why);
    if (status == KBP_ERR_FULL)
        kbp_hint(err, "free some space where %s is, or raise the quota",
                 fs->root);
    else if (status == KBP_ERR_DENIED && native != ELOOP && native != EXDEV)
        kbp_hint(err, "let the user %u that runs this read and write %s",
                 (unsigned)geteuid(), fs->root);
    return status;
}

int fs_part_ok(const char *part, size_t len)
{
    size_t i;

    if (len == 0 || len > FS_PART_MAX || (len == 1 && part[0] == '.') ||
        (len == 2 && part[0] == '.' && part[1] == '.'))
        return 0;
    for (i = 0; i < len; i++)
        if ((unsigned char)part[i] < 0x20 || part[i] == 0x7f)
            return 0;
    return 1;
}

int32_t fs_check_key(const struct kbp_storage *fs, const char *key,
                     struct kbp_error *err)
{
    const char *at = key;
    int ok = strlen(key) <= FS_KEY_MAX &&
             (strncmp(key, FS_OWN_DIR, sizeof FS_OWN_DIR - 1) != 0 ||
              (key[sizeof FS_OWN_DIR - 1] != '/' &&
               key[sizeof FS_OWN_DIR - 1] != '\0'));

    (void)fs;
    while (ok) {
        size_t len = strcspn(at, "/");

        ok = fs_part_ok(at, len);
        at += len;
        if (!*at)
            break;
        at++;
    }
    if (ok)
        return KBP_OK;
    return kbp_fail(err, KBP_ERR_MISUSE, 0, "not a key: \"%.200s\"", key);
}

/* With the lock held. */
static int open_root(struct kbp_storage *fs)
{
    int fd = open(fs->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    __atomic_store_n(&fs->fd, fd, __ATOMIC_RELAXED);
    return fd;
}

int fs_root(struct kbp_storage *fs)
{
    int fd;

    (void)pthread_mutex_lock(&fs->lock);
    fd = fs->fd < 0 ? open_root(fs) : fs->fd;
    (void)pthread_mutex_unlock(&fs->lock);
    return fd;
}

int fs_sync_dir(int fd)
{
    if (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP)
        return 0;
    return -1;
}

/* Sync the directory that has `path` as an entry. */
static int sync_above(char *path)
{
    char *slash = strrchr(path, '/');
    char kept;
    int fd;
    int result;

    if (!slash)
        return 0;
    kept = slash == path ? slash[1] : '/';
    if (slash == path)
        slash[1] = '\0';
    else
        *slash = '\0';
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (slash == path)
        slash[1] = kept;
    else
        *slash = kept;
    /* A directory above which we can't read was not made by us. */
    if (fd < 0)
        return errno == EACCES ? 0 : -1;
    result = fs_sync_dir(fd);
    (void)close(fd);
    return result;
}

/* mkdir -p, durably; -1 and errno. */
static int make_root(const char *root)
{
    char *path = strdup(root);
    char *at;
    int result = 0;

    if (!path)
        return -1;
    for (at = path + 1; result == 0; at++) {
        char kept = *at;

        if (kept != '/' && kept != '\0')
            continue;
        *at = '\0';
        if (mkdir(path, 0777) == 0)
            result = sync_above(path);
        else if (errno != EEXIST && (kept == '\0' || access(path, X_OK)))
            result = -1;
        *at = kept;
        if (kept == '\0')
            break;
    }
    free(path);
    return result;
}

int32_t fs_prepare(struct kbp_storage *fs, struct kbp_error *err)
{
    int32_t status = KBP_OK;

    (void)pthread_mutex_lock(&fs->lock);
    if (fs->own_fd < 0) {
        if (fs->fd < 0 && make_root(fs->root) == 0)
            (void)open_root(fs);
        if (fs->fd < 0)
            status = kbp_fail(err, KBP_ERR_CONFIG, errno, "can't make %s: %s",
                              fs->root, strerror(errno));
        else if (mkdirat(fs->fd, FS_OWN_DIR, 0777) && errno != EEXIST)
            status = fs_fail(fs, err, errno, "can't write in", NULL);
        else if ((fs->own_fd = openat(fs->fd, FS_OWN_DIR,
                                      O_RDONLY | O_DIRECTORY | O_CLOEXEC |
                                          O_NOFOLLOW)) < 0)
            status = fs_fail(fs, err, errno, "can't open", FS_OWN_DIR);
    }
    (void)pthread_mutex_unlock(&fs->lock);
    return status;
}

/* O_PATH with O_NOFOLLOW opens the link itself. */
static int is_link(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Part by part, for kernels (and sandboxes) without openat2(). */
static int open_by_parts(int root, const char *path, int flags)
{
    char part[FS_PART_MAX + 1];
    int at = root;

    for (;;) {
        size_t len = strcspn(path, "/");
        int last = path[len] == '\0';
        int fd;
        int saved;

        if (len == 0 || len > FS_PART_MAX) {
            errno = len ? ENAMETOOLONG : ENOENT;
            fd = -1;
        } else {
            memcpy(part, path, len);
            part[len] = '\0';
            fd = openat(at, part,
                        last ? flags | O_NOFOLLOW | O_CLOEXEC
                             : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        /* O_DIRECTORY says ENOTDIR of a link, before O_NOFOLLOW is asked. */
        if (fd < 0 && errno == ENOTDIR && len <= FS_PART_MAX) {
            struct stat st;

            errno = fstatat(at, part, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                            S_ISLNK(st.st_mode)
                        ? ELOOP
                        : ENOTDIR;
        }
        if (fd >= 0 && last && (flags & O_PATH) && is_link(fd)) {
            (void)close(fd);
            fd = -1;
            errno = ELOOP;
        }
        saved = errno;
        if (at != root)
            (void)close(at);
        errno = saved;
        if (fd < 0 || last)
            return fd;
        at = fd;
        path += len + 1;
    }
}

int fs_open_below(int root, const char *path, int flags)
{
    if (root < 0) {
        errno = ENOENT;
        return -1;
    }
    if (!*path)
        return openat(root, ".", flags | O_CLOEXEC);
#ifdef HAVE_OPENAT2
    {
        static int absent; /* by __atomic */
        struct open_how how = {
            .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
        };
        long fd = -1;

        if (!__atomic_load_n(&absent, __ATOMIC_RELAXED)) {
            do {
                fd = syscall(SYS_openat2, root, path, &how, sizeof how);
            } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
            if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
                return (int)fd;
            if (errno == ENOSYS)
                __atomic_store_n(&absent, 1, __ATOMIC_RELAXED);
        }
    }
#endif
    return open_by_parts(root, path, flags);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int is_durable(struct kbp_storage *fs, const char *dir)
{
    int found;

    (void)pthread_mutex_lock(&fs->lock);
    found =
        fs->durable_count > 0 && bsearch(&dir, fs->durable, fs->durable_count,
                                         sizeof *fs->durable, by_text) != NULL;
    (void)pthread_mutex_unlock(&fs->lock);
    return found;
}

/* Best effort: what isn't noted is synced again. */
static void note_durable(struct kbp_storage *fs, const char *dir)
{
    char *copy = strdup(dir);
    size_t i;

    (void)pthread_mutex_lock(&fs->lock);
    if (fs->durable_count == fs->durable_cap && copy) {
        size_t cap = fs->durable_cap ? fs->durable_cap * 2 : 64;
        char **more =
            cap > DURABLE_MAX ? NULL : realloc(fs->durable, cap * sizeof *more);

        if (more) {
            fs->durable = more;
            fs->durable_cap = cap;
        }
    }
    if (copy && fs->durable_count < fs->durable_cap) {
        for (i = fs->durable_count;
             i > 0 && strcmp(fs->durable[i - 1], copy) > 0; i--)
            ;
        if (i == 0 || strcmp(fs->durable[i - 1], copy) != 0) {
            memmove(&fs->durable[i + 1], &fs->durable[i],
                    (fs->durable_count - i) * sizeof *fs->durable);
            fs->durable[i] = copy;
            fs->durable_count++;
            copy = NULL;
        }
    }
    (void)pthread_mutex_unlock(&fs->lock);
    free(copy);
}

void fs_forget_durable(struct kbp_storage *fs)
{
    size_t i;

    (void)pthread_mutex_lock(&fs->lock);
    for (i = 0; i < fs->durable_count; i++)
        free(fs->durable[i]);
    fs->durable_count = 0;
    (void)pthread_mutex_unlock(&fs->lock);
}

void fs_release_durable(struct kbp_storage *fs)
{
    fs_forget_durable(fs);
    free(fs->durable);
}

/*
 * Make `dir` and what is above it, and sync each directory that got an entry.
 * One that was there may come from a process which crashed before it synced:
 * so each is synced once, whoever made it.
 */
static int make_durable(struct kbp_storage *fs, const char *dir)
{
    char path[FS_KEY_MAX + 1];
    size_t len = 0;
    int above;
    int result = 0;

    if (is_durable(fs, dir))
        return 0;
    above = fs_open_below(fs->fd, "", O_RDONLY | O_DIRECTORY);
    while (above >= 0 && result == 0 && dir[len]) {
        size_t part = strcspn(dir + len, "/");
        int saved;
        int next;

        memcpy(path, dir, len + part);
        path[len + part] = '\0';
        if (mkdirat(above, path + len, 0777) && errno != EEXIST)
            result = -1;
        else if (!is_durable(fs, path) && fs_sync_dir(above))
            result = -1;
        next = result
                   ? -1
                   : fs_open_below(above, path + len, O_RDONLY | O_DIRECTORY);
        saved = errno;
        (void)close(above);
        errno = saved;
        above = next;
        if (above < 0)
            return -1;
        note_durable(fs, path);
        len += part;
        if (dir[len] == '/')
            len++;
    }
    if (above < 0)
        return -1;
    (void)close(above);
    return result;
}

int fs_open_parent(struct kbp_storage *fs, const char *key, int make,
                   const char **name)
{
    const char *slash = strrchr(key, '/');
    char dir[FS_KEY_MAX + 1];
    size_t len = slash ? (size_t)(slash - key) : 0;
    int tries;

    *name = slash ? slash + 1 : key;
    memcpy(dir, key, len);
    dir[len] = '\0';
    /* Somebody may remove a directory as soon as it is made. */
    for (tries = 0;; tries++) {
        int fd;

        if (make && len > 0 && make_durable(fs, dir))
            return -1;
        fd = fs_open_below(fs_root(fs), dir, O_RDONLY | O_DIRECTORY);
        if (fd >= 0 || !make || errno != ENOENT || tries == 3)
            return fd;
        fs_forget_durable(fs);
    }
}

void fs_etag(char etag[FS_ETAG_MAX], const struct stat *st)
{
    (void)snprintf(etag, FS_ETAG_MAX, "%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%lx",
                   (uint64_t)st->st_ino, (uint64_t)st->st_size,
                   (uint64_t)st->st_mtim.tv_sec,
                   (unsigned long)st->st_mtim.tv_nsec);
}

int32_t fs_tell(kbp_object_fn fn, void *data, const char *key,
                const struct stat *st)
{
    struct kbp_object object = {.struct_size = sizeof object};
    char etag[FS_ETAG_MAX];

    if (!fn)
        return 0;
    fs_etag(etag, st);
    object.key = key;
    object.size = (uint64_t)st->st_size;
    object.modified_ms = (int64_t)st->st_mtim.tv_sec * 1000 +
                         (int64_t)st->st_mtim.tv_nsec / 1000000;
    object.etag = etag;
    return fn(data, &object);
}

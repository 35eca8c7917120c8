/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_list.c - list objects in byte order of their keys.
 *
 * A directory's entries are sorted as if the names of directories ended with
 * '/': so the order is that of the whole keys.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs.h"

struct walk {
    struct kbp_storage_session *session;
    const struct kbp_list_request *request;
    size_t prefix_len;
    kbp_object_fn fn;
    void *data;
    struct kbp_error *err;
    int32_t status;
    int ended; /* by `fn` */
    char path[FS_KEY_MAX + 2];
};

struct names {
    char **items; /* a directory's ends with '/' */
    size_t count;
    size_t cap;
};

static void free_names(struct names *names)
{
    size_t i;

    for (i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_name(struct names *names, const char *name, int is_dir)
{
    size_t len = strlen(name);
    char *copy;

    if (names->count == names->cap) {
        size_t cap = names->cap ? names->cap * 2 : 32;
        char **more = realloc(names->items, cap * sizeof *more);

        if (!more)
            return -1;
        names->items = more;
        names->cap = cap;
    }
    copy = malloc(len + 2);
    if (!copy)
        return -1;
    memcpy(copy, name, len);
    copy[len] = '/';
    copy[len + (is_dir ? 1 : 0)] = '\0';
    names->items[names->count++] = copy;
    return 0;
}

/* 1: a directory, 0: a file, -1: neither, or gone. */
static int kind_of(int dir, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type == DT_DIR)
        return 1;
    if (entry->d_type == DT_REG)
        return 0;
    if (entry->d_type != DT_UNKNOWN ||
        fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
        return -1;
    return S_ISDIR(st.st_mode) ? 1 : S_ISREG(st.st_mode) ? 0 : -1;
}

/* Whether keys that begin with the first `len` bytes of the path can match. */
static int can_match(const struct walk *w, size_t len)
{
    const char *after = w->request->after;
    size_t common = len < w->prefix_len ? len : w->prefix_len;

    if (strncmp(w->path, w->request->prefix, common) != 0)
        return 0;
    /* A directory all of whose keys are at or before `after`. */
    if (after && w->path[len - 1] == '/' && strncmp(w->path, after, len) < 0)
        return 0;
    return 1;
}

static int read_names(int fd, size_t len, struct names *names)
{
    const struct dirent *entry;
    DIR *d = fdopendir(fd);
    int failed = 0;

    if (!d) {
        (void)close(fd);
        return -1;
    }
    for (;;) {
        int is_dir;

        errno = 0;
        entry = readdir(d);
        if (!entry) {
            failed = errno ? -1 : 0;
            break;
        }
        if (!fs_part_ok(entry->d_name, strlen(entry->d_name)) ||
            (len == 0 && strcmp(entry->d_name, FS_OWN_DIR) == 0))
            continue;
        is_dir = kind_of(dirfd(d), entry);
        if (is_dir < 0 || len + strlen(entry->d_name) > FS_KEY_MAX)
            continue;
        if (add_name(names, entry->d_name, is_dir)) {
            errno = ENOMEM;
            failed = -1;
            break;
        }
    }
    {
        int saved = errno;

        (void)closedir(d);
        errno = saved;
    }
    if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, by_bytes);
    return failed;
}

static void tell_prefix(struct walk *w)
{
    struct kbp_object object = {
        .struct_size = sizeof object,
        .flags = KBP_OBJECT_PREFIX,
        .key = w->path,
        .modified_ms = -1,
    };

    if (w->fn(w->data, &object) != 0)
        w->ended = 1;
}

static void tell_file(struct walk *w, int dir, const char *name)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) {
        if (errno != ENOENT)
            w->status =
                fs_fail(w->session->fs, w->err, errno, "can't stat", w->path);
        return; /* removed meanwhile */
    }
    if (S_ISREG(st.st_mode) && fs_tell(w->fn, w->data, w->path, &st) != 0)
        w->ended = 1;
}

/* The directory at the first `len` bytes of the path. */
static void walk_dir(struct walk *w, size_t len)
{
    const struct kbp_host *host = w->session->host;
    const char *after = w->request->after;
    struct names names = {NULL, 0, 0};
    size_t i;
    int fd;
    int dir;

    if (len > 0)
        w->path[len - 1] = '\0';
    else
        w->path[0] = '\0';
    dir =
        fs_open_below(fs_root(w->session->fs), w->path, O_RDONLY | O_DIRECTORY);
    fd = dir < 0 ? -1 : fcntl(dir, F_DUPFD_CLOEXEC, 0);
    if (dir < 0 && (errno == ENOENT || errno == ENOTDIR))
        return; /* removed meanwhile, or never there */
    if (fd < 0 || read_names(fd, len, &names))
        w->status =
            fs_fail(w->session->fs, w->err, errno, "can't list", w->path);
    if (len > 0)
        w->path[len - 1] = '/';
    for (i = 0; i < names.count && w->status == KBP_OK && !w->ended; i++) {
        size_t n = strlen(names.items[i]);

        if (host->cancelled(host)) {
            w->status = kbp_fail(w->err, KBP_ERR_CANCELLED, 0, "cancelled");
            break;
        }
        memcpy(w->path + len, names.items[i], n + 1);
        n += len;
        if (!can_match(w, n))
            continue;
        if (w->path[n - 1] != '/') {
            if (n >= w->prefix_len && (!after || strcmp(w->path, after) > 0))
                tell_file(w, dir, names.items[i]);
        } else if (!(w->request->flags & KBP_LIST_SHALLOW) ||
                   n <= w->prefix_len) {
            walk_dir(w, n);
        } else if (!after || strcmp(w->path, after) > 0) {
            tell_prefix(w);
        }
    }
    if (dir >= 0)
        (void)close(dir);
    free_names(&names);
}

int32_t fs_list(struct kbp_storage_session *session,
                const struct kbp_list_request *request, kbp_object_fn fn,
                void *data, struct kbp_error *err)
{
    struct walk w = {
        .session = session,
        .request = request,
        .prefix_len = strlen(request->prefix),
        .fn = fn,
        .data = data,
        .err = err,
    };
    const char *slash = strrchr(request->prefix, '/');
    size_t len = slash ? (size_t)(slash - request->prefix) + 1 : 0;

    if (request->flags & KBP_FLAGS_BINDING)
        return kbp_fail(err, KBP_ERR_UNSUPPORTED, 0, "unknown flags 0x%x",
                        (unsigned)request->flags);
    /* Begin at the prefix's own directory, if its keys can exist at all. */
    if (w.prefix_len > FS_KEY_MAX)
        return KBP_OK;
    if (len > 0) {
        struct kbp_error ignored = {.struct_size = sizeof ignored};

        memcpy(w.path, request->prefix, len - 1);
        w.path[len - 1] = '\0';
        if (fs_check_key(session->fs, w.path, &ignored) != KBP_OK)
            return KBP_OK;
        w.path[len - 1] = '/';
        w.path[len] = '\0';
    }
    walk_dir(&w, len);
    return w.status;
}

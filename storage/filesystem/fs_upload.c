/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_upload.c - write objects.
 *
 * An upload is a file in <root>/.kafka-backup, locked while it is written, so
 * that sweep() can tell it from one which a crash left.  The commit syncs it,
 * renames it to its place, and syncs the directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "fs.h"

/*
 * Begin writing to the disk while more comes in, so that the sync at the end
 * finds little left: measured on ext4, 1.5 times the speed of a paced stream.
 */
#define FLUSH_BYTES ((uint64_t)8 << 20)

struct kbp_upload {
    struct kbp_storage_session *session;
    char *key;
    char *if_etag;
    uint32_t flags;
    int fd;
    int placed; /* the commit put it in its place */
    int lost;   /* an errno: a sync failed, and with it what was written */
    uint64_t size;
    uint64_t flushed;
    char name[64]; /* in FS_OWN_DIR; "" once it is there no more */
};

void fs_upload_close(struct kbp_upload *upload)
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

static int32_t open_file(struct kbp_upload *up, struct kbp_error *err)
{
    static unsigned counter;
    struct kbp_storage *fs = up->session->fs;
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(up->name, sizeof up->name,
                   FS_UPLOAD "%ld-%" PRIx64 "%08lx-%x", (long)getpid(),
                   (uint64_t)now.tv_sec, (unsigned long)now.tv_nsec,
                   __atomic_fetch_add(&counter, 1u, __ATOMIC_RELAXED));
    up->fd = openat(fs->own_fd, up->name,
                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (up->fd < 0) {
        up->name[0] = '\0';
        return fs_fail(fs, err, errno, "can't begin", up->key);
    }
    /* Where it can't be locked, sweep() has its age only. */
    (void)flock(up->fd, LOCK_EX | LOCK_NB);
    return KBP_OK;
}

int32_t fs_upload_open(struct kbp_storage_session *session,
                       const struct kbp_upload_request *request,
                       struct kbp_upload **upload, struct kbp_error *err)
{
    struct kbp_upload *up;
    int32_t status = fs_check_key(session->fs, request->key, err);

    if (status == KBP_OK && (request->flags & KBP_FLAGS_BINDING))
        status = kbp_fail(err, KBP_ERR_UNSUPPORTED, 0, "unknown flags 0x%x",
                          (unsigned)request->flags);
    if (status == KBP_OK)
        status = fs_prepare(session->fs, err);
    if (status != KBP_OK)
        return status;
    up = calloc(1, sizeof *up);
    if (!up)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for an upload");
    up->session = session;
    up->fd = -1;
    up->flags = request->flags;
    up->key = strdup(request->key);
    up->if_etag = request->if_etag ? strdup(request->if_etag) : NULL;
    if (!up->key || (request->if_etag && !up->if_etag))
        status = kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for an upload");
    else
        status = open_file(up, err);
    if (status != KBP_OK) {
        fs_upload_close(up);
        return status;
    }
    *upload = up;
    return KBP_OK;
}

/*
 * After a failed sync the kernel may have dropped what it couldn't write, and
 * the next sync would say that all is well: never try that again.  It is the
 * disk that failed; only another upload, with all bytes, can go well: a retry
 * of this one would fail for as long as the host tries.
 */
static int32_t fail_lost(struct kbp_upload *up, int native,
                         struct kbp_error *err)
{
    struct kbp_storage *fs = up->session->fs;

    up->lost = native;
    if (native == ENOSPC || native == EDQUOT)
        return fs_fail(fs, err, native, "can't sync", up->key);
    return kbp_fail(err, KBP_ERR_LOST, native,
                    "can't sync %s/%s: %s; what was written is lost, and is "
                    "to be written anew",
                    fs->root, up->key, strerror(native));
}

int32_t fs_upload_write(struct kbp_upload *upload, const void *bytes,
                        size_t len, size_t *taken, struct kbp_error *err)
{
    const struct kbp_host *host = upload->session->host;
    const char *from = bytes;

    *taken = 0;
    if (upload->lost)
        return fail_lost(upload, upload->lost, err);
    while (*taken < len) {
        size_t want = len - *taken < FS_PIECE ? len - *taken : FS_PIECE;
        ssize_t n;

        if (host->cancelled(host))
            return kbp_fail(err, KBP_ERR_CANCELLED, 0, "cancelled");
        n = write(upload->fd, from + *taken, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fs_fail(upload->session->fs, err, errno, "can't write",
                           upload->key);
        *taken += (size_t)n;
        upload->size += (uint64_t)n;
        if (upload->size - upload->flushed >= FLUSH_BYTES) {
            (void)sync_file_range(upload->fd, (off_t)upload->flushed,
                                  (off_t)(upload->size - upload->flushed),
                                  SYNC_FILE_RANGE_WRITE);
            upload->flushed = upload->size;
        }
    }
    return KBP_OK;
}

/* With the lock held: is the object still the one that is to be replaced? */
static int32_t check_etag(const struct kbp_upload *up, int dir,
                          const char *name, struct kbp_error *err)
{
    const struct kbp_storage *fs = up->session->fs;
    char etag[FS_ETAG_MAX];
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) {
        if (errno != ENOENT)
            return fs_fail(fs, err, errno, "can't stat", up->key);
        return kbp_fail(err, KBP_ERR_CONFLICT, 0, "%s/%s is gone", fs->root,
                        up->key);
    }
    fs_etag(etag, &st);
    if (strcmp(etag, up->if_etag) != 0)
        return kbp_fail(err, KBP_ERR_CONFLICT, 0,
                        "%s/%s was changed by somebody else", fs->root,
                        up->key);
    return KBP_OK;
}

/* Put it where nothing is; 0, or -1 and errno. */
static int create_only(struct kbp_upload *up, int dir, const char *name)
{
    int own = up->session->fs->own_fd;
    struct stat st;

    if (renameat2(own, up->name, dir, name, RENAME_NOREPLACE) == 0) {
        up->name[0] = '\0';
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* A file system without that, NFS say: a link is as good. */
    if (linkat(own, up->name, dir, name, 0) == 0)
        return 0;
    /* NFS may have done it and lost the answer. */
    if (errno == EEXIST && fstat(up->fd, &st) == 0 && st.st_nlink == 2)
        return 0;
    return -1;
}

static int32_t place_in(struct kbp_upload *up, int dir, const char *name,
                        struct kbp_error *err)
{
    struct kbp_storage *fs = up->session->fs;

    if (up->if_etag) {
        int32_t status = check_etag(up, dir, name, err);

        if (status != KBP_OK)
            return status;
    }
    if (up->flags & KBP_UPLOAD_CREATE) {
        if (create_only(up, dir, name))
            return fs_fail(fs, err, errno, "can't create", up->key);
    } else {
        if (renameat(fs->own_fd, up->name, dir, name))
            return fs_fail(fs, err, errno, "can't replace", up->key);
        up->name[0] = '\0';
    }
    up->placed = 1;
    return KBP_OK;
}

/*
 * Only users of this plugin heed the lock; it makes "compare, then replace" one
 * step among them.
 */
static int32_t place(struct kbp_upload *up, int dir, const char *name,
                     struct kbp_error *err)
{
    struct kbp_storage *fs = up->session->fs;
    int32_t status;
    int lock;

    if (!up->if_etag)
        return place_in(up, dir, name, err);
    lock = openat(fs->own_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                  0666);
    if (lock < 0 || flock(lock, LOCK_EX))
        status = fs_fail(fs, err, errno, "can't lock", FS_OWN_DIR "/lock");
    else
        status = place_in(up, dir, name, err);
    if (lock >= 0)
        (void)close(lock);
    return status;
}

/* The bytes are to be on the disk before the name is. */
static int32_t sync_file(struct kbp_upload *up, struct kbp_error *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};

    /*
     * The kernel's own time moves in steps of some ms, in which an inode could
     * be used twice: part of the etag, so be exact.
     */
    (void)clock_gettime(CLOCK_REALTIME, &times[1]);
    (void)futimens(up->fd, times);
    if (fsync(up->fd))
        return fail_lost(up, errno, err);
    return KBP_OK;
}

int32_t fs_upload_commit(struct kbp_upload *upload,
                         const struct kbp_commit *commit, kbp_object_fn fn,
                         void *data, struct kbp_error *err)
{
    struct kbp_storage *fs = upload->session->fs;
    const char *name;
    struct stat st;
    int32_t status = KBP_OK;
    int dir;

    if (upload->lost)
        return fail_lost(upload, upload->lost, err);
    if (commit->flags & KBP_FLAGS_BINDING)
        return kbp_fail(err, KBP_ERR_UNSUPPORTED, 0, "unknown flags 0x%x",
                        (unsigned)commit->flags);
    if (commit->size != upload->size)
        return kbp_fail(err, KBP_ERR_MISUSE, 0,
                        "%s/%s: a commit of %" PRIu64 " bytes, but %" PRIu64
                        " were written",
                        fs->root, upload->key, commit->size, upload->size);
    if (!upload->placed)
        status = sync_file(upload, err);
    if (status != KBP_OK)
        return status;
    dir = fs_open_parent(fs, upload->key, !upload->placed, &name);
    if (dir < 0)
        return fs_fail(fs, err, errno, "can't open the directory of",
                       upload->key);
    if (!upload->placed)
        status = place(upload, dir, name, err);
    /* From here on a retry finds it placed, and only syncs again. */
    if (status == KBP_OK && fs_sync_dir(dir))
        status = kbp_fail(err, KBP_ERR_UNSURE, errno,
                          "can't sync the directory of %s/%s: %s", fs->root,
                          upload->key, strerror(errno));
    (void)close(dir);
    if (status == KBP_OK && fstat(upload->fd, &st))
        status = fs_fail(fs, err, errno, "can't stat", upload->key);
    if (status == KBP_OK)
        (void)fs_tell(fn, data, upload->key, &st);
    return status;
}

/* Whether an upload's file is old and nobody's. */
static int is_left(int own, const char *name, uint64_t age_ms)
{
    struct stat st;
    time_t now = time(NULL);
    int fd;
    int left = 0;

    if (strncmp(name, FS_UPLOAD, sizeof FS_UPLOAD - 1) != 0)
        return 0;
    fd = openat(own, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mtime <= now &&
        (uint64_t)(now - st.st_mtime) * 1000 >= age_ms)
        left = flock(fd, LOCK_EX | LOCK_NB) == 0;
    (void)close(fd);
    return left;
}

/* The files' names don't say of which key they are: it is all or none. */
int32_t fs_sweep(struct kbp_storage_session *session, const char *prefix,
                 uint64_t age_ms, uint64_t *removed, struct kbp_error *err)
{
    struct kbp_storage *fs = session->fs;
    const struct dirent *entry;
    uint64_t count = 0;
    DIR *d;
    int fd = fs_open_below(fs_root(fs), FS_OWN_DIR, O_RDONLY | O_DIRECTORY);

    (void)prefix;
    if (fd < 0 && errno == ENOENT) {
        *removed = 0;
        return KBP_OK;
    }
    d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int saved = errno;

        if (fd >= 0)
            (void)close(fd);
        return fs_fail(fs, err, saved, "can't sweep", FS_OWN_DIR);
    }
    while ((entry = readdir(d)) != NULL)
        if (is_left(fd, entry->d_name, age_ms) &&
            unlinkat(fd, entry->d_name, 0) == 0)
            count++;
    (void)closedir(d);
    *removed = count;
    return KBP_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs.h - a directory as a store: what the files of this plugin share.
 *
 *   fs_path.c    from keys to descriptors, without leaving the root
 *   fs_upload.c  write
 *   fs_read.c    get, stat, remove
 *   fs_list.c    list
 *   fs_plugin.c  open, and the table
 */
#ifndef KB_STORAGE_FILESYSTEM_FS_H
#define KB_STORAGE_FILESYSTEM_FS_H

#include <pthread.h>
#include <sys/stat.h>

#include <kafka-backup/storage.h>
#include <kafka-backup/util.h>

#define FS_OWN_DIR ".kafka-backup" /* in the root: uploads, the lock */
#define FS_UPLOAD "up-"            /* begins the names of uploads in it */
#define FS_ETAG_MAX 80
#define FS_KEY_MAX 1024
#define FS_PART_MAX 255
#define FS_PIECE ((size_t)4 << 20) /* between two looks at cancelled() */

struct kbp_storage {
    char *root;
    pthread_mutex_t lock; /* of what follows */
    int fd;               /* of the root; -1 while there is none */
    int own_fd;           /* of FS_OWN_DIR; -1 until the first upload */
    char **durable;       /* directories known to be on the disk, sorted */
    size_t durable_count;
    size_t durable_cap;
};

struct kbp_storage_session {
    struct kbp_storage *fs;
    const struct kbp_host *host;
};

/*
 * Fill in `err` from an errno: "can't write /root/key: No space left on
 * device".  `key` NULL: the root itself.
 */
int32_t fs_fail(const struct kbp_storage *fs, struct kbp_error *err,
                int32_t native, const char *what, const char *key);

/* KBP_ERR_MISUSE for what is no key. */
int32_t fs_check_key(const struct kbp_storage *fs, const char *key,
                     struct kbp_error *err);

/* Whether bytes are one part of a key. */
int fs_part_ok(const char *part, size_t len);

/*
 * The root's descriptor, which stays the store's; -1 and ENOENT while there is
 * no such directory.
 */
int fs_root(struct kbp_storage *fs);

/* Make the root and FS_OWN_DIR where they are absent.  [any] */
int32_t fs_prepare(struct kbp_storage *fs, struct kbp_error *err);

/*
 * Open what is at `path` below the root, following no symbolic link; -1 and
 * errno.  "" is the root itself.
 */
int fs_open_below(int root, const char *path, int flags);

/*
 * The directory of a key, made durably if `make`; `*name` is the key's last
 * part.  -1 and errno.
 */
int fs_open_parent(struct kbp_storage *fs, const char *key, int make,
                   const char **name);

/* fsync() where the file system does that to directories; -1 and errno. */
int fs_sync_dir(int fd);

/* Directories may be gone: forget which are known to be there. */
void fs_forget_durable(struct kbp_storage *fs);
void fs_release_durable(struct kbp_storage *fs);

void fs_etag(char etag[FS_ETAG_MAX], const struct stat *st);

/* Tell `fn`, unless NULL, of a file. */
int32_t fs_tell(kbp_object_fn fn, void *data, const char *key,
                const struct stat *st);

/* The table's functions. */
int32_t fs_upload_open(struct kbp_storage_session *session,
                       const struct kbp_upload_request *request,
                       struct kbp_upload **upload, struct kbp_error *err);
int32_t fs_upload_write(struct kbp_upload *upload, const void *bytes,
                        size_t len, size_t *taken, struct kbp_error *err);
int32_t fs_upload_commit(struct kbp_upload *upload,
                         const struct kbp_commit *commit, kbp_object_fn fn,
                         void *data, struct kbp_error *err);
void fs_upload_close(struct kbp_upload *upload);
int32_t fs_sweep(struct kbp_storage_session *session, const char *prefix,
                 uint64_t age_ms, uint64_t *removed, struct kbp_error *err);
int32_t fs_get(struct kbp_storage_session *session,
               const struct kbp_get_request *request, kbp_object_fn fn,
               void *data, struct kbp_sink *sink, struct kbp_error *err);
int32_t fs_stat(struct kbp_storage_session *session, const char *key,
                kbp_object_fn fn, void *data, struct kbp_error *err);
int32_t fs_remove(struct kbp_storage_session *session, const char *key,
                  struct kbp_error *err);
int32_t fs_list(struct kbp_storage_session *session,
                const struct kbp_list_request *request, kbp_object_fn fn,
                void *data, struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_plugin.c - a directory as a store: open, and the table.
 *
 * Nothing is made before the first upload, so that whoever only reads needs no
 * right to write, and a mistyped path makes no directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs.h"

static const struct kbp_option fs_options[] = {
    {.name = "path",
     .help = "the directory; the first backup makes it when it is absent",
     .type = KBP_OPTION_PATH,
     .flags = KBP_OPTION_REQUIRED | KBP_OPTION_URL_PATH},
};

static void fs_close(struct kbp_storage *storage)
{
    if (!storage)
        return;
    if (storage->own_fd >= 0)
        (void)close(storage->own_fd);
    if (storage->fd >= 0)
        (void)close(storage->fd);
    fs_release_durable(storage);
    (void)pthread_mutex_destroy(&storage->lock);
    free(storage->root);
    free(storage);
}

/* "/a/b//" -> "/a/b" */
static void trim_slashes(char *path)
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
}

static int32_t fs_open(const struct kbp_host *host,
                       const struct kbp_config *config,
                       struct kbp_storage **storage, struct kbp_error *err)
{
    struct kbp_storage *fs = calloc(1, sizeof *fs);
    const char *path = kbp_config_get(config, "path");

    (void)host;
    if (!fs)
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for the store");
    fs->fd = -1;
    fs->own_fd = -1;
    (void)pthread_mutex_init(&fs->lock, NULL);
    fs->root = path ? strdup(path) : NULL;
    if (!fs->root) {
        fs_close(fs);
        return path ? kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for a path")
                    : kbp_fail(err, KBP_ERR_CONFIG, 0, "path is not set");
    }
    trim_slashes(fs->root);
    if (fs_root(fs) < 0 && errno != ENOENT) {
        int32_t status = errno == ENOTDIR ? KBP_ERR_CONFIG : KBP_ERR_DENIED;

        (void)fs_fail(fs, err, errno, "can't open", NULL);
        err->status = status;
        fs_close(fs);
        return status;
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
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory for a session");
    s->fs = storage;
    s->host = host;
    *session = s;
    return KBP_OK;
}

static void fs_session_close(struct kbp_storage_session *session)
{
    free(session);
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

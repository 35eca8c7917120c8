/* SPDX-License-Identifier: Apache-2.0 */
/* trust.c - whether somebody else could have put a file where it is. */
#include "plugin/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_owner(const char *path, const struct stat *st,
                       struct kbp_error *err)
{
    if (st->st_uid == 0 || st->st_uid == geteuid())
        return KBP_OK;
    (void)kb_fail(err, KBP_ERR_DENIED,
                  "%s belongs to user %u, neither root nor the user %u that "
                  "this program runs as",
                  path, (unsigned)st->st_uid, (unsigned)geteuid());
    kb_err_hint(err, "give it to root: chown root '%s'", path);
    return err->status;
}

/* In a sticky directory nobody can replace what is somebody else's. */
static int check_mode(const char *path, const struct stat *st, int sticky_ok,
                      struct kbp_error *err)
{
    if (!(st->st_mode & (S_IWGRP | S_IWOTH)) ||
        (sticky_ok && S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX)))
        return KBP_OK;
    (void)kb_fail(err, KBP_ERR_DENIED, "%s can be written by %s (mode %04o)",
                  path, st->st_mode & S_IWOTH ? "everybody" : "its group",
                  (unsigned)(st->st_mode & 07777));
    kb_err_hint(err, "chmod go-w '%s'", path);
    return err->status;
}

static int check_component(const char *path, int last, struct kbp_error *err)
{
    struct stat st;
    int status;

    if (lstat(path, &st))
        return kb_fail_errno(err, errno, "%s", path);
    status = check_owner(path, &st, err);
    if (status == KBP_OK && !S_ISLNK(st.st_mode))
        status = check_mode(path, &st, !last, err);
    return status;
}

/* Each of /, /a, /a/b of "/a/b". */
static int check_components(const char *path, struct kbp_error *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    size_t i;
    int status = check_component("/", len == 1, err);

    for (i = 1; i <= len && status == KBP_OK; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        if (path[i - 1] == '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        status = check_component(part, path[i] == '\0', err);
    }
    return status;
}

int kb_trust_dir(const char *dir, char **real, struct kbp_error *err)
{
    struct stat st;
    char *resolved;
    int status = KBP_OK;

    if (*dir != '/' || strlen(dir) >= PATH_MAX)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "a plugin directory must be an absolute path: \"%s\"",
                       dir);
    resolved = realpath(dir, NULL);
    if (!resolved)
        return kb_fail_errno(err, errno, "%s", dir);
    if (stat(resolved, &st))
        status = kb_fail_errno(err, errno, "%s", resolved);
    else if (!S_ISDIR(st.st_mode))
        status = kb_fail(err, KBP_ERR_CONFIG, "%s is not a directory", dir);
    if (status == KBP_OK)
        status = check_components(resolved, err);
    /* Whoever can exchange a link on the way chooses the directory, too. */
    if (status == KBP_OK && strcmp(resolved, dir) != 0)
        status = check_components(dir, err);
    if (status != KBP_OK) {
        free(resolved);
        return status;
    }
    *real = resolved;
    return KBP_OK;
}

int kb_trust_file(const char *path, struct stat *st, struct kbp_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int status;

    if (fd < 0 && errno == ELOOP)
        return kb_fail(err, KBP_ERR_DENIED,
                       "%s is a symbolic link; a plugin must be a file", path);
    if (fd < 0)
        return kb_fail_errno(err, errno, "%s", path);
    if (fstat(fd, st))
        status = kb_fail_errno(err, errno, "%s", path);
    else if (!S_ISREG(st->st_mode))
        status = kb_fail(err, KBP_ERR_DENIED, "%s is not a regular file", path);
    else
        status = check_owner(path, st, err);
    if (status == KBP_OK)
        status = check_mode(path, st, 0, err);
    (void)close(fd);
    return status;
}

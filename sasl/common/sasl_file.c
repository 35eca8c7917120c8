/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_file.c - a small file with a secret or a setting in it. */
#include "sasl_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int32_t failed(const char *what, const char *path, int why,
                      struct kbp_error *err)
{
    char text[128];
    const char *str = strerror_r(why, text, sizeof text);

    if (why == ENOENT || why == ENOTDIR) {
        kbp_hint(err, "check the path; in a container: is it mounted?");
        return kbp_fail(err, KBP_ERR_NOT_FOUND, why, "%s %s does not exist",
                        what, path);
    }
    if (why == EACCES || why == EPERM) {
        kbp_hint(err,
                 "make it readable for user id %u, and each folder above "
                 "it searchable",
                 (unsigned)geteuid());
        return kbp_fail(err, KBP_ERR_CONFIG, why, "%s %s can't be read: %s",
                        what, path, str);
    }
    return kbp_fail(err, why == EISDIR ? KBP_ERR_CONFIG : KBP_ERR_IO, why,
                    "%s %s can't be read: %s", what, path, str);
}

int32_t kb_file_read(const char *what, const char *path, struct kb_text *text,
                     struct kbp_error *err)
{
    /* Not to wait at a FIFO that somebody put there. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int32_t status = KBP_OK;
    struct stat st;
    char part[4096];
    ssize_t n;

    if (fd < 0)
        return failed(what, path, errno, err);
    if (fstat(fd, &st) != 0) {
        status = failed(what, path, errno, err);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        status =
            kbp_fail(err, KBP_ERR_CONFIG, 0, "%s %s is not a file", what, path);
        goto out;
    }
    for (;;) {
        n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = failed(what, path, errno, err);
            goto out;
        }
        if (n == 0)
            break;
        kb_text_add(text, part, (size_t)n);
    }
    if (text->status == KBP_ERR_LIMIT)
        status =
            kbp_fail(err, KBP_ERR_CONFIG, 0, "%s %s is larger than %zu bytes",
                     what, path, text->max);
    else if (text->status != KBP_OK)
        status =
            kbp_fail(err, text->status, 0, "no memory for %s %s", what, path);
out:
    explicit_bzero(part, sizeof part);
    (void)close(fd);
    return status;
}

int32_t kb_file_read_value(const char *what, const char *path,
                           struct kb_text *text, struct kbp_error *err)
{
    int32_t status = kb_file_read(what, path, text, err);

    if (status == KBP_ERR_NOT_FOUND) {
        err->status = KBP_ERR_CONFIG;
        return KBP_ERR_CONFIG;
    }
    if (status != KBP_OK)
        return status;
    if (text->len && text->bytes[text->len - 1] == '\n')
        text->bytes[--text->len] = '\0';
    if (text->len && text->bytes[text->len - 1] == '\r')
        text->bytes[--text->len] = '\0';
    if (!text->len)
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "%s %s is empty", what, path);
    if (memchr(text->bytes, '\0', text->len))
        return kbp_fail(err, KBP_ERR_CONFIG, 0,
                        "%s %s has a NUL byte in it, and is no text", what,
                        path);
    return KBP_OK;
}

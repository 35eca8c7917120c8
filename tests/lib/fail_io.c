/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail_io.c - to be preloaded: a disk that fails.  While the file that
 * FAIL_WRITE names is there, write() to files fails with EIO; while the one of
 * FAIL_SYNC is there, fsync() of files larger than a manifest's entry does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(const char *variable, int fd, off_t above)
{
    const char *file = getenv(variable);
    struct stat st;

    return fd > 2 && file && access(file, F_OK) == 0 && fstat(fd, &st) == 0 &&
           S_ISREG(st.st_mode) && st.st_size >= above;
}

int fsync(int fd)
{
    if (fails("FAIL_SYNC", fd, 100000)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    if (fails("FAIL_WRITE", fd, 0)) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, len);
}

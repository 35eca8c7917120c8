/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_spawn.c - a program of the user's that prints credentials. */
#include "sasl_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sasl_clock.h"

#define WAIT_MS 50
#define UNBOUND_MS 60000 /* for a host without a deadline */

extern char **environ;

/* All of it, or an errno. */
static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes += n;
        len -= (size_t)n;
    }
    return lseek(fd, 0, SEEK_SET) == 0 ? 0 : errno;
}

/*
 * A file in memory for the shell to read from: the command as one list, which
 * it has read to its end before it runs any of it, and whose own input is
 * empty.  0, or an errno.
 */
static int make_script(const char *command, int *fd)
{
    struct kb_text text;
    int rc = ENOMEM;

    *fd = -1;
    kb_text_init(&text, strlen(command) + 64);
    kb_text_puts(&text, "{ :\n");
    kb_text_puts(&text, command);
    kb_text_puts(&text, "\n\n} </dev/null\n");
    if (text.status == KBP_OK) {
        *fd = memfd_create("kafka-backup", MFD_CLOEXEC);
        rc = *fd < 0 ? errno : write_all(*fd, text.bytes, text.len);
    }
    kb_text_release(&text);
    if (rc != 0 && *fd >= 0)
        (void)close(*fd);
    return rc;
}

static int start(int script, int out, pid_t *pid)
{
    char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-s",
                          NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int rc;

    rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (rc != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return rc;
    }
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(&attr, &none);
    (void)posix_spawnattr_setsigdefault(&attr, &all);
    /* A group of its own, so that all of it can be killed. */
    (void)posix_spawnattr_setpgroup(&attr, 0);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    rc = posix_spawn_file_actions_adddup2(&actions, script, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null",
                                              O_WRONLY, 0);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
#endif
    if (rc == 0)
        rc = posix_spawn(pid, "/bin/sh", &actions, &attr, argv, environ);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Read what is there; 1 at the end, 0 if there may be more, -1 on failure. */
static int drain(int fd, struct kb_text *out)
{
    char part[4096];
    ssize_t n;

    for (;;) {
        n = read(fd, part, sizeof part);
        if (n > 0)
            kb_text_add(out, part, (size_t)n);
        explicit_bzero(part, n > 0 ? (size_t)n : 0);
        if (n == 0)
            return 1;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0 && errno != EINTR)
            return -1;
        if (out->status != KBP_OK)
            return -1;
    }
}

/* Until it has ended; 0, or the status why it was not waited for. */
static int32_t attend(const struct kbp_host *host, pid_t pid, int fd,
                      struct kb_text *out, int *exit_status)
{
    int64_t left = host->time_left_ms(host);
    int64_t end = kb_mono_ms() + (left < UNBOUND_MS ? left : UNBOUND_MS);
    struct pollfd wait = {fd, POLLIN, 0};
    int closed = 0;
    pid_t ended;

    for (;;) {
        ended = waitpid(pid, exit_status, WNOHANG);
        if (!closed)
            closed = drain(fd, out);
        if (out->status != KBP_OK || closed < 0)
            return out->status != KBP_OK ? out->status : KBP_ERR_IO;
        if (ended == pid)
            return KBP_OK;
        /* Whoever ignores SIGCHLD has no exit code to be had. */
        if (ended < 0 && errno == ECHILD) {
            *exit_status = 0;
            return KBP_OK;
        }
        if (host->cancelled(host))
            return KBP_ERR_CANCELLED;
        if (kb_mono_ms() >= end)
            return KBP_ERR_TIMEOUT;
        (void)poll(&wait, closed ? 0 : 1, WAIT_MS);
    }
}

int32_t kb_spawn(const struct kbp_host *host, const char *what,
                 const char *command, struct kb_text *out,
                 struct kbp_error *err)
{
    int fds[2], script, exit_status = 0, rc;
    int32_t status;
    pid_t pid = 0;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return kbp_fail(err, KBP_ERR_IO, errno, "%s: no pipe for it", what);
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    rc = make_script(command, &script);
    if (rc == 0) {
        rc = start(script, fds[1], &pid);
        (void)close(script);
    }
    (void)close(fds[1]);
    if (rc != 0) {
        (void)close(fds[0]);
        return kbp_fail(err, KBP_ERR_IO, rc, "%s can't be started", what);
    }
    status = attend(host, pid, fds[0], out, &exit_status);
    if (status != KBP_OK) {
        (void)kill(-pid, SIGKILL);
        while (waitpid(pid, &exit_status, 0) < 0 && errno == EINTR)
            ;
    }
    (void)close(fds[0]);
    if (status == KBP_ERR_LIMIT)
        return kbp_fail(err, KBP_ERR_CONFIG, 0, "%s prints more than %zu bytes",
                        what, out->max);
    if (status != KBP_OK)
        return kbp_fail(err, status, 0, "%s has not ended in time", what);
    if (WIFSIGNALED(exit_status))
        return kbp_fail(err, KBP_ERR_AUTH, 0, "%s was ended by signal %d", what,
                        WTERMSIG(exit_status));
    if (WEXITSTATUS(exit_status) != 0) {
        kbp_hint(err, "run it by hand as user id %u, and see what it prints",
                 (unsigned)geteuid());
        return kbp_fail(
            err, KBP_ERR_AUTH, WEXITSTATUS(exit_status),
            "%s ends with exit code %d%s", what, WEXITSTATUS(exit_status),
            WEXITSTATUS(exit_status) == 127 ? " (the program was not found)"
                                            : "");
    }
    return KBP_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* process_id.c - which process, and whether it is still there. */
#include "archive/process_id.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* The file's first line; "" if there is none. */
static void read_line(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = -1;

    if (fd >= 0) {
        len = read(fd, out, size - 1);
        (void)close(fd);
    }
    out[len > 0 ? len : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/*
 * The 22nd field of /proc/PID/stat, -1 if there is none; the name in the 2nd
 * may hold anything.  A zombie (waiting to be waited for) counts as none.
 */
static int64_t started_at(int64_t pid)
{
    char path[64];
    char line[1024];
    char *at;
    char *end;
    int64_t ticks;
    int field;

    (void)snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    read_line(path, line, sizeof line);
    at = strrchr(line, ')');
    if (at && (strncmp(at, ") Z", 3) == 0 || strncmp(at, ") X", 3) == 0))
        return -1;
    for (field = 2; at && field < 22; field++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return -1;
    end = strchr(at, ' ');
    if (!end)
        return -1;
    *end = '\0';
    return kb_parse_i64(at, &ticks) ? ticks : -1;
}

void kb_process_id_self(struct kb_process_id *id)
{
    ssize_t len;

    memset(id, 0, sizeof *id);
    if (gethostname(id->host, sizeof id->host - 1) != 0 ||
        !kb_utf8_ok(id->host, strlen(id->host)))
        id->host[0] = '\0';
    read_line("/proc/sys/kernel/random/boot_id", id->boot, sizeof id->boot);
    len = readlink("/proc/self/ns/pid", id->space, sizeof id->space - 1);
    if (len <= 0)
        id->space[0] = '\0';
    id->pid = getpid();
    id->started = started_at(id->pid);
}

bool kb_process_is_gone(const struct kb_process_id *id)
{
    struct kb_process_id self;

    kb_process_id_self(&self);
    if (id->boot[0] == '\0' || id->space[0] == '\0' || id->pid <= 0 ||
        id->pid > INT32_MAX || strcmp(id->boot, self.boot) != 0 ||
        strcmp(id->space, self.space) != 0)
        return false;
    if (kill((pid_t)id->pid, 0) != 0)
        return errno == ESRCH;
    /* Its number may have gone to another one. */
    return self.started >= 0 && id->started >= 0 &&
           started_at(id->pid) != id->started;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - run checks, each in a child. */
#include "check/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kafka-backup/util.h>

#include "base/clock.h"
#include "base/str.h"
#include "plugin/trust.h"

#define TIME_LIMIT_MS 60000

/* What a child writes to its pipe. */
struct report {
    enum kb_check_outcome outcome;
    char message[512];
};

static const struct kb_check_group *const groups[] = {
    &kb_check_load,  &kb_check_module,  &kb_check_life,
    &kb_check_codec, &kb_check_storage, &kb_check_sasl,
};

const char *kb_check_word(enum kb_check_outcome outcome)
{
    static const char *const words[] = {"pass",    "fail", "crash",
                                        "timeout", "skip", "warn"};

    return words[outcome];
}

KB_PRINTF(3, 0)
static void settle(struct kb_check_ctx *ctx, enum kb_check_outcome outcome,
                   const char *fmt, va_list ap)
{
    if (ctx->outcome == KB_CHECK_FAIL)
        return;
    ctx->outcome = outcome;
    (void)vsnprintf(ctx->message, sizeof ctx->message, fmt, ap);
    kbp_one_line(ctx->message, sizeof ctx->message);
}

#define SETTLER(name, outcome)                                \
    void name(struct kb_check_ctx *ctx, const char *fmt, ...) \
    {                                                         \
        va_list ap;                                           \
                                                              \
        va_start(ap, fmt);                                    \
        settle(ctx, outcome, fmt, ap);                        \
        va_end(ap);                                           \
    }

SETTLER(kb_check_fail, KB_CHECK_FAIL)
SETTLER(kb_check_warn, KB_CHECK_WARN)
SETTLER(kb_check_skip, KB_CHECK_SKIP)
SETTLER(kb_check_note, KB_CHECK_PASS)

/* xorshift64* */
uint64_t kb_check_random(struct kb_check_ctx *ctx)
{
    uint64_t x = ctx->random ? ctx->random : 88172645463325252u;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    ctx->random = x;
    return x * 2685821657736338717u;
}

struct run {
    const char *path;
    char *scratch;
    const struct kb_check_options *options;
    kb_check_fn fn;
    void *data;
    size_t failed;
    size_t ran;
};

/* In the child: load what the check needs, and run it. */
static void run_here(const struct run *run, const struct kb_check *check,
                     bool load, size_t type, struct report *report)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_ctx ctx = {
        .path = run->path,
        .scratch = run->scratch,
        .options = run->options,
        .random = run->options->seed * 2 + 1,
    };

    if (load && kb_plugin_load(run->path, &ctx.plugin, &err) != KBP_OK)
        kb_check_skip(&ctx, "%s", err.message);
    if (ctx.plugin && type < ctx.plugin->type_count)
        ctx.type = &ctx.plugin->types[type];
    if (!kb_check_bad(&ctx))
        check->run(&ctx);
    kb_plugin_free(ctx.plugin);
    report->outcome = ctx.outcome;
    memcpy(report->message, ctx.message, sizeof report->message);
}

static void wait_for(pid_t pid, int fd, struct report *report)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    int64_t deadline = kb_deadline_ms(TIME_LIMIT_MS);
    size_t got = 0;
    bool ended = false;
    int result = 0;

    while (!ended && got < sizeof *report && kb_left_ms(deadline) > 0) {
        ssize_t n;

        if (poll(&pfd, 1, kb_poll_ms(deadline)) <= 0)
            continue;
        n = read(fd, (char *)report + got, sizeof *report - got);
        if (n > 0)
            got += (size_t)n;
        else if (n == 0 || errno != EINTR)
            ended = true;
    }
    if (!ended && got < sizeof *report)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &result, 0) < 0 && errno == EINTR)
        ;
    if (got == sizeof *report && WIFEXITED(result) && WEXITSTATUS(result) == 0)
        return;
    report->outcome = ended ? KB_CHECK_CRASH : KB_CHECK_TIMEOUT;
    if (!ended && got < sizeof *report)
        (void)snprintf(report->message, sizeof report->message,
                       "not done in %d s", TIME_LIMIT_MS / 1000);
    else if (WIFSIGNALED(result))
        (void)snprintf(report->message, sizeof report->message,
                       "killed by signal %d (%s)", WTERMSIG(result),
                       strsignal(WTERMSIG(result)));
    else
        (void)snprintf(report->message, sizeof report->message,
                       "it ended the process with code %d",
                       WEXITSTATUS(result));
    if (got == sizeof *report)
        report->outcome = KB_CHECK_CRASH;
}

/* What a plugin prints is its fault, and not our result. */
static void hush(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)dup2(fd, STDOUT_FILENO);
    (void)dup2(fd, STDERR_FILENO);
}

static void run_in_child(const struct run *run, const struct kb_check *check,
                         bool load, size_t type, struct report *report)
{
    int ends[2];
    pid_t pid;

    if (pipe(ends)) {
        report->outcome = KB_CHECK_SKIP;
        (void)snprintf(report->message, sizeof report->message, "no pipe: %s",
                       strerror(errno));
        return;
    }
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        hush();
        run_here(run, check, load, type, report);
        if (write(ends[1], report, sizeof *report) != sizeof *report)
            _exit(1);
        /* Not _exit(): destructors are part of what may crash. */
        exit(0);
    }
    (void)close(ends[1]);
    if (pid < 0) {
        report->outcome = KB_CHECK_SKIP;
        (void)snprintf(report->message, sizeof report->message, "no child: %s",
                       strerror(errno));
    } else {
        wait_for(pid, ends[0], report);
    }
    (void)close(ends[0]);
}

static void run_one(struct run *run, const struct kb_check_group *group,
                    const struct kb_check *check, size_t type,
                    const char *type_name)
{
    bool load = group != &kb_check_load;
    struct report report = {.outcome = KB_CHECK_PASS};
    struct kb_check_result result = {
        .id = check->id,
        .what = check->what,
        .kind = group->kind,
        .type = type_name,
    };
    int64_t begin = kb_now_ms();

    if (run->options->only && !kb_glob_match(run->options->only, check->id))
        return;
    if (run->options->in_process)
        run_here(run, check, load, type, &report);
    else
        run_in_child(run, check, load, type, &report);
    result.outcome = report.outcome;
    result.message = report.message;
    result.ms = kb_now_ms() - begin;
    run->ran++;
    run->failed += report.outcome == KB_CHECK_FAIL ||
                   report.outcome == KB_CHECK_CRASH ||
                   report.outcome == KB_CHECK_TIMEOUT;
    run->fn(run->data, &result);
}

static void run_group(struct run *run, const struct kb_check_group *group,
                      size_t type, const char *type_name)
{
    size_t i;

    for (i = 0; i < group->count; i++)
        run_one(run, group, &group->checks[i], type, type_name);
}

#define TYPES_MAX 64u

/* What a child found in the file. */
struct contents {
    size_t count;
    struct {
        enum kb_kind kind;
        char name[80];
    } types[TYPES_MAX];
};

static bool read_all(int fd, void *to, size_t len)
{
    char *at = to;

    while (len > 0) {
        ssize_t n = read(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* What types there are; loaded in a child, as they may crash it. */
static bool look_inside(const char *path, struct contents *contents)
{
    int ends[2];
    int result = 0;
    bool ok;
    pid_t pid;

    if (pipe(ends))
        return false;
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        struct kbp_error err = KB_ERR_INIT;
        struct kb_plugin *plugin;
        size_t i;

        hush();
        memset(contents, 0, sizeof *contents);
        if (kb_plugin_load(path, &plugin, &err) != KBP_OK)
            _exit(1);
        for (i = 0; i < plugin->type_count && i < TYPES_MAX; i++) {
            contents->types[i].kind = plugin->types[i].kind;
            (void)snprintf(contents->types[i].name,
                           sizeof contents->types[i].name, "%s",
                           plugin->types[i].name);
        }
        contents->count = i;
        _exit(write(ends[1], contents, sizeof *contents) != sizeof *contents);
    }
    (void)close(ends[1]);
    ok = pid > 0 && read_all(ends[0], contents, sizeof *contents);
    (void)close(ends[0]);
    while (pid > 0 && waitpid(pid, &result, 0) < 0 && errno == EINTR)
        ;
    return ok;
}

static const struct kb_check_group *group_of(enum kb_kind kind)
{
    switch (kind) {
    case KB_KIND_CODEC:
        return &kb_check_codec;
    case KB_KIND_STORAGE:
        return &kb_check_storage;
    case KB_KIND_SASL:
        return &kb_check_sasl;
    }
    return &kb_check_load;
}

static char *new_scratch(void)
{
    const char *tmp = secure_getenv("TMPDIR");
    char *name = kb_asprintf("%s/kb-check-XXXXXX", tmp && *tmp ? tmp : "/tmp");

    if (name && !mkdtemp(name)) {
        free(name);
        name = NULL;
    }
    return name;
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    (void)remove(path);
    return 0;
}

int kb_check_run(const char *path, const struct kb_check_options *options,
                 kb_check_fn fn, void *data, size_t *failed,
                 struct kbp_error *err)
{
    struct run run = {.options = options, .fn = fn, .data = data};
    struct contents contents;
    char *real = realpath(path, NULL);
    size_t i;

    if (!real)
        return kb_fail_errno(err, errno, "%s", path);
    run.path = real;
    run.scratch = new_scratch();
    if (!run.scratch) {
        free(real);
        return kb_fail_errno(err, errno, "can't make a scratch directory");
    }
    run_group(&run, &kb_check_load, TYPES_MAX, "");
    if (look_inside(real, &contents)) {
        run_group(&run, &kb_check_module, TYPES_MAX, "");
        for (i = 0; i < contents.count; i++) {
            run_group(&run, &kb_check_life, i, contents.types[i].name);
            run_group(&run, group_of(contents.types[i].kind), i,
                      contents.types[i].name);
        }
    }
    (void)nftw(run.scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(run.scratch);
    free(real);
    if (run.ran == 0)
        return kb_fail(err, KBP_ERR_CONFIG, "no check is called \"%s\"",
                       options->only ? options->only : "");
    *failed = run.failed;
    return KBP_OK;
}

void kb_check_list(kb_check_fn fn, void *data)
{
    size_t g;
    size_t i;

    for (g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (i = 0; i < groups[g]->count; i++) {
            const struct kb_check *check = &groups[g]->checks[i];
            struct kb_check_result result = {
                .id = check->id,
                .what = check->what,
                .kind = groups[g]->kind,
                .type = "",
                .outcome = KB_CHECK_SKIP,
                .message = "",
            };

            fn(data, &result);
        }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* check_life.c - instances open and close, and leave the process alone. */
#include "check/checks.h"

#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

#define ROUNDS 1000
#define WARM_UP 50
#define HEAP_GROWTH_MAX 65536
#define CANARY "canary-7f3a91c6"

extern char **environ;

/* Open an instance, whatever its kind; an opaque pointer, or NULL. */
static void *open_any(const struct kb_check_ctx *ctx,
                      struct kb_check_host *host,
                      const struct kbp_config *config, int32_t *status,
                      struct kbp_error *err)
{
    const struct kb_type *type = ctx->type;
    struct kbp_codec *codec = NULL;
    struct kbp_storage *storage = NULL;
    struct kbp_sasl *sasl = NULL;

    kb_err_clear(err);
    switch (type->kind) {
    case KB_KIND_CODEC:
        *status = type->table.codec.open(&host->host, config, &codec, err);
        return codec;
    case KB_KIND_STORAGE:
        *status = type->table.storage.open(&host->host, config, &storage, err);
        return storage;
    case KB_KIND_SASL:
        *status = type->table.sasl.open(&host->host, config, &sasl, err);
        return sasl;
    }
    return NULL;
}

static void close_any(const struct kb_check_ctx *ctx, void *instance)
{
    const struct kb_type *type = ctx->type;

    switch (type->kind) {
    case KB_KIND_CODEC:
        type->table.codec.close(instance);
        break;
    case KB_KIND_STORAGE:
        type->table.storage.close(instance);
        break;
    case KB_KIND_SASL:
        type->table.sasl.close(instance);
        break;
    }
}

/* A mechanism mostly wants a password, without requiring one option for it. */
static bool usual_settings(struct kb_check_ctx *ctx,
                           struct kb_settings *settings)
{
    return kb_check_settings(
        ctx, ctx->type->kind == KB_KIND_SASL ? "secret" : NULL, settings);
}

static int entries(const char *dir)
{
    DIR *d = opendir(dir);
    int count = 0;

    while (d && readdir(d))
        count++;
    if (d)
        (void)closedir(d);
    return count;
}

static void open_close_1000(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_host host;
    struct kb_settings settings;
    size_t heap = 0;
    int fds = 0;
    int threads = 0;
    int i;

    if (!usual_settings(ctx, &settings))
        return;
    kb_check_host_init(&host);
    for (i = 0; i < ROUNDS + WARM_UP; i++) {
        int32_t status = KBP_OK;
        void *instance;

        if (i == WARM_UP) {
            heap = mallinfo2().uordblks;
            fds = entries("/proc/self/fd");
            threads = entries("/proc/self/task");
        }
        instance = open_any(ctx, &host, &settings.config, &status, &err);
        if (status != KBP_OK) {
            kb_check_skip(ctx, "it doesn't open: %s (--set its settings)",
                          err.message);
            break;
        }
        close_any(ctx, instance);
    }
    if (!kb_check_bad(ctx)) {
        size_t now = mallinfo2().uordblks;

        if (entries("/proc/self/fd") > fds)
            kb_check_fail(ctx, "descriptors are left open");
        if (entries("/proc/self/task") > threads)
            kb_check_fail(ctx, "threads are left");
        if (now > heap + HEAP_GROWTH_MAX)
            kb_check_fail(ctx, "%zu bytes were lost in %d rounds", now - heap,
                          ROUNDS);
    }
    kb_settings_release(&settings);
}

static void small_host(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_host host;
    struct kb_settings settings;
    int32_t status = KBP_OK;
    void *instance;

    if (!usual_settings(ctx, &settings))
        return;
    kb_check_host_init(&host);
    host.host.struct_size = (uint32_t)KBP_SIZE_TO(struct kbp_host, get_service);
    host.host.abi_minor = 0;
    err.struct_size = (uint32_t)KBP_SIZE_TO(struct kbp_error, hint);
    instance = open_any(ctx, &host, &settings.config, &status, &err);
    if (status == KBP_OK)
        close_any(ctx, instance);
    kb_settings_release(&settings);
}

static void secrets_stay_secret(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_host host;
    struct kb_settings settings;
    struct kbp_option option;
    bool any = false;
    int32_t status = KBP_OK;
    void *instance;
    uint32_t i;

    for (i = 0; i < ctx->type->options.count; i++) {
        kb_option_at(&ctx->type->options, i, &option);
        any |= (option.flags & KBP_OPTION_SECRET) != 0;
    }
    if (!any) {
        kb_check_note(ctx, "it has no secrets");
        return;
    }
    if (!kb_check_settings(ctx, CANARY, &settings))
        return;
    kb_check_host_init(&host);
    host.canary = CANARY;
    instance = open_any(ctx, &host, &settings.config, &status, &err);
    if (status == KBP_OK)
        close_any(ctx, instance);
    else if (strstr(err.message, CANARY) || strstr(err.hint, CANARY))
        kb_check_fail(ctx, "a secret stands in an error");
    if (host.leaks > 0)
        kb_check_fail(ctx, "a secret stands in a log line");
    kb_settings_release(&settings);
}

/* Redirect stdout and stderr to a file; what was written then fails. */
static void silent(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_host host;
    struct kb_settings settings;
    int32_t status = KBP_OK;
    void *instance;
    struct stat st;
    int saved[2];
    int fd;

    if (!usual_settings(ctx, &settings))
        return;
    fd = open(ctx->scratch, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    (void)fflush(NULL);
    saved[0] = dup(STDOUT_FILENO);
    saved[1] = dup(STDERR_FILENO);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0) {
        kb_check_skip(ctx, "can't redirect the output");
        return;
    }
    kb_check_host_init(&host);
    instance = open_any(ctx, &host, &settings.config, &status, &err);
    if (status == KBP_OK)
        close_any(ctx, instance);
    (void)fflush(NULL);
    (void)dup2(saved[0], STDOUT_FILENO);
    (void)dup2(saved[1], STDERR_FILENO);
    if (fstat(fd, &st) == 0 && st.st_size > 0)
        kb_check_fail(ctx, "it wrote to stdout or stderr");
    if (host.bad_lines > 0)
        kb_check_fail(ctx, "a log line isn't one line of UTF-8");
    (void)close(fd);
    (void)close(saved[0]);
    (void)close(saved[1]);
    kb_settings_release(&settings);
}

static char *environment(void)
{
    char *all = kb_strdup("");
    size_t i;

    for (i = 0; all && environ[i]; i++) {
        char *more = kb_asprintf("%s\n%s", all, environ[i]);

        free(all);
        all = more;
    }
    return all;
}

static void leaves_process_alone(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_check_host host;
    struct kb_settings settings;
    struct sigaction before[65];
    struct sigaction after;
    char *cwd = getcwd(NULL, 0);
    char *env = environment();
    char *locale = kb_strdup(setlocale(LC_ALL, NULL));
    char *now;
    mode_t mask = umask(022);
    int32_t status = KBP_OK;
    void *instance;
    int i;

    for (i = 1; i < 65; i++)
        (void)sigaction(i, NULL, &before[i]);
    if (usual_settings(ctx, &settings)) {
        kb_check_host_init(&host);
        instance = open_any(ctx, &host, &settings.config, &status, &err);
        if (status == KBP_OK)
            close_any(ctx, instance);
        kb_settings_release(&settings);
    }
    for (i = 1; i < 65; i++)
        if (sigaction(i, NULL, &after) == 0 &&
            after.sa_handler != before[i].sa_handler)
            kb_check_fail(ctx, "it changed the handler of signal %d", i);
    if (umask(mask) != 022)
        kb_check_fail(ctx, "it changed the umask");
    now = getcwd(NULL, 0);
    if (cwd && (!now || strcmp(cwd, now) != 0))
        kb_check_fail(ctx, "it changed the working directory");
    free(now);
    now = environment();
    if (env && (!now || strcmp(env, now) != 0))
        kb_check_fail(ctx, "it changed the environment");
    free(now);
    if (locale && strcmp(locale, setlocale(LC_ALL, NULL)) != 0)
        kb_check_fail(ctx, "it changed the locale");
    free(locale);
    free(env);
    free(cwd);
}

static const struct kb_check checks[] = {
    {"open-close-1000", "A thousand instances leave nothing behind.",
     open_close_1000},
    {"small-host", "A host of ABI 1.0 without services is enough.", small_host},
    {"secrets-stay-secret", "No secret stands in a log line or an error.",
     secrets_stay_secret},
    {"silent", "It writes nothing to stdout and stderr.", silent},
    {"leaves-process-alone",
     "Signals, umask, folder, environment and locale stay as they are.",
     leaves_process_alone},
};

KB_CHECK_GROUP(kb_check_life, "life", checks);

/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - what all commands have in common. */
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "cluster/store.h"
#include "config/reader.h"

static struct kb_stop *stop_on_signal;
static volatile sig_atomic_t signals_seen;

static void on_signal(int number)
{
    static const char first[] = "\ninterrupted: finishing what is stored; "
                                "again ends at once\n";
    int errnum = errno; /* of whatever the signal came into */

    if (signals_seen++) {
        /* Not exit(): there may be a lock held where the signal came. */
        _exit(128 + number);
    }
    kb_stop_request(stop_on_signal);
    if (isatty(STDERR_FILENO) &&
        write(STDERR_FILENO, first, sizeof first - 1) < 0)
        errno = 0; /* there is nobody to tell */
    errno = errnum;
}

void kb_program_signals(struct kb_stop *stop)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    stop_on_signal = stop;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

void kb_program_hold_streams(void)
{
    int fd;

    /* The lowest free number is what open() takes. The wrong direction, so
     * that results that nobody gets are still an error. */
    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return;
}

void kb_program_keep_secrets(void)
{
    struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    /* A core_pattern with a pipe doesn't ask for the limit. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int kb_program_fail(const char *what, const struct kbp_error *err)
{
    if (err->status == KBP_ERR_CANCELLED) {
        kb_warn("%s: interrupted", what);
        return KB_EXIT_INTERRUPTED;
    }
    kb_log_err(KBP_LOG_ERROR, what, err);
    return err->status == KBP_ERR_CORRUPT ? KB_EXIT_INVALID : KB_EXIT_FAILED;
}

int kb_program_misused(const struct kb_args *args, const struct kbp_error *err)
{
    (void)fprintf(stderr, "kafka-backup: %s\n", err->message);
    if (args->command)
        (void)fprintf(stderr, "See: kafka-backup %s --help\n",
                      args->command->name);
    else
        (void)fprintf(stderr, "See: kafka-backup --help\n");
    return KB_EXIT_USAGE;
}

static bool has_secrets(const struct kb_config *config)
{
    const struct kb_kafka_settings *const sides[] = {&config->source,
                                                     &config->target};
    size_t i;

    for (i = 0; i < 2; i++)
        if (sides[i]->security.sasl.count ||
            sides[i]->security.ssl_key_location)
            return true;
    return strcmp(config->storage.backend, "filesystem") != 0 &&
           strcmp(config->storage.backend, "memory") != 0;
}

int kb_program_config(struct kb_program *program, struct kbp_error *err)
{
    const char *path = kb_args_value(&program->args, "config");
    struct kb_notes notes = {0};
    size_t i;
    int status;

    if (program->config.file)
        return KBP_OK;
    status = kb_config_load(path, &program->config, &notes, err);
    for (i = 0; i < notes.count; i++) {
        const struct kb_note *note = &notes.items[i];
        int32_t level = note->is_error ? KBP_LOG_ERROR : KBP_LOG_WARN;

        if (note->line)
            kb_log(level, "%s:%u: %s", path, note->line, note->text);
        else
            kb_log(level, "%s: %s", path, note->text);
    }
    kb_notes_release(&notes);
    if (!status && has_secrets(&program->config))
        kb_program_keep_secrets();
    return status;
}

/* "--option name=value" into settings; `texts` holds what was expanded. */
static int parse_options(const struct kb_args *args, struct kb_kv *kvs,
                         char **texts, size_t *count, struct kbp_error *err)
{
    size_t i;

    for (i = 0; i < kb_args_times(args, "option"); i++) {
        const char *word = kb_args_nth(args, "option", i);
        char *text = kb_expand(word, err);
        char *equals;

        if (!text)
            return kb_err_wrap(err, "--option");
        texts[*count] = text;
        equals = strchr(text, '=');
        kvs[*count].name = text;
        kvs[(*count)++].value = equals ? equals + 1 : "";
        if (!equals || equals == text) /* expanded, it isn't any more */
            return kb_fail(err, KBP_ERR_CONFIG,
                           "--option has to be NAME=VALUE");
        *equals = '\0';
        if (strstr(word, "${"))
            kb_program_keep_secrets();
    }
    return KBP_OK;
}

static int open_path(struct kb_program *program, const char *path,
                     struct kb_store **store, struct kbp_error *err)
{
    size_t most = kb_args_times(&program->args, "option") + 1;
    struct kb_kv *kvs = calloc(most, sizeof *kvs);
    char **texts = calloc(most, sizeof *texts);
    size_t count = 0;
    int status;

    if (!kvs || !texts) {
        status = kb_fail_nomem(err, "the store's settings");
        goto out;
    }
    status = parse_options(&program->args, kvs, texts, &count, err);
    if (status)
        goto out;
    if (strncmp(path, "file:///", 8) == 0 && access(path + 7, F_OK)) {
        status =
            kb_fail(err, KBP_ERR_NOT_FOUND, "there is no folder %s", path + 7);
    } else if (strstr(path, "://")) {
        status = kb_store_open_url(&program->registry, path, kvs, count, NULL,
                                   store, err);
    } else if (access(path, F_OK)) {
        /* The plugin would make the folder: not when only looking. */
        status = kb_fail(err, KBP_ERR_NOT_FOUND, "there is no folder %s", path);
    } else {
        kvs[count].name = "path";
        kvs[count].value = path;
        status = kb_store_open(&program->registry, "filesystem", kvs, count + 1,
                               NULL, store, err);
    }
out:
    for (; texts && count > 0; count--)
        kb_free_secret_text(texts[count - 1]);
    free(texts);
    free(kvs);
    return status;
}

int kb_program_store(struct kb_program *program, struct kb_store **store,
                     struct kbp_error *err)
{
    const char *path = kb_args_value(&program->args, "path");
    int status;

    if (path)
        return open_path(program, path, store, err);
    status = kb_program_config(program, err);
    if (status)
        return status;
    return kb_config_store_open(&program->registry, &program->config, store,
                                err);
}

const char *kb_program_backup_id(struct kb_program *program,
                                 struct kbp_error *err)
{
    const char *id = kb_args_value(&program->args, "backup-id");

    if (id)
        return id;
    if (program->config.backup_id)
        return program->config.backup_id;
    (void)kb_fail(err, KBP_ERR_CONFIG, "which backup? give --backup-id");
    return NULL;
}

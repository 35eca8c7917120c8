/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - from the command line to a command, and to its exit code. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/output.h"
#include "cli/program.h"

static void set_up_log(const struct kb_args *args)
{
    const char *format = kb_args_value(args, "log-format");
    size_t verbose = kb_args_times(args, "verbose");
    int32_t level = KBP_LOG_INFO;

    if (kb_args_times(args, "quiet"))
        level = KBP_LOG_WARN;
    else if (verbose)
        level = verbose > 1 ? KBP_LOG_TRACE : KBP_LOG_DEBUG;
    kb_log_init(format && strcmp(format, "json") == 0 ? KB_LOG_JSON
                                                      : KB_LOG_TEXT,
                level);
}

static int open_registry(struct kb_program *program, struct kbp_error *err)
{
    size_t count = kb_args_times(&program->args, "plugin-dir");
    const char **dirs = calloc(count + 1, sizeof *dirs);
    size_t i;
    int status;

    if (!dirs)
        return kb_fail_nomem(err, "plugin directories");
    for (i = 0; i < count; i++)
        dirs[i] = kb_args_nth(&program->args, "plugin-dir", i);
    status = kb_registry_init(&program->registry, dirs, count, err);
    free(dirs);
    program->registry.exports_env = true;
    return status;
}

static int run_command(struct kb_program *program)
{
    struct kbp_error err = KB_ERR_INIT;
    int code;

    if (kb_stop_init(&program->stop, &err))
        return kb_program_fail("start", &err);
    kb_program_signals(&program->stop);
    if (open_registry(program, &err)) {
        code = kb_program_fail("plugins", &err);
    } else {
        code = program->args.command->run(program);
        kb_registry_release(&program->registry);
    }
    kb_config_release(&program->config);
    kb_stop_release(&program->stop);
    return code;
}

/* As for keys of the configuration that mean nothing here. */
static void warn_of_unused(const struct kb_args *args)
{
    size_t i;

    for (i = 0; i < args->count; i++)
        if (args->items[i].flag->unused)
            kb_warn("--%s has no effect: %s", args->items[i].flag->name,
                    args->items[i].flag->unused);
}

int main(int argc, char **argv)
{
    struct kb_program program = {0};
    struct kbp_error err = KB_ERR_INIT;
    int code = KB_EXIT_OK;

    kb_program_hold_streams();
    (void)setlocale(LC_ALL, "C");
    if (kb_args_parse(argc, argv, &program.args, &err)) {
        code = kb_program_misused(&program.args, &err);
    } else if (kb_args_times(&program.args, "help")) {
        kb_args_help(stdout, program.args.command);
    } else if (kb_args_times(&program.args, "version")) {
        (void)puts("kafka-backup " KB_VERSION);
    } else {
        set_up_log(&program.args);
        warn_of_unused(&program.args);
        code = run_command(&program);
    }
    if (!kb_output_end() && code == KB_EXIT_OK)
        code = KB_EXIT_FAILED;
    kb_args_release(&program.args);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args.h - the command line, by one table per command.
 *
 * The tables are also the help text, and the man page is tested against them.
 */
#ifndef KB_CLI_ARGS_H
#define KB_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

struct kb_program;

#define KB_FLAG_REQUIRED 1u
#define KB_FLAG_REPEAT 2u  /* may be given several times */
#define KB_FLAG_BY_SELF 4u /* the command's operand isn't needed with it */
#define KB_FLAG_NUMBER 8u  /* a whole number, 0 to INT64_MAX */
#define KB_FLAG_PAIR 16u   /* NAME=VALUE */

struct kb_flag {
    const char *name;  /* without dashes */
    char letter;       /* or 0 */
    const char *value; /* what it takes: "FILE"; NULL: nothing */
    unsigned flags;
    const char *choices; /* "text|json"; or NULL */
    const char *help;
    const char *unused; /* why the reference's flag means nothing here */
};

struct kb_example {
    const char *line;
    const char *says;
};

struct kb_command {
    const char *name;    /* "backup", "plugin list" */
    const char *operand; /* "NAME", "FILE"; NULL: takes none */
    const char *summary; /* one line */
    const char *details; /* paragraphs */
    const struct kb_flag *flags;
    size_t flag_count;
    const struct kb_example *examples;
    size_t example_count;
    bool looks_at_store;  /* wants --path or --config */
    bool looks_at_backup; /* and --backup-id with --path */
    bool hidden;
    int (*run)(struct kb_program *program); /* returns an enum kb_exit */
};

#define KB_FLAGS(array) \
    .flags = (array), .flag_count = sizeof(array) / sizeof((array)[0])
#define KB_EXAMPLES(array) \
    .examples = (array), .example_count = sizeof(array) / sizeof((array)[0])

/* Those that every command has, and the program without one. */
extern const struct kb_flag kb_global_flags[];
extern const size_t kb_global_flag_count;

extern const struct kb_command *const kb_commands[];
extern const size_t kb_command_count;

struct kb_arg {
    const struct kb_flag *flag;
    const char *value; /* NULL for a flag without one */
};

struct kb_args {
    const struct kb_command *command; /* NULL: none was given */
    const char *operand;              /* or NULL */
    struct kb_arg *items;
    size_t count;
};

/*
 * Parse; strings stay argv's.  KBP_ERR_CONFIG with a message about what is
 * wrong; `args->command` is set as far as it is known then.
 */
int kb_args_parse(int argc, char *const *argv, struct kb_args *args,
                  struct kbp_error *err);
void kb_args_release(struct kb_args *args);

/* The (last) value of a flag; NULL if it wasn't given. */
const char *kb_args_value(const struct kb_args *args, const char *flag);

/* How often it was given. */
size_t kb_args_times(const struct kb_args *args, const char *flag);

/* The `index`th value of one that repeats. */
const char *kb_args_nth(const struct kb_args *args, const char *flag,
                        size_t index);

/* Help about a command, or about all. */
void kb_args_help(FILE *out, const struct kb_command *command);

#endif

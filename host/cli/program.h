/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - what all commands have: arguments, plugins, the configuration,
 * the store that they look at, and the request to stop.
 */
#ifndef KB_CLI_PROGRAM_H
#define KB_CLI_PROGRAM_H

#include "base/stop.h"
#include "cli/args.h"
#include "cli/exit_code.h"
#include "config/config.h"
#include "plugin/registry.h"
#include "plugin/storage.h"

struct kb_program {
    struct kb_args args;
    struct kb_stop stop; /* SIGINT and SIGTERM request it */
    struct kb_registry registry;
    struct kb_config config; /* all zero until it is loaded */
};

/* Log an error as what ended `what`; returns the exit code for it. */
int kb_program_fail(const char *what, const struct kbp_error *err);

/* The same for a mistake in the command line; returns KB_EXIT_USAGE. */
int kb_program_misused(const struct kb_args *args, const struct kbp_error *err);

/*
 * Load the file of --config and log what there is to say about it.  With
 * secrets in it no core is dumped any more.
 */
int kb_program_config(struct kb_program *program, struct kbp_error *err);

/* The store that --path and --option, or --config, speak of. */
int kb_program_store(struct kb_program *program, struct kb_store **store,
                     struct kbp_error *err);

/* --backup-id, or the configuration's; NULL, and an error, without both. */
const char *kb_program_backup_id(struct kb_program *program,
                                 struct kbp_error *err);

/*
 * Signals: the first SIGINT or SIGTERM requests a stop, the second ends the
 * process at once.  SIGPIPE is ignored.  Before threads are started.
 */
void kb_program_signals(struct kb_stop *stop);

/*
 * Let no file or socket become stdin, stdout or stderr where the caller closed
 * them: results and logs would be written into it.  Before anything is opened.
 */
void kb_program_hold_streams(void);

/* No core dumps, no ptrace by others: there are secrets in memory now. */
void kb_program_keep_secrets(void);

#endif

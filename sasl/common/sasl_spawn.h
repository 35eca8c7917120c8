/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_spawn.h - a program of the user's that prints credentials. */
#ifndef KB_SASL_SPAWN_H
#define KB_SASL_SPAWN_H

#include "sasl_text.h"

/*
 * Run `command` by /bin/sh and append what it prints to `out`.  `what` names
 * the setting, for errors.  The command may hold a secret, so it is not among
 * the shell's arguments, which everyone on the machine can read.  It gets no
 * input, its stderr is dropped (it might print a secret there), and it and its
 * children are killed when the host's time is over.  Anything but exit code 0
 * is KBP_ERR_AUTH.
 */
int32_t kb_spawn(const struct kbp_host *host, const char *what,
                 const char *command, struct kb_text *out,
                 struct kbp_error *err);

#endif

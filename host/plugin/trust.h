/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.h - whether somebody else could have put a file where it is.
 *
 * What is loaded runs with our rights.  So nobody but root and the user we run
 * as may own, or be able to write, the file and the directories above it.
 */
#ifndef KB_PLUGIN_TRUST_H
#define KB_PLUGIN_TRUST_H

#include <sys/stat.h>

#include "base/err.h"

/*
 * Resolve a directory and check all that is above it.  `*real` is the absolute
 * path without symbolic links, free() it.  KBP_ERR_NOT_FOUND when there is no
 * such directory, KBP_ERR_DENIED when it can't be trusted.
 */
int kb_trust_dir(const char *dir, char **real, struct kbp_error *err);

/*
 * Check a file in a directory that was checked.  `*st` tells which file it is.
 */
int kb_trust_file(const char *path, struct stat *st, struct kbp_error *err);

#endif

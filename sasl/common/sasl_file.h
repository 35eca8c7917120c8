/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_file.h - a small file with a secret or a setting in it. */
#ifndef KB_SASL_FILE_H
#define KB_SASL_FILE_H

#include "sasl_text.h"

/*
 * Read a regular file, of at most the text's limit, into `text`.  `what` says
 * what it is, for the error: "sasl_password_file".  KBP_ERR_CONFIG where only
 * the user can mend it, KBP_ERR_NOT_FOUND where there is none.
 */
int32_t kb_file_read(const char *what, const char *path, struct kb_text *text,
                     struct kbp_error *err);

/*
 * The same for a file which holds one value: the newline at its end isn't part
 * of it, an empty one is an error, and so is one that is missing
 * (KBP_ERR_CONFIG).
 */
int32_t kb_file_read_value(const char *what, const char *path,
                           struct kb_text *text, struct kbp_error *err);

#endif

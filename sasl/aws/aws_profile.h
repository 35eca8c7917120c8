/* SPDX-License-Identifier: Apache-2.0 */
/* aws_profile.h - ~/.aws/config and ~/.aws/credentials. */
#ifndef KB_AWS_PROFILE_H
#define KB_AWS_PROFILE_H

#include "../common/sasl_text.h"

/* The two files as they were read; each may be empty. */
struct kb_aws_files {
    struct kb_text config;
    struct kb_text credentials;
};

/* Where one of them is.  All zero for nowhere. */
struct kb_aws_path {
    const char *path;
    const char *variable; /* that names it; NULL for where it is by default */
    int wanted;           /* by the user, who named a profile */
};

/*
 * A file that a variable names has to be there.  At the default place it
 * doesn't have to, and if it may not be read, as somebody else's, that is
 * logged at debug and counts as not there, unless it is wanted.  `host` may be
 * NULL.
 */
int32_t kb_aws_files_read(struct kb_aws_files *files,
                          const struct kb_aws_path *config,
                          const struct kb_aws_path *credentials,
                          const struct kbp_host *host, struct kbp_error *err);
void kb_aws_files_release(struct kb_aws_files *files);

/* Whether either file has the profile. */
int kb_aws_profile_exists(const struct kb_aws_files *files,
                          const char *profile);

/*
 * A profile's setting into `value`, which is emptied first; the credentials
 * file goes first, as with AWS's own tools.  0 if it isn't there, or too long.
 */
int kb_aws_profile_get(const struct kb_aws_files *files, const char *profile,
                       const char *key, struct kb_text *value);

/* Whether a profile has the setting, be it empty. */
int kb_aws_profile_has(const struct kb_aws_files *files, const char *profile,
                       const char *key);

#endif

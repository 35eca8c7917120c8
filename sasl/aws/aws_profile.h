/* SPDX-License-Identifier: Apache-2.0 */
/* aws_profile.h - ~/.aws/config and ~/.aws/credentials. */
#ifndef KB_AWS_PROFILE_H
#define KB_AWS_PROFILE_H

#include "../common/sasl_text.h"

/* The two files as they were read; each may be missing. */
struct kb_aws_files {
    struct kb_text config;
    struct kb_text credentials;
};

int32_t kb_aws_files_read(struct kb_aws_files *files, const char *config_path,
                          const char *credentials_path, struct kbp_error *err);
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

#endif

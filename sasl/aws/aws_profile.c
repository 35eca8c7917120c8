/* SPDX-License-Identifier: Apache-2.0 */
/* aws_profile.c - ~/.aws/config and ~/.aws/credentials. */
#include "aws_profile.h"

#include <errno.h>
#include <string.h>

#include "../common/sasl_file.h"

#define FILE_MAX (1024u * 1024u)

/* A run of bytes within a file. */
struct run {
    const char *at;
    size_t len;
};

static struct run trim(const char *at, size_t len)
{
    while (len && (*at == ' ' || *at == '\t')) {
        at++;
        len--;
    }
    while (len &&
           (at[len - 1] == ' ' || at[len - 1] == '\t' || at[len - 1] == '\r'))
        len--;
    return (struct run){at, len};
}

static int is(struct run run, const char *text)
{
    return run.len == strlen(text) && memcmp(run.at, text, run.len) == 0;
}

/* Whether "[...]" is this profile's; in config all but default say so. */
static int is_section(struct run line, const char *profile, int config)
{
    const char *end = memchr(line.at, ']', line.len);
    struct run name;

    if (!end)
        return 0;
    name = trim(line.at + 1, (size_t)(end - line.at) - 1);
    if (config && name.len > 8 && memcmp(name.at, "profile", 7) == 0 &&
        (name.at[7] == ' ' || name.at[7] == '\t')) {
        name = trim(name.at + 8, name.len - 8);
        if (name.len >= 2 && (*name.at == '"' || *name.at == '\'') &&
            name.at[name.len - 1] == *name.at)
            name = (struct run){name.at + 1, name.len - 2};
    } else if (config && !is(name, "default")) {
        return 0;
    }
    return is(name, profile);
}

/* The line after `*at`, which is moved on; 0 at the end. */
static int next_line(const char **at, const char *end, struct run *line)
{
    const char *eol;

    if (*at >= end)
        return 0;
    eol = memchr(*at, '\n', (size_t)(end - *at));
    if (!eol)
        eol = end;
    *line = (struct run){*at, (size_t)(eol - *at)};
    *at = eol < end ? eol + 1 : end;
    return 1;
}

/* A value ends where a comment begins: " #" or " ;". */
static struct run without_comment(struct run value)
{
    size_t i;

    for (i = 1; i < value.len; i++)
        if ((value.at[i] == '#' || value.at[i] == ';') &&
            (value.at[i - 1] == ' ' || value.at[i - 1] == '\t'))
            return trim(value.at, i);
    return value;
}

/*
 * Look in one file.  With `key` NULL for the section alone.  An indented line
 * belongs to the setting above it (s3 = ...), and is none of ours.
 */
static int look(const struct kb_text *file, int config, const char *profile,
                const char *key, struct run *value)
{
    const char *at = kb_text_str(file), *end = at + file->len;
    int within = 0;
    struct run line;

    while (next_line(&at, end, &line)) {
        const char *eq;

        if (!line.len || *line.at == ' ' || *line.at == '\t' ||
            *line.at == '#' || *line.at == ';')
            continue;
        if (*line.at == '[') {
            within = is_section(line, profile, config);
            if (within && !key)
                return 1;
            continue;
        }
        eq = memchr(line.at, '=', line.len);
        if (!within || !eq || !is(trim(line.at, (size_t)(eq - line.at)), key))
            continue;
        *value = without_comment(
            trim(eq + 1, line.len - (size_t)(eq + 1 - line.at)));
        return 1;
    }
    return 0;
}

int kb_aws_profile_exists(const struct kb_aws_files *files, const char *profile)
{
    struct run ignored;

    return look(&files->credentials, 0, profile, NULL, &ignored) ||
           look(&files->config, 1, profile, NULL, &ignored);
}

int kb_aws_profile_get(const struct kb_aws_files *files, const char *profile,
                       const char *key, struct kb_text *value)
{
    struct run run;

    kb_text_clear(value);
    if (!look(&files->credentials, 0, profile, key, &run) &&
        !look(&files->config, 1, profile, key, &run))
        return 0;
    if (!run.len || memchr(run.at, '\0', run.len))
        return 0;
    kb_text_add(value, run.at, run.len);
    return value->status == KBP_OK;
}

int kb_aws_profile_has(const struct kb_aws_files *files, const char *profile,
                       const char *key)
{
    struct run ignored;

    return look(&files->credentials, 0, profile, key, &ignored) ||
           look(&files->config, 1, profile, key, &ignored);
}

static int32_t read_one(const struct kb_aws_path *at, const char *what,
                        struct kb_text *text, const struct kbp_host *host,
                        struct kbp_error *err)
{
    struct kbp_error why = {.struct_size = sizeof why};
    int32_t status;

    kb_text_init(text, FILE_MAX);
    if (!at->path)
        return KBP_OK;
    status =
        kb_file_read(at->variable ? at->variable : what, at->path, text, &why);
    if (status == KBP_ERR_NOT_FOUND) {
        if (!at->variable)
            return KBP_OK;
        status = KBP_ERR_CONFIG;
    }
    if (status != KBP_OK && !at->variable && !at->wanted &&
        (why.native == EACCES || why.native == EPERM)) {
        if (host)
            kbp_log(host, KBP_LOG_DEBUG, "it is left out: %s", why.message);
        return KBP_OK;
    }
    if (status == KBP_OK)
        return KBP_OK;
    kbp_hint(err, "%s", why.hint);
    return kbp_fail(err, status, why.native, "%s", why.message);
}

int32_t kb_aws_files_read(struct kb_aws_files *files,
                          const struct kb_aws_path *config,
                          const struct kb_aws_path *credentials,
                          const struct kbp_host *host, struct kbp_error *err)
{
    int32_t status;

    memset(files, 0, sizeof *files);
    status = read_one(config, "the AWS config", &files->config, host, err);
    if (status == KBP_OK)
        status = read_one(credentials, "the AWS credentials file",
                          &files->credentials, host, err);
    if (status != KBP_OK)
        kb_aws_files_release(files);
    return status;
}

void kb_aws_files_release(struct kb_aws_files *files)
{
    kb_text_release(&files->config);
    kb_text_release(&files->credentials);
}

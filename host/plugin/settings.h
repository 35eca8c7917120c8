/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - a user's settings, checked against what a type understands.
 *
 * The plugin gets plain strings: numbers decimal, sizes in bytes, times in
 * milliseconds, paths absolute, defaults filled in.
 */
#ifndef KB_PLUGIN_SETTINGS_H
#define KB_PLUGIN_SETTINGS_H

#include <stddef.h>

#include "base/err.h"
#include "plugin/type.h"

/* As a user wrote it. */
struct kb_kv {
    const char *name;
    const char *value;
};

struct kb_settings {
    struct kbp_config config; /* for open() */
    struct kbp_setting *items;
    unsigned char *secret; /* one for each item: not to be shown */
};

/*
 * Check `kvs` against the type's options.  Unknown names ("did you mean"),
 * names given twice, wrong values and what is missing fail with KBP_ERR_CONFIG.
 * The bytes are copied.  [any thread]
 */
int kb_settings_check(const struct kb_type *type, const struct kb_kv *kvs,
                      size_t count, struct kb_settings *settings,
                      struct kbp_error *err);

/* Wipes and frees; takes zero values. */
void kb_settings_release(struct kb_settings *settings);

/* A setting's value, or NULL. */
const char *kb_settings_get(const struct kb_settings *settings,
                            const char *name);

/* Put "***" in `text` wherever the value of a secret setting stands; what is
   shorter than 4 bytes would take words out of sentences, and stays. */
void kb_settings_redact(const struct kb_settings *settings, char *text);

/*
 * Split "s3://bucket/prefix" into the scheme and settings for the options that
 * the type marks KBP_OPTION_URL_HOST and KBP_OPTION_URL_PATH.  For
 * KBP_OPTION_PATH the path keeps its leading '/'.
 */
struct kb_url {
    char *scheme;
    char *host; /* "" if there is none */
    char *path; /* with its leading '/', or "" */
};

int kb_url_parse(const char *text, struct kb_url *url, struct kbp_error *err);
void kb_url_release(struct kb_url *url);

/*
 * The same check, with the parts of a URL where the user didn't set them
 * otherwise.
 */
int kb_settings_check_url(const struct kb_type *type, const struct kb_url *url,
                          const struct kb_kv *kvs, size_t count,
                          struct kb_settings *settings, struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key.h - the keys of the configuration, as tables.
 *
 * A section is a table of keys; each says its type, where in the section's
 * struct it goes, its default and range, and what it is for.  One reader
 * (reader.c) fills the structs by them, and reference.c prints them.
 */
#ifndef KB_CONFIG_KEY_H
#define KB_CONFIG_KEY_H

#include <yaml.h>

#include "config/config.h"

struct kb_reader;

enum kb_key_type {
    KB_KEY_STRING,  /* char * */
    KB_KEY_PATH,    /* char * */
    KB_KEY_SECRET,  /* struct kb_secret */
    KB_KEY_BOOL,    /* bool */
    KB_KEY_INT,     /* int64_t */
    KB_KEY_PORT,    /* uint16_t */
    KB_KEY_COUNT,   /* uint64_t */
    KB_KEY_BYTES,   /* uint64_t; "16MiB" */
    KB_KEY_MS,      /* int64_t; "30s"; a bare number is in ms */
    KB_KEY_SECS,    /* int64_t, in ms too; a bare number is in seconds */
    KB_KEY_TIME,    /* int64_t; epoch ms, or RFC 3339 */
    KB_KEY_CHOICE,  /* an enum in the order of `choices` */
    KB_KEY_STRINGS, /* struct kb_strings */
    KB_KEY_INTS,    /* struct kb_integers */
    KB_KEY_PAIRS,   /* struct kb_pairs */
    KB_KEY_SETTING, /* appended to a struct kb_raw_settings under its name */
    KB_KEY_RAW,     /* struct kb_raw_settings, of a mapping */
    KB_KEY_SECTION,
    KB_KEY_CUSTOM /* `read`, `drop` */
};

#define KB_KEY_REQUIRED 1u
#define KB_KEY_HIDDEN 2u    /* of a setting: a secret */
#define KB_KEY_BINDING 4u   /* `unused`: not a warning but an error */
#define KB_KEY_NON_EMPTY 8u /* an empty string is no value */

struct kb_key {
    const char *name;
    enum kb_key_type type;
    unsigned flags;
    size_t at;                /* offset in the section's struct */
    const char *default_text; /* as it would be written; or NULL */
    int64_t min;              /* of numbers; both 0: no range */
    int64_t max;
    const char *choices; /* "a|b"; spellings after '=' mean the same: "a=A" */
    const struct kb_section *section;
    /* Checks the node and fills in `at`; complains by kb_complain(). */
    void (*read)(struct kb_reader *reader, const yaml_node_t *node, void *at);
    void (*drop)(void *at);
    const char *form; /* of KB_KEY_CUSTOM, for the reference */
    const char *help;
    /* A key of the reference without an effect here: why that is. */
    const char *unused;
    const char *harmless; /* the value for which there is nothing to say */
};

struct kb_section {
    const char *help;
    const struct kb_key *keys;
    size_t count;
    /* Keys which aren't in the table but begin with `raw_prefix` are settings
       for a plugin, in the kb_raw_settings at `raw_at`. */
    const char *raw_prefix; /* or NULL */
    size_t raw_at;
};

#define KB_KEYS(array) \
    .keys = (array), .count = sizeof(array) / sizeof((array)[0])

extern const struct kb_section kb_config_section;
extern const struct kb_section kb_source_section;
extern const struct kb_section kb_target_section;
extern const struct kb_section kb_storage_section;
extern const struct kb_section kb_backup_section;
extern const struct kb_section kb_restore_section;
extern const struct kb_section kb_metrics_section;

/* Set all keys of a section to their defaults. */
int kb_section_defaults(const struct kb_section *section, void *base,
                        struct kbp_error *err);

/* Free what the keys of a section hold. */
void kb_section_release(const struct kb_section *section, void *base);

/* The rules that concern several keys. */
void kb_config_check(const struct kb_config *config, struct kb_notes *notes);

/* docs/CONFIG.md. */
struct kb_buf;
void kb_config_reference(struct kb_buf *out);

#endif

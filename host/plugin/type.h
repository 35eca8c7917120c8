/* SPDX-License-Identifier: Apache-2.0 */
/*
 * type.h - a type that a loaded plugin offers, whatever its kind.
 *
 * The tables are the host's copies: what an old plugin's table lacks is NULL
 * in them.  Constant once loaded, and never unloaded.  [any thread]
 */
#ifndef KB_PLUGIN_TYPE_H
#define KB_PLUGIN_TYPE_H

#include <stddef.h>
#include <sys/types.h>

#include <kafka-backup/codec.h>
#include <kafka-backup/sasl.h>
#include <kafka-backup/storage.h>

enum kb_kind { KB_KIND_CODEC, KB_KIND_STORAGE, KB_KIND_SASL };

#define KB_KIND_COUNT 3

struct kb_plugin;

struct kb_type {
    enum kb_kind kind;
    const struct kb_plugin *plugin;
    uint32_t flags;
    const char *name;
    const char *summary; /* never NULL */
    struct kbp_options options;
    const struct kbp_extension *const *extensions; /* or NULL */
    union {
        struct kbp_codec_type codec;
        struct kbp_storage_type storage;
        struct kbp_sasl_type sasl;
    } table;
};

/* A file that was loaded. */
struct kb_plugin {
    struct kb_plugin *next;
    char *path; /* absolute */
    char *stem; /* "codec_zstd" */
    dev_t dev;  /* which file it is */
    ino_t ino;
    struct kbp_module module; /* a copy */
    struct kb_type *types;
    size_t type_count;
};

/* "codec", "storage", "sasl": as in file names. */
const char *kb_kind_word(enum kb_kind kind);

/* "codec", "storage backend", "SASL mechanism": for messages. */
const char *kb_kind_text(enum kb_kind kind);

/* Whether the type goes by `name`: its own, an alias, a URL's scheme. */
int kb_type_is(const struct kb_type *type, const char *name);

/*
 * Copy option `i`, of whatever size the plugin's are; what it lacks is zero,
 * and a type this host doesn't know is KBP_OPTION_STRING.
 */
void kb_option_at(const struct kbp_options *options, uint32_t i,
                  struct kbp_option *option);

#endif

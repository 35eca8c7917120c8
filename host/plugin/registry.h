/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - which plugins there are, by kind and name.
 *
 * A name leads to its file without looking into others: kind + '_' + name in
 * lower case, all but a-z and 0-9 made '_', then cut at '_' until there is
 * such a file which offers the name:
 *
 *     SASL mechanism SCRAM-SHA-512 -> sasl_scram_sha_512.so,
 *                                     sasl_scram_sha.so, sasl_scram.so
 *
 * The first directory that has one wins.
 */
#ifndef KB_PLUGIN_REGISTRY_H
#define KB_PLUGIN_REGISTRY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "plugin/type.h"

struct kb_registry {
    pthread_mutex_t lock;    /* of `plugins` */
    pthread_mutex_t control; /* held over each [control] call of a plugin */
    char **dirs;             /* as given, in order */
    size_t dir_count;
    struct kb_plugin *plugins; /* what was loaded */
    /*
     * Options may set variables of the environment (export_env): for a program
     * that is the host's own.  Set after kb_registry_init().
     */
    bool exports_env;
    struct kb_export *exports; /* what was set; under `control` */
};

/*
 * Where to look: `dirs` in order; without any, KAFKA_BACKUP_PLUGIN_DIR (a list
 * with ':'; not in a program with raised rights); else what was built in,
 * relative to the program first.  Nothing is opened yet.  [control]
 */
int kb_registry_init(struct kb_registry *registry, const char *const *dirs,
                     size_t count, struct kbp_error *err);

/* All that was opened from it is closed.  Takes zero values.  [control] */
void kb_registry_release(struct kb_registry *registry);

/*
 * Find a type by its name, alias or (storage) URL scheme, load its file if it
 * isn't yet.  Fails with what was looked for and where.  `*type` is good until
 * the registry is released.  [any thread]
 */
int kb_registry_find(struct kb_registry *registry, enum kb_kind kind,
                     const char *name, const struct kb_type **type,
                     struct kbp_error *err);

/* The codec of a record batch's attribute bits.  [any thread] */
int kb_registry_find_kafka_codec(struct kb_registry *registry, int kafka_id,
                                 const struct kb_type **type,
                                 struct kbp_error *err);

/* "lz4" for 3; NULL where Kafka has none. */
const char *kb_kafka_codec_name(int kafka_id);

/* What was seen in a plugin directory. */
struct kb_plugin_file {
    char *path;
    size_t dir;    /* of registry.dirs */
    bool shadowed; /* a directory before has a file of this name */
};

/*
 * All <kind>_*.so in the directories, by directory and name; none is opened.
 * Directories that don't exist are left out.  kb_plugin_files_free() them.
 */
int kb_registry_files(const struct kb_registry *registry,
                      struct kb_plugin_file **files, size_t *count,
                      struct kbp_error *err);
void kb_plugin_files_free(struct kb_plugin_file *files, size_t count);

#endif

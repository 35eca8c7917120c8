/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - which plugins there are, by kind and name. */
#include "plugin/registry.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "plugin/export.h"
#include "plugin/load.h"
#include "plugin/trust.h"

#define DIRS_MAX 64u
#define STEM_MAX 128u

static int add_dir(struct kb_registry *registry, char *dir,
                   struct kbp_error *err)
{
    char **more;

    if (!dir)
        return kb_fail_nomem(err, "a plugin directory");
    if (registry->dir_count == DIRS_MAX) {
        free(dir);
        return kb_fail(err, KBP_ERR_CONFIG, "more than %u plugin directories",
                       DIRS_MAX);
    }
    more = realloc(registry->dirs, (registry->dir_count + 1) * sizeof *more);
    if (!more) {
        free(dir);
        return kb_fail_nomem(err, "a plugin directory");
    }
    registry->dirs = more;
    registry->dirs[registry->dir_count++] = dir;
    return KBP_OK;
}

static int add_given(struct kb_registry *registry, const char *const *dirs,
                     size_t count, struct kbp_error *err)
{
    char cwd[PATH_MAX];
    size_t i;
    int status = KBP_OK;

    for (i = 0; i < count && status == KBP_OK; i++) {
        if (!*dirs[i])
            status = kb_fail(err, KBP_ERR_CONFIG,
                             "the name of a plugin directory is empty");
        else if (*dirs[i] == '/')
            status = add_dir(registry, kb_strdup(dirs[i]), err);
        else if (!getcwd(cwd, sizeof cwd))
            status = kb_fail_errno(err, errno, "the working directory");
        else
            status = add_dir(registry, kb_asprintf("%s/%s", cwd, dirs[i]), err);
    }
    return status;
}

/* "dir:dir"; nothing relative, as who sets it isn't where we run. */
static int add_list(struct kb_registry *registry, const char *list,
                    struct kbp_error *err)
{
    while (*list) {
        size_t len = strcspn(list, ":");
        int status;

        if (*list != '/')
            return kb_fail(err, KBP_ERR_CONFIG,
                           "KAFKA_BACKUP_PLUGIN_DIR must have absolute paths, "
                           "not \"%s\"",
                           list);
        status = add_dir(registry, kb_asprintf("%.*s", (int)len, list), err);
        if (status != KBP_OK)
            return status;
        list += len;
        list += *list == ':';
    }
    return KBP_OK;
}

static bool is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/*
 * An installation may have been moved, or be a build tree: look beside the
 * program before taking the place that was configured.
 */
static int add_builtin(struct kb_registry *registry, struct kbp_error *err)
{
    static const char *const beside[] = {KB_PLUGIN_DIR_FROM_BIN,
                                         "../lib/kafka-backup/plugins"};
    char exe[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    char *slash;
    size_t i;

    if (len > 0) {
        exe[len] = '\0';
        slash = strrchr(exe, '/');
        if (slash)
            *slash = '\0';
        for (i = 0; slash && i < sizeof beside / sizeof beside[0]; i++) {
            char *dir = kb_asprintf("%s/%s", exe, beside[i]);
            char *real = dir && is_dir(dir) ? realpath(dir, NULL) : NULL;

            free(dir);
            if (real)
                return add_dir(registry, real, err);
        }
    }
    return add_dir(registry, kb_strdup(KB_PLUGIN_DIR), err);
}

int kb_registry_init(struct kb_registry *registry, const char *const *dirs,
                     size_t count, struct kbp_error *err)
{
    const char *list = secure_getenv("KAFKA_BACKUP_PLUGIN_DIR");
    int status;

    memset(registry, 0, sizeof *registry);
    (void)pthread_mutex_init(&registry->lock, NULL);
    (void)pthread_mutex_init(&registry->control, NULL);
    if (count > 0)
        status = add_given(registry, dirs, count, err);
    else if (list && *list)
        status = add_list(registry, list, err);
    else
        status = add_builtin(registry, err);
    if (status != KBP_OK)
        kb_registry_release(registry);
    return status;
}

void kb_registry_release(struct kb_registry *registry)
{
    struct kb_plugin *plugin = registry->plugins;
    size_t i;

    while (plugin) {
        struct kb_plugin *next = plugin->next;

        kb_plugin_free(plugin);
        plugin = next;
    }
    kb_export_release(registry);
    for (i = 0; i < registry->dir_count; i++)
        free(registry->dirs[i]);
    if (registry->dirs) {
        (void)pthread_mutex_destroy(&registry->lock);
        (void)pthread_mutex_destroy(&registry->control);
    }
    free(registry->dirs);
    memset(registry, 0, sizeof *registry);
}

/* "sasl_scram_sha_512"; false if the name can be no type's. */
static bool make_stem(char stem[STEM_MAX], enum kb_kind kind, const char *name)
{
    const char *word = kb_kind_word(kind);
    size_t word_len = strlen(word);
    size_t len = strlen(name);
    size_t i;

    if (len == 0 || len + word_len + 2 > STEM_MAX)
        return false;
    memcpy(stem, word, word_len);
    stem[word_len] = '_';
    for (i = 0; i < len; i++) {
        char c = name[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
            c = '_';
        stem[word_len + 1 + i] = c;
    }
    stem[word_len + 1 + len] = '\0';
    return true;
}

/* Cut the last part off; false when only the kind would be left. */
static bool shorten(char *stem)
{
    char *first = strchr(stem, '_');
    char *last = strrchr(stem, '_');

    if (!first || last == first)
        return false;
    *last = '\0';
    return last > first + 1;
}

static const struct kb_type *type_in(const struct kb_plugin *plugin,
                                     enum kb_kind kind, const char *name)
{
    size_t i;

    for (i = 0; i < plugin->type_count; i++)
        if (plugin->types[i].kind == kind &&
            kb_type_is(&plugin->types[i], name))
            return &plugin->types[i];
    return NULL;
}

/* The plugin of a file, loaded before or now; with the lock held. */
static int plugin_of(struct kb_registry *registry, const char *path,
                     struct kb_plugin **plugin, struct kbp_error *err)
{
    struct kb_plugin *at;
    int status;

    for (at = registry->plugins; at; at = at->next)
        if (strcmp(at->path, path) == 0) {
            *plugin = at;
            return KBP_OK;
        }
    status = kb_plugin_load(path, &at, err);
    if (status != KBP_OK)
        return status;
    at->next = registry->plugins;
    registry->plugins = at;
    *plugin = at;
    return KBP_OK;
}

/* What a search has seen, for the message if it fails. */
struct search {
    enum kb_kind kind;
    const char *name;
    struct kb_buf others; /* files which don't offer it, and what they do */
    bool no_dir;
};

static void note_other(struct search *search, const struct kb_plugin *plugin)
{
    size_t i;

    kb_buf_printf(&search->others, "%s%s offers",
                  search->others.len ? "; " : "", plugin->path);
    for (i = 0; i < plugin->type_count; i++)
        kb_buf_printf(&search->others, "%s %s %s", i ? "," : "",
                      kb_kind_text(plugin->types[i].kind),
                      plugin->types[i].name);
}

/* Look in one directory. `*type` stays NULL when it isn't there. */
static int find_in(struct kb_registry *registry, const char *dir,
                   struct search *search, const struct kb_type **type,
                   struct kbp_error *err)
{
    char stem[STEM_MAX];
    struct kb_plugin *plugin;
    struct stat st;
    char *real;
    int status = kb_trust_dir(dir, &real, err);

    if (status == KBP_ERR_NOT_FOUND)
        return KBP_OK;
    if (status != KBP_OK)
        return kb_err_wrap(err, "plugin directory");
    (void)make_stem(stem, search->kind, search->name);
    do {
        char *path = kb_asprintf("%s/%s.so", real, stem);

        plugin = NULL;
        if (!path)
            status = kb_fail_nomem(err, "a path");
        else if (lstat(path, &st) == 0)
            status = plugin_of(registry, path, &plugin, err);
        else if (errno != ENOENT)
            status = kb_fail_errno(err, errno, "%s", path);
        free(path);
        if (status == KBP_OK && plugin) {
            *type = type_in(plugin, search->kind, search->name);
            if (!*type)
                note_other(search, plugin);
        }
    } while (status == KBP_OK && !*type && shorten(stem));
    free(real);
    return status;
}

/* Names the files tried and the directories searched. */
static int fail_missing(const struct kb_registry *registry,
                        struct search *search, struct kbp_error *err)
{
    struct kb_buf files = KB_BUF_INIT;
    struct kb_buf dirs = KB_BUF_INIT;
    char stem[STEM_MAX];
    size_t i;

    (void)make_stem(stem, search->kind, search->name);
    do {
        kb_buf_printf(&files, "%s%s.so", files.len ? ", " : "", stem);
    } while (shorten(stem));
    for (i = 0; i < registry->dir_count; i++)
        kb_buf_printf(&dirs, "%s%s%s", i ? ", " : "", registry->dirs[i],
                      is_dir(registry->dirs[i]) ? "" : " (no such directory)");
    kb_buf_add(&files, "", 1);
    kb_buf_add(&dirs, "", 1);
    kb_buf_add(&search->others, "", 1);
    if (files.failed || dirs.failed || search->others.failed)
        (void)kb_fail_nomem(err, "an error message");
    else
        (void)kb_fail(err, KBP_ERR_CONFIG,
                      "no plugin for %s \"%s\": looked for %s in %s%s%s",
                      kb_kind_text(search->kind), search->name,
                      (const char *)files.data, (const char *)dirs.data,
                      search->others.len > 1 ? "; " : "",
                      (const char *)search->others.data);
    kb_err_hint(err, "install the plugin there, or name its directory by "
                     "--plugin-dir or KAFKA_BACKUP_PLUGIN_DIR; \"kafka-backup "
                     "plugin list\" shows those that are found");
    kb_buf_release(&files);
    kb_buf_release(&dirs);
    return err->status;
}

/* Schemes of URLs whose backend has another name. */
static const char *backend_of_scheme(const char *name)
{
    static const struct {
        const char *scheme;
        const char *name;
    } known[] = {
        {"file", "filesystem"}, {"mem", "memory"},  {"gs", "gcs"},
        {"az", "azure"},        {"abfs", "azure"},  {"abfss", "azure"},
        {"wasb", "azure"},      {"wasbs", "azure"},
    };
    size_t i;

    for (i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].scheme, name) == 0)
            return known[i].name;
    return name;
}

int kb_registry_find(struct kb_registry *registry, enum kb_kind kind,
                     const char *name, const struct kb_type **type,
                     struct kbp_error *err)
{
    struct search search = {.kind = kind, .name = name};
    const struct kb_type *found = NULL;
    char stem[STEM_MAX];
    size_t i;
    int status = KBP_OK;

    if (kind == KB_KIND_STORAGE)
        search.name = backend_of_scheme(name);
    if (!make_stem(stem, kind, search.name))
        return kb_fail(err, KBP_ERR_CONFIG,
                       "\"%.80s\" can't be the name of a "
                       "%s",
                       name, kb_kind_text(kind));
    (void)pthread_mutex_lock(&registry->lock);
    for (i = 0; i < registry->dir_count && status == KBP_OK && !found; i++)
        status = find_in(registry, registry->dirs[i], &search, &found, err);
    (void)pthread_mutex_unlock(&registry->lock);
    if (status != KBP_OK)
        (void)kb_err_wrap(err, "%s %s", kb_kind_text(kind), name);
    else if (!found)
        status = fail_missing(registry, &search, err);
    else
        *type = found;
    kb_buf_release(&search.others);
    return status;
}

const char *kb_kafka_codec_name(int kafka_id)
{
    static const char *const names[] = {"none", "gzip", "snappy", "lz4",
                                        "zstd"};

    if (kafka_id < 0 || (size_t)kafka_id >= sizeof names / sizeof names[0])
        return NULL;
    return names[kafka_id];
}

int kb_registry_find_kafka_codec(struct kb_registry *registry, int kafka_id,
                                 const struct kb_type **type,
                                 struct kbp_error *err)
{
    const char *name = kb_kafka_codec_name(kafka_id);
    const struct kb_type *found;
    int status;

    if (!name)
        return kb_fail(err, KBP_ERR_CORRUPT,
                       "no codec has the number %d in Kafka", kafka_id);
    status = kb_registry_find(registry, KB_KIND_CODEC, name, &found, err);
    if (status != KBP_OK)
        return status;
    if (found->table.codec.kafka_id != kafka_id)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "%s: codec %s has the number %d, Kafka's has %d",
                       found->plugin->path, name,
                       (int)found->table.codec.kafka_id, kafka_id);
    *type = found;
    return KBP_OK;
}

static bool is_plugin_name(const char *name)
{
    size_t len = strlen(name);
    int kind;

    if (len < 4 || strcmp(name + len - 3, ".so") != 0)
        return false;
    for (kind = 0; kind < KB_KIND_COUNT; kind++) {
        const char *word = kb_kind_word((enum kb_kind)kind);
        size_t word_len = strlen(word);

        if (strncmp(name, word, word_len) == 0 && name[word_len] == '_')
            return true;
    }
    return false;
}

static int is_plugin_entry(const struct dirent *entry)
{
    return is_plugin_name(entry->d_name);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int add_file(struct kb_plugin_file **files, size_t *count, size_t dir,
                    char *path, struct kbp_error *err)
{
    struct kb_plugin_file *more;
    size_t i;

    if (!path)
        return kb_fail_nomem(err, "a path");
    more = realloc(*files, (*count + 1) * sizeof *more);
    if (!more) {
        free(path);
        return kb_fail_nomem(err, "a list of plugins");
    }
    *files = more;
    more[*count] = (struct kb_plugin_file){.path = path, .dir = dir};
    for (i = 0; i < *count; i++)
        if (strcmp(last_part(more[i].path), last_part(path)) == 0)
            more[*count].shadowed = true;
    ++*count;
    return KBP_OK;
}

int kb_registry_files(const struct kb_registry *registry,
                      struct kb_plugin_file **files, size_t *count,
                      struct kbp_error *err)
{
    struct kb_plugin_file *found = NULL;
    size_t found_count = 0;
    size_t i;
    int status = KBP_OK;

    for (i = 0; i < registry->dir_count && status == KBP_OK; i++) {
        struct dirent **entries;
        int n =
            scandir(registry->dirs[i], &entries, is_plugin_entry, alphasort);
        int k;

        if (n < 0 && errno == ENOENT)
            continue;
        if (n < 0) {
            status = kb_fail_errno(err, errno, "plugin directory %s",
                                   registry->dirs[i]);
            break;
        }
        for (k = 0; k < n; k++) {
            if (status == KBP_OK)
                status = add_file(
                    &found, &found_count, i,
                    kb_asprintf("%s/%s", registry->dirs[i], entries[k]->d_name),
                    err);
            free(entries[k]);
        }
        free(entries);
    }
    if (status != KBP_OK) {
        kb_plugin_files_free(found, found_count);
        return status;
    }
    *files = found;
    *count = found_count;
    return KBP_OK;
}

void kb_plugin_files_free(struct kb_plugin_file *files, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        free(files[i].path);
    free(files);
}

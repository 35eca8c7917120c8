/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - load one plugin file and check what it says of itself.
 *
 * The checks come in an order in which each may rely on those before: until
 * magic and major version are right, nothing else in the module means anything.
 */
#include "plugin/load.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "plugin/trust.h"

#define TABLE_BYTES_MAX 65536u
#define TYPES_MAX 64u
#define OPTIONS_MAX 512u

/* Which Debian package has the library that is missing. */
static const struct {
    const char *soname;
    const char *package;
} packages[] = {
    {"libgssapi_krb5.so", "libgssapi-krb5-2"},
    {"libkrb5.so", "libkrb5-3"},
    {"libcurl.so", "libcurl4"},
    {"libcrypto.so", "libssl3"},
    {"libssl.so", "libssl3"},
    {"libzstd.so", "libzstd1"},
    {"liblz4.so", "liblz4-1"},
    {"libsnappy.so", "libsnappy1v5"},
    {"libz.so", "zlib1g"},
    {"libjansson.so", "libjansson4"},
    {"libxml2.so", "libxml2"},
};

static void hint_package(struct kbp_error *err, const char *why)
{
    size_t i;

    if (!strstr(why, "cannot open shared object file"))
        return;
    for (i = 0; i < sizeof packages / sizeof packages[0]; i++) {
        size_t len = strlen(packages[i].soname);

        if (strncmp(why, packages[i].soname, len) == 0) {
            kb_err_hint(err, "on Debian: apt install %s", packages[i].package);
            return;
        }
    }
    kb_err_hint(err, "install the library that it names; ldd shows them all");
}

/*
 * A file that was cut off, as by a copy that was interrupted, would end the
 * process with SIGBUS: the linker maps what the headers promise.  What isn't
 * ELF of our kind is left to it.
 */
static int check_whole(const char *path, const struct stat *st,
                       struct kbp_error *err)
{
    const uint64_t size = (uint64_t)st->st_size;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ElfW(Ehdr) head;
    ElfW(Phdr) part;
    bool whole = true;
    size_t i;

    if (fd < 0)
        return kb_fail_errno(err, errno, "%s", path);
    if (pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
        memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
        head.e_phentsize == sizeof part)
        for (i = 0; i < head.e_phnum && whole; i++) {
            const uint64_t at = i * sizeof part;

            whole = head.e_phoff <= size &&
                    pread(fd, &part, sizeof part, (off_t)(head.e_phoff + at)) ==
                        (ssize_t)sizeof part &&
                    (part.p_type != PT_LOAD ||
                     (part.p_offset <= size &&
                      part.p_filesz <= size - part.p_offset));
        }
    (void)close(fd);
    if (whole)
        return KBP_OK;
    return kb_fail(err, KBP_ERR_CONFIG,
                   "%s can't be loaded: it is cut off after %llu bytes; copy "
                   "it again",
                   path, (unsigned long long)size);
}

static int load_file(const char *path, const struct stat *st,
                     const struct kbp_module **module, struct kbp_error *err)
{
    const struct kbp_module *found;
    struct stat from;
    Dl_info where;
    void *handle;
    const char *why;

    if (check_whole(path, st, err))
        return err->status;
    (void)dlerror();
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        why = dlerror();
        why = why ? why : "no reason given";
        /* The text often begins with the path, which is said already. */
        if (strncmp(why, path, strlen(path)) == 0 &&
            strncmp(why + strlen(path), ": ", 2) == 0)
            why += strlen(path) + 2;
        (void)kb_fail(err, KBP_ERR_CONFIG, "%s can't be loaded: %s%s", path,
                      why,
                      strstr(why, "/libc.so: invalid ELF header")
                          ? " (it was built for musl)"
                          : "");
        hint_package(err, why);
        return err->status;
    }
    found = dlsym(handle, "kafka_backup_plugin");
    if (!found)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "%s is not a kafka-backup plugin: it has no symbol "
                       "kafka_backup_plugin",
                       path);
    /* dlsym() also finds what a library that it links has. */
    if (!dladdr(found, &where) || stat(where.dli_fname, &from) ||
        from.st_dev != st->st_dev || from.st_ino != st->st_ino)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "%s is not a kafka-backup plugin: its symbol "
                       "kafka_backup_plugin comes from %s",
                       path, where.dli_fname ? where.dli_fname : "elsewhere");
    *module = found;
    return KBP_OK;
}

static int check_abi(const char *path, const struct kbp_abi *abi,
                     struct kbp_error *err)
{
    if (abi->magic != KBP_ABI_MAGIC)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "%s is not a kafka-backup plugin: its magic is 0x%08x, "
                       "not 0x%08x",
                       path, (unsigned)abi->magic, KBP_ABI_MAGIC);
    if (abi->abi_major != KBP_ABI_MAJOR)
        return kb_fail(err, KBP_ERR_UNSUPPORTED,
                       "%s was built for plugin ABI %u, this program has %u",
                       path, abi->abi_major, KBP_ABI_MAJOR);
    if (abi->needs_minor > KBP_ABI_MINOR)
        return kb_fail(err, KBP_ERR_UNSUPPORTED,
                       "%s needs plugin ABI %u.%u, this program has %u.%u",
                       path, abi->abi_major, abi->needs_minor, KBP_ABI_MAJOR,
                       KBP_ABI_MINOR);
    if (abi->libc != KBP_LIBC_ANY && abi->libc != KBP_LIBC)
        return kb_fail(err, KBP_ERR_UNSUPPORTED,
                       "%s was built for %s, this program for %s", path,
                       abi->libc == KBP_LIBC_GLIBC ? "glibc" : "musl",
                       KBP_LIBC == KBP_LIBC_GLIBC ? "glibc" : "musl");
    if (abi->struct_size < KBP_SIZE_TO(struct kbp_module, codec) ||
        abi->struct_size > TABLE_BYTES_MAX)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "%s: its module says that it has %u bytes", path,
                       (unsigned)abi->struct_size);
    return KBP_OK;
}

/* As much of a table as both sides know; the rest of `to` is zero. */
static int copy_table(void *to, size_t to_size, const void *from, size_t least)
{
    uint32_t size;

    memcpy(&size, from, sizeof size);
    if (size < least || size > TABLE_BYTES_MAX)
        return 0;
    memset(to, 0, to_size);
    memcpy(to, from, size < to_size ? size : to_size);
    return 1;
}

static int option_name_ok(const char *name)
{
    return name && *name &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
               strlen(name);
}

static int check_options(const char *path, const struct kb_type *type,
                         struct kbp_error *err)
{
    const struct kbp_options *options = &type->options;
    struct kbp_option option;
    struct kbp_option other;
    uint32_t i;
    uint32_t j;

    if (options->count == 0)
        return KBP_OK;
    if (!options->items || options->count > OPTIONS_MAX ||
        options->item_size < KBP_SIZE_TO(struct kbp_option, export_env) ||
        options->item_size > TABLE_BYTES_MAX)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "%s: %s %s has an option table of %u items of %u bytes",
                       path, kb_kind_text(type->kind), type->name,
                       (unsigned)options->count, (unsigned)options->item_size);
    for (i = 0; i < options->count; i++) {
        kb_option_at(options, i, &option);
        if (!option_name_ok(option.name))
            return kb_fail(err, KBP_ERR_CONFIG,
                           "%s: %s %s has an option named \"%s\"; only a-z, "
                           "0-9 and _ are allowed",
                           path, kb_kind_text(type->kind), type->name,
                           option.name ? option.name : "");
        if (option.type == KBP_OPTION_CHOICE &&
            (!option.choices || !*option.choices))
            return kb_fail(err, KBP_ERR_CONFIG,
                           "%s: %s %s: option %s has no choices", path,
                           kb_kind_text(type->kind), type->name, option.name);
        for (j = 0; j < i; j++) {
            kb_option_at(options, j, &other);
            if (strcmp(option.name, other.name) == 0)
                return kb_fail(
                    err, KBP_ERR_CONFIG, "%s: %s %s has the option %s twice",
                    path, kb_kind_text(type->kind), type->name, option.name);
        }
    }
    return KBP_OK;
}

#define NEED(table, member) \
    if (!(table)->member) { \
        return #member;     \
    }

/* The name of a required function which is missing, or NULL. */
static const char *missing_function(const struct kb_type *type)
{
    const struct kbp_codec_type *codec = &type->table.codec;
    const struct kbp_storage_type *storage = &type->table.storage;
    const struct kbp_sasl_type *sasl = &type->table.sasl;

    switch (type->kind) {
    case KB_KIND_CODEC:
        NEED(codec, open)
        NEED(codec, close)
        NEED(codec, session_open)
        NEED(codec, session_close)
        NEED(codec, decompress)
        return NULL;
    case KB_KIND_STORAGE:
        NEED(storage, open)
        NEED(storage, close)
        NEED(storage, info)
        NEED(storage, session_open)
        NEED(storage, session_close)
        NEED(storage, upload_open)
        NEED(storage, upload_write)
        NEED(storage, upload_commit)
        NEED(storage, upload_close)
        NEED(storage, get)
        NEED(storage, stat)
        NEED(storage, list)
        NEED(storage, remove)
        return NULL;
    case KB_KIND_SASL:
        NEED(sasl, open)
        NEED(sasl, close)
        NEED(sasl, session_open)
        NEED(sasl, session_close)
        NEED(sasl, step)
        return NULL;
    }
    return NULL;
}

static int type_name_ok(const char *name)
{
    const char *at;

    if (!name || !*name || strlen(name) > 64)
        return 0;
    for (at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_' &&
            *at != '.')
            return 0;
    return 1;
}

static int check_type(const char *path, const struct kb_type *type,
                      struct kbp_error *err)
{
    const char *missing;

    if (!type_name_ok(type->name))
        return kb_fail(err, KBP_ERR_CONFIG, "%s: a %s has the name \"%s\"",
                       path, kb_kind_text(type->kind),
                       type->name ? type->name : "");
    if (type->flags & KBP_FLAGS_BINDING)
        return kb_fail(err, KBP_ERR_UNSUPPORTED,
                       "%s: %s %s asks for something that this program doesn't "
                       "know (flags 0x%08x)",
                       path, kb_kind_text(type->kind), type->name,
                       (unsigned)type->flags);
    missing = missing_function(type);
    if (missing)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "%s: %s %s lacks the required function %s", path,
                       kb_kind_text(type->kind), type->name, missing);
    return check_options(path, type, err);
}

static size_t list_count(const void *const *list)
{
    size_t count = 0;

    while (list && list[count] && count <= TYPES_MAX)
        count++;
    return count;
}

/* How large each kind's table was in 1.0, and is for us. */
static size_t least_size(enum kb_kind kind)
{
    switch (kind) {
    case KB_KIND_CODEC:
        return KBP_SIZE_TO(struct kbp_codec_type, decompress);
    case KB_KIND_STORAGE:
        return KBP_SIZE_TO(struct kbp_storage_type, sweep);
    case KB_KIND_SASL:
        return KBP_SIZE_TO(struct kbp_sasl_type, lifetime_ms);
    }
    return 0;
}

static size_t table_size(enum kb_kind kind)
{
    switch (kind) {
    case KB_KIND_CODEC:
        return sizeof(struct kbp_codec_type);
    case KB_KIND_STORAGE:
        return sizeof(struct kbp_storage_type);
    case KB_KIND_SASL:
        return sizeof(struct kbp_sasl_type);
    }
    return 0;
}

/* All kinds' tables begin alike, as far as `extensions`. */
static void fill_type(struct kb_type *type)
{
    const struct kbp_codec_type *head = &type->table.codec;

    _Static_assert(offsetof(struct kbp_codec_type, extensions) ==
                           offsetof(struct kbp_storage_type, extensions) &&
                       offsetof(struct kbp_codec_type, extensions) ==
                           offsetof(struct kbp_sasl_type, extensions),
                   "the kinds' tables begin alike");
    type->flags = head->flags;
    type->name = head->name;
    type->summary = head->summary ? head->summary : "";
    type->options = head->options;
    type->extensions = head->extensions;
}

static int add_types(struct kb_plugin *plugin, enum kb_kind kind,
                     const void *const *list, struct kbp_error *err)
{
    size_t i;

    for (i = 0; list && list[i]; i++) {
        struct kb_type *type = &plugin->types[plugin->type_count];
        int status;

        type->kind = kind;
        type->plugin = plugin;
        if (!copy_table(&type->table, table_size(kind), list[i],
                        least_size(kind)))
            return kb_fail(err, KBP_ERR_CONFIG,
                           "%s: the table of a %s is of a bad size",
                           plugin->path, kb_kind_text(kind));
        fill_type(type);
        status = check_type(plugin->path, type, err);
        if (status != KBP_OK)
            return status;
        plugin->type_count++;
    }
    return KBP_OK;
}

static int read_module(struct kb_plugin *plugin,
                       const struct kbp_module *module, struct kbp_error *err)
{
    const void *const *lists[KB_KIND_COUNT];
    size_t count = 0;
    size_t size = module->abi.struct_size;
    int kind;
    int status = KBP_OK;

    memcpy(&plugin->module, module,
           size < sizeof plugin->module ? size : sizeof plugin->module);
    if (!plugin->module.name || strcmp(plugin->module.name, plugin->stem) != 0)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "%s says that it is \"%s\"; the file must be named so",
                       plugin->path,
                       plugin->module.name ? plugin->module.name : "");
    if (!plugin->module.version || !plugin->module.vendor ||
        !plugin->module.license)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "%s: it doesn't say its version, vendor and license",
                       plugin->path);
    lists[KB_KIND_CODEC] = (const void *const *)plugin->module.codec;
    lists[KB_KIND_STORAGE] = (const void *const *)plugin->module.storage;
    lists[KB_KIND_SASL] = (const void *const *)plugin->module.sasl;
    for (kind = 0; kind < KB_KIND_COUNT; kind++)
        count += list_count(lists[kind]);
    if (count == 0 || count > TYPES_MAX)
        return kb_fail(err, KBP_ERR_CONFIG, "%s: it offers %s", plugin->path,
                       count ? "too many types"
                             : "nothing that this program knows");
    plugin->types = calloc(count, sizeof *plugin->types);
    if (!plugin->types)
        return kb_fail_nomem(err, "a plugin");
    for (kind = 0; kind < KB_KIND_COUNT && status == KBP_OK; kind++)
        status = add_types(plugin, (enum kb_kind)kind, lists[kind], err);
    return status;
}

/* "/a/codec_zstd.so" -> "codec_zstd" */
static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *stem = kb_strdup(slash ? slash + 1 : path);
    size_t len = stem ? strlen(stem) : 0;

    if (len > 3 && strcmp(stem + len - 3, ".so") == 0)
        stem[len - 3] = '\0';
    return stem;
}

int kb_plugin_load(const char *path, struct kb_plugin **plugin,
                   struct kbp_error *err)
{
    const struct kbp_module *module = NULL;
    struct kb_plugin *loaded = NULL;
    struct stat st;
    int status = kb_trust_file(path, &st, err);

    if (status == KBP_OK && st.st_size == 0)
        status = kb_fail(err, KBP_ERR_CONFIG, "%s is empty", path);
    if (status == KBP_OK)
        status = load_file(path, &st, &module, err);
    if (status == KBP_OK)
        status = check_abi(path, &module->abi, err);
    if (status != KBP_OK)
        return status;
    loaded = calloc(1, sizeof *loaded);
    if (loaded) {
        loaded->path = kb_strdup(path);
        loaded->stem = stem_of(path);
        loaded->dev = st.st_dev;
        loaded->ino = st.st_ino;
    }
    if (!loaded || !loaded->path || !loaded->stem)
        status = kb_fail_nomem(err, "a plugin");
    else
        status = read_module(loaded, module, err);
    if (status != KBP_OK) {
        kb_plugin_free(loaded);
        return status;
    }
    *plugin = loaded;
    return KBP_OK;
}

void kb_plugin_free(struct kb_plugin *plugin)
{
    if (!plugin)
        return;
    free(plugin->types);
    free(plugin->path);
    free(plugin->stem);
    free(plugin);
}

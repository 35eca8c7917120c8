/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_load.c - the file itself: what it exports, needs and asks of the
 * loader.  Read from its ELF headers; nothing of it runs but in "loads".
 */
#include "check/checks.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "plugin/registry.h"

#define LOAD_MS_MAX 100
#define SYMBOLS_MAX 1000000u

struct elf {
    const uint8_t *bytes;
    size_t size;
    const Elf64_Ehdr *header;
};

static const void *at(const struct elf *elf, uint64_t offset, uint64_t len)
{
    uint64_t end;

    if (__builtin_add_overflow(offset, len, &end) || end > elf->size)
        return NULL;
    return elf->bytes + offset;
}

static bool open_elf(struct kb_check_ctx *ctx, struct elf *elf)
{
    struct stat st;
    void *map = MAP_FAILED;
    int fd = open(ctx->path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        (void)close(fd);
    if (map == MAP_FAILED) {
        kb_check_fail(ctx, "%s: %s", ctx->path, strerror(errno));
        return false;
    }
    elf->bytes = map;
    elf->size = (size_t)st.st_size;
    elf->header = at(elf, 0, sizeof *elf->header);
    if (!elf->header || memcmp(elf->bytes, ELFMAG, SELFMAG) != 0) {
        kb_check_fail(ctx, "it is no shared object");
        return false;
    }
    if (elf->header->e_ident[EI_CLASS] != ELFCLASS64 ||
        elf->header->e_shentsize != sizeof(Elf64_Shdr) ||
        elf->header->e_phentsize != sizeof(Elf64_Phdr)) {
        kb_check_skip(ctx, "only 64-bit ELF files are read");
        return false;
    }
    return true;
}

static const Elf64_Shdr *section(const struct elf *elf, unsigned i)
{
    if (i >= elf->header->e_shnum)
        return NULL;
    return at(elf, elf->header->e_shoff + (uint64_t)i * sizeof(Elf64_Shdr),
              sizeof(Elf64_Shdr));
}

static const Elf64_Shdr *section_of(const struct elf *elf, uint32_t type)
{
    unsigned i;

    for (i = 0; i < elf->header->e_shnum; i++) {
        const Elf64_Shdr *s = section(elf, i);

        if (s && s->sh_type == type)
            return s;
    }
    return NULL;
}

/* A string of a string table; "" if it isn't one. */
static const char *text_at(const struct elf *elf, const Elf64_Shdr *table,
                           uint64_t offset)
{
    const char *bytes =
        table ? at(elf, table->sh_offset, table->sh_size) : NULL;

    if (!bytes || offset >= table->sh_size ||
        !memchr(bytes + offset, '\0', table->sh_size - offset))
        return "";
    return bytes + offset;
}

static void exports_one_symbol(struct kb_check_ctx *ctx)
{
    const Elf64_Shdr *table;
    const Elf64_Shdr *names;
    const Elf64_Sym *symbols;
    struct elf elf;
    uint64_t count;
    uint64_t i;
    unsigned found = 0;

    if (!open_elf(ctx, &elf))
        return;
    table = section_of(&elf, SHT_DYNSYM);
    symbols = table ? at(&elf, table->sh_offset, table->sh_size) : NULL;
    if (!symbols) {
        kb_check_fail(ctx, "it has no table of dynamic symbols");
        return;
    }
    names = section(&elf, table->sh_link);
    count = table->sh_size / sizeof *symbols;
    for (i = 1; i < count && i < SYMBOLS_MAX; i++) {
        const Elf64_Sym *symbol = &symbols[i];
        const char *name = text_at(&elf, names, symbol->st_name);
        unsigned char visibility = ELF64_ST_VISIBILITY(symbol->st_other);

        if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS ||
            ELF64_ST_BIND(symbol->st_info) == STB_LOCAL ||
            visibility == STV_HIDDEN || visibility == STV_INTERNAL)
            continue;
        if (strcmp(name, "kafka_backup_plugin") == 0)
            found++;
        else
            kb_check_fail(ctx,
                          "it exports %s, too; link it with the version script "
                          "plugin.map",
                          name);
    }
    if (found == 0)
        kb_check_fail(ctx, "it doesn't export kafka_backup_plugin");
}

/* Tell `fn` of each entry of the dynamic section. */
static void
each_dynamic(struct kb_check_ctx *ctx,
             void (*fn)(struct kb_check_ctx *ctx, const struct elf *elf,
                        const Elf64_Shdr *names, const Elf64_Dyn *entry))
{
    const Elf64_Shdr *table;
    const Elf64_Dyn *entries;
    struct elf elf;
    uint64_t i;

    if (!open_elf(ctx, &elf))
        return;
    table = section_of(&elf, SHT_DYNAMIC);
    entries = table ? at(&elf, table->sh_offset, table->sh_size) : NULL;
    for (i = 0; entries && i < table->sh_size / sizeof *entries; i++) {
        if (entries[i].d_tag == DT_NULL)
            break;
        fn(ctx, &elf, section(&elf, table->sh_link), &entries[i]);
    }
}

static void fail_runpath(struct kb_check_ctx *ctx, const struct elf *elf,
                         const Elf64_Shdr *names, const Elf64_Dyn *entry)
{
    if (entry->d_tag == DT_RUNPATH || entry->d_tag == DT_RPATH)
        kb_check_fail(ctx, "it has a RUNPATH: %s",
                      text_at(elf, names, entry->d_un.d_val));
}

static void no_runpath(struct kb_check_ctx *ctx)
{
    each_dynamic(ctx, fail_runpath);
}

static void fail_textrel(struct kb_check_ctx *ctx, const struct elf *elf,
                         const Elf64_Shdr *names, const Elf64_Dyn *entry)
{
    (void)elf;
    (void)names;
    if (entry->d_tag == DT_TEXTREL ||
        (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
        kb_check_fail(ctx, "it has text relocations; build it with -fPIC");
}

static void no_text_relocations(struct kb_check_ctx *ctx)
{
    each_dynamic(ctx, fail_textrel);
}

static void no_exec_stack(struct kb_check_ctx *ctx)
{
    struct elf elf;
    unsigned i;

    if (!open_elf(ctx, &elf))
        return;
    for (i = 0; i < elf.header->e_phnum; i++) {
        const Elf64_Phdr *p =
            at(&elf, elf.header->e_phoff + (uint64_t)i * sizeof *p, sizeof *p);

        if (p && p->p_type == PT_GNU_STACK) {
            if (p->p_flags & PF_X)
                kb_check_fail(ctx,
                              "it asks for an executable stack; link it with "
                              "-Wl,-z,noexecstack");
            return;
        }
    }
    kb_check_fail(ctx, "it doesn't say that its stack isn't executable");
}

/* "GLIBC_2.34" -> 2034 */
static unsigned glibc_number(const char *name)
{
    unsigned number[2] = {0, 0};
    const char *c;
    unsigned i = 0;

    if (strncmp(name, "GLIBC_", 6) != 0)
        return 0;
    for (c = name + 6; *c && i < 2; c++) {
        if (*c == '.')
            i++;
        else if (*c >= '0' && *c <= '9' && number[i] < 1000)
            number[i] = number[i] * 10 + (unsigned)(*c - '0');
    }
    return number[0] * 1000 + number[1];
}

static void says_its_glibc(struct kb_check_ctx *ctx)
{
    const Elf64_Shdr *table;
    const Elf64_Shdr *names;
    const char *newest = NULL;
    struct elf elf;
    uint64_t offset = 0;
    unsigned i;

    if (!open_elf(ctx, &elf))
        return;
    table = section_of(&elf, SHT_GNU_verneed);
    names = table ? section(&elf, table->sh_link) : NULL;
    for (i = 0; table && i < 1000; i++) {
        const Elf64_Verneed *need =
            at(&elf, table->sh_offset + offset, sizeof *need);
        uint64_t aux_offset = offset + (need ? need->vn_aux : 0);
        unsigned k;

        for (k = 0; need && k < need->vn_cnt; k++) {
            const Elf64_Vernaux *aux =
                at(&elf, table->sh_offset + aux_offset, sizeof *aux);
            const char *name = aux ? text_at(&elf, names, aux->vna_name) : "";

            if (!newest || glibc_number(name) > glibc_number(newest))
                newest = glibc_number(name) ? name : newest;
            if (!aux || !aux->vna_next)
                break;
            aux_offset += aux->vna_next;
        }
        if (!need || !need->vn_next)
            break;
        offset += need->vn_next;
    }
    if (newest)
        kb_check_note(ctx, "it needs %s or newer", newest);
}

static void loads(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_plugin *plugin;
    int64_t begin = kb_now_ms();

    if (kb_plugin_load(ctx->path, &plugin, &err) != KBP_OK) {
        kb_check_fail(ctx, "%s%s%s", err.message, *err.hint ? "; " : "",
                      err.hint);
        return;
    }
    if (kb_now_ms() - begin > LOAD_MS_MAX)
        kb_check_warn(ctx, "loading it took %lld ms",
                      (long long)(kb_now_ms() - begin));
    kb_plugin_free(plugin);
}

/* Each type must be found by its name, among all files in the directory. */
static void found_by_name(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_registry registry = {0};
    struct kb_plugin *plugin;
    const struct kb_type *type;
    const char *dirs[1];
    char *dir;
    size_t i;

    if (kb_plugin_load(ctx->path, &plugin, &err) != KBP_OK) {
        kb_check_skip(ctx, "it can't be loaded");
        return;
    }
    dir = kb_strdup(ctx->path);
    if (!dir)
        return;
    *strrchr(dir, '/') = '\0';
    dirs[0] = *dir ? dir : "/";
    if (kb_registry_init(&registry, dirs, 1, &err) != KBP_OK)
        kb_check_fail(ctx, "%s", err.message);
    for (i = 0; registry.dirs && i < plugin->type_count; i++) {
        if (kb_registry_find(&registry, plugin->types[i].kind,
                             plugin->types[i].name, &type, &err) != KBP_OK)
            kb_check_fail(ctx, "%s", err.message);
        else if (strcmp(type->plugin->path, ctx->path) != 0)
            kb_check_warn(ctx, "%s %s is found in %s first",
                          kb_kind_text(plugin->types[i].kind),
                          plugin->types[i].name, type->plugin->path);
    }
    kb_registry_release(&registry);
    kb_plugin_free(plugin);
    free(dir);
}

static const struct kb_check checks[] = {
    {"exports-one-symbol", "It exports kafka_backup_plugin and nothing else.",
     exports_one_symbol},
    {"no-runpath", "It finds no libraries in places of its own.", no_runpath},
    {"no-text-relocations", "Its code stays as it is in the file.",
     no_text_relocations},
    {"no-exec-stack", "It asks for no executable stack.", no_exec_stack},
    {"says-its-glibc", "Which glibc it needs.", says_its_glibc},
    {"loads", "It can be loaded, quickly, and its tables are well-formed.",
     loads},
    {"found-by-name", "Each type's name leads to this file.", found_by_name},
};

KB_CHECK_GROUP(kb_check_load, "load", checks);

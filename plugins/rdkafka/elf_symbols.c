/* SPDX-License-Identifier: Apache-2.0 */
/* elf_symbols.c - look names up in the symbol table of a loaded ELF file. */
#include "elf_symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image {
    ElfW(Addr) inside;
    ElfW(Addr) bias;
    bool found;
};

static int look_at_image(struct dl_phdr_info *info, size_t size, void *data)
{
    struct image *image = data;
    int i;

    (void)size;
    for (i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        ElfW(Addr) start = info->dlpi_addr + p->p_vaddr;

        if (p->p_type == PT_LOAD && image->inside >= start &&
            image->inside - start < p->p_memsz) {
            image->bias = info->dlpi_addr;
            image->found = true;
            return 1;
        }
    }
    return 0;
}

/* Whether [at, at + len) is in a file of `size` bytes. */
static bool fits(size_t size, uint64_t at, uint64_t len)
{
    return at <= size && len <= size - at;
}

struct table {
    const ElfW(Sym) * symbols;
    size_t count;
    const char *names;
    size_t names_len;
};

static bool find_table(const char *file, size_t size, struct table *table)
{
    const ElfW(Ehdr) *head = (const void *)file;
    const ElfW(Shdr) * sections;
    int i;

    if (size < sizeof *head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_shentsize != sizeof *sections ||
        !fits(size, head->e_shoff, (uint64_t)head->e_shnum * sizeof *sections))
        return false;
    sections = (const void *)(file + head->e_shoff);
    for (i = 0; i < head->e_shnum; i++) {
        const ElfW(Shdr) *s = &sections[i];
        const ElfW(Shdr) * strings;

        if (s->sh_type != SHT_SYMTAB || s->sh_link >= head->e_shnum)
            continue;
        strings = &sections[s->sh_link];
        if (!fits(size, s->sh_offset, s->sh_size) ||
            !fits(size, strings->sh_offset, strings->sh_size) ||
            strings->sh_size == 0 ||
            file[strings->sh_offset + strings->sh_size - 1] != '\0')
            return false;
        table->symbols = (const void *)(file + s->sh_offset);
        table->count = s->sh_size / sizeof *table->symbols;
        table->names = file + strings->sh_offset;
        table->names_len = strings->sh_size;
        return true;
    }
    return false;
}

static void *address_of(ElfW(Addr) at)
{
    void *address;

    memcpy(&address, &at, sizeof address);
    return address;
}

static void look_up(const struct table *table, ElfW(Addr) bias,
                    const char *const *names, size_t count, void **addresses)
{
    size_t i;
    size_t k;

    for (i = 0; i < table->count; i++) {
        const ElfW(Sym) *s = &table->symbols[i];

        /* ELF32_ST_TYPE and ELF64_ST_TYPE are the same. */
        if (s->st_value == 0 || ELF64_ST_TYPE(s->st_info) != STT_FUNC ||
            s->st_name >= table->names_len)
            continue;
        for (k = 0; k < count; k++)
            if (strcmp(table->names + s->st_name, names[k]) == 0)
                addresses[k] = address_of(bias + s->st_value);
    }
}

bool kb_elf_find(const char *path, const void *inside, const char *const *names,
                 size_t count, void **addresses)
{
    struct image image = {(ElfW(Addr))inside, 0, false};
    struct table table;
    struct stat st;
    char *file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = false;

    memset(addresses, 0, count * sizeof *addresses);
    if (fd < 0)
        return false;
    (void)dl_iterate_phdr(look_at_image, &image);
    if (image.found && fstat(fd, &st) == 0 && st.st_size > 0) {
        file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file != MAP_FAILED) {
            ok = find_table(file, (size_t)st.st_size, &table);
            if (ok)
                look_up(&table, image.bias, names, count, addresses);
            (void)munmap(file, (size_t)st.st_size);
        }
    }
    (void)close(fd);
    return ok;
}

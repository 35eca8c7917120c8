/* SPDX-License-Identifier: Apache-2.0 */
/* elf_symbols.h - look names up in the symbol table of a loaded ELF file. */
#ifndef KB_RDKAFKA_ELF_SYMBOLS_H
#define KB_RDKAFKA_ELF_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Set `addresses[i]` to where the function `names[i]` of the file at `path` is
 * in this process, NULL where there is none; `inside` is any address in its
 * loaded image.  False if the file has no symbol table (it was stripped) or
 * can't be read.
 */
bool kb_elf_find(const char *path, const void *inside, const char *const *names,
                 size_t count, void **addresses);

#endif

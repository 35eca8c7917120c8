/* SPDX-License-Identifier: Apache-2.0 */
/* type.c - a type that a loaded plugin offers, whatever its kind. */
#include "plugin/type.h"

#include <string.h>
#include <strings.h>

const char *kb_kind_word(enum kb_kind kind)
{
    static const char *const words[] = {"codec", "storage", "sasl"};

    return words[kind];
}

const char *kb_kind_text(enum kb_kind kind)
{
    static const char *const words[] = {"codec", "storage backend",
                                        "SASL mechanism"};

    return words[kind];
}

static int is_among(const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (strcasecmp(*names, name) == 0)
            return 1;
    return 0;
}

int kb_type_is(const struct kb_type *type, const char *name)
{
    if (strcasecmp(type->name, name) == 0)
        return 1;
    if (type->kind == KB_KIND_SASL)
        return is_among(type->table.sasl.aliases, name);
    if (type->kind == KB_KIND_STORAGE)
        return is_among(type->table.storage.schemes, name);
    return 0;
}

void kb_option_at(const struct kbp_options *options, uint32_t i,
                  struct kbp_option *option)
{
    const char *at = (const char *)(const void *)options->items +
                     (size_t)i * options->item_size;
    size_t size = options->item_size < sizeof *option ? options->item_size
                                                      : sizeof *option;

    memset(option, 0, sizeof *option);
    memcpy(option, at, size);
    if (option->type > KBP_OPTION_CHOICE)
        option->type = KBP_OPTION_STRING;
    if (!option->help)
        option->help = "";
}

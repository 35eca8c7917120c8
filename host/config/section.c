/* SPDX-License-Identifier: Apache-2.0 */
/* section.c - the defaults of a section, and its end. */
#include <stdlib.h>
#include <string.h>

#include "config/value.h"

static void *member(const struct kb_key *key, void *base)
{
    return (char *)base + key->at;
}

int kb_section_defaults(const struct kb_section *section, void *base,
                        struct kbp_error *err)
{
    char why[256];
    size_t i;
    int status;

    for (i = 0; i < section->count; i++) {
        const struct kb_key *key = &section->keys[i];
        void *at = member(key, base);

        if (key->unused)
            continue;
        if (key->type == KB_KEY_SECTION) {
            status = kb_section_defaults(key->section, at, err);
            if (status)
                return status;
        } else if (key->type == KB_KEY_CUSTOM || key->type == KB_KEY_STRINGS) {
            continue; /* all zero is their default */
        } else if (key->default_text) {
            if (!kb_value_set(key, key->default_text, at, why))
                return kb_fail(err, KBP_ERR_INTERNAL, "default of %s: %s",
                               key->name, why);
        } else if (key->type == KB_KEY_INT || key->type == KB_KEY_MS ||
                   key->type == KB_KEY_SECS || key->type == KB_KEY_TIME) {
            *(int64_t *)at = KB_UNSET;
        }
    }
    return KBP_OK;
}

static void release_pairs(struct kb_pairs *pairs)
{
    size_t i;

    for (i = 0; i < pairs->count; i++) {
        free(pairs->items[i].key);
        kb_free_secret_text(pairs->items[i].value);
    }
    free(pairs->items);
}

static void release_settings(struct kb_raw_settings *settings)
{
    size_t i;

    for (i = 0; i < settings->count; i++) {
        free(settings->items[i].name);
        kb_secret_release(&settings->items[i].value);
    }
    free(settings->items);
    settings->items = NULL;
    settings->count = 0;
}

static void release_strings(struct kb_strings *strings)
{
    size_t i;

    for (i = 0; i < strings->count; i++)
        kb_free_secret_text(strings->items[i]);
    free(strings->items);
}

void kb_section_release(const struct kb_section *section, void *base)
{
    size_t i;

    for (i = 0; i < section->count; i++) {
        const struct kb_key *key = &section->keys[i];
        void *at = member(key, base);

        if (key->unused)
            continue;
        switch (key->type) {
        case KB_KEY_STRING:
        case KB_KEY_PATH:
            kb_free_secret_text(*(char **)at);
            break;
        case KB_KEY_SECRET:
            kb_secret_release(at);
            break;
        case KB_KEY_STRINGS:
            release_strings(at);
            break;
        case KB_KEY_INTS:
            free(((struct kb_integers *)at)->items);
            break;
        case KB_KEY_PAIRS:
            release_pairs(at);
            break;
        case KB_KEY_SETTING:
        case KB_KEY_RAW:
            release_settings(at);
            break;
        case KB_KEY_SECTION:
            kb_section_release(key->section, at);
            break;
        case KB_KEY_CUSTOM:
            key->drop(at);
            break;
        default:
            break;
        }
    }
    /* Settings without a key of their own. */
    if (section->raw_prefix)
        release_settings(
            (struct kb_raw_settings *)(void *)((char *)base + section->raw_at));
}

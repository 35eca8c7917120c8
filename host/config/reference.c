/* SPDX-License-Identifier: Apache-2.0 */
/* reference.c - print docs/CONFIG.md from the tables. */
#include <string.h>

#include "base/buf.h"
#include "config/key.h"

static const char intro[] =
    "# Configuration\n"
    "\n"
    "One YAML file for a backup or a restore, named by `-c`. This page is "
    "printed from the program's own tables\n"
    "(`kafka-backup config-reference`). The keys are those of OSO "
    "kafka-backup, so its files can be brought along; what\n"
    "differs says so.\n"
    "\n"
    "    mode: backup\n"
    "    backup_id: nightly\n"
    "    source:\n"
    "      bootstrap_servers: [\"kafka-1:9092\", \"kafka-2:9092\"]\n"
    "      topics: {include: [\"orders\", \"payments-*\"]}\n"
    "    storage:\n"
    "      backend: filesystem\n"
    "      path: /var/backups/kafka\n"
    "\n"
    "Rules for all keys:\n"
    "\n"
    "- An unknown key is an error, named with its line and the key that was "
    "probably meant. So is a key that is there\n"
    "  twice, a value of the wrong type, and one out of range. All errors of "
    "a file are reported at once.\n"
    "- A key of the reference that does nothing here is accepted with a "
    "warning that says why.\n"
    "- Sizes take units: `1048576`, `16MiB`, `1.5GiB`, `10MB` (1 MB is "
    "1,000,000). Times too: `500ms`, `30s`, `15m`, `12h`,\n"
    "  `7d`; a bare number is in the unit that the table gives.\n"
    "- `${NAME}` in a value is replaced by the environment variable, "
    "`${NAME:-default}` by the default where it is unset or\n"
    "  empty; an unset one without default is an error. `$${` stands for "
    "`${`. This happens after the file is parsed, so a\n"
    "  variable's text is always a value, whatever is in it; inside `[ ]` and "
    "`{ }` YAML wants quotes around it. Keys aren't\n"
    "  expanded.\n"
    "- `null`, `~` and nothing at all mean the default.\n"
    "\n";

static const char *type_text(const struct kb_key *key)
{
    switch (key->type) {
    case KB_KEY_STRING:
        return "text";
    case KB_KEY_PATH:
        return "path";
    case KB_KEY_SECRET:
        return "secret";
    case KB_KEY_BOOL:
        return "true\\|false";
    case KB_KEY_INT:
    case KB_KEY_COUNT:
        return "number";
    case KB_KEY_PORT:
        return "port";
    case KB_KEY_BYTES:
        return "size";
    case KB_KEY_MS:
        return "time (ms)";
    case KB_KEY_SECS:
        return "time (s)";
    case KB_KEY_TIME:
        return "point in time";
    case KB_KEY_STRINGS:
        return "[text]";
    case KB_KEY_INTS:
        return "[number]";
    case KB_KEY_PAIRS:
        return "{text: text}";
    case KB_KEY_SETTING:
        return key->flags & KB_KEY_HIDDEN ? "secret" : "text";
    default:
        return "";
    }
}

/* "a|b" with the bars escaped for the table. */
static void add_escaped(struct kb_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            kb_buf_add_str(out, "\\");
        kb_buf_add(out, text, 1);
    }
}

static void add_type(struct kb_buf *out, const struct kb_key *key)
{
    kb_buf_add_str(out, "`");
    if (key->form)
        kb_buf_add_str(out, key->form);
    else if (key->choices)
        add_escaped(out, key->choices);
    else
        kb_buf_add_str(out, type_text(key));
    kb_buf_add_str(out, "`");
}

static void add_range(struct kb_buf *out, const struct kb_key *key)
{
    if (key->type != KB_KEY_INT || (key->min == 0 && key->max == 0))
        return;
    kb_buf_printf(out, " (%lld to %lld)", (long long)key->min,
                  (long long)key->max);
}

static void add_section(struct kb_buf *out, const struct kb_section *section,
                        const char *path)
{
    bool any_unused = false;
    size_t i;

    if (*path)
        kb_buf_printf(out, "## `%s`\n\n%s\n\n", path, section->help);
    else
        kb_buf_printf(out, "## %s\n\n", section->help);
    kb_buf_add_str(out, "| key | value | default | |\n|---|---|---|---|\n");
    for (i = 0; i < section->count; i++) {
        const struct kb_key *key = &section->keys[i];

        if (key->unused) {
            any_unused = true;
            continue;
        }
        if (key->type == KB_KEY_SECTION) {
            kb_buf_printf(out, "| `%s` | | %s | see below |\n", key->name,
                          key->flags & KB_KEY_REQUIRED ? "required" : "");
            continue;
        }
        kb_buf_printf(out, "| `%s` | ", key->name);
        add_type(out, key);
        add_range(out, key);
        if (key->flags & KB_KEY_REQUIRED)
            kb_buf_add_str(out, " | required | ");
        else if (key->default_text && *key->default_text)
            kb_buf_printf(out, " | `%s` | ", key->default_text);
        else
            kb_buf_add_str(out, " | | ");
        add_escaped(out, key->help);
        kb_buf_add_str(out, " |\n");
    }
    kb_buf_add_str(out, "\n");
    if (!any_unused)
        return;
    kb_buf_add_str(out, "Keys of the reference without a meaning here:\n\n");
    for (i = 0; i < section->count; i++) {
        const struct kb_key *key = &section->keys[i];

        if (key->unused)
            kb_buf_printf(out, "- `%s`%s: %s.\n", key->name,
                          key->flags & KB_KEY_BINDING ? " (refused)" : "",
                          key->unused);
    }
    kb_buf_add_str(out, "\n");
}

/* A section, and then those inside it. */
static void add_tree(struct kb_buf *out, const struct kb_section *section,
                     const char *path)
{
    char inner[128];
    size_t i;

    add_section(out, section, path);
    for (i = 0; i < section->count; i++) {
        const struct kb_key *key = &section->keys[i];

        if (key->type != KB_KEY_SECTION || key->unused)
            continue;
        /* What is the same as under `source` is printed once. */
        if (strcmp(path, "target") == 0 && strcmp(key->name, "topics") != 0) {
            kb_buf_printf(out,
                          "## `target.%s`\n\nThe same keys as "
                          "`source.%s`.\n\n",
                          key->name, key->name);
            continue;
        }
        snprintf(inner, sizeof inner, "%s%s%s", path, *path ? "." : "",
                 key->name);
        add_tree(out, key->section, inner);
    }
}

void kb_config_reference(struct kb_buf *out)
{
    kb_buf_add_str(out, intro);
    add_tree(out, &kb_config_section, "");
    /* No empty line at the end of the file. */
    if (out->len && !out->failed)
        out->len--;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_plugin.c - `plugin list`, `plugin describe`. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/plugin_json.h"
#include "cli/program.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* All files, as kb_plugin_json() says, with "directory" and "shadowed". */
static json_t *all_files(struct kb_program *program, struct kbp_error *err)
{
    struct kb_plugin_file *files;
    json_t *out;
    size_t count;
    size_t i;

    if (kb_registry_files(&program->registry, &files, &count, err))
        return NULL;
    out = json_array();
    for (i = 0; i < count; i++) {
        json_t *one = kb_plugin_json(files[i].path);

        (void)json_object_set_new(one, "shadowed",
                                  json_boolean(files[i].shadowed));
        (void)json_array_append_new(out, one);
    }
    kb_plugin_files_free(files, count);
    return out;
}

static void print_file(const json_t *file, bool verbose)
{
    const json_t *types = json_object_get(file, "types");
    const json_t *type;
    size_t i;

    json_array_foreach(types, i, type)
    {
        kb_out("%-8s %-23s %-24s %s", text_of(type, "kind"),
               text_of(type, "name"), text_of(file, "file"),
               text_of(type, "summary"));
    }
    if (json_object_get(file, "error"))
        kb_out("%-8s %-23s %-24s can't be used: %s%s%s", "-", "-",
               text_of(file, "file"), text_of(file, "error"),
               json_object_get(file, "hint") ? "; " : "",
               text_of(file, "hint"));
    if (verbose)
        kb_out("         %s  version %s, ABI %s, %s, %s%s",
               text_of(file, "path"), text_of(file, "version"),
               text_of(file, "abi"), text_of(file, "vendor"),
               text_of(file, "license"),
               json_is_true(json_object_get(file, "shadowed"))
                   ? "; not used: a directory before it has the same file"
                   : "");
}

static int run_list(struct kb_program *program)
{
    struct kbp_error err = KB_ERR_INIT;
    enum kb_output format = kb_output_format(&program->args);
    bool verbose = kb_args_times(&program->args, "verbose") > 0;
    json_t *files = all_files(program, &err);
    json_t *file;
    size_t i;

    if (!files)
        return kb_program_fail("plugin list", &err);
    if (format != KB_OUTPUT_TEXT) {
        kb_output_json(format, files);
        json_decref(files);
        return KB_EXIT_OK;
    }
    if (verbose)
        for (i = 0; i < program->registry.dir_count; i++)
            kb_out("directory %s", program->registry.dirs[i]);
    if (json_array_size(files))
        kb_out("%-8s %-23s %s", "KIND", "NAME", "FILE");
    else
        kb_out("No plugins in %s%s",
               program->registry.dir_count ? program->registry.dirs[0] : "-",
               program->registry.dir_count > 1 ? " and the others" : "");
    json_array_foreach(files, i, file)
    {
        if (verbose || !json_is_true(json_object_get(file, "shadowed")))
            print_file(file, verbose);
    }
    json_decref(files);
    return KB_EXIT_OK;
}

static void print_option(const json_t *option)
{
    const json_t *choices = json_object_get(option, "choices");
    const json_t *fallback = json_object_get(option, "default");
    struct kb_buf line = KB_BUF_INIT;

    kb_buf_printf(&line, "  %s  (%s", text_of(option, "name"),
                  choices ? json_string_value(choices)
                          : text_of(option, "type"));
    if (json_object_get(option, "required"))
        kb_buf_add_str(&line, ", required");
    if (fallback)
        kb_buf_printf(&line, ", default %s", json_string_value(fallback));
    if (json_object_get(option, "secret"))
        kb_buf_add_str(&line, ", secret");
    if (json_object_get(option, "advanced"))
        kb_buf_add_str(&line, ", advanced");
    kb_buf_add_str(&line, ")");
    if (!line.failed)
        kb_out("%.*s", (int)line.len, (const char *)line.data);
    kb_buf_release(&line);
    kb_out("      %s", text_of(option, "help"));
    if (json_object_get(option, "kafka_property"))
        kb_out("      Kafka's clients call it %s",
               text_of(option, "kafka_property"));
    if (json_object_get(option, "environment"))
        kb_out("      sets the environment variable %s",
               text_of(option, "environment"));
}

static void print_type(const json_t *file, const json_t *type)
{
    const json_t *options = json_object_get(type, "options");
    const json_t *option;
    size_t i;

    kb_out("%s %s: %s", text_of(type, "kind"), text_of(type, "name"),
           text_of(type, "summary"));
    kb_out("from %s, version %s, %s, %s", text_of(file, "path"),
           text_of(file, "version"), text_of(file, "vendor"),
           text_of(file, "license"));
    kb_out(json_array_size(options) ? "\nOptions:" : "\nIt has no options.");
    json_array_foreach(options, i, option)
    {
        print_option(option);
    }
}

/* Whether `file` is a file that can't be used and should offer `name`. */
static bool is_unusable(const json_t *file, const char *name)
{
    static const char *const kinds[] = {"", "codec_", "storage_", "sasl_"};
    const char *stem = text_of(file, "file");
    size_t len = strlen(name);
    size_t i;

    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t kind = strlen(kinds[i]);

        if (strncmp(stem, kinds[i], kind) == 0 &&
            strncasecmp(stem + kind, name, len) == 0 &&
            (!stem[kind + len] || strcmp(stem + kind + len, ".so") == 0))
            return json_object_get(file, "error") != NULL;
    }
    return false;
}

/* "SCRAM-SHA-256" by name, "sasl_scram" by file. */
static bool is_named(const json_t *file, const json_t *type, const char *name)
{
    size_t len = strlen(name);
    const char *stem = text_of(file, "file");

    return strcasecmp(text_of(type, "name"), name) == 0 ||
           (strncmp(stem, name, len) == 0 &&
            (!stem[len] || strcmp(stem + len, ".so") == 0));
}

static int not_found(const json_t *files, const char *name)
{
    const char *names[256];
    const json_t *file;
    const json_t *type;
    const char *meant;
    size_t count = 0;
    size_t i;
    size_t j;

    json_array_foreach(files, i, file)
    {
        const json_t *types = json_object_get(file, "types");

        /* A file that can't be used is what was asked for, maybe. */
        if (is_unusable(file, name)) {
            kb_error("%s can't be used: %s%s%s", text_of(file, "path"),
                     text_of(file, "error"),
                     json_object_get(file, "hint") ? "; " : "",
                     text_of(file, "hint"));
            return KB_EXIT_FAILED;
        }
        json_array_foreach(types, j, type)
        {
            if (count < 256)
                names[count++] = text_of(type, "name");
        }
    }
    meant = kb_did_you_mean(name, names, count);
    kb_error("no plugin offers \"%s\"%s%s%s (`kafka-backup plugin list` shows "
             "what there is)",
             name, meant ? "; did you mean " : "", meant ? meant : "",
             meant ? "?" : "");
    return KB_EXIT_FAILED;
}

static int run_describe(struct kb_program *program)
{
    struct kbp_error err = KB_ERR_INIT;
    enum kb_output format = kb_output_format(&program->args);
    json_t *files = all_files(program, &err);
    json_t *found = json_array();
    json_t *file;
    json_t *type;
    int code = KB_EXIT_OK;
    size_t i;
    size_t j;

    if (!files)
        return kb_program_fail("plugin describe", &err);
    json_array_foreach(files, i, file)
    {
        if (json_is_true(json_object_get(file, "shadowed")))
            continue;
        json_array_foreach(json_object_get(file, "types"), j, type)
        {
            if (!is_named(file, type, program->args.operand))
                continue;
            if (format == KB_OUTPUT_TEXT) {
                if (json_array_size(found))
                    kb_out("%s", "");
                print_type(file, type);
            }
            (void)json_object_set(type, "file", json_object_get(file, "path"));
            (void)json_object_set(type, "version",
                                  json_object_get(file, "version"));
            (void)json_array_append(found, type);
        }
    }
    if (!json_array_size(found))
        code = not_found(files, program->args.operand);
    else if (format != KB_OUTPUT_TEXT)
        kb_output_json(format, found);
    json_decref(found);
    json_decref(files);
    return code;
}

static const struct kb_flag flags[] = {KB_FLAG_FORMAT("text|json|yaml")};

static const struct kb_example list_examples[] = {
    {"kafka-backup plugin list", "what can be used"},
    {"kafka-backup plugin list -v",
     "also which directories are searched, and which files are shadowed"},
};

const struct kb_command kb_cmd_plugin_list = {
    .name = "plugin list",
    .summary = "which codecs, stores and SASL mechanisms there are",
    .details = "Lists the plugins in the plugin directories with what they "
               "offer, and those that can't be used with the reason: a missing "
               "library, another ABI, a file that somebody else could have "
               "written. With -v also paths, versions and shadowed files.",
    KB_FLAGS(flags),
    KB_EXAMPLES(list_examples),
    .run = run_list};

static const struct kb_example describe_examples[] = {
    {"kafka-backup plugin describe filesystem", "the options under storage:"},
    {"kafka-backup plugin describe SCRAM-SHA-512 -f json",
     "for a program to read"},
};

const struct kb_command kb_cmd_plugin_describe = {
    .name = "plugin describe",
    .operand = "NAME",
    .summary = "what a plugin is and which options it takes",
    .details = "Describes what goes by NAME - a codec, a storage backend, a "
               "SASL mechanism, or a plugin file without its .so - with all "
               "options: their type, default, and the property of Kafka's own "
               "clients that means the same.",
    KB_FLAGS(flags),
    KB_EXAMPLES(describe_examples),
    .run = run_describe};

/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - from a file to checked settings. */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "config/reader.h"

#define FILE_MAX ((size_t)8 << 20)

const char *kb_setting_value(const struct kb_raw_settings *settings,
                             const char *name)
{
    size_t i;

    for (i = settings->count; i > 0; i--)
        if (strcmp(settings->items[i - 1].name, name) == 0)
            return settings->items[i - 1].value.text;
    return NULL;
}

void kb_config_release(struct kb_config *config)
{
    kb_section_release(&kb_config_section, config);
    free(config->file);
    memset(config, 0, sizeof *config);
}

void kb_notes_release(struct kb_notes *notes)
{
    size_t i;

    for (i = 0; i < notes->count; i++)
        free(notes->items[i].text);
    free(notes->items);
    memset(notes, 0, sizeof *notes);
}

/* The defaults which aren't in the tables, for they aren't all zero either. */
static int set_defaults(struct kb_config *config, struct kbp_error *err)
{
    int status = kb_section_defaults(&kb_config_section, config, err);

    config->source.security.ssl_verify_host = true;
    config->target.security.ssl_verify_host = true;
    config->metrics.enabled = false; /* until the section is there */
    return status;
}

int kb_config_defaults(struct kb_config *config, struct kbp_error *err)
{
    struct kb_config fresh = {0};
    int status = set_defaults(&fresh, err);

    if (status) {
        kb_config_release(&fresh);
        return status;
    }
    *config = fresh;
    return KBP_OK;
}

static void syntax_error(const yaml_parser_t *parser, struct kb_notes *notes)
{
    const char *hint = "";

    /* In [a, b] a brace ends the text before it. */
    if (parser->context && strstr(parser->context, "flow"))
        hint = "; a ${VARIABLE} inside [ ] or { } needs quotes around it";
    kb_note(notes, true, (unsigned)parser->problem_mark.line + 1,
            "not valid YAML: %s%s%s (column %u)%s",
            parser->context ? parser->context : "", parser->context ? ", " : "",
            parser->problem ? parser->problem : "unreadable",
            (unsigned)parser->problem_mark.column + 1, hint);
}

/* What was asked for in so many words, and isn't only the default. */
static void note_backup(struct kb_reader *reader, const yaml_node_t *key,
                        const yaml_node_t *value, void *data)
{
    struct kb_config *config = data;

    (void)reader;
    if (strcmp(kb_node_raw(key), "consumer_group_snapshot") == 0)
        config->backup.consumer_groups_asked = !kb_node_is_null(value);
}

/* What tells that a section is there, even an empty one. */
static void note_section(struct kb_reader *reader, const yaml_node_t *key,
                         const yaml_node_t *value, void *data)
{
    struct kb_config *config = data;
    const char *name = kb_node_raw(key);
    bool is_null = kb_node_is_null(value);

    if (strcmp(name, "source") == 0)
        config->source.present = !is_null;
    else if (strcmp(name, "target") == 0)
        config->target.present = !is_null;
    else if (strcmp(name, "storage") == 0)
        config->storage.line = kb_node_line(key);
    else if (strcmp(name, "metrics") == 0)
        config->metrics.enabled = true;
    else if (strcmp(name, "backup") == 0 && value->type == YAML_MAPPING_NODE)
        kb_each_pair(reader, value, note_backup, config);
}

static void read_document(yaml_document_t *document, struct kb_config *config,
                          struct kb_notes *notes)
{
    struct kb_reader reader = {document, notes, KB_BUF_INIT};
    struct kb_notes ignored = {0};
    const yaml_node_t *root = yaml_document_get_root_node(document);

    if (!root) {
        kb_note(notes, true, 0, "the file is empty");
        return;
    }
    if (root->type == YAML_MAPPING_NODE) {
        reader.notes = &ignored; /* said again by the real reading */
        kb_each_pair(&reader, root, note_section, config);
        kb_notes_release(&ignored);
        reader.notes = notes;
        reader.path.len = 0;
    }
    kb_read_section(&reader, &kb_config_section, root, config);
    kb_buf_release(&reader.path);
}

/* Scalars may be secrets; libyaml frees them as they are. */
static void wipe_document(yaml_document_t *document)
{
    yaml_node_t *node;

    for (node = document->nodes.start; node < document->nodes.top; node++)
        if (node->type == YAML_SCALAR_NODE && node->data.scalar.value)
            explicit_bzero(node->data.scalar.value, node->data.scalar.length);
}

static void parse_text(const char *text, size_t len, struct kb_config *config,
                       struct kb_notes *notes)
{
    yaml_parser_t parser;
    yaml_document_t document;

    if (!yaml_parser_initialize(&parser)) {
        kb_note(notes, true, 0, "out of memory");
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (!yaml_parser_load(&parser, &document)) {
        syntax_error(&parser, notes);
        yaml_parser_delete(&parser);
        return;
    }
    read_document(&document, config, notes);
    wipe_document(&document);
    yaml_document_delete(&document);
    if (!yaml_parser_load(&parser, &document)) {
        syntax_error(&parser, notes);
    } else {
        if (yaml_document_get_root_node(&document))
            kb_note(notes, true, (unsigned)document.start_mark.line + 1,
                    "a second document (\"---\") in the file");
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
}

int kb_config_parse(const char *text, size_t len, const char *name,
                    struct kb_config *config, struct kb_notes *notes,
                    struct kbp_error *err)
{
    struct kb_config fresh = {0};
    int status = set_defaults(&fresh, err);

    memset(config, 0, sizeof *config);
    if (!status) {
        fresh.file = kb_strdup(name);
        if (!fresh.file)
            status = kb_fail_nomem(err, "the configuration");
    }
    if (!status) {
        parse_text(text, len, &fresh, notes);
        if (!notes->errors)
            kb_config_check(&fresh, notes);
        if (notes->errors)
            status = kb_fail(err, KBP_ERR_CONFIG,
                             "%s: %zu error%s in the configuration", name,
                             notes->errors, notes->errors == 1 ? "" : "s");
    }
    if (status) {
        kb_config_release(&fresh);
        return status;
    }
    *config = fresh;
    return KBP_OK;
}

static int read_file(const char *path, struct kb_buf *text,
                     struct kbp_error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    int status = KBP_OK;
    ssize_t got = 1;

    if (fd < 0) {
        status =
            kb_fail_errno(err, errno, "can't read the configuration %s", path);
        if (err->native == ENOENT)
            kb_err_hint(err, "name the file with -c/--config");
        return status;
    }
    while (got > 0 && !status) {
        char *room = kb_buf_reserve(text, 65536);

        if (!room) {
            status = kb_fail(err, KBP_ERR_CONFIG,
                             "the configuration %s is larger than 8 MiB", path);
            break;
        }
        got = read(fd, room, 65536);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got < 0)
            status = kb_fail_errno(err, errno,
                                   "can't read the configuration %s", path);
        else
            text->len += (size_t)got;
    }
    if (!is_stdin)
        close(fd);
    return status;
}

int kb_config_load(const char *path, struct kb_config *config,
                   struct kb_notes *notes, struct kbp_error *err)
{
    struct kb_buf text = KB_BUF_INIT;
    int status;

    memset(config, 0, sizeof *config);
    text.limit = FILE_MAX;
    status = read_file(path, &text, err);
    if (!status)
        status = kb_config_parse((const char *)text.data, text.len, path,
                                 config, notes, err);
    if (text.data)
        explicit_bzero(text.data, text.len);
    kb_buf_release(&text);
    return status;
}

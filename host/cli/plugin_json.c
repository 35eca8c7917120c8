/* SPDX-License-Identifier: Apache-2.0 */
/* plugin_json.c - what plugin files offer. */
#include "cli/plugin_json.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "plugin/load.h"
#include "plugin/trust.h"

static const char *option_type(uint32_t type)
{
    switch (type) {
    case KBP_OPTION_INT:
        return "number";
    case KBP_OPTION_BOOL:
        return "bool";
    case KBP_OPTION_BYTES:
        return "size";
    case KBP_OPTION_MS:
        return "time";
    case KBP_OPTION_PATH:
        return "path";
    case KBP_OPTION_CHOICE:
        return "choice";
    default:
        return "string";
    }
}

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        (void)json_object_set_new(object, key, json_string(text));
}

static void set_flag(json_t *object, const char *key, uint32_t flags,
                     uint32_t flag)
{
    if (flags & flag)
        (void)json_object_set_new(object, key, json_true());
}

static json_t *option_json(const struct kbp_option *option)
{
    json_t *out = json_object();

    set_text(out, "name", option->name);
    set_text(out, "type", option_type(option->type));
    set_text(out, "choices", option->choices);
    set_text(out, "default", option->default_value);
    set_flag(out, "required", option->flags, KBP_OPTION_REQUIRED);
    set_flag(out, "secret", option->flags, KBP_OPTION_SECRET);
    set_flag(out, "advanced", option->flags, KBP_OPTION_ADVANCED);
    set_text(out, "help", option->help);
    set_text(out, "kafka_property", option->kafka_name);
    set_text(out, "environment", option->export_env);
    return out;
}

static json_t *type_json(const struct kb_type *type)
{
    json_t *out = json_object();
    json_t *options = json_array();
    uint32_t i;

    set_text(out, "kind", kb_kind_word(type->kind));
    set_text(out, "name", type->name);
    set_text(out, "summary", type->summary);
    for (i = 0; i < type->options.count; i++) {
        struct kbp_option option;

        kb_option_at(&type->options, i, &option);
        (void)json_array_append_new(options, option_json(&option));
    }
    (void)json_object_set_new(out, "options", options);
    return out;
}

/* Of a file that lies in a directory which was checked already, or not. */
static int load(const char *path, struct kb_plugin **plugin,
                struct kbp_error *err)
{
    char *dir = kb_strdup(path);
    char *slash = dir ? strrchr(dir, '/') : NULL;
    char *real = NULL;
    char *full = NULL;
    struct stat st;
    int status;

    if (!dir) {
        status = kb_fail_nomem(err, "a path");
        goto out;
    }
    if (slash)
        *slash = '\0';
    status = kb_trust_dir(!slash ? "." : *dir ? dir : "/", &real, err);
    if (status)
        goto out;
    full = kb_asprintf("%s/%s", real, slash ? slash + 1 : path);
    if (!full) {
        status = kb_fail_nomem(err, "a path");
        goto out;
    }
    status = kb_trust_file(full, &st, err);
    if (!status)
        status = kb_plugin_load(full, plugin, err);
out:
    free(full);
    free(real);
    free(dir);
    return status;
}

static json_t *load_json(const char *path)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_plugin *plugin = NULL;
    json_t *out = json_object();
    json_t *types;
    size_t i;

    if (load(path, &plugin, &err)) {
        set_text(out, "error", err.message);
        if (*err.hint)
            set_text(out, "hint", err.hint);
        return out;
    }
    set_text(out, "version", plugin->module.version);
    set_text(out, "vendor", plugin->module.vendor);
    set_text(out, "license", plugin->module.license);
    (void)json_object_set_new(out, "abi",
                              json_sprintf("%u.%u",
                                           plugin->module.abi.abi_major,
                                           plugin->module.abi.abi_minor));
    types = json_array();
    for (i = 0; i < plugin->type_count; i++)
        (void)json_array_append_new(types, type_json(&plugin->types[i]));
    (void)json_object_set_new(out, "types", types);
    kb_plugin_free(plugin);
    return out;
}

/* The child: what it has to say goes to `fd`. */
static void child(const char *path, int fd)
{
    json_t *out = load_json(path);
    char *text = json_dumps(out, JSON_COMPACT);
    size_t len = text ? strlen(text) : 0;
    size_t at = 0;

    while (at < len) {
        ssize_t put = write(fd, text + at, len - at);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            _exit(1);
        at += (size_t)put;
    }
    _exit(0);
}

static void read_all(int fd, struct kb_buf *text)
{
    for (;;) {
        char *room = kb_buf_reserve(text, 65536);
        ssize_t got = room ? read(fd, room, 65536) : 0;

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return;
        text->len += (size_t)got;
    }
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

json_t *kb_plugin_json(const char *path)
{
    struct kb_buf text = KB_BUF_INIT;
    json_t *answer = NULL;
    json_t *out = json_object();
    int ends[2];
    int how = 0;
    pid_t pid;

    set_text(out, "file", file_name(path));
    set_text(out, "path", path);
    text.limit = (size_t)16 << 20;
    if (pipe(ends)) {
        set_text(out, "error", strerror(errno));
        return out;
    }
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        child(path, ends[1]);
    }
    (void)close(ends[1]);
    if (pid > 0) {
        read_all(ends[0], &text);
        while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
            ;
    }
    (void)close(ends[0]);
    if (pid < 0)
        set_text(out, "error", "can't start a process to load it in");
    else if (WIFSIGNALED(how))
        (void)json_object_set_new(
            out, "error",
            json_sprintf("loading it crashes (%s)", strsignal(WTERMSIG(how))));
    else
        answer = json_loadb((const char *)text.data, text.len, 0, NULL);
    if (answer)
        (void)json_object_update(out, answer);
    else if (!json_object_get(out, "error"))
        set_text(out, "error", "loading it ends the process");
    json_decref(answer);
    kb_buf_release(&text);
    return out;
}

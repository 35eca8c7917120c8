/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - a user's settings, checked against what a type understands. */
#include "plugin/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <kafka-backup/util.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/str.h"

#define VALUE_BYTES_MAX 65536u

/* The value as it may be shown in a message. */
static const char *shown(const struct kbp_option *option, const char *value)
{
    return option->flags & KBP_OPTION_SECRET ? "***" : value;
}

static int fail_value(const struct kb_type *type,
                      const struct kbp_option *option, const char *value,
                      const char *wanted, struct kbp_error *err)
{
    return kb_fail(err, KBP_ERR_CONFIG, "%s %s: %s: \"%.100s\" is not %s",
                   kb_kind_text(type->kind), type->name, option->name,
                   shown(option, value), wanted);
}

static bool is_word_of(const char *choices, const char *value)
{
    size_t len = strlen(value);

    while (*choices) {
        size_t word = strcspn(choices, "|");

        if (word == len && strncmp(choices, value, len) == 0)
            return true;
        choices += word;
        choices += *choices == '|';
    }
    return false;
}

static const char *bool_word(const char *value)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    size_t i;

    for (i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcasecmp(value, yes[i]) == 0)
            return "true";
        if (strcasecmp(value, no[i]) == 0)
            return "false";
    }
    return NULL;
}

static int absolute_path(const struct kb_type *type,
                         const struct kbp_option *option, const char *value,
                         char **out, struct kbp_error *err)
{
    char cwd[PATH_MAX];

    if (!*value)
        return kb_fail(err, KBP_ERR_CONFIG, "%s %s: %s is empty",
                       kb_kind_text(type->kind), type->name, option->name);
    if (*value == '/')
        *out = kb_strdup(value);
    else if (getcwd(cwd, sizeof cwd))
        *out = kb_asprintf("%s/%s", cwd, value);
    else
        return kb_fail_errno(err, errno, "the working directory");
    return KBP_OK;
}

/* Turn a value into what the plugin gets; malloc()ed. */
static int convert(const struct kb_type *type, const struct kbp_option *option,
                   const char *value, char **out, struct kbp_error *err)
{
    const char *word;
    char *text = NULL;
    int64_t number;
    uint64_t bytes;
    int status = KBP_OK;

    if (strlen(value) > VALUE_BYTES_MAX)
        return kb_fail(err, KBP_ERR_CONFIG, "%s %s: %s has more than %u bytes",
                       kb_kind_text(type->kind), type->name, option->name,
                       VALUE_BYTES_MAX);
    switch (option->type) {
    case KBP_OPTION_INT:
        if (!kb_parse_i64(value, &number))
            return fail_value(type, option, value, "a whole number", err);
        text = kb_asprintf("%" PRId64, number);
        break;
    case KBP_OPTION_BOOL:
        word = bool_word(value);
        if (!word)
            return fail_value(type, option, value, "true or false", err);
        text = kb_strdup(word);
        break;
    case KBP_OPTION_BYTES:
        if (!kb_parse_bytes(value, &bytes) || bytes > INT64_MAX)
            return fail_value(type, option, value,
                              "a size, such as 16MiB or 1048576", err);
        text = kb_asprintf("%" PRIu64, bytes);
        break;
    case KBP_OPTION_MS:
        if (!kb_parse_ms(value, &number) || number < 0)
            return fail_value(type, option, value,
                              "a time, such as 30s, 500ms or 5m", err);
        text = kb_asprintf("%" PRId64, number);
        break;
    case KBP_OPTION_PATH:
        status = absolute_path(type, option, value, &text, err);
        break;
    case KBP_OPTION_CHOICE:
        if (!is_word_of(option->choices, value))
            return kb_fail(err, KBP_ERR_CONFIG,
                           "%s %s: %s: \"%.100s\" is not one of %s",
                           kb_kind_text(type->kind), type->name, option->name,
                           shown(option, value), option->choices);
        text = kb_strdup(value);
        break;
    default:
        text = kb_strdup(value);
        break;
    }
    if (status == KBP_OK && !text)
        status = kb_fail_nomem(err, "a setting");
    if (status == KBP_OK)
        *out = text;
    return status;
}

static int fail_unknown(const struct kb_type *type, const char *name,
                        struct kbp_error *err)
{
    const struct kbp_options *options = &type->options;
    const char **names = calloc(options->count + 1u, sizeof *names);
    const char *meant = NULL;
    struct kb_buf all = KB_BUF_INIT;
    struct kbp_option option;
    uint32_t i;

    for (i = 0; names && i < options->count; i++) {
        kb_option_at(options, i, &option);
        names[i] = option.name;
        kb_buf_printf(&all, "%s%s", i ? ", " : "", option.name);
    }
    kb_buf_add(&all, "", 1);
    if (names)
        meant = kb_did_you_mean(name, names, options->count);
    (void)kb_fail(err, KBP_ERR_CONFIG, "%s %s has no setting \"%.80s\"",
                  kb_kind_text(type->kind), type->name, name);
    if (meant)
        kb_err_hint(err, "did you mean %s?", meant);
    else if (options->count == 0)
        kb_err_hint(err, "it has none at all");
    else if (!all.failed)
        kb_err_hint(err, "it has: %s", (const char *)all.data);
    kb_buf_release(&all);
    free(names);
    return err->status;
}

/* Each name must be known, and stand there once. */
static int check_names(const struct kb_type *type, const struct kb_kv *kvs,
                       size_t count, struct kbp_error *err)
{
    struct kbp_option option;
    size_t i;
    size_t k;
    uint32_t o;

    for (i = 0; i < count; i++) {
        for (o = 0; o < type->options.count; o++) {
            kb_option_at(&type->options, o, &option);
            if (strcmp(option.name, kvs[i].name) == 0)
                break;
        }
        if (o == type->options.count)
            return fail_unknown(type, kvs[i].name, err);
        for (k = 0; k < i; k++)
            if (strcmp(kvs[k].name, kvs[i].name) == 0)
                return kb_fail(err, KBP_ERR_CONFIG, "%s %s: %s is set twice",
                               kb_kind_text(type->kind), type->name,
                               kvs[i].name);
    }
    return KBP_OK;
}

static const char *value_of(const struct kb_kv *kvs, size_t count,
                            const char *name)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (strcmp(kvs[i].name, name) == 0)
            return kvs[i].value;
    return NULL;
}

/* Take one option's value, if it has one. */
static int add_option(const struct kb_type *type,
                      const struct kbp_option *option, const char *value,
                      struct kb_settings *settings, struct kbp_error *err)
{
    struct kbp_setting *item = &settings->items[settings->config.count];
    char *text = NULL;
    int status;

    if (!value)
        value = option->default_value;
    if (!value || (!*value && (option->flags & KBP_OPTION_REQUIRED))) {
        if (!(option->flags & KBP_OPTION_REQUIRED))
            return KBP_OK;
        return kb_fail(err, KBP_ERR_CONFIG, "%s %s: %s must be set: %s",
                       kb_kind_text(type->kind), type->name, option->name,
                       option->help);
    }
    status = convert(type, option, value, &text, err);
    if (status != KBP_OK)
        return status;
    item->name = option->name;
    item->value = text;
    item->value_len = strlen(text);
    settings->secret[settings->config.count] =
        (option->flags & KBP_OPTION_SECRET) != 0;
    settings->config.count++;
    return KBP_OK;
}

int kb_settings_check(const struct kb_type *type, const struct kb_kv *kvs,
                      size_t count, struct kb_settings *settings,
                      struct kbp_error *err)
{
    struct kb_settings out = {.config = {.struct_size = sizeof out.config,
                                         .item_size = sizeof *out.items}};
    struct kbp_option option;
    uint32_t i;
    int status = check_names(type, kvs, count, err);

    if (status != KBP_OK)
        return status;
    out.items = calloc(type->options.count + 1u, sizeof *out.items);
    out.secret = calloc(type->options.count + 1u, 1);
    out.config.items = out.items;
    if (!out.items || !out.secret)
        status = kb_fail_nomem(err, "settings");
    for (i = 0; i < type->options.count && status == KBP_OK; i++) {
        kb_option_at(&type->options, i, &option);
        status = add_option(type, &option, value_of(kvs, count, option.name),
                            &out, err);
    }
    if (status != KBP_OK) {
        kb_settings_release(&out);
        return status;
    }
    *settings = out;
    return KBP_OK;
}

void kb_settings_release(struct kb_settings *settings)
{
    uint32_t i;

    for (i = 0; i < settings->config.count; i++)
        kb_free_secret_text((char *)(uintptr_t)settings->items[i].value);
    free(settings->items);
    free(settings->secret);
    memset(settings, 0, sizeof *settings);
}

const char *kb_settings_get(const struct kb_settings *settings,
                            const char *name)
{
    return kbp_config_get(&settings->config, name);
}

static void replace_all(char *text, const char *what, size_t len)
{
    static const char stars[] = "***";
    size_t mark = len < sizeof stars - 1 ? len : sizeof stars - 1;
    char *at = text;

    while ((at = strstr(at, what)) != NULL) {
        memmove(at + mark, at + len, strlen(at + len) + 1);
        memcpy(at, stars, mark);
        at += mark;
    }
}

void kb_settings_redact(const struct kb_settings *settings, char *text)
{
    uint32_t i;

    for (i = 0; i < settings->config.count; i++)
        if (settings->secret[i] && settings->items[i].value_len >= 4)
            replace_all(text, settings->items[i].value,
                        settings->items[i].value_len);
}

int kb_url_parse(const char *text, struct kb_url *url, struct kbp_error *err)
{
    const char *colon = strstr(text, "://");
    const char *host = colon ? colon + 3 : NULL;
    size_t host_len = host ? strcspn(host, "/?#") : 0;
    struct kb_url out = {0};

    if (!colon || colon == text)
        return kb_fail(err, KBP_ERR_CONFIG, "not a URL: \"%.100s\"", text);
    if (memchr(host, '@', host_len))
        return kb_fail(err, KBP_ERR_CONFIG,
                       "a storage URL with a user name or password is not "
                       "supported; use the settings for credentials");
    if (strpbrk(host, "?#"))
        return kb_fail(err, KBP_ERR_CONFIG,
                       "a storage URL has no query or fragment: \"%.*s...\"; "
                       "settings are given by name, on the command line "
                       "with --option NAME=VALUE",
                       (int)(host + strcspn(host, "?#") - text), text);
    out.scheme = kb_asprintf("%.*s", (int)(colon - text), text);
    out.host = kb_asprintf("%.*s", (int)host_len, host);
    out.path = kb_strdup(host + host_len);
    if (!out.scheme || !out.host || !out.path) {
        kb_url_release(&out);
        return kb_fail_nomem(err, "a URL");
    }
    *url = out;
    return KBP_OK;
}

void kb_url_release(struct kb_url *url)
{
    free(url->scheme);
    free(url->host);
    free(url->path);
    memset(url, 0, sizeof *url);
}

int kb_settings_check_url(const struct kb_type *type, const struct kb_url *url,
                          const struct kb_kv *kvs, size_t count,
                          struct kb_settings *settings, struct kbp_error *err)
{
    struct kb_kv *all;
    struct kbp_option option;
    size_t n = count;
    bool wants_host = false;
    uint32_t i;
    int status;

    all = calloc(count + type->options.count + 1u, sizeof *all);
    if (!all)
        return kb_fail_nomem(err, "settings");
    if (count > 0)
        memcpy(all, kvs, count * sizeof *all);
    for (i = 0; i < type->options.count; i++) {
        const char *part = NULL;

        kb_option_at(&type->options, i, &option);
        if (option.flags & KBP_OPTION_URL_HOST) {
            part = url->host;
            wants_host = true;
        }
        if (option.flags & KBP_OPTION_URL_PATH) {
            part = url->path;
            if (option.type != KBP_OPTION_PATH && *part == '/')
                part++;
        }
        if (part && *part && !value_of(kvs, count, option.name))
            all[n++] = (struct kb_kv){option.name, part};
    }
    if (*url->host && !wants_host)
        status = kb_fail(err, KBP_ERR_CONFIG,
                         "%s://%s%s: there is no host in such a URL; a path "
                         "has three slashes before it: %s:///%s%s",
                         url->scheme, url->host, url->path, url->scheme,
                         url->host, url->path);
    else
        status = kb_settings_check(type, all, n, settings, err);
    free(all);
    return status;
}

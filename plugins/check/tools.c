/* SPDX-License-Identifier: Apache-2.0 */
/* tools.c - a host that hears everything, and a sink with walls. */
#include "check/checks.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define WALL_BYTES 64u
#define WALL 0xa5

static void hear(const struct kbp_host *host, int32_t level,
                 const char *message)
{
    struct kb_check_host *self = host->data;

    (void)level;
    if (!message || strchr(message, '\n') ||
        !kb_utf8_ok(message, strlen(message)))
        self->bad_lines++;
    if (message && self->canary && strstr(message, self->canary))
        self->leaks++;
}

static int32_t is_cancelled(const struct kbp_host *host)
{
    const struct kb_check_host *self = host->data;

    return __atomic_load_n(&self->cancelled, __ATOMIC_RELAXED);
}

static int64_t time_left(const struct kbp_host *host)
{
    (void)host;
    return 10000;
}

static const void *no_service(const struct kbp_host *host, const char *id)
{
    (void)host;
    (void)id;
    return NULL;
}

void kb_check_host_init(struct kb_check_host *host)
{
    memset(host, 0, sizeof *host);
    host->host = (struct kbp_host){
        .struct_size = sizeof host->host,
        .abi_major = KBP_ABI_MAJOR,
        .abi_minor = KBP_ABI_MINOR,
        .data = host,
        .name = "plugin check",
        .version = "1",
        .log_level = KBP_LOG_TRACE,
        .log = hear,
        .cancelled = is_cancelled,
        .time_left_ms = time_left,
        .get_service = no_service,
    };
}

/* Something that a required option may take; NULL if there is nothing. */
static char *made_up(const struct kb_check_ctx *ctx,
                     const struct kbp_option *option, const char *secret)
{
    if (secret && (option->flags & KBP_OPTION_SECRET))
        return kb_strdup(secret);
    if (!(option->flags & KBP_OPTION_REQUIRED))
        return NULL;
    switch (option->type) {
    case KBP_OPTION_PATH:
        return kb_asprintf("%s/%s", ctx->scratch, option->name);
    case KBP_OPTION_CHOICE:
        return kb_asprintf("%.*s", (int)strcspn(option->choices, "|"),
                           option->choices);
    case KBP_OPTION_BOOL:
        return kb_strdup("true");
    case KBP_OPTION_STRING:
        return kb_strdup("check");
    default:
        return kb_strdup("1");
    }
}

static bool is_given(const struct kb_check_options *options, const char *name)
{
    size_t i;

    for (i = 0; i < options->kv_count; i++)
        if (strcmp(options->kvs[i].name, name) == 0)
            return true;
    return false;
}

/* Whether the type understands a setting: a file may offer several types. */
static bool is_option(const struct kb_type *type, const char *name)
{
    struct kbp_option option;
    uint32_t i;

    for (i = 0; i < type->options.count; i++) {
        kb_option_at(&type->options, i, &option);
        if (strcmp(option.name, name) == 0)
            return true;
    }
    return false;
}

bool kb_check_settings(struct kb_check_ctx *ctx, const char *secret,
                       struct kb_settings *settings)
{
    const struct kb_check_options *options = ctx->options;
    const struct kb_type *type = ctx->type;
    struct kbp_error err = KB_ERR_INIT;
    size_t most = options->kv_count + type->options.count + 1u;
    struct kb_kv *kvs = calloc(most, sizeof *kvs);
    char **owned = calloc(most, sizeof *owned);
    struct kbp_option option;
    size_t count = 0;
    size_t i;
    bool ok = false;

    if (kvs && owned) {
        for (i = 0; i < options->kv_count; i++)
            if (is_option(type, options->kvs[i].name))
                kvs[count++] = options->kvs[i];
        for (i = 0; i < type->options.count; i++) {
            kb_option_at(&type->options, (uint32_t)i, &option);
            if (is_given(options, option.name))
                continue;
            owned[count] = made_up(ctx, &option, secret);
            if (owned[count]) {
                kvs[count] = (struct kb_kv){option.name, owned[count]};
                count++;
            }
        }
        ok = kb_settings_check(type, kvs, count, settings, &err) == KBP_OK;
        for (i = 0; i < most; i++)
            free(owned[i]);
    }
    free(owned);
    free(kvs);
    if (!ok)
        kb_check_skip(ctx, "%s (give it by --set)", err.message);
    return ok;
}

static int32_t wall_reserve(struct kbp_sink *sink, size_t min, size_t wish,
                            void **room, size_t *room_len)
{
    struct kb_check_sink *self = sink->data;
    size_t len = wish > min ? wish : min;

    if (min > self->most)
        self->most = min;
    if (min > sink->limit)
        return KBP_ERR_LIMIT;
    if (self->chunk && len > self->chunk)
        len = min > self->chunk ? min : self->chunk;
    if (len > sink->limit)
        len = (size_t)sink->limit;
    free(self->room);
    self->room = malloc(len + WALL_BYTES);
    if (!self->room)
        return KBP_ERR_NOMEM;
    memset(self->room + len, WALL, WALL_BYTES);
    self->room_len = len;
    *room = self->room;
    *room_len = len;
    return KBP_OK;
}

static void wall_commit(struct kbp_sink *sink, size_t used)
{
    struct kb_check_sink *self = sink->data;
    uint8_t *more;
    size_t i;

    for (i = 0; self->room && i < WALL_BYTES; i++)
        if (self->room[self->room_len + i] != WALL)
            self->crossed = true;
    if (used > self->room_len) {
        self->over = true;
        used = self->room_len;
    }
    more = realloc(self->data, self->len + used + 1);
    if (!more) {
        self->over = true;
        return;
    }
    self->data = more;
    if (used > 0)
        memcpy(self->data + self->len, self->room, used);
    self->len += used;
    sink->limit -= used;
    /* Good until the next reserve() or commit(): gone now. */
    free(self->room);
    self->room = NULL;
    self->room_len = 0;
}

void kb_check_sink_init(struct kb_check_sink *sink, uint64_t limit,
                        size_t chunk)
{
    memset(sink, 0, sizeof *sink);
    sink->sink = (struct kbp_sink){
        .struct_size = sizeof sink->sink,
        .data = sink,
        .limit = limit,
        .reserve = wall_reserve,
        .commit = wall_commit,
    };
    sink->chunk = chunk;
}

void kb_check_sink_release(struct kb_check_sink *sink)
{
    free(sink->data);
    free(sink->room);
    memset(sink, 0, sizeof *sink);
}

void kb_check_sink_verify(struct kb_check_ctx *ctx,
                          const struct kb_check_sink *sink)
{
    size_t i;
    bool crossed = sink->crossed;

    for (i = 0; sink->room && i < WALL_BYTES; i++)
        crossed |= sink->room[sink->room_len + i] != WALL;
    if (crossed)
        kb_check_fail(ctx, "it wrote beyond the room that reserve() gave");
    if (sink->over)
        kb_check_fail(ctx, "it committed more than it had reserved");
}

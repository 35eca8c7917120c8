/* SPDX-License-Identifier: Apache-2.0 */
/* checks.h - what the checks are made of. */
#ifndef KB_CHECK_CHECKS_H
#define KB_CHECK_CHECKS_H

#include "check/check.h"
#include "plugin/load.h"

struct kb_check_ctx {
    const char *path;    /* absolute */
    const char *scratch; /* a directory to write in, removed in the end */
    const struct kb_check_options *options;
    struct kb_plugin *plugin;   /* NULL in checks of the kind "load" */
    const struct kb_type *type; /* NULL in those of "load" and "module" */
    uint64_t random;
    enum kb_check_outcome outcome;
    char message[512];
};

struct kb_check {
    const char *id;
    const char *what;
    void (*run)(struct kb_check_ctx *ctx);
};

/* A kind's checks; `kind` is "load", "module", "life", "codec"... */
struct kb_check_group {
    const char *kind;
    const struct kb_check *checks;
    size_t count;
};

extern const struct kb_check_group kb_check_load;
extern const struct kb_check_group kb_check_module;
extern const struct kb_check_group kb_check_life;
extern const struct kb_check_group kb_check_codec;
extern const struct kb_check_group kb_check_storage;
extern const struct kb_check_group kb_check_sasl;

#define KB_CHECK_GROUP(name, word, array)            \
    const struct kb_check_group name = {word, array, \
                                        sizeof(array) / sizeof((array)[0])}

/* The first failure stands. */
KB_PRINTF(2, 3)
void kb_check_fail(struct kb_check_ctx *ctx, const char *fmt, ...);
KB_PRINTF(2, 3)
void kb_check_warn(struct kb_check_ctx *ctx, const char *fmt, ...);
KB_PRINTF(2, 3)
void kb_check_skip(struct kb_check_ctx *ctx, const char *fmt, ...);
KB_PRINTF(2, 3)
void kb_check_note(struct kb_check_ctx *ctx, const char *fmt, ...);

static inline bool kb_check_bad(const struct kb_check_ctx *ctx)
{
    return ctx->outcome != KB_CHECK_PASS;
}

uint64_t kb_check_random(struct kb_check_ctx *ctx);

/* A host that hears everything. */
struct kb_check_host {
    struct kbp_host host;
    int32_t cancelled;
    size_t bad_lines;   /* not UTF-8, or more than one line */
    const char *canary; /* or NULL: must be in no line */
    size_t leaks;
};

void kb_check_host_init(struct kb_check_host *host);

/*
 * Settings to open the type with: the user's, and for required ones that he
 * didn't give something that may do.  False, and skipped, if there is none.
 */
bool kb_check_settings(struct kb_check_ctx *ctx, const char *secret,
                       struct kb_settings *settings);

/* A sink with walls, which gives `chunk` bytes at a time where it can. */
struct kb_check_sink {
    struct kbp_sink sink;
    uint8_t *data;
    size_t len;
    uint8_t *room;
    size_t room_len;
    size_t chunk;  /* 0: as much as is wished for */
    uint64_t most; /* the largest `min` that was asked for */
    bool crossed;  /* it wrote beyond what it got */
    bool over;     /* it committed more than it had reserved */
};

void kb_check_sink_init(struct kb_check_sink *sink, uint64_t limit,
                        size_t chunk);
void kb_check_sink_release(struct kb_check_sink *sink);

/* Fails the check if the sink was misused. */
void kb_check_sink_verify(struct kb_check_ctx *ctx,
                          const struct kb_check_sink *sink);

#endif

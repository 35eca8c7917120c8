/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oauth_token.h - where the token comes from, and for how long it is kept.
 *
 * A token in the settings is what it is; one in a file is read for each
 * handshake.  One that costs something to get, from a command or a token
 * endpoint, is kept until half of its life is over: so the next handshake has
 * one that outlives what is in use, and a source that is down or silent for a
 * while does no harm, as then the old one is used up to its end: an attempt to
 * renew it has KB_HURRY_MS (a command more), and the next one comes after a
 * pause.
 */
#ifndef KB_OAUTH_TOKEN_H
#define KB_OAUTH_TOKEN_H

#include <kafka-backup/plugin.h>

#include "../common/sasl_gate.h"
#include "../common/sasl_text.h"

/* How to get one from a token endpoint, by client_credentials. */
struct kb_oidc {
    char *url;
    char *client_id;
    char *client_secret;      /* or NULL: it is in the file */
    char *client_secret_file; /* or NULL */
    char *scope;              /* or NULL, as the next ones */
    char *audience;
    char *ca_location;
    int post;      /* id and secret in the body, not in a header */
    int urlencode; /* ... encoded first when in a header */
};

struct kb_token_source {
    char *token;
    char *file;
    char *command;
    struct kb_oidc oidc; /* if url is set */

    /* What is kept; within the gate only. */
    struct kb_gate gate;
    struct kb_text kept;
    int64_t kept_end_ms; /* monotonic; INT64_MAX if it doesn't say */
    int64_t kept_renew_ms;
};

int32_t kb_token_source_open(struct kb_token_source *source,
                             const struct kbp_host *host,
                             const struct kbp_config *config,
                             struct kbp_error *err);
void kb_token_source_close(struct kb_token_source *source);

/*
 * Append a token that is good now, and say when it ends: monotonic, INT64_MAX
 * if that isn't known.  May wait.  [any]
 */
int32_t kb_token_get(struct kb_token_source *source,
                     const struct kbp_host *host, struct kb_text *token,
                     int64_t *end_ms, struct kbp_error *err);

/* `token` was refused: if it is the one that is kept, don't.  [any] */
void kb_token_distrust(struct kb_token_source *source,
                       const struct kbp_host *host, const char *token);

/* Ask the endpoint.  `*life_s` is -1 if it doesn't say. */
int32_t kb_oidc_fetch(const struct kb_oidc *oidc, const struct kbp_host *host,
                      struct kb_text *token, int64_t *life_s,
                      struct kbp_error *err);

#endif

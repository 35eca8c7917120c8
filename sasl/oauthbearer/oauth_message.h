/* SPDX-License-Identifier: Apache-2.0 */
/* oauth_message.h - OAUTHBEARER's messages (RFC 7628), and what a token says.
 */
#ifndef KB_OAUTH_MESSAGE_H
#define KB_OAUTH_MESSAGE_H

#include "../common/sasl_text.h"

#define KB_OAUTH_TOKEN_MAX 65536u
#define KB_OAUTH_EXTENSIONS_MAX 16384u

/* A token as brokers take it: [-_~+/.a-zA-Z0-9]+=* */
int kb_oauth_token_valid(const char *token, size_t len);

/*
 * "key=value,key=value" as the message wants it: ^Akey=value^Akey=value, in
 * `out`.  KBP_ERR_CONFIG for what a broker would refuse.
 */
int32_t kb_oauth_extensions(const char *text, struct kb_text *out,
                            struct kbp_error *err);

/* Append the client's message; `authzid` and `extensions` may be NULL. */
void kb_oauth_message(struct kb_text *out, const char *token,
                      const char *authzid, const char *extensions);

/*
 * Put the broker's challenge, which is its refusal, in words into `to`:
 * "invalid_token (scope kafka, see https://...)".  What isn't JSON is quoted.
 */
const char *kb_oauth_refusal(char *to, size_t size, const void *in, size_t len);

/* When a JWT ends, in s since 1970; -1 if it is none, or doesn't say. */
int64_t kb_jwt_expiry(const char *token, size_t len);

/* "iss https://..., aud kafka, sub backup" of a JWT; "" if it is none. */
const char *kb_jwt_describe(char *to, size_t size, const char *token,
                            size_t len);

/*
 * A token endpoint's (or a command's) answer: {"access_token": ...,
 * "expires_in": s}.  Appends the token; `*life_s` is -1 if it isn't said.
 */
int32_t kb_oauth_response(const void *in, size_t len, struct kb_text *token,
                          int64_t *life_s, struct kbp_error *err);

/* The error in such an answer, "invalid_client: Client not found", or "". */
const char *kb_oauth_response_error(char *to, size_t size, const void *in,
                                    size_t len);

#endif

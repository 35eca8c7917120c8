/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uuid.h - ids of 16 bytes; their text is Kafka's: base64url without padding.
 */
#ifndef KB_BASE_UUID_H
#define KB_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct kb_uuid {
    uint8_t bytes[16]; /* all zero: none */
};

#define KB_UUID_TEXT 23

bool kb_uuid_is_none(const struct kb_uuid *id);
bool kb_uuid_equal(const struct kb_uuid *a, const struct kb_uuid *b);

/* A random one (RFC 4122, version 4). */
int kb_uuid_make(struct kb_uuid *id, struct kbp_error *err);

/* "CitOzzaWQCmekIp5OyG5vQ"; out has KB_UUID_TEXT bytes. Returns out. */
char *kb_uuid_text(char *out, const struct kb_uuid *id);
bool kb_uuid_parse(const char *text, struct kb_uuid *id);

#endif

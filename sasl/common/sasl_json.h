/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_json.h - JSON that may hold a secret. */
#ifndef KB_SASL_JSON_H
#define KB_SASL_JSON_H

#include <jansson.h>

#include "sasl_text.h"

/* An object, or NULL if it isn't one; to be freed by kb_json_free(). */
json_t *kb_json_parse(const void *bytes, size_t len);

/* A member that is a string, or NULL. */
const char *kb_json_string(const json_t *object, const char *name);

/* A member that is a number of either kind, or `otherwise`; it is bounded. */
int64_t kb_json_int(const json_t *object, const char *name, int64_t otherwise);

/* Free it, with its strings wiped.  NULL is fine. */
void kb_json_free(json_t *json);

/* Append `str` as a JSON string, quotes included. */
void kb_json_quote(struct kb_text *text, const char *str);

#endif

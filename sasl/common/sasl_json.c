/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_json.c - JSON that may hold a secret. */
#include "sasl_json.h"

#include <stdio.h>
#include <string.h>

json_t *kb_json_parse(const void *bytes, size_t len)
{
    json_t *json = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);

    if (json && !json_is_object(json)) {
        kb_json_free(json);
        return NULL;
    }
    return json;
}

const char *kb_json_string(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

int64_t kb_json_int(const json_t *object, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(object, name);
    double real;

    if (json_is_integer(value)) {
        real = (double)json_integer_value(value);
    } else if (json_is_real(value)) {
        real = json_real_value(value);
    } else {
        return otherwise;
    }
    /* Far from where sums with it could overflow; year 30,000 or so. */
    if (!(real >= 0 && real < 1e12))
        return otherwise;
    return (int64_t)real;
}

static void wipe(json_t *json)
{
    const char *name;
    json_t *value;
    size_t i;

    if (json_is_string(json)) {
        /* jansson's own copy, and we are the last who looks at it. */
        char *str = (char *)(uintptr_t)json_string_value(json);

        explicit_bzero(str, json_string_length(json));
    }
    json_object_foreach(json, name, value) wipe(value);
    json_array_foreach(json, i, value) wipe(value);
}

void kb_json_free(json_t *json)
{
    if (!json)
        return;
    wipe(json);
    json_decref(json);
}

void kb_json_quote(struct kb_text *text, const char *str)
{
    char code[8];

    kb_text_puts(text, "\"");
    for (; *str; str++) {
        if (*str == '"' || *str == '\\')
            kb_text_puts(text, "\\");
        if ((unsigned char)*str < 0x20) {
            (void)snprintf(code, sizeof code, "\\u%04x",
                           (unsigned)(unsigned char)*str);
            kb_text_puts(text, code);
        } else {
            kb_text_add(text, str, 1);
        }
    }
    kb_text_puts(text, "\"");
}

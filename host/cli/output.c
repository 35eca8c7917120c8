/* SPDX-License-Identifier: Apache-2.0 */
/* output.c - results on stdout. */
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum kb_output kb_output_format(const struct kb_args *args)
{
    const char *format = kb_args_value(args, "format");

    if (!format || strcmp(format, "text") == 0)
        return KB_OUTPUT_TEXT;
    if (strcmp(format, "json") == 0)
        return KB_OUTPUT_JSON;
    return strcmp(format, "yaml") == 0 ? KB_OUTPUT_YAML : KB_OUTPUT_CSV;
}

/* A scalar: JSON's form of it is YAML's, too. */
static void yaml_scalar(const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

    (void)fputs(text ? text : "null", stdout);
    free(text);
}

static bool is_nested(const json_t *value)
{
    return (json_is_object(value) && json_object_size(value)) ||
           (json_is_array(value) && json_array_size(value));
}

/* `pending`: the cursor stands behind "- ", so the first key goes there. */
static void yaml_value(const json_t *value, int indent, bool pending)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_object(value) && json_object_size(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
        {
            json_t *name = json_string(key);

            if (!pending)
                (void)printf("%*s", indent, "");
            pending = false;
            yaml_scalar(name);
            json_decref(name);
            (void)fputs(is_nested(item) ? ":\n" : ": ", stdout);
            yaml_value(item, indent + 2, false);
        }
    } else if (json_is_array(value) && json_array_size(value)) {
        json_array_foreach(value, i, item)
        {
            if (!pending)
                (void)printf("%*s", indent, "");
            pending = false;
            (void)fputs("- ", stdout);
            yaml_value(item, indent + 2, is_nested(item));
        }
    } else {
        yaml_scalar(value);
        (void)fputc('\n', stdout);
    }
}

void kb_output_json(enum kb_output format, const json_t *value)
{
    if (format == KB_OUTPUT_YAML) {
        yaml_value(value, 0, false);
        return;
    }
    (void)json_dumpf(value, stdout, JSON_INDENT(2));
    (void)fputc('\n', stdout);
}

void kb_out(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vprintf(fmt, args);
    va_end(args);
    (void)fputc('\n', stdout);
}

char *kb_count_text(char *out, uint64_t count)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, count);
    char *at = out;
    int i;

    for (i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return out;
}

bool kb_output_end(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    kb_error("the results couldn't be written to stdout: %s", strerror(errno));
    return false;
}

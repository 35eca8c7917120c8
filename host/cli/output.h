/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h - results on stdout, as text, JSON, YAML.  What can't be written is
 * noticed at the end: kb_output_end().
 */
#ifndef KB_CLI_OUTPUT_H
#define KB_CLI_OUTPUT_H

#include <jansson.h>
#include <stdint.h>

#include "cli/args.h"

enum kb_output {
    KB_OUTPUT_TEXT,
    KB_OUTPUT_JSON,
    KB_OUTPUT_YAML,
    KB_OUTPUT_CSV
};

/* What --format says; text without it. */
enum kb_output kb_output_format(const struct kb_args *args);

/* Print as JSON or YAML. */
void kb_output_json(enum kb_output format, const json_t *value);

/* A line of text, "%s" and all. */
KB_PRINTF(1, 2)
void kb_out(const char *fmt, ...);

/* "1,234,567"; out has 32 bytes. Returns out. */
char *kb_count_text(char *out, uint64_t count);

/* Whether all could be written; logs why not. */
bool kb_output_end(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_reference.c - `config-reference`: print docs/CONFIG.md. */
#include <stdio.h>

#include "base/buf.h"
#include "cli/commands.h"
#include "cli/program.h"
#include "config/key.h"

static int run(struct kb_program *program)
{
    struct kb_buf text = KB_BUF_INIT;
    size_t written;

    (void)program;
    kb_config_reference(&text);
    written = text.failed ? 0 : fwrite(text.data, 1, text.len, stdout);
    if (text.failed || written != text.len) {
        kb_buf_release(&text);
        return KB_EXIT_FAILED;
    }
    kb_buf_release(&text);
    return KB_EXIT_OK;
}

const struct kb_command kb_cmd_config_reference = {
    .name = "config-reference",
    .summary = "print the reference of all configuration keys",
    .details = "Prints all keys of the configuration as Markdown: "
               "docs/CONFIG.md is made by it.",
    .hidden = true,
    .run = run};

/* SPDX-License-Identifier: Apache-2.0 */
/* help.c - the help texts, from the tables. */
#include <string.h>

#include "cli/args.h"
#include "cli/exit_code.h"

#define WIDTH 79
#define COLUMN 28

/* Break `text` into lines, the first of which has `used` columns already. */
static void wrap(FILE *out, const char *text, int used, int indent)
{
    int column = used;
    bool first = true;

    while (*text) {
        size_t word = strcspn(text, " \n");

        if (!first && column + 1 + (int)word > WIDTH) {
            (void)fprintf(out, "\n%*s", indent, "");
            column = indent;
            first = true;
        }
        column += (int)word + !first;
        (void)fprintf(out, "%s%.*s", first ? "" : " ", (int)word, text);
        first = false;
        text += word;
        if (*text == '\n') {
            (void)fprintf(out, "\n%*s", indent, "");
            column = indent;
            first = true;
        }
        if (*text)
            text++;
    }
    (void)fputc('\n', out);
}

static void print_flag(FILE *out, const struct kb_flag *flag)
{
    char head[64];
    int len;

    len = snprintf(head, sizeof head, "  %c%c%c --%s%s%s",
                   flag->letter ? '-' : ' ', flag->letter ? flag->letter : ' ',
                   flag->letter ? ',' : ' ', flag->name, flag->value ? " " : "",
                   flag->value ? flag->value : "");
    if (len >= COLUMN - 1)
        (void)fprintf(out, "%s\n%*s", head, COLUMN, "");
    else
        (void)fprintf(out, "%-*s", COLUMN, head);
    wrap(out, flag->help, COLUMN, COLUMN);
}

static void print_flags(FILE *out, const char *title,
                        const struct kb_flag *flags, size_t count)
{
    size_t i;

    if (!count)
        return;
    (void)fprintf(out, "\n%s:\n", title);
    for (i = 0; i < count; i++)
        print_flag(out, &flags[i]);
}

static void print_program(FILE *out)
{
    size_t i;

    (void)fputs("kafka-backup copies Kafka topics to a store and back, byte "
                "for byte.\n\n"
                "Usage: kafka-backup COMMAND [OPTIONS]\n"
                "       kafka-backup COMMAND --help\n\n"
                "Commands:\n",
                out);
    for (i = 0; i < kb_command_count; i++)
        if (!kb_commands[i]->hidden)
            (void)fprintf(out, "  %-21s %s\n", kb_commands[i]->name,
                          kb_commands[i]->summary);
    print_flags(out, "Options of all commands", kb_global_flags,
                kb_global_flag_count);
    (void)fputs("\nExit codes:\n", out);
#define XX(name, value, text)            \
    (void)fprintf(out, "  %d  ", value); \
    wrap(out, text, 5, 5);
    KB_EXIT_MAP(XX)
#undef XX
    (void)fputs("\nResults go to stdout, logs to stderr.\n", out);
}

void kb_args_help(FILE *out, const struct kb_command *command)
{
    size_t i;

    if (!command) {
        print_program(out);
        return;
    }
    (void)fprintf(out, "Usage: kafka-backup %s [OPTIONS]%s%s\n\n",
                  command->name, command->operand ? " " : "",
                  command->operand ? command->operand : "");
    wrap(out, command->details, 0, 0);
    print_flags(out, "Options", command->flags, command->flag_count);
    print_flags(out, "Options of all commands", kb_global_flags,
                kb_global_flag_count);
    if (command->example_count)
        (void)fputs("\nExamples:\n", out);
    for (i = 0; i < command->example_count; i++) {
        (void)fprintf(out, "%s  # ", i ? "\n" : "");
        wrap(out, command->examples[i].says, 4, 4);
        (void)fprintf(out, "  %s\n", command->examples[i].line);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* args.c - parse the command line by the tables. */
#include "cli/args.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const struct kb_flag *flag_in(const struct kb_flag *flags, size_t count,
                                     const char *name, size_t len, char letter)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (letter ? flags[i].letter == letter
                   : strlen(flags[i].name) == len &&
                         memcmp(flags[i].name, name, len) == 0)
            return &flags[i];
    }
    return NULL;
}

static const struct kb_flag *
find_flag(const struct kb_args *args, const char *name, size_t len, char letter)
{
    const struct kb_flag *flag = NULL;

    if (args->command)
        flag = flag_in(args->command->flags, args->command->flag_count, name,
                       len, letter);
    if (!flag)
        flag =
            flag_in(kb_global_flags, kb_global_flag_count, name, len, letter);
    return flag;
}

static int unknown_flag(const struct kb_args *args, const char *word,
                        struct kbp_error *err)
{
    const char *names[64];
    const char *meant;
    size_t count = 0;
    size_t i;

    for (i = 0; i < kb_global_flag_count; i++)
        names[count++] = kb_global_flags[i].name;
    if (args->command)
        for (i = 0; i < args->command->flag_count && count < 64; i++)
            names[count++] = args->command->flags[i].name;
    meant = kb_did_you_mean(word + strspn(word, "-"), names, count);
    if (meant)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "unknown option %s; did you mean --%s?", word, meant);
    if (!args->command)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "unknown option %s (options of a command stand behind "
                       "it)",
                       word);
    return kb_fail(err, KBP_ERR_CONFIG, "unknown option %s of %s", word,
                   args->command->name);
}

/* Whether `text` is one of "a|b|c". */
static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);

    for (;;) {
        size_t word = strcspn(choices, "|");

        if (word == len && memcmp(choices, text, len) == 0)
            return true;
        if (!choices[word])
            return false;
        choices += word + 1;
    }
}

static int check_value(const struct kb_flag *flag, const char *value,
                       struct kbp_error *err)
{
    int64_t number;

    if (flag->value && !*value)
        return kb_fail(err, KBP_ERR_CONFIG, "--%s is empty", flag->name);
    if (flag->choices && !is_choice(flag->choices, value))
        return kb_fail(err, KBP_ERR_CONFIG, "--%s has to be one of %s, not %s",
                       flag->name, flag->choices, value);
    if ((flag->flags & KB_FLAG_NUMBER) &&
        (!kb_parse_i64(value, &number) || number < 0))
        return kb_fail(err, KBP_ERR_CONFIG,
                       "--%s has to be a whole number, 0 or more, not %s",
                       flag->name, value);
    if ((flag->flags & KB_FLAG_PAIR) && (!strchr(value, '=') || *value == '='))
        return kb_fail(err, KBP_ERR_CONFIG, "--%s has to be NAME=VALUE",
                       flag->name);
    return KBP_OK;
}

static int add(struct kb_args *args, const struct kb_flag *flag,
               const char *value, struct kbp_error *err)
{
    int status = check_value(flag, value, err);

    if (status)
        return status;
    if (!(flag->flags & KB_FLAG_REPEAT) && kb_args_times(args, flag->name))
        return kb_fail(err, KBP_ERR_CONFIG, "--%s is there twice", flag->name);
    args->items[args->count].flag = flag;
    args->items[args->count++].value = value;
    return KBP_OK;
}

struct words {
    int argc;
    char *const *argv;
    int at; /* the next word */
};

static int take_value(struct kb_args *args, const struct kb_flag *flag,
                      const char *word, struct words *words,
                      struct kbp_error *err)
{
    const char *value;

    if (words->at >= words->argc)
        return kb_fail(err, KBP_ERR_CONFIG, "%s needs a value: %s", word,
                       flag->value);
    value = words->argv[words->at++];
    return add(args, flag, value, err);
}

/* "--name", "--name=value", "--name value" */
static int parse_long(struct kb_args *args, const char *word,
                      struct words *words, struct kbp_error *err)
{
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct kb_flag *flag = find_flag(args, name, len, 0);

    if (!flag)
        return unknown_flag(args, word, err);
    if (!flag->value) {
        if (equals)
            return kb_fail(err, KBP_ERR_CONFIG, "--%s takes no value",
                           flag->name);
        return add(args, flag, NULL, err);
    }
    if (equals)
        return add(args, flag, equals + 1, err);
    return take_value(args, flag, word, words, err);
}

/* "-v", "-vv", "-cFILE", "-c FILE", "-c=FILE" */
static int parse_short(struct kb_args *args, const char *word,
                       struct words *words, struct kbp_error *err)
{
    const char *at;
    int status = KBP_OK;

    for (at = word + 1; *at && !status; at++) {
        const struct kb_flag *flag = find_flag(args, NULL, 0, *at);

        if (!flag)
            return unknown_flag(args, word, err);
        if (!flag->value) {
            status = add(args, flag, NULL, err);
            continue;
        }
        if (at[1] == '=')
            return add(args, flag, at + 2, err);
        if (at[1])
            return add(args, flag, at + 1, err);
        return take_value(args, flag, word, words, err);
    }
    return status;
}

static bool starts_with_word(const char *text, const char *word)
{
    size_t len = strlen(word);

    return strncmp(text, word, len) == 0 && text[len] == ' ';
}

/* A command of one word or two. */
static int take_command(struct kb_args *args, const char *word,
                        struct words *words, struct kbp_error *err)
{
    const char *second =
        words->at < words->argc ? words->argv[words->at] : NULL;
    const char *names[32];
    const char *meant;
    bool is_group = false;
    size_t count = 0;
    size_t i;

    for (i = 0; i < kb_command_count; i++) {
        const struct kb_command *command = kb_commands[i];

        if (strcmp(command->name, word) == 0) {
            args->command = command;
            return KBP_OK;
        }
        if (starts_with_word(command->name, word)) {
            is_group = true;
            if (second &&
                strcmp(command->name + strlen(word) + 1, second) == 0) {
                args->command = command;
                words->at++;
                return KBP_OK;
            }
            if (count < 32)
                names[count++] = command->name + strlen(word) + 1;
        }
    }
    if (is_group) {
        meant = second ? kb_did_you_mean(second, names, count) : NULL;
        if (!second || *second == '-')
            return kb_fail(err, KBP_ERR_CONFIG,
                           "%s needs to know what: %s %s, ...", word, word,
                           names[0]);
        return kb_fail(err, KBP_ERR_CONFIG, "unknown command %s %s%s%s%s", word,
                       second, meant ? "; did you mean " : "",
                       meant ? meant : "", meant ? "?" : "");
    }
    for (i = 0; i < kb_command_count && count < 32; i++)
        if (!kb_commands[i]->hidden)
            names[count++] = kb_commands[i]->name;
    meant = kb_did_you_mean(word, names, count);
    return kb_fail(err, KBP_ERR_CONFIG, "unknown command %s%s%s%s", word,
                   meant ? "; did you mean " : "", meant ? meant : "",
                   meant ? "?" : "");
}

static int take_operand(struct kb_args *args, const char *word,
                        struct kbp_error *err)
{
    if (!args->command->operand)
        return kb_fail(err, KBP_ERR_CONFIG, "%s takes no \"%s\"",
                       args->command->name, word);
    if (args->operand)
        return kb_fail(err, KBP_ERR_CONFIG, "%s takes one %s, found %s and %s",
                       args->command->name, args->command->operand,
                       args->operand, word);
    args->operand = word;
    return KBP_OK;
}

static int check_required(const struct kb_args *args, struct kbp_error *err)
{
    const struct kb_command *command = args->command;
    size_t i;

    if (kb_args_times(args, "help") || kb_args_times(args, "version"))
        return KBP_OK;
    if (!command)
        return kb_fail(err, KBP_ERR_CONFIG, "a command is missing");
    for (i = 0; i < command->flag_count; i++)
        if ((command->flags[i].flags & KB_FLAG_REQUIRED) &&
            !kb_args_times(args, command->flags[i].name))
            return kb_fail(err, KBP_ERR_CONFIG, "%s needs --%s %s",
                           command->name, command->flags[i].name,
                           command->flags[i].value);
    if (command->looks_at_store) {
        bool path = kb_args_times(args, "path") > 0;

        if (path == (kb_args_times(args, "config") > 0))
            return kb_fail(err, KBP_ERR_CONFIG,
                           "%s needs --path STORE or --config FILE%s",
                           command->name, path ? ", not both" : "");
        if (path && command->looks_at_backup &&
            !kb_args_times(args, "backup-id"))
            return kb_fail(err, KBP_ERR_CONFIG,
                           "%s needs --backup-id ID (`kafka-backup list` "
                           "shows them)",
                           command->name);
    }
    for (i = 0; i < command->flag_count; i++)
        if ((command->flags[i].flags & KB_FLAG_BY_SELF) &&
            kb_args_times(args, command->flags[i].name))
            return KBP_OK;
    if (command->operand && !args->operand)
        return kb_fail(err, KBP_ERR_CONFIG, "%s needs a %s", command->name,
                       command->operand);
    return KBP_OK;
}

int kb_args_parse(int argc, char *const *argv, struct kb_args *args,
                  struct kbp_error *err)
{
    struct words words = {argc, argv, 1};
    bool only_operands = false;
    int status = KBP_OK;

    memset(args, 0, sizeof *args);
    /* "-vvv" makes more of one word than there are words. */
    for (int i = 1; i < argc; i++)
        args->count += strlen(argv[i]) + 1;
    args->items = calloc(args->count + 1, sizeof *args->items);
    args->count = 0;
    if (!args->items)
        return kb_fail_nomem(err, "the command line");
    while (words.at < argc && !status) {
        const char *word = argv[words.at++];

        if (!only_operands && strcmp(word, "--") == 0)
            only_operands = true;
        else if (!only_operands && strncmp(word, "--", 2) == 0)
            status = parse_long(args, word, &words, err);
        else if (!only_operands && *word == '-' && word[1])
            status = parse_short(args, word, &words, err);
        else if (!args->command)
            status = take_command(args, word, &words, err);
        else
            status = take_operand(args, word, err);
    }
    return status ? status : check_required(args, err);
}

void kb_args_release(struct kb_args *args)
{
    free(args->items);
    memset(args, 0, sizeof *args);
}

size_t kb_args_times(const struct kb_args *args, const char *flag)
{
    size_t times = 0;
    size_t i;

    for (i = 0; i < args->count; i++)
        if (strcmp(args->items[i].flag->name, flag) == 0)
            times++;
    return times;
}

const char *kb_args_nth(const struct kb_args *args, const char *flag,
                        size_t index)
{
    size_t i;

    for (i = 0; i < args->count; i++)
        if (strcmp(args->items[i].flag->name, flag) == 0 && index-- == 0)
            return args->items[i].value;
    return NULL;
}

const char *kb_args_value(const struct kb_args *args, const char *flag)
{
    size_t times = kb_args_times(args, flag);

    return times ? kb_args_nth(args, flag, times - 1) : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_plugin_check.c - `plugin check`: does a plugin keep to the contract? */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "check/check.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/program.h"

struct listing {
    json_t *results; /* NULL: print */
    size_t counts[KB_CHECK_WARN + 1];
};

static void add_json(json_t *results, const struct kb_check_result *result,
                     bool ran)
{
    json_t *one = json_pack("{s:s, s:s, s:s}", "check", result->id, "kind",
                            result->kind, "shows", result->what);

    if (one && *result->type)
        (void)json_object_set_new(one, "type", json_string(result->type));
    if (one && ran) {
        (void)json_object_set_new(one, "outcome",
                                  json_string(kb_check_word(result->outcome)));
        (void)json_object_set_new(one, "ms", json_integer(result->ms));
        if (*result->message)
            (void)json_object_set_new(one, "message",
                                      json_string(result->message));
    }
    if (one)
        (void)json_array_append_new(results, one);
}

static void print_check(void *data, const struct kb_check_result *result)
{
    struct listing *listing = data;

    if (listing->results)
        add_json(listing->results, result, false);
    else
        kb_out("%-8s %-28s %s", result->kind, result->id, result->what);
}

static void print_result(void *data, const struct kb_check_result *result)
{
    struct listing *listing = data;

    listing->counts[result->outcome]++;
    if (listing->results)
        add_json(listing->results, result, true);
    else
        kb_out("%-8s %-8s %-12s %-28s %s", kb_check_word(result->outcome),
               result->kind, result->type, result->id, result->message);
}

static int finish(struct kb_program *program, struct listing *listing,
                  size_t failed)
{
    if (listing->results) {
        kb_output_json(kb_output_format(&program->args), listing->results);
        json_decref(listing->results);
    } else {
        kb_out("%zu passed, %zu failed, %zu skipped, %zu warnings",
               listing->counts[KB_CHECK_PASS], failed,
               listing->counts[KB_CHECK_SKIP], listing->counts[KB_CHECK_WARN]);
    }
    return failed ? KB_EXIT_INVALID : KB_EXIT_OK;
}

/* "name=value", split in place. */
static void split_settings(char **texts, struct kb_kv *kvs, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        char *equals = strchr(texts[i], '=');

        *equals = '\0';
        kvs[i] = (struct kb_kv){texts[i], equals + 1};
    }
}

static int run_checks(struct kb_program *program, struct listing *listing,
                      size_t *failed, struct kbp_error *err)
{
    const struct kb_args *args = &program->args;
    const char *seed = kb_args_value(args, "seed");
    struct kb_check_options options = {
        .only = kb_args_value(args, "only"),
        .kv_count = kb_args_times(args, "set"),
        .in_process = kb_args_times(args, "in-process") > 0,
        .seed = 1,
    };
    char **texts = calloc(options.kv_count + 1, sizeof *texts);
    struct kb_kv *kvs = calloc(options.kv_count + 1, sizeof *kvs);
    size_t i;
    int status = KBP_OK;

    if (!texts || !kvs)
        status = kb_fail_nomem(err, "settings");
    else if (seed)
        (void)kb_parse_u64(seed, &options.seed);
    for (i = 0; i < options.kv_count && status == KBP_OK; i++) {
        texts[i] = kb_strdup(kb_args_nth(args, "set", i));
        if (!texts[i])
            status = kb_fail_nomem(err, "settings");
    }
    options.kvs = kvs;
    if (status == KBP_OK) {
        split_settings(texts, kvs, options.kv_count);
        status = kb_check_run(args->operand, &options, print_result, listing,
                              failed, err);
    }
    for (i = 0; texts && i < options.kv_count; i++)
        free(texts[i]);
    free(texts);
    free(kvs);
    return status;
}

static int run_check(struct kb_program *program)
{
    struct kbp_error err = KB_ERR_INIT;
    struct listing listing = {NULL, {0}};
    size_t failed = 0;

    if (kb_output_format(&program->args) != KB_OUTPUT_TEXT)
        listing.results = json_array();
    if (kb_args_times(&program->args, "list")) {
        kb_check_list(print_check, &listing);
        if (listing.results)
            return finish(program, &listing, 0);
        return KB_EXIT_OK;
    }
    if (run_checks(program, &listing, &failed, &err) != KBP_OK) {
        json_decref(listing.results);
        return kb_program_fail("plugin check", &err);
    }
    return finish(program, &listing, failed);
}

static const struct kb_flag flags[] = {
    {.name = "only",
     .value = "PATTERN",
     .help = "only checks whose name matches; * and ? are wildcards"},
    {.name = "set",
     .value = "NAME=VALUE",
     .flags = KB_FLAG_REPEAT | KB_FLAG_PAIR,
     .help = "a setting to open the plugin with"},
    {.name = "seed",
     .value = "NUMBER",
     .flags = KB_FLAG_NUMBER,
     .help = "of what is random; the same number gives the same again"},
    {.name = "in-process",
     .help = "run checks in this process, for a debugger"},
    {.name = "list",
     .flags = KB_FLAG_BY_SELF,
     .help = "name the checks that there are, and run none"},
    KB_FLAG_FORMAT("text|json|yaml")};

static const struct kb_example examples[] = {
    {"kafka-backup plugin check ./codec_acme.so", "before it is installed"},
    {"kafka-backup plugin check ./storage_acme.so --set bucket=test",
     "a store is tried for real, under a prefix of its own"},
};

const struct kb_command kb_cmd_plugin_check = {
    .name = "plugin check",
    .operand = "FILE",
    .summary = "whether a plugin keeps to the contract",
    .details =
        "Tries FILE as the program would and beyond: where it lies and who "
        "owns it, its libraries, its ABI, what it says of itself, whether it "
        "survives damaged input, keeps to limits and leaves the process "
        "alone. Each check runs in a process of its own. The outcome is pass, "
        "fail, crash, timeout, warn, or skip where a setting is missing. Exit "
        "code 4 if anything failed.",
    KB_FLAGS(flags),
    KB_EXAMPLES(examples),
    .run = run_check};

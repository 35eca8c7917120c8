/* SPDX-License-Identifier: Apache-2.0 */
/* check_module.c - what a plugin says of itself; none of its code runs. */
#include "check/checks.h"

#include <string.h>

#include "base/str.h"

static bool is_filled(const char *text)
{
    return text && *text;
}

static void descriptor_complete(struct kb_check_ctx *ctx)
{
    const struct kbp_module *module = &ctx->plugin->module;
    size_t i;

    if (!is_filled(module->version) || !is_filled(module->vendor) ||
        !is_filled(module->license))
        kb_check_fail(ctx, "version, vendor and license must not be empty");
    for (i = 0; i < ctx->plugin->type_count; i++)
        if (!is_filled(ctx->plugin->types[i].summary))
            kb_check_fail(ctx, "%s has no summary", ctx->plugin->types[i].name);
}

static void check_option(struct kb_check_ctx *ctx, const struct kb_type *type,
                         const struct kbp_option *option)
{
    if (!is_filled(option->help))
        kb_check_fail(ctx, "%s: option %s has no help", type->name,
                      option->name);
    if (strchr(option->help, '\n'))
        kb_check_fail(ctx, "%s: the help of %s has more than one line",
                      type->name, option->name);
    if ((option->flags & KBP_OPTION_REQUIRED) && option->default_value)
        kb_check_fail(ctx, "%s: option %s is required and has a default",
                      type->name, option->name);
    if ((option->flags & KBP_OPTION_SECRET) && option->default_value)
        kb_check_fail(ctx, "%s: option %s is secret and has a default",
                      type->name, option->name);
}

static void options_well_formed(struct kb_check_ctx *ctx)
{
    struct kbp_error err = KB_ERR_INIT;
    struct kb_settings settings;
    struct kbp_option option;
    size_t i;
    uint32_t o;

    for (i = 0; i < ctx->plugin->type_count; i++) {
        struct kb_type type = ctx->plugin->types[i];
        bool required = false;

        for (o = 0; o < type.options.count; o++) {
            kb_option_at(&type.options, o, &option);
            check_option(ctx, &type, &option);
            required |= (option.flags & KBP_OPTION_REQUIRED) != 0;
        }
        /* The defaults must pass what a user's values must. */
        if (!required &&
            kb_settings_check(&type, NULL, 0, &settings, &err) != KBP_OK)
            kb_check_fail(ctx, "a default is wrong: %s", err.message);
        else if (!required)
            kb_settings_release(&settings);
    }
}

static void check_text(struct kb_check_ctx *ctx, const char *text)
{
    if (text && !kb_utf8_ok(text, strlen(text)))
        kb_check_fail(ctx, "a text isn't UTF-8");
}

static void strings_are_utf8(struct kb_check_ctx *ctx)
{
    const struct kbp_module *module = &ctx->plugin->module;
    struct kbp_option option;
    size_t i;
    uint32_t o;

    check_text(ctx, module->version);
    check_text(ctx, module->vendor);
    check_text(ctx, module->license);
    for (i = 0; i < ctx->plugin->type_count; i++) {
        const struct kb_type *type = &ctx->plugin->types[i];

        check_text(ctx, type->summary);
        for (o = 0; o < type->options.count; o++) {
            kb_option_at(&type->options, o, &option);
            check_text(ctx, option.help);
            check_text(ctx, option.default_value);
            check_text(ctx, option.choices);
        }
    }
}

static const struct kb_check checks[] = {
    {"descriptor-complete", "It says who made it, and what each type is.",
     descriptor_complete},
    {"options-well-formed", "Options have help, and defaults that are allowed.",
     options_well_formed},
    {"strings-are-utf8", "All that it says is UTF-8.", strings_are_utf8},
};

KB_CHECK_GROUP(kb_check_module, "module", checks);

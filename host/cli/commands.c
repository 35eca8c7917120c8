/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - all commands, in the order of the help. */
#include "cli/commands.h"

const struct kb_command *const kb_commands[] = {
    &kb_cmd_backup,
    &kb_cmd_restore,
    &kb_cmd_validate_restore,
    &kb_cmd_list,
    &kb_cmd_describe,
    &kb_cmd_validate,
    &kb_cmd_show_offset_mapping,
    &kb_cmd_status,
    &kb_cmd_plugin_list,
    &kb_cmd_plugin_describe,
    &kb_cmd_plugin_check,
    &kb_cmd_config_reference,
};
const size_t kb_command_count = sizeof kb_commands / sizeof kb_commands[0];

const struct kb_flag kb_global_flags[] = {
    {.name = "verbose",
     .letter = 'v',
     .flags = KB_FLAG_REPEAT,
     .help = "log more: -v what is decided, -vv what plugins trace"},
    {.name = "quiet",
     .letter = 'q',
     .help = "log only warnings and errors, and no progress"},
    {.name = "log-format",
     .value = "FORMAT",
     .choices = "text|json",
     .help = "how log lines are written to stderr: text or json"},
    {.name = "no-progress", .help = "no progress line, also on a terminal"},
    {.name = "plugin-dir",
     .value = "DIR",
     .flags = KB_FLAG_REPEAT,
     .help = "where plugins are, first match wins; otherwise "
             "KAFKA_BACKUP_PLUGIN_DIR (a list with colons), otherwise where "
             "they were installed"},
    {.name = "help", .letter = 'h', .help = "this text"},
    {.name = "version", .letter = 'V', .help = "the version"},
};
const size_t kb_global_flag_count =
    sizeof kb_global_flags / sizeof kb_global_flags[0];

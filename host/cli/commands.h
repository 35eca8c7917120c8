/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - the commands, each in its cmd_*.c; and flags they share. */
#ifndef KB_CLI_COMMANDS_H
#define KB_CLI_COMMANDS_H

#include "cli/args.h"

extern const struct kb_command kb_cmd_backup;
extern const struct kb_command kb_cmd_restore;
extern const struct kb_command kb_cmd_validate_restore;
extern const struct kb_command kb_cmd_list;
extern const struct kb_command kb_cmd_describe;
extern const struct kb_command kb_cmd_validate;
extern const struct kb_command kb_cmd_show_offset_mapping;
extern const struct kb_command kb_cmd_status;
extern const struct kb_command kb_cmd_plugin_list;
extern const struct kb_command kb_cmd_plugin_describe;
extern const struct kb_command kb_cmd_plugin_check;
extern const struct kb_command kb_cmd_config_reference;

#define KB_FLAG_CONFIG(more)                                               \
    {                                                                      \
        .name = "config", .letter = 'c', .value = "FILE", .flags = (more), \
        .help = "the configuration (docs/CONFIG.md); - is stdin"           \
    }

#define KB_FLAG_FORMAT(all)                                                   \
    {                                                                         \
        .name = "format", .letter = 'f', .value = "FORMAT", .choices = (all), \
        .help = "how the result is printed: " all                             \
    }

/* How commands that look at a store are told which. */
#define KB_FLAGS_STORE                                                   \
    {.name = "path",                                                     \
     .letter = 'p',                                                      \
     .value = "STORE",                                                   \
     .help = "a local folder, or a URL whose scheme is a storage "       \
             "plugin's: file:///backups, s3://bucket/prefix"},           \
        {.name = "option",                                               \
         .letter = 'o',                                                  \
         .value = "NAME=VALUE",                                          \
         .flags = KB_FLAG_REPEAT | KB_FLAG_PAIR,                         \
         .help = "an option of that plugin (`plugin describe` lists "    \
                 "them); ${VARIABLE} in it is expanded here, so that a " \
                 "secret need not stand on the command line"},           \
    {                                                                    \
        .name = "config", .letter = 'c', .value = "FILE",                \
        .help = "take store and backup from a configuration instead"     \
    }

#define KB_FLAG_BACKUP_ID(more)                                             \
    {                                                                       \
        .name = "backup-id", .letter = 'b', .value = "ID", .flags = (more), \
        .help = "which backup"                                              \
    }

#endif

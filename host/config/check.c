/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - the rules that concern several keys. */
#include <regex.h>
#include <string.h>

#include "base/clock.h"
#include "config/key.h"
#include "config/reader.h"

#define COMPLAIN(notes, ...) kb_note(notes, true, 0, __VA_ARGS__)
#define REMARK(notes, ...) kb_note(notes, false, 0, __VA_ARGS__)

/* The id is the first part of object keys, and a folder's name. */
static void check_backup_id(const char *id, struct kb_notes *notes)
{
    const char *at;

    if (!id)
        return;
    if (strlen(id) > 200)
        COMPLAIN(notes, "backup_id: is longer than 200 bytes");
    if (*id == '.')
        COMPLAIN(notes, "backup_id: must not begin with a dot");
    for (at = id; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f ||
            strchr("/\\*?\"<>|", *at)) {
            COMPLAIN(notes,
                     "backup_id: must not have slashes, control characters or "
                     "any of \\*?\"<>| in it");
            return;
        }
}

static bool has_setting(const struct kb_security_settings *security,
                        const char *name)
{
    return kb_setting_value(&security->sasl, name) != NULL;
}

static void check_security(const struct kb_security_settings *s,
                           const char *section, struct kb_notes *notes)
{
    bool sasl = s->protocol == KB_SASL_PLAINTEXT || s->protocol == KB_SASL_SSL;
    bool tls = s->protocol == KB_SSL || s->protocol == KB_SASL_SSL;

    if (sasl && !s->sasl_mechanism)
        COMPLAIN(notes,
                 "%s.security.sasl_mechanism: is required with a SASL "
                 "protocol: PLAIN, SCRAM-SHA-512, GSSAPI, OAUTHBEARER...",
                 section);
    if (!sasl && (s->sasl_mechanism || s->sasl.count))
        REMARK(notes,
               "%s.security: the sasl_* keys aren't used, for "
               "security_protocol is %s",
               section, tls ? "SSL" : "PLAINTEXT");
    if (!tls && (s->ssl_ca_location || s->ssl_certificate_location ||
                 s->ssl_key_location))
        REMARK(notes,
               "%s.security: the ssl_* keys aren't used, for "
               "security_protocol is %s",
               section, sasl ? "SASL_PLAINTEXT" : "PLAINTEXT");
    if (!s->ssl_certificate_location != !s->ssl_key_location)
        COMPLAIN(notes,
                 "%s.security: ssl_certificate_location and ssl_key_location "
                 "need each other",
                 section);
    if (s->ssl_key_password.text && s->ssl_key_password_file)
        COMPLAIN(notes,
                 "%s.security: ssl_key_password and ssl_key_password_file are "
                 "two ways to say one thing; keep one",
                 section);
    if (has_setting(s, "sasl_password") && has_setting(s, "sasl_password_file"))
        COMPLAIN(notes,
                 "%s.security: sasl_password and sasl_password_file are two "
                 "ways to say one thing; keep one",
                 section);
}

static void check_patterns(const struct kb_strings *patterns, bool regex,
                           const char *section, struct kb_notes *notes)
{
    size_t i;

    for (i = 0; i < patterns->count; i++) {
        const char *pattern = patterns->items[i];
        regex_t compiled;
        char why[128];
        int code;

        if (*pattern != '~')
            continue;
        if (!regex) {
            COMPLAIN(notes,
                     "%s.topics: pattern %zu begins with ~: regular "
                     "expressions are for restores; use * and ?",
                     section, i + 1);
            continue;
        }
        code = regcomp(&compiled, pattern + 1, REG_EXTENDED | REG_NOSUB);
        if (code) {
            regerror(code, &compiled, why, sizeof why);
            COMPLAIN(notes, "%s.topics: pattern %zu: %s", section, i + 1, why);
        } else {
            regfree(&compiled);
        }
    }
}

static void check_backup(const struct kb_config *config, struct kb_notes *notes)
{
    const struct kb_backup_settings *b = &config->backup;

    if (!config->source.present)
        COMPLAIN(notes, "source: is required for mode: backup");
    if (b->continuous && b->stop_at_current_offsets)
        COMPLAIN(notes,
                 "backup: continuous and stop_at_current_offsets contradict "
                 "each other");
    if (b->internal_topics.count && !b->include_internal_topics)
        REMARK(notes, "backup.internal_topics: isn't used without "
                      "include_internal_topics: true");
    if (b->start_offset.kind == KB_START_LATEST)
        REMARK(notes,
               "backup.start_offset: latest leaves out all that is in the "
               "topics now");
}

static void check_targets(const struct kb_pairs *mapping,
                          struct kb_notes *notes)
{
    static const char *const brokers_own[] = {
        "__consumer_offsets", "__transaction_state", "__share_group_state",
        "__remote_log_metadata", "__cluster_metadata"};
    size_t i;
    size_t j;

    for (i = 0; i < mapping->count; i++) {
        for (j = 0; j < sizeof brokers_own / sizeof brokers_own[0]; j++)
            if (strcmp(mapping->items[i].value, brokers_own[j]) == 0)
                kb_note(notes, true, mapping->items[i].line,
                        "restore.topic_mapping: %s is the broker's own; "
                        "nothing is ever restored into it",
                        brokers_own[j]);
        if (!*mapping->items[i].value)
            kb_note(notes, true, mapping->items[i].line,
                    "restore.topic_mapping.%s: the target has no name",
                    mapping->items[i].key);
    }
}

static void check_restore(const struct kb_config *config,
                          struct kb_notes *notes)
{
    const struct kb_restore_settings *r = &config->restore;
    char from[KB_TIME_TEXT];
    char to[KB_TIME_TEXT];

    if (!config->target.present)
        COMPLAIN(notes, "target: is required for mode: restore");
    if (r->time_window_start != KB_UNSET && r->time_window_end != KB_UNSET &&
        r->time_window_start > r->time_window_end)
        COMPLAIN(notes,
                 "restore: time_window_start (%s) is after time_window_end "
                 "(%s)",
                 kb_time_text(from, r->time_window_start),
                 kb_time_text(to, r->time_window_end));
    if (r->reset_consumer_offsets && !r->consumer_groups.count &&
        !r->auto_consumer_groups)
        COMPLAIN(notes,
                 "restore.reset_consumer_offsets: needs consumer_groups, or "
                 "auto_consumer_groups: true");
    if (r->default_replication_factor == 0)
        COMPLAIN(notes,
                 "restore.default_replication_factor: has to be 1 or more, or "
                 "-1 for the broker's default");
    if (r->include_original_offset_header && r->strip_offset_headers)
        COMPLAIN(notes, "restore: include_original_offset_header and "
                        "strip_offset_headers contradict each other");
    if (r->consumer_group_strategy > KB_GROUPS_HEADER_BASED)
        REMARK(notes,
               "restore.consumer_group_strategy: has no effect: offsets are "
               "translated exactly by reset_consumer_offsets or "
               "auto_consumer_groups");
    check_targets(&r->topic_mapping, notes);
}

void kb_config_check(const struct kb_config *config, struct kb_notes *notes)
{
    check_backup_id(config->backup_id, notes);
    if (config->mode == KB_MODE_BACKUP) {
        check_backup(config, notes);
    } else {
        check_restore(config, notes);
    }
    check_security(&config->source.security, "source", notes);
    check_security(&config->target.security, "target", notes);
    check_patterns(&config->source.topics_include, false, "source", notes);
    check_patterns(&config->source.topics_exclude, false, "source", notes);
    check_patterns(&config->target.topics_include, true, "target", notes);
    check_patterns(&config->target.topics_exclude, true, "target", notes);
    if (config->metrics.path && *config->metrics.path != '/')
        COMPLAIN(notes, "metrics.path: has to begin with a slash");
}

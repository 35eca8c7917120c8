/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - the keys of a backup's objects. */
#include "archive/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

/* Years that aren't four digits would break the order of names. */
#define LAST_MS INT64_C(253402300799999)

char *kb_run_name(char *out, int64_t wall_ms)
{
    char text[64];
    struct tm tm;
    time_t seconds;

    if (wall_ms < 0)
        wall_ms = 0;
    if (wall_ms > LAST_MS)
        wall_ms = LAST_MS;
    seconds = (time_t)(wall_ms / 1000);
    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(text, sizeof text, "%04d%02d%02dT%02d%02d%02d%03dZ",
                   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                   tm.tm_min, tm.tm_sec, (int)(wall_ms % 1000));
    memcpy(out, text, KB_RUN_TEXT - 1);
    out[KB_RUN_TEXT - 1] = '\0';
    return out;
}

static int digits(const char *text, int count)
{
    int value = 0;

    while (count-- > 0)
        value = value * 10 + (*text++ - '0');
    return value;
}

static bool shaped_like(const char *text, const char *shape)
{
    for (; *shape != '\0'; shape++, text++)
        if (*shape == '0' ? *text < '0' || *text > '9' : *text != *shape)
            return false;
    return true;
}

bool kb_run_parse(const char *text, int64_t *wall_ms)
{
    struct tm tm = {0};
    char again[KB_RUN_TEXT];
    int64_t ms;

    if (!shaped_like(text, "00000000T000000000Z"))
        return false;
    tm.tm_year = digits(text, 4) - 1900;
    tm.tm_mon = digits(text + 4, 2) - 1;
    tm.tm_mday = digits(text + 6, 2);
    tm.tm_hour = digits(text + 9, 2);
    tm.tm_min = digits(text + 11, 2);
    tm.tm_sec = digits(text + 13, 2);
    ms = (int64_t)timegm(&tm) * 1000 + digits(text + 15, 3);
    /* The 31st of February has another name. */
    if (memcmp(kb_run_name(again, ms), text, KB_RUN_TEXT - 1) != 0)
        return false;
    *wall_ms = ms;
    return true;
}

char *kb_name_text(char *out, const struct kb_name *name)
{
    (void)snprintf(out, KB_NAME_TEXT, "%s-%03u-%08u", name->run,
                   name->worker % (KB_WORKER_MAX + 1),
                   name->seq % (KB_SEQUENCE_MAX + 1));
    return out;
}

bool kb_name_parse(const char *text, size_t len, struct kb_name *name)
{
    int64_t ms;

    if (len != 32 || !shaped_like(text, "00000000T000000000Z-000-00000000") ||
        !kb_run_parse(text, &ms))
        return false;
    memcpy(name->run, text, KB_RUN_TEXT - 1);
    name->run[KB_RUN_TEXT - 1] = '\0';
    name->worker = (uint32_t)digits(text + 20, 3);
    name->seq = (uint32_t)digits(text + 24, 8);
    return name->seq > 0;
}

int kb_name_compare(const struct kb_name *a, const struct kb_name *b)
{
    int order = strcmp(a->run, b->run);

    if (order != 0)
        return order;
    if (a->worker != b->worker)
        return a->worker < b->worker ? -1 : 1;
    return a->seq == b->seq ? 0 : a->seq < b->seq ? -1 : 1;
}

int kb_backup_id_check(const char *backup_id, struct kbp_error *err)
{
    size_t len = strlen(backup_id);
    size_t i;

    if (len == 0)
        return kb_fail(err, KBP_ERR_CONFIG, "the backup id is empty");
    if (len > 200)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "the backup id has %zu bytes, 200 are allowed", len);
    if (strcmp(backup_id, ".") == 0 || strcmp(backup_id, "..") == 0 ||
        !kb_utf8_ok(backup_id, len))
        return kb_fail(err, KBP_ERR_CONFIG,
                       "the backup id can't be part of an object's name");
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)backup_id[i];

        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
            return kb_fail(err, KBP_ERR_CONFIG,
                           "the backup id \"%s\" has a slash, a backslash or "
                           "a control character in it",
                           backup_id);
    }
    return KBP_OK;
}

char *kb_key_manifest(const char *backup_id)
{
    return kb_asprintf("%s/manifest.json", backup_id);
}

char *kb_key_log_prefix(const char *backup_id)
{
    return kb_asprintf("%s/manifest/", backup_id);
}

char *kb_key_log(const char *backup_id, const struct kb_name *name)
{
    char text[KB_NAME_TEXT];

    return kb_asprintf("%s/manifest/%s.json", backup_id,
                       kb_name_text(text, name));
}

char *kb_key_segment_prefix(const char *backup_id)
{
    return kb_asprintf("%s/segments/", backup_id);
}

char *kb_key_groups_prefix(const char *backup_id)
{
    return kb_asprintf("%s/groups/", backup_id);
}

char *kb_key_segment(const char *backup_id, const struct kb_name *name)
{
    char text[KB_NAME_TEXT];

    return kb_asprintf("%s/segments/%s.kbs", backup_id,
                       kb_name_text(text, name));
}

char *kb_key_groups(const char *backup_id, const struct kb_name *name)
{
    char text[KB_NAME_TEXT];

    return kb_asprintf("%s/groups/%s.json", backup_id,
                       kb_name_text(text, name));
}

char *kb_key_lease(const char *backup_id)
{
    return kb_asprintf("%s/lease.json", backup_id);
}

bool kb_key_name(const char *key, const char *prefix, const char *suffix,
                 struct kb_name *name)
{
    size_t prefix_len = strlen(prefix);
    size_t suffix_len = strlen(suffix);
    size_t len = strlen(key);

    return len == prefix_len + 32 + suffix_len &&
           memcmp(key, prefix, prefix_len) == 0 &&
           strcmp(key + len - suffix_len, suffix) == 0 &&
           kb_name_parse(key + prefix_len, 32, name);
}

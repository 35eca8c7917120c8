/* SPDX-License-Identifier: Apache-2.0 */
/* str.c - text: numbers with units, patterns, "did you mean". */
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool kb_parse_i64(const char *text, int64_t *value)
{
    char *end;
    long long parsed;

    if (!text || !(*text == '-' || (*text >= '0' && *text <= '9')))
        return false;
    errno = 0;
    parsed = strtoll(text, &end, 10);
    if (errno || *end || end == text)
        return false;
    *value = parsed;
    return true;
}

bool kb_parse_u64(const char *text, uint64_t *value)
{
    char *end;
    unsigned long long parsed;

    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    parsed = strtoull(text, &end, 10);
    if (errno || *end)
        return false;
    *value = parsed;
    return true;
}

bool kb_parse_double(const char *text, double *value)
{
    char *end;
    double parsed;

    if (!text || !*text)
        return false;
    errno = 0;
    parsed = strtod(text, &end);
    if (errno || *end || end == text)
        return false;
    *value = parsed;
    return true;
}

/* "12" or "1.5" in front of a unit; no sign, no exponent. */
static bool leading_number(const char *text, const char **rest, double *value)
{
    const char *at = text;
    double scale = 1;
    double sum = 0;

    while (*at >= '0' && *at <= '9')
        sum = sum * 10 + (*at++ - '0');
    if (at == text)
        return false;
    if (*at == '.') {
        for (at++; *at >= '0' && *at <= '9'; at++) {
            scale /= 10;
            sum += scale * (*at - '0');
        }
    }
    *rest = at;
    *value = sum;
    return true;
}

bool kb_parse_bytes(const char *text, uint64_t *bytes)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = {
        {"b", 1},
        {"k", 1024},
        {"kb", 1e3},
        {"kib", 1024},
        {"m", 1048576},
        {"mb", 1e6},
        {"mib", 1048576},
        {"g", 1073741824},
        {"gb", 1e9},
        {"gib", 1073741824},
        {"t", 1099511627776},
        {"tb", 1e12},
        {"tib", 1099511627776},
    };
    const char *unit;
    double value;
    size_t i;

    if (kb_parse_u64(text, bytes))
        return true;
    if (!text || !leading_number(text, &unit, &value))
        return false;
    while (*unit == ' ')
        unit++;
    for (i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcasecmp(unit, units[i].unit) == 0) {
            value *= units[i].factor;
            if (value >= 9.2e18)
                return false;
            *bytes = (uint64_t)value;
            return true;
        }
    return false;
}

bool kb_parse_ms(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = {
        {"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}};
    double total = 0;
    const char *at = text;

    if (kb_parse_i64(text, ms))
        return true;
    if (!text || !*text)
        return false;
    while (*at) {
        const char *unit;
        double value;
        size_t i;
        size_t len = 0;

        if (!leading_number(at, &unit, &value))
            return false;
        while (unit[len] >= 'a' && unit[len] <= 'z')
            len++;
        for (i = 0; i < sizeof units / sizeof units[0]; i++)
            if (strlen(units[i].unit) == len &&
                strncmp(unit, units[i].unit, len) == 0)
                break;
        if (i == sizeof units / sizeof units[0])
            return false;
        total += value * units[i].factor;
        at = unit + len;
    }
    if (total >= 9.2e18)
        return false;
    *ms = (int64_t)total;
    return true;
}

char *kb_bytes_text(char *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    unsigned i = 0;

    while (value >= 1024 && i + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        i++;
    }
    (void)snprintf(out, 32, i == 0 ? "%.0f %s" : "%.1f %s", value, units[i]);
    return out;
}

char *kb_duration_text(char *out, int64_t ms)
{
    int64_t s = ms / 1000;

    if (ms < 1000)
        (void)snprintf(out, 32, "%lld ms", (long long)ms);
    else if (s < 60)
        (void)snprintf(out, 32, "%lld.%lld s", (long long)s,
                       (long long)(ms % 1000 / 100));
    else if (s < 3600)
        (void)snprintf(out, 32, "%lldm %llds", (long long)(s / 60),
                       (long long)(s % 60));
    else if (s < 86400)
        (void)snprintf(out, 32, "%lldh %lldm", (long long)(s / 3600),
                       (long long)(s % 3600 / 60));
    else
        (void)snprintf(out, 32, "%lldd %lldh", (long long)(s / 86400),
                       (long long)(s % 86400 / 3600));
    return out;
}

static const char *next_char(const char *at)
{
    at++;
    while ((*at & 0xc0) == 0x80)
        at++;
    return at;
}

bool kb_glob_match(const char *pattern, const char *text)
{
    const char *star = NULL; /* where to go back to: after the last `*`... */
    const char *from = NULL; /* ... and one character further in the text */

    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (*pattern == '?') {
            pattern++;
            text = next_char(text);
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            from = next_char(from);
            text = from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

#define WORD_MAX 64u

/* Edits from one to the other: insert, delete, replace, swap neighbours. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1];
    size_t la = strlen(a);
    size_t lb = strlen(b);
    size_t i;
    size_t j;

    if (la > WORD_MAX || lb > WORD_MAX)
        return WORD_MAX;
    for (j = 0; j <= lb; j++)
        rows[0][j] = (unsigned)j;
    for (i = 1; i <= la; i++) {
        unsigned *now = rows[i % 3];
        const unsigned *last = rows[(i - 1) % 3];
        const unsigned *before = rows[(i + 1) % 3];

        now[0] = (unsigned)i;
        for (j = 1; j <= lb; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[la % 3][lb];
}

const char *kb_did_you_mean(const char *word, const char *const *names,
                            size_t count)
{
    const char *best = NULL;
    size_t len = strlen(word);
    unsigned limit = len < 4 ? 1 : len < 9 ? 2 : 3;
    unsigned least = limit + 1;
    size_t i;

    for (i = 0; i < count; i++) {
        unsigned d = distance(word, names[i]);

        if (d < least) {
            least = d;
            best = names[i];
        }
    }
    return best;
}

char *kb_strdup(const char *text)
{
    return strdup(text);
}

char *kb_asprintf(const char *fmt, ...)
{
    va_list ap;
    char *text;
    int len;

    va_start(ap, fmt);
    len = vasprintf(&text, fmt, ap);
    va_end(ap);
    return len < 0 ? NULL : text;
}

bool kb_utf8_ok(const void *bytes, size_t len)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *at = bytes;
    const unsigned char *end = at + len;

    while (at < end) {
        unsigned more = *at < 0x80 ? 0 : *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : 1;
        uint32_t code = more ? *at & (0x3fu >> more) : *at;
        unsigned i;

        if ((*at & 0xc0) == 0x80 || *at > 0xf4 || (size_t)(end - at) <= more)
            return false;
        for (i = 1; i <= more; i++) {
            if ((at[i] & 0xc0) != 0x80)
                return false;
            code = code << 6 | (at[i] & 0x3fu);
        }
        if (code < least[more] || code > 0x10ffff ||
            (code >= 0xd800 && code < 0xe000))
            return false;
        at += more + 1;
    }
    return true;
}

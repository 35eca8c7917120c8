/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - log lines on stderr, as text or as JSON. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <kafka-backup/util.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 2048

static enum kb_log_format log_format = KB_LOG_TEXT;
static int32_t max_level = KBP_LOG_INFO;
static void (*before_line)(void);
static void (*after_line)(void);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void kb_log_init(enum kb_log_format format, int32_t level)
{
    log_format = format;
    max_level = level;
}

int32_t kb_log_level(void)
{
    return max_level;
}

bool kb_log_on(int32_t level)
{
    return level <= max_level;
}

void kb_log_around(void (*before)(void), void (*after)(void))
{
    (void)pthread_mutex_lock(&lock);
    before_line = before;
    after_line = after;
    (void)pthread_mutex_unlock(&lock);
}

static const char *level_word(int32_t level)
{
    switch (level) {
    case KBP_LOG_ERROR:
        return "error";
    case KBP_LOG_WARN:
        return "warn";
    case KBP_LOG_INFO:
        return "info";
    default:
        return "debug";
    }
}

static void put_json_string(const char *text)
{
    const char *at;

    (void)fputc('"', stderr);
    for (at = text; *at; at++) {
        if (*at == '"' || *at == '\\')
            (void)fputc('\\', stderr);
        (void)fputc(*at, stderr);
    }
    (void)fputc('"', stderr);
}

static void write_line(int32_t level, const char *message)
{
    char time[KB_TIME_TEXT];
    char upper[8];
    const char *word = level_word(level);
    size_t i;

    (void)kb_time_text(time, kb_wall_ms());
    (void)pthread_mutex_lock(&lock);
    if (before_line)
        before_line();
    if (log_format == KB_LOG_JSON) {
        (void)fprintf(stderr,
                      "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time,
                      word);
        put_json_string(message);
        (void)fputs("}\n", stderr);
    } else {
        for (i = 0; word[i] && i + 1 < sizeof upper; i++)
            upper[i] = (char)(word[i] - 'a' + 'A');
        upper[i] = '\0';
        (void)fprintf(stderr, "%s %-5s %s\n", time, upper, message);
    }
    (void)fflush(stderr);
    if (after_line)
        after_line();
    (void)pthread_mutex_unlock(&lock);
}

void kb_log(int32_t level, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;

    if (!kb_log_on(level))
        return;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    kbp_one_line(line, sizeof line);
    write_line(level, line);
}

void kb_log_err(int32_t level, const char *what, const struct kbp_error *err)
{
    const char *message =
        *err->message ? err->message : kb_status_text(err->status);

    kb_log(level, "%s%s%s%s%s", what ? what : "", what ? ": " : "", message,
           *err->hint ? "; " : "", err->hint);
}

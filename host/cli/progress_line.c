/* SPDX-License-Identifier: Apache-2.0 */
/* progress_line.c - the live line on the terminal. */
#include "cli/progress_line.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/str.h"
#include "base/thread.h"
#include "cli/output.h"

#define LINE_BYTES 256
#define PERIOD_MS 500
#define LOOKS 10 /* speed is that of the last five seconds */

static struct {
    pthread_t thread;
    bool running;
    struct kb_stop stop;
    struct kb_progress *progress;
    const char *what;
    char text[LINE_BYTES]; /* guarded by stderr's own lock */
} line;

static unsigned long long read_of(atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_eta(struct kb_buf *out, struct kb_progress *progress,
                    unsigned long long done, unsigned long long total)
{
    int64_t started = atomic_load(&progress->started_ms);
    int64_t passed = kb_now_ms() - started;
    char text[32];

    /* The first seconds say nothing about the rest. */
    if (!started || passed < 2000 || !done || done >= total)
        return;
    kb_buf_printf(out, "  ETA %s",
                  kb_duration_text(
                      text, (int64_t)((double)passed * (double)(total - done) /
                                      (double)done)));
}

/*
 * Offsets are done once they are durable, in large steps; in between what has
 * been read says more.
 */
static unsigned long long done_of(struct kb_progress *progress,
                                  unsigned long long records)
{
    unsigned long long done = read_of(&progress->offsets_done);

    return records > done ? records : done;
}

char *kb_progress_text(char *out, size_t size, const char *what,
                       struct kb_progress *progress,
                       const struct kb_progress_look *before)
{
    unsigned long long records = read_of(&progress->records);
    unsigned long long bytes = read_of(&progress->bytes);
    unsigned long long done = done_of(progress, records);
    unsigned long long total = read_of(&progress->offsets_total);
    unsigned long long parts = read_of(&progress->partitions_total);
    int phase = atomic_load(&progress->phase);
    struct kb_buf text = KB_BUF_INIT;
    char one[32];

    kb_buf_printf(&text, "%s", what);
    if (phase == KB_PHASE_STARTING) {
        kb_buf_add_str(&text, "  starting");
    } else {
        if (phase == KB_PHASE_FINISHING)
            kb_buf_add_str(&text, "  finishing");
        if (phase != KB_PHASE_TAILING && total)
            kb_buf_printf(&text, "  %3.0f %%",
                          100.0 * (double)(done < total ? done : total) /
                              (double)total);
        kb_buf_printf(&text, "  %s", kb_bytes_text(one, bytes));
        if (phase == KB_PHASE_FINISHING)
            kb_buf_printf(&text, ", %s stored",
                          kb_bytes_text(one, read_of(&progress->stored_bytes)));
        if (before->ago_ms > 0) {
            double seconds = (double)before->ago_ms / 1000;

            kb_buf_printf(
                &text, "  %s/s",
                kb_bytes_text(one, (uint64_t)((double)(bytes - before->bytes) /
                                              seconds)));
            kb_buf_printf(
                &text, "  %s records/s",
                kb_count_text(
                    one,
                    (uint64_t)((double)(records - before->records) / seconds)));
        }
        if (parts)
            kb_buf_printf(&text, "  %llu/%llu partitions",
                          read_of(&progress->partitions_done), parts);
        if (phase == KB_PHASE_TAILING)
            kb_buf_printf(&text, "  lag %s",
                          kb_count_text(one, read_of(&progress->lag_records)));
        else
            add_eta(&text, progress, done, total);
    }
    (void)snprintf(out, size, "%.*s", text.failed ? 0 : (int)text.len,
                   text.data ? (const char *)text.data : "");
    kb_buf_release(&text);
    return out;
}

static size_t columns(void)
{
    struct winsize window;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) || window.ws_col < 20)
        return 79;
    return window.ws_col - 1u;
}

static void erase(void)
{
    (void)fputs("\r\033[K", stderr);
}

static void draw(void)
{
    (void)fprintf(stderr, "\r%.*s\033[K", (int)columns(), line.text);
    (void)fflush(stderr);
}

static void *run(void *data)
{
    struct kb_progress_look looks[LOOKS];
    int64_t times[LOOKS];
    unsigned turn = 0;
    char text[LINE_BYTES];

    (void)data;
    while (!kb_stop_sleep(&line.stop, PERIOD_MS)) {
        int64_t now = kb_now_ms();
        struct kb_progress_look before = {0, 0, 0};
        unsigned at = turn % LOOKS;

        if (turn > 0) {
            unsigned oldest = turn >= LOOKS ? at : 0;

            before = looks[oldest];
            before.ago_ms = now - times[oldest];
        }
        (void)kb_progress_text(text, sizeof text, line.what, line.progress,
                               &before);
        looks[at].records = read_of(&line.progress->records);
        looks[at].bytes = read_of(&line.progress->bytes);
        times[at] = now;
        turn++;
        flockfile(stderr);
        (void)snprintf(line.text, sizeof line.text, "%s", text);
        draw();
        funlockfile(stderr);
    }
    return NULL;
}

int kb_progress_line_start(const char *what, struct kb_progress *progress,
                           struct kbp_error *err)
{
    int status = kb_stop_init(&line.stop, err);

    if (status)
        return status;
    line.what = what;
    line.progress = progress;
    line.text[0] = '\0';
    status = kb_thread_start(&line.thread, "progress", run, NULL, err);
    if (status) {
        kb_stop_release(&line.stop);
        return status;
    }
    line.running = true;
    kb_log_around(erase, draw);
    return KBP_OK;
}

void kb_progress_line_stop(void)
{
    if (!line.running)
        return;
    kb_stop_request(&line.stop);
    (void)pthread_join(line.thread, NULL);
    kb_log_around(NULL, NULL);
    kb_stop_release(&line.stop);
    line.running = false;
    erase();
    (void)fflush(stderr);
}

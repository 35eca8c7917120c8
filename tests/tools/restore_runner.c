/* SPDX-License-Identifier: Apache-2.0 */
/* restore_runner.c - kb_restore_run() alone. */
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "config/config.h"
#include "metrics/progress.h"
#include "plugin/registry.h"
#include "restore/restore.h"

static struct kb_stop stop;

static void on_signal(int number)
{
    (void)number;
    kb_stop_request(&stop);
}

int main(int argc, char **argv)
{
    struct kb_registry registry = {0};
    struct kb_restore_report report = {0};
    struct kb_config config = {0};
    struct kb_notes notes = {0};
    struct kbp_error err = KB_ERR_INIT;
    const char *dirs[1];
    int status;
    size_t i;

    if (argc != 3)
        return 2;
    dirs[0] = argv[1];
    kb_log_init(KB_LOG_TEXT, KBP_LOG_DEBUG);
    (void)kb_stop_init(&stop, &err);
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGPIPE, SIG_IGN);
    status = kb_registry_init(&registry, dirs, 1, &err);
    if (!status)
        status = kb_config_load(argv[2], &config, &notes, &err);
    for (i = 0; i < notes.count; i++)
        fprintf(stderr, "%u: %s\n", notes.items[i].line, notes.items[i].text);
    kb_progress_init(kb_progress_main());
    if (!status)
        status = kb_restore_run(&config, &registry, NULL, &stop, &report, &err);
    if (report.json)
        (void)json_dumpf(report.json, stdout, JSON_INDENT(1));
    if (status)
        kb_log_err(KBP_LOG_ERROR, "restore", &err);
    status = status ? 100 : (int)report.outcome;
    kb_restore_report_release(&report);
    kb_config_release(&config);
    kb_notes_release(&notes);
    kb_registry_release(&registry);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_status.c - `status`: who writes and restores a backup, and how far it
   is. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/archive_view.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/restores.h"

static json_t *writer_json(const struct kb_lease_holder *holder)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:b}", "host", holder->host, "pid",
                     (json_int_t)holder->pid, "since",
                     (json_int_t)holder->taken_ms, "renewed_at",
                     (json_int_t)holder->renewed_ms, "expired",
                     (int)holder->expired);
}

static void print_writer(const struct kb_lease_holder *holder)
{
    char since[KB_TIME_TEXT];
    char renewed[KB_TIME_TEXT];

    kb_out("Writer:              %s, process %" PRId64 ", since %s%s",
           holder->host, holder->pid, kb_time_text(since, holder->taken_ms),
           holder->expired ? "; it seems to be dead" : "");
    kb_out("                     last sign of life %s",
           kb_time_text(renewed, holder->renewed_ms));
}

static void print_restores(const struct kb_restore_leases *restores)
{
    char since[KB_TIME_TEXT];
    size_t i;

    for (i = 0; i < restores->count; i++) {
        const struct kb_lease_holder *holder = &restores->items[i].holder;

        kb_out("Restore:             %s: %s, process %" PRId64 ", since %s%s",
               restores->items[i].id, holder->host, holder->pid,
               kb_time_text(since, holder->taken_ms),
               holder->expired ? "; it seems to be dead" : "");
    }
}

static json_t *restores_json(const struct kb_restore_leases *restores)
{
    json_t *out = json_array();
    size_t i;

    for (i = 0; i < restores->count; i++) {
        json_t *item = writer_json(&restores->items[i].holder);

        (void)json_object_set_new(item, "restore",
                                  json_string(restores->items[i].id));
        (void)json_array_append_new(out, item);
    }
    return out;
}

static void print_last_run(const struct kb_manifest *m)
{
    const struct kb_run *last =
        m->run_count ? &m->runs[m->run_count - 1] : NULL;
    char text[KB_TIME_TEXT];
    size_t i;

    if (!last)
        return;
    kb_out("Last run:            %s, began %s",
           kb_run_status_word(last->status),
           kb_time_text(text, last->began_ms));
    if (last->ended_ms)
        kb_out("                     ended %s",
               kb_time_text(text, last->ended_ms));
    for (i = 0; i < last->reason_count; i++)
        kb_out("                     %s%s%s",
               last->reasons[i].topic ? last->reasons[i].topic : "",
               last->reasons[i].topic ? ": " : "", last->reasons[i].text);
}

static void print_text(const struct kb_archive_view *view,
                       const struct kb_lease_holder *holder,
                       const struct kb_restore_leases *restores)
{
    struct kb_archive_totals totals;
    char one[32];

    kb_archive_totals(view->manifest, &totals);
    kb_out("=== Backup Status: %s ===", view->backup_id);
    if (holder)
        print_writer(holder);
    else
        kb_out("Writer:              none");
    print_restores(restores);
    print_last_run(view->manifest);
    kb_out("Stored:              %s records in %" PRIu64 " segments of %s",
           kb_count_text(one, totals.records), totals.segments,
           kb_bytes_text((char[32]){0}, totals.stored_bytes));
    kb_out("Topics, partitions:  %" PRIu64 ", %" PRIu64, totals.topics,
           totals.partitions);
}

static json_t *status_json(const struct kb_archive_view *view,
                           const struct kb_lease_holder *holder,
                           const struct kb_restore_leases *restores)
{
    json_t *all = kb_archive_json(view->manifest);
    json_t *out = json_object();
    const json_t *runs = json_object_get(all, "runs");
    size_t count = json_array_size(runs);

    (void)json_object_set_new(out, "backup_id", json_string(view->backup_id));
    (void)json_object_set_new(out, "writer",
                              holder ? writer_json(holder) : json_null());
    (void)json_object_set_new(out, "restores", restores_json(restores));
    if (count)
        (void)json_object_set(out, "last_run", json_array_get(runs, count - 1));
    else
        (void)json_object_set_new(out, "last_run", json_null());
    (void)json_object_set(out, "summary", json_object_get(all, "summary"));
    json_decref(all);
    return out;
}

/* What is in the store now; of a view that is open only what is new. */
static int look(struct kb_archive_view *view, struct kb_program *program,
                struct kbp_error *err)
{
    int status;

    if (!view->session)
        return kb_view_open(view, program, err);
    status = kb_manifest_refresh(&view->manifest, view->session,
                                 view->backup_id, err);
    if (status)
        kb_view_close(view);
    return status;
}

static int show(struct kb_archive_view *view, struct kb_program *program,
                struct kbp_error *err)
{
    enum kb_output format = kb_output_format(&program->args);
    struct kb_lease_holder holder = {0};
    struct kb_restore_leases restores = {0};
    bool held = false;
    json_t *json;
    int status = look(view, program, err);

    if (status)
        return status;
    status = kb_lease_read(view->session, view->backup_id, &holder, err);
    if (status == KBP_OK)
        held = true;
    else if (status == KBP_ERR_NOT_FOUND)
        status = KBP_OK;
    if (!status)
        status = kb_restore_leases_read(&restores, view->session,
                                        view->backup_id, err);
    if (!status && format == KB_OUTPUT_TEXT) {
        print_text(view, held ? &holder : NULL, &restores);
    } else if (!status) {
        json = status_json(view, held ? &holder : NULL, &restores);
        kb_output_json(format, json);
        json_decref(json);
    }
    kb_restore_leases_release(&restores);
    kb_lease_holder_release(&holder);
    if (status)
        kb_view_close(view);
    return status;
}

static int run(struct kb_program *program)
{
    const char *interval = kb_args_value(&program->args, "interval");
    bool watch = kb_args_times(&program->args, "watch") > 0;
    struct kbp_error err = KB_ERR_INIT;
    int64_t pause_ms = 2000;
    struct kb_archive_view view = {0};
    bool looked = false;
    int64_t seconds;
    int status;

    if (interval && kb_parse_i64(interval, &seconds) && seconds > 0 &&
        seconds < 1000000)
        pause_ms = seconds * 1000;
    else if (interval &&
             (!kb_parse_ms(interval, &pause_ms) || pause_ms < 100)) {
        (void)kb_fail(&err, KBP_ERR_CONFIG,
                      "--interval has to be a time: 5, \"500ms\"");
        return kb_program_fail("status", &err);
    }
    do {
        if (watch && isatty(STDOUT_FILENO))
            (void)fputs("\033[H\033[2J", stdout);
        status = show(&view, program, &err);
        (void)fflush(stdout);
        /* Who watches wants to see when the store is there again. */
        if (watch && status && looked && kb_may_retry(status)) {
            kb_log_err(KBP_LOG_WARN, "status", &err);
            kb_err_clear(&err);
            status = KBP_OK;
        }
        looked |= !status;
    } while (watch && !status && !kb_stop_sleep(&program->stop, pause_ms));
    kb_view_close(&view);
    return status ? kb_program_fail("status", &err) : KB_EXIT_OK;
}

static const struct kb_flag flags[] = {
    KB_FLAGS_STORE,
    KB_FLAG_BACKUP_ID(0),
    {.name = "watch", .letter = 'w', .help = "show it again and again"},
    {.name = "interval",
     .value = "SECONDS",
     .help = "how often; 2 when absent. Each look lists the manifest's log "
             "and reads what is new: rarely, where the store bills requests"},
    {.name = "db-path",
     .value = "FILE",
     .help = "the reference's offset store; has no effect",
     .unused = "there is no offset store: positions are kept in the archive's "
               "manifest, which this command reads"},
    KB_FLAG_FORMAT("text|json|yaml")};

static const struct kb_example examples[] = {
    {"kafka-backup status -c backup.yaml --watch", "follow a running backup"},
};

const struct kb_command kb_cmd_status = {
    .name = "status",
    .summary = "who is writing or restoring a backup, and how far it is",
    .details =
        "Looks into the store, so it works from any machine: the holder of the "
        "backup's lease, those of restores from it, the last run and how it "
        "ended, and what is stored. "
        "The running program's own view is its /metrics and /health.",
    KB_FLAGS(flags),
    .looks_at_store = true,
    .looks_at_backup = true,
    KB_EXAMPLES(examples),
    .run = run};

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_validate.c - `validate`: is a backup what its manifest says? */
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "cli/archive_view.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "verify/verify.h"

static void on_progress(void *data, uint64_t done, uint64_t all)
{
    char left[32];
    char right[32];

    (void)data;
    (void)fprintf(stderr, "\rvalidate  %3.0f %%  %s of %s\033[K",
                  all ? 100.0 * (double)done / (double)all : 100.0,
                  kb_bytes_text(left, done), kb_bytes_text(right, all));
    (void)fflush(stderr);
}

static void print(struct kb_verify_report *report, enum kb_output format)
{
    json_t *json;

    if (format == KB_OUTPUT_TEXT) {
        kb_verify_report_print(report, stdout);
        return;
    }
    json = kb_verify_report_json(report);
    kb_output_json(format, json);
    json_decref(json);
}

static int run(struct kb_program *program)
{
    const struct kb_args *args = &program->args;
    struct kb_verify_options options = {.deep = kb_args_times(args, "deep") > 0,
                                        .stop = &program->stop};
    struct kb_verify_report report = {0};
    struct kbp_error err = KB_ERR_INIT;
    struct kb_archive_view view;
    bool draw = options.deep && isatty(STDERR_FILENO) &&
                !kb_args_times(args, "quiet") &&
                !kb_args_times(args, "no-progress");
    const char *id = NULL;
    int code = KB_EXIT_OK;
    int status = kb_view_open_store(&view, program, &err);

    if (!status)
        id = kb_program_backup_id(program, &err);
    if (!status && !id)
        status = err.status;
    if (!status) {
        if (draw)
            options.progress = on_progress;
        status = kb_verify(view.store, &program->registry, id, &options,
                           &report, &err);
        if (draw)
            (void)fputs("\r\033[K", stderr);
    }
    if (status) {
        code = kb_program_fail("validate", &err);
    } else {
        print(&report, kb_output_format(args));
        code = report.bad ? KB_EXIT_INVALID : KB_EXIT_OK;
    }
    kb_verify_report_release(&report);
    kb_view_close(&view);
    return code;
}

static const struct kb_flag flags[] = {
    KB_FLAGS_STORE,
    KB_FLAG_BACKUP_ID(0),
    {.name = "deep",
     .help = "read everything: the checksums of all frames and batches"},
    KB_FLAG_FORMAT("text|json|yaml")};

static const struct kb_example examples[] = {
    {"kafka-backup validate -p /backups -b nightly",
     "is everything there? Quick, reads no records"},
    {"kafka-backup validate -p /backups -b nightly --deep",
     "is every byte as it was? Reads all of it"},
};

const struct kb_command kb_cmd_validate = {
    .name = "validate",
    .summary = "verify a backup",
    .details =
        "Verifies a backup: that the manifest adds up, offset by offset, and "
        "that every object is there with its size. With --deep also every "
        "checksum of frames and batches, and the index against the frames. "
        "What is damaged is named with object, frame and "
        "offsets; exit code 4.",
    KB_FLAGS(flags),
    KB_EXAMPLES(examples),
    .looks_at_store = true,
    .looks_at_backup = true,
    .run = run};

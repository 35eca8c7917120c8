/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - the keys at the top, and of `storage:` and `metrics:`. */
#include "config/custom.h"

#define RETRY(member) offsetof(struct kb_retry_settings, member)
#define STORAGE(member) offsetof(struct kb_storage_settings, member)
#define METRICS(member) offsetof(struct kb_metrics_settings, member)
#define CONFIG(member) offsetof(struct kb_config, member)

static const struct kb_key retry_keys[] = {
    {.name = "timeout",
     .type = KB_KEY_MS,
     .at = RETRY(timeout_ms),
     .default_text = "5m",
     .min = 0,
     .max = 86400000,
     .help = "how long a call is tried again without progress; 0: not at all"},
};

static const struct kb_section retry_section = {
    .help =
        "What the store can't do at once is tried again, with growing pauses.",
    KB_KEYS(retry_keys)};

static const struct kb_key storage_keys[] = {
    {.name = "backend",
     .type = KB_KEY_STRING,
     .flags = KB_KEY_REQUIRED | KB_KEY_NON_EMPTY,
     .at = STORAGE(backend),
     .help = "`filesystem`, another plugin's, or `memory`: for tests, all is "
             "gone when the program ends"},
    {.name = "lease_ttl",
     .type = KB_KEY_MS,
     .at = STORAGE(lease_ttl_ms),
     .default_text = "60s",
     .min = 1000,
     .max = 86400000,
     .help = "a writer of the same backup, or another process with the same "
             "restore, that was silent for so long counts as dead, and its "
             "lease is taken over"},
    {.name = "retry",
     .type = KB_KEY_SECTION,
     .at = STORAGE(retry),
     .section = &retry_section},
};

const struct kb_section kb_storage_section = {
    .help = "Where the archive is. All other keys are options of the backend's "
            "plugin, as listed by `kafka-backup plugin describe BACKEND`: "
            "`path` of `filesystem`, `bucket` of `s3`.",
    KB_KEYS(storage_keys),
    .raw_prefix = "",
    .raw_at = STORAGE(plugin)};

static const struct kb_key metrics_keys[] = {
    {.name = "enabled",
     .type = KB_KEY_BOOL,
     .at = METRICS(enabled),
     .default_text = "true",
     .help = "false is as good as no section at all"},
    {.name = "bind_address",
     .type = KB_KEY_STRING,
     .flags = KB_KEY_NON_EMPTY,
     .at = METRICS(bind_address),
     .default_text = "127.0.0.1",
     .help = "address to listen on; `0.0.0.0` or `::` for all (the "
             "reference's default)"},
    {.name = "port",
     .type = KB_KEY_PORT,
     .at = METRICS(port),
     .default_text = "8080",
     .help = "0 lets the system choose; the log says which"},
    {.name = "path",
     .type = KB_KEY_STRING,
     .flags = KB_KEY_NON_EMPTY,
     .at = METRICS(path),
     .default_text = "/metrics",
     .help = "a second path for the metrics, beside /metrics"},
    {.name = "update_interval_ms",
     .type = KB_KEY_MS,
     .at = METRICS(update_interval_ms),
     .default_text = "500ms",
     .min = 10,
     .max = 3600000,
     .help = "over which time rates are taken, at least"},
    {.name = "keep_alive_seconds",
     .type = KB_KEY_SECS,
     .at = METRICS(keep_alive_ms),
     .default_text = "0",
     .min = 0,
     .max = 86400000,
     .help = "serve on for so long after the job, for a last scrape"},
    {.name = "max_partition_labels",
     .type = KB_KEY_INT,
     .at = METRICS(max_partition_labels),
     .default_text = "100",
     .min = 0,
     .max = 1000000,
     .help = "pairs of topic and partition with lines of their own; 0: all. "
             "Sums always hold all"},
};

const struct kb_section kb_metrics_section = {
    .help = "The HTTP endpoint with /metrics and /health. Without this section "
            "there is none.",
    KB_KEYS(metrics_keys)};

static const struct kb_key config_keys[] = {
    {.name = "mode",
     .type = KB_KEY_CHOICE,
     .flags = KB_KEY_REQUIRED,
     .at = CONFIG(mode),
     .choices = "backup|restore",
     .help = "what the file is for; a command refuses the other's file"},
    {.name = "backup_id",
     .type = KB_KEY_STRING,
     .flags = KB_KEY_REQUIRED | KB_KEY_NON_EMPTY,
     .at = CONFIG(backup_id),
     .help = "name of the backup, the first part of its objects' keys"},
    {.name = "memory_limit",
     .type = KB_KEY_BYTES,
     .at = CONFIG(memory_limit),
     .default_text = "256MiB",
     .min = 16777216,
     .max = INT64_MAX,
     .help = "for all that is buffered; one batch that is larger may pass, "
             "but none that decompresses to more (64 MiB in any case)"},
    {.name = "source",
     .type = KB_KEY_SECTION,
     .at = CONFIG(source),
     .section = &kb_source_section},
    {.name = "target",
     .type = KB_KEY_SECTION,
     .at = CONFIG(target),
     .section = &kb_target_section},
    {.name = "storage",
     .type = KB_KEY_SECTION,
     .flags = KB_KEY_REQUIRED,
     .at = CONFIG(storage),
     .section = &kb_storage_section,
     .help = "where the archive is"},
    {.name = "backup",
     .type = KB_KEY_SECTION,
     .at = CONFIG(backup),
     .section = &kb_backup_section},
    {.name = "restore",
     .type = KB_KEY_SECTION,
     .at = CONFIG(restore),
     .section = &kb_restore_section},
    {.name = "metrics",
     .type = KB_KEY_SECTION,
     .at = CONFIG(metrics),
     .section = &kb_metrics_section},
    {.name = "offset_storage",
     .type = KB_KEY_SECTION,
     .unused = "positions are kept in the store with the archive, never ahead "
               "of it"},
    {.name = "logging",
     .type = KB_KEY_SECTION,
     .unused = "use -v and --log-format"},
    {.name = "circuit_breaker",
     .type = KB_KEY_SECTION,
     .unused = "see storage.retry"},
};

const struct kb_section kb_config_section = {.help = "The top level",
                                             KB_KEYS(config_keys)};

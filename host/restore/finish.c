/* SPDX-License-Identifier: Apache-2.0 */
/* finish.c - what comes behind the last batch. */
#include "restore/finish.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "restore/groups.h"
#include "restore/held.h"
#include "restore/topics.h"
#include "restore/verify.h"

/* What retention would do to a topic that was restored. */
struct aged {
    uint64_t records; /* in extents that are older as a whole */
    uint64_t bytes;   /* of its largest partition, at the least */
    int64_t oldest;   /* the time of its oldest batch, as far as known */
};

/*
 * By the archive, not by what this run sent: another one may have begun it.
 * An extent counts whole if its newest record is too old.
 */
static void look_at_age(const struct kb_restore_run *run, const char *topic,
                        int64_t before, struct aged *aged)
{
    size_t s;
    size_t i;

    *aged = (struct aged){.oldest = INT64_MAX};
    for (s = 0; s < run->state.source_count; s++) {
        const struct kb_restore_source *source = &run->state.sources[s];
        const struct kb_generation *generation;
        const struct kb_partition_log *log;

        if (strcmp(run->state.targets[source->target].topic, topic) != 0)
            continue;
        generation = kb_manifest_generation(run->manifest, &source->generation);
        log = generation
                  ? kb_generation_partition(generation, source->partition)
                  : NULL;
        for (i = 0; log && i < log->extent_count; i++) {
            const struct kb_sums *sums = &log->extents[i].sums;
            int64_t oldest =
                sums->min_known ? sums->min_timestamp : sums->max_timestamp;

            if (!sums->records)
                continue;
            if (run->plan.select.window &&
                sums->max_timestamp < run->plan.select.window_start)
                continue;
            if (run->plan.select.window &&
                oldest < run->plan.select.window_start)
                oldest = run->plan.select.window_start;
            if (oldest < aged->oldest)
                aged->oldest = oldest;
            if (sums->max_timestamp < before)
                aged->records += sums->records;
        }
    }
    for (i = 0; i < run->part_count; i++) {
        const struct kb_part *part = &run->parts[i];

        if (strcmp(part->topic, topic) != 0)
            continue;
        if (part->oldest < aged->oldest)
            aged->oldest = part->oldest;
        if (part->part_bytes > aged->bytes)
            aged->bytes = part->part_bytes;
    }
}

static const char *final_value(const struct kb_restore_run *run,
                               const char *topic, const char *name)
{
    size_t i;

    for (i = 0; i < run->state.config_count; i++)
        if (!strcmp(run->state.configs[i].topic, topic) &&
            !strcmp(run->state.configs[i].name, name))
            return run->state.configs[i].value;
    return NULL;
}

/* Retention counts only where cleanup.policy deletes. */
static bool policy_deletes(const struct kb_restore_run *run, const char *topic)
{
    const char *policy = final_value(run, topic, "cleanup.policy");

    return !policy || strstr(policy, "delete");
}

/* The broker's default is a week; a target with another one isn't known. */
#define DEFAULT_RETENTION_MS INT64_C(604800000)

static void leave_off(struct kb_restore_run *run,
                      struct kb_restore_config *config, const char *what)
{
    const char *value = config->value;

    config->left_off = true;
    if (value)
        kb_run_warn(run,
                    "%s: %s=%s is left off (it is -1 now), for it would delete "
                    "%s; to apply it: kafka-configs.sh --alter --entity-type "
                    "topics --entity-name %s --add-config %s=%s",
                    config->topic, config->name, value, what, config->topic,
                    config->name, value);
    else
        kb_run_warn(run,
                    "%s: %s stays -1, for the broker's default could delete "
                    "%s; to apply that: kafka-configs.sh --alter --entity-type "
                    "topics --entity-name %s --delete-config %s",
                    config->topic, config->name, what, config->topic,
                    config->name);
}

static void judge_retention_ms(struct kb_restore_run *run,
                               struct kb_restore_config *config)
{
    int64_t retention = DEFAULT_RETENTION_MS;
    const int64_t now = kb_wall_ms();
    struct aged aged;
    char what[160];

    if (config->value && !kb_parse_i64(config->value, &retention))
        return;
    if (retention < 0 || !policy_deletes(run, config->topic))
        return;
    look_at_age(run, config->topic, now - retention, &aged);
    if (aged.oldest == INT64_MAX || aged.oldest >= now - retention)
        return;
    (void)snprintf(what, sizeof what,
                   "records that were just restored (%" PRIu64
                   " or more, the oldest of %" PRId64 " days ago)",
                   aged.records, (now - aged.oldest) / 86400000);
    leave_off(run, config, what);
}

static void judge_retention_bytes(struct kb_restore_run *run,
                                  struct kb_restore_config *config)
{
    struct aged aged;
    int64_t limit;
    char what[160];

    if (!config->value || !kb_parse_i64(config->value, &limit) || limit < 0 ||
        !policy_deletes(run, config->topic))
        return;
    look_at_age(run, config->topic, 0, &aged);
    if (aged.bytes <= (uint64_t)limit)
        return;
    (void)snprintf(what, sizeof what,
                   "records that were just restored (a partition has %" PRIu64
                   " bytes)",
                   aged.bytes);
    leave_off(run, config, what);
}

/* What `restore.retention` says about what was held back. */
static int judge_retention(struct kb_restore_run *run, struct kbp_error *err)
{
    const struct kb_retention_setting *setting =
        &run->config->restore.retention;
    size_t i;

    for (i = 0; i < run->state.config_count; i++) {
        struct kb_restore_config *config = &run->state.configs[i];
        const bool ms = !strcmp(config->name, "retention.ms");
        const bool bytes = !strcmp(config->name, "retention.bytes");

        if ((!ms && !bytes) || config->put_back || config->left_off)
            continue;
        switch (setting->kind) {
        case KB_RETENTION_CAPTURED:
            break;
        case KB_RETENTION_KEEP_OFF:
            config->left_off = true;
            break;
        case KB_RETENTION_MS:
            if (!ms)
                break;
            free(config->value);
            config->value = kb_asprintf("%" PRId64, setting->ms);
            if (!config->value)
                return kb_fail_nomem(err, "a config");
            break;
        case KB_RETENTION_SAFE:
            if (ms)
                judge_retention_ms(run, config);
            else
                judge_retention_bytes(run, config);
            break;
        }
    }
    return KBP_OK;
}

static int next_phase(struct kb_restore_run *run, enum kb_restore_phase phase,
                      struct kbp_error *err)
{
    run->state.phase = phase;
    return kb_checkpoint_save(run, err);
}

static int commit_groups(struct kb_restore_run *run, struct kbp_error *err)
{
    struct kb_source_maps maps = {0};
    int status = kb_source_maps_load(&maps, run, err);

    if (status == KBP_OK)
        status = kb_groups_commit(run, &maps, &run->groups, err);
    kb_source_maps_release(&maps);
    return status;
}

int kb_finish(struct kb_restore_run *run, struct kbp_error *err)
{
    size_t failed = 0;
    int status = KBP_OK;

    if (run->state.phase < KB_RESTORE_VERIFY)
        status = next_phase(run, KB_RESTORE_VERIFY, err);
    if (status == KBP_OK && run->state.phase == KB_RESTORE_VERIFY) {
        status = kb_verify_target(run, &failed, err);
        if (status != KBP_OK || failed)
            return status;
        status = judge_retention(run, err);
        if (status == KBP_OK)
            status = next_phase(run, KB_RESTORE_CONFIGS, err);
    }
    if (status == KBP_OK && run->state.phase == KB_RESTORE_CONFIGS) {
        status = kb_held_put_back(run, err);
        if (status == KBP_OK)
            status = next_phase(run, KB_RESTORE_GROUPS, err);
    }
    if (status == KBP_OK && run->state.phase == KB_RESTORE_GROUPS) {
        const size_t errors = run->report->error_count;

        if (kb_groups_wanted(&run->config->restore))
            status = commit_groups(run, err);
        if (status == KBP_OK && run->report->error_count == errors)
            status = next_phase(run, KB_RESTORE_DONE, err);
    }
    return status;
}

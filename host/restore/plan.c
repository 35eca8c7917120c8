/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - what is to be restored, and to where. */
#include "restore/plan.h"

#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/str.h"

/* Of plain records in a batch that is built: what a broker takes by default
   is 1 MiB, and the gain is small beyond this. */
#define REBUILT_MIN_BYTES 16384
/* A batch of this size costs a broker more than its request does. */
#define SMALL_MAX_BYTES 8192
#define SMALL_PLAIN_MAX_BYTES 32768

static const char *const brokers_topics[] = {
    "__consumer_offsets", "__transaction_state", "__share_group_state",
    "__remote_log_metadata", "__cluster_metadata"};

bool kb_topic_is_brokers(const char *topic)
{
    size_t i;

    for (i = 0; i < sizeof brokers_topics / sizeof *brokers_topics; i++)
        if (!strcmp(topic, brokers_topics[i]))
            return true;
    return false;
}

const char *kb_pairs_get(const struct kb_pairs *pairs, const char *key)
{
    size_t i;

    for (i = 0; i < pairs->count; i++)
        if (!strcmp(pairs->items[i].key, key))
            return pairs->items[i].value;
    return NULL;
}

static int matches(const char *pattern, const char *topic, bool *match,
                   struct kbp_error *err)
{
    char text[128];
    regex_t regex;
    int rc;

    if (pattern[0] != '~') {
        *match = kb_glob_match(pattern, topic);
        return KBP_OK;
    }
    rc = regcomp(&regex, pattern + 1, REG_EXTENDED | REG_NOSUB);
    if (rc != 0) {
        (void)regerror(rc, &regex, text, sizeof text);
        return kb_fail(err, KBP_ERR_CONFIG,
                       "target.topics: \"%s\" is no POSIX regular expression: "
                       "%s",
                       pattern, text);
    }
    *match = regexec(&regex, topic, 0, NULL, 0) == 0;
    regfree(&regex);
    return KBP_OK;
}

static int matches_any(const struct kb_strings *patterns, const char *topic,
                       bool *match, struct kbp_error *err)
{
    size_t i;

    *match = false;
    for (i = 0; i < patterns->count && !*match; i++) {
        int status = matches(patterns->items[i], topic, match, err);

        if (status != KBP_OK)
            return status;
    }
    return KBP_OK;
}

int kb_plan_topic_chosen(const struct kb_strings *include,
                         const struct kb_strings *exclude, const char *topic,
                         bool *chosen, struct kbp_error *err)
{
    bool in = true;
    bool out = false;
    int status = KBP_OK;

    if (include->count)
        status = matches_any(include, topic, &in, err);
    if (status == KBP_OK && in)
        status = matches_any(exclude, topic, &out, err);
    if (status == KBP_OK)
        *chosen = in && !out;
    return status;
}

/* A name without a pattern must be there: a typo must not restore nothing. */
static int check_literals(const struct kb_config *config,
                          const struct kb_manifest *manifest,
                          struct kbp_error *err)
{
    const struct kb_strings *include = &config->target.topics_include;
    size_t i;

    for (i = 0; i < include->count; i++) {
        const char *name = include->items[i];

        if (name[0] == '~' || strpbrk(name, "*?"))
            continue;
        if (!kb_manifest_topic(manifest, name))
            return kb_fail(err, KBP_ERR_CONFIG,
                           "target.topics.include: backup %s has no topic "
                           "\"%s\"",
                           config->backup_id, name);
    }
    for (i = 0; i < config->restore.topic_mapping.count; i++)
        if (!kb_manifest_topic(manifest,
                               config->restore.topic_mapping.items[i].key))
            return kb_fail(err, KBP_ERR_CONFIG,
                           "restore.topic_mapping: backup %s has no topic "
                           "\"%s\"",
                           config->backup_id,
                           config->restore.topic_mapping.items[i].key);
    return KBP_OK;
}

static bool partition_is_chosen(const struct kb_restore_settings *restore,
                                int32_t partition)
{
    size_t i;

    for (i = 0; i < restore->source_partitions.count; i++)
        if (restore->source_partitions.items[i] == partition)
            return true;
    return restore->source_partitions.count == 0;
}

static int32_t target_partition(const struct kb_restore_settings *restore,
                                int32_t partition)
{
    char text[16];
    const char *to;
    int64_t value;

    (void)snprintf(text, sizeof text, "%" PRId32, partition);
    to = kb_pairs_get(&restore->partition_mapping, text);
    if (to && kb_parse_i64(to, &value) && value >= 0 && value < INT32_MAX)
        return (int32_t)value;
    return partition;
}

/* The target topic of this name; made if there is none. */
static int topic_named(struct kb_plan *plan, const char *name,
                       const struct kb_generation *generation, size_t *number,
                       struct kbp_error *err)
{
    struct kb_plan_topic *topics;
    size_t i;

    for (i = 0; i < plan->topic_count; i++)
        if (!strcmp(plan->topics[i].name, name)) {
            *number = i;
            return KBP_OK;
        }
    topics = realloc(plan->topics, (i + 1) * sizeof *topics);
    if (!topics)
        return kb_fail_nomem(err, "the plan");
    plan->topics = topics;
    topics[i] = (struct kb_plan_topic){
        .name = kb_strdup(name),
        .generation = generation,
        .replication_factor = generation->desc.replication_factor > 0
                                  ? generation->desc.replication_factor
                                  : -1,
    };
    if (!topics[i].name)
        return kb_fail_nomem(err, "the plan");
    plan->topic_count++;
    *number = i;
    return KBP_OK;
}

/* An extent's share of its segment's bytes, by records. */
static uint64_t share_of(const struct kb_manifest *manifest,
                         const struct kb_extent *extent)
{
    const struct kb_segment_info *segment;

    if (extent->segment >= manifest->segment_count)
        return 0;
    segment = &manifest->segments[extent->segment];
    if (!segment->records)
        return 0;
    return (uint64_t)((double)segment->raw_bytes *
                      (double)extent->sums.records / (double)segment->records);
}

/* Sum up the extents which can hold records of the window. */
static void estimate(const struct kb_plan *plan,
                     const struct kb_manifest *manifest,
                     struct kb_plan_source *source)
{
    const struct kb_select_spec *spec = &plan->select;
    uint32_t last = KB_NO_SEGMENT;
    size_t i;

    for (i = 0; i < source->log->extent_count; i++) {
        const struct kb_extent *extent = &source->log->extents[i];

        if (extent->segment == KB_NO_SEGMENT || !extent->sums.records)
            continue;
        if (spec->window && (extent->sums.max_timestamp < spec->window_start ||
                             (extent->sums.min_known &&
                              extent->sums.min_timestamp > spec->window_end)))
            continue;
        kb_sums_add(&source->sums, &extent->sums);
        source->bytes += share_of(manifest, extent);
        if (extent->segment != last)
            source->segments++;
        last = extent->segment;
    }
}

static int add_source(struct kb_plan *plan, const struct kb_config *config,
                      const struct kb_manifest *manifest,
                      const struct kb_generation *generation,
                      const struct kb_partition_log *log, size_t topic,
                      struct kbp_error *err)
{
    struct kb_plan_topic *to = &plan->topics[topic];
    struct kb_plan_source *sources;
    struct kb_plan_source *source;

    sources =
        realloc(plan->sources, (plan->source_count + 1) * sizeof *sources);
    if (!sources)
        return kb_fail_nomem(err, "the plan");
    plan->sources = sources;
    source = &sources[plan->source_count];
    *source = (struct kb_plan_source){
        .generation = generation,
        .log = log,
        .topic = topic,
        .target = target_partition(&config->restore, log->partition),
        .start = kb_partition_start(log),
        .end = kb_partition_resume(log),
    };
    estimate(plan, manifest, source);
    plan->source_count++;
    if (source->target >= to->partitions)
        to->partitions = source->target + 1;
    if (source->target >= to->needed)
        to->needed = source->target + 1;
    kb_sums_add(&to->sums, &source->sums);
    return KBP_OK;
}

static int add_topic(struct kb_plan *plan, const struct kb_config *config,
                     const struct kb_manifest *manifest,
                     const struct kb_generation *generation,
                     struct kbp_error *err)
{
    const char *name =
        kb_pairs_get(&config->restore.topic_mapping, generation->topic);
    size_t topic = 0;
    size_t i;
    int status;

    if (!name)
        name = generation->topic;
    if (kb_topic_is_brokers(name))
        return kb_fail(err, KBP_ERR_CONFIG,
                       "restore.topic_mapping: %s is where brokers keep their "
                       "own state; nothing is restored to it",
                       name);
    status = topic_named(plan, name, generation, &topic, err);
    if (status != KBP_OK)
        return status;
    if (generation->desc.partition_count > plan->topics[topic].partitions)
        plan->topics[topic].partitions = generation->desc.partition_count;
    for (i = 0; i < generation->partition_count && status == KBP_OK; i++) {
        const struct kb_partition_log *log = &generation->partitions[i];

        if (partition_is_chosen(&config->restore, log->partition))
            status =
                add_source(plan, config, manifest, generation, log, topic, err);
    }
    if (plan->topics[topic].partitions < 1)
        plan->topics[topic].partitions = 1;
    return status;
}

/* As for topics: a partition that no topic has would restore nothing. */
static int check_partitions(const struct kb_plan *plan,
                            const struct kb_config *config,
                            struct kbp_error *err)
{
    size_t i;
    size_t s;

    for (i = 0; i < config->restore.source_partitions.count; i++) {
        const int64_t wanted = config->restore.source_partitions.items[i];

        for (s = 0; s < plan->source_count; s++)
            if (plan->sources[s].log->partition == wanted)
                break;
        if (s == plan->source_count)
            return kb_fail(err, KBP_ERR_CONFIG,
                           "restore.source_partitions: none of the chosen "
                           "topics has partition %" PRId64 " in backup %s",
                           wanted, config->backup_id);
    }
    return KBP_OK;
}

static int by_target(const void *left, const void *right)
{
    const struct kb_plan_source *a = left;
    const struct kb_plan_source *b = right;

    if (a->topic != b->topic)
        return a->topic < b->topic ? -1 : 1;
    if (a->target != b->target)
        return a->target < b->target ? -1 : 1;
    if (a->generation != b->generation)
        return strcmp(a->generation->topic, b->generation->topic);
    return a->log->partition < b->log->partition ? -1 : 1;
}

static size_t least(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static void choose_select(struct kb_plan *plan,
                          const struct kb_restore_settings *restore)
{
    struct kb_select_spec *spec = &plan->select;

    spec->window = restore->time_window_start != KB_UNSET ||
                   restore->time_window_end != KB_UNSET;
    spec->window_start = restore->time_window_start; /* KB_UNSET: INT64_MIN */
    spec->window_end = restore->time_window_end == KB_UNSET
                           ? INT64_MAX
                           : restore->time_window_end;
    spec->add_original_headers =
        restore->include_original_offset_header ||
        restore->consumer_group_strategy == KB_GROUPS_HEADER_BASED;
    spec->strip_headers = restore->strip_offset_headers;
    spec->rebuilt_bytes = restore->produce_batch_bytes > REBUILT_MIN_BYTES
                              ? restore->produce_batch_bytes
                              : REBUILT_MIN_BYTES;
    spec->small_bytes = least(restore->produce_batch_bytes, SMALL_MAX_BYTES);
    spec->small_plain_bytes =
        least(restore->produce_batch_bytes, SMALL_PLAIN_MAX_BYTES);
}

/* The NUL counts, so that pieces don't run into each other. */
static void hash_text(uint64_t *hash, const char *text)
{
    *hash = kb_hash(*hash, text, strlen(text) + 1);
}

static void hash_number(uint64_t *hash, int64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRId64, number);
    hash_text(hash, text);
}

static void hash_pairs(uint64_t *hash, const struct kb_pairs *pairs)
{
    size_t i;

    hash_number(hash, (int64_t)pairs->count);
    for (i = 0; i < pairs->count; i++) {
        hash_text(hash, pairs->items[i].key);
        hash_text(hash, pairs->items[i].value);
    }
}

static void hash_strings(uint64_t *hash, const struct kb_strings *strings)
{
    size_t i;

    hash_number(hash, (int64_t)strings->count);
    for (i = 0; i < strings->count; i++)
        hash_text(hash, strings->items[i]);
}

/* All that decides which records go where, and nothing else. */
static void hash_options(struct kb_plan *plan, const struct kb_config *config)
{
    const struct kb_restore_settings *restore = &config->restore;
    uint64_t hash = KB_HASH_INIT;
    size_t i;

    hash_text(&hash, config->backup_id);
    hash_strings(&hash, &config->target.topics_include);
    hash_strings(&hash, &config->target.topics_exclude);
    hash_number(&hash, restore->time_window_start);
    hash_number(&hash, restore->time_window_end);
    for (i = 0; i < restore->source_partitions.count; i++)
        hash_number(&hash, restore->source_partitions.items[i]);
    hash_pairs(&hash, &restore->partition_mapping);
    hash_pairs(&hash, &restore->topic_mapping);
    hash_number(&hash, plan->select.add_original_headers);
    hash_number(&hash, plan->select.strip_headers);
    if (restore->include_aborted) /* checkpoints from before it stay good */
        hash_text(&hash, "include_aborted");
    (void)snprintf(plan->options_hash, sizeof plan->options_hash, "%016" PRIx64,
                   hash);
}

static int check_options(const struct kb_restore_settings *restore,
                         struct kbp_error *err)
{
    if (restore->repartitioning.count)
        return kb_fail(err, KBP_ERR_UNSUPPORTED,
                       "restore.repartitioning: not supported yet; restore "
                       "with the same partitions");
    if (restore->time_window_start != KB_UNSET &&
        restore->time_window_end != KB_UNSET &&
        restore->time_window_start > restore->time_window_end)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "restore.time_window_start is after time_window_end");
    return KBP_OK;
}

int kb_plan_make(struct kb_plan *plan, const struct kb_config *config,
                 const struct kb_manifest *manifest, struct kbp_error *err)
{
    int status = check_options(&config->restore, err);
    size_t i;

    *plan = (struct kb_plan){0};
    if (status == KBP_OK)
        status = check_literals(config, manifest, err);
    choose_select(plan, &config->restore);
    hash_options(plan, config);
    for (i = 0; i < manifest->generation_count && status == KBP_OK; i++) {
        const struct kb_generation *generation = &manifest->generations[i];
        bool chosen;

        if (kb_manifest_topic(manifest, generation->topic) != generation ||
            kb_topic_is_brokers(generation->topic))
            continue;
        status = kb_plan_topic_chosen(&config->target.topics_include,
                                      &config->target.topics_exclude,
                                      generation->topic, &chosen, err);
        if (status == KBP_OK && chosen)
            status = add_topic(plan, config, manifest, generation, err);
    }
    if (status == KBP_OK && !plan->topic_count) {
        status =
            kb_fail(err, KBP_ERR_CONFIG,
                    "backup %s has no topic that is chosen", config->backup_id);
        kb_err_hint(err, "target.topics.include and exclude are of names in "
                         "the backup: `kafka-backup describe` lists them");
    }
    if (status == KBP_OK)
        status = check_partitions(plan, config, err);
    if (status != KBP_OK) {
        kb_plan_release(plan);
        return status;
    }
    if (plan->source_count)
        qsort(plan->sources, plan->source_count, sizeof *plan->sources,
              by_target);
    return KBP_OK;
}

void kb_plan_release(struct kb_plan *plan)
{
    size_t i;

    for (i = 0; i < plan->topic_count; i++)
        free(plan->topics[i].name);
    free(plan->topics);
    free(plan->sources);
    *plan = (struct kb_plan){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_archive.cc - write an archive without a broker, for tests of restore.
 *
 *   make_archive PLUGIN_DIR STORE_DIR BACKUP_ID KEY=VALUE...
 *
 *   topic=T partitions=N records=N (of each partition) batch=N (records)
 *   bytes=N (of a value) codec=0..4 frame=BYTES time=MS (of all; or now)
 *   step=MS holes=N (every Nth offset is missing, from within its batch)
 *   keyless=N (every Nth record has no key) start=N (first offset) segments=N
 * config=KEY=VALUE[,...] group=NAME@OFFSET
 *
 * Record i of partition p has value "p:i:filler" and key "k<i % 1000>", as the
 * test client's `load` writes them and `verify` expects them.
 */
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "archive/commit.h"
#include "archive/groups.h"
#include "archive/segment_writer.h"
#include "kafka/batch.h"
#include "plugin/codec.h"
#include "plugin/storage.h"
}

namespace
{

struct kbp_error err = KB_ERR_INIT;
std::map<std::string, std::string> options;

void Need(int status, const char *what)
{
    if (status == KBP_OK)
        return;
    std::fprintf(stderr, "make_archive: %s: %s\n", what, err.message);
    std::exit(1);
}

int64_t Number(const char *name, int64_t otherwise)
{
    auto it = options.find(name);

    if (it == options.end())
        return otherwise;
    if (it->second == "now")
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    return std::strtoll(it->second.c_str(), nullptr, 10);
}

std::string Text(const char *name, const char *otherwise)
{
    auto it = options.find(name);

    return it == options.end() ? otherwise : it->second;
}

const uint8_t *Bytes(const std::string &text)
{
    return reinterpret_cast<const uint8_t *>(text.data());
}

struct Archive {
    struct kb_registry registry = {};
    struct kb_codec_set set = {};
    struct kb_codec_worker codecs = {};
    struct kb_store *store = nullptr;
    struct kb_store_session *session = nullptr;
    struct kb_manifest *manifest = nullptr;
    struct kb_committer committer = {};
    struct kb_entry *entry = nullptr;
    std::string id;
};

struct Position {
    int64_t record = 0; /* next */
    int64_t offset = 0;
    struct kb_coverage coverage = {};
    struct kb_last_batch last = {};
};

/* One batch of `count` records; offsets skip where holes are. */
void AddBatch(Archive &a, int32_t partition, int64_t count, Position &at,
              struct kb_frame_desc &desc, struct kb_buf &raw)
{
    static struct kb_batch_builder builder;
    static uint64_t random = 88172645463325252ULL;
    const int64_t time = Number("time", 1700000000000);
    const int64_t step = Number("step", 0);
    const int64_t holes = Number("holes", 0);
    const int64_t keyless = Number("keyless", 0);
    const size_t size = static_cast<size_t>(Number("bytes", 100));
    const size_t began = raw.len;
    int64_t next = at.offset;

    kb_batch_builder_reset(&builder);
    builder.keep_offsets = true;
    for (int64_t i = 0; i < count; i++, at.record++, next++) {
        std::string key = "k" + std::to_string(at.record % 1000);
        std::string value =
            std::to_string(partition) + ":" + std::to_string(at.record) + ":";
        struct kb_record record = {};

        while (value.size() < size) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            for (int k = 0; k < 60 && value.size() < size; k += 4)
                value += static_cast<char>('a' + ((random >> k) & 15));
        }
        if (holes && i > 0 && next % holes == 0)
            next++;
        record.offset = next;
        record.timestamp = time + at.record * step;
        if (keyless && (at.record + 1) % keyless == 0) {
            record.key_len = -1;
        } else {
            record.key = Bytes(key);
            record.key_len = static_cast<int32_t>(key.size());
        }
        record.value = Bytes(value);
        record.value_len = static_cast<int32_t>(value.size());
        Need(kb_batch_builder_add(&builder, &record, nullptr, 0, &err),
             "adding a record");
    }
    Need(kb_batch_builder_finish(&builder, static_cast<int>(Number("codec", 0)),
                                 &a.codecs, at.offset, &raw, &err),
         "a batch");
    struct kb_batch batch;
    Need(kb_batch_parse(raw.data + began, raw.len - began, &batch, &err),
         "a batch");
    struct kb_stored_batch stored = {};
    stored.base_offset = at.offset;
    stored.next_offset = kb_batch_next_offset(&batch);
    stored.records = static_cast<uint32_t>(batch.count);
    stored.bytes = static_cast<uint32_t>(batch.len);
    stored.max_timestamp = batch.max_timestamp;
    stored.min_timestamp = std::min(time, batch.max_timestamp);
    stored.min_known = true;
    Need(kb_coverage_batch(&at.coverage, &stored, &err), "coverage");
    struct kb_sums sums = {};
    sums.records = stored.records;
    sums.missing =
        static_cast<uint64_t>(batch.last_offset_delta + 1) - stored.records;
    sums.batches = 1;
    sums.max_timestamp = stored.max_timestamp;
    sums.min_timestamp = stored.min_timestamp;
    sums.min_known = true;
    sums.largest_batch = stored.bytes;
    if (!desc.sums.batches)
        desc.start = at.offset;
    kb_sums_add(&desc.sums, &sums);
    desc.end = stored.next_offset;
    at.offset = stored.next_offset;
    at.last = {};
    at.last.known = true;
    at.last.base_offset = stored.base_offset;
    at.last.crc32c = batch.crc;
}

void AddFrame(Archive &a, struct kb_segment_writer *writer,
              struct kb_frame_desc &desc, struct kb_buf &raw)
{
    if (!desc.sums.batches)
        return;
    struct iovec io = {raw.data, raw.len};
    struct kb_buf packed = KB_BUF_INIT;

    desc.raw_len = static_cast<uint32_t>(raw.len);
    if (Number("codec", 0) == 0 && Text("frames", "zstd") == "zstd") {
        struct kb_codec_session *session;
        struct kbp_sink sink = kb_buf_sink(&packed, 1u << 30);

        Need(kb_codec_worker_named(&a.codecs, "zstd", &session, &err), "zstd");
        Need(kb_codec_compress(session, raw.data, raw.len, &sink, &err),
             "compressing a frame");
        io = {packed.data, packed.len};
        desc.codec = 1;
    }
    Need(kb_frame_seal(&desc, &io, 1, &err), "a frame");
    Need(kb_segment_add(writer, &desc, &io, 1, &err), "a frame");
    kb_buf_release(&packed);
    kb_buf_reset(&raw);
}

void WriteSegment(Archive &a, uint32_t number, const struct kb_uuid &generation,
                  const std::string &topic, std::vector<Position> &at,
                  int64_t until)
{
    struct kb_segment_writer *writer;
    struct kb_segment_info info;
    struct kb_name name = {};
    uint32_t segment;

    std::snprintf(name.run, sizeof name.run, "%s",
                  kb_committer_run(&a.committer));
    name.worker = 1;
    name.seq = number;
    Need(kb_segment_begin(&writer, a.session, a.id.c_str(), &name, 1, "zstd",
                          &err),
         "a segment");
    Need(kb_segment_topic(writer, &generation, topic.c_str(), &err), "a topic");
    for (size_t p = 0; p < at.size(); p++) {
        struct kb_buf raw = KB_BUF_INIT;
        struct kb_frame_desc desc = {};

        kb_coverage_init(&at[p].coverage, at[p].offset);
        desc.generation = generation;
        desc.partition = static_cast<int32_t>(p);
        while (at[p].record < until) {
            AddBatch(a, static_cast<int32_t>(p),
                     std::min(Number("batch", 500), until - at[p].record),
                     at[p], desc, raw);
            if (raw.len >= static_cast<size_t>(Number("frame", 1 << 20))) {
                AddFrame(a, writer, desc, raw);
                desc.sums = {};
                desc.codec = 0;
            }
        }
        AddFrame(a, writer, desc, raw);
        kb_buf_release(&raw);
    }
    Need(kb_segment_finish(writer, &info, &err), "a segment");
    kb_segment_close(writer);
    Need(kb_entry_segment(a.entry, &info, &segment, &err), "an entry");
    for (size_t p = 0; p < at.size(); p++) {
        Need(kb_entry_extent(a.entry, &generation, static_cast<int32_t>(p),
                             &at[p].coverage, segment, &at[p].last, &err),
             "an extent");
        kb_coverage_release(&at[p].coverage);
    }
    Need(kb_commit(&a.committer, a.entry, &err), "a commit");
    Need(kb_entry_reset(a.entry, &err), "an entry");
}

void DescribeTopic(Archive &a, const struct kb_uuid &generation,
                   const std::string &topic, int32_t partitions)
{
    struct kb_topic_desc desc = {};
    std::vector<struct kb_topic_config> configs;
    std::vector<std::string> words;
    std::string list = Text("config", "");

    while (!list.empty()) {
        size_t comma = list.find(',');

        words.push_back(list.substr(0, comma));
        list = comma == std::string::npos ? "" : list.substr(comma + 1);
    }
    std::sort(words.begin(), words.end());
    for (std::string &word : words) {
        size_t equals = word.find('=');

        word[equals] = '\0';
        configs.push_back(
            {&word[0], &word[equals + 1], const_cast<char *>("topic")});
    }
    desc.partition_count = partitions;
    desc.replication_factor = 1;
    desc.configs = configs.data();
    desc.config_count = configs.size();
    desc.configs_known = true;
    Need(
        kb_entry_topic(a.entry, topic.c_str(), &generation, false, &desc, &err),
        "a topic");
}

void AddGroup(Archive &a, const std::string &topic, int32_t partitions)
{
    std::string text = Text("group", "");
    size_t at = text.find('@');
    struct kb_groups groups = {};
    struct kb_captured_group *group;
    struct kb_name name = {};

    if (at == std::string::npos)
        return;
    groups.captured_ms = 1700000000000;
    Need(kb_groups_add(&groups, text.substr(0, at).c_str(), &group, &err),
         "a group");
    for (int32_t p = 0; p < partitions; p++)
        Need(kb_captured_group_add(
                 group, topic.c_str(), p,
                 std::strtoll(text.c_str() + at + 1, nullptr, 10), "meta",
                 &err),
             "a group");
    std::snprintf(name.run, sizeof name.run, "%s",
                  kb_committer_run(&a.committer));
    name.worker = 1;
    name.seq = 1;
    Need(kb_groups_write(&groups, a.session, a.id.c_str(), &name, &err),
         "groups");
    Need(kb_entry_groups(a.entry, &name, groups.captured_ms, &err), "groups");
    kb_groups_release(&groups);
}

} // namespace

int main(int argc, char **argv)
{
    Archive a;

    if (argc < 4) {
        std::fprintf(stderr, "usage: make_archive PLUGIN_DIR STORE_DIR "
                             "BACKUP_ID KEY=VALUE...\n");
        return 2;
    }
    for (int i = 4; i < argc; i++) {
        std::string word = argv[i];
        size_t equals = word.find('=');

        if (equals == std::string::npos)
            return 2;
        options[word.substr(0, equals)] = word.substr(equals + 1);
    }
    const char *dirs[] = {argv[1]};
    const struct kb_kv kv = {"path", argv[2]};
    const std::string topic = Text("topic", "t");
    const int32_t partitions = static_cast<int32_t>(Number("partitions", 1));
    const int64_t records = Number("records", 1000);
    const int64_t segments = Number("segments", 1);
    struct kb_uuid generation;

    a.id = argv[3];
    Need(kb_registry_init(&a.registry, dirs, 1, &err), "plugins");
    kb_codec_set_init(&a.set, &a.registry, nullptr);
    kb_codec_worker_init(&a.codecs, &a.set);
    Need(kb_store_open(&a.registry, "filesystem", &kv, 1, nullptr, &a.store,
                       &err),
         "the store");
    Need(kb_store_session_open(a.store, nullptr, &a.session, &err),
         "the store");
    if (kb_manifest_load(&a.manifest, a.session, argv[3], &err) != KBP_OK) {
        kb_err_clear(&err);
        Need(kb_manifest_new(&a.manifest, argv[3], &err), "a manifest");
    }
    Need(kb_committer_begin(&a.committer, a.session, a.manifest, nullptr, 1,
                            &err),
         "a run");
    Need(kb_entry_new(&a.entry, &err), "an entry");
    Need(kb_uuid_make(&generation, &err), "an id");
    DescribeTopic(a, generation, topic, partitions);
    AddGroup(a, topic, partitions);
    std::vector<Position> at(static_cast<size_t>(partitions));
    for (Position &p : at)
        p.offset = Number("start", 0);
    for (int64_t s = 1; s <= segments; s++)
        WriteSegment(a, static_cast<uint32_t>(s), generation, topic, at,
                     records * s / segments);
    Need(kb_entry_run_end(a.entry, KB_RUN_COMPLETE, &err), "the end");
    Need(kb_commit(&a.committer, a.entry, &err), "the end");
    Need(kb_fold(&a.committer, &err), "folding");
    kb_entry_free(a.entry);
    kb_manifest_free(a.manifest);
    kb_store_session_close(a.session);
    kb_store_close(a.store);
    kb_codec_worker_release(&a.codecs);
    kb_codec_set_release(&a.set);
    kb_registry_release(&a.registry);
    return 0;
}

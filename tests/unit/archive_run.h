// SPDX-License-Identifier: Apache-2.0
// archive_run.h - a manifest as it is loaded, and a run that commits to it.
#ifndef KB_ARCHIVE_RUN_H
#define KB_ARCHIVE_RUN_H

#include "archive_harness.h"

extern "C" {
#include "archive/groups.h"
}

using kbt::dense;
using kbt::Error;
using kbt::Frame;
using kbt::Store;
using kbt::uuid;

class Manifest
{
  public:
    Manifest() = default;
    Manifest(const Manifest &) = delete;
    ~Manifest()
    {
        kb_manifest_free(m);
    }
    int load(Store &store, const char *id = "b")
    {
        kb_manifest_free(m);
        m = nullptr;
        return kb_manifest_load(&m, store.session, id, &err);
    }
    kb_partition_log *log(uint8_t topic, int32_t partition)
    {
        kb_uuid id = uuid(topic);
        kb_generation *g = kb_manifest_generation(m, &id);

        return g ? kb_generation_partition(g, partition) : nullptr;
    }
    int64_t resume(uint8_t topic, int32_t partition)
    {
        kb_partition_log *l = log(topic, partition);

        return l ? kb_partition_resume(l) : -1;
    }

    kb_manifest *m = nullptr;
    Error err;
};

// A run of a backup that writes `count` records to each of two partitions a
// step, whatever is there already.
class Backup
{
  public:
    explicit Backup(Store &store, kb_lease *lease = nullptr) : store_(store)
    {
        rc = manifest.load(store);
        if (rc == KBP_ERR_NOT_FOUND)
            rc = kb_manifest_new(&manifest.m, "b", &err);
        if (rc == KBP_OK)
            rc = kb_committer_begin(&committer, store.session, manifest.m,
                                    lease, 0, &err);
        if (rc == KBP_OK)
            rc = kb_entry_new(&entry, &err);
    }
    Backup(const Backup &) = delete;
    ~Backup()
    {
        kb_entry_free(entry);
    }

    int topic(uint8_t n, int32_t partitions = 2)
    {
        kb_topic_desc desc{};
        kb_topic_config config{const_cast<char *>("retention.ms"),
                               const_cast<char *>("\"quoted\" \\ \n"),
                               const_cast<char *>("topic")};
        kb_uuid id = uuid(n);
        std::string name = "topic-" + std::to_string(n);

        desc.partition_count = partitions;
        desc.replication_factor = 1;
        desc.configs = &config;
        desc.config_count = 1;
        desc.configs_known = true;
        desc.described_ms = 5;
        return kb_entry_topic(entry, name.c_str(), &id, true, &desc, &err);
    }
    static kb_last_batch last_of(int64_t start)
    {
        kb_last_batch last = {};

        last.known = true;
        last.base_offset = start;
        last.crc32c = 77;
        last.leader_epoch = 3;
        last.detailed = true;
        last.last_offset = start + 5;
        last.max_timestamp = -1;
        last.producer_id = INT64_MAX;
        last.producer_epoch = -7;
        last.base_sequence = -1;
        last.count = 4;
        last.attributes = 0xffff;
        last.magic = 1;
        return last;
    }
    // Records [start, start + count) of a partition, then a marker.
    int extent(uint8_t topic, int32_t partition, int64_t start, int count,
               uint32_t segment)
    {
        kb_coverage c;
        kb_last_batch last = last_of(start);
        kb_stored_batch s{start, start + count, static_cast<uint32_t>(count),
                          100,   1000 + start,  1000 + start,
                          true};
        kb_uuid id = uuid(topic);

        kb_coverage_init(&c, start);
        int r = kb_coverage_batch(&c, &s, &err);
        if (r == KBP_OK)
            r = kb_coverage_skip(&c, KB_RANGE_MARKER, start + count + 1, &err);
        if (r == KBP_OK)
            r = kb_entry_extent(entry, &id, partition, &c, segment, &last,
                                &err);
        kb_coverage_release(&c);
        return r;
    }
    int commit()
    {
        int r = kb_commit(&committer, entry, &err);

        return r == KBP_OK ? kb_entry_reset(entry, &err) : r;
    }
    // A segment with the next records of both partitions, committed.
    int step(int count = 9)
    {
        int64_t at[2];
        std::vector<Frame> frames;
        uint32_t segment = 0;
        kb_name name = committer.next;

        name.seq = ++segments;
        for (int32_t p = 0; p < 2; p++) {
            at[p] = manifest.resume(1, p);
            if (at[p] < 0)
                at[p] = 100;
            frames.emplace_back(uuid(1), p,
                                std::vector<std::string>{dense(at[p], count)});
        }
        kb_segment_info info;
        try {
            info = kbt::write_segment(store_, "b", name, frames, 0);
        } catch (const std::runtime_error &) {
            return KBP_ERR_DENIED;
        }
        int r = kb_entry_segment(entry, &info, &segment, &err);
        if (r == KBP_OK && !manifest.log(1, 0))
            r = topic(1);
        for (int32_t p = 0; p < 2 && r == KBP_OK; p++)
            r = extent(1, p, at[p], count, segment);
        return r == KBP_OK ? commit() : r;
    }
    int end(kb_run_status status = KB_RUN_COMPLETE)
    {
        int r = kb_entry_run_end(entry, status, &err);

        if (r == KBP_OK)
            r = commit();
        return r == KBP_OK ? kb_fold(&committer, &err) : r;
    }

    Manifest manifest;
    kb_committer committer{};
    kb_entry *entry = nullptr;
    uint32_t segments = 0;
    int rc = KBP_OK;
    Error err;

  private:
    Store &store_;
};

inline std::string dump(const kb_manifest *m)
{
    std::string out;

    for (size_t i = 0; i < m->generation_count; i++) {
        const kb_generation &g = m->generations[i];

        out += std::string(g.topic) + " " + std::to_string(g.number) + "\n";
        for (size_t p = 0; p < g.partition_count; p++) {
            const kb_partition_log &l = g.partitions[p];

            out += " " + std::to_string(l.partition);
            for (size_t e = 0; e < l.extent_count; e++)
                out += " [" + std::to_string(l.extents[e].start) + "," +
                       std::to_string(l.extents[e].end) + ")x" +
                       std::to_string(l.extents[e].sums.records);
            for (size_t r = 0; r < l.ranges.count; r++)
                out += " " +
                       std::string(kb_range_word(l.ranges.items[r].kind)) +
                       std::to_string(l.ranges.items[r].start);
            out += "\n";
        }
    }
    return out + std::to_string(m->segment_count) + " segments\n";
}

inline std::string dump(Store &store)
{
    Manifest m;

    return m.load(store) == KBP_OK ? dump(m.m) : m.err.text();
}

#endif

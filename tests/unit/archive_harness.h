// SPDX-License-Identifier: Apache-2.0
// archive_harness.h - stores, record batches and segments for archive tests.
#ifndef KB_ARCHIVE_HARNESS_H
#define KB_ARCHIVE_HARNESS_H

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" {
#include "archive/commit.h"
#include "archive/segment_reader.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "plugin/codec.h"
#include "plugin/storage.h"
}

namespace kbt
{

struct Error : kbp_error {
    Error() : kbp_error(KB_ERR_INIT)
    {
    }
    std::string text() const
    {
        return std::string(message) + (hint[0] ? " | " : "") + hint;
    }
};

// The plugins as built.
class Registry
{
  public:
    Registry()
    {
        const char *dir = KB_TEST_PLUGIN_DIR;

        if (kb_registry_init(&registry, &dir, 1, &err) != KBP_OK)
            throw std::runtime_error(err.text());
    }
    ~Registry()
    {
        kb_registry_release(&registry);
    }
    Registry(const Registry &) = delete;

    kb_registry registry{};
    Error err;
};

inline Registry &registry()
{
    static Registry one;
    return one;
}

// A store with a session; by default one of its own in memory.
class Store
{
  public:
    using Settings = std::map<std::string, std::string>;

    explicit Store(const Settings &settings = {}, const char *type = "memory")
    {
        std::vector<kb_kv> kvs;
        kb_store_limits limits = {10000, 2000};

        for (auto &s : settings)
            kvs.push_back({s.first.c_str(), s.second.c_str()});
        if (kb_store_open(&registry().registry, type, kvs.data(), kvs.size(),
                          &limits, &store, &err) != KBP_OK ||
            kb_store_session_open(store, nullptr, &session, &err) != KBP_OK)
            throw std::runtime_error(err.text());
    }
    ~Store()
    {
        kb_store_session_close(session);
        kb_store_close(store);
    }
    Store(const Store &) = delete;

    std::string get(const std::string &key)
    {
        kb_buf buf = KB_BUF_INIT;

        if (kb_store_get_all(session, key.c_str(), 1u << 30, &buf, nullptr,
                             &err) != KBP_OK)
            throw std::runtime_error(err.text());
        std::string out(reinterpret_cast<char *>(buf.data), buf.len);
        kb_buf_release(&buf);
        return out;
    }
    void put(const std::string &key, const std::string &bytes)
    {
        if (kb_store_put(session, key.c_str(), bytes.data(), bytes.size(),
                         nullptr, nullptr, &err) != KBP_OK)
            throw std::runtime_error(err.text());
    }
    void remove(const std::string &key)
    {
        if (kb_store_remove(session, key.c_str(), &err) != KBP_OK)
            throw std::runtime_error(err.text());
    }
    std::vector<std::string> keys(const std::string &prefix = "")
    {
        std::vector<std::string> out;
        auto fn = [](void *data, const kbp_object *o) -> int32_t {
            static_cast<std::vector<std::string> *>(data)->push_back(o->key);
            return 0;
        };

        if (kb_store_list(session, prefix.c_str(), nullptr, 0, fn, &out,
                          &err) != KBP_OK)
            throw std::runtime_error(err.text());
        return out;
    }

    kb_store *store = nullptr;
    kb_store_session *session = nullptr;
    Error err;
};

inline void varint(std::string &out, int64_t value)
{
    uint64_t raw = (static_cast<uint64_t>(value) << 1) ^
                   static_cast<uint64_t>(value >> 63);

    for (; raw > 0x7f; raw >>= 7)
        out += static_cast<char>(raw | 0x80);
    out += static_cast<char>(raw);
}

// A record batch of magic 2; offsets[i] has the value values[i], key null.
inline std::string batch(const std::vector<int64_t> &offsets, int64_t next,
                         const std::string &value = "value",
                         int64_t timestamp = 1700000000000)
{
    std::string records;
    std::string out(61, '\0');
    auto *at = reinterpret_cast<uint8_t *>(&out[0]);

    for (int64_t offset : offsets) {
        std::string record(1, '\0');

        varint(record, 0);                   // timestamp delta
        varint(record, offset - offsets[0]); // offset delta
        varint(record, -1);                  // key
        varint(record, static_cast<int64_t>(value.size()));
        record += value;
        varint(record, 0); // headers
        varint(records, static_cast<int64_t>(record.size()));
        records += record;
    }
    out += records;
    at = reinterpret_cast<uint8_t *>(&out[0]);
    kb_store_be64(at, static_cast<uint64_t>(offsets[0]));
    kb_store_be32(at + 8, static_cast<uint32_t>(out.size() - 12));
    kb_store_be32(at + 12, 7); // leader epoch
    at[16] = 2;
    kb_store_be32(at + 23, static_cast<uint32_t>(next - offsets[0] - 1));
    kb_store_be64(at + 27, static_cast<uint64_t>(timestamp));
    kb_store_be64(at + 35, static_cast<uint64_t>(timestamp));
    kb_store_be64(at + 43, UINT64_MAX);
    kb_store_be16(at + 51, UINT16_MAX);
    kb_store_be32(at + 53, UINT32_MAX);
    kb_store_be32(at + 57, static_cast<uint32_t>(offsets.size()));
    kb_store_be32(at + 17, kb_crc32c(0, at + 21, out.size() - 21));
    return out;
}

// `count` records from `start` on, densely.
inline std::string dense(int64_t start, int count,
                         const std::string &value = "value",
                         int64_t timestamp = 1700000000000)
{
    std::vector<int64_t> offsets;

    for (int i = 0; i < count; i++)
        offsets.push_back(start + i);
    return batch(offsets, start + count, value, timestamp);
}

inline kb_uuid uuid(uint8_t n)
{
    kb_uuid id{};

    id.bytes[0] = 0xa0;
    id.bytes[15] = n;
    return id;
}

inline kb_name name_of(int64_t run_ms, uint32_t seq, uint32_t worker = 0)
{
    kb_name name{};

    kb_run_name(name.run, run_ms);
    name.worker = worker;
    name.seq = seq;
    return name;
}

// What kb_segment_add() wants for whole batches.
struct Frame {
    kb_frame_desc desc{};
    std::string raw;
    std::string stored;

    Frame(const kb_uuid &generation, int32_t partition,
          const std::vector<std::string> &batches)
    {
        kb_coverage c;
        Error err;

        desc.generation = generation;
        desc.partition = partition;
        for (auto &b : batches) {
            auto *at = reinterpret_cast<const uint8_t *>(b.data());
            kb_stored_batch s{};

            s.base_offset = static_cast<int64_t>(kb_load_be64(at));
            s.next_offset = s.base_offset + kb_load_be32(at + 23) + 1;
            s.records = kb_load_be32(at + 57);
            s.bytes = static_cast<uint32_t>(b.size());
            s.max_timestamp = static_cast<int64_t>(kb_load_be64(at + 35));
            s.min_timestamp = s.max_timestamp;
            s.min_known = true;
            if (raw.empty())
                kb_coverage_init(&c, s.base_offset);
            else if (kb_coverage_skip(&c, KB_RANGE_CLEANED, s.base_offset,
                                      &err) != KBP_OK)
                throw std::runtime_error(err.text());
            if (kb_coverage_batch(&c, &s, &err) != KBP_OK)
                throw std::runtime_error(err.text());
            raw += b;
        }
        desc.start = c.start;
        desc.end = c.end;
        desc.sums = c.sums;
        desc.raw_len = static_cast<uint32_t>(raw.size());
        kb_coverage_release(&c);
        stored = raw;
        seal();
    }
    // Store it compressed.
    void compress(uint8_t codec, const std::string &bytes)
    {
        desc.codec = codec;
        stored = bytes;
        seal();
    }
    void seal()
    {
        iovec iov = vec();
        Error err;

        if (kb_frame_seal(&desc, &iov, 1, &err) != KBP_OK)
            throw std::runtime_error(err.text());
    }
    iovec vec() const
    {
        return {const_cast<char *>(stored.data()), stored.size()};
    }
};

inline std::string zstd(const std::string &raw)
{
    kb_codec *codec = nullptr;
    kb_codec_session *session = nullptr;
    kb_buf out = KB_BUF_INIT;
    kbp_sink sink = kb_buf_sink(&out, 1u << 30);
    Error err;

    if (kb_codec_open(&registry().registry, "zstd", nullptr, 0, nullptr, &codec,
                      &err) != KBP_OK ||
        kb_codec_session_open(codec, &session, &err) != KBP_OK ||
        kb_codec_compress(session, raw.data(), raw.size(), &sink, &err) !=
            KBP_OK)
        throw std::runtime_error(err.text());
    kb_codec_session_close(session);
    kb_codec_close(codec);
    std::string bytes(reinterpret_cast<char *>(out.data), out.len);
    kb_buf_release(&out);
    return bytes;
}

// Write a segment of these frames.
inline kb_segment_info write_segment(Store &store, const char *backup_id,
                                     const kb_name &name,
                                     const std::vector<Frame> &frames,
                                     uint8_t codec = 1)
{
    kb_segment_writer *w = nullptr;
    kb_segment_info info{};
    Error err;
    int rc = kb_segment_begin(&w, store.session, backup_id, &name, codec,
                              codec ? "zstd" : nullptr, &err);

    for (auto &f : frames) {
        iovec iov = f.vec();
        char topic[32];

        (void)snprintf(topic, sizeof topic, "topic-%u",
                       f.desc.generation.bytes[15]);
        if (rc == KBP_OK)
            rc = kb_segment_topic(w, &f.desc.generation, topic, &err);
        if (rc == KBP_OK)
            rc = kb_segment_add(w, &f.desc, &iov, 1, &err);
    }
    if (rc == KBP_OK)
        rc = kb_segment_finish(w, &info, &err);
    kb_segment_close(w);
    if (rc != KBP_OK)
        throw std::runtime_error(err.text());
    return info;
}

inline std::string segment_key(const char *backup_id, const kb_name &name)
{
    char *key = kb_key_segment(backup_id, &name);
    std::string out(key);

    free(key);
    return out;
}

// A folder that goes when the test ends.
class TempDir
{
  public:
    TempDir()
    {
        const char *base = getenv("TMPDIR");

        path = std::string(base ? base : "/tmp") + "/kb-archive-XXXXXX";
        if (!mkdtemp(&path[0]))
            throw std::runtime_error("mkdtemp");
    }
    ~TempDir()
    {
        std::string command = "rm -rf '" + path + "'";

        EXPECT_EQ(0, std::system(command.c_str()));
    }
    std::string path;
};

// A run which writes what it is told; its backup is "nightly".
struct Writer {
    explicit Writer(Store &s) : store(s)
    {
        rc = kb_manifest_load(&m, store.session, "nightly", &err);
        if (rc == KBP_ERR_NOT_FOUND)
            rc = kb_manifest_new(&m, "nightly", &err);
        if (rc == KBP_OK)
            rc = kb_committer_begin(&c, store.session, m, nullptr, 0, &err);
        if (rc == KBP_OK)
            rc = kb_entry_new(&entry, &err);
        EXPECT_EQ(KBP_OK, rc) << err.text();
    }
    Writer(const Writer &) = delete;
    ~Writer()
    {
        kb_entry_free(entry);
        kb_manifest_free(m);
    }
    void topic(uint8_t n)
    {
        kb_uuid id = uuid(n);
        kb_topic_desc desc{};
        kb_topic_config config{const_cast<char *>("cleanup.policy"),
                               const_cast<char *>("compact"),
                               const_cast<char *>("topic")};

        desc.partition_count = 2;
        desc.replication_factor = 1;
        desc.configs = &config;
        desc.config_count = desc.configs_known = 1;
        ASSERT_EQ(KBP_OK,
                  kb_entry_topic(entry, ("topic-" + std::to_string(n)).c_str(),
                                 &id, true, &desc, &err));
    }
    // A segment; for each frame's partition one extent which begins at the
    // frame's start and goes on to `ends`.
    void commit(const std::vector<Frame> &frames,
                const std::vector<int64_t> &ends, uint8_t codec)
    {
        kb_name name = c.next;
        uint32_t segment = 0;

        name.seq = ++segments;
        auto info = write_segment(store, "nightly", name, frames, codec);
        ASSERT_EQ(KBP_OK, kb_entry_segment(entry, &info, &segment, &err));
        for (size_t i = 0; i < frames.size(); i++)
            extent(frames[i], ends[i], segment);
        ASSERT_EQ(KBP_OK, kb_commit(&c, entry, &err)) << err.text();
        ASSERT_EQ(KBP_OK, kb_entry_reset(entry, &err));
    }
    void extent(const Frame &f, int64_t end, uint32_t segment)
    {
        kb_coverage cover;
        size_t at = 0;

        kb_coverage_init(&cover, f.desc.start);
        while (at < f.raw.size()) {
            auto *b = reinterpret_cast<const uint8_t *>(f.raw.data()) + at;
            kb_stored_batch s{};

            s.base_offset = static_cast<int64_t>(kb_load_be64(b));
            s.next_offset = s.base_offset + kb_load_be32(b + 23) + 1;
            s.records = kb_load_be32(b + 57);
            s.bytes = kb_load_be32(b + 8) + 12;
            s.max_timestamp = static_cast<int64_t>(kb_load_be64(b + 35));
            s.min_timestamp = s.max_timestamp;
            s.min_known = true;
            ASSERT_EQ(KBP_OK, kb_coverage_skip(&cover, KB_RANGE_CLEANED,
                                               s.base_offset, &err));
            ASSERT_EQ(KBP_OK, kb_coverage_batch(&cover, &s, &err));
            at += s.bytes;
        }
        ASSERT_EQ(KBP_OK, kb_coverage_skip(&cover, KB_RANGE_MARKER, end, &err));
        ASSERT_EQ(KBP_OK,
                  kb_entry_extent(entry, &f.desc.generation, f.desc.partition,
                                  &cover, segment, nullptr, &err))
            << err.text();
        kb_coverage_release(&cover);
    }

    Store &store;
    kb_manifest *m = nullptr;
    kb_committer c{};
    kb_entry *entry = nullptr;
    uint32_t segments = 0;
    int rc;
    Error err;
};

} // namespace kbt

#endif

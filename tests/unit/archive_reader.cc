// SPDX-License-Identifier: Apache-2.0
// archive_reader.cc - the format is what its document says: what the program
// writes, a reader written from the document alone reads; and what an earlier
// program wrote (tests/golden) is read today.
//
// KB_WRITE_GOLDEN=DIR makes the first test leave its backup there.
#include "archive_harness.h"

#include <cstdio>

namespace
{

using kbt::batch;
using kbt::dense;
using kbt::Error;
using kbt::Frame;
using kbt::Store;
using kbt::TempDir;
using kbt::uuid;
using kbt::Writer;

std::string run(const std::string &command, int *status)
{
    FILE *pipe = popen(command.c_str(), "r");
    std::string out;
    char buf[4096];
    size_t n;

    while ((n = fread(buf, 1, sizeof buf, pipe)) > 0)
        out.append(buf, n);
    *status = pclose(pipe);
    return out;
}

std::string read_by_python(const std::string &dir, int *status)
{
    return run("python3 " KB_TEST_SOURCE_DIR "/reader/kbs_reader.py '" + dir +
                   "' nightly 2>&1",
               status);
}

// Everything that the format has: two runs, folded part and log, frames plain
// and compressed, holes, markers, a topic that was made again.
void write_backup(Store &store)
{
    {
        Writer w(store);
        Frame packed(uuid(1), 0,
                     {dense(5, 20), dense(25, 1), dense(30, 3, "x", -1)});

        packed.compress(1, kbt::zstd(packed.raw));
        w.topic(1);
        w.topic(2);
        w.commit({packed, Frame(uuid(1), 1, {batch({0, 2, 7}, 9)}),
                  Frame(uuid(2), 3, {dense(0, 1)})},
                 {34, 9, 1}, 1);
        ASSERT_EQ(KBP_OK, kb_fold(&w.c, &w.err)) << w.err.text();
        w.commit({Frame(uuid(1), 0, {dense(34, 2)})}, {37, 36}, 0);
    }
    Writer w(store);
    kb_uuid again = uuid(4);
    kb_uuid old = uuid(2);
    kb_topic_desc desc{};

    desc.partition_count = 1;
    ASSERT_EQ(KBP_OK,
              kb_entry_topic_deleted(w.entry, &old, 1700000001000, &w.err));
    ASSERT_EQ(KBP_OK,
              kb_entry_topic(w.entry, "topic-4", &again, true, &desc, &w.err));
    w.commit({Frame(uuid(4), 0, {dense(100, 2)})}, {102}, 0);
    ASSERT_EQ(KBP_OK, kb_entry_run_end(w.entry, KB_RUN_COMPLETE, &w.err));
    ASSERT_EQ(KBP_OK, kb_commit(&w.c, w.entry, &w.err)) << w.err.text();
}

const char *const kExpected[] = {
    "topic-1 0 5 20", "topic-1 0 25 1", "topic-1 0 30 3", "topic-1 0 34 2",
    "topic-1 1 0 3",  "topic-2 3 0 1",  "topic-4 0 100 2"};

// "topic partition offset records" of every batch line.
std::vector<std::string> batch_lines(const std::string &out)
{
    std::vector<std::string> lines;
    size_t at = 0;

    while (at < out.size()) {
        size_t end = out.find('\n', at);
        std::string line = out.substr(at, end - at);
        char topic[64];
        int partition;
        long long base;
        long long next;
        int records;

        if (sscanf(line.c_str(),
                   "{\"topic\": \"%63[^\"]\", \"generation\": %*d, "
                   "\"partition\": %d, \"base_offset\": %lld, "
                   "\"next_offset\": %lld, \"records\": %d",
                   topic, &partition, &base, &next, &records) == 5)
            lines.push_back(
                std::string(topic) + " " + std::to_string(partition) + " " +
                std::to_string(base) + " " + std::to_string(records));
        at = end == std::string::npos ? out.size() : end + 1;
    }
    return lines;
}

void expect_all(const std::string &out, int status)
{
    EXPECT_EQ(0, status) << out;
    EXPECT_EQ(
        std::vector<std::string>(std::begin(kExpected), std::end(kExpected)),
        batch_lines(out))
        << out;
    EXPECT_NE(std::string::npos, out.find("{\"records\": 32}")) << out;
}

TEST(ArchiveReader, AReaderMadeFromTheDocumentReadsWhatWeWrite)
{
    TempDir temp;
    const char *golden = getenv("KB_WRITE_GOLDEN");
    std::string dir = golden ? golden : temp.path;
    Store store(Store::Settings{{"path", dir}}, "filesystem");
    int status = 0;

    write_backup(store);
    std::string out = read_by_python(dir, &status);
    expect_all(out, status);
    EXPECT_NE(std::string::npos,
              out.find("\"ranges\": [[\"c\", 26, 30], [\"m\", 33, 34], "
                       "[\"m\", 36, 37]]"))
        << out;
    if (golden)
        return;
    /* And it isn't blind: each damaged object is an error. */
    for (auto &key : store.keys()) {
        std::string good = store.get(key);
        std::string bad = good;

        bad[bad.size() / 2] ^= 0x10;
        store.put(key, bad);
        out = read_by_python(dir, &status);
        EXPECT_NE(0, status) << key << ": " << out;
        store.put(key, good);
    }
}

TEST(ArchiveReader, WhatWasWrittenByTheFirstVersionIsReadForEver)
{
    std::string dir = KB_TEST_SOURCE_DIR "/golden/format-2";
    Store store(Store::Settings{{"path", dir}}, "filesystem");
    kb_manifest *m = nullptr;
    int status = 0;
    Error err;

    expect_all(read_by_python(dir, &status), status);
    ASSERT_EQ(KBP_OK, kb_manifest_load(&m, store.session, "nightly", &err))
        << err.text();
    EXPECT_EQ(KBP_OK, kb_manifest_check(m, nullptr, nullptr, &err))
        << err.text();
    EXPECT_EQ(3u, m->generation_count);
    EXPECT_EQ(2u, m->run_count);
    EXPECT_EQ(1700000001000, m->generations[1].deleted_ms);
    kb_uuid one = uuid(1);
    kb_generation *g = kb_manifest_generation(m, &one);
    ASSERT_NE(nullptr, g);
    EXPECT_EQ(37, kb_partition_resume(kb_generation_partition(g, 0)));

    uint64_t records = 0;
    for (size_t i = 0; i < m->segment_count; i++) {
        kb_segment *s = nullptr;

        ASSERT_EQ(KBP_OK, kb_segment_open(&s, store.session, "nightly",
                                          &m->segments[i], &err))
            << err.text();
        for (size_t f = 0; f < s->frame_count; f++) {
            uint64_t bytes = 0;
            kb_frame_run run{};

            ASSERT_EQ(1u, kb_segment_run(s, f, 1, UINT64_MAX, &bytes));
            kb_block *block = kb_block_new(nullptr, 0, bytes);
            EXPECT_EQ(KBP_OK, kb_segment_read(s, store.session, f, 1, block,
                                              &run, &err))
                << err.text();
            records += s->frames[f].desc.sums.records;
            kb_block_unref(block);
        }
        kb_segment_free(s);
    }
    EXPECT_EQ(32u, records);
    kb_manifest_free(m);
}

} // namespace

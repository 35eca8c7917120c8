// SPDX-License-Identifier: Apache-2.0
// backup_pipe.cc - collect, encode, store and commit, with threads and a store
// in memory: what went in comes out, in order, and is accounted for.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <thread>

#include "backup_batches.h"

extern "C" {
#include "archive/segment_reader.h"
#include "backup/pipe.h"
}

using kbt::Answer;
using kbt::Shape;

namespace
{

class BackupPipe : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        const char *dir = KB_TEST_PLUGIN_DIR;

        ASSERT_EQ(KBP_OK, kb_stop_init(&stop, &err));
        kb_progress_init(&progress);
        ASSERT_EQ(KBP_OK, kb_registry_init(&registry, &dir, 1, &err));
        ASSERT_EQ(KBP_OK, kb_store_open(&registry, "memory", nullptr, 0,
                                        nullptr, &store, &err))
            << err.message;
        ASSERT_EQ(KBP_OK,
                  kb_store_session_open(store, nullptr, &session, &err));
        ASSERT_EQ(KBP_OK, kb_manifest_new(&manifest, "b", &err));
        ASSERT_EQ(KBP_OK, kb_committer_begin(&committer, session, manifest,
                                             nullptr, 0, &err))
            << err.message;
        ASSERT_EQ(KBP_OK, kb_codec_open(&registry, "zstd", nullptr, 0, nullptr,
                                        &codec, &err))
            << err.message;
        topic.name = name;
        topic.number = 1;
        topic.generation.bytes[0] = 1;
    }

    void TearDown() override
    {
        for (auto part : parts)
            kb_part_free(part);
        kb_codec_close(codec);
        kb_manifest_free(manifest);
        kb_store_session_close(session);
        kb_store_close(store);
        kb_registry_release(&registry);
        if (have_budget)
            kb_budget_release(&budget);
        kb_stop_release(&stop);
    }

    void Start(int32_t part_count, size_t memory, uint64_t segment_bytes)
    {
        kb_pipe_settings set = {};
        kb_entry *entry = nullptr;

        kb_budget_init(&budget, memory, &stop);
        have_budget = true;
        topic.desc.partition_count = part_count;
        ASSERT_EQ(KBP_OK, kb_entry_new(&entry, &err));
        ASSERT_EQ(KBP_OK, kb_entry_topic(entry, "t", &topic.generation, true,
                                         &topic.desc, &err));
        ASSERT_EQ(KBP_OK, kb_commit(&committer, entry, &err)) << err.message;
        kb_entry_free(entry);
        set.store = store;
        set.backup_id = "b";
        set.codec = codec;
        set.segment_max_bytes = segment_bytes;
        set.encoders = 3;
        set.writers = 2;
        set.budget = &budget;
        set.progress = &progress;
        set.committer = &committer;
        ASSERT_EQ(KBP_OK, kb_pipe_start(&pipe, &set, &err)) << err.message;
        collector.budget = &budget;
        collector.frame_bytes = 64 << 10;
        collector.pass_bytes = 256 << 10;
        collector.emit = [](void *data, kb_parcel *parcel) {
            kb_pipe_push((kb_pipe *)data, parcel);
        };
        collector.data = &pipe;
        for (int32_t p = 0; p < part_count; p++) {
            parts.push_back(kb_part_new(&topic, p, 0, KB_NO_END));
            parts.back()->home = (unsigned)p % 2;
        }
    }

    // What a fetcher does with an answer.
    void Take(kb_part *part, const Answer &answer, std::string *stored)
    {
        kbp_error why = KB_ERR_INIT;
        kb_walk walk = {};
        kb_walk_item item;
        kb_block *block;
        kb_fetched fetched = answer.fetched;
        size_t len = answer.records.size() + 20; // an answer has a header

        ASSERT_EQ(KBP_OK, kb_budget_take(&budget, len, &why));
        block = kb_block_new(&budget, len, len);
        ASSERT_NE(nullptr, block);
        memcpy(block->data + 20, answer.records.data(), answer.records.size());
        fetched.records = block->data + 20;
        kb_walk_begin(&walk, &fetched);
        walk.position = part->position;
        walk.end = KB_NO_END;
        while (kb_walk_next(&walk, &item, &why) == 1) {
            if (item.kind == KB_WALK_BATCH && stored)
                stored->append((const char *)item.batch.bytes, item.batch.len);
            ASSERT_EQ(KBP_OK,
                      kb_collect_add(&collector, part, &item, block, &why))
                << why.message;
            part->position = item.end;
        }
        kb_block_unref(block);
        ASSERT_EQ(KBP_OK, kb_collect_settle(&collector, part, &why));
        kb_walk_release(&walk);
    }

    int Finish()
    {
        for (auto part : parts)
            EXPECT_EQ(KBP_OK, kb_collect_flush(&collector, part, &err));
        return kb_pipe_finish(&pipe, &err);
    }

    // All batches of a partition, from the store.
    std::string ReadBack(const kb_manifest *from, int32_t partition,
                         size_t *frames = nullptr)
    {
        kb_codec_set set;
        kb_codec_worker worker;
        std::string all;
        const kb_generation *generation = kb_manifest_topic(from, "t");
        const kb_partition_log *log =
            kb_generation_partition(generation, partition);

        kb_codec_set_init(&set, &registry, nullptr);
        kb_codec_worker_init(&worker, &set);
        for (size_t e = 0; log && e < log->extent_count; e++) {
            kb_segment *segment = nullptr;
            size_t first = 0;

            if (log->extents[e].segment == KB_NO_SEGMENT)
                continue;
            EXPECT_EQ(KBP_OK,
                      kb_segment_open(&segment, session, "b",
                                      &from->segments[log->extents[e].segment],
                                      &err))
                << err.message;
            size_t count = kb_segment_find(segment, &generation->id, partition,
                                           log->extents[e].start,
                                           log->extents[e].end, &first);
            for (size_t i = first; i < first + count; i++) {
                uint64_t bytes = 0;
                kb_frame_run run;
                kb_slice slice;

                EXPECT_EQ(1u, kb_segment_run(segment, i, 1, 1, &bytes));
                kb_block *block = kb_block_new(nullptr, 0, bytes);
                EXPECT_EQ(KBP_OK, kb_segment_read(segment, session, i, 1, block,
                                                  &run, &err))
                    << err.message;
                EXPECT_EQ(KBP_OK, kb_frame_run_batches(&run, 0, &worker,
                                                       nullptr, &slice, &err))
                    << err.message;
                all.append((const char *)slice.data, slice.len);
                kb_slice_release(&slice);
                kb_block_unref(block);
                if (frames)
                    ++*frames;
            }
            kb_segment_free(segment);
        }
        kb_codec_worker_release(&worker);
        kb_codec_set_release(&set);
        return all;
    }

    kb_stop stop = {};
    kb_progress progress;
    kb_registry registry = {};
    kb_store *store = nullptr;
    kb_store_session *session = nullptr;
    kb_manifest *manifest = nullptr;
    kb_committer committer = {};
    kb_codec *codec = nullptr;
    kb_budget budget = {};
    bool have_budget = false;
    kb_pipe pipe;
    kb_collector collector = {};
    char name[2] = "t";
    kb_source_topic topic = {};
    std::vector<kb_part *> parts;
    kbp_error err = KB_ERR_INIT;
};

TEST_F(BackupPipe, WhatGoesInFromManyThreadsComesOutInOrder)
{
    const int kThreads = 4;
    const int kParts = 16;
    std::vector<std::string> stored(kParts);
    std::vector<std::thread> threads;

    Start(kParts, 4 << 20, 300 << 10);
    for (int t = 0; t < kThreads; t++)
        threads.emplace_back([&, t] {
            unsigned seed = (unsigned)t * 7919 + 1;
            auto random = [&](unsigned n) {
                seed = seed * 1103515245 + 12345;
                return (seed >> 16) % n;
            };
            for (int round = 0; round < 60; round++)
                for (int p = t; p < kParts; p += kThreads) {
                    std::vector<Shape> shapes;
                    int64_t at = parts[(size_t)p]->position;

                    for (unsigned i = random(4); i-- > 0;) {
                        Shape s = kbt::data(at + (int64_t)random(3),
                                            1 + (int32_t)random(20));

                        s.value_bytes = random(2000);
                        shapes.push_back(s);
                        at = s.base + s.count;
                    }
                    if (random(5) == 0)
                        shapes.push_back(kbt::marker(at, 9, 1));
                    Take(parts[(size_t)p], Answer(shapes), &stored[(size_t)p]);
                    if (random(20) == 0) {
                        kbp_error why = KB_ERR_INIT;

                        EXPECT_EQ(KBP_OK, kb_pipe_close_segments(&pipe, &why));
                    }
                    // Somebody who is short of memory flushes all.
                    if (random(30) == 0) {
                        for (auto part : parts) {
                            kbp_error why = KB_ERR_INIT;

                            EXPECT_EQ(KBP_OK,
                                      kb_collect_flush(&collector, part, &why));
                        }
                    }
                }
        });
    for (auto &thread : threads)
        thread.join();
    ASSERT_EQ(KBP_OK, Finish()) << err.message;
    EXPECT_EQ(0u, budget.used);
    EXPECT_EQ(0u, collector.pending);

    kb_manifest *read = nullptr;
    ASSERT_EQ(KBP_OK, kb_manifest_load(&read, session, "b", &err))
        << err.message;
    EXPECT_EQ(KBP_OK, kb_manifest_check(read, nullptr, nullptr, &err))
        << err.message;
    for (int p = 0; p < kParts; p++) {
        const kb_part *part = parts[(size_t)p];
        const kb_partition_log *log =
            kb_generation_partition(kb_manifest_topic(read, "t"), p);
        uint64_t absent = 0;

        ASSERT_NE(nullptr, log) << p;
        EXPECT_EQ(part->position, kb_partition_resume(log)) << p;
        EXPECT_EQ(part->position, part->committed) << p;
        for (auto n : part->absent)
            absent += n;
        EXPECT_EQ(KBP_OK, kb_account_check(part->begin, part->committed,
                                           &part->sums, absent, &err))
            << err.message;
        EXPECT_TRUE(stored[(size_t)p] == ReadBack(read, p)) << p;
        EXPECT_TRUE(log->last.known);
    }
    kb_manifest_free(read);
}

TEST_F(BackupPipe, OffsetsWithoutABatchAreAccountedForWithoutASegment)
{
    Start(1, 1 << 20, 1 << 20);
    Take(parts[0], Answer({kbt::marker(4, 9, 1)}), nullptr);
    ASSERT_EQ(KBP_OK, Finish()) << err.message;
    EXPECT_EQ(0u, manifest->segment_count);
    EXPECT_EQ(5, parts[0]->committed);
    EXPECT_EQ(4u, parts[0]->absent[KB_RANGE_ABSENT]);
    EXPECT_EQ(1u, parts[0]->absent[KB_RANGE_MARKER]);
}

TEST_F(BackupPipe, TransactionsThatWereStoredAndAbortedAreNamed)
{
    auto row = [](const kb_txns &txns, size_t i) {
        return std::to_string(txns.items[i].producer_id) + ":" +
               std::to_string(txns.items[i].start) + "-" +
               std::to_string(txns.items[i].end);
    };

    Start(1, 1 << 20, 1 << 20);
    collector.uncommitted = true;
    parts[0]->open.items = (kb_txn *)malloc(sizeof(kb_txn));
    parts[0]->open.cap = 1;
    parts[0]->open.count = 1;
    parts[0]->open.items[0] = {5, 0, 0}; // stored by an earlier run
    Take(parts[0],
         Answer({kbt::txn(0, 2, 7), kbt::txn(2, 1, 8), kbt::data(3, 1)}),
         nullptr);
    Take(parts[0],
         Answer({kbt::txn(4, 1, 7), kbt::marker(5, 7, 0), kbt::marker(6, 8, 1),
                 kbt::marker(7, 5, 0), kbt::marker(8, 99, 0), kbt::txn(9, 1, 7),
                 kbt::txn(10, 1, 6)}),
         nullptr);
    ASSERT_EQ(KBP_OK, Finish()) << err.message;
    const kb_partition_log *log =
        kb_generation_partition(kb_manifest_topic(manifest, "t"), 0);
    ASSERT_EQ(2u, log->aborted.count);
    EXPECT_EQ("7:0-6", row(log->aborted, 0));
    EXPECT_EQ("5:0-8", row(log->aborted, 1)); // its data are the earlier run's
    ASSERT_EQ(2u, log->open.count);
    EXPECT_EQ("7:9-0", row(log->open, 0));
    EXPECT_EQ("6:10-0", row(log->open, 1));
    EXPECT_EQ(KBP_OK, kb_manifest_check(manifest, nullptr, nullptr, &err))
        << err.message;
}

TEST_F(BackupPipe, CommittedTransactionsAreNotKeptInMind)
{
    Start(1, 1 << 20, 1 << 20);
    Take(parts[0], Answer({kbt::txn(0, 2, 7)}), nullptr);
    EXPECT_EQ(0u, parts[0]->open.count);
    ASSERT_EQ(KBP_OK, Finish()) << err.message;
}

TEST_F(BackupPipe, ManyQuietPartitionsShareAnObject)
{
    Start(500, 64 << 20, 64 << 20);
    for (auto part : parts)
        Take(part, Answer({kbt::data(0, 3)}), nullptr);
    ASSERT_EQ(KBP_OK, Finish()) << err.message;
    EXPECT_EQ(1u, manifest->segment_count);
    EXPECT_EQ(kbt::make_batch(kbt::data(0, 3)), ReadBack(manifest, 499));
}

TEST_F(BackupPipe, WhatIsMuchGoesToAllWriters)
{
    const int kParts = 8;
    std::vector<std::string> stored(kParts);

    Start(kParts, 64 << 20, 64 << 20);
    for (int round = 0; round < 4; round++)
        for (int p = 0; p < kParts; p++) {
            Shape s = kbt::data(parts[(size_t)p]->position, 1);

            s.value_bytes = 600000;
            Take(parts[(size_t)p], Answer({s}), &stored[(size_t)p]);
        }
    ASSERT_EQ(KBP_OK, Finish()) << err.message;
    ASSERT_EQ(2u, manifest->segment_count);
    // Neither has less than a quarter.
    for (size_t i = 0; i < 2; i++)
        EXPECT_GE(manifest->segments[i].raw_bytes, 8u * 600000u);
    for (int p = 0; p < kParts; p++)
        EXPECT_TRUE(stored[(size_t)p] == ReadBack(manifest, p)) << p;
}

TEST_F(BackupPipe, SlowPartitionsDoNotHoldAnswers)
{
    Start(1, 64 << 20, 64 << 20);
    // A large answer of which this partition has a little.
    Answer answer({kbt::data(0, 3)});
    kb_block *block = kb_block_new(nullptr, 0, 1 << 20);
    kb_walk_item item = {};
    kb_fetched fetched = answer.fetched;
    kb_walk walk = {};

    memcpy(block->data + 1000, answer.records.data(), answer.records.size());
    fetched.records = block->data + 1000;
    kb_walk_begin(&walk, &fetched);
    walk.end = KB_NO_END;
    while (kb_walk_next(&walk, &item, &err) == 1)
        ASSERT_EQ(KBP_OK,
                  kb_collect_add(&collector, parts[0], &item, block, &err));
    EXPECT_EQ(2u, block->refs);
    ASSERT_EQ(KBP_OK, kb_collect_settle(&collector, parts[0], &err));
    EXPECT_EQ(1u, block->refs);
    kb_block_unref(block);
    kb_walk_release(&walk);
    ASSERT_EQ(KBP_OK, Finish()) << err.message;
    EXPECT_EQ(answer.records, ReadBack(manifest, 0));
}

TEST_F(BackupPipe, PlainBatchesArePutTogetherForTheCodec)
{
    size_t frames = 0;
    std::string all;

    Start(1, 64 << 20, 64 << 20);
    for (int64_t i = 0; i < 200; i++)
        Take(parts[0], Answer({[&] {
                 Shape s = kbt::data(i, 1);
                 s.value_bytes = 1000;
                 return s;
             }()}),
             &all);
    ASSERT_EQ(KBP_OK, Finish()) << err.message;
    EXPECT_TRUE(all == ReadBack(manifest, 0, &frames));
    EXPECT_EQ(4u, frames); // of 64 KiB
    EXPECT_LT(manifest->segments[0].size, all.size() / 10);
}

} // namespace

// SPDX-License-Identifier: Apache-2.0
// archive_segment.cc - segments: what is written is read, damage is found.
#include "archive_harness.h"

namespace
{

using kbt::batch;
using kbt::dense;
using kbt::Error;
using kbt::Frame;
using kbt::Store;
using kbt::uuid;

class Segment
{
  public:
    Segment() = default;
    Segment(const Segment &) = delete;
    ~Segment()
    {
        kb_segment_free(s);
    }
    kb_segment *s = nullptr;
};

// Reads frames with a zstd codec at hand.
class Reader
{
  public:
    Reader()
    {
        kb_codec_set_init(&set_, &kbt::registry().registry, nullptr);
        kb_codec_worker_init(&worker_, &set_);
    }
    ~Reader()
    {
        kb_codec_worker_release(&worker_);
        kb_codec_set_release(&set_);
    }
    Reader(const Reader &) = delete;

    // The batches of frames [first, first + count), each verified.
    int read(Store &store, const kb_segment *s, size_t first, size_t count,
             std::vector<std::string> *out)
    {
        uint64_t bytes = 0;
        kb_frame_run run{};
        size_t n = kb_segment_run(s, first, count, UINT64_MAX, &bytes);
        kb_block *block = kb_block_new(nullptr, 0, bytes);
        int rc = n == count ? KBP_OK : KBP_ERR_INTERNAL;

        if (rc == KBP_OK)
            rc = kb_segment_read(s, store.session, first, count, block, &run,
                                 &err);
        for (size_t i = 0; i < count && rc == KBP_OK; i++) {
            kb_slice slice{};

            rc = kb_frame_run_batches(&run, i, &worker_, nullptr, &slice, &err);
            if (rc == KBP_OK)
                out->emplace_back(reinterpret_cast<const char *>(slice.data),
                                  slice.len);
            kb_slice_release(&slice);
        }
        kb_block_unref(block);
        return rc;
    }

    Error err;

  private:
    kb_codec_set set_{};
    kb_codec_worker worker_{};
};

const kb_name kName = kbt::name_of(1700000000000, 1);

std::vector<Frame> sample()
{
    Frame packed(uuid(1), 0, {dense(10, 20), dense(30, 5)});
    std::vector<Frame> frames;

    packed.compress(1, kbt::zstd(packed.raw));
    frames.emplace_back(uuid(2), 7, std::vector<std::string>{dense(0, 3)});
    frames.emplace_back(uuid(1), 0,
                        std::vector<std::string>{dense(0, 4), dense(8, 2)});
    frames.push_back(packed);
    frames.emplace_back(uuid(1), 1,
                        std::vector<std::string>{batch({5, 7, 9}, 12)});
    return frames;
}

TEST(ArchiveSegment, GivesBackEveryBatchByPartitionAndOffset)
{
    Store store;
    Reader reader;
    Segment segment;
    auto frames = sample();
    auto info = kbt::write_segment(store, "b", kName, frames);
    std::vector<std::string> read;
    size_t first = 99;

    ASSERT_EQ(KBP_OK, kb_segment_open(&segment.s, store.session, "b", &info,
                                      &store.err))
        << store.err.text();
    EXPECT_EQ(4u, segment.s->frame_count);
    EXPECT_EQ(2u, segment.s->topic_count);
    EXPECT_STREQ("topic-2", segment.s->topics[0].topic);
    EXPECT_STREQ("zstd", segment.s->codec);
    EXPECT_EQ(3u + 6 + 25 + 3, info.records);

    kb_uuid one = uuid(1);
    ASSERT_EQ(2u, kb_segment_find(segment.s, &one, 0, 0, 100, &first));
    ASSERT_EQ(KBP_OK, reader.read(store, segment.s, first, 2, &read))
        << reader.err.text();
    EXPECT_EQ(frames[1].raw, read[0]);
    EXPECT_EQ(frames[2].raw, read[1]);

    EXPECT_EQ(1u, kb_segment_find(segment.s, &one, 0, 10, 100, &first));
    EXPECT_EQ(1u, kb_segment_find(segment.s, &one, 0, 0, 10, &first));
    EXPECT_EQ(0u, kb_segment_find(segment.s, &one, 0, 35, 100, &first));
    EXPECT_EQ(0u, kb_segment_find(segment.s, &one, 2, 0, 100, &first));
    ASSERT_EQ(1u, kb_segment_find(segment.s, &one, 1, 0, 100, &first));
    EXPECT_EQ(3u, segment.s->frames[first].desc.sums.records);
    EXPECT_EQ(4u, segment.s->frames[first].desc.sums.missing);
}

TEST(ArchiveSegment, OpensByKeyAlone)
{
    Store store;
    Segment segment;
    std::vector<Frame> frames;

    for (int i = 0; i < 2000; i++) // an index larger than the first guess
        frames.emplace_back(uuid(1), i, std::vector<std::string>{dense(0, 1)});
    (void)kbt::write_segment(store, "b", kName, frames, 0);
    ASSERT_EQ(KBP_OK, kb_segment_open_key(&segment.s, store.session,
                                          kbt::segment_key("b", kName).c_str(),
                                          &store.err))
        << store.err.text();
    EXPECT_EQ(2000u, segment.s->frame_count);
}

TEST(ArchiveSegment, ReadsCloseFramesTogetherAndFarOnesApart)
{
    Store store;
    Segment segment;
    uint64_t bytes = 0;
    std::string big(300000, 'x');
    std::vector<Frame> frames;

    frames.emplace_back(uuid(1), 0, std::vector<std::string>{dense(0, 1)});
    frames.emplace_back(uuid(1), 1, std::vector<std::string>{dense(0, 1)});
    frames.emplace_back(uuid(1), 0, std::vector<std::string>{dense(1, 1)});
    frames.emplace_back(uuid(1), 1, std::vector<std::string>{dense(1, 1, big)});
    frames.emplace_back(uuid(1), 0, std::vector<std::string>{dense(2, 1)});
    auto info = kbt::write_segment(store, "b", kName, frames, 0);
    ASSERT_EQ(KBP_OK, kb_segment_open(&segment.s, store.session, "b", &info,
                                      &store.err));
    EXPECT_EQ(2u, kb_segment_run(segment.s, 0, 3, UINT64_MAX, &bytes));
    EXPECT_EQ(segment.s->frames[1].place + KB_FRAME_HEADER +
                  segment.s->frames[1].desc.stored_len - 64,
              bytes);
    EXPECT_EQ(1u, kb_segment_run(segment.s, 0, 3, 10, &bytes));
}

// Whether every frame that can still be read is one of the frames written.
void expect_no_lie(Store &store, Reader &reader, const kb_segment *s,
                   const std::vector<Frame> &frames, size_t where)
{
    for (size_t i = 0; i < s->frame_count; i++) {
        std::vector<std::string> read;

        if (reader.read(store, s, i, 1, &read) != KBP_OK)
            continue;
        bool known = false;
        for (auto &f : frames)
            known = known || f.raw == read[0];
        EXPECT_TRUE(known) << "damage at " << where;
    }
}

TEST(ArchiveSegment, EveryFlippedBitIsFoundBeforeItsBytesAreUsed)
{
    Store store;
    Reader reader;
    auto frames = sample();
    auto info = kbt::write_segment(store, "b", kName, frames);
    std::string key = kbt::segment_key("b", kName);
    std::string whole = store.get(key);

    for (size_t i = 0; i < whole.size() * 8; i++) {
        std::string bad = whole;
        Segment segment;
        size_t ok = 0;

        bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
        store.put(key, bad);
        if (kb_segment_open(&segment.s, store.session, "b", &info,
                            &store.err) != KBP_OK) {
            EXPECT_EQ(KBP_ERR_CORRUPT, store.err.status) << i;
            continue;
        }
        for (size_t f = 0; f < segment.s->frame_count; f++) {
            std::vector<std::string> read;

            if (reader.read(store, segment.s, f, 1, &read) == KBP_OK)
                ok++;
            else
                EXPECT_EQ(KBP_ERR_CORRUPT, reader.err.status) << i;
        }
        /* Only the segment's own header isn't looked at by a reader. */
        EXPECT_TRUE(ok + 1 == segment.s->frame_count ||
                    (i < 64 * 8 && ok == segment.s->frame_count))
            << "bit " << i;
        expect_no_lie(store, reader, segment.s, frames, i);
    }
}

TEST(ArchiveSegment, EveryTruncationIsFound)
{
    Store store;
    auto info = kbt::write_segment(store, "b", kName, sample());
    std::string key = kbt::segment_key("b", kName);
    std::string whole = store.get(key);

    for (size_t len = 0; len < whole.size(); len++) {
        Segment segment;

        store.put(key, whole.substr(0, len));
        EXPECT_EQ(KBP_ERR_CORRUPT, kb_segment_open(&segment.s, store.session,
                                                   "b", &info, &store.err))
            << len;
        EXPECT_NE(std::string::npos, store.err.text().find(key));
        EXPECT_EQ(KBP_ERR_CORRUPT,
                  kb_segment_open_key(&segment.s, store.session, key.c_str(),
                                      &store.err))
            << len;
    }
}

TEST(ArchiveSegment, ASwappedObjectIsNotTakenForTheOneThatWasNamed)
{
    Store store;
    Segment segment;
    kb_name other = kbt::name_of(1700000000000, 2);
    auto info = kbt::write_segment(store, "b", kName, sample());

    (void)kbt::write_segment(store, "b", other, sample());
    store.put(kbt::segment_key("b", kName),
              store.get(kbt::segment_key("b", other)));
    EXPECT_EQ(KBP_ERR_CORRUPT, kb_segment_open(&segment.s, store.session, "b",
                                               &info, &store.err));
    EXPECT_NE(std::string::npos, store.err.text().find("swapped"));
}

TEST(ArchiveSegment, SalvageFindsTheFramesWithoutIndexAndAroundDamage)
{
    Store store;
    auto frames = sample();
    (void)kbt::write_segment(store, "b", kName, frames);
    std::string whole = store.get(kbt::segment_key("b", kName));
    std::vector<kb_frame> found;
    uint64_t skipped = 0;
    auto fn = [](void *data, const kb_frame *f) {
        static_cast<std::vector<kb_frame> *>(data)->push_back(*f);
        return 0;
    };
    Error err;

    ASSERT_EQ(KBP_OK, kb_segment_scan(whole.data(), whole.size(), fn, &found,
                                      &skipped, &err));
    ASSERT_EQ(4u, found.size());
    EXPECT_EQ(0u, skipped);
    EXPECT_EQ(frames[2].desc.end, found[2].desc.end);

    /* Cut within the last frame, and the second one's header hurt. */
    std::string bad = whole.substr(0, found[3].place + 130);
    bad[found[1].place + 40] ^= 1;
    found.clear();
    ASSERT_EQ(KBP_OK, kb_segment_scan(bad.data(), bad.size(), fn, &found,
                                      &skipped, &err));
    ASSERT_EQ(3u, found.size());
    EXPECT_EQ(7, found[0].desc.partition);
    EXPECT_EQ(10, found[1].desc.start);
    EXPECT_EQ(128 + frames[1].stored.size(), skipped);
}

TEST(ArchiveSegment, WriterRefusesWhatAReaderWouldNotTake)
{
    Store store;
    Error err;
    kb_uuid one = uuid(1);
    auto refused = [&](const Frame &f, bool named) {
        static uint32_t seq = 100;
        kb_name name = kbt::name_of(1700000000000, ++seq);
        kb_segment_writer *w = nullptr;
        iovec iov = f.vec();

        EXPECT_EQ(KBP_OK, kb_segment_begin(&w, store.session, "b", &name, 1,
                                           "zstd", &err));
        if (named) {
            EXPECT_EQ(KBP_OK, kb_segment_topic(w, &one, "t", &err));
        }
        int rc = kb_segment_add(w, &f.desc, &iov, 1, &err);
        kb_segment_close(w);
        return rc;
    };
    const Frame good(uuid(1), 0, {dense(0, 1)});

    EXPECT_EQ(KBP_OK, refused(good, true)) << err.text();
    EXPECT_EQ(KBP_ERR_MISUSE, refused(good, false));
    Frame f = good;
    f.desc.stored_len++;
    EXPECT_EQ(KBP_ERR_MISUSE, refused(f, true));
    f = good;
    f.desc.codec = 9;
    EXPECT_EQ(KBP_ERR_MISUSE, refused(f, true));
    f = good;
    f.desc.sums.records = 2;
    EXPECT_EQ(KBP_ERR_CORRUPT, refused(f, true));
    f = good;
    f.desc.end = f.desc.start;
    EXPECT_EQ(KBP_ERR_CORRUPT, refused(f, true));
    EXPECT_TRUE(store.keys().empty()); // nothing came of any of them
}

TEST(ArchiveSegment, AFrameThatUnpacksToAnotherLengthIsDamaged)
{
    Store store;
    Reader reader;
    for (int less : {-1, 1}) {
        Segment segment;
        Frame f(uuid(1), 0, {dense(0, 50)});
        std::vector<std::string> read;
        kb_name name = kbt::name_of(1700000000000, less < 0 ? 5 : 6);

        f.compress(1, kbt::zstd(f.raw));
        f.desc.raw_len += static_cast<uint32_t>(less);
        if (f.desc.sums.largest_batch > f.desc.raw_len)
            f.desc.sums.largest_batch = f.desc.raw_len;
        auto info = kbt::write_segment(store, "b", name, {f});
        ASSERT_EQ(KBP_OK, kb_segment_open(&segment.s, store.session, "b", &info,
                                          &store.err));
        EXPECT_EQ(KBP_ERR_CORRUPT, reader.read(store, segment.s, 0, 1, &read));
        EXPECT_NE(std::string::npos,
                  reader.err.text().find("partition 0, offsets 0 to 50"))
            << reader.err.text();
    }
}

} // namespace

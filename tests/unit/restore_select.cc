/* SPDX-License-Identifier: Apache-2.0 */
/* restore_select.cc - which records are restored, and as what batches. */
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "base/budget.h"
#include "plugin/codec.h"
#include "restore/select.h"
}

namespace
{

struct Rec {
    int64_t offset;
    int64_t timestamp;
    std::string value;
    std::string header;

    bool operator==(const Rec &o) const
    {
        return offset == o.offset && timestamp == o.timestamp &&
               value == o.value && header == o.header;
    }
};

void PrintTo(const Rec &rec, std::ostream *out)
{
    *out << "{" << rec.offset << " @" << rec.timestamp << " " << rec.value
         << " [" << rec.header << "]}";
}

const uint8_t *Bytes(const char *text)
{
    return reinterpret_cast<const uint8_t *>(text);
}

class Select : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        spec_.rebuilt_bytes = 1 << 20;
        const char *dirs[] = {KB_TEST_PLUGIN_DIR};
        ASSERT_EQ(kb_registry_init(&registry_, dirs, 1, &err_), KBP_OK);
        kb_codec_set_init(&set_, &registry_, nullptr);
        kb_codec_worker_init(&codecs_, &set_);
        ASSERT_EQ(kb_stop_init(&stop_, &err_), KBP_OK);
        kb_budget_init(&budget_, 1 << 30, &stop_);
    }

    void TearDown() override
    {
        kb_ready_clear(&out_);
        if (begun_)
            kb_select_release(&sel_);
        EXPECT_EQ(budget_.used, 0u) << "memory that nobody gave back";
        kb_codec_worker_release(&codecs_);
        kb_codec_set_release(&set_);
        kb_registry_release(&registry_);
        kb_budget_release(&budget_);
        kb_stop_release(&stop_);
    }

    void Begin(int64_t target = 0, uint64_t skip = 0)
    {
        kb_select_init(&sel_, &spec_, &budget_);
        begun_ = true;
        sel_.next_target = target;
        sel_.skip = skip;
        ASSERT_EQ(
            kb_select_source(&sel_, 3, 7, nullptr, &codecs_, &out_, &err_),
            KBP_OK);
    }

    /* A batch of these records, with holes where their offsets have them. */
    std::string Make(const std::vector<Rec> &recs, int codec = 0,
                     uint16_t more_attributes = 0)
    {
        struct kb_batch_builder builder = {};
        struct kb_buf bytes = KB_BUF_INIT;

        kb_batch_builder_reset(&builder);
        builder.keep_offsets = true;
        for (const Rec &rec : recs) {
            struct kb_record record = {};

            record.offset = rec.offset;
            record.timestamp = rec.timestamp;
            record.key_len = -1;
            record.value = Bytes(rec.value.c_str());
            record.value_len = static_cast<int32_t>(rec.value.size());
            EXPECT_EQ(
                kb_batch_builder_add(&builder, &record, nullptr, 0, &err_),
                KBP_OK)
                << err_.message;
        }
        EXPECT_EQ(kb_batch_builder_finish(&builder, codec, &codecs_,
                                          recs.front().offset, &bytes, &err_),
                  KBP_OK)
            << err_.message;
        std::string made(reinterpret_cast<char *>(bytes.data), bytes.len);
        if (more_attributes) {
            made[22] = static_cast<char>(made[22] | more_attributes);
            kb_batch_seal(reinterpret_cast<uint8_t *>(&made[0]), made.size());
        }
        kb_buf_release(&bytes);
        kb_batch_builder_release(&builder);
        return made;
    }

    int Give(const std::string &bytes, int64_t from = 0,
             int64_t end = INT64_MAX, bool inside = false)
    {
        kb_budget_force(&budget_, bytes.size());
        struct kb_block *block =
            kb_block_new(&budget_, bytes.size(), bytes.size());
        struct kb_batch batch;

        std::memcpy(block->data, bytes.data(), bytes.size());
        block->len = bytes.size();
        EXPECT_EQ(kb_batch_parse(block->data, block->len, &batch, &err_),
                  KBP_OK);
        int status = kb_select_batch(&sel_, &batch, block, from, end, inside,
                                     &codecs_, &out_, &err_);
        kb_block_unref(block);
        return status;
    }

    /* All that is ready, walked as a broker would. */
    std::vector<Rec> Walk()
    {
        std::vector<Rec> recs;

        EXPECT_EQ(kb_select_flush(&sel_, &codecs_, &out_, &err_), KBP_OK)
            << err_.message;
        for (struct kb_ready *ready = out_.head; ready; ready = ready->next) {
            struct kb_batch batch;
            struct kb_records it;
            struct kb_record record;

            if (ready->landed)
                continue;
            struct kb_batch_stamp stamp = {0, 77, 1, 5};
            kb_batch_stamp(ready->bytes, ready->len, &stamp);
            EXPECT_EQ(kb_batch_parse(ready->bytes, ready->len, &batch, &err_),
                      KBP_OK);
            EXPECT_EQ(batch.len, ready->len);
            EXPECT_EQ(kb_batch_check(&batch, &err_), KBP_OK);
            EXPECT_TRUE(kb_batch_is_dense(&batch));
            EXPECT_EQ(batch.base_offset, 0);
            EXPECT_EQ(batch.producer_id, 77);
            EXPECT_EQ(batch.attributes & 0xfff8, 0);
            EXPECT_EQ(batch.count, ready->count);
            EXPECT_EQ(kb_records_open(&it, &batch, &codecs_, 0, &err_), KBP_OK);
            int64_t expect = 0;
            while (kb_records_next(&it, &record, &err_) == 1) {
                Rec rec;

                EXPECT_EQ(record.offset, expect++);
                rec.offset = ready->target_offset + record.offset;
                rec.timestamp = record.timestamp;
                rec.value.assign(reinterpret_cast<const char *>(record.value),
                                 static_cast<size_t>(record.value_len));
                struct kb_cursor at =
                    kb_cursor_of(record.headers, record.headers_len);
                struct kb_header header;
                while (record.header_count && kb_record_header(&at, &header))
                    rec.header.append(
                        reinterpret_cast<const char *>(header.name),
                        static_cast<size_t>(header.name_len)) += ";";
                recs.push_back(rec);
            }
            kb_records_close(&it);
        }
        return recs;
    }

    /* Every pair of offsets that the ready batches tell of. */
    std::vector<std::pair<int64_t, int64_t>> Places()
    {
        std::vector<std::pair<int64_t, int64_t>> places;

        for (struct kb_ready *ready = out_.head; ready; ready = ready->next)
            for (size_t i = 0; i < ready->map.count; i++)
                for (int64_t k = 0; k < ready->map.runs[i].len; k++)
                    places.push_back({ready->map.runs[i].source_start + k,
                                      ready->map.runs[i].target_start + k});
        return places;
    }

    struct kbp_error err_ = KB_ERR_INIT;
    struct kb_registry registry_ = {};
    struct kb_codec_set set_ = {};
    struct kb_codec_worker codecs_ = {};
    struct kb_stop stop_ = {};
    struct kb_budget budget_ = {};
    struct kb_select_spec spec_ = {};
    struct kb_select sel_ = {};
    struct kb_ready_list out_ = {};
    bool begun_ = false;
};

using Places_t = std::vector<std::pair<int64_t, int64_t>>;

TEST_F(Select, DenseBatchGoesOutAsItIs)
{
    Begin(100);
    std::string bytes = Make({{10, 5, "a", ""}, {11, 6, "b", ""}});
    ASSERT_EQ(Give(bytes), KBP_OK);
    ASSERT_EQ(out_.count, 1u);
    EXPECT_EQ(
        std::string(reinterpret_cast<char *>(out_.head->bytes), out_.head->len),
        bytes);
    EXPECT_EQ(out_.head->source_next, 12);
    EXPECT_EQ(sel_.rebuilt, 0u);
    EXPECT_EQ(Places(), (Places_t{{10, 100}, {11, 101}}));
    EXPECT_EQ(Walk(), (std::vector<Rec>{{100, 5, "a", ""}, {101, 6, "b", ""}}));
}

TEST_F(Select, HolesAreClosed)
{
    Begin();
    ASSERT_EQ(
        Give(Make({{10, 5, "a", ""}, {13, -1, "b", ""}, {20, 0, "c", ""}}, 3)),
        KBP_OK);
    EXPECT_EQ(Walk(), (std::vector<Rec>{
                          {0, 5, "a", ""}, {1, -1, "b", ""}, {2, 0, "c", ""}}));
    EXPECT_EQ(Places(), (Places_t{{10, 0}, {13, 1}, {20, 2}}));
    EXPECT_EQ(out_.head->source_next, 21);
}

TEST_F(Select, LogAppendTimeKeepsWhatReadersSaw)
{
    Begin();
    ASSERT_EQ(Give(Make({{0, 50, "a", ""}, {1, 900, "b", ""}}, 0,
                        KB_BATCH_LOG_APPEND)),
              KBP_OK);
    EXPECT_EQ(Walk(), (std::vector<Rec>{{0, 900, "a", ""}, {1, 900, "b", ""}}));
}

TEST_F(Select, TransactionalBitGoesAway)
{
    Begin();
    ASSERT_EQ(Give(Make({{0, 50, "a", ""}}, 0, KB_BATCH_TRANSACTIONAL)),
              KBP_OK);
    EXPECT_EQ(sel_.rebuilt, 0u);
    EXPECT_EQ(Walk(), (std::vector<Rec>{{0, 50, "a", ""}}));
}

TEST_F(Select, AbortedTransactionsAreLeftOut)
{
    struct kb_txn rows[] = {{9, 20, 30}, {7, 0, 6}, {7, 10, 12}};
    struct kb_txns aborted = {rows, 3, 3};
    auto txn = [&](int64_t offset, int64_t producer,
                   uint16_t attributes = KB_BATCH_TRANSACTIONAL) {
        std::string made = Make({{offset, 1, "v", ""}}, 0, attributes);

        for (int i = 0; i < 8; i++)
            made[43 + i] = static_cast<char>(producer >> (56 - 8 * i));
        kb_batch_seal(reinterpret_cast<uint8_t *>(&made[0]), made.size());
        return made;
    };

    Begin();
    kb_txns_sort(&aborted);
    ASSERT_EQ(kb_select_source(&sel_, 3, 7, &aborted, &codecs_, &out_, &err_),
              KBP_OK);
    ASSERT_EQ(Give(txn(0, 7)), KBP_OK);
    ASSERT_EQ(Give(txn(1, 8)), KBP_OK);    // another producer's
    ASSERT_EQ(Give(txn(2, 7, 0)), KBP_OK); // no transaction
    ASSERT_EQ(Give(txn(5, 7)), KBP_OK);
    ASSERT_EQ(Give(txn(6, 7)), KBP_OK); // behind the marker
    ASSERT_EQ(Give(txn(11, 7)), KBP_OK);
    ASSERT_EQ(Give(txn(12, 7)), KBP_OK);
    ASSERT_EQ(Give(txn(19, 9)), KBP_OK);
    ASSERT_EQ(Give(txn(29, 9)), KBP_OK);
    EXPECT_EQ(sel_.aborted_records, 4u);
    std::vector<Rec> recs = Walk();
    ASSERT_EQ(recs.size(), 5u);
    EXPECT_EQ(sel_.next_target, 5);
}

TEST_F(Select, ControlAndRangesAreLeftOut)
{
    Begin();
    ASSERT_EQ(Give(Make({{0, 1, "marker", ""}}, 0, KB_BATCH_CONTROL)), KBP_OK);
    ASSERT_EQ(
        Give(Make({{1, 1, "a", ""}, {2, 1, "b", ""}, {3, 1, "c", ""}}), 2, 3),
        KBP_OK);
    ASSERT_EQ(Give(Make({{3, 1, "d", ""}}), 2, 3), KBP_OK);
    EXPECT_EQ(Walk(), (std::vector<Rec>{{0, 1, "b", ""}}));
    EXPECT_EQ(Places(), (Places_t{{2, 0}}));
    EXPECT_EQ(out_.tail->source_next, 3);
}

TEST_F(Select, WindowGoesByEachRecordsTime)
{
    spec_.window = true;
    spec_.window_start = 100;
    spec_.window_end = 200;
    Begin();
    /* Out of order: its first and last record are outside. */
    ASSERT_EQ(Give(Make({{0, 999, "no", ""},
                         {1, 100, "first", ""},
                         {2, 200, "last", ""},
                         {3, 201, "no", ""},
                         {4, 99, "no", ""}})),
              KBP_OK);
    ASSERT_EQ(Give(Make({{5, 98, "no", ""}, {6, 99, "no", ""}})), KBP_OK);
    ASSERT_EQ(Give(Make({{7, 150, "in", ""}}), 0, INT64_MAX, true), KBP_OK);
    EXPECT_EQ(Walk(), (std::vector<Rec>{{0, 100, "first", ""},
                                        {1, 200, "last", ""},
                                        {2, 150, "in", ""}}));
    EXPECT_EQ(Places(), (Places_t{{1, 0}, {2, 1}, {7, 2}}));
    EXPECT_EQ(sel_.dropped, 5u);
}

TEST_F(Select, SmallBatchesBecomeLargeOnes)
{
    spec_.small_bytes = 4096;
    spec_.small_plain_bytes = 4096;
    spec_.rebuilt_bytes = 2000;
    Begin();
    for (int i = 0; i < 100; i++)
        ASSERT_EQ(Give(Make({{i, i * 7, std::string(90, 'x'), ""}}, 4)),
                  KBP_OK);
    std::vector<Rec> recs = Walk();
    ASSERT_EQ(recs.size(), 100u);
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(recs[static_cast<size_t>(i)],
                  (Rec{i, i * 7, std::string(90, 'x'), ""}));
    EXPECT_LT(out_.count, 8u);
    EXPECT_GT(out_.count, 3u);
    EXPECT_EQ(Places().size(), 100u);
}

TEST_F(Select, CodecsAreNotMixed)
{
    spec_.small_bytes = 4096;
    spec_.small_plain_bytes = 4096;
    Begin();
    for (int i = 0; i < 6; i++)
        ASSERT_EQ(Give(Make({{i, 1, "v", ""}}, i < 3 ? 3 : 4)), KBP_OK);
    EXPECT_EQ(Walk().size(), 6u);
    ASSERT_EQ(out_.count, 2u);
    EXPECT_EQ(out_.head->bytes[22] & 7, 3);
    EXPECT_EQ(out_.tail->bytes[22] & 7, 4);
}

TEST_F(Select, LargeBatchEndsASmallOne)
{
    spec_.small_bytes = 500;
    spec_.small_plain_bytes = 500;
    Begin();
    ASSERT_EQ(Give(Make({{0, 1, "v", ""}})), KBP_OK);
    EXPECT_EQ(out_.count, 0u);
    std::string large = Make({{1, 1, std::string(1000, 'y'), ""}});
    ASSERT_EQ(Give(large), KBP_OK);
    ASSERT_EQ(out_.count, 2u);
    EXPECT_EQ(out_.tail->len, large.size());
    EXPECT_EQ(Walk().size(), 2u);
}

TEST_F(Select, WhatIsBuiltStaysWithinItsSize)
{
    spec_.small_bytes = 1 << 20;
    spec_.small_plain_bytes = 1 << 20;
    spec_.rebuilt_bytes = 100000;
    Begin();
    for (int i = 0; i < 8; i++)
        ASSERT_EQ(
            Give(Make({{i, 1, std::string(i % 2 ? 90000 : 60000, 'x'), ""}})),
            KBP_OK);
    EXPECT_EQ(Walk().size(), 8u);
    for (struct kb_ready *ready = out_.head; ready; ready = ready->next)
        EXPECT_LT(ready->len, 100000u);
}

TEST_F(Select, TimesFarApartMakeTwoBatches)
{
    spec_.small_bytes = 4096;
    spec_.small_plain_bytes = 4096;
    Begin();
    ASSERT_EQ(Give(Make({{0, INT64_MAX - 1, "late", ""}})), KBP_OK);
    ASSERT_EQ(Give(Make({{1, -1, "none", ""}})), KBP_OK);
    ASSERT_EQ(Give(Make({{2, 0, "zero", ""}})), KBP_OK);
    EXPECT_EQ(Walk(), (std::vector<Rec>{{0, INT64_MAX - 1, "late", ""},
                                        {1, -1, "none", ""},
                                        {2, 0, "zero", ""}}));
}

TEST_F(Select, WhatLandedIsMappedAndNotSent)
{
    Begin(40, 5);
    ASSERT_EQ(Give(Make({{0, 1, "a", ""}, {1, 1, "b", ""}})), KBP_OK);
    ASSERT_EQ(Give(Make({{2, 1, "c", ""}, {4, 1, "d", ""}})), KBP_OK);
    /* In the middle of this one. */
    ASSERT_EQ(Give(Make({{5, 1, "e", ""}, {6, 1, "f", ""}})), KBP_OK);
    ASSERT_EQ(Give(Make({{7, 1, "g", ""}})), KBP_OK);
    EXPECT_EQ(Walk(), (std::vector<Rec>{{45, 1, "f", ""}, {46, 1, "g", ""}}));
    EXPECT_EQ(
        Places(),
        (Places_t{
            {0, 40}, {1, 41}, {2, 42}, {4, 43}, {5, 44}, {6, 45}, {7, 46}}));
    EXPECT_TRUE(out_.head->landed);
    EXPECT_EQ(out_.head->source_next, 2);
}

TEST_F(Select, HeadersAreAddedAndTakenAway)
{
    spec_.add_original_headers = true;
    Begin();
    ASSERT_EQ(Give(Make({{9, 1, "a", ""}})), KBP_OK);
    EXPECT_EQ(Walk(),
              (std::vector<Rec>{{0, 1, "a",
                                 "x-original-offset;x-original-timestamp;"
                                 "x-source-partition;"}}));
    std::string with(reinterpret_cast<char *>(out_.head->bytes),
                     out_.head->len);
    /* The offset, little-endian. */
    EXPECT_NE(
        with.find(std::string("x-original-offset\x10\x09\0\0\0\0\0\0\0", 26)),
        std::string::npos);
    kb_ready_clear(&out_);
    kb_select_release(&sel_);
    spec_.add_original_headers = false;
    spec_.strip_headers = true;
    Begin();
    ASSERT_EQ(Give(with), KBP_OK);
    EXPECT_EQ(Walk(), (std::vector<Rec>{{0, 1, "a", ""}}));
}

TEST_F(Select, WithoutItsCodecASmallBatchStillGoesOut)
{
    spec_.small_bytes = 1 << 20;
    spec_.small_plain_bytes = 1 << 20;
    std::string bytes = Make({{0, 1, "a", ""}}, 4);
    /* From here on there are no plugins. */
    const char *dirs[] = {"/"};
    kb_codec_worker_release(&codecs_);
    kb_codec_set_release(&set_);
    kb_registry_release(&registry_);
    ASSERT_EQ(kb_registry_init(&registry_, dirs, 1, &err_), KBP_OK);
    kb_codec_set_init(&set_, &registry_, nullptr);
    kb_codec_worker_init(&codecs_, &set_);
    Begin();
    ASSERT_EQ(Give(bytes), KBP_OK) << err_.message;
    ASSERT_EQ(out_.count, 1u);
    EXPECT_EQ(out_.head->len, bytes.size());
    /* But what must be built anew can't be. */
    bytes[22] = static_cast<char>(bytes[22] | KB_BATCH_LOG_APPEND);
    kb_batch_seal(reinterpret_cast<uint8_t *>(&bytes[0]), bytes.size());
    EXPECT_NE(Give(bytes), KBP_OK);
    EXPECT_EQ(out_.count, 1u);
}

} // namespace

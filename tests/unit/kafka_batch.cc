/* SPDX-License-Identifier: Apache-2.0 */
/* kafka_batch.cc - record batches: parse, check, walk, stamp, build. */
#include <gtest/gtest.h>

#include <climits>
#include <random>
#include <string>
#include <vector>

/* A function and a struct of one name are no trouble in C. */
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "kafka/batch.h"
}

namespace
{

/* A record with bytes of its own. */
struct Rec {
    int64_t offset = 0;
    int64_t timestamp = 0;
    bool has_key = true;
    bool has_value = true;
    std::string key;
    std::string value;
    std::vector<std::pair<std::string, std::pair<bool, std::string>>> headers;

    bool operator==(const Rec &o) const
    {
        return offset == o.offset && timestamp == o.timestamp &&
               has_key == o.has_key && has_value == o.has_value &&
               key == o.key && value == o.value && headers == o.headers;
    }
};

const uint8_t *bytes(const std::string &s)
{
    return reinterpret_cast<const uint8_t *>(s.data());
}

class Batch : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        kb_batch_builder_reset(&builder_);
    }

    void TearDown() override
    {
        kb_batch_builder_release(&builder_);
        kb_buf_release(&out_);
    }

    int Add(const Rec &rec)
    {
        std::vector<kb_header> extra;
        kb_record record = {};

        record.offset = rec.offset;
        record.timestamp = rec.timestamp;
        record.key = rec.has_key ? bytes(rec.key) : nullptr;
        record.key_len = rec.has_key ? (int32_t)rec.key.size() : -1;
        record.value = rec.has_value ? bytes(rec.value) : nullptr;
        record.value_len = rec.has_value ? (int32_t)rec.value.size() : -1;
        for (auto &h : rec.headers)
            extra.push_back(kb_header{
                bytes(h.first),
                h.second.first ? bytes(h.second.second) : nullptr,
                (int32_t)h.first.size(),
                h.second.first ? (int32_t)h.second.second.size() : -1});
        return kb_batch_builder_add(&builder_, &record, extra.data(),
                                    (int)extra.size(), &err_);
    }

    kb_batch Finish(int64_t base_offset)
    {
        kb_batch batch = {};

        kb_buf_reset(&out_);
        EXPECT_EQ(KBP_OK, kb_batch_builder_finish(&builder_, 0, nullptr,
                                                  base_offset, &out_, &err_));
        EXPECT_EQ(KBP_OK, kb_batch_parse(out_.data, out_.len, &batch, &err_))
            << err_.message;
        EXPECT_EQ(KBP_OK, kb_batch_check(&batch, &err_)) << err_.message;
        EXPECT_EQ(out_.len, batch.len);
        return batch;
    }

    std::vector<Rec> Walk(const kb_batch &batch)
    {
        std::vector<Rec> all;
        kb_records it;
        kb_record r;
        int rc;

        EXPECT_EQ(KBP_OK, kb_records_open(&it, &batch, nullptr, 0, &err_));
        while ((rc = kb_records_next(&it, &r, &err_)) == 1) {
            Rec rec;
            kb_header h;
            kb_cursor c = kb_cursor_of(r.headers, r.headers_len);

            rec.offset = r.offset;
            rec.timestamp = r.timestamp;
            rec.has_key = r.key != nullptr;
            rec.has_value = r.value != nullptr;
            if (r.key)
                rec.key.assign((const char *)r.key, (size_t)r.key_len);
            if (r.value)
                rec.value.assign((const char *)r.value, (size_t)r.value_len);
            while (kb_record_header(&c, &h))
                rec.headers.push_back(
                    {std::string((const char *)h.name, (size_t)h.name_len),
                     {h.value != nullptr,
                      h.value ? std::string((const char *)h.value,
                                            (size_t)h.value_len)
                              : std::string()}});
            EXPECT_EQ((size_t)r.header_count, rec.headers.size());
            all.push_back(rec);
        }
        EXPECT_EQ(0, rc) << err_.message;
        kb_records_close(&it);
        return all;
    }

    kb_batch_builder builder_ = {};
    kb_buf out_ = KB_BUF_INIT;
    kbp_error err_ = KB_ERR_INIT;
};

Rec Plain(int64_t offset, int64_t timestamp, const std::string &value)
{
    Rec rec;

    rec.offset = offset;
    rec.timestamp = timestamp;
    rec.key = "k";
    rec.value = value;
    return rec;
}

TEST_F(Batch, WhatIsBuiltIsWalkedUnchanged)
{
    std::mt19937_64 random(42);
    const int64_t times[] = {0, -1, 1, 1700000000000, 4102444800000};

    for (int round = 0; round < 200; round++) {
        std::vector<Rec> recs;
        size_t count = 1 + random() % 40;

        kb_batch_builder_reset(&builder_);
        for (size_t i = 0; i < count; i++) {
            Rec rec;

            rec.offset = 1000 + (int64_t)i;
            rec.timestamp = times[random() % 5] + (int64_t)(random() % 3);
            rec.has_key = random() % 4 != 0;
            rec.has_value = random() % 4 != 0;
            if (rec.has_key)
                rec.key.assign(random() % 200, 'k');
            if (rec.has_value)
                rec.value.assign(random() % 300, 'v');
            for (size_t h = random() % 4; h > 0; h--)
                rec.headers.push_back(
                    {random() % 3 ? "same" : "", {random() % 3 != 0, ""}});
            for (auto &h : rec.headers)
                if (h.second.first)
                    h.second.second.assign(random() % 150, 'h');
            recs.push_back(rec);
            ASSERT_EQ(KBP_OK, Add(rec)) << err_.message;
        }
        kb_batch batch = Finish(1000);
        EXPECT_EQ((int32_t)count, batch.count);
        EXPECT_TRUE(kb_batch_is_dense(&batch));
        EXPECT_EQ(1000 + (int64_t)count, kb_batch_next_offset(&batch));
        EXPECT_TRUE(recs == Walk(batch)) << "round " << round;
    }
}

TEST_F(Batch, MaxTimestampIsTheLargestAndTheFirstIsTheBase)
{
    ASSERT_EQ(KBP_OK, Add(Plain(0, 500, "a")));
    ASSERT_EQ(KBP_OK, Add(Plain(1, 900, "b")));
    ASSERT_EQ(KBP_OK, Add(Plain(2, 100, "c")));
    kb_batch batch = Finish(0);
    EXPECT_EQ(500, batch.base_timestamp);
    EXPECT_EQ(900, batch.max_timestamp);
    EXPECT_EQ(-1, batch.producer_id);
    EXPECT_EQ(-1, batch.base_sequence);
}

TEST_F(Batch, TimestampsTooFarApartNeedTwoBatches)
{
    ASSERT_EQ(KBP_OK, Add(Plain(0, -1, "a")));
    ASSERT_EQ(KBP_OK, Add(Plain(1, 0, "a")));
    EXPECT_EQ(KBP_ERR_LIMIT, Add(Plain(2, INT64_MAX, "b")));
    EXPECT_EQ(2, Finish(0).count);
}

TEST_F(Batch, HolesStayWhenAskedFor)
{
    std::vector<Rec> recs = {Plain(7, 1, "a"), Plain(9, 2, "b"),
                             Plain(30, 3, "c")};

    builder_.keep_offsets = true;
    for (auto &rec : recs)
        ASSERT_EQ(KBP_OK, Add(rec)) << err_.message;
    builder_.last_offset_delta = 40;
    kb_batch batch = Finish(builder_.base_offset);
    EXPECT_EQ(7, batch.base_offset);
    EXPECT_EQ(48, kb_batch_next_offset(&batch));
    EXPECT_FALSE(kb_batch_is_dense(&batch));
    EXPECT_TRUE(recs == Walk(batch));
}

TEST_F(Batch, HolesGoUnlessAskedFor)
{
    ASSERT_EQ(KBP_OK, Add(Plain(7, 1, "a")));
    ASSERT_EQ(KBP_OK, Add(Plain(9, 2, "b")));
    kb_batch batch = Finish(0);
    auto walked = Walk(batch);
    ASSERT_EQ(2u, walked.size());
    EXPECT_EQ(0, walked[0].offset);
    EXPECT_EQ(1, walked[1].offset);
    EXPECT_TRUE(kb_batch_is_dense(&batch));
}

TEST_F(Batch, AStampClearsWhatABrokerRefuses)
{
    ASSERT_EQ(KBP_OK, Add(Plain(0, 5, "a")));
    kb_batch batch = Finish(77);
    struct kb_batch_stamp stamp = {0, 4000, 3, 12};

    out_.data[21] = 0xff; /* bits 8 to 15: unknown ones */
    out_.data[22] = 0xf8; /* all but the codec's */
    kb_batch_stamp(out_.data, out_.len, &stamp);
    ASSERT_EQ(KBP_OK, kb_batch_parse(out_.data, out_.len, &batch, &err_));
    EXPECT_EQ(KBP_OK, kb_batch_check(&batch, &err_));
    EXPECT_EQ(0, batch.attributes);
    EXPECT_EQ(0, batch.base_offset);
    EXPECT_EQ(4000, batch.producer_id);
    EXPECT_EQ(3, batch.producer_epoch);
    EXPECT_EQ(12, batch.base_sequence);
}

TEST_F(Batch, LogAppendTimeIsEveryRecordsTime)
{
    ASSERT_EQ(KBP_OK, Add(Plain(0, 5, "a")));
    ASSERT_EQ(KBP_OK, Add(Plain(1, 6, "b")));
    kb_batch batch = Finish(0);

    batch.attributes |= KB_BATCH_LOG_APPEND;
    batch.max_timestamp = 1234;
    for (auto &rec : Walk(batch))
        EXPECT_EQ(1234, rec.timestamp);
}

TEST_F(Batch, ControlBatchSaysItsKind)
{
    for (int kind = 0; kind < 2; kind++) {
        Rec rec = Plain(0, 5, "");

        kb_batch_builder_reset(&builder_);
        rec.key = std::string("\0\0\0", 3) + (char)kind;
        ASSERT_EQ(KBP_OK, Add(rec));
        kb_batch batch = Finish(0);
        EXPECT_EQ(-1, kb_batch_control_type(&batch));
        batch.attributes |= KB_BATCH_CONTROL;
        EXPECT_EQ(kind, kb_batch_control_type(&batch));
    }
}

TEST_F(Batch, ACutBatchIsCutAtEveryLength)
{
    ASSERT_EQ(KBP_OK, Add(Plain(0, 5, "some value")));
    kb_batch batch = Finish(0);

    for (size_t len = 0; len < out_.len; len++)
        EXPECT_EQ(KB_BATCH_CUT, kb_batch_parse(out_.data, len, &batch, &err_))
            << len;
}

TEST_F(Batch, EveryFlippedBitBehindTheCrcIsFound)
{
    ASSERT_EQ(KBP_OK, Add(Plain(0, 5, "some value")));
    kb_batch batch = Finish(0);

    for (size_t bit = 17 * 8; bit < out_.len * 8; bit++) {
        int rc;

        out_.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        rc = kb_batch_parse(out_.data, out_.len, &batch, &err_);
        if (rc == KBP_OK)
            rc = kb_batch_check(&batch, &err_);
        EXPECT_EQ(KBP_ERR_CORRUPT, rc) << "bit " << bit;
        out_.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

TEST_F(Batch, AWalkOverDamagedRecordsNeverPasses)
{
    /* Without the CRC: lengths and counts alone must keep us safe. */
    ASSERT_EQ(KBP_OK, Add(Plain(0, 5, "some value")));
    ASSERT_EQ(KBP_OK, Add(Plain(1, 6, "another")));
    kb_batch batch = Finish(0);
    size_t whole = batch.len;

    for (size_t len = KB_BATCH_HEADER; len < whole; len++) {
        kb_records it;
        kb_record r;
        int rc;

        batch.len = len;
        ASSERT_EQ(KBP_OK, kb_records_open(&it, &batch, nullptr, 0, &err_));
        while ((rc = kb_records_next(&it, &r, &err_)) == 1)
            continue;
        EXPECT_EQ(KBP_ERR_CORRUPT, rc) << len;
        kb_records_close(&it);
    }
}

TEST_F(Batch, ImpossibleHeadersAreRefused)
{
    kb_batch batch = {};
    struct {
        size_t at;
        std::vector<uint8_t> bytes;
        const char *says;
    } cases[] = {
        {0, {0x80}, "offset below zero"},
        {0, std::vector<uint8_t>(8, 0x7f), "" /* far, but possible */},
        {23, {0xff, 0xff, 0xff, 0xff}, "count below zero"},
        {57, {0xff, 0xff, 0xff, 0xff}, "count below zero"},
        {57, {0, 0, 0, 9}, "more records than offsets"},
        {8, {0, 0, 0, 48}, "fewer than its header"},
        {8, {0xff, 0xff, 0xff, 0xff}, "fewer than its header"},
        {16, {3}, "magic is 3"},
    };

    ASSERT_EQ(KBP_OK, Add(Plain(0, 5, "x")));
    for (auto &c : cases) {
        (void)Finish(0);
        memcpy(out_.data + c.at, c.bytes.data(), c.bytes.size());
        int rc = kb_batch_parse(out_.data, out_.len, &batch, &err_);
        if (!*c.says) {
            EXPECT_EQ(KBP_OK, rc);
            continue;
        }
        EXPECT_EQ(KBP_ERR_CORRUPT, rc) << c.says;
        EXPECT_NE(nullptr, strstr(err_.message, c.says)) << err_.message;
    }
    (void)Finish(0);
    memset(out_.data, 0xff, 8);
    out_.data[0] = 0x7f;
    EXPECT_EQ(KBP_ERR_CORRUPT,
              kb_batch_parse(out_.data, out_.len, &batch, &err_));
}

TEST_F(Batch, OldMagicIsLegacy)
{
    kb_batch batch = {};

    ASSERT_EQ(KBP_OK, Add(Plain(0, 5, "x")));
    (void)Finish(0);
    out_.data[16] = 1;
    EXPECT_EQ(KB_BATCH_LEGACY,
              kb_batch_parse(out_.data, out_.len, &batch, &err_));
}

} // namespace

/* SPDX-License-Identifier: Apache-2.0 */
/* kafka_bomb.cc - small batches that would become much memory. */
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

/* A function and a struct of one name are no trouble in C. */
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "base/budget.h"
#include "base/bytes.h"
#include "kafka/batch.h"
#include "kafka/msgset.h"
#include "plugin/codec.h"
}

namespace
{

constexpr size_t MIB = (size_t)1 << 20;
constexpr int GZIP = 1, ZSTD = 4;

class Bomb : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        const char *dir = KB_TEST_PLUGIN_DIR;

        ASSERT_EQ(KBP_OK, kb_registry_init(&registry_, &dir, 1, &err_))
            << err_.message;
        kb_codec_set_init(&set_, &registry_, nullptr);
        kb_codec_worker_init(&codecs_, &set_);
    }

    void TearDown() override
    {
        kb_codec_worker_release(&codecs_);
        kb_codec_set_release(&set_);
        kb_registry_release(&registry_);
        kb_buf_release(&out_);
        if (bounded_)
            kb_budget_release(&budget_);
    }

    void Bound(size_t limit)
    {
        if (bounded_)
            kb_budget_release(&budget_);
        kb_budget_init(&budget_, limit, nullptr);
        bounded_ = true;
        kb_codec_worker_bound(&codecs_, &budget_);
    }

    /* One record of so many zeros, at offset 42. */
    void Build(size_t size, int codec)
    {
        const std::string zeros(size, '\0');
        kb_batch_builder builder = {};
        kb_record record = {};

        kb_batch_builder_reset(&builder);
        record.offset = 42;
        record.key_len = -1;
        record.value = reinterpret_cast<const uint8_t *>(zeros.data());
        record.value_len = (int32_t)size;
        ASSERT_EQ(KBP_OK,
                  kb_batch_builder_add(&builder, &record, nullptr, 0, &err_))
            << err_.message;
        kb_buf_reset(&out_);
        ASSERT_EQ(KBP_OK, kb_batch_builder_finish(&builder, codec, &codecs_, 42,
                                                  &out_, &err_))
            << err_.message;
        kb_batch_builder_release(&builder);
        ASSERT_LT(out_.len, MIB);
        ASSERT_EQ(KBP_OK, kb_batch_parse(out_.data, out_.len, &batch_, &err_));
    }

    std::string Text() const
    {
        return std::string(err_.message) + " | " + err_.hint;
    }

    kb_registry registry_{};
    kb_codec_set set_{};
    kb_codec_worker codecs_{};
    kb_budget budget_{};
    bool bounded_ = false;
    kb_buf out_ = KB_BUF_INIT;
    kb_batch batch_{};
    kbp_error err_ = KB_ERR_INIT;
};

TEST_F(Bomb, ABatchMayBecomeAsLargeAsTheMemoryLimitAndNoLarger)
{
    for (int codec : {GZIP, ZSTD}) {
        kb_records it;

        Build(80 * MIB, codec);
        Bound(70 * MIB);
        ASSERT_EQ(KBP_ERR_LIMIT,
                  kb_records_open(&it, &batch_, &codecs_, 0, &err_));
        EXPECT_NE(std::string::npos, Text().find("at offset 42")) << Text();
        EXPECT_NE(std::string::npos, Text().find("memory_limit")) << Text();
        EXPECT_EQ(0u, budget_.used);

        Bound(100 * MIB);
        kb_err_clear(&err_);
        ASSERT_EQ(KBP_OK, kb_records_open(&it, &batch_, &codecs_, 0, &err_))
            << err_.message;
        EXPECT_GT(budget_.used, 80 * MIB) << "it counts while it is open";
        kb_records_close(&it);
        EXPECT_EQ(0u, budget_.used);
    }
}

TEST_F(Bomb, LargeOnesAreOpenOneAtATime)
{
    kb_codec_worker other{};
    std::atomic<bool> opened{false};
    kb_records it;
    kb_records small;

    Build(20 * MIB, ZSTD);
    Bound(100 * MIB);
    kb_codec_worker_init(&other, &set_);
    kb_codec_worker_bound(&other, &budget_);
    ASSERT_EQ(KBP_OK, kb_records_open(&it, &batch_, &codecs_, 0, &err_));
    std::thread second([&] {
        kb_records too;
        kbp_error err = KB_ERR_INIT;

        EXPECT_EQ(KBP_OK, kb_records_open(&too, &batch_, &other, 0, &err));
        opened = true;
        kb_records_close(&too);
    });
    for (int i = 0; i < 50; i++) {
        EXPECT_FALSE(opened);
        usleep(10000);
    }
    kb_records_close(&it);
    second.join();
    EXPECT_TRUE(opened);
    kb_codec_worker_release(&other);
    /* What is small waits for nobody. */
    kb_codec_worker_init(&other, &set_);
    kb_codec_worker_bound(&other, &budget_);
    ASSERT_EQ(KBP_OK, kb_records_open(&it, &batch_, &codecs_, 0, &err_));
    kb_buf large = out_;
    out_ = KB_BUF_INIT;
    Build(5 * MIB, ZSTD);
    ASSERT_EQ(KBP_OK, kb_records_open(&small, &batch_, &other, 0, &err_));
    kb_records_close(&small);
    kb_records_close(&it);
    EXPECT_EQ(0u, budget_.used);
    kb_codec_worker_release(&other);
    kb_buf_release(&large);
}

TEST_F(Bomb, WhatIsSmallIsOpenedUnderAnyLimit)
{
    kb_records it;
    kb_record record;

    Build(60 * MIB, ZSTD);
    Bound(MIB);
    ASSERT_EQ(KBP_OK, kb_records_open(&it, &batch_, &codecs_, 0, &err_))
        << err_.message;
    EXPECT_EQ(1, kb_records_next(&it, &record, &err_));
    EXPECT_EQ((int32_t)(60 * MIB), record.value_len);
    kb_records_close(&it);
    EXPECT_EQ(0u, budget_.used);
}

uint32_t Crc(const uint8_t *at, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (; len; len--, at++) {
        crc ^= *at;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* A wrapper of magic 1 around what a batch of zeros was compressed to. */
TEST_F(Bomb, AMessageSetIsBoundToo)
{
    kb_buf made = KB_BUF_INIT;
    size_t used = 0;
    int64_t next = -1;

    Build(80 * MIB, GZIP);
    const size_t value_len = batch_.len - KB_BATCH_HEADER;
    std::vector<uint8_t> set(12 + 4 + 1 + 1 + 8 + 4 + 4 + value_len, 0);
    set[7] = 42;
    kb_store_be32(&set[8], (uint32_t)(set.size() - 12));
    set[16] = 1;
    set[17] = GZIP;
    kb_store_be32(&set[26], UINT32_MAX);
    kb_store_be32(&set[30], (uint32_t)value_len);
    memcpy(&set[34], batch_.bytes + KB_BATCH_HEADER, value_len);
    kb_store_be32(&set[12], Crc(&set[16], set.size() - 16));

    Bound(70 * MIB);
    EXPECT_EQ(KBP_ERR_LIMIT,
              kb_msgset_convert(set.data(), set.size(), 0, &codecs_, &made,
                                &used, &next, nullptr, &err_));
    EXPECT_NE(std::string::npos, Text().find("offset 42")) << Text();
    EXPECT_NE(std::string::npos, Text().find("memory_limit")) << Text();
    /* With room, it is found to be no message set at all. */
    Bound(100 * MIB);
    EXPECT_EQ(KBP_ERR_CORRUPT,
              kb_msgset_convert(set.data(), set.size(), 0, &codecs_, &made,
                                &used, &next, nullptr, &err_))
        << Text();
    EXPECT_EQ(0u, budget_.used);
    kb_buf_release(&made);
}

} // namespace

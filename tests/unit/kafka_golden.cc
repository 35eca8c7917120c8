/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_golden.cc - batches and message sets that real brokers handed out,
 * against what a Java consumer read from them (tests/golden/batches).
 */
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

/* A function and a struct of one name are no trouble in C. */
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "kafka/batch.h"
#include "kafka/msgset.h"
#include "plugin/codec.h"
}

namespace
{

std::string ReadFile(const std::string &name)
{
    std::ifstream in(std::string(KB_TEST_SOURCE_DIR "/golden/batches/") + name,
                     std::ios::binary);
    std::stringstream all;

    EXPECT_TRUE(in.good()) << name;
    all << in.rdbuf();
    return all.str();
}

std::string Hex(const uint8_t *bytes, int32_t len)
{
    static const char digits[] = "0123456789abcdef";
    std::string hex = "x";

    if (!bytes)
        return "null";
    for (int32_t i = 0; i < len; i++) {
        hex += digits[bytes[i] >> 4];
        hex += digits[bytes[i] & 15];
    }
    return hex;
}

std::string Line(const kb_record &r)
{
    kb_cursor c = kb_cursor_of(r.headers, r.headers_len);
    kb_header h;
    std::ostringstream line;

    line << r.offset << ' ' << r.timestamp << ' ' << Hex(r.key, r.key_len)
         << ' ' << Hex(r.value, r.value_len);
    while (kb_record_header(&c, &h))
        line << ' ' << Hex(h.name, h.name_len) << '='
             << Hex(h.value, h.value_len);
    line << '\n';
    return line.str();
}

class Golden : public ::testing::TestWithParam<const char *>
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
    }

    /* The records of batches, control batches aside. */
    std::string Walk(const uint8_t *at, size_t left)
    {
        std::string all;

        while (left > 0) {
            kb_batch batch;
            kb_records it;
            kb_record r;
            int rc = kb_batch_parse(at, left, &batch, &err_);

            EXPECT_EQ(KBP_OK, rc) << err_.message;
            if (rc != KBP_OK)
                break;
            EXPECT_EQ(KBP_OK, kb_batch_check(&batch, &err_)) << err_.message;
            at += batch.len;
            left -= batch.len;
            codecs_seen_ |= 1u << (batch.attributes & KB_BATCH_CODEC);
            attributes_seen_ |= batch.attributes;
            if (batch.attributes & KB_BATCH_CONTROL)
                continue;
            rc = kb_records_open(&it, &batch, &codecs_, 0, &err_);
            EXPECT_EQ(KBP_OK, rc) << err_.message;
            if (rc != KBP_OK)
                break;
            while ((rc = kb_records_next(&it, &r, &err_)) == 1)
                all += Line(r);
            EXPECT_EQ(0, rc) << err_.message;
            kb_records_close(&it);
        }
        return all;
    }

    /* Message sets to batches; `from` for all of them. */
    void Convert(const std::string &in, int64_t from)
    {
        size_t at = 0;

        kb_buf_reset(&out_);
        while (at < in.size()) {
            size_t used = 0;
            int64_t next = -1;
            int rc = kb_msgset_convert(in.data() + at, in.size() - at, from,
                                       &codecs_, &out_, &used, &next, nullptr,
                                       &err_);

            ASSERT_EQ(KBP_OK, rc) << err_.message;
            ASSERT_GT(used, 0u);
            EXPECT_GT(next, last_next_);
            last_next_ = next;
            at += used;
        }
    }

    kb_registry registry_{};
    kb_codec_set set_{};
    kb_codec_worker codecs_{};
    kb_buf out_ = KB_BUF_INIT;
    kbp_error err_ = KB_ERR_INIT;
    unsigned codecs_seen_ = 0;
    unsigned attributes_seen_ = 0;
    int64_t last_next_ = -1;
};

class GoldenBatch : public Golden
{
};

class GoldenSet : public Golden
{
};

int CodecOf(const std::string &name)
{
    const char *names[] = {"none", "gzip", "snappy", "lz4", "zstd"};

    for (int i = 0; i < 5; i++)
        if (name.size() > strlen(names[i]) &&
            name.substr(name.size() - strlen(names[i])) == names[i])
            return i;
    return -1;
}

TEST_P(GoldenBatch, IsReadAsJavaReadsIt)
{
    std::string name = GetParam();
    std::string in = ReadFile(name + ".bin");

    EXPECT_EQ(ReadFile(name + ".txt"),
              Walk(reinterpret_cast<const uint8_t *>(in.data()), in.size()));
    EXPECT_EQ(1u << CodecOf(name), codecs_seen_);
}

TEST_P(GoldenBatch, BuiltAnewItIsStillTheSame)
{
    std::string name = GetParam();
    std::string in = ReadFile(name + ".bin");
    const uint8_t *at = reinterpret_cast<const uint8_t *>(in.data());
    size_t left = in.size();
    kb_batch_builder builder{};

    while (left > 0) {
        kb_batch batch;
        kb_records it;
        kb_record r;

        ASSERT_EQ(KBP_OK, kb_batch_parse(at, left, &batch, &err_));
        at += batch.len;
        left -= batch.len;
        if (batch.attributes & KB_BATCH_CONTROL)
            continue;
        kb_batch_builder_reset(&builder);
        builder.keep_offsets = true;
        ASSERT_EQ(KBP_OK, kb_records_open(&it, &batch, &codecs_, 0, &err_));
        while (kb_records_next(&it, &r, &err_) == 1)
            ASSERT_EQ(KBP_OK,
                      kb_batch_builder_add(&builder, &r, nullptr, 0, &err_));
        kb_records_close(&it);
        ASSERT_EQ(KBP_OK,
                  kb_batch_builder_finish(&builder, CodecOf(name), &codecs_,
                                          builder.base_offset, &out_, &err_))
            << err_.message;
    }
    kb_batch_builder_release(&builder);
    EXPECT_EQ(ReadFile(name + ".txt"), Walk(out_.data, out_.len));
}

TEST_P(GoldenBatch, ALimitStopsABomb)
{
    std::string in = ReadFile(std::string(GetParam()) + ".bin");
    kb_batch batch;
    kb_records it;

    ASSERT_EQ(KBP_OK, kb_batch_parse(in.data(), in.size(), &batch, &err_));
    if (!(batch.attributes & KB_BATCH_CODEC))
        return;
    EXPECT_EQ(KBP_ERR_LIMIT,
              kb_records_open(&it, &batch, &codecs_, 1000, &err_));
}

INSTANTIATE_TEST_SUITE_P(Batches, GoldenBatch,
                         ::testing::Values("v2-none", "v2-gzip", "v2-snappy",
                                           "v2-lz4", "v2-zstd",
                                           "v2-append-zstd", "v2-txn-none"));

TEST_P(GoldenSet, IsConvertedWithoutLoss)
{
    std::string name = GetParam();

    Convert(ReadFile(name + ".bin"), 0);
    EXPECT_EQ(ReadFile(name + ".txt"), Walk(out_.data, out_.len));
    EXPECT_EQ(1u << CodecOf(name), codecs_seen_);
    EXPECT_EQ(name.find("append") != std::string::npos,
              (attributes_seen_ & KB_BATCH_LOG_APPEND) != 0);
    EXPECT_EQ(12, last_next_);
}

TEST_P(GoldenSet, WhatIsBelowTheStartStaysOut)
{
    std::string name = GetParam();
    std::string all = ReadFile(name + ".txt");
    std::string in = ReadFile(name + ".bin");

    for (int64_t from = 0; from <= 13; from++) {
        size_t at = 0;

        last_next_ = -1;
        for (int64_t skip = 0; skip < from && at < all.size(); skip++)
            at = all.find('\n', at) + 1;
        Convert(in, from);
        EXPECT_EQ(all.substr(at), Walk(out_.data, out_.len)) << from;
    }
}

TEST_P(GoldenSet, PlainMessagesShareABatch)
{
    std::string name = GetParam();
    std::string in = ReadFile(name + ".bin");
    size_t used = 0;
    int64_t next = 0;

    if (name != "v0-none" && name != "v1-none")
        return;
    ASSERT_EQ(KBP_OK, kb_msgset_convert(in.data(), in.size(), 0, &codecs_,
                                        &out_, &used, &next, nullptr, &err_));
    EXPECT_EQ(in.size(), used);
    EXPECT_EQ(12, next);
}

/* What a look says of each entry is what is made of it. */
TEST_P(GoldenSet, ALookTellsWhatIsInIt)
{
    std::string name = GetParam();
    std::string in = ReadFile(name + ".bin");
    bool plain = name.find("none") != std::string::npos;
    kb_msgset_entry entry = {};
    int64_t next = 0;
    size_t at = 0;

    while (at < in.size()) {
        ASSERT_EQ(KBP_OK, kb_msgset_look(in.data() + at, in.size() - at,
                                         &codecs_, &entry, &err_))
            << err_.message;
        EXPECT_EQ(next, entry.first_offset);
        EXPECT_EQ(next + entry.count - 1, entry.last_offset);
        EXPECT_EQ(plain, entry.count == 1);
        EXPECT_EQ(name[1] - '0', entry.magic);
        EXPECT_EQ(kb_load_be32((const uint8_t *)in.data() + at + 12),
                  entry.crc);
        next = entry.last_offset + 1;
        at += entry.len;
    }
    EXPECT_EQ(12, next);
    kb_msgset_entry last = {};
    size_t used = 0;
    ASSERT_EQ(KBP_OK, kb_msgset_convert(in.data(), in.size(), 3, &codecs_,
                                        &out_, &used, &next, &last, &err_));
    EXPECT_EQ(next - 1, last.last_offset);
    if (used == in.size()) {
        EXPECT_EQ(entry.crc, last.crc);
        EXPECT_EQ(entry.first_offset, last.first_offset);
    }
}

TEST_P(GoldenSet, ACutOneSaysSoAtEveryLength)
{
    std::string in = ReadFile(std::string(GetParam()) + ".bin");
    size_t first = 12 + (size_t)(uint8_t)in[10] * 256 + (uint8_t)in[11];

    for (size_t len = 0; len < first; len++) {
        size_t used = 77;
        int64_t next = 77;

        EXPECT_EQ(KB_BATCH_CUT,
                  kb_msgset_convert(in.data(), len, 0, &codecs_, &out_, &used,
                                    &next, nullptr, &err_));
        EXPECT_EQ(77u, used);
        EXPECT_EQ(0u, out_.len);
    }
}

TEST_P(GoldenSet, EveryFlippedBitIsFound)
{
    std::string in = ReadFile(std::string(GetParam()) + ".bin");
    size_t first = 12 + (size_t)(uint8_t)in[10] * 256 + (uint8_t)in[11];

    in.resize(first);
    for (size_t bit = 8 * 8; bit < first * 8; bit++) {
        size_t used;
        int64_t next;
        int rc;

        in[bit / 8] = (char)(in[bit / 8] ^ (1 << bit % 8));
        rc = kb_msgset_convert(in.data(), in.size(), 0, &codecs_, &out_, &used,
                               &next, nullptr, &err_);
        EXPECT_TRUE(rc == KBP_ERR_CORRUPT || rc == KB_BATCH_CUT)
            << "bit " << bit << ": " << rc;
        in[bit / 8] = (char)(in[bit / 8] ^ (1 << bit % 8));
    }
    EXPECT_EQ(0u, out_.len);
}

INSTANTIATE_TEST_SUITE_P(Sets, GoldenSet,
                         ::testing::Values("v0-none", "v0-gzip", "v0-snappy",
                                           "v0-lz4", "v1-none", "v1-gzip",
                                           "v1-snappy", "v1-lz4",
                                           "v1-append-none", "v1-append-gzip"));

} // namespace

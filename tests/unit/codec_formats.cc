// SPDX-License-Identifier: Apache-2.0
// codec_formats.cc - each codec against good, cut, damaged and hostile input.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "base/buf.h"
#include "plugin/codec.h"
}
#include "test_plugins.h"

namespace
{

struct Opened {
    kb_registry registry{};
    kbp_error err = KB_ERR_INIT;
    kb_codec *codec = nullptr;
    kb_codec_session *session = nullptr;

    explicit Opened(const std::string &name, std::vector<kb_kv> kvs = {})
    {
        const char *dir = TestPluginDir();

        EXPECT_EQ(KBP_OK, kb_registry_init(&registry, &dir, 1, &err));
        EXPECT_EQ(KBP_OK, kb_codec_open(&registry, name.c_str(), kvs.data(),
                                        kvs.size(), nullptr, &codec, &err))
            << err.message;
        EXPECT_EQ(KBP_OK, kb_codec_session_open(codec, &session, &err));
    }
    ~Opened()
    {
        kb_codec_session_close(session);
        kb_codec_close(codec);
        kb_registry_release(&registry);
    }
    Opened(const Opened &) = delete;
    Opened &operator=(const Opened &) = delete;

    std::string Compress(const std::string &in)
    {
        kb_buf buf = KB_BUF_INIT;
        kbp_sink sink = kb_buf_sink(&buf, UINT64_MAX);

        EXPECT_EQ(KBP_OK,
                  kb_codec_compress(session, in.data(), in.size(), &sink, &err))
            << err.message;
        std::string out(reinterpret_cast<char *>(buf.data), buf.len);
        kb_buf_release(&buf);
        return out;
    }
    // The input lies in memory of its exact size, so that a sanitizer sees a
    // read beyond it.
    int Decompress(const std::string &in, std::string *out,
                   uint64_t limit = 1 << 24)
    {
        kb_buf buf = KB_BUF_INIT;
        kbp_sink sink = kb_buf_sink(&buf, limit);
        char *exact = static_cast<char *>(malloc(in.size()));

        memcpy(exact, in.data(), in.size());
        int status =
            kb_codec_decompress(session, exact, in.size(), &sink, &err);
        free(exact);
        out->assign(reinterpret_cast<char *>(buf.data), buf.len);
        kb_buf_release(&buf);
        return status;
    }
};

struct Case {
    const char *name;
    std::vector<kb_kv> kvs;
};

void PrintTo(const Case &test, std::ostream *out)
{
    *out << test.name;
}

class CodecFormats : public ::testing::TestWithParam<Case>
{
};

// Those for which not all bytes are valid.
class CodecStrict : public CodecFormats
{
};

std::string Random(size_t len)
{
    std::mt19937 random(42);
    std::string out(len, '\0');

    for (char &c : out)
        c = static_cast<char>(random());
    return out;
}

std::string Text(size_t len)
{
    std::string out;

    for (int i = 0; out.size() < len; i++)
        out += "{\"id\":" + std::to_string(i * 7919) + ",\"name\":\"user" +
               std::to_string(i % 97) + "\"}\n";
    out.resize(len);
    return out;
}

TEST_P(CodecFormats, RoundTripsAllShapes)
{
    Opened codec(GetParam().name, GetParam().kvs);
    std::vector<std::string> shapes = {"",
                                       "x",
                                       std::string(1, '\0'),
                                       Text(100),
                                       Text(32768),
                                       Text(32769),
                                       Text(65536),
                                       Text(65537),
                                       Text(700001),
                                       Random(70000),
                                       std::string(1 << 20, '\0')};

    for (const std::string &in : shapes) {
        std::string packed = codec.Compress(in);
        std::string back;

        ASSERT_EQ(KBP_OK, codec.Decompress(packed, &back, in.size()))
            << in.size() << " " << codec.err.message;
        EXPECT_TRUE(in == back) << in.size();
        EXPECT_EQ(packed, codec.Compress(in)) << "same in, same out";
    }
}

TEST_P(CodecFormats, NeverGivesMoreThanTheLimit)
{
    Opened codec(GetParam().name, GetParam().kvs);
    std::string bomb = codec.Compress(std::string(1 << 20, 'x'));
    std::string back;

    for (uint64_t limit : {0, 1, 1000, 65536, (1 << 20) - 1}) {
        EXPECT_EQ(KBP_ERR_LIMIT, codec.Decompress(bomb, &back, limit)) << limit;
        EXPECT_LE(back.size(), limit);
        EXPECT_STRNE("", codec.err.message);
    }
    EXPECT_EQ(KBP_OK, codec.Decompress(bomb, &back, 1 << 20));
}

TEST_P(CodecStrict, CutAnywhereItIsDamage)
{
    Opened codec(GetParam().name, GetParam().kvs);
    std::string in = Text(3000);
    std::string packed = codec.Compress(in);
    std::string back;

    for (size_t len = 0; len < packed.size(); len++) {
        int status = codec.Decompress(packed.substr(0, len), &back);

        // A stream of blocks without an end mark may be cut between two.
        if (status == KBP_OK) {
            EXPECT_EQ(std::string("snappy"), GetParam().name);
            EXPECT_EQ(16u, len);
            EXPECT_EQ("", back);
            continue;
        }
        EXPECT_EQ(KBP_ERR_CORRUPT, status) << len << codec.err.message;
    }
    ASSERT_EQ(KBP_OK, codec.Decompress(packed, &back)) << "after errors";
    EXPECT_EQ(in, back);
}

TEST_P(CodecFormats, AnyFlippedBitIsAnAnswerNotACrash)
{
    Opened codec(GetParam().name, GetParam().kvs);
    std::string packed = codec.Compress(Text(2000));
    std::string back;

    for (size_t i = 0; i < packed.size() * 8; i++) {
        std::string bad = packed;

        bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
        int status = codec.Decompress(bad, &back, 100000);
        EXPECT_TRUE(status == KBP_OK || status == KBP_ERR_CORRUPT ||
                    status == KBP_ERR_LIMIT)
            << i << " " << status << codec.err.message;
    }
}

TEST_P(CodecStrict, RandomBytesAreDamage)
{
    Opened codec(GetParam().name, GetParam().kvs);
    std::mt19937 random(7);
    std::string back;

    for (int i = 0; i < 2000; i++) {
        std::string in(random() % 64, '\0');

        for (char &c : in)
            c = static_cast<char>(random());
        int status = codec.Decompress(in, &back, 1000);
        EXPECT_NE(KBP_ERR_INTERNAL, status);
        EXPECT_NE(KBP_ERR_NOMEM, status);
    }
}

TEST_P(CodecStrict, BytesAfterTheEndAreDamage)
{
    Opened codec(GetParam().name, GetParam().kvs);
    std::string packed = codec.Compress(Text(2000));
    std::string back;

    EXPECT_EQ(KBP_ERR_CORRUPT, codec.Decompress(packed + "garbage", &back));
    EXPECT_EQ(KBP_ERR_CORRUPT,
              codec.Decompress(packed + std::string(1, '\0'), &back));
}

TEST_P(CodecStrict, EmptyInputIsDamage)
{
    Opened codec(GetParam().name, GetParam().kvs);
    std::string back;

    EXPECT_EQ(KBP_ERR_CORRUPT, codec.Decompress("", &back));
}

std::string CaseName(const ::testing::TestParamInfo<Case> &test)
{
    std::string name = test.param.name;

    for (char &c : name)
        if (!isalnum(static_cast<unsigned char>(c)))
            c = '_';
    return name + std::to_string(test.index);
}

const std::vector<Case> strict = {
    {"gzip", {}},      {"gzip", {{"level", "1"}}},
    {"snappy", {}},    {"snappy", {{"framing", "raw"}}},
    {"lz4", {}},       {"lz4", {{"level", "9"}, {"block_size", "4MB"}}},
    {"lz4-block", {}}, {"lz4-block", {{"level", "9"}}},
    {"zstd", {}},      {"zstd", {{"level", "1"}}},
};

INSTANTIATE_TEST_SUITE_P(All, CodecStrict, ::testing::ValuesIn(strict),
                         CaseName);
INSTANTIATE_TEST_SUITE_P(All, CodecFormats, ::testing::ValuesIn(strict),
                         CaseName);
INSTANTIATE_TEST_SUITE_P(None, CodecFormats,
                         ::testing::Values(Case{"none", {}}), CaseName);

// Java's clients frame blocks; librdkafka's don't.  Both are read by one type.
TEST(CodecSnappy, ReadsRawXerialAndStreamsInARow)
{
    Opened java("snappy");
    Opened raw("snappy", {{"framing", "raw"}});
    std::string in = Text(100000);
    std::string framed = java.Compress(in);
    std::string back;

    ASSERT_EQ(KBP_OK, java.Decompress(raw.Compress(in), &back));
    EXPECT_EQ(in, back);
    ASSERT_EQ(KBP_OK, raw.Decompress(framed, &back));
    EXPECT_EQ(in, back);
    ASSERT_EQ(KBP_OK, raw.Decompress(framed + framed, &back));
    EXPECT_EQ(in + in, back);
}

// Put together by hand from the descriptions of both formats.
TEST(CodecSnappy, ReadsAndWritesTheDocumentedBytes)
{
    const std::string header("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
    const std::string in = "hello hello hello hello\n";
    Opened codec("snappy");
    std::string packed = codec.Compress(in);
    std::string back;

    ASSERT_GT(packed.size(), 20u);
    EXPECT_EQ(header, packed.substr(0, 16));
    EXPECT_EQ(packed.size() - 20,
              static_cast<unsigned char>(packed[19]) +
                  256u * static_cast<unsigned char>(packed[18]));
    // Length 24, a literal of 6, a copy of 17 from 6 before, a literal of 1.
    const std::string block("\x18\x14hello \x42\x06\x00\x00\n", 13);
    std::string framed = header + std::string("\0\0\0\x0d", 4) + block;
    ASSERT_EQ(KBP_OK, codec.Decompress(framed, &back)) << codec.err.message;
    EXPECT_EQ(in, back);
}

TEST(CodecGzip, ReadsMembersInARow)
{
    Opened codec("gzip");
    std::string one = Text(5000);
    std::string two = Random(70000);
    std::string back;

    ASSERT_EQ(KBP_OK,
              codec.Decompress(codec.Compress(one) + codec.Compress(two) +
                                   codec.Compress(""),
                               &back));
    EXPECT_EQ(one + two, back);
}

TEST(CodecZstd, ReadsFramesInARowAndSkippableOnes)
{
    Opened codec("zstd");
    std::string one = Text(5000);
    const std::string skip("\x50\x2a\x4d\x18\3\0\0\0abc", 11);
    std::string back;

    ASSERT_EQ(KBP_OK, codec.Decompress(skip + codec.Compress(one) + skip +
                                           codec.Compress(one),
                                       &back))
        << codec.err.message;
    EXPECT_EQ(one + one, back);
}

// Java's reader refuses frames whose blocks depend on each other.
TEST(CodecLz4, WritesFramesThatJavaReads)
{
    Opened codec("lz4");
    std::string packed = codec.Compress(Text(200000));

    ASSERT_GT(packed.size(), 7u);
    EXPECT_EQ(std::string("\x04\x22\x4d\x18", 4), packed.substr(0, 4));
    EXPECT_EQ(0x60, packed[4] & 0xe0) << "version 1, independent blocks";
    EXPECT_EQ(0, packed[4] & 0x08) << "no content size";
    EXPECT_EQ(0x40, packed[5]) << "blocks of 64 KiB";
}

TEST(CodecLz4, ReadsTheWrongChecksumOfMagic0OnlyWhenAsked)
{
    Opened codec("lz4");
    Opened old("lz4-magic0");
    std::string in = Text(200000);
    std::string packed = codec.Compress(in);
    std::string back;

    ASSERT_EQ(KBP_OK, old.Decompress(packed, &back)) << old.err.message;
    EXPECT_EQ(in, back);
    for (int i = 0; i < 256; i++) {
        packed[6] = static_cast<char>(i);
        ASSERT_EQ(KBP_OK, old.Decompress(packed, &back)) << old.err.message;
    }
    EXPECT_EQ(in, back);
    EXPECT_EQ(KBP_ERR_CORRUPT, codec.Decompress(packed, &back));
    EXPECT_NE(std::string::npos, std::string(codec.err.message).find("header"));
    for (size_t len : {0, 5, 6, 7, 8, 100, 1000})
        EXPECT_EQ(KBP_ERR_CORRUPT, old.Decompress(packed.substr(0, len), &back))
            << len;
    kbp_sink sink{};
    EXPECT_EQ(KBP_ERR_UNSUPPORTED,
              kb_codec_compress(old.session, "x", 1, &sink, &old.err));
}

std::string Golden(const std::string &name)
{
    std::ifstream file(KB_TEST_SOURCE_DIR "/golden/codecs/" + name,
                       std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)),
                      std::istreambuf_iterator<char>());

    EXPECT_FALSE(bytes.empty()) << name;
    return bytes;
}

// The text of golden/codecs/Golden.java.
std::string GoldenText()
{
    std::string text;

    for (int64_t i = 0; i < 3000; i++)
        text += "{\"id\":" + std::to_string(i * 7919 % 1000) + "}\n";
    return text;
}

TEST(CodecGolden, ReadsWhatKafkasJavaClientWrote)
{
    for (const char *name : {"gzip", "snappy", "lz4", "zstd"}) {
        Opened codec(name);
        std::string back;

        ASSERT_EQ(KBP_OK, codec.Decompress(
                              Golden(std::string(name) + "-magic2"), &back))
            << name << codec.err.message;
        EXPECT_TRUE(GoldenText() == back) << name;
    }
}

TEST(CodecGolden, ReadsTheWrongChecksumThatJavaWritesForMagic0)
{
    Opened codec("lz4");
    Opened old("lz4-magic0");
    std::string back;

    EXPECT_EQ(KBP_ERR_CORRUPT, codec.Decompress(Golden("lz4-magic0"), &back));
    ASSERT_EQ(KBP_OK, old.Decompress(Golden("lz4-magic0"), &back))
        << old.err.message;
    EXPECT_TRUE(GoldenText() == back);
    ASSERT_EQ(KBP_OK, old.Decompress(Golden("lz4-magic2"), &back));
    EXPECT_TRUE(GoldenText() == back);
}

TEST(CodecLz4Block, HasTheSizeInFront)
{
    Opened codec("lz4-block");
    std::string packed = codec.Compress(Text(0x1234));
    std::string back;

    EXPECT_EQ(std::string("\x34\x12\0\0", 4), packed.substr(0, 4));
    packed[3] = '\x7f'; // 2 GiB out of some bytes
    EXPECT_EQ(KBP_ERR_CORRUPT, codec.Decompress(packed, &back, UINT64_MAX));
}

} // namespace

// SPDX-License-Identifier: Apache-2.0
// base_bytes.cc - checksums, buffers, sinks and cursors.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "base/buf.h"
#include "base/crc32c.h"
#include "base/cursor.h"
}

namespace
{

uint32_t Crc(const std::string &bytes)
{
    return kb_crc32c(0, bytes.data(), bytes.size());
}

// RFC 3720, appendix B.4 (there as bytes, least significant first).
TEST(BaseCrc32c, HasTheValuesOfTheRfc)
{
    std::string up;
    std::string down;
    const unsigned char scsi[48] = {
        0x01, 0xc0, 0,    0,    0,    0, 0, 0, 0,    0, 0, 0, 0,   0,
        0,    0,    0x14, 0,    0,    0, 0, 0, 0x04, 0, 0, 0, 0,   0x14,
        0,    0,    0,    0x18, 0x28, 0, 0, 0, 0,    0, 0, 0, 0x02};

    for (int i = 0; i < 32; i++) {
        up += static_cast<char>(i);
        down += static_cast<char>(31 - i);
    }
    EXPECT_EQ(0x8a9136aau, Crc(std::string(32, '\0')));
    EXPECT_EQ(0x62a8ab43u, Crc(std::string(32, '\xff')));
    EXPECT_EQ(0x46dd794eu, Crc(up));
    EXPECT_EQ(0x113fdb5cu, Crc(down));
    EXPECT_EQ(0xd9963a56u, kb_crc32c(0, scsi, sizeof scsi));
    EXPECT_EQ(0xe3069283u, Crc("123456789"));
    EXPECT_EQ(0u, Crc(""));
}

TEST(BaseCrc32c, InstructionAndTableAgreeAtAllLengthsAndAlignments)
{
    std::mt19937 random(1);
    std::vector<unsigned char> bytes(20000);

    for (auto &b : bytes)
        b = static_cast<unsigned char>(random());
    for (size_t at = 0; at < 16; at++)
        for (size_t len = 0; len < 600; len++)
            ASSERT_EQ(kb_crc32c_portable(7, &bytes[at], len),
                      kb_crc32c(7, &bytes[at], len))
                << at << " " << len;
    for (size_t len = 600; len < 19000; len += 97)
        ASSERT_EQ(kb_crc32c_portable(0, &bytes[3], len),
                  kb_crc32c(0, &bytes[3], len))
            << len;
}

TEST(BaseCrc32c, PartsGiveTheWhole)
{
    std::string text(5000, '\0');

    for (size_t i = 0; i < text.size(); i++)
        text[i] = static_cast<char>(i * 31);
    for (size_t cut = 0; cut <= text.size(); cut += 77) {
        uint32_t crc = kb_crc32c(0, text.data(), cut);

        EXPECT_EQ(Crc(text),
                  kb_crc32c(crc, text.data() + cut, text.size() - cut));
    }
}

std::string Text(const kb_buf &buf)
{
    return std::string(reinterpret_cast<char *>(buf.data), buf.len);
}

TEST(BaseBuf, GrowsAndPrints)
{
    kb_buf buf = KB_BUF_INIT;

    for (int i = 0; i < 1000; i++)
        kb_buf_printf(&buf, "%d,", i);
    kb_buf_add_str(&buf, "end");
    EXPECT_FALSE(buf.failed);
    EXPECT_EQ(0u, Text(buf).find("0,1,2,"));
    EXPECT_EQ("999,end", Text(buf).substr(buf.len - 7));
    size_t len = 0;
    uint8_t *bytes = kb_buf_detach(&buf, &len);
    EXPECT_EQ(nullptr, buf.data);
    EXPECT_EQ(3893u, len);
    free(bytes);
}

TEST(BaseBuf, KeepsToItsLimitAndToItsFailure)
{
    kb_buf buf = KB_BUF_INIT;

    buf.limit = 10;
    kb_buf_add(&buf, "12345678", 8);
    EXPECT_NE(nullptr, kb_buf_reserve(&buf, 2));
    EXPECT_EQ(nullptr, kb_buf_reserve(&buf, 3));
    EXPECT_TRUE(buf.failed);
    kb_buf_add(&buf, "9", 1);
    EXPECT_EQ(8u, buf.len) << "nothing is added after a failure";
    kb_buf_reset(&buf);
    kb_buf_add(&buf, "1234567890", 10);
    EXPECT_FALSE(buf.failed);
    EXPECT_EQ("1234567890", Text(buf));
    EXPECT_EQ(nullptr, kb_buf_extend(&buf, SIZE_MAX)) << "it would overflow";
    kb_buf_release(&buf);
}

TEST(BaseBuf, ASinkGivesWhatItsLimitAllows)
{
    kb_buf buf = KB_BUF_INIT;
    kbp_sink sink = kb_buf_sink(&buf, 100);
    void *room = nullptr;
    size_t len = 0;

    EXPECT_EQ(KBP_ERR_LIMIT, sink.reserve(&sink, 101, 101, &room, &len));
    ASSERT_EQ(KBP_OK, sink.reserve(&sink, 1, 1000, &room, &len));
    EXPECT_EQ(100u, len);
    memset(room, 'x', len);
    sink.commit(&sink, 60);
    EXPECT_EQ(40u, sink.limit);
    ASSERT_EQ(KBP_OK, sink.reserve(&sink, 0, 1, &room, &len));
    EXPECT_GE(len, 1u);
    EXPECT_LE(len, 40u);
    sink.commit(&sink, 0);
    ASSERT_EQ(KBP_OK, sink.reserve(&sink, 40, 40, &room, &len));
    sink.commit(&sink, 40);
    ASSERT_EQ(KBP_OK, sink.reserve(&sink, 0, 10, &room, &len));
    EXPECT_EQ(0u, len) << "none is left, and none is wanted";
    EXPECT_EQ(KBP_ERR_LIMIT, sink.reserve(&sink, 1, 1, &room, &len));
    EXPECT_EQ(100u, buf.len);
    kb_buf_release(&buf);
}

TEST(BaseBuf, ASinkOfNothingCanBeAskedForNothing)
{
    kb_buf buf = KB_BUF_INIT;
    kbp_sink sink = kb_buf_sink(&buf, 0);
    void *room = nullptr;
    size_t len = 9;

    EXPECT_EQ(KBP_OK, sink.reserve(&sink, 0, 100, &room, &len));
    EXPECT_EQ(0u, len);
    EXPECT_EQ(KBP_ERR_LIMIT, sink.reserve(&sink, 1, 1, &room, &len));
    kb_buf_release(&buf);
}

TEST(BaseBuf, ASinkKeepsToTheBuffersLimitToo)
{
    kb_buf buf = KB_BUF_INIT;
    void *room = nullptr;
    size_t len = 0;

    buf.limit = 10;
    kbp_sink sink = kb_buf_sink(&buf, 100);
    EXPECT_EQ(KBP_ERR_LIMIT, sink.reserve(&sink, 11, 11, &room, &len));
    EXPECT_EQ(KBP_OK, sink.reserve(&sink, 5, 50, &room, &len));
    EXPECT_EQ(10u, len);
    sink.commit(&sink, 10);
    EXPECT_EQ(KBP_ERR_LIMIT, sink.reserve(&sink, 1, 1, &room, &len));
    kb_buf_release(&buf);
}

TEST(BaseCursor, NeverLeavesItsBytes)
{
    const unsigned char bytes[] = {1, 2, 3, 4, 5, 6, 7};
    kb_cursor c = kb_cursor_of(bytes, sizeof bytes);

    EXPECT_EQ(0x0102u, kb_get_be16(&c));
    EXPECT_EQ(0x06050403u, kb_get_le32(&c));
    EXPECT_EQ(0u, kb_get_be16(&c)) << "one byte is left";
    EXPECT_TRUE(c.bad);
    EXPECT_EQ(0u, kb_get_u8(&c)) << "bad stays bad";
    c = kb_cursor_of(bytes, sizeof bytes);
    EXPECT_EQ(nullptr, kb_take(&c, SIZE_MAX));
    EXPECT_TRUE(c.bad);
    c = kb_cursor_of(bytes, sizeof bytes);
    EXPECT_EQ(bytes, kb_take(&c, 7));
    EXPECT_FALSE(c.bad);
    EXPECT_EQ(0u, kb_cursor_left(&c));
}

uint64_t Uvarint(const std::string &bytes, bool *bad)
{
    kb_cursor c = kb_cursor_of(bytes.data(), bytes.size());
    uint64_t value = kb_get_uvarint(&c);

    *bad = c.bad;
    return value;
}

TEST(BaseCursor, ReadsVarintsAndRefusesBadOnes)
{
    bool bad = false;

    EXPECT_EQ(300u, Uvarint("\xac\x02", &bad));
    EXPECT_FALSE(bad);
    EXPECT_EQ(UINT64_MAX,
              Uvarint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &bad));
    EXPECT_FALSE(bad);
    (void)Uvarint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", &bad);
    EXPECT_TRUE(bad) << "more than 64 bits";
    (void)Uvarint("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", &bad);
    EXPECT_TRUE(bad) << "eleven bytes";
    (void)Uvarint("\xac", &bad);
    EXPECT_TRUE(bad) << "cut";
    EXPECT_EQ(0u, Uvarint(std::string("\x80\x00", 2), &bad));
    EXPECT_FALSE(bad) << "longer than needed is allowed";
}

TEST(BaseCursor, ReadsZigzagVarints)
{
    const struct {
        std::string bytes;
        int64_t value;
    } cases[] = {
        {std::string(1, '\0'), 0},
        {"\x01", -1},
        {"\x02", 1},
        {"\xfe\xff\xff\xff\x0f", INT32_MAX},
        {"\xff\xff\xff\xff\x0f", INT32_MIN},
        {"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", INT64_MAX},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", INT64_MIN},
    };

    for (const auto &test : cases) {
        kb_cursor c = kb_cursor_of(test.bytes.data(), test.bytes.size());

        EXPECT_EQ(test.value, kb_get_varint(&c));
        EXPECT_FALSE(c.bad);
        EXPECT_EQ(0u, kb_cursor_left(&c));
    }
}

} // namespace

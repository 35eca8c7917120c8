// SPDX-License-Identifier: Apache-2.0
// base_text.cc - numbers, units, patterns, words, errors.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

extern "C" {
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
}

namespace
{

TEST(BaseStr, NumbersAreWholeTexts)
{
    int64_t i = 5;
    uint64_t u = 5;

    EXPECT_TRUE(kb_parse_i64("-9223372036854775808", &i));
    EXPECT_EQ(INT64_MIN, i);
    EXPECT_TRUE(kb_parse_u64("18446744073709551615", &u));
    EXPECT_EQ(UINT64_MAX, u);
    i = 5;
    u = 5;
    for (const char *bad : {"", " 1", "1 ", "+1", "1x", "0x10", "1.0", "-",
                            "--1", "9223372036854775808"})
        EXPECT_FALSE(kb_parse_i64(bad, &i)) << bad;
    for (const char *bad : {"", "-1", " 1", "18446744073709551616", "1e3"})
        EXPECT_FALSE(kb_parse_u64(bad, &u)) << bad;
    EXPECT_FALSE(kb_parse_i64(nullptr, &i));
    EXPECT_EQ(5, i) << "left alone on failure";
    EXPECT_EQ(5u, u);
}

TEST(BaseStr, SizesHaveUnits)
{
    const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"134217728", 134217728},
        {"16MiB", 16u << 20},
        {"16 MiB", 16u << 20},
        {"16mib", 16u << 20},
        {"16MB", 16000000},
        {"512k", 512 << 10},
        {"1.5GiB", 3ull << 29},
        {"2T", 2ull << 40},
        {"7b", 7},
        {"18446744073709551615", UINT64_MAX},
    };
    uint64_t bytes = 0;

    for (const auto &test : good) {
        EXPECT_TRUE(kb_parse_bytes(test.text, &bytes)) << test.text;
        EXPECT_EQ(test.bytes, bytes) << test.text;
    }
    for (const char *bad : {"", "MiB", "-1", "1 2", "16MiBs", "1e3", "1..5k",
                            "99999999999TiB", ".5k", "1,5k"})
        EXPECT_FALSE(kb_parse_bytes(bad, &bytes)) << bad;
    EXPECT_FALSE(kb_parse_bytes(nullptr, &bytes));
}

TEST(BaseStr, TimesHaveUnits)
{
    const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"500", 500},         {"500ms", 500},
        {"30s", 30000},       {"15m", 900000},
        {"12h", 43200000},    {"7d", 604800000},
        {"1d12h", 129600000}, {"1m30s500ms", 90500},
        {"1.5s", 1500},       {"0", 0},
        {"-1", -1},
    };
    int64_t ms = 0;

    for (const auto &test : good) {
        EXPECT_TRUE(kb_parse_ms(test.text, &ms)) << test.text;
        EXPECT_EQ(test.ms, ms) << test.text;
    }
    for (const char *bad :
         {"", "s", "1y", "1S", "1m30", "1 s", "-1s", "1ss", "99999999999999d"})
        EXPECT_FALSE(kb_parse_ms(bad, &ms)) << bad;
    EXPECT_FALSE(kb_parse_ms(nullptr, &ms));
}

TEST(BaseStr, SizesAndTimesAreShownShort)
{
    char text[32];

    EXPECT_STREQ("0 B", kb_bytes_text(text, 0));
    EXPECT_STREQ("1023 B", kb_bytes_text(text, 1023));
    EXPECT_STREQ("1.5 KiB", kb_bytes_text(text, 1536));
    EXPECT_STREQ("16384.0 PiB", kb_bytes_text(text, UINT64_MAX));
    EXPECT_STREQ("850 ms", kb_duration_text(text, 850));
    EXPECT_STREQ("3.2 s", kb_duration_text(text, 3210));
    EXPECT_STREQ("3m 20s", kb_duration_text(text, 200000));
    EXPECT_STREQ("2h 5m", kb_duration_text(text, 7500000));
    EXPECT_STREQ("1d 2h", kb_duration_text(text, 93600000));
}

TEST(BaseStr, PatternsMatch)
{
    const struct {
        const char *pattern;
        const char *text;
        bool matches;
    } cases[] = {
        {"orders", "orders", true},
        {"orders", "orders2", false},
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything.at-all_", true},
        {"orders-*", "orders-", true},
        {"orders-*", "orders", false},
        {"*-dlq", "a-dlq-dlq", true},
        {"*-dlq", "a-dlq-dlx", false},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXcYb", false},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"a?c",
         "a\xc3\xa4"
         "c",
         true},
        {"?", "\xf0\x9f\x98\x80", true},
        {"a.c", "abc", false},
        {"[ab]", "a", false},
        {"[ab]", "[ab]", true},
        {"**a", "bba", true},
    };

    for (const auto &test : cases)
        EXPECT_EQ(test.matches, kb_glob_match(test.pattern, test.text))
            << test.pattern << " " << test.text;
}

TEST(BaseStr, APatternOfManyStarsIsQuick)
{
    std::string text(20000, 'a');
    std::string pattern;
    auto begin = std::chrono::steady_clock::now();

    for (int i = 0; i < 50; i++)
        pattern += "a*";
    pattern += "b";
    EXPECT_FALSE(kb_glob_match(pattern.c_str(), text.c_str()));
    EXPECT_LT(std::chrono::steady_clock::now() - begin,
              std::chrono::seconds(2));
}

TEST(BaseStr, DidYouMean)
{
    const char *const names[] = {"compression", "compression_level", "topics",
                                 "path"};

    EXPECT_STREQ("compression", kb_did_you_mean("compresion", names, 4));
    EXPECT_STREQ("compression", kb_did_you_mean("comrpession", names, 4));
    EXPECT_STREQ("topics", kb_did_you_mean("topic", names, 4));
    EXPECT_STREQ("path", kb_did_you_mean("paht", names, 4));
    EXPECT_EQ(nullptr, kb_did_you_mean("brokers", names, 4));
    EXPECT_EQ(nullptr, kb_did_you_mean("", names, 4));
    EXPECT_EQ(nullptr, kb_did_you_mean("x", names, 0));
    EXPECT_EQ(nullptr,
              kb_did_you_mean(std::string(500, 'c').c_str(), names, 4));
}

TEST(BaseStr, KnowsUtf8)
{
    for (const char *good : {"", "abc", "\xc3\xa4", "\xe2\x82\xac",
                             "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"})
        EXPECT_TRUE(kb_utf8_ok(good, strlen(good))) << good;
    for (const char *bad :
         {"\x80", "\xc3", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80",
          "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "a\xff", "\xe0\x80\x80",
          "\xc3(", "\xc1\xbf", "\xf0\x80\x80\x80"})
        EXPECT_FALSE(kb_utf8_ok(bad, strlen(bad)));
    EXPECT_TRUE(kb_utf8_ok("a\0b", 3));
}

TEST(BaseErr, ReadsFromOutsideToInside)
{
    kbp_error err = KB_ERR_INIT;

    EXPECT_EQ(KBP_ERR_NOT_FOUND,
              kb_fail(&err, KBP_ERR_NOT_FOUND, "no %s", "object"));
    EXPECT_EQ(KBP_ERR_NOT_FOUND, kb_err_wrap(&err, "segment %d", 42));
    EXPECT_EQ(KBP_ERR_NOT_FOUND, kb_err_wrap(&err, "restore"));
    EXPECT_STREQ("restore: segment 42: no object", err.message);
    kb_err_hint(&err, "look %s", "there");
    EXPECT_STREQ("look there", err.hint);
    kb_err_clear(&err);
    EXPECT_EQ(KBP_OK, err.status);
    EXPECT_STREQ("", err.message);
    EXPECT_STREQ("", err.hint);
    EXPECT_EQ(sizeof err, err.struct_size);
}

TEST(BaseErr, SaysNothingTwice)
{
    kbp_error err = KB_ERR_INIT;

    (void)kb_fail(&err, KBP_ERR_IO, "can't read it");
    (void)kb_err_wrap(&err, "%s", "b/manifest.json");
    (void)kb_err_wrap(&err, "storage filesystem");
    (void)kb_err_wrap(&err, "%s", "b/manifest.json");
    EXPECT_EQ(KBP_ERR_IO, kb_err_wrap(&err, "backup %s", "b"));
    EXPECT_EQ(KBP_ERR_IO, kb_err_wrap(&err, "backup %s", "b"));
    EXPECT_STREQ("backup b: storage filesystem: b/manifest.json: can't read it",
                 err.message);
    /* Parts of words are something else. */
    (void)kb_err_wrap(&err, "manifest.json");
    (void)kb_err_wrap(&err, "back");
    EXPECT_STREQ("back: manifest.json: backup b: storage filesystem: "
                 "b/manifest.json: can't read it",
                 err.message);
}

TEST(BaseErr, WrapsAnEmptyMessageByItsStatus)
{
    kbp_error err = KB_ERR_INIT;

    err.status = KBP_ERR_DENIED;
    (void)kb_err_wrap(&err, "store");
    EXPECT_STREQ("store: permission denied", err.message);
}

TEST(BaseErr, IsOneLineThatFits)
{
    kbp_error err = KB_ERR_INIT;
    std::string text(2000, 'x');

    (void)kb_fail(&err, KBP_ERR_IO,
                  "a\nb\tc\x7f"
                  "d");
    EXPECT_STREQ("a b c d", err.message);
    (void)kb_fail(&err, KBP_ERR_IO, "%s", text.c_str());
    EXPECT_EQ(sizeof err.message - 1, strlen(err.message));
    (void)kb_err_wrap(&err, "%s", text.c_str());
    EXPECT_EQ(sizeof err.message - 1, strlen(err.message));
    text = std::string(510, 'x') + "\xe2\x82\xac";
    (void)kb_fail(&err, KBP_ERR_IO, "%s", text.c_str());
    EXPECT_TRUE(kb_utf8_ok(err.message, strlen(err.message)))
        << "not cut within a character";
}

TEST(BaseErr, ErrnoPicksTheStatus)
{
    const struct {
        int errnum;
        int status;
    } cases[] = {
        {ENOENT, KBP_ERR_NOT_FOUND}, {EEXIST, KBP_ERR_EXISTS},
        {EACCES, KBP_ERR_DENIED},    {ENOSPC, KBP_ERR_FULL},
        {ENOMEM, KBP_ERR_NOMEM},     {ETIMEDOUT, KBP_ERR_TIMEOUT},
        {EIO, KBP_ERR_IO},           {ECONNRESET, KBP_ERR_IO},
    };

    for (const auto &test : cases) {
        kbp_error err = KB_ERR_INIT;

        EXPECT_EQ(test.status, kb_fail_errno(&err, test.errnum, "file x"));
        EXPECT_EQ(test.errnum, err.native);
        EXPECT_EQ("file x: " + std::string(strerror(test.errnum)), err.message);
    }
}

TEST(BaseErr, KnowsWhatMayBeTriedAgain)
{
    for (int status :
         std::vector<int>{KBP_ERR_IO, KBP_ERR_TIMEOUT, KBP_ERR_UNSURE, -63})
        EXPECT_TRUE(kb_may_retry(status)) << status;
    for (int status : std::vector<int>{KBP_OK, KBP_ERR_MISUSE, KBP_ERR_PROTOCOL,
                                       KBP_ERR_LOST, -31, -64, 1, INT32_MIN})
        EXPECT_FALSE(kb_may_retry(status)) << status;
    EXPECT_STREQ("permission denied", kb_status_text(KBP_ERR_DENIED));
    EXPECT_NE(nullptr, kb_status_text(-50));
    EXPECT_NE(nullptr, kb_status_text(12345));
}

TEST(BaseClock, DeadlinesDontOverflow)
{
    EXPECT_EQ(KB_NEVER, kb_deadline_ms(INT64_MAX));
    EXPECT_EQ(0, kb_left_ms(0));
    EXPECT_EQ(-1, kb_poll_ms(KB_NEVER));
    EXPECT_EQ(INT32_MAX, kb_poll_ms(kb_deadline_ms(INT64_MAX / 2)));
    EXPECT_EQ(0, kb_poll_ms(0));
    int64_t left = kb_left_ms(kb_deadline_ms(1000));
    EXPECT_GT(left, 500);
    EXPECT_LE(left, 1000);
}

TEST(BaseClock, TimesAreUtc)
{
    char text[KB_TIME_TEXT];

    EXPECT_STREQ("1970-01-01T00:00:00.000Z", kb_time_text(text, 0));
    EXPECT_STREQ("2001-09-09T01:46:40.123Z", kb_time_text(text, 1000000000123));
    EXPECT_STREQ("1969-12-31T23:59:59.999Z", kb_time_text(text, -1));
    (void)kb_time_text(text, INT64_MAX);
    (void)kb_time_text(text, INT64_MIN);
    EXPECT_LT(strlen(text), sizeof text);
}

} // namespace

// SPDX-License-Identifier: Apache-2.0
// archive_names.cc - names of objects, ids, ranges of offsets.
#include "archive_harness.h"

namespace
{

using kbt::Error;

TEST(ArchiveNames, ALaterRunsNameIsGreater)
{
    const int64_t times[] = {0,
                             999,
                             1000,
                             1700000000000,
                             1700000000001,
                             1709164800000, // 29 February
                             1795555158662,
                             253402300799999};
    std::string last;

    for (int64_t ms : times) {
        char text[KB_RUN_TEXT];
        int64_t back = -1;

        EXPECT_GT(std::string(kb_run_name(text, ms)), last);
        EXPECT_TRUE(kb_run_parse(text, &back)) << text;
        EXPECT_EQ(ms, back);
        last = text;
    }
    EXPECT_EQ("99991231T235959999Z", last);
    char text[KB_RUN_TEXT];
    EXPECT_STREQ("20240229T000000000Z", kb_run_name(text, 1709164800000));
}

TEST(ArchiveNames, OnlyWholeNamesAreTakenForNames)
{
    kb_name name = kbt::name_of(1700000000000, 42, 7);
    kb_name back{};
    char text[KB_NAME_TEXT];

    EXPECT_STREQ("20231114T221320000Z-007-00000042", kb_name_text(text, &name));
    ASSERT_TRUE(kb_name_parse(text, 32, &back));
    EXPECT_EQ(0, kb_name_compare(&name, &back));
    for (const char *bad : {"20231114T221320000Z-007-00000000", // counts from 1
                            "20230231T221320000Z-007-00000042", // no such day
                            "20231114T226020000Z-007-00000042", // nor minute
                            "20231114T221320000Z-007-0000004x",
                            "20231114T221320000Z_007-00000042"})
        EXPECT_FALSE(kb_name_parse(bad, 32, &back)) << bad;
    EXPECT_FALSE(kb_name_parse(text, 31, &back));
    EXPECT_TRUE(kb_key_name("b/manifest/20231114T221320000Z-007-00000042.json",
                            "b/manifest/", ".json", &back));
    EXPECT_FALSE(
        kb_key_name("b/manifest/20231114T221320000Z-007-00000042.json.tmp",
                    "b/manifest/", ".json", &back));
    EXPECT_FALSE(
        kb_key_name("b/manifest/.json", "b/manifest/", ".json", &back));
}

TEST(ArchiveNames, ABackupIdThatCouldLeaveItsPlaceIsRefused)
{
    Error err;

    for (const char *good : {"nightly", "a.b", "kunde-\xc3\xa4", "x y"})
        EXPECT_EQ(KBP_OK, kb_backup_id_check(good, &err)) << err.text();
    for (const char *bad : {"", ".", "..", "a/b", "a\\b", "a\nb", "\xff"})
        EXPECT_EQ(KBP_ERR_CONFIG, kb_backup_id_check(bad, &err)) << bad;
    EXPECT_EQ(KBP_ERR_CONFIG,
              kb_backup_id_check(std::string(201, 'x').c_str(), &err));
}

TEST(ArchiveNames, AnIdHasOneText)
{
    kb_uuid id{};
    kb_uuid back{};
    char text[KB_UUID_TEXT];
    Error err;

    EXPECT_TRUE(kb_uuid_is_none(&id));
    for (int i = 0; i < 100; i++) {
        ASSERT_EQ(KBP_OK, kb_uuid_make(&id, &err));
        EXPECT_FALSE(kb_uuid_is_none(&id));
        ASSERT_TRUE(kb_uuid_parse(kb_uuid_text(text, &id), &back)) << text;
        EXPECT_TRUE(kb_uuid_equal(&id, &back));
        EXPECT_EQ(22u, strlen(text));
    }
    /* As Kafka writes it. */
    ASSERT_TRUE(kb_uuid_parse("CitOzzaWQCmekIp5OyG5vQ", &id));
    EXPECT_EQ(0x0a, id.bytes[0]);
    EXPECT_EQ(0xbd, id.bytes[15]);
    EXPECT_FALSE(kb_uuid_parse("CitOzzaWQCmekIp5OyG5vR", &id));
    EXPECT_FALSE(kb_uuid_parse("CitOzzaWQCmekIp5OyG5v", &id));
    EXPECT_FALSE(kb_uuid_parse("CitOzzaWQCmekIp5OyG5v=", &id));
}

TEST(ArchiveRange, KindsHaveALetterAndAWordEach)
{
    std::string letters;

    for (int i = 0; i < KB_RANGE_KINDS; i++) {
        auto kind = static_cast<kb_range_kind>(i);
        kb_range_kind back;

        ASSERT_TRUE(kb_range_of_letter(kb_range_letter(kind), &back));
        EXPECT_EQ(kind, back);
        EXPECT_EQ(std::string::npos, letters.find(kb_range_letter(kind)));
        letters += kb_range_letter(kind);
    }
    kb_range_kind none;
    EXPECT_FALSE(kb_range_of_letter('z', &none));
}

TEST(ArchiveRange, CoverageAddsUpAndLeavesNoHole)
{
    Error err;
    kb_coverage c;
    kb_stored_batch b{10, 20, 7, 500, 99, 50, true};

    kb_coverage_init(&c, 5);
    EXPECT_EQ(KBP_ERR_MISUSE, kb_coverage_batch(&c, &b, &err));
    ASSERT_EQ(KBP_OK, kb_coverage_skip(&c, KB_RANGE_ABORTED, 8, &err));
    ASSERT_EQ(KBP_OK, kb_coverage_skip(&c, KB_RANGE_ABORTED, 9, &err));
    ASSERT_EQ(KBP_OK, kb_coverage_skip(&c, KB_RANGE_MARKER, 10, &err));
    ASSERT_EQ(KBP_OK, kb_coverage_skip(&c, KB_RANGE_MARKER, 10, &err));
    EXPECT_EQ(KBP_ERR_MISUSE, kb_coverage_skip(&c, KB_RANGE_MARKER, 9, &err));
    ASSERT_EQ(KBP_OK, kb_coverage_batch(&c, &b, &err));
    EXPECT_EQ(2u, c.ranges.count); // adjoining ones of a kind are one
    EXPECT_EQ(7u, c.sums.records);
    EXPECT_EQ(3u, c.sums.missing);
    EXPECT_EQ(20, c.end);
    EXPECT_EQ(KBP_OK, kb_account_check(c.start, c.end, &c.sums,
                                       kb_ranges_total(&c.ranges), &err));
    EXPECT_EQ(KBP_ERR_CORRUPT,
              kb_account_check(c.start, c.end + 1, &c.sums,
                               kb_ranges_total(&c.ranges), &err));
    b = {20, 21, 1, 900, -5, -5, false};
    ASSERT_EQ(KBP_OK, kb_coverage_batch(&c, &b, &err));
    EXPECT_EQ(99, c.sums.max_timestamp);
    EXPECT_EQ(900u, c.sums.largest_batch);
    EXPECT_FALSE(c.sums.min_known); // one of them wasn't walked
    b = {21, 22, 2, 900, -5, -5, false};
    EXPECT_EQ(KBP_ERR_CORRUPT, kb_coverage_batch(&c, &b, &err));
    b = {21, 21, 0, 900, -5, -5, false};
    EXPECT_EQ(KBP_ERR_CORRUPT, kb_coverage_batch(&c, &b, &err));
    kb_coverage_reset(&c, 100);
    EXPECT_EQ(0u, c.ranges.count);
    EXPECT_EQ(100, c.end);
    EXPECT_EQ(KBP_OK, kb_coverage_skip(&c, KB_RANGE_OPEN_TXN, INT64_MAX, &err));
    kb_coverage_release(&c);
}

TEST(ArchiveRange, SumsThatOverflowDontAddUp)
{
    Error err;
    kb_sums sums{};

    sums.records = UINT64_MAX;
    sums.missing = 11;
    EXPECT_EQ(KBP_ERR_CORRUPT, kb_account_check(0, 10, &sums, 0, &err));
    EXPECT_EQ(KBP_ERR_CORRUPT,
              kb_account_check(INT64_MIN, INT64_MAX, &sums, 0, &err));
}

} // namespace

// SPDX-License-Identifier: Apache-2.0
// backup_last.cc - a log that was replaced is told from one that was cleaned.
#include <gtest/gtest.h>

/* A function and a struct of one name are no trouble in C. */
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "backup/last.h"
}

namespace
{

// Offsets 100 to 109, ten records, of an idempotent producer.
kb_last_batch Stored()
{
    kb_batch batch = {};

    batch.base_offset = 100;
    batch.last_offset_delta = 9;
    batch.leader_epoch = 3;
    batch.crc = 1;
    batch.base_timestamp = 5000;
    batch.max_timestamp = 5009;
    batch.producer_id = 77;
    batch.producer_epoch = 2;
    batch.base_sequence = 40;
    batch.count = 10;
    return kb_last_of_batch(&batch);
}

// What the cleaner makes of it.
kb_last_batch Cleaned(int32_t count, int64_t max_timestamp)
{
    kb_last_batch b = Stored();

    b.crc32c = 2;
    b.count = count;
    b.max_timestamp = max_timestamp;
    return b;
}

kb_last_batch Entry(int64_t first, int64_t last, int32_t count,
                    uint8_t attributes, uint32_t crc)
{
    kb_msgset_entry e = {};

    e.first_offset = first;
    e.last_offset = last;
    e.timestamp = 5009;
    e.crc = crc;
    e.count = count;
    e.magic = 1;
    e.attributes = attributes;
    return kb_last_of_entry(&e);
}

std::string Verdict(const kb_last_batch &want, const kb_last_batch &now,
                    bool compacted = true)
{
    const char *why = nullptr;

    switch (kb_last_compare(&want, &now, compacted, &why)) {
    case KB_LAST_BEFORE:
        return "before";
    case KB_LAST_SAME:
        return "same";
    case KB_LAST_GONE:
        return "gone";
    case KB_LAST_OTHER:
        EXPECT_STRNE("", why);
        return why;
    }
    return "?";
}

TEST(BackupLast, TheSameIsTheSame)
{
    EXPECT_EQ("same", Verdict(Stored(), Stored(), false));
    EXPECT_EQ("same", Verdict(Stored(), Stored(), true));
}

TEST(BackupLast, WithoutACleanerTheCrcTells)
{
    kb_last_batch now = Stored();

    now.crc32c = 2;
    EXPECT_EQ("its CRC differs", Verdict(Stored(), now, false));
}

TEST(BackupLast, TheCleanerTakesRecordsOut)
{
    EXPECT_EQ("same", Verdict(Stored(), Cleaned(9, 5009)));
    EXPECT_EQ("same", Verdict(Stored(), Cleaned(1, 5000)));
    // emptied, and kept for its sequence
    EXPECT_EQ("same", Verdict(Stored(), Cleaned(0, 5009)));
    EXPECT_EQ("same", Verdict(Stored(), Cleaned(0, 5003)));
}

TEST(BackupLast, TheCleanerSetsADeleteHorizon)
{
    kb_last_batch now = Cleaned(10, 5009);

    now.attributes |= KB_BATCH_DELETE_HORIZON;
    EXPECT_EQ("same", Verdict(Stored(), now));
    now.max_timestamp = 5008;
    EXPECT_NE("same", Verdict(Stored(), now));
}

TEST(BackupLast, AHoleShowsThatThereWasACleanerWhateverThePolicyIsNow)
{
    kb_last_batch now = Cleaned(10, 5009);

    EXPECT_EQ("same", Verdict(Stored(), Cleaned(9, 5009), false));
    now.attributes |= KB_BATCH_DELETE_HORIZON;
    EXPECT_EQ("same", Verdict(Stored(), now, false));
}

TEST(BackupLast, NoCleanerDoesThis)
{
    kb_last_batch now = Cleaned(9, 5009);

    now.last_offset = 110;
    EXPECT_EQ("it ends elsewhere", Verdict(Stored(), now));
    now = Cleaned(9, 5009);
    now.producer_id = 78;
    EXPECT_EQ("its producer is another one", Verdict(Stored(), now));
    now = Cleaned(9, 5009);
    now.producer_epoch = 3;
    EXPECT_EQ("its producer is another one", Verdict(Stored(), now));
    now = Cleaned(9, 5009);
    now.base_sequence = 41;
    EXPECT_EQ("its producer is another one", Verdict(Stored(), now));
    now = Cleaned(9, 5009);
    now.leader_epoch = 4;
    EXPECT_EQ("it is of another leader epoch", Verdict(Stored(), now));
    now = Cleaned(9, 5009);
    now.attributes |= KB_BATCH_TRANSACTIONAL;
    EXPECT_EQ("it is of another kind", Verdict(Stored(), now));
    EXPECT_EQ("it has more records", Verdict(Stored(), Cleaned(11, 5009)));
    EXPECT_EQ("it is younger", Verdict(Stored(), Cleaned(9, 5010)));
    // a producer that repeats itself, with as many records, as old or older
    EXPECT_EQ("it has as many records, and they differ",
              Verdict(Stored(), Cleaned(10, 5009)));
    EXPECT_EQ("it has as many records, and they differ",
              Verdict(Stored(), Cleaned(10, 4000)));
}

TEST(BackupLast, ABatchThatWasCleanedBeforeMayBeCleanedAgain)
{
    kb_last_batch want = Cleaned(6, 5007);
    kb_last_batch now = Cleaned(4, 5007);

    want.attributes |= KB_BATCH_DELETE_HORIZON;
    now.attributes |= KB_BATCH_DELETE_HORIZON;
    now.crc32c = 3;
    EXPECT_EQ("same", Verdict(want, now));
    now.count = 6; // the horizon is set once
    EXPECT_NE("same", Verdict(want, now));
}

TEST(BackupLast, TheTimeABrokerSetIsAllRecordsTime)
{
    kb_last_batch want = Stored();
    kb_last_batch now = Cleaned(3, 5009);

    want.attributes = now.attributes = KB_BATCH_LOG_APPEND;
    EXPECT_EQ("same", Verdict(want, now));
    now.max_timestamp = 5008;
    EXPECT_EQ("it is older", Verdict(want, now));
}

TEST(BackupLast, BatchesAreNeitherMovedNorMergedNorSplit)
{
    kb_last_batch now = Cleaned(5, 5009);

    now.base_offset = 99;
    EXPECT_EQ("it begins or ends elsewhere", Verdict(Stored(), now));
    now.base_offset = 101;
    EXPECT_EQ("it begins or ends elsewhere", Verdict(Stored(), now));
    now.base_offset = 90;
    now.last_offset = 99;
    EXPECT_EQ("before", Verdict(Stored(), now));
}

TEST(BackupLast, OneThatIsGoneTellsByItsSuccessor)
{
    kb_last_batch now = Cleaned(10, 9000);

    now.base_offset = 110;
    now.last_offset = 119;
    EXPECT_EQ("gone", Verdict(Stored(), now));
    now.leader_epoch = 4;
    EXPECT_EQ("gone", Verdict(Stored(), now));
    now.leader_epoch = 2;
    EXPECT_EQ("a later one is of an earlier leader epoch",
              Verdict(Stored(), now));
}

TEST(BackupLast, OfOldArchivesOnlyOffsetEpochAndCrcAreKnown)
{
    kb_last_batch want = Stored();
    kb_last_batch now = Cleaned(12, 9000);

    want.detailed = false;
    want.last_offset = 0;
    want.count = 0;
    want.magic = 0;
    EXPECT_EQ("same", Verdict(want, Stored(), false));
    EXPECT_EQ("its CRC differs", Verdict(want, Cleaned(10, 5009), false));
    EXPECT_EQ("same", Verdict(want, now));
    now.leader_epoch = 2;
    EXPECT_NE("same", Verdict(want, now));
    EXPECT_EQ("gone", Verdict(want, Entry(100, 109, 10, 1, 1)));
}

TEST(BackupLast, PlainMessagesOfOldStayAsTheyAre)
{
    kb_last_batch want = Entry(100, 100, 1, 0, 1);

    EXPECT_EQ("same", Verdict(want, Entry(100, 100, 1, 0, 1)));
    EXPECT_EQ("its CRC differs",
              Verdict(want, Entry(100, 100, 1, 0, 2), false));
    EXPECT_NE("same", Verdict(want, Entry(100, 100, 1, 0, 2)));
    EXPECT_EQ("gone", Verdict(want, Entry(101, 101, 1, 0, 2)));
    EXPECT_EQ("it begins or ends elsewhere",
              Verdict(want, Entry(96, 103, 8, 1, 2)));
}

TEST(BackupLast, WrappersOfOldLoseMessages)
{
    kb_last_batch want = Entry(100, 109, 10, 1, 1);

    EXPECT_EQ("same", Verdict(want, Entry(100, 109, 10, 1, 1), false));
    EXPECT_EQ("its CRC differs",
              Verdict(want, Entry(100, 109, 10, 1, 2), false));
    EXPECT_EQ("same", Verdict(want, Entry(100, 109, 4, 1, 2)));
    EXPECT_EQ("same", Verdict(want, Entry(103, 107, 2, 1, 2)));
    EXPECT_EQ("same", Verdict(want, Entry(105, 105, 1, 1, 2)));
    EXPECT_EQ("it has as many records, and they differ",
              Verdict(want, Entry(100, 109, 10, 1, 2)));
    EXPECT_EQ("it begins or ends elsewhere",
              Verdict(want, Entry(103, 110, 8, 1, 2)));
    EXPECT_EQ("it begins or ends elsewhere",
              Verdict(want, Entry(99, 107, 9, 1, 2)));
    // a set doesn't become a single message
    EXPECT_NE("same", Verdict(want, Entry(105, 105, 1, 0, 2)));
}

TEST(BackupLast, TheCleanerChangesNoFormat)
{
    EXPECT_EQ("it is of another message format",
              Verdict(Stored(), Entry(100, 109, 10, 1, 1)));
    EXPECT_EQ("it is of another message format",
              Verdict(Entry(100, 109, 10, 1, 1), Stored()));
    EXPECT_EQ("gone", Verdict(Stored(), Entry(110, 110, 1, 0, 1)));
}

} // namespace

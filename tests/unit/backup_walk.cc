// SPDX-License-Identifier: Apache-2.0
// backup_walk.cc - every offset of an answer is stored, or explained.
#include <gtest/gtest.h>

#include "backup_batches.h"

using kbt::Answer;
using kbt::Shape;

namespace
{

class BackupWalk : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        walk.end = KB_NO_END;
    }
    void TearDown() override
    {
        kb_walk_release(&walk);
    }

    // "0-4 5m 6a 7-9": what becomes of each offset; "!" and a status at an end
    // that isn't one.
    std::string Run(const Answer &answer, int64_t position,
                    int64_t end = KB_NO_END,
                    const kb_last_batch *check = nullptr)
    {
        kb_walk_item item;
        std::string said;
        int rc;

        kb_walk_begin(&walk, &answer.fetched);
        walk.position = position;
        walk.end = end;
        walk.check = check;
        while ((rc = kb_walk_next(&walk, &item, &err)) == 1) {
            said += said.empty() ? "" : " ";
            said += std::to_string(position);
            if (item.end > position + 1)
                said += "-" + std::to_string(item.end - 1);
            if (item.kind == KB_WALK_SKIP)
                said += kb_range_letter(item.reason);
            else if (item.batch.count != item.end - position)
                said += "(" + std::to_string(item.batch.count) + ")";
            if (item.kind == KB_WALK_BATCH) {
                kbp_error bad = KB_ERR_INIT;

                EXPECT_EQ(position, item.batch.base_offset);
                EXPECT_EQ(KBP_OK, kb_batch_check(&item.batch, &bad));
                stored = item;
                last =
                    std::string((const char *)item.batch.bytes, item.batch.len);
            }
            position = item.end;
            EXPECT_EQ(position, walk.position);
        }
        return rc == 0 ? said : said + " !" + std::to_string(rc);
    }

    kb_walk walk = {};
    kbp_error err = KB_ERR_INIT;
    std::string last; // the last batch that was to be stored
    kb_walk_item stored = {};
};

TEST_F(BackupWalk, TakesBatchesAsTheyAre)
{
    Answer answer({kbt::data(0, 5), kbt::data(5, 3)});

    EXPECT_EQ("0-4 5-7", Run(answer, 0));
    EXPECT_EQ(kbt::make_batch(kbt::data(5, 3)), last);
    EXPECT_FALSE(walk.reached);
}

TEST_F(BackupWalk, LeavesOutWhatLiesBeforeThePosition)
{
    Answer answer({kbt::data(0, 5), kbt::data(5, 3)});

    EXPECT_EQ("5-7", Run(answer, 5));
}

TEST_F(BackupWalk, RewritesABatchThatBeginsBeforeThePosition)
{
    Answer answer({kbt::data(0, 5)});

    EXPECT_EQ("3-4", Run(answer, 3));
    EXPECT_EQ(2, (int)kb_load_be32((const uint8_t *)last.data() + 57));
}

TEST_F(BackupWalk, KeepsTheHolesOfWhatItRewrites)
{
    Shape s = kbt::data(10, 4); // 10 to 13 are there, 14 to 19 were removed

    s.last_delta = 9;
    walk.compacted = true;
    EXPECT_EQ("12-19(2)", Run(Answer({s}), 12));
    EXPECT_EQ("16-19c", Run(Answer({s}), 16));
}

TEST_F(BackupWalk, CountsWhatIsMissingInsideABatch)
{
    Shape s = kbt::data(0, 2);

    s.last_delta = 6;
    EXPECT_EQ("0-6(2) 7", Run(Answer({s, kbt::data(7, 1)}), 0));
}

TEST_F(BackupWalk, BlamesTheCleanerForHolesOnlyWhereThereIsOne)
{
    Answer answer({kbt::data(0, 2), kbt::data(5, 1)});

    EXPECT_EQ("0-1 2-4x 5", Run(answer, 0));
    walk.compacted = true;
    EXPECT_EQ("0-1 2-4c 5", Run(answer, 0));
}

TEST_F(BackupWalk, TakesEmptyBatchesForWhatTheCleanerLeft)
{
    Shape empty = kbt::data(2, 0);
    Shape emptied_marker = kbt::data(5, 0);

    empty.last_delta = 2;
    emptied_marker.last_delta = 0;
    emptied_marker.attributes = KB_BATCH_CONTROL | KB_BATCH_TRANSACTIONAL;
    EXPECT_EQ("0-1 2-4c 5c 6", Run(Answer({kbt::data(0, 2), empty,
                                           emptied_marker, kbt::data(6, 1)}),
                                   0));
}

TEST_F(BackupWalk, LeavesOutMarkersAndAbortedTransactions)
{
    Answer answer({kbt::txn(0, 3, 7), kbt::data(3, 1), kbt::txn(4, 2, 8),
                   kbt::marker(6, 7, 0), kbt::marker(7, 8, 1),
                   kbt::txn(8, 1, 7), kbt::marker(9, 7, 1)},
                  {{7, 0}});

    EXPECT_EQ("0-2a 3 4-5 6m 7m 8 9m", Run(answer, 0));
}

TEST_F(BackupWalk, ASecondAbortedTransactionOfAProducerIsKnownByItsOffset)
{
    Answer answer({kbt::txn(0, 1, 7), kbt::marker(1, 7, 1), kbt::txn(2, 1, 7),
                   kbt::marker(3, 7, 0)},
                  {{7, 2}});

    EXPECT_EQ("0 1m 2a 3m", Run(answer, 0));
}

TEST_F(BackupWalk, TheBrokersListIsNotInOrder)
{
    // In the order in which they were aborted: 8's, which began later, first.
    Answer answer({kbt::txn(0, 1, 7), kbt::txn(1, 1, 8), kbt::marker(2, 8, 0),
                   kbt::txn(3, 1, 7), kbt::marker(4, 7, 0)},
                  {{8, 1}, {7, 0}});

    EXPECT_EQ("0a 1a 2m 3a 4m", Run(answer, 0));
}

TEST_F(BackupWalk, AbortedProducersAreForgottenWithTheAnswer)
{
    Answer first({kbt::txn(0, 1, 7)}, {{7, 0}});
    Answer second({kbt::txn(1, 1, 7)});

    EXPECT_EQ("0a", Run(first, 0));
    EXPECT_EQ("1", Run(second, 1));
}

TEST_F(BackupWalk, AnAbortMarkerBeforeThePositionStillEndsItsTransaction)
{
    Answer answer({kbt::txn(0, 1, 7), kbt::marker(1, 7, 0), kbt::txn(2, 1, 7)},
                  {{7, 0}});

    EXPECT_EQ("2", Run(answer, 2));
}

TEST_F(BackupWalk, KeepsAbortedDataWhereThatIsAskedFor)
{
    Answer answer({kbt::txn(0, 3, 7), kbt::marker(3, 7, 0)}, {{7, 0}});

    walk.keep_aborted = true;
    EXPECT_EQ("0-2 3m", Run(answer, 0));
}

TEST_F(BackupWalk, WhatIsRewrittenStaysInItsTransaction)
{
    kb_batch batch;

    EXPECT_EQ("2-4", Run(Answer({kbt::txn(0, 5, 7)}), 2));
    ASSERT_EQ(KBP_OK, kb_batch_parse(last.data(), last.size(), &batch, &err));
    EXPECT_EQ(7, batch.producer_id);
    EXPECT_EQ(KB_BATCH_TRANSACTIONAL, batch.attributes);
    EXPECT_EQ(KBP_OK, kb_batch_check(&batch, &err)) << err.message;
}

TEST_F(BackupWalk, EndsWhereItIsToEnd)
{
    Answer answer({kbt::data(0, 5), kbt::data(5, 3), kbt::data(8, 1)});

    EXPECT_EQ("0-4 5-7", Run(answer, 0, 8));
    EXPECT_TRUE(walk.reached);
    EXPECT_EQ("0-4", Run(answer, 0, 5));
    EXPECT_TRUE(walk.reached);
}

TEST_F(BackupWalk, ABatchBehindTheEndShowsThatNothingComesBeforeIt)
{
    Answer answer({kbt::data(0, 2), kbt::data(9, 1)});

    EXPECT_EQ("0-1 2-5x", Run(answer, 0, 6));
    EXPECT_TRUE(walk.reached);
}

TEST_F(BackupWalk, StopsAtABatchThatIsCutOff)
{
    Answer answer({kbt::data(0, 5), kbt::data(5, 3)});

    answer.records.resize(answer.records.size() - 1);
    answer.Point();
    EXPECT_EQ("0-4", Run(answer, 0));
    EXPECT_TRUE(walk.cut);
}

TEST_F(BackupWalk, RefusesADamagedBatch)
{
    Answer answer({kbt::data(0, 5), kbt::data(5, 3)});

    answer.records[answer.records.size() - 3] ^= 1;
    answer.Point();
    EXPECT_EQ("0-4 !" + std::to_string(KBP_ERR_CORRUPT), Run(answer, 0));
    EXPECT_NE(nullptr, strstr(err.message, "5")) << err.message;
}

// As an archive has it that was written before there were more fields.
kb_last_batch Brief(int64_t base, uint32_t crc, int32_t epoch)
{
    kb_last_batch last = {};

    last.known = true;
    last.base_offset = base;
    last.crc32c = crc;
    last.leader_epoch = epoch;
    return last;
}

kb_last_batch BriefOf(const Shape &shape)
{
    std::string bytes = kbt::make_batch(shape);

    return Brief(shape.base, kb_load_be32((const uint8_t *)bytes.data() + 17),
                 shape.leader_epoch);
}

kb_last_batch LastOf(const Shape &shape)
{
    std::string bytes = kbt::make_batch(shape);
    kbp_error err = KB_ERR_INIT;
    kb_batch batch;

    EXPECT_EQ(KBP_OK, kb_batch_parse(bytes.data(), bytes.size(), &batch, &err));
    return kb_last_of_batch(&batch);
}

TEST_F(BackupWalk, ComparesTheLastBatchThatWasStored)
{
    Answer answer({kbt::data(0, 5), kbt::data(5, 3)});
    kb_last_batch same = BriefOf(kbt::data(0, 5));
    kb_last_batch other_crc = same;
    kb_last_batch other_epoch = same;
    kb_last_batch other_place = same;

    EXPECT_EQ("5-7", Run(answer, 5, KB_NO_END, &same));
    EXPECT_TRUE(walk.checked);
    other_crc.crc32c ^= 1;
    EXPECT_EQ(" !100", Run(answer, 5, KB_NO_END, &other_crc));
    other_epoch.leader_epoch = 2;
    EXPECT_EQ(" !100", Run(answer, 5, KB_NO_END, &other_epoch));
    other_place.base_offset = 2;
    EXPECT_EQ(" !100", Run(answer, 5, KB_NO_END, &other_place));
    // The cleaner writes batches anew, and more isn't known of this one.
    walk.compacted = true;
    EXPECT_EQ("5-7", Run(answer, 5, KB_NO_END, &other_crc));
    EXPECT_EQ(" !100", Run(answer, 5, KB_NO_END, &other_epoch));
}

TEST_F(BackupWalk, ComparesAlsoWhenThereIsNothingNew)
{
    Answer answer({kbt::data(0, 5)});
    kb_last_batch same = BriefOf(kbt::data(0, 5));

    EXPECT_EQ("", Run(answer, 5, 5, &same));
    EXPECT_TRUE(walk.reached);
}

TEST_F(BackupWalk, WhatIsGoneCannotBeCompared)
{
    Answer answer({kbt::data(5, 3)});
    kb_last_batch gone = Brief(0, 1, 1);

    EXPECT_EQ("5-7", Run(answer, 5, KB_NO_END, &gone));
    EXPECT_TRUE(walk.checked);
    EXPECT_TRUE(walk.missed);
}

TEST_F(BackupWalk, KnowsWhatTheCleanerLeftFromAnotherLog)
{
    kb_last_batch want = LastOf(kbt::data(0, 5));
    Shape cleaned = kbt::data(0, 3);
    Shape replaced = kbt::data(0, 5);

    walk.compacted = true;
    cleaned.last_delta = 4;
    EXPECT_EQ("5-7",
              Run(Answer({cleaned, kbt::data(5, 3)}), 5, KB_NO_END, &want));
    EXPECT_FALSE(walk.missed);
    replaced.value_bytes = 11;
    EXPECT_EQ(" !100",
              Run(Answer({replaced, kbt::data(5, 3)}), 5, KB_NO_END, &want));
    EXPECT_NE(nullptr, strstr(err.message, "as many records")) << err.message;
}

TEST_F(BackupWalk, WhereItIsGoneTheJointMustStillBeThere)
{
    kb_last_batch want = LastOf(kbt::data(0, 2));

    walk.compacted = true;
    // 2 to 4 were a marker, 5 is where the archive ends
    EXPECT_EQ("5-7", Run(Answer({kbt::data(3, 2), kbt::data(5, 3)}), 5,
                         KB_NO_END, &want));
    EXPECT_EQ("5-7c 8", Run(Answer({kbt::data(8, 1)}), 5, KB_NO_END, &want));
    EXPECT_EQ(" !100", Run(Answer({kbt::data(3, 1), kbt::data(4, 3)}), 5,
                           KB_NO_END, &want));
    // behind it, batches are taken as they come
    EXPECT_EQ("5-7 8-9", Run(Answer({kbt::data(5, 3), kbt::data(7, 3)}), 5,
                             KB_NO_END, &want));
}

// A plain message of magic 1.
std::string Message(int64_t offset, const char *value)
{
    std::string body(1, '\x01');
    std::string out(16, '\0');
    uint8_t number[8];
    uint32_t crc = UINT32_MAX;

    body += '\0';
    kb_store_be64(number, 1700000000000);
    body.append((const char *)number, 8);
    kb_store_be32(number, UINT32_MAX);
    body.append((const char *)number, 4);
    kb_store_be32(number, (uint32_t)strlen(value));
    body.append((const char *)number, 4);
    body += value;
    for (unsigned char c : body) {
        crc ^= c;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    kb_store_be64((uint8_t *)&out[0], (uint64_t)offset);
    kb_store_be32((uint8_t *)&out[8], (uint32_t)body.size() + 4);
    kb_store_be32((uint8_t *)&out[12], ~crc);
    return out + body;
}

Answer OfMessages(const std::vector<std::string> &messages)
{
    Answer answer({});

    for (auto &m : messages)
        answer.records += m;
    answer.Point();
    return answer;
}

TEST_F(BackupWalk, ComparesMessagesOfOldByTheirOwnCrc)
{
    Answer before = OfMessages({Message(0, "a"), Message(1, "b")});
    Answer same = OfMessages({Message(1, "b"), Message(2, "c")});
    Answer earlier =
        OfMessages({Message(0, "a"), Message(1, "b"), Message(2, "c")});
    Answer other = OfMessages({Message(1, "B"), Message(2, "c")});
    Answer gone = OfMessages({Message(2, "c")});
    kb_last_batch want;

    before.Point();
    EXPECT_EQ("0-1", Run(before, 0));
    want = stored.last;
    EXPECT_EQ(1, want.base_offset);
    EXPECT_EQ(1, want.magic);
    same.Point();
    EXPECT_EQ("2", Run(same, 2, KB_NO_END, &want));
    EXPECT_TRUE(walk.checked);
    earlier.Point();
    EXPECT_EQ("2", Run(earlier, 2, KB_NO_END, &want));
    other.Point();
    EXPECT_EQ(" !100", Run(other, 2, KB_NO_END, &want));
    walk.compacted = true;
    EXPECT_EQ(" !100", Run(other, 2, KB_NO_END, &want));
    gone.Point();
    EXPECT_EQ("2", Run(gone, 2, KB_NO_END, &want));
    EXPECT_TRUE(walk.missed);
    // Nor is it one of today's format.
    EXPECT_EQ(" !100", Run(Answer({kbt::data(1, 1), kbt::data(2, 1)}), 2,
                           KB_NO_END, &want));
}

TEST_F(BackupWalk, WhatIsRewrittenIsComparedAsItCame)
{
    kb_last_batch want;

    EXPECT_EQ("3-4", Run(Answer({kbt::data(0, 5)}), 3));
    want = stored.last;
    EXPECT_EQ(0, want.base_offset);
    EXPECT_EQ("5", Run(Answer({kbt::data(0, 5), kbt::data(5, 1)}), 5, KB_NO_END,
                       &want));
    EXPECT_EQ(" !100", Run(Answer({kbt::data(0, 4), kbt::data(4, 2)}), 5,
                           KB_NO_END, &want));
}

} // namespace

/* SPDX-License-Identifier: Apache-2.0 */
/* restore_reconcile.cc - which of our batches are in a target's tail. */
#include <gtest/gtest.h>

#include <vector>

#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "restore/reconcile.h"
}

namespace
{

const int64_t kOurs = 4000;

struct kb_batch Tail(int64_t base, int32_t count, int16_t epoch,
                     int32_t sequence, int64_t producer = kOurs)
{
    struct kb_batch batch = {};

    batch.base_offset = base;
    batch.count = count;
    batch.last_offset_delta = count - 1;
    batch.producer_id = producer;
    batch.producer_epoch = epoch;
    batch.base_sequence = sequence;
    return batch;
}

class Reconcile : public ::testing::Test
{
  protected:
    /* Batches of 10 records each were sent from offset 100, sequence 50 on. */
    void Sent(int count, int16_t epoch = 2)
    {
        sent_.resize(static_cast<size_t>(count));
        for (int i = 0; i < count; i++) {
            struct kb_ready *ready = &sent_[static_cast<size_t>(i)];

            *ready = {};
            ready->count = 10;
            ready->target_offset = 100 + 10 * i;
            ready->epoch = epoch;
            ready->sequence = 50 + 10 * i;
            ready->next = i + 1 < count ? ready + 1 : nullptr;
        }
        rec_.sent = count ? sent_.data() : nullptr;
        Begin(epoch);
    }

    void Resumed(int16_t epoch = 2)
    {
        rec_.resumed = true;
        Begin(epoch);
    }

    void Begin(int16_t epoch)
    {
        rec_.producer_id = kOurs;
        rec_.epoch = epoch;
        rec_.next_offset = 100;
        rec_.next_sequence = 50;
        kb_reconcile_begin(&rec_);
    }

    int Give(const std::vector<struct kb_batch> &tail, int64_t end)
    {
        for (const struct kb_batch &batch : tail) {
            int status = kb_reconcile_batch(&rec_, &batch, &err_);

            if (status)
                return status;
        }
        return kb_reconcile_end(&rec_, end, &err_);
    }

    struct kb_reconcile rec_ = {};
    std::vector<struct kb_ready> sent_;
    struct kbp_error err_ = KB_ERR_INIT;
};

TEST_F(Reconcile, NothingLanded)
{
    Sent(3);
    EXPECT_EQ(Give({}, 100), KBP_OK);
    EXPECT_EQ(rec_.landed_records, 0u);
}

TEST_F(Reconcile, SomeLanded)
{
    Sent(3);
    EXPECT_EQ(Give({Tail(100, 10, 2, 50), Tail(110, 10, 2, 60)}, 120), KBP_OK);
    EXPECT_EQ(rec_.landed_records, 20u);
    EXPECT_EQ(rec_.landed_batches, 2u);
}

TEST_F(Reconcile, WhatWasAcknowledgedBeforeIsPassedOver)
{
    Sent(1);
    EXPECT_EQ(Give({Tail(95, 5, 2, 45), Tail(100, 10, 2, 50)}, 110), KBP_OK);
    EXPECT_EQ(rec_.landed_records, 10u);
}

TEST_F(Reconcile, AnotherProducerIsAConflict)
{
    Sent(3);
    EXPECT_EQ(Give({Tail(100, 10, 2, 50), Tail(110, 1, 0, 0, 9)}, 111),
              KBP_ERR_CONFLICT);
    EXPECT_NE(std::string(err_.message).find("110"), std::string::npos);
}

TEST_F(Reconcile, ARecordWithoutProducerIsAConflict)
{
    Sent(1);
    EXPECT_EQ(Give({Tail(100, 1, -1, -1, -1)}, 101), KBP_ERR_CONFLICT);
}

/* Without state, a broker takes k + 1 when k was lost. */
TEST_F(Reconcile, ALaterOneThatLandedFirstIsAConflict)
{
    Sent(3);
    EXPECT_EQ(Give({Tail(100, 10, 2, 60)}, 110), KBP_ERR_CONFLICT);
}

TEST_F(Reconcile, OneThatLandedTwiceIsAConflict)
{
    Sent(2);
    EXPECT_EQ(Give({Tail(100, 10, 2, 50), Tail(110, 10, 2, 50)}, 120),
              KBP_ERR_CONFLICT);
}

TEST_F(Reconcile, MoreThanWasSentIsAConflict)
{
    Sent(1);
    EXPECT_EQ(Give({Tail(100, 10, 2, 50), Tail(110, 10, 2, 60)}, 120),
              KBP_ERR_CONFLICT);
}

TEST_F(Reconcile, AnEndBelowWhatWasAcknowledgedIsAConflict)
{
    Sent(1);
    EXPECT_EQ(Give({}, 90), KBP_ERR_CONFLICT);
}

TEST_F(Reconcile, AnEndBeyondWhatWasReadIsAConflict)
{
    Sent(2);
    EXPECT_EQ(Give({Tail(100, 10, 2, 50)}, 115), KBP_ERR_CONFLICT);
}

TEST_F(Reconcile, ARunThatIsGoneIsToldBySequences)
{
    Resumed();
    EXPECT_EQ(
        Give({Tail(100, 3, 2, 50), Tail(103, 500, 2, 53), Tail(603, 1, 2, 553)},
             604),
        KBP_OK);
    EXPECT_EQ(rec_.landed_records, 504u);
}

TEST_F(Reconcile, ARunThatIsGoneMayHaveHadNewEpochs)
{
    Resumed(4);
    /* Of an epoch before the checkpoint's, then of that, from 0. */
    EXPECT_EQ(
        Give({Tail(100, 3, 2, 50), Tail(103, 5, 4, 0), Tail(108, 1, 4, 5)},
             109),
        KBP_OK);
    EXPECT_EQ(rec_.landed_records, 9u);
}

TEST_F(Reconcile, ANewerEpochThanTheCheckpointsIsAConflict)
{
    Resumed();
    EXPECT_EQ(Give({Tail(100, 3, 3, 0)}, 103), KBP_ERR_CONFLICT);
}

TEST_F(Reconcile, AGapInSequencesIsAConflict)
{
    Resumed();
    EXPECT_EQ(Give({Tail(100, 3, 2, 50), Tail(103, 3, 2, 63)}, 106),
              KBP_ERR_CONFLICT);
}

TEST_F(Reconcile, SequencesWrap)
{
    EXPECT_EQ(kb_sequence_add(INT32_MAX, 1), 0);
    EXPECT_EQ(kb_sequence_add(INT32_MAX - 2, 10), 7);
    EXPECT_EQ(kb_sequence_add(0, 5), 5);
    Resumed();
    rec_.next_sequence = INT32_MAX - 4;
    kb_reconcile_begin(&rec_);
    EXPECT_EQ(Give({Tail(100, 10, 2, INT32_MAX - 4), Tail(110, 1, 2, 5)}, 111),
              KBP_OK);
}

TEST_F(Reconcile, AMarkerIsAConflict)
{
    Resumed();
    struct kb_batch marker = Tail(100, 1, 2, 50);

    marker.attributes = KB_BATCH_CONTROL;
    EXPECT_EQ(Give({marker}, 101), KBP_ERR_CONFLICT);
}

} // namespace

/* SPDX-License-Identifier: Apache-2.0 */
/* offset_map.cc - from offsets of the source to those of the target. */
#include <gtest/gtest.h>

extern "C" {
#include "offsets/offset_map.h"
}

namespace
{

class OffsetMap : public ::testing::Test
{
  protected:
    void TearDown() override
    {
        kb_offset_map_release(&map_);
    }

    int Add(int64_t source, int64_t target, int64_t len)
    {
        // Unsigned, as tests add what doesn't fit.
        uint64_t first = 10 * static_cast<uint64_t>(source);
        uint64_t last = first + 10 * static_cast<uint64_t>(len - 1);
        struct kb_offset_run run = {source, target, len,
                                    static_cast<int64_t>(first),
                                    static_cast<int64_t>(last)};

        return kb_offset_map_add(&map_, &run, &err_);
    }

    int64_t Find(int64_t source)
    {
        int64_t target = -100;

        return kb_offset_map_find(&map_, source, &target) ? target : -1;
    }

    struct kb_offset_map map_ = {};
    struct kbp_error err_ = KB_ERR_INIT;
};

TEST_F(OffsetMap, EmptyFindsNothing)
{
    EXPECT_EQ(Find(0), -1);
    EXPECT_EQ(kb_offset_map_end(&map_, 7), 7);
}

TEST_F(OffsetMap, AdjoiningRunsAreOne)
{
    EXPECT_EQ(Add(5, 100, 10), KBP_OK);
    EXPECT_EQ(Add(15, 110, 5), KBP_OK);
    EXPECT_EQ(map_.count, 1u);
    EXPECT_EQ(map_.runs[0].last_timestamp, 190);
    /* Adjoining in the source only. */
    EXPECT_EQ(Add(20, 200, 5), KBP_OK);
    EXPECT_EQ(map_.count, 2u);
}

TEST_F(OffsetMap, FindsTheFirstRecordAtOrBehind)
{
    EXPECT_EQ(Add(5, 100, 10), KBP_OK);
    EXPECT_EQ(Add(20, 110, 1), KBP_OK);
    EXPECT_EQ(Add(30, 111, 3), KBP_OK);
    EXPECT_EQ(Find(INT64_MIN), 100);
    EXPECT_EQ(Find(0), 100);
    EXPECT_EQ(Find(5), 100);
    EXPECT_EQ(Find(14), 109);
    EXPECT_EQ(Find(15), 110);
    EXPECT_EQ(Find(20), 110);
    EXPECT_EQ(Find(21), 111);
    EXPECT_EQ(Find(32), 113);
    EXPECT_EQ(Find(33), -1);
    EXPECT_EQ(Find(INT64_MAX), -1);
    EXPECT_EQ(kb_offset_map_end(&map_, 0), 114);
}

TEST_F(OffsetMap, WhatIsNotBehindIsRefused)
{
    EXPECT_EQ(Add(5, 100, 10), KBP_OK);
    EXPECT_EQ(Add(14, 200, 1), KBP_ERR_MISUSE);
    EXPECT_EQ(Add(20, 200, 0), KBP_ERR_MISUSE);
    EXPECT_EQ(Add(INT64_MAX - 1, 200, 5), KBP_ERR_MISUSE);
    EXPECT_EQ(map_.count, 1u);
}

} // namespace

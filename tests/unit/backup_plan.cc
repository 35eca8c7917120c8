// SPDX-License-Identifier: Apache-2.0
// backup_plan.cc - which topics a backup takes.
#include <gtest/gtest.h>

#include <string>
#include <vector>

/* A function and a struct of one name are no trouble in C. */
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "backup/engine.h"
}

namespace
{

class BackupPlan : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(KBP_OK, kb_config_defaults(&config, &err)) << err.message;
    }
    void TearDown() override
    {
        config.source.topics_include = {};
        config.source.topics_exclude = {};
        config.backup.internal_topics = {};
        kb_config_release(&config);
    }
    kb_strings Strings(std::vector<std::string> *keep,
                       std::vector<char *> *items)
    {
        for (auto &s : *keep)
            items->push_back(&s[0]);
        return kb_strings{items->data(), items->size()};
    }
    void Include(std::vector<std::string> names)
    {
        include = names;
        config.source.topics_include = Strings(&include, &include_items);
    }
    void Exclude(std::vector<std::string> names)
    {
        exclude = names;
        config.source.topics_exclude = Strings(&exclude, &exclude_items);
    }
    void Internal(std::vector<std::string> names)
    {
        config.backup.include_internal_topics = true;
        internal = names;
        config.backup.internal_topics = Strings(&internal, &internal_items);
    }

    kb_config config = {};
    kbp_error err = KB_ERR_INIT;
    std::vector<std::string> include, exclude, internal;
    std::vector<char *> include_items, exclude_items, internal_items;
};

TEST_F(BackupPlan, TakesAllButInternalTopicsByDefault)
{
    EXPECT_TRUE(kb_plan_selects(&config, "orders", false));
    EXPECT_TRUE(kb_plan_selects(&config, "_schemas", false));
    EXPECT_FALSE(kb_plan_selects(&config, "anything", true));
    // Whatever the broker says of them.
    EXPECT_FALSE(kb_plan_selects(&config, "__consumer_offsets", false));
    EXPECT_FALSE(kb_plan_selects(&config, "__transaction_state", false));
    EXPECT_FALSE(kb_plan_selects(&config, "__share_group_state", false));
    EXPECT_FALSE(kb_plan_selects(&config, "__remote_log_metadata", false));
}

TEST_F(BackupPlan, TakesWhatIsIncluded)
{
    Include({"orders", "pay*"});
    EXPECT_TRUE(kb_plan_selects(&config, "orders", false));
    EXPECT_TRUE(kb_plan_selects(&config, "payments", false));
    EXPECT_FALSE(kb_plan_selects(&config, "orders2", false));
}

TEST_F(BackupPlan, ExcludingWins)
{
    Include({"*"});
    Exclude({"*.tmp"});
    EXPECT_TRUE(kb_plan_selects(&config, "orders", false));
    EXPECT_FALSE(kb_plan_selects(&config, "orders.tmp", false));
}

TEST_F(BackupPlan, InternalTopicsCanBeNarrowed)
{
    Internal({"__consumer_offsets"});
    EXPECT_TRUE(kb_plan_selects(&config, "__consumer_offsets", true));
    EXPECT_FALSE(kb_plan_selects(&config, "__transaction_state", true));
    EXPECT_TRUE(kb_plan_selects(&config, "orders", false));
    Exclude({"__*"});
    EXPECT_FALSE(kb_plan_selects(&config, "__consumer_offsets", true));
}

} // namespace

/* SPDX-License-Identifier: Apache-2.0 */
/* restore_plan.cc - what is restored, and to where. */
#include <gtest/gtest.h>

#include <string>
#include <vector>

#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "config/config.h"
#include "restore/plan.h"
}

namespace
{

/* A manifest of topics a (2 partitions), b (1), and brokers' own. */
class Plan : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(kb_config_defaults(&config_, &err_), KBP_OK) << err_.message;
        Partition(a0_, 0, 10, 110, 1000, 2000);
        Partition(a1_, 1, 0, 50, 5000, 6000);
        Partition(b0_, 0, 0, 7, 1, 2);
        Partition(c0_, 0, 0, 7, 1, 2);
        a_[0] = a0_;
        a_[1] = a1_;
        Generation(generations_[0], "__consumer_offsets", &c0_, 1);
        Generation(generations_[1], "a", a_, 2);
        Generation(generations_[2], "b", &b0_, 1);
        manifest_.backup_id = const_cast<char *>("test");
        manifest_.generations = generations_;
        manifest_.generation_count = 3;
    }

    void TearDown() override
    {
        kb_plan_release(&plan_);
        for (struct kb_partition_log *log : logs_)
            delete[] log->extents;
        kb_config_release(&config_);
    }

    void Partition(struct kb_partition_log &log, int32_t number, int64_t start,
                   int64_t end, int64_t first_time, int64_t last_time)
    {
        log = {};
        log.partition = number;
        log.extents = new struct kb_extent[1]();
        log.extent_count = 1;
        log.extents[0].start = start;
        log.extents[0].end = end;
        log.extents[0].sums.records = static_cast<uint64_t>(end - start);
        log.extents[0].sums.batches = 1;
        log.extents[0].sums.min_known = true;
        log.extents[0].sums.min_timestamp = first_time;
        log.extents[0].sums.max_timestamp = last_time;
        logs_.push_back(&log);
    }

    void Generation(struct kb_generation &generation, const char *topic,
                    struct kb_partition_log *partitions, size_t count)
    {
        generation = {};
        generation.topic = const_cast<char *>(topic);
        generation.number = 1;
        generation.id.bytes[0] = static_cast<uint8_t>(topic[0]);
        generation.desc.partition_count = static_cast<int32_t>(count);
        generation.desc.replication_factor = 3;
        generation.partitions = partitions;
        generation.partition_count = count;
    }

    /* The defaults, with more of the YAML of a restore. */
    void Configure(const std::string &target, const std::string &restore)
    {
        std::string text = "mode: restore\nbackup_id: test\n"
                           "target:\n  bootstrap_servers: [\"x:1\"]\n" +
                           target +
                           "storage: {backend: memory}\nrestore:\n"
                           "  create_topics: true\n" +
                           restore;
        struct kb_notes notes = {};

        kb_config_release(&config_);
        ASSERT_EQ(kb_config_parse(text.c_str(), text.size(), "test", &config_,
                                  &notes, &err_),
                  KBP_OK)
            << (notes.count ? notes.items[0].text : err_.message);
        kb_notes_release(&notes);
    }

    int Make()
    {
        kb_plan_release(&plan_);
        return kb_plan_make(&plan_, &config_, &manifest_, &err_);
    }

    struct kb_config config_ = {};
    struct kb_manifest manifest_ = {};
    struct kb_generation generations_[3];
    struct kb_partition_log a_[2], a0_, a1_, b0_, c0_;
    std::vector<struct kb_partition_log *> logs_;
    struct kb_plan plan_ = {};
    struct kbp_error err_ = KB_ERR_INIT;
};

TEST_F(Plan, AllTopicsButTheBrokersOwn)
{
    Configure("", "");
    ASSERT_EQ(Make(), KBP_OK) << err_.message;
    ASSERT_EQ(plan_.topic_count, 2u);
    EXPECT_STREQ(plan_.topics[0].name, "a");
    EXPECT_EQ(plan_.topics[0].partitions, 2);
    EXPECT_EQ(plan_.topics[0].replication_factor, 3);
    ASSERT_EQ(plan_.source_count, 3u);
    EXPECT_EQ(plan_.sources[0].start, 10);
    EXPECT_EQ(plan_.sources[0].end, 110);
}

TEST_F(Plan, PatternsAreGlobsAndRegexes)
{
    bool chosen;
    char *globs[] = {const_cast<char *>("ord*"), const_cast<char *>("~^p.y$")};
    char *none[] = {const_cast<char *>("*-old")};
    struct kb_strings include = {globs, 2};
    struct kb_strings exclude = {none, 1};

    auto is = [&](const char *topic) {
        EXPECT_EQ(
            kb_plan_topic_chosen(&include, &exclude, topic, &chosen, &err_),
            KBP_OK);
        return chosen;
    };
    EXPECT_TRUE(is("orders"));
    EXPECT_FALSE(is("orders-old"));
    EXPECT_TRUE(is("pay"));
    EXPECT_FALSE(is("pays"));
    EXPECT_FALSE(is("xord"));
    globs[0] = const_cast<char *>("~(");
    EXPECT_EQ(kb_plan_topic_chosen(&include, &exclude, "x", &chosen, &err_),
              KBP_ERR_CONFIG);
}

TEST_F(Plan, NamesThatAreNotThereAreRefused)
{
    Configure("  topics: {include: [orders]}\n", "");
    EXPECT_EQ(Make(), KBP_ERR_CONFIG);
    EXPECT_NE(std::string(err_.message).find("orders"), std::string::npos);
    Configure("", "  topic_mapping: {nobody: x}\n");
    EXPECT_EQ(Make(), KBP_ERR_CONFIG);
    Configure("  topics: {include: [\"z*\"]}\n", "");
    EXPECT_EQ(Make(), KBP_ERR_CONFIG);
    Configure("", "  source_partitions: [1, 7]\n");
    EXPECT_EQ(Make(), KBP_ERR_CONFIG);
    EXPECT_NE(std::string(err_.message).find("partition 7"), std::string::npos)
        << err_.message;
}

TEST_F(Plan, MappingsMergeInAFixedOrder)
{
    Configure("", "  topic_mapping: {a: all, b: all}\n"
                  "  partition_mapping: {1: 5}\n");
    ASSERT_EQ(Make(), KBP_OK) << err_.message;
    ASSERT_EQ(plan_.topic_count, 1u);
    EXPECT_EQ(plan_.topics[0].partitions, 6);
    ASSERT_EQ(plan_.source_count, 3u);
    EXPECT_STREQ(plan_.sources[0].generation->topic, "a");
    EXPECT_EQ(plan_.sources[0].target, 0);
    EXPECT_STREQ(plan_.sources[1].generation->topic, "b");
    EXPECT_EQ(plan_.sources[1].target, 0);
    EXPECT_EQ(plan_.sources[2].target, 5);
}

TEST_F(Plan, NothingGoesToTheBrokersOwnTopics)
{
    /* The config refuses it by name; by way of a struct the plan does. */
    struct kb_pair pair = {const_cast<char *>("a"),
                           const_cast<char *>("__consumer_offsets"), 1};

    Configure("", "");
    config_.restore.topic_mapping = {&pair, 1};
    EXPECT_EQ(Make(), KBP_ERR_CONFIG);
    config_.restore.topic_mapping = {};
    EXPECT_TRUE(kb_topic_is_brokers("__transaction_state"));
    EXPECT_FALSE(kb_topic_is_brokers("__mine"));
}

TEST_F(Plan, OnlyChosenPartitions)
{
    Configure("", "  source_partitions: [1]\n");
    ASSERT_EQ(Make(), KBP_OK) << err_.message;
    ASSERT_EQ(plan_.source_count, 1u);
    EXPECT_EQ(plan_.sources[0].log->partition, 1);
    /* The topic keeps its partition count. */
    EXPECT_EQ(plan_.topics[0].partitions, 2);
}

TEST_F(Plan, AWindowCountsWhatCanBeInIt)
{
    Configure("", "  time_window_start: 1500\n  time_window_end: 3000\n");
    ASSERT_EQ(Make(), KBP_OK) << err_.message;
    EXPECT_EQ(plan_.sources[0].sums.records, 100u);
    EXPECT_EQ(plan_.sources[1].sums.records, 0u);
    EXPECT_TRUE(plan_.select.window);
    EXPECT_EQ(plan_.select.window_start, 1500);
}

TEST_F(Plan, TheHashIsOfWhatGoesWhere)
{
    Configure("", "");
    ASSERT_EQ(Make(), KBP_OK);
    std::string plain = plan_.options_hash;
    Configure("", "  rate_limit_bytes_per_sec: 5MB\n  skip_damaged: true\n");
    ASSERT_EQ(Make(), KBP_OK);
    EXPECT_EQ(plan_.options_hash, plain);
    Configure("", "  topic_mapping: {a: x}\n");
    ASSERT_EQ(Make(), KBP_OK);
    EXPECT_NE(plan_.options_hash, plain);
}

} // namespace

/* SPDX-License-Identifier: Apache-2.0 */
/* kafka_wire.cc - requests and answers as bytes, ids and error codes. */
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "fake_broker.h"

extern "C" {
#include "kafka/admin_wire.h"
#include "kafka/error.h"
#include "kafka/fetch.h"
#include "kafka/list_offsets.h"
#include "kafka/metadata_wire.h"
#include "kafka/produce.h"
#include "kafka/wire.h"
}

namespace
{

kb_answer AnswerOf(kb_api api, int version, const std::string &body)
{
    kb_answer answer{};

    answer.body = (const uint8_t *)body.data();
    answer.body_len = body.size();
    answer.api = api;
    answer.version = (int16_t)version;
    return answer;
}

const kb_uuid kId = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

std::string IdBytes()
{
    return std::string((const char *)kId.bytes, 16);
}

TEST(Uuid, TextIsKafkas)
{
    char text[KB_UUID_TEXT];
    kb_uuid id;

    ASSERT_TRUE(kb_uuid_parse("CitOzzaWQCmekIp5OyG5vQ", &id));
    EXPECT_EQ(0x0a, id.bytes[0]);
    EXPECT_EQ(0xbd, id.bytes[15]);
    EXPECT_STREQ("CitOzzaWQCmekIp5OyG5vQ", kb_uuid_text(text, &id));
    memset(&id, 0, sizeof id);
    EXPECT_TRUE(kb_uuid_is_none(&id));
    EXPECT_STREQ("AAAAAAAAAAAAAAAAAAAAAA", kb_uuid_text(text, &id));
}

TEST(Uuid, WhatIsNoneIsRefused)
{
    kb_uuid id = kId;

    EXPECT_FALSE(kb_uuid_parse("", &id));
    EXPECT_FALSE(kb_uuid_parse("CitOzzaWQCmekIp5OyG5v", &id));
    EXPECT_FALSE(kb_uuid_parse("CitOzzaWQCmekIp5OyG5vQQ", &id));
    EXPECT_FALSE(kb_uuid_parse("CitOzzaWQCmekIp5OyG5v+", &id));
    EXPECT_FALSE(kb_uuid_parse("CitOzzaWQCmekIp5OyG5vR", &id));
    EXPECT_TRUE(kb_uuid_equal(&kId, &id));
}

TEST(Uuid, MadeOnesDiffer)
{
    kbp_error err = KB_ERR_INIT;
    kb_uuid a;
    kb_uuid b;

    ASSERT_EQ(KBP_OK, kb_uuid_make(&a, &err));
    ASSERT_EQ(KBP_OK, kb_uuid_make(&b, &err));
    EXPECT_FALSE(kb_uuid_equal(&a, &b));
    EXPECT_EQ(0x40, a.bytes[6] & 0xf0);
    EXPECT_EQ(0x80, a.bytes[8] & 0xc0);
}

TEST(KafkaError, CodesHaveNamesAndMeanings)
{
    EXPECT_STREQ("NOT_LEADER_OR_FOLLOWER", kb_kafka_error_name(6));
    EXPECT_STREQ("error 999", kb_kafka_error_name(999));
    EXPECT_TRUE(kb_kafka_error_is_leadership(6));
    EXPECT_TRUE(kb_kafka_error_is_retriable(14));
    EXPECT_FALSE(kb_kafka_error_is_leadership(14));
    /* After our own CRC check, "corrupt" is a refusal: R7. */
    EXPECT_FALSE(kb_kafka_error_is_retriable(2));
    EXPECT_FALSE(kb_kafka_error_is_retriable(1));
    EXPECT_FALSE(kb_kafka_error_is_retriable(87));
    EXPECT_EQ(KBP_ERR_DENIED, kb_kafka_error_status(29));
    EXPECT_EQ(KBP_OK, kb_kafka_error_status(0));
    EXPECT_EQ(KBP_ERR_PROTOCOL, kb_kafka_error_status(999));
}

TEST(WireTypes, CountsThatCantBeAreBad)
{
    std::string bytes = Wire().I32(1000000).I32(0).bytes;
    kb_cursor c = kb_cursor_of(bytes.data(), bytes.size());

    EXPECT_EQ(0u, kb_get_count(&c, false, 1));
    EXPECT_TRUE(c.bad);
    bytes = Wire().I32(-2).bytes;
    c = kb_cursor_of(bytes.data(), bytes.size());
    EXPECT_EQ(0u, kb_get_count(&c, false, 1));
    EXPECT_TRUE(c.bad);
    bytes = Wire().I32(-1).bytes;
    c = kb_cursor_of(bytes.data(), bytes.size());
    EXPECT_EQ(0u, kb_get_count(&c, false, 1));
    EXPECT_FALSE(c.bad);
}

TEST(WireTypes, TextsKeepNullAndEmptyApart)
{
    std::string bytes =
        Wire().NullStr().Str("").Str("ab").Uvarint(0).CompactStr("cd").bytes;
    kb_cursor c = kb_cursor_of(bytes.data(), bytes.size());
    char small[2];

    EXPECT_EQ(nullptr, kb_get_str(&c, false).text);
    EXPECT_NE(nullptr, kb_get_str(&c, false).text);
    EXPECT_TRUE(kb_wire_str_is(kb_get_str(&c, false), "ab"));
    EXPECT_EQ(nullptr, kb_get_str(&c, true).text);
    EXPECT_STREQ("c", kb_wire_str_copy(kb_get_str(&c, true), small, 2));
    EXPECT_FALSE(c.bad);
    EXPECT_EQ(0u, kb_cursor_left(&c));
}

/* What fetch decoding told. */
struct Fetched {
    std::vector<kb_fetched> all;
    std::vector<std::vector<kb_aborted>> aborted;
};

int TakeFetched(void *data, const kb_fetched *f, kbp_error *)
{
    auto *to = (Fetched *)data;
    std::vector<kb_aborted> aborted;

    for (size_t i = 0; i < f->aborted_count; i++)
        aborted.push_back(kb_fetched_aborted(f, i));
    to->all.push_back(*f);
    to->aborted.push_back(aborted);
    return KBP_OK;
}

class FetchWire : public ::testing::Test
{
  protected:
    FetchWire()
    {
        for (int i = 0; i < 3; i++) {
            partitions_[i].id.topic = i < 2 ? "a" : "b";
            partitions_[i].id.topic_id = kId;
            if (i == 2)
                partitions_[i].id.topic_id.bytes[0] = 99;
            partitions_[i].id.partition = i;
            partitions_[i].leader_epoch = 5;
            partitions_[i].offset = 1000 + i;
            partitions_[i].max_bytes = 77;
        }
        request_.max_wait_ms = 1;
        request_.min_bytes = 2;
        request_.max_bytes = 3;
        request_.isolation = KB_READ_COMMITTED;
        request_.client_rack = "rack";
        request_.partitions = partitions_;
        request_.count = 3;
    }

    int Decode(int version, const std::string &body)
    {
        kb_answer answer = AnswerOf(KB_API_FETCH, version, body);

        return kb_fetch_decode(&answer, &request_, &throttle_ms_, &error_,
                               TakeFetched, &got_, &err_);
    }

    std::string Encode(int version)
    {
        kb_buf body = KB_BUF_INIT;

        EXPECT_EQ(KBP_OK,
                  kb_fetch_encode(&body, (int16_t)version, &request_, &err_));
        std::string bytes((const char *)body.data, body.len);
        kb_buf_release(&body);
        return bytes;
    }

    kb_fetch_partition partitions_[3] = {};
    kb_fetch_request request_ = {};
    Fetched got_;
    int32_t throttle_ms_ = -1;
    int16_t error_ = -1;
    kbp_error err_ = KB_ERR_INIT;
};

TEST_F(FetchWire, OldRequestsAreAsTheSpecificationSays)
{
    Wire w;

    w.I32(-1).I32(1).I32(2).I32(3).I8(1).I32(2);
    w.Str("a").I32(2);
    w.I32(0).I64(1000).I32(77).I32(1).I64(1001).I32(77);
    w.Str("b").I32(1).I32(2).I64(1002).I32(77);
    EXPECT_EQ(w.bytes, Encode(4));
}

TEST_F(FetchWire, NewRequestsAreAsTheSpecificationSays)
{
    Wire w;
    std::string other = IdBytes();

    other[0] = 99;
    w.I32(1).I32(2).I32(3).I8(1).I32(0).I32(-1).Uvarint(3);
    w.Raw(IdBytes()).Uvarint(3);
    for (int i = 0; i < 2; i++)
        w.I32(i).I32(5).I64(1000 + i).I32(-1).I64(-1).I32(77).Tags();
    w.Tags().Raw(other).Uvarint(2);
    w.I32(2).I32(5).I64(1002).I32(-1).I64(-1).I32(77).Tags().Tags();
    w.Uvarint(1).CompactStr("rack").Tags();
    EXPECT_EQ(w.bytes, Encode(17));
}

TEST_F(FetchWire, AThrottledAnswerHasNoTopics)
{
    ASSERT_EQ(KBP_OK, Decode(11, Wire().I32(9998).I16(0).I32(0).I32(0).bytes));
    EXPECT_EQ(9998, throttle_ms_);
    EXPECT_EQ(0, error_);
    EXPECT_TRUE(got_.all.empty());
}

TEST_F(FetchWire, AWholeAnswersErrorIsTold)
{
    ASSERT_EQ(KBP_OK, Decode(11, Wire().I32(0).I16(70).I32(0).I32(0).bytes));
    EXPECT_EQ(70, error_);
}

TEST_F(FetchWire, PartitionsAreFoundInAnyOrder)
{
    Wire w;

    w.I32(0).I16(0).I32(0).I32(2);
    w.Str("b").I32(1);
    w.I32(2).I16(1).I64(-1).I64(-1).I64(-1).I32(-1).I32(-1).I32(-1);
    w.Str("a").I32(1);
    w.I32(1).I16(0).I64(50).I64(40).I64(7).I32(1).I64(8).I64(9).I32(3);
    w.I32(4).Raw("data");
    ASSERT_EQ(KBP_OK, Decode(11, w.bytes)) << err_.message;
    ASSERT_EQ(2u, got_.all.size());
    EXPECT_EQ(&partitions_[2], got_.all[0].partition);
    EXPECT_EQ(1, got_.all[0].error);
    EXPECT_EQ(0u, got_.all[0].records_len);
    EXPECT_EQ(&partitions_[1], got_.all[1].partition);
    EXPECT_EQ(50, got_.all[1].high_watermark);
    EXPECT_EQ(40, got_.all[1].last_stable_offset);
    EXPECT_EQ(7, got_.all[1].log_start);
    EXPECT_EQ(3, got_.all[1].preferred_replica);
    EXPECT_EQ(4u, got_.all[1].records_len);
    ASSERT_EQ(1u, got_.aborted[1].size());
    EXPECT_EQ(8, got_.aborted[1][0].producer_id);
    EXPECT_EQ(9, got_.aborted[1][0].first_offset);
}

TEST_F(FetchWire, TagsThatAreNotKnownAreSkipped)
{
    std::string tag = Wire().I8(1).I8(9).I8(2).Raw("??").bytes;
    Wire w;

    w.I32(0).I16(0).I32(0).Uvarint(2);
    w.Raw(IdBytes()).Uvarint(2);
    w.I32(1).I16(0).I64(50).I64(40).I64(7).Uvarint(4);
    w.I64(1).I64(2).Tags();
    w.I64(3).I64(4).Raw(tag);
    w.I64(5).I64(6).Tags();
    w.I32(-1).Uvarint(5).Raw("data").Raw(tag).Raw(tag).Raw(tag);
    ASSERT_EQ(KBP_OK, Decode(17, w.bytes)) << err_.message;
    ASSERT_EQ(1u, got_.all.size());
    EXPECT_EQ(&partitions_[1], got_.all[0].partition);
    EXPECT_EQ(4u, got_.all[0].records_len);
    ASSERT_EQ(3u, got_.aborted[0].size());
    EXPECT_EQ(3, got_.aborted[0][1].producer_id);
    EXPECT_EQ(6, got_.aborted[0][2].first_offset);
}

TEST_F(FetchWire, WhatWasNotAskedForIsRefused)
{
    Wire w;

    w.I32(0).I16(0).I32(0).I32(1).Str("c").I32(1);
    w.I32(2).I16(0).I64(1).I64(1).I64(0).I32(-1).I32(-1).I32(-1);
    EXPECT_EQ(KBP_ERR_PROTOCOL, Decode(11, w.bytes));
    EXPECT_NE(nullptr, strstr(err_.message, "wasn't asked for"));
}

TEST_F(FetchWire, EveryCutAnswerIsRefused)
{
    Wire w;

    w.I32(0).I16(0).I32(0).Uvarint(2);
    w.Raw(IdBytes()).Uvarint(2);
    w.I32(1).I16(0).I64(50).I64(40).I64(7).Uvarint(2).I64(1).I64(2).Tags();
    w.I32(-1).Uvarint(5).Raw("data").Tags().Tags().Tags();
    for (size_t len = 0; len < w.bytes.size(); len++)
        EXPECT_EQ(KBP_ERR_PROTOCOL, Decode(17, w.bytes.substr(0, len))) << len;
    EXPECT_EQ(KBP_OK, Decode(17, w.bytes));
}

/* What produce decoding told. */
int TakeProduced(void *data, const kb_produced *p, kbp_error *)
{
    ((std::vector<kb_produced> *)data)->push_back(*p);
    return KBP_OK;
}

class ProduceWire : public ::testing::Test
{
  protected:
    ProduceWire()
    {
        for (int i = 0; i < 2; i++) {
            partitions_[i].id.topic = "t";
            partitions_[i].id.topic_id = kId;
            partitions_[i].id.partition = i;
            partitions_[i].batch = (const uint8_t *)(i ? "second" : "first");
            partitions_[i].batch_len = i ? 6 : 5;
        }
        request_.acks = -1;
        request_.timeout_ms = 30000;
        request_.partitions = partitions_;
        request_.count = 2;
    }

    std::string Encode(int version)
    {
        kb_buf body = KB_BUF_INIT;
        iovec *parts = nullptr;
        int count = 0;
        std::string bytes;

        EXPECT_EQ(KBP_OK, kb_produce_encode(&body, (int16_t)version, &request_,
                                            &parts, &count, &err_));
        for (int i = 0; i < count; i++)
            bytes.append((const char *)parts[i].iov_base, parts[i].iov_len);
        free(parts);
        kb_buf_release(&body);
        return bytes;
    }

    int Decode(int version, const std::string &body)
    {
        kb_answer answer = AnswerOf(KB_API_PRODUCE, version, body);

        return kb_produce_decode(&answer, &request_, &throttle_ms_,
                                 TakeProduced, &got_, &err_);
    }

    kb_produce_partition partitions_[2] = {};
    kb_produce_request request_ = {};
    std::vector<kb_produced> got_;
    int32_t throttle_ms_ = -1;
    kbp_error err_ = KB_ERR_INIT;
};

TEST_F(ProduceWire, RequestsAreAsTheSpecificationSays)
{
    Wire old_one;
    Wire new_one;

    old_one.NullStr().I16(-1).I32(30000).I32(1).Str("t").I32(2);
    old_one.I32(0).I32(5).Raw("first").I32(1).I32(6).Raw("second");
    EXPECT_EQ(old_one.bytes, Encode(3));
    new_one.Uvarint(0).I16(-1).I32(30000).Uvarint(2).Raw(IdBytes()).Uvarint(3);
    new_one.I32(0).Uvarint(6).Raw("first").Tags();
    new_one.I32(1).Uvarint(7).Raw("second").Tags().Tags().Tags();
    EXPECT_EQ(new_one.bytes, Encode(13));
}

TEST_F(ProduceWire, ARefusedRecordIsNamed)
{
    Wire w;

    w.Uvarint(2).CompactStr("t").Uvarint(3);
    w.I32(0).I16(0).I64(700).I64(-1).I64(5).Uvarint(1).Uvarint(0).Tags();
    w.I32(1).I16(87).I64(-1).I64(-1).I64(5);
    w.Uvarint(3).I32(4).CompactStr("no key").Tags().I32(6).Uvarint(0).Tags();
    w.CompactStr("all of it").Tags().Tags().I32(123).Tags();
    ASSERT_EQ(KBP_OK, Decode(9, w.bytes)) << err_.message;
    ASSERT_EQ(2u, got_.size());
    EXPECT_EQ(123, throttle_ms_);
    EXPECT_EQ(700, got_[0].base_offset);
    EXPECT_EQ(-1, got_[0].bad_record);
    EXPECT_EQ(87, got_[1].error);
    EXPECT_EQ(4, got_[1].bad_record);
    EXPECT_STREQ("no key", got_[1].message);
    EXPECT_EQ(&partitions_[1], got_[1].partition);
}

TEST_F(ProduceWire, NothingIsToldOfACutAnswer)
{
    Wire w;

    w.I32(1).Str("t").I32(1).I32(0).I16(0).I64(700).I64(-1).I64(5).I32(0);
    for (size_t len = 0; len < w.bytes.size(); len++) {
        EXPECT_EQ(KBP_ERR_PROTOCOL, Decode(7, w.bytes.substr(0, len))) << len;
        EXPECT_TRUE(got_.empty());
    }
    EXPECT_EQ(KBP_OK, Decode(7, w.bytes));
    EXPECT_EQ(1u, got_.size());
}

TEST(ListOffsetsWire, QueriesWithoutAnAnswerHaveAnError)
{
    kb_offset_query queries[2] = {};
    kb_offset_ask asks[2] = {{&queries[0], 1, 7}, {&queries[1], 1, 7}};
    std::string body = Wire()
                           .I32(0)
                           .I32(1)
                           .Str("t")
                           .I32(1)
                           .I32(1)
                           .I16(0)
                           .I64(5)
                           .I64(6)
                           .I32(3)
                           .bytes;
    kb_answer answer = AnswerOf(KB_API_LIST_OFFSETS, 5, body);
    kbp_error err = KB_ERR_INIT;
    int32_t throttle_ms;

    for (int i = 0; i < 2; i++) {
        queries[i].topic = "t";
        queries[i].partition = i;
        queries[i].offset = -1;
    }
    ASSERT_EQ(KBP_OK,
              kb_list_offsets_decode(&answer, asks, 2, &throttle_ms, &err));
    EXPECT_EQ(13, queries[0].error);
    EXPECT_EQ(-1, queries[0].offset);
    EXPECT_EQ(0, queries[1].error);
    EXPECT_EQ(6, queries[1].offset);
    EXPECT_EQ(5, queries[1].at_timestamp);
    EXPECT_EQ(3, queries[1].leader_epoch);
}

TEST(MetadataWire, TopicsAndPartitionsAreSorted)
{
    kb_metadata *m = nullptr;
    kbp_error err = KB_ERR_INIT;
    int32_t throttle_ms;
    Wire w;

    w.I32(0).I32(1).I32(4).Str("host").I32(9092).NullStr();
    w.Str("cluster").I32(4).I32(2);
    w.I16(0).Str("b").I8(0).I32(2);
    for (int id : {1, 0})
        w.I16(0).I32(id).I32(4).I32(2).I32(1).I32(4).I32(1).I32(4).I32(0);
    w.I16(3).Str("a").I8(1).I32(0);
    kb_answer answer = AnswerOf(KB_API_METADATA, 7, w.bytes);
    ASSERT_EQ(KBP_OK, kb_metadata_decode(&answer, &m, &throttle_ms, &err))
        << err.message;
    EXPECT_STREQ("cluster", m->cluster_id);
    EXPECT_STREQ("host", kb_metadata_broker(m, 4)->host);
    EXPECT_EQ(nullptr, kb_metadata_broker(m, 5));
    EXPECT_STREQ("a", m->topics[0].name);
    EXPECT_EQ(3, m->topics[0].error);
    EXPECT_TRUE(m->topics[0].internal);
    const kb_meta_topic *b = kb_metadata_topic(m, "b");
    ASSERT_NE(nullptr, b);
    EXPECT_TRUE(kb_uuid_is_none(&b->id));
    EXPECT_EQ(0, b->partitions[0].id);
    EXPECT_EQ(2, kb_meta_topic_partition(b, 1)->leader_epoch);
    EXPECT_EQ(nullptr, kb_meta_topic_partition(b, 2));
    EXPECT_EQ(nullptr, kb_metadata_topic(m, "c"));
    EXPECT_EQ(nullptr, kb_meta_topic_partition(&m->topics[0], 0));
    kb_metadata_free(m);
}

TEST(MetadataWire, AskingNeverCreates)
{
    const char *name = "t";
    kbp_error err = KB_ERR_INIT;
    kb_buf body = KB_BUF_INIT;

    ASSERT_EQ(KBP_OK, kb_metadata_encode(&body, 4, &name, 1, &err));
    EXPECT_EQ(Wire().I32(1).Str("t").I8(0).bytes,
              std::string((const char *)body.data, body.len));
    kb_buf_reset(&body);
    ASSERT_EQ(KBP_OK, kb_metadata_encode(&body, 12, nullptr, 0, &err));
    EXPECT_EQ(Wire().Uvarint(0).I8(0).I8(0).Tags().bytes,
              std::string((const char *)body.data, body.len));
    kb_buf_release(&body);
}

TEST(AdminWire, OwnConfigsKnowWhatTheyInherit)
{
    kb_own_configs own = {nullptr, 0};
    char message[64] = "";
    int32_t throttle_ms;
    int16_t error;
    Wire w;

    w.I32(0).I32(1).I16(0).NullStr().I8(2).Str("t").I32(2);
    w.Str("retention.ms").Str("5").I8(0).I8(1).I8(0).I32(2);
    w.Str("retention.ms").Str("5").I8(1);
    w.Str("log.retention.ms").Str("77").I8(4);
    w.Str("segment.ms").Str("9").I8(0).I8(5).I8(0).I32(0);
    kb_answer answer = AnswerOf(KB_API_DESCRIBE_CONFIGS, 1, w.bytes);
    ASSERT_EQ(KBP_OK,
              kb_describe_configs_decode(&answer, &throttle_ms, &error, message,
                                         sizeof message, &own));
    ASSERT_EQ(1u, own.count);
    EXPECT_STREQ("retention.ms", own.items[0].key);
    EXPECT_STREQ("5", own.items[0].value);
    EXPECT_STREQ("77", own.items[0].inherited);
    kb_own_configs_release(&own);
}

TEST(AdminWire, GroupsHaveMembersOrNot)
{
    kb_group_list list = {nullptr, 0};
    int32_t throttle_ms;
    int16_t error;
    Wire w;

    w.I32(70).I16(0).Uvarint(4);
    w.CompactStr("a").CompactStr("consumer").CompactStr("Stable").Tags();
    w.CompactStr("b").CompactStr("").CompactStr("Empty").Tags();
    w.CompactStr("c")
        .CompactStr("consumer")
        .CompactStr("Reconciling")
        .Tags()
        .Tags();
    for (size_t len = 0; len < w.bytes.size(); len++) {
        std::string cut = w.bytes.substr(0, len);
        kb_answer answer = AnswerOf(KB_API_LIST_GROUPS, 4, cut);
        EXPECT_EQ(KBP_ERR_PROTOCOL,
                  kb_list_groups_decode(&answer, &throttle_ms, &error, &list))
            << len;
        EXPECT_EQ(0u, list.count);
    }
    kb_answer answer = AnswerOf(KB_API_LIST_GROUPS, 4, w.bytes);
    ASSERT_EQ(KBP_OK,
              kb_list_groups_decode(&answer, &throttle_ms, &error, &list));
    EXPECT_EQ(70, throttle_ms);
    ASSERT_EQ(3u, list.count);
    EXPECT_STREQ("a", list.items[0].name);
    EXPECT_TRUE(list.items[0].live);
    EXPECT_FALSE(list.items[1].live);
    EXPECT_TRUE(list.items[2].live);
    kb_groups_list_release(&list);
    // Brokers before 2.6 don't say.
    std::string old = Wire().I16(0).I32(1).Str("d").Str("consumer").bytes;
    answer = AnswerOf(KB_API_LIST_GROUPS, 0, old);
    ASSERT_EQ(KBP_OK,
              kb_list_groups_decode(&answer, &throttle_ms, &error, &list));
    ASSERT_EQ(1u, list.count);
    EXPECT_STREQ("d", list.items[0].name);
    EXPECT_FALSE(list.items[0].live);
    kb_groups_list_release(&list);
}

} // namespace

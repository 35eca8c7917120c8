/* SPDX-License-Identifier: Apache-2.0 */
/* kafka_acl.cc - the line that grants what a broker refused. */
#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "base/err.h"
#include "kafka/acl.h"
#include "kafka/error.h"
}

namespace
{

std::string Text(enum kb_acl_kind kind, const char *name, const char *operation)
{
    char text[KB_ACL_TEXT];

    kb_acl_text(text, sizeof text, kind, name, operation);
    return text;
}

const std::string kAdd = "kafka-acls --bootstrap-server HOST:PORT --add "
                         "--allow-principal User:NAME --operation ";

TEST(Acl, NamesResourceOperationAndCommand)
{
    EXPECT_EQ(Text(KB_ACL_TOPIC, "orders", "Read"),
              "the user needs Read on topic orders: " + kAdd +
                  "Read --topic orders");
    EXPECT_EQ(Text(KB_ACL_GROUP, "billing", "Describe"),
              "the user needs Describe on group billing: " + kAdd +
                  "Describe --group billing");
    EXPECT_EQ(Text(KB_ACL_CLUSTER, nullptr, "IdempotentWrite"),
              "the user needs IdempotentWrite on the cluster: " + kAdd +
                  "IdempotentWrite --cluster");
}

TEST(Acl, WhatAShellWouldTakeApartIsQuoted)
{
    EXPECT_NE(
        Text(KB_ACL_GROUP, "a b;reboot", "Read").find("--group 'a b;reboot'"),
        std::string::npos);
    EXPECT_NE(Text(KB_ACL_GROUP, "it's", "Read").find("--group 'it'\\''s'"),
              std::string::npos);
    EXPECT_NE(Text(KB_ACL_GROUP, "*", "Read").find("--group '*'"),
              std::string::npos);
    EXPECT_NE(Text(KB_ACL_GROUP, "", "Read").find("--group ''"),
              std::string::npos);
}

TEST(Acl, TheLongestTopicFits)
{
    const std::string name(249, 't');

    EXPECT_EQ(Text(KB_ACL_TOPIC, name.c_str(), "DescribeConfigs"),
              "the user needs DescribeConfigs on the topic: " + kAdd +
                  "DescribeConfigs --topic " + name);
}

TEST(Acl, ALongerGroupIsCut)
{
    const std::string name(5000, '\'');

    EXPECT_LT(Text(KB_ACL_GROUP, name.c_str(), "Read").size(),
              static_cast<size_t>(KB_ACL_TEXT));
}

TEST(Acl, OnlyForThoseErrors)
{
    struct kbp_error err = KB_ERR_INIT;
    char text[KB_ACL_TEXT];

    kb_acl_hint(&err, KB_KAFKA_NOT_CONTROLLER, KB_ACL_TOPIC, "t", "Read");
    EXPECT_STREQ(err.hint, "");
    EXPECT_STREQ(kb_acl_advice(text, KB_KAFKA_NONE, KB_ACL_TOPIC, "t", "Read"),
                 "");
    for (int code : {29, 30, 31, 53}) {
        kb_err_clear(&err);
        kb_acl_hint(&err, static_cast<int16_t>(code), KB_ACL_TOPIC, "t",
                    "Read");
        EXPECT_EQ(err.hint, Text(KB_ACL_TOPIC, "t", "Read"));
        EXPECT_EQ(kb_acl_advice(text, static_cast<int16_t>(code), KB_ACL_TOPIC,
                                "t", "Read"),
                  "; " + Text(KB_ACL_TOPIC, "t", "Read"));
    }
}

} // namespace

// SPDX-License-Identifier: Apache-2.0
// The properties that kafka_backup_sasl.so takes over: names that are
// misspelt, those of a vendor's plugin, and what counts as not given.
#include <gtest/gtest.h>

#include <map>
#include <string>

extern "C" {
#include "rdkafka/properties.h"
}

class RdkafkaProperties : public ::testing::Test
{
  protected:
    ~RdkafkaProperties() override
    {
        kb_properties_release(&properties);
        kb_registry_release(&registry);
    }

    std::string Refusal(const char *name, const char *value = "x")
    {
        kb_err_clear(&err);
        return kb_property_check(name, value, &err) == KBP_OK ? ""
                                                              : err.message;
    }

    void Set(const char *name, const char *value)
    {
        ASSERT_EQ(KBP_OK, kb_properties_set(&properties, name, value, &err));
    }

    const kb_type *Mechanism(const char *name)
    {
        static const char *const dirs[] = {KB_TEST_PLUGIN_DIR};
        const kb_type *type = nullptr;

        EXPECT_EQ(KBP_OK, kb_registry_init(&registry, dirs, 1, &err));
        EXPECT_EQ(KBP_OK,
                  kb_registry_find(&registry, KB_KIND_SASL, name, &type, &err))
            << err.message;
        return type;
    }

    // What the mechanism's plugin is opened with; or the error.
    std::map<std::string, std::string>
    Values(const kb_type *type, const char *user, const char *password)
    {
        kb_sasl_values values = {};
        std::map<std::string, std::string> got;

        if (kb_properties_sasl(&properties, type, user, password, &values,
                               &err) != KBP_OK)
            got["error"] = err.message;
        else
            for (size_t i = 0; i < values.count; i++)
                got[values.items[i].name] = values.items[i].value;
        kb_sasl_values_release(&values);
        return got;
    }

    kb_properties properties = {};
    kb_registry registry = {};
    kbp_error err = KB_ERR_INIT;
};

TEST_F(RdkafkaProperties, MisspeltNamesAreRefused)
{
    EXPECT_NE(std::string::npos,
              Refusal("ssl.ca.locaton").find("did you mean ssl.ca.location"));
    EXPECT_NE(std::string::npos,
              Refusal("sasl.mechansim").find("did you mean sasl.mechanism"));
    EXPECT_NE("", Refusal("ssl.nothing.like.it"));
    EXPECT_EQ("", Refusal("ssl.ca.location"));
    EXPECT_EQ("", Refusal("sasl.kerberos.kinit.cmd"));
    EXPECT_EQ("", Refusal("sasl.vendor.realm"));
    EXPECT_EQ("", Refusal("sasl.oauthbearer.grant.type", "client_credentials"));
    EXPECT_NE("", Refusal("sasl.oauthbearer.grant.type", "jwt-bearer"));
}

TEST_F(RdkafkaProperties, OneThatNoMechanismKnowsIsRefusedAtLogin)
{
    const kb_type *plain = Mechanism("PLAIN");

    Set("sasl.vendor.realm", "there");
    EXPECT_NE(std::string::npos,
              Values(plain, "u", "p")["error"].find("sasl.vendor.realm"));
}

TEST_F(RdkafkaProperties, WhatStandsForNothingIsNothing)
{
    const kb_type *plain = Mechanism("PLAIN");
    auto got = Values(plain, "alice", KB_NOTHING_GIVEN);

    EXPECT_EQ("alice", got["sasl_username"]);
    EXPECT_EQ(0u, got.count("sasl_password"));
    Set("kafka_backup.sasl.options", "sasl_password_file=/run/secret");
    got = Values(plain, "alice", KB_NOTHING_GIVEN);
    EXPECT_EQ("/run/secret", got["sasl_password_file"]);
    EXPECT_EQ(0u, got.count("sasl_password"));
}

TEST_F(RdkafkaProperties, OlderNamesAreTheSameProperty)
{
    Set("sasl.oauthbearer.client.credentials.client.id", "me");
    EXPECT_STREQ("me",
                 kb_properties_get(&properties, "sasl.oauthbearer.client.id"));
    Set("sasl.mechanisms", "PLAIN");
    EXPECT_STREQ("PLAIN", kb_properties_get(&properties, "sasl.mechanism"));
}

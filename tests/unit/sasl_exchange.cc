// SPDX-License-Identifier: Apache-2.0
// The exchange against a broker that is a script, with the real PLAIN plugin.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

extern "C" {
#include "base/bytes.h"
#include "base/clock.h"
#include "kafka/sasl_exchange.h"
}

namespace
{
std::string be16(unsigned value)
{
    return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string be32(uint32_t value)
{
    return be16(value >> 16) + be16(value & 0xffff);
}

std::string str16(const std::string &text)
{
    return be16(static_cast<unsigned>(text.size())) + text;
}

std::string bytes32(const std::string &bytes)
{
    return be32(static_cast<uint32_t>(bytes.size())) + bytes;
}

// ApiVersions 0, with SaslHandshake and SaslAuthenticate up to `authenticate`.
std::string versions(unsigned authenticate)
{
    return be16(0) + be32(2) + be16(17) + be16(0) + be16(1) + be16(36) +
           be16(0) + be16(authenticate);
}
} // namespace

class SaslExchange : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        static const char *const dirs[] = {KB_TEST_PLUGIN_DIR};
        static const struct kb_kv settings[] = {
            {"sasl_username", "alice"}, {"sasl_password", "alice-secret"}};

        ASSERT_EQ(kb_registry_init(&registry, dirs, 1, &err), KBP_OK);
        ASSERT_EQ(kb_sasl_open(&registry, "PLAIN", settings, 2, &sasl, &err),
                  KBP_OK)
            << err.message;
        peer.struct_size = sizeof peer;
        peer.flags = KBP_SASL_TLS;
        peer.host = "kafka-1";
        peer.port = 9093;
    }

    void TearDown() override
    {
        kb_sasl_exchange_free(exchange);
        kb_sasl_close(sasl);
        kb_registry_release(&registry);
        kb_buf_release(&out);
    }

    void begin()
    {
        struct kb_sasl_exchange_options options = {};

        options.sasl = sasl;
        options.peer = &peer;
        options.client_id = "kafka-backup";
        options.broker = "kafka-1:9093";
        options.deadline_ms = kb_deadline_ms(10000);
        options.authenticate_version =
            peer.flags & KBP_SASL_REAUTH ? static_cast<int16_t>(1)
                                         : static_cast<int16_t>(-1);
        ASSERT_EQ(kb_sasl_exchange_new(&options, &exchange, &err), KBP_OK);
        ASSERT_EQ(kb_sasl_exchange_start(exchange, &out, &err), KBP_OK);
    }

    // The request that waits in `out`: its api and body behind the header.
    unsigned request(std::string *body = nullptr)
    {
        std::string all(reinterpret_cast<char *>(out.data), out.len);

        EXPECT_GE(all.size(), 14u);
        EXPECT_EQ(kb_load_be32(all.data()), all.size() - 4);
        correlation = kb_load_be32(all.data() + 8);
        if (body)
            *body = all.substr(14 + kb_load_be16(all.data() + 12));
        return kb_load_be16(all.data() + 4);
    }

    int answer(const std::string &body)
    {
        std::string frame = be32(correlation) + body;

        kb_buf_reset(&out);
        return kb_sasl_exchange_answer(exchange, frame.data(), frame.size(),
                                       &out, &done, &err);
    }

    void up_to_authenticate(unsigned version)
    {
        begin();
        ASSERT_EQ(request(), 18u);
        ASSERT_EQ(answer(versions(version)), KBP_OK);
        ASSERT_EQ(request(), 17u);
        ASSERT_EQ(answer(be16(0) + be32(1) + str16("PLAIN")), KBP_OK);
        ASSERT_EQ(request(), 36u);
    }

    struct kb_registry registry = {};
    struct kb_sasl *sasl = nullptr;
    struct kbp_sasl_peer peer = {};
    struct kb_sasl_exchange *exchange = nullptr;
    struct kb_buf out = KB_BUF_INIT;
    struct kbp_error err = KB_ERR_INIT;
    uint32_t correlation = 0;
    bool done = false;
};

TEST_F(SaslExchange, GoesThroughAndTellsTheLifetime)
{
    std::string body;

    up_to_authenticate(1);
    (void)request(&body);
    EXPECT_EQ(body, bytes32(std::string("\0alice\0alice-secret", 19)));
    EXPECT_GE(correlation, static_cast<uint32_t>(KB_SASL_CORRELATION_FIRST));
    EXPECT_EQ(answer(be16(0) + be16(0xffff) + bytes32("") + be32(0) +
                     be32(10000)),
              KBP_OK)
        << err.message;
    EXPECT_TRUE(done);
    EXPECT_EQ(out.len, 0u);
    EXPECT_EQ(kb_sasl_exchange_lifetime_ms(exchange), 10000);
    EXPECT_EQ(kb_sasl_exchange_version(exchange), 1);
}

TEST_F(SaslExchange, SpeaksTheFlexibleVersion)
{
    std::string body;

    up_to_authenticate(2);
    (void)request(&body);
    EXPECT_EQ(body, std::string("\0\x14\0alice\0alice-secret\0", 22));
    EXPECT_EQ(answer(std::string("\0", 1) + be16(0) + std::string("\0\x01", 2) +
                     be32(0) + be32(5000) + std::string("\0", 1)),
              KBP_OK)
        << err.message;
    EXPECT_TRUE(done);
    EXPECT_EQ(kb_sasl_exchange_lifetime_ms(exchange), 5000);
}

TEST_F(SaslExchange, DoneAgainBeginsWithTheHandshake)
{
    peer.flags |= KBP_SASL_REAUTH;
    begin();
    EXPECT_EQ(request(), 17u);
    ASSERT_EQ(answer(be16(0) + be32(0)), KBP_OK);
    EXPECT_EQ(request(), 36u);
}

TEST_F(SaslExchange, NamesTheMechanismsThatAreEnabled)
{
    begin();
    (void)request();
    ASSERT_EQ(answer(versions(1)), KBP_OK);
    (void)request();
    EXPECT_EQ(answer(be16(33) + be32(2) + str16("SCRAM-SHA-256") +
                     str16("GSSAPI")),
              KBP_ERR_AUTH);
    EXPECT_STREQ(err.message, "kafka-1:9093 has SASL mechanism PLAIN not "
                              "enabled; it offers SCRAM-SHA-256, GSSAPI");
}

TEST_F(SaslExchange, PassesTheBrokersTextOnWithoutTheSecret)
{
    up_to_authenticate(1);
    EXPECT_EQ(answer(be16(58) +
                     str16("Authentication failed: Invalid username or "
                           "password") +
                     bytes32("") + be32(0) + be32(0)),
              KBP_ERR_AUTH);
    EXPECT_NE(std::strstr(err.message, "Invalid username or password"),
              nullptr);
    EXPECT_NE(std::strstr(err.message, "kafka-1:9093"), nullptr);
    EXPECT_EQ(std::strstr(err.message, "alice-secret"), nullptr);
}

TEST_F(SaslExchange, RefusesAnswersToOtherRequests)
{
    begin();
    (void)request();
    correlation++;
    EXPECT_EQ(answer(versions(1)), KBP_ERR_PROTOCOL);
}

TEST_F(SaslExchange, RefusesWhatIsCutOffAtEveryLength)
{
    std::string whole = be16(0) + be16(0xffff) + bytes32("") + be32(0) +
                        be32(10000);

    for (size_t len = 0; len < whole.size(); len++) {
        up_to_authenticate(1);
        EXPECT_EQ(answer(whole.substr(0, len)), KBP_ERR_PROTOCOL) << len;
        kb_sasl_exchange_free(exchange);
        exchange = nullptr;
        kb_buf_reset(&out);
    }
}

TEST(SaslReauth, IsAtFourFifthsWithAFloorAndNeverWithinASecond)
{
    for (uint32_t random : {0u, 1u, 5000u, 10000u, 4294967295u}) {
        int64_t after = kb_sasl_reauth_after_ms(3600000, random);

        EXPECT_GE(after, 2880000 - 5000);
        EXPECT_LE(after, 2880000 + 5000);
        EXPECT_GE(kb_sasl_reauth_after_ms(45000, random), 30000);
        EXPECT_LT(kb_sasl_reauth_after_ms(45000, random), 45000);
        EXPECT_EQ(kb_sasl_reauth_after_ms(10000, random), 8000);
        EXPECT_EQ(kb_sasl_reauth_after_ms(1000, random), 1100);
    }
}

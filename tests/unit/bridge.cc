// SPDX-License-Identifier: Apache-2.0
// bridge.cc - the control plane's librdkafka over our transport, with a broker
// that is a thread: many clients that open and close at once (for TSan).
#include <gtest/gtest.h>

#include <thread>

extern "C" {
#include "base/clock.h"
#include "kafka/admin.h"
#include "kafka/auth.h"
}
#include "sasl_broker.h"

#ifdef __SANITIZE_THREAD__
// Asked for by ThreadSanitizer as it starts: librdkafka isn't built with it.
extern "C" __attribute__((visibility("default"))) const char *
__tsan_default_options();
extern "C" const char *__tsan_default_options()
{
    return "suppressions=" KB_TSAN_SUPPRESSIONS
           " ignore_noninstrumented_modules=1";
}
#endif

namespace
{

// Metadata 1 with itself alone, and DescribeConfigs 1 of a topic without any.
class Cluster : public SaslBroker
{
  public:
    explicit Cluster(uint32_t session_ms)
        : SaslBroker(session_ms, {{3, 1}, {32, 1}})
    {
    }

  protected:
    std::string Answer(unsigned api, const std::string &) override
    {
        if (api == 3)
            return be32(1) + be32(1) + str16("127.0.0.1") + be32(port()) +
                   be16(0xffff) + be32(1) + be32(0);
        return be32(0) + be32(1) + be16(0) + be16(0xffff) + "\2" + str16("t") +
               be32(0);
    }
};

class Bridge : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        static const char *const dirs[] = {KB_TEST_PLUGIN_DIR};

        ASSERT_EQ(kb_registry_init(&registry, dirs, 1, &err), KBP_OK);
        settings.sasl = true;
        settings.over_tls = true; // without a warning
        settings.mechanism = "PLAIN";
        settings.sasl_values = kvs;
        settings.sasl_value_count = 2;
        ASSERT_EQ(kb_auth_open(&settings, &registry, nullptr, &security, &err),
                  KBP_OK)
            << err.message;
        kb_net_config_init(&net, nullptr);
        net.security = security;
    }

    void TearDown() override
    {
        kb_auth_close(security);
        kb_registry_release(&registry);
    }

    // A client from its first connection to its last; "": all was well.
    std::string Use(const std::string &node, bool hastily)
    {
        const char *server = node.c_str();
        struct kbp_error why = KB_ERR_INIT;
        struct kb_admin *admin = nullptr;
        const char *topic = "t";
        struct kb_admin_configs *configs = nullptr;
        int status = kb_admin_open(&net, &server, 1, &admin, &why);

        if (status == KBP_OK && !hastily) {
            status = kb_admin_topic_configs(admin, &topic, 1, &configs, &why);
            kb_admin_configs_free(configs, status == KBP_OK);
        }
        kb_admin_close(admin);
        return status == KBP_OK ? "" : why.message;
    }

    const struct kb_kv kvs[2] = {{"sasl_username", "alice"},
                                 {"sasl_password", "alice-secret"}};
    struct kb_registry registry = {};
    struct kb_auth_settings settings = {};
    struct kb_security *security = nullptr;
    struct kb_net_config net = {};
    struct kbp_error err = KB_ERR_INIT;
};

TEST_F(Bridge, CarriesManyClientsThatOpenAndClose)
{
    Cluster cluster(1400);
    std::vector<std::thread> threads;
    std::string failures[64];

    for (unsigned i = 0; i < 64; i++)
        threads.emplace_back([&, i] {
            // Every fourth is gone while it dials.
            failures[i] = Use(cluster.node(), i % 4 == 3);
        });
    for (auto &thread : threads)
        thread.join();
    for (const std::string &failure : failures)
        EXPECT_EQ("", failure);
    EXPECT_GE(cluster.logins, 48u);
    EXPECT_EQ(cluster.early, 0u);
}

} // namespace

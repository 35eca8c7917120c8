// SPDX-License-Identifier: Apache-2.0
// Pumps between a client that speaks as librdkafka does and a broker that is
// a thread: greetings, errors as text, re-authentication between requests, and
// 64 connections that open and close at once (for TSan).
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include "base/bytes.h"
#include "base/clock.h"
#include "kafka/auth.h"
#include "kafka/pump_set.h"
}
#include "sasl_broker.h"

namespace
{
std::string request(unsigned api, uint32_t correlation, const std::string &body)
{
    std::string all =
        be16(api) + be16(0) + be32(correlation) + str16("test") + body;

    return be32(static_cast<uint32_t>(all.size())) + all;
}
} // namespace

class Pump : public ::testing::Test
{
  protected:
    void open(const char *password, bool with_sasl = true)
    {
        static const char *const dirs[] = {KB_TEST_PLUGIN_DIR};

        kvs[0] = {"sasl_username", "alice"};
        kvs[1] = {"sasl_password", password};
        ASSERT_EQ(kb_registry_init(&registry, dirs, 1, &err), KBP_OK);
        settings.sasl = with_sasl;
        settings.reauthenticated = reauthenticated;
        reauths = failures = 0;
        settings.mechanism = "PLAIN";
        settings.sasl_values = kvs;
        settings.sasl_value_count = 2;
        ASSERT_EQ(kb_auth_open(&settings, &registry, nullptr, &security, &err),
                  KBP_OK)
            << err.message;
        kb_net_config_init(&net, nullptr);
        net.security = security;
        options.net = &net;
        ASSERT_EQ(kb_pump_set_new(&options, &set, &err), KBP_OK);
    }

    void TearDown() override
    {
        kb_pump_set_free(set);
        kb_auth_close(security);
        kb_registry_release(&registry);
    }

    // A blocking descriptor, as a test wants it.
    int dial(const std::string &node)
    {
        int fd = kb_pump_set_socket(set);

        EXPECT_GE(fd, 0);
        EXPECT_EQ(kb_pump_set_connect(set, fd, node.c_str()), 0);
        (void)fcntl_blocking(fd);
        return fd;
    }

    static int fcntl_blocking(int fd);

    static void reauthenticated(bool ok)
    {
        (ok ? reauths : failures)++;
    }

    static std::atomic<unsigned> reauths;
    static std::atomic<unsigned> failures;

    // What librdkafka does first; the error code and text of the last answer.
    static int greet(int fd, std::string *text = nullptr)
    {
        std::string frame;

        if (!send_all(fd, request(18, 1, "")) || !read_frame(fd, &frame) ||
            !send_all(fd, request(17, 2, str16("PLAIN"))) ||
            !read_frame(fd, &frame) ||
            !send_all(fd,
                      request(36, 3, be32(5) + std::string("\0u\0pw", 5))) ||
            !read_frame(fd, &frame) || frame.size() < 8)
            return -1;
        int code = static_cast<int16_t>(kb_load_be16(frame.data() + 4));
        int16_t len = static_cast<int16_t>(kb_load_be16(frame.data() + 6));
        if (text && len > 0)
            *text = frame.substr(8, static_cast<size_t>(len));
        return code;
    }

    // Requests sent ahead, with answers of their own size; in order, all.
    static bool talk(int fd, unsigned count, unsigned pause_ms)
    {
        std::thread sender([=] {
            for (unsigned i = 0; i < count; i++) {
                if (!send_all(fd,
                              request(3, 100 + i, std::string(i % 5000, 'x'))))
                    return;
                if (pause_ms)
                    std::this_thread::sleep_for(
                        std::chrono::milliseconds(pause_ms));
            }
        });
        bool ok = true;
        for (unsigned i = 0; i < count && ok; i++) {
            std::string frame;
            ok = read_frame(fd, &frame) &&
                 kb_load_be32(frame.data()) == 100 + i &&
                 frame.size() == 4 + 6 + i % 5000;
        }
        if (!ok)
            (void)shutdown(fd, SHUT_RDWR);
        sender.join();
        return ok;
    }

    // Threads of pumps that are there.
    static unsigned pumps()
    {
        unsigned count = 0;

        for (auto &task :
             std::filesystem::directory_iterator("/proc/self/task")) {
            std::string name;
            std::getline(std::ifstream(task.path() / "comm"), name);
            count += name == "kb-pump";
        }
        return count;
    }

    void hang_up(int fd)
    {
        (void)kb_pump_set_close(set, fd);
    }

    struct kb_registry registry = {};
    struct kb_kv kvs[2] = {};
    struct kb_auth_settings settings = {};
    struct kb_security *security = nullptr;
    struct kb_net_config net = {};
    struct kb_pump_options options = {};
    struct kb_pump_set *set = nullptr;
    struct kbp_error err = KB_ERR_INIT;
};

#include <fcntl.h>

std::atomic<unsigned> Pump::reauths;
std::atomic<unsigned> Pump::failures;

int Pump::fcntl_blocking(int fd)
{
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

TEST_F(Pump, GreetsAndCarriesFrames)
{
    SaslBroker broker(0);

    open("alice-secret");
    int fd = dial(broker.node());
    EXPECT_EQ(greet(fd), 0);
    EXPECT_TRUE(talk(fd, 300, 0));
    EXPECT_EQ(broker.logins, 1u);
    hang_up(fd);
}

// Frames larger than the pump's buffers and those of the sockets, both ways:
// each must go on when the other side has taken what there was.
TEST_F(Pump, CarriesFramesLargerThanItsBuffers)
{
    SaslBroker broker(0);

    open("alice-secret");
    int fd = dial(broker.node());
    struct timeval limit = {20, 0};
    ASSERT_EQ(greet(fd), 0);
    ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
    for (size_t size : {300000u, 1000000u, 5000000u}) {
        std::string body;
        std::string frame;

        for (size_t i = 0; i < size; i++)
            body += static_cast<char>(i * 31 + i / 251);
        ASSERT_TRUE(send_all(fd, request(3, 7, body)));
        ASSERT_TRUE(read_frame(fd, &frame)) << size << " bytes don't come back";
        EXPECT_TRUE(frame.substr(4 + 6) == body) << size;
    }
    hang_up(fd);
}

TEST_F(Pump, AuthenticatesAgainBetweenRequests)
{
    SaslBroker broker(1400);

    open("alice-secret");
    int fd = dial(broker.node());
    ASSERT_EQ(greet(fd), 0);
    EXPECT_TRUE(talk(fd, 400, 10));
    EXPECT_GE(broker.logins, 4u);
    EXPECT_EQ(broker.early, 0u);
    EXPECT_GE(reauths, 3u);
    EXPECT_EQ(failures, 0u);
    hang_up(fd);
}

TEST_F(Pump, TellsWhyTheBrokerRefused)
{
    SaslBroker broker(0);
    std::string text;

    open("wrong");
    int fd = dial(broker.node());
    EXPECT_EQ(greet(fd, &text), 58);
    EXPECT_NE(text.find("no such user"), std::string::npos) << text;
    EXPECT_EQ(text.find("wrong"), std::string::npos) << text;
    hang_up(fd);
}

TEST_F(Pump, TellsThatNobodyIsThere)
{
    std::string text;

    open("alice-secret");
    int fd = dial("127.0.0.1:9");
    EXPECT_EQ(greet(fd, &text), -195);
    EXPECT_NE(text.find("127.0.0.1"), std::string::npos) << text;
    hang_up(fd);
}

// Bad certificates, say: nothing is sent to anybody then.
TEST_F(Pump, TellsWhyItDoesNotDial)
{
    SaslBroker broker(0);
    struct kbp_error why = KB_ERR_INIT;
    std::string text;

    (void)kb_fail(&why, KBP_ERR_CONFIG, "the keystore is damaged");
    options.refused = &why;
    open("alice-secret");
    int fd = dial(broker.node());
    EXPECT_NE(greet(fd, &text), 0);
    EXPECT_NE(text.find("the keystore is damaged"), std::string::npos) << text;
    EXPECT_EQ(broker.accepted, 0u);
    hang_up(fd);
}

// As librdkafka spells what it was told, and what it learned from metadata.
TEST_F(Pump, DialsAddressesOfIpv6)
{
    open("alice-secret");
    for (const char *node : {"[::1]:1", "::1:1"}) {
        std::string text;
        int fd = dial(node);

        EXPECT_NE(greet(fd, &text), 0);
        EXPECT_NE(text.find("::1 port 1"), std::string::npos) << text;
        hang_up(fd);
    }
}

TEST_F(Pump, EndsAtOnceWhenTheClientHangsUp)
{
    SaslBroker broker(0);

    open("alice-secret");
    for (int i = 0; i < 20; i++) {
        int fd = dial(i % 2 ? broker.node() : "192.0.2.1:9092");
        hang_up(fd);
    }
    int64_t began = kb_now_ms();
    kb_pump_set_free(set);
    set = nullptr;
    EXPECT_LT(kb_now_ms() - began, 2000);
}

// A broker that takes nothing, and a client that gives up: the pump holds as
// much as it can, and must neither wait for the broker nor spin.
TEST_F(Pump, EndsWhenTheClientGivesUpOnABrokerThatTakesNothing)
{
    SaslBroker broker(0);
    std::string body(60000, 'x');

    open("alice-secret");
    int fd = dial(broker.node());
    struct timeval limit = {0, 300000};
    ASSERT_EQ(greet(fd), 0);
    broker.deaf = true;
    ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
    for (int i = 0; i < 10000 && send_all(fd, request(3, 7, body)); i++)
        ;
    ASSERT_EQ(pumps(), 1u);
    hang_up(fd);
    for (int i = 0; i < 50 && pumps() > 0; i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(pumps(), 0u);
}

TEST_F(Pump, StopsAndBeginsNoMore)
{
    SaslBroker broker(0);

    open("alice-secret");
    int fd = dial(broker.node());
    EXPECT_EQ(greet(fd), 0);
    kb_pump_set_stop(set);
    char byte;
    EXPECT_EQ(read(fd, &byte, 1), 0) << "the pump has closed its end";
    int late = kb_pump_set_socket(set);
    EXPECT_NE(kb_pump_set_connect(set, late, broker.node().c_str()), 0);
    for (int i = 0; i < 1000 && kb_pump_set_running(set); i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(kb_pump_set_running(set), 0u);
    hang_up(fd);
    hang_up(late);
}

TEST_F(Pump, CarriesManyConnectionsThatOpenAndClose)
{
    SaslBroker broker(1400);
    std::vector<std::thread> clients;
    std::atomic<unsigned> good{0};

    open("alice-secret");
    for (unsigned i = 0; i < 64; i++)
        clients.emplace_back([&, i] {
            for (unsigned round = 0; round < 3; round++) {
                int fd = dial(broker.node());
                if (i % 4 == 3) {
                    /* gone in the middle of its greeting */
                    (void)send_all(fd, request(18, 1, ""));
                    good++;
                } else if (greet(fd) == 0 && talk(fd, 20, i % 3)) {
                    good++;
                }
                hang_up(fd);
            }
        });
    for (auto &client : clients)
        client.join();
    EXPECT_EQ(good, 64u * 3);
    EXPECT_EQ(broker.early, 0u);
}

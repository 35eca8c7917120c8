// SPDX-License-Identifier: Apache-2.0
// kafka_dial.cc - how a connection begins: names, addresses, overrides, and a
// login, which is renewed between requests.
#include "conn_harness.h"

namespace
{

/* A login of two frames, which wants to be renewed when the test says so. */
struct FakeSecurity {
    kb_security head;
    kb_security_ops ops;
    int logins = 0;
    int frames = 0;
    int64_t renew_at = KB_NEVER;
};

FakeSecurity *fake_security;

int FakeOpen(kb_security *, const kb_peer *peer, int64_t, kb_login **login,
             kbp_error *)
{
    EXPECT_STREQ("kafka-1", peer->host);
    *login = (kb_login *)fake_security;
    return KBP_OK;
}

int FakeStep(kb_login *, const uint8_t *in, size_t in_len, kb_buf *out,
             kbp_error *err)
{
    if (!in) {
        fake_security->renew_at = KB_NEVER;
        kb_buf_add(out, "\0\0\0\3one", 7);
    } else if (in_len == 5 && memcmp(in, "first", 5) == 0) {
        kb_buf_add(out, "\0\0\0\3two", 7);
    } else if (in_len == 6 && memcmp(in, "second", 6) == 0) {
        fake_security->logins++;
        return KBP_OK;
    } else {
        return kb_fail(err, KBP_ERR_AUTH, "refused");
    }
    fake_security->frames++;
    return KBP_OK;
}

int64_t FakeRenewAt(const kb_login *)
{
    return fake_security->renew_at;
}

void FakeClose(kb_login *)
{
}

void FakeLogin(FakeBroker &b)
{
    char frame[7];

    for (const char *answer : {"first", "second"}) {
        Wire w;

        (void)b.ReadRaw(frame, sizeof frame);
        w.I32((int64_t)strlen(answer)).Raw(answer);
        b.Write(w.bytes);
    }
}

TEST_F(Conn, SaslIsRenewedBetweenRequestsWithoutLosingAnswers)
{
    FakeSecurity security{};
    std::vector<std::string> seen;
    FakeBroker broker([&](FakeBroker &b) {
        FakeLogin(b);
        b.AnswerVersions(kModern);
        Request one = b.Read();
        Request two = b.Read();
        b.Answer(one.correlation, "one");
        b.Answer(two.correlation, "two");
        FakeLogin(b);
        Request three = b.Read();
        b.Answer(three.correlation, "three");
        b.WaitForClose();
    });
    std::string body;

    fake_security = &security;
    security.ops.login_open = FakeOpen;
    security.ops.login_step = FakeStep;
    security.ops.login_renew_at_ms = FakeRenewAt;
    security.ops.login_close = FakeClose;
    security.head.ops = &security.ops;
    net_.security = &security.head;
    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    EXPECT_EQ(1, security.logins);
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, ""));
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, ""));
    security.renew_at = 0;
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, "")) << err_.message;
    EXPECT_EQ(2, security.logins);
    EXPECT_EQ(3u, kb_conn_in_flight(conn_));
    for (const char *want : {"one", "two", "three"}) {
        ASSERT_EQ(KBP_OK, Receive(&body)) << err_.message;
        EXPECT_EQ(want, body);
    }
    kb_conn_close(conn_);
    conn_ = nullptr;
}

TEST_F(Conn, ARefusedLoginIsNamed)
{
    FakeSecurity security{};
    FakeBroker broker([&](FakeBroker &b) {
        char frame[7];

        (void)b.ReadRaw(frame, sizeof frame);
        b.Write(Wire().I32(4).Raw("nope").bytes);
        b.WaitForClose();
    });

    fake_security = &security;
    security.ops.login_open = FakeOpen;
    security.ops.login_step = FakeStep;
    security.ops.login_renew_at_ms = FakeRenewAt;
    security.ops.login_close = FakeClose;
    security.head.ops = &security.ops;
    net_.security = &security.head;
    EXPECT_EQ(KBP_ERR_AUTH, Open(broker));
    EXPECT_STREQ("broker at kafka-1:9092: refused", err_.message);
}

TEST_F(Conn, NobodyThereSaysWhoAndWhy)
{
    /* Port 1 of loopback: nobody listens there. */
    EXPECT_EQ(KBP_ERR_UNAVAILABLE,
              kb_conn_open(&net_, "127.0.0.1", 1, &conn_, &err_));
    EXPECT_TRUE(Says("broker at 127.0.0.1:1: can't connect to address "
                     "127.0.0.1 port 1: Connection refused"))
        << err_.message;
    EXPECT_TRUE(Says("nothing listens there")) << err_.hint;
}

TEST_F(Conn, AnUnknownHostIsNamed)
{
    EXPECT_EQ(KBP_ERR_UNAVAILABLE,
              kb_conn_open(&net_, "no-such-host.invalid", 9092, &conn_, &err_));
    EXPECT_TRUE(Says("no-such-host.invalid")) << err_.message;
}

TEST_F(Conn, AnOverrideIsDialled)
{
    kb_broker_override overrides[] = {
        {"kafka-1", 9092, "127.0.0.1", 1},
        {"kafka-2", 0, "127.0.0.2", 0},
    };
    const char *host;
    uint16_t port;

    net_.overrides = overrides;
    net_.override_count = 2;
    kb_tcp_override(&net_, "kafka-1", 9092, &host, &port);
    EXPECT_STREQ("127.0.0.1", host);
    EXPECT_EQ(1, port);
    kb_tcp_override(&net_, "kafka-1", 9093, &host, &port);
    EXPECT_STREQ("kafka-1", host);
    EXPECT_EQ(9093, port);
    kb_tcp_override(&net_, "kafka-2", 77, &host, &port);
    EXPECT_STREQ("127.0.0.2", host);
    EXPECT_EQ(77, port);
    EXPECT_EQ(KBP_ERR_UNAVAILABLE,
              kb_conn_open(&net_, "kafka-1", 9092, &conn_, &err_));
    EXPECT_TRUE(Says("broker at kafka-1:9092: can't connect to address "
                     "127.0.0.1 port 1"))
        << err_.message;
}

TEST_F(Conn, AddressesAreTakenApart)
{
    struct {
        const char *text;
        const char *host;
        int port;
    } good[] = {{"kafka:9092", "kafka", 9092},
                {"10.0.0.1:1", "10.0.0.1", 1},
                {"[::1]:65535", "::1", 65535}};
    const char *bad[] = {"kafka",    "kafka:",   ":9092",   "kafka:0",
                         "kafka:x",  "::1:9092", "[]:9092", "kafka:65536",
                         "kafka:-1", "",         "[::1]",   "kafka:9092 "};
    char text[64];

    for (auto &g : good) {
        char *host = nullptr;
        uint16_t port = 0;

        ASSERT_EQ(KBP_OK, kb_tcp_split(g.text, &host, &port, &err_)) << g.text;
        EXPECT_STREQ(g.host, host);
        EXPECT_EQ(g.port, port);
        kb_tcp_join(host, port, text, sizeof text);
        EXPECT_STREQ(g.text, text);
        free(host);
    }
    for (auto *b : bad) {
        char *host = nullptr;
        uint16_t port = 0;

        EXPECT_EQ(KBP_ERR_CONFIG, kb_tcp_split(b, &host, &port, &err_)) << b;
        EXPECT_EQ(nullptr, host);
    }
}

} // namespace

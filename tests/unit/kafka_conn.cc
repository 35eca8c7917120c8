/* SPDX-License-Identifier: Apache-2.0 */
/* kafka_conn.cc - connections against a broker that does what it shouldn't. */
#include "conn_harness.h"

namespace
{

TEST_F(Conn, TakesTheHighestVersionBothKnow)
{
    FakeBroker broker([](FakeBroker &b) {
        b.AnswerVersions(kModern);
        b.WaitForClose();
    });

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    EXPECT_EQ(12, kb_conn_version(conn_, KB_API_FETCH, 4, 12));
    EXPECT_EQ(17, kb_conn_version(conn_, KB_API_FETCH, 4, 99));
    EXPECT_EQ(4, kb_conn_version(conn_, KB_API_FETCH, 0, 4));
    EXPECT_EQ(-1, kb_conn_version(conn_, KB_API_FETCH, 0, 3));
    EXPECT_EQ(-1, kb_conn_version(conn_, KB_API_FETCH, 18, 20));
    EXPECT_EQ(-1, kb_conn_version(conn_, KB_API_DESCRIBE_PRODUCERS, 0, 0));
    EXPECT_STREQ("broker at kafka-1:9092", kb_conn_name(conn_));
    kb_conn_set_broker(conn_, 3);
    EXPECT_STREQ("broker 3 at kafka-1:9092", kb_conn_name(conn_));
    kb_conn_close(conn_);
    conn_ = nullptr;
}

TEST_F(Conn, AnOldBrokerIsAskedAgainInVersionZero)
{
    std::vector<int> versions;
    std::string software;
    FakeBroker broker([&](FakeBroker &b) {
        Request r = b.Read();

        versions.push_back(r.version);
        software = r.rest;
        b.Answer(r.correlation,
                 Wire().I16(35).I32(1).I16(18).I16(0).I16(2).bytes);
        r = b.Read();
        versions.push_back(r.version);
        b.Answer(r.correlation,
                 Wire().I16(0).I32(1).I16(1).I16(0).I16(10).bytes);
        b.WaitForClose();
    });

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    EXPECT_EQ(10, kb_conn_version(conn_, KB_API_FETCH, 4, 17));
    kb_conn_close(conn_);
    conn_ = nullptr;
    broker.Join();
    EXPECT_EQ((std::vector<int>{3, 0}), versions);
    EXPECT_EQ('\0', software[0]); /* the header's tags */
    EXPECT_NE(std::string::npos, software.find("kafka-backup"));
}

TEST_F(Conn, AnswersThatComeByteByByteAreRead)
{
    FakeBroker broker([](FakeBroker &b) {
        b.chunk = 1;
        b.AnswerVersions(kModern);
        Request r = b.Read();
        b.Answer(r.correlation, std::string(3000, 'x'));
        b.WaitForClose();
    });
    std::string body;

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, "hello"));
    ASSERT_EQ(KBP_OK, Receive(&body)) << err_.message;
    EXPECT_EQ(std::string(3000, 'x'), body);
    kb_conn_close(conn_);
    conn_ = nullptr;
}

TEST_F(Conn, PutsTheHeaderTheVersionWants)
{
    Request old_one;
    Request new_one;
    FakeBroker broker([&](FakeBroker &b) {
        b.AnswerVersions(kModern);
        old_one = b.Read();
        b.Answer(old_one.correlation, "old");
        new_one = b.Read();
        /* A flexible answer's header has tags: here a real one. */
        b.Answer(new_one.correlation,
                 Wire().I8(1).I8(77).I8(3).Raw("tag").Raw("new").bytes);
        b.WaitForClose();
    });
    std::string body;

    net_.client_id = "me";
    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, "body"));
    ASSERT_EQ(KBP_OK, Receive(&body));
    EXPECT_EQ("old", body);
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 12, "body"));
    ASSERT_EQ(KBP_OK, Receive(&body));
    EXPECT_EQ("new", body);
    kb_conn_close(conn_);
    conn_ = nullptr;
    broker.Join();
    EXPECT_EQ("me", old_one.client_id);
    EXPECT_EQ("body", old_one.rest);
    EXPECT_EQ(std::string("\0body", 5), new_one.rest);
    EXPECT_EQ(11, old_one.version);
    EXPECT_EQ(1, old_one.api);
    EXPECT_EQ(old_one.correlation + 1, new_one.correlation);
}

TEST_F(Conn, AnswersComeInTheOrderOfTheRequests)
{
    FakeBroker broker([](FakeBroker &b) {
        std::vector<Request> all;

        b.AnswerVersions(kModern);
        for (int i = 0; i < 50; i++)
            all.push_back(b.Read());
        for (auto &r : all)
            b.Answer(r.correlation, r.rest);
        b.WaitForClose();
    });

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    for (int i = 0; i < 50; i++)
        ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, std::to_string(i)));
    EXPECT_EQ(50u, kb_conn_in_flight(conn_));
    for (int i = 0; i < 50; i++) {
        std::string body;

        ASSERT_EQ(KBP_OK, Receive(&body)) << err_.message;
        EXPECT_EQ(std::to_string(i), body);
    }
    EXPECT_EQ(0u, kb_conn_in_flight(conn_));
    kb_conn_close(conn_);
    conn_ = nullptr;
}

TEST_F(Conn, AnAnswerToAnotherRequestEndsTheConnection)
{
    FakeBroker broker([](FakeBroker &b) {
        b.AnswerVersions(kModern);
        Request r = b.Read();
        b.Answer(r.correlation + 1, "x");
        b.WaitForClose();
    });
    std::string body;

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, ""));
    EXPECT_EQ(KBP_ERR_PROTOCOL, Receive(&body));
    EXPECT_TRUE(Says("broker at kafka-1:9092: an answer to request"))
        << err_.message;
    EXPECT_EQ(KBP_ERR_IO, Send(KB_API_FETCH, 11, ""));
    EXPECT_TRUE(Says("failed before")) << err_.message;
    kb_conn_close(conn_);
    conn_ = nullptr;
}

TEST_F(Conn, NoAnswerInTimeIsATimeout)
{
    FakeBroker broker([](FakeBroker &b) {
        b.AnswerVersions(kModern);
        b.WaitForClose();
    });
    std::string body;
    int64_t start;

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, ""));
    start = kb_now_ms();
    EXPECT_EQ(KBP_ERR_TIMEOUT, Receive(&body, 100));
    EXPECT_GE(kb_now_ms() - start, 95);
    EXPECT_LT(kb_now_ms() - start, 3000);
    kb_conn_close(conn_);
    conn_ = nullptr;
}

TEST_F(Conn, ThrottlingMovesTheDeadline)
{
    FakeBroker broker([](FakeBroker &b) {
        b.AnswerVersions(kModern);
        Request r = b.Read();
        FakeBroker::Sleep(300);
        b.Answer(r.correlation, "late");
        b.WaitForClose();
    });
    std::string body;

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    kb_conn_throttled(conn_, 5000);
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, ""));
    EXPECT_EQ(KBP_OK, Receive(&body, 50)) << err_.message;
    EXPECT_EQ("late", body);
    kb_conn_close(conn_);
    conn_ = nullptr;
}

TEST_F(Conn, ALongThrottleIsWarnedOfOnce)
{
    FakeBroker broker([](FakeBroker &b) {
        b.AnswerVersions(kModern);
        b.WaitForClose();
    });
    std::string log;

    net_.client_id = "nightly";
    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    testing::internal::CaptureStderr();
    kb_conn_throttled(conn_, 9999);
    log = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::string::npos, log.find("WARN")) << log;
    testing::internal::CaptureStderr();
    kb_conn_throttled(conn_, 190000);
    kb_conn_throttled(conn_, 180000);
    log = testing::internal::GetCapturedStderr();
    EXPECT_NE(std::string::npos, log.find("kafka-1:9092")) << log;
    EXPECT_NE(std::string::npos, log.find("client id \"nightly\"")) << log;
    EXPECT_NE(std::string::npos, log.find("3m 10s")) << log;
    EXPECT_NE(std::string::npos, log.find("raise it")) << log;
    EXPECT_EQ(log.find("WARN"), log.rfind("WARN")) << log;
    kb_conn_close(conn_);
    conn_ = nullptr;
}

TEST_F(Conn, AStopEndsTheWait)
{
    FakeBroker broker([this](FakeBroker &b) {
        b.AnswerVersions(kModern);
        (void)b.Read();
        FakeBroker::Sleep(50);
        kb_stop_request(&stop_);
        b.WaitForClose();
    });
    std::string body;

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, ""));
    EXPECT_EQ(KBP_ERR_CANCELLED, Receive(&body, 60000));
    kb_conn_close(conn_);
    conn_ = nullptr;
}

TEST_F(Conn, ACloseInTheMiddleOfAnAnswerIsSaid)
{
    FakeBroker broker([](FakeBroker &b) {
        b.AnswerVersions(kModern);
        (void)b.Read();
        b.Write(Wire().I32(100).I32(1).Raw("only this").bytes);
        b.Close();
    });
    std::string body;

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, ""));
    EXPECT_EQ(KBP_ERR_IO, Receive(&body));
    EXPECT_TRUE(Says("in the middle of an answer")) << err_.message;
}

TEST_F(Conn, ACloseAtTheFirstRequestHintsAtSasl)
{
    FakeBroker broker([](FakeBroker &b) {
        b.AnswerVersions(kModern);
        (void)b.Read();
        b.Close();
    });
    std::string body;

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    ASSERT_EQ(KBP_OK, Send(KB_API_METADATA, 8, ""));
    EXPECT_EQ(KBP_ERR_IO, Receive(&body));
    EXPECT_TRUE(Says("wants SASL")) << err_.hint;
}

TEST_F(Conn, ACloseBeforeAnyAnswerHintsAtTls)
{
    FakeBroker broker([](FakeBroker &b) {
        (void)b.Read();
        b.Close();
    });

    EXPECT_EQ(KBP_ERR_UNAVAILABLE, Open(broker));
    EXPECT_TRUE(Says("before the first answer")) << err_.message;
    EXPECT_TRUE(Says("TLS listener")) << err_.hint;
}

TEST_F(Conn, WhatIsNoBrokerIsNamed)
{
    struct {
        std::string bytes;
        const char *says;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP: this is no Kafka broker"},
        {std::string("\x15\x03\x03\x00\x02\x02\x46", 7), "wants TLS"},
        {"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "no Kafka broker"},
        {std::string("\0\0\0\0", 4), "no Kafka broker"},
        {std::string("\xff\xff\xff\xff", 4), "no Kafka broker"},
        {Wire().I32(6).I32(9999).I16(0).bytes, "no Kafka broker"},
        {Wire().I32(6).I32(0).I16(0).bytes, "may be no Kafka broker"},
        {Wire()
             .I32(14)
             .I32(0)
             .I16(0)
             .Raw("\xff\xff\xff\xff\x0f")
             .Raw("abc")
             .bytes,
         "may be no Kafka broker"},
    };

    for (auto &c : cases) {
        FakeBroker broker([&](FakeBroker &b) {
            (void)b.Read();
            b.Write(c.bytes);
            b.WaitForClose();
        });

        EXPECT_EQ(KBP_ERR_PROTOCOL, Open(broker)) << c.says;
        EXPECT_TRUE(Says(c.says)) << err_.message << " / " << err_.hint;
        EXPECT_EQ(nullptr, conn_);
    }
}

TEST_F(Conn, AnAnswerOfTwoGigabytesIsNotBelievedAtFirst)
{
    FakeBroker broker([](FakeBroker &b) {
        (void)b.Read();
        b.Write(Wire().I32(0x7fffffff).bytes);
        b.WaitForClose();
    });

    EXPECT_EQ(KBP_ERR_PROTOCOL, Open(broker));
}

TEST_F(Conn, ABrokerErrorAtTheStartIsSaid)
{
    FakeBroker broker([](FakeBroker &b) {
        Request r = b.Read();

        b.Answer(r.correlation, Wire().I16(34).Uvarint(1).I32(0).Tags().bytes);
        b.WaitForClose();
    });

    EXPECT_EQ(KBP_ERR_AUTH, Open(broker));
    EXPECT_TRUE(Says("ILLEGAL_SASL_STATE")) << err_.message;
    EXPECT_TRUE(Says("wants SASL")) << err_.hint;
}

TEST_F(Conn, TheBudgetHoldsWhatTheAnswerIs)
{
    FakeBroker broker([](FakeBroker &b) {
        b.AnswerVersions(kModern);
        for (int i = 0; i < 2; i++) {
            Request r = b.Read();

            b.Answer(r.correlation, std::string(996, 'x'));
        }
        (void)b.Read();
        b.Write(Wire().I32(50000).I32(0).bytes);
        b.Close();
    });
    kb_budget budget;
    kb_answer answer;

    kb_budget_init(&budget, 10000, &stop_);
    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    /* Smaller than what was taken: the rest is given back. */
    ASSERT_EQ(KBP_OK, kb_budget_take(&budget, 5000, &err_));
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, ""));
    ASSERT_EQ(KBP_OK, kb_conn_receive(conn_, kb_deadline_ms(5000), &budget,
                                      5000, &answer, &err_));
    EXPECT_EQ(1000u, budget.used);
    kb_answer_release(&answer);
    EXPECT_EQ(0u, budget.used);
    /* Larger: it is forced. */
    ASSERT_EQ(KBP_OK, kb_budget_take(&budget, 300, &err_));
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, ""));
    ASSERT_EQ(KBP_OK, kb_conn_receive(conn_, kb_deadline_ms(5000), &budget, 300,
                                      &answer, &err_));
    EXPECT_EQ(1000u, budget.used);
    kb_answer_release(&answer);
    EXPECT_EQ(0u, budget.used);
    /* After a failure it is still the caller's. */
    ASSERT_EQ(KBP_OK, kb_budget_take(&budget, 300, &err_));
    ASSERT_EQ(KBP_OK, Send(KB_API_FETCH, 11, ""));
    EXPECT_EQ(KBP_ERR_IO, kb_conn_receive(conn_, kb_deadline_ms(5000), &budget,
                                          300, &answer, &err_));
    EXPECT_EQ(300u, budget.used);
    kb_budget_give(&budget, 300);
    kb_budget_release(&budget);
}

TEST_F(Conn, ALargeRequestGoesOutWhileTheBrokerIsSlow)
{
    size_t got = 0;
    FakeBroker broker([&](FakeBroker &b) {
        b.AnswerVersions(kModern);
        FakeBroker::Sleep(100);
        Request r = b.Read();
        got = r.rest.size();
        b.Answer(r.correlation, "ok");
        b.WaitForClose();
    });
    std::string body;

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    ASSERT_EQ(KBP_OK, Send(KB_API_PRODUCE, 8, std::string(20 << 20, 'p')));
    ASSERT_EQ(KBP_OK, Receive(&body)) << err_.message;
    EXPECT_EQ("ok", body);
    EXPECT_EQ((size_t)20 << 20, got);
    kb_conn_close(conn_);
    conn_ = nullptr;
}

TEST_F(Conn, WithoutARequestThereIsNoAnswer)
{
    FakeBroker broker([](FakeBroker &b) {
        b.AnswerVersions(kModern);
        b.WaitForClose();
    });
    std::string body;

    ASSERT_EQ(KBP_OK, Open(broker)) << err_.message;
    EXPECT_EQ(KBP_ERR_MISUSE, Receive(&body, 100));
    kb_conn_close(conn_);
    conn_ = nullptr;
}

} // namespace

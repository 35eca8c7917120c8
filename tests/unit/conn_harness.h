// SPDX-License-Identifier: Apache-2.0
// conn_harness.h - a connection to a fake broker.
#ifndef KB_TESTS_CONN_HARNESS_H
#define KB_TESTS_CONN_HARNESS_H

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "fake_broker.h"
extern "C" {
#include "base/clock.h"
#include "kafka/conn.h"
#include "kafka/security.h"
#include "kafka/stream.h"
#include "kafka/tcp.h"
}

const std::vector<std::vector<int>> kModern = {
    {0, 0, 12}, {1, 4, 17}, {2, 1, 10}, {3, 0, 13}, {18, 0, 4}};

class Conn : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(KBP_OK, kb_stop_init(&stop_, &err_));
        kb_net_config_init(&net_, &stop_);
        net_.connect_timeout_ms = 5000;
        net_.request_timeout_ms = 5000;
    }

    void TearDown() override
    {
        kb_conn_close(conn_);
        kb_stop_release(&stop_);
    }

    int Open(FakeBroker &broker)
    {
        return kb_conn_open_stream(&net_,
                                   kb_socket_stream(broker.theirs, &stop_),
                                   "kafka-1", 9092, &conn_, &err_);
    }

    int Send(kb_api api, int version, std::string body)
    {
        iovec parts[2] = {
            {body.data(), body.size() / 2},
            {body.data() + body.size() / 2, body.size() - body.size() / 2}};

        return kb_conn_send(conn_, api, (int16_t)version, parts, 2, &err_);
    }

    int Receive(std::string *body, int64_t wait_ms = 5000)
    {
        kb_answer answer;
        int rc = kb_conn_receive(conn_, kb_deadline_ms(wait_ms), nullptr, 0,
                                 &answer, &err_);

        if (rc == KBP_OK) {
            body->assign((const char *)answer.body, answer.body_len);
            kb_answer_release(&answer);
        }
        return rc;
    }

    bool Says(const char *text) const
    {
        return strstr(err_.message, text) || strstr(err_.hint, text);
    }

    kb_stop stop_{};
    kb_net_config net_{};
    kb_conn *conn_ = nullptr;
    kbp_error err_ = KB_ERR_INIT;
};

#endif

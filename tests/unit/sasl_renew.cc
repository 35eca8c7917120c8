/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sasl_renew.cc - what is kept is used up while its source is down or silent.
 *
 * By the parts and not by the plugins, so that nobody has to wait until half
 * of a life is over.  An attempt to renew has KB_HURRY_MS, which is less here.
 */
#include <gtest/gtest.h>

#include "plugin_harness.h"
#include "tiny_http.h"

extern "C" {
#include "../../sasl/aws/aws_source.h"
#include "../../sasl/common/sasl_bound.h"
#include "../../sasl/common/sasl_clock.h"
#include "../../sasl/oauthbearer/oauth_token.h"
}

using kbt::Http;

namespace
{

using std::chrono::seconds;
using std::chrono::steady_clock;

/* Far above KB_HURRY_MS, and far below what a host without a deadline has. */
const seconds soon(30);

bool has(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

Http::Answer status(int code, const std::string &extra = "")
{
    return {code, "", extra, 0, false};
}

Http::Answer hang()
{
    Http::Answer a;
    a.hang = true;
    return a;
}

Http::Answer granted(const std::string &token, int life = 3600)
{
    return {200,
            "{\"access_token\":\"" + token +
                "\",\"expires_in\":" + std::to_string(life) + "}",
            "", 0, false};
}

class Renew : public testing::Test
{
  protected:
    Renew() : server([this](const Http::Request &r) { return on(r); })
    {
    }
    ~Renew() override
    {
        if (opened)
            kb_token_source_close(&source);
    }
    void open(std::map<std::string, std::string> set)
    {
        kbt::Plugin plugin("sasl_oauthbearer");
        kbt::Config config(plugin.sasl("OAUTHBEARER")->options, set);

        ASSERT_EQ(kb_token_source_open(&source, &host, &config, &err), KBP_OK)
            << err.text();
        opened = true;
    }
    void open_endpoint()
    {
        open({{"sasl_oauthbearer_token_endpoint_url", server.url("/token")},
              {"sasl_oauthbearer_client_id", "backup"},
              {"sasl_oauthbearer_client_secret", "s"}});
    }
    /* The token, or the error's text, which is left in `err` as well. */
    std::string token()
    {
        struct kb_text text;
        int64_t end;

        kb_text_init(&text, 65536);
        err = kbt::Error();
        std::string out =
            kb_token_get(&source, &host, &text, &end, &err) == KBP_OK
                ? kb_text_str(&text)
                : err.text();
        kb_text_release(&text);
        return out;
    }

    std::function<Http::Answer(const Http::Request &)> on;
    Http server;
    kbt::Host host;
    kbt::Error err;
    kbt::TempDir dir;
    struct kb_token_source source = {};
    bool opened = false;
};

TEST_F(Renew, AnIssuerThatIsSilentHoldsUpNobodyForLong)
{
    on = [](const Http::Request &) { return granted("tok"); };
    ASSERT_NO_FATAL_FAILURE(open_endpoint());
    EXPECT_EQ(token(), "tok");
    on = [](const Http::Request &) { return hang(); };
    source.kept_renew_ms = 0;
    auto from = steady_clock::now();
    for (int i = 0; i < 64; i++)
        EXPECT_EQ(token(), "tok");
    EXPECT_LT(steady_clock::now() - from, soon);
    /* One asked for all of them, and the next one does so after a pause. */
    EXPECT_EQ(server.requests().size(), 2u);
    EXPECT_GT(source.kept_renew_ms, kb_mono_ms());
    EXPECT_TRUE(has(host.logged(), "1 the token can't be renewed yet"));
}

TEST_F(Renew, ACommandThatHangsHoldsUpNobodyForLong)
{
    std::string mark = dir.path + "/mark";

    ASSERT_NO_FATAL_FAILURE(
        open({{"sasl_oauthbearer_token_command",
               "[ -e " + mark + " ] && sleep 100; touch " + mark +
                   R"(; echo '{"access_token":"tok","expires_in":3600}')"}}));
    EXPECT_EQ(token(), "tok");
    source.kept_renew_ms = 0;
    auto from = steady_clock::now();
    EXPECT_EQ(token(), "tok");
    EXPECT_EQ(token(), "tok");
    EXPECT_LT(steady_clock::now() - from, soon);
}

TEST_F(Renew, RetryAfterPutsTheNextAttemptOff)
{
    on = [](const Http::Request &) { return granted("tok", 600); };
    ASSERT_NO_FATAL_FAILURE(open_endpoint());
    EXPECT_EQ(token(), "tok");
    on = [](const Http::Request &) {
        return status(503, "Retry-After: 100\r\n");
    };
    source.kept_renew_ms = 0;
    int64_t before = kb_mono_ms();
    EXPECT_EQ(token(), "tok");
    EXPECT_GE(source.kept_renew_ms, before + 100000);
    /* But not beyond what is left of the token. */
    on = [](const Http::Request &) {
        return status(503, "Retry-After: 3000\r\n");
    };
    source.kept_renew_ms = 0;
    EXPECT_EQ(token(), "tok");
    EXPECT_LT(source.kept_renew_ms, source.kept_end_ms);
    EXPECT_EQ(server.requests().size(), 3u);
}

TEST_F(Renew, RetryAfterIsKeptToWithoutATokenToo)
{
    on = [](const Http::Request &) {
        return status(429, "Retry-After: 50\r\n");
    };
    ASSERT_NO_FATAL_FAILURE(open_endpoint());
    EXPECT_TRUE(has(token(), "HTTP 429"));
    EXPECT_EQ(err.retry_after_ms, 50000u);
    EXPECT_TRUE(has(token(), "HTTP 429"));
    EXPECT_EQ(err.status, KBP_ERR_THROTTLED);
    EXPECT_GT(err.retry_after_ms, 0u);
    EXPECT_LE(err.retry_after_ms, 50000u);
    EXPECT_EQ(server.requests().size(), 1u);
    source.gate.pause_end_ms = 1; /* it is over */
    on = [](const Http::Request &) { return granted("tok"); };
    EXPECT_EQ(token(), "tok");
}

class RenewAws : public testing::Test
{
  protected:
    RenewAws() : server([this](const Http::Request &r) { return answer(r); })
    {
        setenv("HOME", dir.path.c_str(), 1);
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI",
               server.url("/container").c_str(), 1);
    }
    ~RenewAws() override
    {
        unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        kb_aws_source_close(&source);
    }
    void SetUp() override
    {
        struct kb_aws_settings set = {};
        kbt::Error err;

        set.role_arn = strdup("arn:aws:iam::1:role/r");
        set.sts_endpoint = strdup(server.url("").c_str());
        ASSERT_EQ(kb_aws_source_open(&source, &set, &err), KBP_OK);
    }
    Http::Answer answer(const Http::Request &r)
    {
        time_t t = time(nullptr) + 3600;
        struct tm tm;
        char end[32];

        gmtime_r(&t, &tm);
        strftime(end, sizeof end, "%Y-%m-%dT%H:%M:%SZ", &tm);
        if (r.path == "/container")
            return {200,
                    R"({"AccessKeyId":"C","SecretAccessKey":"s","Token":"t",)"
                    R"("Expiration":")" +
                        std::string(end) + "\"}",
                    "", 0, false};
        if (sts.hang || sts.status != 200)
            return sts;
        return {200,
                "<AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>s"
                "</SecretAccessKey><SessionToken>t</SessionToken><Expiration>" +
                    std::string(end) + "</Expiration>",
                "", 0, false};
    }
    std::string key()
    {
        struct kb_aws_keys keys = {};
        kbt::Error err;
        std::string out = kb_aws_get(&source, &host, &keys, &err) == KBP_OK
                              ? keys.access_key
                              : err.text();
        kb_aws_keys_release(&keys);
        return out;
    }

    kbt::TempDir dir;
    Http::Answer sts = status(200);
    Http server;
    kbt::Host host;
    struct kb_aws_source source = {};
};

TEST_F(RenewAws, AnStsThatIsSilentHoldsUpNobodyForLong)
{
    EXPECT_EQ(key(), "ROLE");
    sts = hang();
    source.kept_renew_ms = 0;
    auto from = steady_clock::now();
    for (int i = 0; i < 64; i++)
        EXPECT_EQ(key(), "ROLE");
    EXPECT_LT(steady_clock::now() - from, soon);
    EXPECT_EQ(server.requests().size(), 4u);
    EXPECT_TRUE(has(host.logged(), "1 the AWS credentials can't be renewed"));
}

TEST_F(RenewAws, RetryAfterPutsTheNextAttemptOff)
{
    EXPECT_EQ(key(), "ROLE");
    sts = status(503, "Retry-After: 100\r\n");
    source.kept_renew_ms = 0;
    int64_t before = kb_mono_ms();
    EXPECT_EQ(key(), "ROLE");
    EXPECT_GE(source.kept_renew_ms, before + 100000);
}

TEST(Bound, AHostWithLessTimeIsTheSameOtherwise)
{
    kbt::Host host;
    struct kb_bound bound;
    const kbp_host *h = kb_bound_host(&bound, &host, 1000000);

    EXPECT_LE(h->time_left_ms(h), 1000000);
    host.deadline_ms(5000);
    EXPECT_LE(h->time_left_ms(h), 5000);
    /* Not all of it, as the old token is still to be sent. */
    h = kb_bound_host(&bound, &host, 1000000);
    EXPECT_LE(h->time_left_ms(h), 2500);
    h->log(h, KBP_LOG_WARN, "hello");
    EXPECT_EQ(host.logged(), "1 hello\n");
    EXPECT_EQ(h->cancelled(h), 0);
    h = kb_bound_host(&bound, &host, 0);
    EXPECT_EQ(h->time_left_ms(h), 0);
    EXPECT_EQ(h->cancelled(h), 0); /* that is a timeout */
    host.cancel = true;
    EXPECT_NE(h->cancelled(h), 0);
}

} // namespace

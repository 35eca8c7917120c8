/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_oauthbearer.cc - tokens from each source, and what a broker answers. */
#include <gtest/gtest.h>

#include <sys/stat.h>

#include "plugin_harness.h"
#include "tiny_http.h"

extern "C" {
#include "../../sasl/common/sasl_base64.h"
#include "../../sasl/oauthbearer/oauth_message.h"
}

using kbt::Handshake;
using kbt::Http;
using kbt::Plugin;
using kbt::Sasl;

namespace
{

std::string base64url(const std::string &raw)
{
    struct kb_text text;

    kb_text_init(&text, 65536);
    kb_base64_encode(&text, KB_BASE64_URL, raw.data(), raw.size());
    std::string out = kb_text_str(&text);
    kb_text_release(&text);
    return out;
}

/* An unsigned JWT that ends in `life` seconds. */
std::string jwt(long life, const std::string &more = "")
{
    return base64url(R"({"alg":"none"})") + "." +
           base64url(R"({"iss":"https://idp","aud":"kafka","sub":"backup",)"
                     R"("exp":)" +
                     std::to_string(time(nullptr) + life) + more + "}") +
           ".";
}

bool has(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

class SaslOauth : public testing::Test
{
  protected:
    kbt::Error refused(const Sasl::Settings &s)
    {
        return Sasl::refused(plugin, "OAUTHBEARER", s);
    }
    /* The token in the message of a new handshake, or the error's text. */
    std::string token(Sasl &sasl, uint32_t flags = 0)
    {
        Handshake h(sasl, flags);

        if (h.start() != KBP_OK)
            return h.err.text();
        size_t at = h.out.find("Bearer ");
        return h.out.substr(at + 7, h.out.find('\x01', at) - at - 7);
    }
    Plugin plugin{"sasl_oauthbearer"};
    kbt::TempDir dir;
};

TEST_F(SaslOauth, SendsTheMessageOfRfc7628)
{
    std::string t = jwt(600);
    Sasl sasl(
        plugin, "OAUTHBEARER",
        {{"sasl_oauthbearer_token", t},
         {"sasl_oauthbearer_extensions", "logicalCluster=lkc-1, pool=x=y"},
         {"sasl_oauthbearer_authzid", "a=b,c"}});
    Handshake h(sasl, KBP_SASL_TLS);

    ASSERT_EQ(h.start(), KBP_OK) << h.err.text();
    EXPECT_EQ(h.out, "n,a=a=3Db=2Cc,\x01"
                     "auth=Bearer " +
                         t + "\x01logicalCluster=lkc-1\x01pool=x=y\x01\x01");
    ASSERT_EQ(h.step(""), KBP_OK);
    EXPECT_EQ(h.state, KBP_SASL_DONE);
    EXPECT_GT(h.lifetime_ms(), 590000);
    EXPECT_LE(h.lifetime_ms(), 600000);
}

TEST_F(SaslOauth, AnOpaqueTokenHasNoLifetime)
{
    Sasl sasl(plugin, "OAUTHBEARER", {{"sasl_oauthbearer_token", "abc+/=="}});
    Handshake h(sasl);

    ASSERT_EQ(h.start(), KBP_OK);
    EXPECT_EQ(h.out, "n,,\x01"
                     "auth=Bearer abc+/==\x01\x01");
    EXPECT_EQ(h.lifetime_ms(), -1);
    EXPECT_TRUE(has(h.host.logged(), "2 OAUTHBEARER without TLS"));
    EXPECT_FALSE(has(h.host.logged(), "abc+/"));
}

TEST_F(SaslOauth, PutsTheBrokersRefusalInWords)
{
    std::string t = jwt(600);
    Sasl sasl(plugin, "OAUTHBEARER", {{"sasl_oauthbearer_token", t}});
    Handshake h(sasl), liar(sasl);

    ASSERT_EQ(h.start(), KBP_OK);
    ASSERT_EQ(h.step(R"({"status":"invalid_token","scope":"kafka",)"
                     R"("openid-configuration":"https://idp/x"})"),
              KBP_OK);
    EXPECT_EQ(h.state, KBP_SASL_CONTINUE);
    EXPECT_EQ(h.out, "\x01");
    EXPECT_EQ(h.explain(58, "{\"status\":\"invalid_token\"}"), KBP_ERR_AUTH);
    EXPECT_TRUE(has(h.err.text(), "invalid_token, scope wanted: kafka, see "
                                  "https://idp/x"))
        << h.err.text();
    EXPECT_TRUE(has(h.err.text(), "iss https://idp, aud kafka, sub backup"))
        << h.err.text();
    EXPECT_TRUE(has(h.err.text(), "expected.issuer")) << h.err.text();
    EXPECT_FALSE(has(h.err.text(), t.substr(0, 20)));
    /* Who refuses, and then says yes, is not to be believed. */
    ASSERT_EQ(liar.start(), KBP_OK);
    ASSERT_EQ(liar.step("{\"status\":\"invalid_token\"}"), KBP_OK);
    EXPECT_EQ(liar.step(""), KBP_ERR_AUTH);
    EXPECT_EQ(liar.state, 0);
}

TEST_F(SaslOauth, ARefusalThatIsNoJsonIsQuoted)
{
    char text[64];

    EXPECT_STREQ(kb_oauth_refusal(text, sizeof text, "no\x01\xff way", 8),
                 "no ? way");
    EXPECT_STREQ(kb_oauth_refusal(text, sizeof text, "[1]", 3), "[1]");
    EXPECT_STREQ(kb_oauth_refusal(text, sizeof text, "{\"status\":7}", 12),
                 "{\"status\":7}");
    std::string large = "{\"status\":\"" + std::string(5000, 'x') + "\"}";
    EXPECT_LT(
        strlen(kb_oauth_refusal(text, sizeof text, large.data(), large.size())),
        sizeof text);
}

TEST_F(SaslOauth, ReadsTheFileForEachHandshake)
{
    std::string one = jwt(600), two = jwt(1200);
    std::string path = dir.file("token", one + "\n");
    Sasl sasl(plugin, "OAUTHBEARER", {{"sasl_oauthbearer_token_file", path}});
    Sasl by_url(plugin, "OAUTHBEARER",
                {{"sasl_oauthbearer_token_endpoint_url", "file://" + path}});

    EXPECT_EQ(token(sasl), one);
    EXPECT_EQ(token(by_url), one);
    dir.file("token", two);
    EXPECT_EQ(token(sasl), two);
    dir.file("token", "not a token");
    EXPECT_TRUE(has(token(sasl), "isn't a token"));
    dir.file("token", jwt(-30));
    Handshake h(sasl);
    EXPECT_EQ(h.start(), KBP_ERR_EXPIRED);
    EXPECT_TRUE(has(h.err.text(), "expired 30 s ago")) << h.err.text();
}

TEST_F(SaslOauth, AnExpiredTokenOfTheSettingsIsTheUsersToMend)
{
    Sasl sasl(plugin, "OAUTHBEARER", {{"sasl_oauthbearer_token", jwt(-5)}});
    Handshake h(sasl);

    EXPECT_EQ(h.start(), KBP_ERR_AUTH);
    EXPECT_TRUE(has(h.err.text(), "sasl_oauthbearer_token expired"));
}

TEST_F(SaslOauth, KeepsWhatACommandPrints)
{
    std::string count = dir.file("count", "");
    std::string json = "echo x >>" + count + R"(; echo '{"access_token":"tok)" +
                       R"(en","expires_in":3600}'; echo noise >&2)";
    Sasl sasl(plugin, "OAUTHBEARER",
              {{"sasl_oauthbearer_token_command", json}});
    struct stat st;

    EXPECT_EQ(token(sasl), "token");
    EXPECT_EQ(token(sasl, KBP_SASL_REAUTH), "token");
    ASSERT_EQ(stat(count.c_str(), &st), 0);
    EXPECT_EQ(st.st_size, 2);
    Handshake h(sasl);
    ASSERT_EQ(h.start(), KBP_OK);
    EXPECT_GT(h.lifetime_ms(), 3500000);
    /* After a refusal the next one asks again. */
    EXPECT_EQ(h.explain(58, "no"), KBP_ERR_AUTH);
    EXPECT_EQ(token(sasl), "token");
    ASSERT_EQ(stat(count.c_str(), &st), 0);
    EXPECT_EQ(st.st_size, 4);
}

/* ps shows arguments to everyone, and the command may have a secret in it. */
TEST_F(SaslOauth, ACommandIsNotAmongTheArgumentsOfItsShell)
{
    Sasl sasl(plugin, "OAUTHBEARER",
              {{"sasl_oauthbearer_token_command",
                "tr -cd a-zA-Z0-9 </proc/$$/cmdline; echo; : canary"}});

    EXPECT_EQ(token(sasl), "shs");
}

TEST_F(SaslOauth, ACommandIsRunAsItIsWritten)
{
    struct {
        const char *command, *token;
    } cases[] = {
        {"cat; echo no-input", "no-input"},
        {"read x; echo \"read-$?\"", "read-1"},
        {"echo a | tr a b", "b"},
        {"cat <<E\nhere\nE", "here"},
        {"(exit 4) || echo four # a comment", "four"},
        {"x=1\nif [ $x = 1 ]; then\n echo lines\nfi\n", "lines"},
        {"echo 'quo'\"ted\" \\", "quoted"},
        {"exec echo replaced", "replaced"},
        {"echo background & wait", "background"},
        {"f() { echo function; }; f", "function"},
    };
    for (auto &c : cases) {
        Sasl sasl(plugin, "OAUTHBEARER",
                  {{"sasl_oauthbearer_token_command", c.command}});
        EXPECT_EQ(token(sasl), c.token) << c.command;
    }
    std::string large = ": " + std::string(200000, 'x') + "; echo large";
    Sasl sasl(plugin, "OAUTHBEARER",
              {{"sasl_oauthbearer_token_command", large}});
    EXPECT_EQ(token(sasl), "large");
}

TEST_F(SaslOauth, ACommandThatFailsIsNamed)
{
    struct {
        const char *command, *says;
        int32_t status;
    } cases[] = {
        {"exit 3", "ends with exit code 3", KBP_ERR_AUTH},
        {"/no/such/program", "was not found", KBP_ERR_AUTH},
        {"kill -9 $$", "signal 9", KBP_ERR_AUTH},
        {"true", "prints nothing", KBP_ERR_AUTH},
        {"echo two words", "isn't a token", KBP_ERR_AUTH},
        {"yes", "more than", KBP_ERR_CONFIG},
        {"echo '{\"error\":1}'", "no access_token", KBP_ERR_PROTOCOL},
    };
    for (auto &c : cases) {
        Sasl sasl(plugin, "OAUTHBEARER",
                  {{"sasl_oauthbearer_token_command", c.command}});
        Handshake h(sasl);
        EXPECT_EQ(h.start(), c.status) << c.command << h.err.text();
        EXPECT_TRUE(has(h.err.text(), c.says)) << h.err.text();
    }
}

TEST_F(SaslOauth, ACommandIsKilledWithItsChildrenInTime)
{
    std::string mark = dir.path + "/mark";
    Sasl sasl(plugin, "OAUTHBEARER",
              {{"sasl_oauthbearer_token_command",
                "(sleep 2; touch " + mark + ") & wait"}});
    Handshake late(sasl), cancelled(sasl);

    late.host.deadline_ms(200);
    EXPECT_NE(late.start(), KBP_OK);
    cancelled.host.cancel = true;
    EXPECT_EQ(cancelled.start(), KBP_ERR_CANCELLED);
    EXPECT_GT(late.host.asked, 1);
    sleep(2);
    EXPECT_NE(access(mark.c_str(), F_OK), 0);
}

Sasl::Settings oidc(const Http &server)
{
    return {
        {"sasl_oauthbearer_token_endpoint_url", server.url("/token?tenant=1")},
        {"sasl_oauthbearer_client_id", "backup"},
        {"sasl_oauthbearer_client_secret", "p&w:d="},
        {"sasl_oauthbearer_scope", "kafka read"}};
}

Http::Answer granted(const std::string &token, int life)
{
    return {200,
            "{\"access_token\":\"" + token + "\",\"token_type\":\"Bearer\"," +
                "\"expires_in\":" + std::to_string(life) + "}",
            "", 0, false};
}

TEST_F(SaslOauth, AsksTheEndpointOnceForManyConnections)
{
    Http server([](const Http::Request &) {
        Http::Answer a = granted("tok-1", 300);
        a.delay_ms = 100;
        return a;
    });
    Sasl sasl(plugin, "OAUTHBEARER", oidc(server));
    std::vector<std::thread> threads;
    std::atomic<int> good{0};

    for (int i = 0; i < 16; i++)
        threads.emplace_back([&] { good += token(sasl) == "tok-1"; });
    for (auto &t : threads)
        t.join();
    EXPECT_EQ(good, 16);
    auto requests = server.requests();
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_EQ(requests[0].method, "POST");
    EXPECT_EQ(requests[0].path, "/token");
    EXPECT_EQ(requests[0].query, "tenant=1");
    EXPECT_EQ(requests[0].body,
              "grant_type=client_credentials&scope=kafka%20read");
    EXPECT_EQ(requests[0].headers["content-type"],
              "application/x-www-form-urlencoded");
    EXPECT_EQ(requests[0].headers["authorization"],
              "Basic YmFja3VwOnAmdzpkPQ==");
    EXPECT_TRUE(has(sasl.host.logged(), "1 sasl_oauthbearer_token_endpoint_url"
                                        " is http"));
}

TEST_F(SaslOauth, SendsTheSecretAsIssuersWantIt)
{
    Http server([](const Http::Request &) { return granted("t", 300); });
    Sasl::Settings post = oidc(server), encoded = oidc(server);

    post["sasl_oauthbearer_client_auth"] = "post";
    post["sasl_oauthbearer_audience"] = "https://kafka";
    post.erase("sasl_oauthbearer_client_secret");
    post["sasl_oauthbearer_client_secret_file"] = dir.file("s", "in a file\n");
    encoded["sasl_oauthbearer_header_urlencode"] = "true";
    {
        Sasl sasl(plugin, "OAUTHBEARER", post);
        EXPECT_EQ(token(sasl), "t");
    }
    {
        Sasl sasl(plugin, "OAUTHBEARER", encoded);
        EXPECT_EQ(token(sasl), "t");
    }
    auto requests = server.requests();
    EXPECT_EQ(requests[0].body,
              "grant_type=client_credentials&scope=kafka%20read&audience="
              "https%3A%2F%2Fkafka&client_id=backup&client_secret="
              "in%20a%20file");
    EXPECT_EQ(requests[0].headers.count("authorization"), 0u);
    /* base64 of backup:p%26w%3Ad%3D */
    EXPECT_EQ(requests[1].headers["authorization"],
              "Basic YmFja3VwOnAlMjZ3JTNBZCUzRA==");
}

TEST_F(SaslOauth, RenewsAtHalfOfTheLife)
{
    int n = 0;
    Http server([&](const Http::Request &) {
        return granted("tok-" + std::to_string(++n), 4);
    });
    Sasl sasl(plugin, "OAUTHBEARER", oidc(server));

    EXPECT_EQ(token(sasl), "tok-1");
    EXPECT_EQ(token(sasl), "tok-1");
    usleep(2100000);
    EXPECT_EQ(token(sasl, KBP_SASL_REAUTH), "tok-2");
}

TEST_F(SaslOauth, UsesTheOldTokenUpWhileTheIssuerIsDown)
{
    int n = 0;
    Http server([&](const Http::Request &) {
        return n++ ? Http::Answer{503, "", "", 0, false} : granted("tok", 12);
    });
    Sasl sasl(plugin, "OAUTHBEARER", oidc(server));

    EXPECT_EQ(token(sasl), "tok");
    usleep(6100000);
    Handshake h(sasl);
    ASSERT_EQ(h.start(), KBP_OK) << h.err.text();
    EXPECT_TRUE(has(h.host.logged(), "1 the token can't be renewed yet"));
    EXPECT_LE(h.lifetime_ms(), 6000);
}

TEST_F(SaslOauth, SaysWhyTheIssuerGivesNoToken)
{
    struct {
        Http::Answer answer;
        int32_t status;
        const char *says;
    } cases[] = {
        {{401, R"({"error":"invalid_client","error_description":"bad secret"})",
          "", 0, false},
         KBP_ERR_AUTH,
         "client backup no token: HTTP 401, invalid_client, bad secret"},
        {{404, "<html>", "", 0, false}, KBP_ERR_AUTH, ".well-known"},
        {{429, "", "Retry-After: 7\r\n", 0, false},
         KBP_ERR_THROTTLED,
         "HTTP 429"},
        {{503, "", "", 0, false}, KBP_ERR_UNAVAILABLE, "HTTP 503"},
        {{302, "", "Location: http://127.0.0.1:1/\r\n", 0, false},
         KBP_ERR_PROTOCOL,
         "HTTP 302"},
        {{200, "<html>", "", 0, false}, KBP_ERR_PROTOCOL, "isn't a JSON"},
        {{200, R"({"access_token":"a b"})", "", 0, false},
         KBP_ERR_PROTOCOL,
         "isn't one that Kafka takes"},
        {{200, R"({"access_token":7})", "", 0, false},
         KBP_ERR_PROTOCOL,
         "no access_token"},
        {{200, std::string(300000, ' '), "", 0, false},
         KBP_ERR_PROTOCOL,
         "more than"},
        {{200, R"({"access_token":"tok","expires_in":0})", "", 0, false},
         KBP_ERR_EXPIRED,
         "expired"},
    };
    for (auto &c : cases) {
        Http server([&](const Http::Request &) { return c.answer; });
        Sasl sasl(plugin, "OAUTHBEARER", oidc(server));
        Handshake h(sasl);
        EXPECT_EQ(h.start(), c.status) << h.err.text();
        EXPECT_TRUE(has(h.err.text(), c.says)) << h.err.text();
        EXPECT_TRUE(has(h.err.text(), "expired") ||
                    has(h.err.text(), server.url("/token")))
            << h.err.text();
        EXPECT_FALSE(has(h.err.text(), "tenant")) << h.err.text();
        EXPECT_FALSE(has(h.err.text(), "p&w")) << h.err.text();
        if (c.answer.status == 429) {
            EXPECT_EQ(h.err.retry_after_ms, 7000u);
        }
    }
}

TEST_F(SaslOauth, AnIssuerThatIsSilentOrGoneIsTriedAgain)
{
    Http server([](const Http::Request &) {
        Http::Answer a;
        a.hang = true;
        return a;
    });
    Sasl sasl(plugin, "OAUTHBEARER", oidc(server));
    {
        Handshake h(sasl);
        h.host.deadline_ms(400);
        auto from = std::chrono::steady_clock::now();
        int32_t status = h.start();
        EXPECT_TRUE(status == KBP_ERR_TIMEOUT || status == KBP_ERR_CANCELLED);
        EXPECT_LT(std::chrono::steady_clock::now() - from,
                  std::chrono::seconds(3));
    }
    Sasl::Settings gone = oidc(server);
    gone["sasl_oauthbearer_token_endpoint_url"] = "http://127.0.0.1:1/token";
    Sasl nobody(plugin, "OAUTHBEARER", gone);
    Handshake h(nobody);
    EXPECT_EQ(h.start(), KBP_ERR_IO) << h.err.text();
    EXPECT_TRUE(has(h.err.text(), "http://127.0.0.1:1/token"));
}

TEST_F(SaslOauth, OthersLearnFromAFailedAttempt)
{
    Http server([](const Http::Request &) {
        Http::Answer a{503, "", "", 0, false};
        a.delay_ms = 300;
        return a;
    });
    Sasl sasl(plugin, "OAUTHBEARER", oidc(server));
    std::vector<std::thread> threads;
    std::atomic<int> failed{0};

    for (int i = 0; i < 8; i++)
        threads.emplace_back([&] {
            Handshake h(sasl);
            failed += h.start() == KBP_ERR_UNAVAILABLE &&
                      has(h.err.text(), "HTTP 503");
        });
    for (auto &t : threads)
        t.join();
    EXPECT_EQ(failed, 8);
    EXPECT_LT(server.requests().size(), 8u);
}

TEST_F(SaslOauth, SettingsThatCantWorkAreRefusedAtTheStart)
{
    EXPECT_TRUE(has(refused({}).text(), "no source"));
    EXPECT_TRUE(has(refused({{"sasl_oauthbearer_token", "a"},
                             {"sasl_oauthbearer_token_command", "b"}})
                        .text(),
                    "more than one source"));
    EXPECT_TRUE(has(refused({{"sasl_oauthbearer_token", "a b"}}).text(),
                    "isn't one that Kafka takes"));
    EXPECT_TRUE(has(
        refused({{"sasl_oauthbearer_token_endpoint_url", "https://x"}}).text(),
        "client_id"));
    EXPECT_TRUE(has(
        refused({{"sasl_oauthbearer_token_endpoint_url", "ftp://x"}}).text(),
        "neither"));
    EXPECT_TRUE(has(
        refused({{"sasl_oauthbearer_token_file", dir.path + "/none"}}).text(),
        "does not exist"));
    EXPECT_TRUE(has(refused({{"sasl_oauthbearer_token", "a"},
                             {"sasl_oauthbearer_method", "oidc"}})
                        .text(),
                    "is oidc"));
    for (const char *bad : {"a1=x", "auth=x", "x", "=x", "a=", "a=\x01",
                            "a=\x7f", "a=\xc3\xa9", "a=\xff"}) {
        kbt::Error err = refused({{"sasl_oauthbearer_token", "a"},
                                  {"sasl_oauthbearer_extensions", bad}});
        EXPECT_EQ(err.status, KBP_ERR_CONFIG) << bad;
        EXPECT_TRUE(has(err.text(), "sasl_oauthbearer_extensions")) << bad;
    }
}

/* Compiled with a char that has no sign, as on ARM. */
TEST(OauthMessage, TakesTheExtensionsThatKafkaTakesOnAnyMachine)
{
    auto takes = [](const char *extensions) {
        struct kb_text out;
        kbt::Error err;
        kb_text_init(&out, 1024);
        int32_t status = kb_oauth_extensions(extensions, &out, &err);
        kb_text_release(&out);
        return status == KBP_OK;
    };

    EXPECT_TRUE(takes("a=~!\t x"));
    EXPECT_FALSE(takes("a=\xc3\xa9"));
    EXPECT_FALSE(takes("a=x\xff"));
    EXPECT_FALSE(takes("a=\x7f"));
    EXPECT_FALSE(takes("a=\x1f"));
}

TEST(OauthMessage, ReadsTheExpiryOfAJwtAndOfNothingElse)
{
    auto expiry = [](const std::string &t) {
        return kb_jwt_expiry(t.data(), t.size());
    };
    auto with = [](const std::string &claims) {
        return "e30." + base64url(claims) + ".sig";
    };

    EXPECT_EQ(expiry(with(R"({"exp":1700000000})")), 1700000000);
    EXPECT_EQ(expiry(with(R"({"exp":1700000000.5})")), 1700000000);
    EXPECT_EQ(expiry(with(R"({"exp":"1700000000"})")), -1);
    EXPECT_EQ(expiry(with(R"({"exp":-5})")), -1);
    EXPECT_EQ(expiry(with(R"({"exp":1e300})")), -1);
    EXPECT_EQ(expiry(with(R"({})")), -1);
    EXPECT_EQ(expiry(with("[]")), -1);
    EXPECT_EQ(expiry("a.b"), -1);
    EXPECT_EQ(expiry(".."), -1);
    EXPECT_EQ(expiry(""), -1);
    EXPECT_EQ(expiry("a.!!!!.c"), -1);
}

TEST(OauthMessage, TakesTheTokensThatKafkaTakes)
{
    auto valid = [](const char *t) {
        return kb_oauth_token_valid(t, strlen(t)) != 0;
    };

    EXPECT_TRUE(valid("a-_~+/.Z9"));
    EXPECT_TRUE(valid("a=="));
    EXPECT_FALSE(valid(""));
    EXPECT_FALSE(valid("="));
    EXPECT_FALSE(valid("a=b"));
    EXPECT_FALSE(valid("a b"));
    EXPECT_FALSE(valid("a\n"));
    EXPECT_EQ(kb_oauth_token_valid("a\0b", 3), 0);
}

} // namespace

/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_scram.cc - SCRAM: the RFC's vectors, and a server that may lie. */
#include <gtest/gtest.h>

#include <pthread.h>
#include <sys/mman.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

extern "C" {
#include "../../sasl/scram/scram.h"
}
#include "plugin_harness.h"

using kbt::Handshake;
using kbt::Plugin;
using kbt::Sasl;

namespace
{

struct Vector {
    const EVP_MD *md;
    const char *proof;
    const char *verifier;
};

const char nonce_of_rfc[] = "rOprNGfwEbeRWgbNEkqO";
const char server_first_of_rfc[] =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

/* The message flow of RFC 7677, section 3; SHA-512 with the same inputs. */
void follow(const Vector &v)
{
    struct kb_scram scram;
    struct kb_text out;
    kbt::Error err;

    kb_scram_init(&scram, v.md, nonce_of_rfc);
    kb_text_init(&out, 4096);
    ASSERT_EQ(kb_scram_first(&scram, "user", 0, &out, &err), KBP_OK);
    EXPECT_STREQ(kb_text_str(&out), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    kb_text_clear(&out);
    ASSERT_EQ(kb_scram_final(&scram, "pencil", server_first_of_rfc,
                             strlen(server_first_of_rfc), &out, &err),
              KBP_OK)
        << err.message;
    EXPECT_EQ(std::string(kb_text_str(&out)),
              std::string("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFI"
                          "lj)hNlF$k0,p=") +
                  v.proof);
    std::string last = std::string("v=") + v.verifier;
    EXPECT_EQ(kb_scram_verify(&scram, last.data(), last.size(), &err), KBP_OK);
    last[2] = last[2] == '6' ? '7' : '6';
    EXPECT_EQ(kb_scram_verify(&scram, last.data(), last.size(), &err),
              KBP_ERR_PROTOCOL);
    kb_text_release(&out);
    kb_scram_release(&scram);
}

TEST(Scram, FollowsTheVectorOfRfc7677)
{
    follow({EVP_sha256(), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="});
}

TEST(Scram, FollowsTheSameWithSha512)
{
    follow({EVP_sha512(),
            "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC"
            "6wdp6dybEmDYXYTxwnYPJQ==",
            "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4"
            "+5ZxXnJq199RVG2rR7N7Zw=="});
}

std::string base64(const std::string &raw)
{
    std::string out(4 * ((raw.size() + 2) / 3) + 1, '\0');
    int n = EVP_EncodeBlock(reinterpret_cast<unsigned char *>(&out[0]),
                            reinterpret_cast<const unsigned char *>(raw.data()),
                            static_cast<int>(raw.size()));
    out.resize(static_cast<size_t>(n));
    return out;
}

std::string hmac(const EVP_MD *md, const std::string &key,
                 const std::string &text)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    HMAC(md, key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char *>(text.data()), text.size(), out,
         &n);
    return std::string(reinterpret_cast<char *>(out), n);
}

/* The broker's side, written from the RFC and apart from the plugin's code. */
struct Server {
    const EVP_MD *md = EVP_sha256();
    std::string password = "pencil";
    std::string salt = "0123456789abcdef";
    std::string iterations = "4096";
    std::string first_bare, first, client_nonce;

    std::string challenge(const std::string &client_first)
    {
        first_bare = client_first.substr(3);
        size_t r = first_bare.find(",r=");
        client_nonce = first_bare.substr(r + 3);
        client_nonce = client_nonce.substr(0, client_nonce.find(','));
        first = "r=" + client_nonce + "SERVER,s=" + base64(salt) +
                ",i=" + iterations;
        return first;
    }
    std::string salted() const
    {
        unsigned char out[EVP_MAX_MD_SIZE];
        int n = EVP_MD_get_size(md);

        PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                          reinterpret_cast<const unsigned char *>(salt.data()),
                          static_cast<int>(salt.size()), std::stoi(iterations),
                          md, n, out);
        return std::string(reinterpret_cast<char *>(out),
                           static_cast<size_t>(n));
    }
    std::string auth(const std::string &client_final) const
    {
        return first_bare + "," + first + "," +
               client_final.substr(0, client_final.rfind(",p="));
    }
    bool proven(const std::string &client_final) const
    {
        std::string key = hmac(md, salted(), "Client Key");
        unsigned char stored[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        std::string sign;

        EVP_Digest(key.data(), key.size(), stored, &n, md, nullptr);
        sign = hmac(md, std::string(reinterpret_cast<char *>(stored), n),
                    auth(client_final));
        for (size_t i = 0; i < key.size(); i++)
            key[i] = static_cast<char>(key[i] ^ sign[i]);
        return client_final.substr(client_final.rfind(",p=") + 3) ==
               base64(key);
    }
    std::string signature(const std::string &client_final) const
    {
        return "v=" + base64(hmac(md, hmac(md, salted(), "Server Key"),
                                  auth(client_final)));
    }
};

const Sasl::Settings user = {{"sasl_username", "user"},
                             {"sasl_password", "pencil"}};

void whole(const std::string &name, Server server, const Sasl::Settings &with)
{
    Plugin plugin("sasl_scram");
    Sasl sasl(plugin, name, with);
    Handshake h(sasl);

    ASSERT_EQ(h.start(), KBP_OK);
    ASSERT_EQ(h.step(server.challenge(h.out)), KBP_OK) << h.err.message;
    EXPECT_EQ(h.state, KBP_SASL_CONTINUE);
    EXPECT_TRUE(server.proven(h.out));
    ASSERT_EQ(h.step(server.signature(h.out)), KBP_OK) << h.err.message;
    EXPECT_EQ(h.state, KBP_SASL_DONE);
    EXPECT_EQ(h.out, "");
}

/* In a thread with a stack that can be looked through when it has ended. */
TEST(Scram, LeavesNoKeysOnTheStack)
{
    struct Run {
        Server server;
        std::string sent;
    } run;
    const size_t size = 1 << 20;
    void *stack = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    pthread_attr_t attr;
    pthread_t thread;
    auto exchange = [](void *data) -> void * {
        Run *r = static_cast<Run *>(data);
        struct kb_scram scram;
        struct kb_text out;
        kbt::Error err;

        kb_scram_init(&scram, r->server.md, nonce_of_rfc);
        kb_text_init(&out, 4096);
        (void)kb_scram_first(&scram, "user", 0, &out, &err);
        std::string in = r->server.challenge(kb_text_str(&out));
        kb_text_clear(&out);
        (void)kb_scram_final(&scram, "pencil", in.data(), in.size(), &out,
                             &err);
        r->sent = kb_text_str(&out);
        kb_text_release(&out);
        kb_scram_release(&scram);
        return nullptr;
    };

    ASSERT_NE(stack, MAP_FAILED);
    ASSERT_EQ(pthread_attr_init(&attr), 0);
    ASSERT_EQ(pthread_attr_setstack(&attr, stack, size), 0);
    ASSERT_EQ(pthread_create(&thread, &attr, exchange, &run), 0);
    ASSERT_EQ(pthread_join(thread, nullptr), 0);
    pthread_attr_destroy(&attr);

    std::string client = hmac(run.server.md, run.server.salted(), "Client Key");
    unsigned char stored[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_Digest(client.data(), client.size(), stored, &n, run.server.md,
               nullptr);
    std::string sign =
        hmac(run.server.md, std::string(reinterpret_cast<char *>(stored), n),
             run.server.auth(run.sent));
    std::string proof = client;
    for (size_t i = 0; i < proof.size(); i++)
        proof[i] = static_cast<char>(proof[i] ^ sign[i]);
    /* What is looked for is what there was. */
    ASSERT_EQ(run.sent.substr(run.sent.rfind(",p=") + 3), base64(proof));
    for (const std::string &secret : {run.server.salted(), client, sign, proof})
        EXPECT_FALSE(memmem(stack, size, secret.data(), secret.size()))
            << "it is still there: " << base64(secret);
    munmap(stack, size);
}

TEST(SaslScram, GoesThroughWithSha256)
{
    whole("SCRAM-SHA-256", Server(), user);
}

TEST(SaslScram, GoesThroughWithSha512)
{
    Server server;
    server.md = EVP_sha512();
    server.iterations = "8192";
    whole("SCRAM-SHA-512", server, user);
}

TEST(SaslScram, TakesThePasswordAsRawBytes)
{
    Server server;
    server.password = "p\xc3\xa4ssw\xc3\xb6rd\xc2\xaa";
    whole("SCRAM-SHA-256", server,
          {{"sasl_username", "user"}, {"sasl_password", server.password}});
}

TEST(SaslScram, KnowsTheNamesOfTheReference)
{
    Plugin plugin("sasl_scram");

    EXPECT_STREQ(plugin.sasl("SCRAM-SHA-256")->aliases[0], "SCRAM-SHA256");
    EXPECT_STREQ(plugin.sasl("SCRAM-SHA-512")->aliases[0], "SCRAM-SHA512");
    EXPECT_TRUE(plugin.sasl("SCRAM-SHA-512")->flags & KBP_SASL_MUTUAL);
}

TEST(SaslScram, EscapesTheUserName)
{
    Plugin plugin("sasl_scram");
    Sasl sasl(plugin, "SCRAM-SHA-256",
              {{"sasl_username", "a=b,c"}, {"sasl_password", "x"}});
    Handshake h(sasl);

    ASSERT_EQ(h.start(), KBP_OK);
    EXPECT_EQ(h.out.rfind("n,,n=a=3Db=2Cc,r=", 0), 0u) << h.out;
}

TEST(SaslScram, SaysThatItIsADelegationToken)
{
    Plugin plugin("sasl_scram");
    Sasl::Settings token = user;
    token["sasl_tokenauth"] = "true";
    Sasl sasl(plugin, "SCRAM-SHA-256", token);
    Handshake h(sasl);
    std::string tail = ",tokenauth=true";

    ASSERT_EQ(h.start(), KBP_OK);
    EXPECT_EQ(h.out.substr(h.out.size() - tail.size()), tail);
    EXPECT_EQ(h.explain(58, "no"), KBP_ERR_AUTH);
    EXPECT_NE(h.err.text().find("delegation token user"), std::string::npos);
}

TEST(SaslScram, NoncesDiffer)
{
    Plugin plugin("sasl_scram");
    Sasl sasl(plugin, "SCRAM-SHA-256", user);
    Handshake a(sasl), b(sasl);

    ASSERT_EQ(a.start(), KBP_OK);
    ASSERT_EQ(b.start(), KBP_OK);
    EXPECT_NE(a.out, b.out);
}

/* What the plugin says to a first message made from the client's nonce. */
int32_t says(const std::string &before, const std::string &after,
             std::string *why = nullptr)
{
    Plugin plugin("sasl_scram");
    Sasl sasl(plugin, "SCRAM-SHA-256", user);
    Handshake h(sasl);

    EXPECT_EQ(h.start(), KBP_OK);
    std::string nonce = h.out.substr(h.out.find(",r=") + 3);
    int32_t status = h.step(before + nonce + after);
    if (why)
        *why = h.err.text();
    EXPECT_NE(h.state, KBP_SASL_DONE);
    return status;
}

TEST(SaslScram, TakesAWellFormedChallenge)
{
    EXPECT_EQ(says("r=", "X,s=AAAA,i=4096"), KBP_OK);
    EXPECT_EQ(says("r=", "X,s=AAAA,i=4096,x=future"), KBP_OK);
}

TEST(SaslScram, RefusesALyingChallenge)
{
    std::string why;

    EXPECT_EQ(says("r=", ",s=AAAA,i=4096", &why), KBP_ERR_PROTOCOL);
    EXPECT_NE(why.find("adds nothing"), std::string::npos);
    EXPECT_EQ(says("r=Z", "X,s=AAAA,i=4096", &why), KBP_ERR_PROTOCOL);
    EXPECT_NE(why.find("doesn't begin with ours"), std::string::npos);
    EXPECT_EQ(says("r=", "\x01,s=AAAA,i=4096"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(says("m=x,r=", "X,s=AAAA,i=4096"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(says("r=", "X,s=AAA,i=4096"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(says("r=", "X,s=,i=4096"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(says("r=", "X,s=AAAA"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(says("r=", "X,s=AAAA,i=4095", &why), KBP_ERR_PROTOCOL);
    EXPECT_NE(why.find("4095"), std::string::npos);
    EXPECT_EQ(says("r=", "X,s=AAAA,i=1000001"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(says("r=", "X,s=AAAA,i=99999999999"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(says("r=", "X,s=AAAA,i=-4096"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(says("r=", "X,s=AAAA,i=04096"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(says("r=", "X,s=AAAA,i=4096x"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(says("r=", std::string(20000, 'X') + ",s=AAAA,i=4096"),
              KBP_ERR_PROTOCOL);
    EXPECT_EQ(says("r=", "X,s=" + std::string(4096, 'A') + ",i=4096"),
              KBP_ERR_PROTOCOL);
}

TEST(SaslScram, AnEmptyChallengeIsNotSuccess)
{
    Plugin plugin("sasl_scram");
    Sasl sasl(plugin, "SCRAM-SHA-256", user);
    Handshake h(sasl);

    ASSERT_EQ(h.start(), KBP_OK);
    EXPECT_EQ(h.step(""), KBP_ERR_PROTOCOL);
    EXPECT_EQ(h.state, 0);
}

TEST(SaslScram, ABrokerWithoutThePasswordIsFoundOut)
{
    Plugin plugin("sasl_scram");
    Sasl sasl(plugin, "SCRAM-SHA-256", user);
    Server liar;
    liar.password = "pen";
    for (const std::string &last :
         {std::string("the lie"), std::string(""), std::string("v="),
          std::string("v=AAAA"), std::string("v=") + std::string(44, 'A')}) {
        Handshake h(sasl);

        ASSERT_EQ(h.start(), KBP_OK);
        ASSERT_EQ(h.step(liar.challenge(h.out)), KBP_OK);
        EXPECT_EQ(h.step(last == "the lie" ? liar.signature(h.out) : last),
                  KBP_ERR_PROTOCOL);
        EXPECT_EQ(h.state, 0);
    }
}

TEST(SaslScram, TellsWhatTheBrokerRefuses)
{
    Plugin plugin("sasl_scram");
    Sasl sasl(plugin, "SCRAM-SHA-256", user);
    Server server;
    Handshake h(sasl), early(sasl);

    ASSERT_EQ(h.start(), KBP_OK);
    ASSERT_EQ(h.step(server.challenge(h.out)), KBP_OK);
    EXPECT_EQ(h.step("e=invalid-proof"), KBP_ERR_AUTH);
    EXPECT_STREQ(h.err.message, "the broker refuses: invalid-proof");
    ASSERT_EQ(early.start(), KBP_OK);
    EXPECT_EQ(early.step("e=unknown-user"), KBP_ERR_AUTH);
}

} // namespace

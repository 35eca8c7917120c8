/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_plain.cc - what sasl_plain.so sends, takes and says. */
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include "plugin_harness.h"

using kbt::Handshake;
using kbt::Plugin;
using kbt::Sasl;

namespace
{

const Sasl::Settings alice = {{"sasl_username", "alice"},
                              {"sasl_password", "s3cret"}};

TEST(SaslPlain, SendsUserAndPasswordAsRfc4616)
{
    Plugin plugin("sasl_plain");
    Sasl sasl(plugin, "PLAIN", alice);
    Handshake h(sasl, KBP_SASL_TLS);

    ASSERT_EQ(h.start(), KBP_OK);
    EXPECT_EQ(h.state, KBP_SASL_CONTINUE);
    EXPECT_EQ(h.out, std::string("\0alice\0s3cret", 13));
    ASSERT_EQ(h.step(""), KBP_OK);
    EXPECT_EQ(h.state, KBP_SASL_DONE);
    EXPECT_EQ(h.out, "");
}

TEST(SaslPlain, SendsUtf8AsItIs)
{
    Plugin plugin("sasl_plain");
    Sasl sasl(plugin, "PLAIN",
              {{"sasl_username", "b\xc3\xb6"}, {"sasl_password", "\xc2\xaa"}});
    Handshake h(sasl);

    ASSERT_EQ(h.start(), KBP_OK);
    EXPECT_EQ(h.out, std::string("\0b\xc3\xb6\0\xc2\xaa", 7));
}

TEST(SaslPlain, SaysThatItSendsTheSecretClear)
{
    Plugin plugin("sasl_plain");

    EXPECT_TRUE(plugin.sasl("PLAIN")->flags & KBP_SASL_CLEAR_SECRET);
}

TEST(SaslPlain, SaysOnceThatThereIsNoTls)
{
    Plugin plugin("sasl_plain");
    Sasl sasl(plugin, "PLAIN", alice);
    Handshake tls(sasl, KBP_SASL_TLS), clear(sasl), again(sasl);

    EXPECT_EQ(tls.host.logged(), "");
    EXPECT_NE(clear.host.logged().find("2 PLAIN without TLS"),
              std::string::npos);
    EXPECT_EQ(clear.host.logged().find("s3cret"), std::string::npos);
    EXPECT_EQ(again.host.logged(), "");
}

TEST(SaslPlain, ReadsThePasswordFileForEachHandshake)
{
    kbt::TempDir dir;
    std::string path = dir.file("password", "first\n");
    Plugin plugin("sasl_plain");
    Sasl sasl(plugin, "PLAIN",
              {{"sasl_username", "alice"}, {"sasl_password_file", path}});
    Handshake one(sasl), two(sasl), gone(sasl);

    ASSERT_EQ(one.start(), KBP_OK);
    EXPECT_EQ(one.out, std::string("\0alice\0first", 12));
    dir.file("password", "second\r\n");
    ASSERT_EQ(two.start(), KBP_OK);
    EXPECT_EQ(two.out, std::string("\0alice\0second", 13));
    unlink(path.c_str());
    EXPECT_EQ(gone.start(), KBP_ERR_CONFIG);
    EXPECT_NE(gone.err.text().find(path), std::string::npos);
}

TEST(SaslPlain, RefusesSettingsWithoutAUsablePassword)
{
    Plugin plugin("sasl_plain");
    kbt::TempDir dir;
    auto says = [&](const Sasl::Settings &s) {
        kbt::Error err = Sasl::refused(plugin, "PLAIN", s);
        EXPECT_EQ(err.status, KBP_ERR_CONFIG);
        return err.text();
    };

    EXPECT_NE(says({{"sasl_username", "a"}}).find("sasl_password_file"),
              std::string::npos);
    EXPECT_NE(says({{"sasl_username", ""}, {"sasl_password", "x"}})
                  .find("sasl_username"),
              std::string::npos);
    EXPECT_NE(
        says({{"sasl_username", "a"}, {"sasl_password", ""}}).find("empty"),
        std::string::npos);
    EXPECT_NE(says({{"sasl_username", "a"},
                    {"sasl_password", "x"},
                    {"sasl_password_file", "/x"}})
                  .find("both"),
              std::string::npos);
    EXPECT_NE(says({{"sasl_username", "a"},
                    {"sasl_password", std::string("x\0y", 3)}})
                  .find("NUL"),
              std::string::npos);
    EXPECT_NE(says({{"sasl_username", "a"},
                    {"sasl_password_file", dir.file("empty", "\n")}})
                  .find("is empty"),
              std::string::npos);
    EXPECT_NE(says({{"sasl_username", "a"}, {"sasl_password_file", dir.path}})
                  .find("is not a file"),
              std::string::npos);
    EXPECT_NE(says({{"sasl_username", "a"},
                    {"sasl_password_file", dir.path + "/none"}})
                  .find("does not exist"),
              std::string::npos);
    EXPECT_NE(says({{"sasl_username", "a"},
                    {"sasl_password_file",
                     dir.file("large", std::string(20000, 'x'))}})
                  .find("larger"),
              std::string::npos);
    std::string fifo = dir.path + "/fifo";
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_NE(says({{"sasl_username", "a"}, {"sasl_password_file", fifo}})
                  .find("is not a file"),
              std::string::npos);
}

TEST(SaslPlain, AChallengeIsAProtocolError)
{
    Plugin plugin("sasl_plain");
    Sasl sasl(plugin, "PLAIN", alice);
    Handshake h(sasl);

    ASSERT_EQ(h.start(), KBP_OK);
    EXPECT_EQ(h.step("tell me more"), KBP_ERR_PROTOCOL);
}

TEST(SaslPlain, ExplainsARefusalWithoutTheSecret)
{
    Plugin plugin("sasl_plain");
    Sasl sasl(plugin, "PLAIN", alice);
    Handshake h(sasl);

    ASSERT_EQ(h.start(), KBP_OK);
    EXPECT_EQ(h.explain(58, "Authentication failed: \n\x01 bad \xff"),
              KBP_ERR_AUTH);
    EXPECT_STREQ(h.err.message, "the broker refuses user alice: "
                                "Authentication failed:    bad ?");
    EXPECT_EQ(h.err.native, 58);
    EXPECT_NE(std::string(h.err.hint).find("sasl_password"), std::string::npos);
    EXPECT_EQ(h.err.text().find("s3cret"), std::string::npos);
    EXPECT_EQ(h.explain(33, ""), KBP_ERR_UNSUPPORTED);
    EXPECT_EQ(h.explain(34, ""), KBP_ERR_PROTOCOL);
}

} // namespace

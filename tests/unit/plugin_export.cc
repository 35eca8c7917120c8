/* SPDX-License-Identifier: Apache-2.0 */
/* plugin_export.cc - settings that end up in the environment. */
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

extern "C" {
#include "plugin/sasl.h"
}
#include "plugin_harness.h"

namespace
{

class PluginExport : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        const char *folder = KB_TEST_PLUGIN_DIR;

        err = KB_ERR_INIT;
        ASSERT_EQ(kb_registry_init(&registry, &folder, 1, &err), KBP_OK);
        unsetenv("KRB5_CONFIG");
        one = dir.file("one.conf", "[libdefaults]\n default_realm = ONE\n");
        two = dir.file("two.conf", "[libdefaults]\n default_realm = TWO\n");
    }
    void TearDown() override
    {
        kb_registry_release(&registry);
    }
    int open(const std::string &path)
    {
        kb_kv kv = {"sasl_krb5_config_path", path.c_str()};
        kb_sasl *sasl = nullptr;
        int status = kb_sasl_open(&registry, "GSSAPI", &kv, 1, &sasl, &err);

        kb_sasl_close(sasl);
        return status;
    }
    std::string variable()
    {
        const char *value = getenv("KRB5_CONFIG");
        return value ? value : "(not set)";
    }

    kbt::TempDir dir;
    std::string one, two;
    kb_registry registry = {};
    kbp_error err = KB_ERR_INIT;
};

TEST_F(PluginExport, AProgramOfOurOwnSetsWhatAnOptionExports)
{
    registry.exports_env = true;
    setenv("KRB5_CONFIG", "/of/the/user", 1);
    ASSERT_EQ(open(one), KBP_OK) << err.message;
    EXPECT_EQ(variable(), one);
    EXPECT_EQ(open(one), KBP_OK) << err.message;
}

TEST_F(PluginExport, TwoInstancesThatDisagreeAreRefused)
{
    registry.exports_env = true;
    ASSERT_EQ(open(one), KBP_OK) << err.message;
    EXPECT_EQ(open(two), KBP_ERR_CONFIG);
    EXPECT_NE(std::string(err.message).find(one), std::string::npos);
    EXPECT_NE(std::string(err.message).find(two), std::string::npos);
    EXPECT_NE(std::string(err.message).find("KRB5_CONFIG"), std::string::npos);
    EXPECT_EQ(variable(), one);
}

TEST_F(PluginExport, InAnotherProgramNothingIsSet)
{
    EXPECT_EQ(open(one), KBP_ERR_CONFIG);
    EXPECT_NE(std::string(err.hint).find("KRB5_CONFIG=" + one),
              std::string::npos)
        << err.hint;
    EXPECT_EQ(variable(), "(not set)");
}

} // namespace

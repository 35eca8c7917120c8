// SPDX-License-Identifier: Apache-2.0
// archive_groups.cc - consumer groups' offsets as an object.
#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "archive/groups.h"
#include "plugin/storage.h"
}

namespace
{

class ArchiveGroups : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        const char *dir = KB_TEST_PLUGIN_DIR;

        ASSERT_EQ(KBP_OK, kb_registry_init(&registry, &dir, 1, &err));
        ASSERT_EQ(KBP_OK, kb_store_open(&registry, "memory", nullptr, 0,
                                        nullptr, &store, &err))
            << err.message;
        ASSERT_EQ(KBP_OK, kb_store_session_open(store, nullptr, &session, &err))
            << err.message;
        kb_run_name(name.run, 1732000000000);
        name.seq = 1;
    }
    void TearDown() override
    {
        kb_store_session_close(session);
        kb_store_close(store);
        kb_registry_release(&registry);
    }
    int ReadText(const std::string &text, kb_groups *groups)
    {
        char *key = kb_key_groups("b", &name);
        int rc = kb_store_put(session, key, text.data(), text.size(), nullptr,
                              nullptr, &err);

        EXPECT_EQ(KBP_OK, rc);
        free(key);
        return kb_groups_read(groups, session, "b", &name, &err);
    }

    kb_registry registry = {};
    kb_store *store = nullptr;
    kb_store_session *session = nullptr;
    kb_name name = {};
    kbp_error err = KB_ERR_INIT;
};

TEST_F(ArchiveGroups, ComeBackAsTheyWereWithMetadataOrWithout)
{
    kb_groups out = {};
    kb_groups in = {};
    kb_captured_group *group;

    out.captured_ms = 1732000000123;
    ASSERT_EQ(KBP_OK, kb_groups_add(&out, "g\xc3\xa4\"1", &group, &err));
    ASSERT_EQ(KBP_OK, kb_captured_group_add(group, "b", 10, 7, nullptr, &err));
    ASSERT_EQ(KBP_OK,
              kb_captured_group_add(group, "b", 2, 1LL << 53, "", &err));
    ASSERT_EQ(KBP_OK, kb_captured_group_add(group, "a", 2, 0, "x\ny", &err));
    ASSERT_EQ(KBP_OK, kb_groups_add(&out, "empty", &group, &err));
    ASSERT_EQ(KBP_OK, kb_groups_write(&out, session, "b", &name, &err))
        << err.message;
    ASSERT_EQ(KBP_OK, kb_groups_read(&in, session, "b", &name, &err))
        << err.message;
    EXPECT_EQ(1732000000123, in.captured_ms);
    ASSERT_EQ(2u, in.count);
    EXPECT_STREQ("g\xc3\xa4\"1", in.items[0].name);
    ASSERT_EQ(3u, in.items[0].count);
    EXPECT_STREQ("a", in.items[0].offsets[0].topic);
    EXPECT_STREQ("x\ny", in.items[0].offsets[0].metadata);
    EXPECT_EQ(2, in.items[0].offsets[1].partition);
    EXPECT_EQ(1LL << 53, in.items[0].offsets[1].offset);
    EXPECT_STREQ("", in.items[0].offsets[1].metadata);
    EXPECT_EQ(nullptr, in.items[0].offsets[2].metadata);
    EXPECT_STREQ("empty", in.items[1].name);
    EXPECT_EQ(0u, in.items[1].count);
    kb_groups_release(&out);
    kb_groups_release(&in);
}

TEST_F(ArchiveGroups, DamagedOnesAreRefused)
{
    kb_groups in = {};

    for (const char *text :
         {"", "{", "[]", "{\"captured_at\": 1}",
          "{\"captured_at\": 1, \"groups\": [{}]}",
          "{\"captured_at\": 1, \"groups\": [{\"group\": \"g\", \"offsets\": "
          "[{\"topic\": \"t\", \"partition\": -1, \"offset\": 1}]}]}",
          "{\"captured_at\": 1, \"groups\": [{\"group\": \"g\", \"offsets\": "
          "[{\"topic\": 5, \"partition\": 1, \"offset\": 1}]}]}"})
        EXPECT_EQ(KBP_ERR_CORRUPT, ReadText(text, &in)) << text;
    EXPECT_EQ(0u, in.count);
}

TEST_F(ArchiveGroups, AMissingOneIsNamed)
{
    kb_groups in = {};

    EXPECT_EQ(KBP_ERR_NOT_FOUND,
              kb_groups_read(&in, session, "b", &name, &err));
    EXPECT_NE(nullptr, strstr(err.message, "b/groups/"));
}

} // namespace

// SPDX-License-Identifier: Apache-2.0
// plugin_storage.cc - stores, through the plugins as built.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

extern "C" {
#include "plugin/storage.h"
}
#include "test_plugins.h"

namespace
{

class PluginStorage : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        const char *dir = TestPluginDir();
        const char *tmp = getenv("TMPDIR");
        std::string root =
            std::string(tmp ? tmp : "/tmp") + "/kb-storage-XXXXXX";

        err = KB_ERR_INIT;
        ASSERT_NE(nullptr, mkdtemp(&root[0]));
        path = root;
        ASSERT_EQ(KBP_OK, kb_registry_init(&registry, &dir, 1, &err));
        kb_kv kvs[] = {{"path", path.c_str()}};
        ASSERT_EQ(KBP_OK, kb_store_open(&registry, "filesystem", kvs, 1,
                                        nullptr, &store, &err))
            << err.message;
        ASSERT_EQ(KBP_OK, kb_store_session_open(store, nullptr, &session, &err))
            << err.message;
    }
    void TearDown() override
    {
        kb_store_session_close(session);
        kb_store_close(store);
        kb_registry_release(&registry);
        std::string command = "rm -rf '" + path + "'";
        EXPECT_EQ(0, std::system(command.c_str()));
    }

    int Put(const char *key, const std::string &bytes,
            const kb_condition *cond = nullptr, kb_object_info *info = nullptr)
    {
        return kb_store_put(session, key, bytes.data(), bytes.size(), cond,
                            info, &err);
    }
    std::string Get(const char *key)
    {
        kb_buf buf = KB_BUF_INIT;

        EXPECT_EQ(KBP_OK,
                  kb_store_get_all(session, key, 1 << 20, &buf, nullptr, &err))
            << err.message;
        std::string out(reinterpret_cast<char *>(buf.data), buf.len);
        kb_buf_release(&buf);
        return out;
    }

    kb_registry registry{};
    kbp_error err{};
    kb_store *store = nullptr;
    kb_store_session *session = nullptr;
    std::string path;
};

TEST_F(PluginStorage, WhatWasPutIsGot)
{
    kb_object_info put;
    kb_object_info stat;

    ASSERT_EQ(KBP_OK, Put("a/b/c.bin", "hello", nullptr, &put)) << err.message;
    EXPECT_EQ("hello", Get("a/b/c.bin"));
    ASSERT_EQ(KBP_OK, kb_store_stat(session, "a/b/c.bin", &stat, &err));
    EXPECT_EQ(5u, stat.size);
    EXPECT_STREQ(put.etag, stat.etag);
    EXPECT_GT(stat.modified_ms, 1600000000000);
}

TEST_F(PluginStorage, RangesAreExact)
{
    char two[2];
    char nine[9];

    ASSERT_EQ(KBP_OK, Put("k", "01234567"));
    ASSERT_EQ(KBP_OK, kb_store_get_range(session, "k", 3, two, 2, &err));
    EXPECT_EQ('3', two[0]);
    EXPECT_EQ('4', two[1]);
    EXPECT_EQ(KBP_ERR_CORRUPT,
              kb_store_get_range(session, "k", 0, nine, 9, &err));
    EXPECT_EQ(KBP_ERR_CORRUPT,
              kb_store_get_range(session, "k", 100, two, 2, &err));
}

TEST_F(PluginStorage, AMissingObjectIsNamed)
{
    kb_object_info info;

    EXPECT_EQ(KBP_ERR_NOT_FOUND,
              kb_store_stat(session, "no/such", &info, &err));
    EXPECT_NE(std::string::npos, std::string(err.message).find("no/such"));
    EXPECT_EQ(KBP_OK, kb_store_remove(session, "no/such", &err));
}

TEST_F(PluginStorage, CreateOnlyAndEtagConditionsHold)
{
    kb_condition create{};
    kb_condition replace{};
    kb_object_info info;

    create.create = true;
    ASSERT_EQ(KBP_OK, Put("lease", "one", &create, &info));
    EXPECT_EQ(KBP_ERR_EXISTS, Put("lease", "two", &create));
    EXPECT_EQ("one", Get("lease"));
    replace.if_etag = "other";
    EXPECT_EQ(KBP_ERR_CONFLICT, Put("lease", "two", &replace));
    replace.if_etag = info.etag;
    EXPECT_EQ(KBP_OK, Put("lease", "two", &replace)) << err.message;
    EXPECT_EQ("two", Get("lease"));
}

TEST_F(PluginStorage, AnUploadIsSeenOnlyAfterItsCommit)
{
    kb_upload *upload = nullptr;
    kb_object_info info;

    ASSERT_EQ(KBP_OK, kb_upload_open(session, "s/seg", KBP_SIZE_UNKNOWN,
                                     nullptr, &upload, &err));
    ASSERT_EQ(KBP_OK, kb_upload_write(upload, "abc", 3, &err));
    EXPECT_EQ(KBP_ERR_NOT_FOUND, kb_store_stat(session, "s/seg", &info, &err));
    ASSERT_EQ(KBP_OK, kb_upload_write(upload, "def", 3, &err));
    ASSERT_EQ(KBP_OK, kb_upload_commit(upload, &info, &err));
    EXPECT_EQ(6u, info.size);
    EXPECT_NE(KBP_OK, kb_upload_write(upload, "x", 1, &err));
    kb_upload_close(upload);
    EXPECT_EQ("abcdef", Get("s/seg"));
    ASSERT_EQ(KBP_OK,
              kb_upload_open(session, "s/other", 3, nullptr, &upload, &err));
    ASSERT_EQ(KBP_OK, kb_upload_write(upload, "abc", 3, &err));
    kb_upload_close(upload);
    EXPECT_EQ(KBP_ERR_NOT_FOUND,
              kb_store_stat(session, "s/other", &info, &err));
}

static int32_t Collect(void *data, const kbp_object *object)
{
    static_cast<std::vector<std::string> *>(data)->push_back(object->key);
    return 0;
}

TEST_F(PluginStorage, ListGivesKeysInByteOrder)
{
    std::vector<std::string> keys;
    std::vector<std::string> want = {"a!b", "a/b1", "a/b2/x", "a/bc", "a0"};

    for (const char *key : {"a0", "a/bc", "a!b", "a/b2/x", "a/b1", "b"})
        ASSERT_EQ(KBP_OK, Put(key, "x")) << key << err.message;
    ASSERT_EQ(KBP_OK,
              kb_store_list(session, "a", nullptr, 0, Collect, &keys, &err));
    EXPECT_EQ(want, keys);
    keys.clear();
    ASSERT_EQ(KBP_OK,
              kb_store_list(session, "a/b", "a/b1", 0, Collect, &keys, &err));
    want = {"a/b2/x", "a/bc"};
    EXPECT_EQ(want, keys);
    keys.clear();
    ASSERT_EQ(KBP_OK, kb_store_list(session, "", nullptr, KBP_LIST_SHALLOW,
                                    Collect, &keys, &err));
    want = {"a!b", "a/", "a0", "b"};
    EXPECT_EQ(want, keys);
}

TEST_F(PluginStorage, StrangeKeysAreRefused)
{
    for (const char *key : {"", "/a", "a/", "a//b", ".", "..", "../x", "a/../b",
                            "a/./b", "a/..", "a\nb", "\xff"})
        EXPECT_EQ(KBP_ERR_MISUSE, Put(key, "x")) << key;
    EXPECT_EQ(KBP_ERR_MISUSE, Put(std::string(256, 'a').c_str(), "x"));
}

TEST_F(PluginStorage, AUrlOpensTheSameStore)
{
    kb_store *other = nullptr;
    kb_store_session *theirs = nullptr;
    kb_object_info info;
    std::string url = "file://" + path;

    ASSERT_EQ(KBP_OK, Put("k", "x"));
    ASSERT_EQ(KBP_OK, kb_store_open_url(&registry, url.c_str(), nullptr, 0,
                                        nullptr, &other, &err))
        << err.message;
    ASSERT_EQ(KBP_OK, kb_store_session_open(other, nullptr, &theirs, &err));
    EXPECT_EQ(KBP_OK, kb_store_stat(theirs, "k", &info, &err));
    kb_store_session_close(theirs);
    kb_store_close(other);
}

TEST_F(PluginStorage, AUrlIsNotReadAsSomethingElse)
{
    kb_store *other = nullptr;

    for (const std::string &url :
         {"file://host" + path, "file://" + path + "?a=b",
          "file://" + path + "#x"})
        EXPECT_EQ(KBP_ERR_CONFIG,
                  kb_store_open_url(&registry, url.c_str(), nullptr, 0, nullptr,
                                    &other, &err))
            << url;
}

TEST_F(PluginStorage, ObjectsAreCopied)
{
    ASSERT_EQ(KBP_OK, Put("from", "bytes"));
    ASSERT_EQ(KBP_OK, kb_store_copy(session, "from", "to/there", &err))
        << err.message;
    EXPECT_EQ("bytes", Get("to/there"));
    EXPECT_EQ(KBP_ERR_NOT_FOUND, kb_store_copy(session, "gone", "x", &err));
}

TEST_F(PluginStorage, MissingPathIsSaidInWords)
{
    kb_store *other = nullptr;

    EXPECT_EQ(KBP_ERR_CONFIG, kb_store_open(&registry, "filesystem", nullptr, 0,
                                            nullptr, &other, &err));
    EXPECT_NE(std::string::npos,
              std::string(err.message).find("path must be set"));
}

} // namespace

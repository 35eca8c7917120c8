// SPDX-License-Identifier: Apache-2.0
// filesystem_harness.h - a filesystem store in a folder of its own.
#ifndef KB_TESTS_FILESYSTEM_HARNESS_H
#define KB_TESTS_FILESYSTEM_HARNESS_H

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

extern "C" {
#include "plugin/storage.h"
}
#include "test_plugins.h"

class Filesystem : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        const char *dir = TestPluginDir();
        const char *tmp = getenv("TMPDIR");

        top = std::string(tmp ? tmp : "/tmp") + "/kb-fs-XXXXXX";
        ASSERT_NE(nullptr, mkdtemp(&top[0]));
        ASSERT_EQ(KBP_OK, kb_registry_init(&registry, &dir, 1, &err));
        Open(top + "/store");
    }
    void TearDown() override
    {
        Close();
        kb_registry_release(&registry);
        std::string command =
            "chmod -R u+rwx '" + top + "' && rm -rf '" + top + "'";
        EXPECT_EQ(0, std::system(command.c_str()));
    }
    void Open(const std::string &path)
    {
        kb_kv kvs[] = {{"path", path.c_str()}};
        kb_store_limits limits = {5000, 0};

        root = path;
        ASSERT_EQ(KBP_OK, kb_store_open(&registry, "filesystem", kvs, 1,
                                        &limits, &store, &err))
            << err.message;
        ASSERT_EQ(KBP_OK, kb_store_session_open(store, nullptr, &session, &err))
            << err.message;
    }
    void Close()
    {
        kb_store_session_close(session);
        kb_store_close(store);
        session = nullptr;
        store = nullptr;
    }
    int Put(const std::string &key, const std::string &bytes,
            bool create = false)
    {
        kb_condition cond{};

        cond.create = create;
        return kb_store_put(session, key.c_str(), bytes.data(), bytes.size(),
                            &cond, nullptr, &err);
    }
    int Stat(const std::string &key)
    {
        kb_object_info info;

        return kb_store_stat(session, key.c_str(), &info, &err);
    }
    std::string Get(const std::string &key)
    {
        kb_buf buf = KB_BUF_INIT;
        int status = kb_store_get_all(session, key.c_str(), 1 << 20, &buf,
                                      nullptr, &err);
        std::string out =
            status == KBP_OK
                ? std::string(reinterpret_cast<char *>(buf.data), buf.len)
                : "failed: " + std::string(err.message);

        kb_buf_release(&buf);
        return out;
    }
    int Remove(const std::string &key)
    {
        return kb_store_remove(session, key.c_str(), &err);
    }
    static int32_t Collect(void *data, const kbp_object *object)
    {
        *static_cast<std::string *>(data) += std::string(object->key) + " ";
        return 0;
    }
    std::string List(const std::string &prefix = "")
    {
        std::string keys;

        EXPECT_EQ(KBP_OK, kb_store_list(session, prefix.c_str(), nullptr, 0,
                                        Collect, &keys, &err))
            << err.message;
        return keys;
    }
    // Files in the folder of uploads.
    int Left() const
    {
        std::string command = "ls '" + root + "/.kafka-backup' | grep -c ^up- ";
        FILE *pipe = popen(command.c_str(), "r");
        int count = -1;

        EXPECT_EQ(1, fscanf(pipe, "%d", &count));
        pclose(pipe);
        return count;
    }
    bool MessageHas(const std::string &text) const
    {
        return std::string(err.message).find(text) != std::string::npos;
    }

    kb_registry registry{};
    kbp_error err = KB_ERR_INIT;
    kb_store *store = nullptr;
    kb_store_session *session = nullptr;
    std::string top;
    std::string root;
};

#endif

// SPDX-License-Identifier: Apache-2.0
// storage_retry.cc - what the host does when a store fails, by a store in
// memory that fails on request.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include "base/clock.h"
#include "base/stop.h"
#include "plugin/storage.h"
}
#include "test_plugins.h"

namespace
{

class StorageRetry : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        const char *dir = TestPluginDir();

        ASSERT_EQ(KBP_OK, kb_registry_init(&registry, &dir, 1, &err));
        ASSERT_EQ(KBP_OK, kb_stop_init(&stop, &err));
        name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    }
    void TearDown() override
    {
        Close();
        kb_store_session_close(good_session);
        kb_store_close(good);
        kb_stop_release(&stop);
        kb_registry_release(&registry);
    }
    // A store that fails, and the same one which doesn't.
    void Open(std::vector<kb_kv> kvs, kb_store_limits limits = {5000, 5000})
    {
        kvs.push_back({"name", name.c_str()});
        ASSERT_EQ(KBP_OK, kb_store_open(&registry, "memory", kvs.data(),
                                        kvs.size(), &limits, &store, &err))
            << err.message;
        ASSERT_EQ(KBP_OK, kb_store_session_open(store, &stop, &session, &err));
        kb_kv plain[] = {{"name", name.c_str()}};
        ASSERT_EQ(KBP_OK, kb_store_open(&registry, "memory", plain, 1, nullptr,
                                        &good, &err));
        ASSERT_EQ(KBP_OK,
                  kb_store_session_open(good, nullptr, &good_session, &err));
    }
    void Close()
    {
        kb_store_session_close(session);
        kb_store_close(store);
        session = nullptr;
        store = nullptr;
    }
    int Put(kb_store_session *to, const char *key, const std::string &bytes,
            bool create = false)
    {
        kb_condition cond{};

        cond.create = create;
        return kb_store_put(to, key, bytes.data(), bytes.size(),
                            create ? &cond : nullptr, nullptr, &err);
    }
    std::string Get(kb_store_session *from, const char *key)
    {
        kb_buf buf = KB_BUF_INIT;

        EXPECT_EQ(KBP_OK,
                  kb_store_get_all(from, key, 1 << 24, &buf, nullptr, &err))
            << err.message;
        std::string out(reinterpret_cast<char *>(buf.data), buf.len);
        kb_buf_release(&buf);
        return out;
    }
    static int32_t Collect(void *data, const kbp_object *object)
    {
        *static_cast<std::string *>(data) += std::string(object->key) + " ";
        return 0;
    }
    static std::string Bytes(size_t len)
    {
        std::string bytes(len, '\0');

        for (size_t i = 0; i < len; i++)
            bytes[i] = static_cast<char>(i * 2654435761u >> 13);
        return bytes;
    }

    kb_registry registry{};
    kb_stop stop{};
    kbp_error err = KB_ERR_INIT;
    kb_store *store = nullptr;
    kb_store *good = nullptr;
    kb_store_session *session = nullptr;
    kb_store_session *good_session = nullptr;
    std::string name;
};

TEST_F(StorageRetry, AStreamGoesOnWhereAWriteFailed)
{
    kb_upload *upload = nullptr;
    std::string bytes = Bytes(1000000);

    Open({{"fail_every", "3"}});
    ASSERT_EQ(KBP_OK, kb_upload_open(session, "k", KBP_SIZE_UNKNOWN, nullptr,
                                     &upload, &err));
    for (size_t at = 0; at < bytes.size(); at += 100000)
        ASSERT_EQ(KBP_OK,
                  kb_upload_write(upload, bytes.data() + at, 100000, &err))
            << err.message;
    EXPECT_EQ(bytes.size(), kb_upload_size(upload));
    ASSERT_EQ(KBP_OK, kb_upload_commit(upload, nullptr, &err)) << err.message;
    kb_upload_close(upload);
    EXPECT_TRUE(bytes == Get(good_session, "k"));
}

TEST_F(StorageRetry, AGetGoesOnWhereItWasCut)
{
    std::string bytes = Bytes(100000);
    char part[1000];

    Open({{"fail_every", "2"}});
    ASSERT_EQ(KBP_OK, Put(good_session, "k", bytes));
    EXPECT_TRUE(bytes == Get(session, "k"));
    EXPECT_TRUE(bytes == Get(session, "k"));
    for (int i = 0; i < 4; i++) {
        ASSERT_EQ(KBP_OK,
                  kb_store_get_range(session, "k", 777, part, 1000, &err));
        EXPECT_EQ(bytes.substr(777, 1000), std::string(part, 1000));
    }
}

// Half of one state and half of another would be neither.
TEST_F(StorageRetry, AGetNeverJoinsTwoStates)
{
    struct Half {
        std::function<void()> replace;
        kbp_sink inner;
        bool replaced;
    } half{};
    kb_buf buf = KB_BUF_INIT;
    kbp_sink sink{};

    Open({{"fail_every", "1"}}, {5000, 1000});
    ASSERT_EQ(KBP_OK, Put(good_session, "k", std::string(1000, 'a')));
    half.replace = [this] {
        EXPECT_EQ(KBP_OK, Put(good_session, "k", std::string(1000, 'b')));
    };
    half.inner = kb_buf_sink(&buf, 1 << 20);
    sink.struct_size = sizeof sink;
    sink.limit = 1 << 20;
    sink.data = &half;
    sink.reserve = [](kbp_sink *self, size_t min, size_t wish, void **room,
                      size_t *len) -> int32_t {
        auto *h = static_cast<Half *>(self->data);

        return h->inner.reserve(&h->inner, min, wish, room, len);
    };
    sink.commit = [](kbp_sink *self, size_t used) {
        auto *h = static_cast<Half *>(self->data);

        h->inner.commit(&h->inner, used);
        if (!h->replaced)
            h->replace();
        h->replaced = true;
    };
    EXPECT_EQ(KBP_ERR_CONFLICT, kb_store_get(session, "k", 0, KBP_TO_END,
                                             nullptr, &sink, nullptr, &err));
    EXPECT_EQ(500u, buf.len);
    kb_buf_release(&buf);
}

TEST_F(StorageRetry, AListingGoesOnAfterTheLastKeyAndTellsNoneTwice)
{
    std::string keys;

    Open({{"fail_every", "2"}});
    for (const char *key : {"a/1", "a/2", "b", "c/1", "c/2", "d"})
        ASSERT_EQ(KBP_OK, Put(good_session, key, "x"));
    ASSERT_EQ(KBP_OK,
              kb_store_list(session, "", nullptr, 0, Collect, &keys, &err));
    keys.clear();
    ASSERT_EQ(KBP_OK,
              kb_store_list(session, "", nullptr, 0, Collect, &keys, &err));
    EXPECT_EQ("a/1 a/2 b c/1 c/2 d ", keys);
    for (int i = 0; i < 2; i++) {
        keys.clear();
        ASSERT_EQ(KBP_OK, kb_store_list(session, "", nullptr, KBP_LIST_SHALLOW,
                                        Collect, &keys, &err));
        EXPECT_EQ("a/ b c/ d ", keys);
    }
}

TEST_F(StorageRetry, GivesUpWithThePluginsWords)
{
    kb_object_info info;
    int64_t begin = kb_now_ms();

    Open({{"fail_every", "1"}}, {5000, 300});
    EXPECT_EQ(KBP_ERR_IO, kb_store_stat(session, "k", &info, &err));
    EXPECT_STREQ("storage memory: k: the network broke", err.message);
    EXPECT_GE(kb_now_ms() - begin, 250);
    EXPECT_LT(kb_now_ms() - begin, 5000);
}

TEST_F(StorageRetry, DoesntTryAgainWhatCantGetWell)
{
    kb_object_info info;
    int64_t begin = kb_now_ms();

    Open({{"capacity", "10"}}, {5000, 60000});
    EXPECT_EQ(KBP_ERR_NOT_FOUND, kb_store_stat(session, "k", &info, &err));
    EXPECT_EQ(KBP_ERR_FULL, Put(session, "k", Bytes(11)));
    EXPECT_NE(nullptr, strstr(err.message, "the store is full"));
    EXPECT_LT(kb_now_ms() - begin, 5000);
}

TEST_F(StorageRetry, ALostAnswerThatWasDoneIsDoneOnce)
{
    Open({{"unsure", "done"}});
    EXPECT_EQ(KBP_OK, Put(session, "k", "x", true)) << err.message;
    EXPECT_EQ("x", Get(good_session, "k"));
}

TEST_F(StorageRetry, ALostAnswerThatWasNotDoneIsDoneAgain)
{
    Open({{"unsure", "undone"}});
    EXPECT_EQ(KBP_OK, Put(session, "k", "x", true)) << err.message;
    EXPECT_EQ("x", Get(good_session, "k"));
}

TEST_F(StorageRetry, APluginThatCantTellIsAnsweredByLookingAtTheObject)
{
    Open({{"unsure", "forgotten"}, {"local", "false"}});
    EXPECT_EQ(KBP_OK, Put(session, "k", Bytes(5000), true)) << err.message;
    EXPECT_TRUE(Bytes(5000) == Get(good_session, "k"));
}

TEST_F(StorageRetry, SomebodyElsesObjectIsNotTakenForOurs)
{
    kb_upload *upload = nullptr;
    kb_condition cond{};

    Open({{"unsure", "undone"}, {"local", "false"}});
    cond.create = true;
    ASSERT_EQ(KBP_OK, kb_upload_open(session, "k", 4, &cond, &upload, &err));
    ASSERT_EQ(KBP_OK, kb_upload_write(upload, "ours", 4, &err));
    ASSERT_EQ(KBP_OK, Put(good_session, "k", "them"));
    EXPECT_EQ(KBP_ERR_EXISTS, kb_upload_commit(upload, nullptr, &err));
    kb_upload_close(upload);
    EXPECT_EQ("them", Get(good_session, "k"));
}

TEST_F(StorageRetry, ConditionsThatAStoreCantKeepAreRefused)
{
    kb_condition cond{};

    Open({{"conditions", "false"}});
    EXPECT_EQ(KBP_ERR_UNSUPPORTED, Put(session, "k", "x", true));
    cond.if_etag = "1";
    EXPECT_EQ(KBP_ERR_UNSUPPORTED,
              kb_store_put(session, "k", "x", 1, &cond, nullptr, &err));
    EXPECT_EQ(KBP_OK, Put(session, "k", "x"));
}

TEST_F(StorageRetry, ACallThatTakesTooLongIsTimedOutAndTriedAgain)
{
    kb_object_info info;
    int64_t begin = kb_now_ms();

    Open({{"delay", "60s"}}, {50, 300});
    EXPECT_EQ(KBP_ERR_TIMEOUT, kb_store_stat(session, "k", &info, &err));
    EXPECT_STREQ("storage memory: k: not done in time", err.message);
    EXPECT_LT(kb_now_ms() - begin, 10000);
}

TEST_F(StorageRetry, AStopEndsACallAndTheWaitForTheNext)
{
    kb_object_info info;
    int64_t begin = kb_now_ms();

    Open({{"delay", "60s"}}, {60000, 60000});
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        kb_stop_request(&stop);
    });
    EXPECT_EQ(KBP_ERR_CANCELLED, kb_store_stat(session, "k", &info, &err));
    other.join();
    Close();
    kb_stop_release(&stop);
    ASSERT_EQ(KBP_OK, kb_stop_init(&stop, &err));
    kb_kv kvs[] = {{"fail_every", "1"}};
    kb_store_limits limits = {60000, 60000};
    ASSERT_EQ(KBP_OK, kb_store_open(&registry, "memory", kvs, 1, &limits,
                                    &store, &err));
    ASSERT_EQ(KBP_OK, kb_store_session_open(store, &stop, &session, &err));
    std::thread again([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
        kb_stop_request(&stop);
    });
    EXPECT_EQ(KBP_ERR_CANCELLED, kb_store_stat(session, "k", &info, &err));
    again.join();
    EXPECT_LT(kb_now_ms() - begin, 20000);
}

TEST_F(StorageRetry, LimitsAreToldWithTheObject)
{
    kb_buf buf = KB_BUF_INIT;

    Open({});
    ASSERT_EQ(KBP_OK, Put(session, "k", Bytes(1000)));
    EXPECT_EQ(KBP_ERR_LIMIT,
              kb_store_get_all(session, "k", 999, &buf, nullptr, &err));
    EXPECT_STREQ("storage memory: k has more than 999 bytes", err.message);
    kb_buf_release(&buf);
}

} // namespace

// SPDX-License-Identifier: Apache-2.0
// plugin_codec.cc - registry and codecs, through the plugins as built.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include "base/buf.h"
#include "plugin/codec.h"
}
#include "test_plugins.h"

namespace
{

class PluginCodec : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        const char *dir = TestPluginDir();

        err = KB_ERR_INIT;
        ASSERT_EQ(KBP_OK, kb_registry_init(&registry, &dir, 1, &err))
            << err.message;
    }
    void TearDown() override
    {
        kb_registry_release(&registry);
    }

    std::string Compress(kb_codec_session *session, const std::string &in)
    {
        kb_buf buf = KB_BUF_INIT;
        kbp_sink sink = kb_buf_sink(&buf, UINT64_MAX);

        EXPECT_EQ(KBP_OK,
                  kb_codec_compress(session, in.data(), in.size(), &sink, &err))
            << err.message;
        std::string out(reinterpret_cast<char *>(buf.data), buf.len);
        kb_buf_release(&buf);
        return out;
    }

    int Decompress(kb_codec_session *session, const std::string &in,
                   uint64_t limit, std::string *out)
    {
        kb_buf buf = KB_BUF_INIT;
        kbp_sink sink = kb_buf_sink(&buf, limit);
        int status =
            kb_codec_decompress(session, in.data(), in.size(), &sink, &err);

        out->assign(reinterpret_cast<char *>(buf.data), buf.len);
        kb_buf_release(&buf);
        return status;
    }

    kb_registry registry{};
    kbp_error err{};
};

TEST_F(PluginCodec, MissingPluginNamesFilesAndDirectories)
{
    kb_codec *codec = nullptr;

    ASSERT_EQ(KBP_ERR_CONFIG, kb_codec_open(&registry, "Brotli-Fast", nullptr,
                                            0, nullptr, &codec, &err));
    std::string message = err.message;
    EXPECT_NE(std::string::npos, message.find("codec \"Brotli-Fast\""));
    EXPECT_NE(std::string::npos,
              message.find("codec_brotli_fast.so, codec_brotli.so"));
    EXPECT_NE(std::string::npos, message.find(TestPluginDir()));
    EXPECT_NE(std::string::npos, std::string(err.hint).find("--plugin-dir"));
}

TEST_F(PluginCodec, ANameWithASlashStaysInTheDirectory)
{
    kb_codec *codec = nullptr;

    ASSERT_NE(KBP_OK, kb_codec_open(&registry, "../../etc/passwd", nullptr, 0,
                                    nullptr, &codec, &err));
    EXPECT_NE(std::string::npos,
              std::string(err.message).find("codec_______etc_passwd.so"));
}

TEST_F(PluginCodec, EveryKafkaCodecRoundTrips)
{
    kb_codec_set set;
    kb_codec_worker worker;
    std::string text;

    for (int i = 0; i < 20000; i++)
        text += "{\"n\":" + std::to_string(i * 7919) + "}";
    kb_codec_set_init(&set, &registry, nullptr);
    kb_codec_worker_init(&worker, &set);
    for (int id = 0; id < 5; id++) {
        kb_codec_session *session = nullptr;
        kb_codec_session *again = nullptr;
        std::string back;

        ASSERT_EQ(KBP_OK, kb_codec_worker_kafka(&worker, id, &session, &err))
            << err.message;
        ASSERT_EQ(KBP_OK, kb_codec_worker_kafka(&worker, id, &again, &err));
        EXPECT_EQ(session, again);
        for (size_t len : {size_t(0), size_t(1), size_t(1000), text.size()}) {
            std::string in = text.substr(0, len);
            std::string packed = Compress(session, in);

            ASSERT_EQ(KBP_OK, Decompress(session, packed, len, &back))
                << id << " " << len << " " << err.message;
            EXPECT_EQ(in, back);
            if (len > 0) {
                EXPECT_EQ(KBP_ERR_LIMIT,
                          Decompress(session, packed, len - 1, &back))
                    << id << " " << len;
            }
        }
    }
    kb_codec_worker_release(&worker);
    kb_codec_set_release(&set);
}

TEST_F(PluginCodec, AnUnknownKafkaIdIsDamage)
{
    kb_codec_set set;
    kb_codec *codec = nullptr;

    kb_codec_set_init(&set, &registry, nullptr);
    EXPECT_EQ(KBP_ERR_CORRUPT, kb_codec_set_kafka(&set, 5, &codec, &err));
    EXPECT_EQ(KBP_ERR_CORRUPT, kb_codec_set_kafka(&set, -1, &codec, &err));
    kb_codec_set_release(&set);
}

TEST_F(PluginCodec, ASetOpensEachCodecOnceForAllThreads)
{
    kb_codec_set set;
    std::vector<std::thread> threads;
    std::vector<kb_codec *> seen(8);

    kb_codec_set_init(&set, &registry, nullptr);
    for (size_t i = 0; i < seen.size(); i++)
        threads.emplace_back([&, i] {
            kbp_error mine = KB_ERR_INIT;

            EXPECT_EQ(KBP_OK, kb_codec_set_kafka(&set, 4, &seen[i], &mine));
        });
    for (auto &thread : threads)
        thread.join();
    for (kb_codec *codec : seen)
        EXPECT_EQ(seen[0], codec);
    EXPECT_EQ(1u, set.count);
    kb_codec *named = nullptr;
    EXPECT_EQ(KBP_OK, kb_codec_set_named(&set, "zstd", &named, &err));
    EXPECT_EQ(seen[0], named);
    kb_codec_set_release(&set);
}

TEST_F(PluginCodec, SettingsAreCheckedByTheTypesOptions)
{
    kb_codec *codec = nullptr;
    kb_kv bad[] = {{"levle", "3"}};
    kb_kv text[] = {{"level", "high"}};
    kb_kv range[] = {{"level", "99"}};
    kb_kv good[] = {{"level", "19"}};

    EXPECT_EQ(KBP_ERR_CONFIG,
              kb_codec_open(&registry, "zstd", bad, 1, nullptr, &codec, &err));
    EXPECT_STREQ("codec zstd has no setting \"levle\"", err.message);
    EXPECT_STREQ("did you mean level?", err.hint);
    EXPECT_EQ(KBP_ERR_CONFIG,
              kb_codec_open(&registry, "zstd", text, 1, nullptr, &codec, &err));
    EXPECT_STREQ("codec zstd: level: \"high\" is not a whole number",
                 err.message);
    EXPECT_EQ(KBP_ERR_CONFIG, kb_codec_open(&registry, "zstd", range, 1,
                                            nullptr, &codec, &err));
    EXPECT_EQ(0u, std::string(err.message).find("codec zstd: level: 99"));
    ASSERT_EQ(KBP_OK,
              kb_codec_open(&registry, "zstd", good, 1, nullptr, &codec, &err));
    EXPECT_EQ(4, kb_codec_type(codec)->kafka_id);
    kb_codec_close(codec);
}

} // namespace

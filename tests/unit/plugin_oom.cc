// SPDX-License-Identifier: Apache-2.0
// plugin_oom.cc - the n-th allocation fails, for n = 1, 2, ... until all went
// well: each failure is an ordinary error, and nothing is lost.
//
// This program's malloc() stands before libc's, for plugins and libraries too.
#include <gtest/gtest.h>

#include <link.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>

extern "C" {
#include "base/buf.h"
#include "base/clock.h"
#include "plugin/codec.h"
#include "plugin/sasl.h"
#include "plugin/storage.h"
}
#include "test_plugins.h"

extern "C" {
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *from, size_t size);
void __libc_free(void *from);
}

namespace
{

std::atomic<bool> counting{false};
std::atomic<long> until_failure{0}; // 1: the next one fails
std::atomic<long> live{0};

// Where libcrypto's code is. Its own allocations go well: after one that fails
// OpenSSL 3.0 may find an algorithm never again.
struct Code {
    uintptr_t first = 0;
    uintptr_t end = 0;
};
Code openssl;

int FindOpenssl(struct dl_phdr_info *info, size_t, void *)
{
    if (!info->dlpi_name || !strstr(info->dlpi_name, "libcrypto.so"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD &&
            info->dlpi_phdr[i].p_flags & PF_X) {
            openssl.first = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            openssl.end = openssl.first + info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

bool Fails(const void *caller)
{
    uintptr_t at = reinterpret_cast<uintptr_t>(caller);

    if (!counting || (at >= openssl.first && at < openssl.end) ||
        until_failure.fetch_sub(1) != 1)
        return false;
    errno = ENOMEM;
    return true;
}

} // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void *malloc(size_t size)
{
    void *at =
        Fails(__builtin_return_address(0)) ? nullptr : __libc_malloc(size);

    live += at != nullptr;
    return at;
}

EXPORT void *calloc(size_t count, size_t size)
{
    void *at = Fails(__builtin_return_address(0)) ? nullptr
                                                  : __libc_calloc(count, size);

    live += at != nullptr;
    return at;
}

EXPORT void *realloc(void *from, size_t size)
{
    void *at = Fails(__builtin_return_address(0)) ? nullptr
                                                  : __libc_realloc(from, size);

    live += at != nullptr && from == nullptr;
    return at;
}

EXPORT void free(void *from)
{
    live -= from != nullptr;
    __libc_free(from);
}

namespace
{

// What a run came to; gtest allocates, so nothing is asserted within one.
struct Outcome {
    int status = KBP_OK;
    bool wrong = false; // it said that all was well, and it wasn't
    char message[KBP_MESSAGE_MAX] = "";
};

const char text[] = "{\"id\":1}{\"id\":2}{\"id\":3}{\"id\":4}{\"id\":5}";

Outcome UseCodec(const char *dir, const char *name)
{
    kbp_error err = KB_ERR_INIT;
    Outcome outcome;
    kb_registry registry{};
    kb_codec *codec = nullptr;
    kb_codec_session *session = nullptr;
    kb_buf packed = KB_BUF_INIT;
    kb_buf back = KB_BUF_INIT;

    outcome.status = kb_registry_init(&registry, &dir, 1, &err);
    if (outcome.status == KBP_OK)
        outcome.status =
            kb_codec_open(&registry, name, nullptr, 0, nullptr, &codec, &err);
    if (outcome.status == KBP_OK)
        outcome.status = kb_codec_session_open(codec, &session, &err);
    if (outcome.status == KBP_OK) {
        kbp_sink sink = kb_buf_sink(&packed, UINT64_MAX);
        outcome.status =
            kb_codec_compress(session, text, sizeof text, &sink, &err);
    }
    if (outcome.status == KBP_OK) {
        kbp_sink sink = kb_buf_sink(&back, sizeof text);
        outcome.status =
            kb_codec_decompress(session, packed.data, packed.len, &sink, &err);
        outcome.wrong = outcome.status == KBP_OK &&
                        (back.len != sizeof text ||
                         memcmp(back.data, text, sizeof text) != 0);
    }
    kb_buf_release(&packed);
    kb_buf_release(&back);
    kb_codec_session_close(session);
    kb_codec_close(codec);
    kb_registry_release(&registry);
    return outcome;
}

int32_t Count(void *data, const kbp_object *)
{
    ++*static_cast<int *>(data);
    return 0;
}

Outcome UseStore(const char *dir, const char *name, const kb_kv *kvs,
                 size_t kv_count)
{
    kbp_error err = KB_ERR_INIT;
    Outcome outcome;
    kb_registry registry{};
    kb_store *store = nullptr;
    kb_store_session *session = nullptr;
    kb_buf back = KB_BUF_INIT;
    kb_condition cond{};
    int objects = 0;

    cond.create = true;
    outcome.status = kb_registry_init(&registry, &dir, 1, &err);
    if (outcome.status == KBP_OK)
        outcome.status = kb_store_open(&registry, name, kvs, kv_count, nullptr,
                                       &store, &err);
    if (outcome.status == KBP_OK)
        outcome.status = kb_store_session_open(store, nullptr, &session, &err);
    if (outcome.status == KBP_OK)
        outcome.status = kb_store_put(session, "a/b/k", text, sizeof text,
                                      nullptr, nullptr, &err);
    if (outcome.status == KBP_OK)
        outcome.status = kb_store_put(session, "a/b/c", text, sizeof text,
                                      &cond, nullptr, &err);
    if (outcome.status == KBP_OK)
        outcome.status =
            kb_store_get_all(session, "a/b/k", 1000, &back, nullptr, &err);
    if (outcome.status == KBP_OK)
        outcome.wrong = back.len != sizeof text ||
                        memcmp(back.data, text, sizeof text) != 0;
    if (outcome.status == KBP_OK)
        outcome.status =
            kb_store_list(session, "a", nullptr, 0, Count, &objects, &err);
    if (outcome.status == KBP_OK)
        outcome.wrong |= objects != 2;
    if (outcome.status == KBP_OK)
        outcome.status = kb_store_copy(session, "a/b/k", "copy", &err);
    for (const char *key : {"copy", "a/b/c", "a/b/k"})
        if (session) {
            until_failure = 0; // clear up for the next round
            (void)kb_store_remove(session, key, &err);
        }
    kb_buf_release(&back);
    kb_store_session_close(session);
    kb_store_close(store);
    kb_registry_release(&registry);
    return outcome;
}

// What a broker answers to the client's first message; nothing: it is content.
std::string Challenge(const std::string &mechanism, const std::string &first)
{
    size_t nonce = first.find("r=");

    if (mechanism == "AWS_MSK_IAM")
        return "{\"version\":\"2020_10_22\",\"request-id\":\"1\"}";
    if (mechanism.rfind("SCRAM", 0) != 0 || nonce == std::string::npos)
        return "";
    return first.substr(nonce) + "more,s=QSXCR+Q6sek8bf92,i=4096";
}

Outcome UseSasl(const char *dir, const char *name, const kb_kv *kvs,
                size_t kv_count)
{
    kbp_error err = KB_ERR_INIT;
    Outcome outcome;
    kb_registry registry{};
    kb_sasl *sasl = nullptr;
    kb_sasl_session *session = nullptr;
    kb_buf first = KB_BUF_INIT;
    kb_buf second = KB_BUF_INIT;
    kbp_sasl_peer peer{};
    bool done = false;

    peer.struct_size = sizeof peer;
    peer.flags = KBP_SASL_TLS;
    peer.host = "b-1.test.a1b2c3.c2.kafka.eu-west-1.amazonaws.com";
    peer.port = 9098;
    outcome.status = kb_registry_init(&registry, &dir, 1, &err);
    if (outcome.status == KBP_OK)
        outcome.status =
            kb_sasl_open(&registry, name, kvs, kv_count, &sasl, &err);
    if (outcome.status == KBP_OK)
        outcome.status =
            kb_sasl_session_open(sasl, &peer, nullptr, &session, &err);
    if (outcome.status == KBP_OK)
        outcome.status =
            kb_sasl_step(session, nullptr, 0, KB_NEVER, &first, &done, &err);
    if (outcome.status == KBP_OK)
        outcome.wrong = first.len == 0;
    if (outcome.status == KBP_OK && !done) {
        bool counted = counting;

        counting = false; // the broker has memory
        std::string answer =
            Challenge(name, {reinterpret_cast<char *>(first.data), first.len});
        counting = counted;
        outcome.status = kb_sasl_step(session, answer.data(), answer.size(),
                                      KB_NEVER, &second, &done, &err);
    }
    memcpy(outcome.message, err.message, sizeof outcome.message);
    kb_buf_release(&first);
    kb_buf_release(&second);
    kb_sasl_session_close(session);
    kb_sasl_close(sasl);
    kb_registry_release(&registry);
    return outcome;
}

template <typename F> void Torture(F use)
{
    // The first use loads files and warms caches up, which stay.
    Outcome outcome = use();
    ASSERT_EQ(KBP_OK, outcome.status) << outcome.message;
    (void)use();
    (void)dl_iterate_phdr(FindOpenssl, nullptr);
    long failures = 0;
    for (long n = 1;; n++) {
        long before = live;

        until_failure = n;
        counting = true;
        outcome = use();
        counting = false;
        long lost = live - before;
        bool failed = until_failure <= 0;

        ASSERT_FALSE(outcome.wrong) << "with allocation " << n << " failing";
        // jansson doesn't say that it is memory which it lacks.
        ASSERT_TRUE(outcome.status == KBP_OK ||
                    outcome.status == KBP_ERR_NOMEM ||
                    outcome.status == KBP_ERR_CONFIG ||
                    outcome.status == KBP_ERR_PROTOCOL)
            << "with allocation " << n << " failing: status " << outcome.status
            << " " << outcome.message;
        ASSERT_LE(lost, 0) << "with allocation " << n << " failing "
                           << outcome.message;
        failures += outcome.status != KBP_OK;
        if (outcome.status == KBP_OK && !failed)
            break;
        if (outcome.status == KBP_OK && n > 2000)
            break;
        ASSERT_LT(n, 5000) << outcome.message;
    }
    EXPECT_GT(failures, 5);
}

TEST(Oom, Codecs)
{
    for (const char *name :
         {"none", "gzip", "snappy", "lz4", "lz4-block", "zstd"})
        Torture([&] { return UseCodec(TestPluginDir(), name); });
}

TEST(Oom, SaslMechanisms)
{
    const kb_kv login[] = {{"sasl_username", "alice"},
                           {"sasl_password", "alice-secret"}};
    const kb_kv token[] = {{"sasl_oauthbearer_token", "a.b.c"}};
    const kb_kv aws[] = {{"sasl_aws_access_key_id", "AKIDEXAMPLE"},
                         {"sasl_aws_secret_access_key", "secret"}};

    for (const char *name : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})
        Torture([&] { return UseSasl(TestPluginDir(), name, login, 2); });
    Torture([&] { return UseSasl(TestPluginDir(), "OAUTHBEARER", token, 1); });
    for (const char *name : {"AWS_MSK_IAM", "AWS_MSK_IAM_OAUTHBEARER"})
        Torture([&] { return UseSasl(TestPluginDir(), name, aws, 2); });
}

TEST(Oom, FilesystemStore)
{
    const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    std::string root = std::string(tmp) + "/kb-oom-XXXXXX";

    ASSERT_NE(nullptr, mkdtemp(&root[0]));
    kb_kv kvs[] = {{"path", root.c_str()}};
    Torture([&] { return UseStore(TestPluginDir(), "filesystem", kvs, 1); });
    std::string command = "rm -rf '" + root + "'";
    EXPECT_EQ(0, std::system(command.c_str()));
}

TEST(Oom, MemoryStore)
{
    kb_kv kvs[] = {{"password", "secret"}};

    Torture([&] { return UseStore(TestPluginDir(), "memory", kvs, 1); });
}

} // namespace

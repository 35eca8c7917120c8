// SPDX-License-Identifier: Apache-2.0
// plugin_check.cc - the checks for vendors: our own plugins pass, and what is
// bad fails the check that is meant for it.
#include <gtest/gtest.h>

#include <unistd.h>

#include <map>
#include <string>
#include <vector>

extern "C" {
#include "check/check.h"
}
#include "test_plugins.h"

namespace
{

struct Results {
    std::map<std::string, std::string> words;
    std::string failures;
    size_t failed = 0;
    size_t passed = 0;
};

void Note(void *data, const kb_check_result *result)
{
    auto *results = static_cast<Results *>(data);

    results->words[result->id] = kb_check_word(result->outcome);
    results->passed += result->outcome == KB_CHECK_PASS;
    if (result->outcome == KB_CHECK_FAIL || result->outcome == KB_CHECK_CRASH ||
        result->outcome == KB_CHECK_TIMEOUT)
        results->failures += std::string(result->type) + " " + result->id +
                             ": " + kb_check_word(result->outcome) + ": " +
                             result->message + "\n";
}

Results RunChecks(const std::string &path, const char *only = nullptr,
                  std::vector<kb_kv> kvs = {})
{
    kbp_error err = KB_ERR_INIT;
    kb_check_options options{};
    Results results;

    options.only = only;
    options.kvs = kvs.data();
    options.kv_count = kvs.size();
    options.seed = 1;
    EXPECT_EQ(KBP_OK, kb_check_run(path.c_str(), &options, Note, &results,
                                   &results.failed, &err))
        << err.message;
    return results;
}

class OurPlugins : public ::testing::TestWithParam<const char *>
{
};

TEST_P(OurPlugins, PassAllChecks)
{
    // A thousand commits are a matter of the disk.
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    Results results =
        RunChecks(std::string(TestPluginDir()) + "/" + GetParam() + ".so");

    EXPECT_EQ(0u, results.failed) << results.failures;
    EXPECT_GT(results.passed, 15u);
}

INSTANTIATE_TEST_SUITE_P(
    All, OurPlugins,
    ::testing::Values("codec_none", "codec_gzip", "codec_snappy", "codec_lz4",
                      "codec_zstd", "sasl_plain", "sasl_scram",
                      "storage_filesystem", "storage_memory"),
    [](const ::testing::TestParamInfo<const char *> &test) {
        return std::string(test.param);
    });

TEST(PluginCheck, SaysWhichCheckABadFileFails)
{
    const struct {
        const char *file;
        const char *check;
        const char *word;
    } cases[] = {
        {"codec_nosymbol", "loads", "fail"},
        {"codec_newermajor", "loads", "fail"},
        {"codec_missinglibrary", "loads", "fail"},
        {"codec_borrowed", "no-runpath", "fail"},
        {"codec_borrowed", "exports-one-symbol", "fail"},
        {"codec_crashes", "loads", "crash"},
        {"codec_badtypename", "loads", "fail"},
        {"codec_good", "loads", "pass"},
        {"codec_good", "round-trip", "pass"},
        {"codec_good", "found-by-name", "pass"},
        {"codec_liar", "round-trip", "crash"},
        {"codec_liar", "bit-flips", "fail"},
        {"codec_liar", "sink-limit-obeyed", "fail"},
        {"codec_liar", "silent", "fail"},
        {"codec_liar", "leaves-process-alone", "fail"},
        {"codec_liar", "open-close-1000", "fail"},
        {"codec_liar", "cut-anywhere", "crash"},
        {"codec_liar", "secrets-stay-secret", "fail"},
        {"codec_liar", "ids-are-known", "fail"},
    };

    for (const auto &test : cases) {
        Results results = RunChecks(
            std::string(KB_MUSEUM_DIR "/") + test.file + ".so", test.check);

        EXPECT_EQ(test.word, results.words[test.check])
            << test.file << " " << test.check << " " << results.failures;
    }
}

TEST(PluginCheck, AnUnknownCheckIsAnError)
{
    kbp_error err = KB_ERR_INIT;
    kb_check_options options{};
    Results results;

    options.only = "no-such";
    EXPECT_EQ(KBP_ERR_CONFIG,
              kb_check_run(KB_MUSEUM_DIR "/codec_good.so", &options, Note,
                           &results, &results.failed, &err));
    options.only = nullptr;
    EXPECT_EQ(KBP_ERR_NOT_FOUND, kb_check_run("/no/such.so", &options, Note,
                                              &results, &results.failed, &err));
}

TEST(PluginCheck, ListsAllChecks)
{
    Results results;

    kb_check_list(Note, &results);
    EXPECT_GT(results.words.size(), 35u);
    EXPECT_EQ(1u, results.words.count("list-1100"));
}

} // namespace

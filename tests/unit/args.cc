// SPDX-License-Identifier: Apache-2.0
// The command line: what is understood, and what is said about the rest.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "base/clock.h"
#include "cli/args.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/progress_line.h"
}

namespace
{

class Args : public ::testing::Test
{
  protected:
    ~Args() override
    {
        kb_args_release(&args);
    }

    int Parse(const std::vector<std::string> &words)
    {
        std::vector<char *> argv;

        kb_args_release(&args);
        kept = words;
        kept.insert(kept.begin(), "kafka-backup");
        for (std::string &word : kept)
            argv.push_back(&word[0]);
        return kb_args_parse((int)argv.size(), argv.data(), &args, &err);
    }

    std::string ErrorOf(const std::vector<std::string> &words)
    {
        EXPECT_EQ(Parse(words), KBP_ERR_CONFIG);
        return err.message;
    }

    std::vector<std::string> kept;
    kb_args args = {};
    kbp_error err = KB_ERR_INIT;
};

TEST_F(Args, EveryWayToWriteAValue)
{
    for (const auto &words :
         std::vector<std::vector<std::string>>{{"list", "-p", "/b"},
                                               {"list", "-p/b"},
                                               {"list", "-p=/b"},
                                               {"list", "--path", "/b"},
                                               {"list", "--path=/b"},
                                               {"-v", "list", "--path=/b"}}) {
        ASSERT_EQ(Parse(words), KBP_OK) << err.message;
        ASSERT_STREQ(args.command->name, "list");
        EXPECT_STREQ(kb_args_value(&args, "path"), "/b");
    }
}

TEST_F(Args, FlagsMayBeJoinedAndRepeated)
{
    ASSERT_EQ(Parse({"list", "-vvp", "/b", "--plugin-dir", "a", "-v",
                     "--plugin-dir=b", "-o", "x=1", "-o", "y=2"}),
              KBP_OK)
        << err.message;
    EXPECT_EQ(kb_args_times(&args, "verbose"), 3u);
    EXPECT_STREQ(kb_args_nth(&args, "plugin-dir", 0), "a");
    EXPECT_STREQ(kb_args_nth(&args, "plugin-dir", 1), "b");
    EXPECT_STREQ(kb_args_nth(&args, "option", 1), "y=2");
    EXPECT_EQ(kb_args_nth(&args, "option", 2), nullptr);
}

TEST_F(Args, CommandsOfTwoWordsAndOperands)
{
    ASSERT_EQ(Parse({"plugin", "describe", "SCRAM-SHA-512", "-f", "json"}),
              KBP_OK)
        << err.message;
    EXPECT_STREQ(args.command->name, "plugin describe");
    EXPECT_STREQ(args.operand, "SCRAM-SHA-512");
    ASSERT_EQ(Parse({"plugin", "check", "--", "-odd-name.so"}), KBP_OK);
    EXPECT_STREQ(args.operand, "-odd-name.so");
    EXPECT_EQ(ErrorOf({"plugin", "describe"}), "plugin describe needs a NAME");
    EXPECT_EQ(ErrorOf({"plugin", "describe", "a", "b"}),
              "plugin describe takes one NAME, found a and b");
    EXPECT_EQ(ErrorOf({"plugin", "descripe", "a"}),
              "unknown command plugin descripe; did you mean describe?");
    EXPECT_EQ(ErrorOf({"plugin"}), "plugin needs to know what: plugin list, "
                                   "...");
}

TEST_F(Args, WhatIsWrongIsNamed)
{
    EXPECT_EQ(ErrorOf({}), "a command is missing");
    EXPECT_EQ(ErrorOf({"lst"}), "unknown command lst; did you mean list?");
    EXPECT_EQ(ErrorOf({"frobnicate"}), "unknown command frobnicate");
    EXPECT_EQ(ErrorOf({"list", "--paht", "x"}),
              "unknown option --paht; did you mean --path?");
    EXPECT_EQ(ErrorOf({"list", "-Z"}), "unknown option -Z of list");
    EXPECT_EQ(ErrorOf({"--path", "x", "list"}),
              "unknown option --path (options of a command stand behind it)");
    EXPECT_EQ(ErrorOf({"list", "-p"}), "-p needs a value: STORE");
    EXPECT_EQ(ErrorOf({"list", "-p", "a", "-p", "b"}), "--path is there twice");
    EXPECT_EQ(ErrorOf({"list", "-p", "a", "-f", "xml"}),
              "--format has to be one of text|json|yaml, not xml");
    EXPECT_EQ(ErrorOf({"list", "-p", ""}), "--path is empty");
    EXPECT_EQ(ErrorOf({"list", "-p", "a", "-o", "secret"}),
              "--option has to be NAME=VALUE");
    EXPECT_EQ(ErrorOf({"plugin", "check", "x.so", "--set", "=1"}),
              "--set has to be NAME=VALUE");
    for (const char *number : {"x", "-1", "1.5", "9223372036854775808"})
        EXPECT_EQ(ErrorOf({"show-offset-mapping", "--partition", number}),
                  std::string("--partition has to be a whole number, 0 or "
                              "more, not ") +
                      number);
    EXPECT_EQ(ErrorOf({"list", "--help=yes"}), "--help takes no value");
    EXPECT_EQ(ErrorOf({"list", "-p", "a", "word"}), "list takes no \"word\"");
    EXPECT_EQ(ErrorOf({"list"}), "list needs --path STORE or --config FILE");
    EXPECT_EQ(ErrorOf({"list", "-p", "a", "-c", "b"}),
              "list needs --path STORE or --config FILE, not both");
    EXPECT_EQ(ErrorOf({"describe", "-p", "a"}),
              "describe needs --backup-id ID (`kafka-backup list` shows them)");
}

TEST_F(Args, HelpAndVersionNeedNothingElse)
{
    EXPECT_EQ(Parse({"--help"}), KBP_OK);
    EXPECT_EQ(Parse({"-V"}), KBP_OK);
    EXPECT_EQ(Parse({"describe", "--help"}), KBP_OK);
}

// All flags that anything takes are explained, and fit on a terminal.
TEST_F(Args, HelpTextsAreWhole)
{
    for (size_t i = 0; i < kb_command_count; i++) {
        const kb_command *command = kb_commands[i];
        char *text = nullptr;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        kb_args_help(out, command);
        fclose(out);
        std::istringstream lines(std::string(text, len));
        std::string line;
        for (size_t f = 0; f < command->flag_count; f++)
            EXPECT_NE(
                strstr(text,
                       (std::string("--") + command->flags[f].name).c_str()),
                nullptr);
        while (std::getline(lines, line))
            EXPECT_TRUE(line.size() <= 80 ||
                        line.rfind("  kafka-backup", 0) == 0)
                << command->name << ": " << line;
        free(text);
        EXPECT_TRUE(command->hidden || command->example_count > 0)
            << command->name;
        EXPECT_LE(strlen(command->summary), 66u) << command->name;
    }
}

std::string ManPage()
{
    std::ifstream in(KB_TEST_SOURCE_DIR "/../docs/kafka-backup.1");
    std::stringstream text;
    std::string page;

    text << in.rdbuf();
    // mdoc writes a dash in text as \-.
    for (char c : text.str())
        if (c != '\\')
            page += c;
    return page;
}

TEST_F(Args, EveryFlagIsInTheManPage)
{
    const std::string page = ManPage();

    ASSERT_FALSE(page.empty());
    for (size_t i = 0; i < kb_command_count; i++) {
        const kb_command *command = kb_commands[i];

        if (command->hidden)
            continue;
        size_t begin = page.find(std::string(".Ss ") + command->name + "\n");
        ASSERT_NE(begin, std::string::npos) << command->name;
        size_t end = page.find("\n.S", begin + 4);
        const std::string section = page.substr(begin, end - begin);
        for (size_t f = 0; f < command->flag_count; f++)
            EXPECT_NE(
                section.find(std::string("Fl -") + command->flags[f].name),
                std::string::npos)
                << command->name << " --" << command->flags[f].name;
    }
    for (size_t f = 0; f < kb_global_flag_count; f++)
        EXPECT_NE(page.find(std::string("Fl -") + kb_global_flags[f].name),
                  std::string::npos)
            << kb_global_flags[f].name;
}

TEST_F(Args, EveryExitCodeIsInTheManPage)
{
    const std::string page = ManPage();

#define XX(name, value, text) \
    EXPECT_NE(page.find("\n.It " #value "\n"), std::string::npos) << #name;
    KB_EXIT_MAP(XX)
#undef XX
}

TEST(Output, CountsHaveCommas)
{
    char out[32];

    EXPECT_STREQ(kb_count_text(out, 0), "0");
    EXPECT_STREQ(kb_count_text(out, 999), "999");
    EXPECT_STREQ(kb_count_text(out, 1000), "1,000");
    EXPECT_STREQ(kb_count_text(out, UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(Progress, LineSaysHowFarHowFastHowLong)
{
    kb_progress progress;
    kb_progress_look before = {2000, 0, 0};
    char text[256];

    kb_progress_init(&progress);
    EXPECT_STREQ(
        kb_progress_text(text, sizeof text, "backup", &progress, &before),
        "backup  starting");
    progress.phase = KB_PHASE_RUNNING;
    progress.started_ms = kb_now_ms() - 10000;
    progress.records = 1999; // fewer than offsets are done: a resumed run
    progress.bytes = 8000000;
    progress.offsets_total = 8000;
    progress.offsets_done = 2000;
    progress.partitions_total = 3;
    progress.partitions_done = 1;
    const std::string want = "backup   25 %  7.6 MiB  3.8 MiB/s  999 "
                             "records/s  1/3 partitions  ETA 30.";
    kb_progress_text(text, sizeof text, "backup", &progress, &before);
    EXPECT_EQ(std::string(text).substr(0, want.size()), want);
    progress.phase = KB_PHASE_TAILING;
    progress.lag_records = 1234;
    EXPECT_STREQ(
        kb_progress_text(text, sizeof text, "backup", &progress, &before),
        "backup  7.6 MiB  3.8 MiB/s  999 records/s  1/3 partitions  "
        "lag 1,234");
    progress.phase = KB_PHASE_FINISHING;
    progress.records = 6000; // read, and not durable yet
    progress.stored_bytes = 1024;
    kb_progress_text(text, sizeof text, "backup", &progress, &before);
    EXPECT_EQ(std::string(text).rfind("backup  finishing   75 %  7.6 MiB, "
                                      "1.0 KiB stored  3.8 MiB/s",
                                      0),
              0u)
        << text;
    // It is cut, never written beyond.
    kb_progress_text(text, 10, "backup", &progress, &before);
    EXPECT_STREQ(text, "backup  f");
}

} // namespace

// SPDX-License-Identifier: Apache-2.0
// plugin_museum.cc - each way in which a plugin file can be bad, by message.
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

extern "C" {
#include "plugin/codec.h"
}

namespace
{

struct Exhibit {
    const char *name;
    int status;
    const char *message;
    const char *hint;
};

const Exhibit exhibits[] = {
    {"nosymbol", KBP_ERR_CONFIG,
     "codec_nosymbol.so is not a kafka-backup plugin: it has no symbol "
     "kafka_backup_plugin",
     ""},
    {"wrongmagic", KBP_ERR_CONFIG,
     "codec_wrongmagic.so is not a kafka-backup plugin: its magic is "
     "0x21202020, not 0x4b425047",
     ""},
    {"newermajor", KBP_ERR_UNSUPPORTED,
     "codec_newermajor.so was built for plugin ABI 2, this program has 1", ""},
    {"needsminor", KBP_ERR_UNSUPPORTED,
     "codec_needsminor.so needs plugin ABI 1.7, this program has 1.0", ""},
    {"otherlibc", KBP_ERR_UNSUPPORTED,
     "codec_otherlibc.so was built for musl, this program for glibc", ""},
    {"smallmodule", KBP_ERR_CONFIG,
     "codec_smallmodule.so: its module says that it has 24 bytes", ""},
    {"wrongname", KBP_ERR_CONFIG,
     "codec_wrongname.so says that it is \"codec_other\"; the file must be "
     "named so",
     ""},
    {"noversion", KBP_ERR_CONFIG,
     "codec_noversion.so: it doesn't say its version, vendor and license", ""},
    {"nothing", KBP_ERR_CONFIG,
     "codec_nothing.so: it offers nothing that this program knows", ""},
    {"missingfunction", KBP_ERR_CONFIG,
     "codec missingfunction lacks the required function decompress", ""},
    {"bindingflag", KBP_ERR_UNSUPPORTED,
     "codec bindingflag asks for something that this program doesn't know "
     "(flags 0x80000000)",
     ""},
    {"notypename", KBP_ERR_CONFIG,
     "codec_notypename.so: a codec has the name \"\"", ""},
    {"badtypename", KBP_ERR_CONFIG,
     "codec_badtypename.so: a codec has the name \"../x\"", ""},
    {"smalltype", KBP_ERR_CONFIG,
     "codec_smalltype.so: the table of a codec is of a bad size", ""},
    {"badoption", KBP_ERR_CONFIG,
     "codec badoption has an option named \"Level!\"; only a-z, 0-9 and _ are "
     "allowed",
     ""},
    {"twiceoption", KBP_ERR_CONFIG,
     "codec twiceoption has the option level twice", ""},
    {"nochoices", KBP_ERR_CONFIG, "codec nochoices: option mode has no choices",
     ""},
    {"smalloptions", KBP_ERR_CONFIG,
     "codec smalloptions has an option table of 1 items of 8 bytes", ""},
    {"wrongkind", KBP_ERR_CONFIG,
     "codec_wrongkind.so offers SASL mechanism wrongkind", "--plugin-dir"},
    {"missinglibrary", KBP_ERR_CONFIG,
     "codec_missinglibrary.so can't be loaded: libmuseum_gone.so: cannot open "
     "shared object file",
     "install the library"},
    {"undefined", KBP_ERR_CONFIG,
     "codec_undefined.so can't be loaded: undefined symbol: museum_undefined",
     ""},
    {"borrowed", KBP_ERR_CONFIG,
     "codec_borrowed.so is not a kafka-backup plugin: its symbol "
     "kafka_backup_plugin comes from ",
     ""},
};

void PrintTo(const Exhibit &exhibit, std::ostream *out)
{
    *out << exhibit.name;
}

int Open(const char *dir, const char *name, kbp_error *err)
{
    kb_registry registry{};
    kb_codec *codec = nullptr;
    int status = kb_registry_init(&registry, &dir, 1, err);

    if (status == KBP_OK)
        status =
            kb_codec_open(&registry, name, nullptr, 0, nullptr, &codec, err);
    kb_codec_close(codec);
    kb_registry_release(&registry);
    return status;
}

class Museum : public ::testing::TestWithParam<Exhibit>
{
};

TEST_P(Museum, SaysWhatIsWrongWithWhichFile)
{
    kbp_error err = KB_ERR_INIT;

    EXPECT_EQ(GetParam().status, Open(KB_MUSEUM_DIR, GetParam().name, &err));
    EXPECT_NE(nullptr, strstr(err.message, GetParam().message)) << err.message;
    EXPECT_NE(nullptr, strstr(err.message, KB_MUSEUM_DIR "/codec_"))
        << err.message;
    EXPECT_NE(nullptr, strstr(err.hint, GetParam().hint)) << err.hint;
}

INSTANTIATE_TEST_SUITE_P(All, Museum, ::testing::ValuesIn(exhibits),
                         [](const ::testing::TestParamInfo<Exhibit> &test) {
                             return std::string(test.param.name);
                         });

// A folder of the test's own, with a copy of a plugin which is well.
class Trust : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        const char *tmp = getenv("TMPDIR");

        dir = std::string(tmp ? tmp : "/tmp") + "/kb-trust-XXXXXX";
        ASSERT_NE(nullptr, mkdtemp(&dir[0]));
        file = dir + "/codec_good.so";
        std::ifstream from(KB_MUSEUM_DIR "/codec_good.so", std::ios::binary);
        std::ofstream to(file, std::ios::binary);
        to << from.rdbuf();
        to.close();
        ASSERT_EQ(0, chmod(file.c_str(), 0755));
    }
    void TearDown() override
    {
        std::string command = "rm -rf '" + dir + "'";

        EXPECT_EQ(0, std::system(command.c_str()));
    }
    int Open()
    {
        return ::Open(dir.c_str(), "good", &err);
    }
    bool MessageHas(const std::string &text) const
    {
        return std::string(err.message).find(text) != std::string::npos;
    }
    void Write(const std::string &text)
    {
        std::ofstream to(file, std::ios::binary | std::ios::trunc);

        to << text;
    }

    std::string dir;
    std::string file;
    kbp_error err = KB_ERR_INIT;
};

TEST_F(Trust, WhatIsWellIsLoaded)
{
    EXPECT_EQ(KBP_OK, Open()) << err.message;
}

TEST_F(Trust, AFileThatItsGroupCanWriteIsRefused)
{
    ASSERT_EQ(0, chmod(file.c_str(), 0775));
    EXPECT_EQ(KBP_ERR_DENIED, Open());
    EXPECT_TRUE(MessageHas(file + " can be written by its group (mode 0775)"))
        << err.message;
    EXPECT_EQ("chmod go-w '" + file + "'", err.hint);
}

TEST_F(Trust, AFileThatEverybodyCanWriteIsRefused)
{
    ASSERT_EQ(0, chmod(file.c_str(), 0757));
    EXPECT_EQ(KBP_ERR_DENIED, Open());
    EXPECT_TRUE(MessageHas("can be written by everybody")) << err.message;
}

TEST_F(Trust, AFolderThatEverybodyCanWriteIsRefused)
{
    ASSERT_EQ(0, chmod(dir.c_str(), 0777));
    EXPECT_EQ(KBP_ERR_DENIED, Open());
    EXPECT_TRUE(MessageHas(dir + " can be written by everybody"))
        << err.message;
    ASSERT_EQ(0, chmod(dir.c_str(), 01777));
    EXPECT_EQ(KBP_ERR_DENIED, Open()) << "sticky or not: they can add files";
}

TEST_F(Trust, AFolderAboveThatItsGroupCanWriteIsRefused)
{
    std::string below = dir + "/below";
    const char *dirs[] = {below.c_str()};

    ASSERT_EQ(0, mkdir(below.c_str(), 0755));
    ASSERT_EQ(0, rename(file.c_str(), (below + "/codec_good.so").c_str()));
    EXPECT_EQ(KBP_OK, ::Open(dirs[0], "good", &err)) << err.message;
    ASSERT_EQ(0, chmod(dir.c_str(), 0770));
    EXPECT_EQ(KBP_ERR_DENIED, ::Open(dirs[0], "good", &err));
    EXPECT_TRUE(MessageHas(dir + " can be written by its group"))
        << err.message;
    // In a sticky one nobody can exchange what is ours.
    ASSERT_EQ(0, chmod(dir.c_str(), 01777));
    EXPECT_EQ(KBP_OK, ::Open(dirs[0], "good", &err)) << err.message;
}

TEST_F(Trust, ASomebodyElsesFileIsRefused)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "only root can give files away";
    ASSERT_EQ(0, chown(file.c_str(), 65534, 65534));
    EXPECT_EQ(KBP_ERR_DENIED, Open());
    EXPECT_TRUE(MessageHas(file + " belongs to user 65534")) << err.message;
    ASSERT_EQ(0, chown(file.c_str(), 0, 0));
    ASSERT_EQ(0, chown(dir.c_str(), 65534, 65534));
    EXPECT_EQ(KBP_ERR_DENIED, Open());
    EXPECT_TRUE(MessageHas(dir + " belongs to user 65534")) << err.message;
}

TEST_F(Trust, ASymbolicLinkIsRefused)
{
    std::string other = dir + "/other.so";

    ASSERT_EQ(0, rename(file.c_str(), other.c_str()));
    ASSERT_EQ(0, symlink("other.so", file.c_str()));
    EXPECT_EQ(KBP_ERR_DENIED, Open());
    EXPECT_TRUE(MessageHas(file + " is a symbolic link")) << err.message;
}

TEST_F(Trust, AFolderIsNoPlugin)
{
    ASSERT_EQ(0, unlink(file.c_str()));
    ASSERT_EQ(0, mkdir(file.c_str(), 0755));
    EXPECT_EQ(KBP_ERR_DENIED, Open());
    EXPECT_TRUE(MessageHas("is not a regular file")) << err.message;
}

TEST_F(Trust, AnEmptyFileAndATextAreRefused)
{
    Write("");
    EXPECT_EQ(KBP_ERR_CONFIG, Open());
    EXPECT_TRUE(MessageHas(file + " is empty")) << err.message;
    Write("#!/bin/sh\necho this is not a plugin\n");
    EXPECT_EQ(KBP_ERR_CONFIG, Open());
    EXPECT_TRUE(MessageHas(file + " can't be loaded: ")) << err.message;
    Write(std::string("\x7f"
                      "ELF\2\1\1",
                      7) +
          std::string(100, '\0'));
    EXPECT_EQ(KBP_ERR_CONFIG, Open());
    EXPECT_TRUE(MessageHas(file + " can't be loaded: ")) << err.message;
}

TEST_F(Trust, ARenamedCopyIsRefused)
{
    ASSERT_EQ(0, rename(file.c_str(), (dir + "/codec_other.so").c_str()));
    EXPECT_EQ(KBP_ERR_CONFIG, ::Open(dir.c_str(), "other", &err));
    EXPECT_TRUE(MessageHas("codec_other.so says that it is \"codec_good\""))
        << err.message;
}

TEST_F(Trust, ARelativeOrMissingFolderIsSaid)
{
    EXPECT_EQ(KBP_ERR_CONFIG, ::Open("/no/such/folder", "good", &err));
    EXPECT_TRUE(MessageHas("/no/such/folder (no such directory)"))
        << err.message;
    EXPECT_EQ(KBP_ERR_CONFIG, ::Open("", "good", &err));
    EXPECT_EQ(KBP_ERR_CONFIG, ::Open(file.c_str(), "good", &err));
    EXPECT_TRUE(MessageHas("is not a directory")) << err.message;
}

TEST_F(Trust, TheFirstFolderWinsAndShadowsTheOthers)
{
    const char *dirs[] = {dir.c_str(), KB_MUSEUM_DIR};
    kb_registry registry{};
    const kb_type *type = nullptr;
    kb_plugin_file *files = nullptr;
    size_t count = 0;
    int shadowed = 0;

    ASSERT_EQ(KBP_OK, kb_registry_init(&registry, dirs, 2, &err));
    ASSERT_EQ(KBP_OK,
              kb_registry_find(&registry, KB_KIND_CODEC, "good", &type, &err));
    EXPECT_EQ(file, type->plugin->path);
    ASSERT_EQ(KBP_OK, kb_registry_files(&registry, &files, &count, &err));
    for (size_t i = 0; i < count; i++)
        if (files[i].shadowed) {
            EXPECT_STREQ(KB_MUSEUM_DIR "/codec_good.so", files[i].path);
            shadowed++;
        }
    EXPECT_EQ(1, shadowed);
    EXPECT_GT(count, 20u);
    kb_plugin_files_free(files, count);
    kb_registry_release(&registry);
}

TEST_F(Trust, TheEnvironmentNamesFoldersWhenNoFlagDoes)
{
    kb_registry registry{};
    std::string list = "/no/such:" + dir;

    ASSERT_EQ(0, setenv("KAFKA_BACKUP_PLUGIN_DIR", list.c_str(), 1));
    ASSERT_EQ(KBP_OK, kb_registry_init(&registry, nullptr, 0, &err));
    ASSERT_EQ(2u, registry.dir_count);
    EXPECT_EQ(dir, registry.dirs[1]);
    kb_registry_release(&registry);
    ASSERT_EQ(0, setenv("KAFKA_BACKUP_PLUGIN_DIR", "relative", 1));
    EXPECT_EQ(KBP_ERR_CONFIG, kb_registry_init(&registry, nullptr, 0, &err));
    EXPECT_TRUE(MessageHas("absolute")) << err.message;
    ASSERT_EQ(0, unsetenv("KAFKA_BACKUP_PLUGIN_DIR"));
    ASSERT_EQ(KBP_OK, kb_registry_init(&registry, nullptr, 0, &err));
    EXPECT_EQ(1u, registry.dir_count);
    kb_registry_release(&registry);
}

} // namespace

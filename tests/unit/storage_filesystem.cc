// SPDX-License-Identifier: Apache-2.0
// storage_filesystem.cc - the filesystem store between people and processes:
// races, links, rights, what lies in its folders.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "filesystem_harness.h"

namespace
{

TEST_F(Filesystem, OneOfManyCreatorsWins)
{
    const int n = 8;
    int go[2];
    int won = 0;

    ASSERT_EQ(KBP_OK, Put("first", "x"));
    ASSERT_EQ(0, pipe(go));
    for (int i = 0; i < n; i++)
        if (fork() == 0) {
            char c;

            (void)close(go[1]);
            (void)!read(go[0], &c, 1);
            int status = Put("lease", std::to_string(i), true);
            _exit(status == KBP_OK ? 0 : status == KBP_ERR_EXISTS ? 1 : 2);
        }
    (void)close(go[1]);
    (void)close(go[0]);
    for (int i = 0; i < n; i++) {
        int result = 0;

        ASSERT_GT(wait(&result), 0);
        ASSERT_TRUE(WIFEXITED(result) && WEXITSTATUS(result) < 2) << result;
        won += WEXITSTATUS(result) == 0;
    }
    EXPECT_EQ(1, won);
}

TEST_F(Filesystem, ReplacingByEtagLosesNoUpdate)
{
    const int n = 4;
    const int each = 20;

    ASSERT_EQ(KBP_OK, Put("counter", "0"));
    for (int i = 0; i < n; i++)
        if (fork() == 0) {
            for (int done = 0; done < each;) {
                kb_buf buf = KB_BUF_INIT;
                kb_object_info info;
                kb_condition cond{};

                if (kb_store_get_all(session, "counter", 100, &buf, &info,
                                     &err))
                    _exit(2);
                std::string next = std::to_string(
                    std::stoi(std::string(reinterpret_cast<char *>(buf.data),
                                          buf.len)) +
                    1);
                kb_buf_release(&buf);
                cond.if_etag = info.etag;
                int status = kb_store_put(session, "counter", next.data(),
                                          next.size(), &cond, nullptr, &err);
                if (status == KBP_OK)
                    done++;
                else if (status != KBP_ERR_CONFLICT)
                    _exit(1);
            }
            _exit(0);
        }
    for (int i = 0; i < n; i++) {
        int result = 0;

        ASSERT_GT(wait(&result), 0);
        EXPECT_EQ(0, result);
    }
    EXPECT_EQ(std::to_string(n * each), Get("counter"));
}

// What both ways to open a path must refuse.
int TryToEscape(kb_store_session *session, const std::string &root,
                const std::string &top)
{
    kbp_error err = KB_ERR_INIT;
    kb_object_info info;

    if (symlink(top.c_str(), (root + "/out").c_str()) ||
        symlink((top + "/secret").c_str(), (root + "/file").c_str()) ||
        symlink("..", (root + "/up").c_str()))
        return 10;
    for (const char *key : {"out/secret", "file", "up/secret", "up/store/k"}) {
        if (kb_store_stat(session, key, &info, &err) == KBP_OK)
            return 1;
        if (!strstr(err.message, "symbolic link"))
            return 2;
        if (kb_store_put(session, key, "x", 1, nullptr, &info, &err) ==
                KBP_OK &&
            strcmp(key, "file") != 0)
            return 3;
    }
    // A link in an object's place is itself replaced or removed.
    for (const char *key : {"out/secret", "up/secret"})
        if (kb_store_remove(session, key, &err) == KBP_OK)
            return 4;
    if (access((top + "/secret").c_str(), F_OK))
        return 5;
    return 0;
}

TEST_F(Filesystem, NoSymbolicLinkLeadsOut)
{
    std::string command = "echo secret >'" + top + "/secret'";

    ASSERT_EQ(0, std::system(command.c_str()));
    ASSERT_EQ(KBP_OK, Put("k", "x"));
    EXPECT_EQ(0, TryToEscape(session, root, top));
    EXPECT_EQ("file k ", List()) << "links to elsewhere aren't listed";
    command = "grep -q secret '" + top + "/secret'";
    EXPECT_EQ(0, std::system(command.c_str()));
}

// A kernel without openat2().
bool ForbidOpenat2()
{
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 437, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program = {4, code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(Filesystem, NeitherWithoutOpenat2)
{
    std::string command = "echo secret >'" + top + "/secret'";

    ASSERT_EQ(0, std::system(command.c_str()));
    pid_t pid = fork();
    if (pid == 0) {
        if (!ForbidOpenat2())
            _exit(77);
        if (Put("a/b/c", "x") != KBP_OK || Get("a/b/c") != "x" ||
            List("a/") != "a/b/c " || Remove("a/b/c") != KBP_OK ||
            Stat("a/b/c") != KBP_ERR_NOT_FOUND)
            _exit(20);
        _exit(TryToEscape(session, root, top));
    }
    int result = 0;
    ASSERT_EQ(pid, waitpid(pid, &result, 0));
    if (WIFEXITED(result) && WEXITSTATUS(result) == 77)
        GTEST_SKIP() << "may not filter system calls here";
    EXPECT_TRUE(WIFEXITED(result) && WEXITSTATUS(result) == 0)
        << WEXITSTATUS(result);
}

TEST_F(Filesystem, ItsOwnFolderIsNoPlaceForObjects)
{
    EXPECT_EQ(KBP_ERR_MISUSE, Put(".kafka-backup", "x"));
    EXPECT_EQ(KBP_ERR_MISUSE, Put(".kafka-backup/up-1", "x"));
    EXPECT_EQ(KBP_OK, Put(".kafka-backup2", "x"));
    EXPECT_EQ(KBP_OK, Put("a/.kafka-backup", "x"));
    EXPECT_EQ(".kafka-backup2 a/.kafka-backup ", List());
}

TEST_F(Filesystem, ReadingMakesNothing)
{
    EXPECT_EQ(KBP_ERR_NOT_FOUND, Stat("k"));
    EXPECT_TRUE(MessageHas("there is no directory " + root)) << err.message;
    EXPECT_EQ("", List());
    EXPECT_EQ(KBP_OK, Remove("a/b"));
    EXPECT_NE(0, access(root.c_str(), F_OK));
    ASSERT_EQ(KBP_OK, Put("k", "x"));
    EXPECT_EQ("k ", List());
}

TEST_F(Filesystem, MissingFoldersAboveAreMade)
{
    Close();
    Open(top + "/x/y/z/");
    EXPECT_EQ(KBP_OK, Put("k", "x")) << err.message;
    EXPECT_EQ(0, access((top + "/x/y/z/k").c_str(), F_OK));
}

TEST_F(Filesystem, AFileAsPathIsSaidInWords)
{
    std::string path = top + "/file";
    kb_kv kvs[] = {{"path", path.c_str()}};
    kb_store *other = nullptr;

    (void)close(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    EXPECT_EQ(KBP_ERR_CONFIG, kb_store_open(&registry, "filesystem", kvs, 1,
                                            nullptr, &other, &err));
    EXPECT_TRUE(MessageHas("can't open " + path + ": Not a directory"))
        << err.message;
}

TEST_F(Filesystem, NoRightToWriteIsSaidInWords)
{
    ASSERT_EQ(KBP_OK, Put("k", "x"));
    pid_t pid = fork();
    if (pid == 0) {
        kb_store *other = nullptr;
        kb_store_session *theirs = nullptr;
        kb_kv kvs[] = {{"path", root.c_str()}};

        // Root may write everywhere; so be somebody else.
        if (chmod(top.c_str(), 0755) || chmod(root.c_str(), 0555) ||
            (geteuid() == 0 && (setgid(65534) || setuid(65534))))
            _exit(77);
        if (kb_store_open(&registry, "filesystem", kvs, 1, nullptr, &other,
                          &err) != KBP_OK)
            _exit(1);
        if (kb_store_session_open(other, nullptr, &theirs, &err) != KBP_OK)
            _exit(2);
        kb_object_info info;
        if (kb_store_stat(theirs, "k", &info, &err) != KBP_OK)
            _exit(3); // it may read
        if (kb_store_put(theirs, "a/k", "x", 1, nullptr, nullptr, &err) !=
            KBP_ERR_DENIED)
            _exit(4);
        _exit(MessageHas(root) && MessageHas("Permission denied") ? 0 : 5);
    }
    int result = 0;
    ASSERT_EQ(pid, waitpid(pid, &result, 0));
    EXPECT_EQ(0, WEXITSTATUS(result));
}

TEST_F(Filesystem, AKillLeavesNothingThatAReaderSees)
{
    int ready[2];

    ASSERT_EQ(KBP_OK, Put("k", "old"));
    ASSERT_EQ(0, pipe(ready));
    pid_t pid = fork();
    if (pid == 0) {
        kb_upload *upload = nullptr;
        std::string bytes(100000, 'x');

        if (kb_upload_open(session, "k", KBP_SIZE_UNKNOWN, nullptr, &upload,
                           &err) ||
            kb_upload_write(upload, bytes.data(), bytes.size(), &err))
            _exit(1);
        (void)!::write(ready[1], "x", 1);
        pause();
    }
    char c;
    uint64_t removed = 9;
    ASSERT_EQ(1, read(ready[0], &c, 1));
    EXPECT_EQ(KBP_OK, kb_store_sweep(session, "", 0, &removed, &err));
    EXPECT_EQ(0u, removed) << "its writer lives";
    ASSERT_EQ(0, kill(pid, SIGKILL));
    ASSERT_EQ(pid, waitpid(pid, nullptr, 0));
    EXPECT_EQ("old", Get("k"));
    EXPECT_EQ("k ", List());
    EXPECT_EQ(1, Left());
    EXPECT_EQ(KBP_OK, kb_store_sweep(session, "", 3600000, &removed, &err));
    EXPECT_EQ(0u, removed) << "it is young";
    EXPECT_EQ(KBP_OK, kb_store_sweep(session, "", 0, &removed, &err));
    EXPECT_EQ(1u, removed);
    EXPECT_EQ(0, Left());
}

TEST_F(Filesystem, EmptyFoldersGoWithTheirLastObject)
{
    ASSERT_EQ(KBP_OK, Put("a/b/k", "x"));
    ASSERT_EQ(KBP_OK, Put("a/k", "x"));
    ASSERT_EQ(KBP_OK, Remove("a/b/k"));
    EXPECT_NE(0, access((root + "/a/b").c_str(), F_OK));
    ASSERT_EQ(KBP_OK, Remove("a/k"));
    EXPECT_NE(0, access((root + "/a").c_str(), F_OK));
    ASSERT_EQ(KBP_OK, Put("a", "now a file")) << err.message;
    ASSERT_EQ(KBP_OK, Remove("a"));
    ASSERT_EQ(KBP_OK, Put("a/b/k", "again")) << err.message;
    EXPECT_EQ("again", Get("a/b/k"));
}

TEST_F(Filesystem, AFileWhereTheKeyHasAFolderIsNotFound)
{
    ASSERT_EQ(KBP_OK, Put("a", "x"));
    EXPECT_EQ(KBP_ERR_NOT_FOUND, Stat("a/b"));
    EXPECT_EQ(KBP_OK, Remove("a/b"));
    EXPECT_EQ("", List("a/"));
    EXPECT_EQ(KBP_ERR_MISUSE, Put("a/b", "x"));
}

TEST_F(Filesystem, ListsThousandsInOrderFromAnyKey)
{
    std::string all;
    std::string tail;
    char key[64];

    for (int i = 0; i < 1500; i++) {
        (void)snprintf(key, sizeof key, "t/p=%03d/%06d", i % 30, i);
        std::string path = root + "/" + key;
        if (i < 30)
            ASSERT_EQ(KBP_OK, Put(key, "x"));
        else
            (void)close(
                open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    }
    for (int p = 0; p < 30; p++)
        for (int i = p; i < 1500; i += 30) {
            (void)snprintf(key, sizeof key, "t/p=%03d/%06d", p, i);
            all += std::string(key) + " ";
            if (std::string(key) > "t/p=017/000600")
                tail += std::string(key) + " ";
        }
    EXPECT_EQ(all, List("t"));
    std::string keys;
    ASSERT_EQ(KBP_OK, kb_store_list(session, "t/", "t/p=017/000600", 0, Collect,
                                    &keys, &err));
    EXPECT_EQ(tail, keys);
    EXPECT_EQ(all.substr(all.find("t/p=029"), std::string::npos),
              List("t/p=029/"));
}

TEST_F(Filesystem, APipeInAnObjectsPlaceDoesntHoldUs)
{
    ASSERT_EQ(KBP_OK, Put("k", "x"));
    ASSERT_EQ(0, mkfifo((root + "/pipe").c_str(), 0644));
    EXPECT_EQ(KBP_ERR_NOT_FOUND, Stat("pipe"));
    EXPECT_EQ(0u, Get("pipe").find("failed: "));
    EXPECT_EQ("k ", List());
}

} // namespace

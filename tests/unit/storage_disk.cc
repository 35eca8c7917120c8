// SPDX-License-Identifier: Apache-2.0
// storage_disk.cc - the filesystem store where the disk fails it: what is
// durable when, and what is said.
//
// The plugin's calls of libc find those of this program first, which can fail
// them and write down their order.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "filesystem_harness.h"

namespace
{

struct Faults {
    int write_errno = 0;
    int write_after = 0; // so many go well before
    int write_times = 1 << 30;
    int fsync_errno = 0;
    int fsync_times = 1 << 30;
    int pread_errno = 0;
    int pread_times = 1 << 30;
    bool no_renameat2 = false;
    std::vector<std::string> calls;
};

Faults faults;

bool Fails(int error, int *times)
{
    if (error == 0 || *times <= 0)
        return false;
    --*times;
    errno = error;
    return true;
}

} // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT ssize_t write(int fd, const void *bytes, size_t len)
{
    if (fd > 2 && faults.write_errno && faults.write_after-- <= 0 &&
        Fails(faults.write_errno, &faults.write_times))
        return -1;
    return syscall(SYS_write, fd, bytes, len);
}

EXPORT int fsync(int fd)
{
    struct stat st;

    if (Fails(faults.fsync_errno, &faults.fsync_times))
        return -1;
    faults.calls.push_back(
        fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? "sync dir" : "sync file");
    return static_cast<int>(syscall(SYS_fsync, fd));
}

EXPORT ssize_t pread(int fd, void *bytes, size_t len, off_t at)
{
    if (Fails(faults.pread_errno, &faults.pread_times))
        return -1;
    return syscall(SYS_pread64, fd, bytes, len, at);
}

EXPORT int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    faults.calls.push_back("rename");
    return static_cast<int>(syscall(SYS_renameat, from_dir, from, to_dir, to));
}

EXPORT int renameat2(int from_dir, const char *from, int to_dir, const char *to,
                     unsigned flags)
{
    if (faults.no_renameat2) {
        errno = EINVAL;
        return -1;
    }
    faults.calls.push_back("rename");
    return static_cast<int>(
        syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
}

namespace
{
class Disk : public Filesystem
{
  protected:
    void TearDown() override
    {
        faults = Faults();
        Filesystem::TearDown();
    }
};

TEST_F(Disk, BytesAreOnTheDiskBeforeTheirName)
{
    std::vector<std::string> want = {"sync file", "sync dir", "sync dir",
                                     "rename", "sync dir"};

    ASSERT_EQ(KBP_OK, Put("first", "x"));
    faults.calls.clear();
    ASSERT_EQ(KBP_OK, Put("a/b/k", "x"));
    EXPECT_EQ(want, faults.calls) << "new folders are synced once";
    faults.calls.clear();
    ASSERT_EQ(KBP_OK, Put("a/b/k2", "x", true));
    want = {"sync file", "rename", "sync dir"};
    EXPECT_EQ(want, faults.calls);
}

TEST_F(Disk, AFullDiskIsSaidWithThePathAndLeavesNothing)
{
    ASSERT_EQ(KBP_OK, Put("a/k", "old"));
    faults.write_errno = ENOSPC;
    EXPECT_EQ(KBP_ERR_FULL, Put("a/k", "new"));
    EXPECT_TRUE(
        MessageHas("can't write " + root + "/a/k: No space left on device"))
        << err.message;
    EXPECT_NE(std::string::npos, std::string(err.hint).find("free some space"));
    EXPECT_EQ("old", Get("a/k"));
    EXPECT_EQ(0, Left());
}

TEST_F(Disk, ARealFullDiskToo)
{
    std::string mount_point = top + "/small";

    ASSERT_EQ(0, mkdir(mount_point.c_str(), 0755));
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNS))
            _exit(77);
        (void)::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        if (::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=1m"))
            _exit(77);
        Close();
        Open(mount_point);
        int status = Put("big/object", std::string(3 << 20, 'x'));
        bool left = Left() != 0 || Stat("big/object") != KBP_ERR_NOT_FOUND;
        _exit(status != KBP_ERR_FULL       ? 1
              : left                       ? 2
              : Put("k", "fits") != KBP_OK ? 3
                                           : 0);
    }
    int result = 0;
    ASSERT_EQ(pid, waitpid(pid, &result, 0));
    if (WIFEXITED(result) && WEXITSTATUS(result) == 77)
        GTEST_SKIP() << "may not mount here";
    EXPECT_TRUE(WIFEXITED(result) && WEXITSTATUS(result) == 0) << result;
}

TEST_F(Disk, AFileSizeLimitIsAFullDisk)
{
    rlimit old;
    rlimit small;

    ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &old));
    small = old;
    small.rlim_cur = 1000;
    (void)signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &small));
    EXPECT_EQ(KBP_ERR_FULL, Put("k", std::string(5000, 'x')));
    ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &old));
    EXPECT_EQ(KBP_ERR_NOT_FOUND, Stat("k"));
}

TEST_F(Disk, AFailedSyncIsNeverTriedAgain)
{
    kb_upload *upload = nullptr;

    ASSERT_EQ(KBP_OK, Put("first", "x"));
    ASSERT_EQ(KBP_OK, kb_upload_open(session, "k", 3, nullptr, &upload, &err));
    ASSERT_EQ(KBP_OK, kb_upload_write(upload, "abc", 3, &err));
    faults.fsync_errno = EIO;
    faults.fsync_times = 1;
    faults.calls.clear();
    // The disk failed; nothing in the archive is damaged.
    EXPECT_EQ(KBP_ERR_LOST, kb_upload_commit(upload, nullptr, &err));
    EXPECT_TRUE(MessageHas(root + "/k: Input/output error")) << err.message;
    EXPECT_NE(KBP_OK, kb_upload_commit(upload, nullptr, &err));
    EXPECT_EQ(std::vector<std::string>{}, faults.calls) << "synced again";
    kb_upload_close(upload);
    EXPECT_EQ(KBP_ERR_NOT_FOUND, Stat("k"));
    EXPECT_EQ(0, Left());
}

// It can't help, and would take all of storage.retry.timeout.
TEST_F(Disk, AnUploadThatIsLostIsNotTriedAgain)
{
    kb_kv kvs[] = {{"path", root.c_str()}};
    kb_store_limits patient = {5000, 600000};
    kb_upload *upload = nullptr;

    Close();
    ASSERT_EQ(KBP_OK, kb_store_open(&registry, "filesystem", kvs, 1, &patient,
                                    &store, &err));
    ASSERT_EQ(KBP_OK, kb_store_session_open(store, nullptr, &session, &err));
    ASSERT_EQ(KBP_OK, kb_upload_open(session, "k", 3, nullptr, &upload, &err));
    ASSERT_EQ(KBP_OK, kb_upload_write(upload, "abc", 3, &err));
    faults.fsync_errno = EIO;
    EXPECT_EQ(KBP_ERR_LOST, kb_upload_commit(upload, nullptr, &err));
    EXPECT_TRUE(MessageHas("what was written is lost")) << err.message;
    faults = Faults();
    kb_upload_close(upload);
    EXPECT_EQ(KBP_ERR_NOT_FOUND, Stat("k"));
    EXPECT_EQ(0, Left());
}

TEST_F(Disk, WhatIsAllThereIsUploadedAnewAfterAFailedSync)
{
    kb_kv kvs[] = {{"path", root.c_str()}};
    kb_store_limits patient = {5000, 1000};

    Close();
    ASSERT_EQ(KBP_OK, kb_store_open(&registry, "filesystem", kvs, 1, &patient,
                                    &store, &err));
    ASSERT_EQ(KBP_OK, kb_store_session_open(store, nullptr, &session, &err));
    ASSERT_EQ(KBP_OK, Put("first", "x"));
    faults.fsync_errno = EIO;
    faults.fsync_times = 1;
    faults.calls.clear();
    EXPECT_EQ(KBP_OK, Put("k", "abc", true)) << err.message;
    EXPECT_EQ((std::vector<std::string>{"sync file", "rename", "sync dir"}),
              faults.calls)
        << "synced again";
    EXPECT_EQ("abc", Get("k"));
    faults.fsync_times = 1 << 30;
    EXPECT_EQ(KBP_ERR_LOST, Put("k2", "abc"));
    EXPECT_EQ(KBP_ERR_NOT_FOUND, Stat("k2"));
    EXPECT_EQ(0, Left());
}

TEST_F(Disk, InputOutputErrorsNameTheFile)
{
    ASSERT_EQ(KBP_OK, Put("a/k", "old"));
    faults.pread_errno = EIO;
    EXPECT_EQ("failed: storage filesystem: a/k: can't read " + root +
                  "/a/k: Input/output error",
              Get("a/k"));
    faults = Faults();
    faults.write_errno = EIO;
    EXPECT_EQ(KBP_ERR_IO, Put("a/k", "new"));
    EXPECT_TRUE(MessageHas(root + "/a/k: Input/output error")) << err.message;
    faults = Faults();
    EXPECT_EQ("old", Get("a/k"));
}

TEST_F(Disk, AFailureThatPassesIsGotOver)
{
    kb_kv kvs[] = {{"path", root.c_str()}};

    Close();
    ASSERT_EQ(KBP_OK, kb_store_open(&registry, "filesystem", kvs, 1, nullptr,
                                    &store, &err));
    ASSERT_EQ(KBP_OK, kb_store_session_open(store, nullptr, &session, &err));
    faults.write_errno = EIO;
    faults.write_times = 2;
    EXPECT_EQ(KBP_OK, Put("k", std::string(10000, 'x'))) << err.message;
    faults.pread_errno = EIO;
    faults.pread_times = 1;
    EXPECT_EQ(std::string(10000, 'x'), Get("k"));
}

TEST_F(Disk, CreateOnlyWithoutRenameat2)
{
    faults.no_renameat2 = true;
    EXPECT_EQ(KBP_OK, Put("a/k", "one", true)) << err.message;
    EXPECT_EQ(KBP_ERR_EXISTS, Put("a/k", "two", true));
    EXPECT_EQ("one", Get("a/k"));
    EXPECT_EQ(0, Left());
}

} // namespace

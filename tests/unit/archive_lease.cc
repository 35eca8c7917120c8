// SPDX-License-Identifier: Apache-2.0
// archive_lease.cc - one writer per backup id.
#include "archive_harness.h"

#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include "archive/process_id.h"
#include "base/clock.h"
}

namespace
{

using kbt::Error;
using kbt::Store;

class Lease
{
  public:
    Lease() = default;
    Lease(const Lease &) = delete;
    ~Lease()
    {
        kb_lease_free(l);
    }
    int take(Store &store, int64_t ttl_ms = 60000)
    {
        return kb_lease_take(&l, store.store, "b", ttl_ms, &err);
    }
    void give_back()
    {
        kb_lease_free(l);
        l = nullptr;
    }
    kb_lease *l = nullptr;
    Error err;
};

// A lease as another host would have written it.
std::string record(const std::string &host, int64_t pid, int64_t started,
                   const std::string &boot, const std::string &space,
                   int64_t renewed_ms, int64_t ttl_ms)
{
    return "{\"format_version\":2,\"token\":\"AAAAAAAAAAAAAAAAAAAAAA\","
           "\"host\":\"" +
           host + "\",\"pid\":" + std::to_string(pid) +
           ",\"pid_started\":" + std::to_string(started) + ",\"boot_id\":\"" +
           boot + "\",\"pid_namespace\":\"" + space +
           "\",\"taken_at\":1700000000000,\"renewed_at\":" +
           std::to_string(renewed_ms) +
           ",\"ttl_ms\":" + std::to_string(ttl_ms) + ",\"released\":false}";
}

TEST(ArchiveLease, ASecondWriterIsToldWhoHoldsItAndSinceWhen)
{
    for (const char *conditions : {"true", "false"}) {
        Store store(Store::Settings{{"conditions", conditions}});
        char host[256] = "";
        Lease first;
        Lease second;

        ASSERT_EQ(0, gethostname(host, sizeof host - 1));
        ASSERT_EQ(KBP_OK, first.take(store)) << first.err.text();
        EXPECT_EQ(KBP_OK, kb_lease_check(first.l, &first.err));
        EXPECT_EQ(KBP_ERR_EXISTS, second.take(store));
        EXPECT_NE(std::string::npos,
                  second.err.text().find("process " + std::to_string(getpid())))
            << second.err.text();
        EXPECT_NE(std::string::npos, second.err.text().find(host));
        EXPECT_NE(std::string::npos, second.err.text().find("since 20"));

        kb_lease_holder holder{};
        ASSERT_EQ(KBP_OK,
                  kb_lease_read(store.session, "b", &holder, &second.err));
        EXPECT_EQ(getpid(), holder.pid);
        EXPECT_FALSE(holder.expired);
        kb_lease_holder_release(&holder);

        first.give_back();
        EXPECT_EQ(KBP_ERR_NOT_FOUND,
                  kb_lease_read(store.session, "b", &holder, &second.err));
        EXPECT_EQ(KBP_OK, second.take(store)) << second.err.text();
    }
}

TEST(ArchiveLease, ARestoreHasOneOfItsOwnBesideTheBackups)
{
    Store store;
    Lease backup;
    Lease first;
    Lease second;

    ASSERT_EQ(KBP_OK, backup.take(store)) << backup.err.text();
    ASSERT_EQ(KBP_OK, kb_lease_take_restore(&first.l, store.store,
                                            "b/restores/r", 60000, &first.err))
        << first.err.text();
    EXPECT_EQ(KBP_ERR_EXISTS,
              kb_lease_take_restore(&second.l, store.store, "b/restores/r",
                                    60000, &second.err));
    EXPECT_NE(std::string::npos,
              second.err.text().find("b/restores/r is in use by process"))
        << second.err.text();
    EXPECT_NE(std::string::npos, second.err.text().find("restore.restore_id"));
    first.give_back();
    EXPECT_EQ(KBP_OK, kb_lease_take_restore(&second.l, store.store,
                                            "b/restores/r", 60000, &second.err))
        << second.err.text();
}

TEST(ArchiveLease, OnlyItsMakerRemovesIt)
{
    const char *key = "b/restores/r/lease.json";
    Store store;
    kb_object_info info{};
    Error err;
    kb_lease *l = nullptr;

    auto take = [&] {
        ASSERT_EQ(KBP_OK, kb_lease_take_restore(&l, store.store, "b/restores/r",
                                                60000, &err))
            << err.text();
    };
    take();
    kb_lease_drop(l);
    EXPECT_EQ(KBP_ERR_NOT_FOUND,
              kb_store_stat(store.session, key, &info, &err));

    take();
    kb_lease_free(l);
    take();
    kb_lease_drop(l); /* it was there before */
    EXPECT_NE(std::string::npos, store.get(key).find("\"released\":true"));

    ASSERT_EQ(KBP_OK, kb_store_remove(store.session, key, &err));
    take();
    store.put(key,
              record("elsewhere", 1, 1, "boot", "space", kb_wall_ms(), 60000));
    kb_lease_drop(l);
    EXPECT_NE(std::string::npos, store.get(key).find("elsewhere"));
    kb_lease_drop(nullptr);
}

TEST(ArchiveLease, AProcessThatIsGoneFromThisHostIsReplacedAtOnce)
{
    Store store;
    kb_process_id self;
    Lease lease;
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    kb_process_id_self(&self);
    /* Dead, and not waited for: a zombie holds nothing. */
    for (int i = 0; i < 100; i++) {
        kb_process_id it = self;

        it.pid = child;
        it.started = 1;
        if (kb_process_is_gone(&it))
            break;
        usleep(10000);
    }
    store.put("b/lease.json", record(self.host, child, 1, self.boot, self.space,
                                     kb_wall_ms(), 60000));
    int64_t before = kb_now_ms();
    EXPECT_EQ(KBP_OK, lease.take(store)) << lease.err.text();
    EXPECT_LT(kb_now_ms() - before, 5000);
    (void)waitpid(child, nullptr, 0);
    lease.give_back();

    /* Another process has its number now. */
    store.put("b/lease.json",
              record(self.host, self.pid, self.started - 1, self.boot,
                     self.space, kb_wall_ms(), 60000));
    EXPECT_EQ(KBP_OK, lease.take(store)) << lease.err.text();
}

TEST(ArchiveLease, AnotherHostsHolderIsReplacedOnlyWhenItsTimeIsUp)
{
    Store store;
    Lease lease;

    store.put("b/lease.json",
              record("elsewhere", 4711, 5, "boot", "space", kb_wall_ms(), 400));
    EXPECT_EQ(KBP_ERR_EXISTS, lease.take(store));
    EXPECT_NE(std::string::npos,
              lease.err.text().find("process 4711 on host elsewhere"))
        << lease.err.text();
    /* Time is up, but it lives (its clock is behind): it renews. */
    std::string old = record("elsewhere", 4711, 5, "boot", "space",
                             kb_wall_ms() - 10000, 2000);
    store.put("b/lease.json", old);
    pthread_t renewer;
    ASSERT_EQ(0, pthread_create(
                     &renewer, nullptr,
                     [](void *data) -> void * {
                         Store *s = static_cast<Store *>(data);

                         usleep(300000);
                         s->put("b/lease.json",
                                record("elsewhere", 4711, 5, "boot", "space",
                                       kb_wall_ms() - 9000, 2000));
                         return nullptr;
                     },
                     &store));
    EXPECT_EQ(KBP_ERR_EXISTS, lease.take(store));
    (void)pthread_join(renewer, nullptr);
    /* And when nothing stirs, it is taken over. */
    store.put("b/lease.json", record("elsewhere", 4711, 5, "boot", "space",
                                     kb_wall_ms() - 10000, 400));
    EXPECT_EQ(KBP_OK, lease.take(store, 60000)) << lease.err.text();
}

TEST(ArchiveLease, IsRenewedAndItsLossStopsTheWriter)
{
    Store store;
    Lease lease;

    ASSERT_EQ(KBP_OK, lease.take(store, 600)) << lease.err.text();
    usleep(1500000);
    EXPECT_EQ(KBP_OK, kb_lease_check(lease.l, &lease.err)) << lease.err.text();
    store.put("b/lease.json",
              record("elsewhere", 1, 5, "boot", "space", kb_wall_ms(), 60000));
    usleep(600000);
    EXPECT_EQ(KBP_ERR_CONFLICT, kb_lease_check(lease.l, &lease.err));
    EXPECT_NE(std::string::npos, lease.err.text().find("taken over"));

    /* A commit under it is refused before anything is written. */
    kb_manifest *m = nullptr;
    kb_committer c{};
    ASSERT_EQ(KBP_OK, kb_manifest_new(&m, "b", &lease.err));
    EXPECT_EQ(KBP_ERR_CONFLICT,
              kb_committer_begin(&c, store.session, m, lease.l, 0, &lease.err));
    EXPECT_TRUE(store.keys("b/manifest").empty());
    kb_manifest_free(m);
    /* And it isn't given back: it is somebody else's. */
    lease.give_back();
    EXPECT_NE(std::string::npos, store.get("b/lease.json").find("elsewhere"));
}

TEST(ArchiveLease, AStoreThatIsAwayTooLongEndsIt)
{
    std::string name = "away";
    Store alive(Store::Settings{{"name", name}});
    /* Its first change is the lease, then nothing works any more. */
    Store dying(Store::Settings{{"name", name}, {"dies_at", "2"}});
    Lease lease;

    ASSERT_EQ(KBP_OK, lease.take(dying, 600)) << lease.err.text();
    EXPECT_EQ(KBP_OK, kb_lease_check(lease.l, &lease.err));
    usleep(700000);
    EXPECT_EQ(KBP_ERR_CONFLICT, kb_lease_check(lease.l, &lease.err));
    EXPECT_NE(std::string::npos, lease.err.text().find("in time"));
}

TEST(ArchiveLease, GivingItBackEndsInTime)
{
    Store quick(Store::Settings{{"name", "slow"}});
    /* To take it is done in its time; to give it back takes more calls. */
    Store slow(Store::Settings{{"name", "slow"}, {"delay", "400ms"}});
    kb_lease_holder holder{};
    Lease lease;

    ASSERT_EQ(KBP_OK, lease.take(slow, 2400)) << lease.err.text();
    if (kb_lease_check(lease.l, &lease.err) != KBP_OK)
        GTEST_SKIP() << "this machine is too slow for that";
    int64_t began = kb_now_ms();
    lease.give_back();
    EXPECT_GE(kb_now_ms() - began, 1200) << "it wasn't tried for long";
    ASSERT_EQ(KBP_OK, kb_lease_read(quick.session, "b", &holder, &lease.err))
        << "it was given back after all";
    kb_lease_holder_release(&holder);
}

TEST(ArchiveLease, WhatIsNoLeaseIsSaid)
{
    Store store;
    Lease lease;

    store.put("b/lease.json", "{}");
    EXPECT_EQ(KBP_ERR_CORRUPT, lease.take(store));
    EXPECT_NE(std::string::npos, lease.err.text().find("b/lease.json"));
}

} // namespace

// SPDX-License-Identifier: Apache-2.0
// archive_commit.cc - the manifest's log: commits, folds, crashes, rivals.
#include "archive_run.h"

#include <atomic>
#include <map>
#include <thread>

namespace
{

TEST(ArchiveCommit, ResumesWhereTheAccountedOffsetsEnd)
{
    Store store;
    Manifest m;
    {
        Backup run(store);

        ASSERT_EQ(KBP_OK, run.rc) << run.err.text();
        ASSERT_EQ(KBP_OK, run.step()) << run.err.text();
        ASSERT_EQ(KBP_OK, run.step()) << run.err.text();
        EXPECT_EQ(120, run.manifest.resume(1, 0));
    } /* killed here */
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    EXPECT_EQ(120, m.resume(1, 0));
    EXPECT_EQ(120, m.resume(1, 1));
    EXPECT_EQ(100, kb_partition_start(m.log(1, 0)));
    EXPECT_TRUE(m.log(1, 0)->last.known);
    EXPECT_EQ(110, m.log(1, 0)->last.base_offset);
    EXPECT_EQ(77u, m.log(1, 0)->last.crc32c);
    EXPECT_EQ(3, m.log(1, 0)->last.leader_epoch);
    EXPECT_TRUE(m.log(1, 0)->last.detailed);
    EXPECT_EQ(115, m.log(1, 0)->last.last_offset);
    EXPECT_EQ(-1, m.log(1, 0)->last.max_timestamp);
    EXPECT_EQ(INT64_MAX, m.log(1, 0)->last.producer_id);
    EXPECT_EQ(-7, m.log(1, 0)->last.producer_epoch);
    EXPECT_EQ(-1, m.log(1, 0)->last.base_sequence);
    EXPECT_EQ(4, m.log(1, 0)->last.count);
    EXPECT_EQ(0xffff, m.log(1, 0)->last.attributes);
    EXPECT_EQ(1, m.log(1, 0)->last.magic);
    EXPECT_EQ(KBP_OK, kb_manifest_check(m.m, nullptr, nullptr, &m.err));
    EXPECT_EQ(KB_RUN_RUNNING, m.m->runs[0].status);
    ASSERT_EQ(1u, m.m->generation_count);
    EXPECT_STREQ("topic-1", m.m->generations[0].topic);
    EXPECT_EQ(2, m.m->generations[0].desc.partition_count);
    EXPECT_STREQ("\"quoted\" \\ \n", m.m->generations[0].desc.configs[0].value);
    {
        Backup run(store);

        ASSERT_EQ(KBP_OK, run.step()) << run.err.text();
        ASSERT_EQ(KBP_OK, run.end()) << run.err.text();
    }
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    EXPECT_EQ(130, m.resume(1, 1));
    EXPECT_EQ(2u, m.m->run_count);
    EXPECT_EQ(KB_RUN_COMPLETE, m.m->runs[1].status);
    EXPECT_EQ(3u, m.m->segment_count);
    /* All is folded: no entry is left. */
    EXPECT_TRUE(store.keys("b/manifest/").empty());
}

int whole_run(Store &store, int steps)
{
    Backup run(store);
    int rc = run.rc;

    for (int i = 0; i < steps && rc == KBP_OK; i++)
        rc = run.step();
    return rc == KBP_OK ? run.end() : rc;
}

// Run until `n` steps of work are in the archive, then end.
void finish_run(Store &store, int64_t until)
{
    Backup run(store);

    ASSERT_EQ(KBP_OK, run.rc) << run.err.text();
    while (run.manifest.resume(1, 0) < until)
        ASSERT_EQ(KBP_OK, run.step()) << run.err.text();
    ASSERT_EQ(KBP_OK, run.end()) << run.err.text();
}

TEST(ArchiveCommit, AKillAtAnyChangeOfTheStoreLeavesABackupThatGoesOn)
{
    std::string undisturbed;
    {
        Store store;

        ASSERT_EQ(KBP_OK, whole_run(store, 3));
        ASSERT_EQ(KBP_OK, whole_run(store, 3));
        undisturbed = dump(store);
    }
    int died = 0;
    for (int at = 1; at < 100; at++) {
        std::string name = "crash-" + std::to_string(at);
        Store alive(Store::Settings{{"name", name}});
        int rc;

        ASSERT_EQ(KBP_OK, whole_run(alive, 3));
        {
            Store dying(Store::Settings{{"name", name},
                                        {"dies_at", std::to_string(at)}});

            rc = whole_run(dying, 3);
        }
        Manifest m;
        ASSERT_EQ(KBP_OK, m.load(alive)) << at << " " << m.err.text();
        EXPECT_EQ(KBP_OK, kb_manifest_check(m.m, nullptr, nullptr, &m.err))
            << at << " " << m.err.text();
        EXPECT_GE(m.resume(1, 0), 130) << at;
        EXPECT_EQ(m.resume(1, 0), m.resume(1, 1)) << at;
        /* Every segment that is named is there. */
        for (size_t i = 0; i < m.m->segment_count; i++)
            EXPECT_NO_THROW(
                (void)alive.get(kbt::segment_key("b", m.m->segments[i].name)));
        finish_run(alive, 160);
        EXPECT_EQ(undisturbed, dump(alive)) << at;
        /* And nothing that isn't named is left of the one that died. */
        EXPECT_EQ(6u, alive.keys("b/segments/").size()) << at;
        EXPECT_TRUE(alive.keys("b/manifest/").empty()) << at;
        if (rc == KBP_OK)
            break;
        died++;
    }
    EXPECT_GT(died, 8);
    EXPECT_LT(died, 98);
}

TEST(ArchiveCommit, ALostAnswerIsNoSecondCommit)
{
    for (const char *how : {"done", "undone"}) {
        Store store(Store::Settings{{"unsure", how}});

        EXPECT_EQ(KBP_OK, whole_run(store, 3)) << how;
        Manifest m;
        ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
        EXPECT_EQ(130, m.resume(1, 0)) << how;
        EXPECT_EQ(KBP_OK, kb_manifest_check(m.m, nullptr, nullptr, &m.err));
    }
}

TEST(ArchiveCommit, WorksInAStoreWithoutConditions)
{
    Store store(Store::Settings{{"conditions", "false"}});
    Manifest m;

    EXPECT_EQ(KBP_OK, whole_run(store, 3));
    EXPECT_EQ(KBP_OK, whole_run(store, 3));
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    EXPECT_EQ(160, m.resume(1, 0));
}

TEST(ArchiveCommit, WhatAWriterCommitsAfterItWasReplacedNeverCounts)
{
    Store store;
    Backup old(store);

    ASSERT_EQ(KBP_OK, old.step());
    Backup next(store); /* took over; `old` doesn't know */
    ASSERT_EQ(KBP_OK, old.step()) << old.err.text();
    ASSERT_EQ(KBP_OK, next.step()) << next.err.text();
    {
        Manifest m;

        ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
        EXPECT_EQ(120, m.resume(1, 0));
        EXPECT_EQ(2u, m.m->segment_count);
        EXPECT_EQ(KBP_OK, kb_manifest_check(m.m, nullptr, nullptr, &m.err));
    }
    ASSERT_EQ(KBP_OK, next.end());
    /* Nor once the new one has folded; and the old one can't fold over it. */
    ASSERT_EQ(KBP_OK, old.step()) << old.err.text();
    EXPECT_EQ(KBP_ERR_CONFLICT, old.end());
    Manifest m;
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    EXPECT_EQ(120, m.resume(1, 0));
    EXPECT_EQ(2u, m.m->segment_count);
    /* The next run sweeps what is void. */
    ASSERT_EQ(KBP_OK, whole_run(store, 1));
    EXPECT_TRUE(store.keys("b/manifest/").empty());
}

TEST(ArchiveCommit, AReaderSeesOneStateWhileItIsFolded)
{
    /* The reader's list comes before a fold, its gets after: simulated by a
       store where the entries are gone and manifest.json is older. */
    Store store;
    Backup run(store);
    Manifest m;

    ASSERT_EQ(KBP_OK, run.step());
    ASSERT_EQ(KBP_OK, kb_fold(&run.committer, &run.err));
    ASSERT_EQ(KBP_OK, run.step());
    ASSERT_EQ(KBP_OK, run.step());
    ASSERT_EQ(KBP_OK, m.load(store));
    EXPECT_EQ(130, m.resume(1, 0));
    /* An entry that is lost is said, not passed over. */
    auto keys = store.keys("b/manifest/");
    ASSERT_EQ(2u, keys.size());
    store.remove(keys[0]);
    EXPECT_EQ(KBP_ERR_CORRUPT, m.load(store));
    EXPECT_NE(std::string::npos, m.err.text().find(keys[0])) << m.err.text();
}

TEST(ArchiveCommit, ARefreshReadsOnlyWhatIsNew)
{
    Store store;
    Backup run(store);
    Manifest m;

    ASSERT_EQ(KBP_OK, run.step());
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    auto read = store.keys("b/manifest/");
    ASSERT_EQ(KBP_OK, run.step());
    ASSERT_EQ(KBP_OK, run.step());
    std::string whole = dump(store);
    /* Would fail if it were read again. */
    for (auto &key : read)
        store.put(key, "damaged");
    ASSERT_EQ(KBP_OK, kb_manifest_refresh(&m.m, store.session, "b", &m.err))
        << m.err.text();
    EXPECT_EQ(whole, dump(m.m));
    ASSERT_EQ(KBP_OK, kb_manifest_refresh(&m.m, store.session, "b", &m.err));
    EXPECT_EQ(whole, dump(m.m));
    EXPECT_EQ(KBP_ERR_CORRUPT, Manifest().load(store));
}

TEST(ArchiveCommit, ARefreshIsWhatALoadIs)
{
    Store store;
    Manifest m;

    for (int runs = 0; runs < 3; runs++) {
        Backup run(store);

        ASSERT_EQ(KBP_OK, run.rc) << run.err.text();
        for (int i = 0; i < 8; i++) {
            ASSERT_EQ(KBP_OK, run.step()) << run.err.text();
            if (i == 5) {
                ASSERT_EQ(KBP_OK, kb_fold(&run.committer, &run.err));
            }
            ASSERT_EQ(KBP_OK,
                      kb_manifest_refresh(&m.m, store.session, "b", &m.err))
                << m.err.text();
            EXPECT_EQ(dump(store), dump(m.m));
            EXPECT_EQ(runs + 1u, m.m->run_count);
        }
        if (runs != 1) { /* the second is killed */
            ASSERT_EQ(KBP_OK, run.end());
        }
    }
    ASSERT_EQ(KBP_OK, kb_manifest_refresh(&m.m, store.session, "b", &m.err));
    EXPECT_EQ(dump(store), dump(m.m));
    for (auto &key : store.keys("b/"))
        store.remove(key);
    EXPECT_EQ(KBP_ERR_NOT_FOUND,
              kb_manifest_refresh(&m.m, store.session, "b", &m.err));
    EXPECT_EQ(nullptr, m.m);
}

TEST(ArchiveCommit, ReadersSeeOnlyWholeStatesWhileARunCommitsAndFolds)
{
    Store store(Store::Settings{{"name", "concurrent"}});
    std::atomic<bool> done{false};
    std::atomic<int> loads{0};
    std::atomic<int> steps{0};
    std::thread writer([&] {
        Store own(Store::Settings{{"name", "concurrent"}});

        /* On a busy machine the reader may not have come to its turn yet. */
        for (int r = 0; r < 5 || (loads <= 5 && r < 500); r++) {
            Backup run(own);

            for (int i = 0; i < 40; i++) {
                EXPECT_EQ(KBP_OK, run.step(1)) << run.err.text();
                steps++;
                if (i % 3 == 2) {
                    EXPECT_EQ(KBP_OK, kb_fold(&run.committer, &run.err))
                        << run.err.text();
                }
            }
        }
        done = true;
    });
    int64_t last = -1;

    while (!done) {
        Manifest m;
        int rc = m.load(store);

        if (rc == KBP_ERR_NOT_FOUND && last < 0)
            continue;
        /* Folds in a row can outrun a reader; it says so, and asks again. */
        if (rc == KBP_ERR_UNAVAILABLE)
            continue;
        ASSERT_EQ(KBP_OK, rc) << m.err.text();
        EXPECT_EQ(KBP_OK, kb_manifest_check(m.m, nullptr, nullptr, &m.err))
            << m.err.text();
        EXPECT_GE(m.resume(1, 0), last);
        EXPECT_EQ(m.resume(1, 0), m.resume(1, 1));
        last = m.resume(1, 0);
        loads++;
    }
    writer.join();
    EXPECT_GT(loads, 5);
    Manifest m;
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    EXPECT_EQ(100 + steps * 2, m.resume(1, 0));
}

TEST(ArchiveCommit, RefusesOffsetsThatDontGoOn)
{
    Store store;
    Backup run(store);
    kb_uuid unknown = uuid(9);
    kb_coverage c;

    ASSERT_EQ(KBP_OK, run.step());
    std::string before = dump(store);
    kb_name name = run.committer.next;
    name.seq = 50;
    auto info = kbt::write_segment(store, "b", name,
                                   {Frame(uuid(1), 0, {dense(200, 3)})}, 0);
    uint32_t segment = 9;
    ASSERT_EQ(KBP_OK, kb_entry_segment(run.entry, &info, &segment, &run.err));
    EXPECT_EQ(0u, segment);
    ASSERT_EQ(KBP_OK, run.extent(1, 0, 200, 3, segment));
    EXPECT_EQ(KBP_ERR_MISUSE, run.commit());
    EXPECT_NE(std::string::npos, run.err.text().find("topic-1/0"));
    EXPECT_EQ(before, dump(store));
    EXPECT_EQ(110, run.manifest.resume(1, 0));

    ASSERT_EQ(KBP_OK, kb_entry_reset(run.entry, &run.err));
    kb_coverage_init(&c, 0);
    ASSERT_EQ(KBP_OK, kb_coverage_skip(&c, KB_RANGE_CLEANED, 5, &run.err));
    ASSERT_EQ(KBP_OK, kb_entry_extent(run.entry, &unknown, 0, &c, KB_NO_SEGMENT,
                                      nullptr, &run.err));
    EXPECT_EQ(KBP_ERR_MISUSE, run.commit()); // who is topic 9?
    c.end = 9;                               // no silent hole
    EXPECT_EQ(KBP_ERR_CORRUPT,
              kb_entry_extent(run.entry, &unknown, 0, &c, KB_NO_SEGMENT,
                              nullptr, &run.err));
    kb_coverage_release(&c);
}

TEST(ArchiveCommit, ATopicMadeAgainIsAGenerationOfItsOwn)
{
    Store store;
    Backup run(store);
    kb_uuid first = uuid(1);
    kb_uuid second = uuid(2);
    kb_topic_desc desc{};
    Manifest m;

    ASSERT_EQ(KBP_OK, run.step());
    desc.partition_count = 4;
    ASSERT_EQ(KBP_OK,
              kb_entry_topic_deleted(run.entry, &first, 12345, &run.err));
    ASSERT_EQ(KBP_OK, kb_entry_topic(run.entry, "topic-1", &second, true, &desc,
                                     &run.err));
    ASSERT_EQ(KBP_OK, run.commit()) << run.err.text();
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    kb_generation *g = kb_manifest_topic(m.m, "topic-1");
    ASSERT_NE(nullptr, g);
    EXPECT_EQ(2u, g->number);
    EXPECT_EQ(0u, g->partition_count); // an empty topic is in the backup, too
    EXPECT_EQ(4, g->desc.partition_count);
    EXPECT_EQ(12345, kb_manifest_generation(m.m, &first)->deleted_ms);
    EXPECT_EQ(110, m.resume(1, 0));
    EXPECT_EQ(nullptr, kb_manifest_topic(m.m, "topic"));
    EXPECT_EQ(nullptr, kb_manifest_topic(m.m, "topic-10"));
}

TEST(ArchiveCommit, WhatIsPendingEndsWhenItComes)
{
    Store store;
    Backup run(store);
    kb_uuid one = uuid(1);
    Manifest m;

    ASSERT_EQ(KBP_OK, run.step());
    ASSERT_EQ(KBP_OK, kb_entry_pending(run.entry, &one, 0, KB_RANGE_OPEN_TXN,
                                       115, &run.err));
    ASSERT_EQ(KBP_OK, kb_entry_run_reason(run.entry, "topic-1", 0,
                                          "open transaction", &run.err));
    ASSERT_EQ(KBP_OK, run.end(KB_RUN_INCOMPLETE)) << run.err.text();
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    EXPECT_EQ(110, m.log(1, 0)->pending.start);
    EXPECT_EQ(115, m.log(1, 0)->pending.end);
    EXPECT_EQ(KB_RANGE_OPEN_TXN, m.log(1, 0)->pending.kind);
    EXPECT_EQ(110, m.resume(1, 0));
    ASSERT_EQ(1u, m.m->runs[0].reason_count);
    EXPECT_STREQ("open transaction", m.m->runs[0].reasons[0].text);
    EXPECT_EQ(KB_RUN_INCOMPLETE, m.m->runs[0].status);
    ASSERT_EQ(KBP_OK, whole_run(store, 1));
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    EXPECT_EQ(0, m.log(1, 0)->pending.end);
}

TEST(ArchiveCommit, OldCapturesAreThinnedOutAndSweptAway)
{
    const int64_t hour = 3600000;
    const int64_t now = 20000 * 24 * hour + 100; // a day's beginning
    Store store;
    Manifest m;
    auto capture = [&](Backup &run, uint32_t seq, int64_t at) {
        kb_groups groups{};
        kb_name name = run.committer.next;

        name.seq = seq;
        groups.captured_ms = at;
        EXPECT_EQ(KBP_OK, kb_groups_write(&groups, store.session, "b", &name,
                                          &run.err));
        EXPECT_EQ(KBP_OK, kb_entry_groups(run.entry, &name, at, &run.err));
    };

    {
        Backup run(store);
        uint32_t seq = 0;
        for (int64_t age = 100 * 24; age >= 0; age--)
            for (int64_t part = 0; part < 3; part++)
                capture(run, ++seq, now - age * hour + part * hour / 3);
        ASSERT_EQ(KBP_OK, run.commit()) << run.err.text();
        ASSERT_EQ(KBP_OK, run.end()) << run.err.text();
        // one that a run which was killed had stored and not named
        kb_groups groups{};
        kb_name name = run.committer.next;
        name.seq = seq + 1;
        ASSERT_EQ(KBP_OK, kb_groups_write(&groups, store.session, "b", &name,
                                          &run.err));
    }
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    std::map<int64_t, int> days;
    for (size_t i = 0; i < m.m->capture_count; i++) {
        kb_groups groups{};

        days[(now - m.m->captures[i].captured_ms + 24 * hour) / (24 * hour)]++;
        EXPECT_EQ(KBP_OK, kb_groups_read(&groups, store.session, "b",
                                         &m.m->captures[i].name, &m.err));
        kb_groups_release(&groups);
    }
    EXPECT_GE(days[1], 70);  // the last day: all
    EXPECT_EQ(24, days[10]); // an hour's last
    EXPECT_EQ(1, days[60]);  // a day's last
    EXPECT_EQ(now + 2 * (hour / 3),
              m.m->captures[m.m->capture_count - 1].captured_ms);
    EXPECT_EQ(m.m->capture_count + 1, store.keys("b/groups/").size());
    Backup next(store); // sweeps
    EXPECT_EQ(m.m->capture_count, store.keys("b/groups/").size());
}

TEST(ArchiveCommit, TransactionsTravelWithTheOffsets)
{
    Store store;
    Manifest m;
    auto extent = [](Backup &run, int64_t start, kb_txn *aborted,
                     kb_txn *open) {
        kb_uuid one = uuid(1);
        kb_coverage c;

        kb_coverage_init(&c, start);
        int rc = kb_coverage_skip(&c, KB_RANGE_MARKER, start + 1, &run.err);
        if (rc == KBP_OK && aborted)
            rc = kb_txns_add(&c.aborted, aborted, &run.err);
        if (rc == KBP_OK && open)
            rc = kb_txns_add(&c.open, open, &run.err);
        if (rc == KBP_OK)
            rc = kb_entry_extent(run.entry, &one, 0, &c, KB_NO_SEGMENT, nullptr,
                                 &run.err);
        kb_coverage_release(&c);
        return rc == KBP_OK ? run.commit() : rc;
    };
    kb_txn open{7, 100, 0};
    kb_txn aborted{7, 100, 112};

    {
        Backup run(store);
        ASSERT_EQ(KBP_OK, run.step()); // records from 100 on, a marker at 109
        ASSERT_EQ(KBP_OK, extent(run, 110, nullptr, &open)) << run.err.text();
        ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
        ASSERT_EQ(1u, m.log(1, 0)->open.count);
        EXPECT_EQ(7, m.log(1, 0)->open.items[0].producer_id);
        EXPECT_EQ(100, m.log(1, 0)->open.items[0].start);
        EXPECT_EQ(0u, m.log(1, 0)->aborted.count);
        ASSERT_EQ(KBP_OK, run.end()); // folded
    }
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    ASSERT_EQ(1u, m.log(1, 0)->open.count);
    {
        Backup run(store);
        ASSERT_EQ(KBP_OK, extent(run, 111, &aborted, nullptr))
            << run.err.text();
        ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
        EXPECT_EQ(0u, m.log(1, 0)->open.count);
        ASSERT_EQ(KBP_OK, run.step()); // says nothing of transactions
        ASSERT_EQ(KBP_OK, run.end());
    }
    ASSERT_EQ(KBP_OK, m.load(store)) << m.err.text();
    EXPECT_EQ(0u, m.log(1, 0)->open.count);
    ASSERT_EQ(1u, m.log(1, 0)->aborted.count);
    EXPECT_EQ(7, m.log(1, 0)->aborted.items[0].producer_id);
    EXPECT_EQ(100, m.log(1, 0)->aborted.items[0].start);
    EXPECT_EQ(112, m.log(1, 0)->aborted.items[0].end);
    EXPECT_EQ(KBP_OK, kb_manifest_check(m.m, nullptr, nullptr, &m.err))
        << m.err.text();
}

TEST(ArchiveCommit, ACommitCostsWhatIsNewHoweverLargeTheArchiveIs)
{
    Store store;
    Backup run(store);
    uint64_t first = 0; /* the largest entry of the first thousand commits */
    uint64_t last = 0;

    for (int i = 0; i < 3000; i++) {
        uint64_t before = run.committer.bytes_written;
        uint64_t folds = run.committer.folds;

        ASSERT_EQ(KBP_OK, run.step(1)) << run.err.text();
        if (run.committer.folds != folds)
            continue;
        uint64_t bytes = run.committer.bytes_written - before;
        uint64_t &largest = i < 1000 ? first : last;
        largest = std::max(largest, bytes);
    }
    EXPECT_LE(last, first + 32) << first << " " << last; /* longer numbers */
    /* With the folds' share: no more than what a commit may cost. */
    EXPECT_LT(run.committer.bytes_written, 3000 * (last + 16384));
    EXPECT_GT(run.committer.folds, 2u);
    EXPECT_LT(run.committer.folds, 20u);
    EXPECT_LT(store.keys("b/manifest/").size(), 600u);
}

} // namespace

// SPDX-License-Identifier: Apache-2.0
// verify.cc - deep validation: what is whole is valid, what is hurt is named.
#include "archive_harness.h"

#include <set>

extern "C" {
#include "archive/groups.h"
#include "verify/verify.h"
}

namespace
{

using kbt::batch;
using kbt::dense;
using kbt::Error;
using kbt::Frame;
using kbt::Store;
using kbt::uuid;
using kbt::Writer;

class Report
{
  public:
    Report() = default;
    Report(const Report &) = delete;
    ~Report()
    {
        kb_verify_report_release(&r);
    }
    int run(Store &store, bool deep = true, unsigned workers = 2)
    {
        kb_verify_options options{};

        options.deep = deep;
        options.workers = workers;
        kb_verify_report_release(&r);
        return kb_verify(store.store, &kbt::registry().registry, "nightly",
                         &options, &r, &err);
    }
    std::string text()
    {
        char *buf = nullptr;
        size_t len = 0;
        FILE *out = open_memstream(&buf, &len);

        kb_verify_report_print(&r, out);
        (void)fclose(out);
        std::string all(buf, len);
        free(buf);
        return all;
    }
    bool names(const std::string &part)
    {
        return text().find(part) != std::string::npos;
    }

    kb_verify_report r{};
    Error err;
};

void write_backup(Store &store)
{
    Writer w(store);
    Frame packed(uuid(1), 0,
                 {dense(5, 200), dense(205, 1), dense(210, 3, "x", -1)});
    kb_groups groups{};
    kb_captured_group *group = nullptr;
    kb_name name = w.c.next;

    packed.compress(1, kbt::zstd(packed.raw));
    w.topic(1);
    w.topic(2);
    w.commit({packed, Frame(uuid(1), 1, {batch({0, 2, 7}, 9)}),
              Frame(uuid(2), 3, {dense(0, 1)})},
             {214, 9, 1}, 1);
    name.seq = 1;
    groups.captured_ms = 77;
    ASSERT_EQ(KBP_OK, kb_groups_add(&groups, "billing", &group, &w.err));
    ASSERT_EQ(KBP_OK,
              kb_captured_group_add(group, "topic-1", 0, 5, nullptr, &w.err));
    ASSERT_EQ(KBP_OK, kb_groups_write(&groups, store.session, "nightly", &name,
                                      &w.err));
    kb_groups_release(&groups);
    ASSERT_EQ(KBP_OK, kb_entry_groups(w.entry, &name, 77, &w.err));
    w.commit({Frame(uuid(1), 0, {dense(214, 2)})}, {217}, 0);
    ASSERT_EQ(KBP_OK, kb_entry_run_end(w.entry, KB_RUN_COMPLETE, &w.err));
    ASSERT_EQ(KBP_OK, kb_commit(&w.c, w.entry, &w.err));
    ASSERT_EQ(KBP_OK, kb_fold(&w.c, &w.err));
}

std::string first_segment(Store &store)
{
    return store.keys("nightly/segments/").at(0);
}

TEST(Verify, AWholeBackupIsValidAndItsNumbersAreThere)
{
    Store store;
    Report report;

    write_backup(store);
    ASSERT_EQ(KBP_OK, report.run(store)) << report.err.text();
    EXPECT_EQ(0u, report.r.bad) << report.text();
    EXPECT_EQ(0u, report.r.finding_count);
    EXPECT_EQ(2u, report.r.segments_valid);
    EXPECT_EQ(4u, report.r.frames);
    EXPECT_EQ(6u, report.r.batches);
    EXPECT_EQ(204u + 3 + 1 + 2, report.r.records_read);
    EXPECT_EQ(report.r.records, report.r.records_read);
    EXPECT_EQ(6u, report.r.missing);
    EXPECT_EQ(4u, report.r.in_ranges[KB_RANGE_CLEANED]);
    EXPECT_EQ(2u, report.r.in_ranges[KB_RANGE_MARKER]);
    EXPECT_EQ(1u, report.r.group_captures);
    EXPECT_TRUE(report.names("Result: VALID\n")) << report.text();
    json_t *json = kb_verify_report_json(&report.r);
    EXPECT_TRUE(json_is_true(json_object_get(json, "valid")));
    EXPECT_EQ(210, json_integer_value(json_object_get(json, "records")));
    json_decref(json);

    ASSERT_EQ(KBP_OK, report.run(store, false)) << report.err.text();
    EXPECT_EQ(0u, report.r.bad) << report.text();
    EXPECT_EQ(KBP_OK, report.err.status);
}

TEST(Verify, AnUnknownBackupIsAnErrorAndADamagedManifestAFinding)
{
    Store store;
    Report report;

    EXPECT_EQ(KBP_ERR_NOT_FOUND, report.run(store));
    write_backup(store);
    std::string good = store.get("nightly/manifest.json");
    std::string bad = good;
    bad[good.size() / 2] ^= 1;
    store.put("nightly/manifest.json", bad);
    ASSERT_EQ(KBP_OK, report.run(store)) << report.err.text();
    EXPECT_EQ(1u, report.r.bad);
    EXPECT_TRUE(report.names("nightly/manifest.json")) << report.text();
    EXPECT_TRUE(report.names("Result: INVALID"));
}

TEST(Verify, EveryFlippedByteOfASegmentIsFound)
{
    Store store;
    Report report;

    write_backup(store);
    for (auto &key : store.keys("nightly/segments/")) {
        std::string good = store.get(key);

        for (size_t i = 0; i < good.size(); i++) {
            std::string bad = good;

            bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
            store.put(key, bad);
            ASSERT_EQ(KBP_OK, report.run(store, true, 1))
                << i << report.err.text();
            EXPECT_GT(report.r.bad, 0u) << key << " byte " << i;
            EXPECT_EQ(1u, report.r.segments_damaged) << i;
            EXPECT_TRUE(report.names(key)) << i;
        }
        store.put(key, good);
    }
}

TEST(Verify, DamageInAFrameIsNamedWithObjectFrameAndOffsets)
{
    Store store;
    Report report;

    write_backup(store);
    std::string key = first_segment(store);
    std::string bad = store.get(key);
    size_t second = bad.find("KBFR", 65);
    bad[second + 128 + 70] ^= 1; /* in the batches of topic-1/1 */
    store.put(key, bad);
    ASSERT_EQ(KBP_OK, report.run(store)) << report.err.text();
    EXPECT_EQ(1u, report.r.bad) << report.text();
    EXPECT_TRUE(report.names("  - damaged " + key + ", frame at byte " +
                             std::to_string(second) +
                             ", topic-1/1, offsets 0 to 9: its checksum"))
        << report.text();
    EXPECT_EQ(3u, report.r.frames); /* the others were looked at */
    json_t *json = kb_verify_report_json(&report.r);
    json_t *issue = json_array_get(json_object_get(json, "issues"), 0);
    EXPECT_EQ(static_cast<json_int_t>(second),
              json_integer_value(json_object_get(issue, "frame_at")));
    json_decref(json);
}

TEST(Verify, AMissingATruncatedAndASwappedObjectAreNamedWithWhatTheyHeld)
{
    Store store;
    Report report;

    write_backup(store);
    auto keys = store.keys("nightly/segments/");
    std::string first = store.get(keys[0]);
    std::string second = store.get(keys[1]);

    store.remove(keys[1]);
    for (bool deep : {false, true}) {
        ASSERT_EQ(KBP_OK, report.run(store, deep));
        EXPECT_EQ(1u, report.r.segments_missing);
        EXPECT_EQ(1u, report.r.segments_valid);
        EXPECT_TRUE(report.names("topic-1/0, offsets 214 to 217: 2 records "
                                 "can't be restored"))
            << report.text();
    }
    store.put(keys[1], second.substr(0, second.size() - 1));
    for (bool deep : {false, true}) {
        ASSERT_EQ(KBP_OK, report.run(store, deep));
        EXPECT_EQ(1u, report.r.segments_damaged) << report.text();
        EXPECT_TRUE(report.names("the manifest says")) << report.text();
    }
    store.put(keys[1], first);
    store.put(keys[0], second);
    ASSERT_EQ(KBP_OK, report.run(store));
    EXPECT_EQ(2u, report.r.segments_damaged) << report.text();
    EXPECT_TRUE(report.names("topic-2/3, offsets 0 to 1")) << report.text();
}

TEST(Verify, MissingAndDamagedGroupCapturesAreFound)
{
    Store store;
    Report report;

    write_backup(store);
    std::string key = store.keys("nightly/groups/").at(0);
    store.put(key, "{");
    ASSERT_EQ(KBP_OK, report.run(store, false)) << report.err.text();
    EXPECT_EQ(1u, report.r.bad);
    store.remove(key);
    ASSERT_EQ(KBP_OK, report.run(store, false)) << report.err.text();
    EXPECT_EQ(1u, report.r.bad);
    EXPECT_TRUE(report.names(key)) << report.text();
}

TEST(Verify, AnOrphanIsSaidAndHurtsNothing)
{
    Store store;
    Report report;

    write_backup(store);
    (void)kbt::write_segment(store, "nightly", kbt::name_of(1700000000000, 9),
                             {Frame(uuid(1), 0, {dense(0, 1)})}, 0);
    ASSERT_EQ(KBP_OK, report.run(store));
    EXPECT_EQ(0u, report.r.bad);
    ASSERT_EQ(1u, report.r.finding_count);
    EXPECT_EQ(KB_FINDING_ORPHAN, report.r.findings[0].kind);
    EXPECT_TRUE(report.names("Result: VALID\n"));
}

// A batch whose CRC is wrong, in a frame whose checksum is right: stored so.
TEST(Verify, ABatchThatWasBrokenBeforeItWasStoredIsFound)
{
    Store store;
    Report report;
    {
        Writer w(store);
        Frame f(uuid(1), 0, {dense(0, 3), dense(3, 3)});

        f.raw[f.raw.size() - 2] ^= 1;
        f.stored = f.raw;
        f.seal();
        w.topic(1);
        w.commit({f}, {6}, 0);
    }
    ASSERT_EQ(KBP_OK, report.run(store));
    EXPECT_EQ(1u, report.r.bad) << report.text();
    EXPECT_TRUE(report.names("topic-1/0, offsets 3 to 6")) << report.text();
}

// What a writer with a bug could leave: each layer true in itself.
TEST(Verify, LayersThatContradictEachOtherAreFound)
{
    struct {
        const char *what;
        void (*spoil)(Frame &frame);
        const char *found;
    } cases[] = {
        {"a header that says less than there is",
         [](Frame &f) { f.desc.sums.batches = 1; }, "3 records in 1 batches"},
        {"a header with other offsets", [](Frame &f) { f.desc.end++; },
         "up to offset 8"},
        {"a header with another largest batch",
         [](Frame &f) { f.desc.sums.largest_batch--; }, "its header says"},
    };

    for (auto &c : cases) {
        Store store;
        Report report;
        {
            Writer w(store);
            Frame f(uuid(1), 0, {dense(0, 2), batch({7}, 8)});

            c.spoil(f);
            w.topic(1);
            w.commit({f}, {9}, 0);
        }
        ASSERT_EQ(KBP_OK, report.run(store));
        EXPECT_GT(report.r.bad, 0u) << c.what;
        EXPECT_TRUE(report.names(c.found)) << c.what << report.text();
    }
}

TEST(Verify, RangesThatDontLieWhereTheHolesAreAreFound)
{
    Store store;
    Report report;
    {
        Writer w(store);

        w.topic(1);
        w.commit({Frame(uuid(1), 0, {dense(0, 2), dense(4, 2)})}, {6}, 0);
        ASSERT_EQ(KBP_OK, kb_fold(&w.c, &w.err));
    }
    std::string text = store.get("nightly/manifest.json");
    size_t at = text.find("\"c,2,4\"");
    ASSERT_NE(std::string::npos, at) << text;
    text.replace(at, 7, "\"c,1,3\""); /* the sums still add up */
    text = text.substr(0, text.find(",\n\"crc32c\"")) + "}";
    store.put("nightly/manifest.json", text);
    ASSERT_EQ(KBP_OK, report.run(store)) << report.err.text();
    EXPECT_EQ(1u, report.r.bad) << report.text();
    EXPECT_TRUE(report.names("  - accounting")) << report.text();
    EXPECT_TRUE(report.names("at offset 2 batches and the manifest's ranges"))
        << report.text();
}

TEST(Verify, AFrameThatTheManifestDoesntKnowIsFound)
{
    Store store;
    Report report;
    {
        Writer w(store);
        kb_name name = w.c.next;
        uint32_t segment = 0;
        Frame known(uuid(1), 0, {dense(0, 2)});

        name.seq = 1;
        w.topic(1);
        auto info =
            kbt::write_segment(store, "nightly", name,
                               {known, Frame(uuid(1), 0, {dense(2, 2)})}, 0);
        ASSERT_EQ(KBP_OK, kb_entry_segment(w.entry, &info, &segment, &w.err));
        w.extent(known, 2, segment);
        ASSERT_EQ(KBP_OK, kb_commit(&w.c, w.entry, &w.err)) << w.err.text();
    }
    ASSERT_EQ(KBP_OK, report.run(store));
    EXPECT_EQ(1u, report.r.bad) << report.text();
    EXPECT_TRUE(report.names("doesn't account for this frame"));
}

TEST(Verify, AStoreThatFailsIsAnErrorAndNoFinding)
{
    Store store(Store::Settings{{"name", "verify-fails"}});
    Report report;

    write_backup(store);
    Store dead(Store::Settings{{"name", "verify-fails"}, {"dies_at", "1"}});
    EXPECT_ANY_THROW(dead.put("x", "y")); /* from now on */
    EXPECT_EQ(KBP_ERR_DENIED, report.run(dead));
}

} // namespace

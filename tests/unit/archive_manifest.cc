// SPDX-License-Identifier: Apache-2.0
// archive_manifest.cc - manifests that are damaged, contradict themselves, or
// are of another format.
#include "archive_run.h"

#include <map>

namespace
{

TEST(ArchiveManifest, NamesTheReferencesFormatAndNewerOnes)
{
    Store store;
    Manifest m;

    store.put("b/manifest.json",
              "{\"backup_id\":\"b\",\"created_at\":1,\"topics\":[]}");
    EXPECT_EQ(KBP_ERR_UNSUPPORTED, m.load(store));
    EXPECT_NE(std::string::npos, m.err.text().find("OSO kafka-backup"));
    store.put("b/manifest.json", "{\"format_version\":3}");
    EXPECT_EQ(KBP_ERR_UNSUPPORTED, m.load(store));
    EXPECT_NE(std::string::npos, m.err.text().find("format 3"));
    store.put("b/manifest.json", "{\"format_version\":2,");
    EXPECT_EQ(KBP_ERR_CORRUPT, m.load(store));
    EXPECT_NE(std::string::npos, m.err.text().find("b/manifest.json"));
    store.put("b/manifest.json", "");
    EXPECT_EQ(KBP_ERR_CORRUPT, m.load(store));
    EXPECT_NE(std::string::npos, m.err.text().find("end of file"))
        << m.err.text();
    EXPECT_EQ(KBP_ERR_NOT_FOUND, m.load(store, "other"));
    EXPECT_EQ(KBP_ERR_CONFIG, m.load(store, "../x"));
}

TEST(ArchiveManifest, EveryFlippedBitAndEveryCutIsFound)
{
    Store store;
    Backup run(store);

    ASSERT_EQ(KBP_OK, run.step());
    ASSERT_EQ(KBP_OK, kb_fold(&run.committer, &run.err));
    ASSERT_EQ(KBP_OK, run.step());
    std::string before = dump(store);
    for (auto &key : store.keys("b/manifest")) {
        std::string good = store.get(key);

        for (size_t i = 0; i < good.size() * 8; i++) {
            std::string bad = good;
            Manifest m;

            bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
            store.put(key, bad);
            /* Only the checksum's own name can be hurt without a trace. */
            if (m.load(store) == KBP_OK)
                EXPECT_EQ(before, dump(store)) << key << " bit " << i;
            else
                EXPECT_NE(std::string::npos, m.err.text().find(key))
                    << m.err.text();
        }
        for (size_t len = 0; len + 2 < good.size(); len++) {
            Manifest m;

            store.put(key, good.substr(0, len));
            EXPECT_EQ(KBP_ERR_CORRUPT, m.load(store)) << key << " " << len;
        }
        store.put(key, good);
    }
}

TEST(ArchiveManifest, FindsHolesOverlapsAndWrongSums)
{
    Store store;
    Manifest m;
    auto with = [&](const std::string &extents, const std::string &ranges) {
        store.put("b/manifest.json",
                  "{\"format_version\":2,\"folded\":[],\"segments\":[\""
                  "20261124T204532123Z-000-00000001,"
                  "oAAAAAAAAAAAAAAAAAAAAQ,1000,100,1,1,10,10,5,\"],"
                  "\"topics\":[{\"name\":\"t\",\"generation\":1,"
                  "\"id\":\"oAAAAAAAAAAAAAAAAAAAAQ\",\"partitions\":[{"
                  "\"partition\":0,\"extents\":\"" +
                      extents + "\",\"ranges\":\"" + ranges + "\"}]}]}");
        EXPECT_EQ(KBP_OK, m.load(store)) << m.err.text();
        return kb_manifest_check(m.m, nullptr, nullptr, &m.err) == KBP_OK
                   ? std::string()
                   : m.err.text();
    };
    auto has = [](const std::string &text, const char *part) {
        return text.find(part) != std::string::npos;
    };

    EXPECT_EQ(
        "", with("0,0,10,8,1,1,61,5,5;-,10,20,0,0,0,0,-,-", "m,9,10;c,10,20"));
    EXPECT_EQ("", with("0,0,10,8,0,1,61,5,-;-,10,20,0,0,0,0,-,-", "c,8,20"));
    EXPECT_TRUE(
        has(with("0,0,10,8,1,1,61,5,5;-,11,20,0,0,0,0,-,-", "m,9,10;c,11,20"),
            "10 to 11 are not accounted for"));
    EXPECT_TRUE(
        has(with("0,0,10,8,1,1,61,5,5;-,9,20,0,0,0,0,-,-", "m,9,10;c,10,20"),
            "9 to 10 are accounted for twice"));
    EXPECT_TRUE(has(with("0,0,10,8,0,1,61,5,5", "m,9,10"),
                    "8 records, 0 missing inside batches, 1 in ranges"));
    EXPECT_TRUE(has(with("0,0,10,9,0,1,61,5,5", "m,9,10;m,12,14"), "outside"));
}

TEST(ArchiveManifest, FindsTransactionsThatCannotBe)
{
    Store store;
    Manifest m;
    auto with = [&](const std::string &more) {
        store.put("b/manifest.json",
                  "{\"format_version\":2,\"folded\":[],\"segments\":[\""
                  "20261124T204532123Z-000-00000001,"
                  "oAAAAAAAAAAAAAAAAAAAAQ,1000,100,1,1,10,10,5,\"],"
                  "\"topics\":[{\"name\":\"t\",\"generation\":1,"
                  "\"id\":\"oAAAAAAAAAAAAAAAAAAAAQ\",\"partitions\":[{"
                  "\"partition\":0,\"extents\":\"0,0,10,9,0,1,61,5,5\","
                  "\"ranges\":\"m,9,10\"," +
                      more + "}]}]}");
        if (m.load(store) != KBP_OK)
            return m.err.text();
        return kb_manifest_check(m.m, nullptr, nullptr, &m.err) == KBP_OK
                   ? std::string()
                   : m.err.text();
    };
    auto has = [](const std::string &text, const char *part) {
        return text.find(part) != std::string::npos;
    };

    EXPECT_EQ("", with("\"aborted\":\"5,0,10;6,3,10\",\"open\":\"7,8\""));
    EXPECT_EQ("", with("\"aborted\":\"\""));
    for (auto table :
         {"x", "5,0", "5,0,10;", "5,4,4", "-1,0,10", "5,-2,10", "5,0,10,3"})
        EXPECT_TRUE(has(with(std::string("\"aborted\":\"") + table + "\""),
                        "transaction"))
            << table;
    for (auto table : {"x", "5", "5,-1", "5,0,10"})
        EXPECT_TRUE(
            has(with(std::string("\"open\":\"") + table + "\""), "transaction"))
            << table;
    EXPECT_TRUE(has(with("\"aborted\":7"), "transactions are no table"));
    // an end that is no marker, a beginning that isn't stored
    EXPECT_TRUE(has(with("\"aborted\":\"5,0,9\""), "producer 5"));
    EXPECT_TRUE(has(with("\"aborted\":\"5,0,12\""), "producer 5"));
    EXPECT_TRUE(has(with("\"open\":\"5,9\""), "producer 5"));
    EXPECT_TRUE(has(with("\"open\":\"5,10\""), "producer 5"));
}

} // namespace

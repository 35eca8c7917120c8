// SPDX-License-Identifier: Apache-2.0
// The configuration: what is accepted, what isn't, and in which words.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "base/buf.h"
#include "config/key.h"
}

namespace {

const char kBackup[] = R"(mode: backup
backup_id: nightly
source:
  bootstrap_servers: ["kafka-1:9092"]
storage:
  backend: filesystem
  path: /backups
)";

const char kRestore[] = R"(mode: restore
backup_id: nightly
target:
  bootstrap_servers: ["kafka-1:9092"]
storage:
  backend: filesystem
  path: /backups
)";

class Config : public ::testing::Test {
  protected:
    ~Config() override
    {
        kb_config_release(&config);
        kb_notes_release(&notes);
    }

    int Parse(const std::string &text)
    {
        kb_config_release(&config);
        kb_notes_release(&notes);
        return kb_config_parse(text.data(), text.size(), "test.yaml", &config,
                               &notes, &err);
    }

    // All notes, a line each: "E7: source.topics: ..."
    std::string Notes() const
    {
        std::ostringstream out;

        for (size_t i = 0; i < notes.count; i++)
            out << (notes.items[i].is_error ? "E" : "W") << notes.items[i].line
                << ": " << notes.items[i].text << "\n";
        return out.str();
    }

    // The one note of a text that is wrong.
    std::string ErrorOf(const std::string &text)
    {
        EXPECT_EQ(Parse(text), KBP_ERR_CONFIG) << text;
        return Notes();
    }

    kb_config config = {};
    kb_notes notes = {};
    kbp_error err = KB_ERR_INIT;
};

#define EXPECT_HAS(text, part) \
    EXPECT_NE(std::string(text).find(part), std::string::npos) << (text)

TEST_F(Config, SmallestBackupHasAllDefaults)
{
    ASSERT_EQ(Parse(kBackup), KBP_OK) << Notes();
    EXPECT_EQ(Notes(), "");
    EXPECT_EQ(config.mode, KB_MODE_BACKUP);
    EXPECT_STREQ(config.backup_id, "nightly");
    EXPECT_EQ(config.memory_limit, 256u << 20);
    EXPECT_TRUE(config.source.present);
    EXPECT_FALSE(config.target.present);
    ASSERT_EQ(config.source.bootstrap_servers.count, 1u);
    EXPECT_STREQ(config.source.bootstrap_servers.items[0], "kafka-1:9092");
    EXPECT_EQ(config.source.security.protocol, KB_PLAINTEXT);
    EXPECT_TRUE(config.source.security.ssl_verify_host);
    EXPECT_STREQ(config.source.connection.client_id, "kafka-backup");
    EXPECT_STREQ(config.source.connection.client_rack, "");
    EXPECT_EQ(config.source.connection.keepalive_time_ms, 60000);
    EXPECT_STREQ(config.storage.backend, "filesystem");
    ASSERT_EQ(config.storage.plugin.count, 1u);
    EXPECT_STREQ(kb_setting_value(&config.storage.plugin, "path"), "/backups");
    EXPECT_EQ(config.storage.plugin.items[0].line, 7u);
    EXPECT_EQ(config.storage.line, 5u);
    EXPECT_EQ(config.storage.retry.timeout_ms, 300000);
    EXPECT_EQ(config.backup.segment_max_bytes, 134217728u);
    EXPECT_EQ(config.backup.segment_max_records, 0u);
    EXPECT_STREQ(config.backup.compression, "zstd");
    EXPECT_EQ(config.backup.compression_level, 3);
    EXPECT_EQ(config.backup.start_offset.kind, KB_START_EARLIEST);
    EXPECT_EQ(config.backup.isolation_level, KB_ISOLATION_READ_COMMITTED);
    EXPECT_EQ(config.backup.open_transaction_timeout_ms, 15 * 60000);
    EXPECT_EQ(config.backup.rate_limit_bytes_per_sec, 0u);
    EXPECT_TRUE(config.backup.consumer_group_snapshot);
    EXPECT_FALSE(config.backup.consumer_groups_asked);
    EXPECT_EQ(config.restore.time_window_start, KB_UNSET);
    EXPECT_EQ(config.restore.default_replication_factor, KB_UNSET);
    EXPECT_EQ(config.restore.retention.kind, KB_RETENTION_SAFE);
    EXPECT_FALSE(config.metrics.enabled);
}

TEST_F(Config, DefaultsWithoutAFile)
{
    ASSERT_EQ(kb_config_defaults(&config, &err), KBP_OK) << err.message;
    EXPECT_STREQ(config.metrics.bind_address, "127.0.0.1");
    EXPECT_EQ(config.metrics.port, 8080);
    EXPECT_FALSE(config.metrics.enabled);
}

TEST_F(Config, UnknownKeyNamesLineAndWhatWasMeant)
{
    EXPECT_EQ(ErrorOf(std::string(kBackup) + "backup:\n  compresion: zstd\n"),
              "E9: backup.compresion: unknown key; did you mean "
              "\"compression\"?\n");
    EXPECT_STREQ(err.message, "test.yaml: 1 error in the configuration");
}

TEST_F(Config, AllErrorsAreReportedAtOnce)
{
    std::string said = ErrorOf(R"(mode: bakcup
backup_id: x
source:
  bootstrap_servers: ["kafka-1"]
  topics: {include: orders}
storage: {backend: filesystem, path: /b}
backup:
  segment_max_bytes: many
  compression_level: 40
  continuous: "yes"
  nonsense: 1
)");

    EXPECT_EQ(said,
              "E1: mode: has to be one of backup|restore, found "
              "\"bakcup\"; did you mean \"backup\"?\n"
              "E4: source.bootstrap_servers: has to be \"host:port\" "
              "(\"[::1]:9092\" for IPv6), found \"kafka-1\"\n"
              "E5: source.topics.include: expected a list (\"- item\" lines, "
              "or [a, b]), found \"orders\"\n"
              "E8: backup.segment_max_bytes: has to be a number of bytes, "
              "\"1048576\" or \"1MiB\", found \"many\"\n"
              "E9: backup.compression_level: has to be from 1 to 22, found "
              "\"40\"\n"
              "E10: backup.continuous: has to be true or false, found "
              "\"yes\"\n"
              "E11: backup.nonsense: unknown key\n");
    EXPECT_STREQ(err.message, "test.yaml: 7 errors in the configuration");
}

TEST_F(Config, WhatIsRequired)
{
    std::string said = ErrorOf("source: {}\n");

    EXPECT_HAS(said, "mode: is required");
    EXPECT_HAS(said, "backup_id: is required");
    EXPECT_HAS(said, "storage: is required");
    EXPECT_HAS(said, "source.bootstrap_servers: is required");
    EXPECT_HAS(ErrorOf("mode: backup\nbackup_id: x\n"
                       "storage: {backend: memory}\n"),
               "source: is required for mode: backup");
    EXPECT_HAS(ErrorOf("mode: restore\nbackup_id: x\n"
                       "storage: {backend: memory}\n"),
               "target: is required for mode: restore");
    EXPECT_HAS(ErrorOf(""), "the file is empty");
    EXPECT_HAS(ErrorOf("just words"), "expected a mapping");
}

TEST_F(Config, DuplicateKeyIsAnErrorWithBothLines)
{
    EXPECT_EQ(ErrorOf(std::string(kBackup) + "backup_id: other\n"),
              "E8: backup_id: the key is there twice; first in line 2\n");
    EXPECT_HAS(ErrorOf(std::string(kRestore) +
                       "restore:\n  topic_mapping: {a: b, a: c}\n"),
               "restore.topic_mapping.a: the key is there twice");
    EXPECT_HAS(ErrorOf(std::string(kBackup) + "  path: /other\n"),
               "storage.path: the key is there twice; first in line 7");
}

TEST_F(Config, BadYamlNamesLineAndColumn)
{
    std::string said = ErrorOf("mode: backup\n  backup_id: x\n");

    EXPECT_HAS(said, "E2: not valid YAML");
    EXPECT_HAS(said, "column");
    EXPECT_HAS(ErrorOf("a: [${X}, b]\n"), "needs quotes around it");
    EXPECT_HAS(ErrorOf(std::string(kBackup) + "---\nmode: backup\n"),
               "a second document");
    EXPECT_HAS(ErrorOf("a: \tb: c\x01\n"), "not valid YAML");
}

TEST_F(Config, KeysOfTheReferenceWarnOnceAndSayWhy)
{
    ASSERT_EQ(Parse(std::string(kBackup) + R"(backup:
  checkpoint_interval_secs: 5
  include_offset_headers: false
offset_storage:
  db_path: ./offsets.db
logging: {level: debug}
)"),
              KBP_OK)
        << Notes();
    EXPECT_HAS(Notes(), "W9: backup.checkpoint_interval_secs: has no effect:");
    EXPECT_HAS(Notes(), "W11: offset_storage: has no effect:");
    EXPECT_HAS(Notes(), "W13: logging: has no effect:");
    EXPECT_EQ(notes.count, 3u) << Notes();

    ASSERT_EQ(Parse(std::string(kBackup) +
                    "backup: {include_offset_headers: true}\n"),
              KBP_OK);
    EXPECT_HAS(Notes(), "byte for byte");
    EXPECT_HAS(ErrorOf(std::string(kBackup) +
                       "backup: {checkpoint_interval_secs: soon}\n"),
               "has to be a time");
    EXPECT_HAS(ErrorOf(std::string(kBackup) +
                       "backup: {retention: {max_age: 30d}}\n"),
               "backup.retention: isn't supported");
}

TEST_F(Config, GroupsThatAreAskedForAreToldFromTheDefault)
{
    ASSERT_EQ(Parse(std::string(kBackup) +
                    "backup: {consumer_group_snapshot: true}\n"),
              KBP_OK)
        << Notes();
    EXPECT_TRUE(config.backup.consumer_group_snapshot);
    EXPECT_TRUE(config.backup.consumer_groups_asked);
}

TEST_F(Config, UnitsWhereverThereAreSizesAndTimes)
{
    ASSERT_EQ(Parse(std::string(kBackup) + R"(memory_limit: 1.5GiB
backup:
  segment_max_bytes: 16MiB
  segment_max_interval_ms: 30s
  poll_interval_ms: 250
  sync_interval_secs: 7
  rate_limit_bytes_per_sec: 10MB
  open_transaction_timeout: 1h30m
)"),
              KBP_OK)
        << Notes();
    EXPECT_EQ(config.memory_limit, 1610612736u);
    EXPECT_EQ(config.backup.segment_max_bytes, 16777216u);
    EXPECT_EQ(config.backup.segment_max_interval_ms, 30000);
    EXPECT_EQ(config.backup.poll_interval_ms, 250);
    EXPECT_EQ(config.backup.commit_interval_ms, 7000);
    EXPECT_EQ(config.backup.rate_limit_bytes_per_sec, 10000000u);
    EXPECT_EQ(config.backup.open_transaction_timeout_ms, 5400000);
    EXPECT_HAS(ErrorOf(std::string(kBackup) + "memory_limit: 1MiB\n"),
               "has to be at least 16777216");
    EXPECT_HAS(ErrorOf(std::string(kBackup) +
                       "backup: {rate_limit_records_per_sec: 0}\n"),
               "has to be at least 1");
    EXPECT_HAS(ErrorOf(std::string(kBackup) +
                       "backup: {segment_max_bytes: -1}\n"),
               "has to be a number of bytes");
}

TEST_F(Config, VariablesAreExpandedInValues)
{
    setenv("KBT_PW", "s3cr3t: #\"'{}\n- x", 1);
    setenv("KBT_PORT", "9099", 1);
    setenv("KBT_EMPTY", "", 1);
    unsetenv("KBT_UNSET");
    ASSERT_EQ(Parse(R"(mode: backup
backup_id: ${KBT_UNSET:-nightly}-${KBT_EMPTY:-x}${KBT_EMPTY}
source:
  bootstrap_servers:
    - "kafka:${KBT_PORT}"
  security:
    security_protocol: SASL_SSL
    sasl_mechanism: PLAIN
    sasl_username: "$${not} $a $"
    sasl_password: ${KBT_PW}
storage: {backend: filesystem, path: "/b/${KBT_UNSET:-}"}
metrics:
  port: ${KBT_PORT}
)"),
              KBP_OK)
        << Notes();
    EXPECT_STREQ(config.backup_id, "nightly-x");
    EXPECT_STREQ(config.source.bootstrap_servers.items[0], "kafka:9099");
    EXPECT_STREQ(kb_setting_value(&config.source.security.sasl, "sasl_username"),
                 "${not} $a $");
    EXPECT_STREQ(kb_setting_value(&config.source.security.sasl, "sasl_password"),
                 getenv("KBT_PW"));
    EXPECT_EQ(config.metrics.port, 9099);
    EXPECT_TRUE(config.metrics.enabled);
}

TEST_F(Config, UnsetVariableIsAnErrorAndNoValueIsShown)
{
    unsetenv("KBT_UNSET");
    EXPECT_EQ(ErrorOf("mode: backup\nbackup_id: \"${KBT_UNSET}\"\n"
                      "source: {bootstrap_servers: [\"a:1\"]}\n"
                      "storage: {backend: memory}\n"),
              "E2: backup_id: the environment variable KBT_UNSET is not set "
              "(write ${KBT_UNSET:-default} to do without)\n");
    setenv("KBT_SECRET", "hunter2", 1);
    std::string said =
        ErrorOf(std::string(kBackup) + "metrics: {port: \"${KBT_SECRET}\"}\n"
                                       "memory_limit: ${KBT_SECRET}\n");
    EXPECT_HAS(said, "what \"${KBT_SECRET}\" stands for isn't");
    EXPECT_EQ(said.find("hunter2"), std::string::npos) << said;
    EXPECT_HAS(ErrorOf("mode: ${a-b}\n"), "is no name of a variable");
    EXPECT_HAS(ErrorOf("mode: ${\n"), "without its");
}

TEST_F(Config, StartOffsets)
{
    ASSERT_EQ(Parse(std::string(kBackup) + R"(backup:
  start_offset: !specific
    orders: {0: 100, 12: 200}
    payments: {3: 0}
)"),
              KBP_OK)
        << Notes();
    const kb_start_setting &start = config.backup.start_offset;
    EXPECT_EQ(start.kind, KB_START_SPECIFIC);
    ASSERT_EQ(start.count, 3u);
    EXPECT_STREQ(start.items[1].topic, "orders");
    EXPECT_EQ(start.items[1].partition, 12);
    EXPECT_EQ(start.items[1].offset, 200);

    ASSERT_EQ(Parse(std::string(kBackup) + "backup: {start_offset: latest}\n"),
              KBP_OK);
    EXPECT_EQ(config.backup.start_offset.kind, KB_START_LATEST);
    EXPECT_HAS(Notes(), "latest leaves out");
    EXPECT_HAS(ErrorOf(std::string(kBackup) + "backup: {start_offset: now}\n"),
               "has to be earliest, latest");
    EXPECT_HAS(ErrorOf(std::string(kBackup) +
                       "backup: {start_offset: !exact {a: {0: 1}}}\n"),
               "the tag has to be !specific");
    EXPECT_HAS(ErrorOf(std::string(kBackup) +
                       "backup: {start_offset: !specific {a: {x: 1}}}\n"),
               "has to be a partition's number");
    EXPECT_HAS(ErrorOf(std::string(kBackup) +
                       "backup: {start_offset: !specific {a: {0: -1}}}\n"),
               "has to be an offset");
}

TEST_F(Config, SecurityKeys)
{
    ASSERT_EQ(Parse(R"(mode: backup
backup_id: x
source:
  bootstrap_servers: "a:1, [::1]:9092"
  security:
    security_protocol: SASL_SSL
    sasl_mechanism: SCRAM-SHA512
    sasl_username: u
    sasl_password_file: /run/secrets/p
    sasl_oauthbearer_scope: kafka
    sasl_options: {vendor_region: eu}
    ssl_ca_location: /ca.pem
    ssl_certificate_location: /c.pem
    ssl_key_location: /k.pem
    ssl_key_password: kpw
    ssl_endpoint_identification_algorithm: none
  connection:
    client_rack: r1
    connect_timeout: 5s
    keepalive_time_secs: 30
    broker_overrides: {"kafka-1:9092": "localhost:19092", kafka-2: proxy}
storage: {backend: memory}
)"),
              KBP_OK)
        << Notes();
    const kb_kafka_settings &s = config.source;
    ASSERT_EQ(s.bootstrap_servers.count, 2u);
    EXPECT_STREQ(s.bootstrap_servers.items[1], "[::1]:9092");
    EXPECT_EQ(s.security.protocol, KB_SASL_SSL);
    EXPECT_STREQ(s.security.sasl_mechanism, "SCRAM-SHA-512");
    EXPECT_EQ(s.security.sasl.count, 4u);
    EXPECT_STREQ(kb_setting_value(&s.security.sasl, "vendor_region"), "eu");
    EXPECT_STREQ(kb_setting_value(&s.security.sasl, "sasl_oauthbearer_scope"),
                 "kafka");
    EXPECT_STREQ(s.security.ssl_key_password.text, "kpw");
    EXPECT_FALSE(s.security.ssl_verify_host);
    EXPECT_HAS(Notes(), "host names of brokers are not verified");
    EXPECT_EQ(s.connection.keepalive_time_ms, 30000);
    EXPECT_EQ(s.connection.connect_timeout_ms, 5000);
    ASSERT_EQ(s.connection.broker_overrides.count, 2u);
    EXPECT_STREQ(s.connection.broker_overrides.items[0].to_host, "localhost");
    EXPECT_EQ(s.connection.broker_overrides.items[0].to_port, 19092);
    EXPECT_EQ(s.connection.broker_overrides.items[1].from_port, 0);

    ASSERT_EQ(Parse("mode: backup\nbackup_id: x\nsource:\n"
                    "  bootstrap_servers: [\"a:1\"]\n"
                    "  security: {security_protocol: SASL_PLAINTEXT, "
                    "sasl_mechanism: SCRAM-SHA-256, sasl_username: u, "
                    "sasl_password: p}\nstorage: {backend: memory}\n"),
              KBP_OK)
        << Notes();
    EXPECT_STREQ(config.source.security.sasl_mechanism, "SCRAM-SHA-256");
}

TEST_F(Config, SecurityMistakes)
{
    const std::string head = "mode: backup\nbackup_id: x\n"
                             "storage: {backend: memory}\nsource:\n"
                             "  bootstrap_servers: [\"a:1\"]\n  security: ";

    EXPECT_HAS(ErrorOf(head + "{security_protocol: SASL_SSL}\n"),
               "sasl_mechanism: is required with a SASL protocol");
    EXPECT_HAS(ErrorOf(head + "{security_protocol: SSL, "
                              "ssl_certificate_location: /c}\n"),
               "need each other");
    EXPECT_HAS(ErrorOf(head + "{sasl_mechansm: PLAIN}\n"),
               "source.security.sasl_mechansm: unknown key; did you mean "
               "\"sasl_mechanism\"?");
    EXPECT_HAS(ErrorOf(head + "{sasl_pasword: x}\n"),
               "did you mean \"sasl_password\"?");
    EXPECT_HAS(ErrorOf(head + "{security_protocol: sasl_ssl}\n"),
               "has to be one of PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL");
    ASSERT_EQ(Parse(head + "{sasl_username: u}\n"), KBP_OK);
    EXPECT_HAS(Notes(), "the sasl_* keys aren't used");
    // Where the reference's documentation wrongly puts them.
    EXPECT_HAS(ErrorOf("mode: backup\nbackup_id: x\n"
                       "storage: {backend: memory}\nsource:\n"
                       "  bootstrap_servers: [\"a:1\"]\n"
                       "  sasl_mechanism: PLAIN\n"),
               "source.sasl_mechanism: unknown key");
}

TEST_F(Config, RestoreKeys)
{
    ASSERT_EQ(Parse(std::string(kRestore) + R"(restore:
  time_window_start: 1700000000000
  time_window_end: "2026-11-24T07:05:20.939Z"
  source_partitions: [0, 2]
  partition_mapping: {0: 5, 1: 6}
  topic_mapping: {orders: orders-restored, "a.b": c}
  consumer_group_strategy: header-based
  create_topics: true
  default_replication_factor: -1
  repartitioning:
    orders-restored: {strategy: automatic, target_partitions: 8}
    other: {target_partitions: 2}
  retention: 7d
  produce_acks: -1
  auto_consumer_groups: true
  reset_consumer_offsets: true
)"),
              KBP_OK)
        << Notes();
    const kb_restore_settings &r = config.restore;
    EXPECT_EQ(r.time_window_start, 1700000000000);
    EXPECT_EQ(r.time_window_end, 1795503920939);
    ASSERT_EQ(r.source_partitions.count, 2u);
    EXPECT_EQ(r.source_partitions.items[1], 2);
    ASSERT_EQ(r.partition_mapping.count, 2u);
    EXPECT_STREQ(r.partition_mapping.items[0].key, "0");
    EXPECT_STREQ(r.partition_mapping.items[0].value, "5");
    ASSERT_EQ(r.topic_mapping.count, 2u);
    EXPECT_STREQ(r.topic_mapping.items[1].value, "c");
    EXPECT_EQ(r.consumer_group_strategy, KB_GROUPS_HEADER_BASED);
    EXPECT_EQ(r.default_replication_factor, -1);
    ASSERT_EQ(r.repartitioning.count, 2u);
    EXPECT_EQ(r.repartitioning.items[0].strategy, KB_REPARTITION_AUTOMATIC);
    EXPECT_EQ(r.repartitioning.items[1].partitions, 2);
    EXPECT_EQ(r.retention.kind, KB_RETENTION_MS);
    EXPECT_EQ(r.retention.ms, 7 * 86400000ll);
    EXPECT_EQ(Notes(), "");
}

TEST_F(Config, RestoreMistakes)
{
    const std::string head = std::string(kRestore) + "restore: ";

    EXPECT_HAS(ErrorOf(head + "{time_window_start: 2, time_window_end: 1}\n"),
               "time_window_start (1970-01-01T00:00:00.002Z) is after "
               "time_window_end (1970-01-01T00:00:00.001Z)");
    EXPECT_HAS(ErrorOf(head + "{source_partitions: [-1]}\n"),
               "has to be from 0 to 2147483647");
    EXPECT_HAS(ErrorOf(head + "{partition_mapping: {0: x}}\n"),
               "has to be \"partition: partition\"");
    EXPECT_HAS(ErrorOf(head + "{reset_consumer_offsets: true}\n"),
               "needs consumer_groups");
    EXPECT_HAS(ErrorOf(head + "{repartitioning: {t: {strategy: random, "
                              "target_partitions: 1}}}\n"),
               "has to be one of murmur2|automatic");
    EXPECT_HAS(ErrorOf(head + "{repartitioning: {t: {}}}\n"),
               "target_partitions: is required");
    EXPECT_HAS(ErrorOf(head + "{topic_mapping: {a: __consumer_offsets}}\n"),
               "is the broker's own");
    EXPECT_HAS(ErrorOf(head + "{retention: sometimes}\n"),
               "has to be safe, captured, keep-off");
    EXPECT_HAS(ErrorOf(head + "{schema_id_mapping: {1: 2}}\n"),
               "isn't supported");
    ASSERT_EQ(Parse(head + "{produce_acks: 1}\n"), KBP_OK);
    EXPECT_HAS(Notes(), "always waits for all in-sync replicas");
}

TEST_F(Config, BackupMistakes)
{
    EXPECT_HAS(ErrorOf(std::string(kBackup) +
                       "backup: {continuous: true, "
                       "stop_at_current_offsets: true}\n"),
               "contradict each other");
    for (const char *id : {"a/b", "..", "a\\tb", "x*"})
        EXPECT_HAS(ErrorOf("mode: backup\nbackup_id: \"" + std::string(id) +
                           "\"\nsource: {bootstrap_servers: [\"a:1\"]}\n"
                           "storage: {backend: memory}\n"),
                   "backup_id: must not");
    for (const char *server :
         {"a", "a:", ":1", "a:0", "a:65536", "::1:9092", "[::1]", "a b:1"})
        EXPECT_HAS(ErrorOf("mode: backup\nbackup_id: x\n"
                           "source: {bootstrap_servers: [\"" +
                           std::string(server) +
                           "\"]}\nstorage: {backend: memory}\n"),
                   "has to be \"host:port\"");
    EXPECT_HAS(ErrorOf("mode: backup\nbackup_id: x\n"
                       "source: {bootstrap_servers: [\"a:1\"], "
                       "topics: {include: [\"~x\"]}}\n"
                       "storage: {backend: memory}\n"),
               "regular expressions are for restores");
}

TEST_F(Config, NullMeansDefault)
{
    ASSERT_EQ(Parse(std::string(kBackup) +
                    "backup:\nrestore: ~\nmetrics:\nmemory_limit: null\n"),
              KBP_OK)
        << Notes();
    EXPECT_EQ(config.memory_limit, 256u << 20);
    EXPECT_TRUE(config.metrics.enabled); // it was asked for
    ASSERT_EQ(Parse(std::string(kBackup) + "metrics: {enabled: false}\n"),
              KBP_OK);
    EXPECT_FALSE(config.metrics.enabled);
}

TEST_F(Config, AliasesThatRefersToItselfEnd)
{
    EXPECT_NE(Parse("mode: &a [*a]\n"), KBP_OK);
    EXPECT_NE(Parse("source: &a\n  source: *a\n  topics: *a\n"), KBP_OK);
    EXPECT_NE(Parse("backup: &a\n  start_offset: &b {x: *b}\n"), KBP_OK);
    EXPECT_HAS(ErrorOf("backup:\n  <<: {continuous: true}\n"),
               "merge keys aren't supported");
}

// What the reference's own examples look like; its users bring such files.
TEST_F(Config, FilesOfTheReferenceAreAccepted)
{
    const char *const files[] = {"backup-full", "backup-s3", "restore-full",
                                 "restore-pitr"};

    setenv("KAFKA_PASSWORD", "p", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    for (const char *name : files) {
        std::ifstream in(std::string(KB_TEST_SOURCE_DIR "/unit/config/") +
                         name + ".yaml");
        std::stringstream text;

        ASSERT_TRUE(in.good()) << name;
        text << in.rdbuf();
        EXPECT_EQ(Parse(text.str()), KBP_OK) << name << "\n" << Notes();
    }
}

TEST_F(Config, DocumentationIsCurrent)
{
    std::ifstream in(KB_TEST_SOURCE_DIR "/../docs/CONFIG.md");
    std::stringstream committed;
    kb_buf printed = KB_BUF_INIT;

    committed << in.rdbuf();
    kb_config_reference(&printed);
    ASSERT_FALSE(printed.failed);
    std::string want(reinterpret_cast<char *>(printed.data), printed.len);
    kb_buf_release(&printed);
    if (committed.str() != want)
        FAIL() << "print it anew: kafka-backup config-reference "
                  "> docs/CONFIG.md";
}

} // namespace

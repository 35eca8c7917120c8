// SPDX-License-Identifier: Apache-2.0
// The metrics: every name there, every one of them moving; the endpoint.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

extern "C" {
#include "base/clock.h"
#include "metrics/metrics.h"
#include "metrics/server.h"
}

namespace
{

class Metrics : public ::testing::Test
{
  protected:
    Metrics()
    {
        kb_progress_init(&progress);
    }
    ~Metrics() override
    {
        kb_metrics_stop();
    }

    void Start(kb_job job, int64_t max_labels = 100, bool snapshot = true)
    {
        kb_metrics_labels labels = {};

        labels.job = job;
        labels.backup_id = "b\"1\\";
        labels.restore_id = "r1";
        labels.backend = "filesystem";
        labels.algorithm = "zstd";
        labels.max_partition_labels = max_labels;
        labels.snapshot = snapshot;
        ASSERT_EQ(kb_metrics_start(&labels, &progress, &err), KBP_OK);
    }

    std::string Text()
    {
        kb_buf out = KB_BUF_INIT;

        kb_metrics_write(&out, 0);
        std::string text(reinterpret_cast<char *>(out.data), out.len);
        kb_buf_release(&out);
        return text;
    }

    std::string Health(bool *ok)
    {
        kb_buf out = KB_BUF_INIT;

        *ok = kb_metrics_health(&out);
        std::string text(reinterpret_cast<char *>(out.data), out.len);
        kb_buf_release(&out);
        return text;
    }

    void MoveEverything()
    {
        progress.started_ms = kb_now_ms() - 10000;
        progress.offsets_total = 1000;
        progress.offsets_done = 250;
        kb_progress_moved(&progress, 200, 4096);
        kb_metrics_lag("orders", 0, 70);
        kb_metrics_lag("orders", 1, 30);
        kb_metrics_committed("orders", 0, 200, 4000, kb_wall_ms() - 5000);
        kb_metrics_gap(17);
        kb_metrics_compressed(4000, 1000);
        kb_metrics_store_write(KB_STORE_SEGMENT, 1000, 20000000);
        kb_metrics_store_write(KB_STORE_MANIFEST, 100, 700000000);
        kb_metrics_store_read(KB_STORE_SEGMENT, 500, 20000000);
        kb_metrics_store_error(KB_ERROR_TIMEOUT);
        kb_metrics_error(KB_ERROR_AUTH);
        kb_metrics_retry("fetch");
        kb_metrics_retry("fetch");
        kb_metrics_rebalance();
        kb_metrics_reauthentication(true);
        kb_metrics_finished(true, 12);
    }

    kb_progress progress;
    kbp_error err = KB_ERR_INIT;
};

// Names of samples to their values, labels left on.
std::map<std::string, std::string> Samples(const std::string &text)
{
    std::map<std::string, std::string> samples;
    std::istringstream in(text);
    std::string line;

    while (std::getline(in, line))
        if (!line.empty() && line[0] != '#')
            samples[line.substr(0, line.rfind(' '))] =
                line.substr(line.rfind(' ') + 1);
    return samples;
}

// What OpenMetrics demands of the whole text.
void CheckFormat(const std::string &text)
{
    std::istringstream in(text);
    std::string line;
    std::string last;
    std::map<std::string, std::string> types;
    std::string current;

    while (std::getline(in, line)) {
        last = line;
        if (line.rfind("# TYPE ", 0) == 0) {
            std::istringstream words(line.substr(7));
            std::string name;
            std::string type;

            words >> name >> type;
            EXPECT_TRUE(types.emplace(name, type).second) << name << " twice";
            EXPECT_EQ(name.find("_total"), std::string::npos);
            current = name;
        } else if (line[0] != '#') {
            std::string name = line.substr(0, line.find('{'));

            ASSERT_EQ(name.rfind(current, 0), 0u) << line;
            std::string suffix = name.substr(current.size());
            if (types[current] == "counter")
                EXPECT_EQ(suffix, "_total") << line;
            else if (types[current] == "gauge")
                EXPECT_EQ(suffix, "") << line;
            else
                EXPECT_TRUE(suffix == "_bucket" || suffix == "_sum" ||
                            suffix == "_count")
                    << line;
        }
    }
    EXPECT_EQ(last, "# EOF");
}

TEST_F(Metrics, EveryNameOfABackupMoves)
{
    Start(KB_JOB_BACKUP);
    MoveEverything();
    const std::string text = Text();
    CheckFormat(text);
    auto samples = Samples(text);
    EXPECT_NE(std::string::npos,
              text.find("# HELP kafka_backup_lag_bytes The same in bytes: an "
                        "estimate"));
    const std::string id = "backup_id=\"b\\\"1\\\\\"";
    const std::map<std::string, std::string> want = {
        {"kafka_backup_lag_records{topic=\"orders\",partition=\"0\"," + id +
             "}",
         "70"},
        {"kafka_backup_lag_bytes{topic=\"orders\",partition=\"0\"," + id + "}",
         "1400"}, // 70 of 20 bytes
        {"kafka_backup_lag_records_max{" + id + "}", "70"},
        {"kafka_backup_lag_records_sum{" + id + "}", "100"},
        {"kafka_backup_snapshot_records_target{" + id + "}", "1000"},
        {"kafka_backup_snapshot_records_remaining{" + id + "}", "750"},
        {"kafka_backup_records_total{" + id + "}", "200"},
        {"kafka_backup_bytes_total{" + id + "}", "4096"},
        {"kafka_backup_offset_gaps_total{" + id + "}", "1"},
        {"kafka_backup_offsets_skipped_total{" + id + "}", "17"},
        {"kafka_backup_duration_seconds_bucket{" + id +
             ",status=\"success\",le=\"15\"}",
         "1"},
        {"kafka_backup_duration_seconds_bucket{" + id +
             ",status=\"success\",le=\"5\"}",
         "0"},
        {"kafka_backup_duration_seconds_count{" + id + ",status=\"failure\"}",
         "0"},
        {"kafka_backup_storage_write_latency_seconds_bucket{backend="
         "\"filesystem\",operation=\"segment\",le=\"0.05\"}",
         "1"},
        {"kafka_backup_storage_write_latency_seconds_bucket{backend="
         "\"filesystem\",operation=\"manifest\",le=\"0.5\"}",
         "0"},
        {"kafka_backup_storage_read_latency_seconds_count{backend="
         "\"filesystem\",operation=\"segment\"}",
         "1"},
        {"kafka_backup_storage_write_bytes_total{backend=\"filesystem\"," + id +
             "}",
         "1100"},
        {"kafka_backup_storage_read_bytes_total{backend=\"filesystem\"," + id +
             "}",
         "500"},
        {"kafka_backup_storage_errors_total{backend=\"filesystem\",error_type="
         "\"timeout\"}",
         "1"},
        {"kafka_backup_compression_ratio{algorithm=\"zstd\"," + id + "}", "4"},
        {"kafka_backup_compressed_bytes_total{algorithm=\"zstd\"," + id + "}",
         "1000"},
        {"kafka_backup_uncompressed_bytes_total{algorithm=\"zstd\"," + id + "}",
         "4000"},
        {"kafka_backup_errors_total{" + id + ",error_type=\"auth\"}", "1"},
        {"kafka_backup_retries_total{" + id + ",operation=\"fetch\"}", "2"},
        {"kafka_backup_consumer_rebalance_total{" + id + "}", "1"},
        {"kafka_backup_reauthentications_total{" + id + ",status=\"success\"}",
         "1"},
    };
    for (const auto &one : want) {
        ASSERT_TRUE(samples.count(one.first)) << one.first << "\n" << text;
        EXPECT_EQ(samples[one.first], one.second) << one.first;
    }
    const std::string commit =
        "kafka_backup_last_successful_commit{topic=\"orders\",partition="
        "\"0\"," +
        id + "}";
    EXPECT_NEAR(std::stod(samples[commit]), (double)time(nullptr), 5);
    const std::string lag =
        "kafka_backup_lag_seconds{topic=\"orders\",partition=\"0\"," + id + "}";
    EXPECT_NEAR(std::stod(samples[lag]), 5, 3);
    const std::string rate =
        "kafka_backup_throughput_records_per_sec{" + id + ",topic=\"orders\"}";
    EXPECT_NEAR(std::stod(samples[rate]), 20, 5); // 200 in 10 seconds
    EXPECT_GT(std::stod(samples["kafka_backup_throughput_bytes_per_sec{" + id +
                                ",topic=\"orders\"}"]),
              0);
}

TEST_F(Metrics, EveryNameOfARestoreMoves)
{
    Start(KB_JOB_RESTORE);
    MoveEverything();
    const std::string text = Text();
    CheckFormat(text);
    auto samples = Samples(text);

    EXPECT_EQ(samples["kafka_restore_progress_percent{restore_id=\"r1\","
                      "backup_id=\"b\\\"1\\\\\"}"],
              "25");
    EXPECT_NEAR(
        std::stod(samples["kafka_restore_eta_seconds{restore_id=\"r1\"}"]), 30,
        5);
    EXPECT_NEAR(std::stod(samples["kafka_restore_throughput_records_per_sec{"
                                  "restore_id=\"r1\"}"]),
                20, 5);
    EXPECT_EQ(samples["kafka_restore_records_total{restore_id=\"r1\"}"], "200");
    EXPECT_EQ(samples["kafka_restore_duration_seconds_count{backup_id="
                      "\"b\\\"1\\\\\",status=\"success\"}"],
              "1");
    EXPECT_EQ(samples["kafka_backup_storage_read_bytes_total{backend="
                      "\"filesystem\",backup_id=\"b\\\"1\\\\\"}"],
              "500");
    EXPECT_EQ(text.find("kafka_backup_lag"), std::string::npos);
}

TEST_F(Metrics, PartitionLabelsAreLimitedAndSumsAreNot)
{
    Start(KB_JOB_BACKUP, 3);
    for (int i = 0; i < 500; i++)
        kb_metrics_lag("t", i, 2);
    const std::string text = Text();
    size_t lines = 0;

    for (size_t at = text.find("kafka_backup_lag_records{");
         at != std::string::npos;
         at = text.find("kafka_backup_lag_records{", at + 1))
        lines++;
    EXPECT_EQ(lines, 3u);
    EXPECT_NE(text.find("kafka_backup_lag_records_sum{backup_id="
                        "\"b\\\"1\\\\\"} 1000\n"),
              std::string::npos);
}

TEST_F(Metrics, APartitionThatIsGoneHasNoLag)
{
    Start(KB_JOB_BACKUP);
    kb_metrics_lag("t", 0, 7);
    kb_metrics_lag("u", 0, 5);
    kb_metrics_lag_gone("t", 0);
    const std::string text = Text();
    EXPECT_EQ(text.find("kafka_backup_lag_records{topic=\"t\""),
              std::string::npos);
    EXPECT_NE(text.find("kafka_backup_lag_records{topic=\"u\""),
              std::string::npos);
    EXPECT_NE(text.find("kafka_backup_lag_records_sum{backup_id="
                        "\"b\\\"1\\\\\"} 5\n"),
              std::string::npos)
        << text;
}

TEST_F(Metrics, NothingIsCountedBeforeTheStart)
{
    kb_metrics_gap(5);
    kb_metrics_error(KB_ERROR_AUTH);
    EXPECT_EQ(Text(), "# EOF\n");
    Start(KB_JOB_BACKUP);
    EXPECT_NE(Text().find("kafka_backup_offset_gaps_total{backup_id="
                          "\"b\\\"1\\\\\"} 0\n"),
              std::string::npos);
}

TEST_F(Metrics, ManyRetryOperationsShareTheLastPlace)
{
    Start(KB_JOB_BACKUP);
    for (int i = 0; i < 100; i++)
        kb_metrics_retry(("op" + std::to_string(i)).c_str());
    EXPECT_NE(Text().find("operation=\"other\"} 85\n"), std::string::npos);
}

TEST_F(Metrics, HealthTellsTheTruth)
{
    bool ok;

    Health(&ok);
    EXPECT_FALSE(ok); // no job
    Start(KB_JOB_BACKUP);
    progress.phase = KB_PHASE_RUNNING;
    progress.started_ms = kb_now_ms();
    kb_progress_moved(&progress, 1, 1);
    EXPECT_NE(Health(&ok).find("\"status\":\"healthy\",\"phase\":\"running\""),
              std::string::npos);
    EXPECT_TRUE(ok);
    EXPECT_NE(Health(&ok).find("\"last_commit_age_seconds\":null"),
              std::string::npos);
    kb_progress_committed(&progress);
    EXPECT_NE(Health(&ok).find("\"last_commit_age_seconds\":0.0"),
              std::string::npos);

    progress.store_ok = 0;
    EXPECT_NE(Health(&ok).find("\"storage\":\"failing\""), std::string::npos);
    EXPECT_FALSE(ok);
    progress.store_ok = 1;
    progress.brokers_ok = 0;
    EXPECT_NE(Health(&ok).find("\"brokers\":\"unreachable\""),
              std::string::npos);
    EXPECT_FALSE(ok);
    progress.brokers_ok = 1;
    progress.partitions_failing = 2;
    EXPECT_NE(Health(&ok).find("\"partitions_failing\":2"), std::string::npos);
    EXPECT_FALSE(ok);
    progress.partitions_failing = 0;

    progress.last_activity_ms = kb_now_ms() - 10 * 60000;
    EXPECT_NE(Health(&ok).find("\"stalled\":true"), std::string::npos);
    EXPECT_FALSE(ok);
    progress.phase = KB_PHASE_TAILING; // nothing new is no stall
    EXPECT_NE(Health(&ok).find("\"stalled\":false"), std::string::npos);
    EXPECT_TRUE(ok);
    progress.lag_records = 5; // but this is
    Health(&ok);
    EXPECT_FALSE(ok);
}

std::string Http(uint16_t port, const std::string &request)
{
    sockaddr_in at = {};
    std::string answer;
    char bytes[4096];
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<sockaddr *>(&at), sizeof at)) {
        close(fd);
        return "";
    }
    EXPECT_EQ(send(fd, request.data(), request.size(), 0),
              (ssize_t)request.size());
    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0)
        answer.append(bytes, (size_t)got);
    close(fd);
    return answer;
}

std::string Get(uint16_t port, const std::string &path)
{
    return Http(port, "GET " + path +
                          " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

TEST_F(Metrics, EndpointServesAndRefuses)
{
    kb_metrics_server *server = nullptr;
    kb_metrics_server *second = nullptr;

    Start(KB_JOB_BACKUP);
    int status =
        kb_metrics_server_start(&server, "127.0.0.1", 0, "/m", 500, &err);
    if (status == KBP_ERR_UNSUPPORTED)
        GTEST_SKIP() << err.message;
    ASSERT_EQ(status, KBP_OK) << err.message;
    uint16_t port = kb_metrics_server_port(server);
    ASSERT_NE(port, 0);
    for (const char *path : {"/metrics", "/m"}) {
        std::string answer = Get(port, path);
        EXPECT_EQ(answer.rfind("HTTP/1.1 200", 0), 0u) << answer;
        EXPECT_NE(answer.find("openmetrics-text"), std::string::npos);
        EXPECT_NE(answer.find("# EOF\n"), std::string::npos);
    }
    EXPECT_EQ(Get(port, "/health").rfind("HTTP/1.1 200", 0), 0u);
    progress.store_ok = 0;
    EXPECT_EQ(Get(port, "/healthz").rfind("HTTP/1.1 503", 0), 0u);
    EXPECT_EQ(Get(port, "/livez").rfind("HTTP/1.1 200", 0), 0u);
    EXPECT_EQ(Get(port, "/").rfind("HTTP/1.1 200", 0), 0u);
    EXPECT_EQ(Get(port, "/other").rfind("HTTP/1.1 404", 0), 0u);
    std::string answer =
        Http(port, "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   "Content-Length: 3\r\n\r\nabc");
    EXPECT_EQ(answer.rfind("HTTP/1.1 405", 0), 0u) << answer;
    EXPECT_NE(answer.find("Allow: GET, HEAD"), std::string::npos);

    EXPECT_NE(
        kb_metrics_server_start(&second, "127.0.0.1", port, "/m", 500, &err),
        KBP_OK);
    EXPECT_NE(std::string(err.message)
                  .find("can't listen on 127.0.0.1:" + std::to_string(port) +
                        ": Address already in use"),
              std::string::npos)
        << err.message;
    kb_metrics_server_stop(server);
    EXPECT_EQ(Get(port, "/metrics"), "");
    EXPECT_EQ(
        kb_metrics_server_start(&second, "no such host", 0, "/m", 500, &err),
        KBP_ERR_CONFIG);
}

} // namespace

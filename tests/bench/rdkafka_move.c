/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdkafka_move.c - a program that uses librdkafka as usual: what it costs to
 * consume or produce, over whatever transport its properties choose.
 *
 *     rdkafka_move consume TOPIC PARTITIONS RECORDS PROPERTY=VALUE...
 *     rdkafka_move produce TOPIC PARTITIONS RECORDS PROPERTY=VALUE...
 *
 * Prints bytes of values, records, seconds, and seconds of CPU of the whole
 * process.  Produces records of 1,000 bytes, with acks=all.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SIZE 1000
#define AT_ONCE 1000

struct tally {
    unsigned long long records;
    unsigned long long bytes;
    unsigned long long failures;
};

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "rdkafka_move: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[512];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) !=
        RD_KAFKA_CONF_OK)
        die(name, why);
}

static double seconds_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage use;

    (void)getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void failed(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    (void)rk;
    (void)opaque;
    (void)fprintf(stderr, "rdkafka_move: %s: %s\n",
                  rd_kafka_err2name((rd_kafka_resp_err_t)err), reason);
}

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message,
                      void *opaque)
{
    struct tally *tally = opaque;

    (void)rk;
    if (message->err) {
        tally->failures++;
        return;
    }
    tally->records++;
    tally->bytes += message->len;
}

static void consume(rd_kafka_t *rk, const char *topic, int32_t partitions,
                    unsigned long long records, struct tally *tally)
{
    rd_kafka_topic_partition_list_t *all =
        rd_kafka_topic_partition_list_new(partitions);
    rd_kafka_message_t *batch[AT_ONCE];
    rd_kafka_queue_t *queue;
    int32_t p;

    for (p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(all, topic, p)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    if (rd_kafka_assign(rk, all) != 0)
        die(topic, "can't be assigned");
    queue = rd_kafka_queue_get_consumer(rk);
    while (tally->records < records) {
        ssize_t count =
            rd_kafka_consume_batch_queue(queue, 60000, batch, AT_ONCE);
        ssize_t i;

        if (count <= 0)
            die(topic, "no more records");
        for (i = 0; i < count; i++) {
            if (!batch[i]->err) {
                tally->records++;
                tally->bytes += batch[i]->len;
            }
            rd_kafka_message_destroy(batch[i]);
        }
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_partition_list_destroy(all);
    (void)rd_kafka_consumer_close(rk);
}

static void produce(rd_kafka_t *rk, const char *name, int32_t partitions,
                    unsigned long long records, struct tally *tally)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
    unsigned long long i;
    char value[SIZE];

    for (i = 0; i < SIZE; i++)
        value[i] = (char)('a' + i * i % 23);
    for (i = 0; i < records; i++) {
        int32_t partition = (int32_t)(i / 1000 % (unsigned)partitions);

        memcpy(value, &i, sizeof i);
        while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, value,
                                sizeof value, NULL, 0, NULL) != 0) {
            if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
                die(name, rd_kafka_err2str(rd_kafka_last_error()));
            (void)rd_kafka_poll(rk, 100);
        }
        if (i % 1000 == 0)
            (void)rd_kafka_poll(rk, 0);
    }
    (void)rd_kafka_flush(rk, 120000);
    rd_kafka_topic_destroy(topic);
    if (tally->records != records || tally->failures)
        die(name, "records were not delivered");
}

int main(int argc, char **argv)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct tally tally = {0, 0, 0};
    unsigned long long records;
    int32_t partitions;
    double began;
    char why[512];
    rd_kafka_t *rk;
    int consumes;
    int i;

    if (argc < 5) {
        (void)fprintf(stderr, "usage: rdkafka_move consume|produce TOPIC "
                              "PARTITIONS RECORDS PROPERTY=VALUE...\n");
        return 2;
    }
    consumes = strcmp(argv[1], "consume") == 0;
    partitions = (int32_t)strtol(argv[3], NULL, 10);
    records = strtoull(argv[4], NULL, 10);
    for (i = 5; i < argc; i++) {
        char *equals = strchr(argv[i], '=');

        if (!equals)
            die(argv[i], "no PROPERTY=VALUE");
        *equals = '\0';
        set(conf, argv[i], equals + 1);
    }
    rd_kafka_conf_set_opaque(conf, &tally);
    rd_kafka_conf_set_error_cb(conf, failed);
    if (consumes) {
        set(conf, "group.id", "bench");
        set(conf, "enable.auto.commit", "false");
    } else {
        set(conf, "acks", "all");
        set(conf, "linger.ms", "20");
        set(conf, "batch.size", "262144");
        set(conf, "batch.num.messages", "100000");
        set(conf, "queue.buffering.max.kbytes", "131072");
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    }
    began = seconds_now();
    rk = rd_kafka_new(consumes ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf,
                      why, sizeof why);
    if (!rk)
        die("rd_kafka_new", why);
    if (consumes) {
        (void)rd_kafka_poll_set_consumer(rk);
        consume(rk, argv[2], partitions, records, &tally);
    } else {
        produce(rk, argv[2], partitions, records, &tally);
    }
    began = seconds_now() - began;
    rd_kafka_destroy(rk);
    printf("%llu %llu %.2f %.2f\n", tally.bytes, tally.records, began,
           cpu_seconds());
    return 0;
}

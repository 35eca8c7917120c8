/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_fill.c - fill a topic with records to measure with, by librdkafka.
 *
 *     bench_fill HOST:PORT TOPIC PARTITIONS RECORDS SIZE json|noise|one CODEC
 *
 * json: text with words and numbers, as services write it; noise: letters at
 * random; one: json, but each record in a batch of its own.  The same
 * arguments give the same records.
 */
#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 3000
#define SIZE_MAX_BYTES 4096

static char words[WORDS][12];
static uint64_t state = 1;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static void make_words(void)
{
    int i;

    for (i = 0; i < WORDS; i++) {
        uint32_t len = 3 + draw(8);
        uint32_t c;

        for (c = 0; c < len; c++)
            words[i][c] = (char)('a' + draw(26));
    }
}

static void make_noise(char *to, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++)
        to[i] = (char)('a' + draw(26));
}

static void make_json(char *to, size_t size, uint64_t number)
{
    int len = snprintf(
        to, SIZE_MAX_BYTES,
        "{\"id\":%llu,\"user\":\"%s%u\",\"ip\":\"%u.%u.%u.%u\","
        "\"event\":\"%s\",\"amount\":%u.%02u,\"time\":%llu,\"text\":\"",
        (unsigned long long)number, words[draw(WORDS)], (unsigned)draw(100000),
        (unsigned)draw(255), (unsigned)draw(255), (unsigned)draw(255),
        (unsigned)draw(255), draw(4) ? "view" : "purchase",
        (unsigned)draw(1000), (unsigned)draw(100),
        1700000000000ull + number * 37);

    while ((size_t)len < size) {
        const char *word = words[draw(WORDS)];
        size_t add = strlen(word);

        memcpy(to + len, word, add);
        len += (int)add;
        to[len++] = ' ';
    }
    if (size > 2)
        memcpy(to + size - 2, "\"}", 2);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) !=
        RD_KAFKA_CONF_OK) {
        (void)fprintf(stderr, "bench_fill: %s\n", why);
        exit(2);
    }
}

static unsigned long long failures;

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message,
                      void *opaque)
{
    (void)rk;
    (void)opaque;
    failures += message->err != 0;
}

int main(int argc, char **argv)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];
    char value[SIZE_MAX_BYTES + 64];
    unsigned long long records;
    unsigned long long i;
    rd_kafka_topic_t *topic;
    rd_kafka_t *rk;
    int32_t partitions;
    size_t size;
    int noise;

    if (argc != 8) {
        (void)fprintf(stderr, "usage: bench_fill HOST:PORT TOPIC PARTITIONS "
                              "RECORDS SIZE json|noise|one CODEC\n");
        return 2;
    }
    partitions = (int32_t)strtol(argv[3], NULL, 10);
    records = strtoull(argv[4], NULL, 10);
    size = strtoul(argv[5], NULL, 10);
    noise = strcmp(argv[6], "noise") == 0;
    if (size < 1 || size > SIZE_MAX_BYTES - 256 || partitions < 1)
        return 2;
    make_words();
    set(conf, "bootstrap.servers", argv[1]);
    set(conf, "compression.codec", argv[7]);
    set(conf, "linger.ms", "50");
    set(conf, "batch.size", "262144");
    set(conf, "batch.num.messages",
        strcmp(argv[6], "one") == 0 ? "1" : "100000");
    set(conf, "queue.buffering.max.messages", "500000");
    set(conf, "queue.buffering.max.kbytes", "262144");
    set(conf, "acks", "1");
    set(conf, "enable.idempotence", "false");
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!rk) {
        (void)fprintf(stderr, "bench_fill: %s\n", why);
        return 1;
    }
    topic = rd_kafka_topic_new(rk, argv[2], NULL);
    for (i = 0; i < records; i++) {
        /* Runs of a partition, so that batches fill. */
        int32_t partition = (int32_t)(i / 1000 % (unsigned)partitions);

        if (strcmp(argv[6], "one") == 0)
            partition = (int32_t)(i % (unsigned)partitions);
        if (noise)
            make_noise(value, size);
        else
            make_json(value, size, i);
        while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, value,
                                size, NULL, 0, NULL) != 0 &&
               rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            (void)rd_kafka_poll(rk, 100);
        if (i % 1000 == 0)
            (void)rd_kafka_poll(rk, 0);
    }
    (void)rd_kafka_flush(rk, 300000);
    if (failures || rd_kafka_outq_len(rk)) {
        (void)fprintf(stderr, "bench_fill: %llu records failed\n", failures);
        return 1;
    }
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
    return 0;
}

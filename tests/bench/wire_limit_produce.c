/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_limit_produce.c - how fast one broker takes raw record batches.
 *
 *     wire_limit_produce HOST:PORT SOURCE TARGET PARTITIONS
 *
 * Reads all batches of SOURCE into memory, then sends them to TARGET: each
 * request has the next batch of every partition, five requests are in flight,
 * acks=-1, no producer id, and nothing is looked at but error codes.  That is
 * what a restore can be measured against.  Prints "records bytes seconds".
 * The broker leads all partitions and speaks Fetch 11 and Produce 7.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire.h"

#define IN_FLIGHT 5

struct batches {
    uint8_t **items;
    size_t count;
    size_t cap;
    size_t sent;
};

static struct batches all[WIRE_PARTITIONS_MAX];

static uint32_t crc32c(const uint8_t *at, size_t len)
{
    static uint32_t table[8][256];
    uint32_t crc = ~0u;
    uint32_t i;
    int k;

    if (!table[0][1])
        for (i = 0; i < 256; i++) {
            uint32_t c = i;

            for (k = 0; k < 8; k++)
                c = c & 1 ? (c >> 1) ^ 0x82f63b78u : c >> 1;
            table[0][i] = c;
        }
    if (!table[1][1])
        for (i = 0; i < 256; i++)
            for (k = 1; k < 8; k++)
                table[k][i] =
                    (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xff];
    for (; len >= 8; len -= 8, at += 8) {
        uint64_t word;

        memcpy(&word, at, 8);
        word = le64toh(word) ^ crc;
        crc = 0;
        for (k = 0; k < 8; k++)
            crc ^= table[7 - k][(word >> (8 * k)) & 0xff];
    }
    for (; len > 0; len--, at++)
        crc = (crc >> 8) ^ table[0][(crc ^ *at) & 0xff];
    return ~crc;
}

static void keep(struct batches *to, const uint8_t *at, size_t len)
{
    uint8_t *copy = malloc(len);

    if (to->count == to->cap) {
        to->cap = to->cap ? to->cap * 2 : 1024;
        to->items = realloc(to->items, to->cap * sizeof *to->items);
    }
    if (!copy || !to->items)
        wire_die("memory");
    memcpy(copy, at, len);
    /* As Produce wants it: base offset 0, no producer, no other bits. */
    memset(copy, 0, 8);
    copy[21] = 0;
    copy[22] &= 7;
    memset(copy + 43, 0xff, 14);
    wire_set32(copy + 17, crc32c(copy + 21, len - 21));
    to->items[to->count++] = copy;
}

static void take(int partition, const uint8_t *batches, size_t len)
{
    size_t at;

    for (at = 0; at < len; at += wire_batch_len(batches + at))
        keep(&all[partition], batches + at, wire_batch_len(batches + at));
}

/* 0: nothing is left. */
static int send_request(int fd, const char *topic, int partitions)
{
    static struct iovec io[2 * WIRE_PARTITIONS_MAX + 1];
    size_t begins[WIRE_PARTITIONS_MAX + 1];
    uint8_t *batch[WIRE_PARTITIONS_MAX];
    size_t total = 0;
    uint8_t *head;
    int count = 0;
    int k = 0;
    int i;

    for (i = 0; i < partitions; i++)
        count += all[i].sent < all[i].count;
    if (!count)
        return 0;
    wire_begin(0, 7);
    wire_put16(-1);
    wire_put16(-1);
    wire_put32(30000);
    wire_put32(1);
    wire_put_text(topic);
    wire_put32(count);
    count = 0;
    for (i = 0; i < partitions; i++) {
        if (all[i].sent == all[i].count)
            continue;
        batch[count] = all[i].items[all[i].sent++];
        wire_put32(i);
        wire_put32((int64_t)wire_batch_len(batch[count]));
        total += wire_batch_len(batch[count]);
        begins[count++] = wire_len();
    }
    head = wire_request(total);
    for (i = 0; i < count; i++) {
        size_t from = i ? begins[i - 1] : 0;

        io[k++] = (struct iovec){head + from, begins[i] - from};
        io[k++] = (struct iovec){batch[i], wire_batch_len(batch[i])};
    }
    wire_write(fd, io, k);
    return 1;
}

static void take_produced(const uint8_t *answer)
{
    const uint8_t *at = answer + 4;
    int32_t topics = wire_get32(at);

    at += 4;
    while (topics-- > 0) {
        int32_t count;

        at += 2 + wire_get16(at);
        count = wire_get32(at);
        at += 4;
        for (; count > 0; count--, at += 30)
            if (wire_get16(at + 4)) {
                fprintf(stderr, "produce: partition %d: error %d\n",
                        wire_get32(at), wire_get16(at + 4));
                exit(1);
            }
    }
}

int main(int argc, char **argv)
{
    uint64_t records = 0;
    uint64_t bytes = 0;
    int in_flight = 0;
    int more = 1;
    int partitions;
    double began;
    size_t b;
    int fd;
    int i;

    if (argc != 5) {
        fprintf(stderr, "usage: wire_limit_produce HOST:PORT SOURCE TARGET "
                        "PARTITIONS\n");
        return 2;
    }
    partitions = (int)strtol(argv[4], NULL, 10);
    if (partitions < 1 || partitions > WIRE_PARTITIONS_MAX)
        return 2;
    fd = wire_dial(argv[1]);
    wire_fetch_all(fd, argv[2], partitions, take);
    (void)close(fd);
    for (i = 0; i < partitions; i++)
        for (b = 0; b < all[i].count; b++) {
            records += (uint64_t)wire_get32(all[i].items[b] + 57);
            bytes += wire_batch_len(all[i].items[b]);
        }
    fd = wire_dial(argv[1]);
    began = wire_now();
    while (more || in_flight > 0) {
        while (more && in_flight < IN_FLIGHT) {
            more = send_request(fd, argv[3], partitions);
            in_flight += more;
        }
        if (in_flight > 0) {
            take_produced(wire_answer(fd));
            in_flight--;
        }
    }
    printf("%llu %llu %.3f\n", (unsigned long long)records,
           (unsigned long long)bytes, wire_now() - began);
    return 0;
}

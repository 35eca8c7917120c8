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
#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_PARTITIONS 64
#define IN_FLIGHT 5
#define ANSWER_MAX ((size_t)128 << 20)

struct batches {
    uint8_t **items;
    size_t count;
    size_t cap;
    size_t sent;
    int64_t next_offset;
    int complete;
};

static struct batches all[MAX_PARTITIONS];
static uint8_t *answer;
static uint8_t head[1 << 16];
static size_t head_len;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void put(const void *bytes, size_t len)
{
    if (head_len + len > sizeof head)
        die("the request's head");
    memcpy(head + head_len, bytes, len);
    head_len += len;
}

static void put16(int value)
{
    uint16_t raw = htobe16((uint16_t)value);

    put(&raw, 2);
}

static void put32(int64_t value)
{
    uint32_t raw = htobe32((uint32_t)value);

    put(&raw, 4);
}

static void put64(int64_t value)
{
    uint64_t raw = htobe64((uint64_t)value);

    put(&raw, 8);
}

static void put_text(const char *text)
{
    put16((int)strlen(text));
    put(text, strlen(text));
}

static int16_t get16(const uint8_t *at)
{
    uint16_t raw;

    memcpy(&raw, at, 2);
    return (int16_t)be16toh(raw);
}

static int32_t get32(const uint8_t *at)
{
    uint32_t raw;

    memcpy(&raw, at, 4);
    return (int32_t)be32toh(raw);
}

static int64_t get64(const uint8_t *at)
{
    uint64_t raw;

    memcpy(&raw, at, 8);
    return (int64_t)be64toh(raw);
}

static void set32(uint8_t *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, 4);
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

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

static int dial(const char *address)
{
    const char *colon = strrchr(address, ':');
    struct sockaddr_in to = {.sin_family = AF_INET};
    char host[64];
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (!colon || (size_t)(colon - address) >= sizeof host)
        exit(2);
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    to.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die(address);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void read_all(int fd, uint8_t *to, size_t len)
{
    while (len > 0) {
        ssize_t got = read(fd, to, len);

        if (got <= 0)
            die("read");
        to += got;
        len -= (size_t)got;
    }
}

static size_t read_answer(int fd)
{
    uint8_t size[4];
    size_t len;

    read_all(fd, size, 4);
    len = (size_t)get32(size);
    if (len > ANSWER_MAX)
        die("an answer's size");
    read_all(fd, answer, len);
    return len;
}

static void write_all(int fd, struct iovec *io, int count)
{
    while (count > 0) {
        ssize_t put_bytes = writev(fd, io, count > 512 ? 512 : count);

        if (put_bytes < 0)
            die("write");
        while (count > 0 && (size_t)put_bytes >= io->iov_len) {
            put_bytes -= (ssize_t)io->iov_len;
            io++;
            count--;
        }
        if (count > 0) {
            io->iov_base = (uint8_t *)io->iov_base + put_bytes;
            io->iov_len -= (size_t)put_bytes;
        }
    }
}

static void begin(int api, int version)
{
    static int32_t correlation;

    head_len = 4;
    put16(api);
    put16(version);
    put32(++correlation);
    put_text("wire-limit");
}

static void keep(struct batches *to, const uint8_t *at, size_t len)
{
    uint8_t *copy = malloc(len);

    if (to->count == to->cap) {
        to->cap = to->cap ? to->cap * 2 : 1024;
        to->items = realloc(to->items, to->cap * sizeof *to->items);
    }
    if (!copy || !to->items)
        die("memory");
    memcpy(copy, at, len);
    /* As Produce wants it: base offset 0, no producer, no other bits. */
    memset(copy, 0, 8);
    copy[21] = 0;
    copy[22] &= 7;
    memset(copy + 43, 0xff, 14);
    set32(copy + 17, crc32c(copy + 21, len - 21));
    to->items[to->count++] = copy;
}

static void take_records(struct batches *to, const uint8_t *at, size_t len)
{
    while (len >= 61) {
        size_t batch = 12 + (size_t)get32(at + 8);

        if (batch > len)
            break;
        to->next_offset = get64(at) + get32(at + 23) + 1;
        keep(to, at, batch);
        at += batch;
        len -= batch;
    }
}

static void take_fetch(int *left)
{
    const uint8_t *at = answer + 4 + 4 + 2 + 4;
    int32_t topics = get32(at);

    at += 4;
    while (topics-- > 0) {
        int32_t count;

        at += 2 + get16(at);
        count = get32(at);
        at += 4;
        while (count-- > 0) {
            struct batches *to = &all[get32(at)];
            int16_t error = get16(at + 4);
            int64_t high = get64(at + 6);
            int32_t aborted = get32(at + 30);
            int32_t size;

            if (error) {
                fprintf(stderr, "fetch: error %d\n", error);
                exit(1);
            }
            at += 34 + (aborted > 0 ? 16 * aborted : 0) + 4;
            size = get32(at);
            at += 4;
            if (size > 0)
                take_records(to, at, (size_t)size);
            at += size > 0 ? size : 0;
            if (to->next_offset >= high && !to->complete) {
                to->complete = 1;
                (*left)--;
            }
        }
    }
}

static void fetch_all(const char *address, const char *topic, int partitions)
{
    int fd = dial(address);
    int left = partitions;
    int turn = 0;

    while (left > 0) {
        struct iovec io = {head, 0};
        int count = 0;
        int i;

        for (i = 0; i < partitions; i++)
            count += !all[i].complete;
        begin(1, 11);
        put32(-1);
        put32(100);
        put32(1);
        put32(64 << 20);
        put("", 1);
        put32(0);
        put32(-1);
        put32(1);
        put_text(topic);
        put32(count);
        for (i = 0; i < partitions; i++) {
            int p = (i + turn) % partitions;

            if (all[p].complete)
                continue;
            put32(p);
            put32(-1);
            put64(all[p].next_offset);
            put64(-1);
            put32(8 << 20);
        }
        turn++;
        put32(0);
        put_text("");
        set32(head, (uint32_t)(head_len - 4));
        io.iov_len = head_len;
        write_all(fd, &io, 1);
        (void)read_answer(fd);
        take_fetch(&left);
    }
    (void)close(fd);
}

/* 0: nothing is left. */
static int send_request(int fd, const char *topic, int partitions)
{
    static struct iovec io[2 * MAX_PARTITIONS + 1];
    size_t begins[MAX_PARTITIONS + 1];
    uint8_t *batch[MAX_PARTITIONS];
    size_t total = 0;
    int count = 0;
    int k = 0;
    int i;

    for (i = 0; i < partitions; i++)
        count += all[i].sent < all[i].count;
    if (!count)
        return 0;
    begin(0, 7);
    put16(-1);
    put16(-1);
    put32(30000);
    put32(1);
    put_text(topic);
    put32(count);
    count = 0;
    for (i = 0; i < partitions; i++) {
        if (all[i].sent == all[i].count)
            continue;
        batch[count] = all[i].items[all[i].sent++];
        put32(i);
        put32(12 + get32(batch[count] + 8));
        begins[count++] = head_len;
        total += 12 + (size_t)get32(batch[count - 1] + 8);
    }
    set32(head, (uint32_t)(head_len - 4 + total));
    for (i = 0; i < count; i++) {
        size_t from = i ? begins[i - 1] : 0;

        io[k++] = (struct iovec){head + from, begins[i] - from};
        io[k++] = (struct iovec){batch[i], 12 + (size_t)get32(batch[i] + 8)};
    }
    write_all(fd, io, k);
    return 1;
}

static void take_produced(void)
{
    const uint8_t *at = answer + 4;
    int32_t topics = get32(at);

    at += 4;
    while (topics-- > 0) {
        int32_t count;

        at += 2 + get16(at);
        count = get32(at);
        at += 4;
        for (; count > 0; count--, at += 30)
            if (get16(at + 4)) {
                fprintf(stderr, "produce: partition %d: error %d\n", get32(at),
                        get16(at + 4));
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
    answer = malloc(ANSWER_MAX);
    if (!answer || partitions < 1 || partitions > MAX_PARTITIONS)
        return 2;
    fetch_all(argv[1], argv[2], partitions);
    for (i = 0; i < partitions; i++)
        for (b = 0; b < all[i].count; b++) {
            records += (uint64_t)get32(all[i].items[b] + 57);
            bytes += 12 + (uint64_t)get32(all[i].items[b] + 8);
        }
    fd = dial(argv[1]);
    began = now();
    while (more || in_flight > 0) {
        while (more && in_flight < IN_FLIGHT) {
            more = send_request(fd, argv[3], partitions);
            in_flight += more;
        }
        if (in_flight > 0) {
            (void)read_answer(fd);
            take_produced();
            in_flight--;
        }
    }
    printf("%llu %llu %.3f\n", (unsigned long long)records,
           (unsigned long long)bytes, now() - began);
    return 0;
}

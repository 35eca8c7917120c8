/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - as little of Kafka's protocol as the limits need. */
#include "wire.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)256 << 20)

static uint8_t *answer;
static uint8_t head[1 << 16];
static size_t head_len;

void wire_die(const char *what)
{
    perror(what);
    exit(1);
}

double wire_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int wire_dial(const char *address)
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
        wire_die(address);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void put(const void *bytes, size_t len)
{
    if (head_len + len > sizeof head)
        wire_die("the request's head");
    memcpy(head + head_len, bytes, len);
    head_len += len;
}

void wire_put8(int value)
{
    uint8_t raw = (uint8_t)value;

    put(&raw, 1);
}

void wire_put16(int value)
{
    uint16_t raw = htobe16((uint16_t)value);

    put(&raw, 2);
}

void wire_put32(int64_t value)
{
    uint32_t raw = htobe32((uint32_t)value);

    put(&raw, 4);
}

void wire_put64(int64_t value)
{
    uint64_t raw = htobe64((uint64_t)value);

    put(&raw, 8);
}

void wire_put_text(const char *text)
{
    wire_put16((int)strlen(text));
    put(text, strlen(text));
}

size_t wire_len(void)
{
    return head_len;
}

void wire_begin(int api, int version)
{
    static int32_t correlation;

    head_len = 4;
    wire_put16(api);
    wire_put16(version);
    wire_put32(++correlation);
    wire_put_text("wire-limit");
}

uint8_t *wire_request(size_t more)
{
    wire_set32(head, (uint32_t)(head_len - 4 + more));
    return head;
}

int16_t wire_get16(const uint8_t *at)
{
    uint16_t raw;

    memcpy(&raw, at, 2);
    return (int16_t)be16toh(raw);
}

int32_t wire_get32(const uint8_t *at)
{
    uint32_t raw;

    memcpy(&raw, at, 4);
    return (int32_t)be32toh(raw);
}

int64_t wire_get64(const uint8_t *at)
{
    uint64_t raw;

    memcpy(&raw, at, 8);
    return (int64_t)be64toh(raw);
}

void wire_set32(uint8_t *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, 4);
}

void wire_write(int fd, struct iovec *io, int count)
{
    while (count > 0) {
        ssize_t put_bytes = writev(fd, io, count > 512 ? 512 : count);

        if (put_bytes < 0)
            wire_die("write");
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

static void read_all(int fd, uint8_t *to, size_t len)
{
    while (len > 0) {
        ssize_t got = read(fd, to, len);

        if (got <= 0)
            wire_die("read");
        to += got;
        len -= (size_t)got;
    }
}

const uint8_t *wire_answer(int fd)
{
    uint8_t size[4];
    size_t len;

    if (!answer)
        answer = malloc(ANSWER_MAX);
    if (!answer)
        wire_die("memory");
    read_all(fd, size, 4);
    len = (size_t)wire_get32(size);
    if (len > ANSWER_MAX)
        wire_die("an answer's size");
    read_all(fd, answer, len);
    return answer;
}

size_t wire_batch_len(const uint8_t *batch)
{
    return 12 + (size_t)wire_get32(batch + 8);
}

/* Where each partition stands. */
struct fetching {
    int64_t offsets[WIRE_PARTITIONS_MAX];
    int complete[WIRE_PARTITIONS_MAX];
    int left;
    int turn;
};

static void ask(int fd, const char *topic, int partitions, struct fetching *f)
{
    struct iovec io;
    int i;

    wire_begin(1, 11);
    wire_put32(-1);
    wire_put32(100);
    wire_put32(1);
    wire_put32(64 << 20);
    wire_put8(0);
    wire_put32(0);
    wire_put32(-1);
    wire_put32(1);
    wire_put_text(topic);
    wire_put32(f->left);
    for (i = 0; i < partitions; i++) {
        int p = (i + f->turn) % partitions;

        if (f->complete[p])
            continue;
        wire_put32(p);
        wire_put32(-1);
        wire_put64(f->offsets[p]);
        wire_put64(-1);
        wire_put32(8 << 20);
    }
    f->turn++;
    wire_put32(0);
    wire_put_text("");
    io = (struct iovec){wire_request(0), wire_len()};
    wire_write(fd, &io, 1);
}

/* How many bytes of `len` are whole batches; notes where they end. */
static size_t whole_batches(const uint8_t *at, size_t len, int64_t *offset)
{
    size_t good = 0;

    while (len - good >= 61 && wire_batch_len(at + good) <= len - good) {
        *offset = wire_get64(at + good) + wire_get32(at + good + 23) + 1;
        good += wire_batch_len(at + good);
    }
    return good;
}

void wire_fetch_all(int fd, const char *topic, int partitions,
                    void (*take)(int partition, const uint8_t *batches,
                                 size_t len))
{
    struct fetching f = {.left = partitions};

    while (f.left > 0) {
        const uint8_t *at;
        int32_t count;

        ask(fd, topic, partitions, &f);
        at = wire_answer(fd) + 4 + 4 + 2 + 4;
        if (wire_get32(at) == 0)
            continue; /* throttled */
        at += 4;
        at += 2 + wire_get16(at);
        count = wire_get32(at);
        at += 4;
        while (count-- > 0) {
            int p = wire_get32(at);
            int16_t error = wire_get16(at + 4);
            int64_t high = wire_get64(at + 6);
            int32_t aborted = wire_get32(at + 30);
            int32_t len;

            if (error || p < 0 || p >= partitions) {
                (void)fprintf(stderr, "fetch: partition %d: error %d\n", p,
                              error);
                exit(1);
            }
            at += 34 + (aborted > 0 ? 16 * aborted : 0) + 4;
            len = wire_get32(at);
            at += 4;
            if (len > 0) {
                take(p, at, whole_batches(at, (size_t)len, &f.offsets[p]));
                at += len;
            }
            if (f.offsets[p] >= high && !f.complete[p]) {
                f.complete[p] = 1;
                f.left--;
            }
        }
    }
}

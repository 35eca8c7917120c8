/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_limit_fetch.c - what a backup is measured against: record batches as
 * fast as one connection gives them, in a file and synced, and nothing else.
 *
 *     wire_limit_fetch HOST:PORT TOPIC PARTITIONS [FILE]
 *
 * Fetch v11 over IPv4, no checks, no accounting; one line of figures:
 * records, bytes, seconds, CPU seconds.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PARTITIONS_MAX 64
#define ANSWER_MAX (256u << 20)

static uint8_t request[65536];
static size_t request_len;

static void put(const void *bytes, size_t len)
{
    memcpy(request + request_len, bytes, len);
    request_len += len;
}

static void put8(int value)
{
    uint8_t raw = (uint8_t)value;

    put(&raw, 1);
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

static int64_t get32(const uint8_t *at)
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

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void read_all(int fd, uint8_t *to, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, to, len);

        if (n <= 0)
            die("read");
        to += n;
        len -= (size_t)n;
    }
}

static void write_all(int fd, const uint8_t *from, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, from, len);

        if (n <= 0)
            die("write");
        from += n;
        len -= (size_t)n;
    }
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int dial(const char *address)
{
    char host[64];
    const char *colon = strchr(address, ':');
    struct sockaddr_in to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (!colon || (size_t)(colon - address) >= sizeof host)
        exit(2);
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    to.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die(address);
    return fd;
}

static int64_t offsets[PARTITIONS_MAX];
static int finished[PARTITIONS_MAX];

static void make_request(const char *topic, int partitions, int left)
{
    static int32_t correlation;
    uint32_t size;
    int p;

    request_len = 4;
    put16(1); /* Fetch */
    put16(11);
    put32(++correlation);
    put_text("bench");
    put32(-1);
    put32(100);
    put32(1);
    put32(64 << 20);
    put8(0);
    put32(0);
    put32(-1);
    put32(1);
    put_text(topic);
    put32(left);
    for (p = 0; p < partitions; p++) {
        if (finished[p])
            continue;
        put32(p);
        put32(-1);
        put64(offsets[p]);
        put64(-1);
        put32(8 << 20);
    }
    put32(0);
    put_text("");
    size = htobe32((uint32_t)(request_len - 4));
    memcpy(request, &size, 4);
}

int main(int argc, char **argv)
{
    uint8_t *answer = malloc(ANSWER_MAX);
    int64_t records = 0;
    int64_t bytes = 0;
    double began = now();
    struct rusage used;
    int partitions;
    int file = -1;
    int left;
    int fd;

    if (argc < 4 || !answer) {
        (void)fprintf(stderr,
                      "usage: wire_limit_fetch HOST:PORT TOPIC N [FILE]\n");
        return 2;
    }
    partitions = (int)strtol(argv[3], NULL, 10);
    if (partitions < 1 || partitions > PARTITIONS_MAX)
        return 2;
    if (argc > 4) {
        file = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (file < 0)
            die(argv[4]);
    }
    left = partitions;
    fd = dial(argv[1]);
    while (left > 0) {
        const uint8_t *at = answer + 4 + 4 + 2 + 4 + 4;
        uint8_t size[4];
        int64_t n;

        make_request(argv[2], partitions, left);
        write_all(fd, request, request_len);
        read_all(fd, size, 4);
        if (get32(size) < 0 || get32(size) > (int64_t)ANSWER_MAX)
            return 1;
        read_all(fd, answer, (size_t)get32(size));
        if (get32(answer + 4 + 4 + 2 + 4) == 0)
            continue; /* throttled */
        at += 2 + (at[0] << 8 | at[1]);
        n = get32(at);
        at += 4;
        while (n-- > 0) {
            int64_t id = get32(at);
            int64_t high = get64(at + 6);
            int64_t aborted = get32(at + 30);
            int64_t len;
            int64_t good = 0;

            if ((at[4] << 8 | at[5]) != 0 || id >= partitions) {
                (void)fprintf(stderr, "partition %lld: error\n", (long long)id);
                return 1;
            }
            at += 34 + (aborted > 0 ? 16 * aborted : 0) + 4;
            len = get32(at);
            at += 4;
            while (len - good >= 61) {
                const uint8_t *batch = at + good;
                int64_t whole = 12 + get32(batch + 8);

                if (whole > len - good)
                    break;
                offsets[id] = get64(batch) + get32(batch + 23) + 1;
                records += get32(batch + 57);
                good += whole;
            }
            if (file >= 0)
                write_all(file, at, (size_t)good);
            bytes += good;
            at += len > 0 ? len : 0;
            if (offsets[id] >= high && !finished[id]) {
                finished[id] = 1;
                left--;
            }
        }
    }
    if (file >= 0 && fsync(file) != 0)
        die("fsync");
    began = now() - began;
    (void)getrusage(RUSAGE_SELF, &used);
    (void)printf(
        "%lld %lld %.3f %.2f\n", (long long)records, (long long)bytes, began,
        (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
            (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    return 0;
}

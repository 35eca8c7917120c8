/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_limit_fetch.c - what a backup is measured against: record batches as
 * fast as one connection gives them, in a file and synced, and nothing else.
 *
 *     wire_limit_fetch HOST:PORT TOPIC PARTITIONS [FILE]
 *
 * No checks, no accounting; one line of figures: records, bytes, seconds, CPU
 * seconds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "wire.h"

static long long records;
static long long bytes;
static int file = -1;

static void take(int partition, const uint8_t *batches, size_t len)
{
    size_t at;

    (void)partition;
    for (at = 0; at < len; at += wire_batch_len(batches + at))
        records += wire_get32(batches + at + 57);
    bytes += (long long)len;
    if (file >= 0) {
        struct iovec io = {(void *)(uintptr_t)batches, len};

        wire_write(file, &io, 1);
    }
}

int main(int argc, char **argv)
{
    double began = wire_now();
    struct rusage used;
    int partitions;

    if (argc < 4) {
        (void)fprintf(stderr,
                      "usage: wire_limit_fetch HOST:PORT TOPIC N [FILE]\n");
        return 2;
    }
    partitions = (int)strtol(argv[3], NULL, 10);
    if (partitions < 1 || partitions > WIRE_PARTITIONS_MAX)
        return 2;
    if (argc > 4) {
        file = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (file < 0)
            wire_die(argv[4]);
    }
    wire_fetch_all(wire_dial(argv[1]), argv[2], partitions, take);
    if (file >= 0 && fsync(file) != 0)
        wire_die("fsync");
    began = wire_now() - began;
    (void)getrusage(RUSAGE_SELF, &used);
    (void)printf("%lld %lld %.3f %.2f\n", records, bytes, began,
                 (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) /
                         1e6);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_limit.c - what a backup that compresses is measured against: libzstd
 * on all processors, over the same bytes in memory.
 *
 *     codec_limit FILE [LEVEL]     prints bytes, compressed, seconds, CPU
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#define FRAME ((size_t)1 << 20)
#define THREADS_MAX 256

static const uint8_t *bytes;
static size_t len;
static int level = 3;
static atomic_size_t next;
static atomic_size_t compressed;

static void *run(void *data)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t cap = ZSTD_compressBound(FRAME);
    void *to = malloc(cap);

    (void)data;
    for (;;) {
        size_t at = atomic_fetch_add(&next, FRAME);
        size_t n;

        if (at >= len || !to)
            break;
        n = ZSTD_compressCCtx(context, to, cap, bytes + at,
                              len - at < FRAME ? len - at : FRAME, level);
        if (ZSTD_isError(n))
            exit(1);
        atomic_fetch_add(&compressed, n);
    }
    free(to);
    (void)ZSTD_freeCCtx(context);
    return NULL;
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[THREADS_MAX];
    volatile uint8_t sum = 0;
    struct stat st;
    double began;
    double cpu;
    size_t i;
    long t;
    int fd;

    if (argc < 2)
        return 2;
    if (argc > 2)
        level = (int)strtol(argv[2], NULL, 10);
    fd = open(argv[1], O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        perror(argv[1]);
        return 1;
    }
    len = (size_t)st.st_size;
    bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (bytes == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    for (i = 0; i < len; i += 4096)
        sum = (uint8_t)(sum + bytes[i]);
    if (count > THREADS_MAX)
        count = THREADS_MAX;
    began = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (t = 0; t < count; t++)
        if (pthread_create(&threads[t], NULL, run, NULL) != 0)
            return 1;
    for (t = 0; t < count; t++)
        (void)pthread_join(threads[t], NULL);
    (void)printf("%zu %zu %.3f %.2f\n", len, atomic_load(&compressed),
                 seconds(CLOCK_MONOTONIC) - began,
                 seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.c - runs a fuzz target without a fuzzer: over every file of its
 * corpus, cut at every length, and with bytes changed at random.
 *
 * The random numbers are the same in each run, so that a failure comes back.
 * FUZZ_ROUNDS says how many changed copies of each file are tried (200).
 */
#include "fuzz_target.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* A copy of its own size, so that a sanitizer sees every step beyond it. */
static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    if (!copy)
        exit(2);
    memcpy(copy, bytes, len);
    (void)LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

/* Change some of `bytes`, which has room for `cap`; returns the new length. */
static size_t change(uint8_t *bytes, size_t len, size_t cap)
{
    static const uint8_t odd[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    size_t times = 1 + next_random() % 4;

    for (; times > 0 && len > 0; times--) {
        size_t at = next_random() % len;

        switch (next_random() % 5) {
        case 0:
            bytes[at] = (uint8_t)(bytes[at] ^ 1u << next_random() % 8);
            break;
        case 1:
            bytes[at] = odd[next_random() % sizeof odd];
            break;
        case 2: /* one more */
            if (len < cap) {
                memmove(bytes + at + 1, bytes + at, len - at);
                len++;
                bytes[at] = (uint8_t)next_random();
            }
            break;
        case 3: /* one less */
            memmove(bytes + at, bytes + at + 1, len - at - 1);
            len--;
            break;
        default:
            bytes[at] = (uint8_t)next_random();
            break;
        }
    }
    return len;
}

static void run_file(const uint8_t *bytes, size_t len, long rounds)
{
    uint8_t *copy = malloc(len + 8);
    size_t step = len / 400 + 1;
    size_t cut;
    long i;

    if (!copy)
        exit(2);
    run(bytes, len);
    for (cut = 0; cut < len; cut += cut < 200 ? 1 : step)
        run(bytes, cut);
    for (i = 0; i < rounds; i++) {
        memcpy(copy, bytes, len);
        run(copy, change(copy, len, len + 8));
    }
    free(copy);
}

static int run_path(const char *path, long rounds)
{
    static uint8_t bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    size_t len;

    if (!file) {
        perror(path);
        return 1;
    }
    len = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    run_file(bytes, len, rounds);
    return 0;
}

int main(int argc, char **argv)
{
    const char *text = getenv("FUZZ_ROUNDS");
    long rounds = text ? strtol(text, NULL, 10) : 200;
    int files = 0;
    int i;

    for (i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        struct dirent *entry;

        if (!dir) {
            if (run_path(argv[i], rounds))
                return 1;
            files++;
            continue;
        }
        while ((entry = readdir(dir)) != NULL) {
            char path[4096];

            if (*entry->d_name == '.')
                continue;
            (void)snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (run_path(path, rounds))
                return 1;
            files++;
        }
        (void)closedir(dir);
    }
    printf("%d files, %ld changed copies of each\n", files, rounds);
    return files > 0 ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regression_driver.c - runs a fuzz target over files, without a fuzzer.
 *
 *     fuzz_x [-m COUNT] FILE-OR-FOLDER...
 *
 * Each file goes in as it is, then cut at every length (to 4096), and then
 * COUNT times changed at a few places.  The changes are the same in every run,
 * so what fails once fails again.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (16u * 1024u * 1024u)
#define CUTS_MAX 4096u

static unsigned long mutations;
static unsigned long files;
static uint64_t state;

static uint32_t next_random(void)
{
    /* splitmix64 */
    uint64_t z = (state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

/* In a block of exactly that size, for a sanitizer to see what is beyond. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);

    if (!exact)
        abort();
    if (size)
        memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void mutate(const uint8_t *data, size_t size)
{
    static const uint8_t special[] = {0, 1, 0x7f, 0x80, 0xff, '=', ',', '"'};
    size_t cap = size + 64, len, at, n;
    uint8_t *copy = malloc(cap);
    uint32_t i;

    if (!copy)
        abort();
    memcpy(copy, data, size);
    len = size;
    for (i = 1 + next_random() % 6; i > 0; i--) {
        at = len ? next_random() % len : 0;
        switch (next_random() % 5) {
        case 0:
            if (len)
                copy[at] ^= (uint8_t)(1u << next_random() % 8);
            break;
        case 1:
            if (len)
                copy[at] = special[next_random() % sizeof special];
            break;
        case 2: /* a byte more */
            if (len + 1 < cap) {
                memmove(copy + at + 1, copy + at, len - at);
                copy[at] = (uint8_t)next_random();
                len++;
            }
            break;
        case 3: /* some bytes less */
            n = len ? 1 + next_random() % 8 : 0;
            if (n > len - at)
                n = len - at;
            memmove(copy + at, copy + at + n, len - at - n);
            len -= n;
            break;
        default: /* some of it again elsewhere */
            n = len - at < 16 ? len - at : 16;
            if (len && n)
                memmove(copy + next_random() % (len - n + 1), copy + at, n);
            break;
        }
    }
    run(copy, len);
    free(copy);
}

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_MAX);
    unsigned long i;
    size_t size, cut;

    if (!file || !data) {
        fprintf(stderr, "%s: can't be read\n", path);
        exit(2);
    }
    size = fread(data, 1, INPUT_MAX, file);
    (void)fclose(file);
    run(data, size);
    for (cut = 0; cut < size && cut < CUTS_MAX; cut++)
        run(data, cut);
    state = size;
    for (i = 0; i < mutations; i++)
        mutate(data, size);
    free(data);
    files++;
}

static void run_path(const char *path)
{
    struct dirent **list;
    struct stat st;
    char *at;
    int i, n;

    if (stat(path, &st) != 0) {
        fprintf(stderr, "%s: is not there\n", path);
        exit(2);
    }
    if (!S_ISDIR(st.st_mode)) {
        run_file(path);
        return;
    }
    n = scandir(path, &list, NULL, alphasort);
    for (i = 0; i < n; i++) {
        if (list[i]->d_name[0] != '.') {
            size_t len = strlen(path) + strlen(list[i]->d_name) + 2;

            at = malloc(len);
            if (!at)
                abort();
            (void)snprintf(at, len, "%s/%s", path, list[i]->d_name);
            run_path(at);
            free(at);
        }
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

int main(int argc, char **argv)
{
    int i = 1;

    if (argc > 2 && strcmp(argv[1], "-m") == 0) {
        mutations = strtoul(argv[2], NULL, 10);
        i = 3;
    }
    for (; i < argc; i++)
        run_path(argv[i]);
    printf("%lu files\n", files);
    return files ? 0 : 2;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* rdkafka_api.c - the librdkafka which loaded us, without linking any. */
#include "rdkafka_api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf_symbols.h"

enum {
#define XX(function) INDEX_##function,
    KB_RDKAFKA_FUNCTIONS(XX)
#undef XX
        FUNCTION_COUNT
};

static const char *const names[FUNCTION_COUNT] = {
#define XX(function) #function,
    KB_RDKAFKA_FUNCTIONS(XX)
#undef XX
};

/* One for each copy in the process, known by where it was loaded. */
struct copy {
    struct copy *next;
    const void *base;
    struct kb_rdkafka_api api;
};

static struct copy *copies;
static pthread_mutex_t copies_lock = PTHREAD_MUTEX_INITIALIZER;

static void by_dlsym(void *handle, void **addresses)
{
    size_t i;

    for (i = 0; i < FUNCTION_COUNT; i++)
        addresses[i] = dlsym(handle, names[i]);
}

/* The first name that is missing or is of another object; NULL: all well. */
static const char *missing(void *const *addresses, const void *base)
{
    size_t i;

    for (i = 0; i < FUNCTION_COUNT; i++) {
        Dl_info where;

        if (!addresses[i] || !dladdr(addresses[i], &where) ||
            where.dli_fbase != base)
            return names[i];
    }
    return NULL;
}

/* `*stripped`: there is no symbol table in which they could have been. */
static const char *find_all(const Dl_info *caller, const void *inside,
                            void **addresses, bool *stripped)
{
    void *handle = dlopen(caller->dli_fname, RTLD_NOW | RTLD_NOLOAD);
    const char *path = caller->dli_fname;
    const char *lacks;

    if (!handle) {
        /* The program itself goes by no name that dlopen() knows. */
        handle = dlopen(NULL, RTLD_NOW);
        path = "/proc/self/exe";
    }
    by_dlsym(handle, addresses);
    lacks = missing(addresses, caller->dli_fbase);
    if (handle)
        (void)dlclose(handle);
    if (!lacks)
        return NULL;
    *stripped = !kb_elf_find(path, inside, names, FUNCTION_COUNT, addresses);
    return missing(addresses, caller->dli_fbase);
}

static struct copy *add(const void *base, void *const *addresses)
{
    struct copy *copy = calloc(1, sizeof *copy);

    if (!copy)
        return NULL;
    copy->base = base;
#define XX(function) \
    memcpy(&copy->api.function, &addresses[INDEX_##function], sizeof(void *));
    KB_RDKAFKA_FUNCTIONS(XX)
#undef XX
    copy->next = copies;
    copies = copy;
    return copy;
}

/* Go shows the first 127 bytes: what it is, then what to do. */
static void say_why(char *errstr, size_t size, const char *path,
                    const char *lacks, bool stripped)
{
    if (stripped)
        (void)snprintf(errstr, size,
                       "the program is stripped: kafka_backup_sasl can't find "
                       "its librdkafka; don't strip it, or use a shared "
                       "librdkafka (%s, %s)",
                       path, lacks);
    else
        (void)snprintf(errstr, size,
                       "its librdkafka lacks %s: kafka_backup_sasl needs 1.2 "
                       "or newer (%s)",
                       lacks, path);
}

const struct kb_rdkafka_api *kb_rdkafka_find(const void *caller, char *errstr,
                                             size_t errstr_size)
{
    void *addresses[FUNCTION_COUNT];
    const char *lacks = NULL;
    bool stripped = false;
    struct copy *copy;
    Dl_info info;

    if (!dladdr(caller, &info)) {
        (void)snprintf(errstr, errstr_size,
                       "kafka_backup_sasl: can't tell which library loaded it");
        return NULL;
    }
    (void)pthread_mutex_lock(&copies_lock);
    for (copy = copies; copy; copy = copy->next)
        if (copy->base == info.dli_fbase)
            break;
    if (!copy) {
        lacks = find_all(&info, caller, addresses, &stripped);
        if (!lacks)
            copy = add(info.dli_fbase, addresses);
    }
    (void)pthread_mutex_unlock(&copies_lock);
    if (lacks)
        say_why(errstr, errstr_size, info.dli_fname, lacks, stripped);
    else if (!copy)
        (void)snprintf(errstr, errstr_size, "kafka_backup_sasl: out of memory");
    return copy ? &copy->api : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tsan_threads.c - C11 threads made by pthread_create().
 *
 * ThreadSanitizer of GCC 12 doesn't know thrd_create(), by which librdkafka
 * makes its threads, and crashes when one of those calls us back.  Preloaded
 * into a tsan build, this has them made by what it knows.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#define THRD_ERROR 2 /* of glibc's threads.h */

int thrd_create(pthread_t *thread, int (*run)(void *), void *data);
int thrd_join(pthread_t thread, int *result);

struct start {
    int (*run)(void *);
    void *data;
};

static void *begin(void *argument)
{
    struct start start = *(struct start *)argument;

    free(argument);
    return (void *)(intptr_t)start.run(start.data);
}

int thrd_create(pthread_t *thread, int (*run)(void *), void *data)
{
    struct start *start = malloc(sizeof *start);

    if (!start)
        return THRD_ERROR;
    *start = (struct start){run, data};
    if (pthread_create(thread, NULL, begin, start) != 0) {
        free(start);
        return THRD_ERROR;
    }
    return 0;
}

int thrd_join(pthread_t thread, int *result)
{
    void *value;

    if (pthread_join(thread, &value) != 0)
        return THRD_ERROR;
    if (result)
        *result = (int)(intptr_t)value;
    return 0;
}

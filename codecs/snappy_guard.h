/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snappy_guard.h - snappy_compress() without the exception.
 *
 * libsnappy is C++ and throws std::bad_alloc through its C interface; nothing
 * may leave a plugin that way.
 */
#ifndef KB_CODECS_SNAPPY_GUARD_H
#define KB_CODECS_SNAPPY_GUARD_H

#include <snappy-c.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As snappy_compress(); false when out of memory. */
int snappy_guard_compress(const char *from, size_t len, char *to,
                          size_t *to_len, snappy_status *status);

#ifdef __cplusplus
}
#endif

#endif

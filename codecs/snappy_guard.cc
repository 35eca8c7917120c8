// SPDX-License-Identifier: Apache-2.0
// snappy_guard.cc - snappy_compress() without the exception.
#include "snappy_guard.h"

int snappy_guard_compress(const char *from, size_t len, char *to,
                          size_t *to_len, snappy_status *status)
{
    try {
        *status = snappy_compress(from, len, to, to_len);
        return 1;
    } catch (...) {
        return 0;
    }
}

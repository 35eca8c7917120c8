/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash.h - FNV-1a with 64 bits, for what comes from admins, not attackers.
 * [any thread]
 */
#ifndef KB_BASE_HASH_H
#define KB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define KB_HASH_INIT UINT64_C(14695981039346656037)

/* Of what `hash` is of already, and `len` bytes more. */
static inline uint64_t kb_hash(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len-- > 0)
        hash = (hash ^ *at++) * UINT64_C(1099511628211);
    return hash;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.h - integers in memory that is not aligned: Kafka's are big-endian,
 * the archive's little-endian.
 */
#ifndef KB_BASE_BYTES_H
#define KB_BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define KB_LOAD(name, type, convert)        \
    static inline type name(const void *at) \
    {                                       \
        type value;                         \
                                            \
        memcpy(&value, at, sizeof value);   \
        return (type)convert(value);        \
    }
#define KB_STORE(name, type, convert)             \
    static inline void name(void *at, type value) \
    {                                             \
        type raw = (type)convert(value);          \
                                                  \
        memcpy(at, &raw, sizeof raw);             \
    }

KB_LOAD(kb_load_be16, uint16_t, be16toh)
KB_LOAD(kb_load_be32, uint32_t, be32toh)
KB_LOAD(kb_load_be64, uint64_t, be64toh)
KB_LOAD(kb_load_le16, uint16_t, le16toh)
KB_LOAD(kb_load_le32, uint32_t, le32toh)
KB_LOAD(kb_load_le64, uint64_t, le64toh)
KB_STORE(kb_store_be16, uint16_t, htobe16)
KB_STORE(kb_store_be32, uint32_t, htobe32)
KB_STORE(kb_store_be64, uint64_t, htobe64)
KB_STORE(kb_store_le16, uint16_t, htole16)
KB_STORE(kb_store_le32, uint32_t, htole32)
KB_STORE(kb_store_le64, uint64_t, htole64)

#undef KB_LOAD
#undef KB_STORE

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.h - CRC-32C (Castagnoli; RFC 3720, appendix B.4), by the processor's
 * own instruction where it has one.  [any thread]
 */
#ifndef KB_BASE_CRC32C_H
#define KB_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Go on from `crc`, which is 0 at the start. */
uint32_t kb_crc32c(uint32_t crc, const void *bytes, size_t len);

/* The same by table: for processors without it, and to test against. */
uint32_t kb_crc32c_portable(uint32_t crc, const void *bytes, size_t len);

#endif

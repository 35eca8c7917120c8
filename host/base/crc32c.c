/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.c - CRC-32C.
 *
 * The instruction takes three cycles but one can start each cycle, so long
 * inputs are read as three interleaved streams whose sums are then joined:
 * moving a sum over n zero bytes is a multiplication by x^(8n) modulo the
 * polynomial, done with tables made once for the one length in use.
 */
#include "base/crc32c.h"

#include <pthread.h>

#include "base/bytes.h"

#define POLY 0x82f63b78u /* reflected */
#define STRIDE 4096u     /* bytes of each of the three streams */

static uint32_t byte_table[8][256];
static uint32_t shift_table[4][256]; /* over STRIDE zero bytes */
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static uint32_t slow_zeros(uint32_t crc, size_t len)
{
    while (len-- > 0)
        crc = byte_table[0][crc & 0xff] ^ (crc >> 8);
    return crc;
}

static void make_tables(void)
{
    uint32_t n;
    unsigned k;

    for (n = 0; n < 256; n++) {
        uint32_t crc = n;

        for (k = 0; k < 8; k++)
            crc = crc & 1 ? (crc >> 1) ^ POLY : crc >> 1;
        byte_table[0][n] = crc;
    }
    for (n = 0; n < 256; n++)
        for (k = 1; k < 8; k++)
            byte_table[k][n] = byte_table[0][byte_table[k - 1][n] & 0xff] ^
                               (byte_table[k - 1][n] >> 8);
    for (n = 0; n < 256; n++)
        for (k = 0; k < 4; k++)
            shift_table[k][n] = slow_zeros(n << (8 * k), STRIDE);
}

uint32_t kb_crc32c_portable(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    (void)pthread_once(&tables_once, make_tables);
    crc = ~crc;
    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word = kb_load_le64(at) ^ crc;

        crc = byte_table[7][word & 0xff] ^ byte_table[6][word >> 8 & 0xff] ^
              byte_table[5][word >> 16 & 0xff] ^
              byte_table[4][word >> 24 & 0xff] ^
              byte_table[3][word >> 32 & 0xff] ^
              byte_table[2][word >> 40 & 0xff] ^
              byte_table[1][word >> 48 & 0xff] ^ byte_table[0][word >> 56];
    }
    for (; len > 0; at++, len--)
        crc = byte_table[0][(crc ^ *at) & 0xff] ^ (crc >> 8);
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HARDWARE __attribute__((target("sse4.2")))
#define STEP8(crc, word) _mm_crc32_u64(crc, word)
#define STEP1(crc, byte) _mm_crc32_u8((uint32_t)(crc), byte)
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define HARDWARE __attribute__((target("+crc")))
#define STEP8(crc, word) __crc32cd((uint32_t)(crc), word)
#define STEP1(crc, byte) __crc32cb((uint32_t)(crc), byte)
#endif

#ifdef HARDWARE
static uint32_t shift_stride(uint32_t crc)
{
    return shift_table[0][crc & 0xff] ^ shift_table[1][crc >> 8 & 0xff] ^
           shift_table[2][crc >> 16 & 0xff] ^ shift_table[3][crc >> 24];
}

HARDWARE static uint32_t by_instruction(uint32_t start, const uint8_t *at,
                                        size_t len)
{
    uint64_t crc = (uint32_t)~start;

    for (; len >= 3 * STRIDE; at += 3 * STRIDE, len -= 3 * STRIDE) {
        uint64_t second = 0;
        uint64_t third = 0;
        size_t i;

        for (i = 0; i < STRIDE; i += 8) {
            crc = STEP8(crc, kb_load_le64(at + i));
            second = STEP8(second, kb_load_le64(at + STRIDE + i));
            third = STEP8(third, kb_load_le64(at + 2 * STRIDE + i));
        }
        crc = shift_stride((uint32_t)crc) ^ second;
        crc = shift_stride((uint32_t)crc) ^ third;
    }
    for (; len >= 8; at += 8, len -= 8)
        crc = STEP8(crc, kb_load_le64(at));
    for (; len > 0; at++, len--)
        crc = STEP1(crc, *at);
    return ~(uint32_t)crc;
}

static int has_instruction(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("sse4.2");
#else
    return (getauxval(AT_HWCAP) & (1ul << 7)) != 0; /* HWCAP_CRC32 */
#endif
}

uint32_t kb_crc32c(uint32_t crc, const void *bytes, size_t len)
{
    if (!has_instruction())
        return kb_crc32c_portable(crc, bytes, len);
    (void)pthread_once(&tables_once, make_tables);
    return by_instruction(crc, bytes, len);
}
#else
uint32_t kb_crc32c(uint32_t crc, const void *bytes, size_t len)
{
    return kb_crc32c_portable(crc, bytes, len);
}
#endif

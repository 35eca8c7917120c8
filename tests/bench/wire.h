/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h - as little of Kafka's protocol as the limits need: one broker that
 * leads all partitions, over IPv4, Fetch 11, one request built at a time.
 *
 * Whatever goes wrong ends the program.  None of the product's code is used.
 */
#ifndef KB_BENCH_WIRE_H
#define KB_BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define WIRE_PARTITIONS_MAX 64

_Noreturn void wire_die(const char *what);

double wire_now(void);

/* A connection to HOST:PORT. */
int wire_dial(const char *address);

/* Begin a request; then put what it has, of which there is wire_len() bytes. */
void wire_begin(int api, int version);
void wire_put8(int value);
void wire_put16(int value);
void wire_put32(int64_t value);
void wire_put64(int64_t value);
void wire_put_text(const char *text);
size_t wire_len(void);

/* The request's bytes; its length is set, `more` bytes that follow included. */
uint8_t *wire_request(size_t more);

int16_t wire_get16(const uint8_t *at);
int32_t wire_get32(const uint8_t *at);
int64_t wire_get64(const uint8_t *at);
void wire_set32(uint8_t *at, uint32_t value);

/* Write all, which changes `io`. */
void wire_write(int fd, struct iovec *io, int count);

/* The next answer, behind its length; good until the next one. */
const uint8_t *wire_answer(int fd);

/* A batch's own length, from its first 12 bytes. */
size_t wire_batch_len(const uint8_t *batch);

/*
 * Fetch all of a topic, and hand the whole batches of each partition in each
 * answer to `take`.
 */
void wire_fetch_all(int fd, const char *topic, int partitions,
                    void (*take)(int partition, const uint8_t *batches,
                                 size_t len));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - bytes to and from a peer: TCP, TLS over it, or a test's.
 *
 * Nothing in a stream waits; stream.c's helpers do, with a deadline, and are
 * woken by a stop.  A stream belongs to one thread at a time.
 */
#ifndef KB_KAFKA_STREAM_H
#define KB_KAFKA_STREAM_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/stop.h"

#define KB_STREAM_WANT_READ 1  /* poll for POLLIN, then call again */
#define KB_STREAM_WANT_WRITE 2 /* poll for POLLOUT, then call again */
#define KB_STREAM_END 3        /* the peer has closed */

struct kb_stream;

struct kb_stream_ops {
    /*
     * Read at most `len` bytes: KBP_OK and `*got` > 0, one of the above, or an
     * error.
     */
    int (*read)(struct kb_stream *stream, void *buf, size_t len, size_t *got,
                struct kbp_error *err);

    /* Write some of the bytes: KBP_OK and `*put` > 0, or as above. */
    int (*write)(struct kb_stream *stream, const struct iovec *parts, int count,
                 size_t *put, struct kbp_error *err);

    /* Close, and free the stream. */
    void (*close)(struct kb_stream *stream);

    /*
     * Whether it holds bytes already which poll() can't see; or NULL for a
     * stream that never does.
     */
    bool (*pending)(const struct kb_stream *stream);
};

/* What every stream begins with. */
struct kb_stream {
    const struct kb_stream_ops *ops;
    int fd;               /* to poll() */
    struct kb_stop *stop; /* ends every wait; or NULL */
    bool deep;            /* POLLIN waits for more than a byte */
};

/* NULL is fine. */
void kb_stream_close(struct kb_stream *stream);

/*
 * Wait for POLLIN or POLLOUT: KBP_OK, KBP_ERR_TIMEOUT, KBP_ERR_CANCELLED.
 * `deadline_ms` is of kb_now_ms().
 */
int kb_stream_wait(struct kb_stream *stream, short events, int64_t deadline_ms,
                   struct kbp_error *err);

/*
 * Read exactly `len` bytes. `*got` says how many came also on failure. An end
 * before the last is KBP_ERR_IO.
 */
int kb_stream_read_all(struct kb_stream *stream, void *buf, size_t len,
                       size_t *got, int64_t deadline_ms, struct kbp_error *err);

/* Write all parts, which are changed on the way. */
int kb_stream_write_all(struct kb_stream *stream, struct iovec *parts,
                        int count, int64_t deadline_ms, struct kbp_error *err);

/*
 * Before poll(): so many bytes are still to come, and what comes is of no use
 * before.  In the middle of something large, POLLIN then waits until there is
 * a good piece of it: a peer that writes little by little would wake us, and
 * whom we pass it on to, each time.
 */
void kb_stream_expect(struct kb_stream *stream, uint64_t bytes);

/* A stream of a connected socket, which it closes. NULL: out of memory. */
struct kb_stream *kb_socket_stream(int fd, struct kb_stop *stop);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - wait for streams; the stream of a socket. */
#include "kafka/stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/*
 * What is worth a wake-up in the middle of something large: each takes a
 * processor from a thread that compresses.  Of that, TLS may hold the beginning
 * of a record already.
 */
#define LOW_WATER (256 * 1024)
#define LARGE ((uint64_t)LOW_WATER + 32 * 1024)

void kb_stream_close(struct kb_stream *stream)
{
    if (stream)
        stream->ops->close(stream);
}

int kb_stream_wait(struct kb_stream *stream, short events, int64_t deadline_ms,
                   struct kbp_error *err)
{
    struct kb_stop *stop = stream->stop;
    struct pollfd fds[3] = {
        {.fd = stream->fd, .events = events},
        {.fd = stop ? stop->fd : -1, .events = POLLIN},
        {.fd = stop ? stop->watch_fd : -1, .events = POLLRDHUP},
    };

    for (;;) {
        int ready = poll(fds, 3, kb_poll_ms(deadline_ms));

        if (ready < 0 && errno != EINTR)
            return kb_fail_errno(err, errno, "poll");
        if (ready > 0 && fds[2].revents && stream->fd != stop->watch_fd)
            kb_stop_request(stop);
        if (stop && kb_stop_requested(stop))
            return kb_fail_stopped(err);
        if (ready > 0 && fds[0].revents)
            return KBP_OK;
        if (kb_left_ms(deadline_ms) == 0)
            return kb_fail(err, KBP_ERR_TIMEOUT, "no answer in time");
    }
}

void kb_stream_expect(struct kb_stream *stream, uint64_t bytes)
{
    bool deep = bytes >= LARGE;
    int low_water = deep ? LOW_WATER : 1;

    if (deep != stream->deep)
        (void)setsockopt(stream->fd, SOL_SOCKET, SO_RCVLOWAT, &low_water,
                         sizeof low_water);
    stream->deep = deep;
}

/* What a call wants before it can go on; KBP_OK once it may be called again. */
static int wait_for(struct kb_stream *stream, int want, int64_t deadline_ms,
                    struct kbp_error *err)
{
    short events = want == KB_STREAM_WANT_WRITE ? POLLOUT : POLLIN;

    return kb_stream_wait(stream, events, deadline_ms, err);
}

int kb_stream_read_all(struct kb_stream *stream, void *buf, size_t len,
                       size_t *got, int64_t deadline_ms, struct kbp_error *err)
{
    uint8_t *to = buf;

    for (*got = 0; *got < len;) {
        size_t some = 0;
        int rc = stream->ops->read(stream, to + *got, len - *got, &some, err);

        if (rc == KBP_OK) {
            *got += some;
        } else if (rc == KB_STREAM_END) {
            return kb_fail(err, KBP_ERR_IO, "the peer closed the connection");
        } else if (rc > 0) {
            kb_stream_expect(stream, len - *got);
            rc = wait_for(stream, rc, deadline_ms, err);
        }
        if (rc < 0)
            return rc;
    }
    kb_stream_expect(stream, 0);
    return KBP_OK;
}

int kb_stream_write_all(struct kb_stream *stream, struct iovec *parts,
                        int count, int64_t deadline_ms, struct kbp_error *err)
{
    while (count > 0) {
        size_t put = 0;
        int rc;

        if (parts->iov_len == 0) {
            parts++;
            count--;
            continue;
        }
        rc = stream->ops->write(stream, parts, count, &put, err);
        if (rc == KB_STREAM_END)
            return kb_fail(err, KBP_ERR_IO, "the peer closed the connection");
        if (rc > 0)
            rc = wait_for(stream, rc, deadline_ms, err);
        if (rc < 0)
            return rc;
        while (count > 0 && put >= parts->iov_len) {
            put -= parts->iov_len;
            parts++;
            count--;
        }
        if (put > 0) {
            parts->iov_base = (uint8_t *)parts->iov_base + put;
            parts->iov_len -= put;
        }
    }
    return KBP_OK;
}

static int socket_read(struct kb_stream *stream, void *buf, size_t len,
                       size_t *got, struct kbp_error *err)
{
    ssize_t n;

    do
        n = recv(stream->fd, buf, len, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        *got = (size_t)n;
        return KBP_OK;
    }
    if (n == 0)
        return KB_STREAM_END;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return KB_STREAM_WANT_READ;
    if (errno == ECONNRESET)
        return kb_fail(err, KBP_ERR_IO, "the peer reset the connection");
    return kb_fail_errno(err, errno, "can't read");
}

static int socket_write(struct kb_stream *stream, const struct iovec *parts,
                        int count, size_t *put, struct kbp_error *err)
{
    struct msghdr message = {0};
    ssize_t n;

    message.msg_iov = (struct iovec *)(uintptr_t)parts;
    message.msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX);
    do
        n = sendmsg(stream->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0) {
        *put = (size_t)n;
        return KBP_OK;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return KB_STREAM_WANT_WRITE;
    if (errno == EPIPE || errno == ECONNRESET)
        return kb_fail(err, KBP_ERR_IO, "the peer closed the connection");
    return kb_fail_errno(err, errno, "can't write");
}

static void socket_close(struct kb_stream *stream)
{
    (void)close(stream->fd);
    free(stream);
}

static const struct kb_stream_ops socket_ops = {
    .read = socket_read,
    .write = socket_write,
    .close = socket_close,
};

struct kb_stream *kb_socket_stream(int fd, struct kb_stop *stop)
{
    struct kb_stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        return NULL;
    stream->ops = &socket_ops;
    stream->fd = fd;
    stream->stop = stop;
    return stream;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pump_copy.c - copy frames both ways, and log in again between two of them.
 *
 * Each way is a stream of frames: bytes are passed on as they come, but it is
 * known where a frame ends.  A login is put where the requests' way stands
 * between two frames; until it is over no request passes, as the broker takes
 * nothing else.  Answers to requests sent before it come first and pass; the
 * login's own are known by their correlation ids, which are reserved.
 */
#include "kafka/pump_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kafka/sasl_exchange.h"

#ifndef KB_PUMP_WAY_BYTES
#define KB_PUMP_WAY_BYTES 256 * 1024
#endif
#define WAY_BYTES ((size_t)KB_PUMP_WAY_BYTES)
#define HEAD 8u /* a frame's length, and its correlation id on the way back */

/* How long a login in the middle may take before the connection is given up. */
#define LOGIN_MS 30000

/* One direction. */
struct way {
    struct kb_stream *from;
    struct kb_stream *to;
    uint8_t *bytes;
    size_t start; /* bytes[start, ready) may be passed on */
    size_t ready;
    size_t end;    /* bytes[ready, end) came, and aren't looked at yet */
    uint64_t left; /* of the frame which `ready` stands in; 0: between two */
    short poll_from;
    short poll_to;
    bool dry;    /* nothing to read until poll() says so */
    bool closed; /* nothing more comes */
};

struct copier {
    struct kb_pump *pump;
    struct way requests;
    struct way answers;
    struct kb_buf login; /* the login's next request, to be sent whole */
    size_t login_sent;
    bool logging_in;
    int64_t login_deadline_ms;
};

/*
 * What is at the end of the buffer moves to its front when much of it was
 * passed on, or when that is all that will be for now.
 */
static bool may_move(const struct way *way)
{
    return way->start > 0 &&
           (way->start == way->ready || way->start >= WAY_BYTES / 2);
}

static bool has_room(const struct way *way)
{
    return way->end < WAY_BYTES || may_move(way);
}

static size_t make_room(struct way *way)
{
    if (way->start == way->end) {
        way->start = way->ready = way->end = 0;
    } else if (way->end == WAY_BYTES && may_move(way)) {
        memmove(way->bytes, way->bytes + way->start, way->end - way->start);
        way->ready -= way->start;
        way->end -= way->start;
        way->start = 0;
    }
    return WAY_BYTES - way->end;
}

static bool is_pending(const struct kb_stream *stream)
{
    return stream->ops->pending && stream->ops->pending(stream);
}

/*
 * Read what there is: all of it, as a TLS record is little, and each turn has
 * its price: the other side is woken for what it brings.  A way whose buffer
 * is full waits until it is passed on.
 */
static int fill(struct way *way, struct kbp_error *err)
{
    size_t room = make_room(way);

    if (way->dry)
        return KBP_OK;
    way->poll_from = 0;
    while (!way->closed && !way->dry && room > 0) {
        size_t got = 0;
        int status = way->from->ops->read(way->from, way->bytes + way->end,
                                          room, &got, err);

        if (status < 0)
            return status;
        way->closed = status == KB_STREAM_END;
        way->poll_from = status == KB_STREAM_WANT_WRITE ? POLLOUT : POLLIN;
        /* Less than there is room for: the rest is still to come. */
        way->dry = status != KBP_OK || (got < room && !is_pending(way->from));
        way->end += got;
        room -= got;
    }
    return KBP_OK;
}

/* Pass on what may be. */
static int drain(struct way *way, struct kbp_error *err)
{
    way->poll_to = 0;
    while (way->start < way->ready) {
        struct iovec part = {way->bytes + way->start, way->ready - way->start};
        size_t put;
        int status = way->to->ops->write(way->to, &part, 1, &put, err);

        if (status == KBP_OK) {
            way->start += put;
            continue;
        }
        if (status == KB_STREAM_WANT_WRITE)
            way->poll_to = POLLOUT;
        else if (status == KB_STREAM_WANT_READ)
            way->poll_to = POLLIN;
        else if (status == KB_STREAM_END)
            way->closed = true;
        else
            return status;
        break;
    }
    return KBP_OK;
}

/* Let the rest of the frame at `ready` pass, as far as it came. */
static void pass_frame(struct way *way)
{
    uint64_t here = way->end - way->ready;
    uint64_t passed = here < way->left ? here : way->left;

    way->ready += (size_t)passed;
    way->left -= passed;
}

/* Whether a login has to begin, or is under way: no request passes. */
static bool hold_requests(struct copier *c)
{
    struct kb_pump *pump = c->pump;

    if (c->logging_in)
        return true;
    return pump->login &&
           kb_now_ms() >= pump->security->ops->login_renew_at_ms(pump->login);
}

static int look_at_requests(struct copier *c, struct kbp_error *err)
{
    struct way *way = &c->requests;

    for (;;) {
        uint32_t len;

        pass_frame(way);
        if (way->left > 0 || hold_requests(c) ||
            way->end - way->ready < sizeof len)
            return KBP_OK;
        len = kb_load_be32(way->bytes + way->ready);
        if (len > INT32_MAX)
            return kb_fail(err, KBP_ERR_PROTOCOL,
                           "librdkafka sent a frame of %u bytes", len);
        way->left = (uint64_t)len + sizeof len;
    }
}

/* Ask the mechanism what to send next; nothing: it is over. */
static int step(struct copier *c, const uint8_t *in, size_t len,
                struct kbp_error *err)
{
    struct kb_pump *pump = c->pump;
    int status;

    kb_buf_reset(&c->login);
    c->login_sent = 0;
    status =
        pump->security->ops->login_step(pump->login, in, len, &c->login, err);
    c->logging_in = status == KBP_OK && c->login.len > 0;
    return status;
}

/*
 * Take the login's answer out of the way, whole. True if it isn't all here.
 */
static int take_login_answer(struct copier *c, uint32_t len, bool *more,
                             struct kbp_error *err)
{
    struct way *way = &c->answers;
    size_t whole = (size_t)len + 4;
    int status;

    *more = false;
    if (len > KB_SASL_FRAME_MAX || whole > WAY_BYTES)
        return kb_fail(err, KBP_ERR_PROTOCOL,
                       "%s: a SASL answer of %u bytes is too long",
                       c->pump->where, len);
    if (c->login_sent < c->login.len)
        return kb_fail(err, KBP_ERR_PROTOCOL,
                       "%s answered a re-authentication before it was asked",
                       c->pump->where);
    if (way->end - way->ready < whole) {
        *more = true;
        return KBP_OK;
    }
    status = step(c, way->bytes + way->ready + 4, len, err);
    memmove(way->bytes + way->ready, way->bytes + way->ready + whole,
            way->end - way->ready - whole);
    way->end -= whole;
    return status;
}

static bool is_login_answer(const struct copier *c, const uint8_t *head)
{
    uint32_t correlation = kb_load_be32(head + 4);

    return c->logging_in &&
           correlation >= (uint32_t)KB_SASL_CORRELATION_FIRST &&
           correlation <= (uint32_t)KB_SASL_CORRELATION_LAST;
}

static int look_at_answers(struct copier *c, struct kbp_error *err)
{
    struct way *way = &c->answers;

    for (;;) {
        uint32_t len;
        bool more;

        pass_frame(way);
        if (way->left > 0 || way->end - way->ready < HEAD)
            return KBP_OK;
        len = kb_load_be32(way->bytes + way->ready);
        if (len < 4 || len > INT32_MAX)
            return kb_fail(err, KBP_ERR_PROTOCOL, "%s sent a frame of %u bytes",
                           c->pump->where, len);
        if (is_login_answer(c, way->bytes + way->ready)) {
            int status = take_login_answer(c, len, &more, err);

            if (status != KBP_OK || more)
                return status;
            continue;
        }
        way->left = (uint64_t)len + 4;
    }
}

/* Begin a login when it is time and no request is half sent. */
static int begin_login(struct copier *c, struct kbp_error *err)
{
    struct way *way = &c->requests;

    if (c->logging_in || !hold_requests(c) || way->left > 0 ||
        way->start < way->ready)
        return KBP_OK;
    c->login_deadline_ms = kb_deadline_ms(LOGIN_MS);
    return step(c, NULL, 0, err);
}

static int send_login(struct copier *c, struct kbp_error *err)
{
    struct kb_stream *broker = c->pump->broker;

    while (c->login_sent < c->login.len) {
        struct iovec part = {c->login.data + c->login_sent,
                             c->login.len - c->login_sent};
        size_t put;
        int status = broker->ops->write(broker, &part, 1, &put, err);

        if (status == KBP_OK)
            c->login_sent += put;
        else if (status == KB_STREAM_WANT_READ ||
                 status == KB_STREAM_WANT_WRITE)
            break;
        else
            return status == KB_STREAM_END
                       ? kb_fail(err, KBP_ERR_IO,
                                 "%s closed the connection during "
                                 "re-authentication",
                                 c->pump->where)
                       : status;
    }
    return KBP_OK;
}

static int64_t next_deadline(struct copier *c)
{
    struct kb_pump *pump = c->pump;

    if (c->logging_in)
        return c->login_deadline_ms;
    /* When it is due already, the rest of a request is what it waits for. */
    if (!pump->login || hold_requests(c))
        return KB_NEVER;
    return pump->security->ops->login_renew_at_ms(pump->login);
}

/* Wait for either side, a stop, or the next login. */
static int wait_for_more(struct copier *c, struct kbp_error *err)
{
    struct kb_pump *pump = c->pump;
    struct kb_stop *stop = pump->options->net->stop;
    struct pollfd fds[3] = {
        {.fd = pump->app->fd,
         .events = (short)(c->requests.poll_from | c->answers.poll_to)},
        {.fd = pump->broker->fd,
         .events = (short)(c->answers.poll_from | c->requests.poll_to)},
        {.fd = stop ? stop->fd : -1, .events = POLLIN},
    };

    if (c->login_sent < c->login.len)
        fds[1].events |= POLLOUT;
    fds[0].events |= POLLRDHUP; /* whoever isn't read from may give up */
    if (poll(fds, 3, kb_poll_ms(next_deadline(c))) < 0) {
        if (errno == EINTR)
            return KBP_OK;
        return kb_fail_errno(err, errno, "poll");
    }
    if (fds[0].revents)
        c->requests.dry = false;
    if (fds[1].revents)
        c->answers.dry = false;
    if (fds[0].revents & (POLLRDHUP | POLLHUP | POLLERR) &&
        !has_room(&c->requests))
        c->requests.closed = true; /* and nobody is to read that */
    return KBP_OK;
}

static int turn(struct copier *c, struct kbp_error *err)
{
    int status = fill(&c->requests, err);

    if (status == KBP_OK)
        status = fill(&c->answers, err);
    if (status == KBP_OK)
        status = look_at_answers(c, err);
    if (status == KBP_OK)
        status = look_at_requests(c, err);
    if (status == KBP_OK)
        status = drain(&c->requests, err);
    if (status == KBP_OK)
        status = drain(&c->answers, err);
    if (status == KBP_OK)
        status = begin_login(c, err);
    if (status == KBP_OK)
        status = send_login(c, err);
    if (status == KBP_OK && c->logging_in &&
        kb_left_ms(c->login_deadline_ms) == 0)
        status =
            kb_fail(err, KBP_ERR_TIMEOUT,
                    "%s doesn't answer the re-authentication", c->pump->where);
    return status;
}

/* Anything that is worth another turn before waiting? */
static bool is_busy(const struct way *way)
{
    return !way->closed && !way->dry && has_room(way);
}

int kb_pump_copy(struct kb_pump *pump, struct kbp_error *err)
{
    struct copier c = {.pump = pump,
                       .requests = {.from = pump->app, .to = pump->broker},
                       .answers = {.from = pump->broker, .to = pump->app}};
    struct kb_stop *stop = pump->options->net->stop;
    int status = KBP_OK;

    c.requests.bytes = malloc(2 * WAY_BYTES);
    if (!c.requests.bytes)
        return kb_fail_nomem(err, "a connection's buffers");
    c.answers.bytes = c.requests.bytes + WAY_BYTES;
    while (status == KBP_OK && !c.requests.closed &&
           !(stop && kb_stop_requested(stop))) {
        status = turn(&c, err);
        if (status != KBP_OK)
            break;
        if (c.answers.closed && c.answers.start == c.answers.ready)
            break; /* all that came is passed on */
        if (!is_busy(&c.requests) && !is_busy(&c.answers)) {
            kb_stream_expect(pump->broker, c.answers.left);
            status = wait_for_more(&c, err);
        }
    }
    kb_buf_release(&c.login);
    free(c.requests.bytes);
    return status;
}

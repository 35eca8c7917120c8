/* SPDX-License-Identifier: Apache-2.0 */
/* stop.c - "the work is to stop": a flag that can be asked and polled. */
#include "base/stop.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

int kb_stop_init(struct kb_stop *stop, struct kbp_error *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return kb_fail_errno(err, errno, "can't make an eventfd");
    stop->requested = 0;
    stop->fd = fd;
    stop->watch_fd = -1;
    return KBP_OK;
}

void kb_stop_watch(struct kb_stop *stop, int fd)
{
    stop->watch_fd = fd;
}

bool kb_stop_look(struct kb_stop *stop)
{
    struct pollfd pfd = {.fd = stop->watch_fd, .events = POLLRDHUP};

    if (!kb_stop_requested(stop) && pfd.fd >= 0 && poll(&pfd, 1, 0) > 0)
        kb_stop_request(stop);
    return kb_stop_requested(stop);
}

void kb_stop_release(struct kb_stop *stop)
{
    if (stop->fd >= 0)
        (void)close(stop->fd);
    stop->fd = -1;
}

void kb_stop_request(struct kb_stop *stop)
{
    static const uint64_t one = 1;

    __atomic_store_n(&stop->requested, 1, __ATOMIC_SEQ_CST);
    if (write(stop->fd, &one, sizeof one) < 0)
        return; /* full: it is readable already */
}

bool kb_stop_sleep(struct kb_stop *stop, int64_t ms)
{
    int64_t deadline = kb_deadline_ms(ms);
    struct pollfd pfd = {.fd = stop->fd, .events = POLLIN};

    while (!kb_stop_requested(stop)) {
        if (kb_left_ms(deadline) == 0)
            return false;
        (void)poll(&pfd, 1, kb_poll_ms(deadline));
    }
    return true;
}

int kb_fail_stopped(struct kbp_error *err)
{
    return kb_fail(err, KBP_ERR_CANCELLED, "interrupted");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* pump_set.c - the pumps of one librdkafka client, from socket() to close(). */
#include "kafka/pump_set.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/thread.h"
#include "kafka/tcp.h"

/* One socketpair, and the pump at our end of it. */
struct pair {
    struct pair *next;
    struct kb_pump_set *set;
    int their_fd; /* to find it by until it is connected; then -1 */
    struct kb_pump_options options;
    struct kb_net_config net; /* a copy, for a stop of its own */
    struct kb_stop stop;
    char *host;
    pthread_t thread;
    bool started;
    bool ended;
};

struct kb_pump_set {
    struct kb_pump_options options;
    pthread_mutex_t lock;
    struct pair *pairs;
    bool stopped;
};

int kb_pump_set_new(const struct kb_pump_options *options,
                    struct kb_pump_set **set, struct kbp_error *err)
{
    struct kb_pump_set *made = calloc(1, sizeof *made);

    if (!made)
        return kb_fail_nomem(err, "connections");
    made->options = *options;
    (void)pthread_mutex_init(&made->lock, NULL);
    *set = made;
    return KBP_OK;
}

static void pair_free(struct pair *pair)
{
    if (pair->started)
        (void)pthread_join(pair->thread, NULL);
    else
        (void)close(pair->options.app_fd);
    kb_stop_release(&pair->stop);
    free(pair->host);
    free(pair);
}

/*
 * Take out those that are over (or all): they are joined and freed by the
 * caller, without the lock.
 */
static struct pair *take_ended(struct kb_pump_set *set, bool all)
{
    struct pair **at = &set->pairs;
    struct pair *taken = NULL;

    (void)pthread_mutex_lock(&set->lock);
    while (*at) {
        struct pair *pair = *at;

        if (!all && !pair->ended) {
            at = &pair->next;
            continue;
        }
        *at = pair->next;
        pair->next = taken;
        taken = pair;
    }
    (void)pthread_mutex_unlock(&set->lock);
    return taken;
}

static void free_all(struct pair *pair)
{
    while (pair) {
        struct pair *next = pair->next;

        pair_free(pair);
        pair = next;
    }
}

void kb_pump_set_free(struct kb_pump_set *set)
{
    struct pair *pairs;
    struct pair *pair;

    if (!set)
        return;
    pairs = take_ended(set, true);
    for (pair = pairs; pair; pair = pair->next)
        kb_stop_request(&pair->stop);
    free_all(pairs);
    (void)pthread_mutex_destroy(&set->lock);
    free(set);
}

void kb_pump_set_stop(struct kb_pump_set *set)
{
    struct pair *pair;

    (void)pthread_mutex_lock(&set->lock);
    set->stopped = true;
    for (pair = set->pairs; pair; pair = pair->next)
        kb_stop_request(&pair->stop);
    (void)pthread_mutex_unlock(&set->lock);
}

/*
 * With the lock held: a pair that was never connected and whose descriptor is
 * closed, or is somebody else's by now, is over.
 */
static void forget_fd(struct kb_pump_set *set, int fd)
{
    struct pair *pair;

    for (pair = set->pairs; pair; pair = pair->next)
        if (pair->their_fd == fd && !pair->started) {
            pair->their_fd = -1;
            pair->ended = true;
        }
}

int kb_pump_set_socket(struct kb_pump_set *set)
{
    struct kbp_error err = KB_ERR_INIT;
    struct pair *pair = calloc(1, sizeof *pair);
    int fds[2];

    free_all(take_ended(set, false));
    if (!pair || kb_stop_init(&pair->stop, &err) != KBP_OK) {
        free(pair);
        errno = ENOMEM;
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   fds) != 0) {
        int failed = errno;

        kb_stop_release(&pair->stop);
        free(pair);
        errno = failed;
        return -1;
    }
    pair->set = set;
    pair->their_fd = fds[0];
    pair->options = set->options;
    pair->options.app_fd = fds[1];
    pair->net = *set->options.net;
    pair->net.stop = &pair->stop;
    pair->options.net = &pair->net;
    /* A hang-up of the client ends what the pump waits for. */
    kb_stop_watch(&pair->stop, fds[1]);
    (void)pthread_mutex_lock(&set->lock);
    forget_fd(set, fds[0]);
    pair->next = set->pairs;
    set->pairs = pair;
    (void)pthread_mutex_unlock(&set->lock);
    return fds[0];
}

static void *run(void *data)
{
    struct pair *pair = data;

    kb_pump_run(&pair->options);
    /* Else it would be done when the thread is gone, later than `ended`. */
    OPENSSL_thread_stop();
    (void)pthread_mutex_lock(&pair->set->lock);
    pair->ended = true;
    (void)pthread_mutex_unlock(&pair->set->lock);
    return NULL;
}

/* librdkafka writes an IPv6 address that it learned without its brackets. */
static int split_node(const char *node, char **host, uint16_t *port,
                      struct kbp_error *err)
{
    const char *colon = strrchr(node, ':');
    char text[300];

    if (!colon || *node == '[' || strchr(node, ':') == colon)
        return kb_tcp_split(node, host, port, err);
    (void)snprintf(text, sizeof text, "[%.*s]%s", (int)(colon - node), node,
                   colon);
    return kb_tcp_split(text, host, port, err);
}

int kb_pump_set_connect(struct kb_pump_set *set, int fd, const char *node)
{
    struct kbp_error err = KB_ERR_INIT;
    struct pair *pair;
    int status = KBP_ERR_MISUSE;

    (void)pthread_mutex_lock(&set->lock);
    for (pair = set->pairs; pair; pair = pair->next)
        if (pair->their_fd == fd && !pair->started)
            break;
    if (pair && !set->stopped) {
        status = split_node(node, &pair->host, &pair->options.port, &err);
        pair->options.host = pair->host;
        if (status == KBP_OK)
            status = kb_thread_start(&pair->thread, "kb-pump", run, pair, &err);
        pair->started = status == KBP_OK;
        pair->their_fd = -1;
    }
    (void)pthread_mutex_unlock(&set->lock);
    if (status == KBP_OK)
        return 0;
    return err.native ? err.native : EINVAL;
}

int kb_pump_set_close(struct kb_pump_set *set, int fd)
{
    (void)pthread_mutex_lock(&set->lock);
    forget_fd(set, fd);
    (void)pthread_mutex_unlock(&set->lock);
    return close(fd);
}

unsigned kb_pump_set_running(struct kb_pump_set *set)
{
    const struct pair *pair;
    unsigned count = 0;

    (void)pthread_mutex_lock(&set->lock);
    for (pair = set->pairs; pair; pair = pair->next)
        count += pair->started && !pair->ended;
    (void)pthread_mutex_unlock(&set->lock);
    return count;
}

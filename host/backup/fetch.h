/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch.h - a thread and a connection to one broker, which fetches the
 * partitions it is given and hands what comes to the collector.
 *
 * It decides nothing that needs more than the answer at hand: a partition
 * whose leader moved, whose offset is out of range, which is done or has
 * caught up is given back, and the engine finds out what is to be done.
 *
 * A broker serves one request of a connection at a time, and fills partitions
 * in the request's order.  So the order rotates; requests in flight have
 * different partitions; and those that wait for new records (tail) have a
 * connection of their own, where a long poll holds nobody up.
 */
#ifndef KB_BACKUP_FETCH_H
#define KB_BACKUP_FETCH_H

#include "backup/collect.h"
#include "base/rate.h"
#include "metrics/progress.h"
#include "plugin/codec.h"

struct kb_fetcher;

/* What all fetchers of a run share. */
struct kb_fetch_env {
    struct kb_client *client;
    struct kb_budget *budget;
    struct kb_collector *collector;
    struct kb_codec_set *codecs;
    struct kb_stop *stop;
    struct kb_rate *records_rate;
    struct kb_rate *bytes_rate;
    struct kb_progress *progress;
    enum kb_isolation isolation;
    int32_t max_bytes;      /* of one answer */
    int32_t tail_max_bytes; /* the same, where a long poll waits */
    int32_t tail_wait_ms;
    size_t filled; /* partitions that are to share an answer */

    /* The engine's again; trouble says why. [any thread] */
    void (*give_back)(void *data, struct kb_part *part);
    /* The budget is short: flush what waits for more. [any thread] */
    void (*relieve)(void *data);
    void *data;
};

/* `env` outlives it. */
int kb_fetcher_start(const struct kb_fetch_env *env, int32_t broker, bool tail,
                     struct kb_fetcher **fetcher, struct kbp_error *err);

/* Hand over a partition. [any thread] */
void kb_fetcher_add(struct kb_fetcher *fetcher, struct kb_part *part);

int32_t kb_fetcher_broker(const struct kb_fetcher *fetcher);
bool kb_fetcher_is_tail(const struct kb_fetcher *fetcher);

/* It takes an answer apart, or waits for a rate limit: its partitions wait for
   it, and not for the broker.  [any thread] */
bool kb_fetcher_is_busy(const struct kb_fetcher *fetcher);

/*
 * Its broker said that it answers nobody of our client id for a while, which
 * isn't over: that is no silence.  A quota that lets nothing through again and
 * again is one.  [any thread]
 */
bool kb_fetcher_is_throttled(const struct kb_fetcher *fetcher);

/*
 * End its thread, once env->stop is requested or it has no partitions any
 * more, and free it. What it had is the engine's.
 */
void kb_fetcher_join(struct kb_fetcher *fetcher);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_internal.h - what fetch.c and fetch_answer.c share. */
#ifndef KB_BACKUP_FETCH_INTERNAL_H
#define KB_BACKUP_FETCH_INTERNAL_H

#include "backup/fetch.h"

#define KB_FETCH_DEPTH 2u

struct kb_part_list {
    struct kb_part *head;
    struct kb_part *tail;
    size_t count;
};

void kb_parts_push(struct kb_part_list *list, struct kb_part *part);
void kb_parts_push_front(struct kb_part_list *list, struct kb_part *part);
struct kb_part *kb_parts_pop(struct kb_part_list *list);

/* A request in flight. */
struct kb_fetch_sent {
    struct kb_fetch_partition *partitions;
    bool *answered;
    size_t count;
    size_t cap;
    struct kb_fetch_request wire;
    size_t charged;
};

struct kb_fetcher {
    const struct kb_fetch_env *env;
    int32_t broker;
    bool tail;
    pthread_t thread;
    pthread_mutex_t lock; /* of inbox, ending */
    pthread_cond_t wake;
    struct kb_part_list inbox;
    bool ending;
    atomic_int busy;
    atomic_llong throttled_until_ms; /* kb_now_ms(); it excuses silence */

    /* The thread's own. */
    struct kb_conn *conn;
    unsigned lost; /* connections lost in a row without an answer */
    struct kb_part_list ready;
    struct kb_fetch_sent sent[KB_FETCH_DEPTH];
    unsigned first; /* the oldest in flight */
    unsigned in_flight;
    struct kb_budget_claim claim; /* memory for the next request */
    int64_t fed_ms;               /* kb_now_ms() when records came last */
    int64_t excused_ms;           /* of throttle time, since then */
    struct kb_buf body;
    struct kb_walk walk;
    struct kb_codec_worker codecs;
    struct kb_answer answer; /* in work */
    uint64_t got_records;    /* of this answer */
    uint64_t got_bytes;
};

/* Give a partition back to the engine. */
void kb_fetch_give_back(struct kb_fetcher *fetcher, struct kb_part *part,
                        enum kb_trouble trouble);

/* Leave a partition alone for a while that doubles, up to a second. */
void kb_fetch_back_off(struct kb_part *part);

/*
 * Take fetcher->answer to `sent` apart; each of its partitions is ready again
 * or given back afterwards.
 */
int kb_fetch_take_answer(struct kb_fetcher *fetcher, struct kb_fetch_sent *sent,
                         struct kbp_error *err);

#endif

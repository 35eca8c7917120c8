/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held.h - configs that a topic doesn't get until all is restored.
 */
#ifndef KB_RESTORE_HELD_H
#define KB_RESTORE_HELD_H

#include "restore/run.h"

/* What a topic is created with. */
struct kb_held_configs {
    char **keys;
    char **values;
    size_t count;
    size_t cap;
    int64_t max_message_bytes;
};

/* Captured configs without those held back, and what stands for them. */
int kb_held_make(struct kb_held_configs *configs,
                 const struct kb_restore_run *run,
                 const struct kb_plan_topic *topic, struct kbp_error *err);
/* Those held back, as they are to be in the end. */
int kb_held_final(struct kb_held_configs *configs,
                  const struct kb_restore_run *run,
                  const struct kb_plan_topic *topic, struct kbp_error *err);
void kb_held_drop(struct kb_held_configs *configs, size_t i);
void kb_held_release(struct kb_held_configs *configs);

/* Whether the topic is to have `key` in the end. */
bool kb_held_is_captured(const struct kb_restore_run *run,
                         const struct kb_plan_topic *topic, const char *key);

/* Write into the checkpoint what is to be put back. */
int kb_held_record(struct kb_restore_run *run,
                   const struct kb_plan_topic *topic, struct kbp_error *err);

/* It isn't to be put back: the target doesn't know it. [main thread] */
void kb_held_leave_off(struct kb_restore_run *run, const char *topic,
                       const char *key);

/*
 * Look whether retention is still off: an operator which owns the topics may
 * set configs back in the middle.  Warns, once.  [main thread]
 */
void kb_held_watch(struct kb_restore_run *run);

/*
 * Put back what the checkpoint says, topic by topic, and mark it there (the
 * caller saves it).  What the broker refuses is left off with a warning.
 * Idempotent.  [main thread]
 */
int kb_held_put_back(struct kb_restore_run *run, struct kbp_error *err);

#endif

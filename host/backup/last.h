/* SPDX-License-Identifier: Apache-2.0 */
/*
 * last.h - whether what a log has where the archive's last stored batch lay is
 * still that batch.
 *
 * The log cleaner may have been there.  It takes records out of a batch, or
 * drops all of it, and never adds one, merges batches, or moves them.  Written
 * anew, a batch of magic 2 keeps its base and last offset, producer id and
 * epoch, base sequence, leader epoch, kind of time, and the bits that say that
 * it is of a transaction or a marker; the largest time can only become less,
 * and stays where the broker sets times.  A wrapper of magic 1 or 0 becomes one
 * of the same magic with fewer messages, among the same offsets; a plain
 * message stays as it is.
 */
#ifndef KB_BACKUP_LAST_H
#define KB_BACKUP_LAST_H

#include "archive/manifest.h"
#include "kafka/batch.h"
#include "kafka/msgset.h"

struct kb_last_batch kb_last_of_batch(const struct kb_batch *batch);
struct kb_last_batch kb_last_of_entry(const struct kb_msgset_entry *entry);

enum kb_last_verdict {
    KB_LAST_BEFORE, /* it lies in front: look at the next one */
    KB_LAST_SAME,   /* it is the one, or what the cleaner left of it */
    KB_LAST_GONE,   /* the one isn't there any more: this is a later one */
    KB_LAST_OTHER   /* the log is another one */
};

/*
 * What `now`, which lies in the log, is to `want`, which was stored.
 * `compacted`: the topic's cleanup.policy has "compact".  `*why` is set to a
 * few words where it is another one.
 */
enum kb_last_verdict kb_last_compare(const struct kb_last_batch *want,
                                     const struct kb_last_batch *now,
                                     bool compacted, const char **why);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyless.h - records without a key, which a compacted topic doesn't take.
 */
#ifndef KB_RESTORE_KEYLESS_H
#define KB_RESTORE_KEYLESS_H

#include "restore/run.h"

struct kb_keyless {
    bool found;
    const char *topic; /* of the backup; the manifest's */
    int32_t partition;
    int64_t offset;
};

/*
 * Look for one among the records that go to topic `topic` of the plan: in all
 * of them, which reads that part of the archive; or, unless `thorough`, in the
 * first frame of each partition.  [main thread]
 */
int kb_find_keyless(struct kb_restore_run *run, size_t topic, bool thorough,
                    struct kb_keyless *keyless, struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_id.h - a process, told apart from another one that has its number
 * later, in another container or on another host.
 */
#ifndef KB_ARCHIVE_PROCESS_ID_H
#define KB_ARCHIVE_PROCESS_ID_H

#include <stdbool.h>
#include <stdint.h>

struct kb_process_id {
    char host[256]; /* its name, for people */
    char boot[64];  /* the kernel's, since it started; "" if unknown */
    char space[64]; /* of process numbers; "" if unknown */
    int64_t pid;
    int64_t started; /* in ticks since boot; -1 if unknown */
};

void kb_process_id_self(struct kb_process_id *id);

/* True only if it is sure: it ran under this kernel, and doesn't any more. */
bool kb_process_is_gone(const struct kb_process_id *id);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_watch.h - somebody who is told of what goes to and from stores: the
 * metrics, which this folder doesn't know.
 */
#ifndef KB_PLUGIN_STORE_WATCH_H
#define KB_PLUGIN_STORE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Each may be called from any thread. */
struct kb_store_watch {
    /* An object was written, with so much time in the plugin. */
    void (*wrote)(const char *key, uint64_t bytes, int64_t ns);
    /* An object, or a part of it, was read. */
    void (*got)(const char *key, uint64_t bytes, int64_t ns);
    /* A call failed; `again`: it will be made again.  Not told of ordinary
       answers: no such object, exists, changed, cancelled. */
    void (*failed)(int status, bool again);
};

/* Before stores are opened; NULL: nobody.  The struct stays the caller's. */
void kb_store_watch(const struct kb_store_watch *watch);

/* For this folder. */
void kb_store_tell_wrote(const char *key, uint64_t bytes, int64_t ns);
void kb_store_tell_got(const char *key, uint64_t bytes, int64_t ns);
void kb_store_tell_failed(int status, bool again);

#endif

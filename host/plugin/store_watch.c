/* SPDX-License-Identifier: Apache-2.0 */
/* store_watch.c - tell somebody of what goes to and from stores. */
#include "plugin/store_watch.h"

#include <stddef.h>

#include "base/err.h"

static const struct kb_store_watch *watcher;

void kb_store_watch(const struct kb_store_watch *watch)
{
    watcher = watch;
}

void kb_store_tell_wrote(const char *key, uint64_t bytes, int64_t ns)
{
    if (watcher)
        watcher->wrote(key, bytes, ns);
}

void kb_store_tell_got(const char *key, uint64_t bytes, int64_t ns)
{
    if (watcher)
        watcher->got(key, bytes, ns);
}

void kb_store_tell_failed(int status, bool again)
{
    if (watcher && status != KBP_ERR_NOT_FOUND && status != KBP_ERR_EXISTS &&
        status != KBP_ERR_CONFLICT && status != KBP_ERR_CANCELLED)
        watcher->failed(status, again);
}

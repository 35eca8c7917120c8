/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.h - one writer per backup id: ID/lease.json says who and until when;
 * and one process per restore, by the same object under its own prefix.
 *
 * A thread renews it.  A writer which could not renew in time must not commit
 * any more: kb_lease_check() says so before each commit.  Dead holders are
 * taken over when their time is up, or at once when they ran on this host and
 * their process is gone.
 */
#ifndef KB_ARCHIVE_LEASE_H
#define KB_ARCHIVE_LEASE_H

#include "base/err.h"

struct kb_stop;  /* base/stop.h */
struct kb_store; /* plugin/storage.h */
struct kb_store_session;
struct kb_lease;

#define KB_LEASE_TTL_MS 60000 /* the default; renewed at a third of it */

/*
 * Take the lease, and start to renew it.  KBP_ERR_EXISTS: somebody else has
 * it; the message says who, since when, and how to go on.  The store outlives
 * the lease, which has sessions of its own.
 */
int kb_lease_take(struct kb_lease **lease, struct kb_store *store,
                  const char *backup_id, int64_t ttl_ms, struct kbp_error *err);

/*
 * The same for a restore whose checkpoint lies under `prefix`: its lease is
 * PREFIX/lease.json.
 */
int kb_lease_take_restore(struct kb_lease **lease, struct kb_store *store,
                          const char *prefix, int64_t ttl_ms,
                          struct kbp_error *err);

/* Whether it is held, for now. KBP_ERR_CONFLICT, and why, if not. [any] */
int kb_lease_check(struct kb_lease *lease, struct kbp_error *err);

/*
 * The same, but where it only couldn't be renewed in time, which a store that
 * was away explains, wait until it is: at most `timeout_ms`, and not after
 * `stop`.  Nothing may be written meanwhile.  [any]
 */
int kb_lease_wait(struct kb_lease *lease, struct kb_stop *stop,
                  int64_t timeout_ms, struct kbp_error *err);

/*
 * Stop the thread, give the lease back if it is held, and free. A failure to
 * give it back is logged: it runs out by itself. NULL is fine.
 */
void kb_lease_free(struct kb_lease *lease);

/*
 * The same, but remove the object if taking the lease made it: for who leaves
 * nothing else behind.  Another holder's stays.  NULL is fine.
 */
void kb_lease_drop(struct kb_lease *lease);

/* Who holds a lease, for `status`. All strings to be free()d. */
struct kb_lease_holder {
    char *host;
    int64_t pid;
    int64_t taken_ms;
    int64_t renewed_ms;
    int64_t ttl_ms;
    bool expired; /* its time is up */
};

/* `name` is a backup id or a restore's prefix.  KBP_ERR_NOT_FOUND: nobody. */
int kb_lease_read(struct kb_store_session *store, const char *name,
                  struct kb_lease_holder *holder, struct kbp_error *err);
void kb_lease_holder_release(struct kb_lease_holder *holder);

#endif

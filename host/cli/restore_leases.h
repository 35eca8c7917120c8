/* SPDX-License-Identifier: Apache-2.0 */
/* restore_leases.h - which restores of a backup are at work. */
#ifndef KB_CLI_RESTORE_LEASES_H
#define KB_CLI_RESTORE_LEASES_H

#include "archive/lease.h"

struct kb_restore_lease {
    char *id; /* as in ID/restores/<this> */
    struct kb_lease_holder holder;
};

struct kb_restore_leases {
    struct kb_restore_lease *items;
    size_t count;
};

/*
 * Those whose lease isn't given back, dead ones too.  Restores that keep their
 * checkpoint in a local folder aren't in the store.  `leases` is zero before.
 */
int kb_restore_leases_read(struct kb_restore_leases *leases,
                           struct kb_store_session *session,
                           const char *backup_id, struct kbp_error *err);
void kb_restore_leases_release(struct kb_restore_leases *leases);

#endif

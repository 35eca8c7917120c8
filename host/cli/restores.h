/* SPDX-License-Identifier: Apache-2.0 */
/* restores.h - the restores that are recorded beside a backup. */
#ifndef KB_CLI_RESTORES_H
#define KB_CLI_RESTORES_H

#include "archive/lease.h"

/* "ID/restores/RESTORE"; "ID/restores/" of "". free() it; NULL: no memory. */
char *kb_restore_prefix(const char *backup_id, const char *restore_id);

struct kb_restore_ids {
    char **items;
    size_t count;
};

/* In the order of their names.  `ids` is zero before; released in any case. */
int kb_restore_ids_list(struct kb_restore_ids *ids,
                        struct kb_store_session *session, const char *backup_id,
                        struct kbp_error *err);
void kb_restore_ids_release(struct kb_restore_ids *ids);

struct kb_restore_lease {
    char *id;
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

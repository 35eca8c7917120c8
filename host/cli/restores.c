/* SPDX-License-Identifier: Apache-2.0 */
/* restores.c - the restores of a backup, and which of them are at work. */
#include "cli/restores.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "plugin/storage.h"

char *kb_restore_prefix(const char *backup_id, const char *restore_id)
{
    return kb_asprintf("%s/restores/%s", backup_id, restore_id);
}

struct listing {
    size_t prefix_len;
    struct kb_restore_ids *ids;
    bool failed;
};

/* ID/restores/NAME/ becomes an item with that name. */
static int32_t note_id(void *data, const struct kbp_object *object)
{
    struct listing *listing = data;
    struct kb_restore_ids *ids = listing->ids;
    size_t len = strlen(object->key);
    char **items;
    char *id;

    if (!(object->flags & KBP_OBJECT_PREFIX) || len <= listing->prefix_len + 1)
        return 0;
    id = strndup(object->key + listing->prefix_len,
                 len - listing->prefix_len - 1);
    items = realloc(ids->items, (ids->count + 1) * sizeof *items);
    if (items)
        ids->items = items;
    if (!id || !items) {
        free(id);
        listing->failed = true;
        return 1;
    }
    items[ids->count++] = id;
    return 0;
}

int kb_restore_ids_list(struct kb_restore_ids *ids,
                        struct kb_store_session *session, const char *backup_id,
                        struct kbp_error *err)
{
    char *prefix = kb_restore_prefix(backup_id, "");
    struct listing listing = {.ids = ids};
    int status;

    if (!prefix)
        return kb_fail_nomem(err, "a key");
    listing.prefix_len = strlen(prefix);
    status = kb_store_list(session, prefix, NULL, KBP_LIST_SHALLOW, note_id,
                           &listing, err);
    free(prefix);
    if (status == KBP_OK && listing.failed)
        status = kb_fail_nomem(err, "the restores of a backup");
    return status;
}

void kb_restore_ids_release(struct kb_restore_ids *ids)
{
    size_t i;

    for (i = 0; i < ids->count; i++)
        free(ids->items[i]);
    free(ids->items);
    *ids = (struct kb_restore_ids){0};
}

/* Who holds it; nothing is added where nobody does. Takes `*id` if so. */
static int look(struct kb_restore_leases *leases,
                struct kb_store_session *session, const char *backup_id,
                char **id, struct kbp_error *err)
{
    struct kb_restore_lease *item = &leases->items[leases->count];
    char *name = kb_restore_prefix(backup_id, *id);
    int status = name ? kb_lease_read(session, name, &item->holder, err)
                      : kb_fail_nomem(err, "a key");

    free(name);
    if (status == KBP_ERR_NOT_FOUND) {
        kb_err_clear(err);
        return KBP_OK;
    }
    if (status == KBP_OK) {
        item->id = *id;
        *id = NULL;
        leases->count++;
    }
    return status;
}

int kb_restore_leases_read(struct kb_restore_leases *leases,
                           struct kb_store_session *session,
                           const char *backup_id, struct kbp_error *err)
{
    struct kb_restore_ids ids = {0};
    size_t i;
    int status = kb_restore_ids_list(&ids, session, backup_id, err);

    if (status == KBP_OK && ids.count > 0) {
        leases->items = calloc(ids.count, sizeof *leases->items);
        if (!leases->items)
            status = kb_fail_nomem(err, "the restores of a backup");
    }
    for (i = 0; status == KBP_OK && i < ids.count; i++)
        status = look(leases, session, backup_id, &ids.items[i], err);
    kb_restore_ids_release(&ids);
    return status;
}

void kb_restore_leases_release(struct kb_restore_leases *leases)
{
    size_t i;

    for (i = 0; i < leases->count; i++) {
        free(leases->items[i].id);
        kb_lease_holder_release(&leases->items[i].holder);
    }
    free(leases->items);
    *leases = (struct kb_restore_leases){0};
}

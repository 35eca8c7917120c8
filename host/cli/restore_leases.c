/* SPDX-License-Identifier: Apache-2.0 */
/* restore_leases.c - which restores of a backup are at work. */
#include "cli/restore_leases.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "plugin/storage.h"

struct names {
    size_t prefix_len;
    struct kb_restore_leases *leases;
    bool failed;
};

/* ID/restores/NAME/ becomes an item with that name. */
static int32_t note_name(void *data, const struct kbp_object *object)
{
    struct names *names = data;
    struct kb_restore_leases *leases = names->leases;
    struct kb_restore_lease *items;
    const char *name = object->key + names->prefix_len;
    size_t len = strlen(name);
    char *id;

    if (len < 2 || name[len - 1] != '/')
        return 0;
    id = kb_asprintf("%.*s", (int)(len - 1), name);
    items = realloc(leases->items, (leases->count + 1) * sizeof *items);
    if (items)
        leases->items = items;
    if (!id || !items) {
        free(id);
        names->failed = true;
        return 1;
    }
    items[leases->count++] = (struct kb_restore_lease){.id = id};
    return 0;
}

/* Who holds it; the item is dropped where nobody does. */
static int look(struct kb_restore_leases *leases, size_t *at,
                struct kb_store_session *session, const char *prefix,
                struct kbp_error *err)
{
    struct kb_restore_lease *item = &leases->items[*at];
    char *name = kb_asprintf("%s%s", prefix, item->id);
    int status = name ? kb_lease_read(session, name, &item->holder, err)
                      : kb_fail_nomem(err, "a key");

    free(name);
    if (status == KBP_OK) {
        ++*at;
    } else if (status == KBP_ERR_NOT_FOUND) {
        kb_err_clear(err);
        free(item->id);
        leases->count--;
        memmove(item, item + 1, (leases->count - *at) * sizeof *item);
        status = KBP_OK;
    }
    return status;
}

int kb_restore_leases_read(struct kb_restore_leases *leases,
                           struct kb_store_session *session,
                           const char *backup_id, struct kbp_error *err)
{
    char *prefix = kb_asprintf("%s/restores/", backup_id);
    struct names names = {.leases = leases};
    size_t at = 0;
    int status;

    if (!prefix)
        return kb_fail_nomem(err, "a key");
    names.prefix_len = strlen(prefix);
    status = kb_store_list(session, prefix, NULL, KBP_LIST_SHALLOW, note_name,
                           &names, err);
    if (status == KBP_OK && names.failed)
        status = kb_fail_nomem(err, "the restores of a backup");
    while (status == KBP_OK && at < leases->count)
        status = look(leases, &at, session, prefix, err);
    free(prefix);
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

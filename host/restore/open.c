/* SPDX-License-Identifier: Apache-2.0 */
/* open.c - the store, the cluster and the checkpoint of a restore. */
#include "restore/open.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/lease.h"
#include "base/hash.h"
#include "base/str.h"
#include "cluster/store.h"
#include "restore/load.h"

int kb_open_archive(struct kb_restore_run *run, struct kbp_error *err)
{
    int status =
        kb_config_store_open(run->registry, run->config, &run->store, err);

    if (status == KBP_OK)
        status = kb_store_session_open(run->store, NULL, &run->session, err);
    if (status != KBP_OK)
        return status;
    status = kb_manifest_load(&run->manifest, run->session,
                              run->config->backup_id, err);
    if (status != KBP_OK)
        return status;
    return kb_loader_new(&run->loader, run->manifest, err);
}

int kb_open_target(struct kb_restore_run *run, struct kbp_error *err)
{
    int status = kb_cluster_open(&run->cluster, &run->config->target,
                                 run->registry, &run->net_stop, err);

    run->client = run->cluster.client;
    return status == KBP_OK ? KBP_OK : kb_err_wrap(err, "target");
}

int kb_open_admin(struct kb_restore_run *run, struct kbp_error *err)
{
    int status = kb_cluster_open_admin(&run->cluster, err);

    run->admin = run->cluster.admin;
    return status == KBP_OK ? KBP_OK : kb_err_wrap(err, "target");
}

/* In a local file: a filesystem store of its own, in a folder of that name. */
static int open_local(struct kb_restore_run *run, struct kbp_error *err)
{
    const char *path = run->config->restore.checkpoint_state;
    const struct kb_kv kv = {"path", path};
    struct stat st;
    int status;

    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        return kb_fail(err, KBP_ERR_CONFIG,
                       "restore.checkpoint_state: %s is a file; the checkpoint "
                       "needs a folder there",
                       path);
    run->state_prefix = kb_strdup("restore");
    if (!run->state_prefix)
        return kb_fail_nomem(err, "the checkpoint");
    if (run->config->restore.dry_run && stat(path, &st) != 0 && errno == ENOENT)
        return KBP_OK;
    run->made_folder = mkdir(path, 0700) == 0;
    if (!run->made_folder && errno != EEXIST)
        return kb_fail_errno(err, errno, "restore.checkpoint_state: making %s",
                             path);
    status = kb_store_open(run->registry, "filesystem", &kv, 1, NULL,
                           &run->state_store, err);
    if (status == KBP_OK)
        status = kb_store_session_open(run->state_store, NULL,
                                       &run->state_session, err);
    return status == KBP_OK ? KBP_OK
                            : kb_err_wrap(err, "restore.checkpoint_state");
}

/* In the store: named by the user, or by what is restored to where. */
static int open_beside(struct kb_restore_run *run, const char *cluster_id,
                       struct kbp_error *err)
{
    const char *id = run->config->restore.restore_id;
    uint64_t cluster =
        cluster_id ? kb_hash(KB_HASH_INIT, cluster_id, strlen(cluster_id)) : 0;

    if (strchr(id, '/') || !strcmp(id, ".") || !strcmp(id, ".."))
        return kb_fail(err, KBP_ERR_CONFIG,
                       "restore.restore_id: \"%s\" can't be a name", id);
    run->state_session = run->session;
    run->state_prefix =
        *id ? kb_asprintf("%s/restores/%s", run->config->backup_id, id)
            : kb_asprintf("%s/restores/auto-%s-%016" PRIx64,
                          run->config->backup_id, run->plan.options_hash,
                          cluster);
    return run->state_prefix ? KBP_OK : kb_fail_nomem(err, "the checkpoint");
}

void kb_checkpoint_hint(struct kbp_error *err)
{
    kb_err_hint(err, "a restore keeps its checkpoint beside the backup; "
                     "restore.checkpoint_state puts it into a local folder "
                     "instead");
}

/* Two runs of one restore would both append. */
static int take_lease(struct kb_restore_run *run, struct kbp_error *err)
{
    const int status = kb_lease_take_restore(
        &run->lease, run->state_store ? run->state_store : run->store,
        run->state_prefix, run->config->storage.lease_ttl_ms, err);

    if (status == KBP_ERR_DENIED)
        kb_checkpoint_hint(err);
    return status;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

int kb_open_checkpoint(struct kb_restore_run *run, const char *cluster_id,
                       bool *found, struct kbp_error *err)
{
    struct kb_restore_state *state = &run->state;
    int status = run->config->restore.checkpoint_state
                     ? open_local(run, err)
                     : open_beside(run, cluster_id, err);

    *found = false;
    if (status == KBP_OK && !run->config->restore.dry_run)
        status = take_lease(run, err);
    if (status != KBP_OK)
        return status;
    if (!run->state_session) /* a dry run, and there is no such folder */
        return KBP_OK;
    status = kb_restore_state_load(state, run->state_session, run->state_prefix,
                                   err);
    if (status == KBP_ERR_NOT_FOUND) {
        kb_err_clear(err);
        run->traceless = true;
        return KBP_OK;
    }
    if (status != KBP_OK)
        return status;
    if (state->phase == KB_RESTORE_DONE)
        return KBP_OK;
    if (!same(state->backup_id, run->config->backup_id) ||
        !same(state->options_hash, run->plan.options_hash) ||
        (state->cluster_id && cluster_id &&
         !same(state->cluster_id, cluster_id))) {
        (void)kb_fail(err, KBP_ERR_CONFIG,
                      "the checkpoint %s is of another restore, which isn't "
                      "done: of backup %s, with other options or to another "
                      "cluster",
                      run->state_prefix, state->backup_id);
        kb_err_hint(err, "finish that one, or begin a new one under another "
                         "restore.restore_id");
        return err->status;
    }
    *found = true;
    return KBP_OK;
}

/* With what the store keeps for itself; only if there is nothing else. */
static void remove_folder(const char *path)
{
    char *own = kb_asprintf("%s/.kafka-backup", path);
    char *lock = kb_asprintf("%s/.kafka-backup/lock", path);

    if (own && lock) {
        (void)unlink(lock);
        (void)rmdir(own);
        (void)rmdir(path);
    }
    free(own);
    free(lock);
}

void kb_open_release(struct kb_restore_run *run)
{
    const bool made = run->made_folder && run->traceless;

    /* A restore that was refused leaves nothing behind. */
    if (run->traceless)
        kb_lease_drop(run->lease);
    else
        kb_lease_free(run->lease);
    kb_cluster_close(&run->cluster);
    if (run->state_session && run->state_session != run->session)
        kb_store_session_close(run->state_session);
    kb_store_close(run->state_store);
    if (made)
        remove_folder(run->config->restore.checkpoint_state);
    free(run->state_prefix);
    kb_loader_free(run->loader);
    kb_manifest_free(run->manifest);
    kb_store_session_close(run->session);
    kb_store_close(run->store);
}

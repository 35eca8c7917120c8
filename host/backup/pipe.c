/* SPDX-License-Identifier: Apache-2.0 */
/* pipe.c - encode -> store -> commit: started, failed, finished. */
#include "backup/pipe.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* The store's own buffers take at most this part of the budget, said so. */
#define RESERVE_PART 2

int kb_pipe_start(struct kb_pipe *pipe, const struct kb_pipe_settings *set,
                  struct kbp_error *err)
{
    uint64_t own = kb_store_info(set->store)->upload_memory;
    int rc;

    memset(pipe, 0, sizeof *pipe);
    pipe->set = *set;
    if (pipe->set.writers > KB_PIPE_WRITERS)
        pipe->set.writers = KB_PIPE_WRITERS;
    if (pipe->set.encoders > KB_PIPE_ENCODERS)
        pipe->set.encoders = KB_PIPE_ENCODERS;
    pipe->name = set->committer->next;
    pipe->error = (struct kbp_error)KB_ERR_INIT;
    (void)pthread_mutex_init(&pipe->lock, NULL);
    (void)pthread_mutex_init(&pipe->commit_lock, NULL);
    (void)pthread_mutex_init(&pipe->encode_lock, NULL);
    (void)pthread_cond_init(&pipe->encode_more, NULL);
    (void)pthread_mutex_init(&pipe->sealed_lock, NULL);
    (void)pthread_cond_init(&pipe->sealed_more, NULL);
    pipe->encode_tail = &pipe->encode_head;
    pipe->sealed_tail = &pipe->sealed_head;
    if (own > set->budget->limit / RESERVE_PART / pipe->set.writers) {
        kb_warn("memory_limit: the store's uploads hold up to %llu bytes each, "
                "which leaves little for fetching; raise it, or lower the "
                "store's part size",
                (unsigned long long)own);
        own = set->budget->limit / RESERVE_PART / pipe->set.writers;
    }
    pipe->reserved = own * pipe->set.writers;
    kb_budget_force(set->budget, pipe->reserved);
    rc = kb_commit_start(pipe, err);
    if (rc == KBP_OK)
        rc = kb_store_start(pipe, err);
    if (rc == KBP_OK)
        rc = kb_encode_start(pipe, err);
    return rc;
}

void kb_pipe_push(struct kb_pipe *pipe, struct kb_parcel *parcel)
{
    /* Read before it is handed over: the writer may free it at once. */
    enum kb_parcel_kind kind = parcel->kind;

    kb_store_push(pipe, parcel);
    if (kind == KB_PARCEL_FRAME)
        kb_encode_push(pipe, parcel);
}

void kb_pipe_fail(struct kb_pipe *pipe, const struct kbp_error *err)
{
    (void)pthread_mutex_lock(&pipe->lock);
    if (!atomic_load(&pipe->failed)) {
        pipe->error = *err;
        atomic_store(&pipe->failed, 1);
    }
    (void)pthread_mutex_unlock(&pipe->lock);
}

bool kb_pipe_failed(const struct kb_pipe *pipe)
{
    return atomic_load_explicit(&pipe->failed, memory_order_relaxed) != 0;
}

int kb_pipe_finish(struct kb_pipe *pipe, struct kbp_error *err)
{
    kb_encode_finish(pipe);
    kb_store_finish(pipe);
    kb_commit_finish(pipe);
    kb_budget_give(pipe->set.budget, pipe->reserved);
    pipe->reserved = 0;
    (void)pthread_mutex_destroy(&pipe->encode_lock);
    (void)pthread_cond_destroy(&pipe->encode_more);
    (void)pthread_mutex_destroy(&pipe->sealed_lock);
    (void)pthread_cond_destroy(&pipe->sealed_more);
    if (!kb_pipe_failed(pipe))
        return KBP_OK;
    *err = pipe->error;
    return err->status;
}

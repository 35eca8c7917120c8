/* SPDX-License-Identifier: Apache-2.0 */
/* block.c - reference-counted memory, and slices of it. */
#include "base/block.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Memory comes in steps of this, so that blocks can take each other's place. */
#define STEP ((size_t)1 << 20)
#define KEEP_MAX 16u
#define KEEP_BYTES ((size_t)32 << 20) /* of nobody's budget */

/* Blocks below this come from malloc(). */
#define SMALL ((size_t)128 << 10)

static struct {
    pthread_mutex_t lock;
    struct {
        uint8_t *data;
        size_t cap;
    } kept[KEEP_MAX];
    unsigned count;
    size_t bytes;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

/*
 * Of what is kept, the smallest that is enough, and not much too large: what a
 * block has beyond its charge is memory that no budget knows of.
 */
static uint8_t *from_pool(size_t want, size_t *cap)
{
    uint8_t *data = NULL;
    unsigned best = KEEP_MAX;
    unsigned i;

    (void)pthread_mutex_lock(&pool.lock);
    for (i = 0; i < pool.count; i++)
        if (pool.kept[i].cap >= want &&
            pool.kept[i].cap - want <= want / 4 + STEP &&
            (best == KEEP_MAX || pool.kept[i].cap < pool.kept[best].cap))
            best = i;
    if (best != KEEP_MAX) {
        data = pool.kept[best].data;
        *cap = pool.kept[best].cap;
        pool.bytes -= *cap;
        pool.kept[best] = pool.kept[--pool.count];
    }
    (void)pthread_mutex_unlock(&pool.lock);
    return data;
}

static bool to_pool(uint8_t *data, size_t cap)
{
    bool kept = false;

    (void)pthread_mutex_lock(&pool.lock);
    if (pool.count < KEEP_MAX && cap <= KEEP_BYTES - pool.bytes) {
        pool.kept[pool.count].data = data;
        pool.kept[pool.count++].cap = cap;
        pool.bytes += cap;
        kept = true;
    }
    (void)pthread_mutex_unlock(&pool.lock);
    return kept;
}

void kb_block_trim(void)
{
    (void)pthread_mutex_lock(&pool.lock);
    while (pool.count > 0) {
        pool.count--;
        (void)munmap(pool.kept[pool.count].data, pool.kept[pool.count].cap);
    }
    pool.bytes = 0;
    (void)pthread_mutex_unlock(&pool.lock);
}

static uint8_t *get_memory(size_t want, size_t *cap)
{
    uint8_t *data;
    size_t size;

    if (want < SMALL) {
        *cap = want;
        return malloc(want ? want : 1);
    }
    data = from_pool(want, cap);
    if (data)
        return data;
    if (__builtin_add_overflow(want, STEP - 1, &size))
        return NULL;
    size &= ~(STEP - 1);
    data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
    if (data == MAP_FAILED)
        return NULL;
    *cap = size;
    return data;
}

struct kb_block *kb_block_new(struct kb_budget *budget, size_t charged,
                              size_t cap)
{
    struct kb_block *block = calloc(1, sizeof *block);

    if (!block)
        return NULL;
    block->data = get_memory(cap, &block->cap);
    if (!block->data) {
        free(block);
        return NULL;
    }
    block->refs = 1;
    block->budget = budget;
    block->charged = charged;
    return block;
}

struct kb_block *kb_block_ref(struct kb_block *block)
{
    (void)__atomic_fetch_add(&block->refs, 1u, __ATOMIC_RELAXED);
    return block;
}

void kb_block_unref(struct kb_block *block)
{
    if (!block || __atomic_fetch_sub(&block->refs, 1u, __ATOMIC_ACQ_REL) != 1)
        return;
    if (block->cap < SMALL)
        free(block->data);
    else if (!to_pool(block->data, block->cap))
        (void)munmap(block->data, block->cap);
    if (block->budget && block->charged)
        kb_budget_give(block->budget, block->charged);
    free(block);
}

void kb_block_shrink_charge(struct kb_block *block, size_t charged)
{
    if (block->budget && charged < block->charged) {
        kb_budget_give(block->budget, block->charged - charged);
        block->charged = charged;
    }
}

struct kb_slice kb_slice_of(struct kb_block *block, const uint8_t *data,
                            size_t len)
{
    struct kb_slice slice = {kb_block_ref(block), data, len};

    return slice;
}

void kb_slice_release(struct kb_slice *slice)
{
    kb_block_unref(slice->block);
    slice->block = NULL;
    slice->data = NULL;
    slice->len = 0;
}

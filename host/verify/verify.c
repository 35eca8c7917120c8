/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - is a backup what its manifest says?
 *
 * One listing tells which segments are there, how large, and which nobody
 * names; threads then take segments one by one.
 */
#include "verify/verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "archive/groups.h"
#include "archive/lease.h"
#include "base/thread.h"
#include "verify/internal.h"

#define MAX_WORKERS 64u

void kb_verify_fail(struct kb_verify *v, const struct kbp_error *err)
{
    (void)pthread_mutex_lock(&v->lock);
    if (!atomic_load(&v->failed))
        v->err = *err;
    atomic_store(&v->failed, true);
    (void)pthread_mutex_unlock(&v->lock);
}

void kb_verify_progress(struct kb_verify *v, uint64_t bytes)
{
    (void)pthread_mutex_lock(&v->lock);
    v->done_bytes += bytes;
    v->report->bytes_read += bytes;
    if (v->options->progress)
        v->options->progress(v->options->data, v->done_bytes, v->all_bytes);
    (void)pthread_mutex_unlock(&v->lock);
}

/* --- before the segments ------------------------------------------------- */

static void on_check(void *data, const struct kb_generation *generation,
                     int32_t partition, const char *text)
{
    struct kb_at at = KB_AT_INIT;

    at.generation = generation;
    at.partition = partition;
    (void)kb_found(data, KB_FINDING_ACCOUNTING, &at, "%s", text);
}

static void count_all(struct kb_verify *v)
{
    const struct kb_manifest *m = v->manifest;
    struct kb_verify_report *r = v->report;
    size_t i;
    size_t p;
    size_t k;

    r->created_ms = m->created_ms;
    r->topics = m->generation_count;
    r->segments = m->segment_count;
    r->group_captures = m->capture_count;
    for (i = 0; i < m->generation_count; i++) {
        const struct kb_generation *g = &m->generations[i];

        r->partitions += g->partition_count;
        for (p = 0; p < g->partition_count; p++) {
            const struct kb_partition_log *log = &g->partitions[p];
            struct kb_sums sums;

            kb_partition_sums(log, &sums);
            r->records += sums.records;
            r->missing += sums.missing;
            r->aborted += log->aborted.count;
            r->open += log->open.count;
            for (k = 0; k < log->ranges.count; k++)
                r->in_ranges[log->ranges.items[k].kind] +=
                    (uint64_t)(log->ranges.items[k].end -
                               log->ranges.items[k].start);
            if (log->pending.end > log->pending.start)
                r->pending += (uint64_t)(log->pending.end - log->pending.start);
        }
    }
    for (i = 0; i < m->segment_count; i++)
        v->all_bytes += m->segments[i].size;
}

/* Which extents lie in which segment. */
static int collect_claims(struct kb_verify *v, struct kbp_error *err)
{
    const struct kb_manifest *m = v->manifest;
    size_t *next;
    size_t i;
    size_t p;
    size_t e;

    v->first_claim = calloc(m->segment_count + 2, sizeof *v->first_claim);
    v->absent = calloc(m->segment_count + 1, sizeof *v->absent);
    if (!v->first_claim || !v->absent)
        return kb_fail_nomem(err, "a verification");
    next = v->first_claim + 1; /* counts, then where each one's begin */
    for (i = 0; i < m->generation_count; i++)
        for (p = 0; p < m->generations[i].partition_count; p++) {
            const struct kb_partition_log *log =
                &m->generations[i].partitions[p];

            for (e = 0; e < log->extent_count; e++)
                if (log->extents[e].segment != KB_NO_SEGMENT) {
                    next[log->extents[e].segment + 1]++;
                    v->claim_count++;
                }
        }
    v->claims = calloc(v->claim_count + 1, sizeof *v->claims);
    if (!v->claims)
        return kb_fail_nomem(err, "a verification");
    for (i = 1; i <= m->segment_count; i++)
        next[i] += next[i - 1];
    /* next[s] is where segment s begins, and moves to where it ends. */
    for (i = 0; i < m->generation_count; i++)
        for (p = 0; p < m->generations[i].partition_count; p++) {
            const struct kb_partition_log *log =
                &m->generations[i].partitions[p];

            for (e = 0; e < log->extent_count; e++) {
                uint32_t s = log->extents[e].segment;

                if (s == KB_NO_SEGMENT)
                    continue;
                v->claims[next[s]++] = (struct kb_claim){s, &m->generations[i],
                                                         log, &log->extents[e]};
            }
        }
    return KBP_OK;
}

/* --- the listing --------------------------------------------------------- */

struct listing {
    struct kb_verify *v;
    char *prefix;
    const char *writing; /* the run that is at work now, or NULL */
    const struct kb_segment_info **by_name;
};

static int compare_infos(const void *left, const void *right)
{
    const struct kb_segment_info *const *a = left;
    const struct kb_segment_info *const *b = right;

    return kb_name_compare(&(*a)->name, &(*b)->name);
}

static int32_t on_object(void *data, const struct kbp_object *object)
{
    struct listing *l = data;
    struct kb_verify *v = l->v;
    const struct kb_manifest *m = v->manifest;
    struct kb_at at = KB_AT_INIT;
    struct kb_segment_info key = {0};
    const struct kb_segment_info *wanted = &key;
    const struct kb_segment_info **found = NULL;

    at.object = object->key;
    if (kb_key_name(object->key, l->prefix, ".kbs", &key.name))
        found = bsearch(&wanted, l->by_name, m->segment_count,
                        sizeof *l->by_name, compare_infos);
    if (!found) {
        if (l->writing && strcmp(key.name.run, l->writing) == 0)
            return 0;
        (void)kb_found(v, KB_FINDING_ORPHAN, &at,
                       "nothing names this object of %" PRIu64
                       " bytes: a run was killed before it could",
                       object->size);
        return 0;
    }
    v->absent[*found - m->segments] = false;
    if (!v->options->deep && object->size != (*found)->size) {
        (void)kb_found(v, KB_FINDING_DAMAGED, &at,
                       "it has %" PRIu64 " bytes, the manifest says %" PRIu64,
                       object->size, (*found)->size);
        v->report->segments_damaged++;
    }
    return 0;
}

static int list_segments(struct kb_verify *v, struct kb_store_session *session,
                         struct kbp_error *err)
{
    const struct kb_manifest *m = v->manifest;
    struct listing l = {.v = v};
    struct kb_lease_holder holder = {0};
    struct kbp_error ignored = KB_ERR_INIT;
    size_t i;
    int rc;

    if (m->run_count > 0 &&
        m->runs[m->run_count - 1].status == KB_RUN_RUNNING &&
        kb_lease_read(session, m->backup_id, &holder, &ignored) == KBP_OK &&
        !holder.expired)
        l.writing = m->runs[m->run_count - 1].name;
    kb_lease_holder_release(&holder);
    l.prefix = kb_key_segment_prefix(m->backup_id);
    l.by_name = calloc(m->segment_count + 1, sizeof *l.by_name);
    if (!l.prefix || !l.by_name) {
        rc = kb_fail_nomem(err, "a verification");
        goto out;
    }
    for (i = 0; i < m->segment_count; i++) {
        l.by_name[i] = &m->segments[i];
        v->absent[i] = true;
    }
    qsort(l.by_name, m->segment_count, sizeof *l.by_name, compare_infos);
    rc = kb_store_list(session, l.prefix, NULL, 0, on_object, &l, err);
out:
    free(l.by_name);
    free(l.prefix);
    return rc;
}

/* A running backup thins captures out: it may be gone rightly by now. */
static bool is_still_named(const struct kb_verify *v,
                           struct kb_store_session *session,
                           const struct kb_name *name)
{
    struct kbp_error ignored = KB_ERR_INIT;
    struct kb_manifest *now = NULL;
    bool named = false;
    size_t i;

    if (kb_manifest_load(&now, session, v->manifest->backup_id, &ignored) !=
        KBP_OK)
        return true;
    for (i = 0; i < now->capture_count && !named; i++)
        named = kb_name_compare(&now->captures[i].name, name) == 0;
    kb_manifest_free(now);
    return named;
}

static int check_captures(struct kb_verify *v, struct kb_store_session *session,
                          struct kbp_error *err)
{
    const struct kb_manifest *m = v->manifest;
    size_t i;

    for (i = 0; i < m->capture_count; i++) {
        struct kb_groups groups = {0};
        struct kb_at at = KB_AT_INIT;
        char *key = kb_key_groups(m->backup_id, &m->captures[i].name);
        int rc = key ? kb_groups_read(&groups, session, m->backup_id,
                                      &m->captures[i].name, err)
                     : kb_fail_nomem(err, "a key");

        kb_groups_release(&groups);
        at.object = key;
        if (rc == KBP_ERR_NOT_FOUND &&
            !is_still_named(v, session, &m->captures[i].name)) {
            kb_err_clear(err);
            rc = KBP_OK;
        }
        if (rc == KBP_ERR_NOT_FOUND || rc == KBP_ERR_CORRUPT) {
            (void)kb_found(v,
                           rc == KBP_ERR_CORRUPT ? KB_FINDING_DAMAGED
                                                 : KB_FINDING_MISSING,
                           &at, "%s", err->message);
            kb_err_clear(err);
            rc = KBP_OK;
        }
        free(key);
        if (rc != KBP_OK)
            return rc;
    }
    return KBP_OK;
}

/* --- the segments -------------------------------------------------------- */

static void *work(void *data)
{
    struct kb_verify *v = data;
    struct kb_store_session *session = NULL;
    struct kb_codec_worker codecs;
    struct kbp_error err = KB_ERR_INIT;

    kb_codec_worker_init(&codecs, &v->codecs);
    if (kb_store_session_open(v->store, v->options->stop, &session, &err) !=
        KBP_OK)
        kb_verify_fail(v, &err);
    while (!atomic_load(&v->failed)) {
        size_t next = atomic_fetch_add(&v->next_segment, 1);

        if (next >= v->manifest->segment_count)
            break;
        if (v->options->stop && kb_stop_requested(v->options->stop)) {
            (void)kb_fail_stopped(&err);
            kb_verify_fail(v, &err);
            break;
        }
        kb_verify_segment(v, session, &codecs, (uint32_t)next);
    }
    kb_codec_worker_release(&codecs);
    kb_store_session_close(session);
    return NULL;
}

static int run_workers(struct kb_verify *v, struct kbp_error *err)
{
    pthread_t threads[MAX_WORKERS];
    unsigned want = v->options->workers;
    unsigned count = 0;

    if (want == 0)
        want = kb_cpu_count();
    if (!v->options->deep)
        want = 1;
    if (want > MAX_WORKERS)
        want = MAX_WORKERS;
    for (; count < want && count < v->manifest->segment_count; count++)
        if (kb_thread_start(&threads[count], "verify", work, v, err) != KBP_OK)
            break;
    if (count == 0 && v->manifest->segment_count > 0)
        return err->status;
    kb_err_clear(err);
    while (count > 0)
        (void)pthread_join(threads[--count], NULL);
    return KBP_OK;
}

static int compare_text(const char *a, const char *b)
{
    if (!a || !b)
        return a ? 1 : b ? -1 : 0;
    return strcmp(a, b);
}

static int compare_findings(const void *left, const void *right)
{
    const struct kb_finding *a = left;
    const struct kb_finding *b = right;
    int order = compare_text(a->object, b->object);

    if (order == 0 && a->place != b->place)
        order = a->place < b->place ? -1 : 1;
    if (order == 0)
        order = compare_text(a->topic, b->topic);
    if (order == 0 && a->partition != b->partition)
        order = a->partition < b->partition ? -1 : 1;
    if (order == 0 && a->start != b->start)
        order = a->start < b->start ? -1 : 1;
    return order == 0 ? compare_text(a->text, b->text) : order;
}

static int verify(struct kb_verify *v, struct kb_store_session *session,
                  struct kbp_error *err)
{
    struct kb_verify_report *r = v->report;
    int rc;

    (void)kb_manifest_check(v->manifest, on_check, v, err);
    kb_err_clear(err);
    count_all(v);
    rc = collect_claims(v, err);
    if (rc == KBP_OK)
        rc = list_segments(v, session, err);
    if (rc == KBP_OK)
        rc = check_captures(v, session, err);
    if (rc == KBP_OK)
        rc = run_workers(v, err);
    if (rc == KBP_OK && atomic_load(&v->failed)) {
        *err = v->err;
        rc = v->err.status;
    }
    r->segments_valid = r->segments - r->segments_missing - r->segments_damaged;
    if (r->finding_count > 1)
        qsort(r->findings, r->finding_count, sizeof *r->findings,
              compare_findings);
    return rc;
}

int kb_verify(struct kb_store *store, struct kb_registry *registry,
              const char *backup_id, const struct kb_verify_options *options,
              struct kb_verify_report *report, struct kbp_error *err)
{
    struct kb_verify v = {.store = store, .options = options, .report = report};
    struct kb_store_session *session = NULL;
    struct kb_manifest *manifest = NULL;
    struct kb_at nowhere = KB_AT_INIT;
    int rc;

    *report = (struct kb_verify_report){.deep = options->deep};
    report->backup_id = strdup(backup_id);
    if (!report->backup_id)
        return kb_fail_nomem(err, "a verification");
    rc = kb_store_session_open(store, options->stop, &session, err);
    if (rc != KBP_OK)
        return rc;
    kb_err_clear(&v.err);
    (void)pthread_mutex_init(&v.lock, NULL);
    kb_codec_set_init(&v.codecs, registry, options->stop);
    rc = kb_manifest_load(&manifest, session, backup_id, err);
    v.manifest = manifest;
    if (rc == KBP_OK)
        rc = verify(&v, session, err);
    else if (rc == KBP_ERR_CORRUPT) /* that is the answer, then */
        rc = kb_found(&v, KB_FINDING_DAMAGED, &nowhere, "%s", err->message)
                 ? KBP_OK
                 : v.err.status;
    kb_manifest_free(manifest);
    kb_codec_set_release(&v.codecs);
    (void)pthread_mutex_destroy(&v.lock);
    free(v.claims);
    free(v.first_claim);
    free(v.absent);
    kb_store_session_close(session);
    return rc;
}

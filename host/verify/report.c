/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - what a verification found: kept, as JSON, as text. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "verify/internal.h"

static const struct {
    const char *word;
    bool bad;
} kinds[KB_FINDING_KINDS] = {
#define XX(name, word, bad) {word, bad},
    KB_FINDING_MAP(XX)
#undef XX
};

const char *kb_finding_word(enum kb_finding_kind kind)
{
    return (unsigned)kind < KB_FINDING_KINDS ? kinds[kind].word : "unknown";
}

bool kb_finding_is_bad(enum kb_finding_kind kind)
{
    return (unsigned)kind >= KB_FINDING_KINDS || kinds[kind].bad;
}

static void release_finding(struct kb_finding *f)
{
    free(f->object);
    free(f->topic);
    free(f->text);
}

static bool copy(char **to, const char *from)
{
    *to = from ? kb_strdup(from) : NULL;
    return *to || !from;
}

static bool add(struct kb_verify_report *r, enum kb_finding_kind kind,
                const struct kb_at *at, const char *text)
{
    struct kb_finding f = {.kind = kind,
                           .place = at->place,
                           .partition = at->partition,
                           .start = at->start,
                           .end = at->end};

    if (r->finding_count == r->finding_cap) {
        size_t cap = r->finding_cap > 0 ? r->finding_cap * 2 : 16;
        struct kb_finding *more =
            reallocarray(r->findings, cap, sizeof *r->findings);

        if (!more)
            return false;
        r->findings = more;
        r->finding_cap = cap;
    }
    if (at->generation)
        f.number = at->generation->number;
    if (!copy(&f.object, at->object) || !copy(&f.text, text) ||
        !copy(&f.topic, at->generation ? at->generation->topic : NULL)) {
        release_finding(&f);
        return false;
    }
    r->findings[r->finding_count++] = f;
    if (kb_finding_is_bad(kind))
        r->bad++;
    return true;
}

bool kb_found(struct kb_verify *v, enum kb_finding_kind kind,
              const struct kb_at *at, const char *fmt, ...)
{
    struct kbp_error err = KB_ERR_INIT;
    char text[KBP_MESSAGE_MAX];
    va_list ap;
    bool ok;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)pthread_mutex_lock(&v->lock);
    ok = add(v->report, kind, at, text);
    (void)pthread_mutex_unlock(&v->lock);
    if (!ok) {
        (void)kb_fail_nomem(&err, "a finding");
        kb_verify_fail(v, &err);
    }
    return ok;
}

void kb_verify_report_release(struct kb_verify_report *r)
{
    size_t i;

    for (i = 0; i < r->finding_count; i++)
        release_finding(&r->findings[i]);
    free(r->findings);
    free(r->backup_id);
    *r = (struct kb_verify_report){0};
}

static int set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value);
}

static int set_count(json_t *object, const char *key, uint64_t value)
{
    return set(object, key, json_integer((json_int_t)value));
}

static json_t *finding_json(const struct kb_finding *f)
{
    json_t *json = json_object();
    int bad = !json;

    bad |= set(json, "kind", json_string(kb_finding_word(f->kind)));
    if (f->object)
        bad |= set(json, "object", json_string(f->object));
    if (f->place >= 0)
        bad |= set(json, "frame_at", json_integer(f->place));
    if (f->topic) {
        bad |= set(json, "topic", json_string(f->topic));
        bad |= set_count(json, "generation", f->number);
    }
    if (f->partition >= 0)
        bad |= set(json, "partition", json_integer(f->partition));
    if (f->start >= 0) {
        bad |= set(json, "start_offset", json_integer(f->start));
        bad |= set(json, "end_offset", json_integer(f->end));
    }
    bad |= set(json, "message", json_string(f->text));
    if (!bad)
        return json;
    json_decref(json);
    return NULL;
}

json_t *kb_verify_report_json(const struct kb_verify_report *r)
{
    json_t *json = json_object();
    json_t *ranges = json_object();
    json_t *findings = json_array();
    size_t i;
    int bad = !json;

    for (i = 0; i < KB_RANGE_KINDS; i++)
        bad |= set_count(ranges, kb_range_word((enum kb_range_kind)i),
                         r->in_ranges[i]);
    for (i = 0; i < r->finding_count; i++)
        bad |= json_array_append_new(findings, finding_json(&r->findings[i]));
    bad |= set(json, "backup_id", json_string(r->backup_id));
    bad |= set(json, "valid", json_boolean(r->bad == 0));
    bad |= set(json, "deep", json_boolean(r->deep));
    bad |= set(json, "created_at", json_integer(r->created_ms));
    bad |= set_count(json, "topics", r->topics);
    bad |= set_count(json, "partitions", r->partitions);
    bad |= set_count(json, "segments_checked", r->segments);
    bad |= set_count(json, "segments_valid", r->segments_valid);
    bad |= set_count(json, "segments_missing", r->segments_missing);
    bad |= set_count(json, "segments_corrupted", r->segments_damaged);
    bad |= set_count(json, "records", r->records);
    bad |= set_count(json, "missing_inside_batches", r->missing);
    bad |= set(json, "offsets_not_stored", ranges);
    bad |= set_count(json, "aborted_transactions", r->aborted);
    bad |= set_count(json, "open_transactions", r->open);
    bad |= set_count(json, "offsets_pending", r->pending);
    bad |= set_count(json, "group_captures", r->group_captures);
    if (r->deep) {
        bad |= set_count(json, "frames_validated", r->frames);
        bad |= set_count(json, "batches_validated", r->batches);
        bad |= set_count(json, "records_validated", r->records_read);
        bad |= set_count(json, "bytes_read", r->bytes_read);
    }
    bad |= set(json, "issues", findings);
    if (!bad)
        return json;
    json_decref(json);
    return NULL;
}

static void print_finding(const struct kb_finding *f, FILE *out)
{
    (void)fprintf(out, "  - %s", kb_finding_word(f->kind));
    if (f->object)
        (void)fprintf(out, " %s", f->object);
    if (f->place >= 0)
        (void)fprintf(out, ", frame at byte %" PRId64, f->place);
    if (f->topic && f->number > 1)
        (void)fprintf(out, ", %s (generation %" PRIu32 ")", f->topic,
                      f->number);
    else if (f->topic)
        (void)fprintf(out, ", %s", f->topic);
    if (f->partition >= 0)
        (void)fprintf(out, "/%" PRId32, f->partition);
    if (f->start >= 0)
        (void)fprintf(out, ", offsets %" PRId64 " to %" PRId64, f->start,
                      f->end);
    (void)fprintf(out, ": %s\n", f->text);
}

void kb_verify_report_print(const struct kb_verify_report *r, FILE *out)
{
    char time[KB_TIME_TEXT];
    uint64_t lost = 0;
    size_t i;

    (void)fprintf(out, "Validating backup: %s\n", r->backup_id);
    if (r->created_ms > 0)
        (void)fprintf(out, "Created: %s\n", kb_time_text(time, r->created_ms));
    (void)fprintf(out, "\n=== Validation Report ===\n");
    (void)fprintf(out, "Topics:             %" PRIu64 "\n", r->topics);
    (void)fprintf(out, "Partitions:         %" PRIu64 "\n", r->partitions);
    (void)fprintf(out, "Segments Checked:   %" PRIu64 "\n", r->segments);
    (void)fprintf(out, "Segments Valid:     %" PRIu64 "\n", r->segments_valid);
    (void)fprintf(out, "Segments Missing:   %" PRIu64 "\n",
                  r->segments_missing);
    (void)fprintf(out, "Segments Corrupted: %" PRIu64 "\n",
                  r->segments_damaged);
    (void)fprintf(out, "Records:            %" PRIu64 "\n", r->records);
    if (r->deep) {
        (void)fprintf(out, "Records Validated:  %" PRIu64 "\n",
                      r->records_read);
        (void)fprintf(out, "Batches Validated:  %" PRIu64 "\n", r->batches);
    }
    if (r->missing > 0)
        (void)fprintf(
            out, "Removed by cleaner: %" PRIu64 " offsets inside batches\n",
            r->missing);
    for (i = 0; i < KB_RANGE_KINDS; i++)
        if (r->in_ranges[i] > 0)
            (void)fprintf(out, "Not stored:         %" PRIu64 " offsets: %s\n",
                          r->in_ranges[i],
                          kb_range_text((enum kb_range_kind)i));
    if (r->aborted > 0)
        (void)fprintf(out,
                      "Aborted:            %" PRIu64
                      " transactions, whose records are stored\n",
                      r->aborted);
    if (r->open > 0)
        (void)fprintf(out,
                      "Undecided:          %" PRIu64
                      " transactions, open at the end of the backup\n",
                      r->open);
    if (r->pending > 0)
        (void)fprintf(
            out, "Still to come:      %" PRIu64 " offsets that a run wanted\n",
            r->pending);
    if (r->finding_count > 0)
        (void)fprintf(out, "\nIssues Found:\n");
    for (i = 0; i < r->finding_count; i++)
        print_finding(&r->findings[i], out);

    lost = r->in_ranges[KB_RANGE_BEFORE_START] + r->in_ranges[KB_RANGE_ABSENT];
    if (r->bad > 0)
        (void)fprintf(out, "\nResult: INVALID\n");
    else if (lost > 0)
        (void)fprintf(out,
                      "\nResult: VALID (with %" PRIu64
                      " offsets that couldn't be had - the backup is intact "
                      "but incomplete)\n",
                      lost);
    else
        (void)fprintf(out, "\nResult: VALID\n");
    if (!r->deep && r->bad == 0)
        (void)fprintf(out, "(with --deep, all bytes are read and checked)\n");
}

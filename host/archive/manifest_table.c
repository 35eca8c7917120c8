/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_table.c - rows of the tables inside the manifest's strings. */
#include "archive/manifest_table.h"

#include <string.h>

#include "base/str.h"

/*
 * The field at *at up to `stop` or the end of its row.  Rows end with ';',
 * tables with NUL.
 */
static bool take_field(const char **at, const char **field, size_t *len)
{
    size_t n = strcspn(*at, ",;");

    *field = *at;
    *len = n;
    *at += n;
    if (**at == ',')
        (*at)++;
    return n > 0;
}

static bool take_i64(const char **at, int64_t *value)
{
    char text[24];
    const char *field;
    size_t len;

    if (!take_field(at, &field, &len) || len >= sizeof text)
        return false;
    memcpy(text, field, len);
    text[len] = '\0';
    return kb_parse_i64(text, value);
}

/* At least 0, and at most `max`. */
static bool take_u64(const char **at, uint64_t max, uint64_t *value)
{
    int64_t read;

    if (!take_i64(at, &read) || read < 0 || (uint64_t)read > max)
        return false;
    *value = (uint64_t)read;
    return true;
}

static bool take_u32(const char **at, uint32_t *value)
{
    uint64_t wide;

    if (!take_u64(at, UINT32_MAX, &wide))
        return false;
    *value = (uint32_t)wide;
    return true;
}

/* "-" for none. */
static bool take_none(const char **at)
{
    if (strncmp(*at, "-,", 2) != 0 && strcmp(*at, "-") != 0 &&
        strncmp(*at, "-;", 2) != 0)
        return false;
    *at += (*at)[1] == ',' ? 2 : 1;
    return true;
}

/* Behind a row's last field. */
bool kb_table_end_row(const char **at)
{
    if (**at == ';') {
        (*at)++;
        return **at != '\0';
    }
    return **at == '\0';
}

bool kb_table_range(const char **at, struct kb_range *range)
{
    const char *field;
    size_t len;

    return take_field(at, &field, &len) && len == 1 &&
           kb_range_of_letter(field[0], &range->kind) &&
           take_i64(at, &range->start) && take_i64(at, &range->end) &&
           range->start >= 0 && range->end > range->start;
}

bool kb_table_txn(const char **at, bool open, struct kb_txn *txn)
{
    txn->end = 0;
    return take_i64(at, &txn->producer_id) && take_i64(at, &txn->start) &&
           txn->producer_id >= 0 && txn->start >= 0 &&
           (open || (take_i64(at, &txn->end) && txn->end > txn->start));
}

bool kb_table_extent(const char **at, struct kb_extent *e)
{
    struct kb_sums *s = &e->sums;

    *e = (struct kb_extent){.segment = KB_NO_SEGMENT};
    if (!take_none(at) && !take_u32(at, &e->segment))
        return false;
    if (!take_i64(at, &e->start) || !take_i64(at, &e->end) || e->start < 0 ||
        e->end <= e->start || !take_u64(at, INT64_MAX, &s->records) ||
        !take_u64(at, INT64_MAX, &s->missing) ||
        !take_u64(at, INT64_MAX, &s->batches) ||
        !take_u32(at, &s->largest_batch))
        return false;
    if (e->segment == KB_NO_SEGMENT)
        return s->records == 0 && s->missing == 0 && s->batches == 0 &&
               s->largest_batch == 0 && take_none(at) && take_none(at);
    if (s->batches == 0 || !take_i64(at, &s->max_timestamp))
        return false;
    if (take_none(at))
        return true;
    s->min_known = true;
    return take_i64(at, &s->min_timestamp);
}

bool kb_table_kept(const char *at, struct kb_last_batch *last)
{
    int64_t epoch;
    int64_t sequence;
    uint64_t magic;
    uint64_t count;
    uint64_t attributes;

    if (!take_u64(&at, 2, &magic) || !take_i64(&at, &last->last_offset) ||
        !take_i64(&at, &last->max_timestamp) ||
        !take_i64(&at, &last->producer_id) || !take_i64(&at, &epoch) ||
        !take_i64(&at, &sequence) || !take_u64(&at, INT32_MAX, &count) ||
        !take_u64(&at, UINT16_MAX, &attributes) || *at != '\0' ||
        epoch < INT16_MIN || epoch > INT16_MAX || sequence < INT32_MIN ||
        sequence > INT32_MAX || last->last_offset < last->base_offset)
        return false;
    last->magic = (int8_t)magic;
    last->producer_epoch = (int16_t)epoch;
    last->base_sequence = (int32_t)sequence;
    last->count = (int32_t)count;
    last->attributes = (uint16_t)attributes;
    last->detailed = true;
    return true;
}

bool kb_table_segment(const char *at, struct kb_segment_info *s)
{
    char id[KB_UUID_TEXT];
    uint64_t created;
    const char *field;
    size_t len;

    *s = (struct kb_segment_info){0};
    if (!take_field(&at, &field, &len) || !kb_name_parse(field, len, &s->name))
        return false;
    if (!take_field(&at, &field, &len) || len >= sizeof id)
        return false;
    memcpy(id, field, len);
    id[len] = '\0';
    if (!kb_uuid_parse(id, &s->id) || !take_u64(&at, INT64_MAX, &s->size) ||
        !take_u64(&at, INT64_MAX, &s->index_len) ||
        !take_u32(&at, &s->index_crc32c) || !take_u32(&at, &s->frames) ||
        !take_u64(&at, INT64_MAX, &s->records) ||
        !take_u64(&at, INT64_MAX, &s->raw_bytes) ||
        !take_u64(&at, INT64_MAX, &created) || s->index_len > s->size)
        return false;
    s->created_ms = (int64_t)created;
    len = strlen(at);
    if (len >= sizeof s->codec || strcspn(at, ",;") != len)
        return false;
    memcpy(s->codec, at, len);
    return true;
}

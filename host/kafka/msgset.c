/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgset.c - message sets of magic 0 and 1 turned into record batches.
 *
 * A message (Kafka's LegacyRecord.java), big-endian:
 *
 *      0 offset i64     8 size i32 (of what follows)   12 crc u32: CRC-32 of
 *     16 magic i8      17 attributes i8                    all from 16 on
 *     18 timestamp i64 (magic 1 only), key i32 + bytes, value i32 + bytes
 *
 * With a codec in its attributes it is a wrapper: the value is a compressed
 * set of messages. Their offsets are absolute in magic 0; in magic 1 they are
 * relative, and the last one's is the wrapper's.
 */
#include "kafka/msgset.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "kafka/unpack.h"

#define SIZE_AT 12u /* size counts from here */
#define CODEC 0x07u
#define LOG_APPEND 0x08u

/* Where a run of plain messages ends at the latest. */
#define RUN_BYTES ((size_t)1 << 20)
#define RUN_COUNT 10000

struct message {
    int64_t offset;
    int64_t timestamp; /* -1 in magic 0 */
    int8_t magic;
    uint8_t attributes;
    const uint8_t *key;
    const uint8_t *value;
    int32_t key_len;
    int32_t value_len;
    uint32_t crc;
    size_t len; /* of all */
};

/* CRC-32 of IEEE 802.3, a nibble at a time: old logs don't need more. */
static uint32_t crc32_ieee(const uint8_t *bytes, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;
    size_t i;

    for (i = 0; i < len; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static int damaged(int64_t offset, const char *what, struct kbp_error *err)
{
    return kb_fail(err, KBP_ERR_CORRUPT,
                   "the message of an old format at offset %" PRId64
                   " is damaged: %s",
                   offset, what);
}

static const uint8_t *get_field(struct kb_cursor *c, int32_t *len)
{
    int32_t n = (int32_t)kb_get_be32(c);

    *len = n < 0 ? -1 : n;
    return n < 0 ? NULL : kb_take(c, (size_t)n);
}

/* KBP_OK, KB_BATCH_CUT, or KBP_ERR_CORRUPT. */
static int parse(const uint8_t *bytes, size_t len, bool check_crc,
                 struct message *message, struct kbp_error *err)
{
    struct message m;
    struct kb_cursor c;
    int32_t size;

    if (len < SIZE_AT + 5)
        return KB_BATCH_CUT;
    m.offset = (int64_t)kb_load_be64(bytes);
    size = (int32_t)kb_load_be32(bytes + 8);
    m.magic = (int8_t)bytes[16];
    if (m.magic != 0 && m.magic != 1)
        return damaged(m.offset, "its magic is neither 0 nor 1", err);
    if (size < (m.magic ? 22 : 14))
        return damaged(m.offset, "it is shorter than its header", err);
    if (len - SIZE_AT < (size_t)size)
        return KB_BATCH_CUT;
    m.len = SIZE_AT + (size_t)size;
    c = kb_cursor_of(bytes + SIZE_AT, (size_t)size);
    m.crc = kb_get_be32(&c);
    (void)kb_get_u8(&c);
    m.attributes = kb_get_u8(&c);
    m.timestamp = m.magic ? (int64_t)kb_get_be64(&c) : -1;
    m.key = get_field(&c, &m.key_len);
    m.value = get_field(&c, &m.value_len);
    if (c.bad || kb_cursor_left(&c) > 0)
        return damaged(m.offset, "its lengths don't add up", err);
    if (m.offset < 0 || m.offset == INT64_MAX)
        return damaged(m.offset, "an impossible offset", err);
    if (check_crc && crc32_ieee(bytes + 16, m.len - 16) != m.crc)
        return damaged(m.offset, "its CRC-32 differs", err);
    *message = m;
    return KBP_OK;
}

/* A plain message; what is different of a wrapper is found inside of it. */
static struct kb_msgset_entry entry_of(const struct message *message)
{
    return (struct kb_msgset_entry){.first_offset = message->offset,
                                    .last_offset = message->offset,
                                    .timestamp = message->timestamp,
                                    .len = message->len,
                                    .crc = message->crc,
                                    .count = 1,
                                    .magic = message->magic,
                                    .attributes = message->attributes};
}

static int add(struct kb_batch_builder *builder, const struct message *message,
               int64_t offset, int64_t timestamp, struct kbp_error *err)
{
    const struct kb_record record = {
        .offset = offset,
        .timestamp = timestamp,
        .key = message->key,
        .value = message->value,
        .key_len = message->key_len,
        .value_len = message->value_len,
    };

    return kb_batch_builder_add(builder, &record, NULL, 0, err);
}

static void begin(struct kb_batch_builder *builder,
                  const struct message *message)
{
    kb_batch_builder_reset(builder);
    builder->keep_offsets = true;
    if (message->magic == 1 && message->attributes & LOG_APPEND)
        builder->attributes = KB_BATCH_LOG_APPEND;
}

/* Whether `next` may be in the batch of which `last` is the last so far. */
static bool goes_on(const struct message *last, const struct message *next)
{
    if (next->attributes & CODEC || next->offset != last->offset + 1 ||
        next->magic != last->magic)
        return false;
    if (last->magic == 0)
        return true;
    if ((last->attributes ^ next->attributes) & LOG_APPEND)
        return false;
    return !(last->attributes & LOG_APPEND) ||
           last->timestamp == next->timestamp;
}

/* A run of plain messages, of which the first is known already. */
static int convert_run(struct kb_batch_builder *builder, const uint8_t *bytes,
                       size_t len, int64_t from, struct message message,
                       size_t *used, int64_t *next_offset,
                       struct kb_msgset_entry *last, struct kbp_error *err)
{
    struct kbp_error ignored = KB_ERR_INIT;
    struct message next;
    size_t at = 0;
    int32_t count = 0;
    int rc;

    begin(builder, &message);
    for (;;) {
        if (message.offset >= from) {
            rc = add(builder, &message, message.offset, message.timestamp, err);
            /* Times that are too far apart: the rest is the next batch. */
            if (rc == KBP_ERR_LIMIT && at > 0)
                break;
            if (rc != KBP_OK)
                return rc;
        }
        at += message.len;
        *next_offset = message.offset + 1;
        *last = entry_of(&message);
        /* What is wrong with the next one is found when it is the first. */
        if (++count == RUN_COUNT || at >= RUN_BYTES ||
            parse(bytes + at, len - at, true, &next, &ignored) != KBP_OK ||
            !goes_on(&message, &next))
            break;
        message = next;
    }
    *used = at;
    return KBP_OK;
}

/* What stands in a wrapper, one after the other. */
static int next_inner(const struct message *wrapper, struct kb_cursor *c,
                      struct message *inner, struct kbp_error *err)
{
    int rc = parse(c->at, kb_cursor_left(c), false, inner, err);

    if (rc == KB_BATCH_CUT)
        return damaged(wrapper->offset, "its last message is cut off", err);
    if (rc != KBP_OK)
        return kb_err_wrap(err, "in the wrapper at offset %" PRId64,
                           wrapper->offset);
    if (inner->magic != wrapper->magic || inner->attributes & CODEC)
        return damaged(wrapper->offset, "a message in it is of another kind",
                       err);
    (void)kb_take(c, inner->len);
    return KBP_OK;
}

/* What is to be added to the offsets in a wrapper. */
static int find_shift(const struct message *wrapper, struct kb_cursor c,
                      int64_t *shift, struct kbp_error *err)
{
    struct message inner = {0};

    if (kb_cursor_left(&c) == 0)
        return damaged(wrapper->offset, "it has no message", err);
    while (kb_cursor_left(&c) > 0) {
        int rc = next_inner(wrapper, &c, &inner, err);

        if (rc != KBP_OK)
            return rc;
    }
    *shift = wrapper->magic == 0 ? 0 : wrapper->offset - inner.offset;
    if (*shift < 0 || inner.offset > wrapper->offset)
        return damaged(wrapper->offset, "its offset is not its last's", err);
    return KBP_OK;
}

static int convert_wrapper(struct kb_batch_builder *builder,
                           const struct message *wrapper, int64_t from,
                           const struct kb_buf *plain,
                           struct kb_msgset_entry *entry, struct kbp_error *err)
{
    struct kb_cursor c = kb_cursor_of(plain->data, plain->len);
    bool log_append = wrapper->magic == 1 && wrapper->attributes & LOG_APPEND;
    int64_t last = -1;
    int64_t shift = 0;
    int rc = find_shift(wrapper, c, &shift, err);

    begin(builder, wrapper);
    *entry = entry_of(wrapper);
    entry->count = 0;
    while (rc == KBP_OK && kb_cursor_left(&c) > 0) {
        struct message inner;
        int64_t offset;

        rc = next_inner(wrapper, &c, &inner, err);
        if (rc != KBP_OK)
            break;
        if (__builtin_add_overflow(inner.offset, shift, &offset) ||
            offset <= last)
            return damaged(wrapper->offset, "its offsets don't ascend", err);
        if (last < 0)
            entry->first_offset = offset;
        last = offset;
        entry->count++;
        if (offset >= from)
            rc = add(builder, &inner, offset,
                     log_append ? wrapper->timestamp : inner.timestamp, err);
    }
    return rc;
}

/* The wrapper's set, and its batch. */
static int unwrap(struct kb_batch_builder *builder,
                  const struct message *wrapper, int64_t from,
                  struct kb_codec_worker *codecs, struct kb_msgset_entry *entry,
                  struct kbp_error *err)
{
    struct kb_buf plain = KB_BUF_INIT;
    int codec = wrapper->attributes & (int)CODEC;
    bool counted;
    size_t size;
    int rc;

    if (!wrapper->value)
        return damaged(wrapper->offset, "it has no message", err);
    rc = wrapper->magic == 0
             ? kb_unpack_magic0(codecs, codec, wrapper->value,
                                (size_t)wrapper->value_len, 0, &plain, err)
             : kb_unpack(codecs, codec, wrapper->value,
                         (size_t)wrapper->value_len, 0, &plain, err);
    size = plain.len;
    counted = rc == KBP_OK;
    if (counted) {
        rc = convert_wrapper(builder, wrapper, from, &plain, entry, err);
    } else {
        (void)kb_err_wrap(err, "the messages up to offset %" PRId64,
                          wrapper->offset);
    }
    kb_buf_release(&plain);
    if (counted)
        kb_unpacked_gone(codecs, size);
    return rc;
}

int kb_msgset_look(const void *bytes, size_t len,
                   struct kb_codec_worker *codecs,
                   struct kb_msgset_entry *entry, struct kbp_error *err)
{
    struct kb_batch_builder builder = {.count = 0};
    struct message message;
    int rc = parse(bytes, len, true, &message, err);

    if (rc != KBP_OK)
        return rc;
    *entry = entry_of(&message);
    if (!(message.attributes & CODEC))
        return KBP_OK;
    /* None of its messages is wanted, only where they are. */
    rc = unwrap(&builder, &message, INT64_MAX, codecs, entry, err);
    kb_batch_builder_release(&builder);
    return rc;
}

int kb_msgset_convert(const void *bytes, size_t len, int64_t from,
                      struct kb_codec_worker *codecs, struct kb_buf *out,
                      size_t *used, int64_t *next_offset,
                      struct kb_msgset_entry *last, struct kbp_error *err)
{
    struct kb_batch_builder builder = {.count = 0};
    struct kb_msgset_entry entry = {.count = 0};
    struct message message;
    int64_t next = -1;
    size_t taken = 0;
    int codec;
    int rc = parse(bytes, len, true, &message, err);

    if (rc != KBP_OK)
        return rc;
    codec = message.attributes & (int)CODEC;
    if (codec) {
        rc = unwrap(&builder, &message, from, codecs, &entry, err);
        taken = message.len;
        next = message.offset + 1;
    } else {
        rc = convert_run(&builder, bytes, len, from, message, &taken, &next,
                         &entry, err);
    }
    if (rc == KBP_OK && builder.count > 0)
        rc = kb_batch_builder_finish(&builder, codec, codecs,
                                     builder.base_offset, out, err);
    kb_batch_builder_release(&builder);
    if (rc != KBP_OK)
        return rc;
    *used = taken;
    *next_offset = next;
    if (last)
        *last = entry;
    return KBP_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* backup_batches.h - record batches to try the backup's stages on. */
#ifndef KB_TEST_BACKUP_BATCHES_H
#define KB_TEST_BACKUP_BATCHES_H

#include <cstdint>
#include <string>
#include <vector>

/* A function and a struct of one name are no trouble in C. */
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "backup/collect.h"
#include "backup/walk.h"
#include "base/bytes.h"
}

namespace kbt
{

/* What is special about a batch. */
struct Shape {
    int64_t base = 0;
    int32_t count = 1;       /* records in it, at the first offsets */
    int32_t last_delta = -1; /* -1: count - 1 */
    uint16_t attributes = 0; /* beside the codec */
    int64_t producer = -1;
    int16_t producer_epoch = 0;
    int control = -1; /* 0 abort, 1 commit */
    int32_t leader_epoch = 3;
    size_t value_bytes = 10;
};

inline std::string make_batch(const Shape &s)
{
    kb_batch_builder builder = {};
    kbp_error err = KB_ERR_INIT;
    kb_buf out = KB_BUF_INIT;
    std::string value(s.value_bytes, 'v');
    const uint8_t control[4] = {0, 0, 0, (uint8_t)(s.control == 1)};
    std::string bytes;

    kb_batch_builder_reset(&builder);
    for (int32_t i = 0; i < s.count; i++) {
        kb_record r = {};

        r.timestamp = 1000 + s.base + i;
        r.key = s.control >= 0 ? control : (const uint8_t *)"k";
        r.key_len = s.control >= 0 ? 4 : 1;
        r.value = (const uint8_t *)value.data();
        r.value_len = (int32_t)value.size();
        kb_batch_builder_add(&builder, &r, nullptr, 0, &err);
    }
    kb_batch_builder_finish(&builder, 0, nullptr, s.base, &out, &err);
    kb_batch_builder_release(&builder);
    bytes.assign((const char *)out.data, out.len);
    kb_buf_release(&out);

    uint8_t *at = (uint8_t *)&bytes[0];
    uint16_t attributes = s.attributes;

    if (s.control >= 0)
        attributes |= KB_BATCH_CONTROL | KB_BATCH_TRANSACTIONAL;
    kb_store_be32(at + 12, (uint32_t)s.leader_epoch);
    kb_store_be16(at + 21, attributes);
    kb_store_be32(at + 23,
                  (uint32_t)(s.last_delta < 0 ? s.count - 1 : s.last_delta));
    kb_store_be64(at + 43, (uint64_t)s.producer);
    kb_store_be16(at + 51, (uint16_t)s.producer_epoch);
    kb_batch_seal(at, bytes.size());
    return bytes;
}

inline Shape data(int64_t base, int32_t count)
{
    Shape s;

    s.base = base;
    s.count = count;
    return s;
}

inline Shape txn(int64_t base, int32_t count, int64_t producer)
{
    Shape s = data(base, count);

    s.attributes = KB_BATCH_TRANSACTIONAL;
    s.producer = producer;
    return s;
}

inline Shape marker(int64_t base, int64_t producer, int type)
{
    Shape s = data(base, 1);

    s.producer = producer;
    s.producer_epoch = 1; /* transactions v2: one more than the data's */
    s.control = type;
    return s;
}

/* An answer of version 11 for one partition. */
struct Answer {
    std::string records;
    std::string aborted;
    kb_fetched fetched = {};

    explicit Answer(const std::vector<Shape> &shapes,
                    const std::vector<std::pair<int64_t, int64_t>> &txns = {})
    {
        for (auto &s : shapes)
            records += make_batch(s);
        for (auto &t : txns) {
            uint8_t raw[16];

            kb_store_be64(raw, (uint64_t)t.first);
            kb_store_be64(raw + 8, (uint64_t)t.second);
            aborted.append((const char *)raw, sizeof raw);
        }
        Point();
        fetched.aborted_count = txns.size();
    }
    void Point()
    {
        fetched.records = (const uint8_t *)records.data();
        fetched.records_len = records.size();
        fetched.aborted = (const uint8_t *)aborted.data();
        fetched.aborted_len = aborted.size();
        fetched.version = 11;
    }
};

} // namespace kbt

#endif

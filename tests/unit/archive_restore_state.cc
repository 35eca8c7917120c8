// SPDX-License-Identifier: Apache-2.0
// archive_restore_state.cc - a restore's checkpoint and its map.
#include "archive_harness.h"

extern "C" {
#include "archive/restore_state.h"
}

namespace
{

using kbt::Error;
using kbt::Store;

class State
{
  public:
    State()
    {
        kb_restore_state_init(&s);
    }
    State(const State &) = delete;
    ~State()
    {
        kb_restore_state_release(&s);
    }
    int load(Store &store, const char *prefix = "r")
    {
        kb_restore_state_release(&s);
        return kb_restore_state_load(&s, store.session, prefix, &err);
    }
    int save(Store &store, const char *prefix = "r")
    {
        return kb_restore_state_save(&s, store.session, prefix, &err);
    }
    void fill()
    {
        s.backup_id = strdup("b");
        s.options_hash = strdup("abc");
        s.phase = KB_RESTORE_PRODUCE;
        s.began_ms = 17;
        for (int i = 0; i < 5; i++) {
            kb_restore_target *t = kb_restore_add_target(&s);

            t->topic = strdup("orders");
            t->topic_id = kbt::uuid(static_cast<uint8_t>(i));
            t->partition = i;
            t->producer_id = 4000 + i;
            t->producer_epoch = static_cast<int16_t>(i);
            t->start_offset = 0;
            t->next_offset = INT64_MAX - i;
            t->next_sequence = INT32_MAX;
            t->records = 12;
            kb_restore_source *o = kb_restore_add_source(&s);
            o->topic = strdup("from");
            o->partition = i;
            o->target = static_cast<uint32_t>(i);
            o->next_offset = 5;
            o->end_offset = 9;
        }
        kb_restore_config *c = kb_restore_add_config(&s);
        c->topic = strdup("orders");
        c->name = strdup("retention.ms");
        c->value = strdup("60\"000");
        c = kb_restore_add_config(&s);
        c->topic = strdup("orders");
        c->name = strdup("cleanup.policy");
        c->put_back = true;
    }
    kb_restore_state s;
    Error err;
};

TEST(ArchiveRestoreState, ComesBackAsItWasSaved)
{
    Store store;
    State out;
    State in;

    EXPECT_EQ(KBP_ERR_NOT_FOUND, in.load(store));
    out.fill();
    ASSERT_EQ(KBP_OK, out.save(store)) << out.err.text();
    ASSERT_EQ(KBP_OK, out.save(store)) << out.err.text();
    ASSERT_EQ(KBP_OK, in.load(store)) << in.err.text();
    EXPECT_EQ(KB_RESTORE_PRODUCE, in.s.phase);
    EXPECT_STREQ("b", in.s.backup_id);
    EXPECT_STREQ("abc", in.s.options_hash);
    EXPECT_EQ(nullptr, in.s.cluster_id);
    EXPECT_EQ(17, in.s.began_ms);
    ASSERT_EQ(5u, in.s.target_count);
    EXPECT_EQ(4003, in.s.targets[3].producer_id);
    EXPECT_EQ(INT64_MAX - 3, in.s.targets[3].next_offset);
    EXPECT_EQ(INT32_MAX, in.s.targets[3].next_sequence);
    EXPECT_EQ(3, in.s.targets[3].topic_id.bytes[15]);
    EXPECT_EQ(12u, in.s.targets[3].records);
    EXPECT_EQ(9, in.s.sources[4].end_offset);
    ASSERT_EQ(2u, in.s.config_count);
    EXPECT_STREQ("60\"000", in.s.configs[0].value);
    EXPECT_EQ(nullptr, in.s.configs[1].value);
    EXPECT_TRUE(in.s.configs[1].put_back);
    /* What was loaded can be saved on; what is older can't any more. */
    EXPECT_EQ(KBP_OK, in.save(store)) << in.err.text();
    EXPECT_EQ(KBP_ERR_CONFLICT, out.save(store));
    EXPECT_NE(std::string::npos, out.err.text().find("r/state.json"));
}

TEST(ArchiveRestoreState, DamageIsFound)
{
    Store store;
    State out;

    out.fill();
    ASSERT_EQ(KBP_OK, out.save(store));
    std::string good = store.get("r/state.json");
    for (size_t len = 0; len + 2 < good.size(); len++) {
        State in;

        store.put("r/state.json", good.substr(0, len));
        EXPECT_EQ(KBP_ERR_CORRUPT, in.load(store)) << len;
    }
    State in;
    std::string other = good;
    other.replace(other.find("\"target\":4"), 10, "\"target\":5");
    store.put("r/state.json", other);
    EXPECT_EQ(KBP_ERR_CORRUPT, in.load(store));
    store.put("r/state.json", "{\"format_version\":3}");
    EXPECT_EQ(KBP_ERR_UNSUPPORTED, in.load(store));
}

int collect(void *data, const kb_map_run *run, kbp_error *)
{
    static_cast<std::vector<kb_map_run> *>(data)->push_back(*run);
    return KBP_OK;
}

TEST(ArchiveRestoreState, TheMapJoinsRunsAndOnlyCountedPartsAreRead)
{
    Store store;
    State state;
    kb_map map{};
    std::vector<kb_map_run> runs;
    auto add = [&](uint32_t source, int64_t from, int64_t to, int64_t len) {
        kb_map_run run{source, from, to, len, from, from + len};

        EXPECT_EQ(KBP_OK, kb_map_add(&map, &run, &state.err));
    };

    state.fill();
    add(0, 10, 0, 5);
    add(1, 0, 0, 5);
    add(0, 15, 5, 5); // goes on
    add(0, 21, 10, 5);
    EXPECT_EQ(3u, map.count);
    ASSERT_EQ(KBP_OK,
              kb_map_flush(&map, &state.s, store.session, "r", &state.err));
    EXPECT_EQ(0u, map.count);
    ASSERT_EQ(KBP_OK, state.save(store));
    add(0, 26, 15, 1);
    ASSERT_EQ(KBP_OK,
              kb_map_flush(&map, &state.s, store.session, "r", &state.err));
    /* Killed before the state that counts the second part was saved. */
    ASSERT_EQ(KBP_OK, state.load(store)) << state.err.text();
    EXPECT_EQ(1u, state.s.map_parts);
    add(0, 26, 15, 2);
    ASSERT_EQ(KBP_OK,
              kb_map_flush(&map, &state.s, store.session, "r", &state.err));
    ASSERT_EQ(KBP_OK, kb_map_each(&state.s, store.session, "r", collect, &runs,
                                  &state.err))
        << state.err.text();
    ASSERT_EQ(4u, runs.size());
    EXPECT_EQ(10, runs[0].source_start);
    EXPECT_EQ(10, runs[0].len);
    EXPECT_EQ(20, runs[0].last_timestamp);
    EXPECT_EQ(26, runs[3].source_start);
    EXPECT_EQ(2, runs[3].len);

    ASSERT_EQ(KBP_OK, kb_restore_state_remove(store.session, "r", &state.err));
    EXPECT_TRUE(store.keys().empty());
    kb_map_release(&map);
}

} // namespace

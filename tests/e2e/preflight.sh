#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# preflight.sh - what a dry run finds before anything is written: each of its
# checks, against a real broker; and that a restore refuses the same.
. "$(dirname "$0")/../lib/lib.sh"

DAY=86400000
NOW=$(($(date +%s) * 1000))
OLD=$((NOW - 30 * DAY))

suite_setup() {
    kafka_new k "$KAFKA_4"
    kafka_start k
}

B() { kafka_addr k; }

archive() { # TOPIC KEY=VALUE...
    mkdir -p "$KB_WORK/store"
    "$KB_BUILD/bin/make_archive" "$KB_BUILD/lib/kafka-backup/plugins" \
        "$KB_WORK/store" "$1" topic="$1" "${@:2}" || fail "make_archive $1"
}

existing() { # TOPIC PARTITIONS [CONFIG,...]
    client create -b "$(B)" "$1" "$2" ${3:+--config "$3"} >/dev/null ||
        fail "$1 can't be created"
}

# look CODE TOPIC [KEY=VALUE...]: its dry run; what it said is in $SAID. The
# target has no more topics than before.
look() {
    local code=$1 topic=$2
    shift 2
    restore_yaml "$KB_WORK/$topic.yaml" id="$topic" broker="$(B)" "$@"
    SAID=$KB_WORK/$topic.err
    kb_run "$code" "$topic" validate-restore -c "$KB_WORK/$topic.yaml" -f json
}

said() { assert_matches "the dry run" "$SAID" "$1"; }

# One that nobody knows; and wrong values, of one that is set at once and of one
# that is held back.
case_unknown_configs() {
    archive unknown partitions=1 records=10 time=now \
        config=no.such.config=1,segment.ms=-7,compression.type=brotli,delete.retention.ms=77777
    look 0 unknown create_topics=true
    said "no.such.config=1 is left out"
    said "segment.ms=-7 is left out"
    said "compression.type=brotli will be left off"
    assert_lacks "the dry run" "$SAID" delete.retention.ms
    client topics -b "$(B)" >"$KB_WORK/topics"
    assert_lacks "the target" "$KB_WORK/topics" unknown
    kb_run 0 unknown-real restore -c "$KB_WORK/unknown.yaml"
    client configs -b "$(B)" unknown >"$KB_WORK/configs"
    assert_contains "configs" "$KB_WORK/configs" delete.retention.ms=77777
    assert_lacks "configs" "$KB_WORK/configs" segment.ms
    assert_matches "the log" "$KB_WORK/unknown-real.err" \
        "compression.type=brotli is left off"
    assert_lacks "configs" "$KB_WORK/configs" brotli
    client verify -b "$(B)" unknown --records 10
}

case_replication_factor() {
    archive rf partitions=1 records=10 time=now
    look $KB_INVALID rf create_topics=true default_replication_factor=3
    said "replication factor 3"
    kb_run $KB_FAILED rf-real restore -c "$KB_WORK/rf.yaml"
    look 0 rf create_topics=true default_replication_factor=1
    look $KB_INVALID rf
    said "restore.create_topics"
}

case_min_insync_replicas() {
    archive insync partitions=1 records=10 time=now \
        config=min.insync.replicas=2
    look 0 insync create_topics=true
    said "min.insync.replicas=2 is more than its 1 replicas"
    existing insync 1 min.insync.replicas=2
    look $KB_INVALID insync
    said "min.insync.replicas=2 is more than its 1 replicas"
    kb_run $KB_FAILED insync-real restore -c "$KB_WORK/insync.yaml"
}

case_largest_batch() {
    archive large partitions=1 records=200 batch=200 bytes=10000 time=now
    existing large 1 segment.bytes=1048576
    look $KB_INVALID large
    said "largest batch has 20[0-9]* bytes, its segment.bytes is 1048576"
    client set-config -b "$(B)" large segment.bytes=10485760 \
        max.message.bytes=1000000
    look $KB_INVALID large
    said "largest batch has 20[0-9]* bytes, its max.message.bytes is 1000000"
    # and one that is created gets room for it
    look 0 large create_topics=true map=large=large.made
}

case_records_without_a_key() {
    # only the last has none, in the last of some frames
    archive keyless partitions=1 records=3000 keyless=3000 start=7 \
        batch=100 frame=20000 time=now
    archive keyed partitions=1 records=100 time=now
    archive packed partitions=1 records=100 time=now \
        config=cleanup.policy=compact
    existing keyless 1 cleanup.policy=compact
    existing keyed 1 cleanup.policy=compact
    existing packed 1 cleanup.policy=compact
    # it wasn't compacted in the backup
    look $KB_INVALID keyed
    said "its cleanup.policy is compact, which it wasn't in the backup"
    assert_lacks "the dry run" "$SAID" "without a key"
    kb_run $KB_FAILED keyed-real restore -c "$KB_WORK/keyed.yaml"
    look 0 keyed allow_config_drift=true
    kb_run 0 keyed-real restore -c "$KB_WORK/keyed.yaml"
    client verify -b "$(B)" keyed --records 100
    # nor may it be without keys, whatever one allows
    look $KB_INVALID keyless allow_config_drift=true
    said "no records without a key, as that of keyless/0 at offset 3006"
    # a restore looks at the beginning only, and comes to know it from the broker
    kb_run $KB_INCOMPLETE keyless-real restore -c "$KB_WORK/keyless.yaml"
    assert_matches "the log" "$KB_WORK/keyless-real.err" \
        "INVALID_RECORD.*takes no records without a key"
    # it was compacted: then the target may be
    look 0 packed
    said "it is compacted, as it was in the backup"
    kb_run 0 packed-real restore -c "$KB_WORK/packed.yaml"
    client verify -b "$(B)" packed --records 100
    # one that is going to be
    look 0 keyless create_topics=true map=keyless=keyless.made \
        topic_config_overrides='{cleanup.policy: compact}'
    said "records have no key.*the log cleaner will remove them"
}

case_times_against_limits() {
    archive future partitions=1 records=10 time=$((NOW + 30 * DAY))
    archive past partitions=1 records=10 time=$OLD
    existing future 1 message.timestamp.after.max.ms=$DAY,retention.ms=-1
    look $KB_INVALID future allow_config_drift=true
    said "message.timestamp.after.max.ms=$DAY refuses"
    existing past 1 message.timestamp.before.max.ms=$DAY,retention.ms=-1
    look $KB_INVALID past allow_config_drift=true
    said "message.timestamp.before.max.ms .* of $DAY refuses"
    client set-config -b "$(B)" past message.timestamp.type=LogAppendTime \
        message.timestamp.before.max.ms=9223372036854775807
    look $KB_INVALID past
    said "LogAppendTime: every record's time would be replaced"
    look 0 past allow_config_drift=true
    look 0 future create_topics=true map=future=future.made
    look 0 past create_topics=true map=past=past.made
}

case_times_against_retention() {
    archive aged partitions=2 records=500 time=$OLD config=retention.ms=$DAY
    existing aged 2 retention.ms=$DAY
    look $KB_INVALID aged
    said "its retention.ms=$DAY would delete records.* 7[12][0-9] hours old"
    look 0 aged allow_config_drift=true
    client set-config -b "$(B)" aged retention.ms=-1 retention.bytes=20000
    look $KB_INVALID aged
    said "its retention.bytes=20000 would delete records"
    # of those that are created: safe, or as one wants it
    look 0 aged create_topics=true map=aged=aged.made
    said "retention.ms=$DAY will be left off"
    look 0 aged create_topics=true map=aged=aged.made retention=captured
    said "retention.ms=$DAY, put back in the end, will delete"
    look 0 aged create_topics=true map=aged=aged.made retention=3650d
    assert_lacks "the dry run" "$SAID" retention
}

# What a window leaves out is neither too old nor too new.
case_window_against_times() {
    # a record a day: from 30 days ago to 30 days from now, in one extent
    archive window partitions=1 records=61 batch=61 time=$OLD step=$DAY \
        config=retention.ms=$((3 * DAY))
    existing window 1 \
        message.timestamp.after.max.ms=$((5 * DAY)),retention.ms=$((5 * DAY))
    look $KB_INVALID window
    said "retention.ms=$((5 * DAY)) would delete"
    said "after.max.ms=$((5 * DAY)) refuses"
    look 0 window time_window_start=$((NOW - 2 * DAY)) \
        time_window_end=$((NOW + 2 * DAY))
    kb_run 0 window-real restore -c "$KB_WORK/window.yaml"
    # nor is its retention left off for them
    look 0 window create_topics=true map=window=window.made \
        time_window_start=$((NOW - 2 * DAY)) time_window_end=$((NOW + 2 * DAY))
    assert_lacks "the dry run" "$SAID" "left off"
    kb_run 0 window-made restore -c "$KB_WORK/window.yaml"
    client configs -b "$(B)" window.made >"$KB_WORK/configs"
    assert_contains "configs" "$KB_WORK/configs" retention.ms=$((3 * DAY))
}

groups_are() { # JSON
    assert_eq "what is said of groups" "$1" "$(python3 -c 'import json, sys
print(json.dumps(json.load(open(sys.argv[1]))["consumer_offset_actions"]))' \
        "$KB_WORK/groups.out")"
}

case_consumer_groups() {
    local member options=(create_topics=true reset_consumer_offsets=true)
    archive groups partitions=2 records=100 time=now group=readers@50
    look 0 groups "${options[@]}" consumer_groups='[readers, raeders]' \
        group_mapping='{readers: writers}'
    said "group raeders: the backup has no offsets of it"
    assert_lacks "the dry run" "$SAID" "has members"
    groups_are '["group readers: commit 2 offsets as writers"]'
    look $KB_INVALID groups "${options[@]}" consumer_groups='[raeders]'
    said "no captured group is among those asked for"
    existing other 1
    client member -b "$(B)" readers other --until "$KB_WORK/leave" \
        >"$KB_WORK/member" 2>&1 </dev/null &
    member=$!
    wait_until 60 grep -qs joined "$KB_WORK/member" || fail "no member"
    look 0 groups "${options[@]}" consumer_groups='[readers]' \
        source_partitions='[1]'
    said "group readers has members in the target"
    groups_are '["group readers: commit 1 offsets"]'
    touch "$KB_WORK/leave"
    wait $member
}

# All that is wrong is said at once, and a restore refuses the same.
case_all_reasons_at_once() {
    archive all partitions=2 records=100 batch=100 bytes=20000 time=$OLD
    existing all 1 max.message.bytes=500000,segment.bytes=1048576,retention.ms=$DAY,message.timestamp.before.max.ms=$DAY,cleanup.policy=delete
    client load -b "$(B)" all --partitions 1 --records 1
    look $KB_INVALID all
    said "it has 1 partitions, needed are 2"
    said "it isn't empty .restore.allow_non_empty: true"
    said "its max.message.bytes is 500000"
    said "its segment.bytes is 1048576"
    said "its retention.ms=$DAY would delete .*restore.allow_config_drift: true"
    said "message.timestamp.before.max.ms .* of $DAY refuses"
    assert_eq "errors" 6 "$(python3 -c 'import json, sys
print(len(json.load(open(sys.argv[1]))["errors"]))' "$KB_WORK/all.out")"
    kb_run $KB_FAILED all-real restore -c "$KB_WORK/all.yaml"
    assert_contains "the log" "$KB_WORK/all-real.err" "and more, see above"
    look $KB_INVALID all allow_non_empty=true allow_config_drift=true
    assert_eq "errors that none allows" 4 "$(python3 -c 'import json, sys
print(len(json.load(open(sys.argv[1]))["errors"]))' "$KB_WORK/all.out")"
}

case_targets_that_are_not_empty() {
    archive full partitions=2 records=10 time=now
    existing full 1
    client load -b "$(B)" full --partitions 1 --records 1
    look $KB_INVALID full
    said "it isn't empty"
    said "it has 1 partitions, needed are 2"
    kb_run $KB_FAILED full-real restore -c "$KB_WORK/full.yaml"
    look 0 full source_partitions='[0]' allow_non_empty=true
    kb_run 0 full-real restore -c "$KB_WORK/full.yaml"
    assert_eq "records" $'full\t0\t0\t11' "$(client ends -b "$(B)" full)"
    look 0 full source_partitions='[0]' purge_topics=true
    said "deleted first"
}

suite_main "$@"

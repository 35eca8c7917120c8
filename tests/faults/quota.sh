#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# quota.sh - a broker that throttles our client to a small part of what it
# would take: slower, and nothing else.
. "$(dirname "$0")/../lib/lib.sh"

RECORDS=6000 PARTITIONS=4

suite_setup() {
    local b
    kafka_new k "$KAFKA_4" quota.window.num=4 quota.window.size.seconds=1
    kafka_start k
    b=$(kafka_addr k)
    # some 24 MB
    client load -b "$b" data --partitions $PARTITIONS --records $RECORDS \
        --size 1000 --batch 100
    backup_yaml "$KB_WORK/free.yaml" id=free broker="$b" include=data
    kb_run 0 free backup -c "$KB_WORK/free.yaml"
}

timed() { # LABEL ARGS...: seconds into TOOK
    local began=$SECONDS
    kb_run 0 "$@"
    TOOK=$((SECONDS - began))
}

case_backup() {
    local b
    b=$(kafka_addr k)
    client quota -b "$b" kb-quota 0 3000000
    backup_yaml "$KB_WORK/b.yaml" id=throttled broker="$b" include=data \
        client_id=kb-quota connection="request_timeout: 5s"
    timed b backup -c "$KB_WORK/b.yaml"
    note "24 MB at 3 MB/s: $TOOK s"
    assert_at_least "seconds that the throttled backup took" 4 "$TOOK"
    validate_deep throttled
    restore_yaml "$KB_WORK/r.yaml" id=throttled broker="$b" \
        create_topics=true map=data=from.throttled
    kb_run 0 r restore -c "$KB_WORK/r.yaml"
    client verify -b "$b" from.throttled --records $RECORDS
}

case_restore() {
    local b
    b=$(kafka_addr k)
    client quota -b "$b" kb-quota 3000000 0
    restore_yaml "$KB_WORK/r.yaml" id=free broker="$b" create_topics=true \
        map=data=throttled client_id=kb-quota \
        connection="request_timeout: 5s"
    timed r restore -c "$KB_WORK/r.yaml"
    note "24 MB at 3 MB/s: $TOOK s"
    assert_at_least "seconds that the throttled restore took" 4 "$TOOK"
    client verify -b "$b" throttled --records $RECORDS
}

# A batch that is larger than the quota allows in all of its window never
# comes: that is said, with what to do, and the others come all the same.  With a
# client id of its own: what the other cases moved would count for minutes.
case_batch_larger_than_the_quota() {
    local b
    b=$(kafka_addr k)
    client load -b "$b" wide --records 2 --size 1000000 --batch 1 \
        --config max.message.bytes=2000000
    client load -b "$b" slim --partitions 3 --records 60 --size 1000 --batch 5
    client quota -b "$b" kb-small-quota 0 100000
    backup_yaml "$KB_WORK/w.yaml" id=wide broker="$b" include=wide,slim \
        client_id=kb-small-quota stall_timeout=8s
    kb_run $KB_INCOMPLETE w backup -c "$KB_WORK/w.yaml" -f json
    assert_matches "the log" "$KB_WORK/w.err" \
        'wide/0: .*nothing came at offset 0: .*consumer_byte_rate of client id "kb-small-quota".*for [0-9.]+ m?s as it said last.*raise it'
    assert_eq "records" 180 "$(json_at "$KB_WORK/w.out" records)"
    client quota -b "$b" kb-small-quota 0 0
    kb_run 0 w2 backup -c "$KB_WORK/w.yaml" -f json
    assert_eq "records without the quota" 2 \
        "$(json_at "$KB_WORK/w2.out" records)"
    validate_deep wide
}

# A quota that is lowered by much while the broker counts what came before: it
# says for how long it will be silent, and that is no stall.
case_lowered_quota_is_no_stall() {
    local b
    b=$(kafka_addr k)
    client quota -b "$b" kb-lowered 0 3000000
    backup_yaml "$KB_WORK/q.yaml" id=lowered broker="$b" include=data \
        client_id=kb-lowered stall_timeout=4s fetch_max_bytes=1MB
    kb_start q backup -v -c "$KB_WORK/q.yaml" -f json
    wait_until 60 grep -q "throttles client id" "$KB_WORK/q.err"
    client quota -b "$b" kb-lowered 0 600000
    wait_until 60 grep -Eq \
        'throttles client id .*(for [0-9]{5,} ms|for the next [0-9]+)' \
        "$KB_WORK/q.err"
    client quota -b "$b" kb-lowered 0 0
    kb_end_with 0 q
    note "$(grep 'throttles' "$KB_WORK/q.err" | tail -1 | cut -c26-)"
    assert_eq "records" $((RECORDS * PARTITIONS)) "$(json_at "$KB_WORK/q.out" records)"
    validate_deep lowered
}

# Our own limit is no stall, though a wait for it takes much longer than one.
case_own_limit_is_no_stall() {
    local b
    b=$(kafka_addr k)
    client load -b "$b" limited --partitions 2 --records 4 --size 600000 \
        --batch 1
    backup_yaml "$KB_WORK/l.yaml" id=limited broker="$b" include=limited \
        rate_limit_bytes_per_sec=400kB stall_timeout=1s fetch_max_bytes=3MB
    kb_run 0 l backup -c "$KB_WORK/l.yaml" -f json
    assert_eq "records" 8 "$(json_at "$KB_WORK/l.out" records)"
    validate_deep limited
}

suite_main "$@"

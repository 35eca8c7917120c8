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
        'wide/0: .*nothing came at offset 0: .*consumer_byte_rate of client id "kb-small-quota".*raise it'
    assert_eq "records" 180 "$(json_at "$KB_WORK/w.out" records)"
    client quota -b "$b" kb-small-quota 0 0
    kb_run 0 w2 backup -c "$KB_WORK/w.yaml" -f json
    assert_eq "records without the quota" 2 \
        "$(json_at "$KB_WORK/w2.out" records)"
    validate_deep wide
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

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

suite_main "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# races.sh - whole runs under ThreadSanitizer: what it finds ends the program
# with 66, which is no code of its own.
KB_BUILD=$(cd "$(dirname "$0")/../.." && pwd)/build/tsan
. "$(dirname "$0")/../lib/lib.sh"

TOPICS=(mixed codecs txn-interleaved headers)

suite_setup() {
    [ -x "$KB_BIN" ] || return 0
    kafka_new k "$KAFKA_4"
    kafka_start k
    client fill -b "$(kafka_addr k)" "${TOPICS[@]}" >/dev/null 2>&1
    client load -b "$(kafka_addr k)" ones --partitions 40 --records 200 --batch 1
    client commit -b "$(kafka_addr k)" readers ones:0=100
}

# tests/run builds it for the unit tests.
need_build() {
    [ -x "$KB_BIN" ] || skip "there is no build/tsan; tests/run tsan makes it"
}

scraped() { # NAME
    curl -fsS --max-time 10 "$(kb_metrics_url "$1")/metrics" >/dev/null &&
        curl -s --max-time 10 "$(kb_metrics_url "$1")/health" >/dev/null
}

store_has() { # ID RECORDS
    [ -d "$KB_WORK/store/$1" ] && kb describe -p "$KB_WORK/store" -b "$1" \
        -f json >"$KB_WORK/described" 2>/dev/null && python3 -c 'import json, sys
sys.exit(json.load(open(sys.argv[1]))["summary"]["records"] != int(sys.argv[2]))' \
        "$KB_WORK/described" "$2"
}

case_backup_and_restore() {
    local b
    need_build
    b=$(kafka_addr k)
    backup_yaml "$KB_WORK/b.yaml" id=b broker="$b" compression=zstd \
        include='mixed,codec-*,txn-*,headers,ones' memory_limit=32MiB \
        segment_max_bytes=256KiB
    kb_run 0 b backup -c "$KB_WORK/b.yaml"
    validate_deep b
    restore_yaml "$KB_WORK/r.yaml" id=b broker="$b" create_topics=true \
        map=mixed=r.mixed,headers=r.headers,txn-interleaved=r.txn,ones=r.ones \
        include=mixed,headers,txn-interleaved,ones \
        reset_consumer_offsets=true consumer_groups='["readers"]' \
        group_mapping='{"readers": "r.readers"}'
    kb_run 0 r restore -c "$KB_WORK/r.yaml"
    client compare -b "$b" mixed=r.mixed headers=r.headers \
        txn-interleaved=r.txn ones=r.ones
}

case_while_the_broker_restarts() {
    local b
    need_build
    b=$(kafka_addr k)
    backup_yaml "$KB_WORK/c.yaml" id=c broker="$b" include='ones,late*' \
        continuous=true commit_interval=300ms discovery_interval=500ms \
        consumer_group_snapshot=true
    printf 'metrics: {port: 0, update_interval_ms: 100}\n' >>"$KB_WORK/c.yaml"
    kb_start c backup -c "$KB_WORK/c.yaml"
    wait_until 60 store_has c 8000
    scraped c || fail "no metrics"
    client load -b "$b" late.1 --partitions 3 --records 300
    kafka_restart k kill
    client load -b "$b" late.2 --partitions 3 --records 300
    scraped c || fail "no metrics"
    wait_until 60 store_has c 9800
    proc_signal c TERM
    kb_end_with "$KB_INTERRUPTED" c 60
    restore_yaml "$KB_WORK/cr.yaml" id=c broker="$b" create_topics=true \
        map=ones=c.ones,late.1=c.late1 include=ones,late.1 \
        rate_limit_records_per_sec=2500
    kb_start cr restore -c "$KB_WORK/cr.yaml"
    sleep 1
    kafka_restart k kill
    kb_end_with 0 cr 120
    client compare -b "$b" ones=c.ones late.1=c.late1
}

suite_main "$@"

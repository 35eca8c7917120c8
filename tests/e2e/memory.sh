#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# memory.sh - many partitions and huge records stay within memory_limit and
# 128 MiB beside it; quiet partitions make few objects.
. "$(dirname "$0")/../lib/lib.sh"

PARTITIONS=2000
LIMIT_MIB=96

suite_setup() {
    local b
    KAFKA_HEAP=1g kafka_new k "$KAFKA_4"
    KAFKA_HEAP=1g kafka_start k
    b=$(kafka_addr k)
    client load -b "$b" wide --partitions $PARTITIONS --records 20 --batch 20 \
        --size 500
    client load -b "$b" huge --partitions 4 --records 6 --batch 1 \
        --size 10000000 --config max.message.bytes=20000000
}

# measured LABEL ARGS...: runs it to success; PEAK_MIB is its largest size
measured() {
    local label=$1
    shift
    python3 - "$KB_WORK/peak" "$KB_BIN" "$@" >"$KB_WORK/$label.out" \
        2>"$KB_WORK/$label.err" <<'PY' || { kb_show "$label"
import resource, subprocess, sys
code = subprocess.run(sys.argv[2:], timeout=300).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
open(sys.argv[1], "w").write("%d\n" % peak)
sys.exit(code)
PY
        fail "$label: exit code not 0: $(tail -1 "$KB_WORK/$label.err")"; }
    PEAK_MIB=$(cat "$KB_WORK/peak")
    note "$label: $PEAK_MIB MiB at most (memory_limit $LIMIT_MIB MiB)"
    case $KB_BUILD in *asan* | *tsan*) return 0 ;; esac
    assert_at_most "MiB resident of $label" $((LIMIT_MIB + 128)) "$PEAK_MIB"
}

case_backup() {
    backup_yaml "$KB_WORK/b.yaml" id=m broker="$(kafka_addr k)" \
        include=wide,huge memory_limit=${LIMIT_MIB}MiB
    measured backup backup -c "$KB_WORK/b.yaml"
    assert_at_most "objects of the backup" 60 \
        "$(find "$KB_WORK/store/m" -type f | wc -l)"
    measured validate validate --deep -p "$KB_WORK/store" -b m
}

case_restore() {
    [ -e "$KB_WORK/store/m/manifest.json" ] || skip "there is no backup"
    restore_yaml "$KB_WORK/r.yaml" id=m broker="$(kafka_addr k)" \
        create_topics=true memory_limit=${LIMIT_MIB}MiB \
        map=wide=r.wide,huge=r.huge
    measured restore restore -c "$KB_WORK/r.yaml"
    CLIENT_HEAP=1g client compare -b "$(kafka_addr k)" \
        --min $((PARTITIONS * 20 + 24)) wide=r.wide huge=r.huge
}

quiet_records() { # of what is committed; nothing at first
    "$KB_BIN" describe -p "$KB_WORK/store" -b q -f json 2>/dev/null |
        sed -n '/"summary"/,/}/s/.*"records": *\([0-9]*\).*/\1/p' | head -1
}

quiet_has() { [ "$(quiet_records)" = "$1" ]; }

# 2,000 partitions that get a record now and then: a commit makes a handful of
# objects, not one for each partition.
case_quiet_partitions_make_few_objects() {
    local i before after began
    backup_yaml "$KB_WORK/q.yaml" id=q broker="$(kafka_addr k)" include=wide \
        continuous=true commit_interval=1s memory_limit=${LIMIT_MIB}MiB
    kb_start quiet backup -c "$KB_WORK/q.yaml"
    wait_until 60 quiet_has $((20 * PARTITIONS)) ||
        fail "the topic as it was: $(quiet_records)"
    before=$(find "$KB_WORK/store/q" -type f | wc -l)
    began=$SECONDS
    for i in 0 1 2; do
        client load -b "$(kafka_addr k)" wide --partitions $PARTITIONS \
            --records 1 --batch 1 --start $((20 + i))
        sleep 2
    done
    wait_until 60 quiet_has $((23 * PARTITIONS)) ||
        fail "three more in each partition: $(quiet_records)"
    after=$(find "$KB_WORK/store/q" -type f | wc -l)
    local took=$((SECONDS - began))
    proc_signal quiet TERM
    kb_end_with $KB_INTERRUPTED quiet 60
    note "$before objects, and $after after $took s and 6,000 records more"
    # A segment for each second's commit; their entries are in few objects.
    assert_at_most "objects for 6,000 records in 2,000 partitions" \
        $((10 + took)) $((after - before))
    validate_deep q
}

suite_main "$@"

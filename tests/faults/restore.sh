#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# restore.sh - restores that are killed, interrupted, and lose answers, brokers
# and leaders: each record is there once and in order in the end.
#
# Archives are made without a broker (make_archive), with records of now, of 30
# days ago and with timestamps 0 and -1; brokers forget producers every second,
# so that idempotence alone would not be enough.
#
#   KB_KILLS=N   how often the product is killed in each case of kill -9
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lib.sh"

[ -z "${KB_LONG:-}" ] || KB_KILLS=${KB_KILLS:-25}
KB_KILLS=${KB_KILLS:-6}
MAKE=$KB_BUILD/bin/make_archive
PLUGINS=$KB_BUILD/lib/kafka-backup/plugins
FORGET=producer.id.expiration.check.interval.ms=1000
OLD=$((($(date +%s) - 30 * 86400) * 1000))

suite_setup() {
    kafka_new k "${KB_RESTORE_KAFKA:-$KAFKA_4}" $FORGET
    kafka_start k
}

suite_teardown() { kafka_stop k; }

archive() { # TOPIC KEY=VALUE...
    local topic=$1
    shift
    mkdir -p "$KB_WORK/store"
    "$MAKE" "$PLUGINS" "$KB_WORK/store" "$topic" topic="$topic" "$@" ||
        fail "make_archive $topic"
}

config() { # TOPIC BOOTSTRAP [EXTRA...]: more of restore:, one a line
    local topic=$1 address=$2
    shift 2
    cat <<X
mode: restore
backup_id: $topic
target:
  bootstrap_servers: ["${address//,/\", \"}"]
  connection:
    request_timeout: ${REQUEST_TIMEOUT:-5s}
    broker_overrides: {${OVERRIDE:-}}
storage: {backend: filesystem, path: $KB_WORK/store}
restore:
  create_topics: true
  produce_timeout_ms: 3000
X
    [ $# -eq 0 ] || printf '  %s\n' "$@"
}

# start TOPIC BOOTSTRAP [EXTRA...]: in the background, as process "restore"
start() {
    config "$@" >"$KB_WORK/$1.yaml"
    launch "$1"
}

launch() { # TOPIC: again, with the same configuration
    "$KB_BIN" --plugin-dir "$PLUGINS" restore -c "$KB_WORK/$1.yaml" -f json \
        -v >"$KB_WORK/$1.json" 2>>"$KB_WORK/$1.log" </dev/null &
    RESTORE=$!
    TOPIC=$1
    proc_add restore $RESTORE
}

finish() { # CODE: wait for it, and for this exit code
    local status=0
    wait $RESTORE || status=$?
    rm -f "$KB_WORK/pids/restore"
    [ "$status" = "$1" ] || {
        tail -20 "$KB_WORK/$TOPIC.log" >&2
        fail "restore: exit code $status, wanted $1"
    }
}

running() { proc_pid restore >/dev/null; }

# Partition 0 has that many records at least.
reached() { # TOPIC RECORDS
    local node addresses=()
    for node in ${NODES:-${NODE:-k}}; do addresses+=("$(kafka_addr "$node")"); done
    [ "$(python3 "$KB_LIB/log_end.py" "$1" 0 "${addresses[@]}")" -ge "$2" ]
}

# While it stands still: what is done to it in the middle takes its time.
hold() { kill -STOP $RESTORE; }
go_on() { kill -CONT $RESTORE; }

once_in_order() { # TOPIC PARTITIONS RECORDS
    client verify -b "$(kafka_addr "${NODE:-k}")" "$1" --partitions "$2" \
        --records "$3" || fail "$1: not each record once and in order"
}

# Kill it again and again, KB_KILLS times in all or until it is done.
kill_until_done() { # TOPIC
    local n
    for ((n = 1; n <= KB_KILLS; n++)); do
        launch "$1"
        sleep "$(python3 -c 'import random; print(random.uniform(.05, 2.5))')"
        if ! running; then
            finish 0
            return
        fi
        kill -9 $RESTORE
        wait $RESTORE 2>/dev/null || true
    done
    launch "$1"
    finish 0
}

killed_with_time() { # NAME TIME
    archive "$1" partitions=4 records=60000 codec=3 time="$2" batch=150
    config "$1" "$(kafka_addr "${NODE:-k}")" \
        "rate_limit_bytes_per_sec: 2MB" >"$KB_WORK/$1.yaml"
    kill_until_done "$1"
    once_in_order "$1" 4 60000
    client delete -b "$(kafka_addr "${NODE:-k}")" "$1"
}

case_killed_records_of_today() { killed_with_time kill-now now; }
case_killed_records_of_30_days_ago() { killed_with_time kill-old "$OLD"; }
case_killed_records_at_0() { killed_with_time kill-zero 0; }
case_killed_records_without_time() { killed_with_time kill-none -1; }

case_killed_with_holes_and_small_batches() {
    archive kill-holes partitions=2 records=40000 batch=3 holes=7 time="$OLD"
    config kill-holes "$(kafka_addr k)" "rate_limit_bytes_per_sec: 2MB" \
        >"$KB_WORK/kill-holes.yaml"
    kill_until_done kill-holes
    once_in_order kill-holes 2 40000
}

# A restore behind a proxy, slow enough to be hit in the middle.
behind_proxy() { # TOPIC TIME
    archive "$1" partitions=4 records=60000 time="$2" batch=100
    proxy_start "${NODE:-k}"
    start "$1" "$(kafka_proxied "${NODE:-k}")" "rate_limit_bytes_per_sec: 3MB"
    wait_until 30 reached "$1" 3000 || fail "it does not come to record 3000"
}

answers_lost() { # TOPIC TIME COMMAND...
    local topic=$1 time=$2
    shift 2
    behind_proxy "$topic" "$time"
    proxy_do "$@"
    sleep 3
    running && proxy_do "$@"
    finish 0
    proxy_stop
    once_in_order "$topic" 4 60000
    assert_matches "the log" "$KB_WORK/$topic.log" "to see what landed"
}

case_answers_cut_off_records_at_0() { answers_lost cut-zero 0 cut produce 2; }
case_answers_cut_off_old_records() { answers_lost cut-old "$OLD" cut produce 3; }
case_answers_cut_off_new_records() { answers_lost cut-new now cut produce 2; }
case_requests_refused() { answers_lost refused "$OLD" refuse produce 2; }
case_answers_swallowed_old_records() {
    answers_lost swallow-old "$OLD" swallow produce 1
}
case_answers_swallowed_records_without_time() {
    answers_lost swallow-none -1 swallow produce 1
}
# It gives out no producer ids (a restore makes up its own), takes no config
# back, and any at creation. One broker for all of it: each costs a start.
case_kafka_2_8() {
    local NODE=k28 OVERRIDE='' KB_KILLS=$((KB_KILLS / 2)) b
    kafka_new k28 "$KAFKA_28" $FORGET
    kafka_start k28
    b=$(kafka_addr k28)
    archive configs-28 partitions=1 records=100 time=now \
        config=cleanup.policy=compact,retention.ms=86400000,message.timestamp.after.max.ms=3600000
    config configs-28 "$b" >"$KB_WORK/configs-28.yaml"
    # it would create them, though only asked whether it could
    kb_run 0 dry-28 validate-restore -c "$KB_WORK/configs-28.yaml"
    client topics -b "$b" >"$KB_WORK/topics"
    assert_lacks "topics after a dry run" "$KB_WORK/topics" configs-28
    start configs-28 "$b"
    finish 0
    client configs -b "$b" configs-28 >"$KB_WORK/configs"
    assert_contains "configs" "$KB_WORK/configs" cleanup.policy=compact
    assert_contains "configs" "$KB_WORK/configs" retention.ms=86400000
    assert_lacks "configs" "$KB_WORK/configs" "=null"
    assert_matches "the log" "$KB_WORK/configs-28.log" \
        "message.timestamp.after.max.ms=3600000 is left out"
    assert_contains "the log" "$KB_WORK/configs-28.log" \
        "acts on none that changes"
    # with what it sent in the last moments not in its checkpoint
    killed_with_time kill-28 "$OLD"
    # it advertises the port it listens on, whatever it is told
    OVERRIDE="\"$(kafka_behind k28)\": \"$(kafka_proxied k28)\""
    answers_lost swallow-28 "$OLD" swallow produce 1
    kafka_stop k28
}

case_answers_late() {
    behind_proxy late "$OLD"
    proxy_do delay produce 9000 2
    finish 0
    proxy_stop
    once_in_order late 4 60000
}

broker_restarted() { # TOPIC TIME [kill]
    archive "$1" partitions=4 records=80000 time="$2" batch=100
    start "$1" "$(kafka_addr k)" "rate_limit_bytes_per_sec: 4MB"
    wait_until 30 reached "$1" 3000 || fail "it does not come to record 3000"
    kafka_restart k ${3:-}
    finish 0
    once_in_order "$1" 4 80000
}

case_broker_killed_old_records() { broker_restarted broker-kill "$OLD" kill; }
case_broker_killed_records_at_0() { broker_restarted broker-zero 0 kill; }
case_broker_restarted_old_records() { broker_restarted broker-stop "$OLD"; }
case_broker_restarted_new_records() { broker_restarted broker-new now; }

case_leaders_move() {
    kafka_cluster c "$KAFKA_4" 3 $FORGET
    kafka_start_cluster c
    local NODE=c1 NODES="c1 c2 c3"
    # times from 1970 until now: a broker forgets some, and remembers others
    archive moves partitions=6 records=50000 time=0 batch=100 \
        step=$(($(date +%s) * 1000 / 50000))
    start moves "$(kafka_cluster_addr c)" "rate_limit_bytes_per_sec: 3MB" \
        "default_replication_factor: 3"
    wait_until 60 reached moves 2000 || fail "it does not come to record 2000"
    client move -b "$(kafka_addr c1)" 1 moves
    sleep 1
    client move -b "$(kafka_addr c1)" 2 moves
    sleep 1
    kafka_restart c2 kill
    finish 0
    once_in_order moves 6 50000
    kafka_stop c1 c2 c3
}

case_sigterm_then_again() {
    archive term partitions=4 records=60000 time="$OLD"
    start term "$(kafka_addr k)" "rate_limit_bytes_per_sec: 4MB"
    wait_until 30 reached term 3000 || fail "it does not come to record 3000"
    kill -TERM $RESTORE
    finish 5
    assert_contains "the report" "$KB_WORK/term.json" interrupted
    launch term
    finish 0
    once_in_order term 4 60000
}

case_somebody_else_writes() {
    archive foreign partitions=2 records=60000 time="$OLD"
    start foreign "$(kafka_addr k)" "rate_limit_bytes_per_sec: 2MB"
    wait_until 30 reached foreign 3000 || fail "it does not come to record 3000"
    hold
    client load -b "$(kafka_addr k)" foreign --partitions 1 --records 1
    go_on
    finish 3
    assert_matches "the log" "$KB_WORK/foreign.log" \
        "foreign/0.*(another producer|expected was)"
    # and again: it does not go on over it
    launch foreign
    finish 3
}

case_topic_created_again() {
    archive again partitions=2 records=60000 time="$OLD"
    start again "$(kafka_addr k)" "rate_limit_bytes_per_sec: 2MB"
    wait_until 30 reached again 3000 || fail "it does not come to record 3000"
    hold
    client delete -b "$(kafka_addr k)" again
    client create -b "$(kafka_addr k)" again 2
    go_on
    finish 3
    # by its id, or by where the first batch landed
    assert_matches "the log" "$KB_WORK/again.log" \
        "deleted and created again|landed at offset 0, expected was"
}

asked() { [ "$(proxy_stat requests "$1")" -ge 1 ]; }

case_killed_before_configs_are_back() {
    archive flip partitions=2 records=2000 time=now \
        config=cleanup.policy=compact,retention.ms=86400000
    proxy_start k
    proxy_do refuse incremental_alter_configs 1000
    start flip "$(kafka_proxied k)"
    wait_until 30 asked incremental_alter_configs ||
        fail "it never puts configs back"
    kill -9 $RESTORE
    wait $RESTORE 2>/dev/null || true
    proxy_do reset
    client configs -b "$(kafka_addr k)" flip >"$KB_WORK/flip.configs"
    assert_contains "configs" "$KB_WORK/flip.configs" retention.ms=-1
    launch flip
    finish 0
    proxy_stop
    client configs -b "$(kafka_addr k)" flip >"$KB_WORK/flip.configs"
    assert_contains "configs" "$KB_WORK/flip.configs" cleanup.policy=compact
    assert_contains "configs" "$KB_WORK/flip.configs" retention.ms=86400000
    assert_lacks "configs" "$KB_WORK/flip.configs" compression.type
    once_in_order flip 2 2000
}

case_retention_would_delete() {
    archive retention partitions=2 records=2000 time="$OLD" \
        config=retention.ms=604800000
    start retention "$(kafka_addr k)"
    finish 0
    sleep 3 # retention is looked at every second
    once_in_order retention 2 2000
    assert_contains "the log" "$KB_WORK/retention.log" \
        "--add-config retention.ms=604800000"
    client configs -b "$(kafka_addr k)" retention >"$KB_WORK/retention.configs"
    assert_contains "configs" "$KB_WORK/retention.configs" retention.ms=-1
}

case_configs_set_back_in_the_middle() {
    archive operator partitions=2 records=80000 time=now
    start operator "$(kafka_addr k)" "rate_limit_bytes_per_sec: 500KB"
    wait_until 30 reached operator 1000 || fail "it does not come to record 1000"
    client set-config -b "$(kafka_addr k)" operator retention.ms=86400000
    wait_until 40 grep -q "somebody set its configs" "$KB_WORK/operator.log" ||
        fail "nothing is said of it"
    kill -TERM $RESTORE
    finish 5
}

case_damaged_archive() {
    local segment
    archive damaged partitions=2 records=20000 time=now frame=65536
    segment=$(ls "$KB_WORK"/store/damaged/segments/*)
    python3 - "$segment" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(0, 2)
    f.seek(f.tell() // 4)
    byte = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([byte[0] ^ 1]))
PY
    start damaged "$(kafka_addr k)"
    finish 3
    assert_matches "the log" "$KB_WORK/damaged.log" "segment .*frame at byte"
}

case_damage_left_out() {
    local segment lost
    archive holed partitions=2 records=20000 time=now frame=65536 segments=2
    segment=$(ls "$KB_WORK"/store/holed/segments/* | head -1)
    python3 - "$segment" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(0, 2)
    f.seek(f.tell() // 4)
    byte = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([byte[0] ^ 1]))
PY
    rm "$(ls "$KB_WORK"/store/holed/segments/* | tail -1)"
    start holed "$(kafka_addr k)" "skip_damaged: true" \
        "offset_report: $KB_WORK/holed.map"
    finish 3
    # half of it is gone with a segment, one frame by a flipped bit
    assert_matches "the log" "$KB_WORK/holed.log" \
        "holed/0: offsets \[10000, 20000\) are left out: .*no such"
    assert_matches "the log" "$KB_WORK/holed.log" "are left out.*frame at byte"
    lost=$(client dump -b "$(kafka_addr k)" holed | wc -l)
    assert_at_least "records that are left" 18000 "$lost"
    assert_at_most "records that are left" 19999 "$lost"
    assert_contains "the report" "$KB_WORK/holed.json" '"verified": true'
}

case_missing_segment() {
    archive missing partitions=1 records=2000 time=now
    rm "$KB_WORK"/store/missing/segments/*
    start missing "$(kafka_addr k)"
    finish 3
    assert_matches "the log" "$KB_WORK/missing.log" "segment.*no such"
}

# small_disk FOLDER MEGABYTES; grow_disk, drop_disk
small_disk() {
    mkdir -p "$1" "$KB_WORK/mounts"
    as_root mount -t tmpfs -o "size=$2m,mode=0777" tmpfs "$1" 2>/dev/null ||
        skip "no tmpfs can be mounted here"
    printf '%s\n' "$1" >"$KB_WORK/mounts/$(basename "$1")"
}
grow_disk() { as_root mount -o "remount,size=$2m" "$1"; }
drop_disk() {
    as_root umount -l "$1"
    rm "$KB_WORK/mounts/$(basename "$1")"
}

# Where the checkpoint is: without it nothing goes on.
case_disk_of_the_checkpoint_full() {
    local dir=$KB_WORK/small
    archive disk-ck partitions=4 records=60000 time="$OLD" batch=100
    small_disk "$dir" 1
    start disk-ck "$(kafka_addr k)" "rate_limit_bytes_per_sec: 4MB" \
        "checkpoint_state: $dir/state"
    wait_until 30 reached disk-ck 1000 || fail "it does not come to record 1000"
    hold
    dd if=/dev/zero of="$dir/ballast" bs=4k 2>/dev/null || true
    go_on
    finish 1
    assert_matches "the log" "$KB_WORK/disk-ck.log" \
        "checkpoint.*([Nn]o space|full)"
    rm "$dir/ballast"
    launch disk-ck
    finish 0
    once_in_order disk-ck 4 60000
    drop_disk "$dir"
}

# A broker whose disk is full ends itself. It comes back with more room.
case_disk_of_the_broker_full() {
    local dir=$KB_WORK/brokers-disk NODE=d
    small_disk "$dir" 16
    kafka_new d "$KAFKA_4" $FORGET "log.dirs=$dir/data" \
        "metadata.log.dir=$(kafka_dir d)/data"
    kafka_start d
    archive disk-b partitions=4 records=60000 time="$OLD" batch=100
    start disk-b "$(kafka_addr d)" "rate_limit_bytes_per_sec: 8MB"
    proc_wait_gone d 120 || fail "the broker takes more than its disk has"
    running || fail "the restore ended, too"
    grow_disk "$dir" 256
    kafka_restart d kill
    finish 0
    once_in_order disk-b 4 60000
    kafka_stop d
    drop_disk "$dir"
}

case_throttled() {
    archive throttled partitions=4 records=20000 time="$OLD"
    client quota -b "$(kafka_addr k)" kafka-backup 500000 1000000
    start throttled "$(kafka_addr k)"
    finish 0
    client quota -b "$(kafka_addr k)" kafka-backup 0 0
    once_in_order throttled 4 20000
}

suite_main "$@"

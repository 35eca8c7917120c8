# SPDX-License-Identifier: Apache-2.0
# restore.sh - the restore's part of tests/bench/run, which sources it.
# shellcheck source=backup.sh
. "$ROOT/tests/bench/backup.sh"

# restore_once ID TOPIC: into a new topic, which is left in RESTORED
restore_once() {
    RESTORED=$2-back-$RANDOM$RANDOM STORED=
    cat >"$KB_WORK/restore.yaml" <<X
mode: restore
backup_id: $1
target:
  bootstrap_servers: ["$(kafka_addr b)"]
  topics: {include: ["$2"]}
storage: {backend: filesystem, path: $KB_WORK/store}
restore:
  create_topics: true
  topic_mapping: {$2: $RESTORED}
X
    timed "restore-$1" restore -c "$KB_WORK/restore.yaml" -f json
    read -r RECORDS BYTES < <(python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(d["records_restored"], d["bytes_restored"])' "$KB_WORK/restore-$1.out")
}

restore_gone() { client delete -b "$(kafka_addr b)" "$@" >/dev/null; }

# The limit and the restore in turn, the best of each.
bench_restore_against_wire() { # ID TOPIC LABEL
    local i best= limit= line
    backup_once "$1" "$2"
    for i in $(seq "$ROUNDS"); do
        client create -b "$(kafka_addr b)" "$2-wire" 8 \
            --config retention.ms=-1,max.message.bytes=10000000 >/dev/null
        line=$("$BENCH/wire_limit_produce" "$(kafka_addr b)" "$2" "$2-wire" 8) ||
            die "wire_limit_produce"
        limit=$(least "$limit" "$(cut -d' ' -f3 <<<"$line")")
        restore_gone "$2-wire"
        restore_once "$1" "$2"
        best=$(least "$best" "$SECONDS_TAKEN")
        restore_gone "$RESTORED"
    done
    row "$3" "$BYTES" "$RECORDS" "$best" "$limit" \
        "the broker, raw, acks=-1" 0.7
}

# One batch for each record, and the same records well batched.
bench_restore_small_batches() {
    local i one= many= records=$((800000 / SCALE))
    fill_topic many 8 "$records" 100 noise none
    fill_topic one 8 "$records" 100 one none
    backup_once many many
    backup_once one one
    for i in $(seq "$ROUNDS"); do
        restore_once many many
        many=$(least "$many" "$SECONDS_TAKEN")
        restore_gone "$RESTORED"
        restore_once one one
        one=$(least "$one" "$SECONDS_TAKEN")
        restore_gone "$RESTORED"
    done
    row "restore, one-record batches" "$BYTES" "$RECORDS" "$one" "$many" \
        "the same records well batched" 0.2
}

bench_restore_partitions() {
    local n first=
    for n in 1 8 64 1000; do
        backup_once "p$n" "p$n"
        restore_once "p$n" "p$n"
        first=${first:-$SECONDS_TAKEN}
        row "restore, $n partitions" "$BYTES" "$RECORDS" "$SECONDS_TAKEN" \
            "$first" "one partition" -
        restore_gone "$RESTORED"
    done
}

bench_restore() {
    [[ " ${PARTS[*]} " == *" backup "* ]] || bench_backup_fill
    bench_restore_against_wire lz4 lz4 "restore, lz4, 8 partitions"
    bench_restore_against_wire json json "restore, plain, 8 partitions"
    bench_restore_small_batches
    bench_restore_partitions
}

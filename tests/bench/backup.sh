# SPDX-License-Identifier: Apache-2.0
# backup.sh - the backup's part of tests/bench/run, which sources it.

# timed LABEL ARGS...: a run of the program; leaves SECONDS_TAKEN, CPU, PEAK
# (MiB of resident memory)
timed() {
    local label=$1 code=0
    shift
    /usr/bin/time -o "$KB_WORK/time" -f '%e %U %S %M' "$KB_BIN" -q "$@" \
        >"$KB_WORK/$label.out" 2>"$KB_WORK/$label.err" </dev/null || code=$?
    [ "$code" = 0 ] || { tail -5 "$KB_WORK/$label.err" >&2; die "$label: $code"; }
    read -r SECONDS_TAKEN user system peak < <(tail -1 "$KB_WORK/time")
    CPU=$(calc "$user + $system" 2)
    PEAK=$((peak / 1024))
}

# backup_once ID TOPIC [KEY=VALUE...]: a fresh backup; leaves what timed() does,
# and RECORDS, BYTES, STORED
backup_once() {
    local id=$1 topic=$2
    shift 2
    rm -rf "$KB_WORK/store/$id"
    sync
    backup_yaml "$KB_WORK/$id.yaml" id="$id" broker="$(kafka_addr b)" \
        include="$topic" "$@"
    timed "$id" backup -c "$KB_WORK/$id.yaml" -f json
    read -r RECORDS BYTES STORED < <(python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(d["records"], d["bytes"], d["stored_bytes"])' "$KB_WORK/$id.out")
}

# The limit and the backup in turn, so that both see the same machine; the
# best of each counts.
bench_backup_lz4() {
    local i best= limit= line
    for i in $(seq "$ROUNDS"); do
        rm -f "$KB_WORK/wire"
        sync
        line=$("$BENCH/wire_limit_fetch" "$(kafka_addr b)" lz4 8 \
            "$KB_WORK/wire") || die "wire_limit_fetch"
        limit=$(least "$limit" "$(cut -d' ' -f3 <<<"$line")")
        rm -f "$KB_WORK/wire"
        backup_once lz4 lz4
        best=$(least "$best" "$SECONDS_TAKEN")
    done
    row "backup, lz4, 8 partitions" "$BYTES" "$RECORDS" "$best" "$limit" \
        "the wire, written and synced" 0.8
}

bench_backup_zstd() {
    local i best= limit= line
    for i in $(seq "$ROUNDS"); do
        "$BENCH/wire_limit_fetch" "$(kafka_addr b)" json 8 "$KB_WORK/wire" \
            >/dev/null || die "wire_limit_fetch"
        line=$("$BENCH/codec_limit" "$KB_WORK/wire" 3) || die "codec_limit"
        limit=$(least "$limit" "$(cut -d' ' -f3 <<<"$line")")
        rm -f "$KB_WORK/wire"
        backup_once json json compression=zstd compression_level=3
        best=$(least "$best" "$SECONDS_TAKEN")
    done
    row "backup, plain, zstd 3" "$BYTES" "$RECORDS" "$best" "$limit" \
        "libzstd on all cores, in memory" 0.8
}

# Equal data in more and more partitions.
bench_backup_partitions() {
    local n first=
    for n in 1 8 64 1000; do
        backup_once "p$n" "p$n"
        first=${first:-$SECONDS_TAKEN}
        row "backup, $n partitions" "$BYTES" "$RECORDS" "$SECONDS_TAKEN" \
            "$first" "one partition" -
    done
}

# A commit into a small and into a large archive: many small segments make a
# large manifest.
bench_backup_archive() {
    local small large segments
    backup_once small tiny
    client load -b "$(kafka_addr b)" tiny --partitions 1 --start 1000 \
        --records 10 >/dev/null
    timed small backup -c "$KB_WORK/small.yaml" -f json
    small=$SECONDS_TAKEN
    backup_once large 'p1000,tiny' segment_max_bytes=16KiB fetch_max_bytes=64KiB
    segments=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["segments"])' "$KB_WORK/large.out")
    client load -b "$(kafka_addr b)" tiny --partitions 1 --start 1010 \
        --records 10 >/dev/null
    # Only the new topic: the others' last batches would be fetched again.
    backup_yaml "$KB_WORK/large.yaml" id=large broker="$(kafka_addr b)" \
        include=tiny
    timed large backup -c "$KB_WORK/large.yaml" -f json
    large=$SECONDS_TAKEN
    note "10 new records take $small s into an archive of one segment," \
        "$large s into one of $segments segments"
}

bench_backup_fill() {
    fill_topic lz4 8 "$((8000000 / SCALE))" 100 noise lz4
    fill_topic json 8 "$((1500000 / SCALE))" 1000 json none
    local n
    for n in 1 8 64 1000; do
        fill_topic "p$n" "$n" "$((1000000 / SCALE))" 200 json lz4
    done
    client load -b "$(kafka_addr b)" tiny --partitions 1 --records 1000 \
        >/dev/null
}

bench_backup() {
    bench_backup_fill
    bench_backup_lz4
    bench_backup_zstd
    bench_backup_partitions
    bench_backup_archive
}

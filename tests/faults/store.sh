#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# store.sh - a store whose objects are damaged, missing or exchanged, and one
# that is full. Nothing damaged is taken for good; what is full can be emptied
# and the run goes on.
. "$(dirname "$0")/../lib/lib.sh"

suite_setup() {
    local b
    kafka_new k "$KAFKA_4"
    kafka_start k
    b=$(kafka_addr k)
    client load -b "$b" plain --partitions 2 --records 4000 --size 200
    client load -b "$b" packed --partitions 2 --records 4000 --size 200 \
        --compression lz4
    backup_yaml "$KB_WORK/b.yaml" id=good broker="$b" include=plain,packed \
        segment_max_bytes=400KiB
    kb_run 0 good backup -c "$KB_WORK/b.yaml"
    validate_deep good
    # A second run, so that there are objects of both.
    client load -b "$b" plain --partitions 2 --records 1000 --start 4000
    client load -b "$b" packed --partitions 2 --records 1000 --start 4000
    kb_run 0 good2 backup -c "$KB_WORK/b.yaml"
    validate_deep good
    mv "$KB_WORK/store" "$KB_WORK/pristine"
}

fresh() {
    rm -rf "$KB_WORK/store"
    cp -a "$KB_WORK/pristine" "$KB_WORK/store"
}

segments() {
    (cd "$KB_WORK/store/good" && find . -name '*.kbs' | sed 's|^\./||' | sort)
}

# damaged WHAT NAME: `validate --deep` ends with "invalid" and names the
# object; a restore does not end well, and names it, too.
damaged() {
    local what=$1 name=$2 code=0 stem
    stem=$(basename "$name" .kbs)
    kb_run $KB_INVALID "v" validate --deep -p "$KB_WORK/store" -b good
    cat "$KB_WORK/v.out" "$KB_WORK/v.err" >"$KB_WORK/v.all"
    assert_contains "validate ($what)" "$KB_WORK/v.all" "$stem"
    restore_yaml "$KB_WORK/r.yaml" id=good broker="$(kafka_addr k)" \
        create_topics=true restore_id="$what" \
        map="plain=$what.plain,packed=$what.packed"
    kb restore -c "$KB_WORK/r.yaml" >"$KB_WORK/r.out" 2>"$KB_WORK/r.err" ||
        code=$?
    case $code in
    1 | 3 | 4) ;;
    *) fail "restore ($what): exit code $code; it must not succeed" ;;
    esac
    cat "$KB_WORK/r.out" "$KB_WORK/r.err" >"$KB_WORK/r.all"
    assert_contains "restore ($what)" "$KB_WORK/r.all" "$stem"
}

flip() { # FILE OFFSET
    python3 - "$1" "$2" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    b = f.read(1)
    f.seek(int(sys.argv[2]))
    f.write(bytes([b[0] ^ 0x10]))
PY
}

case_segment_truncated() {
    local name size
    fresh
    name=$(segments | sed -n 2p)
    size=$(stat -c %s "$KB_WORK/store/good/$name")
    truncate -s $((size / 2)) "$KB_WORK/store/good/$name"
    damaged truncated "$name"
}

case_segment_empty() {
    local name
    fresh
    name=$(segments | sed -n 1p)
    : >"$KB_WORK/store/good/$name"
    damaged empty "$name"
}

case_segment_flipped() {
    local name size
    fresh
    name=$(segments | sed -n 3p)
    size=$(stat -c %s "$KB_WORK/store/good/$name")
    flip "$KB_WORK/store/good/$name" $((size / 2))
    damaged flipped "$name"
}

case_segment_missing() {
    local name
    fresh
    name=$(segments | sed -n 2p)
    rm "$KB_WORK/store/good/$name"
    damaged missing "$name"
}

case_segments_swapped() {
    local a b
    fresh
    a=$(segments | sed -n 1p)
    b=$(segments | sed -n 2p)
    mv "$KB_WORK/store/good/$a" "$KB_WORK/t"
    mv "$KB_WORK/store/good/$b" "$KB_WORK/store/good/$a"
    mv "$KB_WORK/t" "$KB_WORK/store/good/$b"
    damaged swapped "$a"
}

# One bit anywhere: header, frames, index, trailer.
case_every_flip_is_found() {
    local name size i offset code rounds=24 missed=0
    [ -n "${KB_LONG:-}" ] && rounds=300
    fresh
    name=$(segments | sed -n 2p)
    size=$(stat -c %s "$KB_WORK/store/good/$name")
    for ((i = 0; i < rounds; i++)); do
        case $i in
        [0-7]) offset=$((i * 8)) ;;
        8 | 9 | 1[0-5]) offset=$((size - 1 - (i - 8) * 6)) ;;
        *) offset=$(((RANDOM * 32768 + RANDOM) % size)) ;;
        esac
        flip "$KB_WORK/store/good/$name" "$offset"
        code=0
        kb validate --deep -p "$KB_WORK/store" -b good >"$KB_WORK/v.out" \
            2>&1 || code=$?
        [ "$code" = $KB_INVALID ] || {
            note "byte $offset of $size: exit code $code"
            missed=$((missed + 1))
        }
        flip "$KB_WORK/store/good/$name" "$offset"
    done
    assert_eq "flips that validate --deep does not find" 0 "$missed"
    validate_deep good
}

case_manifest_damaged() {
    local file size at code=0
    fresh
    file=$KB_WORK/store/good/manifest.json
    size=$(stat -c %s "$file")
    truncate -s $((size - 20)) "$file"
    kb validate --deep -p "$KB_WORK/store" -b good >"$KB_WORK/v.out" 2>&1 ||
        code=$?
    [ "$code" = 0 ] && fail "a manifest cut short is taken for good"
    assert_contains "validate" "$KB_WORK/v.out" manifest
    # A number in it that became another one
    fresh
    at=$(grep -obE '"[a-z_]*offset": ?[0-9]{2,}' "$file" | head -1)
    at=$((${at%%:*} + ${#at} - 2 - ${#at} + $(printf '%s' "${at#*:}" | wc -c)))
    python3 - "$file" "$at" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    d = f.read(1)
    f.seek(int(sys.argv[2]))
    f.write(b"7" if d != b"7" else b"3")
PY
    code=0
    kb validate --deep -p "$KB_WORK/store" -b good >"$KB_WORK/v.out" 2>&1 ||
        code=$?
    [ "$code" = 0 ] && fail "a manifest with another offset is taken for good"
    return 0
}

case_disk_full() {
    local dir=$KB_WORK/small b
    b=$(kafka_addr k)
    mkdir -p "$dir" "$KB_WORK/mounts"
    as_root mount -t tmpfs -o size=1m,mode=0777 tmpfs "$dir" 2>/dev/null ||
        skip "no tmpfs can be mounted here"
    printf '%s\n' "$dir" >"$KB_WORK/mounts/small"
    backup_yaml "$KB_WORK/full.yaml" id=full broker="$b" store="$dir/store" \
        include=plain,packed segment_max_bytes=200KiB compression=none \
        storage="retry: {timeout: 5s}"
    KB_TIMEOUT=60 kb_run $KB_FAILED full backup -c "$KB_WORK/full.yaml"
    assert_matches "the log" "$KB_WORK/full.err" "no space left|disk.* full|is full"
    # what is there is whole
    if [ -f "$dir/store/full/manifest.json" ]; then
        kb_run 0 v validate --deep -p "$dir/store" -b full
    fi
    as_root mount -o remount,size=64m "$dir"
    kb_run 0 full2 backup -c "$KB_WORK/full.yaml"
    validate_deep full "$dir/store"
    restore_yaml "$KB_WORK/r.yaml" id=full broker="$b" store="$dir/store" \
        create_topics=true map="plain=full.plain,packed=full.packed"
    kb_run 0 r restore -c "$KB_WORK/r.yaml"
    client verify -b "$b" full.plain full.packed --records 5000
    as_root umount -l "$dir"
    rm "$KB_WORK/mounts/small"
}

# A disk that fails at a sync: an I/O error, not a damaged archive. What wasn't
# committed is fetched and written again by the next run.
case_sync_fails() {
    local b
    b=$(kafka_addr k)
    backup_yaml "$KB_WORK/sync.yaml" id=sync broker="$b" include=plain,packed \
        commit_interval=1s storage="retry: {timeout: 10m}"
    kb_failing_io FAIL_SYNC "$KB_WORK/fails"
    touch "$KB_WORK/fails"
    # At once: what the upload had is lost, and no retry of it brings it back.
    kb_run $KB_FAILED sync1 backup -c "$KB_WORK/sync.yaml"
    assert_contains "the log" "$KB_WORK/sync1.err" "can't sync"
    assert_contains "the log" "$KB_WORK/sync1.err" "is lost"
    # A continuous one goes on when the disk does.
    printf '  continuous: true\n' >>"$KB_WORK/sync.yaml"
    kb_start sync2 backup -c "$KB_WORK/sync.yaml"
    wait_until 60 grep -q "begins anew" "$KB_WORK/sync2.err"
    rm "$KB_WORK/fails"
    KB_WRAP=()
    wait_until 60 stored_records sync 20000
    proc_signal sync2 TERM
    kb_end_with $KB_INTERRUPTED sync2 30
    validate_deep sync
}

# A store that is away for longer than stall_timeout: memory is used up, and
# nothing is fetched; but that isn't the broker's silence.
case_store_away_is_no_stall() {
    local b
    b=$(kafka_addr k)
    client load -b "$b" large --partitions 4 --records 10000 --size 1000
    backup_yaml "$KB_WORK/large.yaml" id=large broker="$b" include=large \
        memory_limit=16MiB compression=none segment_max_bytes=1MiB \
        stall_timeout=1s rate_limit_bytes_per_sec=8MB \
        storage="retry: {timeout: 120s}"
    kb_failing_io FAIL_WRITE "$KB_WORK/away"
    kb_start large backup -c "$KB_WORK/large.yaml" -f json
    KB_WRAP=()
    wait_until 30 grep -q "fetches" "$KB_WORK/large.err"
    touch "$KB_WORK/away"
    wait_until 30 grep -q "trying again in" "$KB_WORK/large.err" ||
        fail "the store didn't fail"
    sleep 6 # two until memory is used up
    rm "$KB_WORK/away"
    kb_end_with 0 large
    assert_eq "records" 40000 "$(json_at "$KB_WORK/large.out" records)"
    assert_at_least "memory that was used" $((12 << 20)) \
        "$(json_at "$KB_WORK/large.out" peak_memory)"
}

suite_main "$@"

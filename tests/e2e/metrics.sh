#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# metrics.sh - /metrics and /health of a backup and a restore at work: every
# name that can move in it moves, and health tells the truth while the broker
# is away.
. "$(dirname "$0")/../lib/lib.sh"

suite_setup() {
    kafka_new k "$KAFKA_4"
    kafka_start k
    client load -b "$(kafka_addr k)" metered --partitions 2 --records 6000
}

serves() { [ -n "$(kb_metrics_url "$1")" ]; }

scrape() { curl -fsS --max-time 5 "$(kb_metrics_url "$1")/metrics" >"$KB_WORK/$1.metrics"; }

# value NAME SERIES_BEGINNING: the first sample that begins so; 0 without one
value() {
    awk -v begin="$2" 'index($0, begin) == 1 { print $NF; found = 1; exit }
        END { if (!found) print 0 }' "$KB_WORK/$1.metrics"
}

# moved NAME SERIES_BEGINNING...: all of them are above 0
moved() {
    local name=$1 series
    shift
    for series in "$@"; do
        awk -v begin="$series" 'index($0, begin) == 1 && $NF > 0 { found = 1 }
            END { exit !found }' "$KB_WORK/$name.metrics" ||
            fail "$series did not move"
    done
}

all_move() { # NAME SERIES_BEGINNING...: at the same time
    scrape "$1" && (fail() { exit 1; }; moved "$@")
}

health() { # NAME CODE TEXT: what /health answers
    local code
    code=$(curl -s --max-time 5 -o "$KB_WORK/health" -w '%{http_code}' \
        "$(kb_metrics_url "$1")/health")
    [ "$code" = "$2" ] && grep -qF -- "$3" "$KB_WORK/health"
}

case_a_backup_moves_its_metrics_and_tells_its_health() {
    backup_yaml "$KB_WORK/b.yaml" id=metered broker="$(kafka_addr k)" \
        include=metered continuous=true commit_interval=500ms \
        segment_max_interval_ms=500ms rate_limit_records_per_sec=1500
    printf 'metrics: {port: 0, update_interval_ms: 100}\n' >>"$KB_WORK/b.yaml"
    kb_start b backup -c "$KB_WORK/b.yaml"
    wait_until 20 serves b
    # While the rate limit holds it back there is lag.
    wait_until 30 all_move b \
        'kafka_backup_lag_records{topic="metered"' \
        'kafka_backup_lag_bytes{topic="metered"' \
        'kafka_backup_lag_seconds{topic="metered"' \
        'kafka_backup_lag_records_max{' 'kafka_backup_lag_records_sum{' \
        'kafka_backup_throughput_records_per_sec{' \
        'kafka_backup_throughput_bytes_per_sec{'
    moved b \
        'kafka_backup_records_total{' 'kafka_backup_bytes_total{' \
        'kafka_backup_last_successful_commit{topic="metered"' \
        'kafka_backup_storage_write_bytes_total{backend="filesystem"' \
        'kafka_backup_compression_ratio{algorithm="zstd"' \
        'kafka_backup_compressed_bytes_total{' \
        'kafka_backup_uncompressed_bytes_total{' \
        'kafka_backup_storage_write_latency_seconds_count{backend="filesystem",operation="segment"' \
        'kafka_backup_storage_write_latency_seconds_count{backend="filesystem",operation="manifest"'
    assert_eq "the last line" "# EOF" "$(tail -1 "$KB_WORK/b.metrics")"
    wait_until 60 health b 200 '"phase":"tailing"' ||
        fail "not tailing: $(cat "$KB_WORK/health")"
    scrape b
    assert_eq "lag" 0 "$(value b 'kafka_backup_lag_records_sum{')"
    assert_eq "records" 12000 "$(value b 'kafka_backup_records_total{')"
    kafka_kill k
    wait_until 60 health b 503 '"brokers":"unreachable"' ||
        fail "the broker is gone: $(cat "$KB_WORK/health")"
    scrape b
    moved b 'kafka_backup_retries_total{' \
        'kafka_backup_errors_total{backup_id="metered",error_type="broker_connection"'
    kafka_start k
    wait_until 60 health b 200 '"status":"healthy"' ||
        fail "the broker is back: $(cat "$KB_WORK/health")"
    proc_signal b TERM
    kb_end b 60
    assert_eq "exit code" 5 "$KB_CODE"
}

# A snapshot: what it is to cover, what is left of it, a gap, a store that fails
# for a while, and how long it took.
case_a_snapshot_moves_its_metrics() {
    local b
    b=$(kafka_addr k)
    client load -b "$b" gaps --records 1000 --batch 10
    backup_yaml "$KB_WORK/g.yaml" id=gaps broker="$b" include=gaps
    kb_run 0 gaps backup -c "$KB_WORK/g.yaml"
    client load -b "$b" gaps --records 9000 --start 1000 --batch 10
    client delete-records -b "$b" gaps 0 1500
    backup_yaml "$KB_WORK/g.yaml" id=gaps broker="$b" include=gaps \
        commit_interval=300ms segment_max_interval_ms=300ms \
        rate_limit_records_per_sec=1500 fetch_max_bytes=16KiB
    printf 'metrics: {port: 0, update_interval_ms: 100, %s}\n' \
        'keep_alive_seconds: 60' >>"$KB_WORK/g.yaml"
    kb_failing_io FAIL_WRITE "$KB_WORK/fails"
    kb_start g backup -c "$KB_WORK/g.yaml"
    KB_WRAP=()
    wait_until 20 serves g
    wait_until 30 all_move g \
        'kafka_backup_snapshot_records_target{backup_id="gaps"}' \
        'kafka_backup_snapshot_records_remaining{backup_id="gaps"}' \
        'kafka_backup_offset_gaps_total{backup_id="gaps"}'
    assert_eq "gaps" 1 "$(value g 'kafka_backup_offset_gaps_total{')"
    assert_eq "offsets in it" 500 \
        "$(value g 'kafka_backup_offsets_skipped_total{')"
    assert_eq "target" 9000 \
        "$(value g 'kafka_backup_snapshot_records_target{')"
    assert_at_most "remaining" 9000 \
        "$(value g 'kafka_backup_snapshot_records_remaining{')"
    touch "$KB_WORK/fails"
    wait_until 30 all_move g \
        'kafka_backup_storage_errors_total{backend="filesystem",error_type="storage_io"' ||
        fail "storage_errors did not move"
    rm "$KB_WORK/fails"
    wait_until 60 all_move g \
        'kafka_backup_duration_seconds_count{backup_id="gaps",status="success"' ||
        fail "backup_duration did not move: $(tail -3 "$KB_WORK/g.err")"
    assert_eq "remaining" 0 \
        "$(value g 'kafka_backup_snapshot_records_remaining{')"
    moved g 'kafka_backup_duration_seconds_sum{backup_id="gaps",status="success"'
    proc_signal g TERM
    kb_end_with 0 g 30
}

shows() { scrape "$1" && grep -qF -- "$2" "$KB_WORK/$1.metrics"; }
shows_not() { scrape "$1" && ! grep -qF -- "$2" "$KB_WORK/$1.metrics"; }

# A topic that is deleted has no lag any more; a partition that can't be read
# for good makes the whole unhealthy until it can.
case_health_tells_of_partitions_that_fail() {
    local b
    b=$(kafka_addr k)
    client load -b "$b" sick --records 100
    client load -b "$b" going --records 100
    proxy_start k
    backup_yaml "$KB_WORK/f.yaml" id=sick broker="$(kafka_proxied k)" \
        include='sick,go*' continuous=true commit_interval=300ms \
        segment_max_interval_ms=300ms discovery_interval=500ms
    printf 'metrics: {port: 0, update_interval_ms: 100}\n' >>"$KB_WORK/f.yaml"
    kb_start f backup -c "$KB_WORK/f.yaml"
    wait_until 20 serves f
    wait_until 30 health f 200 '"phase":"tailing"'
    wait_until 20 shows f 'kafka_backup_lag_records{topic="going"'
    client delete -b "$b" going
    wait_until 60 shows_not f 'kafka_backup_lag_records{topic="going"' ||
        fail "the deleted topic has a lag still"
    health f 200 '"partitions_failing":0' ||
        fail "health: $(cat "$KB_WORK/health")"
    # Partition 0 whose end is 100: 29, "not authorized", in place of no error.
    proxy_do edit fetch 0000000000000000000000000064 \
        00000000001d0000000000000064
    wait_until 30 health f 503 '"partitions_failing":1' ||
        fail "health: $(cat "$KB_WORK/health")"
    proxy_do reset
    wait_until 60 health f 200 '"partitions_failing":0' ||
        fail "health: $(cat "$KB_WORK/health")"
    proc_signal f TERM
    kb_end_with 5 f 60
    proxy_stop
}

case_a_restore_moves_its_metrics() {
    backup_yaml "$KB_WORK/s.yaml" id=snap broker="$(kafka_addr k)" \
        include=metered
    kb_run 0 snap backup -c "$KB_WORK/s.yaml"
    restore_yaml "$KB_WORK/r.yaml" id=snap broker="$(kafka_addr k)" \
        create_topics=true map=metered=metered-2 produce_batch_bytes=4KiB \
        rate_limit_records_per_sec=800
    printf 'metrics: {port: 0, update_interval_ms: 100, %s}\n' \
        'keep_alive_seconds: 60' >>"$KB_WORK/r.yaml"
    kb_start r restore -c "$KB_WORK/r.yaml"
    wait_until 20 serves r
    wait_until 30 all_move r \
        'kafka_restore_progress_percent{restore_id="snap",backup_id="snap"}' \
        'kafka_restore_eta_seconds{restore_id="snap"}' \
        'kafka_restore_throughput_records_per_sec{restore_id="snap"}'
    moved r 'kafka_restore_records_total{' 'kafka_restore_bytes_total{' \
        'kafka_backup_storage_read_bytes_total{backend="filesystem"' \
        'kafka_backup_storage_read_latency_seconds_count{backend="filesystem",operation="segment"'
    health r 200 '"phase":"running"' || fail "health: $(cat "$KB_WORK/health")"
    kafka_kill k
    wait_until 60 health r 503 '"brokers":"unreachable"' ||
        fail "the broker is gone: $(cat "$KB_WORK/health")"
    kafka_start k
    wait_until 60 health r 200 '"brokers":"ok"' ||
        fail "the broker is back: $(cat "$KB_WORK/health")"
    # Then it waits for a last scrape.
    wait_until 60 all_move r \
        'kafka_restore_duration_seconds_count{backup_id="snap",status="success"}'
    assert_eq "percent" 100 "$(value r 'kafka_restore_progress_percent{')"
    assert_eq "records" 12000 "$(value r 'kafka_restore_records_total{')"
    proc_signal r TERM
    kb_end r 30
    assert_eq "exit code" 0 "$KB_CODE"
    client compare -b "$(kafka_addr k)" metered=metered-2
}

case_a_busy_port_ends_it_at_the_start() {
    local port
    port=${KB_WORK:+$(kafka_addr k)}
    port=${port##*:} # the broker's own
    backup_yaml "$KB_WORK/p.yaml" id=busy broker="$(kafka_addr k)" \
        include=metered
    printf 'metrics: {port: %s}\n' "$port" >>"$KB_WORK/p.yaml"
    kb_run 1 busy backup -c "$KB_WORK/p.yaml"
    assert_matches "the log" "$KB_WORK/busy.err" \
        "can't listen on 127.0.0.1:$port: Address already in use"
    [ ! -e "$KB_WORK/store/busy" ] || fail "it began all the same"
}

suite_main "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# wire.sh - our own requests against real brokers, in every version of each
# request that the broker and we share.
. "$(dirname "$0")/../lib/lib.sh"
KB_NEEDS_PRODUCT=0

PROBE=$KB_BUILD/bin/wire_probe
OUT=

NODE= # the broker that is tested
probe() { "$PROBE" "$(kafka_addr "$NODE")" "$@"; }

# version_of API: the highest version the broker offers
version_of() { awk -v api="$1" '$1 == "api" && $2 == api {print $4}' "$OUT/versions"; }

check_versions() { # FETCH PRODUCE METADATA
    probe versions >"$OUT/versions"
    assert_eq "highest Fetch" "$1" "$(version_of 1)"
    assert_eq "highest Produce" "$2" "$(version_of 0)"
    assert_eq "highest Metadata" "$3" "$(version_of 3)"
}

check_metadata() { # yes|no: whether the broker has topic ids
    local v id=-
    client create -b "$(kafka_addr "$NODE")" meta 3 >/dev/null
    for v in $(seq 4 "$(version_of 3)"); do
        [ "$v" -gt 12 ] && break
        PROBE_METADATA=$v probe metadata meta nosuch >"$OUT/meta"
        [ "$1" = yes ] && [ "$v" -ge 10 ] && id='[-A-Za-z0-9_]{22}'
        assert_matches "metadata v$v" "$OUT/meta" \
            "^topic meta NONE $id internal 0 partitions 3$"
        assert_contains "metadata v$v" "$OUT/meta" \
            "topic nosuch UNKNOWN_TOPIC_OR_PARTITION"
        assert_matches "metadata v$v" "$OUT/meta" \
            '^partition meta 2 NONE leader 1 epoch (0|-1) replicas 1$'
        if [ "$v" -ge 7 ]; then
            assert_contains "metadata v$v" "$OUT/meta" "leader 1 epoch 0"
        fi
    done
    client topics -b "$(kafka_addr "$NODE")" >"$OUT/topics"
    assert_lacks "topics: asking must create none" "$OUT/topics" nosuch
}

check_isolation() {
    probe offsets txn-hanging -1 0 >"$OUT/offsets"
    assert_matches "high watermark" "$OUT/offsets" 'NONE 1[5-9] '
    probe offsets txn-hanging -1 1 >"$OUT/offsets.lso"
    ! cmp -s "$OUT/offsets" "$OUT/offsets.lso" ||
        fail "the last stable offset must be behind the high watermark"
}

check_times() {
    probe offsets loaded -2 0 >"$OUT/offsets"
    assert_contains "earliest" "$OUT/offsets" "NONE 0 at -1"
    probe offsets loaded 1700000000000 0 >"$OUT/offsets"
    assert_contains "by time" "$OUT/offsets" "NONE 0 at 1700000000000"
    probe offsets loaded 4000000000000 0 >"$OUT/offsets"
    assert_contains "by time, none" "$OUT/offsets" "NONE -1 at -1"
    probe offsets nosuch -1 0 >"$OUT/offsets" && fail "there is no such topic"
    return 0
}

check_aborted() {
    local v
    for v in $(seq 4 "$(version_of 1)"); do
        PROBE_FETCH=$v PROBE_ISOLATION=1 probe show txn-aborted >"$OUT/fetch"
        assert_matches "Fetch v$v: aborted" "$OUT/fetch" \
            '^aborted 0 pid [0-9]+ first [0-9]+$'
        PROBE_FETCH=$v probe show txn-aborted >"$OUT/fetch"
        assert_lacks "Fetch v$v, uncommitted" "$OUT/fetch" "first"
    done
}

check_fetch() {
    local v
    probe show loaded | grep ^batch >"$OUT/batches"
    assert_at_least "batches" 3 "$(wc -l <"$OUT/batches")"
    for v in $(seq 4 "$(version_of 1)"); do
        PROBE_FETCH=$v probe show loaded >"$OUT/fetch"
        assert_contains "Fetch" "$OUT/fetch" "version $v"
        grep ^batch "$OUT/fetch" | cmp -s - "$OUT/batches" ||
            fail "Fetch v$v gives other batches"
    done
}

check_oversized() {
    client load -b "$(kafka_addr "$NODE")" large --records 3 --size 5000000 \
        --batch 1 >/dev/null
    PROBE_PART_BYTES=1000 PROBE_MAX_BYTES=1000 probe fetch large >"$OUT/large"
    assert_matches "a batch beyond all limits" "$OUT/large" '^fetch 3 recs'
}

check_produce() {
    local v pairs=()
    for v in $(seq 3 "$(version_of 0)"); do
        client create -b "$(kafka_addr "$NODE")" "copy.$v" 1 \
            --config retention.ms=-1 >/dev/null
        PROBE_PRODUCE=$v probe copy loaded "copy.$v" >"$OUT/copy"
        assert_contains "Produce" "$OUT/copy" "version $v"
        pairs+=("loaded=copy.$v")
    done
    client compare -b "$(kafka_addr "$NODE")" --min 3000 "${pairs[@]}" \
        >"$OUT/compare" || fail "$(cat "$OUT/compare")"
}

check_idempotent() {
    client create -b "$(kafka_addr "$NODE")" idem 1 >/dev/null
    probe idempotent idem >"$OUT/idem"
    assert_eq "an idempotent producer's batches" \
        "NONE 0 NONE 0 NONE 3 OUT_OF_ORDER_SEQUENCE_NUMBER -1 NONE 6 INVALID_PRODUCER_EPOCH -1" \
        "$(awk '$1 == "produced" {printf "%s%s %s", s, $3, $5; s = " "}' "$OUT/idem")"
}

check_configs() { # yes|no: whether configs can be taken back
    client create -b "$(kafka_addr "$NODE")" conf 1 \
        --config retention.ms=1234567,segment.ms=7654321 >/dev/null
    probe alter conf retention.ms=-1 cleanup.policy=compact >/dev/null
    probe admin configs conf | grep ^config | sort >"$OUT/configs"
    assert_contains "changed" "$OUT/configs" "retention.ms=-1"
    assert_contains "new" "$OUT/configs" "cleanup.policy=compact"
    assert_contains "not named, and kept" "$OUT/configs" "segment.ms=7654321"
    if [ "$1" = no ]; then
        probe alter conf retention.ms >"$OUT/refused" &&
            fail "Kafka 2.8 in KRaft mode can't take a config back"
        assert_contains "taking back" "$OUT/refused" "retention.ms can't be"
        return 0
    fi
    probe alter conf retention.ms >/dev/null
    wait_until 10 configs_lack_retention ||
        fail "retention.ms is still set: $(cat "$OUT/configs")"
    assert_contains "kept" "$OUT/configs" "cleanup.policy=compact"
    probe alter conf no.such.config=1 >"$OUT/refused" &&
        fail "a config that isn't there must be refused"
    assert_contains "a refused config" "$OUT/refused" "no.such.config"
}

configs_lack_retention() {
    probe admin configs conf | grep ^config >"$OUT/configs"
    ! grep -q retention.ms "$OUT/configs"
}

check_producers() {
    probe producers txn-hanging 0 >"$OUT/producers"
    assert_matches "the open transaction" "$OUT/producers" 'txn [0-9]+$'
    probe producers idem 0 >"$OUT/producers"
    assert_matches "an idempotent producer" "$OUT/producers" \
        'epoch 1 sequence 2 time [0-9]+ txn -1$'
}

# A batch that is larger than the quota of ten seconds never gets through.
check_throttle() {
    client load -b "$(kafka_addr "$NODE")" quota --records 3 --size 5000000 \
        --batch 1 >/dev/null
    client quota -b "$(kafka_addr "$NODE")" kafka-backup 1000000 1000000
    PROBE_REQUEST_MS=500 probe fetch quota >"$OUT/throttle" ||
        fail "throttled: $(cat "$OUT/throttle")"
    assert_matches "a quota was hit" "$OUT/throttle" '^throttle [1-9]'
    assert_matches "and nothing is lost" "$OUT/throttle" '^fetch 3 recs'
    client quota -b "$(kafka_addr "$NODE")" kafka-backup 0 0
}

check_admin() { # yes|no: no for the preview of KRaft
    probe admin create made 3 1 retention.ms=777 >"$OUT/admin"
    assert_contains "created" "$OUT/admin" "created made NONE"
    probe admin create made 3 1 >"$OUT/admin" && fail "it exists"
    assert_contains "again" "$OUT/admin" "TOPIC_ALREADY_EXISTS"
    if [ "$1" = yes ]; then # the preview of KRaft does neither
        wait_until 10 probe admin partitions made 5 >/dev/null ||
            fail "no partitions added"
        probe admin create fails 1 1 no.such.config=1 >"$OUT/admin" &&
            fail "a config that isn't there must be refused"
        assert_contains "refused" "$OUT/admin" "created fails INVALID_CONFIG"
    fi
    probe admin truncate large 1 || fail "records can't be deleted"
    probe offsets large -2 0 >"$OUT/offsets"
    assert_contains "truncated" "$OUT/offsets" "NONE 1 at"
    probe admin commit group large 0 2 "some text" >/dev/null
    probe admin groups >"$OUT/groups"
    assert_contains "groups" "$OUT/groups" \
        "committed group large 0 2 NONE some text"
    probe admin delete made || fail "the topic can't be deleted"
}

# What every broker can do. KRaft in 2.8 has no producer ids, so no
# transactions; 2.1 has no topic ids.
# common_checks BROKER FETCH PRODUCE METADATA HAS_IDS TAKES_BACK [KEY=VALUE...]
common_checks() {
    local version=$1
    NODE=k${version//./_}
    OUT=$KB_WORK/out-$version
    mkdir -p "$OUT"
    kafka_new "$NODE" "$version" "${@:7}"
    kafka_start "$NODE"
    client load -b "$(kafka_addr "$NODE")" loaded --records 3000 --batch 100 \
        --compression lz4 --timestamp 1700000000000 \
        --config retention.ms=-1 >/dev/null
    check_versions "$2" "$3" "$4"
    check_metadata "$5"
    check_times
    check_fetch
    check_oversized
    check_produce
    check_configs "$6"
    check_admin "$6"
}

txn_checks() {
    client fill -b "$(kafka_addr "$NODE")" open txn >/dev/null
    check_isolation
    check_aborted
    check_idempotent
}

case_kafka_4() {
    common_checks "$KAFKA_4" 17 12 13 yes yes \
        transaction.partition.verification.enable=false
    txn_checks
    check_producers
    check_throttle
    kafka_stop "$NODE"
}

case_kafka_3() {
    common_checks "$KAFKA_3" 17 11 12 yes yes \
        transaction.partition.verification.enable=false
    txn_checks
    check_producers
    check_throttle
    kafka_stop "$NODE"
}

case_kafka_2_8() {
    common_checks "$KAFKA_28" 12 9 11 yes no
    probe init >"$OUT/init" && fail "2.8 in KRaft mode has no producer ids"
    assert_contains "producer ids" "$OUT/init" \
        "takes no version of InitProducerId"
    kafka_stop "$NODE"
}

case_kafka_2_1() {
    common_checks "$KAFKA_21" 10 7 7 no yes
    txn_checks
    probe producers idem 0 >"$OUT/producers" && fail "2.1 can't do this"
    assert_contains "producers" "$OUT/producers" \
        "takes no version of DescribeProducers"
    kafka_stop "$NODE"
}

# Leaders are asked at the same time, and again after they have moved.
case_leaders_move() {
    local log=$KB_WORK/leaders i
    KAFKA_HEAP=256m kafka_cluster c "$KAFKA_4" 3
    KAFKA_HEAP=256m kafka_start_cluster c
    NODE=c1
    OUT=$KB_WORK
    client create -b "$(kafka_addr c1)" spread 9 3 >/dev/null
    client load -b "$(kafka_addr c1)" spread --partitions 9 --records 900 \
        >/dev/null
    probe offsets spread -1 0 >"$OUT/offsets"
    assert_eq "partitions with an end" 9 \
        "$(grep -c 'NONE [1-9]' "$OUT/offsets")"
    PROBE_REPEAT=40 probe offsets spread -1 0 >"$log" 2>&1 &
    i=$!
    sleep 1
    kafka_kill c3
    wait "$i" || fail "asking while a leader goes: $(tail -1 "$log")"
    assert_eq "every answer is whole" 360 "$(grep -c 'NONE [1-9]' "$log")"
    probe metadata spread >"$OUT/meta"
    assert_lacks "leaders" "$OUT/meta" "leader 3"
}

case_wrong_addresses() {
    local port
    port=$(free_ports 1)
    PROBE_CONNECT_MS=500 "$PROBE" "127.0.0.1:$port" versions >"$KB_WORK/out" &&
        fail "nobody is there"
    assert_contains "nobody there" "$KB_WORK/out" "Connection refused"
    assert_contains "nobody there" "$KB_WORK/out" "nothing listens there"
    python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1 &
    proc_add http $!
    wait_until 10 port_answers "$port"
    PROBE_CONNECT_MS=2000 "$PROBE" "127.0.0.1:$port" versions \
        >"$KB_WORK/out" && fail "that is no broker"
    assert_matches "an HTTP server" "$KB_WORK/out" "no Kafka broker at all"
    proc_stop http
}

suite_main "$@"

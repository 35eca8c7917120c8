#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# broker.sh - brokers that die, restart and lose their leaderships, and a
# network that swallows, delays and cuts answers, in the middle of backup and
# restore. Each record is there once in the end, whatever its time is.
. "$(dirname "$0")/../lib/lib.sh"

RECORDS=5000 PARTITIONS=3
TOPICS=(now month zero minus)

# load_all NODE REPLICAS
load_all() {
    local b month=$((($(date +%s) - 30 * 86400) * 1000)) common
    b=$(kafka_addr "$1")
    common=(--partitions $PARTITIONS --records $RECORDS --size 300 --batch 50
        --replicas "$2")
    client load -b "$b" now --timestamp now "${common[@]}"
    client load -b "$b" month --timestamp "$month" "${common[@]}" \
        --compression lz4
    client load -b "$b" zero --timestamp 0 "${common[@]}"
    client load -b "$b" minus --timestamp -1 "${common[@]}" \
        --compression zstd
}

suite_setup() {
    kafka_cluster c "$KAFKA_4" 3 min.insync.replicas=2 \
        producer.id.expiration.check.interval.ms=1000 \
        leader.imbalance.check.interval.seconds=5
    kafka_new k "$KAFKA_4" producer.id.expiration.check.interval.ms=1000
    kafka_start_cluster c
    kafka_start k
    load_all c1 3
    load_all k 1
    backup_yaml "$KB_WORK/whole.yaml" id=whole broker="$(kafka_addr k)" \
        include=now,month,zero,minus
    kb_run 0 whole backup -c "$KB_WORK/whole.yaml"
}

map() { # PREFIX
    local topic out=
    for topic in "${TOPICS[@]}"; do out+=${out:+,}$topic=$1.$topic; done
    printf '%s\n' "$out"
}

verify() { # NODE PREFIX
    client verify -b "$(kafka_addr "$1")" "${TOPICS[@]/#/$2.}" \
        --records $RECORDS >"$KB_WORK/verify" 2>&1 || {
        cat "$KB_WORK/verify" >&2
        fail "$(head -1 "$KB_WORK/verify")"
    }
}

# Slow enough for something to happen in the middle: some five seconds.
slow_backup() { # ID BROKERS [K=V...]
    local id=$1 b=$2
    shift 2
    backup_yaml "$KB_WORK/$id.yaml" id="$id" broker="$b" \
        include=now,month,zero,minus \
        rate_limit_bytes_per_sec="${RATE:-2MB}" fetch_max_bytes=200KiB \
        commit_interval=500ms connection="request_timeout: 4s" "$@"
    kb_start "$id" backup -c "$KB_WORK/$id.yaml"
}

slow_restore() { # PREFIX BROKERS [K=V...]
    local prefix=$1 b=$2
    shift 2
    restore_yaml "$KB_WORK/$prefix.yaml" id=whole restore_id="$prefix" \
        broker="$b" create_topics=true map="$(map "$prefix")" \
        rate_limit_bytes_per_sec="${RATE:-2MB}" produce_timeout_ms=2000 \
        connection="request_timeout: 4s" "$@"
    kb_start "$prefix" restore -c "$KB_WORK/$prefix.yaml"
}

must_run() { # NAME: else the fault came too late
    proc_pid "$1" >/dev/null || { kb_show "$1"
        fail "$1 was over before the fault"; }
}

# The archive is compared by restoring it to the lone broker.
prove_backup() { # ID PREFIX
    validate_deep "$1"
    restore_yaml "$KB_WORK/prove.yaml" id="$1" broker="$(kafka_addr k)" \
        create_topics=true default_replication_factor=1 map="$(map "$2")"
    kb_run 0 "prove-$1" restore -c "$KB_WORK/prove.yaml"
    verify k "$2"
}

case_backup_broker_killed() {
    slow_backup bk "$(kafka_addr k)"
    sleep 2
    must_run bk
    kafka_restart k kill
    kb_end_with 0 bk
    prove_backup bk bk
}

case_restore_broker_killed() {
    slow_restore rk "$(kafka_addr k)"
    sleep 2
    must_run rk
    kafka_restart k kill
    kb_end_with 0 rk
    verify k rk
}

# A clean restart forgets the producers of old records.
case_restore_broker_restarted() {
    slow_restore rr "$(kafka_addr k)"
    sleep 2
    must_run rr
    kafka_restart k
    must_run rr
    kb_end_with 0 rr
    verify k rr
}

case_backup_leaders_moved() {
    RATE=1MB slow_backup bm "$(kafka_cluster_addr c)"
    local i
    for i in 1 2 3; do
        client move -b "$(kafka_addr c1)" "$i" now zero
        [ "$i" = 2 ] && must_run bm
    done
    kb_end_with 0 bm
    prove_backup bm bm
}

case_restore_leaders_moved() {
    RATE=1MB slow_restore rm "$(kafka_cluster_addr c)"
    local i
    sleep 1
    for i in 1 2 3; do
        client move -b "$(kafka_addr c1)" "$i" rm.now rm.zero rm.minus
        [ "$i" = 2 ] && must_run rm
    done
    kb_end_with 0 rm
    verify c1 rm
}

case_backup_one_of_three_killed() {
    slow_backup b3 "$(kafka_cluster_addr c)"
    sleep 1.5
    must_run b3
    kafka_restart c2 kill
    kb_end_with 0 b3
    prove_backup b3 b3
}

# Nobody leads some partitions: those end as incomplete after the times that
# are configured, in the middle and at the beginning; the next run has them.
case_backup_partitions_without_a_leader() {
    local b i
    b=$(kafka_cluster_addr c)
    client load -b "$(kafka_addr c1)" lone --partitions 6 --records 2000 \
        --size 300 --batch 50
    for i in 1 2 3 4 5 6 7 8 9; do
        client commit -b "$(kafka_addr c1)" "lone.$i" lone:0=40
    done
    backup_yaml "$KB_WORK/lone.yaml" id=lone broker="$b" include=lone \
        rate_limit_bytes_per_sec=600kB fetch_max_bytes=100KiB \
        commit_interval=300ms connection="request_timeout: 4s" \
        stall_timeout=5s leader_timeout=2s
    kb_start lone backup -c "$KB_WORK/lone.yaml" -f json
    sleep 1.5
    must_run lone
    kafka_kill c3
    kb_end_with $KB_INCOMPLETE lone
    assert_matches "the log" "$KB_WORK/lone.err" \
        'lone/[0-9]: .*nothing came at offset [0-9]+: '
    # Its groups' coordinators moved, and it isn't asked for them any more.
    backup_yaml "$KB_WORK/lone.yaml" id=lone broker="$b" include=lone \
        connection="request_timeout: 30s" stall_timeout=5s leader_timeout=2s \
        consumer_groups='{include: ["lone.*"]}'
    kb_run $KB_INCOMPLETE lone2 backup -c "$KB_WORK/lone.yaml" -f json
    assert_contains "the log" "$KB_WORK/lone2.err" \
        "its leader doesn't say where it ends"
    assert_contains "the report" "$KB_WORK/lone2.out" '"consumer_groups": 9'
    grep 'groups are not captured' "$KB_WORK/lone2.out" && fail "no groups"
    kafka_start c3
    kb_run 0 lone3 backup -c "$KB_WORK/lone.yaml" -f json
    validate_deep lone
    assert_contains "the archive" "$KB_WORK/validate-lone.out" \
        "Records Validated:  12000"
}

# The first answer of the verification's reading is lost, all leaders move
# meanwhile, and then connections break.
swallowed() { [ "$(proxy_stat hits swallow)" -ge "$1" ]; }

case_restore_leaders_moved_in_verification() {
    proxy_stop 2>/dev/null || true
    proxy_start c1 c2 c3
    restore_yaml "$KB_WORK/rv.yaml" id=whole restore_id=rv \
        broker="$(kafka_proxied c1)" create_topics=true map="$(map rv)" \
        connection="request_timeout: 120s"
    proxy_do swallow fetch 1 # nothing else fetches
    kb_start rv restore -v -c "$KB_WORK/rv.yaml"
    wait_until 60 swallowed 1 || fail "it reads nothing back"
    must_run rv
    assert_contains "the log" "$KB_WORK/rv.err" "restore: verifying"
    # away from whichever leads the one that it waits for
    client move -b "$(kafka_addr c1)" 1 "${TOPICS[@]/#/rv.}"
    client move -b "$(kafka_addr c1)" 2 "${TOPICS[@]/#/rv.}"
    must_run rv
    proxy_do drop
    kb_end_with 0 rv
    proxy_stop
    assert_matches "the log" "$KB_WORK/rv.err" \
        'rv.minus/0: verification: broker .*trying again'
    verify c1 rv
}

case_restore_one_of_three_killed() {
    slow_restore r3 "$(kafka_cluster_addr c)"
    sleep 2
    must_run r3
    kafka_restart c3 kill
    kb_end_with 0 r3
    verify c1 r3
}

# Through the proxy ----------------------------------------------------------

need_proxy() { proc_pid proxy >/dev/null || proxy_start k; proxy_do reset; }

was_hit() { # RULE AT_LEAST
    assert_at_least "answers hit by $1" "$2" "$(proxy_stat hits "$1")"
}

case_restore_produce_answers_swallowed() {
    need_proxy
    local before
    before=$(proxy_stat hits swallow)
    slow_restore ps "$(kafka_proxied k)"
    local i
    for i in 1 2 3; do
        sleep 0.7
        proxy_do swallow produce 2
    done
    kb_end_with 0 ps
    was_hit swallow $((before + 2))
    verify k ps
}

case_restore_produce_answers_cut() {
    need_proxy
    local before i
    before=$(proxy_stat hits cut)
    slow_restore pc "$(kafka_proxied k)"
    for i in 1 2 3 4 5 6; do
        sleep 0.5
        proxy_do cut produce 1 $((i * 5))
    done
    kb_end_with 0 pc
    was_hit cut $((before + 3))
    verify k pc
}

case_restore_answers_delayed() {
    need_proxy
    proxy_do delay produce 300 40
    proxy_do delay metadata 1500 1
    proxy_do delay init_producer_id 1500 1
    slow_restore pd "$(kafka_proxied k)"
    sleep 1
    proxy_do delay produce 6000 2 # longer than the request's deadline
    kb_end_with 0 pd
    verify k pd
}

case_restore_setting_up_disturbed() {
    need_proxy
    proxy_do swallow init_producer_id 1
    proxy_do cut metadata 1 7
    proxy_do cut list_offsets 1
    proxy_do cut describe_configs 1
    RATE=20MB slow_restore pi "$(kafka_proxied k)"
    kb_end_with 0 pi
    verify k pi
}

case_restore_connections_dropped() {
    need_proxy
    slow_restore pr "$(kafka_proxied k)"
    local i
    for i in 1 2 3 4; do
        sleep 0.6
        proxy_do drop
    done
    must_run pr
    kb_end_with 0 pr
    verify k pr
}

case_restore_network_stalls() {
    need_proxy
    slow_restore pn "$(kafka_proxied k)"
    sleep 1.5
    must_run pn
    proxy_do stall on
    sleep 6
    proxy_do drop # as after a failover: nothing is said on the old ones
    proxy_do stall off
    kb_end_with 0 pn
    verify k pn
}

case_backup_fetch_answers_swallowed_cut_delayed() {
    need_proxy
    slow_backup bs "$(kafka_proxied k)"
    sleep 0.5
    proxy_do swallow fetch 2
    sleep 1
    proxy_do cut fetch 2 1000
    proxy_do delay fetch 400 5
    sleep 1
    proxy_do cut fetch 1 0
    kb_end_with 0 bs
    prove_backup bs bs
}

# A partition's turn that takes long, behind a slow line, and a machine that
# sleeps are nobody's silence.
case_backup_waits_that_are_no_stall() {
    need_proxy
    client load -b "$(kafka_addr k)" turns --partitions 20 --records 6 \
        --size 100000 --batch 1
    backup_yaml "$KB_WORK/turns.yaml" id=turns broker="$(kafka_proxied k)" \
        include=turns fetch_max_bytes=512KiB stall_timeout=1s
    proxy_do rate 2000000
    kb_start turns backup -c "$KB_WORK/turns.yaml" -f json
    sleep 2
    must_run turns
    kill -STOP "$(proc_pid turns)"
    sleep 4
    kill -CONT "$(proc_pid turns)"
    kb_end_with 0 turns
    proxy_do reset
    assert_eq "records" 120 "$(json_at "$KB_WORK/turns.out" records)"
    # But one that doesn't answer is told, though others are.
    backup_yaml "$KB_WORK/turns.yaml" id=mute broker="$(kafka_proxied k)" \
        include=turns stall_timeout=2s connection="request_timeout: 1s"
    proxy_do swallow fetch 100000
    kb_run $KB_INCOMPLETE mute backup -c "$KB_WORK/turns.yaml" -f json
    proxy_do reset
    assert_contains "the log" "$KB_WORK/mute.err" "nothing came at offset 0: "
}

case_backup_connections_dropped() {
    need_proxy
    proxy_do cut list_offsets 1 3
    proxy_do swallow metadata 1
    slow_backup bd "$(kafka_proxied k)"
    local i
    for i in 1 2 3; do
        sleep 1
        proxy_do drop
    done
    kb_end_with 0 bd
    prove_backup bd bd
}

suite_main "$@"

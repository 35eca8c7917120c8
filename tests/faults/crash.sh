#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# crash.sh - kill -9 at random moments of backup and restore; what comes out
# in the end is what an undisturbed run makes: no record lost, none doubled.
#
# The records are of today, 30 days old, and of times 0 and -1, on a broker
# that forgets producers every second by the records' own times: it accepts a
# repeated batch of all but the first kind without a word.
. "$(dirname "$0")/../lib/lib.sh"

ROUNDS=${ROUNDS:-8}
[ -n "${KB_LONG:-}" ] && ROUNDS=100
RECORDS=6000 PARTITIONS=3
TOPICS=(now month zero minus)
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}

suite_setup() {
    local month=$((($(date +%s) - 30 * 86400) * 1000)) b
    kafka_new k "$KAFKA_4" producer.id.expiration.check.interval.ms=1000
    kafka_start k
    b=$(kafka_addr k)
    client load -b "$b" now --timestamp now --partitions $PARTITIONS \
        --records $RECORDS --size 300 --batch 40
    client load -b "$b" month --timestamp "$month" --step 1 \
        --partitions $PARTITIONS --records $RECORDS --size 300 --batch 40 \
        --compression lz4
    client load -b "$b" zero --timestamp 0 --partitions $PARTITIONS \
        --records $RECORDS --size 300 --batch 7
    client load -b "$b" minus --timestamp -1 --partitions $PARTITIONS \
        --records $RECORDS --size 300 --batch 40 --compression zstd
    backup_yaml "$KB_WORK/whole.yaml" id=whole broker="$b" \
        include=now,month,zero,minus
    kb_run 0 whole backup -c "$KB_WORK/whole.yaml"
    say "    seed $SEED, $ROUNDS rounds"
}

# All topics restored as PREFIX.topic hold each record once, in order.
verify() { # PREFIX WHAT
    client verify -b "$(kafka_addr k)" "${TOPICS[@]/#/$1.}" \
        --records $RECORDS >"$KB_WORK/verify" 2>&1 || {
        cat "$KB_WORK/verify" >&2
        fail "$2: $(head -1 "$KB_WORK/verify")"
    }
}

map() { # PREFIX
    local topic out=
    for topic in "${TOPICS[@]}"; do out+=${out:+,}$topic=$1.$topic; done
    printf '%s\n' "$out"
}

forget() { # PREFIX
    client delete -b "$(kafka_addr k)" "${TOPICS[@]/#/$1.}"
}

case_backup() {
    local i killed=0 b
    RANDOM=$((SEED % 32768))
    b=$(kafka_addr k)
    for ((i = 1; i <= ROUNDS; i++)); do
        # some 20 MB in all: slow enough to be hit in the middle
        backup_yaml "$KB_WORK/full.yaml" id="b$i" broker="$b" \
            include=now,month,zero,minus storage="lease_ttl: 2s"
        backup_yaml "$KB_WORK/b.yaml" id="b$i" broker="$b" \
            include=now,month,zero,minus commit_interval=200ms \
            segment_max_bytes=300KiB rate_limit_bytes_per_sec=4MB \
            fetch_max_bytes=200KiB storage="lease_ttl: 2s"
        kb_killed "b$i" "$(random_ms 50 3000)" backup -c "$KB_WORK/b.yaml"
        killed=$((killed + ${KB_WAS_KILLED:-0}))
        # what is stored is whole, however little it is
        if compgen -G "$KB_WORK/store/b$i/*" >/dev/null; then
            kb_run 0 "v$i" validate --deep -p "$KB_WORK/store" -b "b$i"
        fi
        if ((i % 3 == 0)); then # and a second time, while it resumes
            kb_killed "b$i" "$(random_ms 50 1500)" backup -c "$KB_WORK/b.yaml"
            killed=$((killed + ${KB_WAS_KILLED:-0}))
        fi
        if ((i % 4 == 1)); then # what is stored so far restores
            restore_partial "b$i" "$b"
        fi
        kb_run 0 "resumed$i" backup -c "$KB_WORK/full.yaml"
        validate_deep "b$i"
        restore_yaml "$KB_WORK/r.yaml" id="b$i" broker="$b" \
            create_topics=true map="$(map "b$i")"
        kb_run 0 "r$i" restore -c "$KB_WORK/r.yaml"
        verify "b$i" "round $i of seed $SEED"
        forget "b$i"
        rm -rf "$KB_WORK/store/b$i"
    done
    note "$killed kills in $ROUNDS backups"
    assert_at_least "kills that hit a running backup" $((ROUNDS / 2)) $killed
}

# A continuous backup, killed again and again while records keep coming: each
# one is there once in the end.
case_backup_continuous() {
    local b i loader rounds=${KB_CRASH_CONTINUOUS:-5} records=12000
    RANDOM=$(((SEED + 2) % 32768))
    b=$(kafka_addr k)
    client load -b "$b" stream --partitions 3 --records 100 --batch 10
    backup_yaml "$KB_WORK/c.yaml" id=stream broker="$b" include=stream \
        continuous=true commit_interval=100ms segment_max_interval_ms=100ms \
        segment_max_bytes=50KiB discovery_interval=300ms poll_interval_ms=50 \
        storage="lease_ttl: 2s"
    client load -b "$b" stream --partitions 3 --start 100 --batch 10 \
        --records $((records - 100)) --rate 2000 >"$KB_WORK/load.out" 2>&1 &
    loader=$!
    for ((i = 1; i <= rounds; i++)); do
        kb_killed "c$i" "$(random_ms 200 4000)" backup -c "$KB_WORK/c.yaml"
        [ -n "$KB_WAS_KILLED" ] || fail "a continuous run ended by itself"
        if compgen -G "$KB_WORK/store/stream/*" >/dev/null; then
            kb_run 0 "v$i" validate --deep -p "$KB_WORK/store" -b stream
        fi
    done
    wait $loader || { cat "$KB_WORK/load.out" >&2; fail "the load failed"; }
    kb_start stream backup -c "$KB_WORK/c.yaml"
    wait_until 60 stored_records stream $((records * 3)) || {
        kb_show stream
        fail "not all came: $(json_at "$KB_WORK/described.json" summary records)"
    }
    proc_signal stream TERM
    kb_end_with $KB_INTERRUPTED stream 30
    validate_deep stream
    read_by_document stream
    restore_yaml "$KB_WORK/r.yaml" id=stream broker="$b" create_topics=true \
        map=stream=r.stream
    kb_run 0 r restore -c "$KB_WORK/r.yaml"
    client verify -b "$b" r.stream --records $records >"$KB_WORK/verify" 2>&1 ||
        { cat "$KB_WORK/verify" >&2; fail "$(head -1 "$KB_WORK/verify")"; }
    note "$rounds kills, $(cat "$KB_WORK"/c*.err | grep -c fetches) of them in a run that fetched"
}

# Restores what a killed run left: each topic is a beginning of its source.
restore_partial() { # ID BROKER
    local topic pairs=()
    kb list -p "$KB_WORK/store" -b "$1" >"$KB_WORK/list" 2>&1 || return 0
    restore_yaml "$KB_WORK/p.yaml" id="$1" broker="$2" create_topics=true \
        map="$(map "p$1")"
    kb_run 0 "partial-$1" restore -c "$KB_WORK/p.yaml"
    client topics -b "$2" >"$KB_WORK/topics"
    for topic in "${TOPICS[@]}"; do
        grep -qxF "p$1.$topic" "$KB_WORK/topics" &&
            pairs+=("$topic=p$1.$topic")
    done
    [ ${#pairs[@]} -gt 0 ] || return 0
    client compare -b "$2" --subset "${pairs[@]}" >"$KB_WORK/compared" ||
        { cat "$KB_WORK/compared" >&2; fail "what a killed run left is wrong"; }
    client delete -b "$2" "${pairs[@]#*=}"
}

case_restore() {
    local i killed=0 b
    RANDOM=$(((SEED + 1) % 32768))
    b=$(kafka_addr k)
    for ((i = 1; i <= ROUNDS; i++)); do
        restore_yaml "$KB_WORK/full.yaml" id=whole broker="$b" \
            restore_id="r$i" create_topics=true map="$(map "r$i")" \
            storage="lease_ttl: 2s"
        restore_yaml "$KB_WORK/r.yaml" id=whole broker="$b" restore_id="r$i" \
            create_topics=true map="$(map "r$i")" \
            rate_limit_bytes_per_sec=5MB storage="lease_ttl: 2s"
        kb_killed "r$i" "$(random_ms 50 3000)" restore -c "$KB_WORK/r.yaml"
        killed=$((killed + ${KB_WAS_KILLED:-0}))
        ((i % 2)) && sleep 1.5 # now the broker has forgotten the producer
        if ((i % 3 == 0)) && [ -n "$KB_WAS_KILLED" ]; then
            kb_killed "r$i" "$(random_ms 50 2000)" restore -c "$KB_WORK/r.yaml"
            killed=$((killed + ${KB_WAS_KILLED:-0}))
        fi
        # also one that came to its end: it finds that there is nothing to do
        kb_run 0 "resumed$i" restore -c "$KB_WORK/full.yaml"
        verify "r$i" "round $i of seed $SEED"
        forget "r$i"
    done
    note "$killed kills in $ROUNDS restores"
    assert_at_least "kills that hit a running restore" $((ROUNDS / 2)) $killed
}

# Killed when all records are there and their configs are not: the resumed run
# puts them back.
case_restore_before_the_configs() {
    local b hits=0 tries
    b=$(kafka_addr k)
    client load -b "$b" configs --records 2000 --partitions 2 --config \
        cleanup.policy=compact,compression.type=lz4,max.message.bytes=2000000,retention.ms=99999999999,min.compaction.lag.ms=604800000
    backup_yaml "$KB_WORK/c.yaml" id=configs broker="$b" include=configs
    kb_run 0 configs backup -c "$KB_WORK/c.yaml"
    proxy_start k
    proxy_do refuse incremental_alter_configs 1000000
    proxy_do refuse alter_configs 1000000
    restore_yaml "$KB_WORK/r.yaml" id=configs broker="$(kafka_proxied k)" \
        create_topics=true map=configs=r.configs storage="lease_ttl: 2s" \
        connection="request_timeout: 3s"
    kb_start rc restore -c "$KB_WORK/r.yaml"
    for ((tries = 0; tries < 300; tries++)); do
        hits=$(proxy_stat hits refuse)
        [ "$hits" -gt 0 ] && break
        sleep 0.1
    done
    assert_at_least "attempts to put the configs back" 1 "$hits"
    proc_signal rc KILL
    kb_end rc
    client configs -b "$b" r.configs >"$KB_WORK/before"
    assert_lacks "configs before" "$KB_WORK/before" cleanup.policy=compact
    proxy_do reset
    kb_run 0 rc2 restore -c "$KB_WORK/r.yaml"
    client configs -b "$b" configs | cut -f2 >"$KB_WORK/source"
    client configs -b "$b" r.configs | cut -f2 >"$KB_WORK/target"
    diff "$KB_WORK/source" "$KB_WORK/target" >&2 ||
        fail "the configs were not put back: $(diff "$KB_WORK/source" "$KB_WORK/target" | head -3 | tr '\n' ' ')"
    client verify -b "$b" r.configs --records 2000
}

suite_main "$@"

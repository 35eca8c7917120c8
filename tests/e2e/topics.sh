#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# topics.sh - topics that change between two runs of a backup, or during one.
. "$(dirname "$0")/../lib/lib.sh"

suite_setup() {
    kafka_new k "$KAFKA_4"
    kafka_start k
}

B() { kafka_addr k; }

backup_of() { # ID TOPICS [K=V...]
    local id=$1 topics=$2
    shift 2
    backup_yaml "$KB_WORK/$id.yaml" id="$id" broker="$(B)" include="$topics" \
        "$@"
}

restore_to() { # ID MAP [K=V...]
    local id=$1 map=$2
    shift 2
    restore_yaml "$KB_WORK/r.yaml" id="$id" broker="$(B)" create_topics=true \
        map="$map" "$@"
    kb_run 0 "restore-$id" restore -c "$KB_WORK/r.yaml"
}

case_second_run_takes_what_is_new() {
    client load -b "$(B)" more --partitions 2 --records 1000
    backup_of more more
    kb_run 0 more1 backup -c "$KB_WORK/more.yaml"
    client load -b "$(B)" more --partitions 2 --records 700 --start 1000
    kb_run 0 more2 backup -c "$KB_WORK/more.yaml" -f json
    assert_eq "records of the second run" 1400 "$(python3 -c '
import json, sys
print(json.load(open(sys.argv[1]))["records"])' "$KB_WORK/more2.out")"
    kb_run 0 more3 backup -c "$KB_WORK/more.yaml" # nothing new
    validate_deep more
    restore_to more more=r.more
    client compare -b "$(B)" --min 3400 more=r.more
}

case_partitions_added() {
    client load -b "$(B)" grown --partitions 2 --records 500
    backup_of grown grown
    kb_run 0 grown1 backup -c "$KB_WORK/grown.yaml"
    client add-partitions -b "$(B)" grown 5
    client load -b "$(B)" grown --partitions 5 --records 300 --start 500
    kb_run 0 grown2 backup -c "$KB_WORK/grown.yaml"
    validate_deep grown
    restore_to grown grown=r.grown
    client compare -b "$(B)" --min 2500 grown=r.grown
}

# Deleted, made again, and filled to beyond where the first one ended: asked
# by name and offset, a broker answers with the new topic's records as if
# nothing had been.
case_recreated_and_refilled_past_the_end() {
    client load -b "$(B)" again --partitions 1 --records 1000 --size 150
    backup_of again again
    kb_run 0 again1 backup -c "$KB_WORK/again.yaml"
    client delete -b "$(B)" again
    client load -b "$(B)" again --partitions 1 --records 2500 --size 90
    kb_run 0 again2 backup -c "$KB_WORK/again.yaml"
    validate_deep again
    restore_to again again=r.again
    client compare -b "$(B)" --min 2500 again=r.again
}

case_recreated_and_shorter() {
    client load -b "$(B)" short --partitions 2 --records 1000
    backup_of short short
    kb_run 0 short1 backup -c "$KB_WORK/short.yaml"
    client delete -b "$(B)" short
    client load -b "$(B)" short --partitions 1 --records 100 --size 77
    kb_run 0 short2 backup -c "$KB_WORK/short.yaml"
    validate_deep short
    restore_to short short=r.short
    client compare -b "$(B)" --min 100 short=r.short
}

# Brokers before 2.8 have no topic ids: the last stored batch tells.
O() { kafka_addr old; }

old_broker() {
    [ -d "$(kafka_dir old)" ] && return
    kafka_new old "$KAFKA_21"
    kafka_start old
}

old_backup() { # LABEL TOPIC...
    local label=$1
    shift
    backup_yaml "$KB_WORK/old.yaml" id="old-$1" broker="$(O)" \
        include="$(IFS=,; printf '%s' "$*")"
    kb_run 0 "$label" backup -c "$KB_WORK/old.yaml"
}

old_delete() {
    client delete -b "$(O)" "$@"
    sleep 2
}

# LABEL TOPIC...: that run began another generation of each; of none
old_told() {
    local label=$1 topic
    shift
    for topic; do
        assert_matches "the log of $label" "$KB_WORK/$label.err" \
            "$topic: .*generation 2 begins"
    done
}

old_not_told() {
    assert_lacks "the log of $1" "$KB_WORK/$1.err" "generation 2"
}

old_compare() { # MIN TOPIC...
    local min=$1 map= pairs=() topic
    shift
    for topic; do
        map+=${map:+,}$topic=r.$topic
        pairs+=("$topic=r.$topic")
    done
    validate_deep "old-$1"
    restore_yaml "$KB_WORK/r.yaml" id="old-$1" broker="$(O)" \
        create_topics=true map="$map"
    kb_run 0 restore-old restore -c "$KB_WORK/r.yaml"
    client compare -b "$(O)" --min "$min" "${pairs[@]}"
}

case_recreated_on_a_broker_without_ids() {
    old_broker
    client load -b "$(O)" again --partitions 1 --records 1000 --size 150
    old_backup old1 again
    old_delete again
    client load -b "$(O)" again --partitions 1 --records 2500 --size 90
    old_backup old2 again
    old_told old2 again
    old_compare 2500 again
}

# The cleaner may have written that batch anew, so its CRC tells nothing. The
# new log's batches begin and end where the old one's did, have as many records
# and the same times, and no producer id.
case_recreated_and_compacted_without_ids() {
    local same=(--partitions 1 --batch 100 --timestamp 1700000000000
        --config cleanup.policy=compact)
    old_broker
    client load -b "$(O)" keyed "${same[@]}" --records 1000 --size 150
    old_backup keyed1 keyed
    old_backup keyed2 keyed
    old_not_told keyed2
    old_delete keyed
    client load -b "$(O)" keyed "${same[@]}" --records 2500 --size 90
    old_backup keyed3 keyed
    old_told keyed3 keyed
    old_compare 2500 keyed
}

# wait_batches TOPIC PATTERN|!PATTERN: until there is a batch like that, or
# none. A record more each time makes the broker roll the segment.
wait_batches() {
    local i want=0 pattern=${2#!}
    [ "$pattern" = "$2" ] || want=1
    for i in {1..60}; do
        client batches -b "$(O)" "$1" >"$KB_WORK/batches"
        [ "$(grep -Eq "$pattern" "$KB_WORK/batches"; echo $?)" = $want ] &&
            return
        client load -b "$(O)" "$1" --records 1 --start $((999 - i))
    done
    cat "$KB_WORK/batches"
    fail "the cleaner never came to $1 ($2)"
}

# Where only the cleaner ran, nothing was replaced: neither where it took
# records out of the last batch that was stored, nor where it took all of it.
case_cleaned_without_ids() {
    old_broker
    client load -b "$(O)" cleaned --partitions 1 --records 100 --batch 10 \
        --config cleanup.policy=compact,segment.ms=200,min.cleanable.dirty.ratio=0.0001,min.compaction.lag.ms=0
    old_backup cleaned1 cleaned
    client load -b "$(O)" cleaned --records 5 --start 95
    wait_batches cleaned $'\t90\\.\\.99\t.* records=5 '
    old_backup cleaned2 cleaned
    old_not_told cleaned2
    assert_lacks "what it says" "$KB_WORK/cleaned2.err" "no longer in the log"
    client load -b "$(O)" cleaned --records 1 --start 7
    old_backup cleaned3 cleaned
    old_not_told cleaned3
    local last
    last=$(client batches -b "$(O)" cleaned | tail -1 | cut -f3)
    client load -b "$(O)" cleaned --records 1 --start 7
    wait_batches cleaned "!"$'\t'"${last/../\\.\\.}"$'\t'
    old_backup cleaned4 cleaned
    old_not_told cleaned4
    assert_contains "what it says" "$KB_WORK/cleaned4.err" \
        "no longer in the log"
    validate_deep old-cleaned
}

# What comes from logs of old is turned into batches of ours: the messages'
# own CRCs tell.
case_recreated_in_the_formats_of_old() {
    old_broker
    load_old() { # RECORDS START SIZE
        client load -b "$(O)" magic0 --records "$1" --start "$2" --size "$3" \
            --batch 100 --magic 0 --config message.format.version=0.9.0
        client load -b "$(O)" magic1 --records "$1" --start "$2" --size "$3" \
            --batch 100 --magic 1 --compression gzip \
            --timestamp 1700000000000 --config message.format.version=0.10.0
    }
    load_old 1000 0 150
    old_backup magic_1 magic0 magic1
    load_old 100 1000 150
    old_backup magic_2 magic0 magic1
    old_not_told magic_2
    old_delete magic0 magic1
    load_old 2500 0 90
    client batches -b "$(O)" magic0 magic1 >"$KB_WORK/batches"
    assert_matches "the source" "$KB_WORK/batches" $'magic0\t.*magic=0 '
    assert_matches "the source" "$KB_WORK/batches" $'magic1\t.*magic=1 '
    old_backup magic_3 magic0 magic1
    old_told magic_3 magic0 magic1
    old_compare 5000 magic0 magic1
    kafka_kill old
}

# Retention overtook the position of the last run: the gap is recorded.
case_deleted_records_between_runs() {
    client load -b "$(B)" gap --partitions 1 --records 1000
    backup_of gap gap
    kb_run 0 gap1 backup -c "$KB_WORK/gap.yaml"
    client load -b "$(B)" gap --partitions 1 --records 1000 --start 1000
    client delete-records -b "$(B)" gap 0 1515
    kb_run 0 gap2 backup -c "$KB_WORK/gap.yaml" -f json
    validate_deep gap
    python3 - "$KB_WORK/gap2.out" <<'PY' || fail "the gap is not reported"
import json, sys
r = json.load(open(sys.argv[1]))
p = r["partitions"][0]
absent = p["absent"].get("before_log_start")
print("    absent:", p["absent"], "records:", p["records"])
sys.exit(absent != 515 or p["records"] != 485)
PY
    restore_to gap gap=r.gap
    client ends -b "$(B)" r.gap >"$KB_WORK/ends"
    assert_contains "the restored topic" "$KB_WORK/ends" $'r.gap\t0\t0\t1485'
}

case_continuous_discovers_topics_and_partitions() {
    client load -b "$(B)" live.a --partitions 1 --records 500
    backup_of live 'live.*' continuous=true discovery_interval=1s \
        commit_interval=500ms poll_interval_ms=200
    kb_start live backup -c "$KB_WORK/live.yaml"
    sleep 3
    client load -b "$(B)" live.b --partitions 2 --records 400
    client add-partitions -b "$(B)" live.a 3
    client load -b "$(B)" live.a --partitions 3 --records 200 --start 500
    client create -b "$(B)" live.empty 2
    sleep 6
    proc_pid live >/dev/null || { kb_show live; fail "it ended by itself"; }
    proc_signal live TERM
    kb_end_with $KB_INTERRUPTED live 30
    validate_deep live
    restore_to live live.a=r.live.a,live.b=r.live.b,live.empty=r.live.empty
    client compare -b "$(B)" --min 1900 live.a=r.live.a live.b=r.live.b \
        live.empty=r.live.empty
    # and a last run takes what came after it ended
    client load -b "$(B)" live.b --partitions 2 --records 50 --start 400
    backup_of live 'live.*'
    kb_run 0 live2 backup -c "$KB_WORK/live.yaml"
    restore_to live live.a=s.live.a,live.b=s.live.b,live.empty=s.live.empty
    client compare -b "$(B)" --min 2000 live.a=s.live.a live.b=s.live.b \
        live.empty=s.live.empty
}

case_topic_deleted_while_continuous() {
    client load -b "$(B)" gone.a --partitions 1 --records 500
    client load -b "$(B)" gone.b --partitions 1 --records 500
    backup_of gone 'gone.*' continuous=true discovery_interval=1s \
        commit_interval=500ms
    kb_start gone backup -c "$KB_WORK/gone.yaml"
    sleep 3
    client delete -b "$(B)" gone.a
    sleep 3
    client load -b "$(B)" gone.b --partitions 1 --records 500 --start 500
    sleep 3
    proc_pid gone >/dev/null || { kb_show gone
        fail "a deleted topic ended the whole run"; }
    proc_signal gone TERM
    kb_end gone 30
    case $KB_CODE in 3 | 5) ;; *) fail "exit code $KB_CODE" ;; esac
    validate_deep gone
    restore_to gone gone.a=r.gone.a,gone.b=r.gone.b
    client compare -b "$(B)" --min 1000 gone.b=r.gone.b
    client verify -b "$(B)" r.gone.a --records 500
}

case_internal_topics_stay_out() {
    client load -b "$(B)" internal.data --records 100
    client commit -b "$(B)" some.group internal.data:0=10 # __consumer_offsets
    backup_yaml "$KB_WORK/all.yaml" id=all broker="$(B)" \
        exclude='live*,gone*,more*,grown*,r.*,s.*'
    kb_run 0 all backup -c "$KB_WORK/all.yaml"
    kb_run 0 list list -p "$KB_WORK/store" -b all
    assert_contains "topics of the backup" "$KB_WORK/list.out" internal.data
    assert_lacks "topics of the backup" "$KB_WORK/list.out" __consumer_offsets
}

suite_main "$@"

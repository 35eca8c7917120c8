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
case_recreated_on_a_broker_without_ids() {
    local b
    kafka_new old "$KAFKA_21"
    kafka_start old
    b=$(kafka_addr old)
    client load -b "$b" again --partitions 1 --records 1000 --size 150
    backup_yaml "$KB_WORK/old.yaml" id=old broker="$b" include=again
    kb_run 0 old1 backup -c "$KB_WORK/old.yaml"
    client delete -b "$b" again
    sleep 2
    client load -b "$b" again --partitions 1 --records 2500 --size 90
    kb_run 0 old2 backup -c "$KB_WORK/old.yaml"
    validate_deep old
    restore_yaml "$KB_WORK/r.yaml" id=old broker="$b" create_topics=true \
        map=again=r.again
    kb_run 0 restore-old restore -c "$KB_WORK/r.yaml"
    client compare -b "$b" --min 2500 again=r.again
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

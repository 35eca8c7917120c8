#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# resume.sh - a restore's last steps, behind its last record: what stands in
# their way, and that another run of it goes on from there.
. "$(dirname "$0")/../lib/lib.sh"

suite_setup() {
    local b
    kafka_new k "$KAFKA_4"
    kafka_start k
    b=$(kafka_addr k)
    # configs under which nobody would begin to restore into a topic
    client load -b "$b" one --partitions 2 --records 500 --batch 50 --config \
        message.timestamp.type=LogAppendTime,max.message.bytes=100000
    client load -b "$b" two --records 500 --batch 50 --config \
        message.timestamp.type=LogAppendTime,cleanup.policy=compact
    client commit -b "$b" readers one:0=100 one:1=200
    backup_yaml "$KB_WORK/b.yaml" id=all broker="$b" include=one,two
    kb_run 0 all backup -c "$KB_WORK/b.yaml"
}

B() { kafka_addr k; }

topic_has() { # TOPIC KEY=VALUE
    client configs -b "$(B)" "$1" >"$KB_WORK/configs" 2>/dev/null &&
        grep -qF "$2" "$KB_WORK/configs"
}

joined() { grep -qs joined "$KB_WORK/member"; }

case_group_with_members() {
    local member
    client member -b "$(B)" g.readers one --until "$KB_WORK/leave" \
        >"$KB_WORK/member" 2>&1 </dev/null &
    member=$!
    wait_until 60 joined || fail "no member: $(cat "$KB_WORK/member")"
    restore_yaml "$KB_WORK/g.yaml" id=all broker="$(B)" create_topics=true \
        restore_id=g map=one=g.one,two=g.two \
        reset_consumer_offsets=true consumer_groups='["readers"]' \
        group_mapping='{"readers": "g.readers"}'
    kb_run $KB_INCOMPLETE g1 restore -c "$KB_WORK/g.yaml"
    touch "$KB_WORK/leave"
    wait $member || fail "the member: $(cat "$KB_WORK/member")"
    assert_contains "the log" "$KB_WORK/g1.err" "stop them, and run the restore"
    topic_has g.one LogAppendTime || fail "its configs aren't back"
    topic_has g.two LogAppendTime || fail "its configs aren't back"
    kb_run 0 g2 restore -c "$KB_WORK/g.yaml"
    client group -b "$(B)" g.readers | cut -f1-3 >"$KB_WORK/readers"
    assert_contains "offsets" "$KB_WORK/readers" $'g.one\t0\t100'
    assert_contains "offsets" "$KB_WORK/readers" $'g.one\t1\t200'
    client verify -b "$(B)" g.one --records 500
}

# The first topic's configs are back, and the answer to that is held up.
case_killed_between_two_topics_configs() {
    proxy_start k
    proxy_do delay incremental_alter_configs 60000
    restore_yaml "$KB_WORK/c.yaml" id=all broker="$(kafka_proxied k)" \
        create_topics=true restore_id=c map=one=c.one,two=c.two
    kb_start c1 restore -c "$KB_WORK/c.yaml"
    wait_until 60 topic_has c.one LogAppendTime || fail "no configs are put back"
    # waited for at once, or the shell says "Killed"
    { kill -KILL "$(proc_pid c1)"; wait $!; } 2>/dev/null || true
    proxy_stop
    ! topic_has c.two LogAppendTime || fail "both are back"
    restore_yaml "$KB_WORK/c.yaml" id=all broker="$(B)" \
        create_topics=true restore_id=c map=one=c.one,two=c.two
    kb_run 0 c2 restore -c "$KB_WORK/c.yaml"
    topic_has c.two LogAppendTime || fail "its configs aren't back"
    client verify -b "$(B)" c.one --records 500
}

# It doesn't wait for a topic that is gone, nor append to another by its name.
case_topic_that_is_gone() {
    restore_yaml "$KB_WORK/gone.yaml" id=all broker="$(B)" create_topics=true \
        restore_id=gone include=two map=two=gone.two \
        rate_limit_records_per_sec=50 produce_batch_bytes=0
    kb_start gone1 restore -c "$KB_WORK/gone.yaml"
    wait_until 60 grep -qs gone.two "$KB_WORK/store/all/restores/gone/state.json" ||
        fail "it has no checkpoint"
    proc_signal gone1 TERM
    kb_end_with $KB_INTERRUPTED gone1
    client delete -b "$(B)" gone.two
    KB_TIMEOUT=60 kb_run $KB_FAILED gone2 restore -c "$KB_WORK/gone.yaml"
    assert_contains "the log" "$KB_WORK/gone2.err" "it was deleted since"
    client create -b "$(B)" gone.two 1
    KB_TIMEOUT=60 kb_run $KB_FAILED gone3 restore -c "$KB_WORK/gone.yaml"
    assert_contains "the log" "$KB_WORK/gone3.err" \
        "it was deleted and created again since"
    assert_eq "records" $'gone.two\t0\t0\t0' "$(client ends -b "$(B)" gone.two)"
}

# Answers are lost and connections cut while the target is read back.
case_verification_tries_again() {
    proxy_start k
    proxy_do cut fetch 3
    proxy_do refuse fetch 2
    restore_yaml "$KB_WORK/v.yaml" id=all broker="$(kafka_proxied k)" \
        create_topics=true restore_id=v map=one=v.one,two=v.two
    kb_run 0 v restore -c "$KB_WORK/v.yaml" -v
    assert_eq "answers that were cut" 3 "$(proxy_stat hits cut)"
    assert_eq "requests that were refused" 2 "$(proxy_stat hits refuse)"
    proxy_stop
    assert_contains "the log" "$KB_WORK/v.err" "verification"
}

# Only one process carries a restore out; the other is told which. One that has
# lost its lease ends before it appends to what is another's by then.
case_two_at_once() {
    local lease=$KB_WORK/store/all/restores/l/lease.json options
    options=(id=all broker="$(B)" create_topics=true restore_id=l include=one
        map=one=l.one storage='lease_ttl: 3s')
    restore_yaml "$KB_WORK/l.yaml" "${options[@]}" rate_limit_records_per_sec=40
    kb_start l1 restore -c "$KB_WORK/l.yaml"
    wait_until 30 test -e "$KB_WORK/store/all/restores/l/state.json" ||
        fail "it has no checkpoint"
    kb_run $KB_FAILED l2 restore -c "$KB_WORK/l.yaml"
    assert_contains "the log" "$KB_WORK/l2.err" \
        "all/restores/l is in use by process $(proc_pid l1) on host"
    kb_run 0 st status -p "$KB_WORK/store" -b all -f json
    assert_eq "restores at work" "l $(proc_pid l1) False" "$(python3 -c '
import json, sys
for r in json.load(open(sys.argv[1]))["restores"]:
    print(r["restore"], r["pid"], r["expired"])' "$KB_WORK/st.out")"
    kb_run 0 st status -p "$KB_WORK/store" -b all
    assert_matches "status" "$KB_WORK/st.out" \
        "^Restore: +l: $(hostname), process $(proc_pid l1), since "
    kb_run 0 l3 validate-restore -c "$KB_WORK/l.yaml" # takes no lease
    proc_pid l1 >/dev/null || fail "the first one is gone"
    rm "$lease"
    kb_end_with $KB_FAILED l1 30
    assert_contains "the log" "$KB_WORK/l1.err" "taken over by somebody else"
    restore_yaml "$KB_WORK/l.yaml" "${options[@]}"
    kb_run 0 l4 restore -c "$KB_WORK/l.yaml"
    client verify -b "$(B)" l.one --partitions 2 --records 500
    assert_contains "the lease" "$lease" '"released":true'
    kb_run 0 st status -p "$KB_WORK/store" -b all -f json
    assert_eq "restores at work" "[]" "$(json_at "$KB_WORK/st.out" restores)"
}

# One that was held up for longer than its lease lasts, and is still the only
# one, goes on.
case_lease_that_ran_out() {
    restore_yaml "$KB_WORK/p.yaml" id=all broker="$(B)" create_topics=true \
        restore_id=p include=one map=one=p.one storage='lease_ttl: 2s' \
        rate_limit_records_per_sec=100 produce_batch_bytes=0
    kb_start p1 restore -c "$KB_WORK/p.yaml"
    wait_until 60 grep -qs p.one "$KB_WORK/store/all/restores/p/state.json" ||
        fail "it has no checkpoint"
    proc_signal p1 STOP
    sleep 3
    proc_signal p1 CONT
    kb_end_with 0 p1 120
    client verify -b "$(B)" p.one --partitions 2 --records 500
}

suite_main "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# backup.sh - what a backup does when the source doesn't stand still: resumed
# runs, topics that come back as others, records that go, brokers that go,
# stops and crashes. What is in the archive is told by tests/reader, which
# checks that every offset is accounted for.
. "$(dirname "$0")/../lib/lib.sh"

suite_setup() {
    kafka_new k "$KAFKA_4"
    kafka_start k
}

# back_up CODE LABEL ID TOPICS [KEY=VALUE...]
back_up() {
    local code=$1 label=$2 id=$3 topics=$4
    shift 4
    backup_yaml "$KB_WORK/$label.yaml" id="$id" broker="$(kafka_addr k)" \
        include="$topics" "$@"
    kb_run "$code" "$label" backup -c "$KB_WORK/$label.yaml" -f json
}

# of LABEL EXPRESSION: of the run's report, as `d` in Python
of() {
    python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$KB_WORK/$1.out" "$2"
}

# reads ID EXPRESSION: of what the independent reader says, as the list `d`;
# it fails unless every offset is accounted for
reads() {
    python3 "$KB_ROOT/tests/reader/kbs_reader.py" "$KB_WORK/store" "$1" \
        >"$KB_WORK/read" || fail "the reader: $(tail -1 "$KB_WORK/read")"
    python3 -c 'import json, sys
d = [json.loads(line) for line in open(sys.argv[1])]
parts = [x for x in d if "total_records" in x]
print(eval(sys.argv[2]))' "$KB_WORK/read" "$2"
}

load() { # TOPIC PARTITIONS FROM UPTO [ARGS...]
    local topic=$1 partitions=$2 from=$3 upto=$4
    shift 4
    client load -b "$(kafka_addr k)" "$topic" --partitions "$partitions" \
        --start "$from" --records "$((upto - from))" "$@"
}

case_a_second_run_takes_what_is_new() {
    load again 3 0 3000
    back_up 0 first again again
    assert_eq "records of the first run" 9000 "$(of first 'd["records"]')"
    load again 3 3000 3500
    back_up 0 second again again
    assert_eq "records of the second run" 1500 "$(of second 'd["records"]')"
    back_up 0 third again again
    assert_eq "records of the third run" 0 "$(of third 'd["records"]')"
    assert_eq "records in the archive" 10500 "$(reads again 'd[-1]["records"]')"
}

case_a_topic_created_again_is_another_generation() {
    load reborn 2 0 1000
    back_up 0 first reborn reborn
    client delete -b "$(kafka_addr k)" reborn
    # Refilled past where it ended: the offsets alone would fit.
    load reborn 2 0 2000 --compression lz4
    back_up 0 second reborn reborn
    assert_eq "generation" 2 "$(of second 'd["partitions"][0]["generation"]')"
    assert_eq "records of the second run" 4000 "$(of second 'd["records"]')"
    assert_contains "the log" "$KB_WORK/second.err" "created again"
    assert_eq "of both generations" "[1000, 1000, 2000, 2000]" \
        "$(reads reborn '[p["total_records"] for p in parts]')"
    client delete -b "$(kafka_addr k)" reborn
    load reborn 1 0 10
    back_up 0 third reborn reborn
    assert_eq "generation" 3 "$(of third 'd["partitions"][0]["generation"]')"
}

case_partitions_that_are_added_are_taken() {
    load wider 1 0 500
    back_up 0 first wider wider
    client add-partitions -b "$(kafka_addr k)" wider 3
    load wider 3 500 600
    back_up 0 second wider wider
    assert_eq "records of the second run" 300 "$(of second 'd["records"]')"
    assert_eq "partitions" 3 "$(reads wider 'len(parts)')"
}

case_records_deleted_between_runs_are_a_range_with_its_reason() {
    load shorter 1 0 1000 --batch 10
    back_up 0 first shorter shorter
    load shorter 1 1000 2000 --batch 10
    client delete-records -b "$(kafka_addr k)" shorter 0 1505
    back_up 0 second shorter shorter
    assert_contains "the log" "$KB_WORK/second.err" "offsets 1000 to 1505"
    assert_eq "ranges" "[['b', 1000, 1505]]" \
        "$(reads shorter 'parts[0]["ranges"]')"
    # The batch of 1500 to 1509 was rewritten without what was deleted.
    assert_eq "records" 1495 "$(reads shorter 'd[-1]["records"]')"
}

case_deleted_topics_stay_in_the_archive() {
    load parting 1 0 100
    load staying 1 0 100
    back_up 0 first parting 'parting,staying'
    client delete -b "$(kafka_addr k)" parting
    back_up 1 second parting 'parting,staying'
    assert_contains "the log" "$KB_WORK/second.err" "parting"
    back_up 0 third parting 'part*,staying'
    assert_contains "the log" "$KB_WORK/third.err" "parting"
    assert_eq "records" 200 "$(reads parting 'd[-1]["records"]')"
}

case_a_stop_loses_nothing() {
    load stopped 4 0 20000 --size 100
    backup_yaml "$KB_WORK/stop.yaml" id=stopped broker="$(kafka_addr k)" \
        include=stopped rate_limit_records_per_sec=20000 \
        fetch_max_bytes=1MiB
    kb_start stop backup -c "$KB_WORK/stop.yaml" -f json
    sleep 2.5
    proc_signal stop TERM
    kb_end stop 20
    assert_eq "exit code" "$KB_INTERRUPTED" "$KB_CODE"
    local had
    had=$(of stop 'd["records"]')
    assert_at_least "records before the stop" 1 "$had"
    assert_at_most "records before the stop" 79999 "$had"
    assert_eq "records in the archive" "$had" \
        "$(reads stopped 'd[-1]["records"]')"
    back_up 0 rest stopped stopped
    assert_eq "records of the second run" $((80000 - had)) \
        "$(of rest 'd["records"]')"
    assert_eq "records in the archive" 80000 \
        "$(reads stopped 'd[-1]["records"]')"
}

# However early it comes: 0 is only for a run that has everything.
case_a_stop_before_it_began_is_not_success() {
    local delay
    load early 4 0 2000
    backup_yaml "$KB_WORK/early.yaml" id=early broker="$(kafka_addr k)" \
        include=early
    for delay in 0.01 0.02 0.03 0.04 0.06 0.08 0.12 0.2; do
        rm -rf "$KB_WORK/store/early"
        kb_start early backup -c "$KB_WORK/early.yaml" -f json
        sleep "$delay"
        proc_signal early TERM
        kb_end early 30
        case $KB_CODE in
        0) assert_eq "records of a whole run" 8000 "$(of early 'd["records"]')" ;;
        5 | 143) ;; # 143: before there was a handler
        *) fail "exit code $KB_CODE after $delay s" ;;
        esac
    done
}

case_kill_minus_nine_loses_nothing() {
    local i
    load killed 4 0 20000 --size 100
    for i in $(seq "${KB_KILLS:-8}"); do
        backup_yaml "$KB_WORK/kill.yaml" id=killed broker="$(kafka_addr k)" \
            include=killed rate_limit_records_per_sec=20000 \
            fetch_max_bytes=1MiB segment_max_bytes=256KiB
        kb_start kill backup -c "$KB_WORK/kill.yaml" -f json
        sleep "$((RANDOM % 2)).$((RANDOM % 10))"
        proc_kill kill
        [ -d "$KB_WORK/store/killed" ] || continue
        reads killed 'd[-1]["records"]' >"$KB_WORK/so_far"
        note "after kill $i: $(cat "$KB_WORK/so_far") records"
    done
    back_up 0 rest killed killed
    assert_eq "records in the archive" 80000 \
        "$(reads killed 'd[-1]["records"]')"
    validate_deep killed
}

case_a_broker_that_restarts_is_waited_for() {
    load restarted 4 0 20000 --size 100
    backup_yaml "$KB_WORK/restart.yaml" id=restarted \
        broker="$(kafka_addr k)" include=restarted \
        rate_limit_records_per_sec=20000 fetch_max_bytes=1MiB
    kb_start restart backup -c "$KB_WORK/restart.yaml" -f json
    sleep 1
    kafka_kill k
    sleep 1
    kafka_start k
    kb_end restart 90
    assert_eq "exit code" 0 "$KB_CODE"
    assert_eq "records in the archive" 80000 \
        "$(reads restarted 'd[-1]["records"]')"
}

case_a_quota_slows_down_and_nothing_else() {
    load quota 4 0 20000 --size 200
    client quota -b "$(kafka_addr k)" throttled 0 1500000
    backup_yaml "$KB_WORK/quota.yaml" id=quota broker="$(kafka_addr k)" \
        include=quota client_id=throttled
    kb_start quota backup -c "$KB_WORK/quota.yaml" -f json
    kb_end quota 200
    client quota -b "$(kafka_addr k)" throttled 0 0
    assert_eq "exit code" 0 "$KB_CODE"
    assert_eq "records in the archive" 80000 \
        "$(reads quota 'd[-1]["records"]')"
}

case_continuous_finds_topics_records_and_partitions() {
    load ever.one 2 0 1000
    backup_yaml "$KB_WORK/ever.yaml" id=ever broker="$(kafka_addr k)" \
        include='ever.*' continuous=true discovery_interval=1s \
        commit_interval=1s consumer_group_snapshot=true
    kb_start ever backup -c "$KB_WORK/ever.yaml" -f json
    wait_until 20 ever_has 2000 || fail "the first 2000: $(ever_records)"
    load ever.one 2 1000 1500
    wait_until 20 ever_has 3000 || fail "1000 new: $(ever_records)"
    load ever.two 3 0 100
    wait_until 20 ever_has 3300 || fail "a new topic: $(ever_records)"
    client add-partitions -b "$(kafka_addr k)" ever.one 3
    load ever.one 3 1500 1600
    wait_until 20 ever_has 3600 || fail "a new partition: $(ever_records)"
    client delete -b "$(kafka_addr k)" ever.two
    load ever.two 1 0 50
    wait_until 30 ever_has 3650 || fail "created again: $(ever_records)"
    kafka_kill k
    sleep 1
    kafka_start k
    load ever.one 3 1600 1700
    wait_until 60 ever_has 3950 || fail "broker restarted: $(ever_records)"
    proc_signal ever TERM
    kb_end ever 20
    assert_eq "exit code" "$KB_INTERRUPTED" "$KB_CODE"
    assert_eq "records in the archive" 3950 "$(reads ever 'd[-1]["records"]')"
}

ever_records() { reads ever 'd[-1]["records"]'; }
ever_has() { store_has ever "$1"; }

case_memory_stays_within_its_limit() {
    load wide 2000 0 60 --size 300 --batch 60
    load large 4 0 6 --size 10000000 --batch 1 \
        --config max.message.bytes=15000000
    backup_yaml "$KB_WORK/memory.yaml" id=memory broker="$(kafka_addr k)" \
        include=wide,large memory_limit=64MiB
    python3 - "$KB_BIN" "$KB_WORK/memory.yaml" >"$KB_WORK/memory.out" <<'PY'
import resource, subprocess, sys
run = subprocess.run([sys.argv[1], "-q", "backup", "-c", sys.argv[2], "-f",
                      "json"], stdout=open(sys.argv[2] + ".json", "w"))
print(run.returncode,
      resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
PY
    local code peak
    read -r code peak <"$KB_WORK/memory.out"
    assert_eq "exit code" 0 "$code"
    note "64 MiB of memory_limit: at most $peak MiB were resident"
    assert_at_most "resident memory, MiB" $((64 + 128)) "$peak"
    assert_eq "records" $((2000 * 60 + 4 * 6)) \
        "$(reads memory 'd[-1]["records"]')"
    assert_at_most "objects for 2,000 quiet partitions" 12 \
        "$(find "$KB_WORK/store/memory/segments" -type f | wc -l)"
}

# config_in ID KEY: its value as the archive has it
config_in() {
    kb describe -p "$KB_WORK/store" -b "$1" -f json 2>/dev/null |
        python3 -c 'import json, sys
found = []
def walk(x):
    if isinstance(x, dict):
        if sys.argv[1] in x:
            found.append(x[sys.argv[1]])
        if x.get("name") == sys.argv[1]:
            found.append(x.get("value"))
        x = list(x.values())
    if isinstance(x, list):
        for y in x:
            walk(y)
try:
    walk(json.load(sys.stdin))
except ValueError:  # there is no backup yet
    pass
print(found[-1] if found else "")' "$2"
}
config_is() { [ "$(config_in "$1" "$2")" = "$3" ]; }

case_continuous_takes_configs_that_change() {
    local b=$(kafka_addr k)
    client create -b "$b" changing 1 --config retention.ms=8640000000
    load changing 1 0 100
    backup_yaml "$KB_WORK/changing.yaml" id=changing broker="$b" \
        include='changing' continuous=true discovery_interval=500ms \
        commit_interval=1s
    kb_start changing backup -c "$KB_WORK/changing.yaml" -f json
    wait_until 30 config_is changing retention.ms 8640000000
    client set-config -b "$b" changing retention.ms=7777777777
    wait_until 30 config_is changing retention.ms 7777777777 ||
        fail "retention.ms is still $(config_in changing retention.ms)"
    proc_signal changing TERM
    kb_end_with "$KB_INTERRUPTED" changing 20
    # A run that can't read them leaves them as they are.
    proxy_start k
    proxy_do refuse describe_configs 1000
    load changing 1 100 200
    backup_yaml "$KB_WORK/changing.yaml" id=changing \
        broker="$(kafka_proxied k)" include='changing' \
        connection="request_timeout: 2s"
    kb_run 0 changing2 backup -c "$KB_WORK/changing.yaml" -f json
    assert_contains "the report" "$KB_WORK/changing2.out" "as they were"
    assert_eq "retention.ms" 7777777777 "$(config_in changing retention.ms)"
    # What couldn't be read is read at the next look.
    backup_yaml "$KB_WORK/changing.yaml" id=unread \
        broker="$(kafka_proxied k)" include='changing' continuous=true \
        discovery_interval=500ms commit_interval=1s \
        connection="request_timeout: 2s"
    kb_start unread backup -c "$KB_WORK/changing.yaml" -f json
    wait_until 60 store_has unread 200
    assert_contains "the log" "$KB_WORK/unread.err" "not in the backup"
    assert_eq "retention.ms" "" "$(config_in unread retention.ms)"
    proxy_do reset
    wait_until 30 config_is unread retention.ms 7777777777
    proc_signal unread TERM
    kb_end_with "$KB_INTERRUPTED" unread 20
    proxy_stop
}

case_asking_for_a_topic_does_not_create_it() {
    back_up 1 typo typo 'no-such-topic,again'
    assert_contains "the log" "$KB_WORK/typo.err" "no-such-topic"
    client topics -b "$(kafka_addr k)" >"$KB_WORK/topics"
    assert_lacks "the topics" "$KB_WORK/topics" "no-such-topic"
    [ ! -e "$KB_WORK/store/typo/manifest.json" ] ||
        fail "a backup was begun for a topic that isn't there"
}

case_internal_topics_are_left_out() {
    load inside 1 0 10
    client commit -b "$(kafka_addr k)" somebody inside:0=5
    back_up 0 all all '' exclude='ever.*'
    assert_lacks "the report" "$KB_WORK/all.out" __consumer_offsets
    back_up 0 inner inner __consumer_offsets include_internal_topics=true
    assert_at_least "partitions of __consumer_offsets" 1 \
        "$(of inner 'len(d["partitions"])')"
}

case_groups_are_captured() {
    load grouped 2 0 2000
    client commit -b "$(kafka_addr k)" billing grouped:0=1234 grouped:1=7
    back_up 0 groups groups grouped consumer_group_snapshot=true
    grep -h billing "$KB_WORK"/store/groups/groups/*.json >/dev/null ||
        fail "the group is not in the capture"
    grep -h 1234 "$KB_WORK"/store/groups/groups/*.json >/dev/null ||
        fail "its offset is not in the capture"
}

case_a_pattern_that_matches_nothing_is_a_missing_topic() {
    load orders-1 1 0 10
    back_up 1 slip slip 'ordrs-*'
    assert_contains "the log" "$KB_WORK/slip.err" 'ordrs-*'
    # an ACL of that name wouldn't do
    assert_contains "the log" "$KB_WORK/slip.err" "--topic '*'"
    [ ! -e "$KB_WORK/store/slip/manifest.json" ] || fail "there is a backup"
    back_up 0 slip2 slip 'ordrs-*' on_missing_topic=warn
    assert_contains "the report" "$KB_WORK/slip2.out" 'ordrs-*'
    back_up 0 slip3 slip3 'orders-*'
    # Topics that were backed up and are gone make a pattern no slip.
    client delete -b "$(kafka_addr k)" orders-1
    back_up 0 slip3 slip3 'orders-*'
    # What is to come is waited for.
    backup_yaml "$KB_WORK/yet.yaml" id=yet broker="$(kafka_addr k)" \
        include='yet-*' continuous=true discovery_interval=500ms \
        commit_interval=1s
    kb_start yet backup -c "$KB_WORK/yet.yaml" -f json
    wait_until 20 grep -q 'no topic matches yet-' "$KB_WORK/yet.err"
    load yet-1 1 0 10
    wait_until 30 store_has yet 10
    proc_signal yet TERM
    kb_end_with "$KB_INTERRUPTED" yet 20
}

# Bytes of text as proxy.py wants them.
hex() { printf '%s' "$1" | od -An -tx1 | tr -d ' \n'; }

case_what_was_asked_for_and_cannot_be_had_is_missed() {
    local b=$(kafka_proxied k)
    load asked 1 0 100
    client commit -b "$(kafka_addr k)" asked.group asked:0=40
    proxy_start k
    # By name, and it isn't there.
    back_up 3 nobody nobody asked \
        consumer_groups='{include: ["asked.group", "nobody"]}'
    assert_contains "the reason" "$KB_WORK/nobody.out" \
        '"reason": "consumer group nobody is not captured'
    assert_eq "groups" 1 "$(of nobody 'd["consumer_groups"]')"
    # Groups can't be listed (ListGroups is 16).
    proxy_do refuse 16 1000
    backup_yaml "$KB_WORK/mute.yaml" id=mute broker="$b" include=asked \
        connection="request_timeout: 2s"
    kb_run 0 mute backup -c "$KB_WORK/mute.yaml" -f json
    assert_contains "the report" "$KB_WORK/mute.out" "groups are not captured"
    backup_yaml "$KB_WORK/mute.yaml" id=mute broker="$b" include=asked \
        connection="request_timeout: 2s" consumer_group_snapshot=true
    kb_run 3 mute2 backup -c "$KB_WORK/mute.yaml" -f json
    assert_contains "the reason" "$KB_WORK/mute2.out" \
        '"reason": "consumer groups are not captured'
    assert_eq "records" 100 "$(reads mute 'd[-1]["records"]')"
    proxy_do reset
    # A topic whose metadata has an error: 29 is "not authorized".
    load asked.too 1 0 100
    proxy_do edit metadata "00000a$(hex asked.too)" "001d0a$(hex asked.too)"
    backup_yaml "$KB_WORK/barred.yaml" id=barred broker="$b" include='asked*'
    kb_run 3 barred backup -c "$KB_WORK/barred.yaml" -f json
    assert_contains "the reason" "$KB_WORK/barred.out" \
        '"reason": "topic asked.too is left out'
    assert_eq "records" 100 "$(reads barred 'd[-1]["records"]')"
    proxy_stop
}

store_has() { # ID RECORDS
    [ -d "$KB_WORK/store/$1" ] && [ "$(reads "$1" 'd[-1]["records"]')" = "$2" ]
}

case_group_offsets_that_stay_are_captured_once() {
    load followed 1 0 100
    client commit -b "$(kafka_addr k)" follower followed:0=10
    backup_yaml "$KB_WORK/follow.yaml" id=follow broker="$(kafka_addr k)" \
        include=followed continuous=true consumer_group_interval=200ms \
        commit_interval=200ms discovery_interval=200ms
    kb_start follow backup -c "$KB_WORK/follow.yaml" -f json
    wait_until 30 captures 1 || fail "no capture"
    client commit -b "$(kafka_addr k)" follower followed:0=20
    wait_until 30 captures 2 || fail "no capture of what was committed since"
    sleep 2 # ten times the interval
    assert_eq "captures" 2 \
        "$(find "$KB_WORK/store/follow/groups" -name '*.json' | wc -l)"
    proc_signal follow TERM
    kb_end_with "$KB_INTERRUPTED" follow 20
    validate_deep follow
}

captures() { # COUNT
    [ "$(find "$KB_WORK/store/follow/groups" -name '*.json' 2>/dev/null |
        wc -l)" = "$1" ]
}

case_one_backup_at_a_time() {
    load held 2 0 20000
    backup_yaml "$KB_WORK/held.yaml" id=held broker="$(kafka_addr k)" \
        include=held rate_limit_records_per_sec=10000 fetch_max_bytes=1MiB
    kb_start held backup -c "$KB_WORK/held.yaml" -f json
    wait_until 10 test -e "$KB_WORK/store/held/lease.json"
    back_up 1 other held held
    assert_matches "the second one's log" "$KB_WORK/other.err" "pid|process"
    proc_signal held TERM
    kb_end held 20
}

case_a_leader_that_is_not_there_is_named() {
    backup_yaml "$KB_WORK/nobody.yaml" id=nobody broker=127.0.0.1:1 \
        include=again
    kb_run 1 nobody backup -c "$KB_WORK/nobody.yaml"
    assert_contains "the log" "$KB_WORK/nobody.err" "127.0.0.1:1"
}

case_where_to_start_can_be_said() {
    load begins 2 0 1000 --batch 10
    back_up 0 latest begins.latest begins start_offset=latest
    assert_eq "records with start_offset: latest" 0 \
        "$(of latest 'd["records"]')"
    # In the middle of a batch: what is before it doesn't come along.
    back_up 0 specific begins.specific begins \
        start_offset='!specific {begins: {0: 995}}'
    assert_eq "records with start_offset: specific" 1005 \
        "$(of specific 'd["records"]')"
    load begins 2 1000 1100 --batch 10
    back_up 0 latest begins.latest begins start_offset=latest
    assert_eq "records after that" 200 "$(of latest 'd["records"]')"
    assert_eq "what was left out" "[[['f', 0, 995]], []]" \
        "$(reads begins.specific '[p["ranges"] for p in parts]')"
}

case_records_deleted_during_a_run_are_a_range_with_its_reason() {
    load chased 1 0 60000 --size 100 --batch 50
    backup_yaml "$KB_WORK/chased.yaml" id=chased broker="$(kafka_addr k)" \
        include=chased rate_limit_records_per_sec=8000 fetch_max_bytes=1MiB
    kb_start chased backup -c "$KB_WORK/chased.yaml" -f json
    sleep 1.5
    client delete-records -b "$(kafka_addr k)" chased 0 50025
    kb_end chased 60
    assert_eq "exit code" 0 "$KB_CODE"
    assert_contains "the log" "$KB_WORK/chased.err" "to 50025 were gone"
    assert_eq "the range's end" 50025 "$(reads chased 'parts[0]["ranges"][0][2]')"
    assert_eq "its reason" b "$(reads chased 'parts[0]["ranges"][0][0]')"
    assert_eq "the end" 60000 "$(reads chased 'parts[0]["end"]')"
}

# Retention comes nearer than the backup goes on: that is said before it is
# there, and what is lost then is a range with its reason. Records are two
# milliseconds apart, so the log's start moves by 500 a second once retention
# begins, and the backup by 300.
case_retention_that_overtakes_the_backup_is_foretold() {
    local b=127.0.0.1 base
    kafka_new r "$KAFKA_4" log.retention.check.interval.ms=300 \
        log.initial.task.delay.ms=300 log.segment.delete.delay.ms=0
    kafka_start r
    b=$(kafka_addr r)
    base=$((($(date +%s) - 3600) * 1000))
    client load -b "$b" draining --records 20000 --size 80 --batch 20 \
        --timestamp $base --step 2 \
        --config retention.ms=-1,segment.bytes=14000
    backup_yaml "$KB_WORK/drain.yaml" id=drain broker="$b" include=draining \
        rate_limit_records_per_sec=300 fetch_max_bytes=8KiB \
        commit_interval=300ms continuous=true
    kb_start drain backup -c "$KB_WORK/drain.yaml" -f json
    wait_until 60 drained 1500 || fail "the first 1500: $(drain_records)"
    client set-config -b "$b" draining \
        retention.ms=$(($(date +%s) * 1000 - base))
    wait_until 60 grep -q "were gone" "$KB_WORK/drain.err" ||
        fail "retention doesn't overtake it"
    proc_signal drain TERM
    kb_end_with "$KB_INTERRUPTED" drain 30
    grep -nE "will overtake|were gone" "$KB_WORK/drain.err" | head -2 \
        >"$KB_WORK/said"
    assert_matches "what is said first" <(head -1 "$KB_WORK/said") \
        "draining/0: retention will overtake the backup in about"
    assert_contains "the report" "$KB_WORK/drain.out" "will overtake"
    assert_eq "the reason of what is lost" b \
        "$(reads drain 'parts[0]["ranges"][0][0]')"
    assert_at_least "where that begins" 1500 \
        "$(reads drain 'parts[0]["ranges"][0][1]')"
    kafka_stop r
}

drain_records() { reads drain 'd[-1]["records"]'; }
drained() { # AT_LEAST
    [ -d "$KB_WORK/store/drain" ] && [ "$(drain_records)" -ge "$1" ]
}

# A broker without topic ids: only the last batch that was stored can tell.
case_without_topic_ids_another_log_is_noticed() {
    kafka_new old "$KAFKA_21"
    kafka_start old
    local on="-b $(kafka_addr old)"
    # shellcheck disable=SC2086 # two words
    client load $on mine --partitions 2 --records 1000
    backup_yaml "$KB_WORK/old.yaml" id=old broker="$(kafka_addr old)" \
        include=mine
    kb_run 0 old1 backup -c "$KB_WORK/old.yaml" -f json
    # shellcheck disable=SC2086
    client load $on mine --partitions 2 --start 1000 --records 500
    kb_run 0 old2 backup -c "$KB_WORK/old.yaml" -f json
    assert_eq "records of the second run" 1000 "$(of old2 'd["records"]')"
    assert_eq "generation" 1 "$(of old2 'd["partitions"][0]["generation"]')"
    # shellcheck disable=SC2086
    client delete $on mine
    sleep 2
    # Refilled past the end: by offsets alone it goes on where it was.
    # shellcheck disable=SC2086
    client load $on mine --partitions 2 --records 4000
    kb_run 0 old3 backup -c "$KB_WORK/old.yaml" -f json
    assert_contains "the log" "$KB_WORK/old3.err" "not the one that was stored"
    assert_eq "records, by generation" "[1500, 1500, 4000, 4000]" \
        "$(reads old '[p["total_records"] for p in parts]')"
    # shellcheck disable=SC2086
    client delete $on mine
    sleep 2
    # Shorter than what is stored.
    # shellcheck disable=SC2086
    client load $on mine --partitions 2 --records 10
    kb_run 0 old4 backup -c "$KB_WORK/old.yaml" -f json
    assert_contains "the log" "$KB_WORK/old4.err" "ends before what was stored"
    assert_eq "generation" 3 "$(of old4 'd["partitions"][0]["generation"]')"
    kb_run 0 old5 backup -c "$KB_WORK/old.yaml" -f json
    assert_eq "records of the last run" 0 "$(of old5 'd["records"]')"
    kafka_stop old
}

case_leaders_that_move_are_followed() {
    kafka_cluster c "$KAFKA_4" 3
    kafka_start c1 c2 c3
    local addr
    addr=$(kafka_cluster_addr c)
    client load -b "$addr" moved --partitions 6 --records 15000 --size 100 \
        --replicas 3
    backup_yaml "$KB_WORK/moved.yaml" id=moved broker="${addr%%,*}" \
        include=moved rate_limit_records_per_sec=8000 fetch_max_bytes=1MiB
    kb_start moved backup -c "$KB_WORK/moved.yaml" -f json
    sleep 2
    client move -b "$addr" 2 moved
    sleep 1
    kafka_kill c2
    sleep 2
    kafka_start c2
    kb_end moved 120
    assert_eq "exit code" 0 "$KB_CODE"
    assert_eq "records in the archive" 90000 \
        "$(reads moved 'd[-1]["records"]')"
    kafka_stop c1 || true
    kafka_stop c2 || true
    kafka_stop c3 || true
}

case_a_partition_without_a_leader_is_named() {
    kafka_cluster d "$KAFKA_4" 3
    kafka_start d1 d2 d3
    local addr
    addr=$(kafka_cluster_addr d)
    client load -b "$addr" lost --partitions 6 --records 100
    kafka_kill d3
    backup_yaml "$KB_WORK/lost.yaml" id=lost broker="$(kafka_addr d1)" \
        include=lost leader_timeout=5s connection="request_timeout: 10s"
    kb_run "$KB_INCOMPLETE" lost backup -c "$KB_WORK/lost.yaml" -f json
    assert_matches "the log" "$KB_WORK/lost.err" "leader"
    assert_eq "complete partitions" 4 "$(of lost \
        'sum(p["outcome"] == "complete" for p in d["partitions"])')"
    kafka_start d3
    kb_run 0 found backup -c "$KB_WORK/lost.yaml" -f json
    assert_eq "records in the archive" 600 "$(reads lost 'd[-1]["records"]')"
    kafka_kill d1
    kafka_kill d2
    kafka_kill d3
}

# bytes_out NODE: what a broker has sent to consumers, as it counts itself
bytes_out() {
    client jmx "$(proc_pid "$1")" \
        kafka.server:type=BrokerTopicMetrics,name=BytesOutPerSec Count |
        cut -f2
}

case_a_replica_in_the_same_rack_is_read() {
    local i addr bytes before=() after=()
    kafka_cluster r "$KAFKA_4" 3 \
        replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
    for i in 1 2 3; do kafka_set r$i broker.rack=rack$i; done
    kafka_start r1 r2 r3
    addr=$(kafka_cluster_addr r)
    client load -b "$addr" racked --partitions 6 --records 5000 --replicas 3
    backup_yaml "$KB_WORK/racked.yaml" id=racked broker="$(kafka_addr r1)" \
        include=racked
    # `connection` is the source's
    sed -i 's/^source:/source:\n  connection: {client_rack: rack2}/' \
        "$KB_WORK/racked.yaml"
    for i in 1 2 3; do before[i]=$(bytes_out r$i); done
    KB_TIMEOUT=60 kb_run 0 racked backup -c "$KB_WORK/racked.yaml" -f json
    for i in 1 2 3; do after[i]=$(bytes_out r$i); done
    assert_eq "records" 30000 "$(of racked 'd["records"]')"
    bytes=$(of racked 'd["bytes"]')
    note "$bytes bytes; brokers sent $((after[1] - before[1]))," \
        "$((after[2] - before[2])), $((after[3] - before[3]))"
    # Each leads two of six partitions: all came from one that leads a third.
    assert_at_least "bytes from the replica in the rack" "$bytes" \
        $((after[2] - before[2]))
    for i in 1 3; do
        assert_at_most "bytes from r$i" $((bytes / 20)) \
            $((after[i] - before[i]))
    done
    kafka_stop r1 || true
    kafka_stop r2 || true
    kafka_stop r3 || true
}

suite_main "$@"

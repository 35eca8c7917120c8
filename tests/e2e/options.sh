#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# options.sh - what a restore can be asked for: windows of time, partitions,
# mappings, consumer groups, headers, configs; and what it reports.
. "$(dirname "$0")/../lib/lib.sh"

BASE=1700000000000

suite_setup() {
    local b
    kafka_new k "$KAFKA_4"
    kafka_start k
    b=$(kafka_addr k)
    # record i has the time BASE + 1000 * i, in both partitions
    client load -b "$b" timed --partitions 2 --records 1000 --batch 37 \
        --timestamp $BASE --step 1000
    client load -b "$b" packed --partitions 3 --records 1000 --batch 37 \
        --timestamp $BASE --step 1000 --compression zstd
    client fill -b "$b" times txn-interleaved compacted delete-records ones \
        >"$KB_WORK/filled" 2>"$KB_WORK/fill.err"
    client commit -b "$b" readers timed:0=400 timed:1=1000 packed:2=5
    client commit -b "$b" behind delete-records:0=10 delete-records:3=50 \
        txn-interleaved:0=20
    client commit -b "$b" everywhere packed:0=1000 packed:1=30 packed:2=5
    backup_yaml "$KB_WORK/b.yaml" id=all broker="$b"
    kb_run 0 all backup -c "$KB_WORK/b.yaml"
    validate_deep all
}

B() { kafka_addr k; }

restore_all() { # LABEL K=V...
    local label=$1
    shift
    restore_yaml "$KB_WORK/r.yaml" id=all broker="$(B)" create_topics=true \
        restore_id="$label" "$@"
    kb_run 0 "$label" restore -c "$KB_WORK/r.yaml" -f json
}

# The reference's values of backup.compression.
case_segment_codecs() {
    local codec
    for codec in lz4 none; do
        backup_yaml "$KB_WORK/b.yaml" id=by-$codec broker="$(B)" \
            include=timed,ones compression=$codec compression_level=19
        kb_run 0 by-$codec backup -c "$KB_WORK/b.yaml"
        validate_deep by-$codec
        read_by_document by-$codec
        restore_yaml "$KB_WORK/r.yaml" id=by-$codec broker="$(B)" \
            create_topics=true map=timed=$codec.timed,ones=$codec.ones
        kb_run 0 $codec restore -c "$KB_WORK/r.yaml"
        client compare -b "$(B)" --min 2000 timed=$codec.timed ones=$codec.ones
    done
    assert_eq "codec of a segment" lz4-block \
        "$(strings -n 5 "$KB_WORK"/store/by-lz4/segments/*.kbs | grep -m1 lz4)"
    assert_at_most "bytes with lz4" \
        $(($(du -sb "$KB_WORK/store/by-none/segments" | cut -f1) * 9 / 10)) \
        "$(du -sb "$KB_WORK/store/by-lz4/segments" | cut -f1)"
}

case_time_window() {
    local from=$((BASE + 123456)) to=$((BASE + 700000))
    restore_all window include=timed,packed \
        map=timed=w.timed,packed=w.packed time_window_start=$from \
        time_window_end=$to
    client compare -b "$(B)" --window "$from:$to" --min $((577 * 5)) \
        timed=w.timed packed=w.packed
}

# Times that go backwards, are 0 and -1: by record, whatever the batch says.
case_time_window_out_of_order() {
    restore_all window0 include=times map=times=w0.times time_window_start=0 \
        time_window_end=1
    client compare -b "$(B)" --window 0:1 --min 20 times=w0.times
    # inclusive at both ends
    restore_all window1 include=timed map=timed=w1.timed \
        time_window_start=$((BASE + 5000)) time_window_end=$((BASE + 7000))
    assert_eq "records of 3 seconds" $'w1.timed\t0\t0\t3' \
        "$(client ends -b "$(B)" w1.timed | head -1)"
}

case_source_partitions_and_partition_mapping() {
    restore_all part include=packed map=packed=p.packed \
        source_partitions='[0, 2]' partition_mapping='{0: 2, 2: 0}'
    client compare -b "$(B)" --source-partitions 0,2 --partitions 0=2,2=0 \
        --min 2000 packed=p.packed
}

# Three partitions into one: where each record went, and where a group goes on.
case_merged_partitions() {
    restore_all merged include=packed map=packed=merged \
        partition_mapping='{0: 0, 1: 0, 2: 0}' \
        offset_report="$KB_WORK/merged.json" reset_consumer_offsets=true \
        consumer_groups='["everywhere"]' group_mapping='{everywhere: merged.g}'
    assert_eq "records" $'merged\t0\t0\t3000' \
        "$(client ends -b "$(B)" merged | head -1)"
    # of 1000, 1030 and 2005 the one behind which all is unread
    assert_eq "the group" $'merged\t0\t1000' \
        "$(client group -b "$(B)" merged.g | cut -f1-3)"
    client dump -b "$(B)" packed >"$KB_WORK/source"
    client dump -b "$(B)" merged >"$KB_WORK/target"
    python3 - "$KB_WORK/merged.json" "$KB_WORK/source" "$KB_WORK/target" \
        $BASE <<'PY' || fail "the offset report is wrong"
import json, sys
report = json.load(open(sys.argv[1]))
base = int(sys.argv[4])

def load(path):
    logs = {}
    for line in open(path):
        topic, partition, offset, rest = line.rstrip("\n").split("\t", 3)
        logs[topic, int(partition), int(offset)] = rest
    return logs

def check(what, got, wanted):
    if got != wanted:
        sys.exit("%s: %r, wanted %r" % (what, got, wanted))

source, target = load(sys.argv[2]), load(sys.argv[3])
check("format", report["format_version"], 2)
check("keys", list(report["entries"]), ["merged/0"])
check("keys", list(report["detailed_mappings"]), ["merged/0"])
entry = report["entries"]["merged/0"]
sources = entry.pop("sources")
span = {"source_first_offset": 0, "source_last_offset": 999,
        "first_timestamp": base, "last_timestamp": base + 999000}
check("entry", entry, dict(span, topic="merged", partition=0,
      target_first_offset=0, target_last_offset=2999))
check("sources", sources, [dict(span, topic="packed", partition=p,
      target_first_offset=1000 * p, target_last_offset=1000 * p + 999)
      for p in range(3)])
seen = set()
for run in report["detailed_mappings"]["merged/0"]:
    for i in range(run["len"]):
        at = run["source_topic"], run["source_partition"], run["source_start"] + i
        to = "merged", 0, run["target_start"] + i
        check("%s is at %s" % (at, to), target[to], source[at])
        seen.add(at)
check("records in it", len(seen), 3000)
groups = report["consumer_groups"]["merged.g"]
check("group", groups["group_id"], "merged.g")
check("its offset", groups["offsets"]["merged"]["0"]["target_offset"], 1000)
for key in "source_cluster_id", "target_cluster_id", "created_at":
    if not report[key]:
        sys.exit("no " + key)
PY
}

case_consumer_groups() {
    restore_all groups include=timed,packed,delete-records,txn-interleaved \
        map=timed=g.timed,packed=g.packed,delete-records=g.delrec,txn-interleaved=g.txn \
        reset_consumer_offsets=true consumer_groups='["readers", "behind"]' \
        group_mapping='{"readers": "g.readers", "behind": "g.behind"}'
    client group -b "$(B)" g.readers | cut -f1-3 >"$KB_WORK/readers"
    assert_contains "offsets of g.readers" "$KB_WORK/readers" $'g.timed\t0\t400'
    assert_contains "offsets of g.readers" "$KB_WORK/readers" $'g.timed\t1\t1000'
    assert_contains "offsets of g.readers" "$KB_WORK/readers" $'g.packed\t2\t5'
    client group -b "$(B)" g.behind | cut -f1-3 >"$KB_WORK/behind"
    # 10 was deleted: the first record that is there, 57, is restored at 0
    assert_contains "offsets of g.behind" "$KB_WORK/behind" $'g.delrec\t0\t0'
    assert_contains "offsets of g.behind" "$KB_WORK/behind" $'g.delrec\t3\t50'
    assert_contains "offsets of g.behind" "$KB_WORK/behind" $'g.txn\t0\t'
}

# What was stored though it was aborted doesn't come back, unless asked for;
# what was undecided then is decided by the next run.
case_read_uncommitted() {
    local b maps
    b=$(B)
    client fill -b "$b" txn-aborted txn-open >"$KB_WORK/filled" \
        2>"$KB_WORK/fill.err"
    backup_yaml "$KB_WORK/u.yaml" id=dirty broker="$b" \
        include=txn-interleaved,txn-aborted,txn-open \
        isolation_level=read_uncommitted
    kb_run 0 dirty backup -c "$KB_WORK/u.yaml"
    validate_deep dirty
    read_by_document dirty
    assert_matches "validation" "$KB_WORK/validate-dirty.out" \
        '^Aborted: +[1-9][0-9]* transactions'
    kb_run 0 look describe -p "$KB_WORK/store" -b dirty -f json
    assert_eq "open transactions" 1 \
        "$(json_at "$KB_WORK/look.out" summary open_transactions)"
    for maps in kept dropped; do
        restore_yaml "$KB_WORK/u-$maps.yaml" id=dirty broker="$b" \
            create_topics=true restore_id="$maps" \
            include_aborted=$([ $maps = kept ] && echo true || echo false) \
            map="txn-interleaved=$maps.i,txn-aborted=$maps.a,txn-open=$maps.o"
        kb_run 0 "u-$maps" restore -c "$KB_WORK/u-$maps.yaml" -f json
    done
    client compare -b "$b" --uncommitted --min 400 txn-interleaved=kept.i \
        txn-aborted=kept.a txn-open=kept.o
    client compare -b "$b" --min 400 txn-interleaved=dropped.i
    assert_eq "records of aborted transactions" $'dropped.a\t0\t0\t0' \
        "$(client ends -b "$b" dropped.a | head -1)"
    client compare -b "$b" --uncommitted txn-open=dropped.o
    assert_matches "the log" "$KB_WORK/u-dropped.err" \
        'txn-open/0: the records of 1 transactions that were still open'
    # the same with what the independent reader makes of the document
    assert_eq "records left out" \
        "$(json_at "$KB_WORK/u-dropped.out" aborted_records_left_out)" \
        "$(grep -o '"aborted_records": [0-9]*' "$KB_WORK/reader.out" |
            awk '{ n += $2 } END { print n }')"

    client abort -b "$b" txn-open 0
    kb_run 0 dirty2 backup -c "$KB_WORK/u.yaml"
    kb_run 0 look2 describe -p "$KB_WORK/store" -b dirty -f json
    assert_eq "open transactions" 0 \
        "$(json_at "$KB_WORK/look2.out" summary open_transactions)"
    validate_deep dirty
    read_by_document dirty
    restore_yaml "$KB_WORK/u-later.yaml" id=dirty broker="$b" \
        create_topics=true restore_id=later include=txn-open \
        map=txn-open=later.o
    kb_run 0 u-later restore -c "$KB_WORK/u-later.yaml" -f json
    client compare -b "$b" --min 30 txn-open=later.o
    assert_eq "records left out" 5 \
        "$(json_at "$KB_WORK/u-later.out" aborted_records_left_out)"
}

# Where each record of the source is in the target, checked record by record.
case_offset_mapping() {
    restore_all mapping include=txn-interleaved,compacted-zstd \
        map=txn-interleaved=m.txn,compacted-zstd=m.compacted
    kb_run 0 map show-offset-mapping -p "$KB_WORK/store" -b all --restore-id mapping \
        -f csv
    client dump -b "$(B)" txn-interleaved compacted-zstd >"$KB_WORK/source"
    client dump -b "$(B)" m.txn m.compacted >"$KB_WORK/target"
    python3 - "$KB_WORK/map.out" "$KB_WORK/source" "$KB_WORK/target" <<'PY' ||
import csv, sys
names = {"txn-interleaved": "m.txn", "compacted-zstd": "m.compacted"}

def load(path):
    logs = {}
    for line in open(path):
        topic, partition, offset, rest = line.rstrip("\n").split("\t", 3)
        logs.setdefault((topic, int(partition)), []).append((int(offset), rest))
    return logs

source, target = load(sys.argv[2]), load(sys.argv[3])
rows = list(csv.DictReader(open(sys.argv[1])))
print("    columns:", ", ".join(rows[0]))

def col(row, *words):
    for name in row:
        if all(w in name for w in words):
            return row[name]
    sys.exit("no column with %s in %s" % (words, list(row)))

checked = 0
for (topic, partition), records in source.items():
    where = dict(target[(names[topic], partition)])
    runs = [(int(col(r, "source", "first")), int(col(r, "source", "last")),
             int(col(r, "target", "first"))) for r in rows
            if r["topic"] == topic and int(r["partition"]) == partition]
    for offset, text in records:
        hit = [t + offset - a for a, b, t in runs if a <= offset <= b]
        if len(hit) != 1:
            sys.exit("%s-%d offset %d maps to %s" % (topic, partition, offset, hit))
        if where.get(hit[0]) != text:
            sys.exit("%s-%d offset %d is not at %d" % (topic, partition, offset, hit[0]))
        checked += 1
print("    %d records are where the mapping says" % checked)
sys.exit(checked < 700)
PY
        fail "the offset mapping is wrong"
}

case_original_offset_headers() {
    restore_all headers include=timed map=timed=h.timed \
        include_original_offset_header=true
    client compare -b "$(B)" --min 2000 --strip-headers \
        x-original-offset,x-original-timestamp,x-source-partition \
        timed=h.timed
    client dump -b "$(B)" h.timed >"$KB_WORK/dump"
    # record 258 (0x102) of partition 1, little-endian
    assert_contains "headers" "$KB_WORK/dump" "'x-original-offset'=x0201000000000000"
    assert_eq "records with the header" 2000 \
        "$(grep -c "'x-source-partition'=x" "$KB_WORK/dump")"
}

# A restore that is done, as by a job whose last seconds were lost: nothing is
# sent again. What somebody has written since is no work of ours.
case_done_already() {
    local b
    b=$(B)
    restore_all done include=timed map=timed=done.timed
    restore_all done include=timed map=timed=done.timed
    assert_eq "outcome" complete "$(json_at "$KB_WORK/done.out" outcome)"
    assert_eq "records restored" 0 \
        "$(json_at "$KB_WORK/done.out" records_restored)"
    kb_run 0 done1 validate-restore -c "$KB_WORK/r.yaml"
    assert_contains "the dry run" "$KB_WORK/done1.err" "there is nothing to do"
    assert_matches "the log" "$KB_WORK/done.err" \
        "was done on .*: 2000 records in 2 partitions.*nothing to do"
    client compare -b "$b" --min 2000 timed=done.timed
    client load -b "$b" done.timed --partitions 2 --records 1
    kb_run $KB_FAILED done2 restore -c "$KB_WORK/r.yaml"
    assert_contains "the log" "$KB_WORK/done2.err" "it isn't empty"
    assert_matches "the log" "$KB_WORK/done2.err" \
        "was done on .*done.timed/0 now ends at offset 1001 .*not at 1000"
    client delete -b "$b" done.timed
    restore_all done include=timed map=timed=done.timed
    client compare -b "$b" --min 2000 timed=done.timed
    client delete -b "$b" done.timed
    client create -b "$b" done.timed 2
    client load -b "$b" done.timed --partitions 2 --records 1000
    kb_run $KB_FAILED done3 restore -c "$KB_WORK/r.yaml"
    assert_contains "the log" "$KB_WORK/done3.err" \
        "done.timed was deleted and created again since"
}

case_dry_run_writes_nothing() {
    local before after
    client topics -b "$(B)" >"$KB_WORK/before"
    restore_yaml "$KB_WORK/r.yaml" id=all broker="$(B)" create_topics=true \
        include=timed map=timed=dry.timed dry_run=true
    before=$(find "$KB_WORK/store" -type f | sort | xargs sha256sum | sha256sum)
    kb_run 0 dry restore -c "$KB_WORK/r.yaml" -f json
    kb_run 0 dry2 validate-restore -c "$KB_WORK/r.yaml" -f json
    restore_yaml "$KB_WORK/r3.yaml" id=all broker="$(B)" create_topics=true \
        include=timed map=timed=dry.timed checkpoint_state="$KB_WORK/nowhere"
    kb_run 0 dry3 validate-restore -c "$KB_WORK/r3.yaml"
    [ ! -e "$KB_WORK/nowhere" ] || fail "a dry run made the checkpoint's folder"
    after=$(find "$KB_WORK/store" -type f | sort | xargs sha256sum | sha256sum)
    client topics -b "$(B)" >"$KB_WORK/after"
    diff "$KB_WORK/before" "$KB_WORK/after" >&2 || fail "a dry run made a topic"
    assert_eq "the store after a dry run" "$before" "$after"
    python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
sys.exit(r["records_to_restore"] != 2000 or not r["valid"])' \
        "$KB_WORK/dry2.out" || fail "the dry run counts wrong"
}

case_dry_run_says_what_would_be_refused() {
    restore_yaml "$KB_WORK/r.yaml" id=all broker="$(B)" include=timed \
        create_topics=true default_replication_factor=3 map=timed=rf3
    kb_run $KB_INVALID dry validate-restore -c "$KB_WORK/r.yaml"
    cat "$KB_WORK/dry.out" "$KB_WORK/dry.err" >"$KB_WORK/dry.all"
    assert_matches "the preflight" "$KB_WORK/dry.all" "replication"
}

case_configs_travel() {
    local b
    b=$(B)
    client create -b "$b" conf 3 1 --config \
        cleanup.policy=compact,segment.bytes=5000000,max.message.bytes=3000000,retention.ms=12345678901234,compression.type=gzip
    backup_yaml "$KB_WORK/c.yaml" id=conf broker="$b" include=conf
    kb_run 0 conf backup -c "$KB_WORK/c.yaml"
    restore_yaml "$KB_WORK/r.yaml" id=conf broker="$b" create_topics=true \
        map=conf=r.conf topic_config_overrides='{"segment.bytes": "7000000"}'
    kb_run 0 rconf restore -c "$KB_WORK/r.yaml"
    client configs -b "$b" r.conf >"$KB_WORK/configs"
    for want in cleanup.policy=compact segment.bytes=7000000 \
        max.message.bytes=3000000 retention.ms=12345678901234 \
        compression.type=gzip; do
        assert_contains "configs of the restored topic" "$KB_WORK/configs" \
            "$want"
    done
    assert_contains "partitions" <(client describe -b "$b" r.conf) partitions=3
}

# The captured retention would delete what was just restored.
case_retention_that_would_delete() {
    local b
    b=$(B)
    client set-config -b "$b" timed retention.ms=9000000000000
    backup_yaml "$KB_WORK/ret.yaml" id=ret broker="$b" include=timed
    kb_run 0 ret backup -c "$KB_WORK/ret.yaml"
    # as if it had been captured before: a week, and records of 2023
    restore_yaml "$KB_WORK/r.yaml" id=ret broker="$b" create_topics=true \
        map=timed=ret.timed topic_config_overrides='{"retention.ms": "604800000"}'
    kb_run 0 rret restore -c "$KB_WORK/r.yaml"
    assert_matches "the warning" "$KB_WORK/rret.err" "retention"
    sleep 4 # the broker looks every second
    client verify -b "$b" ret.timed --records 1000 ||
        fail "retention deleted what was restored"
}

case_small_batches_are_joined() {
    restore_all ones include=ones map=ones=o.ones
    client compare -b "$(B)" --min 3000 ones=o.ones
    client batches -b "$(B)" ones --partition 0 | wc -l >"$KB_WORK/n1"
    client batches -b "$(B)" o.ones --partition 0 | wc -l >"$KB_WORK/n2"
    note "$(cat "$KB_WORK/n1") batches became $(cat "$KB_WORK/n2")"
    assert_at_most "batches of the restored topic" 100 "$(cat "$KB_WORK/n2")"
}

case_purge() {
    restore_all purge1 include=timed map=timed=purged
    restore_yaml "$KB_WORK/r.yaml" id=all broker="$(B)" restore_id=purge2 \
        include=timed map=timed=purged purge_topics=true
    kb_run 0 purge2 restore -c "$KB_WORK/r.yaml"
    client verify -b "$(B)" purged --records 1000
}

case_rate_limit() {
    local began=$SECONDS took
    restore_all rate include=timed map=timed=rate.timed \
        rate_limit_records_per_sec=400
    took=$((SECONDS - began))
    note "2,000 records at 400 a second: $took s"
    assert_at_least "seconds" 3 "$took"
    assert_at_most "seconds" 30 "$took"
    client verify -b "$(B)" rate.timed --records 1000
}

# The checkpoint in a folder of its own, nothing of it in the store; and as
# many bytes a second as were asked for, of all that a run sends.
case_checkpoint_in_a_folder() {
    local folder=$KB_WORK/checkpoint options bytes duration
    options=(id=all broker="$(B)" create_topics=true include=timed
        map=timed=ck.timed checkpoint_state="$folder" produce_batch_bytes=0)
    restore_yaml "$KB_WORK/ck.yaml" "${options[@]}" rate_limit_bytes_per_sec=30000
    kb_start ck1 restore -c "$KB_WORK/ck.yaml"
    wait_until 60 test -e "$folder/restore/state.json" || fail "no checkpoint"
    kb_run $KB_FAILED ck2 restore -c "$KB_WORK/ck.yaml"
    assert_contains "the log" "$KB_WORK/ck2.err" "is in use by process"
    proc_signal ck1 TERM
    kb_end_with $KB_INTERRUPTED ck1
    restore_yaml "$KB_WORK/ck.yaml" "${options[@]}" rate_limit_bytes_per_sec=60000
    kb_run 0 ck3 restore -c "$KB_WORK/ck.yaml" -f json
    client verify -b "$(B)" ck.timed --partitions 2 --records 1000
    # a second's worth may pass at once
    bytes=$(json_at "$KB_WORK/ck3.out" bytes_restored)
    duration=$(json_at "$KB_WORK/ck3.out" duration_ms)
    note "$bytes bytes at 60,000 a second: $duration ms"
    assert_at_least "bytes of the second run" 100000 "$bytes"
    assert_at_least "milliseconds" $((bytes * 1000 / 60000 - 1200)) "$duration"
    [ -e "$folder/restore/map" ] || fail "no map in the folder"
    assert_eq "what is of it in the store" "" \
        "$(grep -rl ck.timed "$KB_WORK/store/all/restores" 2>/dev/null || true)"
    kb_run 0 ck4 restore -c "$KB_WORK/ck.yaml"
    assert_contains "the log" "$KB_WORK/ck4.err" "there is nothing to do"
    touch "$KB_WORK/afile"
    sed -i "s|$folder|$KB_WORK/afile|" "$KB_WORK/ck.yaml"
    kb_run $KB_FAILED ck5 restore -c "$KB_WORK/ck.yaml"
    assert_contains "the log" "$KB_WORK/ck5.err" "needs a folder"
}

# Of a backup the groups that it is to have, and of those all that there are.
case_all_groups_of_a_backup() {
    local b
    b=$(B)
    client commit -b "$b" keep-a packed:0=7
    client commit -b "$b" keep-b packed:1=8 timed:0=9
    client commit -b "$b" keep-not packed:2=9
    backup_yaml "$KB_WORK/gr.yaml" id=gr broker="$b" include=packed \
        consumer_groups='{include: ["keep-*"], exclude: [keep-not]}'
    kb_run 0 gr backup -c "$KB_WORK/gr.yaml"
    restore_yaml "$KB_WORK/gr.yaml" id=gr broker="$b" create_topics=true \
        map=packed=gr.packed auto_consumer_groups=true \
        group_mapping='{keep-a: gr.a, keep-b: gr.b, keep-not: gr.not, readers: gr.r}'
    kb_run 0 gr2 restore -c "$KB_WORK/gr.yaml"
    client groups -b "$b" | grep '^gr\.' >"$KB_WORK/groups"
    assert_eq "groups" "gr.a gr.b" "$(paste -sd' ' "$KB_WORK/groups")"
    assert_eq "gr.a" $'gr.packed\t0\t7' "$(client group -b "$b" gr.a | cut -f1-3)"
    assert_eq "gr.b" $'gr.packed\t1\t8' "$(client group -b "$b" gr.b | cut -f1-3)"
}

case_configs_stay_behind() {
    local b
    b=$(B)
    client create -b "$b" plain 2 --config \
        cleanup.policy=compact,max.message.bytes=3000000,segment.ms=77777777
    backup_yaml "$KB_WORK/p.yaml" id=plain broker="$b" include=plain
    kb_run 0 plain backup -c "$KB_WORK/p.yaml"
    restore_yaml "$KB_WORK/r.yaml" id=plain broker="$b" create_topics=true \
        map=plain=r.plain topic_configs=false \
        topic_config_overrides='{segment.ms: "88888888"}'
    kb_run 0 rplain restore -c "$KB_WORK/r.yaml"
    client configs -b "$b" r.plain >"$KB_WORK/configs"
    assert_contains "configs" "$KB_WORK/configs" segment.ms=88888888
    assert_lacks "configs" "$KB_WORK/configs" cleanup.policy
    assert_lacks "configs" "$KB_WORK/configs" max.message.bytes
    assert_contains "partitions" <(client describe -b "$b" r.plain) partitions=2
}

case_patterns() {
    restore_yaml "$KB_WORK/r.yaml" id=all broker="$(B)" create_topics=true \
        include='~^tim|pack' exclude='times' restore_id=patterns \
        map=timed=pat.timed,packed=pat.packed
    kb_run 0 patterns restore -c "$KB_WORK/r.yaml"
    client compare -b "$(B)" --min 5000 timed=pat.timed packed=pat.packed
}

suite_main "$@"

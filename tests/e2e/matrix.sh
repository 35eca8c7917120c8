#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# matrix.sh - every shape of record, batch and log, through backup and restore
# on each line of brokers, compared by a client that is not ours.
. "$(dirname "$0")/../lib/lib.sh"

# read_filled FILE: topics into TOPICS, the sum of records into RECORDS
read_filled() {
    local topic shape partitions records flags
    TOPICS=() RECORDS=0
    while IFS=$'\t' read -r topic shape partitions records flags; do
        TOPICS+=("$topic")
        RECORDS=$((RECORDS + records))
    done <"$1"
    [ ${#TOPICS[@]} -gt 0 ] || fail "nothing was filled"
}

# round_trip NODE BACKUP_CODE [BACKUP_KEY=VALUE...]: what is filled there,
# restored beside it under other names
round_trip() {
    local node=$1 code=$2 addr topic pairs=() list
    shift 2
    rm -rf "$KB_WORK/store"
    addr=$(kafka_addr "$node")
    read_filled "$KB_WORK/filled"
    list=$(IFS=,; printf '%s' "${TOPICS[*]}")
    for topic in "${TOPICS[@]}"; do
        pairs+=("$topic=$(restored_name "$topic")")
    done
    backup_yaml "$KB_WORK/backup.yaml" id="$node" broker="$addr" \
        include="$list" "$@"
    kb_run "$code" "backup-$node" backup -c "$KB_WORK/backup.yaml"
    validate_deep "$node"
    restore_yaml "$KB_WORK/restore.yaml" id="$node" broker="$addr" \
        create_topics=true map="$(restored_map "${TOPICS[@]}")"
    kb_run 0 "restore-$node" restore -c "$KB_WORK/restore.yaml"
    # and again: it is proven, without topic ids as well, that all is there
    kb_run 0 "again-$node" restore -c "$KB_WORK/restore.yaml"
    assert_contains "the log of the second restore" "$KB_WORK/again-$node.err" \
        "there is nothing to do"
    client compare -b "$addr" --min "$RECORDS" "${pairs[@]}" \
        >"$KB_WORK/compared" || {
        cat "$KB_WORK/compared" >&2
        fail "$(grep -m1 DIFFERENT "$KB_WORK/compared")"
    }
    note "${#TOPICS[@]} topics, $RECORDS records equal after backup and restore"
}

fill() { # NODE WORDS...
    local node=$1
    shift
    client fill -b "$(kafka_addr "$node")" "$@" >"$KB_WORK/filled" \
        2>"$KB_WORK/fill.err" || { cat "$KB_WORK/fill.err" >&2; return 1; }
}

one_broker() { # NAME VERSION [K=V...]
    kafka_new "$@"
    kafka_start "$1"
}

case_kafka_4() {
    one_broker k4 "$KAFKA_4"
    fill k4 basic txn
    round_trip k4 0
    read_by_document k4
}

case_thousand_partitions() {
    one_broker k4 "$KAFKA_4"
    fill k4 thousand
    round_trip k4 0
}

# Both of an open and of a hanging transaction: what is before it is backed up
# and restores, the run says that it is incomplete, and names the topic.
case_open_transactions() {
    one_broker k4 "$KAFKA_4" transaction.partition.verification.enable=false
    fill k4 open
    round_trip k4 $KB_INCOMPLETE open_transaction_timeout=2s
    assert_contains "the log of the backup" "$KB_WORK/backup-k4.err" \
        txn-hanging
    assert_contains "the log of the backup" "$KB_WORK/backup-k4.err" txn-open
}

case_kafka_3() {
    one_broker k3 "$KAFKA_3"
    fill k3 basic txn
    round_trip k3 0
}

# 2.8 in KRaft mode gives out no producer ids, takes no config back and has no
# transactions; what is backed up there restores there, and elsewhere.
case_kafka_2_8() {
    local topic pairs=()
    one_broker k28 "$KAFKA_28"
    one_broker k4 "$KAFKA_4"
    fill k28 basic --plain
    round_trip k28 0
    restore_yaml "$KB_WORK/restore.yaml" id=k28 broker="$(kafka_addr k4)" \
        create_topics=true
    kb_run 0 restore-k4 restore -c "$KB_WORK/restore.yaml"
    for topic in "${TOPICS[@]}"; do pairs+=("$topic=$topic"); done
    client compare -b "$(kafka_addr k28)" -B "$(kafka_addr k4)" \
        --min "$RECORDS" "${pairs[@]}" >"$KB_WORK/compared" || {
        cat "$KB_WORK/compared" >&2
        fail "$(grep -m1 DIFFERENT "$KB_WORK/compared")"
    }
}

case_kafka_2_1() {
    one_broker k21 "$KAFKA_21"
    fill k21 basic txn
    round_trip k21 0
}

case_message_sets_of_magic_0_and_1() {
    one_broker k21 "$KAFKA_21"
    fill k21 old
    round_trip k21 0
}

suite_main "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# client.sh - the testing tools tested: that the fill makes what it says on
# real brokers, and that compare finds every kind of difference.
. "$(dirname "$0")/../lib/lib.sh"
KB_NEEDS_PRODUCT=0

suite_setup() {
    kafka_new k "$KAFKA_4" transaction.partition.verification.enable=false
    kafka_start k
}

case_fill_and_copy_are_equal() {
    client fill -b "$(kafka_addr k)" basic txn >"$KB_WORK/filled"
    client copy -b "$(kafka_addr k)" mixed mixed.copy
    client copy -b "$(kafka_addr k)" nulls nulls.copy
    client copy -b "$(kafka_addr k)" headers headers.copy
    client compare -b "$(kafka_addr k)" --prefix '' --min 1000 \
        mixed=mixed.copy nulls=nulls.copy headers=headers.copy
    local topic shape partitions records flags pairs=()
    while IFS=$'\t' read -r topic shape partitions records flags; do
        pairs+=("$topic=$topic")
    done <"$KB_WORK/filled"
    client compare -b "$(kafka_addr k)" "${pairs[@]}" >"$KB_WORK/self" ||
        true # topics whose times are the broker's differ in the time's type
    while IFS=$'\t' read -r topic shape partitions records flags; do
        [ "$flags" = lat ] && continue
        grep -qxF -e "equal $topic = $topic: $partitions partitions, $records records" \
            "$KB_WORK/self" ||
            fail "fill promised $records records in $topic: $(grep -F -e "$topic =" "$KB_WORK/self")"
    done <"$KB_WORK/filled"
}

case_open_transactions_hide_the_rest() {
    client fill -b "$(kafka_addr k)" open >"$KB_WORK/open"
    client dump -b "$(kafka_addr k)" txn-hanging >"$KB_WORK/read"
    assert_eq "records before the hanging transaction" 12 \
        "$(wc -l <"$KB_WORK/read")"
    client dump -b "$(kafka_addr k)" --uncommitted txn-hanging \
        >"$KB_WORK/read"
    assert_eq "records with the hanging transaction" 15 \
        "$(wc -l <"$KB_WORK/read")"
}

case_compare_sees_every_difference() {
    local kind plain=drop,double,swap,time,key,null-key,null-value
    local heads=header-order,header-null,header-lost
    client copy -b "$(kafka_addr k)" nulls m --mutate $plain
    client copy -b "$(kafka_addr k)" headers m --mutate $heads
    for kind in ${plain//,/ }; do
        client compare -b "$(kafka_addr k)" "nulls=m.$kind" >"$KB_WORK/out" &&
            fail "compare does not see: $kind"
        assert_contains "compare after $kind" "$KB_WORK/out" DIFFERENT
    done
    for kind in ${heads//,/ }; do
        client compare -b "$(kafka_addr k)" "headers=m.$kind" \
            >"$KB_WORK/out" && fail "compare does not see: $kind"
        assert_contains "compare after $kind" "$KB_WORK/out" DIFFERENT
    done
}

case_load_and_verify() {
    client load -b "$(kafka_addr k)" loaded --partitions 3 --records 5000 \
        --timestamp -1 --compression lz4
    client verify -b "$(kafka_addr k)" loaded --records 5000
    ! client verify -b "$(kafka_addr k)" loaded --records 5001 >/dev/null ||
        fail "verify does not miss a record"
    client load -b "$(kafka_addr k)" loaded --partitions 3 --records 10
    ! client verify -b "$(kafka_addr k)" loaded >/dev/null ||
        fail "verify does not see records doubled"
}

case_groups_configs_and_more() {
    local b
    b=$(kafka_addr k)
    client create -b "$b" admin.topic 2 1 --config retention.ms=-1
    client load -b "$b" admin.topic --partitions 2 --records 100
    client commit -b "$b" some.group admin.topic:0=40 admin.topic:1=7
    assert_eq "groups" some.group "$(client groups -b "$b")"
    assert_eq "offset of the group" $'admin.topic\t0\t40\tby the test' \
        "$(client group -b "$b" some.group | head -1)"
    client set-config -b "$b" admin.topic max.message.bytes=123456
    client configs -b "$b" admin.topic >"$KB_WORK/configs"
    assert_contains configs "$KB_WORK/configs" max.message.bytes=123456
    client delete-records -b "$b" admin.topic 0 33
    assert_eq "ends" $'admin.topic\t0\t33\t100' \
        "$(client ends -b "$b" admin.topic | head -1)"
    client add-partitions -b "$b" admin.topic 5
    client delete -b "$b" admin.topic
    client quota -b "$b" some.client 1000000 1000000
}

suite_main "$@"

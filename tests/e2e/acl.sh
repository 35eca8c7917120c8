#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# acl.sh - backup and restore as a user with exactly the ACLs that
# docs/SECURITY.md lists; and without each of them, an error or a warning that
# has the line which grants it. The authorizer is Kafka's own.
. "$(dirname "$0")/../lib/lib.sh"
GROUP=billing

# broker NAME VERSION AUTHORIZER: ANONYMOUS (in plain text) may do all
broker() {
    local dir port
    kafka_new "$1" "$2"
    dir=$(kafka_dir "$1")
    port=$(free_ports 1)
    echo "sasl=$port" >>"$dir/node"
    sed -i -e "s|^listeners=.*|&,SASL://127.0.0.1:$port|" \
        -e "s|^advertised.listeners=.*|&,SASL://127.0.0.1:$port|" \
        -e "s|^listener.security.protocol.map=.*|&,SASL:SASL_PLAINTEXT|" \
        "$dir/server.properties"
    kafka_set "$1" authorizer.class.name="$3" \
        super.users=User:ANONYMOUS allow.everyone.if.no.acl.found=false \
        auto.create.topics.enable=false \
        listener.name.sasl.sasl.enabled.mechanisms=PLAIN \
        'listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret";'
    kafka_start "$1"
}

suite_setup() {
    broker k "$KAFKA_4" org.apache.kafka.metadata.authorizer.StandardAuthorizer
    client load orders -b "$(kafka_addr k)" --partitions 2 --records 500 \
        --config retention.ms=604800000 >/dev/null
    client commit -b "$(kafka_addr k)" $GROUP orders:0=120 orders:1=90
    backup_as 0 all yes $(backup_acls) # what restores restore
}

# The minimum, as docs/SECURITY.md has it.
backup_acls() { echo topic=orders:{Read,DescribeConfigs} group=$GROUP:Describe; }
restore_acls() { # TOPIC
    echo "topic=$1:"{Create,Write,Read,AlterConfigs} group=$GROUP:Read
}

NODE=k # the broker that is meant
allow() { client acls -b "$(kafka_addr $NODE)" alice "$@"; }

without() { # ACL ACL...: those that are not the first
    local acl
    for acl in "${@:2}"; do [ "$acl" = "$1" ] || echo "$acl"; done
}

as_alice() { # FILE
    local text="  security:\n    security_protocol: SASL_PLAINTEXT\n"
    text+="    sasl_mechanism: PLAIN\n    sasl_username: alice\n"
    text+="    sasl_password: alice-secret\n"
    sed -i "s|^  bootstrap_servers:.*|  bootstrap_servers: [\"127.0.0.1:$(kafka_get $NODE sasl)\"]\n$text|" "$1"
}

backup_as() { # CODE ID GROUPS(yes|no) ACL...
    local code=$1 id=$2 groups=consumer_group_snapshot=false
    [ "$3" = yes ] && groups="consumer_groups={include: [$GROUP]}"
    shift 3
    allow "$@"
    backup_yaml "$KB_WORK/b.yaml" id="$id" broker=x include=orders "$groups" \
        ${MORE:-}
    as_alice "$KB_WORK/b.yaml"
    KB_TIMEOUT=100 kb_run "$code" "b-$id" backup -c "$KB_WORK/b.yaml"
}

restore_as() { # CODE TOPIC ACL...
    local code=$1 topic=$2
    shift 2
    allow "$@"
    restore_yaml "$KB_WORK/r.yaml" id=all broker=x create_topics=true \
        map="orders=$topic" reset_consumer_offsets=true \
        "consumer_groups=[$GROUP]" ${PURGE:-}
    as_alice "$KB_WORK/r.yaml"
    KB_TIMEOUT=100 kb_run "$code" "r-$topic" restore -c "$KB_WORK/r.yaml"
}

granted_by() { # LABEL OPERATION --topic NAME|--group NAME|--cluster
    local label=$1 operation=$2
    shift 2
    assert_contains "what $label says" "$KB_WORK/$label.err" \
        "kafka-acls --bootstrap-server HOST:PORT --add --allow-principal User:NAME --operation $operation $*"
    note "$(grep -F -- "--operation $operation $*" "$KB_WORK/$label.err" | head -1 | cut -c1-300)"
}

case_backup_with_the_minimum() {
    backup_as 0 minimum yes $(backup_acls)
    assert_lacks "the log" "$KB_WORK/b-minimum.err" kafka-acls
    validate_deep minimum
    kb_run 0 described describe -p "$KB_WORK/store" -b minimum
    assert_matches "1000 records" "$KB_WORK/validate-minimum.out" "Records Validated: +1000"
}

case_backup_with_a_prefix() {
    backup_as 0 prefix yes 'topic=ord*:Read' 'topic=ord*:DescribeConfigs' \
        'group=bill*:Describe'
    assert_lacks "the log" "$KB_WORK/b-prefix.err" kafka-acls
    validate_deep prefix
}

case_backup_without_read() {
    backup_as $KB_FAILED noread yes $(without topic=orders:Read $(backup_acls))
    granted_by b-noread Read --topic orders
}

case_backup_with_describe_instead_of_read() {
    backup_as $KB_FAILED describe no topic=orders:{Describe,DescribeConfigs}
    granted_by b-describe Read --topic orders
}

case_backup_without_describe_configs() {
    backup_as 0 noconfigs yes $(without topic=orders:DescribeConfigs $(backup_acls))
    granted_by b-noconfigs DescribeConfigs --topic orders
    assert_contains "the warning" "$KB_WORK/b-noconfigs.err" "not in the backup"
    MORE=require_topic_configs=true backup_as $KB_FAILED needconfigs yes \
        $(without topic=orders:DescribeConfigs $(backup_acls))
    granted_by b-needconfigs DescribeConfigs --topic orders
}

case_backup_without_the_group() {
    backup_as $KB_INCOMPLETE nogroup yes $(without group=$GROUP:Describe $(backup_acls))
    granted_by b-nogroup Describe --group $GROUP
}

# As docs/SECURITY.md shows it: a Secret in the environment; and one that is
# mounted, which is a link to a link in a folder of its own.
case_secrets_as_kubernetes_gives_them() {
    local mount=$KB_WORK/secret
    allow $(backup_acls)
    mkdir -p "$mount/..2026"
    printf alice-secret >"$mount/..2026/password"
    ln -sfn ..2026 "$mount/..data"
    ln -sfn ..data/password "$mount/password"
    backup_yaml "$KB_WORK/b.yaml" id=mounted broker=x include=orders
    as_alice "$KB_WORK/b.yaml"
    sed "s|sasl_password: .*|sasl_password_file: $mount/password|" \
        "$KB_WORK/b.yaml" >"$KB_WORK/mounted.yaml"
    kb_run 0 mounted backup -vv -c "$KB_WORK/mounted.yaml"
    assert_lacks "the log" "$KB_WORK/mounted.err" alice-secret
    sed -e 's|sasl_username: .*|sasl_username: ${KAFKA_USERNAME}|' \
        -e 's|sasl_password: .*|sasl_password: ${KAFKA_PASSWORD}|' \
        "$KB_WORK/b.yaml" >"$KB_WORK/env.yaml"
    KAFKA_USERNAME=alice KAFKA_PASSWORD=alice-secret \
        kb_run 0 env backup -vv -c "$KB_WORK/env.yaml"
    assert_lacks "the log" "$KB_WORK/env.err" alice-secret
    (unset KAFKA_PASSWORD; KAFKA_USERNAME=alice \
        kb_run $KB_FAILED unset backup -c "$KB_WORK/env.yaml")
    assert_contains "the error" "$KB_WORK/unset.err" KAFKA_PASSWORD
}

case_restore_with_the_minimum() {
    restore_as 0 r.minimum $(restore_acls r.minimum)
    assert_lacks "the log" "$KB_WORK/r-r.minimum.err" kafka-acls
    client compare -b "$(kafka_addr k)" --min 1000 orders=r.minimum \
        >"$KB_WORK/compared" || fail "$(cat "$KB_WORK/compared")"
    client configs -b "$(kafka_addr k)" r.minimum >"$KB_WORK/configs"
    assert_contains "configs put back" "$KB_WORK/configs" "retention.ms=604800000"
    client group -b "$(kafka_addr k)" $GROUP >"$KB_WORK/committed"
    assert_matches "offsets committed" "$KB_WORK/committed" "r.minimum.0.120"
    assert_matches "offsets committed" "$KB_WORK/committed" "r.minimum.1.90"
}

case_restore_with_a_prefix() {
    restore_as 0 p.prefix 'topic=p.*:Create' 'topic=p.*:Write' 'topic=p.*:Read' \
        'topic=p.*:AlterConfigs' 'group=bill*:Read'
    assert_lacks "the log" "$KB_WORK/r-p.prefix.err" kafka-acls
}

case_restore_without_any() {
    restore_as $KB_FAILED r.none group=$GROUP:Read
    granted_by r-r.none Write --topic r.none
}

case_restore_without_create() {
    restore_as $KB_FAILED r.create $(without topic=r.create:Create $(restore_acls r.create))
    granted_by r-r.create Create --topic r.create
}

case_restore_without_write() {
    restore_as $KB_FAILED r.write $(without topic=r.write:Write $(restore_acls r.write))
    granted_by r-r.write Write --topic r.write
}

# A producer id it has then; each topic asks for itself.
case_restore_with_write_elsewhere() {
    restore_as $KB_INCOMPLETE r.else $(without topic=r.else:Write $(restore_acls r.else)) \
        topic=other:Write
    granted_by r-r.else Write --topic r.else
}

case_restore_without_read() {
    restore_as $KB_INCOMPLETE r.read $(without topic=r.read:Read $(restore_acls r.read))
    granted_by r-r.read Read --topic r.read
}

case_restore_without_alter_configs() {
    restore_as $KB_FAILED r.alter $(without topic=r.alter:AlterConfigs $(restore_acls r.alter))
    granted_by r-r.alter AlterConfigs --topic r.alter
}

case_restore_without_the_group() {
    restore_as $KB_INCOMPLETE r.group $(without group=$GROUP:Read $(restore_acls r.group))
    granted_by r-r.group Read --group $GROUP
}

case_restore_with_describe_of_the_group() {
    restore_as $KB_INCOMPLETE r.describe \
        $(without group=$GROUP:Read $(restore_acls r.describe)) group=$GROUP:Describe
    granted_by r-r.describe Read --group $GROUP
}

case_restore_goes_on_when_it_is_granted() {
    restore_as $KB_INCOMPLETE r.later $(without topic=r.later:Write $(restore_acls r.later)) \
        topic=other:Write
    restore_as 0 r.later $(restore_acls r.later)
    client compare -b "$(kafka_addr k)" --min 1000 orders=r.later \
        >"$KB_WORK/compared" || fail "$(cat "$KB_WORK/compared")"
}

case_restore_into_a_topic_that_exists() {
    client create -b "$(kafka_addr k)" there 2
    restore_as 0 there topic=there:{Write,Read,DescribeConfigs} group=$GROUP:Read
    assert_lacks "the log" "$KB_WORK/r-there.err" kafka-acls
    client create -b "$(kafka_addr k)" there2 2
    restore_as 0 there2 topic=there2:{Write,Read} group=$GROUP:Read
    granted_by r-there2 DescribeConfigs --topic there2
}

# Before 2.8, a producer id wants IdempotentWrite on the cluster.
case_restore_to_an_old_broker() {
    broker old $KAFKA_21 kafka.security.auth.SimpleAclAuthorizer
    NODE=old
    restore_as $KB_FAILED o.without $(restore_acls o.without)
    granted_by r-o.without IdempotentWrite --cluster
    restore_as 0 o.with $(restore_acls o.with) cluster:IdempotentWrite
    assert_lacks "the log" "$KB_WORK/r-o.with.err" kafka-acls
    kafka_stop old
}

case_purge() {
    client load purged -b "$(kafka_addr k)" --partitions 2 --records 5 >/dev/null
    PURGE="purge_topics=true" restore_as $KB_FAILED purged \
        topic=purged:{Write,Read,DescribeConfigs} group=$GROUP:Read
    granted_by r-purged Delete --topic purged
    PURGE="purge_topics=true" restore_as 0 purged \
        topic=purged:{Write,Read,DescribeConfigs,Delete} group=$GROUP:Read
}

suite_main "$@"

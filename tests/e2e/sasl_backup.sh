#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sasl_backup.sh - backup and restore of every shape through each SASL mechanism,
# equal at the end, and what refusals say. Authentication again in place is
# reauth.sh's.
. "$(dirname "$0")/../lib/lib.sh"
. "$KB_LIB/secure.sh"
KDC=$KB_WORK/kdc TLS=$KB_WORK/tls
REAUTH_MS=4000

suite_setup() {
    kdc_start
    idp_start 300
    sasl_broker k "${SASL_KAFKA:-$KAFKA_4}" $REAUTH_MS
    sasl_broker_start k
    client fill -b "$(kafka_addr k)" basic txn >"$KB_WORK/filled" 2>"$KB_WORK/fill.err"
}

# secure FILE ADDRESS PROTOCOL LINE...: bootstrap there, with this security
secure() {
    local file=$1 address=$2 protocol=$3 line text
    shift 3
    text="  security:\n    security_protocol: $protocol\n"
    for line in "$@"; do text+="    $line\n"; done
    sed -i "s|^  bootstrap_servers:.*|  bootstrap_servers: [\"$address\"]\n$text|" "$file"
}

topics() {
    local topic rest
    TOPICS=()
    while IFS=$'\t' read -r topic rest; do TOPICS+=("$topic"); done <"$KB_WORK/filled"
    [ ${#TOPICS[@]} -gt 0 ] || fail "nothing was filled"
}

# round_trip NAME ADDRESS PROTOCOL LINE...: all topics, and back as NAME.topic
round_trip() {
    local name=$1 topic map= pairs=() list
    shift
    topics
    list=$(IFS=,; printf '%s' "${TOPICS[*]}")
    for topic in "${TOPICS[@]}"; do
        map+=${map:+,}$topic=${name}${topic:0:200}
        pairs+=("$topic=${name}${topic:0:200}")
    done
    backup_yaml "$KB_WORK/b.yaml" id="$name" broker=x include="$list"
    secure "$KB_WORK/b.yaml" "$@"
    kb_run 0 "backup-$name" backup -c "$KB_WORK/b.yaml"
    restore_yaml "$KB_WORK/r.yaml" id="$name" broker=x create_topics=true map="$map"
    secure "$KB_WORK/r.yaml" "$@"
    kb_run 0 "restore-$name" restore -c "$KB_WORK/r.yaml"
    client compare -b "$(kafka_addr k)" --min 1 "${pairs[@]}" >"$KB_WORK/compared" || {
        cat "$KB_WORK/compared" >&2
        fail "$(grep -m1 DIFFERENT "$KB_WORK/compared")"
    }
    note "${#TOPICS[@]} topics equal after backup and restore"
}

case_plain() {
    round_trip plain "$(sasl_addr k)" SASL_PLAINTEXT "sasl_mechanism: PLAIN" \
        "sasl_username: bob" "sasl_password: \"$BOB_PASSWORD\""
    assert_contains "the log" "$KB_WORK/backup-plain.err" "PLAIN without TLS"
}

case_scram_of_the_references_spelling_over_tls() {
    printf 'alice-secret\n' >"$KB_WORK/password"
    round_trip scram "$(saslssl_addr k)" SASL_SSL "sasl_mechanism: SCRAM-SHA512" \
        "sasl_username: alice" "sasl_password_file: $KB_WORK/password" \
        "ssl_ca_location: $TLS/ca.crt"
}

case_gssapi() {
    round_trip gssapi "$(sasl_addr k)" SASL_PLAINTEXT "sasl_mechanism: GSSAPI" \
        "sasl_kerberos_service_name: kafka" \
        "sasl_keytab_path: $KDC/client.keytab" \
        "sasl_krb5_config_path: $KDC/krb5.conf"
}

case_oauthbearer() {
    local idp
    idp=http://127.0.0.1:$(cat "$KB_WORK/idp.port")
    round_trip oauth "$(oidc_addr k)" SASL_PLAINTEXT "sasl_mechanism: OAUTHBEARER" \
        "sasl_oauthbearer_token_endpoint_url: $idp/token" \
        "sasl_oauthbearer_client_id: backup" \
        "sasl_oauthbearer_client_secret: backup-secret" \
        "sasl_oauthbearer_scope: kafka"
}

case_wrong_password() {
    backup_yaml "$KB_WORK/b.yaml" id=no broker=x include=mixed
    secure "$KB_WORK/b.yaml" "$(sasl_addr k)" SASL_PLAINTEXT \
        "sasl_mechanism: SCRAM-SHA-256" "sasl_username: alice" \
        "sasl_password: canary-pw"
    kb_run $KB_FAILED wrong backup -vv -c "$KB_WORK/b.yaml"
    assert_contains "the error" "$KB_WORK/wrong.err" "the broker refuses user alice"
    assert_contains "the remedy" "$KB_WORK/wrong.err" "sasl_password"
    assert_lacks "the log" "$KB_WORK/wrong.err" canary-pw
}

case_mechanism_without_its_plugin() {
    mkdir -p "$KB_WORK/plugins"
    cp "$KB_BUILD"/lib/kafka-backup/plugins/{codec,storage}_*.so "$KB_WORK/plugins"
    backup_yaml "$KB_WORK/b.yaml" id=no broker=x include=mixed
    secure "$KB_WORK/b.yaml" "$(sasl_addr k)" SASL_PLAINTEXT "sasl_mechanism: GSSAPI"
    kb_run $KB_FAILED missing backup --plugin-dir "$KB_WORK/plugins" -c "$KB_WORK/b.yaml"
    assert_contains "the error" "$KB_WORK/missing.err" sasl_gssapi.so
    assert_contains "the error" "$KB_WORK/missing.err" "$KB_WORK/plugins"
}

case_wrong_host_for_kerberos() {
    backup_yaml "$KB_WORK/b.yaml" id=no broker=x include=mixed
    secure "$KB_WORK/b.yaml" "127.0.0.1:$(kafka_get k sasl)" SASL_PLAINTEXT \
        "sasl_mechanism: GSSAPI" "sasl_keytab_path: $KDC/client.keytab" \
        "sasl_krb5_config_path: $KDC/krb5.conf"
    kb_run $KB_FAILED host backup -c "$KB_WORK/b.yaml"
    assert_contains "the SPN" "$KB_WORK/host.err" "kafka/127.0.0.1"
    assert_contains "the principal" "$KB_WORK/host.err" "backup/client@KB.TEST"
}

suite_main "$@"

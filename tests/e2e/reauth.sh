#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# reauth.sh - sessions that end every 3 s and every 10 s, for each mechanism:
# continuous backups of a topic that is being written and restores that take
# their time, all at once, must authenticate again in place at least five times
# in a row on a connection of each plane. The broker's own beans say whether it
# ever had to end a connection (SASL_KAFKA=3.9.1: an older line).
. "$(dirname "$0")/../lib/lib.sh"
. "$KB_LIB/secure.sh"
KDC=$KB_WORK/kdc TLS=$KB_WORK/tls
MECHANISMS="PLAIN SCRAM-SHA-512 GSSAPI OAUTHBEARER"
LOAD_S=50        # 80 % of 10 s, five times, and some
RECORDS=10000    # of each of the two partitions, in that time
SLOW=4300        # of each of the two that a restore takes 60 s for, at its rate

suite_setup() {
    local common=org.apache.kafka.common.security.oauthbearer mechanism
    local -a properties=()
    kdc_start
    idp_start 300
    for mechanism in $MECHANISMS; do
        properties+=("listener.name.saslssl.${mechanism,,}.connections.max.reauth.ms=10000")
    done
    # the tokens are the issuer's on the listener with TLS, too
    sasl_broker k "${SASL_KAFKA:-$KAFKA_4}" 3000 "${properties[@]}" \
        "listener.name.saslssl.oauthbearer.sasl.jaas.config=$common.OAuthBearerLoginModule required ;" \
        "listener.name.saslssl.oauthbearer.sasl.server.callback.handler.class=$common.OAuthBearerValidatorCallbackHandler" \
        "listener.name.saslssl.oauthbearer.sasl.oauthbearer.jwks.endpoint.url=$IDP/jwks" \
        "listener.name.saslssl.oauthbearer.sasl.oauthbearer.expected.issuer=$IDP" \
        "listener.name.saslssl.oauthbearer.sasl.oauthbearer.expected.audience=kafka"
    sasl_broker_start k
    client load slow -b "$(kafka_addr k)" --partitions 2 --records $SLOW --batch 20
    backup_yaml "$KB_WORK/b.yaml" id=slow broker="$(kafka_addr k)" include=slow
    kb_run 0 slow backup -c "$KB_WORK/b.yaml"
}

# Sets SECURITY to the settings for a mechanism whose sessions last that long,
# and ADDRESS.
with_mechanism() { # MECHANISM SECONDS
    local line
    local -a lines=("sasl_mechanism: $1")
    case $1 in
    PLAIN | SCRAM*) lines+=("sasl_username: alice" "sasl_password: alice-secret") ;;
    GSSAPI) lines+=("sasl_keytab_path: $KDC/client.keytab"
        "sasl_krb5_config_path: $KDC/krb5.conf") ;;
    OAUTHBEARER) lines+=(
        "sasl_oauthbearer_token_endpoint_url: http://127.0.0.1:$(cat "$KB_WORK/idp.port")/token"
        "sasl_oauthbearer_client_id: backup" "sasl_oauthbearer_scope: kafka"
        "sasl_oauthbearer_client_secret: backup-secret") ;;
    esac
    ADDRESS=$(sasl_addr k)
    [ "$1" != OAUTHBEARER ] || ADDRESS=$(oidc_addr k)
    if [ "$2" = 10 ]; then
        ADDRESS=$(saslssl_addr k)
        lines+=("security_protocol: SASL_SSL" "ssl_ca_location: $TLS/ca.crt")
    else
        lines+=("security_protocol: SASL_PLAINTEXT")
    fi
    SECURITY=()
    for line in "${lines[@]}"; do SECURITY+=("security=$line"); done
}

# most LABEL PLANE: times that the best connection of it did it
most() {
    local words=-v
    [ "$2" = control ] && words=-e
    grep -F 'authenticated again in place' "$KB_WORK/$1.err" |
        grep $words ' for librdkafka: ' |
        sed 's/.*, time \([0-9]*\) on this connection.*/\1/' | sort -n | tail -1
}

has_five() { # LABEL
    [ "$(most "$1" data)" -ge 5 ] && [ "$(most "$1" control)" -ge 5 ]
}

# in_a_row LABEL: on the best connection of each plane
in_a_row() {
    DATA=$(most "$1" data) CONTROL=$(most "$1" control)
    assert_at_least "$1: in a row on a connection of the data plane" 5 "${DATA:-0}"
    assert_at_least "$1: in a row on a connection of the control plane" 5 "${CONTROL:-0}"
    ! grep -hE 'closed the connection|reconnect|re-authentication' "$KB_WORK/$1.err" ||
        fail "$1: a connection was dropped"
}

case_five_in_a_row_under_load() {
    local addr mechanism seconds label bean pid started=0
    local -a labels=() verified=()
    addr=$(kafka_addr k)
    client create -b "$addr" load 2 >/dev/null
    for mechanism in $MECHANISMS; do
        for seconds in 3 10; do
            label=${mechanism,,}-$seconds
            labels+=("$label")
            with_mechanism "$mechanism" $seconds
            backup_yaml "$KB_WORK/$label.yaml" id="$label" broker="$ADDRESS" \
                include=load continuous=true "${SECURITY[@]}"
            kb_start "b-$label" backup -v -c "$KB_WORK/$label.yaml"
            restore_yaml "$KB_WORK/r.$label.yaml" id=slow broker="$ADDRESS" \
                map="slow=slow.$label" create_topics=true \
                produce_batch_bytes=4KiB rate_limit_bytes_per_sec=16000 "${SECURITY[@]}"
            kb_start "r-$label" restore -v -c "$KB_WORK/r.$label.yaml"
        done
    done
    client load load -b "$addr" --partitions 2 --records $RECORDS --batch 20 \
        --rate $((RECORDS / LOAD_S))
    for label in "${labels[@]}"; do
        kb_end_with 0 "r-$label" 200
        wait_until 60 has_five "b-$label" 2>/dev/null || true # said below
        proc_signal "b-$label" TERM
    done
    for label in "${labels[@]}"; do kb_end_with $KB_INTERRUPTED "b-$label" 60; done
    for label in "${labels[@]}"; do
        in_a_row "b-$label"
        pid="$label: data plane $DATA, control plane $CONTROL in a row"
        in_a_row "r-$label"
        note "$pid; restore: $DATA, $CONTROL"
        started=$((started + $(cat "$KB_WORK/"[br]"-$label.err" |
            grep -c 'authenticated again in place')))
    done
    pid=$(proc_pid k) || fail "the broker is gone"
    bean='kafka.server:type=socket-server-metrics,listener=*,networkProcessor=*'
    client jmx -b x "$pid" "$bean" failed-reauthentication-total \
        successful-reauthentication-total expired-connections-killed-count \
        failed-authentication-total >"$KB_WORK/beans"
    bean() { awk -v name="$1" '$1 == name { print $2 }' "$KB_WORK/beans"; }
    assert_eq failed-reauthentication-total 0 "$(bean failed-reauthentication-total)"
    assert_eq expired-connections-killed-count 0 "$(bean expired-connections-killed-count)"
    assert_eq failed-authentication-total 0 "$(bean failed-authentication-total)"
    assert_at_least "the broker's re-authentications, by ours" "$started" \
        "$(bean successful-reauthentication-total)"
    note "the broker counts $(bean successful-reauthentication-total) re-authentications, 0 failed, 0 connections ended"
    # Nothing lost, nothing twice: the restores, and the backups restored.
    for label in "${labels[@]}"; do
        verified+=("slow.$label")
    done
    client verify -b "$addr" --records $SLOW "${verified[@]}" || fail "a restore"
    verified=()
    for label in "${labels[@]}"; do
        verified+=("b.$label")
        backup_yaml "$KB_WORK/b.yaml" id="$label" broker="$addr" include=load
        kb_run 0 "end-$label" backup -c "$KB_WORK/b.yaml"
        restore_yaml "$KB_WORK/r.yaml" id="$label" broker="$addr" \
            create_topics=true map="load=b.$label"
        kb_run 0 "back-$label" restore -c "$KB_WORK/r.yaml"
    done
    client verify -b "$addr" --records $RECORDS "${verified[@]}" || fail "a backup"
}

suite_main "$@"

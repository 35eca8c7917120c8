#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tls.sh - backup and restore over TLS, with and without a client certificate,
# and what is said of certificates and listeners that don't fit. The SASL
# mechanisms are sasl_backup.sh's (SASL_KAFKA=3.9.1: an older line).
. "$(dirname "$0")/../lib/lib.sh"
. "$KB_LIB/secure.sh"
. "$KB_LIB/certs.sh"

KDC=$KB_WORK/kdc

suite_setup() {
    kdc_start
    idp_start 300
    sasl_broker k "${SASL_KAFKA:-$KAFKA_4}" 30000
    tls_listeners k
    sasl_broker_start k
    client fill -b "$(kafka_addr k)" basic >"$KB_WORK/filled" \
        2>"$KB_WORK/fill.err" || { cat "$KB_WORK/fill.err" >&2; return 1; }
    client load steady -b "$(kafka_addr k)" --partitions 4 --records 500 \
        --size 500 >"$KB_WORK/load.log" 2>&1
}

# Names are made longer: those of the greatest length are matrix.sh's.
topics() { cut -f1 "$KB_WORK/filled" | awk 'length < 200'; }

PLAIN=(security="sasl_mechanism: PLAIN" security="sasl_username: alice"
    security="sasl_password: alice-secret")

# round_trip LABEL ADDRESS [security=...]: all shapes, under other names
round_trip() {
    local label=$1 addr=$2 topic pairs=() list
    shift 2
    rm -rf "$KB_WORK/store"
    mapfile -t TOPICS < <(topics)
    list=$(IFS=,; printf '%s' "${TOPICS[*]}")
    local map=
    for topic in "${TOPICS[@]}"; do
        pairs+=("$topic=$label.$topic")
        map+=${map:+,}$topic=$label.$topic
    done
    backup_yaml "$KB_WORK/b.yaml" id="$label" broker="$addr" include="$list" "$@"
    kb_run 0 "backup-$label" backup -c "$KB_WORK/b.yaml"
    restore_yaml "$KB_WORK/r.yaml" id="$label" broker="$addr" \
        create_topics=true map="$map" "$@"
    kb_run 0 "restore-$label" restore -c "$KB_WORK/r.yaml"
    client compare -b "$(kafka_addr k)" "${pairs[@]}" >"$KB_WORK/compared" || {
        cat "$KB_WORK/compared" >&2
        fail "$(grep -m1 DIFFERENT "$KB_WORK/compared")"
    }
    client delete -b "$(kafka_addr k)" "${pairs[@]#*=}" >/dev/null 2>&1 || true
    no_secrets "$label"
}

no_secrets() { # LABEL: in what both runs printed
    local file secret
    for file in "$KB_WORK"/{backup,restore}-"$1".{out,err}; do
        [ -e "$file" ] || continue
        for secret in alice-secret "$BOB_PASSWORD" keypass; do
            assert_lacks "the output" "$file" "$secret"
        done
    done
}

case_tls() {
    round_trip ssl "$(tls_addr k ssl)" security="security_protocol: SSL" \
        security="ssl_ca_location: $CERTS/ca.pem"
}

case_tls_with_a_client_certificate() {
    round_trip mtls "$(tls_addr k mtls)" security="security_protocol: SSL" \
        security="ssl_ca_location: $CERTS/ca.pem" \
        security="ssl_certificate_location: $CERTS/client.pem" \
        security="ssl_key_location: $CERTS/client.enc.key" \
        security="ssl_key_password: keypass"
}

# The listener is known by its address alone, and so is its certificate.
case_tls_over_ipv6() {
    has_ipv6 || skip "there is no ::1 on this machine"
    round_trip v6 "$(tls_addr k v6)" security="security_protocol: SSL" \
        security="ssl_ca_location: $CERTS/ca.pem"
}

case_plain_over_tls() {
    round_trip plain "$(tls_addr k stls)" security="security_protocol: SASL_SSL" \
        security="ssl_ca_location: $CERTS/ca.pem" "${PLAIN[@]}"
}

# Where the advertised name isn't reached, as behind a port-forward: the address
# is another on both planes, the name that TLS verifies stays.
case_brokers_that_are_reached_elsewhere() {
    local override
    override="\"kafka.example.org\": \"$(tls_addr k wrong)\""
    round_trip elsewhere "kafka.example.org:$(kafka_get k wrong)" \
        security="security_protocol: SSL" override="$override" \
        security="ssl_ca_location: $CERTS/ca.pem"
    backup_yaml "$KB_WORK/b.yaml" id=nowhere include=steady \
        broker="kafka.example.org:$(kafka_get k wrong)" \
        security="security_protocol: SSL" connection="connect_timeout: 5s" \
        security="ssl_ca_location: $CERTS/ca.pem"
    KB_TIMEOUT=60 kb_run "$KB_FAILED" nowhere backup -c "$KB_WORK/b.yaml"
    assert_contains "the error" "$KB_WORK/nowhere.err" "broker_overrides"
}

# refused TEXT ADDRESS security=...: within its deadline
refused() {
    local text=$1 addr=$2 began=$SECONDS
    shift 2
    backup_yaml "$KB_WORK/b.yaml" broker="$addr" include=steady "$@"
    KB_TIMEOUT=60 kb_run "$KB_FAILED" refused backup -c "$KB_WORK/b.yaml"
    assert_contains "the error" "$KB_WORK/refused.err" "$text"
    assert_lacks "the error" "$KB_WORK/refused.err" alice-secret
    assert_at_most "seconds until it was said" 45 $((SECONDS - began))
}

case_certificates_that_are_refused() {
    local ca=(security="ssl_ca_location: $CERTS/ca.pem")
    local ssl=(security="security_protocol: SSL")
    refused "its CA is not trusted here" "$(tls_addr k ssl)" "${ssl[@]}" \
        security="ssl_ca_location: $CERTS/other-ca.pem"
    refused "asked for localhost, it is for kafka.example.org" \
        "$(tls_addr k wrong)" "${ssl[@]}" "${ca[@]}"
    refused "wants a client certificate" "$(tls_addr k mtls)" "${ssl[@]}" "${ca[@]}"
    refused "closed the connection during the handshake" "$(kafka_addr k)" \
        "${ssl[@]}" "${ca[@]}"
    refused "the password of the key is wrong" "$(tls_addr k mtls)" "${ssl[@]}" \
        "${ca[@]}" security="ssl_certificate_location: $CERTS/client.pem" \
        security="ssl_key_location: $CERTS/client.enc.key" \
        security="ssl_key_password: wrong"
    refused "does not match the certificate" "$(tls_addr k mtls)" "${ssl[@]}" \
        "${ca[@]}" security="ssl_certificate_location: $CERTS/client.pem" \
        security="ssl_key_location: $CERTS/broker.key"
    refused "ssl_ca_location" "$(tls_addr k ssl)" "${ssl[@]}" \
        security="ssl_ca_location: $KB_WORK/nowhere.pem"
}

case_host_names_not_verified_when_told_so() {
    backup_yaml "$KB_WORK/b.yaml" id=wrong broker="$(tls_addr k wrong)" \
        include=steady security="security_protocol: SSL" \
        security="ssl_ca_location: $CERTS/ca.pem" \
        security="ssl_endpoint_identification_algorithm: none" \
        override="\"kafka.example.org\": \"localhost\""
    kb_run 0 unverified backup -c "$KB_WORK/b.yaml"
    assert_contains "the log" "$KB_WORK/unverified.err" "host names are not verified"
}

case_a_certificate_that_ends_soon_is_warned_of() {
    backup_yaml "$KB_WORK/b.yaml" id=soon broker="$(tls_addr k mtls)" \
        include=steady security="security_protocol: SSL" \
        security="ssl_ca_location: $CERTS/ca.pem" \
        security="ssl_certificate_location: $CERTS/soon.pem" \
        security="ssl_key_location: $CERTS/soon.key"
    kb_run 0 soon backup -c "$KB_WORK/b.yaml"
    assert_matches "the log" "$KB_WORK/soon.err" "soon.pem expires in (9|10) days"
}

case_logins_that_are_refused() {
    local sasl=(security="security_protocol: SASL_PLAINTEXT")
    refused "refuses user alice" "$(sasl_addr k)" "${sasl[@]}" \
        security="sasl_mechanism: PLAIN" security="sasl_username: alice" \
        security="sasl_password: wrong"
    refused "not enabled; it offers OAUTHBEARER" "$(oidc_addr k)" "${sasl[@]}" \
        "${PLAIN[@]}"
    refused "no plugin for SASL mechanism" "$(sasl_addr k)" "${sasl[@]}" \
        security="sasl_mechanism: DIGEST-MD5"
}

# mismatch PROTOCOL ADDRESS TEXT: started here, looked at when all are
mismatch() {
    local n=${#MISMATCHES[@]} lines=(security="security_protocol: $1")
    case $1 in SASL*) lines+=("${PLAIN[@]}") ;; esac
    case $1 in *SSL) lines+=(security="ssl_ca_location: $CERTS/ca.pem") ;; esac
    backup_yaml "$KB_WORK/m$n.yaml" id="m$n" broker="$2" include=steady \
        connection="connect_timeout: 10s" "${lines[@]}"
    kb_start "m$n" backup -v -c "$KB_WORK/m$n.yaml"
    MISMATCHES+=("$1 to $2: $3")
}

case_the_protocol_of_another_listener() {
    local plain ssl sasl stls n began=$SECONDS
    local -a MISMATCHES=()
    local alert="the answer is a TLS alert: this listener wants TLS"
    local handshake="closed the connection during the handshake; is it a TLS listener?"
    local wants="this may be a listener that wants SASL"
    local none="refused SaslHandshake: ILLEGAL_SASL_STATE; the listener is not a SASL one"
    plain=localhost:$(kafka_get k port)
    ssl=$(tls_addr k ssl) sasl=$(sasl_addr k) stls=$(tls_addr k stls)
    mismatch PLAINTEXT "$ssl" "$alert"
    mismatch PLAINTEXT "$sasl" "$wants"
    mismatch PLAINTEXT "$stls" "$alert"
    mismatch SSL "$plain" "$handshake"
    mismatch SSL "$sasl" "$handshake"
    mismatch SSL "$stls" "$wants"
    mismatch SASL_PLAINTEXT "$plain" "$none"
    mismatch SASL_PLAINTEXT "$ssl" "$alert"
    mismatch SASL_PLAINTEXT "$stls" "$alert"
    mismatch SASL_SSL "$plain" "$handshake"
    mismatch SASL_SSL "$ssl" "$none"
    mismatch SASL_SSL "$sasl" "$handshake"
    for n in "${!MISMATCHES[@]}"; do
        kb_end_with $KB_FAILED "m$n" 90
        tail -1 "$KB_WORK/m$n.err" >"$KB_WORK/said"
        assert_contains "${MISMATCHES[n]%%: *}" "$KB_WORK/said" "${MISMATCHES[n]#*: }"
    done
    assert_at_most "seconds until all were said" 60 $((SECONDS - began))
}

suite_main "$@"

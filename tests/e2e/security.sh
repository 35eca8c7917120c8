#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# security.sh - backup and restore through every protocol and mechanism, both
# planes authenticated again in place while they work, and what refusals say.
. "$(dirname "$0")/../lib/lib.sh"
. "$KB_LIB/secure.sh"
. "$KB_LIB/tls.sh"

REAUTH_MS=3000
KDC=$KB_WORK/kdc

suite_setup() {
    kdc_start
    idp_start 300
    sasl_broker k "$KAFKA_4" $REAUTH_MS
    tls_listeners k
    sasl_broker_start k
    client fill -b "$(kafka_addr k)" basic >"$KB_WORK/filled" \
        2>"$KB_WORK/fill.err" || { cat "$KB_WORK/fill.err" >&2; return 1; }
    client load steady -b "$(kafka_addr k)" --partitions 4 --records 500 \
        --size 500 >"$KB_WORK/load.log" 2>&1
}

places() { IDP=http://127.0.0.1:$(cat "$KB_WORK/idp.port"); }

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
        security="ssl_ca_location: $TLS/ca.pem"
}

case_tls_with_a_client_certificate() {
    round_trip mtls "$(tls_addr k mtls)" security="security_protocol: SSL" \
        security="ssl_ca_location: $TLS/ca.pem" \
        security="ssl_certificate_location: $TLS/client.pem" \
        security="ssl_key_location: $TLS/client.enc.key" \
        security="ssl_key_password: keypass"
}

case_plain_over_tls() {
    round_trip plain "$(tls_addr k stls)" security="security_protocol: SASL_SSL" \
        security="ssl_ca_location: $TLS/ca.pem" "${PLAIN[@]}"
}

case_scram_512() {
    round_trip scram "$(sasl_addr k)" security="security_protocol: SASL_PLAINTEXT" \
        security="sasl_mechanism: SCRAM-SHA-512" security="sasl_username: bob" \
        security="sasl_password: $BOB_PASSWORD"
}

# The reference's spelling, a password from the environment, over TLS.
case_scram_256_over_tls() {
    KB_TEST_PASSWORD=alice-secret round_trip scram256 "$(tls_addr k stls)" \
        security="security_protocol: SASL_SSL" \
        security="ssl_ca_location: $TLS/ca.pem" \
        security="sasl_mechanism: SCRAM-SHA256" security="sasl_username: alice" \
        security='sasl_password: ${KB_TEST_PASSWORD}'
}

gssapi() {
    GSSAPI=(security="sasl_mechanism: GSSAPI"
        security="sasl_kerberos_service_name: kafka"
        security="sasl_keytab_path: $KDC/client.keytab"
        security="sasl_krb5_config_path: $KDC/krb5.conf"
        security="sasl_options: {sasl_kerberos_principal: backup/client@KB.TEST}")
}

case_gssapi_from_a_keytab() {
    gssapi
    round_trip gssapi "$(sasl_addr k)" \
        security="security_protocol: SASL_PLAINTEXT" "${GSSAPI[@]}"
}

case_oauthbearer_by_oidc() {
    places
    round_trip oidc "$(oidc_addr k)" \
        security="security_protocol: SASL_PLAINTEXT" \
        security="sasl_mechanism: OAUTHBEARER" \
        security="sasl_oauthbearer_token_endpoint_url: $IDP/token" \
        security="sasl_oauthbearer_client_id: backup" \
        security="sasl_oauthbearer_client_secret: backup-secret" \
        security="sasl_oauthbearer_scope: kafka"
}

# A run of some 20 s, by a rate limit, over sessions of 3 s: at least five in a
# row on each connection, none ended by the broker, nothing lost or doubled.
reauth() { # LABEL ADDRESS security=...
    local label=$1 addr=$2 again
    shift 2
    rm -rf "$KB_WORK/store"
    backup_yaml "$KB_WORK/b.yaml" id="$label" broker="$addr" include=steady \
        rate_limit_records_per_sec=100 fetch_max_bytes=16384 "$@"
    kb_run 0 "backup-$label" -v backup -c "$KB_WORK/b.yaml"
    again=$(grep -c 'authenticated again in place' "$KB_WORK/backup-$label.err")
    assert_at_least "re-authentications in the backup" 5 "$again"
    restore_yaml "$KB_WORK/r.yaml" id="$label" broker="$addr" \
        create_topics=true map="steady=$label" rate_limit_records_per_sec=100 \
        produce_batch_bytes=8192 "$@"
    kb_run 0 "restore-$label" -v restore -c "$KB_WORK/r.yaml"
    again=$(grep -c 'authenticated again in place' "$KB_WORK/restore-$label.err")
    assert_at_least "re-authentications in the restore" 5 "$again"
    client compare -b "$(kafka_addr k)" "steady=$label" --min 2000 \
        >"$KB_WORK/compared" || { cat "$KB_WORK/compared"; fail "not equal"; }
    killed_by_the_broker "$label"
    no_secrets "$label"
}

# Neither side may have lost a connection over it.
killed_by_the_broker() {
    local file
    for file in backup restore; do
        ! grep -iE 'session expired|re-authentication in place failed' \
            "$KB_WORK/$file-$1.err" || fail "$file: a session was lost"
    done
}

case_reauthentication_plain() {
    reauth re-plain "$(tls_addr k stls)" security="security_protocol: SASL_SSL" \
        security="ssl_ca_location: $TLS/ca.pem" "${PLAIN[@]}"
}

case_reauthentication_scram() {
    reauth re-scram "$(sasl_addr k)" \
        security="security_protocol: SASL_PLAINTEXT" \
        security="sasl_mechanism: SCRAM-SHA-256" security="sasl_username: alice" \
        security="sasl_password: alice-secret"
}

case_reauthentication_gssapi() {
    gssapi
    reauth re-gssapi "$(sasl_addr k)" \
        security="security_protocol: SASL_PLAINTEXT" "${GSSAPI[@]}"
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
    local ca=(security="ssl_ca_location: $TLS/ca.pem")
    local ssl=(security="security_protocol: SSL")
    refused "its CA is not trusted here" "$(tls_addr k ssl)" "${ssl[@]}" \
        security="ssl_ca_location: $TLS/other-ca.pem"
    refused "asked for localhost, it is for kafka.example.org" \
        "$(tls_addr k wrong)" "${ssl[@]}" "${ca[@]}"
    refused "wants a client certificate" "$(tls_addr k mtls)" "${ssl[@]}" "${ca[@]}"
    refused "doesn't speak TLS" "$(kafka_addr k)" "${ssl[@]}" "${ca[@]}"
    refused "no TLS version in common" "$(tls_addr k old)" "${ssl[@]}" "${ca[@]}"
    refused "the password of the key is wrong" "$(tls_addr k mtls)" "${ssl[@]}" \
        "${ca[@]}" security="ssl_certificate_location: $TLS/client.pem" \
        security="ssl_key_location: $TLS/client.enc.key" \
        security="ssl_key_password: wrong"
    refused "does not match the certificate" "$(tls_addr k mtls)" "${ssl[@]}" \
        "${ca[@]}" security="ssl_certificate_location: $TLS/client.pem" \
        security="ssl_key_location: $TLS/broker.key"
    refused "ssl_ca_location" "$(tls_addr k ssl)" "${ssl[@]}" \
        security="ssl_ca_location: $KB_WORK/nowhere.pem"
}

case_host_names_not_verified_when_told_so() {
    backup_yaml "$KB_WORK/b.yaml" id=wrong broker="$(tls_addr k wrong)" \
        include=steady security="security_protocol: SSL" \
        security="ssl_ca_location: $TLS/ca.pem" \
        security="ssl_endpoint_identification_algorithm: none"
    kb_run 0 unverified backup -c "$KB_WORK/b.yaml"
    assert_contains "the log" "$KB_WORK/unverified.err" "host names are not verified"
}

case_a_certificate_that_ends_soon_is_warned_of() {
    backup_yaml "$KB_WORK/b.yaml" id=soon broker="$(tls_addr k mtls)" \
        include=steady security="security_protocol: SSL" \
        security="ssl_ca_location: $TLS/ca.pem" \
        security="ssl_certificate_location: $TLS/soon.pem" \
        security="ssl_key_location: $TLS/soon.key"
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
    # the protocol of another listener, in every direction
    refused "SASL" "$(kafka_addr k)" "${sasl[@]}" "${PLAIN[@]}"
    refused "localhost" "$(sasl_addr k)" security="security_protocol: PLAINTEXT"
    refused "localhost" "$(tls_addr k ssl)" security="security_protocol: PLAINTEXT"
    refused "localhost" "$(tls_addr k stls)" "${sasl[@]}" "${PLAIN[@]}"
    refused "TLS" "$(sasl_addr k)" security="security_protocol: SASL_SSL" \
        security="ssl_ca_location: $TLS/ca.pem" "${PLAIN[@]}"
}

suite_main "$@"

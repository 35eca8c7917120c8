#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rotation.sh - credentials that are replaced while continuous backups run:
# files as Kubernetes mounts them, whose folder is swapped by a link. Nothing
# is restarted, no record lost or doubled.
. "$(dirname "$0")/../lib/lib.sh"
. "$KB_LIB/secure.sh"
. "$KB_LIB/certs.sh"
RATE=200 # records of each partition in a second

# A broker with SCRAM and OAUTHBEARER (unsecured tokens), sessions of 3 s; and
# with a listener that wants a client certificate, whose stores can be replaced.
suite_setup() {
    local dir ports listener common=org.apache.kafka.common.security
    certs_make
    tls_ca ca2
    mkdir "$CERTS/old" "$CERTS/new"
    for listener in old new; do
        local ca=ca
        [ $listener = new ] && ca=ca2
        tls_cert $listener-broker /CN=localhost DNS:localhost,IP:127.0.0.1 30 $ca
        tls_cert $listener-client /CN=kbclient DNS:kbclient 30 $ca
        openssl pkcs12 -export -inkey "$CERTS/$listener-broker.key" \
            -in "$CERTS/$listener-broker.pem" -passout pass:changeit \
            -out "$CERTS/$listener/broker.p12"
        keytool -importcert -noprompt -alias ca -file "$CERTS/$ca.pem" \
            -keystore "$CERTS/$listener/trust.p12" -storetype PKCS12 \
            -storepass changeit >/dev/null 2>&1
    done
    cp "$CERTS/old/"*.p12 "$CERTS"
    kafka_new k "$KAFKA_4"
    dir=$(kafka_dir k)
    read -r -a ports <<<"$(free_ports 2)"
    printf 'sasl=%s\nmtls=%s\n' "${ports[@]}" >>"$dir/node"
    sed -i -e "s|^listeners=.*|&,SASL://127.0.0.1:${ports[0]},MTLS://127.0.0.1:${ports[1]}|" \
        -e "s|^advertised.listeners=.*|&,SASL://localhost:${ports[0]},MTLS://localhost:${ports[1]}|" \
        -e "s|^listener.security.protocol.map=.*|&,SASL:SASL_PLAINTEXT,MTLS:SSL|" \
        "$dir/server.properties"
    {
        echo "connections.max.reauth.ms=3000"
        echo "listener.name.sasl.sasl.enabled.mechanisms=SCRAM-SHA-256,OAUTHBEARER"
        sasl_jaas sasl scram-sha-256 $common.scram.ScramLoginModule ""
        sasl_jaas sasl oauthbearer $common.oauthbearer.OAuthBearerLoginModule \
            'unsecuredLoginStringClaim_sub="kafka"'
        tls_listener_properties mtls broker
        echo "listener.name.mtls.ssl.client.auth=required"
    } >>"$dir/server.properties"
    kafka_start k
    client load base -b "$(kafka_addr k)" --partitions 2 --records 1500 --batch 20
    backup_yaml "$KB_WORK/b.yaml" id=base broker="$(kafka_addr k)" include=base
    kb_run 0 base backup -c "$KB_WORK/b.yaml"
}

# mount NAME FILE=CONTENT_OF...: a new version of a mounted Secret, at once
mount() {
    local name=$1 pair version
    shift
    mkdir -p "$KB_WORK/mnt/$name"
    version=..$(date +%s%N)
    mkdir "$KB_WORK/mnt/$name/$version"
    for pair in "$@"; do
        cp "${pair#*=}" "$KB_WORK/mnt/$name/$version/${pair%%=*}"
        [ -L "$KB_WORK/mnt/$name/${pair%%=*}" ] ||
            ln -s "..data/${pair%%=*}" "$KB_WORK/mnt/$name/${pair%%=*}"
    done
    ln -s "$version" "$KB_WORK/mnt/$name/..new"
    mv -T "$KB_WORK/mnt/$name/..new" "$KB_WORK/mnt/$name/..data"
}

text_file() { printf '%s' "$1" >"$KB_WORK/text"; echo "$KB_WORK/text"; }

# begin NAME ADDRESS SECONDS LINE...: a topic that is written for that long, and
# its backup
begin() {
    local name=$1 address=$2 line
    local -a security=()
    RECORDS=$(($3 * RATE))
    shift 3
    for line in "$@"; do security+=("security=$line"); done
    client create -b "$(kafka_addr k)" "$name" 2 >/dev/null
    backup_yaml "$KB_WORK/$name.yaml" id="$name" broker="$address" \
        include="$name" continuous=true commit_interval=1s \
        connection="connect_timeout: 3s" connection="request_timeout: 5s" \
        "${security[@]}"
    client load "$name" -b "$(kafka_addr k)" --partitions 2 --records $RECORDS \
        --batch 20 --rate $RATE >"$KB_WORK/$name.load" 2>&1 &
    proc_add "load-$name" $!
    kb_start "$name" backup -v -c "$KB_WORK/$name.yaml"
    wait_until 30 stored "$name" 1 || fail "nothing is stored"
}

stored() { # NAME RECORDS: at least so many are in its backup
    local found
    found=$("$KB_BIN" describe -p "$KB_WORK/store" -b "$1" -f json 2>/dev/null |
        python3 -c 'import json, sys
print(json.load(sys.stdin)["summary"]["records"])' 2>/dev/null) || return 1
    [ "$found" -ge "$2" ]
}

# finish NAME: all is stored by the run that began, and is what was written
finish() {
    wait_until 90 stored "$1" $((2 * RECORDS)) || { kb_show "$1"; fail "$1: the backup doesn't get on"; }
    proc_wait_gone "load-$1" 60 || fail "the load doesn't end"
    proc_signal "$1" TERM
    kb_end_with $KB_INTERRUPTED "$1" 60
    restore_yaml "$KB_WORK/r.yaml" id="$1" broker="$(kafka_addr k)" \
        create_topics=true map="$1=r.$1"
    kb_run 0 "restore-$1" restore -c "$KB_WORK/r.yaml"
    client verify -b "$(kafka_addr k)" --records $RECORDS "r.$1" ||
        fail "what was restored isn't what was written"
}

log_has() { # NAME TEXT [TIMES]
    [ "$(grep -cF -- "$2" "$KB_WORK/$1.err")" -ge "${3:-1}" ]
}

# The broker's password changes first, as it does: from then on the old one is
# refused, at the next re-authentication and by new connections.
case_password_file() {
    local again
    client scram -b "$(kafka_addr k)" carol=first-canary
    mount password password="$(text_file first-canary)"
    begin password "$(sasl_addr k)" 15 "security_protocol: SASL_PLAINTEXT" \
        "sasl_mechanism: SCRAM-SHA-256" "sasl_username: carol" \
        "sasl_password_file: $KB_WORK/mnt/password/password"
    wait_until 30 log_has password "authenticated again in place" ||
        fail "no re-authentication"
    client scram -b "$(kafka_addr k)" carol=second-canary
    wait_until 30 log_has password "the broker refuses user carol" ||
        fail "nothing is said of the old password"
    # such a file may be a minute late: the backup goes on trying
    wait_until 60 log_has password "the backup begins anew" ||
        fail "the backup doesn't say that it begins anew"
    mount password password="$(text_file second-canary)"
    again=$(grep -c "authenticated again" "$KB_WORK/password.err")
    wait_until 60 log_has password "authenticated again in place" $((again + 2)) ||
        fail "no re-authentication with the new password"
    finish password
    assert_lacks "the log" "$KB_WORK/password.err" -canary
    assert_contains "the log" "$KB_WORK/password.err" \
        "ERROR librdkafka: re-authentication in place failed: localhost"
    assert_contains "the log" "$KB_WORK/password.err" \
        "ERROR re-authentication in place failed: localhost"
}

token() { # SUBJECT SECONDS
    python3 - "$@" <<'T'
import base64, json, sys, time
now = int(time.time())
part = lambda d: base64.urlsafe_b64encode(json.dumps(d).encode()).decode().rstrip("=")
print(part({"alg": "none"}) + "." + part({"sub": sys.argv[1], "iat": now - 60,
    "exp": now + int(sys.argv[2])}) + ".", end="")
T
}

# Another token, in time; then one for another principal, which Kafka takes on a
# new connection only. A restore goes on over that as well.
case_token_file() {
    local line
    local -a security=() lines=("security_protocol: SASL_PLAINTEXT"
        "sasl_mechanism: OAUTHBEARER"
        "sasl_oauthbearer_token_file: $KB_WORK/mnt/token/token")
    for line in "${lines[@]}"; do security+=("security=$line"); done
    mount token token="$(text_file "$(token first 300)")"
    restore_yaml "$KB_WORK/rt.yaml" id=base broker="$(sasl_addr k)" \
        create_topics=true map=base=r.base produce_batch_bytes=8KiB \
        rate_limit_bytes_per_sec=16000 "${security[@]}"
    begin token "$(sasl_addr k)" 20 "${lines[@]}"
    wait_until 60 log_has token "time 2 on this connection" || fail "no re-authentication"
    mount token token="$(text_file "$(token first 600)")"
    kb_start back restore -v -c "$KB_WORK/rt.yaml"
    wait_until 60 log_has back "authenticated again in place" || fail "no re-authentication"
    wait_until 60 log_has token "time 4 on this connection" || fail "no re-authentication"
    assert_lacks "the log" "$KB_WORK/token.err" "reconnect"
    assert_lacks "the log" "$KB_WORK/token.err" "refuses"
    proc_pid back >/dev/null || fail "the restore has ended: $(tail -1 "$KB_WORK/back.err")"
    mount token token="$(text_file "$(token second 600)")"
    finish token
    kb_end_with 0 back 120
    assert_contains "the log of the restore" "$KB_WORK/back.err" \
        "the credentials are another principal's now"
    client verify -b "$(kafka_addr k)" --records 1500 r.base || fail "the restore"
    assert_contains "the log" "$KB_WORK/token.err" \
        "the credentials are another principal's now"
    ! grep -E ' ERROR ' "$KB_WORK/token.err" || fail "another principal is no failure"
}

# The files first, then the broker: it comes back with a certificate of another
# CA, and trusts no client of the old one.
case_certificates() {
    mount tls ca.crt="$CERTS/ca.pem" tls.crt="$CERTS/old-client.pem" \
        tls.key="$CERTS/old-client.key"
    begin tls "$(tls_addr k mtls)" 5 "security_protocol: SSL" \
        "ssl_ca_location: $KB_WORK/mnt/tls/ca.crt" \
        "ssl_certificate_location: $KB_WORK/mnt/tls/tls.crt" \
        "ssl_key_location: $KB_WORK/mnt/tls/tls.key"
    proc_wait_gone load-tls 60
    mount tls ca.crt="$CERTS/ca2.pem" tls.crt="$CERTS/new-client.pem" \
        tls.key="$CERTS/new-client.key"
    kafka_stop k
    cp "$CERTS/new/"*.p12 "$CERTS"
    kafka_start k
    client load tls -b "$(kafka_addr k)" --partitions 2 --start $RECORDS \
        --records $RECORDS --batch 20
    RECORDS=$((2 * RECORDS))
    finish tls
    assert_contains "the log" "$KB_WORK/tls.err" "certificates were read again"
}

suite_main "$@"

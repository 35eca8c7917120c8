#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sasl_backup.sh - backup and restore of every shape through each SASL mechanism,
# equal at the end, and what refusals say. Authentication again in place is
# reauth.sh's.
. "$(dirname "$0")/../lib/lib.sh"
. "$KB_LIB/secure.sh"
. "$KB_LIB/certs.sh"
KDC=$KB_WORK/kdc TLS=$KB_WORK/tls
REAUTH_MS=4000

suite_setup() {
    kdc_start
    idp_start 300
    sasl_broker k "${SASL_KAFKA:-$KAFKA_4}" $REAUTH_MS
    tls_listeners k
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

# no_secrets NAME: in what its runs said, down to what plugins trace, and in what
# they stored; nor in what describe and status say of it
no_secrets() {
    local word
    kb_run 0 "describe-$1" describe -vv -p "$KB_WORK/store" -b "$1" -f json
    for word in alice-secret "$BOB_PASSWORD" backup-secret eyJ; do
        ! grep -lF -- "$word" "$KB_WORK"/{backup,restore,describe}-"$1".{out,err} ||
            fail "there is a secret in it: $word"
        [ "$word" = eyJ ] || ! grep -rlaF -- "$word" "$KB_WORK/store/$1" ||
            fail "there is a secret in the store: $word"
    done
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
    kb_run 0 "backup-$name" backup -vv -c "$KB_WORK/b.yaml"
    restore_yaml "$KB_WORK/r.yaml" id="$name" broker=x create_topics=true map="$map"
    secure "$KB_WORK/r.yaml" "$@"
    kb_run 0 "restore-$name" restore -vv -c "$KB_WORK/r.yaml"
    no_secrets "$name"
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

case_scram_256() {
    round_trip scram256 "$(sasl_addr k)" SASL_PLAINTEXT \
        "sasl_mechanism: SCRAM-SHA-256" "sasl_username: bob" \
        "sasl_password: \"$BOB_PASSWORD\""
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

if [ -n "${KB_LONG:-}" ]; then # what each would do with the other protocol
case_with_the_other_protocol() {
    local tls=("$(saslssl_addr k)" SASL_SSL "ssl_ca_location: $TLS/ca.crt")
    local alice=("sasl_username: alice" "sasl_password: alice-secret")
    local -a lines
    round_trip x.plain "${tls[@]}" "sasl_mechanism: PLAIN" "${alice[@]}"
    round_trip x.scram256 "${tls[@]}" "sasl_mechanism: SCRAM-SHA-256" "${alice[@]}"
    round_trip x.scram512 "$(sasl_addr k)" SASL_PLAINTEXT \
        "sasl_mechanism: SCRAM-SHA-512" "${alice[@]}"
    mapfile -t lines < <(gssapi "$KDC/client.keytab")
    round_trip x.gssapi "${tls[@]}" "${lines[@]}"
    round_trip x.oauth "${tls[@]}" "sasl_mechanism: OAUTHBEARER" \
        "sasl_oauthbearer_token: $(token 3600)"
}
fi

# With 4.0.0 this is tls.sh's.
if [ "${SASL_KAFKA:-$KAFKA_4}" != "$KAFKA_4" ]; then
case_tls_with_a_client_certificate() {
    round_trip tls "$(tls_addr k mtls)" SSL "ssl_ca_location: $CERTS/ca.pem" \
        "ssl_certificate_location: $CERTS/client.pem" \
        "ssl_key_location: $CERTS/client.key"
}
fi

# refused TEXT ADDRESS LINE...: through the whole program, within its deadline
refused() {
    local text=$1 address=$2 began=$SECONDS
    shift 2
    backup_yaml "$KB_WORK/b.yaml" id=no broker=x include=mixed \
        connection="connect_timeout: 5s"
    secure "$KB_WORK/b.yaml" "$address" SASL_PLAINTEXT "$@"
    KB_TIMEOUT=100 kb_run $KB_FAILED refused backup -vv -c "$KB_WORK/b.yaml"
    tail -1 "$KB_WORK/refused.err" >"$KB_WORK/said"
    assert_contains "the error" "$KB_WORK/said" "$text"
    assert_lacks "the log" "$KB_WORK/refused.err" canary
    assert_lacks "the log" "$KB_WORK/refused.err" eyJ # how a token begins
    # connect_timeout, and what a machine under load adds
    assert_at_most "seconds until it was said" 45 $((SECONDS - began))
}

off_by() { # SECONDS COMMAND...: the program's clock is
    local KB_WRAP=(env FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f "$1s")
    need_packages faketime=faketime
    case $KB_BUILD in *tsan*) skip "no other preloaded library with tsan" ;; esac
    shift
    "$@"
}

token() { # SECONDS: one that ends in so many, as unsecured validators take it
    python3 - "$1" <<'T'
import base64, json, sys, time
now = int(time.time())
part = lambda d: base64.urlsafe_b64encode(json.dumps(d).encode()).decode().rstrip("=")
print(part({"alg": "none"}) + "." + part({"sub": "client", "iat": now - 3600,
    "exp": now + int(sys.argv[1])}) + ".")
T
}

case_mechanism_that_is_not_enabled() {
    refused "has SASL mechanism PLAIN not enabled; it offers OAUTHBEARER" \
        "$(oidc_addr k)" "sasl_mechanism: PLAIN" "sasl_username: alice" \
        "sasl_password: canary"
}

case_expired_tokens() {
    local late
    late=$(token -300)
    refused "sasl_oauthbearer_token expired" "$(sasl_addr k)" \
        "sasl_mechanism: OAUTHBEARER" "sasl_oauthbearer_token: $late"
    # It is good by our clock, which is late: the broker says no.
    off_by -600 refused "the broker refuses the token (sub c" "$(sasl_addr k)" \
        "sasl_mechanism: OAUTHBEARER" "sasl_oauthbearer_token: $(token -300)"
    assert_contains "its claims" "$KB_WORK/said" "the clocks: as seen here it ends in"
}

oidc() { # CLIENT [SECRET]
    printf '%s\n' "sasl_mechanism: OAUTHBEARER" \
        "sasl_oauthbearer_token_endpoint_url: http://127.0.0.1:$(cat "$KB_WORK/idp.port")/token" \
        "sasl_oauthbearer_client_id: $1" "sasl_oauthbearer_scope: kafka" \
        "sasl_oauthbearer_client_secret: ${2:-backup-secret}"
}

case_tokens_that_the_listener_does_not_take() {
    local -a lines
    mapfile -t lines < <(oidc other)
    refused "the broker refuses the token (iss http" "$(oidc_addr k)" "${lines[@]}"
    assert_contains "the claims" "$KB_WORK/said" "aud other"
    assert_contains "the remedy" "$KB_WORK/said" sasl.oauthbearer.expected.issuer
    refused "the broker refuses the token" "$(oidc_addr k)" \
        "sasl_mechanism: OAUTHBEARER" "sasl_oauthbearer_token: $(token 600)"
    mapfile -t lines < <(oidc backup canary)
    refused "HTTP 401, invalid_client" "$(oidc_addr k)" "${lines[@]}"
}

gssapi() { # KEYTAB [KRB5_CONF]
    printf '%s\n' "sasl_mechanism: GSSAPI" "sasl_keytab_path: $1" \
        "sasl_krb5_config_path: ${2:-$KDC/krb5.conf}"
}

case_keytabs_that_do_not_fit() {
    local who
    local -a lines
    for who in other changed gone; do
        kdc_admin "addprinc -randkey +requires_preauth $who/client"
        kdc_admin "ktadd -k $KDC/$who.keytab $who/client"
    done
    mapfile -t lines < <(gssapi "$KDC/other.keytab")
    refused "has no key for backup/client" "$(sasl_addr k)" "${lines[@]}" \
        "sasl_kerberos_principal: backup/client"
    assert_contains "what it has" "$KB_WORK/said" "it has keys for other/client@KB.TEST"
    kdc_admin "cpw -randkey changed/client"
    mapfile -t lines < <(gssapi "$KDC/changed.keytab")
    refused "Preauthentication failed" "$(sasl_addr k)" "${lines[@]}"
    assert_contains "the keytab" "$KB_WORK/said" "$KDC/changed.keytab"
    kdc_admin "delprinc -force gone/client"
    mapfile -t lines < <(gssapi "$KDC/gone.keytab")
    refused "gone/client@KB.TEST' not found in Kerberos database" "$(sasl_addr k)" \
        "${lines[@]}"
    mapfile -t lines < <(gssapi "$KDC/none.keytab")
    refused "none.keytab" "$(sasl_addr k)" "${lines[@]}"
}

# One that is down, and one that a firewall hides: libkrb5 can't be told how
# long to wait for that (before 1.22).
case_kdc_that_does_not_answer() {
    local port
    local -a lines
    mapfile -t lines < <(gssapi "$KDC/client.keytab")
    kdc_stop
    refused "no KDC answers" "$(sasl_addr k)" "${lines[@]}"
    [ -n "${KB_LONG:-}" ] || { (kdc_start); return 0; }
    port=$(free_ports 1)
    sed "s/kdc = .*/kdc = 127.0.0.1:$port/" "$KDC/krb5.conf" >"$KB_WORK/silent.conf"
    python3 -c '
import socket, sys, threading
address = ("127.0.0.1", int(sys.argv[1]))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(address)
tcp = socket.create_server(address)
threading.Event().wait()' "$port" &
    proc_add silent $!
    disown $!
    wait_until 10 port_answers "$port"
    mapfile -t lines < <(gssapi "$KDC/client.keytab" "$KB_WORK/silent.conf")
    refused "no KDC answers" "$(sasl_addr k)" "${lines[@]}"
    proc_kill silent
    (kdc_start)
}

# libkrb5 makes up for a clock that is off by what the KDC answers; where it is
# told not to, the error says so.
case_clock_off_by_ten_minutes() {
    local -a lines
    sed 's/^ default_realm.*/&\n kdc_timesync = 0/' "$KDC/krb5.conf" \
        >"$KB_WORK/strict.conf"
    mapfile -t lines < <(gssapi "$KDC/client.keytab" "$KB_WORK/strict.conf")
    off_by +600 refused "Clock skew too great" "$(sasl_addr k)" "${lines[@]}"
    assert_contains "the remedy" "$KB_WORK/said" "differ by more than 5 minutes"
    off_by -600 refused "Clock skew too great" "$(sasl_addr k)" "${lines[@]}"
}

# As another user than root, to whom a process of theirs belongs unless it may
# not be dumped.
case_no_core_file_and_no_debugger() {
    [ "$(id -u)" = 0 ] || skip "this needs root"
    command -v setpriv >/dev/null || skip "there is no setpriv"
    local prefix pid
    prefix=$(mktemp -d /tmp/kb-core.XXXXXX)
    chmod 755 "$prefix" "$KB_WORK"
    cmake --install "$KB_BUILD" --prefix "$prefix" >/dev/null
    mkdir -m 777 "$prefix/store"
    client create -b "$(kafka_addr k)" core 1 >/dev/null
    backup_yaml "$prefix/b.yaml" id=core broker=x include=core \
        continuous=true store="$prefix/store"
    secure "$prefix/b.yaml" "$(sasl_addr k)" SASL_PLAINTEXT \
        "sasl_mechanism: PLAIN" "sasl_username: alice" \
        'sasl_password: "${KB_CANARY}"'
    chmod 644 "$prefix/b.yaml"
    KB_CANARY=alice-secret setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$prefix/bin/kafka-backup" backup -c "$prefix/b.yaml" \
        >"$KB_WORK/core.out" 2>"$KB_WORK/core.err" </dev/null &
    pid=$!
    proc_add core $pid
    disown $pid
    wait_until 60 grep -q " fetches " "$KB_WORK/core.err" ||
        fail "it doesn't start: $(cat "$KB_WORK/core.err")"
    assert_matches "its limits" "/proc/$pid/limits" "Max core file size +0 +0 "
    assert_eq "who owns its memory" 0 "$(stat -c %u "/proc/$pid/environ")"
    ! setpriv --reuid=65534 --regid=65534 --clear-groups \
        cat "/proc/$pid/environ" >/dev/null 2>&1 ||
        fail "its environment can be read"
    ! tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q alice-secret ||
        fail "its arguments have the password"
    proc_stop core
    rm -rf "$prefix"
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

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rdkafka.sh - kafka_backup_sasl.so inside programs that are not ours: Debian's
# kcat, and Python wheels with librdkafkas of their own.
. "$(dirname "$0")/../lib/lib.sh"
. "$KB_LIB/secure.sh"
. "$KB_LIB/certs.sh"
. "$KB_LIB/programs.sh"

KB_NEEDS_PRODUCT=0
REAUTH_MS=3000
KDC=$KB_WORK/kdc
PLUGIN=$KB_BUILD/lib/kafka_backup_sasl.so
WHEELS="2.3.0 $WHEEL_NEWEST"

suite_setup() {
    need_packages kcat=kcat valgrind=valgrind
    kdc_start
    idp_start 300
    sasl_broker k "$KAFKA_4" $REAUTH_MS
    tls_listeners k
    sasl_broker_start k
    local version
    for version in $WHEELS; do wheel "$version"; done
    old_library
}

# librdkafka 1.9.2, as its wheel for an older Python brings it; for kcat.
old_library() {
    OLD=$KB_CACHE/librdkafka-1.9.2
    [ -f "$OLD/.complete" ] && return 0
    need_packages unzip=unzip
    (
        flock 9
        [ -f "$OLD/.complete" ] && exit 0
        "$KB_CACHE/confluent-kafka-2.3.0/venv/bin/pip" download -q --no-deps \
            --only-binary :all: --python-version 3.10 \
            --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
            -d "$OLD" confluent-kafka==1.9.2 >"$OLD/pip.log" 2>&1 &&
            unzip -q -o -d "$OLD" "$OLD"/*.whl &&
            ln -sf "$(ls "$OLD"/confluent_kafka.libs/librdkafka-*)" \
                "$OLD/confluent_kafka.libs/librdkafka.so.1" &&
            touch "$OLD/.complete"
    ) 9>"$(mkdir -p "$OLD" && echo "$OLD/lock")" ||
        { tail -3 "$OLD/pip.log" >&2; die "no librdkafka 1.9.2"; }
}

python_with() { # VERSION ARGS...
    local version=$1
    shift
    KB_PLUGIN=$PLUGIN timeout 180 "$KB_CACHE/confluent-kafka-$version/venv/bin/python" "$@"
}

# properties for kcat; P is in front of all, LAST behind all
P=(-X "plugin.library.paths=$PLUGIN")
ALICE=(-X sasl.username=alice -X sasl.password=alice-secret)
CA=(-X "ssl.ca.location=$KB_WORK/certs/ca.pem")

kcat_() { timeout "${T:-30}" kcat -m 10 "$@" >"$KB_WORK/out" 2>&1; }

well() { # ARGS...: metadata arrives
    kcat_ "$@" -L || fail "kcat $*: $(tail -2 "$KB_WORK/out")"
    assert_contains "kcat $*" "$KB_WORK/out" "1 brokers"
}

refused() { # TEXT ARGS...
    local text=$1
    shift
    ! T=20 kcat_ -m 4 "$@" -L || fail "kcat $*: was not refused"
    assert_contains "kcat $*" "$KB_WORK/out" "$text"
    assert_lacks "kcat $*" "$KB_WORK/out" alice-secret
}

# Debian's own can't: its librdkafka repeats the nonce, and 4.0 refuses that.
case_kcat_scram_against_4_0() {
    ! T=15 kcat_ -b "$(sasl_addr k)" -m 5 -X security.protocol=SASL_PLAINTEXT \
        -X sasl.mechanism=SCRAM-SHA-256 "${ALICE[@]}" -L ||
        note "this kcat can do it by itself"
    well -b "$(sasl_addr k)" "${P[@]}" -X security.protocol=SASL_PLAINTEXT \
        -X sasl.mechanism=SCRAM-SHA-256 "${ALICE[@]}"
    well -b "$(tls_addr k stls)" "${P[@]}" -X security.protocol=SASL_SSL \
        "${CA[@]}" -X sasl.mechanism=SCRAM-SHA-512 "${ALICE[@]}"
}

case_kcat_tls_and_client_certificates() {
    well -b "$(tls_addr k ssl)" "${P[@]}" -X security.protocol=SSL "${CA[@]}"
    well -b "$(tls_addr k mtls)" "${P[@]}" -X security.protocol=SSL "${CA[@]}" \
        -X "ssl.certificate.location=$CERTS/client.pem" \
        -X "ssl.key.location=$CERTS/client.enc.key" -X ssl.key.password=keypass
    refused "its CA is not trusted here" -b "$(tls_addr k ssl)" "${P[@]}" \
        -X security.protocol=SSL -X "ssl.ca.location=$CERTS/other-ca.pem"
    refused "asked for localhost, it is for kafka.example.org" \
        -b "$(tls_addr k wrong)" "${P[@]}" -X security.protocol=SSL "${CA[@]}"
    well -b "$(tls_addr k wrong)" "${P[@]}" -X security.protocol=SSL "${CA[@]}" \
        -X ssl.endpoint.identification.algorithm=none
}

# The properties of librdkafka's that name no file of PEM, before the plugin
# and behind it.
case_kcat_tls_from_text_and_keystores() {
    local pem=(-X security.protocol=SSL -X "ssl.ca.pem=$(cat "$CERTS/ca.pem")"
        -X "ssl.certificate.pem=$(cat "$CERTS/client.pem")"
        -X "ssl.key.pem=$(cat "$CERTS/client.enc.key")"
        -X ssl.key.password=keypass)
    local store=(-X security.protocol=SSL "${CA[@]}"
        -X "ssl.keystore.location=$CERTS/client.p12"
        -X ssl.keystore.password=changeit)
    tls_keystore client
    well -b "$(tls_addr k mtls)" "${P[@]}" "${pem[@]}"
    well -b "$(tls_addr k mtls)" "${pem[@]}" "${P[@]}"
    well -b "$(tls_addr k mtls)" "${P[@]}" "${store[@]}"
    well -b "$(tls_addr k mtls)" "${store[@]}" "${P[@]}"
    refused "the password of the keystore is wrong" -b "$(tls_addr k mtls)" \
        "${P[@]}" "${store[@]}" -X ssl.keystore.password=guess
}

# What a listener has, and what nobody has.
case_kcat_tls_policy() {
    local tls=(-b "$(tls_addr k ssl)" "${P[@]}" -X security.protocol=SSL)
    well "${tls[@]}" "${CA[@]}" -X ssl.curves.list=P-256 \
        -X ssl.cipher.suites=TLS_AES_128_GCM_SHA256 \
        -X ssl.sigalgs.list=RSA-PSS+SHA256:RSA+SHA256
    refused "ssl.cipher.suites: NO-SUCH" "${tls[@]}" "${CA[@]}" \
        -X ssl.cipher.suites=NO-SUCH
    # a certificate of nobody's, for another host
    refused "not trusted" -b "$(tls_addr k wrong)" "${P[@]}" \
        -X security.protocol=SSL -X "ssl.ca.location=$CERTS/other-ca.pem"
    well -b "$(tls_addr k wrong)" "${P[@]}" -X security.protocol=SSL \
        -X "ssl.ca.location=$CERTS/other-ca.pem" \
        -X enable.ssl.certificate.verification=false
    assert_contains "what kcat said" "$KB_WORK/out" "certificates are not verified"
}

case_kcat_gssapi_from_a_keytab() {
    KRB5_CONFIG=$KDC/krb5.conf well -b "$(sasl_addr k)" "${P[@]}" \
        -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=GSSAPI \
        -X "sasl.kerberos.keytab=$KDC/client.keytab" \
        -X sasl.kerberos.principal=backup/client@KB.TEST
}

# Properties in any order: the plugin last, and from a file.
case_kcat_any_order() {
    well -b "$(tls_addr k stls)" -X security.protocol=SASL_SSL "${CA[@]}" \
        -X sasl.mechanism=PLAIN "${ALICE[@]}" "${P[@]}"
    well -b "$(tls_addr k stls)" "${ALICE[@]}" -X sasl.mechanism=PLAIN "${P[@]}" \
        "${CA[@]}" -X security.protocol=SASL_SSL
    printf 'security.protocol = SASL_SSL\nssl.ca.location=%s\n# a comment\nsasl.mechanism=PLAIN\nsasl.username=alice\nsasl.password=alice-secret\n' \
        "$CERTS/ca.pem" >"$KB_WORK/sasl.conf"
    KAFKA_BACKUP_SASL_CONF=$KB_WORK/sasl.conf well -b "$(tls_addr k stls)" "${P[@]}"
    ! KAFKA_BACKUP_SASL_CONF=$KB_WORK/nowhere kcat_ -b "$(kafka_addr k)" "${P[@]}" -L ||
        fail "a settings file that isn't there was passed over"
}

case_kcat_refusals() {
    refused "refuses user alice: Authentication failed" -b "$(sasl_addr k)" "${P[@]}" \
        -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=PLAIN \
        -X sasl.username=alice -X sasl.password=wrong
    refused "no plugin for SASL mechanism" -b "$(sasl_addr k)" "${P[@]}" \
        -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=DIGEST-MD5
    refused "it offers OAUTHBEARER" -b "$(oidc_addr k)" "${P[@]}" \
        -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=PLAIN "${ALICE[@]}"
    refused "Connection refused" -b localhost:19 "${P[@]}" \
        -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=PLAIN "${ALICE[@]}"
    refused "no such property; did you mean kafka_backup.plugin.dir" \
        -b "$(sasl_addr k)" "${P[@]}" -X kafka_backup.plugin.dirs=/x
    refused "kafka_backup_sasl has no ssl.engine.location" \
        -b "$(sasl_addr k)" "${P[@]}" -X ssl.engine.location=/x
    refused "neither true nor false" -b "$(sasl_addr k)" "${P[@]}" \
        -X enable.ssl.certificate.verification=perhaps
}

case_kcat_oauthbearer_by_oidc() {
    IDP=http://127.0.0.1:$(cat "$KB_WORK/idp.port")
    well -b "$(oidc_addr k)" "${P[@]}" -X security.protocol=SASL_PLAINTEXT \
        -X sasl.mechanism=OAUTHBEARER -X sasl.oauthbearer.method=oidc \
        -X "sasl.oauthbearer.token.endpoint.url=$IDP/token" \
        -X sasl.oauthbearer.client.id=backup \
        -X sasl.oauthbearer.client.secret=backup-secret \
        -X sasl.oauthbearer.scope=kafka
}

# One connection over 20 s and sessions of 3 s: every record once, in order.
case_kcat_reauthentication() {
    local n=360
    client delete -b "$(kafka_addr k)" again >/dev/null 2>&1 || true
    client create -b "$(kafka_addr k)" again 1 >/dev/null
    for ((i = 0; i < n; i++)); do echo "$i"; sleep 0.05; done |
        T=60 kcat_ -P -t again -b "$(tls_addr k stls)" "${P[@]}" \
            -X security.protocol=SASL_SSL "${CA[@]}" -X linger.ms=0 \
            -X sasl.mechanism=SCRAM-SHA-512 "${ALICE[@]}" ||
        fail "kcat: $(tail -2 "$KB_WORK/out")"
    assert_eq "what kcat said" "" "$(cat "$KB_WORK/out")"
    timeout 60 kcat -q -C -e -t again -b "$(kafka_addr k)" >"$KB_WORK/got" 2>/dev/null
    seq 0 $((n - 1)) | cmp - "$KB_WORK/got" || fail "records differ"
}

# The same with a librdkafka of 2022, which has no KIP-368 of its own.
case_librdkafka_1_9_2() {
    local old=$KB_CACHE/librdkafka-1.9.2/confluent_kafka.libs
    export LD_LIBRARY_PATH=$old
    timeout 10 kcat -V >"$KB_WORK/out" 2>&1
    assert_contains "kcat -V" "$KB_WORK/out" "librdkafka 1.9.2"
    case_kcat_any_order
    refused "asked for localhost, it is for kafka.example.org" \
        -b "$(tls_addr k wrong)" "${P[@]}" -X security.protocol=SSL "${CA[@]}"
    case_kcat_reauthentication
}

# A program that calls exit() with ten clients, each shaking hands again and
# again: OpenSSL's exit handler frees what they use, unless they end before.
case_exit_amid_handshakes() {
    local i args
    cc -Wall -Werror -o "$KB_WORK/exit" "$KB_ROOT/tests/programs/c/exit.c" -lrdkafka
    args=("bootstrap.servers=$(tls_addr k stls)" "plugin.library.paths=$PLUGIN"
        security.protocol=SASL_SSL "ssl.ca.location=$CERTS/ca.pem"
        sasl.mechanism=SCRAM-SHA-512 sasl.username=alice sasl.password=wrong
        reconnect.backoff.ms=0 reconnect.backoff.max.ms=0 log_level=0)
    for ((i = 0; i < 20; i++)); do
        timeout 20 "$KB_WORK/exit" $((100 + 5 * i)) "${args[@]}" \
            >"$KB_WORK/out" 2>&1 ||
            fail "exit: status $?: $(tail -3 "$KB_WORK/out")"
    done
    ! grep -q '^KB_SANITIZE:[A-Z]*=.' "$KB_BUILD/CMakeCache.txt" || return 0
    for i in 1 2; do
        checked "$KB_WORK/valgrind" --leak-check=no "$KB_WORK/exit" \
            $((4000 + 500 * i)) "${args[@]}" >"$KB_WORK/out" 2>&1 ||
            fail "under valgrind: $(head -40 "$KB_WORK/valgrind")"
    done
}

# Copies of confs, with the plugin first and last, and a client that is
# destroyed while it waits for a silent broker's handshake.
case_conf_dup_and_destroy_while_dialling() {
    local settings=("bootstrap.servers=$(tls_addr k stls)"
        security.protocol=SASL_SSL "ssl.ca.location=$CERTS/ca.pem"
        sasl.mechanism=SCRAM-SHA-512 sasl.username=alice)
    cc -Wall -Werror -o "$KB_WORK/life" "$KB_ROOT/tests/programs/c/life.c" -lrdkafka
    timeout 60 "$KB_WORK/life" "plugin.library.paths=$PLUGIN" "${settings[@]}" \
        sasl.password=alice-secret >"$KB_WORK/out" 2>&1 ||
        fail "plugin first: $(tail -3 "$KB_WORK/out")"
    note "$(tail -1 "$KB_WORK/out")"
    timeout 60 "$KB_WORK/life" "${settings[@]}" sasl.password=alice-secret \
        "plugin.library.paths=$PLUGIN" >"$KB_WORK/out" 2>&1 ||
        fail "plugin last: $(tail -3 "$KB_WORK/out")"
    note "$(tail -1 "$KB_WORK/out")"
}

# Under valgrind: no bad access, no byte of ours left behind. Its own freeing
# of libc's memory hangs where a thread that exit() ended held a lock.
checked() { # LOG COMMAND...
    local log=$1
    shift
    valgrind -q --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite --error-exitcode=99 \
        --fair-sched=yes --run-libc-freeres=no --log-file="$log" "$@"
}

case_valgrind_kcat() {
    local log=$KB_WORK/valgrind status
    local -a scram=(-X security.protocol=SASL_SSL "${CA[@]}"
        -X sasl.mechanism=SCRAM-SHA-512 -X sasl.username=alice)
    ! grep -q '^KB_SANITIZE:[A-Z]*=.' "$KB_BUILD/CMakeCache.txt" ||
        skip "a build with sanitizers can't run under valgrind"
    for ((i = 0; i < 20; i++)); do echo "$i"; sleep 0.3; done |
        checked "$log" kcat -P -t valgrind -b "$(tls_addr k stls)" \
            "${P[@]}" "${scram[@]}" -X linger.ms=0 -X sasl.password=alice-secret \
            >"$KB_WORK/out" 2>&1 || fail "kcat: $(cat "$KB_WORK/out" "$log")"
    assert_eq "what valgrind says" "" "$(cat "$log")"
    # it ends amid everything then, and frees nothing of its own
    status=0
    checked "$log" --leak-check=no kcat -m 3 -L -b "$(tls_addr k stls)" "${P[@]}" \
        "${scram[@]}" -X sasl.password=wrong >"$KB_WORK/out" 2>&1 || status=$?
    [ "$status" = 1 ] || fail "kcat: exit status $status: $(cat "$log")"
    assert_eq "what valgrind says" "" "$(cat "$log")"
}

case_valgrind_pump() {
    ! grep -q '^KB_SANITIZE:[A-Z]*=.' "$KB_BUILD/CMakeCache.txt" ||
        skip "a build with sanitizers can't run under valgrind"
    checked "$KB_WORK/valgrind" "$KB_BUILD/bin/test_pump" >"$KB_WORK/out" 2>&1 ||
        fail "$(tail -40 "$KB_WORK/out" "$KB_WORK/valgrind")"
    assert_eq "what valgrind says" "" "$(cat "$KB_WORK/valgrind")"
}

python_case() { # NAME
    local version
    for version in $WHEELS; do
        python_with "$version" "$KB_LIB/rdkafka_client.py" "$1" \
            stls="$(tls_addr k stls)" sasl="$(sasl_addr k)" plain="$(kafka_addr k)" \
            ca="$CERTS/ca.pem" >"$KB_WORK/out" 2>&1 ||
            fail "confluent-kafka $version: $1: $(tail -3 "$KB_WORK/out")"
        note "confluent-kafka $version: $(tail -1 "$KB_WORK/out")"
    done
}

case_python_several_clients_in_a_process() { python_case several; }
case_python_error_text_and_code() { python_case errors; }
case_python_reauthentication() { python_case reauth; }
case_python_token_callback() { python_case token; }
case_python_churn_leaves_nothing() { python_case churn; }
case_python_fork() { python_case fork; }
case_python_new_credentials() { python_case credentials; }

suite_main "$@"

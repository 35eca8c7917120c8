#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# embedding.sh - kafka_backup_sasl.so inside Go and Rust programs with a
# librdkafka of their own linked in, in rsyslog, collectd and a C program, by
# the examples of docs/EMBEDDING.md; and one mechanism installed alone.
. "$(dirname "$0")/../lib/lib.sh"
. "$KB_LIB/secure.sh"
. "$KB_LIB/certs.sh"
. "$KB_LIB/programs.sh"

KB_NEEDS_PRODUCT=0
REAUTH_MS=3000
KDC=$KB_WORK/kdc
PLUGIN=$KB_BUILD/lib/kafka_backup_sasl.so
EXAMPLE_CA=$CERTS/ca.pem

suite_setup() {
    need_packages kcat=kcat '/usr/lib/*/rsyslog/omkafka.so=rsyslog-kafka' \
        /usr/lib/collectd/write_kafka.so=collectd-core
    kdc_start
    idp_start 300
    sasl_broker k "$KAFKA_4" $REAUTH_MS
    tls_listeners k
    sasl_broker_start k
    client create -b "$(kafka_addr k)" orders 1 >/dev/null
    wheel "$WHEEL_NEWEST"
    programs_build go
    programs_build rust
}

stls() { tls_addr k stls; }

# The plugin first, as it must be for a librdkafka without TLS and SASL.
SCRAM=(security.protocol=SASL_SSL "ssl.ca.location=$CERTS/ca.pem"
    sasl.mechanism=SCRAM-SHA-512 sasl.username=alice
    sasl.password=alice-secret)

# Connections made, re-authentications, those that failed, and sessions that
# the broker cut, at the listener of stls.
counts() {
    local pid
    pid=$(proc_pid k) || fail "the broker is gone"
    client jmx -b x "$pid" \
        'kafka.server:type=socket-server-metrics,networkProcessor=*,listener=STLS' \
        connection-creation-total successful-reauthentication-total \
        failed-reauthentication-total expired-connections-killed-count |
        awk '{ n[$1] = $2 } END { print n["connection-creation-total"],
            n["successful-reauthentication-total"],
            n["failed-reauthentication-total"],
            n["expired-connections-killed-count"] }'
}

# Runs PROGRAM, which sends and reads for 20 s over sessions of 3 s. As many
# re-authentications as five for each connection made: one had five at least.
reauthenticates() { # PROGRAM TOPIC NAME=VALUE...
    local program=$1 topic=$2 before after
    shift 2
    client create -b "$(kafka_addr k)" "$topic" 1 >/dev/null
    read -r -a before <<<"$(counts)"
    timeout 120 "$program" "$topic" 20 "$@" >"$KB_WORK/out" 2>&1 ||
        fail "$program: $(tail -3 "$KB_WORK/out")"
    read -r -a after <<<"$(counts)"
    assert_at_least "re-authentications of $((after[0] - before[0])) connections" \
        $((5 * (after[0] - before[0]))) $((after[1] - before[1]))
    assert_eq "failed re-authentications" "${before[2]}" "${after[2]}"
    assert_eq "sessions cut by the broker" "${before[3]}" "${after[3]}"
    note "$(tail -1 "$KB_WORK/out"); $((after[1] - before[1])) re-authentications on $((after[0] - before[0])) connections"
}

case_go_reauthentication() {
    reauthenticates "$(programs_dir go)/reauth" go "bootstrap.servers=$(stls)" \
        "plugin.library.paths=$PLUGIN" "${SCRAM[@]}"
}

case_rust_reauthentication() {
    printf '%s\n' "${SCRAM[@]}" >"$KB_WORK/rust.conf"
    KAFKA_BACKUP_SASL_CONF=$KB_WORK/rust.conf \
        reauthenticates "$(programs_dir rust)/reauth" rust \
        "bootstrap.servers=$(stls)" "plugin.library.paths=$PLUGIN"
}

# As a broker's machine would: the plugin is found by its name.
with_plugin() { # COMMAND...
    LD_LIBRARY_PATH=$KB_BUILD/lib timeout 60 "$@" >"$KB_WORK/out" 2>&1 ||
        fail "$*: $(tail -3 "$KB_WORK/out")"
}

arrived() { # TEXT: in the topic of the examples
    timeout 30 kcat -q -C -e -o beginning -t orders -b "$(kafka_addr k)" \
        >"$KB_WORK/orders" 2>/dev/null
    grep -q "$1" "$KB_WORK/orders"
}

assert_arrived() { # TEXT
    wait_until 30 arrived "$1" || fail "no \"$1\" in the topic: $(
        tail -3 "$KB_WORK/out")"
}

# The examples are for a broker of SCRAM over TLS that refuses anything else.
case_example_kcat() {
    EXAMPLE_BROKER=$(stls) example kcat >"$KB_WORK/kcat.sh"
    with_plugin sh "$KB_WORK/kcat.sh"
    assert_arrived "hello from kcat"
}

case_example_python() {
    EXAMPLE_BROKER=$(stls) example python >"$KB_WORK/example.py"
    with_plugin "$KB_CACHE/confluent-kafka-$WHEEL_NEWEST/venv/bin/python" \
        "$KB_WORK/example.py"
    assert_arrived "hello from python"
}

case_example_c() {
    EXAMPLE_BROKER=$(stls) example c >"$KB_WORK/example.c"
    cc -Wall -Werror -o "$KB_WORK/example" "$KB_WORK/example.c" -lrdkafka
    with_plugin "$KB_WORK/example"
    assert_arrived "hello from c"
}

# A socket_cb that the program sets after everything else: it isn't called, or
# the password would leave in the clear.
case_c_program_with_callbacks_of_its_own() {
    EXAMPLE_BROKER=$(stls) example c | sed -e '/^int main/i\
static int own_socket(int d, int t, int p, void *o)\
{ (void)d; (void)t; (void)p; (void)o; fprintf(stderr, "own socket"); return -1; }\
static int own_connect(int f, const struct sockaddr *a, int l, const char *i, void *o)\
{ (void)f; (void)a; (void)l; (void)i; (void)o; fprintf(stderr, "own connect"); return 1; }' \
        -e '/producer = rd_kafka_new/i\
    rd_kafka_conf_set_socket_cb(conf, own_socket);\
    rd_kafka_conf_set_connect_cb(conf, own_connect);' \
        -e 's/hello from c", 12/hello own cb", 12/' >"$KB_WORK/own.c"
    cc -Wall -Werror -o "$KB_WORK/own" "$KB_WORK/own.c" -lrdkafka
    with_plugin "$KB_WORK/own"
    assert_lacks "what it said" "$KB_WORK/out" own
    assert_arrived "hello own cb"
}

# Linked at an address of its own, and at any (PIE).
case_example_go() {
    local dir
    dir=$(programs_dir go)
    mkdir -p "$dir/src/example"
    EXAMPLE_BROKER=$(stls) example go >"$dir/src/example/main.go"
    build_go "$dir" example
    with_plugin "$dir/example"
    assert_arrived "hello from go"
    sed -i 's/hello from go/hello from PIE/' "$dir/src/example/main.go"
    build_go "$dir" example -buildmode=pie
    with_plugin "$dir/example"
    assert_arrived "hello from PIE"
}

case_example_rust() {
    local dir
    dir=$(programs_dir rust)
    EXAMPLE_BROKER=$(stls) example rust >"$dir/src/src/bin/example.rs"
    EXAMPLE_BROKER=$(stls) example conf >"$KB_WORK/example.conf"
    build_rust "$dir" example >"$KB_WORK/cargo" 2>&1 ||
        fail "cargo: $(tail -3 "$KB_WORK/cargo")"
    KAFKA_BACKUP_SASL_CONF=$KB_WORK/example.conf with_plugin "$dir/example"
    assert_arrived "hello from rust"
}

case_example_rsyslog() {
    local conf=$KB_WORK/rsyslog.conf i
    {
        echo 'module(load="imuxsock" SysSock.Use="off")'
        echo "input(type=\"imuxsock\" Socket=\"$KB_WORK/log\")"
        EXAMPLE_BROKER=$(stls) example rsyslog
    } >"$conf"
    LD_LIBRARY_PATH=$KB_BUILD/lib /usr/sbin/rsyslogd -n -f "$conf" \
        -i "$KB_WORK/rsyslog.pid" >"$KB_WORK/out" 2>&1 &
    proc_add rsyslogd $!
    wait_until 20 test -S "$KB_WORK/log" || fail "rsyslogd: $(tail -3 "$KB_WORK/out")"
    logger -u "$KB_WORK/log" -t test "hello from rsyslog"
    assert_arrived "hello from rsyslog"
    # over the end of a session
    sleep $((2 * REAUTH_MS / 1000))
    for i in 1 2 3; do logger -u "$KB_WORK/log" -t test "again $i"; sleep 1; done
    assert_arrived "again 3"
    proc_stop rsyslogd
}

case_example_collectd() {
    local conf=$KB_WORK/collectd.conf
    {
        printf 'BaseDir "%s"\nPIDFile "%s"\nInterval 1\nLoadPlugin load\n' \
            "$KB_WORK" "$KB_WORK/collectd.pid"
        EXAMPLE_BROKER=$(stls) example collectd
    } >"$conf"
    LD_LIBRARY_PATH=$KB_BUILD/lib /usr/sbin/collectd -f -C "$conf" \
        >"$KB_WORK/out" 2>&1 &
    proc_add collectd $!
    assert_arrived '"plugin":"load"'
    proc_stop collectd
}

# Any other mechanism, too: here Kerberos, in programs built without it.
case_gssapi_in_go_and_rust() {
    local kerberos=(security.protocol=SASL_SSL "ssl.ca.location=$CERTS/ca.pem"
        sasl.mechanism=GSSAPI sasl.kerberos.principal=backup/client@KB.TEST
        "sasl.kerberos.keytab=$KDC/client.keytab")
    export KRB5_CONFIG=$KDC/krb5.conf
    client create -b "$(kafka_addr k)" kerberos-go 1 >/dev/null
    client create -b "$(kafka_addr k)" kerberos-rust 1 >/dev/null
    with_plugin "$(programs_dir go)/reauth" kerberos-go 1 \
        "bootstrap.servers=$(stls)" "plugin.library.paths=$PLUGIN" "${kerberos[@]}"
    printf '%s\n' "${kerberos[@]}" >"$KB_WORK/rust.conf"
    KAFKA_BACKUP_SASL_CONF=$KB_WORK/rust.conf \
        with_plugin "$(programs_dir rust)/reauth" kerberos-rust 1 \
        "bootstrap.servers=$(stls)" "plugin.library.paths=$PLUGIN"
}

# A tarball with GSSAPI and nothing else, unpacked somewhere.
case_gssapi_packaged_alone() {
    local dir=$KB_WORK/package
    mkdir -p "$dir/unpacked"
    EXAMPLE_BROKER='' example package | sed "s|install build|install $KB_BUILD|" \
        >"$dir/package.sh"
    (cd "$dir" && sh -e package.sh >"$KB_WORK/out" 2>&1) ||
        fail "packaging: $(tail -3 "$KB_WORK/out")"
    tar -C "$dir/unpacked" -xzf "$dir/kafka-backup-gssapi.tar.gz"
    assert_eq "files in the package" "kafka_backup_sasl.so sasl_gssapi.so " \
        "$(find "$dir/unpacked" -type f -printf '%f\n' | sort | tr '\n' ' ')"
    dir=$(dirname "$(find "$dir/unpacked" -name kafka_backup_sasl.so)")
    KRB5_CONFIG=$KDC/krb5.conf timeout 30 kcat -L -b "$(stls)" \
        -X "plugin.library.paths=$dir/kafka_backup_sasl" \
        -X security.protocol=SASL_SSL -X "ssl.ca.location=$EXAMPLE_CA" \
        -X sasl.mechanism=GSSAPI -X "sasl.kerberos.keytab=$KDC/client.keytab" \
        -X sasl.kerberos.principal=backup/client@KB.TEST >"$KB_WORK/out" 2>&1 ||
        fail "kcat: $(tail -3 "$KB_WORK/out")"
    assert_contains "kcat -L" "$KB_WORK/out" "1 brokers"
    ! timeout 30 kcat -L -b "$(stls)" -X sasl.mechanism=PLAIN \
        -X "plugin.library.paths=$dir/kafka_backup_sasl" >"$KB_WORK/out" 2>&1 ||
        fail "PLAIN is served without its plugin"
    assert_contains "kcat with PLAIN" "$KB_WORK/out" "no plugin for SASL mechanism"
}

# Nothing can be found in a stripped program, which is told so; but where the
# linker exports all of it (as Go 1.19 has it do), stripping leaves what is needed.
case_stripped_programs_are_refused() {
    local language status
    client create -b "$(kafka_addr k)" stripped 1 >/dev/null
    for language in go rust; do
        strip -o "$KB_WORK/stripped" "$(programs_dir $language)/reauth"
        if nm -D "$KB_WORK/stripped" | grep -q 'T rd_kafka_conf_set$'; then
            with_plugin "$KB_WORK/stripped" stripped 1 \
                "bootstrap.servers=$(stls)" "plugin.library.paths=$PLUGIN" \
                "${SCRAM[@]}"
            continue
        fi
        status=0
        timeout 30 "$KB_WORK/stripped" none 1 "bootstrap.servers=$(stls)" \
            "plugin.library.paths=$PLUGIN" >"$KB_WORK/out" 2>&1 || status=$?
        assert_eq "its exit status" 1 "$status"
        assert_contains "$language, stripped" "$KB_WORK/out" \
            "the program is stripped: kafka_backup_sasl can't find its librdkafka; don't strip it, or use a shared"
    done
}

suite_main "$@"

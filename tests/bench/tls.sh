# SPDX-License-Identifier: Apache-2.0
# tls.sh - what SASL_SSL costs: the TLS part of tests/bench/run, which sources
# it. The same program, librdkafka and broker with librdkafka's own TLS and
# SASL, and with ours (kafka_backup_sasl.so); then our own data plane beside
# librdkafka's.
# shellcheck source=backup.sh
. "$ROOT/tests/bench/backup.sh"
# shellcheck source=../lib/secure.sh
. "$ROOT/tests/lib/secure.sh"

# A broker with one more listener: SASL_SSL with PLAIN, at tls_bench_addr.
tls_bench_broker() {
    local file port
    tls_make
    kafka_new t "$KAFKA_4"
    file=$(kafka_dir t)/server.properties
    port=$(free_ports 1)
    echo "saslssl=$port" >>"$(kafka_dir t)/node"
    sed -i -e "s|^listeners=.*|&,SASLSSL://127.0.0.1:$port|" \
        -e "s|^advertised.listeners=.*|&,SASLSSL://localhost:$port|" \
        -e "s|^listener.security.protocol.map=.*|&,SASLSSL:SASL_SSL|" "$file"
    {
        echo "listener.name.saslssl.sasl.enabled.mechanisms=PLAIN"
        sasl_jaas saslssl plain \
            org.apache.kafka.common.security.plain.PlainLoginModule \
            'user_alice="alice-secret"'
        echo "ssl.keystore.type=PEM"
        echo "ssl.keystore.location=$TLS/broker.pem"
    } >>"$file"
    kafka_start t
    TLS_PROPERTIES=("bootstrap.servers=$(saslssl_addr t)"
        security.protocol=sasl_ssl sasl.mechanisms=PLAIN
        sasl.username=alice sasl.password=alice-secret
        "ssl.ca.location=$TLS/ca.crt")
    TLS_PLUGIN=("plugin.library.paths=$KB_BUILD/lib/kafka_backup_sasl.so")
    TLS_SECURITY=(security='security_protocol: SASL_SSL'
        security='sasl_mechanism: PLAIN' security='sasl_username: alice'
        security='sasl_password: alice-secret'
        security="ssl_ca_location: $TLS/ca.crt")
}

tls_topic() { # NAME
    client create -b "$(kafka_addr t)" "$1" 8 --config retention.ms=-1 \
        >/dev/null
}

# moved consume|produce TOPIC RECORDS PROPERTY=VALUE...: leaves BYTES, RECORDS,
# SECONDS_TAKEN, CPU
moved() {
    local how=$1 topic=$2 records=$3
    shift 3
    "$BENCH/rdkafka_move" "$how" "$topic" 8 "$records" "$@" \
        >"$KB_WORK/moved" || die "$how $topic"
    read -r BYTES RECORDS SECONDS_TAKEN CPU <"$KB_WORK/moved"
}

# In turn, the best of each; leaves NATIVE, NATIVE_CPU, OURS and OURS_CPU.
tls_compare() { # consume|produce
    local i topic=tls
    NATIVE='' NATIVE_CPU='' OURS='' OURS_CPU=''
    for i in $(seq "$ROUNDS"); do
        [ "$1" = consume ] || tls_topic "tls-native-$i"
        [ "$1" = consume ] || topic=tls-native-$i
        moved "$1" "$topic" "$TLS_RECORDS" "${TLS_PROPERTIES[@]}"
        NATIVE=$(least "$NATIVE" "$SECONDS_TAKEN")
        NATIVE_CPU=$(least "$NATIVE_CPU" "$CPU")
        [ "$1" = consume ] || tls_topic "tls-ours-$i"
        [ "$1" = consume ] || topic=tls-ours-$i
        moved "$1" "$topic" "$TLS_RECORDS" "${TLS_PLUGIN[@]}" \
            "${TLS_PROPERTIES[@]}"
        OURS=$(least "$OURS" "$SECONDS_TAKEN")
        OURS_CPU=$(least "$OURS_CPU" "$CPU")
        [ "$1" = consume ] ||
            client delete -b "$(kafka_addr t)" "tls-native-$i" "tls-ours-$i" \
                >/dev/null
    done
    CPU=$OURS_CPU PEAK=
    row "$1, plugin over SASL_SSL" "$BYTES" "$RECORDS" "$OURS" "$NATIVE" \
        "librdkafka's own SASL_SSL" 1
    row "$1, plugin: CPU seconds" "$BYTES" "$RECORDS" "$OURS_CPU" \
        "$NATIVE_CPU" "CPU of librdkafka's own" 0.83
}

# Our data plane over SASL_SSL, beside librdkafka's client doing it.
tls_backup() {
    local i native=$NATIVE native_cpu=$NATIVE_CPU best= cpu=
    for i in $(seq "$ROUNDS"); do
        rm -rf "$KB_WORK/store/tls"
        backup_yaml "$KB_WORK/tls.yaml" id=tls broker="$(saslssl_addr t)" \
            include=tls compression=none "${TLS_SECURITY[@]}"
        timed tls backup -c "$KB_WORK/tls.yaml" -f json
        best=$(least "$best" "$SECONDS_TAKEN")
        cpu=$(least "$cpu" "$CPU")
    done
    CPU=$cpu
    row "backup over SASL_SSL" "$BYTES" "$RECORDS" "$best" "$native" \
        "librdkafka's consumer" 1
    row "backup: CPU seconds" "$BYTES" "$RECORDS" "$cpu" "$native_cpu" \
        "CPU of librdkafka's consumer" 0.83
}

tls_restore() {
    local i native=$NATIVE native_cpu=$NATIVE_CPU best= cpu=
    for i in $(seq "$ROUNDS"); do
        restore_yaml "$KB_WORK/tls-back.yaml" id=tls \
            broker="$(saslssl_addr t)" include=tls map="tls=tls-back-$i" \
            create_topics=true "${TLS_SECURITY[@]}"
        timed tls-back restore -c "$KB_WORK/tls-back.yaml" -f json
        best=$(least "$best" "$SECONDS_TAKEN")
        cpu=$(least "$cpu" "$CPU")
        client delete -b "$(kafka_addr t)" "tls-back-$i" >/dev/null
    done
    CPU=$cpu
    row "restore over SASL_SSL" "$BYTES" "$RECORDS" "$best" "$native" \
        "librdkafka's producer" 1
    row "restore: CPU seconds" "$BYTES" "$RECORDS" "$cpu" "$native_cpu" \
        "CPU of librdkafka's producer" 0.83
}

bench_tls() {
    TLS_RECORDS=$((500000 / SCALE))
    tls_bench_broker
    tls_topic tls
    moved produce tls "$TLS_RECORDS" "bootstrap.servers=$(kafka_addr t)"
    tls_compare consume
    tls_backup
    tls_compare produce
    tls_restore
    kafka_stop t
}

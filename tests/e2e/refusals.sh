#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# refusals.sh - what the program refuses, and whether it says why in words
# that help: each case looks at exit code and message.
. "$(dirname "$0")/../lib/lib.sh"

suite_setup() {
    kafka_new k "$KAFKA_4"
    kafka_start k
    client load -b "$(kafka_addr k)" data --records 1000 --partitions 2
    backup_yaml "$KB_WORK/good.yaml" id=good broker="$(kafka_addr k)" \
        include=data
    kb_run 0 good backup -c "$KB_WORK/good.yaml"
}

B() { kafka_addr k; }

# refused CODE REGEX ARGS...: fails with that code and says that on stderr
refused() {
    local code=$1 regex=$2
    shift 2
    KB_TIMEOUT=${KB_TIMEOUT:-60} kb_run "$code" refused "$@"
    assert_matches "what it says" "$KB_WORK/refused.err" "$regex"
}

backup_of() { # K=V... to a backup.yaml
    backup_yaml "$KB_WORK/b.yaml" broker="$(B)" include=data "$@"
}

restore_of() {
    restore_yaml "$KB_WORK/r.yaml" id=good broker="$(B)" "$@"
}

case_nobody_listens() {
    local port
    port=$(free_ports 1)
    backup_yaml "$KB_WORK/b.yaml" broker="127.0.0.1:$port" include=data \
        connection="connect_timeout: 3s"
    refused 1 "127.0.0.1:$port.*refused" backup -c "$KB_WORK/b.yaml"
}

case_name_that_does_not_exist() {
    backup_yaml "$KB_WORK/b.yaml" broker="no-such-host.invalid:9092" \
        include=data connection="connect_timeout: 3s"
    refused 1 "no-such-host.invalid" backup -c "$KB_WORK/b.yaml"
}

fake_server() { # PYTHON-EXPRESSION of what each connection is answered
    local port
    port=$(free_ports 1)
    python3 -c '
import socket, sys, time
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
held = []
while True:
    c, _ = s.accept()
    held.append(c)
    answer = eval(sys.argv[2])
    if answer:
        c.settimeout(1)
        try:
            c.recv(4096)
            c.sendall(answer)
            c.close()
        except OSError:
            pass
' "$port" "$1" >/dev/null 2>&1 &
    proc_add fake $!
    disown $!
    wait_until 10 port_answers "$port"
    FAKE=127.0.0.1:$port
}

case_not_a_kafka_port() {
    fake_server 'b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"'
    backup_yaml "$KB_WORK/b.yaml" broker="$FAKE" include=data \
        connection="connect_timeout: 3s"
    refused 1 "$FAKE.*(not a kafka|doesn't speak|no kafka|isn't kafka|http|tls)" \
        backup -c "$KB_WORK/b.yaml"
    proc_kill fake
}

case_port_that_says_nothing() {
    local began=$SECONDS
    fake_server 'b""'
    backup_yaml "$KB_WORK/b.yaml" broker="$FAKE" include=data \
        connection="connect_timeout: 2s"
    KB_TIMEOUT=40 refused 1 "$FAKE.*(in time|timeout|timed out)" backup \
        -c "$KB_WORK/b.yaml"
    assert_at_most "seconds until it gives up" 30 $((SECONDS - began))
    proc_kill fake
}

case_topic_that_does_not_exist() {
    backup_of include=data,no.such.topic id=unknown
    backup_yaml "$KB_WORK/b.yaml" broker="$(B)" include=data,no.such.topic \
        id=unknown
    refused 1 "no\.such\.topic" backup -c "$KB_WORK/b.yaml"
    client topics -b "$(B)" >"$KB_WORK/topics"
    assert_lacks "the topics (asking must not create one)" "$KB_WORK/topics" \
        no.such.topic
}

case_target_topic_that_does_not_exist() {
    restore_of map=data=not.there
    refused 1 "not\.there.*create_topics" restore -c "$KB_WORK/r.yaml"
    client topics -b "$(B)" >"$KB_WORK/topics"
    assert_lacks "the topics" "$KB_WORK/topics" not.there
}

case_target_that_is_not_empty() {
    restore_of
    refused 1 "data.*(isn't|not) empty" restore -c "$KB_WORK/r.yaml"
    assert_eq "records of the topic that was there" $'data\t0\t0\t1000' \
        "$(client ends -b "$(B)" data | head -1)"
}

case_no_permission_on_the_store() {
    command -v setpriv >/dev/null || skip "there is no setpriv"
    [ "$(id -u)" = 0 ] || skip "this needs root"
    local prefix
    prefix=$(mktemp -d /tmp/kb-perm.XXXXXX)
    chmod 755 "$prefix"
    cmake --install "$KB_BUILD" --prefix "$prefix" >/dev/null
    mkdir -m 700 "$KB_WORK/private"
    backup_of store="$KB_WORK/private/store" id=private
    cp "$KB_WORK/b.yaml" "$prefix/b.yaml"
    chmod 644 "$prefix/b.yaml"
    chmod 755 "$KB_WORK"
    local code=0
    timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$prefix/bin/kafka-backup" backup -c "$prefix/b.yaml" \
        >"$KB_WORK/out" 2>"$KB_WORK/err" || code=$?
    rm -rf "$prefix"
    assert_eq "exit code" 1 "$code"
    assert_matches "what it says" "$KB_WORK/err" \
        "$KB_WORK/private.*permission denied"
}

case_store_that_is_a_file() {
    : >"$KB_WORK/afile"
    backup_of store="$KB_WORK/afile" id=file
    refused 1 "$KB_WORK/afile.*not a (directory|folder)|isn't a (directory|folder)" backup \
        -c "$KB_WORK/b.yaml"
}

case_bad_yaml() {
    printf 'mode: backup\nbackup_id: [x\nsource: {\n' >"$KB_WORK/bad.yaml"
    refused 1 "bad.yaml:[0-9]+" backup -c "$KB_WORK/bad.yaml"
    printf 'mode: backup\n\tbackup_id: x\n' >"$KB_WORK/bad.yaml"
    refused 1 "bad.yaml:2" backup -c "$KB_WORK/bad.yaml"
}

case_unknown_key() {
    backup_of fetch_max_bytez=1000
    refused 1 "b.yaml:[0-9]+.*fetch_max_bytez.*fetch_max_bytes" backup \
        -c "$KB_WORK/b.yaml"
}

case_key_twice() {
    backup_of continuous=true continuous=false
    refused 1 "continuous.*twice" backup -c "$KB_WORK/b.yaml"
}

case_wrong_types() {
    backup_of continuous=maybe
    refused 1 "backup.continuous" backup -c "$KB_WORK/b.yaml"
    backup_of segment_max_bytes=lots
    refused 1 "segment_max_bytes" backup -c "$KB_WORK/b.yaml"
    backup_of compression_level=99
    refused 1 "compression_level.*22" backup -c "$KB_WORK/b.yaml"
    restore_of partition_mapping=3
    refused 1 "partition_mapping" restore -c "$KB_WORK/r.yaml"
}

case_unset_variable() {
    backup_of store='${KB_NOT_SET_ANYWHERE}'
    refused 1 "KB_NOT_SET_ANYWHERE" backup -c "$KB_WORK/b.yaml"
}

case_window_upside_down() {
    restore_of create_topics=true map=data=w time_window_start=2000 \
        time_window_end=1000
    refused 1 "time_window" restore -c "$KB_WORK/r.yaml"
}

case_unknown_codec() {
    backup_of compression=brotli id=codec
    refused 1 "brotli" backup -c "$KB_WORK/b.yaml"
}

case_unknown_backend() {
    backup_of id=backend
    sed -i 's/backend: filesystem/backend: floppy/' "$KB_WORK/b.yaml"
    refused 1 "floppy" backup -c "$KB_WORK/b.yaml"
    assert_contains "what it says" "$KB_WORK/refused.err" storage_floppy.so
}

case_newer_archive() {
    cp -a "$KB_WORK/store" "$KB_WORK/newer"
    python3 - "$KB_WORK/newer/good/manifest.json" <<'PY'
import re, sys
text = open(sys.argv[1]).read()
new, n = re.subn(r'("format(?:_version)?"\s*:\s*)2', r"\g<1>99", text, count=1)
if not n:
    new, n = re.subn(r'("version"\s*:\s*"?)2', r"\g<1>99", text, count=1)
assert n, text[:300]
open(sys.argv[1], "w").write(new)
PY
    restore_yaml "$KB_WORK/r.yaml" id=good broker="$(B)" create_topics=true \
        map=data=newer store="$KB_WORK/newer"
    refused 1 "newer|99" restore -c "$KB_WORK/r.yaml"
    backup_yaml "$KB_WORK/b.yaml" id=good broker="$(B)" include=data \
        store="$KB_WORK/newer"
    refused 1 "newer|99" backup -c "$KB_WORK/b.yaml"
}

# Nor a lease, nor the folder of its checkpoint; but what was there stays.
case_refused_restore_leaves_nothing() {
    restore_of
    refused 1 "isn't empty" restore -c "$KB_WORK/r.yaml"
    [ ! -e "$KB_WORK/store/good/restores" ] ||
        fail "left behind: $(find "$KB_WORK/store/good/restores")"
    restore_of checkpoint_state="$KB_WORK/mine"
    refused 1 "isn't empty" restore -c "$KB_WORK/r.yaml"
    [ ! -e "$KB_WORK/mine" ] || fail "left behind: $(find "$KB_WORK/mine")"
    restore_of create_topics=true restore_id=kept map=data=kept
    kb_run 0 kept restore -c "$KB_WORK/r.yaml"
    restore_of restore_id=kept
    refused 1 "isn't empty" restore -c "$KB_WORK/r.yaml"
    assert_contains "the lease" "$KB_WORK/store/good/restores/kept/lease.json" \
        '"released":true'
    [ -e "$KB_WORK/store/good/restores/kept/state.json" ] ||
        fail "the checkpoint of the earlier one is gone"
}

case_no_such_backup() {
    restore_yaml "$KB_WORK/r.yaml" id=no-such-backup broker="$(B)"
    refused 1 "no-such-backup" restore -c "$KB_WORK/r.yaml"
    [ ! -e "$KB_WORK/store/no-such-backup" ] ||
        fail "asking for a backup made its folder"
    assert_matches "what it says" "$KB_WORK/refused.err" \
        'ERROR restore: backup no-such-backup: [^b]'
    refused 1 "no-such-backup" validate-restore -c "$KB_WORK/r.yaml"
    assert_matches "what it says" "$KB_WORK/refused.err" \
        'ERROR validate-restore: backup no-such-backup: [^b]'
    assert_lacks "what it says" "$KB_WORK/refused.err" " restore: "
}

case_backup_id_in_use() {
    backup_of id=inuse continuous=true
    kb_start holder backup -c "$KB_WORK/b.yaml"
    wait_until 20 test -e "$KB_WORK/store/inuse/lease.json" ||
        fail "no lease after 20 s"
    sleep 1
    refused 1 "$(hostname)|process|pid|held|in use" backup -c "$KB_WORK/b.yaml"
    proc_pid holder >/dev/null || fail "the first one did not survive it"
    proc_signal holder TERM
    kb_end_with $KB_INTERRUPTED holder 30
    backup_of id=inuse
    kb_run 0 after backup -c "$KB_WORK/b.yaml"
}

case_config_of_the_other_kind() {
    restore_of
    refused 1 "restore" backup -c "$KB_WORK/r.yaml"
    refused 1 "backup" restore -c "$KB_WORK/good.yaml"
}

case_command_line() {
    kb_run $KB_USAGE u1 backup
    kb_run $KB_USAGE u2 backup --no-such-flag
    kb_run $KB_USAGE u3 bakcup -c x
    assert_contains "what it says" "$KB_WORK/u3.err" bakcup
    kb_run $KB_FAILED u4 backup -c "$KB_WORK/no-such-file.yaml"
    assert_contains "what it says" "$KB_WORK/u4.err" no-such-file.yaml
}

# A file that is opened must not take the place of a stream that is closed:
# results and logs would go into it.
case_closed_streams() {
    local pid fd
    backup_of id=closed continuous=true commit_interval=1s
    "$KB_BIN" backup -c "$KB_WORK/b.yaml" -v <&- >&- 2>&- &
    proc_add closed $!
    wait_until 60 test -e "$KB_WORK/store/closed/manifest" ||
        fail "no commit after 60 s"
    pid=$(proc_pid closed)
    for fd in 0 1 2; do
        assert_eq "its descriptor $fd" /dev/null "$(readlink "/proc/$pid/fd/$fd")"
    done
    proc_signal closed TERM
    kb_end_with $KB_INTERRUPTED closed 30
    validate_deep closed
    local code=0
    "$KB_BIN" list -p "$KB_WORK/store" >&- 2>"$KB_WORK/closed.err" || code=$?
    assert_eq "exit code without stdout" 1 "$code"
    assert_contains "what it says" "$KB_WORK/closed.err" "stdout"
}

# What isn't there is an error, not an empty answer.
case_what_the_backup_does_not_have() {
    local store=$KB_WORK/store
    refused 1 "no topic nope" show-offset-mapping -p "$store" -b good \
        --topic nope -f json
    [ ! -s "$KB_WORK/refused.out" ] || fail "there is an answer all the same"
    refused 1 "no topic data with partition 9" show-offset-mapping \
        -p "$store" -b good --topic data --partition 9
    refused 1 "no restore \"nope\"" show-offset-mapping -p "$store" -b good \
        --restore-id nope
    refused $KB_USAGE "--topic and --partition" show-offset-mapping \
        -p "$store" -b good --offset 5
    refused 1 "no folder /no/such" list -p file:///no/such
    refused 1 "file:///tmp/x" list -p file://tmp/x
    refused 1 "--option" list -p "memory://x/y?region=eu"
}

case_missing_plugin() {
    mkdir -p "$KB_WORK/noplugins"
    backup_of id=plugins
    refused 1 "codec_zstd.so" backup -c "$KB_WORK/b.yaml" \
        --plugin-dir "$KB_WORK/noplugins"
    assert_contains "what it says" "$KB_WORK/refused.err" "$KB_WORK/noplugins"
    # a copy that was interrupted
    head -c 3000 "$(find "$KB_BUILD" -name codec_zstd.so | head -1)" \
        >"$KB_WORK/noplugins/codec_zstd.so"
    refused 1 "cut off after 3000 bytes" backup -c "$KB_WORK/b.yaml" \
        --plugin-dir "$KB_WORK/noplugins"
}

# Where only the last record of a key would stay, and none without one; that the
# operator wants the first doesn't help with the second.
case_compacted_target_and_records_without_keys() {
    local b
    b=$(B)
    client fill -b "$b" nulls >/dev/null 2>&1
    backup_yaml "$KB_WORK/n.yaml" id=nulls broker="$b" include=nulls
    kb_run 0 nulls backup -c "$KB_WORK/n.yaml"
    client create -b "$b" compacted 3 1 --config cleanup.policy=compact
    restore_yaml "$KB_WORK/r.yaml" id=nulls broker="$b" map=nulls=compacted
    refused 1 "cleanup.policy is compact" restore -c "$KB_WORK/r.yaml"
    restore_yaml "$KB_WORK/r.yaml" id=nulls broker="$b" map=nulls=compacted \
        allow_config_drift=true
    refused 1 "no records without a key" restore -c "$KB_WORK/r.yaml"
}

case_target_with_log_append_time() {
    client create -b "$(B)" lat 2 1 --config \
        message.timestamp.type=LogAppendTime
    restore_of map=data=lat
    refused 1 "LogAppendTime|message.timestamp.type" restore -c "$KB_WORK/r.yaml"
}

suite_main "$@"

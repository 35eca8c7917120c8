# SPDX-License-Identifier: Apache-2.0
# kb.sh - the product: configurations, runs with a time limit, exit codes.
#
#   backup_yaml FILE KEY=VALUE...    id broker store include exclude client_id
#                                    memory_limit override; connection=LINE,
#                                    storage=LINE, root=LINE add a line there;
#                                    security=LINE too; all others go to
#                                    `backup:`
#   restore_yaml FILE KEY=VALUE...   the same, and map (A=B,...); others go to
#                                    `restore:`
#   kb_run CODE LABEL ARGS...        runs it and fails unless it ends with CODE
#   kb_start NAME ARGS...            in the background; kb_end NAME gives its
#                                    exit code
# A run's output is in $KB_WORK/LABEL.out and LABEL.err.

# What the program ends with (host/cli/exit_code.h).
KB_OK=0 KB_FAILED=1 KB_USAGE=2 KB_INCOMPLETE=3 KB_INVALID=4 KB_INTERRUPTED=5
export KB_OK KB_FAILED KB_USAGE KB_INCOMPLETE KB_INVALID KB_INTERRUPTED

yaml_list() { # a,b -> ["a", "b"]
    local item out=
    local IFS=,
    for item in $1; do out+="${out:+, }\"$item\""; done
    printf '[%s]' "$out"
}

kb_yaml() { # MODE SIDE FILE KEY=VALUE...
    local mode=$1 side=$2 file=$3 pair key value section='' item
    local id=backup1 store=$KB_WORK/store broker='' include='' exclude=''
    local client_id='' memory='' override='' extra='' connection='' root='' security=''
    shift 3
    for pair in "$@"; do
        key=${pair%%=*} value=${pair#*=}
        case $key in
        id) id=$value ;;
        store) store=$value ;;
        broker) broker=$value ;;
        include) include=$value ;;
        exclude) exclude=$value ;;
        client_id) client_id=$value ;;
        memory_limit) memory=$value ;;
        override) override=$value ;;
        security) security+="    $value"$'\n' ;;
        storage) extra+="  $value"$'\n' ;;
        connection) connection+="    $value"$'\n' ;;
        root) root+="$value"$'\n' ;;
        map)
            section+="  topic_mapping:"$'\n'
            local IFS=,
            for item in $value; do
                section+="    \"${item%%=*}\": \"${item#*=}\""$'\n'
            done
            unset IFS ;;
        *) section+="  $key: $value"$'\n' ;;
        esac
    done
    {
        printf 'mode: %s\nbackup_id: "%s"\n' "$mode" "$id"
        [ -z "$memory" ] || printf 'memory_limit: %s\n' "$memory"
        printf '%s:\n  bootstrap_servers: %s\n' "$side" \
            "$(yaml_list "$broker")"
        if [ -n "$include$exclude" ]; then
            printf '  topics:\n'
            [ -z "$include" ] || printf '    include: %s\n' \
                "$(yaml_list "$include")"
            [ -z "$exclude" ] || printf '    exclude: %s\n' \
                "$(yaml_list "$exclude")"
        fi
        if [ -n "$client_id$override$connection" ]; then
            printf '  connection:\n%s' "$connection"
            [ -z "$client_id" ] || printf '    client_id: "%s"\n' "$client_id"
            [ -z "$override" ] || printf '    broker_overrides: {%s}\n' \
                "$override"
        fi
        [ -z "$security" ] || printf '  security:\n%s' "$security"
        printf '%s' "$root"
        printf 'storage:\n  backend: filesystem\n  path: "%s"\n%s' "$store" \
            "$extra"
        [ -z "$section" ] || printf '%s:\n%s' "$mode" "$section"
    } >"$file"
}

backup_yaml() { local f=$1; shift; kb_yaml backup source "$f" "$@"; }
restore_yaml() { local f=$1; shift; kb_yaml restore target "$f" "$@"; }

# With a tsan build (KB_BUILD=build/tsan), the program needs threads that
# ThreadSanitizer knows; a race it finds is the exit code 66.
KB_WRAP=()
case $KB_BUILD in
*tsan*)
    KB_SHIM=${TMPDIR:-/tmp}/kb-tsan-threads-$(id -u).so
    gcc -shared -fPIC -O1 -o "$KB_SHIM.$$" "$KB_LIB/tsan_threads.c" -lpthread &&
        mv "$KB_SHIM.$$" "$KB_SHIM"
    KB_WRAP=(env "LD_PRELOAD=$KB_SHIM"
        "TSAN_OPTIONS=suppressions=$KB_LIB/tsan.supp ignore_noninstrumented_modules=1 exitcode=66 ${TSAN_OPTIONS:-}") ;;
esac

# kb_failing_io VARIABLE FILE: runs from here on have a disk that fails while
# FILE is there (fail_io.c); KB_WRAP=() ends it.
kb_failing_io() {
    local shim=$KB_WORK/fail_io.so
    case $KB_BUILD in
    *asan* | *tsan*) skip "the sanitizer wants to be loaded first" ;;
    esac
    [ -f "$shim" ] || gcc -shared -fPIC -O1 -o "$shim" "$KB_LIB/fail_io.c"
    KB_WRAP=(env "LD_PRELOAD=$shim" "$1=$2")
}

# kb ARGS...: the program, ended after KB_TIMEOUT seconds.
kb() {
    timeout -k 10 "${KB_TIMEOUT:-240}" ${KB_WRAP[@]+"${KB_WRAP[@]}"} \
        "$KB_BIN" "$@"
}

kb_run() { # CODE LABEL ARGS...
    local want=$1 label=$2 code=0
    shift 2
    kb "$@" >"$KB_WORK/$label.out" 2>"$KB_WORK/$label.err" </dev/null ||
        code=$?
    if [ "$code" != "$want" ]; then
        {
            printf -- '--- kafka-backup %s\n' "$*"
            tail -25 "$KB_WORK/$label.out"
            printf -- '--- its log\n'
            tail -40 "$KB_WORK/$label.err"
            printf -- '---\n'
        } >&2
        [ "$code" = 124 ] && fail "$label: hung for ${KB_TIMEOUT:-240} s"
        fail "$label: exit code $code, wanted $want: $(grep -v '^ *$' "$KB_WORK/$label.err" | tail -1 | cut -c1-300)"
    fi
}

kb_start() { # NAME ARGS...
    local name=$1
    shift
    ${KB_WRAP[@]+"${KB_WRAP[@]}"} "$KB_BIN" "$@" >"$KB_WORK/$name.out" \
        2>"$KB_WORK/$name.err" </dev/null &
    proc_add "$name" $!
}

# kb_end NAME [SECONDS]: waits for it; its exit code is in KB_CODE.
kb_end() {
    local name=$1 pid
    read -r pid _ <"$KB_WORK/pids/$name" || die "no run $name"
    if ! proc_wait_gone "$name" "${2:-${KB_TIMEOUT:-240}}"; then
        kill -ABRT "$pid" 2>/dev/null || true
        tail -30 "$KB_WORK/$name.err" >&2
        fail "$name does not end"
    fi
    KB_CODE=0
    { wait "$pid" || KB_CODE=$?; } 2>/dev/null
    rm -f "$KB_WORK/pids/$name"
}

# kb_end_with CODE NAME [SECONDS]
kb_end_with() {
    kb_end "$2" "${3:-}"
    [ "$KB_CODE" = "$1" ] || {
        kb_show "$2"
        fail "$2: exit code $KB_CODE, wanted $1: $(grep -v '^ *$' "$KB_WORK/$2.err" | tail -1 | cut -c1-300)"
    }
}

kb_metrics_url() { # NAME: where a running program serves its metrics
    sed -n 's|.*metrics: \(http://[^/]*\)/metrics.*|\1|p' "$KB_WORK/$1.err"
}

# kb_killed NAME SECONDS ARGS...: starts it and kills it after that time with
# -9. Fails if it had ended by itself with anything but success. KB_WAS_KILLED
# says which it was.
kb_killed() {
    local name=$1 seconds=$2
    shift 2
    kb_start "$name" "$@"
    sleep "$seconds"
    KB_WAS_KILLED=
    if proc_pid "$name" >/dev/null; then
        KB_WAS_KILLED=1
        # waited for at once, or the shell says "Killed"
        { kill -KILL "$(proc_pid "$name")"; wait $!; } 2>/dev/null || true
        rm -f "$KB_WORK/pids/$name"
    else
        kb_end_with 0 "$name"
    fi
}

# random_ms LOW HIGH: seconds with milliseconds
random_ms() {
    local ms=$(($1 + (RANDOM * 32768 + RANDOM) % ($2 - $1)))
    printf '%d.%03d\n' $((ms / 1000)) $((ms % 1000))
}

kb_show() { # NAME: the end of a run's log, for a failure's reader
    tail -40 "$KB_WORK/$1.err" >&2
}

# validate_deep ID [STORE]
validate_deep() {
    kb_run 0 "validate-$1" validate --deep -p "${2:-$KB_WORK/store}" -b "$1"
}

# json_at FILE KEY...: a value in a JSON document
json_at() {
    python3 -c 'import json, sys
at = json.load(open(sys.argv[1]))
for key in sys.argv[2:]:
    at = at[key]
print(at)' "$@"
}

# stored_records ID COUNT: so many are in the archive by its manifest
stored_records() {
    kb describe -p "$KB_WORK/store" -b "$1" -f json \
        >"$KB_WORK/described.json" 2>/dev/null &&
        [ "$(json_at "$KB_WORK/described.json" summary records)" = "$2" ]
}

# read_by_document ID: the reader that was written from the format's document
# alone finds as many records as the program did
read_by_document() {
    local found
    python3 "$KB_ROOT/tests/reader/kbs_reader.py" "$KB_WORK/store" "$1" \
        >"$KB_WORK/reader.out" 2>&1 ||
        fail "the independent reader: $(tail -1 "$KB_WORK/reader.out")"
    found=$(tail -1 "$KB_WORK/reader.out")
    assert_contains "validation" "$KB_WORK/validate-$1.out" \
        "Records Validated:  ${found//[^0-9]/}"
}

# restored_name TOPIC: what suites restore it as; at most 249 characters.
restored_name() {
    if [ ${#1} -gt 240 ]; then printf 'R%s\n' "${1:1}"
    else printf 'r.%s\n' "$1"; fi
}

# restored_map TOPIC...: the topic_mapping for them
restored_map() {
    local topic out=
    for topic in "$@"; do out+=${out:+,}$topic=$(restored_name "$topic"); done
    printf '%s\n' "$out"
}

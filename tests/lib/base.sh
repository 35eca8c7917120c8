# SPDX-License-Identifier: Apache-2.0
# base.sh - what every test script needs: paths, packages, ports, processes.
# Source lib.sh, not this file.

# A fresh container has no locale, and then javac and Python read ASCII.
export LC_ALL=C.UTF-8

KB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
KB_LIB=$KB_ROOT/tests/lib
KB_CACHE=${KAFKA_BACKUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kafka-backup}
KB_BUILD=${KB_BUILD:-$KB_ROOT/build/dev}
KB_BIN=${KB_BIN:-$KB_BUILD/bin/kafka-backup}
# Below the kernel's range for outgoing connections (32768 and up), so that
# none of those can take a port between our looking and a server's binding.
KB_TEST_PORTS=${KB_TEST_PORTS:-20000-31999}

say() { printf '%s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "this needs root, and there is no sudo: $*"; fi
}

# need_packages FILE=PACKAGE...: installs the packages whose FILE (a command's
# name, or an absolute path) is missing.
need_packages() {
    local pair file missing=()
    for pair in "$@"; do
        file=${pair%%=*}
        case $file in
        /*) compgen -G "$file" >/dev/null || missing+=("${pair#*=}") ;;
        *) command -v "$file" >/dev/null || missing+=("${pair#*=}") ;;
        esac
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    command -v apt-get >/dev/null ||
        die "missing packages, and no apt-get to install them: ${missing[*]}"
    say "installing packages: ${missing[*]}"
    local log
    log=$(mktemp)
    if ! { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
            --no-install-recommends "${missing[@]}"; } \
            >"$log" 2>&1 </dev/null; then
        tail -20 "$log" >&2
        rm -f "$log"
        die "apt-get could not install: ${missing[*]}"
    fi
    rm -f "$log"
}

need_build_packages() {
    need_packages cmake=cmake ninja=ninja-build gcc=gcc g++=g++ \
        pkg-config=pkg-config ccache=ccache \
        '/usr/include/librdkafka/rdkafka.h=librdkafka-dev' \
        '/usr/include/openssl/ssl.h=libssl-dev' \
        '/usr/include/yaml.h=libyaml-dev' \
        '/usr/include/jansson.h=libjansson-dev' \
        '/usr/include/zstd.h=libzstd-dev' \
        '/usr/include/lz4frame.h=liblz4-dev' \
        '/usr/include/snappy-c.h=libsnappy-dev' \
        '/usr/include/zlib.h=zlib1g-dev' \
        '/usr/include/microhttpd.h=libmicrohttpd-dev' \
        '/usr/include/krb5.h=libkrb5-dev' \
        '/usr/include/*/curl/curl.h=libcurl4-openssl-dev' \
        '/usr/include/gtest/gtest.h=libgtest-dev' \
        '/usr/lib/*/libgtest_main.a=libgtest-dev' \
        '/usr/lib/*/libc.so=libc6-dev'
}

need_test_packages() {
    need_packages javac=openjdk-17-jdk-headless mvn=maven python3=python3 \
        ip=iproute2
}

# A KDC of MIT's; its tools are in sbin.
need_kdc_packages() {
    need_packages /usr/sbin/krb5kdc=krb5-kdc \
        /usr/sbin/kadmin.local=krb5-admin-server kinit=krb5-user
    PATH=$PATH:/usr/sbin:/sbin
}

# build_preset PRESET [TARGET]: configures and builds, quietly unless it fails.
build_preset() {
    local preset=$1 log=$KB_ROOT/build/$1.log launcher=()
    shift
    mkdir -p "$KB_ROOT/build"
    command -v ccache >/dev/null &&
        launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache
            -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    if ! { (cd "$KB_ROOT" && cmake --preset "$preset" "${launcher[@]}" &&
        cmake --build --preset "$preset" -j"$(nproc)" \
            ${1:+--target "$1"}); } >"$log" 2>&1; then
        tail -40 "$log" >&2
        say "the build of preset $preset failed; all of it is in $log" >&2
        return 1
    fi
}

# free_ports COUNT: prints ports of 127.0.0.1 that nothing listens on, no port
# twice in one run of a suite (the list of those given out is in KB_WORK).
free_ports() {
    python3 - "$1" "$KB_TEST_PORTS" "$KB_WORK/ports" <<'PY'
import fcntl, os, random, socket, sys
count = int(sys.argv[1])
low, high = (int(x) for x in sys.argv[2].split("-"))
with open(sys.argv[3], "a+") as taken:
    fcntl.flock(taken, fcntl.LOCK_EX)
    taken.seek(0)
    used = {int(line) for line in taken}
    found = []
    ports = list(range(low, high + 1))
    start = random.randrange(len(ports))
    for port in ports[start:] + ports[:start]:
        if port in used:
            continue
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            break
    else:
        sys.exit("no %d free ports in %s" % (count, sys.argv[2]))
    taken.write("".join("%d\n" % p for p in found))
print(*found)
PY
}

# Processes. Each is known by a file pids/NAME with its id and the time it
# started, so that a later process with the same number is never killed.
proc_start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

proc_add() { # NAME PID
    mkdir -p "$KB_WORK/pids"
    printf '%s %s\n' "$2" "$(proc_start_time "$2")" >"$KB_WORK/pids/$1"
}

# proc_pid NAME: prints the id while the process lives, else fails.
proc_pid() {
    local pid start
    read -r pid start 2>/dev/null <"$KB_WORK/pids/$1" || return 1
    [ -n "$start" ] && [ "$(proc_start_time "$pid")" = "$start" ] || return 1
    [ "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -c1)" != Z ] ||
        return 1
    printf '%s\n' "$pid"
}

proc_signal() { # NAME SIGNAL
    local pid
    pid=$(proc_pid "$1") || return 0
    kill -"$2" "$pid" 2>/dev/null || true
}

proc_wait_gone() { # NAME SECONDS
    local i
    for ((i = 0; i < $2 * 10; i++)); do
        proc_pid "$1" >/dev/null || return 0
        sleep 0.1
    done
    return 1
}

proc_stop() { # NAME [SECONDS]: TERM, and KILL when that is not enough
    proc_signal "$1" TERM
    proc_wait_gone "$1" "${2:-20}" || {
        proc_signal "$1" KILL
        proc_wait_gone "$1" 10 || say "process $1 does not go away" >&2
    }
    rm -f "$KB_WORK/pids/$1"
}

proc_kill() { # NAME
    proc_signal "$1" KILL
    proc_wait_gone "$1" 10
    rm -f "$KB_WORK/pids/$1"
}

# wait_until SECONDS COMMAND...: runs it until it succeeds.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}

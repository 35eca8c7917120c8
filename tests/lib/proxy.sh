# SPDX-License-Identifier: Apache-2.0
# proxy.sh - proxy.py in front of brokers.
#
#   proxy_start NODE...      a proxy for their PROXIED listeners
#   proxy_do COMMAND...      one command of proxy.py; prints statistics
#   proxy_stat KIND NAME     a number of its statistics, say "hits swallow"

proxy_start() {
    local node pairs=() control
    for node in "$@"; do
        pairs+=("$(kafka_get "$node" proxied):$(kafka_get "$node" behind)")
    done
    control=$(free_ports 1)
    printf '%s\n' "$control" >"$KB_WORK/proxy.control"
    python3 "$KB_LIB/proxy.py" "$control" "${pairs[@]}" \
        >"$KB_WORK/proxy.log" 2>&1 </dev/null &
    proc_add proxy $!
    disown $!
    wait_until 10 port_answers "$control" ||
        { cat "$KB_WORK/proxy.log" >&2; die "the proxy does not start"; }
}

proxy_stop() { proc_kill proxy; }

proxy_do() {
    local answer
    exec 7<>"/dev/tcp/127.0.0.1/$(cat "$KB_WORK/proxy.control")" ||
        die "the proxy is gone"
    printf '%s\n' "$*" >&7
    read -r -t 10 answer <&7 || die "the proxy does not answer: $*"
    exec 7>&-
    case $answer in error*) die "proxy: $answer" ;; esac
    [ "$answer" = ok ] || printf '%s\n' "$answer"
}

proxy_stat() { # KIND NAME
    proxy_do stats | python3 -c 'import json, sys
s = json.load(sys.stdin)[sys.argv[1]]
print(s.get(sys.argv[2], 0) if isinstance(s, dict) else s)' "$1" "${2:-}"
}

# SPDX-License-Identifier: Apache-2.0
# client.sh - the independent client of tests/client: Kafka's own Java client.
#
#   client COMMAND ARGS...   see tests/client/Client.java

KB_CLIENT_VERSION=${KB_CLIENT_VERSION:-4.0.0}

# Compiled once for a given text of the sources, in the cache.
client_classes() {
    local sum dir
    sum=$(cat "$KB_ROOT"/tests/client/*.java | sha256sum | cut -c1-16)
    dir=$KB_CACHE/client-$KB_CLIENT_VERSION-$sum
    if [ ! -f "$dir/Client.class" ]; then
        mvn_libs "$KB_CACHE/clients-$KB_CLIENT_VERSION" \
            "org.apache.kafka:kafka-clients:$KB_CLIENT_VERSION" \
            org.slf4j:slf4j-nop:1.7.36 >&2
        mkdir -p "$dir.$$"
        javac -nowarn -Xlint:none -d "$dir.$$" \
            -cp "$KB_CACHE/clients-$KB_CLIENT_VERSION/libs/*" \
            "$KB_ROOT"/tests/client/*.java >&2 || return 1
        mv -T "$dir.$$" "$dir" 2>/dev/null || rm -rf "$dir.$$"
    fi
    printf '%s\n' "$dir"
}

client() {
    local dir
    dir=$(client_classes) || die "the test client does not compile"
    timeout -k 5 "${CLIENT_TIMEOUT:-300}" java -Xmx${CLIENT_HEAP:-512m} \
        -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
        -cp "$dir:$KB_CACHE/clients-$KB_CLIENT_VERSION/libs/*" Client "$@"
}

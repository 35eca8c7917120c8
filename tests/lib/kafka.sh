# SPDX-License-Identifier: Apache-2.0
# kafka.sh - real Kafka brokers from Maven Central, on 127.0.0.1.
#
#   kafka_new NAME VERSION [KEY=VALUE...]      one broker, made, not started
#   kafka_cluster NAME VERSION COUNT [K=V...]  NAME1..NAMEn, one KRaft cluster
#   kafka_start NAME... | kafka_stop | kafka_kill | kafka_restart NAME
#   kafka_addr NAME         host:port that clients use
#   kafka_proxied NAME      host:port where a proxy is expected (proxy.sh)
#   kafka_set NAME K=V...   more lines for server.properties, at next start
#
# Versions 2.1.1 (with ZooKeeper), 2.8.2, 3.x and 4.x (KRaft) are known to
# work. Every broker has a second listener PROXIED whose advertised address is
# a port of its own: whoever bootstraps there stays behind the proxy.

KAFKA_4=${KAFKA_4:-4.0.0}
KAFKA_3=${KAFKA_3:-3.9.1}
KAFKA_28=2.8.2
KAFKA_21=2.1.1
KAFKA_HEAP=${KAFKA_HEAP:-512m}
KAFKA_CLUSTER_ID=CitOzzaWQCmekIp5OyG5vQ

kafka_pom_dependency() {
    printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId>' \
        "$1" "$2"
    printf '<version>%s</version></dependency>\n' "$3"
}

# mvn_libs DIR GROUP:ARTIFACT:VERSION...: their jars, and all they need, in
# DIR/libs. Whole or not at all: Maven copies into a folder that is renamed.
mvn_libs() {
    local dir=$1 spec g a v
    shift
    [ -f "$dir/libs/.complete" ] && return 0
    need_test_packages
    mkdir -p "$dir"
    (
        flock 9
        [ -f "$dir/libs/.complete" ] && exit 0
        say "downloading from Maven Central: $*"
        {
            printf '<project xmlns="http://maven.apache.org/POM/4.0.0">\n'
            printf '<modelVersion>4.0.0</modelVersion><groupId>test</groupId>'
            printf '<artifactId>test</artifactId><version>1</version>\n'
            printf '<dependencies>\n'
            for spec in "$@"; do
                IFS=: read -r g a v <<<"$spec"
                kafka_pom_dependency "$g" "$a" "$v"
            done
            printf '</dependencies></project>\n'
        } >"$dir/pom.xml"
        rm -rf "$dir/libs" "$dir/libs.new"
        for _ in 1 2 3; do
            (cd "$dir" && timeout 900 mvn -q -B dependency:copy-dependencies \
                -DoutputDirectory=libs.new) >"$dir/mvn.log" 2>&1 && break
            sleep 3
        done
        [ -n "$(ls "$dir"/libs.new/*.jar 2>/dev/null)" ] ||
            { tail -5 "$dir/mvn.log" >&2; exit 1; }
        touch "$dir/libs.new/.complete"
        mv "$dir/libs.new" "$dir/libs"
    ) 9>"$dir/lock" || die "Maven could not get $*"
}

kafka_install() { # VERSION
    local v=$1 dir=$KB_CACHE/kafka-$1 log4j=org.apache.logging.log4j
    case $v in
    2.1.*) # its own ZooKeeper client does not start on Java 17; 3.5.10 does
        mvn_libs "$dir" "org.apache.kafka:kafka_2.12:$v" \
            org.slf4j:slf4j-log4j12:1.7.25 \
            org.apache.zookeeper:zookeeper:3.5.10 ;;
    2.*) mvn_libs "$dir" "org.apache.kafka:kafka_2.13:$v" \
        org.slf4j:slf4j-log4j12:1.7.30 ;;
    3.*) mvn_libs "$dir" "org.apache.kafka:kafka_2.13:$v" \
        org.slf4j:slf4j-reload4j:1.7.36 ;;
    *) mvn_libs "$dir" "org.apache.kafka:kafka_2.13:$v" \
        "$log4j:log4j-core:2.24.3" "$log4j:log4j-slf4j-impl:2.24.3" ;;
    esac
    [ -f "$dir/log4j.properties" ] || cat >"$dir/log4j.properties" <<'X'
log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
X
    [ -f "$dir/log4j2.yaml" ] || cat >"$dir/log4j2.yaml" <<'X'
Configuration:
  Appenders:
    Console: {name: out, target: SYSTEM_OUT, PatternLayout: {pattern: "[%d] %p %m (%c)%n"}}
  Loggers: {Root: {level: WARN, AppenderRef: [{ref: out}]}}
X
}

kafka_dir() { printf '%s\n' "$KB_WORK/kafka/$1"; }
kafka_get() { sed -n "s/^$2=//p" "$(kafka_dir "$1")/node" | tail -1; }
kafka_addr() { printf '127.0.0.1:%s\n' "$(kafka_get "$1" port)"; }
kafka_proxied() { printf '127.0.0.1:%s\n' "$(kafka_get "$1" proxied)"; }
kafka_behind() { printf '127.0.0.1:%s\n' "$(kafka_get "$1" behind)"; }

kafka_cluster_addr() { # NAME: all its brokers, for --bootstrap
    local node list=
    for node in $(cat "$KB_WORK/kafka/$1.nodes"); do
        list+=${list:+,}$(kafka_addr "$node")
    done
    printf '%s\n' "$list"
}

# Replaces KEY=... in the file, so that the last word on a key is the caller's.
kafka_properties() { # FILE KEY=VALUE...
    local file=$1 pair
    shift
    for pair in "$@"; do
        awk -v key="${pair%%=*}=" 'index($0, key) != 1' "$file" >"$file.new"
        printf '%s\n' "$pair" >>"$file.new"
        mv "$file.new" "$file"
    done
}

kafka_set() { # NAME KEY=VALUE...
    local name=$1
    shift
    kafka_properties "$(kafka_dir "$name")/server.properties" "$@"
}

kafka_common_properties() { # DIR PORT BEHIND PROXIED REPLICAS
    cat <<X
inter.broker.listener.name=PLAINTEXT
log.dirs=$1/data
offsets.topic.replication.factor=$5
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=$5
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
message.max.bytes=20000000
replica.fetch.max.bytes=20000000
auto.create.topics.enable=true
log.cleaner.backoff.ms=300
log.cleaner.dedupe.buffer.size=33554432
log.segment.delete.delay.ms=1000
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=500
num.network.threads=2
num.io.threads=4
controlled.shutdown.enable=true
X
}

kafka_node() { # NAME VERSION ID VOTERS CONTROLLER_PORT REPLICAS [KEY=VALUE...]
    local name=$1 v=$2 id=$3 voters=$4 cport=$5 replicas=$6 dir ports
    shift 6
    dir=$(kafka_dir "$name")
    rm -rf "$dir"
    mkdir -p "$dir"
    read -r -a ports <<<"$(free_ports 4)"
    [ -n "${ports[3]:-}" ] || die "no free ports for $name"
    printf 'version=%s\nid=%s\nport=%s\nbehind=%s\nproxied=%s\n' "$v" "$id" \
        "${ports[0]}" "${ports[1]}" "${ports[2]}" >"$dir/node"
    local listeners=PLAINTEXT://127.0.0.1:${ports[0]}
    listeners+=,PROXIED://127.0.0.1:${ports[1]}
    {
        echo "advertised.listeners=PLAINTEXT://127.0.0.1:${ports[0]},PROXIED://127.0.0.1:${ports[2]}"
        case $v in
        2.1.*)
            echo "zookeeper=${ports[3]}" >>"$dir/node"
            echo "broker.id=$id"
            echo "listeners=$listeners"
            echo "zookeeper.connect=localhost:${ports[3]}"
            echo "zookeeper.session.timeout.ms=2000"
            echo "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT" ;;
        *)
            echo "process.roles=broker,controller"
            echo "node.id=$id"
            echo "listeners=$listeners,CONTROLLER://127.0.0.1:$cport"
            echo "controller.quorum.voters=$voters"
            echo "controller.listener.names=CONTROLLER"
            # a killed broker may come back only when its session has ended
            echo "broker.session.timeout.ms=3000"
            echo "broker.heartbeat.interval.ms=500"
            echo "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT" ;;
        esac
        kafka_common_properties "$dir" "${ports[@]:0:3}" "$replicas"
    } >"$dir/server.properties"
    kafka_properties "$dir/server.properties" "$@"
}

kafka_new() { # NAME VERSION [KEY=VALUE...]
    local name=$1 v=$2 port
    shift 2
    kafka_install "$v"
    port=$(free_ports 1)
    kafka_node "$name" "$v" 1 "1@127.0.0.1:$port" "$port" 1 "$@"
    printf '%s\n' "$name" >"$KB_WORK/kafka/$name.nodes"
}

kafka_cluster() { # NAME VERSION COUNT [KEY=VALUE...]
    local name=$1 v=$2 count=$3 ports i voters= nodes=
    shift 3
    kafka_install "$v"
    read -r -a ports <<<"$(free_ports "$count")"
    for ((i = 1; i <= count; i++)); do
        voters+=${voters:+,}$i@127.0.0.1:${ports[i - 1]}
    done
    for ((i = 1; i <= count; i++)); do
        kafka_node "$name$i" "$v" "$i" "$voters" "${ports[i - 1]}" "$count" \
            "$@"
        nodes+="$name$i "
    done
    printf '%s\n' "$nodes" >"$KB_WORK/kafka/$name.nodes"
}

kafka_java() { # VERSION HEAP CLASS ARGS...
    local dir=$KB_CACHE/kafka-$1 heap=$2
    shift 2
    exec java -Xmx"$heap" -Xms"$heap" -XX:+UseSerialGC \
        -XX:TieredStopAtLevel=${KAFKA_TIER:-1} -Djava.awt.headless=true \
        -Dlog4j.configuration="file:$dir/log4j.properties" \
        -Dlog4j2.configurationFile="$dir/log4j2.yaml" \
        -cp "$dir/libs/*" "$@"
}

kafka_launch_zookeeper() { # NAME
    local dir
    dir=$(kafka_dir "$1")
    proc_pid "$1-zk" >/dev/null && return 0
    cat >"$dir/zk.properties" <<X
dataDir=$dir/zk
clientPort=$(kafka_get "$1" zookeeper)
clientPortAddress=127.0.0.1
maxClientCnxns=0
admin.enableServer=false
tickTime=500
X
    (kafka_java "$(kafka_get "$1" version)" 128m \
        org.apache.zookeeper.server.quorum.QuorumPeerMain \
        "$dir/zk.properties") >>"$dir/zk.log" 2>&1 </dev/null &
    proc_add "$1-zk" $!
    disown $!
    wait_until 30 port_answers "$(kafka_get "$1" zookeeper)" ||
        { tail -20 "$dir/zk.log" >&2; die "ZooKeeper does not start"; }
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

kafka_launch() { # NAME: starts it, does not wait
    local name=$1 dir v
    proc_pid "$name" >/dev/null && return 0
    dir=$(kafka_dir "$name")
    v=$(kafka_get "$name" version)
    case $v in
    2.1.*) kafka_launch_zookeeper "$name" ;;
    *)
        if [ ! -f "$dir/data/meta.properties" ]; then
            (kafka_java "$v" 256m kafka.tools.StorageTool format \
                -t "$KAFKA_CLUSTER_ID" -c "$dir/server.properties") \
                >"$dir/format.log" 2>&1 ||
                { tail -20 "$dir/format.log" >&2
                  die "Kafka $v ($name) can't format its folder"; }
        fi ;;
    esac
    (kafka_java "$v" "$KAFKA_HEAP" kafka.Kafka "$dir/server.properties") \
        >>"$dir/log" 2>&1 </dev/null &
    proc_add "$name" $!
    disown $!
}

# kafka_wait NAME [BROKERS] [SECONDS]: until its metadata names that many
# brokers and a controller.
kafka_wait() {
    local name=$1 brokers=${2:-1} seconds=${3:-90}
    local deadline=$((SECONDS + seconds))
    until python3 "$KB_LIB/probe.py" "$(kafka_addr "$name")" "$brokers" \
        2>/dev/null; do
        if ! proc_pid "$name" >/dev/null; then
            tail -30 "$(kafka_dir "$name")/log" >&2
            die "Kafka $(kafka_get "$name" version) ($name) died at start"
        fi
        [ "$SECONDS" -lt "$deadline" ] || {
            tail -30 "$(kafka_dir "$name")/log" >&2
            die "Kafka $(kafka_get "$name" version) ($name): not ready in ${seconds} s"
        }
        sleep 0.3
    done
}

kafka_start() { # NAME...: all of them, then waits for each
    local name
    for name in "$@"; do kafka_launch "$name"; done
    for name in "$@"; do kafka_wait "$name" $#; done
}

kafka_start_cluster() { # NAME
    # shellcheck disable=SC2046 # a list of names on purpose
    kafka_start $(cat "$KB_WORK/kafka/$1.nodes")
}

kafka_stop() { # NAME...: cleanly
    local name
    for name in "$@"; do proc_signal "$name" TERM; done
    for name in "$@"; do proc_stop "$name" 30; done
}

kafka_kill() { proc_kill "$1"; } # NAME: as a crash, kill -9

kafka_restart() { # NAME [kill]
    if [ "${2:-}" = kill ]; then kafka_kill "$1"; else kafka_stop "$1"; fi
    local i
    case $(kafka_get "$1" version) in
    2.8.*) die "Kafka 2.8 in KRaft mode can't be restarted: use another" ;;
    esac
    for i in 1 2 3 4; do # old versions refuse while their old session lives
        kafka_launch "$1"
        (kafka_wait "$1" 1) 2>"$(kafka_dir "$1")/restart.log" && return 0
        sleep 3
    done
    cat "$(kafka_dir "$1")/restart.log" >&2
    die "Kafka ($1) does not start again"
}
